package headers

import "bytes"

// Glob is a compiled pattern of Sieve's :matches (RFC 5228 section 2.7.1): "*"
// is any number of octets, "?" is one octet (not one character, as Pigeonhole
// does it), and a backslash takes the special meaning from what follows. A
// Glob is immutable and safe for concurrent use.
type Glob struct {
	// parts are what stands between the stars; there is one star fewer than
	// parts.
	parts []globPart
}

// CompileGlob compiles a pattern; every string is one. A backslash at its end
// is a backslash. foldCase ignores the case of ASCII letters
// (i;ascii-casemap).
func CompileGlob(pattern string, foldCase bool) *Glob {
	var g Glob
	var text, any []byte
	wild := false
	part := func() {
		if !wild {
			any = nil
		}
		g.parts = append(g.parts, newGlobPart(text, any, foldCase))
		text, any, wild = nil, nil, false
	}
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '*':
			part()
			continue
		case c == '?':
			text, any, wild = append(text, 0), append(any, 1), true
			continue
		case c == '\\' && i+1 < len(pattern):
			i++
			c = pattern[i]
		}
		text, any = append(text, c), append(any, 0)
	}
	part()
	return &g
}

// Match reports whether the whole value matches. It takes time linear in the
// length of the value, whatever the pattern, and allocates nothing unless a
// part of the pattern with a "?" is longer than 256 octets.
func (g *Glob) Match(value []byte) bool {
	if g == nil {
		g = new(Glob)
	}
	if len(g.parts) == 0 {
		return len(value) == 0 // the zero Glob is that of ""
	}
	first, last := &g.parts[0], &g.parts[len(g.parts)-1]
	if len(g.parts) == 1 {
		return len(value) == len(first.text) && first.at(value)
	}
	if len(value) < len(first.text)+len(last.text) || !first.at(value) || !last.at(value[len(value)-len(last.text):]) {
		return false
	}
	value = value[len(first.text) : len(value)-len(last.text)]
	for i := 1; i < len(g.parts)-1; i++ {
		end := g.parts[i].find(value)
		if end < 0 {
			return false
		}
		value = value[end:]
	}
	return true
}

// Captures reports whether the whole value matches, as [Glob.Match], and
// returns the value and what each "*" and "?" stands for, in order (RFC 5229
// section 3.2): a star is as short as it can be, those to the left first.
func (g *Glob) Captures(value []byte) (list [][]byte, ok bool) {
	if g == nil {
		g = new(Glob)
	}
	if !g.Match(value) {
		return nil, false
	}
	list = append(list, value)
	if len(g.parts) == 0 {
		return list, true
	}
	first, last := &g.parts[0], &g.parts[len(g.parts)-1]
	list = first.wild(list, value)
	if len(g.parts) == 1 {
		return list, true
	}
	end := len(value) - len(last.text)
	rest := value[len(first.text):end]
	for i := 1; i < len(g.parts)-1; i++ {
		p := &g.parts[i]
		n := p.find(rest)
		list = append(list, rest[:n-len(p.text)])
		list = p.wild(list, rest[n-len(p.text):])
		rest = rest[n:]
	}
	list = append(list, rest)
	return last.wild(list, value[end:]), true
}

// wild appends the octets that stand for the "?" of the part.
func (p *globPart) wild(list [][]byte, value []byte) [][]byte {
	for i := range p.any {
		if p.any[i] != 0 {
			list = append(list, value[i:i+1])
		}
	}
	return list
}

// globPart is text between two stars.
type globPart struct {
	text []byte // in lower case if fold
	fold bool
	any  []byte // not 0 where text has a "?"; nil: nowhere
	// back is the failure function of Knuth, Morris and Pratt, where any is nil.
	back []int32
	// masks tell for each octet, in words words, at which places of text it may
	// stand, where any isn't nil (the shift-and algorithm).
	masks []uint64
	words int
}

func newGlobPart(text, any []byte, fold bool) globPart {
	if fold {
		text = bytes.Clone(text)
		for i, c := range text {
			text[i] = lower(c)
		}
	}
	p := globPart{text: text, fold: fold, any: any}
	if any == nil {
		p.back = make([]int32, len(text))
		k := int32(0)
		for i := 1; i < len(text); i++ {
			for k > 0 && text[k] != text[i] {
				k = p.back[k-1]
			}
			if text[k] == text[i] {
				k++
			}
			p.back[i] = k
		}
		return p
	}
	p.words = (len(text) + 63) / 64
	p.masks = make([]uint64, 256*p.words)
	for i := range text {
		for c := range 256 {
			if any[i] != 0 || p.octet(byte(c)) == text[i] {
				p.masks[c*p.words+i/64] |= 1 << (i % 64)
			}
		}
	}
	return p
}

func (p *globPart) octet(c byte) byte {
	if p.fold {
		return lower(c)
	}
	return c
}

// at reports whether value begins with the part.
func (p *globPart) at(value []byte) bool {
	for i, t := range p.text {
		if (p.any == nil || p.any[i] == 0) && p.octet(value[i]) != t {
			return false
		}
	}
	return true
}

// find returns where the first occurrence of the part in value ends, or -1.
func (p *globPart) find(value []byte) int {
	if len(p.text) == 0 {
		return 0
	}
	if p.any == nil {
		k := 0
		for i, c := range value {
			c = p.octet(c)
			for k > 0 && p.text[k] != c {
				k = int(p.back[k-1])
			}
			if p.text[k] == c {
				k++
			}
			if k == len(p.text) {
				return i + 1
			}
		}
		return -1
	}
	var small [4]uint64
	state := small[:]
	if p.words > len(small) {
		state = make([]uint64, p.words)
	}
	state = state[:p.words]
	last := len(p.text) - 1
	for i, c := range value {
		mask := p.masks[int(c)*p.words:]
		carry := uint64(1)
		for w := range state {
			s := state[w]
			state[w] = (s<<1 | carry) & mask[w]
			carry = s >> 63
		}
		if state[last/64]&(1<<(last%64)) != 0 {
			return i + 1
		}
	}
	return -1
}
