package sieve_test

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	gosieve "git.sr.ht/~emersion/go-sieve"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
)

var formatCases = []struct {
	name string
	in   *sieve.Script
	want string
}{
	{"empty", &sieve.Script{}, ""},
	{"plain commands", &sieve.Script{Commands: []sieve.Command{sieve.Keep{}, sieve.Discard{}, sieve.Stop{}}}, "keep;\ndiscard;\nstop;\n"},
	{"gateway", &sieve.Script{Commands: []sieve.Command{
		sieve.Comment("Release bypass (policy: Gateway.Released)"),
		sieve.If{
			Test: sieve.Header{Match: sieve.Is, Names: []string{"X-Conbool-Released"}, Keys: []string{"yes"}},
			Then: []sieve.Command{sieve.FileInto{Mailbox: "INBOX"}, sieve.Stop{}},
		},
		sieve.If{
			Test: sieve.Header{Match: sieve.Is, Names: []string{"X-Conbool-Flag"}, Keys: []string{"YES"}},
			Then: []sieve.Command{sieve.FileInto{Mailbox: "Spam", Create: true}, sieve.Stop{}},
		},
	}}, `require ["fileinto", "mailbox"];
# Release bypass (policy: Gateway.Released)
if header :is "X-Conbool-Released" "yes" {
    fileinto "INBOX";
    stop;
}
if header :is "X-Conbool-Flag" "YES" {
    fileinto :create "Spam";
    stop;
}
`},
	{"if elsif else", &sieve.Script{Commands: []sieve.Command{sieve.If{
		Test: sieve.Not{Test: sieve.Exists{Names: []string{"A", "B"}}},
		Then: []sieve.Command{sieve.Keep{}},
		ElsIf: []sieve.ElsIf{{Test: sieve.True{}, Then: nil}, {Test: sieve.AllOf{sieve.True{}},
			Then: []sieve.Command{sieve.Comment("# tag"), sieve.Comment("")}}},
		Else: []sieve.Command{sieve.If{Test: sieve.False{}, Then: []sieve.Command{sieve.Stop{}}}},
	}}}, `if not exists ["A", "B"] {
    keep;
} elsif true {
} elsif allof (true) {
    ## tag
    #
} else {
    if false {
        stop;
    }
}
`},
	{"nested lists of tests", &sieve.Script{Commands: []sieve.Command{sieve.If{
		Test: sieve.AnyOf{sieve.AllOf{sieve.True{}, sieve.Not{Test: sieve.AnyOf{sieve.False{}, sieve.True{}}}},
			sieve.Size{Over: true, Limit: 100 << 10}, sieve.Size{Over: false, Limit: 1 << 20}, sieve.Size{Over: true, Limit: 3 << 30},
			sieve.Size{Over: true, Limit: 0}, sieve.Size{Over: true, Limit: 1023}},
	}}}, `if anyof (
    allof (
        true,
        not anyof (
            false,
            true
        )
    ),
    size :over 100K,
    size :under 1M,
    size :over 3G,
    size :over 0,
    size :over 1023
) {
}
`},
	{"everything that compares", &sieve.Script{Commands: []sieve.Command{sieve.If{Test: sieve.AnyOf{
		sieve.Header{Names: []string{"a"}, Keys: []string{"b", "c"}},
		sieve.Header{Names: []string{"a"}, Match: sieve.Count, Relation: sieve.GreaterOrEqual, Comparator: sieve.ASCIINumeric,
			Keys: []string{"2"}},
		sieve.Header{Names: []string{"Content-Type"}, Match: sieve.Is, Keys: []string{"text/calendar"}, MIME: true, AnyChild: true,
			MIMEPart: sieve.MIMEContentType},
		sieve.Address{Names: []string{"from"}, Part: sieve.Domain, Match: sieve.Matches, Comparator: sieve.Octet, Keys: []string{"*.org"}},
		sieve.Envelope{Fields: []string{"from"}, Part: sieve.All, Match: sieve.Regex, Keys: []string{"^$"}},
		sieve.HasFlag{Match: sieve.Contains, Flags: []string{`\Seen`}},
		sieve.MailboxExists{Mailboxes: []string{"A"}},
	}}}}, `require ["comparator-i;ascii-numeric", "envelope", "imap4flags", "mailbox", "mime", "regex", "relational"];
if anyof (
    header "a" ["b", "c"],
    header :count "ge" :comparator "i;ascii-numeric" "a" "2",
    header :mime :anychild :contenttype :is "Content-Type" "text/calendar",
    address :domain :matches :comparator "i;octet" "from" "*.org",
    envelope :all :regex "from" "^$",
    hasflag :contains "\\Seen",
    mailboxexists "A"
) {
}
`},
	{"everything that acts", &sieve.Script{Commands: []sieve.Command{
		sieve.FileInto{Mailbox: `a"\b`, Copy: true, Create: true, Flags: []string{`\Seen x`, ""}},
		sieve.Redirect{Address: "a@b"}, sieve.Redirect{Address: "A <a@b>", Copy: true},
		sieve.Keep{Flags: []string{""}}, sieve.Reject{Reason: "no\r\nnever"},
		sieve.Vacation{Reason: "gone"},
		sieve.Vacation{
			Days: sievetest.Ptr(uint64(1024)), Subject: sievetest.Ptr(""), From: "a@b", Addresses: []string{"c@d", "e@f"}, MIME: true,
			Handle: sievetest.Ptr("h"),
			Reason: "Subject: x\r\n\r\nx\r\n",
		},
		sieve.AddFlag{Flags: []string{"a"}}, sieve.SetFlag{Flags: []string{"b", "c"}}, sieve.RemoveFlag{Flags: []string{"d"}},
	}}, `require ["copy", "fileinto", "imap4flags", "mailbox", "reject", "vacation"];
fileinto :copy :create :flags ["\\Seen x", ""] "a\"\\b";
redirect "a@b";
redirect :copy "A <a@b>";
keep :flags "";
reject "no
never";
vacation "gone";
vacation :days 1024 :subject "" :from "a@b" :addresses ["c@d", "e@f"] :mime :handle "h" "Subject: x

x
";
addflag "a";
setflag ["b", "c"];
removeflag "d";
`},
	{"octets that no string can hold", &sieve.Script{Commands: []sieve.Command{
		sieve.If{Test: sieve.Header{Names: []string{"a"}, Keys: []string{"\x00", "\r", "\n", "\r\n", "$", "${hex:41}", "\r\r\n\n"}}},
	}}, "require [\"encoded-character\"];\nif header \"a\" [\"${hex:00}\", \"${hex:0d}\", \"${hex:0a}\", \"\n\", \"$\", \"${hex:24}{hex:41}\", \"${hex:0d}\n${hex:0a}\"] {\n}\n"},
	{"what looks encoded and isn't", &sieve.Script{Commands: []sieve.Command{
		sieve.If{Test: sieve.Header{Names: []string{"a"}, Keys: []string{"${hex:41}"}}},
	}}, "if header \"a\" \"${hex:41}\" {\n}\n"},
	{"long list", &sieve.Script{Commands: []sieve.Command{sieve.If{Test: sieve.Exists{Names: []string{strings.Repeat("a", 60),
		strings.Repeat("b", 60)}}, Then: []sieve.Command{sieve.Stop{}}}}},
		"if exists [\n    \"" + strings.Repeat("a", 60) + "\",\n    \"" + strings.Repeat("b", 60) + "\"\n] {\n    stop;\n}\n"},
}

