package sieve_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
)

// lintCases are scripts and what Check says of them, without the name.
var lintCases = []struct {
	name string
	src  string
	want []string
}{
	{"nothing", `require ["fileinto", "mailbox"]; if header :is "a" "b" { fileinto :create "x"; stop; } keep;`, nil},
	{"errors only", "fileinto \"x\";\nstop; keep;", []string{`1:1: fileinto needs the extension "fileinto": add it to require`}},
	{"extension that is off", `require "foo"; require "editheader";`, []string{
		`1:9: extension "foo" is not supported`, `1:24: extension "editheader" is off on this server: add it to sieve_extensions`,
	}},
	{"unused and needless", "require [\"copy\", \"fileinto\", \"comparator-i;octet\"];\nrequire [\"fileinto\", \"encoded-character\", \"variables\"]; fileinto \"INBOX\";", []string{
		`1:10: warning: extension "copy" is required and not used`, `1:30: warning: extension "comparator-i;octet" is always there`,
		`2:10: warning: extension "fileinto" is required twice`, `2:22: warning: extension "encoded-character" is required and not used`,
		`2:43: warning: extension "variables" is required and not used`,
	}},
	{"used in a string only", `require ["encoded-character", "variables"]; if header :matches "a" "*${hex:41}" { redirect "${1}@b"; }`, nil},
	{"mailbox that may be missing", `require ["fileinto", "variables"]; fileinto "a"; fileinto "inbox"; fileinto "${x}";`, []string{
		`1:36: warning: fileinto without :create fails where mailbox "a" is missing`,
	}},
	{"mailboxes that stores refuse",
		`require ["fileinto", "mailbox"]; fileinto :create "a..b"; fileinto ".x"; fileinto "x/"; fileinto :create "~x"; fileinto "";` +
			" fileinto \"a\tb\"; fileinto :create \"" + strings.Repeat("é", 120) + "\"; fileinto :create \"a/b.c\";", []string{
			`1:34: warning: mailbox "a..b" has an empty level: the server stores nothing there, and the script fails`,
			`1:59: warning: mailbox ".x" has an empty level: the server stores nothing there, and the script fails`,
			`1:74: warning: mailbox "x/" has an empty level: the server stores nothing there, and the script fails`,
			`1:89: warning: mailbox "~x" begins with ~: the server stores nothing there, and the script fails`,
			`1:125: warning: mailbox "a\tb" has a control character: the server stores nothing there, and the script fails`,
			`1:141: warning: mailbox "` + strings.Repeat("é", 60) +
				`" is too long for a maildir: the server stores nothing there, and the script fails`,
		}},
	{"never run", "if true { stop; # no\nkeep; discard; }\nkeep;", []string{
		"2:1: warning: this is never run: the commands before end the script or the block",
		"3:1: warning: this is never run: the commands before end the script or the block",
	}},
	{"never run behind branches", "if header \"a\" \"b\" { stop; } else { stop; }\nkeep;",
		[]string{"2:1: warning: this is never run: the commands before end the script or the block"}},
	{"run behind some branches", "if header \"a\" \"b\" { stop; } elsif true { keep; }\nkeep;", nil},
	{"break", "require \"foreverypart\"; foreverypart { break; keep; } keep;",
		[]string{"1:47: warning: this is never run: the commands before end the script or the block"}},
	{"never true", `if false {} if not true {} if anyof (false, not true) {} if allof (true, false) {}`, []string{
		"1:4: warning: this test is never true: it is false", "1:16: warning: this test is never true: it is not true",
		"1:31: warning: this test is never true: it is not true", "1:61: warning: this test is never true: it is false",
	}},
	{"values without an end", `if header "a" "b " {} if header "a" ["b ", "c"] {} if header :contains "a" "b " {}`, []string{
		"1:4: warning: this test is never true: the server takes white space off the end of a field",
	}},
	{"names", `if header "a b" "c" {} if exists ["a", "b:"] {} if header ["a", "b c"] "d" {}`, []string{
		`1:4: warning: "a b" can't be the name of a header field`, "1:4: warning: this test is never true: no message has the field",
		`1:27: warning: "b:" can't be the name of a header field`, "1:27: warning: this test is never true: no message has the field",
		`1:52: warning: "b c" can't be the name of a header field`,
	}},
	{"domains", `if address :domain "from" "a@b" {} if address :domain "from" ["a@b", "c"] {}`,
		[]string{"1:4: warning: this test is never true: a domain holds no @"}},
	{"sizes", `if allof (size :over 1K, size :under 1K) {} if allof (size :over 10, size :under 11) {} if allof (size :over 10, size :under 12) {}`, []string{
		"1:4: warning: this test is never true: no message is that large and that small",
		"1:48: warning: this test is never true: no message is that large and that small",
	}},
	{"counts", `require "relational"; if header :count "lt" "a" "0" {}`,
		[]string{"1:26: warning: this test is never true: nothing is fewer than 0"}},
	{"the same test", "if header \"a\" \"b\" {}\nelsif header \"a\" \"c\" {}\nelsif header \"a\" \"b\" {}",
		[]string{"3:7: warning: this test is never true: the same test stands before it"}},
	{"dates", `require "date"; if currentdate "year" "99" {} if currentdate :zone "CET" "nosuch" "x" {} if date "a b" "weekday" "7" {}`,
		[]string{
			`1:20: warning: this test is never true: "year" never looks like that`,
			`1:50: warning: zone "CET" is not of the form "+hhmm" or "-hhmm"`,
			`1:50: warning: this test is never true: "nosuch" is no part of a date`,
			`1:93: warning: "a b" can't be the name of a header field`,
			`1:93: warning: this test is never true: "weekday" never looks like that`,
		}},
	{"flags", `require "imap4flags"; addflag ["\\Seen x", "\\Nope"]; if hasflag "\\Nope" {} keep :flags "a(b";`, []string{
		`1:23: warning: "\\Nope" is not an IMAP flag, and left out`, "1:58: warning: this test is never true: a message has no such flag",
		`1:78: warning: "a(b" is not an IMAP flag, and left out`,
	}},
	{"what the server doesn't have",
		`require ["ihave"]; if ihave "editheader" { addheader "a" "b"; } if ihave "variables" {} if ihave "copy" {}`, []string{
			`1:23: warning: this test is never true: the server doesn't have the extension "editheader"`,
			`1:44: warning: addheader is of the extension "editheader", which is off on this server`,
			`1:68: warning: this test is never true: "variables" can be had by require only`,
		}},
	{"dead and wrong", "if true {} elsif nonsense {} else { nonsense; }", []string{
		"1:18: warning: this test is never true: it is false",
		`1:18: warning: unknown test "nonsense", or of an extension that is not supported`,
		`1:37: warning: unknown command "nonsense", or of an extension that is not supported`,
	}},
	{"errors that are compiled", `require "variables"; redirect "a${foo.x}@b"; redirect "${33}@b";`, []string{
		`1:31: warning: variables of the namespace "foo" are unknown`, "1:55: warning: match value 33 is larger than 32",
	}},
	{"conflict", `require ["fileinto", "reject"]; fileinto "INBOX"; reject "no";`, []string{
		"1:51: warning: reject and an action that delivers or answers exclude each other: the message is kept, with a run-time error",
	}},
}

