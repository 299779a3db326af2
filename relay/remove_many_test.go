package relay_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay"
)

// TestRemoveManyEdits makes two to five edits at random, anywhere in the files.
// Then what is of his is there after the removal, or named, and what is of ours
// isn't there, or named; and compiling over it loses nothing of his either.
// Where both marks of a block were edited, what is between can't be known to be
// ours.
func TestRemoveManyEdits(t *testing.T) {
	runs, bad := 0, 0
	rounds := servertest.Deep(t, 2, 6)
	for i, l := range someLayouts(t) {
		c := l.compile(t, maillab.System{Postfix: "3.7.11", Dovecot: "2.3.19"})
		after := result(l.in, c.Files(), c.Obsolete())
		for _, name := range []string{"main.cf", "master.cf"} {
			w := newWritten(t, name, string(l.in.Files[inPostfix(l.in, name)]), string(after.Files[inPostfix(after, name)]))
			for round := range rounds {
				r := rand.New(rand.NewPCG(uint64(i), uint64(round+1000)))
				e, ok := w.editMany(r, 2+r.IntN(4))
				if !ok {
					continue
				}
				runs++
				wrong := w.loose(result(after, nil, nil), e)
				if round%4 == 0 {
					wrong = append(wrong, w.upsert(l.policy, l.in, after, e)...)
				}
				if len(wrong) > 0 {
					bad++
					if bad < 8 {
						t.Errorf("%s, round %d: %s\n\t%s", l.name, round, e.did, strings.Join(wrong[:min(4, len(wrong))], "\n\t"))
					}
				}
			}
		}
	}
	t.Logf("%d files edited, %d wrong", runs, bad)
}

// editMany makes edits one after another. want is nil.
func (w written) editMany(r *rand.Rand, n int) (edited, bool) {
	ours := w.lines
	w.lines, w.kinds = slices.Clone(w.lines), slices.Clone(w.kinds)
	all := handEdits(w.name)
	var out edited
	gone := map[string]bool{} // lines of his that he edited himself
	var did []string
	for range n {
		at := r.IntN(len(w.lines) - 1)
		if r.IntN(3) == 0 { // rather about the blocks
			for range 40 {
				if w.kinds[at] != theirs {
					break
				}
				at = r.IntN(len(w.lines) - 1)
			}
		}
		h := all[r.IntN(len(all))]
		span := 1
		if h.two {
			span = 2
		}
		now, his := h.edit(r, w.lines[at], w.lines[at+1])
		if slices.Equal(now, w.lines[at:at+span]) {
			continue
		}
		did = append(did, fmt.Sprintf("%s: line %d %q: %s, now %q", w.name, at+1, w.lines[at], h.name, now))
		out.his = append(out.his, his...)
		outside, kind := false, w.kinds[at]
		for i, k := range w.kinds[at : at+span] {
			if k == begin || k == end {
				out.marks++
			}
			if k == theirs || k == aside {
				outside = true
				gone[w.lines[at+i]] = true
				gone[strings.TrimPrefix(w.lines[at+i], asidePrefix)] = true
				if k == theirs {
					kind = theirs
				}
			}
		}
		for _, l := range now {
			if outside || slices.Contains(his, l) && (kind == begin || kind == end) || strings.TrimSpace(l) == "" {
				out.may = append(out.may, l, strings.TrimPrefix(l, asidePrefix))
			}
		}
		// Lines that he changed again are not to be found any more.
		out.his = slices.DeleteFunc(out.his, func(l string) bool {
			return !slices.Contains(his, l) && slices.Contains(w.lines[at:at+span], l) && !slices.Contains(now, l)
		})
		// A line of ours that he edited, and moved out of the block.
		if h.name == "swap" && w.kinds[at] != w.kinds[at+1] && !outside {
			for _, l := range now {
				if !slices.Contains(ours, l) {
					out.may = append(out.may, l)
				}
			}
		}
		kinds := slices.Repeat([]int{kind}, len(now))
		if h.name == "swap" {
			kinds = []int{w.kinds[at+1], w.kinds[at]}
			if kinds[0] == end {
				kinds[1] = theirs
			} else if kinds[1] == begin {
				kinds[0] = theirs
			}
		}
		w.lines, w.kinds = slices.Concat(w.lines[:at], now, w.lines[at+span:]), slices.Concat(w.kinds[:at], kinds, w.kinds[at+span:])
		if len(w.lines) < 3 {
			return out, false
		}
	}
	out.lines, out.did = w.lines, strings.Join(did, "\n\t\tthen ")
	for _, l := range w.before {
		if !gone[l] {
			out.want = append(out.want, l)
		}
	}
	out.may = append(out.may, w.before...)
	return out, len(did) > 0
}

