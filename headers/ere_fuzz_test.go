package headers

import "testing"

// FuzzCompileERE: any pattern is compiled or refused, and what was compiled can
// be matched against anything.
func FuzzCompileERE(f *testing.F) {
	for _, p := range []string{"[[:]", "[[:alpha:]]", "[[:", "[[.", "[[.a.]]", "[[=a=]]", "[]a]", "[^]", "a{2,3}", "a{", "(", ")", "\\", "^*",
		"a|*b", "[a-", "[z-a]", "x{1,256}"} {
		f.Add(p, "value")
	}
	f.Fuzz(func(t *testing.T, pattern, value string) {
		re, err := CompileERE(pattern, true)
		if (re == nil) == (err == nil) {
			t.Fatalf("%q: expression %v, error %v", pattern, re, err)
		}
		if err == nil {
			MatchERE(re, []byte(value))
		}
	})
}
