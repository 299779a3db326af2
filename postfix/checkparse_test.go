package postfix

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// regexpTable and pcreTable are tables as a customer might have them.
const regexpTable = `# a customer's checks
/^X-One: a(b)*c$/ WARN one
!/^(X-|Subject|Content-|Received|Message-Id|From|Date|To)/ WARN not x
/^X-Two:.*
  two/ WARN two, continued
if /^X-Three:/
/three/i WARN three, case counts
if !/THREE/i
/three/ WARN other case
endif
/^X-Three: .x/ WARN x
endif
~^X-Four/Five: [a/b]+~ WARN delimiter
/^X-Six: (a|b)$/!/b/ WARN but not b
/^X-Seven: \(.*\)/ WARN literal parentheses
/^X-Eight:/ DUNNO
/^X-Eight: never/ WARN never
IF /^X-Nine:/
/[[:digit:]]{2}/ WARN digits
ENDIF
/^X-Ten|X-Eleven: z/ WARN ten or eleven
/^x-twelve: $$/ WARN dollar $$
`

const pcreTable = `/^X-One: a(b)*c$/ WARN one
/^X-Two:\s+two\b/ WARN two
if /^X-Three:/
/three/i WARN three, case counts
if !/THREE/i
/three/ WARN other case
endif
/^X-Three: .x/ WARN x
endif
~^X-Four/Five: [a/b]+~ WARN delimiter
/^X-Six: .*?b$/s WARN no newline
/^two$/m WARN multi-line
/X-Seven: \(.*\)/A WARN anchored
/^X-Eight:/ DUNNO
/^X-Eight: never/ WARN never
/^X-Nine: \d{2}\w*[\s\d]$/ WARN digits
/^X-Ten: (?:a|b)[^]x]/ WARN set
/^X-Eleven: [[:upper:]]+$/i WARN upper
/^X-Twelve: a.c$/ WARN dot
`

func customerLines(r *rand.Rand, n int) []string {
	names := []string{"X-One", "x-two", "X-Three", "X-Four/Five", "X-Six", "X-Seven", "X-Eight", "X-Nine", "X-Ten", "X-Eleven", "X-Twelve",
		"Unknown"}
	values := []string{" ac", " abbc", " a\r\n bc", " two", "\r\n two", " \r\n\t  two words", " three", " THREE", " Three x", " xx", " a/b",
		" a", " b", " ab", " a\r\n b", " (x)",
		" never", " 12", " 12x ", " 12\r\n ", " bz", " b]", " z", " ABC", " abc", " a\xffc", " a\u00fcc", " $", " ", "", " zX-Eleven: z", " two\r\n two"}
	var list []string
	for range n {
		list = append(list, names[r.IntN(len(names))]+":"+values[r.IntN(len(values))])
	}
	return list
}