func TestCheck(t *testing.T) {
	for _, tt := range lintCases {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			warnings, err := sieve.Check("", []byte(tt.src), sieve.Debian12)
			if err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			for _, w := range warnings {
				got = append(got, w.Position.String()+": warning: "+w.Text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	var list sieve.Errors
	if w, err := sieve.Check("x", make([]byte, sieve.MaxScriptSize+1), sieve.Debian12); len(w) != 0 || !errors.As(err, &list) ||
		list[0].Line != 1 {
		t.Errorf("a script that is too large: %v, %v", w, err)
	}
	old, _ := sieve.Check("x", []byte("require \"imapflags\"; mark;"), sieve.Debian12|sieve.ExtIMAPFlags)
	if len(old) != 1 || old[0].String() != `x:1:9: extension "imapflags" is out of date: use "imap4flags"` {
		t.Errorf("imapflags: %v", old)
	}
}

// TestCheckServer checks that a script with warnings only is one that sievec
// compiles, and a script with errors one that it refuses.
func TestCheckServer(t *testing.T) {
	o := sievetest.NewOracle(t)
	refused := func(want []string) bool { return len(want) > 0 && !strings.Contains(want[0], "warning") }
	var taken [][]byte
	for _, tt := range lintCases {
		if !strings.Contains(tt.src, "editheader") && !refused(tt.want) {
			taken = append(taken, []byte(tt.src))
		}
	}
	together := o.AcceptsAll(t, taken...)
	for _, tt := range lintCases {
		want := sievetest.Accepted
		if refused(tt.want) {
			want = sievetest.Rejected
		}
		src := tt.src
		if strings.Contains(src, "editheader") {
			continue // the server of the tests has it on
		}
		if together && want == sievetest.Accepted {
			continue
		}
		if v, text, _ := o.Compile(t, []byte(src)); v != want {
			t.Errorf("%s: %s, want %s\n%s", tt.name, v, want, text)
		}
	}
}

// TestCheckConflictServer holds the warning of actions that exclude each other
// against what the server does.
func TestCheckConflictServer(t *testing.T) {
	o := sievetest.NewOracle(t)
	const head = `require ["fileinto", "reject", "vacation", "copy"]; `
	for _, src := range []string{
		`reject "no";`, `fileinto "INBOX"; reject "no";`, `reject "no"; fileinto "INBOX";`, `redirect "a@b"; reject "no";`,
		`reject "no"; redirect "a@b";`,
		`reject "no"; vacation "gone";`, `vacation "gone"; reject "no";`, `discard; reject "no";`, `reject "no"; discard;`,
		`fileinto :copy "INBOX"; reject "no";`, `vacation "gone"; fileinto "INBOX";`, `if true { fileinto "INBOX"; } reject "no";`,
		`if false { fileinto "INBOX"; } reject "no";`, `if header "subject" "x" { fileinto "INBOX"; stop; } reject "no";`,
		`if header "subject" "x" { fileinto "INBOX"; } else { redirect "a@b"; } reject "no";`,
	} {
		warned := false
		warnings, _ := sieve.Check("", []byte(head+src), sieve.Debian12)
		for _, w := range warnings {
			warned = warned || strings.Contains(w.Text, "exclude each other")
		}
		got := o.DecideOne(t, "sender@example.org", "user@example.org", []byte(head+src),
			[]byte("From: a@b\nTo: user@example.org\nSubject: y\n\nbody\n"))
		if got.Failed != warned {
			t.Errorf("warned %v, failed %v: %s", warned, got.Failed, src)
		}
	}
}
