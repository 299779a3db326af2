package relay_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay"
)

// Kinds of lines of a written file.
const (
	theirs = iota
	aside  // theirs, out of use behind our prefix
	begin
	inside
	end
)

const asidePrefix = "#oxmailroute-conbool# "

// written is main.cf or master.cf with ours.
type written struct {
	name   string
	before []string // lines without their ends
	lines  []string
	kinds  []int
	place  []int // for each line of lines, and its end, the line of before that it is or stands before
}

func newWritten(t *testing.T, name, before, after string) written {
	t.Helper()
	w := written{name: name, before: strings.Split(before, "\n"), lines: strings.Split(after, "\n")}
	own, in := 0, false
	for _, l := range w.lines {
		k := theirs
		switch {
		case strings.HasPrefix(l, "# BEGIN oxmailroute-conbool"):
			k, in = begin, true
		case strings.HasPrefix(l, "# END oxmailroute-conbool"):
			k, in = end, false
		case in:
			k = inside
		case strings.HasPrefix(l, asidePrefix):
			k = aside
		}
		w.kinds, w.place = append(w.kinds, k), append(w.place, own)
		if k == theirs || k == aside {
			own++
		}
	}
	w.place = append(w.place, own)
	var back []string
	for i, l := range w.lines {
		if w.kinds[i] == theirs || w.kinds[i] == aside {
			back = append(back, strings.TrimPrefix(l, asidePrefix))
		}
	}
	// Where the file had no newline at its end, the last line is empty.
	if !slices.Equal(back, w.before) && !slices.Equal(back, append(slices.Clone(w.before), "")) {
		t.Fatalf("%s: %q is not %q", name, back, w.before)
	}
	return w
}

// handEdit is one edit of a line. It returns what stands in the line's place, and which of
// that is his.
type handEdit struct {
	name string
	edit func(r *rand.Rand, line, next string) (now, his []string)
	two  bool // now stands for the next line, too
}

func foreignLine(r *rand.Rand, name string) string {
	n := r.IntN(1e6)
	if name == "main.cf" {
		return []string{fmt.Sprintf("byhand%d = %d", n, n), fmt.Sprintf("# by hand %d", n)}[r.IntN(2)]
	}
	return []string{fmt.Sprintf("byhand%d unix - - n - - smtp", n), fmt.Sprintf("# by hand %d", n)}[r.IntN(2)]
}

func handEdits(name string) []handEdit {
	return []handEdit{
		{"change a character", func(r *rand.Rand, line, _ string) ([]string, []string) {
			if line == "" {
				return []string{"#x"}, []string{"#x"}
			}
			i := r.IntN(len(line))
			c := "abcxyz0189=#: -"[r.IntN(15)]
			for c == line[i] {
				c = 'Q'
			}
			return []string{line[:i] + string(c) + line[i+1:]}, nil
		}, false},
		{"drop a character", func(r *rand.Rand, line, _ string) ([]string, []string) {
			if line == "" {
				return nil, nil
			}
			i := r.IntN(len(line))
			return []string{line[:i] + line[i+1:]}, nil
		}, false},
		{"delete", func(*rand.Rand, string, string) ([]string, []string) { return nil, nil }, false},
		{"duplicate", func(_ *rand.Rand, line, _ string) ([]string, []string) { return []string{line, line}, nil }, false},
		{"insert before", func(r *rand.Rand, line, _ string) ([]string, []string) {
			f := foreignLine(r, name)
			return []string{f, line}, []string{f}
		}, false},
		{"insert after", func(r *rand.Rand, line, _ string) ([]string, []string) {
			f := foreignLine(r, name)
			return []string{line, f}, []string{f}
		}, false},
		{"insert an indented line", func(r *rand.Rand, line, _ string) ([]string, []string) {
			f := fmt.Sprintf("  -o byhand%d=1", r.IntN(1e6))
			return []string{line, f}, []string{f}
		}, false},
		{"insert within", func(r *rand.Rand, line, _ string) ([]string, []string) {
			f, i := foreignLine(r, name), r.IntN(len(line)+1)
			return []string{line[:i], f, line[i:]}, []string{f}
		}, false},
		{"insert an empty line", func(_ *rand.Rand, line, _ string) ([]string, []string) { return []string{line, ""}, nil }, false},
		{"swap", func(_ *rand.Rand, line, next string) ([]string, []string) { return []string{next, line}, nil }, true},
		{"append", func(r *rand.Rand, line, _ string) ([]string, []string) {
			return []string{line + fmt.Sprint(", permit", r.IntN(1e6))}, nil
		}, false},
		{"comment out", func(_ *rand.Rand, line, _ string) ([]string, []string) { return []string{"#" + line}, nil }, false},
		{"comment out with a space", func(_ *rand.Rand, line, _ string) ([]string, []string) { return []string{"# " + line}, nil }, false},
		{"white space at the end", func(_ *rand.Rand, line, _ string) ([]string, []string) { return []string{line + " \t"}, nil }, false},
		{"line end", func(_ *rand.Rand, line, _ string) ([]string, []string) { return []string{line + "\r"}, nil }, false},
		{"indent", func(_ *rand.Rand, line, _ string) ([]string, []string) { return []string{" " + line}, nil }, false},
		{"don't indent", func(_ *rand.Rand, line, _ string) ([]string, []string) {
			return []string{strings.TrimLeft(line, " \t")}, nil
		}, false},
		{"double a space", func(_ *rand.Rand, line, _ string) ([]string, []string) {
			return []string{strings.Replace(line, " ", "  ", 1)}, nil
		}, false},
		{"join", func(_ *rand.Rand, line, next string) ([]string, []string) { return []string{line + next}, nil }, true},
		{"split", func(r *rand.Rand, line, _ string) ([]string, []string) {
			i := r.IntN(len(line) + 1)
			return []string{line[:i], " " + line[i:]}, nil
		}, false},
		{"upper case", func(_ *rand.Rand, line, _ string) ([]string, []string) { return []string{strings.ToUpper(line)}, nil }, false},
	}
}