func TestParseCheckTable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind, text string
		want       CheckTable
		warnings   []int // lines; negative: can't be evaluated
	}{
		"plain": {"regexp", "/^A:/ IGNORE\n", CheckTable{{Regexp: "^A:", Action: Ignore{}, Line: 1}}, nil},
		"continued": {"regexp", "/^A:/\n  reject  no\n # c\n  thanks \n", CheckTable{{Regexp: "^A:", Action: Reject{"no  thanks"},
			Line: 1}}, nil},
		"guard": {"regexp", "if /^X-/\n/a/ DUNNO\nendif\n", CheckTable{{Regexp: "a", Guard: "^X-", Action: Dunno{}, Line: 2}}, nil},
		"nested": {"regexp", "if /x/\nif !/y/i\n/a/ DUNNO\nendif\nendif\n", CheckTable{{Regexp: "a",
			Guards: []CheckGuard{{Regexp: "x"}, {Regexp: "y", Flags: "i", Negate: true}}, Action: Dunno{}, Line: 3}}, nil},
		"but not": {"regexp", "/a/!/b/ OK\n", CheckTable{{Regexp: "a", Guards: []CheckGuard{{Regexp: "b", Negate: true}},
			Action: Dunno{}, Line: 1}}, nil},
		"two negations":     {"regexp", "!!/a/ OK\n", CheckTable{{Regexp: "a", Action: Dunno{}, Line: 1}}, nil},
		"macro in filter":   {"regexp", "/(a)/ FILTER smtp:$1\n", CheckTable{{Regexp: "(a)", Action: Unknown{"FILTER smtp:$1"}, Line: 1}}, nil},
		"macro in reject":   {"regexp", "/(a)/ REJECT ${1}\n", CheckTable{{Regexp: "(a)", Action: Reject{"${1}"}, Line: 1}}, nil},
		"dollars":           {"regexp", "/a/ REJECT $$5\n", CheckTable{{Regexp: "a", Action: Reject{"$5"}, Line: 1}}, nil},
		"out of range":      {"regexp", "/(a)/ REJECT $2\n", nil, []int{1}},
		"not a number":      {"regexp", "/(a)/ REJECT $x\n", nil, []int{1}},
		"zero":              {"regexp", "/(a)/ REJECT $0\n", nil, []int{1}},
		"dollar alone":      {"regexp", "/a/ REJECT $\n", nil, []int{1}},
		"truncated":         {"regexp", "/(a)/ REJECT ${1\n", nil, []int{1}},
		"negated macro":     {"regexp", "!/(a)/ REJECT $1\n", nil, []int{1}},
		"no delimiter":      {"regexp", "/a REJECT\n", nil, []int{1}},
		"backslash at end":  {"regexp", "/a\\\n", CheckTable{{Regexp: "a", Action: Dunno{}, Line: 1}}, []int{1}},
		"pcre, backslash":   {"pcre", "/a\\\n", nil, []int{1}},
		"unknown flag":      {"regexp", "/a/q REJECT\n", nil, []int{1}},
		"no result":         {"regexp", "/a/\n", CheckTable{{Regexp: "a", Action: Dunno{}, Line: 1}}, []int{1}},
		"unknown action":    {"regexp", "/a/ NONSENSE x\n", CheckTable{{Regexp: "a", Action: Dunno{}, Line: 1}}, []int{1}},
		"filter, no colon":  {"regexp", "/a/ FILTER smtp\n", CheckTable{{Regexp: "a", Action: Dunno{}, Line: 1}}, []int{1}},
		"unrecognized":      {"regexp", "x y\n", nil, []int{1}},
		"indented":          {"regexp", " /a/ OK\n/b/ OK\n", CheckTable{{Regexp: "b", Action: Dunno{}, Line: 2}}, []int{1}},
		"endif alone":       {"regexp", "endif\n/b/ OK\n", CheckTable{{Regexp: "b", Action: Dunno{}, Line: 2}}, []int{1}},
		"if unclosed":       {"regexp", "if /a/\n/b/ OK\n", CheckTable{{Regexp: "b", Guard: "a", Action: Dunno{}, Line: 2}}, []int{1}},
		"indented body":     {"regexp", "if /a/\n  /b/ OK\nendif\n/c/ OK\n", CheckTable{{Regexp: "c", Action: Dunno{}, Line: 4}}, []int{1}},
		"only negation":     {"regexp", "!\n/c/ OK\n", CheckTable{{Regexp: "c", Action: Dunno{}, Line: 2}}, []int{1}},
		"multi-line":        {"regexp", "/a/m OK\n", CheckTable{{Regexp: "a", Flags: "m", Action: Dunno{}, Line: 1}}, nil},
		"gnu escape":        {"regexp", "/a\\w/ OK\n", CheckTable{{Regexp: `a\w`, Action: Dunno{}, Line: 1}}, nil},
		"back-reference":    {"regexp", "/(a)\\1/ OK\n", nil, []int{-1}},
		"lone bracket":      {"regexp", "/list)x/ OK\n", CheckTable{{Regexp: "list)x", Action: Dunno{}, Line: 1}}, nil},
		"unevaluated if":    {"regexp", "if /a/x\n/b/ OK\nendif\n/c/ OK\n", CheckTable{{Regexp: "c", Action: Dunno{}, Line: 4}}, []int{-1, -2}},
		"pcre":              {"pcre", "/^A:\\s/ IGNORE\n", CheckTable{{Regexp: "^A:\\s", PCRE: true, Action: Ignore{}, Line: 1}}, nil},
		"pcre look-ahead":   {"pcre", "/(?!a)/ IGNORE\n", nil, []int{-1}},
		"pcre back ref":     {"pcre", "/(a)\\1/ IGNORE\n", nil, []int{-1}},
		"pcre extended":     {"pcre", "/a b/x IGNORE\n", nil, []int{-1}},
		"pcre 8-bit":        {"pcre", "/\u00fc/ IGNORE\n", nil, []int{-1}},
		"pcre unknown flag": {"pcre", "/a/q IGNORE\n", nil, []int{1}},
		"pcre possessive":   {"pcre", "/a++/ IGNORE\n", nil, []int{-1}},
		"other kind":        {"mysql", "x", nil, []int{-1}},
		"empty":             {"regexp", "", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, warnings := ParseCheckTable("t", c.kind, []byte(c.text))
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var lines []int
			warned := false
			for _, w := range warnings {
				if w.Unevaluated {
					lines = append(lines, -w.Line)
				} else {
					lines = append(lines, w.Line)
					warned = true
				}
			}
			if diff := cmp.Diff(c.warnings, lines, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("warnings (-want +got):\n%s%v", diff, warnings)
			}
			if c.kind == "mysql" || strings.Contains(name, "action") || strings.Contains(name, "colon") {
				return // no business of postmap's
			}
			dir := confDir(t, minimalMain, "")
			write(t, filepath.Join(dir, "t"), c.text)
			_, stderr := run(t, []byte("zz\n"), "postmap", dir, "-q", "-", c.kind+":t")
			if (stderr != "") != warned {
				t.Errorf("postmap says %q", stderr)
			}
		})
	}
}

