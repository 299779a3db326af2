package headers

import (
	"errors"
	"iter"
	"strings"
	"testing"
)

type matchTest struct {
	name      string
	view      View
	predicate Predicate
	yes, no   []string
}

// messages gives the table's messages and whether they match.
func (tt matchTest) messages() iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		for _, raw := range tt.yes {
			if !yield(raw, true) {
				return
			}
		}
		for _, raw := range tt.no {
			if !yield(raw, false) {
				return
			}
		}
	}
}

func is(name string, values ...string) Match { return Match{Name: name, Op: Is, Values: values} }

// matchTests are put to real servers by TestPostfixPatterns and
// TestSieveMatches.
var matchTests = []matchTest{
	{"exists", HeaderChecks, Exists{"X-A"}, []string{"X-A: b\n\n", "x-a :\n\n", "B: c\nX-A:x\n\n"},
		[]string{"X-B: X-A:\n\n", "X-AB: x\n\n", "\nX-A: b\n", "junk\nX-A: b\n\n"}},
	{"is", HeaderChecks, is("X-A", "true"),
		[]string{"X-A: true\n\n", "x-a:TRUE\n\n", "X-A : \t true \n\n", "X-A:\n true\n\n", "X-A: true\n \n\n", "X-A: false\nX-A: true\n\n",
			"X-A: \v\ftrue\r\n\r\n"},
		[]string{"X-A: truer\n\n", "X-A: true\n x\n\n", "X-A: x\n true\n\n", "X-A: =?utf-8?q?true?=\n\n", "X-A: \"true\"\n\n",
			"X-A: false\n\nX-A: true\n", "X-B: X-A: true\n\n"}},
	{"is, several values", HeaderChecks, is("X-A", "a", "b c"), []string{"X-A: A\n\n", "X-A: b c\n\n"},
		[]string{"X-A: b  c\n\n", "X-A: b\n c\n\n", "X-A:\n\n"}},
	{"is, nothing", HeaderChecks, is("X-A", ""), []string{"X-A:\n\n", "X-A: \n\t\n\n"}, []string{"X-A: x\n\n", "X-B:\n\n"}},
	{"is, with special octets", HeaderChecks, is("X-A", `a.b*[c]\d/e^$(|)+?{}`), []string{`X-A: a.b*[c]\d/e^$(|)+?{}` + "\n\n"},
		[]string{"X-A: axb\n\n"}},
	{"is, octets", HeaderChecks, Match{"X-A", Is, []string{"True"}, Octet}, []string{"X-A: True\n\n", "x-a: True\n\n"},
		[]string{"X-A: true\n\n"}},
	{"is, 8 bits", HeaderChecks, is("X-A", "ä"), []string{"X-A: ä\n\n"}, []string{"X-A: Ä\n\n"}},
	{"contains", HeaderChecks, Match{"X-A", Contains, []string{"b*"}, ""}, []string{"X-A: ab*c\n\n", "X-A: x\n B*\n\n"},
		[]string{"X-A: ab\n\n"}},
	{"matches", HeaderChecks, Match{"X-A", Matches, []string{"a*c?"}, ""}, []string{"X-A: abcd\n\n", "X-A: a\n bcd \n\n"},
		[]string{"X-A: abc\n\n", "X-A: xabcd\n\n"}},
	{"a prefix", HeaderChecks, MatchPrefix{"X-A-", Is, []string{"true"}, ""}, []string{"X-A-foo: true\n\n", "x-a-: TRUE\n\n",
		"X-A-foo: x\nX-A-bar: true\n\n"}, []string{"X-A: true\n\n", "X-A-b: no\n\n", "Y-X-A-b: true\n\n"}},
	{"a prefix, contains, octets", HeaderChecks, MatchPrefix{"X-A-", Contains, []string{"T"}, Octet}, []string{"x-a-foo: aT\n\n"},
		[]string{"X-A-foo: at\n\n"}},
	{"any", HeaderChecks, Any{is("X-A", "true"), is("x-a", "yes"), Exists{"X-B"}, MatchPrefix{"X-C", Is, []string{"1"}, ""},
		Any{is("X-D", "2")}}, []string{"X-A: true\n\n", "X-A: yes\n\n", "X-B:\n\n", "X-C-x: 1\n\n", "X-D: 2\n\n"}, []string{"X-A: b\n\n", "X-C: 2\n\n", "X-D: 1\n\n"}},
	{"none of nothing", HeaderChecks, Any{}, nil, []string{"X-A: b\n\n"}},
	{"all of nothing", HeaderChecks, All{}, []string{"X-A: b\n\n"}, nil},
	{"all", HeaderChecks, All{Exists{"A"}, Exists{"B"}}, []string{"A: x\nB: y\n\n"}, []string{"A: x\n\n", "B: x\n\n"}},
	{"not", HeaderChecks, Not{Exists{"A"}}, []string{"B: x\n\n"}, []string{"A: x\n\n"}},
	{"mixed", HeaderChecks, All{ContentType{Types: []string{"text/calendar"}}, Not{Any{Exists{"A"},
		ContentType{Types: []string{"image/png"}}}}},
		[]string{calendar + "\n\n"}, []string{calendar + "\nA: b\n\n", "B: b\n\n",
			mixed + "\n\n--b\nContent-Type: image/png\n\n--b\n" + calendar + "\n\n"}},
	{"a regular expression", HeaderChecks, Match{"X-A", Regex, []string{"^a.c$", "x+y"}, ""}, []string{"X-A:  aBc \n\n",
		"X-A: a\n  c\nX-A: axxyb\n\n"}, []string{"X-A: abcd\n\n", "X-A: xay\n\n"}},
	{"a prefix doesn't see MIME fields", HeaderChecks, MatchPrefix{"Content-", Contains, []string{"a"}, ""},
		[]string{"Content-Language: a\n\n"}, []string{"Content-Types: b\n\n"}},
	{"a content type", HeaderChecks, ContentType{Types: []string{"text/calendar", "application/ics"}},
		[]string{calendar + "\n\n", "content-type:\n TEXT/Calendar ;x\n\n", "Content-Type: application/ics\n\n",
			"Content-Type: text/calendar;\n\n", "Content-Type: text/calendar \n ; a=b\n\n",
			mixed + "\n\n--b\n" + calendar + "\n\n", attached + "\n\nA: b\n" + calendar + "\n\n", mixed + "\n\n--b\njunk\n--b\n" + calendar +
				"\n\n"},
		[]string{"Content-Type: text/calendarx\n\n", "Content-Type: text/plain; name=\"text/calendar\"\n\n",
			"Content-Type: (c) text/calendar\n\n", "Content-Type: text / calendar\n\n", "A: b\n\n" + calendar +
				"\n\n", "X-Content-Type: text/calendar\n\n"}},
	{"a content type with a parameter", HeaderChecks, ContentType{Types: []string{"text/calendar"}, Param: "method"},
		[]string{calendar + ";method=REQUEST\n\n", calendar + "; charset=utf-8;\n METHOD = x\n\n", calendar + "; a=b method=x\n\n",
			calendar + ";xmethod=;method=\n\n"},
		[]string{calendar + "\n\n", calendar + "; method\n\n", calendar + "; xmethod=y\n\n", calendar + "; a=method\n\n",
			calendar + "; methods=x\n\n", calendar + " method=x\n\n"}},

	{"exists", Sieve, Exists{"X-A"}, []string{"X-A: b\n\n", "x-a :\n\n", "junk\nX-A: b\n\n"}, []string{"X-AB: x\n\n", "\nX-A: b\n",
		"X-A\n\n"}},
	{"is", Sieve, is("X-A", "yes"),
		[]string{"X-A: yes\n\n", "x-a:YES\t\r\n\r\n", "X-A: no\nX-A: yes\n\n", "X-A: =?utf-8?q?yes?=\n\n", "X-A: y=?utf-8?q?e?=s\n\n",
			"From x\nX-A: yes\n\n", "X-A:\n =?utf-8?b?eWVz?=\n\n", "X-A: yes\n \n\n"},
		[]string{"X-A:\n yes\n\n", "X-A: yes, score=9\n\n", "X-A: \"yes\"\n\n", " X-A: yes\n\n", "X-A: yes\v\n\n"}},
	{"is, with a space", Sieve, is("X-A", " yes"), []string{"X-A:\n yes\n\n", "X-A:\n\tyes\n\n"}, []string{"X-A: yes\n\n"}},
	{"is, nothing", Sieve, is("X-A", ""), []string{"X-A:\n\n", "X-A: \n \n\n"}, []string{"X-A: x\n\n", "X-B:\n\n"}},
	{"is, octets", Sieve, Match{"X-A", Is, []string{"Yes"}, Octet}, []string{"x-a: Yes\n\n"}, []string{"X-A: yes\n\n"}},
	{"is, 8 bits", Sieve, is("X-A", "ä"), []string{"X-A: ä\n\n", "X-A: =?iso-8859-1?q?=E4?=\n\n"}, []string{"X-A: Ä\n\n", "X-A: \xe4\n\n"}},
	{"contains", Sieve, Match{"X-A", Contains, []string{"B*", "q"}, ""}, []string{"X-A: ab*c\n\n", "X-A: x\n b*\n\n", "X-A: Q\n\n"},
		[]string{"X-A: ab\n\n"}},
	{"contains nothing", Sieve, Match{"X-A", Contains, []string{""}, ""}, []string{"X-A:\n\n", "X-A: b\n\n"}, []string{"X-B: a\n\n"}},
	{"contains, octets", Sieve, Match{"X-A", Contains, []string{"B"}, Octet}, []string{"X-A: aB\n\n"}, []string{"X-A: ab\n\n"}},
	{"matches", Sieve, Match{"X-A", Matches, []string{"yes", "* yes"}, ""}, []string{"X-A:\n yes\n\n", "X-A: a YES\n\n"},
		[]string{"X-A: ayes\n\n"}},
	{"a regular expression", Sieve, Match{"X-A", Regex, []string{"^[[:space:]]*YES[[:space:]]*$"}, ""},
		[]string{"X-A:\n yes\n\n", "X-A: Yes\n\n"}, []string{"X-A: yes, no\n\n"}},
	{"a regular expression, octets", Sieve, Match{"X-A", Regex, []string{"Y.s"}, Octet}, []string{"X-A: Yes\n\n"}, []string{"X-A: yes\n\n"}},
	{"a regular expression on 8 bits", Sieve, Match{"X-A", Regex, []string{"^..$"}, ""}, []string{"X-A: ü\n\n", "X-A: ab\n\n"},
		[]string{"X-A: a\n\n"}},
	{"a regular expression of 8 bits", Sieve, Match{"X-A", Regex, []string{"ü"}, ""}, []string{"X-A: ü\n\n"}, []string{"X-A: Ü\n\n"}},
	{"any, all, not", Sieve, Any{All{Exists{"A"}, Exists{"B"}}, Not{Exists{"C"}}}, []string{"A: x\nB: x\nC: x\n\n", "D: x\n\n"},
		[]string{"A: x\nC: x\n\n"}},
	{"a MIME field", Sieve, Match{"Content-Type", Contains, []string{"calendar"}, ""}, []string{calendar + "\n\n"},
		[]string{mixed + "\n\n--b\n" + calendar + "\n\n"}},
	{"a content type", Sieve, ContentType{Types: []string{"text/calendar"}},
		[]string{calendar + "\n\nx", "Content-Type: (c) TEXT (a) / (b) calendar ; method\n\nx", "Content-Type:\n text/calendar\n\nx",
			"Content-Type: =?utf-8?q?text/calendar?=\n\nx", "Content-Type: text/plain\n" + calendar + "\n\nx",
			mixed + "\n\n--b\n" + calendar + "\n\nx\n--b--\n", mixed + "\n\n--b\nA: b\n\nx\n--b\n" + calendar + "\n\nx\n--b--\n", mixed +
				"\n\n--b\n" + calendar + "\n\nx\n",
			mixed + "\n\n--b\nContent-Type: multipart/x; boundary=c\n\n--c\n" + calendar + "\n\nx\n--c--\n--b--\n",
			attached + "\n\n" + calendar + "\n\nx", attached + "\n\njunk\n" + mixed + "\n\n--b\n" + calendar + "\n\nx\n--b--\n",
			mixed + "\n\n--b\n" + attached + "\n\n" + calendar + "\n\nx\n--b--\n", digest + "\n\n--b\nA: b\n\n" + calendar + "\n\nx\n--b--\n",
			mixed + "\nContent-Transfer-Encoding: base64\n\n--b\n" + calendar + "\n\nx\n--b--\n"},
		[]string{"A: b\n\nx", "Content-Type: text/calendarx\n\nx", "Content-Type: text/calendar x=y\n\nx", "Content-Type: text/calendar, x\n\nx",
			"Content-Type: \"text/calendar\"\n\nx", "Content-Type: text/calendar/x\n\nx", "Content-Type:\n\nx",
			"Content-Type: multipart/mixed\n\n--b\n" + calendar + "\n\nx\n", attached +
				"\nContent-Transfer-Encoding: base64\n\nQ29udGVudC1UeXBlOiB0ZXh0L2NhbGVuZGFyCgp4\n", "Content-Type: message/partial\n\n" + calendar +
				"\n\nx",
			mixed + "\n\n--b\n\nx\n--b\n" + calendar + "\n\nx\n--b--\n"}},
	{"a content type at the top", Sieve, ContentType{Types: []string{"text/calendar"}, Top: true}, []string{calendar + "\n\nx"},
		[]string{mixed + "\n\n--b\n" + calendar + "\n\nx\n--b--\n"}},
}