// loose are findings where lines are looked for in any order.
func (w written) loose(in relay.Installation, e edited) []string {
	var wrong []string
	in.Files[inPostfix(in, w.name)] = []byte(strings.Join(e.lines, "\n"))
	removal, err := relay.Remove("conbool", in)
	if err != nil {
		if w.broken(in.Files[inPostfix(in, w.name)]) {
			return nil
		}
		return []string{"refused: " + err.Error()}
	}
	after := result(in, removal.Files, removal.Obsolete)
	got := strings.Split(string(after.Files[inPostfix(after, w.name)]), "\n")
	named := map[string]bool{}
	for _, l := range removal.Left {
		if l.File == "postfix/"+w.name {
			for i := range strings.Split(l.Text, "\n") {
				named[trimmed(e.lines[l.Line-1+i])] = true
			}
		}
	}
	isNamed := func(text string) bool {
		text = strings.TrimPrefix(trimmed(text), "# ")
		for n := range named {
			if n == text || text != "" && strings.Contains(strings.ToLower(n), strings.ToLower(text)) {
				return true
			}
		}
		return false
	}
	may := map[string]bool{}
	for _, l := range slices.Concat(e.may, e.his) {
		may[trimmed(l)] = true
	}
	if e.marks < 2 {
		for _, l := range got {
			if !may[trimmed(l)] && !isNamed(l) {
				wrong = append(wrong, fmt.Sprintf("stays and isn't named: %q", l))
			}
		}
	} else if len(removal.Left) == 0 {
		for _, l := range got {
			piece := strings.TrimLeft(l, "# ")
			if !may[trimmed(l)] && !strings.HasPrefix("BEGIN oxmailroute-conbool", piece) && !strings.HasPrefix("END oxmailroute-conbool", piece) {
				wrong = append(wrong, fmt.Sprintf("nothing is named, and there is %q", l))
			}
		}
	}
	have := map[string]int{}
	for _, l := range got {
		have[trimmed(l)]++
	}
	for _, l := range slices.Concat(e.want, e.his) {
		if l = trimmed(l); l == "" {
			continue
		}
		if have[l]--; have[l] < 0 {
			if have["# "+l]--; have["# "+l] < 0 && !isNamed(l) {
				wrong = append(wrong, fmt.Sprintf("lost: %q", l))
			}
		}
	}
	again, err := relay.Remove("conbool", after)
	if err != nil {
		return append(wrong, "the second removal: "+err.Error())
	}
	for _, f := range again.Files {
		if string(f.Data) != string(after.Files[inPostfix(after, strings.TrimPrefix(f.Name, "postfix/"))]) {
			wrong = append(wrong, "a second removal changes "+f.Name+cmp.Diff(string(after.Files[inPostfix(after, strings.TrimPrefix(f.Name, "postfix/"))]), string(f.Data)))
		}
	}
	return wrong
}

// broken reports whether Postfix would stop on a file.
func (w written) broken(text []byte) bool {
	var err error
	if w.name == "main.cf" {
		_, err = postfix.ParseMain(w.name, text)
	} else {
		_, err = postfix.ParseMaster(w.name, text)
	}
	return err != nil
}

// upsert are findings where the policy is compiled over the edits.
func (w written) upsert(p relay.Policy, base, after relay.Installation, e edited) []string {
	in := base
	in.Files = result(after, nil, nil).Files
	in.Files[inPostfix(in, w.name)] = []byte(strings.Join(e.lines, "\n"))
	c, err := relay.Compile(p, in)
	if err != nil {
		return nil
	}
	var wrong []string
	got := strings.Split(string(result(in, c.Files(), c.Obsolete()).Files[inPostfix(in, w.name)]), "\n")
	have := map[string]int{}
	for _, l := range got {
		have[trimmed(strings.TrimPrefix(l, asidePrefix))]++
	}
	for _, l := range slices.Concat(e.want, e.his) {
		if l = trimmed(strings.TrimPrefix(l, asidePrefix)); l == "" {
			continue
		}
		if have[l]--; have[l] < 0 {
			if have["# "+l]--; have["# "+l] < 0 && !slices.ContainsFunc(e.lines, func(x string) bool { return x != l && strings.Contains(strings.ToLower(x), strings.ToLower(l)) }) {
				wrong = append(wrong, fmt.Sprintf("lost by compiling again: %q", l))
			}
		}
	}
	return wrong
}
