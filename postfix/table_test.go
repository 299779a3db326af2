package postfix

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// tableTexts are source files that postmap reads in interesting ways.
var tableTexts = map[string]string{
	"plain":                     "a 1\nb\t2\n",
	"no final newline":          "a 1\nb 2",
	"empty":                     "",
	"crlf":                      "a 1\r\nb 2\r\n",
	"comments and blanks":       "# c\n\na 1\n  # indented\n \t \nb 2\n",
	"continuation":              "a 1\n  2\n\t3\n",
	"continuation past comment": "a 1\n# c\n\n  2\nb 3\n",
	"first line indented":       " a 1\n  2\nb 3\n",
	"inner white space":         "a  1  2 \t 3  \n",
	"value with hash":           "a 1 # 2\n",
	"key with hash":             "a#b 1\n",
	"backslash at end":          "a 1\\\nb 2\n",
	"key alone":                 "a\nb 2\n",
	"key alone with backslash":  "a\\\nb 2\n",
	"alias file":                "a: 1\n",
	"quoted key":                "\"a b\"@example.com w\n",
	"quote in the middle":       "x\"y z\"w v\n",
	"escaped space":             "a\\ b v\n",
	"unbalanced quote":          "\"a b v\nc d\n",
	"quote in value":            "a \"v\n",
	"upper case":                "Alice@EXAMPLE.Com v\n",
	"duplicates":                "a 1\nA 2\n# c\na 3\n",
	"umlaut":                    "@B\u00dcCHER.de v\n",
	"sharp s":                   "stra\u00dfe v\nSTRASSE w\n",
	"dotted i":                  "\u0130x v\n",
	"final sigma":               "\u03c2 v\n",
	"not utf-8":                 "a\xff v\nb w\n",
	"not utf-8 value":           "a v\xff\nb w\n",
	"surrogate":                 "a \xed\xa0\x80\nb w\n",
	"nul in key":                "a\x00b v\nc d\n",
	"nul in value":              "a v\x00w\nc d\n",
	"nul then not utf-8":        "a v\x00\xff\nc d\n",
	"nul after not utf-8":       "a \xff\x00\nc d\n",
	"nul first":                 "\x00a v\nc d\n",
	"vertical tab":              "a\vb\nc\fd\n",
	"vertical tab continues":    "a b\n\vc\n",
	"cr alone":                  "a b\rc d\n",
	"scope":                     "# envelope sender\n@example.com    conbool-gate:[127.0.0.1]:10030\n",
}

// wantRows is what the real program makes of a table: one row for each key.
func wantRows(t Table) []string {
	var rows []string
	seen := make(map[string]bool)
	for _, e := range t {
		key, ok := foldKey(e.Key)
		if !ok || seen[key] {
			continue
		}
		seen[key] = true
		rows = append(rows, key+"\t"+e.Value)
	}
	sort.Strings(rows)
	return rows
}

func checkAgainstPostmap(t *testing.T, dir, text string) {
	t.Helper()
	write(t, filepath.Join(dir, "t"), text)
	got, warnings := ParseTable("t", []byte(text))
	var gotLines []int
	for _, w := range warnings {
		if w.Text != indentedText { // Postfix names no line for these
			gotLines = append(gotLines, w.Line)
		}
	}
	stdout, stderr := run(t, nil, "postmap", dir, "-s", "texthash:t")
	var want []string
	if stdout != "" {
		want = strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	}
	sort.Strings(want)
	if diff := cmp.Diff(want, wantRows(got), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%q: postmap reads otherwise (-postmap +ParseTable):\n%s", text, diff)
	}
	// Warnings show text of the file, which can have "line 7" in it.
	if diff := cmp.Diff(warnedLines(stderr), gotLines, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%q: postmap warns otherwise (-postmap +ParseTable):\n%s%s", text, diff, stderr)
	}
}

func TestParseTableAsPostmap(t *testing.T) {
	t.Parallel()
	dir := confDir(t, minimalMain, "")
	for name, text := range tableTexts {
		t.Run(name, func(t *testing.T) { checkAgainstPostmap(t, dir, text) })
	}
}