func TestMatch(t *testing.T) {
	for _, tt := range matchTests {
		t.Run(string(tt.view)+"/"+tt.name, func(t *testing.T) {
			m, err := Compile(tt.predicate, tt.view)
			if err != nil {
				t.Fatal(err)
			}
			for raw, want := range tt.messages() {
				fields, body := Scan(nil, []byte(raw), tt.view)
				if got := m.Match(fields, body); got != want {
					t.Errorf("%q: %v", raw, got)
				}
				if !m.Fieldwise() {
					continue
				}
				byField := false
				Walk(fields, body, func(c Class, f Field) bool {
					_, content := tt.predicate.(ContentType)
					byField = (c == Primary || content) && m.MatchField(f)
					return !byField
				})
				if byField != want {
					t.Errorf("%q, field by field: %v", raw, byField)
				}
			}
		})
	}
}

func TestMatchParam(t *testing.T) {
	m, err := Compile(ContentType{Types: []string{"text/calendar"}, Param: "method"}, Sieve)
	if err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]bool{
		calendar + "; Method=x\n\n":                                true,
		calendar + "; a=b; method = \"x;y\"\n\n":                   true,
		calendar + "\n\n":                                          false,
		calendar + "; a=\"; method=x\"\n\n":                        false,
		"Content-Type: text/plain; method=x\n" + calendar + "\n\n": false,
	} {
		fields, body := Scan(nil, []byte(raw), Sieve)
		if got := m.Match(fields, body); got != want {
			t.Errorf("%q: %v", raw, got)
		}
	}
}

