package sieve_test

import (
	"flag"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/sieve"
)

var (
	seed          = flag.Uint64("seed", 1, "of the generated scripts and messages")
	scriptCount   = flag.Int("scripts", 150, "generated scripts")
	scriptSize    = flag.Int("size", 5, "bound of the generated scripts of the whole language")
	sequenceCount = flag.Int("sequences", 200, "generated sequences of scripts")
)

// TestDifferential runs generated scripts over generated messages here and in
// Pigeonhole.
func TestDifferential(t *testing.T) {
	o := newOracle(t)
	g := newGenerator(*seed)
	const messageCount = 60
	pairs, failures := 0, 0
	var mailbox string
	var messages [][]byte
	for i := range *scriptCount {
		if i%30 == 0 {
			messages = nil
			for range messageCount {
				messages = append(messages, g.message())
			}
			mailbox = o.mailbox(t, fmt.Sprint("mail", i/30), messages)
		}
		s := g.script()
		src := s.Format()
		p, err := sieve.Compile(s, sieve.Options{})
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		decisions, ok := o.decide(t, src, mailbox)
		if !ok {
			t.Fatalf("script:\n%s", src)
		}
		if len(decisions) != len(messages) {
			t.Fatalf("%d decisions for %d messages\n%s", len(decisions), len(messages), src)
		}
		for j, want := range decisions {
			pairs++
			got := decisionOf(p.Run(input(messages[j], "", "")))
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("script %d, message %d (-Pigeonhole +ours):\n%s\n%s\nmessage:\n%s", i, j, diff, src, messages[j])
				if failures++; failures >= 5 {
					t.Fatal("stopped after 5 disagreements")
				}
			}
		}
	}
	t.Logf("%d scripts, %d pairs", *scriptCount, pairs)
}
