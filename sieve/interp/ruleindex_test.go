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

// ruleDrawer draws scripts of many rules and messages that some of them match.
type ruleDrawer struct{ *rand.Rand }

func (d ruleDrawer) word() string {
	w := []string{"a", "B", "ab", "bA", "abc", "", "c d", "a@b", "B@A.c", "x", "aab"}[d.IntN(11)]
	return w + []string{"", "", "a", "b", "C"}[d.IntN(5)]
}

var ruleNames = []string{"Subject", "From", "X-A", "To"}

func (d ruleDrawer) leaf(depth int) sieve.Test {
	m := []sieve.MatchType{sieve.Is, sieve.Contains, sieve.Contains, sieve.Matches}[d.IntN(4)]
	c := []sieve.Comparator{"", "", sieve.Octet}[d.IntN(3)]
	keys := []string{d.word(), d.word()}[:1+d.IntN(2)]
	if m == sieve.Matches && d.IntN(2) == 0 {
		keys = []string{"*" + d.word() + "*"}
	}
	switch {
	case depth < 2 && d.IntN(5) == 0:
		return sieve.AllOf{d.leaf(depth + 1), d.leaf(depth + 1)}
	case depth < 2 && d.IntN(5) == 0:
		return sieve.AnyOf{d.leaf(depth + 1), d.leaf(depth + 1)}
	case d.IntN(3) == 0:
		part := []sieve.AddressPart{"", sieve.Domain}[d.IntN(2)]
		return sieve.Address{Names: []string{[]string{"From", "To"}[d.IntN(2)]}, Part: part, Match: m, Comparator: c, Keys: keys}
	}
	return sieve.Header{Names: ruleNames[d.IntN(4):], Match: m, Comparator: c, Keys: keys}
}

// script draws a script; chain makes one if with many branches of it.
func (d ruleDrawer) script(chain bool) *sieve.Script {
	s := &sieve.Script{}
	for j := range 12 + d.IntN(90) {
		then := []sieve.Command{sieve.FileInto{Mailbox: fmt.Sprint("F", j%20), Copy: true}}
		switch d.IntN(20) {
		case 0:
			then = append(then, sieve.AddHeader{Name: ruleNames[d.IntN(4)], Value: d.word() + "z"})
		case 1:
			then = append(then, sieve.DeleteHeader{Name: ruleNames[d.IntN(4)]})
		case 2:
			then = append(then, sieve.Stop{})
		case 3:
			then = append(then, sieve.Set{Name: "v", Value: "${v}(${1})"})
		}
		s.Commands = append(s.Commands, sieve.If{Test: d.leaf(0), Then: then})
	}
	if chain {
		first := s.Commands[0].(sieve.If)
		for _, c := range s.Commands[1:] {
			rule := c.(sieve.If)
			first.ElsIf = append(first.ElsIf, sieve.ElsIf{Test: rule.Test, Then: rule.Then})
		}
		s.Commands = []sieve.Command{first, sieve.AddFlag{Flags: []string{"x"}}}
	}
	if d.IntN(2) == 0 { // what the last match was
		s.Commands = append(s.Commands, sieve.FileInto{Mailbox: "V${v}(${1})", Copy: true})
		s.Extensions = sieve.ExtVariables
	}
	return s
}

func (d ruleDrawer) message() []byte {
	var raw bytes.Buffer
	for range d.IntN(6) {
		fmt.Fprintf(&raw, "%s: %s%s\n", ruleNames[d.IntN(4)], d.word(), d.word())
	}
	raw.WriteString("\nbody\n")
	return raw.Bytes()
}

// TestRuleIndexSame: many rules come to the same with their index and without,
// whatever hits and whatever changes the header.
func TestRuleIndexSame(t *testing.T) {
	d := ruleDrawer{rand.New(rand.NewPCG(*servertest.Seed, 5))}
	for i := range servertest.Scaled(t, 300) {
		s := d.script(i%3 == 0)
		o := interp.Options{MaxActions: -1, Store: interp.Store{Any: true}}
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
			raw := d.message()
			in := &interp.Input{Raw: raw, From: "a@b", To: "c@d"}
			if got, want := with.Run(in), without.Run(in); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s\n%s\n%+v, without the index %+v", s.Format(), raw, got, want)
			}
		}
	}
}