func TestFieldwise(t *testing.T) {
	for _, tt := range []struct {
		predicate Predicate
		view      View
		want      bool
	}{
		{Exists{"A"}, HeaderChecks, true},
		{Exists{"A"}, Sieve, false},
		{is("A", "b"), HeaderChecks, true},
		{MatchPrefix{"A", Is, []string{"b"}, ""}, HeaderChecks, true},
		{ContentType{Types: []string{"a/b"}}, HeaderChecks, true},
		{Any{Exists{"A"}, Any{ContentType{Types: []string{"a/b"}}}}, HeaderChecks, true},
		{Any{Exists{"A"}, Not{Exists{"B"}}}, HeaderChecks, false},
		{All{Exists{"A"}}, HeaderChecks, false},
		{Not{Exists{"A"}}, HeaderChecks, false},
	} {
		m, err := Compile(tt.predicate, tt.view)
		if err != nil {
			t.Fatal(err)
		}
		if m.Fieldwise() != tt.want {
			t.Errorf("%#v for %s: %v", tt.predicate, tt.view, !tt.want)
		}
		if !tt.want && m.MatchField(Field{Name: []byte("A")}) {
			t.Errorf("%#v for %s matches a field", tt.predicate, tt.view)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	for _, tt := range []struct {
		name      string
		predicate Predicate
		view      View
		want      error
		part      Predicate
		says      string
	}{
		{"unknown view", Exists{"A"}, "exim", ErrInvalid, nil, "exim"},
		{"invalid", Exists{}, Sieve, ErrRequired, nil, "Name"},
		{"a prefix in Sieve", Any{Exists{"A"}, MatchPrefix{"X-", Is, []string{"a"}, ""}}, Sieve, ErrNotExpressible,
			MatchPrefix{"X-", Is, []string{"a"}, ""}, "sieve"},
		{"a MIME field", Not{is("Content-Type", "a")}, HeaderChecks, ErrNotExpressible, is("Content-Type", "a"), "ContentType"},
		{"a MIME field exists", Exists{"mime-version"}, HeaderChecks, ErrNotExpressible, Exists{"mime-version"}, "mime-version"},
		{"the top", All{ContentType{Types: []string{"a/b"}, Top: true}}, HeaderChecks, ErrNotExpressible,
			ContentType{Types: []string{"a/b"}, Top: true}, "Top"},
		{"white space in front", is("A", " b"), HeaderChecks, ErrNotExpressible, is("A", " b"), "white space"},
		{"white space behind", Match{"A", Contains, []string{"x", "b\t"}, ""}, HeaderChecks, ErrNotExpressible,
			Match{"A", Contains, []string{"x", "b\t"}, ""}, "white space"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Compile(tt.predicate, tt.view)
			remedied(t, err)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %v", err)
			}
			var not *NotExpressibleError
			if errors.As(err, &not) != (tt.want == ErrNotExpressible) {
				t.Fatalf("%T", err)
			}
			if not != nil && (not.Target != string(tt.view) || Sentence(not.Predicate) != Sentence(tt.part)) {
				t.Errorf("%s: %#v", not.Target, not.Predicate)
			}
		})
	}
}