// TestParseCheckTableRandom compares what postmap finds in random tables.
func TestParseCheckTableRandom(t *testing.T) {
	t.Parallel()
	dir := confDir(t, minimalMain, "")
	r := rand.New(rand.NewPCG(9, 10))
	pieces := []string{"/a/", "/b/", "/^X:/", "!", "if ", "if ", "endif\n", "endif\n", " ", "\n", "\n", "\n", "OK", "REJECT x", "$1", "$$",
		"(", ")", "i", "m", "x", "~", "#", "\\", "/", "[", "]", "*", "|", "^", "\t", "{", "a", "1", "/a/ WARN 1\n", "/b/ WARN 2\n", "!/c/ WARN 3\n", "if /a/\n"}
	queries := []string{"a", "b", "c", "X: a", "ab", "X:", "B", "1", "i", "ca", "$"}
	type drawn struct {
		text     string
		checks   *Checks
		warnings []Warning
	}
	tables := make(map[string][]drawn)
	for i := range servertest.Deep(t, 100, 450) {
		kind := []string{"regexp", "pcre"}[i%2]
		text := randomText(r, pieces, 25)
		table, warnings := ParseCheckTable("t", kind, []byte(text))
		unknown := false
		for _, w := range warnings {
			unknown = unknown || w.Unevaluated
		}
		if unknown {
			continue // Postfix may know more
		}
		checks, err := table.Compile()
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		tables[kind] = append(tables[kind], drawn{text, checks, warnings})
	}
	if out, _ := run(t, nil, "postconf", dir, "-m"); !strings.Contains(out, "pcre") {
		t.Log("this Postfix has no pcre: tables")
		delete(tables, "pcre")
	}
	for kind, all := range tables {
		for part := range slices.Chunk(all, 50) {
			var texts []string
			for _, d := range part {
				texts = append(texts, d.text)
			}
			for i, postmap := range lookUpAll(t, dir, kind, texts, queries) {
				d := part[i]
				for _, q := range queries {
					_, got := postmap.values[q]
					// A query isn't a header; give it to the matcher as a line.
					if _, want := d.checks.lookupLine([]byte(q)); got != want {
						t.Errorf("%s %q: query %q: postmap %v, here %v\n%s%v", kind, d.text, q, got, want, postmap.stderr, d.warnings)
					}
				}
			}
		}
	}
}

// lookupLine is Lookup for a line that isn't a header.
func (c *Checks) lookupLine(line []byte) (CheckHit, bool) {
	s := lineState{c: c, scratch: &lineScratch{line: line, filled: true, guards: make([]guardState, len(c.guards))}}
	for n := range c.rules {
		if c.matches(int32(n), &s) {
			return c.rules[n].hit, true
		}
	}
	return CheckHit{}, false
}

func TestNameInPattern(t *testing.T) {
	for pattern, want := range map[string]string{
		"^X-A: b": "X-A", `^X\-A:`: "X-A", "^X-A:+": "", "^X-A*:": "", "^X-A:|^B:": "", "X-A:": "", "^X.A:": "", "^(X):": "", "^X-A:(a|b)": "X-A", "^:": "", `^X\w:`: "", "^X": "", "^a|b": "", "^A:[|]": "A",
	} {
		name, exact := nameInPattern(pattern, "")
		if !exact {
			name = ""
		}
		if name != want {
			t.Errorf("%q: %q, want %q", pattern, name, want)
		}
	}
	if _, exact := nameInPattern("^A:", "m"); exact {
		t.Error("with flag m")
	}
}

// markers is a table with one exact rule for each of n domains.
func markers(n int) CheckTable {
	t := make(CheckTable, n)
	for i := range t {
		t[i] = CheckRule{
			When:   headers.Match{Name: fmt.Sprintf("X-Conbool-domain%d-example-com", i), Op: headers.Is, Values: []string{"true"}},
			Action: Filter{Transport: "direct"},
			Rule:   fmt.Sprintf("Domains[%d]", i),
		}
	}
	return t
}

func TestChecksLookupAllocations(t *testing.T) {
	c, err := markers(1000).Compile()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"X-Conbool-domain7-example-com: true", "X-Conbool-domain7-example-com: no", "Subject: hello"} {
		f := field(line)
		if n := testing.AllocsPerRun(100, func() { c.Lookup(f) }); n != 0 {
			t.Errorf("%q: %v allocations", line, n)
		}
	}
}

func BenchmarkChecksLookup(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000} {
		c, err := markers(n).Compile()
		if err != nil {
			b.Fatal(err)
		}
		for name, line := range map[string]string{"hit": "X-Conbool-domain0-example-com: true", "miss": "X-Conbool-domainx-example-com: true",
			"other": "Received: from a by b"} {
			f := field(line)
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c.Lookup(f)
				}
			})
		}
	}
}

func BenchmarkChecksCompile(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000} {
		t := markers(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := t.Compile(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
