//go:build unix

package interp_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// TestDifferential runs generated scripts over generated messages here and in
// Pigeonhole of either release.
func TestDifferential(t *testing.T) {
	for _, rel := range drawnReleases(t) {
		t.Run(rel.name, func(t *testing.T) { differential(t, rel) })
	}
}

func differential(t *testing.T, rel release) {
	o := sievetest.NewOracleOf(t, rel.is24)
	g := sievetest.NewGenerator(*sievetest.Seed)
	const messageCount = 60
	pairs, failures := 0, 0
	var mailbox string
	var messages [][]byte
	scriptCount := servertest.Deep(t, 6, 23)
	for i := range scriptCount {
		if i%30 == 0 {
			messages = nil
			for range messageCount {
				messages = append(messages, g.Message())
			}
			mailbox = o.Mailbox(t, fmt.Sprint("mail", i/30), messages)
		}
		s := g.Script()
		src := s.Format()
		p, err := interp.Compile(s, interp.Options{Extensions: rel.on, Store: interp.Store{Any: true}})
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		decisions, ok := o.Decide(t, src, mailbox)
		if !ok {
			t.Fatalf("script:\n%s", src)
		}
		if len(decisions) != len(messages) {
			t.Fatalf("%d decisions for %d messages\n%s", len(decisions), len(messages), src)
		}
		for j, want := range decisions {
			pairs++
			got := sievetest.DecisionOf(p.Run(sievetest.Input(messages[j], "", "")))
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("script %d, message %d (-Pigeonhole +ours):\n%s\n%s\nmessage:\n%s", i, j, diff, src, messages[j])
				if failures++; failures >= 5 {
					t.Fatal("stopped after 5 disagreements")
				}
			}
		}
	}
	t.Logf("%d scripts, %d pairs", scriptCount, pairs)
}
