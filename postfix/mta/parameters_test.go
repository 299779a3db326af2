package mta_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// TestEvaluated: every row of the parameter table says what this package does
// with it, and says "modelled" of those that its code names, which it reads.
func TestEvaluated(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{"compatibility_level": true} // package postfix reads it
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("\"(_?[a-z0-9_]{3,})\"").FindAllStringSubmatch(string(text), -1) {
			if named[m[1]] = true; strings.HasPrefix(m[1], "_") { // of smtp(8) and lmtp(8)
				named["smtp"+m[1]], named["lmtp"+m[1]] = true, true
			}
		}
	}
	count := map[postfix.Evaluation]int{}
	for _, p := range postfix.Parameters() {
		e := p.Evaluated()
		count[e]++
		if !slices.Contains([]postfix.Evaluation{postfix.Modelled, postfix.Asked, postfix.Assumed, postfix.Beside}, e) {
			t.Errorf("%s is %q", p.Name(), e)
		}
		if named[p.Name()] != (e == postfix.Modelled) {
			t.Errorf("%s is %s, and the code names it: %v", p.Name(), e, named[p.Name()])
		}
	}
	t.Log(count)
}
