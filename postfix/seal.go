package postfix

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// A BEGIN line ends in a seal, "[Jx4uNQ 8d3kLpZs...]": six characters over the
// whole block, and six for each unit of it, two over its name and four over all
// of it. By it an edit within the block is seen, and what of the block is ours
// and what was added there told apart. White space at the ends of lines doesn't
// count. Blocks without a seal are taken as they are found.
const (
	sumLength  = 6
	nameLength = 2
	unitLength = 6
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
		case !inside && isSpace(src[from]) && last >= 0 && last == len(list)-1:
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
		lines[i] = strings.TrimRight(lines[i], spaces)
	}
	return strings.Join(lines, "\n")
}

// codes are those of an element: its name's and the whole one.
func (e element) codes(src []byte) (name, all string) {
	text := normal(src[e.start:e.end])
	if e.comment {
		return "", digest(text, unitLength)
	}
	name = digest("name "+e.name, nameLength)
	return name, name + digest(text, unitLength-nameLength)
}

// sealOf returns the seal of a block's text.
func sealOf(body []byte, inside bool) string {
	var b strings.Builder
	b.WriteString(" [" + digest(normal(body), sumLength))
	for i, e := range elements(body, 0, len(body), 1, inside) {
		if i == 0 {
			b.WriteByte(' ')
		}
		_, all := e.codes(body)
		b.WriteString(all)
	}
	return b.String() + "]"
}

// cutSeal takes a seal off the end of a BEGIN line.
func cutSeal(text string) (rest, seal string) {
	i := strings.LastIndex(text, " [")
	if i < 0 || !strings.HasSuffix(text, "]") {
		return text, ""
	}
	seal = text[i+2 : len(text)-1]
	sum, units, _ := strings.Cut(seal, " ")
	if len(sum) != sumLength || len(units)%unitLength != 0 || strings.Trim(sum+units, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return text, ""
	}
	return text[:i], seal
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
	ours     []element // as we wrote them
	changed  []element // by their name ours, by their text not
	theirs   []element // neither
	complete bool      // every unit of the seal is among ours
}

// tellApart tells by the seal what of a text is ours.
func tellApart(src []byte, list []element, seal string, inside bool) sorted {
	_, units, _ := strings.Cut(seal, " ")
	left := map[string]int{}
	names := map[string]bool{}
	for ; len(units) >= unitLength; units = units[unitLength:] {
		left[units[:unitLength]]++
		names[units[:nameLength]] = true
	}
	var s sorted
	for _, e := range list {
		name, all := e.codes(src)
		switch {
		case left[all] > 0:
			left[all]--
			s.ours = append(s.ours, e)
		case !e.comment && (names[name] || !inside && isSpace(src[e.start])):
			// An indented line that lost what it continues must not continue
			// something else.
			s.changed = append(s.changed, e)
		default:
			s.theirs = append(s.theirs, e)
		}
	}
	s.complete = true
	for _, n := range left {
		s.complete = s.complete && n == 0
	}
	return s
}

// writeFrame writes a block with its comment lines; managed: one of its own, not
// within a service.
func writeFrame(b *bytes.Buffer, owner string, body []byte, managed bool) {
	line := beginLine(owner)
	if managed {
		line += managedText
	}
	line += sealOf(body, !managed)
	if n := b.Len(); n > 0 && b.Bytes()[n-1] != '\n' {
		b.WriteByte('\n')
		line += noNewlineText
	}
	b.WriteString(line + "\n")
	b.Write(body)
	b.WriteString(endLine(owner) + "\n")
}

// body returns the offsets between a whole frame's BEGIN and END lines.
func (f frame) body(src []byte) (start, end int) {
	start = f.start + bytes.IndexByte(src[f.start:], '\n') + 1
	end = f.end
	if src[end-1] == '\n' {
		end--
	}
	return start, bytes.LastIndexByte(src[:end], '\n') + 1
}

// intact reports whether a whole frame is as it was written, as far as it can
// tell.
func (f frame) intact(src []byte) bool {
	if f.seal == "" {
		return true
	}
	start, end := f.body(src)
	return digest(normal(src[start:end]), sumLength) == f.seal[:sumLength]
}

