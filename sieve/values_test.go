package sieve_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// whatIsWrong lists the errors with their places.
func whatIsWrong(err error) (out []string) {
	var list sieve.Errors
	errors.As(err, &list)
	for _, e := range list {
		out = append(out, e.Path+": "+e.Err.Error())
	}
	return out
}

// TestCheckValues checks that what Validate says of values is what
// interp.Compile refuses: with generated scripts, and such with one word changed.
func TestCheckValues(t *testing.T) {
	g := &sievetest.Wide{Generator: sievetest.NewGenerator(*sievetest.Seed + 31)}
	broken := 0
	for range 2000 {
		s := g.Script()
		breakOne(g.Generator, s.Commands)
		if sieve.Includes(s) {
			continue
		}
		_, err := interp.Compile(s, interp.Options{})
		want, got := whatIsWrong(err), whatIsWrong(sieve.CheckValues(s))
		if len(want) > 0 {
			broken++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-Compile +Validate):\n%s\n%s", diff, s.Format())
		}
	}
	if broken < 200 {
		t.Errorf("only %d scripts with errors", broken)
	}
}

// breakOne changes a value of one of the commands to one that is wrong.
func breakOne(g *sievetest.Generator, list []sieve.Command) {
	if len(list) == 0 {
		return
	}
	nothing := ""
	list[g.IntN(len(list))] = sievetest.Pick[sieve.Command](g,
		nil, sieve.Redirect{Address: "a"}, sieve.Redirect{Address: "a@b, c@d"}, sieve.FileInto{Mailbox: "\xff"}, sieve.Break{},
		sieve.ExtractText{Variable: "a b"}, sieve.Set{Name: "1a"}, sieve.Set{Name: "ns.a", Value: "${global.x}"},
		sieve.Set{Name: "a", Modifiers: []sieve.Modifier{"x", sieve.Lower, sieve.Upper, sieve.Length}},
		sieve.Vacation{From: "x", Days: new(uint64), Seconds: new(uint64)}, sieve.Notify{Method: "${99}"}, sieve.Notify{Method: "mailto:x"},
		sieve.AddHeader{Name: "a b", Value: "\x01"}, sieve.DeleteHeader{Match: "x", Values: []string{"a"}}, sieve.DraftNotify{},
		sieve.ForEveryPart{Block: []sieve.Command{sieve.Break{Name: &nothing}, sieve.Global{Names: []string{"g"}},
			sieve.Break{Name: sievetest.Ptr("x")}}},
		sieve.AddFlag{Variable: "${x}"}, sieve.Global{Names: []string{"x", "y", "x"}}, &sieve.Keep{},
		sieve.If{Test: sieve.AnyOf{sieve.AllOf{}, nil, sieve.Not{}, &sieve.True{}}},
		sieve.If{Test: sieve.Header{Match: sieve.Count, Comparator: "x", AnyChild: true, Last: true, MIMEPart: "x"}},
		sieve.If{Test: sieve.Header{Names: []string{"a"}, Match: sieve.Regex, Keys: []string{"(", "${x}("}, MIMEPart: sieve.MIMEType}},
		sieve.If{Test: sieve.Header{Names: []string{"a"}, Match: sieve.Regex, Keys: []string{"(", "x", "["}, Comparator: sieve.ASCIINumeric}},
		sieve.If{Test: sieve.Address{Part: "x", Relation: sieve.Less, Index: 1}},
		sieve.If{Test: sieve.Envelope{Fields: []string{"x", "AUTH", "${x}"}, Part: sieve.Domain, Match: sieve.Matches,
			Comparator: sieve.ASCIINumeric}},
		sieve.If{Test: sieve.HasFlag{Variables: []string{"a b", "b"}, Match: "x"}},
		sieve.If{Test: sieve.Body{Transform: "x", Content: []string{"a"}}},
		sieve.If{Test: sieve.Date{Zone: "x", OriginalZone: true, Last: true}}, sieve.If{Test: sieve.CurrentDate{Match: sieve.Value}},
		sieve.If{Test: sieve.Duplicate{Header: &nothing, UniqueID: &nothing}}, sieve.If{Test: sieve.String{Match: sieve.Regex,
			Keys: []string{"(("}}},
		sieve.If{Test: sieve.SpamTest{Match: "x"}}, sieve.If{Test: sieve.IHave{Extensions: []string{"x"}}},
	)
}