// edited is a file after edits.
type edited struct {
	lines []string
	want  []string // the file without ours, but for what is left and named
	his   []string // lines that he wrote, which are to be found again
	may   []string // lines that need not be named
	marks int      // how many marks were edited
	did   string
}

// edit makes one edit.
func (w written) edit(r *rand.Rand, e handEdit, at int) (out edited, ok bool) {
	next, n := "", 1
	if e.two {
		if at+1 >= len(w.lines) {
			return out, false
		}
		next, n = w.lines[at+1], 2
	}
	now, his := e.edit(r, w.lines[at], next)
	if slices.Equal(now, w.lines[at:at+n]) {
		return out, false
	}
	out.did = fmt.Sprintf("%s: line %d %q: %s, now %q", w.name, at+1, w.lines[at], e.name, now)
	out.his = his
	out.lines = slices.Concat(w.lines[:at], now, w.lines[at+n:])
	// The same edit of what is his.
	own, his2 := w.place[at], true
	for _, k := range w.kinds[at : at+n] {
		his2 = his2 && (k == theirs || k == aside)
	}
	var same []string
	for _, l := range now {
		text, ok := strings.CutPrefix(l, asidePrefix)
		// What was done to the prefix alone is undone.
		if w.kinds[at] == aside && n == 1 && (!ok && !slices.Contains(his, l) && l == now[0] || strings.TrimLeft(text, " ") == w.before[own]) {
			text = w.before[own]
		}
		same = append(same, text)
	}
	replaced := func(n int, by []string) []string {
		return slices.Concat(w.before[:min(own, len(w.before))], by, w.before[min(own+n, len(w.before)):])
	}
	switch {
	case his2:
		out.want = replaced(n, same)
	case w.kinds[at] == begin && now != nil && now[len(now)-1] == w.lines[at] && n == 1:
		out.want = replaced(0, slices.DeleteFunc(now[:len(now)-1:len(now)-1], func(l string) bool { return l == w.lines[at] }))
	case w.kinds[at] == end && now != nil && now[0] == w.lines[at] && n == 1:
		out.want = replaced(0, slices.DeleteFunc(slices.Clone(now[1:]), func(l string) bool { return l == w.lines[at] }))
	default:
		out.want = w.before
	}
	// White space, and what he wrote into the middle of a mark.
	for _, l := range now {
		if strings.TrimSpace(l) == "" || slices.Contains(his, l) && (w.kinds[at] == begin || w.kinds[at] == end) {
			out.may = append(out.may, l)
		}
	}
	return out, true
}

