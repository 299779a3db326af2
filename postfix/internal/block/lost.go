package block

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Bounds of the search for the lines that a generated line was torn into.
const (
	maxRun    = 64    // lines that continue one, in a row
	maxTries  = 50000 // for all of a file, in any order
	maxPieces = 3     // lines in any order
	minTorn   = 3     // generated lines by which a file is known to be sorted
)

// lost reports the lines outside of the owner's blocks that are like generated
// ones that the seals know and that are missing from the blocks: somebody moved
// them, or sorted the file. They may be the customer's all the same, and stay.
// list are all frames of the file, edits and left what becomes of it so far.
func lost(src []byte, list []Frame, edits []Edit, left []Leftover, owner string) []Leftover {
	var out []Leftover
	for _, inside := range []bool{false, true} {
		l := loss{src: src, owner: owner, edits: edits, left: slices.Concat(left, out), units: map[string]int{}}
		var skip []Frame
		for _, f := range list {
			switch {
			case f.Owner != owner:
			case f.Managed == inside, f.Why == "" && f.Line > 0 && f.intact(src):
				if f.body < f.bodyEnd {
					skip = append(skip, f)
				}
			default:
				for u, n := range countUnits(f.Seal, f.endSeal) {
					l.units[u] += n
					l.total += n
				}
			}
		}
		if len(l.units) == 0 {
			continue
		}
		all := slices.DeleteFunc(elements(src, 0, len(src), 1, inside), func(e element) bool {
			return slices.ContainsFunc(skip, func(f Frame) bool { return f.Line > 0 && f.Start <= e.start && e.start < f.End })
		})
		out = append(out, l.find(all, inside)...)
	}
	return out
}

// loss is the search for the generated lines that blocks have lost.
type loss struct {
	src   []byte
	owner string
	edits []Edit
	left  []Leftover
	units map[string]int // what is missing
	total int            // how many units the blocks had
	tries int
}

// gone reports whether the edits take an offset out.
func (l *loss) gone(at int) bool {
	return slices.ContainsFunc(l.edits, func(e Edit) bool { return e.text == "" && e.start <= at && at < e.end })
}

// report adds an element to what is left, if it isn't there.
func (l *loss) report(e element, why string) {
	if !slices.ContainsFunc(l.left, func(have Leftover) bool {
		return have.Line <= e.line && e.line <= have.Line+strings.Count(have.Text, "\n")
	}) {
		l.left = append(l.left, leftover(l.src, e, fmt.Sprintf(why, l.owner)))
	}
}

// find reports what of the elements is like ones that are missing.
func (l *loss) find(all []element, inside bool) []Leftover {
	before := len(l.left)
	var stay []element
	for _, e := range all {
		if !l.gone(e.start) {
			stay = append(stay, e)
		} else if _, code := e.codes(l.src); l.units[code] > 0 {
			l.units[code]--
		}
	}
	maps.DeleteFunc(l.units, func(_ string, n int) bool { return n <= 0 })
	if len(l.units) == 0 {
		return nil
	}
	// Of two that are like the same missing one, either may be the written one.
	found := map[string]bool{}
	for _, e := range stay {
		if _, code := e.codes(l.src); l.units[code] > 0 {
			l.report(e, "is like a line of %s that is missing from its block; it stays")
			found[code] = true
		}
	}
	missing := 0
	for code, n := range l.units {
		missing += n
		if found[code] {
			delete(l.units, code)
		}
	}
	if !inside {
		l.pieces(stay, 2*missing > l.total, len(found))
	}
	return l.left[before:]
}

// pieces reports the lines that a missing generated line was torn into, where they
// make it up again. torn: most of a block is missing, so that what has the name
// of something missing is reported, too; and where enough of it was found that
// the file must have been sorted, all that may continue it.
func (l *loss) pieces(stay []element, torn bool, found int) {
	heads := map[string][]element{}
	var pool []element
	for _, e := range stay {
		if e.comment {
			continue
		}
		list := l.physical(e)
		if !whiteSpace(l.src[e.start]) {
			name, _ := e.codes(l.src)
			heads[name] = append(heads[name], e)
			list = list[1:]
		}
		pool = append(pool, list...)
	}
	const why = "is like a part of a line of %s that is missing from its block; it stays"
	whole := true
	for _, code := range slices.Sorted(maps.Keys(l.units)) {
		if len(heads[code[:nameLength]]) > 0 {
			found++
		}
		for _, head := range heads[code[:nameLength]] {
			some := l.assemble(code, l.physical(head), pool)
			for _, e := range some {
				l.report(e, why)
			}
			whole = whole && some != nil
			if torn {
				head.end = lineEnd(l.src, head.start)
				l.report(head, "may be a part of a line of %s that is missing from its block, by its name; it stays")
			}
		}
	}
	if torn && !whole && found >= minTorn {
		for _, e := range pool {
			l.report(e, "may continue a line of %s that was torn up and is missing from its block; it stays")
		}
	}
}

// physical divides an element into its lines, without empty ones.
func (l *loss) physical(e element) []element {
	var list []element
	for pos, line := e.start, e.line; pos < e.end; line++ {
		end := min(lineEnd(l.src, pos), e.end)
		if !blankLine(l.src[pos:end]) {
			list = append(list, element{line: line, start: pos, end: end})
		}
		pos = end
	}
	return list
}

// assemble returns lines that make up a unit: all of a generated line but one line
// that goes on with it, or its first line with others.
func (l *loss) assemble(code string, have, pool []element) []element {
	text := func(e element) string { return strings.TrimRight(string(l.src[e.start:e.end]), whiteSpaces) }
	is := func(lines []string) bool {
		return digest(strings.Join(lines, "\n"), unitLength-nameLength) == code[nameLength:]
	}
	var lines, others []string
	for _, e := range have {
		lines = append(lines, text(e))
	}
	for _, e := range pool {
		others = append(others, text(e))
	}
	like := func(texts []string) []element {
		out := have[:1:1]
		for i, e := range pool {
			if slices.Contains(texts, others[i]) {
				out = append(out, e)
			}
		}
		return out
	}
	if is(lines[:1]) {
		return have[:1]
	}
	for _, s := range others {
		for at := 1; at <= len(lines); at++ {
			if is(slices.Insert(slices.Clone(lines), at, s)) {
				return like([]string{s})
			}
		}
	}
	for i := range others {
		h := sha256.New()
		h.Write([]byte(lines[0]))
		for n, s := range others[i:min(i+maxRun, len(others))] {
			h.Write([]byte("\n" + s))
			if base64.RawURLEncoding.EncodeToString(h.Sum(nil))[:len(code)-nameLength] == code[nameLength:] {
				return like(others[i : i+n+1])
			}
		}
	}
	var try func(some []string) []string
	try = func(some []string) []string {
		for _, s := range others {
			if l.tries++; l.tries > maxTries {
				return nil
			}
			next := append(slices.Clip(some), s)
			if is(next) {
				return next[1:]
			}
			if len(next) <= maxPieces {
				if found := try(next); found != nil {
					return found
				}
			}
		}
		return nil
	}
	if found := try(lines[:1:1]); found != nil {
		return like(found)
	}
	return nil
}