func TestMatchAllocates(t *testing.T) {
	raw := []byte("Subject: something plain\r\nX-Folded: a\r\n b\r\nX-A: true\r\nX-B: with text inside\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n")
	for _, v := range []View{HeaderChecks, Sieve} {
		m, err := Compile(All{Any{is("X-A", "true"), is("X-Z", "x")}, is("X-A", "True"), Not{is("Subject", "a")},
			Match{"X-B", Contains, []string{"TEXT"}, ""}, Match{"X-B", Matches, []string{"*t?xt*"}, Octet}}, v)
		if err != nil {
			t.Fatal(err)
		}
		fields, body := Scan(nil, raw, v)
		if n := testing.AllocsPerRun(100, func() {
			if !m.Match(fields, body) {
				t.Fatal("no match")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", v, n)
		}
	}
	m, err := Compile(append(markers(1000), ContentType{Types: []string{"text/calendar"}}, is("X-Folded", "c")), HeaderChecks)
	if err != nil {
		t.Fatal(err)
	}
	fields, _ := Scan(nil, raw, HeaderChecks)
	if n := testing.AllocsPerRun(100, func() {
		for _, f := range fields {
			if m.MatchField(f) {
				t.Fatal(string(f.Name))
			}
		}
	}); n != 0 {
		t.Errorf("MatchField: %v allocations", n)
	}
}
