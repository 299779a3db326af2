// Package block frames what is generated within somebody's file by comment lines,
// seals it, and takes it out again: untouched, edited, torn, moved or with its
// marks gone. It knows lines and what they define, of main.cf and of master.cf.
package block

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// What is generated in a customer's file is framed by comment lines, so that it
// can be found and, as long as nobody edited it, undone without a second file:
//
//	# BEGIN owner: managed block, change the policy instead
//	...
//	# END owner
//
// in main.cf and at the end of master.cf, the shorter "# BEGIN owner" within a
// service of master.cf, and "#owner# " before a customer's line that is out of
// use meanwhile. Both lines end in the block's seal, so that either of them is
// enough to find it. Where the file had no newline at its end, the first frame
// that is appended to it says so.
const (
	ManagedText   = ": managed block, change the policy instead"
	NoNewlineText = " (the file had no newline at its end)"
)

// BeginLine is how a BEGIN line begins.
func BeginLine(owner string) string { return "# BEGIN " + owner }

func endLine(owner string) string { return "# END " + owner }

// PrefixOf stands before a customer's line that is out of use.
func PrefixOf(owner string) string { return "#" + owner + "# " }

// Frame is one BEGIN line with its END line.
type Frame struct {
	Owner         string
	Line, EndLine int // physical lines of BEGIN and END
	Start, End    int // offsets: of BEGIN, and after END's line end
	body, bodyEnd int // offsets of what is between
	Managed       bool
	noNewline     bool
	Seal, endSeal Seal   // that of BEGIN, or where it has none, of END; that of END
	Why           string // what is wrong with it

	// What somebody wrote behind the marks, on their lines, and stays: 0, or the
	// offset where it begins.
	behind, behindEnd int
	drop              []Edit     // torn pieces of the marks
	pieces            []Leftover // what may be some
}

// Find finds the frames in a file, in its order. Frames of others than owner
// are reported only where they are whole: a customer may well begin a comment
// with BEGIN.
func Find(src []byte, owner string) []Frame {
	var list []Frame
	open := make(map[string]Frame)
	for pos, line := 0, 1; pos < len(src); line++ {
		start, stop, end := pos, len(src), len(src)
		if i := bytes.IndexByte(src[pos:], '\n'); i >= 0 {
			stop, end = pos+i, pos+i+1
		}
		pos = end
		if src[start] != '#' {
			continue
		}
		text := string(bytes.TrimRight(src[start:stop], whiteSpaces))
		if rest, ok := strings.CutPrefix(text, "# BEGIN "); ok {
			f := Frame{Line: line, Start: start, body: end}
			f.Owner, rest, _ = cutOwner(rest)
			rest, f.noNewline = strings.CutSuffix(rest, NoNewlineText)
			rest, f.Seal = cutSeal(rest)
			f.Managed = rest == ManagedText
			if rest != "" && !f.Managed {
				if f.Owner != owner || rest[0] != ':' {
					continue // somebody's comment
				}
				f.Managed = true
				f.Why = fmt.Sprintf("the text after %q was changed: restore %q", BeginLine(owner), BeginLine(owner)+ManagedText)
			}
			if was, ok := open[f.Owner]; ok && f.Owner == owner {
				was.Why = fmt.Sprintf("a BEGIN without its END: put %q where the block ends, or delete the block", endLine(owner))
				list = append(list, was)
			}
			open[f.Owner] = f
			continue
		}
		if rest, ok := strings.CutPrefix(text, "# END "); ok {
			rest, noNewline := strings.CutSuffix(rest, NoNewlineText)
			rest, endSeal := cutSeal(rest)
			f, ok := open[rest]
			if !ok {
				if rest == owner {
					list = append(list, Frame{Owner: owner, EndLine: line, bodyEnd: start, End: end, Seal: endSeal, endSeal: endSeal, noNewline: noNewline,
						Why: fmt.Sprintf("an END without its BEGIN: put %q where the block begins, or delete the line", BeginLine(owner))})
				}
				continue
			}
			delete(open, rest)
			f.EndLine, f.bodyEnd, f.End, f.endSeal = line, start, end, endSeal
			if f.Seal == (Seal{}) {
				f.Seal = endSeal
			}
			list = append(list, f)
		}
	}
	if f, ok := open[owner]; ok {
		f.Why = fmt.Sprintf("a BEGIN without its END: put %q where the block ends, or delete the block", endLine(owner))
		list = append(list, f)
	}
	return list
}

