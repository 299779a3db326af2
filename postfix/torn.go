package postfix

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// mend makes the owner's damaged frames whole where it is certain what they
// were: the seal in one mark says what the other one was, and what stood
// between. bare: all blocks are managed ones, as in main.cf.
func mend(src []byte, list []frame, owner string, bare bool) []frame {
	list = slices.Clone(list)
	for i := range list {
		f := &list[i]
		if f.owner == owner && f.line > 0 && f.end > 0 && f.seal != (seal{}) && f.endSeal == (seal{}) {
			f.tornSeal(src)
		}
		if f.owner != owner || f.why == "" && (f.managed || !bare) &&
			(f.seal == (seal{}) || f.intact(src) || lineAt(src, f.start) == f.beginMark()) {
			continue
		}
		if f.line > 0 && f.seal == (seal{}) {
			f.seal = anySeal(lineAt(src, f.start))
		}
		if f.seal == (seal{}) {
			continue
		}
		ok := false
		switch {
		case f.line > 0 && f.end > 0:
			ok = true
			f.managed = bare || f.managed
		case f.line > 0:
			below := len(src)
			for _, g := range list {
				if at := g.first(); at > f.start {
					below = min(below, at)
				}
			}
			ok = f.findEnd(src, below)
		default:
			above := 0
			for j, g := range list {
				if at := max(g.end, g.body); j != i && at <= f.bodyEnd {
					above = max(above, at)
				}
			}
			if ok = f.findBegin(src, above, bare); !ok {
				g := *f
				g.body = above
				f.managed = bare || g.recognized(src, true) >= g.recognized(src, false)
			}
		}
		if !ok {
			continue
		}
		if f.line > 0 && f.drop == nil && lineStart(src, f.start) == f.start {
			f.trimBegin(src)
		}
		if !bare && !f.intact(src) {
			f.managed = f.recognized(src, true) >= f.recognized(src, false)
		}
		f.why = ""
		f.line, f.endLine = lineOf(src, f.start), lineOf(src, max(f.end-1, f.bodyEnd))
	}
	return list
}

// recognized is how many units of the seal a frame has as one kind of block.
func (f frame) recognized(src []byte, managed bool) int {
	return len(tellApart(src, elements(src, f.body, f.bodyEnd, 1, !managed), countUnits(f.seal, f.endSeal), !managed).ours)
}

// tornSeal finds the rest of an END line that was divided behind the owner.
func (f *frame) tornSeal(src []byte) {
	pos := f.end
	for range 3 {
		end := lineEnd(src, pos)
		if text := strings.TrimSpace(string(src[pos:end])); len(text) > sumLength && strings.HasSuffix(f.endMark(), text) {
			f.drop = append(f.drop, edit{start: pos, end: end})
		}
		pos = end
	}
}

// first is the offset where a frame, or what is there of it, begins.
func (f frame) first() int {
	if f.line > 0 {
		return f.start
	}
	return f.bodyEnd
}

// anySeal finds a seal anywhere in a line.
func anySeal(line string) seal {
	for i := strings.LastIndexByte(line, ']'); i >= 0; i = strings.LastIndexByte(line[:i], ']') {
		if _, s := cutSeal(line[:i+1]); s != (seal{}) {
			return s
		}
	}
	return seal{}
}

// trimBegin looks for what was written behind BEGIN, on its line: the first
// generated line that was joined with it, or something else.
func (f *frame) trimBegin(src []byte) {
	line := lineAt(src, f.start)
	lead := max(strings.Index(line, "# BEGIN "), 0)
	mark, ok := f.markIn(line[lead:], true)
	if !ok || line[lead:] == mark {
		return
	}
	if at := f.start + lead + len(mark); f.sealed(src[at:f.bodyEnd]) {
		f.body = at
	} else {
		f.behind = at
	}
}

