package interp_test

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
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

func TestRun(t *testing.T) {
	for _, tt := range sievetest.RunCases {
		t.Run(tt.Name, func(t *testing.T) {
			s, err := sieve.Parse("", []byte(sievetest.RunRequire+"if "+tt.Test+" { discard; }"))
			if err != nil {
				t.Fatal(err)
			}
			p, err := interp.Compile(s, interp.Options{})
			if err != nil {
				t.Fatal(err)
			}
			r := p.Run(sievetest.Input([]byte(tt.Header+"\n\nbody\n"), "", ""))
			if got := r.Keep == interp.KeepCancelled; got != tt.Want {
				t.Errorf("%s of %q is %v", tt.Test, tt.Header, got)
			}
		})
	}
}

// TestRunServer asks sieve-test about every case of the table.
func TestRunServer(t *testing.T) {
	o := sievetest.NewOracle(t)
	for _, tt := range servertest.Part(t, sievetest.RunCases, 12) {
		t.Run(tt.Name, func(t *testing.T) {
			got := o.DecideOne(t, "", "", []byte(sievetest.RunRequire+"if "+tt.Test+" { discard; }"), []byte(tt.Header+"\n\nbody\n"))
			if len(got.Actions) > 0 != tt.Want {
				t.Errorf("Pigeonhole: %+v, want %v", got, tt.Want)
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
		want         sievetest.Decision
	}{
		{"nothing", ``, sievetest.Decision{Implicit: true}},
		{"stop", `stop; discard;`, sievetest.Decision{Implicit: true}},
		{"discard and keep", `discard; keep;`, sievetest.Decision{Actions: []string{"discard", "store INBOX"}}},
		{"fileinto inbox and keep", `fileinto "INBOX"; keep;`, sievetest.Decision{Actions: []string{"store INBOX"}}},
		{"fileinto twice", `fileinto "A"; fileinto "a"; fileinto "A";`, sievetest.Decision{Actions: []string{"store A", "store a"}}},
		{"copy first", `fileinto :copy "A"; fileinto "A";`, sievetest.Decision{Actions: []string{"store A copy"}, Implicit: true}},
		{"copy last", `fileinto "A"; fileinto :copy "A";`, sievetest.Decision{Actions: []string{"store A"}}},
		{"redirect twice", `redirect "a@B"; redirect "X <a@b>"; redirect "A@b";`,
			sievetest.Decision{Actions: []string{"redirect a@b", "redirect A@b"}}},
		{"four redirects", `redirect "a@b"; redirect "b@b"; redirect "c@b"; redirect "d@b"; redirect "a@b";`,
			sievetest.Decision{Actions: []string{"redirect a@b", "redirect b@b", "redirect c@b", "redirect d@b"}}},
		{"five redirects", `redirect "a@b"; redirect "b@b"; redirect "c@b"; redirect "d@b"; redirect "e@b";`, sievetest.Decision{Failed: true}},
		{"33 actions", many.String(), sievetest.Decision{Failed: true}},
		{"reject and discard", `reject "x"; discard;`, sievetest.Decision{Actions: []string{"reject", "discard"}}},
		{"reject and keep", `reject "x"; keep;`, sievetest.Decision{Failed: true}},
		{"fileinto and reject", `fileinto "A"; reject "x";`, sievetest.Decision{Failed: true}},
		{"redirect and reject", `redirect "a@b"; reject "x";`, sievetest.Decision{Failed: true}},
		{"vacation and reject", `vacation "a"; reject "x";`, sievetest.Decision{Failed: true}},
		{"reject twice", `reject "x"; reject "x";`, sievetest.Decision{Failed: true}},
		{"vacation", `vacation "x";`, sievetest.Decision{Actions: []string{"vacation"}, Implicit: true}},
		{"vacation and discard", `vacation "x"; discard;`, sievetest.Decision{Actions: []string{"vacation", "discard"}}},
		{"vacation twice", `vacation "x"; vacation "x";`, sievetest.Decision{Failed: true}},
		{"flags", `addflag ["\\Seen $a", "\\seen"]; fileinto "A"; removeflag "\\SEEN"; fileinto "B"; keep :flags "\\Flagged";`,
			sievetest.Decision{Actions: []string{`store A flags $a \seen`, "store B flags $a", `store INBOX flags \flagged`}}},
		{"invalid flags", `addflag ["\\Nope", "a(b c", "\\Recent", "ü"]; keep;`, sievetest.Decision{Actions: []string{"store INBOX flags c"}}},
	}
	run := func(t *testing.T, src string) sievetest.Decision {
		s, err := sieve.Parse("", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		p, err := interp.Compile(s, interp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return sievetest.DecisionOf(p.Run(sievetest.Input([]byte("\n"), "", "")))
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, run(t, all+tt.script), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("server", func(t *testing.T) {
		o := sievetest.NewOracle(t)
		for _, tt := range cases {
			got := o.DecideOne(t, "", "", []byte(all+tt.script), []byte("\n"))
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
	run := func(s *sieve.Script, o interp.Options, in *interp.Input) interp.Result {
		t.Helper()
		p, err := interp.Compile(s, o)
		if err != nil {
			t.Fatal(err)
		}
		return p.Run(in)
	}
	if r := run(script(6), interp.Options{MaxRedirects: 6}, nil); r.Err != nil || len(r.Actions) != 6 {
		t.Errorf("six redirects of six: %+v", r)
	}
	if r := run(script(7), interp.Options{MaxRedirects: 6}, nil); r.Err == nil || r.Keep != interp.KeepFailure || len(r.Actions) != 0 {
		t.Errorf("seven redirects of six: %+v", r)
	}
	if r := run(script(40), interp.Options{MaxRedirects: 40, MaxActions: -1}, nil); r.Err != nil {
		t.Errorf("forty actions of any number: %v", r.Err)
	}
	// Both releases compile the script, and fail where the redirect is done.
	if r := run(script(1), interp.Options{MaxRedirects: -1}, nil); r.Err == nil || r.Keep != interp.KeepFailure || len(r.Actions) != 0 {
		t.Errorf("a redirect where none is allowed: %+v", r)
	}
	missing := &interp.Input{MailboxExists: func(string) bool { return false }}
	file := &sieve.Script{Commands: []sieve.Command{sieve.FileInto{Mailbox: "A"}}}
	if r := run(file, interp.Options{Name: "user"}, missing); r.Keep != interp.KeepFailure || r.Err == nil ||
		!strings.HasPrefix(r.Err.Error(), "user:2:") {
		t.Errorf("missing mailbox: %+v", r)
	}
	if r := run(file, interp.Options{AutoCreate: true}, missing); r.Keep != interp.KeepCancelled {
		t.Errorf("missing mailbox that is made: %+v", r)
	}
	inbox := &sieve.Script{Commands: []sieve.Command{sieve.FileInto{Mailbox: "inbox"}}}
	if r := run(inbox, interp.Options{}, missing); r.Keep != interp.KeepCancelled {
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
	run := func(s *sieve.Script, name, header string) []interp.Step {
		p, err := interp.Compile(s, interp.Options{Name: name, Trace: true})
		if err != nil {
			t.Fatal(err)
		}
		return p.Run(sievetest.Input([]byte(header+"\n\n"), "", "")).Steps
	}
	want := []interp.Step{
		{Script: "user", Line: 3, Text: "anyof", Matched: true, Input: ""},
		{Script: "user", Line: 3, Text: `header :is "X-A" "yes"`, Matched: false, Input: "no"},
		{Script: "user", Line: 4, Text: `exists "X-B"`, Matched: true, Input: ""},
		{Script: "user", Line: 5, Text: `fileinto "A"`, Matched: true, Input: ""},
		{Script: "user", Line: 9, Text: "discard", Matched: true, Input: ""},
	}
	if diff := cmp.Diff(want, run(s, "user", "X-A: no\nX-B:")); diff != "" {
		t.Errorf("parsed (-want +got):\n%s", diff)
	}
	want = []interp.Step{
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
	o := sievetest.NewOracle(t)
	g := sievetest.NewGenerator(21)
	for range servertest.Deep(t, 40, 120) {
		s := g.Script()
		src := s.Format()
		// Pigeonhole takes constants out of the code, and their lines with them.
		if bytes.Contains(src, []byte("true")) || bytes.Contains(src, []byte("false")) {
			continue
		}
		p, err := interp.Compile(s, interp.Options{Trace: true})
		if err != nil {
			t.Fatal(err)
		}
		msg := g.Message()
		path := o.Script(t, src)
		eml := o.Script(t, msg)
		stdout, _, _ := o.Run(t, o.Test, "-C", "-t", "-", "-Tlevel=tests", path, eml)
		var wantNames, names []string
		var wantLines, lines []int
		for _, line := range strings.Split(stdout, "\n") {
			if n, what, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && strings.HasSuffix(line, " test") {
				name, _, _ := strings.Cut(what, " ")
				number, _ := strconv.Atoi(n)
				wantNames, wantLines = append(wantNames, name), append(wantLines, number)
			}
		}
		for _, step := range p.Run(sievetest.Input(msg, "", "")).Steps {
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
	var zero interp.Program
	if r := zero.Run(nil); r.Keep != interp.KeepImplicit {
		t.Errorf("zero program: %+v", r)
	}
	if r := (interp.Sequence{nil, &zero, nil}).Run(&interp.Input{Size: -1}); r.Keep != interp.KeepImplicit {
		t.Errorf("sequence with nil: %+v", r)
	}
	if r := (interp.Sequence)(nil).Run(nil); r.Keep != interp.KeepImplicit {
		t.Errorf("empty sequence: %+v", r)
	}
}

// TestRunConcurrent runs one program from several goroutines, over messages
// with different answers.
func TestRunConcurrent(t *testing.T) {
	g := sievetest.NewGenerator(31)
	s := g.Script()
	p, err := interp.Compile(s, interp.Options{Trace: true})
	if err != nil {
		t.Fatal(err)
	}
	var inputs []*interp.Input
	var want []interp.Result
	for range 50 {
		in := sievetest.Input(g.Message(), "a@b", "c@d")
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
		sieve.Vacation{Days: sievetest.Ptr(uint64(1)), Subject: sievetest.Ptr("a"), Addresses: []string{"a@b"}, Handle: sievetest.Ptr("h"),
			Reason: "r"},
		sieve.FileInto{Mailbox: "A", Flags: []string{"x"}},
		sieve.If{Test: sieve.Header{Names: []string{"X-A"}, Keys: []string{"k"}}, Then: []sieve.Command{sieve.Stop{}}},
	}}
	p, err := interp.Compile(s, interp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := p.Run(&interp.Input{})
	spoil := p.Run(&interp.Input{})
	v := spoil.Actions[0].(interp.ActionVacation)
	*v.Days, *v.Subject, *v.Handle, v.Addresses[0] = 9, "z", "z", "z"
	spoil.Actions[1].(interp.ActionFileInto).Flags[0] = "z"
	w := s.Commands[0].(sieve.Vacation)
	*w.Days, w.Addresses[0] = 9, "z"
	s.Commands[1].(sieve.FileInto).Flags[0] = "z"
	if diff := cmp.Diff(want, p.Run(&interp.Input{})); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// TestPlainValue checks that the short way to a value gives what headers.Value
// gives.
func TestPlainValue(t *testing.T) {
	g := sievetest.NewGenerator(41)
	for range 5000 {
		body := []byte(g.Value())
		if g.Chance(80) {
			body = append(body, "\n"...)
		}
		if g.Chance(20) {
			body = []byte(strings.ReplaceAll(string(body), "\n", "\r\n"))
		}
		v, ok := interp.PlainValue(body)
		want := headers.Value(nil, headers.Field{Name: []byte("X"), Body: body})
		if ok && string(v) != string(want) {
			t.Fatalf("%q is %q, want %q", body, v, want)
		}
	}
}
