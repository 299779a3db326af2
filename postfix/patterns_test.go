package postfix

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lookups is what tables say of keys, as "key TAB value" for each that is
// found, the way postmap -q - prints it.
func lookups(m Map, keys []string) string {
	var b strings.Builder
	for _, k := range keys {
		if e, ok, _ := m.Lookup(k); ok {
			fmt.Fprintf(&b, "%s\t%s\n", k, e.Value)
		}
	}
	return b.String()
}

const patternText = `# rules with groups
/^(.*)\+(.*)@(.*)$/	$1-$2@${3}
/^A([0-9]+)@x\.test$/i	smtp:[$(1).test]
!/@/	no at sign
if /@if\.test$/
/^(a|b)?c@/	<$1>
!/^d/	not d, $$5
endif
/^empty@/
/^costs@/	$$1 and $$
/(x)(y)?z@/	[$1][$2]
/^skipped@/	$3
/^braces@(.*)$/	${1}${1}
`

var patternKeys = []string{
	"a+b@x.test", "A7@x.test", "a7@x.test", "user", "c@if.test", "bc@if.test", "BC@IF.test", "d@if.test", "e@if.test", "empty@x", "costs@x",
	"xz@q", "xyz@q", "XYZ@q", "skipped@x", "braces@one", "@", "a@b@c", "ä+ö@ü.test", "braces@ü",
}

// TestPatternTable holds look-ups in regexp: and pcre: tables to postmap -q.
func TestPatternTable(t *testing.T) {
	for _, kind := range []string{"regexp", "pcre"} {
		t.Run(kind, func(t *testing.T) {
			table, warnings := ParsePatternTable("t", kind, []byte(patternText))
			dir := confDir(t, minimalMain, "")
			file := filepath.Join(dir, "t")
			write(t, file, patternText)
			out, stderr := run(t, []byte(strings.Join(patternKeys, "\n")+"\n"), "postmap", dir, "-q", "-", kind+":"+file)
			if diff := cmp.Diff(out, lookups(table, patternKeys)); diff != "" {
				t.Errorf("(-postmap +ours):\n%s", diff)
			}
			var lines []int
			for _, w := range warnings {
				lines = append(lines, w.Line)
			}
			warned := slices.Compact(warnedLines(stderr))
			if diff := cmp.Diff(warned, lines); diff != "" {
				t.Errorf("lines with warnings (-postmap +ours):\n%s%s", diff, stderr)
			}
			if e, ok, _ := table.Lookup("braces@one"); !ok || e.Line != 13 {
				t.Errorf("braces: line %d", e.Line)
			}
		})
	}
}

// TestPatternTableGenerated is the same with keys and rules drawn at random.
func TestPatternTableGenerated(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	word := func(of string, n int) string {
		var b strings.Builder
		for range 1 + r.IntN(n) {
			b.WriteByte(of[r.IntN(len(of))])
		}
		return b.String()
	}
	atoms := []string{"a", "b", ".", "(a)", "(b*)", "(a|b)", "[ab]+", "(.*)", "@", "^", "$", "\\.", "a?"}
	results := []string{"x", "$1", "${1}y", "<$(1)>", "$$", "$1$1", "$2"}
	var text strings.Builder
	for range 60 {
		var p strings.Builder
		for range 1 + r.IntN(5) {
			p.WriteString(atoms[r.IntN(len(atoms))])
		}
		neg, flags := "", ""
		if r.IntN(8) == 0 {
			neg = "!"
		}
		if r.IntN(4) == 0 {
			flags = "i"
		}
		switch r.IntN(12) {
		case 0:
			fmt.Fprintf(&text, "if %s/%s/%s\n", neg, p.String(), flags)
		case 1:
			text.WriteString("endif\n")
		default:
			fmt.Fprintf(&text, "%s/^%s@%s/%s %s\n", neg, p.String(), word("ab", 3), flags, results[r.IntN(len(results))])
		}
	}
	var keys []string
	for range 400 {
		keys = append(keys, word("abAB.", 4)+"@"+word("abAB.", 4))
	}
	table, warnings := ParsePatternTable("t", "regexp", []byte(text.String()))
	for _, w := range warnings {
		if w.Unevaluated {
			t.Fatalf("%v", w)
		}
	}
	dir := confDir(t, minimalMain, "")
	file := filepath.Join(dir, "t")
	write(t, file, text.String())
	out, _ := run(t, []byte(strings.Join(keys, "\n")+"\n"), "postmap", dir, "-q", "-", "regexp:"+file)
	if strings.Count(out, "\n") < 50 {
		t.Fatalf("only %d hits: the table tests nothing", strings.Count(out, "\n"))
	}
	if diff := cmp.Diff(out, lookups(table, keys)); diff != "" {
		t.Errorf("(-postmap +ours):\n%s\n%s", diff, text.String())
	}
}

