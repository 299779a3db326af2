package relay_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/relay"
)

// insertLine puts a line before a random one that is not within our blocks, and
// returns the number of the customer's own lines above it. text must begin
// something of its own.
func insertLine(r *rand.Rand, file, text string) (edited string, above int) {
	lines := strings.SplitAfter(file, "\n")
	in := false
	var places []int
	own := []int{0}
	for i, l := range lines {
		begin := strings.HasPrefix(l, "# BEGIN oxmailroute-conbool")
		if !in && l != "" && l[0] != ' ' && l[0] != '\t' && !strings.HasPrefix(l, "#oxmailroute-conbool#  ") && !strings.HasPrefix(l, "#oxmailroute-conbool# \t") {
			places = append(places, i)
		}
		in = in || begin
		n := own[len(own)-1]
		if !in {
			n++
		}
		own = append(own, n)
		if strings.HasPrefix(l, "# END oxmailroute-conbool") {
			in = false
		}
	}
	at := places[r.IntN(len(places))]
	// Options of ours must stay with the service above them.
	for strings.HasPrefix(lines[at], "# BEGIN oxmailroute-conbool ") {
		at = places[r.IntN(len(places))]
	}
	return strings.Join(slices.Insert(lines, at, text), ""), own[at]
}

// TestRemoveEdited: whatever the customer changed in his part of the files is
// there when the gateway is gone, and nothing else.
func TestRemoveEdited(t *testing.T) {
	before := withMain("smtpd_relay_restrictions = permit_mynetworks,\n  reject\ntransport_maps = hash:/etc/postfix/transport\n", map[string]string{"transport": "partner.test smtp:[mailstore.example.com]:25\n"})(t)
	p := labPolicy(t, "lab.json")
	p.Direct = []string{"remote2.test"}
	c := compile(t, p, before)
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 8))
		want := map[string]string{}
		after := result(before, c.Files(), nil)
		for name, data := range configured(before) {
			want[name] = string(data)
		}
		for n := range 1 + r.IntN(6) {
			name, line := "main.cf", fmt.Sprintf("p%d = %d\n", n, r.IntN(9))
			if r.IntN(2) == 0 {
				name, line = "master.cf", fmt.Sprintf("s%d unix - - n - - smtp\n", n)
			}
			text, above := insertLine(r, string(after.Files[inPostfix(after, name)]), line)
			after.Files[inPostfix(after, name)] = []byte(text)
			lines := strings.SplitAfter(want[name], "\n")
			want[name] = strings.Join(slices.Insert(lines, min(above, len(lines)), line), "")
		}
		removal, err := relay.Remove("conbool", after)
		if err != nil {
			t.Fatal(err)
		}
		if len(removal.Left) > 0 {
			t.Errorf("seed %d: left %v", seed, removal.Left)
		}
		got := map[string]string{}
		for name, data := range configured(result(after, removal.Files, removal.Obsolete)) {
			got[name] = string(data)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
		// And the policy compiled again on top of the edits changes nothing more.
		again := result(after, compile(t, p, after).Files(), nil)
		removal, err = relay.Remove("conbool", again)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range removal.Files {
			if diff := cmp.Diff(want[strings.TrimPrefix(f.Name, "postfix/")], string(f.Data)); diff != "" {
				t.Fatalf("seed %d, compiled again (-want +got):\n%s", seed, diff)
			}
		}
	}
}