// opened returns the edits that take a frame out whose contents were edited,
// and what is left of it.
func (f frame) opened(src []byte) (edits []edit, left []Leftover) {
	start, end := f.body(src)
	edits = append(edits, edit{start: f.start, end: start}, edit{start: end, end: f.end})
	s := tellApart(src, elements(src, start, end, f.line+1, !f.managed), f.seal, !f.managed)
	for _, e := range s.ours {
		edits = append(edits, edit{start: e.start, end: e.end})
	}
	for _, e := range s.changed {
		edits = append(edits, commented(src, e)...)
		left = append(left, leftover(src, e, fmt.Sprintf("was changed within the block of %s; it stays as a comment", f.owner)))
	}
	for _, e := range s.theirs {
		if !e.comment {
			left = append(left, leftover(src, e, fmt.Sprintf("was added within the block of %s; it stays", f.owner)))
		}
	}
	slices.SortFunc(left, func(a, b Leftover) int { return a.Line - b.Line })
	return edits, left
}

// salvage is what of a damaged frame is ours for certain, and what may be. list
// are all frames of the file.
func (f frame) salvage(src []byte, list []frame, why string, managed bool) (edits []edit, left []Leftover) {
	left = []Leftover{{f.line, lineAt(src, f.start), why}}
	if f.seal == "" {
		return nil, left
	}
	f.managed = managed
	if f.end > 0 {
		return f.opened(src)
	}
	start, end := len(src), len(src)
	if i := bytes.IndexByte(src[f.start:], '\n'); i >= 0 {
		start = f.start + i + 1
	}
	for _, g := range list {
		if g.start > f.start {
			end = min(end, g.start)
		}
	}
	if !managed {
		// Options end where the next service begins.
		for pos := start; pos < end; {
			if c := src[pos]; !isSpace(c) && c != '#' {
				end = pos
				break
			}
			i := bytes.IndexByte(src[pos:end], '\n')
			if i < 0 {
				break
			}
			pos += i + 1
		}
	}
	s := tellApart(src, elements(src, start, end, f.line+1, !managed), f.seal, !managed)
	edits = append(edits, edit{start: f.start, end: start})
	for _, e := range s.ours {
		edits = append(edits, edit{start: e.start, end: e.end})
	}
	if s.complete {
		return edits, nil
	}
	left[0].Why = fmt.Sprintf("the block of %s has lost its END line, and some of its lines were changed or deleted; what could be recognized is taken out", f.owner)
	for _, e := range s.changed {
		left = append(left, leftover(src, e, fmt.Sprintf("stands below a BEGIN of %s without END and may be part of that block, changed; it stays", f.owner)))
	}
	return edits, left
}

// detached makes comments of the lines below a block that continue its last
// entry.
func detached(src []byte, parts []part, f frame) (edits []edit, left []Leftover) {
	for _, p := range parts {
		if p.line <= f.endLine {
			continue
		}
		e := element{line: p.line, start: p.start, end: p.end}
		edits = append(edits, commented(src, e)...)
		left = append(left, leftover(src, e, fmt.Sprintf("continued the block of %s; it stays as a comment", f.owner)))
	}
	return edits, left
}

// commented makes comments of an element's lines.
func commented(src []byte, e element) []edit {
	var edits []edit
	for pos := e.start; pos < e.end; {
		edits = append(edits, edit{start: pos, end: pos, text: "# "})
		i := bytes.IndexByte(src[pos:e.end], '\n')
		if i < 0 {
			break
		}
		pos += i + 1
	}
	return edits
}

func leftover(src []byte, e element, why string) Leftover {
	return Leftover{e.line, normal(src[e.start:e.end]), why}
}

// lineAt is the physical line at an offset, without its line end.
func lineAt(src []byte, start int) string {
	line, _, _ := bytes.Cut(src[start:], []byte{'\n'})
	return strings.TrimRight(string(line), spaces)
}
