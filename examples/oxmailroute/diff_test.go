package main

import (
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// TestUnified: a diff has the form that diff -u writes, and patch makes the one
// text of the other by it.
func TestUnified(t *testing.T) {
	servertest.Need(t, "diff")
	if got := unified("x", "a\n", "a\n"); got != "" {
		t.Errorf("no difference: %q", got)
	}
	word := func(r *rand.Rand) string {
		var b strings.Builder
		for range r.IntN(30) {
			b.WriteString([]string{"a\n", "b\n", "c\r\n", "keep;\n", "\n"}[r.IntN(5)])
		}
		if r.IntN(4) == 0 {
			b.WriteString("end")
		}
		return b.String()
	}
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		a := word(r)
		b := a
		for range 1 + r.IntN(3) {
			lines := strings.SplitAfter(b, "\n")
			i := r.IntN(len(lines))
			j := i + r.IntN(len(lines)-i)
			b = strings.Join(lines[:i], "") + word(r) + strings.Join(lines[j:], "")
		}
		if a == b {
			continue
		}
		d := unified("text", a, b)
		if got := patched(t, a, d); got != b {
			t.Fatalf("seed %d: %s\n%s", seed, cmp.Diff(b, got), d)
		}
		// As many lines go and come as by diff(1), which looks for the least.
		out, _ := exec.Command("diff", "-d", "-u", writeFile(t, "a", a, 0o600), writeFile(t, "b", b, 0o600)).Output()
		if got, want := changed(d), changed(string(out)); got != want {
			t.Errorf("seed %d: %d lines change, by diff %d\n%s\n%s", seed, got, want, d, out)
		}
	}
}

func changed(diff string) int {
	n := 0
	for line := range strings.Lines(diff) {
		if line[0] == '+' || line[0] == '-' {
			n++
		}
	}
	return n
}
