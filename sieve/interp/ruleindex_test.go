package interp_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// TestRuleIndexSame: many rules come to the same with their index and without,
// whatever hits and whatever changes the header.
func TestRuleIndexSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(*servertest.Seed, 5))
	word := func() string {
		w := []string{"a", "B", "ab", "bA", "abc", "", "c d", "a@b", "B@A.c", "x", "aab"}[rng.IntN(11)]
		return w + []string{"", "", "a", "b", "C"}[rng.IntN(5)]
	}
	names := []string{"Subject", "From", "X-A", "To"}
	var leaf func(depth int) sieve.Test
	leaf = func(depth int) sieve.Test {
		m := []sieve.MatchType{sieve.Is, sieve.Contains, sieve.Contains, sieve.Matches}[rng.IntN(4)]
		c := []sieve.Comparator{"", "", sieve.Octet}[rng.IntN(3)]
		keys := []string{word(), word()}[:1+rng.IntN(2)]
		switch {
		case depth < 2 && rng.IntN(5) == 0:
			return sieve.AllOf{leaf(depth + 1), leaf(depth + 1)}
		case depth < 2 && rng.IntN(5) == 0:
			return sieve.AnyOf{leaf(depth + 1), leaf(depth + 1)}
		case rng.IntN(3) == 0:
			part := []sieve.AddressPart{"", sieve.Domain}[rng.IntN(2)]
			return sieve.Address{Names: []string{[]string{"From", "To"}[rng.IntN(2)]}, Part: part, Match: m, Comparator: c, Keys: keys}
		}
		return sieve.Header{Names: names[rng.IntN(4):], Match: m, Comparator: c, Keys: keys}
	}
	for i := range servertest.Scaled(t, 300) {
		s := &sieve.Script{}
		for j := range 12 + rng.IntN(90) {
			then := []sieve.Command{sieve.FileInto{Mailbox: fmt.Sprint("F", j%20), Copy: true}}
			switch rng.IntN(20) {
			case 0:
				then = append(then, sieve.AddHeader{Name: names[rng.IntN(4)], Value: word() + "z"})
			case 1:
				then = append(then, sieve.DeleteHeader{Name: names[rng.IntN(4)]})
			case 2:
				then = append(then, sieve.Stop{})
			}
			s.Commands = append(s.Commands, sieve.If{Test: leaf(0), Then: then})
		}
		if i%3 == 0 {
			// The same as one if with many branches.
			first := s.Commands[0].(sieve.If)
			for _, c := range s.Commands[1:] {
				rule := c.(sieve.If)
				first.ElsIf = append(first.ElsIf, sieve.ElsIf{Test: rule.Test, Then: rule.Then})
			}
			s.Commands = []sieve.Command{first, sieve.AddFlag{Flags: []string{"x"}}}
		}
		o := interp.Options{MaxActions: -1}
		with, err := interp.Compile(s, o)
		if err != nil {
			t.Fatal(err)
		}
		without, err := interp.Compile(s, o)
		if err != nil {
			t.Fatal(err)
		}
		without = interp.WithoutIndex(without)
		for range 6 {
			var raw bytes.Buffer
			for range rng.IntN(6) {
				fmt.Fprintf(&raw, "%s: %s%s\n", names[rng.IntN(4)], word(), word())
			}
			raw.WriteString("\nbody\n")
			in := &interp.Input{Raw: raw.Bytes(), From: "a@b", To: "c@d"}
			if got, want := with.Run(in), without.Run(in); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s\n%s\n%+v, without the index %+v", s.Format(), raw.Bytes(), got, want)
			}
		}
	}
}
