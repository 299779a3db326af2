package postfix

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEndings(t *testing.T) {
	for _, tt := range []struct {
		kind, rule string
		want       [][]string
	}{
		{"regexp", `/^.*@example\.org$/ x`, [][]string{{"@example.org"}}},
		{"regexp", `/@(a|B)\.example$/ x`, [][]string{{"@a.example", "@b.example"}}},
		{"regexp", `/@(.*\.)?example\.org$/ x`, [][]string{{".example.org", "@example.org"}}},
		{"regexp", `/\.(com|net|org)$/ x`, [][]string{{".com", ".net", ".org"}}},
		{"regexp", `/@mx[1-3]\.example\.org$/ x`, [][]string{{"@mx1.example.org", "@mx2.example.org", "@mx3.example.org"}}},
		{"regexp", `/@example\.org/ x`, [][]string{{""}}},
		{"regexp", `/^postmaster@/ x`, [][]string{{""}}},
		{"regexp", `/./ x`, [][]string{{""}}},
		{"regexp", `/@[^.]+\.org$/ x`, [][]string{{".org"}}},
		{"regexp", `/@example\.org$|@/ x`, [][]string{{""}}},
		{"regexp", `/@example\.org$|@b\.test$/ x`, [][]string{{"@b.test", "@example.org"}}},
		{"regexp", `/@(example\.org)*$/ x`, [][]string{{"@", "example.org"}}},
		{"regexp", `/^[^@]+@([^.]+\.)*example\.org$/ x`, [][]string{{".example.org", "@example.org"}}},
		{"regexp", `/^[^@]+@.*example\.org$/ x`, [][]string{{"example.org"}}},
		{"regexp", `/@a{2}(b|c){1,2}$/ x`, [][]string{{"@aab", "@aabb", "@aabc", "@aac", "@aacb", "@aacc"}}},
		{"regexp", `!/@example\.org$/ x`, [][]string{nil}},
		{"regexp", "if /@example\\.org$/\n/./ x\nendif", [][]string{{""}, {"@example.org"}}},
		{"regexp", "if !/@example\\.org$/\n/^a/ x\nendif", [][]string{{""}}},
		{"regexp", "/@b\xc3\xbccher\\.test$/ x", [][]string{{"@b\xc3\xbccher.test"}}},
		{"pcre", `/@(?:a|b)\.Example$/ x`, [][]string{{"@a.example", "@b.example"}}},
		{"pcre", `/^[\w.]*@example\.org\z/ x`, [][]string{{"@example.org"}}},
		{"pcre", `/@[ks]\.org$/ x`, [][]string{{"@k.org", "@s.org"}}},
		{"pcre", `/@example\.org$/m x`, [][]string{{"@example.org"}}},
		{"pcre", `/@\d\d\d\d\.org$/ x`, [][]string{{""}}}, // replaced below
	} {
		table, warnings := ParsePatternTable("t", tt.kind, []byte(tt.rule+"\n"))
		if len(warnings) > 0 {
			t.Fatalf("%s: %v", tt.rule, warnings)
		}
		got := table.Endings()
		if len(got) != 1 || got[0].Value != "x" || got[0].Line == 0 {
			t.Fatalf("%s: %+v", tt.rule, got)
		}
		if tt.want[0] == nil {
			tt.want = nil
		}
		if strings.Contains(tt.rule, `\d\d`) {
			// Too many for a list: what is behind them stays.
			if l := got[0].Endings[0]; len(l) != 1000 || !strings.HasSuffix(l[0], ".org") {
				t.Errorf("%s: %d endings", tt.rule, len(l))
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got[0].Endings); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.rule, diff)
		}
	}
}

