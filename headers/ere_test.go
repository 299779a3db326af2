package headers

import (
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

var ereTests = []struct {
	pattern string
	yes, no []string
}{
	{"abc", []string{"abc", "xABCx"}, []string{"ab", "a b c"}},
	{"^abc$", []string{"abc"}, []string{"abcd", "xabc"}},
	{"a.c", []string{"abc", "a c", "a\xe4c"}, []string{"ac", "a\xc3\xa4c"}},
	{"^.$", []string{"a", "\xe4"}, []string{"\xc3\xa4", ""}},
	{"\xc3\xa4", []string{"x\xc3\xa4"}, []string{"\xc3\x84", "\xe4"}},
	{"[\xc3\xa4]", []string{"\xc3", "\xa4"}, []string{"a"}},
	{"\xe4", []string{"\xe4"}, []string{"\xc4"}},
	{"[^;]+;", []string{"\xc3\xa4;", "a;"}, []string{";", "a"}},
	{"a|b", []string{"a", "b"}, []string{"c"}},
	{"^(a|b|)c$", []string{"ac", "bc", "c"}, []string{"abc"}},
	{"(a|ab)(c|bcd)(d*)$", []string{"abcd"}, []string{"x"}},
	{"^a{2}$", []string{"aa"}, []string{"a", "aaa"}},
	{"^a{2,}$", []string{"aa", "aaaa"}, []string{"a"}},
	{"^a{0,2}$", []string{"", "aa"}, []string{"aaa"}},
	{"^a{0}b$", []string{"b"}, []string{"ab"}},
	{"^a*?$", []string{"", "aa"}, []string{"b"}},
	{"^(ab)+{2}$", []string{"abab"}, []string{"ab", "aba"}},
	{"^a+*$", []string{"", "aa"}, []string{"b"}},
	{"[]a]", []string{"]", "a"}, []string{"b"}},
	{"^[^]a]$", []string{"b"}, []string{"]", "a"}},
	{"[a-c]", []string{"b", "B"}, []string{"d"}},
	{"[a-]", []string{"-", "a"}, []string{"b"}},
	{"[-a]", []string{"-", "a"}, []string{"b"}},
	{"[+--]", []string{"+", ",", "-"}, []string{"."}},
	{`[\]`, []string{`\`}, []string{"a"}},
	{`[\.]`, []string{`\`, "."}, []string{"a"}},
	{"[[:alpha:]_]", []string{"a", "_"}, []string{"1", "\xe4"}},
	{"^[[:upper:]]$", []string{"A", "a"}, []string{"1"}},
	{"^[^[:space:]]$", []string{"a"}, []string{" ", "\t", "\v"}},
	{"[[:blank:]]", []string{" ", "\t"}, []string{"\v"}},
	{"[[:punct:]]", []string{"!", "~", "_"}, []string{"a", " "}},
	{"[[:cntrl:]]", []string{"\x01", "\x7f"}, []string{" ", "\x80"}},
	{"[[:print:]]", []string{" ", "a"}, []string{"\x01", "\xa0"}},
	{"[[:graph:]]", []string{"a"}, []string{" "}},
	{"[[:xdigit:]]", []string{"f", "9"}, []string{"g"}},
	{"[[:alnum:]][[:digit:]][[:lower:]]", []string{"a1B"}, []string{"11"}},
	{"[[=a=]]", []string{"a"}, []string{"b"}},
	{"[[.-.]]", []string{"-"}, []string{"a"}},
	{"[[.a.]-c]", []string{"b"}, []string{"d"}},
	{`\.\*\[\]\(\)\|\+\?\{\}\^\$\\`, []string{`.*[]()|+?{}^$\`}, []string{"x"}},
	{`a\/b`, []string{"a/b"}, []string{`a\/b`}},
	{"a^b", nil, []string{"a^b", "ab"}},
	{"a$b", nil, []string{"a$b", "ab"}},
	{"^^a$$", []string{"a"}, []string{"ab"}},
	{"}", []string{"}"}, []string{"{"}},
	{"]", []string{"]"}, []string{"["}},
	{"-", []string{"-"}, []string{"a"}},
	{"()", []string{"", "a"}, nil},
	{"(|a)b", []string{"b", "ab"}, []string{"a"}},
	{"k", []string{"K"}, []string{"\u212a"}},
	{"[[:space:]]*true[[:space:]]*$", []string{"true", " TRUE\t "}, []string{"true;"}},
	{"^[^\x01-\xff]", nil, []string{"a", "\x01"}},
	{"list)x", []string{"LIST)X"}, []string{"listx"}},
	{`\<ab\>`, []string{"ab", "x ab,"}, []string{"xab", "ab_"}},
	{`\bab\b`, []string{"ab", "x ab,"}, []string{"xab", "ab_"}},
	{`a\Bb`, []string{"ab"}, []string{"a b"}},
	{`^\w\W$`, []string{"a-"}, []string{"--", "aa"}},
	{`^\s\S$`, []string{" a"}, []string{"  ", "aa"}},
	{"\\`ab\\'", []string{"ab"}, []string{"abc", "xab"}},
	{`\d`, nil, []string{"d", "D", "1"}}, // regexec sees "D" only
	{`\D`, []string{"d"}, []string{"1"}},
	{"^a{,2}$", []string{"", "aa"}, []string{"aaa"}},
	{"^a{,}$", []string{"", "aaa"}, []string{"b"}},
	{"a**", []string{"", "b"}, nil},
	{"(^a)+$", []string{"aa"}, []string{"ba"}}, // regexec forgets the second "^"
}

func TestCompileERE(t *testing.T) {
	for _, tt := range ereTests {
		re, err := CompileERE(tt.pattern, true)
		if err != nil {
			t.Errorf("%q: %v", tt.pattern, err)
			continue
		}
		for _, s := range tt.yes {
			if !MatchERE(re, []byte(s)) {
				t.Errorf("%q doesn't match %q", tt.pattern, s)
			}
		}
		for _, s := range tt.no {
			if MatchERE(re, []byte(s)) {
				t.Errorf("%q matches %q", tt.pattern, s)
			}
		}
	}
}

// TestCompileERELarge: the largest interval. regcomp needs gigabytes for it with
// anchors, so Postfix isn't asked.
func TestCompileERELarge(t *testing.T) {
	re, err := CompileERE("^a{1,32767}$", false)
	if err != nil {
		t.Fatal(err)
	}
	if !MatchERE(re, []byte("aaa")) || MatchERE(re, []byte("")) || MatchERE(re, []byte("ab")) {
		t.Error("a{1,32767} doesn't match as it should")
	}
}

func TestCompileERECase(t *testing.T) {
	re, err := CompileERE("^[a-c]x$", false)
	if err != nil {
		t.Fatal(err)
	}
	if !MatchERE(re, []byte("ax")) || MatchERE(re, []byte("Ax")) || MatchERE(re, []byte("aX")) {
		t.Error("case was ignored")
	}
}

func TestCompileERELines(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"a.b", "a\nb", true},
		{"[^x]", "\n", true},
		{"a$", "a\nb", false},
		{"^b", "a\nb", false},
		{"a$", "a\x00b", true},
		{"b", "a\x00b", false},
		{"\n^b", "a\nb", true}, // a slip of regexec's
	} {
		re, err := CompileERE(tt.pattern, true)
		if err != nil {
			t.Fatal(err)
		}
		if got := MatchERE(re, []byte(tt.text)); got != tt.want {
			t.Errorf("%q on %q: %v", tt.pattern, tt.text, got)
		}
	}
}

func TestCompileERELinesFlag(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"a.b", "a\nb", false},
		{"[^x]", "\n", false},
		{"a$", "a\nb", true},
		{"^b", "a\nb", true},
		{"\\`b", "a\nb", false},
	} {
		re, err := CompileERELines(tt.pattern, true)
		if err != nil {
			t.Fatal(err)
		}
		if got := MatchERE(re, []byte(tt.text)); got != tt.want {
			t.Errorf("%q on %q: %v", tt.pattern, tt.text, got)
		}
	}
}

