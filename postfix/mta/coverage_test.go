package mta_test

import (
	_ "embed"
	"fmt"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// undrawnText says why a parameter that is followed, or named as not followed, is
// not among those that are drawn: a line each, "name: reason".
//
//go:embed testdata/undrawn.txt
var undrawnText string

// TestDrawable: every parameter that the engine evaluates, or says that it takes
// for its default, is drawn, or testdata/undrawn.txt has the reason why not.
func TestDrawable(t *testing.T) {
	reasons := map[string]string{}
	for line := range strings.Lines(undrawnText) {
		name, reason, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || reason == "" {
			t.Errorf("undrawn.txt: %q has no reason", line)
		}
		reasons[name] = reason
	}
	for _, p := range postfix.Parameters() {
		name := p.Name()
		_, drawn := generators[name]
		_, excused := reasons[name]
		followed := p.Evaluated() == postfix.Modelled || p.Evaluated() == postfix.Assumed
		switch {
		case drawn && excused:
			t.Errorf("%s is drawn, and has a reason not to be", name)
		case followed && !drawn && !excused:
			t.Errorf("%s is %s and neither drawn nor in undrawn.txt", name, p.Evaluated())
		case excused && !followed:
			t.Errorf("%s is %s and needs no reason", name, p.Evaluated())
		}
		delete(reasons, name)
	}
	for name := range reasons {
		t.Errorf("undrawn.txt has %s, which is no parameter", name)
	}
	for name := range generators {
		if _, ok := postfix.LookupParameter(name); !ok {
			t.Errorf("%s is drawn and no parameter", name)
		}
	}
}

// coverage counts, for each parameter, the draws that have it, and the messages
// whose end is another one with its default in its place.
type coverage map[string][2]int

// count asks a draw's instance once more without each of its settings.
func (c coverage) count(t *testing.T, h *heard, system maillab.System) {
	ends := func(h *heard) (out []string) {
		e, err := h.load(system)
		if err != nil {
			return nil
		}
		for i, m := range h.draw.Messages {
			one, _, _ := h.asked(t, e, m, fmt.Sprint(i))
			out = append(out, strings.Join(one, "\n"))
		}
		return out
	}
	all := ends(h)
	for i, s := range h.draw.Settings {
		n := c[s.Name]
		n[0]++
		other := *h
		d := h.draw.clone()
		d.Settings = append(d.Settings[:i:i], d.Settings[i+1:]...)
		other.files, _ = d.files(h.seat)
		if one := ends(&other); len(one) == len(all) {
			for j := range all {
				if all[j] != one[j] {
					n[1]++
				}
			}
		}
		c[s.Name] = n
	}
}

// String is a line for each parameter: how often it was drawn, and how many
// messages it changed.
func (c coverage) String() string {
	var b strings.Builder
	for _, name := range drawable() {
		fmt.Fprintf(&b, "%s %d %d\n", name, c[name][0], c[name][1])
	}
	return b.String()
}
