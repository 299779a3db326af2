package block

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// Mend makes the owner's damaged frames whole where it is certain what they
// were: the seal in one mark says what the other one was, and what stood
// between. bare: all blocks are managed ones, as in main.cf. What can't be mended
// has its Why.
func Mend(src []byte, list []Frame, owner string, bare bool, lists Seals) []Frame {
	return lists.Know(src, mend(src, lists.Know(src, list, owner), owner, bare, lists), owner)
}

func mend(src []byte, list []Frame, owner string, bare bool, lists Seals) []Frame {
	for i := range list {
		f := &list[i]
		if f.Owner == owner && f.Line > 0 && f.End > 0 && f.Seal != (Seal{}) && f.endSeal == (Seal{}) {
			f.tornSeal(src)
		}
		if f.Owner != owner || f.Why == "" && (f.Managed || !bare) &&
			(f.Seal == (Seal{}) || f.intact(src) || LineAt(src, f.Start) == f.beginMark()) {
			continue
		}
		if f.Line > 0 && f.Seal == (Seal{}) {
			f.Seal = lists.of(anySeal(LineAt(src, f.Start)))
		}
		if f.Seal == (Seal{}) {
			continue
		}
		ok := false
		switch {
		case f.Line > 0 && f.End > 0:
			ok = true
			f.Managed = bare || f.Managed
		case f.Line > 0:
			below := len(src)
			for _, g := range list {
				if at := g.first(); at > f.Start {
					below = min(below, at)
				}
			}
			ok = f.findEnd(src, below)
		default:
			above := 0
			for j, g := range list {
				if at := max(g.End, g.body); j != i && at <= f.bodyEnd {
					above = max(above, at)
				}
			}
			if ok = f.findBegin(src, above, bare); !ok {
				g := *f
				g.body = above
				f.Managed = bare || g.recognized(src, true) >= g.recognized(src, false)
			}
		}
		if !ok {
			continue
		}
		if f.Line > 0 && f.drop == nil && lineStart(src, f.Start) == f.Start {
			f.trimBegin(src)
		}
		if !bare && !f.intact(src) && !f.unlisted() {
			f.Managed = f.recognized(src, true) >= f.recognized(src, false)
		}
		f.Why = ""
		f.Line, f.EndLine = lineOf(src, f.Start), lineOf(src, max(f.End-1, f.bodyEnd))
	}
	return list
}

// recognized is how many units of the seal a frame has as one kind of block.
func (f Frame) recognized(src []byte, managed bool) int {
	return len(tellApart(src, elements(src, f.body, f.bodyEnd, 1, !managed), countUnits(f.Seal, f.endSeal), !managed).ours)
}

// tornSeal finds the rest of an END line that was divided behind the owner.
func (f *Frame) tornSeal(src []byte) {
	pos := f.End
	for range 3 {
		end := lineEnd(src, pos)
		if text := strings.TrimSpace(string(src[pos:end])); len(text) > oldLength && strings.HasSuffix(f.endMark(), text) {
			f.drop = append(f.drop, Edit{start: pos, end: end})
		}
		pos = end
	}
}

// first is the offset where a frame, or what is there of it, begins.
func (f Frame) first() int {
	if f.Line > 0 {
		return f.Start
	}
	return f.bodyEnd
}

// anySeal finds a seal anywhere in a line.
func anySeal(line string) Seal {
	for i := strings.LastIndexByte(line, ']'); i >= 0; i = strings.LastIndexByte(line[:i], ']') {
		if _, s := cutSeal(line[:i+1]); s != (Seal{}) {
			return s
		}
	}
	return Seal{}
}

// trimBegin looks for what was written behind BEGIN, on its line: the first
// generated line that was joined with it, or something else.
func (f *Frame) trimBegin(src []byte) {
	line := LineAt(src, f.Start)
	lead := max(strings.Index(line, "# BEGIN "), 0)
	mark, ok := f.markIn(line[lead:], true)
	if !ok || line[lead:] == mark {
		return
	}
	if at := f.Start + lead + len(mark); f.sealed(src[at:f.bodyEnd]) {
		f.body = at
	} else {
		f.behind = at
	}
}

