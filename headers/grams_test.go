package headers_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// TestMayMatch draws texts, and expressions of their parts: what is found may be,
// and of what isn't most is told so.
func TestMayMatch(t *testing.T) {
	r := rand.New(rand.NewPCG(*servertest.Seed, 1))
	letters := "abcABC xyz.-\xe4\xc4"
	word := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = letters[r.IntN(len(letters))]
		}
		return string(b)
	}
	quote := func(s string) string { return strings.NewReplacer(".", "[.]").Replace(s) }
	var g headers.Grams
	told, missed := 0, 0
	for range servertest.Scaled(t, 5_000) {
		text := word(1 + r.IntN(60))
		from := r.IntN(len(text))
		part := text[from : from+r.IntN(len(text)-from+1)]
		pattern := quote(part)
		switch r.IntN(4) {
		case 0:
			pattern = quote(word(5))
		case 1:
			pattern = "(" + quote(word(4)) + "|" + pattern + ")+ ?"
		case 2:
			pattern = pattern + ".*" + quote(word(2))
		}
		re, err := headers.CompileERE(pattern, r.IntN(2) == 0)
		if err != nil {
			continue
		}
		g.Reset([]byte(text))
		switch may, does := re.MayMatch(&g), headers.MatchERE(re, []byte(text)); {
		case does && !may:
			t.Errorf("%q is found in %q", pattern, text)
		case !does && !may:
			told++
		case !does:
			missed++
		}
	}
	if t.Log(told, "told,", missed, "not"); told < 4*missed {
		t.Errorf("%d told, %d not", told, missed)
	}
	long := []byte(strings.Repeat("a", 10_000) + "needle")
	re, err := headers.CompileERE("needle", false)
	if err != nil {
		t.Fatal(err)
	}
	if g.Reset(long); !re.MayMatch(&g) {
		t.Error("of a long text nothing is known")
	}
	if g.Reset(nil); re.MayMatch(&g) || !re.MayMatch(nil) {
		t.Error("of the empty text it is")
	}
}
