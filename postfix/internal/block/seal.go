package block

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A BEGIN line and its END line end in a seal, "[Jx4uNQ8d]" or "[Jx4uNQ8d0aB3]":
// eight characters over the whole block, and four over the lines that are out of
// use for it where there are some. The list of a seal ([Seals]) has six
// characters for each unit of the block, two over its name and four over all of
// it, and six for each line that is out of use. By the seal an edit within the
// block is seen, by the list what of the block is generated and what was added
// there is told apart. White space at the ends of lines doesn't count.
//
// Earlier blocks have the list in the seal, "[Jx4uNQ 8d3kLpZs... 0aB3-x...]" with
// six characters over the block; still earlier ones in the BEGIN line alone, or
// no seal: those are taken as they are found.
const (
	sumLength   = 8
	asideLength = 4
	oldLength   = 6 // of the sum of a seal that has its list in itself
	nameLength  = 2
	unitLength  = 6
)

// element is a line of a block, with the lines that continue it.
type element struct {
	line       int // physical
	start, end int // offsets
	name       string
	comment    bool
}

// elements divides the text between a BEGIN and an END line. inside: all of it
// continues a service, so that every line of it is an option of its own.
func elements(src []byte, start, end, line int, inside bool) []element {
	var list []element
	last := -1 // what an indented line continues
	for pos := start; pos < end; line++ {
		from, stop := pos, end
		if i := bytes.IndexByte(src[pos:end], '\n'); i >= 0 {
			stop = pos + i + 1
		}
		pos = stop
		text := strings.TrimSpace(string(src[from:stop]))
		switch {
		case text == "":
		case text[0] == '#':
			list = append(list, element{line, from, stop, "", true})
		case !inside && whiteSpace(src[from]) && last >= 0 && last == len(list)-1:
			list[last].end = stop
		default:
			// A line that continues one above a comment is an element of its own.
			last = len(list)
			list = append(list, element{line, from, stop, unitName(text), false})
		}
	}
	return list
}

// unitName is what a line defines: an option, a parameter, or a service by name
// and type.
func unitName(text string) string {
	option := false
	if rest, ok := strings.CutPrefix(text, "-o"); ok {
		text, option = strings.TrimLeft(rest, " \t{"), true
	}
	name, _, equals := strings.Cut(text, "=")
	name = strings.TrimSpace(name)
	if equals && !strings.ContainsAny(name, " \t") {
		if option {
			return "-o " + name
		}
		return name
	}
	fields := strings.Fields(text)
	return strings.Join(fields[:min(2, len(fields))], " ")
}

func digest(text string, n int) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:n]
}

// normal is a text without the white space at the ends of its lines.
func normal(text []byte) string {
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], whiteSpaces)
	}
	return strings.Join(lines, "\n")
}

// codes are those of an element: its name's and the whole one. Empty lines
// within it don't count.
func (e element) codes(src []byte) (name, all string) {
	text := normal(src[e.start:e.end])
	for strings.Contains(text, "\n\n") {
		text = strings.ReplaceAll(text, "\n\n", "\n")
	}
	text = strings.TrimRight(text, "\n")
	if e.comment {
		return "", digest(text, unitLength)
	}
	name = digest("name "+e.name, nameLength)
	return name, name + digest(text, unitLength-nameLength)
}

// countUnits counts the units of seals; of several seals of the same block, one
// of which may be damaged, the larger number counts.
func countUnits(seals ...Seal) map[string]int {
	all := map[string]int{}
	for _, s := range seals {
		n := map[string]int{}
		for u := s.units; len(u) >= unitLength; u = u[unitLength:] {
			n[u[:unitLength]]++
			all[u[:unitLength]] = max(all[u[:unitLength]], n[u[:unitLength]])
		}
	}
	return all
}

// Leftover is a line in or about an owner's part of a file that is not as it
// was written.
type Leftover struct {
	Line int    // in the file as it was
	Text string // the line, with those that continue it
	Why  string // what was found, and what became of it
}

// sorted are the parts of an edited block.
type sorted struct {
	ours     []element      // as they were written
	changed  []element      // by their name written here, by their text not
	theirs   []element      // neither
	missing  map[string]int // units of the seal that are not among those written
	complete bool           // there are none
}