// markIn returns the mark that a text begins with, in the longest form.
func (f *Frame) markIn(text string, begin bool) (mark string, ok bool) {
	for _, noNewline := range []bool{true, false} {
		g := *f
		g.noNewline = noNewline
		mark := g.endMark()
		if begin {
			mark = g.beginMark()
		}
		if strings.HasPrefix(text, mark) {
			f.noNewline = f.noNewline || noNewline
			return mark, true
		}
	}
	return "", false
}

// findEnd looks for the place of a lost END, before the offset below.
func (f *Frame) findEnd(src []byte, below int) bool {
	g := *f
	g.noNewline = false
	if i := bytes.Index(src[f.body:below], []byte(g.endMark())); i >= 0 {
		f.endOf(src, f.body+i)
		f.bodyEnd = max(uncommented(src, f.body+i), f.body)
		return true
	}
	if at := window(src[f.body:below], f.Seal.sum); at >= 0 {
		f.bodyEnd = f.body + at
		f.End = f.bodyEnd
		for _, p := range f.torn(src, f.bodyEnd, lineEnds(src, f.bodyEnd, below), f.endMark()) {
			if p.start == f.End {
				f.End = p.end
			} else {
				f.drop = append(f.drop, p)
			}
		}
		return true
	}
	if two := divided(src, f.body, below, f.endMark()); two != nil {
		f.bodyEnd, f.End = two[0].start, two[0].end
		f.drop = append(f.drop, two[1])
		return true
	}
	for pos := f.body; pos < below; pos = lineEnd(src, pos) {
		if similar(LineAt(src, pos), f.endMark()) {
			f.bodyEnd, f.End = pos, lineEnd(src, pos)
			return true
		}
	}
	return false
}

// uncommented is where a mark's line begins, if nothing stands before the mark
// but what makes a comment.
func uncommented(src []byte, at int) int {
	if start := lineStart(src, at); len(bytes.Trim(src[start:at], "# \t")) == 0 {
		return start
	}
	return at
}

// endOf sets the end of the END mark at an offset.
func (f *Frame) endOf(src []byte, at int) {
	mark, _ := f.markIn(string(src[at:lineEnd(src, at)]), false)
	f.End = lineEnd(src, at)
	if behind := at + len(mark); len(bytes.TrimSpace(src[behind:f.End])) > 0 {
		f.behindEnd = behind
	}
}

// findBegin looks for the place of a lost BEGIN, behind the offset above.
func (f *Frame) findBegin(src []byte, above int, bare bool) bool {
	forms := []bool{true, false}
	if bare {
		forms = forms[:1]
	}
	for _, f.Managed = range forms {
		g := *f
		g.noNewline = false
		if i := bytes.LastIndex(src[above:f.bodyEnd], []byte(g.beginMark())); i >= 0 {
			f.Start = uncommented(src, above+i)
			f.body = lineEnd(src, f.Start)
			f.Line = lineOf(src, f.Start)
			return true
		}
	}
	// It is a block of its own where it has a line that is not indented.
	if at := windowAbove(src[above:f.bodyEnd], f.Seal.sum); at >= 0 {
		f.body = above + at
		f.Managed = bare || !allIndented(src[f.body:f.bodyEnd])
		f.Start = f.body
		lines := lineEnds(src, above, f.body)
		lines = lines[max(0, len(lines)-4):]
		from := f.body
		if len(lines) > 0 {
			from = lineStart(src, max(lines[0]-1, 0))
		}
		for _, p := range slices.Backward(f.torn(src, max(from, above), lines, f.beginMark())) {
			if p.end == f.Start {
				f.Start = p.start
			} else {
				f.drop = append(f.drop, p)
			}
		}
		return true
	}
	for _, f.Managed = range forms {
		if two := divided(src, above, f.bodyEnd, f.beginMark()); two != nil {
			f.Start, f.body = two[1].start, two[1].end
			f.drop = append(f.drop, two[0])
			return true
		}
	}
	for pos := lineStart(src, max(f.bodyEnd-1, 0)); ; pos = lineStart(src, pos-1) {
		if pos < above {
			break
		}
		for _, f.Managed = range forms {
			if similar(LineAt(src, pos), f.beginMark()) {
				f.Start, f.body = pos, lineEnd(src, pos)
				return true
			}
		}
		if pos == 0 {
			break
		}
	}
	// The first unit says where the block began.
	for _, f.Managed = range forms {
		list := elements(src, above, f.bodyEnd, 1, !f.Managed)
		n := countUnits(f.Seal)[f.Seal.units[:min(unitLength, len(f.Seal.units))]]
		for _, e := range slices.Backward(list) {
			if _, all := e.codes(src); !strings.HasPrefix(f.Seal.units, all) {
				continue
			}
			if n--; n == 0 {
				f.Start, f.body = e.start, e.start
				return true
			}
		}
	}
	return false
}