// lcs marks the lines that a and b have in common, in order.
func lcs(a, b []string) (inA, inB []bool) {
	inA, inB = make([]bool, len(a)), make([]bool, len(b))
	from := 0
	for from < len(a) && from < len(b) && a[from] == b[from] {
		inA[from], inB[from] = true, true
		from++
	}
	x, y := len(a), len(b)
	for x > from && y > from && a[x-1] == b[y-1] {
		x, y = x-1, y-1
		inA[x], inB[y] = true, true
	}
	n, m := x-from, y-from
	best := make([][]int, n+1)
	for i := range best {
		best[i] = make([]int, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if best[i][j] = max(best[i+1][j], best[i][j+1]); a[from+i] == b[from+j] {
				best[i][j] = best[i+1][j+1] + 1
			}
		}
	}
	for i, j := 0, 0; i < n && j < m; {
		switch {
		case a[from+i] == b[from+j]:
			inA[from+i], inB[from+j] = true, true
			i, j = i+1, j+1
		case best[i+1][j] >= best[i][j+1]:
			i++
		default:
			j++
		}
	}
	return inA, inB
}

func trimmed(line string) string { return strings.TrimRight(line, " \t\r\v\f") }

// findings are what is wrong with a removal from e.
func (w written) findings(in relay.Installation, e edited) []string {
	var wrong []string
	in.Postfix[w.name] = []byte(strings.Join(e.lines, "\n"))
	removal, err := relay.Remove("conbool", in)
	if err != nil {
		var broken error
		if w.name == "main.cf" {
			_, broken = postfix.ParseMain(w.name, in.Postfix[w.name])
		} else {
			_, broken = postfix.ParseMaster(w.name, in.Postfix[w.name])
		}
		// What Postfix itself would stop on.
		if broken == nil || !strings.Contains(err.Error(), w.name+":") {
			wrong = append(wrong, "refused: "+err.Error())
		}
		return wrong
	}
	after := result(in, removal.Files, removal.Obsolete)
	got := strings.Split(string(after.Postfix[w.name]), "\n")
	named := map[string]int{}
	for _, l := range removal.Left {
		if l.File != "postfix/"+w.name {
			continue
		}
		for i := range strings.Split(l.Text, "\n") {
			if l.Line < 1 || l.Line-1+i >= len(e.lines) {
				return append(wrong, fmt.Sprintf("no line %d: %v", l.Line+i, l))
			}
			named[trimmed(e.lines[l.Line-1+i])]++
		}
		if text, _, _ := strings.Cut(l.Text, "\n"); l.Why == "" || text != trimmed(e.lines[l.Line-1]) {
			wrong = append(wrong, fmt.Sprintf("line %d is %q: %v", l.Line, e.lines[l.Line-1], l))
		}
	}
	inGot, inWant := lcs(got, e.want)
	for i, same := range inGot {
		if same || slices.Contains(e.may, got[i]) {
			continue
		}
		text := strings.TrimPrefix(trimmed(got[i]), "# ")
		here := false
		for n := range named {
			here = here || n == trimmed(got[i]) || text != "" && strings.HasSuffix(n, text)
		}
		if !here {
			wrong = append(wrong, fmt.Sprintf("stays and isn't named: %q", got[i]))
		}
	}
	for i, same := range inWant {
		if same || i == len(e.want)-1 && e.want[i] == "" {
			continue
		}
		here := false
		for text, n := range named {
			here = here || n > 0 && strings.Contains(strings.ToLower(text), strings.ToLower(trimmed(e.want[i])))
		}
		if !here {
			wrong = append(wrong, fmt.Sprintf("doesn't come back: %q", e.want[i]))
		}
	}
	for _, l := range e.his {
		if !slices.Contains(got, l) && !slices.Contains(got, "# "+l) {
			wrong = append(wrong, fmt.Sprintf("lost: %q", l))
		}
	}
	again, err := relay.Remove("conbool", after)
	if err != nil {
		return append(wrong, "the second removal: "+err.Error())
	}
	for _, f := range again.Files {
		if string(f.Data) != string(after.Postfix[strings.TrimPrefix(f.Name, "postfix/")]) {
			wrong = append(wrong, "a second removal changes "+f.Name)
		}
	}
	return wrong
}