func TestCompileEREErrors(t *testing.T) {
	for _, tt := range []struct{ pattern, says string }{
		{`(a)\1`, "back-reference"},
		{`a\`, "nothing follows"},
		{"*a", "repeats nothing"},
		{"a|*b", "repeats nothing"},
		{"(+a)", "repeats nothing"},
		{"{2}", "repeats nothing"},
		{"^*", "repeats nothing"},
		{"(a", "without"},
		{"[a", "without"},
		{"[", "without"},
		{"[]", "without"},
		{"[z-a]", "empty"},
		{"[a-c-e]", "neither first nor last"},
		{"[[:word:]]", "no character class"},
		{"[[:alpha:", "without"},
		{"[[:alpha:]-z]", "neither first nor last"},
		{"[a-[:alpha:]]", "range"},
		{"[[.hyphen.]]", "no single octet"},
		{"[[=ab=]]", "no single octet"},
		{"a{2", "without"},
		{"a{x}", "interval"},
		{"a{-1}", "interval"},
		{"a{}", "interval"},
		{"a{32768}", "too many"},
		{"a{1,32767}b{1,32767}c{1,32767}", "states"},
		{`(a)|\1`, "no group"},
		{"[z-A]", "range"},
		{"a{3,2}", "empty"},
		{"((a{1000}){1000})", "too many"},
		{"a\x00", "NUL"},
		{strings.Repeat("(", 1000), "nested"},
	} {
		_, err := CompileERE(tt.pattern, true)
		remedied(t, err)
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%.20q: %v", tt.pattern, err)
		} else if !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%.20q: %v doesn't say %q", tt.pattern, err, tt.says)
		}
	}
}

// ereQuery asks a regexp: table of Postfix with one pattern about texts without
// line ends, and says which it matches and what it warns of.
func ereQuery(t *testing.T, postmap, pattern string, texts []string) (map[string]bool, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "re")
	if err := os.WriteFile(file, []byte("/"+strings.ReplaceAll(pattern, "/", `\/`)+"/ HIT\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), postmap, "-u", "-q", "-", "regexp:"+file)
	cmd.WaitDelay = time.Second
	cmd.Stdin = strings.NewReader(strings.Join(texts, "\n") + "\n")
	var out, warnings strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &warnings
	_ = cmd.Run() // 1: nothing found
	hits := make(map[string]bool)
	for line := range strings.Lines(out.String()) {
		hits[strings.TrimSuffix(line, "\tHIT\n")] = true
	}
	return hits, warnings.String()
}

// TestEREPostfix lets Postfix's regexp: tables judge every table case and
// random patterns: what CompileERE takes, regcomp takes and matches alike.
func TestEREPostfix(t *testing.T) {
	postmap := servertest.Need(t, "postmap")
	check := func(pattern string, texts []string) {
		t.Helper()
		re, err := CompileERE(pattern, true)
		if err != nil {
			return
		}
		hits, warnings := ereQuery(t, postmap, pattern, texts)
		if warnings != "" {
			t.Errorf("%q: Postfix warns: %s", pattern, warnings)
			return
		}
		for _, s := range texts {
			if got := MatchERE(re, []byte(s)); got != hits[s] {
				t.Errorf("%q on %q: %v, Postfix says %v", pattern, s, got, hits[s])
			}
		}
	}
	for _, tt := range ereTests {
		var texts []string
		for _, s := range append(tt.yes, tt.no...) {
			if strings.TrimSpace(s) != "" && s == strings.TrimSpace(s) {
				texts = append(texts, s)
			}
		}
		if !strings.Contains(tt.pattern, `\/`) && len(texts) > 0 {
			check(tt.pattern, texts)
		}
	}
	pieces := []string{"a", "b", "ab", ".", "*", "+", "?", "{2}", "{1,2}", "{0,1}", "(", ")", "|", "^", "$", "[ab]", "[^a]", "[a-b]",
		"[[:alpha:]]", `\.`, `\*`, "A", "\xe4", "-", "}", "]", "[", "[]", "[^]", "a-", ":]"}
	texts := []string{"a", "b", "ab", "ba", "aab", "abab", "bbb", "a.b", "-", "\xe4", "\xc3\xa4", "A", "x", "*", "]", "}", "aa", "a]"}
	r := rand.New(rand.NewSource(1))
	compiled := 0
	for compiled < servertest.Deep(t, 20, 75) {
		var b strings.Builder
		for n := r.Intn(7); n >= 0; n-- {
			b.WriteString(pieces[r.Intn(len(pieces))])
		}
		if _, err := CompileERE(b.String(), true); err != nil {
			continue
		}
		compiled++
		check(b.String(), texts)
	}
	t.Log(fmt.Sprint(compiled, " random patterns"))
}
