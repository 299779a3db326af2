package ere

import (
	"slices"
	"strings"
	"testing"
)

// TestHostile: what makes regexec or a backtracking engine slow takes time in
// proportion to the text, and the registers of a long match few octets.
func TestHostile(t *testing.T) {
	text := strings.Repeat("a", 50_000)
	n := len(text)
	for _, tt := range []struct {
		pattern, text string
		want          []int
	}{
		{"(a*)*b", text, nil},
		{"(a*)*", text, []int{0, n, 0, n}},
		{"((a+)+)+$", text, []int{0, n, 0, n, 0, n}},
		{"((^|a)+)**", text, nil}, // regexec never ends
		{"(a|aa)+", text, []int{0, n, n - 1, n}},
		{"(a?){1,100}b", text, nil},
		{`(\<a+\>)x|(a)`, text, []int{0, 1, -1, -1, 0, 1}},
		{"($|a)(a$)?\n", strings.Repeat("\n", n), nil},
		{strings.Repeat("(", 250) + strings.Repeat(")", 250), "", make([]int, 502)},
	} {
		e, err := Compile(tt.pattern, Flags{})
		if err != nil {
			t.Errorf("%.20q: %v", tt.pattern, err)
			continue
		}
		if got := e.Find([]byte(tt.text)); !slices.Equal(got, tt.want) {
			t.Errorf("%.20q: %v, want %v", tt.pattern, got[:min(len(got), 10)], tt.want[:min(len(tt.want), 10)])
		}
	}
	for _, pattern := range []string{strings.Repeat("(", 252) + strings.Repeat(")", 252), "((a{1,255}){1,255}){1,255}",
		"a{1,32767}b{1,32767}c{1,32767}"} {
		if _, err := Compile(pattern, Flags{}); err == nil || !err.Taken {
			t.Errorf("%.20q: %v", pattern, err)
		}
	}
}
