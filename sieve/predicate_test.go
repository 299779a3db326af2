package sieve_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

func TestFromPredicate(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   headers.Predicate
		want sieve.Test
	}{
		{"exists", headers.Exists{Name: "X-A"}, sieve.Exists{Names: []string{"X-A"}}},
		{"is", headers.Match{Name: "X-A", Op: headers.Is, Values: []string{"a", "b"}},
			sieve.Header{Names: []string{"X-A"}, Match: sieve.Is, Keys: []string{"a", "b"}}},
		{"contains", headers.Match{Name: "X-A", Op: headers.Contains, Values: []string{"a"}, Comparator: headers.ASCIICasemap},
			sieve.Header{Names: []string{"X-A"}, Match: sieve.Contains, Keys: []string{"a"}}},
		{"matches", headers.Match{Name: "X-A", Op: headers.Matches, Values: []string{"a*"}, Comparator: headers.Octet},
			sieve.Header{Names: []string{"X-A"}, Match: sieve.Matches, Comparator: sieve.Octet, Keys: []string{"a*"}}},
		{"regex", headers.Match{Name: "X-A", Op: headers.Regex, Values: []string{"^a"}},
			sieve.Header{Names: []string{"X-A"}, Match: sieve.Regex, Keys: []string{"^a"}}},
		{"no values", headers.Match{Name: "X-A", Op: headers.Is}, sieve.False{}},
		{"content type", headers.ContentType{Types: []string{"text/calendar"}},
			sieve.Header{Names: []string{"Content-Type"}, Match: sieve.Is, Keys: []string{"text/calendar"}, MIME: true, AnyChild: true,
				MIMEPart: sieve.MIMEContentType}},
		{"content type at the top", headers.ContentType{Types: []string{"text/calendar"}, Top: true},
			sieve.Header{Names: []string{"Content-Type"}, Match: sieve.Is, Keys: []string{"text/calendar"}, MIME: true,
				MIMEPart: sieve.MIMEContentType}},
		{"no types", headers.ContentType{}, sieve.False{}},
		{"not", headers.Not{Predicate: headers.Exists{Name: "A"}}, sieve.Not{Test: sieve.Exists{Names: []string{"A"}}}},
		{"all", headers.All{headers.Exists{Name: "A"}, headers.Exists{Name: "B"}},
			sieve.AllOf{sieve.Exists{Names: []string{"A"}}, sieve.Exists{Names: []string{"B"}}}},
		{"any", headers.Any{headers.Exists{Name: "A"}}, sieve.AnyOf{sieve.Exists{Names: []string{"A"}}}},
		{"all of none", headers.All{}, sieve.True{}},
		{"any of none", headers.Any{}, sieve.False{}},
		{"condition", headers.When(headers.Exists{Name: "A"}), sieve.Exists{Names: []string{"A"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := sieve.FromPredicate(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if err := (&sieve.Script{Commands: []sieve.Command{sieve.If{Test: got}}}).Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFromPredicateNotExpressible(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   headers.Predicate
	}{
		{"prefix", headers.MatchPrefix{Prefix: "X-Conbool-", Op: headers.Is, Values: []string{"true"}}},
		{"parameter", headers.ContentType{Types: []string{"text/calendar"}, Param: "method"}},
		{"inside", headers.Not{Predicate: headers.All{headers.Exists{Name: "A"}, headers.Any{headers.MatchPrefix{Prefix: "X-"}}}}},
		{"nil", nil},
		{"nil inside", headers.Not{}},
		{"zero condition", headers.Condition{}},
		{"no name", headers.Exists{}},
		{"name with a colon", headers.Match{Name: "a:", Op: headers.Is, Values: []string{"x"}}},
		{"unknown comparison", headers.Match{Name: "a", Op: "foo", Values: []string{"x"}}},
		{"unknown comparator", headers.Match{Name: "a", Op: headers.Is, Comparator: "foo", Values: []string{"x"}}},
		{"broken regular expression", headers.Match{Name: "a", Op: headers.Regex, Values: []string{"("}}},
		{"no media type", headers.ContentType{Types: []string{"text"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := sieve.FromPredicate(tt.in)
			var e *headers.NotExpressibleError
			if !errors.Is(err, headers.ErrNotExpressible) || !errors.As(err, &e) || e.Target != "sieve" || e.Reason == "" || e.Fix == "" {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

// predicate makes a predicate that a test can say.
func predicate(g *sievetest.Generator, depth int) headers.Predicate {
	if depth > 0 && g.Chance(40) {
		list := func() []headers.Predicate {
			var out []headers.Predicate
			for g.Chance(65) {
				out = append(out, predicate(g, depth-1))
			}
			return out
		}
		switch g.IntN(3) {
		case 0:
			return headers.Not{Predicate: predicate(g, depth-1)}
		case 1:
			return headers.All(list())
		default:
			return headers.Any(list())
		}
	}
	switch g.IntN(6) {
	case 0:
		return headers.Exists{Name: g.Name()}
	case 1:
		return headers.ContentType{Types: sievetest.Pick(g, []string{"text/calendar"}, []string{"application/ics", "TEXT/PLAIN"}),
			Top: g.Chance(40)}
	}
	for {
		m, _, c, keys := g.Matching()
		if m == sieve.Count || m == sieve.Value || c == sieve.ASCIINumeric {
			continue
		}
		if m == "" {
			m = sieve.Is
		}
		return headers.Match{Name: g.Name(), Op: headers.Op(m), Values: keys, Comparator: headers.Comparator(c)}
	}
}

// TestPredicateAgrees checks that a predicate, the test made of it and
// Pigeonhole say the same of generated messages.
func TestPredicateAgrees(t *testing.T) {
	g := sievetest.NewGenerator(51)
	var messages [][]byte
	for range 60 {
		messages = append(messages, g.Message())
	}
	check := func(t *testing.T, o *sievetest.Oracle, mailbox string) {
		p := predicate(g, 3)
		test, err := sieve.FromPredicate(p)
		if err != nil {
			t.Fatal(err)
		}
		m, err := headers.Compile(p, headers.Sieve)
		if err != nil {
			t.Fatal(err)
		}
		s := &sieve.Script{Commands: []sieve.Command{sieve.If{Test: test, Then: []sieve.Command{sieve.Discard{}}}}}
		program, err := interp.Compile(s, interp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var server []sievetest.Decision
		if o != nil {
			var ok bool
			if server, ok = o.Decide(t, s.Format(), mailbox); !ok || len(server) != len(messages) {
				t.Fatalf("no answer for\n%s", s.Format())
			}
		}
		for i, raw := range messages {
			in := sievetest.Input(raw, "", "")
			want := m.Match(in.Header, in.Body)
			r := program.Run(in)
			if got := r.Keep == interp.KeepCancelled; got != want {
				t.Fatalf("predicate %v, test %v:\n%s\n%s", want, got, s.Format(), raw)
			}
			if server != nil {
				if diff := cmp.Diff(server[i], sievetest.DecisionOf(r), cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("(-Pigeonhole +ours):\n%s\n%s\n%s", diff, s.Format(), raw)
				}
			}
		}
	}
	for range servertest.Deep(t, 50, 300) {
		check(t, nil, "")
	}
	t.Run("server", func(t *testing.T) {
		o := sievetest.NewOracle(t)
		mailbox := o.Mailbox(t, "mail", messages)
		for range servertest.Deep(t, 6, 60) {
			check(t, o, mailbox)
		}
	})
}