// cutOwner splits what follows BEGIN.
func cutOwner(text string) (owner, rest string, ok bool) {
	n := 0
	for n < len(text) && isOwnerByte(text[n]) {
		n++
	}
	return text[:n], text[n:], n > 0
}

func isOwnerByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// ValidOwner reports whether a name can stand in the marks.
func ValidOwner(owner string) bool {
	_, rest, ok := cutOwner(owner)
	return ok && rest == ""
}

// IsMark reports whether a comment line that is written would read as part of
// a frame.
func IsMark(comment string) bool {
	for line := range strings.SplitSeq(comment, "\n") {
		if strings.HasPrefix(line, "BEGIN ") || strings.HasPrefix(line, "END ") {
			return true
		}
	}
	return false
}

// Enclosing returns the owner of the block around a physical line.
func Enclosing(list []Frame, line int) string {
	for _, f := range list {
		if f.Managed && f.Why == "" && f.Line < line && line < f.EndLine {
			return f.Owner
		}
	}
	return ""
}

// Physical is one line of a file: its number from 1, and where it stands.
type Physical struct{ Line, Start, end int }

// PrefixedLines finds the lines that stand behind the owner's prefix.
func PrefixedLines(src []byte, owner string) []Physical {
	var list []Physical
	prefix := []byte(PrefixOf(owner))
	for pos, line := 0, 1; pos < len(src); line++ {
		start, end := pos, len(src)
		if i := bytes.IndexByte(src[pos:], '\n'); i >= 0 {
			end = pos + i + 1
		}
		if bytes.HasPrefix(src[start:end], prefix) {
			list = append(list, Physical{line, start, end})
		}
		pos = end
	}
	return list
}

// Edit replaces a stretch of text.
type Edit struct {
	start, end int
	text       string
}

// apply returns src with the edits made; of overlapping ones the first begins,
// and nothing is inserted into what is taken out.
func apply(src []byte, edits []Edit) []byte {
	slices.SortStableFunc(edits, func(a, b Edit) int { return a.start - b.start })
	b := make([]byte, 0, len(src))
	from := 0
	for _, e := range edits {
		if e.start < from && e.start == e.end {
			continue
		}
		if e.start > from {
			b = append(b, src[from:e.start]...)
			from = e.start
		}
		b = append(b, e.text...)
		from = max(from, e.end)
	}
	return append(b, src[from:]...)
}

// Cut returns src without the owner's whole frames, in order, and without the
// prefixes. What was edited in a frame and isn't generated stays, and is reported.
//
// list are all frames of the file. lenient: what looks like a mark of the
// owner's is reported.
func Cut(src []byte, list, own []Frame, owner string, edits []Edit, left []Leftover, lenient bool) ([]byte, []Leftover) {
	for i, f := range own {
		some, rest := f.opened(src, PrefixOf(owner))
		edits, left = append(edits, some...), append(left, rest...)
		if lenient {
			some, rest := f.detached(src)
			edits, left = append(edits, some...), append(left, rest...)
		}
		if len(rest) > 0 || !f.noNewline || f.Start == 0 || src[f.Start-1] != '\n' {
			continue
		}
		// The newline before the frame is generated, but has to stay where the
		// customer wrote on behind it. Where another owner's frame follows,
		// that one takes care of it.
		end := f.End
		for _, g := range own[i+1:] {
			if g.Start == end {
				end = g.End
			}
		}
		if end == len(src) {
			edits = append(edits, Edit{start: f.Start - 1, end: f.Start})
			continue
		}
		for _, g := range Find(src, "") {
			if g.Start == end && !g.noNewline {
				line, _, _ := bytes.Cut(src[end:], []byte{'\n'})
				at := end + len(bytes.TrimRight(line, whiteSpaces))
				edits = append(edits, Edit{start: at, end: at, text: NoNewlineText})
			}
		}
	}
	some, rest := asides(src, list, own, owner)
	edits, left = append(edits, some...), append(left, rest...)
	left = append(left, lost(src, list, edits, left, owner)...)
	if lenient {
		left = append(left, strays(src, list, edits, left, owner)...)
	}
	slices.SortStableFunc(left, func(a, b Leftover) int { return a.Line - b.Line })
	return apply(src, edits), left
}
