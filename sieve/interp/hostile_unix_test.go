//go:build unix

package interp_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// hostilePair draws a script and a message of up to so many octets.
func hostilePair(tb testing.TB, seed uint64, size int) (p *interp.Program, script int, message []byte) {
	tb.Helper()
	g := &hostileGenerator{rand.New(rand.NewPCG(seed, 11)), size}
	src := g.script()
	s, err := sieve.Parse("", []byte(src))
	if err == nil {
		p, err = interp.Compile(s, interp.Options{})
	}
	if err != nil {
		tb.Fatalf("pair %d: %.500s", seed, err)
	}
	return p, len(src), g.message()
}

// TestHostilePairs: whatever the script and the message, the run ends, by itself
// or within the steps, the message stays, and the memory is bounded by both.
// What a step takes is measured by BenchmarkHostilePairs.
func TestHostilePairs(t *testing.T) {
	for i := range servertest.Deep(t, 10, 38) {
		seed := *servertest.Seed*1_000_000 + uint64(i)
		p, script, message := hostilePair(t, seed, 1<<17)
		var r interp.Result
		var steps int64
		limit := uint64(96<<20 + 32*(script+len(message)))
		peak := peakHeap(func() {
			r, steps = interp.RunSteps(p, &interp.Input{Raw: message, From: "a@b", To: "c@d"})
		})
		stopped := r.Err != nil && strings.Contains(r.Err.Error(), "MaxSteps")
		if steps > defaultSteps != stopped {
			t.Errorf("pair %d: %d steps, error %v", seed, steps, r.Err)
		}
		if r.Err != nil && r.Keep != interp.KeepFailure {
			t.Errorf("pair %d: %s after %v", seed, r.Keep, r.Err)
		}
		if peak > limit {
			t.Errorf("pair %d: %d MB for a message of %d octets and a script of %d", seed, peak>>20, len(message), script)
		}
	}
}

// BenchmarkHostilePairs runs so many pairs, each once, and says which took the
// most processor time, and what a step took at most:
//
//	for s in 1 2 3 4 5 6 7 8 9 10; do
//		TEST_SEED=$s go test -run '^$' -bench '^BenchmarkHostilePairs$' -benchtime 1000x ./sieve/interp
//	done
func BenchmarkHostilePairs(b *testing.B) {
	type outcome struct {
		seed    uint64
		took    time.Duration
		steps   int64
		octets  int
		script  int
		stopped bool
	}
	var all []outcome
	stopped := 0
	for b.Loop() {
		seed := *servertest.Seed*1_000_000 + uint64(len(all))
		p, script, message := hostilePair(b, seed, 1<<19)
		start := processorTime(b)
		r, steps := interp.RunSteps(p, &interp.Input{Raw: message, From: "a@b", To: "c@d"})
		o := outcome{seed, processorTime(b) - start, steps, len(message), script, r.Err != nil}
		if all = append(all, o); steps > defaultSteps {
			stopped++
		}
	}
	slices.SortFunc(all, func(x, y outcome) int { return int(y.took - x.took) })
	var list strings.Builder
	for _, o := range all[:min(len(all), 8)] {
		fmt.Fprintf(&list, "\npair %d: %v, %d steps, %.2f ns each, message %d octets, script %d, error %v",
			o.seed, o.took.Round(time.Millisecond), o.steps, float64(o.took)/float64(o.steps), o.octets, o.script, o.stopped)
	}
	b.Log(list.String())
	b.ReportMetric(float64(all[0].took.Milliseconds()), "worst-cpu-ms")
	b.ReportMetric(float64(stopped), "stopped")
}