func TestFormat(t *testing.T) {
	for _, tt := range formatCases {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, string(tt.in.Format())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			back, err := sieve.Parse("", []byte(tt.want))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.in, back, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(sieve.Script{}, "Lines")); diff != "" {
				t.Errorf("parsed again (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFormatServer holds the printed scripts of the table and generated ones
// against sievec.
func TestFormatServer(t *testing.T) {
	o := sievetest.NewOracle(t)
	var all [][]byte
	for _, tt := range formatCases {
		all = append(all, tt.in.Format())
	}
	g := sievetest.NewGenerator(3)
	for range servertest.Scaled(t, 100) {
		all = append(all, g.Script().Format())
	}
	if o.AcceptsAll(t, all...) {
		return
	}
	for _, src := range all {
		if v, text, _ := o.Compile(t, src); v != sievetest.Accepted {
			t.Errorf("%s\n%s\n%s", v, text, src)
		}
	}
}

// TestFormatHostile prints values that no valid script has: what is in a value
// must not become a command.
func TestFormatHostile(t *testing.T) {
	const attack = "x\" {} discard;\r\n discard; /*"
	s := &sieve.Script{Commands: []sieve.Command{
		sieve.Comment(attack), nil, sieve.If{}, sieve.FileInto{Mailbox: attack}, sieve.Redirect{Address: attack}, sieve.Keep{Flags: []string{}},
		sieve.If{Test: sieve.Header{Names: []string{attack}, Match: sieve.MatchType(attack), Relation: sieve.Relation(attack),
			Comparator: sieve.Comparator(attack), Keys: nil}},
		sieve.If{Test: sieve.AllOf{}}, sieve.If{Test: sieve.Address{Part: sieve.AddressPart(attack)}},
		sieve.If{Test: sieve.Header{MIMEPart: sieve.MIMEPart(attack), Match: sieve.Count, Relation: sieve.Relation(attack)}},
	}}
	if sieve.HasWord(string(s.Format()), "discard") {
		t.Errorf("a value became a command:\n%s", s.Format())
	}
	if _, err := sieve.Parse("", s.Format()); err == nil {
		t.Error("Parse takes it")
	}
	if err := s.Validate(); err == nil {
		t.Error("Validate takes it")
	}
}

func TestRequires(t *testing.T) {
	s := formatCases[2].in
	if diff := cmp.Diff([]string{"fileinto", "mailbox"}, s.Requires()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAST(t *testing.T) {
	for _, tt := range formatCases {
		t.Run(tt.name, func(t *testing.T) {
			back, err := sieve.FromAST(tt.in.AST())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(withoutComments(tt.in.Commands), back.Commands, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	g := sievetest.NewGenerator(5)
	for range 200 {
		s := g.Script()
		back, err := sieve.FromAST(s.AST())
		if err != nil {
			t.Fatal(err)
		}
		want := (&sieve.Script{Commands: withoutComments(s.Commands)}).Format()
		if diff := cmp.Diff(string(want), string(back.Format())); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
}

func withoutComments(list []sieve.Command) []sieve.Command {
	var out []sieve.Command
	for _, c := range list {
		switch c := c.(type) {
		case sieve.Comment:
			continue
		case sieve.If:
			c.Then, c.Else = withoutComments(c.Then), withoutComments(c.Else)
			var branches []sieve.ElsIf
			for _, e := range c.ElsIf {
				branches = append(branches, sieve.ElsIf{Test: e.Test, Then: withoutComments(e.Then)})
			}
			c.ElsIf = branches
			out = append(out, c)
			continue
		}
		out = append(out, c)
	}
	return out
}

// TestASTOfGoSieve takes what go-sieve's own parser makes of a script that it
// reads right.
func TestASTOfGoSieve(t *testing.T) {
	src := "require [\"fileinto\", \"relational\"];\nif header :count \"ge\" [\"a\"] \"1\" { fileinto \"x\ny\"; }\nelsif size :over 10K { stop; } else { keep; }\n"
	cmds, err := gosieve.Parse(strings.NewReader(src))
	if err != nil {
		t.Fatal(err)
	}
	s, err := sieve.FromAST(cmds)
	if err != nil {
		t.Fatal(err)
	}
	want, err := sieve.Parse("", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Commands, s.Commands); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFromASTErrors(t *testing.T) {
	deep := gosieve.Test{Name: "true"}
	for range 40 {
		deep = gosieve.Test{Name: "not", Tests: []gosieve.Test{deep}}
	}
	block := []gosieve.Command{{Name: "keep"}}
	for range 40 {
		block = []gosieve.Command{{Name: "if", Tests: []gosieve.Test{{Name: "true"}}, Block: block}}
	}
	list := func(s ...string) []gosieve.Argument { return []gosieve.Argument{gosieve.ArgumentStringList(s)} }
	for _, tt := range []struct {
		name string
		in   []gosieve.Command
		want string
	}{
		{"unknown command", []gosieve.Command{{Name: "nonsense"}}, `unknown command "nonsense"`},
		{"nameless", []gosieve.Command{{}}, `unknown command ""`},
		{"missing require", []gosieve.Command{{Name: "fileinto", Arguments: list("x")}}, `needs the extension "fileinto"`},
		{"empty list", []gosieve.Command{{Name: "redirect", Arguments: list()}}, "empty string list"},
		{"NUL", []gosieve.Command{{Name: "redirect", Arguments: list("a\x00@b")}}, "has a NUL"},
		{"negative number", []gosieve.Command{{Name: "keep", Arguments: []gosieve.Argument{gosieve.ArgumentNumber{Value: -1}}}}, "-1"},
		{"quantifier", []gosieve.Command{{Name: "keep", Arguments: []gosieve.Argument{gosieve.ArgumentNumber{Value: 1, Quantifier: 'x'}}}},
			"1x is not a number"},
		{"nil argument", []gosieve.Command{{Name: "keep", Arguments: []gosieve.Argument{nil}}}, "type <nil>"},
		{"deep tests", []gosieve.Command{{Name: "if", Tests: []gosieve.Test{deep}}}, "tests are nested deeper"},
		{"deep blocks", block, "blocks are nested deeper"},
		{"too many arguments", []gosieve.Command{{Name: "keep", Arguments: make([]gosieve.Argument, 33)}}, "more than 32 arguments"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := sieve.FromAST(tt.in); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestComments(t *testing.T) {
	src := "# first\nrequire \"fileinto\"; # behind require\n#second\n## third\n#\n# cr\rhere\nkeep; # behind keep\n/* bracket */\nif true # in the if\n{\n    # in the block\n    stop;\n    # last of the block\n}\n# before else\nelse { discard; }\n# last"
	want := []sieve.Command{
		sieve.Comment("first"), sieve.Comment("second"), sieve.Comment("# third"), sieve.Comment(""), sieve.Keep{},
		sieve.If{Test: sieve.True{}, Then: []sieve.Command{sieve.Comment("in the block"), sieve.Stop{}, sieve.Comment("last of the block")},
			Else: []sieve.Command{sieve.Discard{}}},
		sieve.Comment("last"),
	}
	s, err := sieve.Parse("", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, s.Commands); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{1, 3, 4, 5, 7, 9, 9, 11, 12, 13, 16, 17}, s.Lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	checkRoundTrip(t, s)
}

// anyString makes strings with much of what is special somewhere.
func anyString(r *rand.Rand) string {
	var b []byte
	for range r.IntN(20) {
		switch r.IntN(3) {
		case 0:
			b = append(b, byte(r.IntN(256)))
		default:
			b = append(b, []string{"\"", "\\", "\r\n", "\r", "\n", "\x00", "${hex:41}", "${", "}", "$", "${unicode:40}", ".", "text:", "*/", "#",
				";", "é", "a", " "}[r.IntN(19)]...)
		}
	}
	return string(b)
}

// TestQuoteServer proves with Pigeonhole itself that a string survives: a
// header test compares the string in the script with a header field, and a
// second one shows that a different string doesn't match.
func TestQuoteServer(t *testing.T) {
	o := sievetest.NewOracle(t)
	r := rand.New(rand.NewPCG(11, 1))
	// A field can't hold line breaks, NUL or white space at its ends, and what
	// isn't ASCII may be decoded; the bytes that remain are all of the syntax.
	clean := strings.NewReplacer("\r", "", "\n", "", "\x00", "", "=?", "")
	var s sieve.Script
	var msg bytes.Buffer
	count := 0
	for count < 400 {
		v := strings.TrimSpace(clean.Replace(anyString(r)))
		ascii := v != ""
		for i := 0; i < len(v); i++ {
			ascii = ascii && v[i] >= ' ' && v[i] < 0x7f
		}
		if !ascii {
			continue
		}
		count++
		name := []string{"X-" + strings.Repeat("a", count%50+1) + strings.Repeat("b", count/50)}
		msg.WriteString(name[0] + ": " + v + "\n")
		s.Commands = append(s.Commands, sieve.If{
			Test: sieve.Not{Test: sieve.Header{Names: name, Match: sieve.Is, Comparator: sieve.Octet, Keys: []string{v}}},
			Then: []sieve.Command{sieve.Discard{}, sieve.Stop{}},
		})
	}
	for _, extra := range []string{"", "\x00\r"} {
		// The second time everything is printed with encoded-character.
		script := s
		if extra != "" {
			script.Commands = append([]sieve.Command{sieve.If{Test: sieve.Header{Names: []string{"X-None"}, Keys: []string{extra}},
				Then: []sieve.Command{sieve.Keep{}}}}, s.Commands...)
		}
		got := o.DecideOne(t, "", "", script.Format(), append(msg.Bytes(), '\n'))
		if !got.Implicit {
			t.Errorf("a string did not survive: %+v\n%s", got, script.Format())
		}
	}
}

func TestStringsSurvive(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 1))
	for range 5000 {
		checkString(t, anyString(r))
	}
}

// checkString checks that a string is the same behind Format and Parse.
func checkString(t *testing.T, s string) {
	t.Helper()
	want := &sieve.Script{Commands: []sieve.Command{sieve.If{Test: sieve.Header{Names: []string{"a"}, Keys: []string{s, "${hex:41}"}}}}}
	got, err := sieve.Parse("", want.Format())
	if err != nil {
		t.Fatalf("%q: %v\n%s", s, err, want.Format())
	}
	if !reflect.DeepEqual(want.Commands, got.Commands) {
		t.Fatalf("%q became %s", s, got.Format())
	}
}
