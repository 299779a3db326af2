package interp_test

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// defaultSteps is the default of Options.MaxSteps.
const defaultSteps = 1 << 30

// TestStepsSame: a program takes the same steps for a message in every run, the
// first included, whatever else ran in between, and whoever else runs it. So
// MaxSteps stops each of the runs or none.
func TestStepsSame(t *testing.T) {
	d := ruleDrawer{rand.New(rand.NewPCG(*servertest.Seed, 7))}
	g := sievetest.NewGenerator(*servertest.Seed)
	wide := &sievetest.Wide{Generator: g, Size: sievetest.ScriptSize}
	for i := range servertest.Scaled(t, 120) {
		var s *sieve.Script
		var raw []byte
		switch i % 4 {
		case 0:
			s, raw = wide.Script(), wide.Mail()
		case 1:
			s, raw = g.Script(), g.Message()
		default:
			s, raw = d.script(i%8 < 4), d.message()
		}
		in := &interp.Input{Raw: raw, From: "a@b", To: "c@d", Now: time.Unix(1_700_000_000, 0)}
		compile := func(most int64) *interp.Program {
			p, err := interp.Compile(s, interp.Options{MaxActions: -1, MaxSteps: most, Store: interp.Store{Any: true}})
			if err != nil {
				t.Fatalf("%v\n%s", err, s.Format())
			}
			return p
		}
		p := compile(0)
		_, want := interp.RunSteps(p, in)
		if want > defaultSteps {
			continue
		}
		check := func(run int) {
			if r, got := interp.RunSteps(p, in); got != want {
				t.Errorf("run %d takes %d steps (%v), the first %d:\n%s\n%s", run, got, r.Err, want, s.Format(), raw)
			}
		}
		check(2)
		p.Run(&interp.Input{Raw: d.message(), From: "x@y", To: "c@d"})
		check(3)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for n := range 24 {
					check(4 + n)
				}
			})
		}
		all.Wait()
		check(100)
		for _, most := range []int64{want, want - 1} {
			p := compile(max(most, 1))
			for run := range 4 {
				r := p.Run(in)
				if stopped := r.Err != nil && strings.Contains(r.Err.Error(), "MaxSteps"); stopped && most == want || r.Err == nil && most < want {
					t.Errorf("run %d with %d steps of %d: %v", run+1, most, want, r.Err)
				}
			}
		}
		if t.Failed() {
			return
		}
	}
}