var allEdits = flag.Bool("alledits", false, "every edit of every line of every layout: 67,000, some minutes")

// sampled is which edit of how many is made otherwise; a prime, so that all kinds
// of edits meet all kinds of lines.
const sampled = 31

// TestRemoveEveryEdit edits each line of ours, and the lines around it, in
// every way an administrator's hand or editor may, in every layout, and takes the
// gateway out again. Then the files are as before but for the edits of what
// isn't ours, or every line that differs is named in Removal.Left; nothing that
// he wrote is lost; a second removal changes nothing; and compiling over the
// edits keeps what he wrote, too (TestRemoveManyEdits).
func TestRemoveEveryEdit(t *testing.T) {
	total, bad, count := 0, 0, 0
	kinds := map[string]int{}
	for _, l := range layouts(t) {
		c := l.compile(t, maillab.System{Postfix: "3.7.11", Dovecot: "2.3.19"})
		after := result(l.in, c.Files(), c.Obsolete())
		for _, name := range []string{"main.cf", "master.cf"} {
			w := newWritten(t, name, string(l.in.Postfix[name]), string(after.Postfix[name]))
			for at := range w.lines {
				if at == len(w.lines)-1 && w.lines[at] == "" || w.kinds[at] == theirs && (at == 0 || w.kinds[at-1] != end) && (at+1 == len(w.lines) || w.kinds[at+1] != begin) {
					continue
				}
				for n, h := range handEdits(name) {
					if count++; count%sampled != 0 && !*allEdits {
						continue
					}
					r := rand.New(rand.NewPCG(uint64(at), uint64(n)))
					e, ok := w.edit(r, h, at)
					if !ok {
						continue
					}
					total++
					in := result(after, nil, nil)
					if wrong := w.findings(in, e); len(wrong) > 0 {
						bad++
						k := fmt.Sprintf("%s %s: %d", name, h.name, w.kinds[at])
						kinds[k]++
						if kinds[k] <= 1 {
							t.Errorf("%s: %s\n\t%s", l.name, e.did, strings.Join(wrong[:min(3, len(wrong))], "\n\t"))
						}
					}
				}
			}
		}
	}
	t.Logf("%d edits, %d wrong: %v", total, bad, kinds)
}

// TestRemoveManyEdits makes two to five edits at random, anywhere in the files.
// Then what is of his is there after the removal, or named, and what is of ours
// isn't there, or named; and compiling over it loses nothing of his either.
// Where both marks of a block were edited, what is between can't be known to be
// ours.
func TestRemoveManyEdits(t *testing.T) {
	runs, bad := 0, 0
	rounds := 4
	if *allEdits {
		rounds = 500
	}
	for i, l := range layouts(t) {
		c := l.compile(t, maillab.System{Postfix: "3.7.11", Dovecot: "2.3.19"})
		after := result(l.in, c.Files(), c.Obsolete())
		for _, name := range []string{"main.cf", "master.cf"} {
			w := newWritten(t, name, string(l.in.Postfix[name]), string(after.Postfix[name]))
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
	in.Postfix[w.name] = []byte(strings.Join(e.lines, "\n"))
	removal, err := relay.Remove("conbool", in)
	if err != nil {
		if w.broken(in.Postfix[w.name]) {
			return nil
		}
		return []string{"refused: " + err.Error()}
	}
	after := result(in, removal.Files, removal.Obsolete)
	got := strings.Split(string(after.Postfix[w.name]), "\n")
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
		if string(f.Data) != string(after.Postfix[strings.TrimPrefix(f.Name, "postfix/")]) {
			wrong = append(wrong, "a second removal changes "+f.Name+cmp.Diff(string(after.Postfix[strings.TrimPrefix(f.Name, "postfix/")]), string(f.Data)))
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
	in.Postfix = result(after, nil, nil).Postfix
	in.Postfix[w.name] = []byte(strings.Join(e.lines, "\n"))
	c, err := relay.Compile(p, in)
	if err != nil {
		return nil
	}
	var wrong []string
	got := strings.Split(string(result(in, c.Files(), c.Obsolete()).Postfix[w.name]), "\n")
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