// randomText is made of what matters to the readers.
func randomText(r *rand.Rand, pieces []string, n int) string {
	var b strings.Builder
	for range r.IntN(n) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

var tablePieces = []string{
	"a", "B", "k1", "@", "example.com", " ", "  ", "\t", "\n", "\n", "\n ", "#", "\"", "\\", ":", "=", "\r\n",
	"\r", "\v", "\x00", "\xff", "\u00fc", "\u00dc", "\u00df", "+", ",", "{", "}", "$", "/", "!", "v", "w\n", "\nx ",
}

func TestParseTableRandom(t *testing.T) {
	t.Parallel()
	dir := confDir(t, minimalMain, "")
	r := rand.New(rand.NewPCG(1, 2))
	long := servertest.Deep(t, 3, 12)
	for i := range long + servertest.Deep(t, 12, 300) {
		n := 40
		if i < long {
			n = 4000 // many lines in one process
		}
		checkAgainstPostmap(t, dir, randomText(r, tablePieces, n))
		if t.Failed() {
			return
		}
	}
}

func TestTableFormat(t *testing.T) {
	table := Table{
		{Key: "@example.com", Value: "conbool-gate:[127.0.0.1]:10030", Comment: "in scope\n\nsecond", Rule: "Tenants[0]"},
		{Key: `"a b"@example.com`, Value: "x y # z"},
	}
	got, err := table.Format()
	if err != nil {
		t.Fatal(err)
	}
	want := "# in scope\n#\n# second\n@example.com\tconbool-gate:[127.0.0.1]:10030\n\"a b\"@example.com\tx y # z\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	back, warnings := ParseTable("t", got)
	if len(warnings) > 0 {
		t.Error(warnings)
	}
	if diff := cmp.Diff(table, back, cmpopts.IgnoreFields(Entry{}, "Comment", "Rule", "Line")); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	for i, e := range back {
		row, ok, _ := table.Index().Lookup(e.Key)
		if !ok || row.Line != e.Line {
			t.Errorf("row %d: line %d, %v, want %d", i, row.Line, ok, e.Line)
		}
	}
}

func TestTableFormatRefuses(t *testing.T) {
	for name, e := range map[string]Entry{
		"empty key":          {"", "v", "", "", 0},
		"empty value":        {"k", "", "", "", 0},
		"newline in key":     {"k\nx", "v", "", "", 0},
		"newline in value":   {"k", "v\nx y", "", "", 0},
		"cr in value":        {"k", "v\rx", "", "", 0},
		"nul in value":       {"k", "v\x00x", "", "", 0},
		"comment":            {"#k", "v", "", "", 0},
		"space in key":       {"k x", "v", "", "", 0},
		"quote in key":       {"k\"", "v", "", "", 0},
		"backslash ends key": {`k\`, "v", "", "", 0},
		"alias":              {"k:", "v", "", "", 0},
		"space before key":   {" k", "v", "", "", 0},
		"space before value": {"k", " v", "", "", 0},
		"space after value":  {"k", "v ", "", "", 0},
		"not utf-8 key":      {"k\xff", "v", "", "", 0},
		"not utf-8 value":    {"k", "v\xff", "", "", 0},
		"nul in comment":     {"k", "v", "a\x00", "", 0},
		"cr in comment":      {"k", "v", "a\rb", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Table{{Key: "ok", Value: "ok"}, e}.Format()
			var list Errors
			if !errors.As(err, &list) || len(list) != 1 || !errors.Is(err, ErrIllegal) || !strings.HasPrefix(list[0].Path, "[1].") {
				t.Errorf("error %v", err)
			}
		})
	}
	_, err := Table{{Key: "a", Value: "1"}, {Key: "A", Value: "2"}, {Key: "", Value: ""}}.Format()
	if !errors.Is(err, ErrIllegal) || errors.Is(err, ErrDuplicate) {
		t.Errorf("error %v", err)
	}
	_, err = Table{{Key: "straße", Value: "1"}, {Key: "STRASSE", Value: "2"}}.Format()
	if !errors.Is(err, ErrDuplicate) {
		t.Errorf("error %v", err)
	}
}

// TestTableBreakOut puts hostile keys and values through the real postmap -q.
func TestTableBreakOut(t *testing.T) {
	t.Parallel()
	dir := confDir(t, minimalMain, "")
	r := rand.New(rand.NewPCG(3, 4))
	var table Table
	seen := make(map[string]bool)
	for i := 0; len(table) < 2000; i++ {
		e := Entry{Key: fmt.Sprint(i) + randomText(r, tablePieces, 6), Value: randomText(r, tablePieces, 8),
			Comment: randomText(r, tablePieces, 3)}
		if i%2 == 0 {
			e.Key = randomText(r, tablePieces, 6)
		}
		key, _ := foldKey(e.Key)
		if _, err := (Table{e}).Format(); err == nil && !seen[key] {
			seen[key] = true
			table = append(table, e)
		}
	}
	text, err := table.Format()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "t"), string(text))
	if _, stderr := run(t, nil, "postmap", dir, "hash:t"); stderr != "" {
		t.Fatalf("postmap: %s", stderr)
	}
	var query, want strings.Builder
	for _, e := range table {
		query.WriteString(e.Key + "\n")
		want.WriteString(e.Key + "\t" + e.Value + "\n")
	}
	for _, kind := range []string{"hash:t", "texthash:t"} {
		stdout, stderr := run(t, []byte(query.String()), "postmap", dir, "-q", "-", kind)
		if stderr != "" {
			t.Fatalf("postmap: %s", stderr)
		}
		if diff := cmp.Diff(strings.Split(want.String(), "\n"), strings.Split(stdout, "\n")); diff != "" {
			t.Errorf("%s (-want +postmap):\n%s", kind, diff)
		}
		stdout, _ = run(t, nil, "postmap", dir, "-s", kind)
		if n := strings.Count(stdout, "\n"); n != len(table) {
			t.Errorf("%s has %d rows, want %d", kind, n, len(table))
		}
	}
}

func FuzzTable(f *testing.F) {
	for _, text := range tableTexts {
		f.Add("k", text)
		f.Add(text, "v")
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		for _, table := range []Table{
			{{Key: key, Value: value}},
			{{Key: "zz1", Value: "x"}, {Key: key, Value: value}, {Key: "zz2", Value: "y"}},
		} {
			text, err := table.Format()
			if err != nil {
				continue
			}
			back, warnings := ParseTable("t", text)
			if len(warnings) > 0 {
				t.Errorf("%q: %v", text, warnings)
			}
			if diff := cmp.Diff(table, back, cmpopts.IgnoreFields(Entry{}, "Line")); diff != "" {
				t.Errorf("%q (-want +got):\n%s", text, diff)
			}
		}
		// Any text: rows that were read can be written, but for what Format
		// is stricter about, and are found.
		table, _ := ParseTable("t", []byte(value))
		ix := table.Index()
		for _, e := range table {
			if e, ok, _ := ix.Lookup(e.Key); !ok {
				t.Errorf("%q isn't found", e.Key)
			}
		}
	})
}

func TestIndexLookup(t *testing.T) {
	table := Table{
		{Key: "alice@example.com", Value: "1"},
		{Key: "Bob@Example.COM", Value: "2"},
		{Key: "ALICE@example.com", Value: "3"},
		{Key: "@Bücher.example", Value: "4"},
		{Key: "bad\xff", Value: "5"},
	}
	ix := table.Index()
	for _, c := range []struct {
		key, want string
		line      int
	}{
		{"alice@example.com", "1", 1},
		{"Alice@EXAMPLE.com", "1", 1},
		{"bob@example.com", "2", 2},
		{"BOB@EXAMPLE.COM", "2", 2},
		{"@BÜCHER.example", "4", 4},
		{"carol@example.com", "", 0},
		{"bad\xff", "", 0},
		{"", "", 0},
		{strings.Repeat("A", 300) + "alice@example.com", "", 0},
	} {
		e, ok, _ := ix.Lookup(c.key)
		if ok != (c.want != "") || e.Value != c.want || e.Line != c.line {
			t.Errorf("Lookup(%q) = %q, %d, %v; want %q, %d", c.key, e.Value, e.Line, ok, c.want, c.line)
		}
	}
	table[0].Value = "changed"
	if e, _, _ := ix.Lookup("alice@example.com"); e.Value != "1" {
		t.Error("the index changed with the table")
	}
	var none *Index
	if _, ok, _ := none.Lookup("x"); ok {
		t.Error("nil index finds")
	}
	if _, ok, _ := (&Index{}).Lookup("x"); ok {
		t.Error("zero index finds")
	}
	if _, ok, _ := (Table{}).Index().Lookup("x"); ok {
		t.Error("empty index finds")
	}
}

func scopeTable(n int) Table {
	t := make(Table, n)
	for i := range t {
		t[i] = Entry{Key: fmt.Sprintf("user%d@example.com", i), Value: "conbool-gate:[127.0.0.1]:10030"}
	}
	return t
}

func TestLookupAllocations(t *testing.T) {
	ix := scopeTable(1000).Index()
	s := Search{Delimiter: "+"}
	for _, key := range []string{"user7@example.com", "nobody@example.com", "USER7@EXAMPLE.com"} {
		if n := testing.AllocsPerRun(100, func() { ix.Lookup(key) }); n != 0 {
			t.Errorf("Lookup(%q): %v allocations", key, n)
		}
		if n := testing.AllocsPerRun(100, func() { s.Sender(ix, key) }); n != 0 {
			t.Errorf("Sender(%q): %v allocations", key, n)
		}
	}
}

var sizes = []int{10, 1000, 100_000, 1_000_000}

func BenchmarkIndex(b *testing.B) {
	for _, n := range sizes {
		t := scopeTable(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				t.Index()
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range sizes {
		t := scopeTable(n)
		ix := t.Index()
		keys := make([]string, 1024)
		r := rand.New(rand.NewPCG(5, 6))
		for i := range keys {
			keys[i] = strings.Clone(t[r.IntN(n)].Key)
		}
		for _, kind := range []struct {
			name string
			keys []string
		}{{"hit", keys}, {"miss", missing(keys)}} {
			b.Run(fmt.Sprintf("%d/%s", n, kind.name), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					ix.Lookup(kind.keys[i%len(keys)])
				}
			})
		}
	}
}

func missing(keys []string) []string {
	list := slices.Clone(keys)
	for i := range list {
		list[i] += "x"
	}
	return list
}

func BenchmarkTableFormat(b *testing.B) {
	for _, n := range sizes {
		t := scopeTable(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := t.Format(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseTable(b *testing.B) {
	text, err := scopeTable(100_000).Format()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		ParseTable("t", text)
	}
}