// TestEndingsHold: every key that a generated rule matches ends as it says.
func TestEndingsHold(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	atoms := []string{"a", "B", `\.`, "@", "[ab]", ".", ".*", "(a|b)", `(\.a)?`, "b+", "(@a|b*)", "a{2}", "(b\\.)*", "[^a]", "$", "(a$|b)"}
	signs := "ab.@AB"
	matched, told := 0, 0
	for range 3000 {
		expr := ""
		for range 1 + r.IntN(5) {
			expr += atoms[r.IntN(len(atoms))]
		}
		if r.IntN(3) > 0 {
			expr += "$"
		}
		table, warnings := ParsePatternTable("t", "regexp", []byte("/"+expr+"/ x\n"))
		if len(warnings) > 0 {
			continue
		}
		rule := table.Endings()[0]
		endings := rule.Endings
		for range 40 {
			key := make([]byte, r.IntN(8))
			for i := range key {
				key[i] = signs[r.IntN(len(signs))]
			}
			if _, ok, _ := table.Lookup(string(key)); !ok {
				continue
			}
			matched++
			// However the key is cut in a beginning, a middle and an end.
			from := r.IntN(len(key) + 1)
			to := from + r.IntN(len(key)-from+1)
			if !rule.MayMatch(string(key[:from]), string(key[to:])) {
				t.Fatalf("/%s/ matches %q, and may not match %q...%q", expr, key, key[:from], key[to:])
			}
			holds := false
			for _, e := range endings[0] {
				holds = holds || strings.HasSuffix(strings.ToLower(string(key)), e)
				if e != "" {
					told++
				}
			}
			if !holds {
				t.Fatalf("/%s/ matches %q, which ends in none of %q", expr, key, endings[0])
			}
		}
	}
	if matched < 1000 || told < 1000 {
		t.Errorf("%d keys matched, %d with an ending: the test looks at little", matched, told)
	}
}

func TestMayMatch(t *testing.T) {
	for _, tt := range []struct {
		rule, prefix, suffix string
		want                 bool
	}{
		{`/./`, "alice+", "@example.com", true},
		{`/^alice\+/`, "alice+", "@example.com", true},
		{`/^ALICE\+/`, "alice+", "@example.com", true},
		{`/^ALICE\+/i`, "alice+", "@example.com", true}, // asks for upper case: not followed
		{`/\+.*@example\.com$/`, "alice+", "@example.com", true},
		{`/@example\.com$/`, "alice+", "@example.com", true},
		{`/^bob@example\.com$/`, "alice+", "@example.com", false},
		{`/bob@example\.com$/`, "alice+", "@example.com", true}, // alice+bob@
		{`/^alice@example\.com$/`, "alice+", "@example.com", false},
		{`/^alice\+@/`, "alice+", "@example.com", true}, // any octets: none
		{`/^bob/`, "alice+", "@example.com", false},
		{`/^b?ob/`, "", "@example.com", true},
		{`/@example\.org$/`, "", "@example.com", false},
		{`/@example\.org/`, "", "@example.com", true}, // x@example.org@example.com
		{`/^[^@]+@example\.org$/`, "", "@example.com", false},
		{`/\.example\.com$/`, "", "@example.com", false},
		{`/^@/`, "", "@example.com", true},
		{`/^$/`, "", "@example.com", false},
		{`/^@/`, "a", "@example.com", false},
		{`/x$/`, "alice+", "@example.com", false},
		{`/^alice+.{3}@example/`, "alice+", "@example.com", true},
		{`/^a{7}/`, "alice+", "@example.com", false},
		{"/@b\xc3\xbccher\\.test$/", "", "@b\xc3\xbccher.test", true},
		{"/^\xc3\xbc/", "\xc3\xa4", "@example.com", false},
		{"if /@example\\.org$/\n/^alice/ x\nendif", "alice+", "@example.com", false},
		{"if !/@example\\.com$/\n/^alice/ x\nendif", "alice+", "@example.com", true}, // not followed
	} {
		rule := tt.rule
		if rule[0] == '/' {
			rule += " x"
		}
		table, warnings := ParsePatternTable("t", "regexp", []byte(rule+"\n"))
		if len(warnings) > 0 {
			t.Fatalf("%s: %v", tt.rule, warnings)
		}
		if got := table.Endings()[0].MayMatch(tt.prefix, tt.suffix); got != tt.want {
			t.Errorf("%s: %q...%q: %v, want %v", tt.rule, tt.prefix, tt.suffix, got, tt.want)
		}
	}
}