// tellApart tells by the units of a seal what of a text is generated. A copy of a
// generated line counts as changed: it may be the customer's.
func tellApart(src []byte, list []element, units map[string]int, inside bool) sorted {
	left := maps.Clone(units)
	names := map[string]bool{}
	for u := range units {
		names[u[:nameLength]] = true
	}
	var s sorted
	for _, e := range list {
		name, all := e.codes(src)
		switch {
		case left[all] > 0:
			left[all]--
			s.ours = append(s.ours, e)
		case !e.comment && (names[name] || !inside && whiteSpace(src[e.start])):
			// An indented line that lost what it continues must not continue
			// something else.
			s.changed = append(s.changed, e)
		default:
			s.theirs = append(s.theirs, e)
		}
	}
	s.missing = left
	s.complete = true
	for _, n := range left {
		s.complete = s.complete && n == 0
	}
	return s
}

// Write writes a block with its comment lines; managed: one of its own, not
// within a service. asides are the lines that are out of use for it.
func Write(b *bytes.Buffer, owner string, body []byte, asides []string, managed bool) {
	f := Frame{Owner: owner, Managed: managed, Seal: sealOf(body, asides, !managed)}
	if n := b.Len(); n > 0 && b.Bytes()[n-1] != '\n' {
		b.WriteByte('\n')
		f.noNewline = true
	}
	b.WriteString(f.beginMark() + "\n")
	b.Write(body)
	b.WriteString(f.endMark() + "\n")
}

// beginMark is the BEGIN line as it is written.
func (f Frame) beginMark() string {
	line := BeginLine(f.Owner)
	if f.Managed {
		line += ManagedText
	}
	return line + f.tail()
}

// endMark is the END line as it is written.
func (f Frame) endMark() string { return endLine(f.Owner) + f.tail() }

func (f Frame) tail() string {
	if f.noNewline {
		return f.Seal.String() + NoNewlineText
	}
	return f.Seal.String()
}

// sealed reports whether a text is the one that the seal was made over.
func (f Frame) sealed(body []byte) bool {
	return f.Seal.covers(body) || f.endSeal.covers(body)
}

// intact reports whether a whole frame is as it was written, as far as it can
// tell.
func (f Frame) intact(src []byte) bool {
	return f.Seal == (Seal{}) || f.sealed(src[f.body:f.bodyEnd])
}

// marks returns the edits that take the marks out, and what was written behind
// them.
func (f Frame) marks(src []byte) (edits []Edit, left []Leftover) {
	begin, end := Edit{start: f.Start, end: f.body}, Edit{start: f.bodyEnd, end: f.End}
	if f.behind > 0 {
		begin.end, begin.text = f.behind, "# "
		left = append(left, Leftover{f.Line, LineAt(src, f.Start),
			fmt.Sprintf("was written behind the BEGIN of %s; it stays as a comment", f.Owner)})
	} else if f.Start > 0 && src[f.Start-1] != '\n' {
		begin.text = "\n" // a line that was joined with the mark
	}
	if f.behindEnd > 0 {
		end.end, end.text = f.behindEnd, "# "
		at := lineStart(src, f.bodyEnd)
		left = append(left, Leftover{lineOf(src, at), LineAt(src, at),
			fmt.Sprintf("was written behind the END of %s; it stays as a comment", f.Owner)})
	}
	return append([]Edit{begin, end}, f.drop...), append(left, f.pieces...)
}

// opened returns the edits that take a whole frame out, and what is left of it.
func (f Frame) opened(src []byte, prefix string) (edits []Edit, left []Leftover) {
	edits, left = f.marks(src)
	if f.intact(src) {
		return append(edits, Edit{start: f.body, end: f.bodyEnd}), left
	}
	list := slices.DeleteFunc(elements(src, f.body, f.bodyEnd, lineOf(src, f.body), !f.Managed), func(e element) bool {
		return e.comment && strings.HasPrefix(string(src[e.start:e.end]), prefix)
	})
	s := tellApart(src, list, countUnits(f.Seal, f.endSeal), !f.Managed)
	for _, e := range s.ours {
		edits = append(edits, Edit{start: e.start, end: e.end})
	}
	for _, e := range s.changed {
		edits = append(edits, commented(src, e)...)
		left = append(left, leftover(src, e, fmt.Sprintf("was changed within the block of %s; it stays as a comment", f.Owner)))
	}
	for _, e := range s.theirs {
		what := "was added within the block of %s; it stays"
		if e.comment {
			what = "a comment that was added or changed within the block of %s; it stays"
		}
		left = append(left, leftover(src, e, fmt.Sprintf(what, f.Owner)))
	}
	// Empty lines stay between two lines that do.
	kept := map[int]bool{}
	for _, e := range slices.Concat(s.changed, s.theirs) {
		kept[e.start] = true
	}
	after := false
	for i, e := range list {
		if from := e.end; i+1 < len(list) && kept[e.start] && kept[list[i+1].start] {
			continue
		} else if i+1 < len(list) {
			edits = append(edits, blanks(src, from, list[i+1].start)...)
		} else {
			edits = append(edits, blanks(src, from, f.bodyEnd)...)
		}
		after = kept[e.start]
	}
	if len(list) == 0 {
		edits = append(edits, blanks(src, f.body, f.bodyEnd)...)
	} else {
		edits = append(edits, blanks(src, f.body, list[0].start)...)
	}
	if after && src[f.bodyEnd-1] != '\n' && f.behindEnd == 0 {
		edits[1].text = "\n"
	}
	return edits, left
}

