package postfix

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/postfix/internal/block"
)

// written are the lists of all blocks that the tests wrote, as a file beside
// main.cf has them.
var written struct {
	sync.Mutex
	lines []string
}

func keep(lines []string) {
	written.Lock()
	defer written.Unlock()
	written.lines = append(written.lines, lines...)
	slices.Sort(written.lines)
	written.lines = slices.Compact(written.lines)
}

func kept() []string {
	written.Lock()
	defer written.Unlock()
	return slices.Clone(written.lines)
}

// setMain and setMaster lay a part of the owner's over a file; extract takes it
// out again.
func setMain(text string) (string, error) {
	m, err := ParseMain("main.cf", []byte(text))
	if err == nil {
		m.KnowSeals(kept()...)
		err = m.Set(owner, someParams)
	}
	if err != nil {
		return "", err
	}
	keep(m.Seals(owner))
	return string(m.Format()), nil
}

func extractMain(text string) (string, []Leftover, error) {
	m, err := ParseMain("main.cf", []byte(text))
	if err != nil {
		return "", nil, err
	}
	m.KnowSeals(kept()...)
	left, err := m.Extract(owner)
	return string(m.Format()), left, err
}

var sealOptions = []ServiceOptions{
	{Name: "smtp", Type: "inet", Options: []Param{{Name: "cleanup_service_name", Value: "conbool-in"}, {Name: "x", Value: "a b"}}},
	{Name: "pickup", Type: "unix", Options: []Param{{Name: "cleanup_service_name", Value: "conbool-strip"}}},
}

func setMaster(text string) (string, error) {
	m, err := ParseMaster("master.cf", []byte(text))
	if err == nil {
		m.KnowSeals(kept()...)
		err = m.Set(owner, gateServices, sealOptions)
	}
	if err != nil {
		return "", err
	}
	keep(m.Seals(owner))
	return string(m.Format()), nil
}

func extractMaster(text string) (string, []Leftover, error) {
	m, err := ParseMaster("master.cf", []byte(text))
	if err != nil {
		return "", nil, err
	}
	m.KnowSeals(kept()...)
	left, err := m.Extract(owner)
	return string(m.Format()), left, err
}

// edited are files of a customer's, with what they have of ours.
var edited = []struct {
	name    string
	set     func(string) (string, error)
	extract func(string) (string, []Leftover, error)
	line    func(r *rand.Rand, n int) string // one of the customer's
	inside  func(r *rand.Rand, n int) string // one that he writes into a block
	base    string
}{
	{"main.cf", setMain, extractMain,
		func(r *rand.Rand, n int) string {
			return numbered([]string{"p%d = 1", "# c%d", "", "p%d =\n  a,\n# c\n\tb", "#p%d = out of use"}[r.IntN(5)]+"\n", n)
		},
		func(_ *rand.Rand, n int) string { return fmt.Sprintf("inside%d = 1\n", n) },
		"myhostname = a\nrelayhost = [x]\nsmtpd_recipient_restrictions =\n  permit_mynetworks,\n# why\n  reject\nrelayhost = [y]\n"},
	{"master.cf", setMaster, extractMaster,
		func(r *rand.Rand, n int) string {
			return numbered([]string{"s%d unix - - n - - smtp\n  -o z=1", "# c%d", "", "s%d unix - n n - - pipe\n  flags=R argv=/bin/x",
				"#s%d unix - - n - - x"}[r.IntN(5)]+"\n", n)
		},
		func(_ *rand.Rand, n int) string { return fmt.Sprintf("  -o inside%d=1\n", n) },
		"# c\nsmtp inet n - n - - smtpd\n  -o own=1\npickup unix n - n 60 1 pickup\nqmgr unix n - n 300 1 qmgr\n"},
}

func numbered(format string, n int) string { return strings.ReplaceAll(format, "%d", fmt.Sprint(n)) }

// blockLines marks, for each line of a file, whether it is ours: 0 not, 1 a
// BEGIN, 2 between, 3 an END.
func blockLines(lines []string) []int {
	kind := make([]int, len(lines))
	in := false
	for i, l := range lines {
		switch {
		case strings.HasPrefix(l, "# BEGIN "+owner):
			kind[i], in = 1, true
		case strings.HasPrefix(l, "# END "+owner):
			kind[i], in = 3, false
		case in:
			kind[i] = 2
		}
	}
	return kind
}

