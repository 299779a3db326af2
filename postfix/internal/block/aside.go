package block

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// asides returns the edits that bring the lines back that are out of use behind
// the owner's prefix, and reports those that were changed meanwhile.
// list are all frames of the file, own those that are taken out.
func asides(src []byte, list, own []Frame, owner string) (edits []Edit, left []Leftover) {
	codes := map[string]int{}
	known := false
	for _, f := range own {
		n := map[string]int{}
		for _, s := range []Seal{f.Seal, f.endSeal} {
			clear(n)
			for u := s.asides; len(u) >= unitLength; u = u[unitLength:] {
				n[u[:unitLength]]++
				codes[u[:unitLength]] = max(codes[u[:unitLength]], n[u[:unitLength]])
				known = true
			}
		}
	}
	prefix := PrefixOf(owner)
	lines := PrefixedLines(src, owner)
	as, unsure := asTheyWere(src, list, lines, owner)
	for _, p := range lines {
		line := string(src[p.Start:p.end])
		at := strings.Index(line, prefix) + len(prefix)
		blank := len(line) - at - len(strings.TrimLeft(line[at:], " \t"))
		switch code, loose := asideCode(line[at:]), asideCode(line[at+blank:]); {
		case codes[code] > 0:
			codes[code]--
		case codes[loose] > 0:
			codes[loose]--
			at += blank
		case as:
		case !meaningful(src, p, prefix, line[at:]):
			left = append(left, Leftover{p.Line, LineAt(src, p.Start),
				fmt.Sprintf("was changed while it was out of use for the block of %s, and says nothing by itself; it stays a comment", owner)})
			continue
		case known:
			left = append(left, Leftover{p.Line, LineAt(src, p.Start),
				fmt.Sprintf("was changed while it was out of use for the block of %s; it is in force again as it stands", owner)})
		case unsure:
			left = append(left, Leftover{p.Line, LineAt(src, p.Start),
				fmt.Sprintf("may have been changed while it was out of use for the block of %s; it is in force again as it stands", owner)})
		}
		edits = append(edits, Edit{start: p.Start, end: p.Start + at})
	}
	missing := 0
	for _, n := range codes {
		missing += max(n, 0)
	}
	// A line that lost its prefix is as it was; one whose prefix was changed
	// stays a comment.
	for pos, line := 0, 1; missing > 0 && pos < len(src); line++ {
		text := LineAt(src, pos)
		if code := asideCode(text); codes[code] > 0 {
			codes[code]--
			missing--
		} else if !strings.HasPrefix(text, prefix) {
			for j := 1; j < len(text) && j <= len(prefix)+8; j++ {
				if code := asideCode(text[j:]); codes[code] > 0 {
					codes[code]--
					missing--
					left = append(left,
						Leftover{line, text, fmt.Sprintf("was put out of use for the block of %s, and its prefix was changed; it stays as it is", owner)})
					break
				}
			}
		}
		pos = lineEnd(src, pos)
	}
	return edits, left
}

// asTheyWere reports whether the lines that are out of use are those that a seal
// without its list was made over; unsure: there is such a seal, and they aren't.
func asTheyWere(src []byte, list []Frame, lines []Physical, owner string) (as, unsure bool) {
	var texts []string
	for _, p := range lines {
		texts = append(texts, strings.TrimPrefix(string(src[p.Start:p.end]), PrefixOf(owner)))
	}
	sum := sumOfAsides(texts)
	for _, f := range list {
		if f.Owner == owner && f.unlisted() && f.Seal.asideSum() != "" {
			as = as || f.Seal.asideSum() == sum
			unsure = unsure || f.Seal.asideSum() != sum
		}
	}
	return as, unsure
}

// meaningful reports whether a line that was out of use, with text behind the
// prefix, defines a parameter, or continues another such line.
func meaningful(src []byte, p Physical, prefix, text string) bool {
	if strings.TrimSpace(text) == "" {
		return false
	}
	if !whiteSpace(text[0]) {
		return defines(text)
	}
	for pos := p.Start; pos > 0; {
		pos = lineStart(src, pos-1)
		if above := src[pos:lineEnd(src, pos)]; bytes.HasPrefix(above, []byte(prefix)) {
			return true
		} else if !blankLine(above) {
			return false
		}
	}
	return false
}

// strays reports what looks like one of the owner's marks, outside of what the
// edits take out. list are all frames of the file.
func strays(src []byte, list []Frame, edits []Edit, left []Leftover, owner string) []Leftover {
	isOthers := func(text string) bool {
		return slices.ContainsFunc(list, func(f Frame) bool {
			return f.Owner != owner && f.Why == "" &&
				(strings.HasPrefix(text, f.beginMark()) || strings.HasPrefix(text, endLine(f.Owner)) || strings.HasPrefix(text, PrefixOf(f.Owner)))
		})
	}
	marks := []string{"BEGIN " + owner, "END " + owner, owner + "# "}
	var out []Leftover
	for pos, line := 0, 1; pos < len(src); line++ {
		start := pos
		pos = lineEnd(src, pos)
		whole := LineAt(src, start)
		text := strings.TrimLeft(whole, " \t#")
		if text == whole || !slices.ContainsFunc(marks, func(m string) bool { return looksLike(text, m) }) || isOthers(whole) {
			continue
		}
		if slices.ContainsFunc(edits, func(e Edit) bool { return e.start <= start && start < e.end }) ||
			slices.ContainsFunc(left, func(l Leftover) bool {
				return l.Line <= line && line <= l.Line+strings.Count(l.Text, "\n")
			}) {
			continue
		}
		out = append(out, Leftover{line, whole, fmt.Sprintf("looks like a line of %s that was changed; it stays", owner)})
	}
	return out
}

// looksLike reports whether a text begins with a mark, but for its case and two
// characters, or is the larger part of its beginning.
func looksLike(text, mark string) bool {
	text, mark = strings.ToLower(text[:min(len(text), len(mark)+2)]), strings.ToLower(mark)
	if strings.HasPrefix(mark, text) {
		return 2*len(text) > len(mark)
	}
	// Two characters leave one third of the mark as it was.
	third := len(mark) / 3
	if !strings.Contains(text, mark[:third]) && !strings.Contains(text, mark[third:2*third]) && !strings.Contains(text, mark[2*third:]) {
		return false
	}
	// Levenshtein's distance of the mark to the best beginning of the text.
	row := make([]int, len(text)+1)
	for i := range row {
		row[i] = i
	}
	for i := range len(mark) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(text) {
			cost := diagonal
			if mark[i] != text[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return slices.Min(row) <= 2
}
