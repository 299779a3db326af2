package sieve_test

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve"
)

// runCases are scripts over one message; every case goes through sieve-test.
// A test is written alone, and the script discards where it holds.
var runCases = []struct {
	name, header, test string
	want               bool
}{
	{"is", "X-A: yes", `header "x-a" "YES"`, true},
	{"is with octet", "X-A: yes", `header :comparator "i;octet" "x-a" "YES"`, false},
	{"is trims", "X-A:  \t yes \t", `header "x-a" "yes"`, true},
	{"is of an absent field", "X-B: yes", `header "x-a" "yes"`, false},
	{"is empty of an absent field", "X-B: yes", `header "x-a" ""`, false},
	{"is empty of an empty field", "X-A:", `header "x-a" ""`, true},
	{"any of the names", "X-B: yes", `header ["x-a", "x-b"] "yes"`, true},
	{"any of the keys", "X-A: yes", `header "x-a" ["no", "yes"]`, true},
	{"any of the fields", "X-A: no\nX-A: yes", `header "x-a" "yes"`, true},
	{"space before the colon", "X-A : yes", `header "x-a" "yes"`, true},
	{"encoded word", "X-A: =?utf-8?q?yes?=", `header "x-a" "yes"`, true},
	{"encoded word, raw", "X-A: =?utf-8?q?yes?=", `header :contains "x-a" "=?"`, false},
	{"folded", "X-A: a\n b", `header "x-a" "a b"`, true},
	{"folded at the start", "X-A:\n yes", `header "x-a" "yes"`, false},
	{"contains", "X-A: foobar", `header :contains "x-a" "OBA"`, true},
	{"contains nothing", "X-A:", `header :contains "x-a" ""`, true},
	{"contains nothing of an absent field", "X-B: a", `header :contains "x-a" ""`, false},
	{"matches", "X-A: foobar", `header :matches "x-a" "f*R"`, true},
	{"matches one octet", "X-A: a", `header :matches "x-a" "?"`, true},
	{"matches the whole", "X-A: foobar", `header :matches "x-a" "f*a"`, false},
	{"matches a plain star", "X-A: a*", `header :matches "x-a" "a\\*"`, true},
	{"regex", "X-A: foobar", `header :regex "x-a" "O+b"`, true},
	{"regex anchored", "X-A: foobar", `header :regex "x-a" "^o+b"`, false},
	{"numeric", "X-A: 010", `header :comparator "i;ascii-numeric" "x-a" "10"`, true},
	{"numeric of no number", "X-A: abc", `header :comparator "i;ascii-numeric" "x-a" "xyz"`, true},
	{"value by number", "X-A: 9", `header :value "lt" :comparator "i;ascii-numeric" "x-a" "10"`, true},
	{"value by text", "X-A: 9", `header :value "lt" "x-a" "10"`, false},
	{"value of no number", "X-A: a", `header :value "gt" :comparator "i;ascii-numeric" "x-a" "99999999999999999999999"`, true},
	{"value between the cases", "X-A: _", `header :value "gt" "x-a" "A"`, false},
	{"count", "X-A: 1\nX-A: 2", `header :count "eq" :comparator "i;ascii-numeric" "x-a" "2"`, true},
	{"count of two names", "X-A: 1\nX-B: 2", `header :count "ge" :comparator "i;ascii-numeric" ["x-a", "x-b"] "2"`, true},
	{"count of nothing", "X-B: 1", `header :count "eq" :comparator "i;ascii-numeric" "x-a" "0"`, true},
	{"exists", "X-A: 1\nX-B: 2", `exists ["x-a", "X-B"]`, true},
	{"exists not all", "X-A: 1", `exists ["x-a", "X-B"]`, false},
	{"size over", "X-A: 1", `size :over 5`, true},
	{"size over itself", "X-A: 1", `size :over 13`, false},
	{"size under itself", "X-A: 1", `size :under 13`, false},
	{"size under", "X-A: 1", `size :under 14`, true},
	{"not", "X-A: 1", `not exists "x-b"`, true},
	{"allof", "X-A: 1", `allof (true, exists "x-a")`, true},
	{"allof false", "X-A: 1", `allof (exists "x-a", false)`, false},
	{"anyof", "X-A: 1", `anyof (false, exists "x-a")`, true},
	{"anyof false", "X-A: 1", `anyof (exists "x-b", false)`, false},
	{"address", "From: Joe <joe@Example.org>", `address "from" "JOE@example.ORG"`, true},
	{"address localpart", "From: Joe <joe@Example.org>", `address :localpart "from" "joe"`, true},
	{"address domain", "From: Joe <joe@Example.org>", `address :domain "from" "example.org"`, true},
	{"address is not the name", "From: Joe <joe@example.org>", `address :contains "from" "Joe <"`, false},
	{"address in a group", "To: g: a@b, c@d;", `address "to" "c@d"`, true},
	{"address count", "To: a@b, c@d\nCc: e@f", `address :count "eq" :comparator "i;ascii-numeric" ["to", "cc"] "3"`, true},
	{"calendar", "Content-Type: text/calendar; method=REQUEST", `header :mime :anychild :contenttype "Content-Type" "text/calendar"`, true},
	{"calendar in another case", "Content-Type: TEXT/Calendar", `header :mime :contenttype "Content-Type" "text/calendar"`, true},
	{"calendar as a part", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/calendar\n\nx\n--b--", `header :mime :anychild :contenttype "Content-Type" "text/calendar"`, true},
	{"calendar at the top only", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/calendar\n\nx\n--b--", `header :mime :contenttype "Content-Type" "text/calendar"`, false},
	{"junk in the header", "X-A: 1\njunk\nX-B: 2", `exists "x-b"`, true},
}

const runRequire = `require ["regex", "relational", "comparator-i;ascii-numeric", "mime", "fileinto"]; `

func TestRun(t *testing.T) {
	for _, tt := range runCases {
		t.Run(tt.name, func(t *testing.T) {
			s, err := sieve.Parse("", []byte(runRequire+"if "+tt.test+" { discard; }"))
			if err != nil {
				t.Fatal(err)
			}
			p, err := sieve.Compile(s, sieve.Options{})
			if err != nil {
				t.Fatal(err)
			}
			r := p.Run(input([]byte(tt.header+"\n\nbody\n"), "", ""))
			if got := r.Keep == sieve.KeepCancelled; got != tt.want {
				t.Errorf("%s of %q is %v", tt.test, tt.header, got)
			}
		})
	}
}

// TestRunServer asks sieve-test about every case of the table.
func TestRunServer(t *testing.T) {
	o := newOracle(t)
	for _, tt := range runCases {
		t.Run(tt.name, func(t *testing.T) {
			got := o.decideOne(t, "", "", []byte(runRequire+"if "+tt.test+" { discard; }"), []byte(tt.header+"\n\nbody\n"))
			if len(got.Actions) > 0 != tt.want {
				t.Errorf("Pigeonhole: %+v, want %v", got, tt.want)
			}
		})
	}
}

// TestActions compares what a single script does, and the limits.
func TestActions(t *testing.T) {
	const all = `require ["fileinto", "copy", "reject", "vacation", "mailbox", "imap4flags"]; `
	var many strings.Builder
	for i := range 33 {
		fmt.Fprintf(&many, "fileinto \"m%d\"; ", i)
	}
	cases := []struct {
		name, script string
		want         decision
	}{
		{"nothing", ``, decision{Implicit: true}},
		{"stop", `stop; discard;`, decision{Implicit: true}},
		{"discard and keep", `discard; keep;`, decision{Actions: []string{"discard", "store INBOX"}}},
		{"fileinto inbox and keep", `fileinto "INBOX"; keep;`, decision{Actions: []string{"store INBOX"}}},
		{"fileinto twice", `fileinto "A"; fileinto "a"; fileinto "A";`, decision{Actions: []string{"store A", "store a"}}},
		{"copy first", `fileinto :copy "A"; fileinto "A";`, decision{Actions: []string{"store A copy"}, Implicit: true}},
		{"copy last", `fileinto "A"; fileinto :copy "A";`, decision{Actions: []string{"store A"}}},
		{"redirect twice", `redirect "a@B"; redirect "X <a@b>"; redirect "A@b";`, decision{Actions: []string{"redirect a@b", "redirect A@b"}}},
		{"four redirects", `redirect "a@b"; redirect "b@b"; redirect "c@b"; redirect "d@b"; redirect "a@b";`, decision{Actions: []string{"redirect a@b", "redirect b@b", "redirect c@b", "redirect d@b"}}},
		{"five redirects", `redirect "a@b"; redirect "b@b"; redirect "c@b"; redirect "d@b"; redirect "e@b";`, decision{Failed: true}},
		{"33 actions", many.String(), decision{Failed: true}},
		{"reject and discard", `reject "x"; discard;`, decision{Actions: []string{"reject", "discard"}}},
		{"reject and keep", `reject "x"; keep;`, decision{Failed: true}},
		{"fileinto and reject", `fileinto "A"; reject "x";`, decision{Failed: true}},
		{"redirect and reject", `redirect "a@b"; reject "x";`, decision{Failed: true}},
		{"vacation and reject", `vacation "a"; reject "x";`, decision{Failed: true}},
		{"reject twice", `reject "x"; reject "x";`, decision{Failed: true}},
		{"vacation", `vacation "x";`, decision{Actions: []string{"vacation"}, Implicit: true}},
		{"vacation and discard", `vacation "x"; discard;`, decision{Actions: []string{"vacation", "discard"}}},
		{"vacation twice", `vacation "x"; vacation "x";`, decision{Failed: true}},
		{"flags", `addflag ["\\Seen $a", "\\seen"]; fileinto "A"; removeflag "\\SEEN"; fileinto "B"; keep :flags "\\Flagged";`,
			decision{Actions: []string{`store A flags $a \seen`, "store B flags $a", `store INBOX flags \flagged`}}},
		{"invalid flags", `addflag ["\\Nope", "a(b c", "\\Recent", "ü"]; keep;`, decision{Actions: []string{"store INBOX flags c"}}},
	}
	run := func(t *testing.T, src string) decision {
		s, err := sieve.Parse("", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		p, err := sieve.Compile(s, sieve.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return decisionOf(p.Run(input([]byte("\n"), "", "")))
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, run(t, all+tt.script), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("server", func(t *testing.T) {
		o := newOracle(t)
		for _, tt := range cases {
			got := o.decideOne(t, "", "", []byte(all+tt.script), []byte("\n"))
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s (-want +Pigeonhole):\n%s", tt.name, diff)
			}
		}
	})
}

func TestOptions(t *testing.T) {
	script := func(n int) *sieve.Script {
		s := &sieve.Script{}
		for i := range n {
			s.Commands = append(s.Commands, sieve.Redirect{Address: fmt.Sprintf("a%d@b", i)})
		}
		return s
	}
	run := func(s *sieve.Script, o sieve.Options, in *sieve.Input) sieve.Result {
		t.Helper()
		p, err := sieve.Compile(s, o)
		if err != nil {
			t.Fatal(err)
		}
		return p.Run(in)
	}
	if r := run(script(6), sieve.Options{MaxRedirects: 6}, nil); r.Err != nil || len(r.Actions) != 6 {
		t.Errorf("six redirects of six: %+v", r)
	}
	if r := run(script(7), sieve.Options{MaxRedirects: 6}, nil); r.Err == nil || r.Keep != sieve.KeepFailure || len(r.Actions) != 0 {
		t.Errorf("seven redirects of six: %+v", r)
	}
	if r := run(script(40), sieve.Options{MaxRedirects: 40, MaxActions: -1}, nil); r.Err != nil {
		t.Errorf("forty actions of any number: %v", r.Err)
	}
	if _, err := sieve.Compile(script(1), sieve.Options{MaxRedirects: -1}); err == nil {
		t.Error("redirect compiles where none is allowed")
	}
	missing := &sieve.Input{MailboxExists: func(string) bool { return false }}
	file := &sieve.Script{Commands: []sieve.Command{sieve.FileInto{Mailbox: "A"}}}
	if r := run(file, sieve.Options{Name: "user"}, missing); r.Keep != sieve.KeepFailure || r.Err == nil || !strings.HasPrefix(r.Err.Error(), "user:2:") {
		t.Errorf("missing mailbox: %+v", r)
	}
	if r := run(file, sieve.Options{AutoCreate: true}, missing); r.Keep != sieve.KeepCancelled {
		t.Errorf("missing mailbox that is made: %+v", r)
	}
	inbox := &sieve.Script{Commands: []sieve.Command{sieve.FileInto{Mailbox: "inbox"}}}
	if r := run(inbox, sieve.Options{}, missing); r.Keep != sieve.KeepCancelled {
		t.Errorf("the inbox is missing: %+v", r)
	}
}

func TestSteps(t *testing.T) {
	src := "require \"fileinto\";\n\nif anyof(header :is \"X-A\"\n   \"yes\", exists \"X-B\")\n{ fileinto \"A\"; }\nelsif not true { stop; } else\n\n{ keep; }\ndiscard;\n"
	s, err := sieve.Parse("user", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	built := &sieve.Script{Commands: s.Commands}
	run := func(s *sieve.Script, name, header string) []sieve.Step {
		p, err := sieve.Compile(s, sieve.Options{Name: name, Trace: true})
		if err != nil {
			t.Fatal(err)
		}
		return p.Run(input([]byte(header+"\n\n"), "", "")).Steps
	}
	want := []sieve.Step{
		{Script: "user", Line: 3, Text: "anyof", Matched: true, Input: ""},
		{Script: "user", Line: 3, Text: `header :is "X-A" "yes"`, Matched: false, Input: "no"},
		{Script: "user", Line: 4, Text: `exists "X-B"`, Matched: true, Input: ""},
		{Script: "user", Line: 5, Text: `fileinto "A"`, Matched: true, Input: ""},
		{Script: "user", Line: 9, Text: "discard", Matched: true, Input: ""},
	}
	if diff := cmp.Diff(want, run(s, "user", "X-A: no\nX-B:")); diff != "" {
		t.Errorf("parsed (-want +got):\n%s", diff)
	}
	want = []sieve.Step{
		{Script: "own", Line: 2, Text: "anyof", Matched: false, Input: ""},
		{Script: "own", Line: 3, Text: `header :is "X-A" "yes"`, Matched: false, Input: ""},
		{Script: "own", Line: 4, Text: `exists "X-B"`, Matched: false, Input: ""},
		{Script: "own", Line: 7, Text: "not true", Matched: false, Input: ""},
		{Script: "own", Line: 7, Text: "true", Matched: true, Input: ""},
		{Script: "own", Line: 10, Text: "keep", Matched: true, Input: ""},
		{Script: "own", Line: 12, Text: "discard", Matched: true, Input: ""},
	}
	if diff := cmp.Diff(want, run(built, "own", "X-C: x")); diff != "" {
		t.Errorf("built (-want +got):\n%s\n%s", diff, built.Format())
	}
	// A matched value is the input, and a stale Lines is no harm.
	built.Lines = []int{1, 2}
	steps := run(built, "", "X-A: =?utf-8?q?YES?=")
	if steps[1].Input != "YES" || steps[1].Line != 3 {
		t.Errorf("%+v", steps[1])
	}
}

// TestStepsServer compares the order of the tests that are made with
// sieve-test's trace, and the lines of those that stand behind an if. (Inside a
// list Pigeonhole is imprecise about lines.)
func TestStepsServer(t *testing.T) {
	o := newOracle(t)
	g := newGenerator(21)
	for range 120 {
		s := g.script()
		src := s.Format()
		// Pigeonhole takes constants out of the code, and their lines with them.
		if bytes.Contains(src, []byte("true")) || bytes.Contains(src, []byte("false")) {
			continue
		}
		p, err := sieve.Compile(s, sieve.Options{Trace: true})
		if err != nil {
			t.Fatal(err)
		}
		msg := g.message()
		path := o.script(t, src)
		eml := o.script(t, msg)
		stdout, _, _ := o.run(t, o.test, "-C", "-t", "-", "-Tlevel=tests", path, eml)
		var wantNames, names []string
		var wantLines, lines []int
		for _, line := range strings.Split(stdout, "\n") {
			if n, what, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && strings.HasSuffix(line, " test") {
				name, _, _ := strings.Cut(what, " ")
				number, _ := strconv.Atoi(n)
				wantNames, wantLines = append(wantNames, name), append(wantLines, number)
			}
		}
		for _, step := range p.Run(input(msg, "", "")).Steps {
			switch name, _, _ := strings.Cut(step.Text, " "); name {
			case "header", "exists", "address", "size", "hasflag":
				names, lines = append(names, name), append(lines, step.Line)
			}
		}
		if diff := cmp.Diff(wantNames, names, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("tests (-Pigeonhole +ours):\n%s\n%s", diff, src)
		}
		text := strings.Split(string(src), "\n")
		for i, line := range lines {
			if strings.Contains(text[line-1], "if "+names[i]) && line != wantLines[i] {
				t.Fatalf("test %d: Pigeonhole has it in line %d, we in line %d\n%s", i, wantLines[i], line, src)
			}
		}
	}
}

func TestRunTotal(t *testing.T) {
	var zero sieve.Program
	if r := zero.Run(nil); r.Keep != sieve.KeepImplicit {
		t.Errorf("zero program: %+v", r)
	}
	if r := (sieve.Sequence{nil, &zero, nil}).Run(&sieve.Input{Size: -1}); r.Keep != sieve.KeepImplicit {
		t.Errorf("sequence with nil: %+v", r)
	}
	if r := (sieve.Sequence)(nil).Run(nil); r.Keep != sieve.KeepImplicit {
		t.Errorf("empty sequence: %+v", r)
	}
}

// TestRunConcurrent runs one program from several goroutines, over messages
// with different answers.
func TestRunConcurrent(t *testing.T) {
	g := newGenerator(31)
	s := g.script()
	p, err := sieve.Compile(s, sieve.Options{Trace: true})
	if err != nil {
		t.Fatal(err)
	}
	var inputs []*sieve.Input
	var want []sieve.Result
	for range 50 {
		in := input(g.message(), "a@b", "c@d")
		inputs, want = append(inputs, in), append(want, p.Run(in))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, in := range inputs {
				got := p.Run(in)
				if diff := cmp.Diff(want[i], got, cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) || a != nil && b != nil })); diff != "" {
					t.Errorf("(-first +again):\n%s", diff)
				}
			}
		})
	}
	wg.Wait()
}

