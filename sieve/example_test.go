package sieve_test

import (
	"fmt"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// gateway is the script of a mail gateway: what was released goes to the inbox
// before anything else, what is flagged as spam into a folder.
var gateway = &sieve.Script{Commands: []sieve.Command{
	sieve.Comment("Release bypass"),
	sieve.If{
		Test: sieve.Header{Match: sieve.Is, Names: []string{"X-Conbool-Released"}, Keys: []string{"yes"}},
		Then: []sieve.Command{sieve.FileInto{Mailbox: "INBOX"}, sieve.Stop{}},
	},
	sieve.Comment("Spam"),
	sieve.If{
		Test: sieve.Header{Match: sieve.Is, Names: []string{"X-Conbool-Flag"}, Keys: []string{"YES"}},
		Then: []sieve.Command{sieve.FileInto{Mailbox: "Spam"}, sieve.Stop{}},
	},
}}

func ExampleScript_Format() {
	if err := gateway.Validate(); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%s", gateway.Format())
	// Output:
	// require ["fileinto"];
	// # Release bypass
	// if header :is "X-Conbool-Released" "yes" {
	//     fileinto "INBOX";
	//     stop;
	// }
	// # Spam
	// if header :is "X-Conbool-Flag" "YES" {
	//     fileinto "Spam";
	//     stop;
	// }
}

func ExampleProgram_Run() {
	program, err := interp.Compile(gateway, interp.Options{Name: "gateway", Trace: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	message := []byte("From: a@example.org\nX-Conbool-Flag: YES\n\nBuy!\n")
	in := &interp.Input{Size: int64(len(message)), From: "a@example.org", To: "b@example.com"}
	in.Header, in.Body = headers.Scan(nil, message, headers.Sieve)

	result := program.Run(in)
	fmt.Println(result.Mailboxes())
	for _, s := range result.Steps {
		fmt.Printf("%s:%d %v %s\n", s.Script, s.Line, s.Matched, s.Text)
	}
	// Output:
	// [Spam]
	// gateway:3 false header :is "X-Conbool-Released" "yes"
	// gateway:8 true header :is "X-Conbool-Flag" "YES"
	// gateway:9 true fileinto "Spam"
	// gateway:10 true stop
}

func ExampleSequence() {
	user, err := sieve.Parse("user", []byte(`require "fileinto"; if true { fileinto "Everything"; }`))
	if err != nil {
		fmt.Println(err)
		return
	}
	var sequence interp.Sequence
	for _, s := range []*sieve.Script{gateway, user} {
		program, err := interp.Compile(s, interp.Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		sequence = append(sequence, program)
	}
	for _, message := range []string{"X-Conbool-Released: yes\n\n", "X-Conbool-Flag: YES\n\n", "Subject: hello\n\n"} {
		in := &interp.Input{Size: int64(len(message))}
		in.Header, in.Body = headers.Scan(nil, []byte(message), headers.Sieve)
		result := sequence.Run(in)
		fmt.Println(result.Mailboxes())
	}
	// Output:
	// [INBOX]
	// [Spam]
	// [Everything]
}

func ExampleParse() {
	_, err := sieve.Parse("user.sieve", []byte("if header :is \"Subject\" \"x\" {\n  fileinto \"A\";\n}\nset \"a\" \"b\";\n"))
	fmt.Println(err)
	// Output:
	// user.sieve:2:3: fileinto needs the extension "fileinto": add it to require
	// user.sieve:4:1: set needs the extension "variables": add it to require
}

func ExampleFromPredicate() {
	test, err := sieve.FromPredicate(headers.Any{
		headers.Match{Name: "X-Spam", Op: headers.Is, Values: []string{"yes"}},
		headers.ContentType{Types: []string{"text/calendar"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	script := &sieve.Script{Commands: []sieve.Command{sieve.If{Test: test, Then: []sieve.Command{sieve.Keep{}}}}}
	fmt.Printf("%s", script.Format())

	_, err = sieve.FromPredicate(headers.MatchPrefix{Prefix: "X-Conbool-", Op: headers.Is, Values: []string{"true"}})
	fmt.Println(err != nil)
	// Output:
	// require ["mime"];
	// if anyof (
	//     header :is "X-Spam" "yes",
	//     header :mime :anychild :contenttype :is "Content-Type" "text/calendar"
	// ) {
	//     keep;
	// }
	// true
}