// TestRemoveLeft: what can't be told apart is left, and reported.
func TestRemoveLeft(t *testing.T) {
	replace := func(old, new string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				t.Errorf("no %q in\n%s", old, s)
			}
			return strings.Replace(s, old, new, 1)
		}
	}
	tests := []struct {
		name, file string
		edit       func(string) string
		left       []string // beginnings of what is reported
		kept       string   // a file that is not to be deleted
		has        string   // in the file afterwards
	}{
		{"a parameter among ours", "main.cf", replace("# END oxmailroute-conbool", "mine = 1\n# END oxmailroute-conbool"), []string{"postfix/main.cf:"}, "", "\nmine = 1\n"},
		{"a changed one", "main.cf", replace("\nconbool_client_restrictions = ", "\nconbool_client_restrictions = sleep 1, "), []string{"postfix/main.cf:"}, "", "\n# conbool_client_restrictions = sleep 1, "},
		{"an option among ours", "master.cf", replace("  -o plaintext_reject_code=550\n", "  -o plaintext_reject_code=550\n  -o mine=1\n"), []string{"postfix/master.cf:"}, "", "\n  -o mine=1\n"},
		{"no BEGIN", "main.cf", replace("# BEGIN ", "# begin "), nil, "", ""},
		{"neither mark", "main.cf", func(s string) string {
			return regexp.MustCompile(`(?m)^# (BEGIN|END) .*\n`).ReplaceAllString(s, "")
		}, []string{"postfix/conbool_", "postfix/main.cf:"}, "postfix/conbool_scope", "hash:/etc/postfix/conbool_scope"},
		{"a table edited", "conbool_scope", func(s string) string { return s + "@mine.test smtp:\n" }, []string{"postfix/conbool_scope:"}, "postfix/conbool_scope", "@mine.test"},
		{"a table and its checksum edited", "conbool_scope", func(s string) string { return strings.Replace(s, " [", " ", 1) + "@mine.test smtp:\n" }, []string{"postfix/conbool_scope:"}, "postfix/conbool_scope", "@mine.test"},
		{"a table that lost its first line", "conbool_scope", func(s string) string { return s[strings.Index(s, "\n")+1:] + "@mine.test smtp:\n" }, []string{"postfix/conbool_scope:"}, "postfix/conbool_scope", "@mine.test"},
		{"a table whose first line is damaged", "conbool_strip", replace("# oxmailroute-conbool: ", "# oxmailroute-conbol: "), []string{"postfix/conbool_strip:"}, "postfix/conbool_strip", "conbol"},
		{"a table named elsewhere", "main.cf", func(s string) string { return "mine = hash:/etc/postfix/conbool_scope\n" + s }, []string{"postfix/conbool_scope:", "postfix/main.cf:1:"}, "postfix/conbool_scope", "mine = hash:"},
	}
	before := labBase(t)
	p := labPolicy(t, "lab.json")
	c := compile(t, p, before)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			after := result(before, c.Files(), nil)
			after.Files[inPostfix(after, tt.file)] = []byte(tt.edit(string(after.Files[inPostfix(after, tt.file)])))
			removal, err := relay.Remove("conbool", after)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.left {
				if !slices.ContainsFunc(removal.Left, func(l relay.Left) bool { return strings.HasPrefix(l.String(), want) && l.Why != "" && l.Fix != "" }) {
					t.Errorf("left %v, want %s", removal.Left, want)
				}
			}
			for _, l := range removal.Left {
				if !slices.ContainsFunc(tt.left, func(want string) bool { return strings.HasPrefix(l.String(), want) }) {
					t.Errorf("left %v", l)
				}
			}
			if tt.kept != "" && (slices.Contains(removal.Obsolete, tt.kept) || slices.Contains(removal.Obsolete, tt.kept+".db")) {
				t.Errorf("%s is to be deleted", tt.kept)
			}
			if got := string(result(after, removal.Files, removal.Obsolete).Files[inPostfix(after, tt.file)]); !strings.Contains(got, tt.has) {
				t.Errorf("no %q in\n%s", tt.has, got)
			}
			// To compile anew over the same file says what was found, or refuses.
			if _, err := tryCompile(t, p, after); err == nil && tt.kept == "" && tt.left != nil {
				warned := false
				for _, w := range compile(t, p, after).Warnings() {
					warned = warned || strings.HasPrefix(w.Position.String(), tt.file)
				}
				if !warned {
					t.Error("Compile says nothing of the edit")
				}
			}
		})
	}
}