// TestWithoutSubstitution: rules with groups in their result are skipped.
func TestWithoutSubstitution(t *testing.T) {
	table, _ := ParsePatternTable("t", "regexp", []byte("/^(a)b/ $1\n/^ab/ plain\n/^c/ $$\n"))
	if got, want := lookups(table, []string{"ab"}), "ab\ta\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	plain, skipped := table.WithoutSubstitution()
	if got, want := lookups(plain, []string{"ab", "c"}), "ab\tplain\nc\t$\n"; got != want || !slices.Equal(skipped, []int{1}) {
		t.Errorf("%q, want %q; skipped %v", got, want, skipped)
	}
}

// TestCompound holds unionmap:, pipemap:, static: and inline: to postmap -q.
func TestCompound(t *testing.T) {
	keys := []string{"a", "A", "b", "c", "d", "e@x", "nothing"}
	for _, spec := range []string{
		"unionmap:{inline:{a=1,b=2},inline:{b=3,c=4}}",
		"unionmap:{inline:{a=1},static:s}",
		"pipemap:{inline:{a=b,c=d},inline:{b=2,D=x}}",
		"pipemap:{static:b,inline:{b=y,a=z}}",
		"pipemap:{unionmap:{inline:{a=1},inline:{a=2}},inline:{{1,2 = both}}}",
		"static:{a, b}", "static:plain", "inline:{a=1,{b = two words}}",
		"proxy:inline:{a=1}",
	} {
		t.Run(spec, func(t *testing.T) {
			specs, err := ParseMaps(spec)
			if err != nil || len(specs) != 1 {
				t.Fatal(specs, err)
			}
			m, err := build(specs[0])
			if err != nil {
				t.Fatal(err)
			}
			dir := confDir(t, minimalMain, "")
			out, _ := run(t, []byte(strings.Join(keys, "\n")+"\n"), "postmap", dir, "-q", "-", strings.TrimPrefix(spec, "proxy:"))
			if diff := cmp.Diff(out, lookups(m, keys)); diff != "" {
				t.Errorf("(-postmap +ours):\n%s", diff)
			}
		})
	}
}

// build makes the tables that need no file.
func build(s MapSpec) (Map, error) {
	members, err := s.Members()
	if err != nil {
		return nil, err
	}
	var maps []Map
	for _, m := range members {
		one, err := build(m)
		if err != nil {
			return nil, err
		}
		maps = append(maps, one)
	}
	switch s.Type {
	case "proxy":
		return maps[0], nil
	case "unionmap":
		return Union(maps), nil
	case "pipemap":
		return Pipe(maps), nil
	case "static":
		v, err := StaticValue(s.Name)
		return Static(v), err
	}
	t, err := InlineTable(s.Name)
	return t.Index(), err
}

func TestMembers(t *testing.T) {
	for text, want := range map[string]string{
		"unionmap:{hash:/a, proxy:regexp:/b}":         "hash:/a regexp:/b",
		"pipemap:{unionmap:{hash:/a,hash:/b},cdb:/c}": "hash:/a hash:/b cdb:/c",
		"hash:/a":     "hash:/a",
		"unionmap:/a": "unionmap:/a",
		"unionmap:{}": "unionmap:{}",
	} {
		specs, err := ParseMaps(text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range specs[0].Leaves() {
			got = append(got, l.String())
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	for _, text := range []string{"proxy:hash", "unionmap:a", "unionmap:{}", "pipemap:{a b}"} {
		typ, name, _ := strings.Cut(text, ":")
		if _, err := (MapSpec{typ, name}).Members(); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}