// blanks returns the edits that take out the empty lines between two offsets.
func blanks(src []byte, from, to int) []Edit {
	var edits []Edit
	for from < to {
		end := min(lineEnd(src, from), to)
		if len(bytes.TrimSpace(src[from:end])) == 0 {
			edits = append(edits, Edit{start: from, end: end})
		}
		from = end
	}
	return edits
}

// detached makes comments of the lines below a block that continue its last
// entry.
func (f Frame) detached(src []byte) (edits []Edit, left []Leftover) {
	if !f.Managed || f.behindEnd > 0 {
		return nil, nil
	}
	next := f.End
	for next < len(src) && blankLine(src[next:lineEnd(src, next)]) {
		next = lineEnd(src, next)
	}
	if next == len(src) || !whiteSpace(src[next]) {
		return nil, nil
	}
	list := slices.DeleteFunc(elements(src, f.body, f.bodyEnd, 1, false), func(e element) bool { return e.comment })
	if len(list) == 0 {
		return nil, nil
	}
	ours, complete := f.intact(src), true
	if !ours {
		s := tellApart(src, list, countUnits(f.Seal, f.endSeal), false)
		ours = !slices.ContainsFunc(s.theirs, func(e element) bool { return e.start == list[len(list)-1].start })
		complete = s.complete
	}
	line := lineOf(src, f.End)
	for pos := f.End; (ours || !complete) && pos < len(src); line++ {
		end := lineEnd(src, pos)
		if !blankLine(src[pos:end]) {
			if !whiteSpace(src[pos]) {
				break
			}
			if slices.ContainsFunc(f.drop, func(d Edit) bool { return d.start == pos }) {
				pos = end
				continue
			}
			e := element{line: line, start: pos, end: end}
			if ours {
				edits = append(edits, commented(src, e)...)
				left = append(left, leftover(src, e, fmt.Sprintf("continued the block of %s; it stays as a comment", f.Owner)))
			} else {
				left = append(left, leftover(src, e,
					fmt.Sprintf("continues a line within the block of %s that stays, and may be of that block; it stays", f.Owner)))
			}
		}
		pos = end
	}
	return edits, left
}

// commented makes comments of an element's lines.
func commented(src []byte, e element) []Edit {
	var edits []Edit
	for pos := e.start; pos < e.end; pos = lineEnd(src, pos) {
		if len(bytes.TrimSpace(src[pos:min(lineEnd(src, pos), e.end)])) > 0 {
			edits = append(edits, Edit{start: pos, end: pos, text: "# "})
		}
	}
	return edits
}

func leftover(src []byte, e element, why string) Leftover {
	return Leftover{e.line, normal(src[e.start:e.end]), why}
}

// lineStart and lineEnd are the offsets of the physical line around an offset,
// with its line end.
func lineStart(src []byte, pos int) int { return bytes.LastIndexByte(src[:pos], '\n') + 1 }

func lineEnd(src []byte, pos int) int {
	if i := bytes.IndexByte(src[pos:], '\n'); i >= 0 {
		return pos + i + 1
	}
	return len(src)
}

// lineOf is the number of the physical line at an offset.
func lineOf(src []byte, pos int) int { return 1 + bytes.Count(src[:pos], []byte{'\n'}) }

// LineAt is the physical line at an offset, without its line end.
func LineAt(src []byte, start int) string {
	line, _, _ := bytes.Cut(src[start:], []byte{'\n'})
	return strings.TrimRight(string(line), whiteSpaces)
}