// TestResultsAreApart changes results and the script behind a program's back.
func TestResultsAreApart(t *testing.T) {
	s := &sieve.Script{Commands: []sieve.Command{
		sieve.Vacation{Days: ptr(uint64(1)), Subject: ptr("a"), Addresses: []string{"a@b"}, Handle: ptr("h"), Reason: "r"},
		sieve.FileInto{Mailbox: "A", Flags: []string{"x"}},
		sieve.If{Test: sieve.Header{Names: []string{"X-A"}, Keys: []string{"k"}}, Then: []sieve.Command{sieve.Stop{}}},
	}}
	p, err := sieve.Compile(s, sieve.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := p.Run(&sieve.Input{})
	spoil := p.Run(&sieve.Input{})
	v := spoil.Actions[0].(sieve.ActionVacation)
	*v.Days, *v.Subject, *v.Handle, v.Addresses[0] = 9, "z", "z", "z"
	spoil.Actions[1].(sieve.ActionFileInto).Flags[0] = "z"
	w := s.Commands[0].(sieve.Vacation)
	*w.Days, w.Addresses[0] = 9, "z"
	s.Commands[1].(sieve.FileInto).Flags[0] = "z"
	if diff := cmp.Diff(want, p.Run(&sieve.Input{})); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// TestPlainValue checks that the short way to a value gives what headers.Value
// gives.
func TestPlainValue(t *testing.T) {
	g := newGenerator(41)
	for range 5000 {
		body := []byte(g.value())
		if g.chance(80) {
			body = append(body, "\n"...)
		}
		if g.chance(20) {
			body = []byte(strings.ReplaceAll(string(body), "\n", "\r\n"))
		}
		v, ok := sieve.PlainValue(body)
		want := headers.Value(nil, headers.Field{Name: []byte("X"), Body: body})
		if ok && string(v) != string(want) {
			t.Fatalf("%q is %q, want %q", body, v, want)
		}
	}
}