func split(text string) []string { return strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n") }

// TestEditedOutside: whatever is written, changed and deleted outside of the
// blocks is in the file when they are gone, and nothing else is.
func TestEditedOutside(t *testing.T) {
	t.Parallel()
	for _, f := range edited {
		t.Run(f.name, func(t *testing.T) {
			for seed := range uint64(400) {
				r := rand.New(rand.NewPCG(seed, 5))
				base := f.base
				for i := range r.IntN(6) {
					base += f.line(r, i)
				}
				set, err := f.set(base)
				if err != nil {
					t.Fatal(err)
				}
				// The same edits to both files.
				theirs, ours := split(base), split(set)
				theirs[len(theirs)-1] = strings.TrimSuffix(theirs[len(theirs)-1], "\n") + "\n"
				ours[len(ours)-1] = strings.TrimSuffix(ours[len(ours)-1], "\n") + "\n"
				for n := range 1 + r.IntN(5) {
					kind := blockLines(ours)
					at := r.IntN(len(ours) + 1)
					if at < len(ours) && (kind[at] == 2 || kind[at] == 3) {
						continue
					}
					own := 0 // the place in theirs
					for _, k := range kind[:at] {
						if k == 0 {
							own++
						}
					}
					switch {
					case r.IntN(3) > 0 || at == len(ours) || kind[at] != 0:
						text := f.line(r, 100+n)
						ours, theirs = slices.Insert(ours, at, text), slices.Insert(theirs, own, text)
						ours, theirs = split(strings.Join(ours, "")), split(strings.Join(theirs, ""))
						ours[len(ours)-1] = strings.TrimSuffix(ours[len(ours)-1], "\n") + "\n"
						theirs[len(theirs)-1] = strings.TrimSuffix(theirs[len(theirs)-1], "\n") + "\n"
					case strings.HasPrefix(ours[at], "#") && len(theirs) > 1:
						ours, theirs = slices.Delete(ours, at, at+1), slices.Delete(theirs, own, own+1)
					}
				}
				want, text := strings.Join(theirs, ""), strings.Join(ours, "")
				got, left, err := f.extract(text)
				if err != nil {
					// An indented line below a block, which no removal can place.
					t.Fatalf("seed %d: %v\n%s", seed, err, text)
				}
				if got != want || len(left) > 0 {
					t.Fatalf("seed %d (-want +got):\n%s%v\nfrom\n%s", seed, cmp.Diff(want, got), left, text)
				}
				// And on top of the edits.
				again, err := f.set(text)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				if got, _, err := f.extract(again); got != want || err != nil {
					t.Fatalf("seed %d, set again: %v (-want +got):\n%s", seed, err, cmp.Diff(want, got))
				}
			}
		})
	}
}

// TestEditedInside: what is written into a block stays, as it is or as a
// comment, and is reported; nothing of ours stays in force.
func TestEditedInside(t *testing.T) {
	for _, f := range edited {
		t.Run(f.name, func(t *testing.T) {
			set, err := f.set(f.base)
			if err != nil {
				t.Fatal(err)
			}
			var ours []string
			for i, k := range blockLines(split(set)) {
				if k == 2 {
					ours = append(ours, split(set)[i])
				}
			}
			for seed := range uint64(400) {
				r := rand.New(rand.NewPCG(seed, 6))
				lines := split(set)
				lines[len(lines)-1] += "\n"
				var added []string
				for n := range 1 + r.IntN(4) {
					kind := blockLines(lines)
					at := r.IntN(len(lines))
					// Lines of ours that come to continue one of his are his.
					next := lines[min(at+1, len(lines)-1)]
					if kind[at] != 2 || f.name == "main.cf" && (lines[at][0] == ' ' || next[0] == ' ') || lines[at][0] != '#' && lines[at][0] != ' ' &&
						next[0] == ' ' {
						continue
					}
					switch r.IntN(3) {
					case 0:
						added = append(added, f.inside(r, n))
						lines = slices.Insert(lines, at, added[len(added)-1])
					case 1:
						if strings.HasPrefix(lines[at], "#") || strings.ContainsAny(lines[at], "{}") || strings.Contains(lines[at], "changed") ||
							slices.Contains(added, lines[at]) {
							continue
						}
						lines[at] = strings.TrimSuffix(lines[at], "\n") + "changed\n"
						added = append(added, lines[at])
					case 2:
						if slices.Contains(added, lines[at]) {
							continue
						}
						lines = slices.Delete(lines, at, at+1)
					}
				}
				text := strings.Join(lines, "")
				got, left, err := f.extract(text)
				if err != nil {
					t.Fatalf("seed %d: %v\n%s", seed, err, text)
				}
				reported := ""
				for _, l := range left {
					reported += l.Text + "\n"
					if !strings.Contains(text, l.Text) || l.Why == "" {
						t.Fatalf("seed %d: leftover %+v", seed, l)
					}
				}
				rest := split(got)
				for i := range rest {
					rest[i] = strings.TrimSuffix(rest[i], "\n") + "\n"
				}
				for _, a := range added {
					i := slices.IndexFunc(rest, func(l string) bool { return l == a || l == "# "+a })
					if i < 0 || !strings.Contains(reported, strings.TrimSuffix(a, "\n")) {
						t.Fatalf("seed %d: %q is lost, or not reported (%v)\n%s\nfrom\n%s", seed, a, left, got, text)
					}
					rest = slices.Delete(rest, i, i+1)
				}
				// Lines of ours that stay because something in their unit was
				// changed are comments.
				rest = slices.DeleteFunc(rest, func(l string) bool {
					return strings.HasPrefix(l, "# ") && (slices.Contains(ours, l[2:]) || slices.Contains(ours, l))
				})
				if diff := cmp.Diff(f.base, strings.Join(rest, "")); diff != "" {
					t.Fatalf("seed %d (-before +after):\n%s\nfrom\n%s", seed, diff, text)
				}
			}
		})
	}
}

// TestTorn: blocks that lost an end, were copied or moved.
func TestTorn(t *testing.T) {
	for _, f := range edited {
		set, err := f.set(f.base)
		if err != nil {
			t.Fatal(err)
		}
		lines := split(set)
		lines[len(lines)-1] += "\n"
		kind := blockLines(lines)
		last := 0
		for i, k := range kind {
			if k == 1 {
				last = i
			}
		}
		without := func(kinds ...int) string {
			var b strings.Builder
			for i, l := range lines {
				if !slices.Contains(kinds, kind[i]) {
					b.WriteString(l)
				}
			}
			return b.String()
		}
		framed := strings.Join(lines[last:], "")
		tests := []struct {
			name, text, want string
			left             int
		}{
			{"no END", without(3), f.base, 0},
			{"no END, more below", without(3) + f.line(rand.New(rand.NewPCG(1, 1)), 7), f.base + f.line(rand.New(rand.NewPCG(1, 1)), 7), 0},
			{"no BEGIN", without(1), f.base, 0},
			{"copied", set + framed, f.base, 0},
			{"moved to the top", framed + strings.Join(lines[:last], ""), f.base, 0},
			{"another text", strings.Replace(set, "change the policy instead", "do not touch", 1), f.base, 0},
			{"without a newline at its end", strings.TrimSuffix(set, "\n"), f.base, 0},
			{"white space", strings.ReplaceAll(set, "=", "= ")[:0] + strings.ReplaceAll(set, "\n", " \t\n"),
				strings.ReplaceAll(f.base, "\n", " \t\n"), 0},
			{"the file is gone but for ours", framed, "", 0},
		}
		for _, tt := range tests {
			t.Run(f.name+"/"+tt.name, func(t *testing.T) {
				got, left, err := f.extract(tt.text)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" || len(left) != tt.left {
					t.Errorf("(-want +got):\n%s%+v\nfrom\n%s", diff, left, tt.text)
				}
			})
		}
		t.Run(f.name+"/neither", func(t *testing.T) {
			// Nothing says where the block was, or that there was one but for the
			// lines that are out of use for it.
			got, left, err := f.extract(without(1, 3))
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range left {
				if !strings.Contains(l.Why, "in force again") {
					t.Errorf("%+v", l)
				}
			}
			want := strings.ReplaceAll(without(1, 3), block.PrefixOf(owner), "")
			if diff := cmp.Diff(want, got); diff != "" || len(left) != strings.Count(set, block.PrefixOf(owner)) {
				t.Errorf("(-want +got):\n%s%+v", diff, left)
			}
		})
	}
}

