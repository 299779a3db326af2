//go:build unix

package interp_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// hitScript is a script of n rules of which that at the place hits; negative:
// none.
func hitScript(n, at int) *sieve.Script {
	s := mixedScript(n)
	if at >= 0 {
		rule := s.Commands[at].(sieve.If)
		rule.Test = sieve.Header{Names: []string{"Subject"}, Match: sieve.Contains, Keys: []string{"e"}}
		s.Commands[at] = rule
	}
	return s
}

// BenchmarkRuleIndex is rules with the index and without it in turn, in each
// round, with the hit at several places; ratio is the median of the rounds'.
func BenchmarkRuleIndex(b *testing.B) {
	for _, n := range []int{10, 25, 100, 1000} {
		for _, at := range []int{0, 1, n / 5, n / 2, n - 1, -1} {
			for _, trace := range []bool{false, true} {
				name := fmt.Sprintf("rules=%d/hit=%d/trace=%v", n, at, trace)
				b.Run(name, func(b *testing.B) { ruleIndex(b, hitScript(n, at), trace) })
			}
		}
	}
}

func ruleIndex(b *testing.B, s *sieve.Script, trace bool) {
	compile := func() *interp.Program {
		p, err := interp.Compile(s, interp.Options{Trace: trace})
		if err != nil {
			b.Fatal(err)
		}
		return p
	}
	with, without := compile(), interp.WithoutIndex(compile())
	in := sievetest.Input(sievetest.BenchMessage(), "alice@example.net", "user@example.org")
	var r interp.Result
	const round = 100
	var ratios []float64
	var indexed, plain float64
	time := func(p *interp.Program) float64 {
		start := processorTime(b)
		for range round {
			p.RunInto(in, &r)
		}
		return float64(processorTime(b)-start) / round
	}
	time(with)
	time(without)
	for b.Loop() {
		x, y := time(with), time(without)
		indexed, plain = indexed+x, plain+y
		ratios = append(ratios, x/y)
	}
	slices.Sort(ratios)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(indexed/float64(b.N), "indexed-ns")
	b.ReportMetric(plain/float64(b.N), "plain-ns")
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
}