func allIndented(text []byte) bool {
	for pos := 0; pos < len(text); pos = lineEnd(text, pos) {
		if !whiteSpace(text[pos]) && text[pos] != '#' {
			return false
		}
	}
	return true
}

// lineEnds are the ends of the lines between two offsets.
func lineEnds(src []byte, from, to int) []int {
	var list []int
	for from < to {
		from = min(lineEnd(src, from), to)
		list = append(list, from)
	}
	return list
}

// torn finds the pieces of a mark in lines beside a block: the whole line, all
// but a few of its characters, or two lines that it was divided into.
func (f *Frame) torn(src []byte, from int, ends []int, mark string) []Edit {
	if len(ends) > 4 {
		ends = ends[:4]
	}
	if len(ends) == 0 {
		return nil
	}
	if two := divided(src, from, ends[len(ends)-1], mark); two != nil {
		return two
	}
	for _, end := range ends {
		text := LineAt(src, from)
		switch tail := strings.TrimSpace(text); {
		case similar(text, mark), len(tail) > 3 && strings.HasSuffix(mark, tail):
			return []Edit{{start: from, end: end}}
		case len(text) > 2 && strings.HasPrefix(mark, text):
			f.pieces = append(f.pieces, Leftover{lineOf(src, from), text,
				fmt.Sprintf("is like the beginning of a line of %s that is missing below; it stays", f.Owner)})
		}
		from = end
	}
	return nil
}

// divided finds two lines, at most two lines apart, that a mark was divided
// into.
func divided(src []byte, from, to int, mark string) []Edit {
	for from < to {
		end := lineEnd(src, from)
		head := LineAt(src, from)
		if head != "" && strings.HasPrefix(mark, head) {
			rest := strings.TrimSpace(mark[len(head):])
			for n, at := 0, end; n < 3 && at < to; n, at = n+1, lineEnd(src, at) {
				if tail := strings.TrimSpace(LineAt(src, at)); tail != "" && tail == rest {
					return []Edit{{start: from, end: end}, {start: at, end: lineEnd(src, at)}}
				}
			}
		}
		from = end
	}
	return nil
}

// window returns the length of the beginning of a text, in whole lines, that
// has a checksum; -1: none has.
func window(text []byte, sum string) int {
	h := sha256.New()
	for pos := 0; ; {
		if base64.RawURLEncoding.EncodeToString(h.Sum(nil))[:len(sum)] == sum {
			return pos
		}
		if pos == len(text) {
			return -1
		}
		end := lineEnd(text, pos)
		if pos > 0 {
			h.Write([]byte{'\n'})
		}
		h.Write([]byte(strings.TrimRight(string(text[pos:end]), whiteSpaces)))
		pos = end
	}
}

// maxAbove bounds what is searched above an END: a block has some kilobytes.
const maxAbove = 1 << 16

// windowAbove is window for the end of a text: it returns where it begins.
func windowAbove(text []byte, sum string) int {
	for pos := len(text); pos > 0 && len(text)-pos < maxAbove; {
		pos = lineStart(text, pos-1)
		if digest(normal(text[pos:]), len(sum)) == sum {
			return pos
		}
	}
	return -1
}

// similar reports whether a line is a mark but for a stretch of a few
// characters, or for its case.
func similar(line, mark string) bool {
	line = strings.TrimSpace(line)
	n := 0
	for n < min(len(line), len(mark)) && line[n] == mark[n] {
		n++
	}
	m := 0
	for m < min(len(line), len(mark))-n && line[len(line)-1-m] == mark[len(mark)-1-m] {
		m++
	}
	return line == mark || max(len(line), len(mark))-n-m <= 3 || strings.EqualFold(line, mark)
}

