package relay_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
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
	in.Files[inPostfix(in, w.name)] = []byte(strings.Join(e.lines, "\n"))
	removal, err := relay.Remove("conbool", in)
	if err != nil {
		var broken error
		if w.name == "main.cf" {
			_, broken = postfix.ParseMain(w.name, in.Files[inPostfix(in, w.name)])
		} else {
			_, broken = postfix.ParseMaster(w.name, in.Files[inPostfix(in, w.name)])
		}
		// What Postfix itself would stop on.
		if broken == nil || !strings.Contains(err.Error(), w.name+":") {
			wrong = append(wrong, "refused: "+err.Error())
		}
		return wrong
	}
	after := result(in, removal.Files, removal.Obsolete)
	got := strings.Split(string(after.Files[inPostfix(after, w.name)]), "\n")
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
		if string(f.Data) != string(after.Files[inPostfix(after, strings.TrimPrefix(f.Name, "postfix/"))]) {
			wrong = append(wrong, "a second removal changes "+f.Name)
		}
	}
	return wrong
}

// sampled is which edit of how many is made in the plain run; a prime, so that
// all kinds of edits meet all kinds of lines. From TEST_SCALE=127 on it is every
// edit of every line of every layout, 67,000 in some minutes.
const sampled = 127

// TestRemoveEveryEdit edits each line of ours, and the lines around it, in
// every way an administrator's hand or editor may, in every layout, and takes the
// gateway out again. Then the files are as before but for the edits of what
// isn't ours, or every line that differs is named in Removal.Left; nothing that
// he wrote is lost; a second removal changes nothing; and compiling over the
// edits keeps what he wrote, too (TestRemoveManyEdits).
func TestRemoveEveryEdit(t *testing.T) {
	total, bad, count := 0, 0, 0
	every := servertest.OneIn(t, sampled)
	kinds := map[string]int{}
	for _, l := range someLayouts(t) {
		c := l.compile(t, maillab.System{Postfix: "3.7.11", Dovecot: "2.3.19"})
		after := result(l.in, c.Files(), c.Obsolete())
		for _, name := range []string{"main.cf", "master.cf"} {
			w := newWritten(t, name, string(l.in.Files[inPostfix(l.in, name)]), string(after.Files[inPostfix(after, name)]))
			for at := range w.lines {
				if at == len(w.lines)-1 && w.lines[at] == "" || w.kinds[at] == theirs && (at == 0 || w.kinds[at-1] != end) &&
					(at+1 == len(w.lines) || w.kinds[at+1] != begin) {
					continue
				}
				for n, h := range handEdits(name) {
					if count++; count%every != 0 {
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
