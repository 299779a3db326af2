package headers

import (
	"strings"
	"testing"
	"time"
)

var globTests = []struct {
	pattern string
	yes, no []string
	bug     bool // Pigeonhole 0.5.19 aborts or is wrong
}{
	{"", []string{""}, []string{"a"}, false},
	{"abc", []string{"abc", "ABC"}, []string{"ab", "abcd", "xabc"}, false},
	{"*", []string{"", "a", "a b"}, nil, false},
	{"**", []string{"", "a"}, nil, false},
	{"?", []string{"a", "?"}, []string{"", "ab", "\u00e4"}, false},
	{"??", []string{"ab", "\u00e4"}, []string{"a"}, false},
	{"a*", []string{"a", "abc"}, []string{"ba", ""}, false},
	{"*a", []string{"a", "bca"}, []string{"ab", ""}, false},
	{"a*a", []string{"aa", "aba"}, []string{"a", "ab"}, false},
	{"*ab*", []string{"ab", "xaby", "aab"}, []string{"a b", "ba"}, false},
	{"a*b*c", []string{"abc", "axbxc", "abbcc"}, []string{"acb", "abcx"}, false},
	{"*aab*", []string{"aaab", "aabaaab"}, []string{"abab"}, false},
	{`\*`, []string{"*"}, []string{"a", ""}, false},
	{`\?`, []string{"?"}, []string{"a"}, false},
	{`a\\b`, []string{`a\b`}, []string{"ab", `a\\b`}, false},
	{`a\bc`, []string{"abc"}, []string{`a\bc`}, false},
	{`a\`, []string{`a\`}, []string{"a"}, true},
	{`\**`, []string{"*", "*a"}, []string{"a"}, false},
	{"a?c", []string{"abc", "a?c"}, []string{"ac", "abbc"}, false},
	{"?a*", []string{"xa", "xab"}, []string{"a", "ax"}, true},
	{"*a?", []string{"ab", "xaab"}, []string{"a", "abc"}, false},
	{"*?", []string{"a", "ab"}, []string{""}, true},
	{"*??", []string{"ab", "abc"}, []string{"a", ""}, true},
	{"*?X", []string{"aX", "abX"}, []string{"X"}, true},
	{"a*/", []string{"a/", "ab/"}, []string{"a"}, true},
	{"*a?c*e?g*", []string{"abcefg", "xaacxeegx"}, []string{"acefg", "abceg"}, true},
	{strings.Repeat("a?", 40) + "*" + strings.Repeat("?b", 40) + "*" + strings.Repeat("?c", 200),
		[]string{strings.Repeat("ax", 40) + "zz" + strings.Repeat("xb", 40) + strings.Repeat("xc", 200)}, []string{"a"}, true},
	{"* " + strings.Repeat("?b", 40) + "*" + strings.Repeat("x?", 150) + "*", []string{"y " + strings.Repeat("xb",
		40) + "q" + strings.Repeat("xy", 150)}, []string{"a"}, true},
}

func TestGlob(t *testing.T) {
	for _, tt := range globTests {
		g := CompileGlob(tt.pattern, true)
		for _, v := range tt.yes {
			if !g.Match([]byte(v)) {
				t.Errorf("%q doesn't match %q", tt.pattern, v)
			}
		}
		for _, v := range tt.no {
			if g.Match([]byte(v)) {
				t.Errorf("%q matches %q", tt.pattern, v)
			}
		}
	}
	if CompileGlob("A*?b", false).Match([]byte("Axb")) != true || CompileGlob("A*?b", false).Match([]byte("axB")) {
		t.Error("case was ignored")
	}
	if CompileGlob("A*\xe4", true).Match([]byte("a\xc4")) {
		t.Error("only ASCII has case")
	}
}

// naiveGlob is the definition of a glob.
func naiveGlob(pattern, value string) bool {
	switch {
	case pattern == "":
		return value == ""
	case pattern[0] == '*':
		for i := range len(value) + 1 {
			if naiveGlob(pattern[1:], value[i:]) {
				return true
			}
		}
		return false
	case value == "":
		return false
	case pattern[0] == '?':
		return naiveGlob(pattern[1:], value[1:])
	case pattern[0] == '\\' && len(pattern) > 1:
		pattern = pattern[1:]
	}
	return pattern[0] == value[0] && naiveGlob(pattern[1:], value[1:])
}

func FuzzGlob(f *testing.F) {
	for _, tt := range globTests {
		for _, v := range append(tt.yes, tt.no...) {
			f.Add(tt.pattern, v)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, value string) {
		if strings.Count(pattern, "*") > 4 || len(value) > 60 {
			return
		}
		if got, want := CompileGlob(pattern, false).Match([]byte(value)), naiveGlob(pattern, value); got != want {
			t.Errorf("%q on %q: %v", pattern, value, got)
		}
		if got, want := CompileGlob(pattern, true).Match([]byte(value)), naiveGlob(lowerString(pattern), lowerString(value)); got != want {
			t.Errorf("%q on %q, folding: %v", pattern, value, got)
		}
	})
}

// A hostile pattern and value must not take more than linear time.
func TestGlobTime(t *testing.T) {
	value := []byte(strings.Repeat("a", 1<<20))
	start := time.Now()
	for _, pattern := range []string{
		strings.Repeat("a*", 50) + "b",
		"*" + strings.Repeat("a", 5000) + "b*",
		"*" + strings.Repeat("a?", 100) + "b*c",
	} {
		if CompileGlob(pattern, true).Match(value) {
			t.Errorf("%.20q matches", pattern)
		}
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
}
