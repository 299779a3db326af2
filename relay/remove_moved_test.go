package relay_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// moved is which move of how many is made in the plain run; a prime, as sampled.
const moved = 211

// moves moves a line of ours out of its block: some lines below its END, below
// another service or parameter, and to the top.
func (w written) moves(at int) []edited {
	stop := at
	for w.kinds[stop] != end {
		stop++
	}
	places := map[string]int{"to the top": 0, "five lines below END": min(stop+6, len(w.lines)-1)}
	for i, l := range w.lines {
		if w.kinds[i] == theirs && l != "" && !strings.ContainsAny(l[:1], " \t#") && (i+1 == len(w.lines) || w.kinds[i+1] == theirs) {
			places["below the customer's "+l] = i + 1
			if i > stop {
				break
			}
		}
	}
	var list []edited
	for what, to := range places {
		if to > at && to <= stop || to < len(w.kinds) && w.kinds[to] == inside {
			continue
		}
		lines := slices.Insert(slices.Clone(w.lines), to, w.lines[at])
		from := at
		if to <= at {
			from++
		}
		list = append(list, edited{lines: slices.Delete(lines, from, from+1), want: w.before,
			did: fmt.Sprintf("%s: line %d %q: moved %s", w.name, at+1, w.lines[at], what)})
	}
	slices.SortFunc(list, func(a, b edited) int { return cmp.Compare(a.did, b.did) })
	return list
}

// sorted is the file with its lines in order.
func (w written) sorted() edited {
	order := make([]int, len(w.lines))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(w.lines[a], w.lines[b]) })
	out := edited{did: w.name + ": sorted", may: []string{""}}
	for _, i := range order {
		out.lines = append(out.lines, w.lines[i])
		if w.kinds[i] == theirs || w.kinds[i] == aside {
			out.want = append(out.want, strings.TrimPrefix(w.lines[i], asidePrefix))
		}
	}
	return out
}

// TestRemoveMoved: lines of ours that stand elsewhere in the file are named in
// Removal.Left, and so is what is left of ours in a file that was sorted, in
// every layout.
func TestRemoveMoved(t *testing.T) {
	total, bad, count := 0, 0, 0
	every := servertest.OneIn(t, moved)
	for _, l := range someLayouts(t) {
		c := l.compile(t, maillab.System{Postfix: "3.7.11", Dovecot: "2.3.19"})
		after := result(l.in, c.Files(), c.Obsolete())
		for _, name := range []string{"main.cf", "master.cf"} {
			w := newWritten(t, name, string(l.in.Files[inPostfix(l.in, name)]), string(after.Files[inPostfix(after, name)]))
			edits := []edited{w.sorted()}
			for at := range w.lines {
				if w.kinds[at] != inside {
					continue
				}
				for _, e := range w.moves(at) {
					if count++; count%every == 0 {
						edits = append(edits, e)
					}
				}
			}
			for _, e := range edits {
				total++
				wrong := w.findings(result(after, nil, nil), e)
				if e.did == "master.cf: sorted" {
					// Several BEGIN and END lines that don't belong together any more: with
					// fewer of them, the next removal knows more of what was named.
					wrong = slices.DeleteFunc(wrong, func(s string) bool { return s == "a second removal changes postfix/master.cf" })
				}
				if len(wrong) > 0 {
					if bad++; bad <= 25 {
						t.Errorf("%s: %s\n\t%s", l.name, e.did, strings.Join(wrong[:min(6, len(wrong))], "\n\t"))
					}
				}
			}
		}
	}
	t.Logf("%d edits, %d wrong", total, bad)
}

// TestRemoveMovedLines: a restriction of ours that was moved into a listener of
// the customer's is named, with the line where it is and what to do, and so are
// comments and parameters of a sorted main.cf. Without a move nothing is.
func TestRemoveMovedLines(t *testing.T) {
	in := labBase(t)
	c := compile(t, labPolicy(t, "lab.json"), in)
	after := result(in, c.Files(), c.Obsolete())
	const option = "  -o smtpd_relay_restrictions=reject_unauth_destination"
	cut := func(text string) string {
		t.Helper()
		if strings.Count(text, option+"\n") == 0 {
			t.Fatalf("no %q in\n%s", option, text)
		}
		return strings.Replace(text, option+"\n", "", 1)
	}
	below := func(text, prefix string, lines ...string) string {
		t.Helper()
		list := strings.Split(text, "\n")
		i := slices.IndexFunc(list, func(l string) bool { return strings.HasPrefix(l, prefix) })
		if i < 0 {
			t.Fatalf("no %q in\n%s", prefix, text)
		}
		return strings.Join(slices.Insert(list, i+1, lines...), "\n")
	}
	tests := []struct {
		name, file string
		edit       func(text string) string
		left       []string
	}{
		{"nothing", "master.cf", func(text string) string { return text }, nil},
		{"into another listener", "master.cf", func(text string) string {
			return below(cut(text), "127.0.1.1:587 ", option)
		}, []string{option}},
		{"below own options", "master.cf", func(text string) string {
			return below(cut(text), "# END oxmailroute-conbool", "  -o my_own=1", "  -o my_own2=1", option)
		}, []string{option}},
		{"sorted", "main.cf", func(text string) string {
			lines := strings.SplitAfter(text, "\n")
			slices.Sort(lines)
			return strings.Join(lines, "")
		}, []string{"# mail of the gateway", "conbool_client_restrictions = check_client_access", "conbool_recipient_restrictions = reject_non_fqdn_recipient,",
			" reject_unlisted_recipient", " check_client_access cidr:/etc/postfix/conbool_origin.cidr,"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := result(after, nil, nil)
			text := tt.edit(string(now.Files[inPostfix(now, tt.file)]))
			now.Files[inPostfix(now, tt.file)] = []byte(text)
			removal, err := relay.Remove("conbool", now)
			if err != nil {
				t.Fatal(err)
			}
			if tt.left == nil && len(removal.Left) > 0 {
				t.Errorf("left %v", removal.Left)
			}
			for _, want := range tt.left {
				i := slices.IndexFunc(removal.Left, func(l relay.Left) bool {
					first, _, _ := strings.Cut(l.Text, "\n")
					return l.File == "postfix/"+tt.file && first == want && l.Why != "" && l.Fix != ""
				})
				if i < 0 {
					t.Errorf("%q isn't named in %v", want, removal.Left)
				} else if l := removal.Left[i]; strings.Split(text, "\n")[l.Line-1] != want {
					t.Errorf("line %d isn't %q", l.Line, want)
				}
			}
		})
	}
}