// TestExtract has single edits with what is reported.
func TestExtract(t *testing.T) {
	tests := []struct {
		name       string
		file       int
		old, new   string // in the file with ours
		want       string // the file afterwards; empty: as before
		line, why  string
		everything bool // without a seal
	}{
		{"a parameter added", 0, "relayhost =\n", "relayhost =\nmine = 1\n", edited[0].base + "mine = 1\n", "mine = 1", "was added", false},
		{"a parameter changed", 0, "relayhost =\n", "relayhost = q\n", edited[0].base + "# relayhost = q\n", "relayhost = q", "was changed",
			false},
		{"a continued one changed", 0, " cidr:/etc", " cidr:/mnt", edited[0].base +
			"# smtpd_recipient_restrictions = reject_non_fqdn_recipient,\n#  reject_unlisted_recipient, check_client_access\n#  cidr:/mnt/postfix/conbool_clients, permit\n", "smtpd_recipient_restrictions = reject_non_fqdn_recipient,", "was changed", false},
		{"a line added to one", 0, "permit\n# END", "permit\n ,x\n# END",
			edited[0].base + "# smtpd_recipient_restrictions = reject_non_fqdn_recipient,\n#  reject_unlisted_recipient, check_client_access\n#  cidr:/etc/postfix/conbool_clients, permit\n#  ,x\n", "smtpd_recipient_restrictions", "was changed", false},
		{"a parameter deleted", 0, "relayhost =\nsender", "sender", "", "", "", false},
		{"a comment added", 0, "# END", "# mine\n# END", edited[0].base + "# mine\n", "# mine", "a comment", false},
		{"a comment changed", 0, "# nothing leaves", "# everything leaves", edited[0].base + "# everything leaves by it\n", "# everything leaves",
			"a comment", false},
		{"an empty line", 0, "# nothing leaves", "\n# nothing leaves", "", "", "", false},
		{"a line out of use changed", 0, "#oxmailroute# relayhost = [x]", "#oxmailroute# relayhost = [z]",
			strings.Replace(edited[0].base, "= [x]", "= [z]", 1), "#oxmailroute# relayhost = [z]", "was changed while", false},
		{"a prefix changed", 0, "#oxmailroute# relayhost = [x]", "#oxmailrout# relayhost = [x]", strings.Replace(edited[0].base,
			"relayhost = [x]", "#oxmailrout# relayhost = [x]", 1), "#oxmailrout# relayhost = [x]", "prefix was changed", false},
		{"a prefix deleted", 0, "#oxmailroute# relayhost = [x]", "relayhost = [x]", "", "", "", false},
		{"an indented line below", 0, "permit\n# END oxmailroute%\n", "permit\n# END oxmailroute%\n  , y\nb = 2\n",
			edited[0].base + "#   , y\nb = 2\n", "  , y", "continued", false},
		{"defined again below", 0, "permit\n# END oxmailroute%\n", "permit\n# END oxmailroute%\nrelayhost = z\n",
			edited[0].base + "relayhost = z\n", "", "", false},
		{"in the form of old", 0, "relayhost =\n", "relayhost = q\n", "", "", "", true},
		{"an option added", 1, "  -o { x = a b }\n", "  -o { x = a b }\n  -o mine=1\n", strings.Replace(edited[1].base, "  -o own=1\n",
			"  -o own=1\n  -o mine=1\n", 1), "  -o mine=1", "was added", false},
		{"an option changed", 1, "name=conbool-in\n", "name=cleanup\n", strings.Replace(edited[1].base, "  -o own=1\n",
			"  -o own=1\n#   -o cleanup_service_name=cleanup\n", 1), "  -o cleanup_service_name=cleanup", "was changed", false},
		{"a service added", 1, "pipe-x ", "mine unix - - n - - smtp\npipe-x ", edited[1].base + "mine unix - - n - - smtp\n", "mine unix",
			"was added", false},
		{"an option of a service of ours", 1, "# loopback\n", "  -o mine=1\n# loopback\n",
			edited[1].base + "# 127.0.0.1:10030 inet n   -       n       -       -       smtpd\n#   -o content_filter=conbool:[mail.conbool.com]:25\n#   -o mine=1\n", "127.0.0.1:10030 inet", "was changed", false},
		{"a service among options", 1, "  -o { x = a b }\n", "mine unix - - n - - smtp\n  -o { x = a b }\n",
			strings.Replace(edited[1].base, "  -o own=1\n", "  -o own=1\nmine unix - - n - - smtp\n", 1), "mine unix", "was added", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := edited[tt.file]
			set, err := f.set(f.base)
			if err != nil {
				t.Fatal(err)
			}
			if tt.everything {
				set = unsealed([]byte(set))
			}
			_, tail, _ := strings.Cut(set, "# END oxmailroute")
			tail, _, _ = strings.Cut(tail, "\n")
			text := strings.Replace(set, strings.Replace(tt.old, "%", tail, 1), strings.Replace(tt.new, "%", tail, 1), 1)
			if text == set {
				t.Fatalf("no %q in\n%s", tt.old, set)
			}
			got, left, err := f.extract(text)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if want == "" {
				want = f.base
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (len(left) == 1) != (tt.line != "") || len(left) == 1 && (!strings.HasPrefix(left[0].Text, tt.line) ||
				!strings.Contains(left[0].Why, tt.why)) {
				t.Errorf("leftovers %+v, want %q: %s", left, tt.line, tt.why)
			}
		})
	}
}
