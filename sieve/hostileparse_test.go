package sieve_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
)

// hostileSources are scripts that a parser could lose much time with, of about
// n octets.
func hostileSources(n int) map[string]string {
	fill := func(s string) string { return strings.Repeat(s, n/len(s)) }
	const all = `require ["variables", "encoded-character", "fileinto", "ihave", "regex"];` + "\n"
	return map[string]string{
		"commands":              fill("keep;\n"),
		"errors":                fill("nosuch;\n"),
		"stray tokens":          fill("];"),
		"open blocks":           fill("if true {"),
		"open tests":            fill("not "),
		"open lists":            fill("["),
		"one list":              `if header [` + fill(`"a", `) + `"a"] "b" {}`,
		"one string":            `redirect "` + fill(`\"`) + `";`,
		"open string":           `redirect "` + fill("a\n"),
		"texts":                 fill("text:\n..\n.\n"),
		"comments":              fill("/**/"),
		"open comments":         fill("/*"),
		"comments of lines":     fill("#\n"),
		"numbers":               fill("18446744073709551616 "),
		"references":            all + `fileinto "` + fill("${a") + `";`,
		"dots":                  all + `fileinto "` + fill("${a.") + `";`,
		"unknown namespaces":    all + `fileinto "` + fill("${a.b}") + `";`,
		"encodings":             all + `fileinto "` + fill("${hex:") + `";`,
		"encoded":               all + `fileinto "` + fill("${hex:41 42}") + `";`,
		"branches":              `if header "a" "b" {} ` + fill(`elsif header "a" "b" {} `),
		"branches never taken":  "if true {} " + fill("elsif nosuch {} "),
		"commands never run":    "if false { " + fill("nosuch; ") + "}",
		"nested never run":      fill("if false { if false { if true { nosuch; } else { nosuch; } } }\n"),
		"tests never tried":     "if anyof (true" + fill(", nosuch") + ") {}",
		"extensions had":        all + fill("if ihave \"copy\" {}\n"),
		"words in front of end": fill("a "),
	}
}

// TestParseLinear checks that a script of 8 times the size takes no more than
// about 8 times as long, whatever it is made of.
func TestParseLinear(t *testing.T) {
	// In a plain run a third of the sources.
	names := servertest.Part(t, slices.Sorted(maps.Keys(hostileSources(1000))), 8)
	const small = sieve.MaxScriptSize / 16
	measure := func(src string) time.Duration {
		start := time.Now()
		sieve.Check("", []byte(src), sieve.AllExtensions)
		return time.Since(start)
	}
	large := hostileSources(sieve.MaxScriptSize / 2)
	sources := hostileSources(small)
	for _, name := range names {
		src := sources[name]
		// A busy machine can make any one measurement long.
		var a, b time.Duration
		for range 5 {
			a, b = measure(src), measure(large[name])
			if b < 40*max(a, time.Millisecond) {
				break
			}
		}
		if b >= 40*max(a, time.Millisecond) {
			t.Errorf("%s: %v for %d octets, %v for %d", name, a, len(src), b, len(large[name]))
		}
		t.Logf("%-22s %8v %8v", name, a.Round(10*time.Microsecond), b.Round(10*time.Microsecond))
	}
}