// Salvage is what of a damaged frame that can't be mended is generated for certain,
// and what may be. list are all frames of the file.
func (f Frame) Salvage(src []byte, list []Frame, why string) (edits []Edit, left []Leftover) {
	units := countUnits(f.Seal)
	if f.Line == 0 {
		left = []Leftover{{f.EndLine, LineAt(src, f.bodyEnd), why}}
		// All that may be, up to the highest that is like a written one.
		above := 0
		for _, g := range list {
			if at := max(g.End, g.body); at <= f.bodyEnd {
				above = max(above, at)
			}
		}
		all := elements(src, above, f.bodyEnd, lineOf(src, above), !f.Managed)
		missing := 0
		for _, n := range tellApart(src, all, units, !f.Managed).missing {
			missing += n
		}
		from := slices.IndexFunc(all, func(e element) bool { _, code := e.codes(src); return units[code] > 0 })
		switch {
		case f.unlisted():
			from = 0
		case from < 0:
			from = len(all)
		}
		for i, e := range all {
			if i >= from-missing {
				left = append(left, leftover(src, e, fmt.Sprintf("stands above an END of %s without BEGIN and may be part of that block; it stays",
					f.Owner)))
			}
		}
		return nil, left
	}
	left = []Leftover{{f.Line, LineAt(src, f.Start), why}}
	if f.End > 0 {
		for _, e := range elements(src, f.body, f.bodyEnd, f.Line+1, !f.Managed) {
			left = append(left, leftover(src, e, fmt.Sprintf("stands in a damaged block of %s; it stays", f.Owner)))
		}
		return nil, append(left, Leftover{f.EndLine, LineAt(src, f.bodyEnd), "ends that block; it stays"})
	}
	if f.Seal == (Seal{}) {
		return nil, left
	}
	start, end := f.body, len(src)
	for _, g := range list {
		if at := g.first(); at > f.Start {
			end = min(end, at)
		}
	}
	limit := end
	if !f.Managed {
		// Options end where the next service begins.
		for pos := start; pos < end; pos = lineEnd(src, pos) {
			if c := src[pos]; !whiteSpace(c) && c != '#' {
				end = pos
				break
			}
		}
	}
	rest := elements(src, end, limit, lineOf(src, end), true)
	all := elements(src, start, end, f.Line+1, !f.Managed)
	if f.unlisted() {
		for _, e := range all {
			left = append(left, leftover(src, e, fmt.Sprintf("stands below a BEGIN of %s without END and may be part of that block; it stays",
				f.Owner)))
		}
		return nil, left
	}
	s := tellApart(src, all, units, !f.Managed)
	edits = append(edits, Edit{start: f.Start, end: start})
	last := 0 // up to which it may be written here
	for _, e := range s.ours {
		edits = append(edits, Edit{start: e.start, end: e.end})
		last = e.start
	}
	missing := 0
	for _, n := range s.missing {
		missing += n
	}
	for i, e := range all {
		switch {
		case e.start <= last:
		case missing > 0:
			missing--
			last = e.start
		case !s.complete && e.comment && i > 0 && all[i-1].start <= last && all[i-1].end == e.start:
			last = e.start // a generated line that was made a comment may be the last
		}
	}
	if s.complete {
		left = nil
	} else {
		left[0].Why = fmt.Sprintf("the block of %s has lost its END line, and some of its lines were changed or deleted; what could be "+
			"recognized is taken out", f.Owner)
	}
	for _, e := range s.changed {
		if !s.complete || e.start <= last {
			left = append(left, leftover(src, e,
				fmt.Sprintf("stands below a BEGIN of %s without END and may be part of that block, changed; it stays", f.Owner)))
		}
	}
	for _, e := range s.theirs {
		if e.start <= last {
			left = append(left, leftover(src, e, fmt.Sprintf("stands among the lines of a block of %s without END; it stays", f.Owner)))
		}
	}
	for _, e := range rest {
		if _, all := e.codes(src); s.missing[all] > 0 {
			left = append(left, leftover(src, e, fmt.Sprintf("is like a line that is missing in a block of %s without END above; it stays",
				f.Owner)))
		}
	}
	return edits, left
}
