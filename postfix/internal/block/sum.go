package block

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Seal is what is known of a block by its BEGIN or END line, and by its list.
type Seal struct {
	key    string // as the marks have it; empty: they have the list, or no seal
	sum    string // over the whole block
	units  string // one code for each unit
	asides string // one code for each of the lines that are out of use
	listed bool   // units and asides are known
}

// String is the seal as it is written; empty where there is none.
func (s Seal) String() string {
	switch {
	case s == (Seal{}):
		return ""
	case s.key != "":
		return " [" + s.key + "]"
	}
	return " [" + strings.TrimRight(s.sum+" "+s.units+" "+s.asides, " ") + "]"
}

// covers reports whether a block's text is the one that the seal was made over.
func (s Seal) covers(body []byte) bool {
	return s.sum != "" && digest(normal(body), len(s.sum)) == s.sum
}

// asideSum is over the lines that are out of use; empty: there were none, or the
// seal has a code for each.
func (s Seal) asideSum() string {
	if s.key == "" {
		return ""
	}
	return s.key[sumLength:]
}

// sealOf returns the seal of a block's text, and of the lines that are out of
// use for it.
func sealOf(body []byte, asides []string, inside bool) Seal {
	s := Seal{sum: digest(normal(body), sumLength), listed: true}
	s.key = s.sum + sumOfAsides(asides)
	for _, e := range elements(body, 0, len(body), 1, inside) {
		_, all := e.codes(body)
		s.units += all
	}
	for _, line := range asides {
		s.asides += asideCode(line)
	}
	return s
}

func asideCode(line string) string { return digest(normal([]byte(line)), unitLength) }

func sumOfAsides(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	var all []string
	for _, line := range lines {
		all = append(all, normal([]byte(line)))
	}
	return digest("aside "+strings.Join(all, "\n"), asideLength)
}

// coded reports whether texts are of the characters that digests have.
func coded(texts ...string) bool {
	return strings.Trim(strings.Join(texts, ""), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// cutSeal takes a seal off the end of a mark.
func cutSeal(text string) (rest string, s Seal) {
	i := strings.LastIndex(text, " [")
	if i < 0 || !strings.HasSuffix(text, "]") {
		return text, Seal{}
	}
	inside := text[i+2 : len(text)-1]
	if n := len(inside); (n == sumLength || n == sumLength+asideLength) && coded(inside) {
		return text[:i], Seal{key: inside, sum: inside[:sumLength]}
	}
	fields := append(strings.Split(inside, " "), "", "")
	s = Seal{sum: fields[0], units: fields[1], asides: fields[2], listed: true}
	if len(fields) > 5 || len(s.sum) != oldLength || len(s.units)%unitLength != 0 || len(s.asides)%unitLength != 0 ||
		!coded(s.sum, s.units, s.asides) {
		return text, Seal{}
	}
	return text[:i], s
}

// Seals are the lists of blocks by their seals, as they stand in a file of their
// own: a line for each, with the seal, the codes of the units and those of the
// lines that are out of use.
type Seals map[string]Seal

// With returns the lists with those of more lines; lines that are none, as
// comments, don't count.
func (l Seals) With(lines ...string) Seals {
	all := Seals{}
	maps.Copy(all, l)
	for _, line := range lines {
		f := strings.Fields(line)
		if len(f) != 2 && len(f) != 3 {
			continue
		}
		_, s := cutSeal(" [" + f[0] + "]")
		if s.units = f[1]; len(f) == 3 {
			s.asides = f[2]
		}
		if s.listed = s.key != "" && len(s.units)%unitLength == 0 && len(s.asides)%unitLength == 0 && coded(s.units, s.asides); s.listed {
			all[s.key] = s
		}
	}
	return all
}

// ListsOf returns the lists of the owner's blocks in a file that are as they were
// written, in the order of their seals.
func ListsOf(src []byte, owner string) []string {
	var asides []string
	for _, p := range PrefixedLines(src, owner) {
		asides = append(asides, strings.TrimPrefix(string(src[p.Start:p.end]), PrefixOf(owner)))
	}
	all := map[string]bool{}
	for _, f := range Find(src, owner) {
		if f.Owner != owner || f.Why != "" || f.Seal.key == "" {
			continue
		}
		some := asides
		if f.Seal.asideSum() == "" {
			some = nil
		}
		if s := sealOf(src[f.body:f.bodyEnd], some, !f.Managed); s.key == f.Seal.key {
			all[strings.TrimRight(s.key+" "+s.units+" "+s.asides, " ")] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// of adds what is known of a seal.
func (l Seals) of(s Seal) Seal {
	if known, ok := l[s.key]; ok && s.key != "" {
		return known
	}
	return s
}

// Know adds to the owner's frames what the lists say. One that was edited and has
// none is damaged: nobody can tell its lines apart.
func (l Seals) Know(src []byte, list []Frame, owner string) []Frame {
	list = slices.Clone(list)
	for i := range list {
		f := &list[i]
		if f.Owner != owner {
			continue
		}
		f.Seal, f.endSeal = l.of(f.Seal), l.of(f.endSeal)
		if f.Why == "" && f.unlisted() && !f.intact(src) {
			f.Why = fmt.Sprintf("the block was edited, and the list of its lines isn't there: put the file with the lists back, or delete the lines "+
				"from %q to %q, but what you wrote there, and each %q before a line", BeginLine(owner), endLine(owner), PrefixOf(owner))
		}
	}
	return list
}

// unlisted reports whether only the sum of a block is known.
func (f Frame) unlisted() bool {
	return f.Seal.key != "" && !f.Seal.listed && !f.endSeal.listed
}
