package postfix

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Our edits of a customer's file are framed by comment lines, so that they can
// be found and undone without a second file:
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
	managedText   = ": managed block, change the policy instead"
	noNewlineText = " (the file had no newline at its end)"
)

func beginLine(owner string) string { return "# BEGIN " + owner }
func endLine(owner string) string   { return "# END " + owner }
func prefixOf(owner string) string  { return "#" + owner + "# " }

// frame is one BEGIN line with its END line.
type frame struct {
	owner         string
	line, endLine int // physical lines of BEGIN and END
	start, end    int // offsets: of BEGIN, and after END's line end
	body, bodyEnd int // offsets of what is between
	managed       bool
	noNewline     bool
	seal, endSeal seal   // that of BEGIN, or where it has none, of END; that of END
	why           string // what is wrong with it

	// What somebody wrote behind the marks, on their lines, and stays: 0, or the
	// offset where it begins.
	behind, behindEnd int
	drop              []edit     // torn pieces of the marks
	pieces            []Leftover // what may be some
}

// frames finds the frames in a file, in its order. Frames of others than owner
// are reported only where they are whole: a customer may well begin a comment
// with BEGIN.
func frames(src []byte, owner string) []frame {
	var list []frame
	open := make(map[string]frame)
	for pos, line := 0, 1; pos < len(src); line++ {
		start, stop, end := pos, len(src), len(src)
		if i := bytes.IndexByte(src[pos:], '\n'); i >= 0 {
			stop, end = pos+i, pos+i+1
		}
		pos = end
		if src[start] != '#' {
			continue
		}
		text := string(bytes.TrimRight(src[start:stop], spaces))
		if rest, ok := strings.CutPrefix(text, "# BEGIN "); ok {
			f := frame{line: line, start: start, body: end}
			f.owner, rest, _ = cutOwner(rest)
			rest, f.noNewline = strings.CutSuffix(rest, noNewlineText)
			rest, f.seal = cutSeal(rest)
			f.managed = rest == managedText
			if rest != "" && !f.managed {
				if f.owner != owner || rest[0] != ':' {
					continue // somebody's comment
				}
				f.managed = true
				f.why = fmt.Sprintf("the text after %q was changed: restore %q", beginLine(owner), beginLine(owner)+managedText)
			}
			if was, ok := open[f.owner]; ok && f.owner == owner {
				was.why = fmt.Sprintf("a BEGIN without its END: put %q where the block ends, or delete the block", endLine(owner))
				list = append(list, was)
			}
			open[f.owner] = f
			continue
		}
		if rest, ok := strings.CutPrefix(text, "# END "); ok {
			rest, noNewline := strings.CutSuffix(rest, noNewlineText)
			rest, endSeal := cutSeal(rest)
			f, ok := open[rest]
			if !ok {
				if rest == owner {
					list = append(list, frame{owner: owner, endLine: line, bodyEnd: start, end: end, seal: endSeal, endSeal: endSeal, noNewline: noNewline,
						why: fmt.Sprintf("an END without its BEGIN: put %q where the block begins, or delete the line", beginLine(owner))})
				}
				continue
			}
			delete(open, rest)
			f.endLine, f.bodyEnd, f.end, f.endSeal = line, start, end, endSeal
			if f.seal == (seal{}) {
				f.seal = endSeal
			}
			list = append(list, f)
		}
	}
	if f, ok := open[owner]; ok {
		f.why = fmt.Sprintf("a BEGIN without its END: put %q where the block ends, or delete the block", endLine(owner))
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

func isOwnerByte(c byte) bool { return isAlnum(c) || c == '.' || c == '_' || c == '-' }

func checkOwner(owner string) *Error {
	if _, rest, ok := cutOwner(owner); !ok || rest != "" {
		return &Error{"owner", 0, &detail{ErrIllegal, fmt.Sprintf("%q: write letters, digits, \".\", \"_\", \"-\"", owner)}}
	}
	return nil
}

// isMarker reports whether a comment line that is written would read as part of
// a frame.
func isMarker(comment string) bool {
	for line := range strings.SplitSeq(comment, "\n") {
		if strings.HasPrefix(line, "BEGIN ") || strings.HasPrefix(line, "END ") {
			return true
		}
	}
	return false
}

// enclosing returns the owner of the block around a physical line.
func enclosing(list []frame, line int) string {
	for _, f := range list {
		if f.managed && f.why == "" && f.line < line && line < f.endLine {
			return f.owner
		}
	}
	return ""
}

// prefixedLines finds the lines that stand behind the owner's prefix.
func prefixedLines(src []byte, owner string) []part {
	var list []part
	prefix := []byte(prefixOf(owner))
	for pos, line := 0, 1; pos < len(src); line++ {
		start, end := pos, len(src)
		if i := bytes.IndexByte(src[pos:], '\n'); i >= 0 {
			end = pos + i + 1
		}
		if bytes.HasPrefix(src[start:end], prefix) {
			list = append(list, part{line, start, end})
		}
		pos = end
	}
	return list
}

// edit replaces a stretch of text.
type edit struct {
	start, end int
	text       string
}

// apply returns src with the edits made; of overlapping ones the first begins,
// and nothing is inserted into what is taken out.
func apply(src []byte, edits []edit) []byte {
	slices.SortStableFunc(edits, func(a, b edit) int { return a.start - b.start })
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

// cut returns src without the owner's whole frames, in order, and without the
// prefixes. What was edited in a frame and isn't generated stays, and is reported.
//
// list are all frames of the file. lenient: what looks like a mark of the
// owner's is reported.
func cut(src []byte, list, own []frame, owner string, edits []edit, left []Leftover, lenient bool) ([]byte, []Leftover) {
	for i, f := range own {
		some, rest := f.opened(src, prefixOf(owner))
		edits, left = append(edits, some...), append(left, rest...)
		if lenient {
			some, rest := f.detached(src)
			edits, left = append(edits, some...), append(left, rest...)
		}
		if len(rest) > 0 || !f.noNewline || f.start == 0 || src[f.start-1] != '\n' {
			continue
		}
		// The newline before the frame is generated, but has to stay where the
		// customer wrote on behind it. Where another owner's frame follows,
		// that one takes care of it.
		end := f.end
		for _, g := range own[i+1:] {
			if g.start == end {
				end = g.end
			}
		}
		if end == len(src) {
			edits = append(edits, edit{start: f.start - 1, end: f.start})
			continue
		}
		for _, g := range frames(src, "") {
			if g.start == end && !g.noNewline {
				line, _, _ := bytes.Cut(src[end:], []byte{'\n'})
				at := end + len(bytes.TrimRight(line, spaces))
				edits = append(edits, edit{start: at, end: at, text: noNewlineText})
			}
		}
	}
	some, rest := asides(src, own, owner)
	edits, left = append(edits, some...), append(left, rest...)
	left = append(left, lost(src, list, edits, left, owner)...)
	if lenient {
		left = append(left, strays(src, list, edits, left, owner)...)
	}
	slices.SortStableFunc(left, func(a, b Leftover) int { return a.Line - b.Line })
	return apply(src, edits), left
}