// markIn returns the mark that a text begins with, in the longest form.
func (f *frame) markIn(text string, begin bool) (mark string, ok bool) {
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
func (f *frame) findEnd(src []byte, below int) bool {
	g := *f
	g.noNewline = false
	if i := bytes.Index(src[f.body:below], []byte(g.endMark())); i >= 0 {
		f.endOf(src, f.body+i)
		f.bodyEnd = max(uncommented(src, f.body+i), f.body)
		return true
	}
	if at := window(src[f.body:below], f.seal.sum); at >= 0 {
		f.bodyEnd = f.body + at
		f.end = f.bodyEnd
		for _, p := range f.torn(src, f.bodyEnd, lineEnds(src, f.bodyEnd, below), f.endMark()) {
			if p.start == f.end {
				f.end = p.end
			} else {
				f.drop = append(f.drop, p)
			}
		}
		return true
	}
	if two := divided(src, f.body, below, f.endMark()); two != nil {
		f.bodyEnd, f.end = two[0].start, two[0].end
		f.drop = append(f.drop, two[1])
		return true
	}
	for pos := f.body; pos < below; pos = lineEnd(src, pos) {
		if similar(lineAt(src, pos), f.endMark()) {
			f.bodyEnd, f.end = pos, lineEnd(src, pos)
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
func (f *frame) endOf(src []byte, at int) {
	mark, _ := f.markIn(string(src[at:lineEnd(src, at)]), false)
	f.end = lineEnd(src, at)
	if behind := at + len(mark); len(bytes.TrimSpace(src[behind:f.end])) > 0 {
		f.behindEnd = behind
	}
}

// findBegin looks for the place of a lost BEGIN, behind the offset above.
func (f *frame) findBegin(src []byte, above int, bare bool) bool {
	forms := []bool{true, false}
	if bare {
		forms = forms[:1]
	}
	for _, f.managed = range forms {
		g := *f
		g.noNewline = false
		if i := bytes.LastIndex(src[above:f.bodyEnd], []byte(g.beginMark())); i >= 0 {
			f.start = uncommented(src, above+i)
			f.body = lineEnd(src, f.start)
			f.line = lineOf(src, f.start)
			return true
		}
	}
	// It is a block of its own where it has a line that is not indented.
	if at := windowAbove(src[above:f.bodyEnd], f.seal.sum); at >= 0 {
		f.body = above + at
		f.managed = bare || !allIndented(src[f.body:f.bodyEnd])
		f.start = f.body
		lines := lineEnds(src, above, f.body)
		lines = lines[max(0, len(lines)-4):]
		from := f.body
		if len(lines) > 0 {
			from = lineStart(src, max(lines[0]-1, 0))
		}
		for _, p := range slices.Backward(f.torn(src, max(from, above), lines, f.beginMark())) {
			if p.end == f.start {
				f.start = p.start
			} else {
				f.drop = append(f.drop, p)
			}
		}
		return true
	}
	for _, f.managed = range forms {
		if two := divided(src, above, f.bodyEnd, f.beginMark()); two != nil {
			f.start, f.body = two[1].start, two[1].end
			f.drop = append(f.drop, two[0])
			return true
		}
	}
	for pos := lineStart(src, max(f.bodyEnd-1, 0)); ; pos = lineStart(src, pos-1) {
		if pos < above {
			break
		}
		for _, f.managed = range forms {
			if similar(lineAt(src, pos), f.beginMark()) {
				f.start, f.body = pos, lineEnd(src, pos)
				return true
			}
		}
		if pos == 0 {
			break
		}
	}
	// The first unit says where the block began.
	for _, f.managed = range forms {
		list := elements(src, above, f.bodyEnd, 1, !f.managed)
		n := countUnits(f.seal)[f.seal.units[:min(unitLength, len(f.seal.units))]]
		for _, e := range slices.Backward(list) {
			if _, all := e.codes(src); !strings.HasPrefix(f.seal.units, all) {
				continue
			}
			if n--; n == 0 {
				f.start, f.body = e.start, e.start
				return true
			}
		}
	}
	return false
}

func allIndented(text []byte) bool {
	for pos := 0; pos < len(text); pos = lineEnd(text, pos) {
		if !isSpace(text[pos]) && text[pos] != '#' {
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
func (f *frame) torn(src []byte, from int, ends []int, mark string) []edit {
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
		text := lineAt(src, from)
		switch tail := strings.TrimSpace(text); {
		case similar(text, mark), len(tail) > 3 && strings.HasSuffix(mark, tail):
			return []edit{{start: from, end: end}}
		case len(text) > 2 && strings.HasPrefix(mark, text):
			f.pieces = append(f.pieces, Leftover{lineOf(src, from), text,
				fmt.Sprintf("is like the beginning of a line of %s that is missing below; it stays", f.owner)})
		}
		from = end
	}
	return nil
}

// divided finds two lines, at most two lines apart, that a mark was divided
// into.
func divided(src []byte, from, to int, mark string) []edit {
	for from < to {
		end := lineEnd(src, from)
		head := lineAt(src, from)
		if head != "" && strings.HasPrefix(mark, head) {
			rest := strings.TrimSpace(mark[len(head):])
			for n, at := 0, end; n < 3 && at < to; n, at = n+1, lineEnd(src, at) {
				if tail := strings.TrimSpace(lineAt(src, at)); tail != "" && tail == rest {
					return []edit{{start: from, end: end}, {start: at, end: lineEnd(src, at)}}
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
		if base64.RawURLEncoding.EncodeToString(h.Sum(nil))[:sumLength] == sum {
			return pos
		}
		if pos == len(text) {
			return -1
		}
		end := lineEnd(text, pos)
		if pos > 0 {
			h.Write([]byte{'\n'})
		}
		h.Write([]byte(strings.TrimRight(string(text[pos:end]), spaces)))
		pos = end
	}
}

// maxAbove bounds what is searched above an END: a block has some kilobytes.
const maxAbove = 1 << 16

// windowAbove is window for the end of a text: it returns where it begins.
func windowAbove(text []byte, sum string) int {
	for pos := len(text); pos > 0 && len(text)-pos < maxAbove; {
		pos = lineStart(text, pos-1)
		if digest(normal(text[pos:]), sumLength) == sum {
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

// salvage is what of a damaged frame that can't be mended is generated for certain,
// and what may be. list are all frames of the file.
func (f frame) salvage(src []byte, list []frame, why string) (edits []edit, left []Leftover) {
	units := countUnits(f.seal)
	if f.line == 0 {
		left = []Leftover{{f.endLine, lineAt(src, f.bodyEnd), why}}
		// All that may be, up to the highest that is like one of ours.
		above := 0
		for _, g := range list {
			if at := max(g.end, g.body); at <= f.bodyEnd {
				above = max(above, at)
			}
		}
		all := elements(src, above, f.bodyEnd, lineOf(src, above), !f.managed)
		missing := 0
		for _, n := range tellApart(src, all, units, !f.managed).missing {
			missing += n
		}
		from := slices.IndexFunc(all, func(e element) bool { _, code := e.codes(src); return units[code] > 0 })
		if from < 0 {
			from = len(all)
		}
		for i, e := range all {
			if i >= from-missing {
				left = append(left, leftover(src, e, fmt.Sprintf("stands above an END of %s without BEGIN and may be part of that block; it stays",
					f.owner)))
			}
		}
		return nil, left
	}
	left = []Leftover{{f.line, lineAt(src, f.start), why}}
	if f.end > 0 {
		for _, e := range elements(src, f.body, f.bodyEnd, f.line+1, !f.managed) {
			left = append(left, leftover(src, e, fmt.Sprintf("stands in a damaged block of %s; it stays", f.owner)))
		}
		return nil, append(left, Leftover{f.endLine, lineAt(src, f.bodyEnd), "ends that block; it stays"})
	}
	if f.seal == (seal{}) {
		return nil, left
	}
	start, end := f.body, len(src)
	for _, g := range list {
		if at := g.first(); at > f.start {
			end = min(end, at)
		}
	}
	limit := end
	if !f.managed {
		// Options end where the next service begins.
		for pos := start; pos < end; pos = lineEnd(src, pos) {
			if c := src[pos]; !isSpace(c) && c != '#' {
				end = pos
				break
			}
		}
	}
	rest := elements(src, end, limit, lineOf(src, end), true)
	all := elements(src, start, end, f.line+1, !f.managed)
	s := tellApart(src, all, units, !f.managed)
	edits = append(edits, edit{start: f.start, end: start})
	last := 0 // up to which it may be ours
	for _, e := range s.ours {
		edits = append(edits, edit{start: e.start, end: e.end})
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
			"recognized is taken out", f.owner)
	}
	for _, e := range s.changed {
		if !s.complete || e.start <= last {
			left = append(left, leftover(src, e,
				fmt.Sprintf("stands below a BEGIN of %s without END and may be part of that block, changed; it stays", f.owner)))
		}
	}
	for _, e := range s.theirs {
		if e.start <= last {
			left = append(left, leftover(src, e, fmt.Sprintf("stands among the lines of a block of %s without END; it stays", f.owner)))
		}
	}
	for _, e := range rest {
		if _, all := e.codes(src); s.missing[all] > 0 {
			left = append(left, leftover(src, e, fmt.Sprintf("is like a line that is missing in a block of %s without END above; it stays",
				f.owner)))
		}
	}
	return edits, left
}
