package headers

import "github.com/oxmailroute/oxmailroute/internal/ere"

// Grams says which pairs and triples of octets a text may have, letters in lower
// case. With it [ERE.MayMatch] says quickly of many expressions that they aren't
// found in one text. The zero value is that of the empty text.
type Grams struct {
	bits    [1 << (gramBits - 6)]uint64
	unknown bool // the text is too long to tell
}

const (
	gramBits = 13
	// maxGrams is the longest text for which the set still tells something.
	maxGrams = 8192
)

// gram is the number of a pair or, with a third octet, of a triple.
func gram(a, b, c uint32) uint16 {
	return uint16((a<<16 | b<<8 | c) * 0x9e3779b1 >> (32 - gramBits))
}

func (g *Grams) has(n uint16) bool { return g.bits[n>>6]>>(n&63)&1 != 0 }
func (g *Grams) set(n uint16)      { g.bits[n>>6] |= 1 << (n & 63) }

// Reset makes g that of another text.
func (g *Grams) Reset(text []byte) {
	if g == nil {
		return
	}
	*g = Grams{}
	if g.unknown = len(text) > maxGrams; g.unknown {
		return
	}
	var a, b uint32
	for i, c := range text {
		n := uint32(lower(c))
		if i > 0 {
			g.set(gram(0, b, n))
		}
		if i > 1 {
			g.set(gram(a+1, b, n))
		}
		a, b = b, n
	}
}

// need is an ere.Need by numbers.
type need struct {
	all []uint16
	any [][]*need
}

func newNeed(n *ere.Need) *need {
	if n == nil {
		return nil
	}
	r := new(need)
	// What stands last comes first: many expressions begin alike.
	for i := len(n.All) - 1; i >= 0; i-- {
		s := n.All[i]
		for j := len(s) - 1; j > 1; j-- {
			r.all = append(r.all, gram(uint32(s[j-2])+1, uint32(s[j-1]), uint32(s[j])))
		}
		if len(s) == 2 {
			r.all = append(r.all, gram(0, uint32(s[0]), uint32(s[1])))
		}
	}
	for _, list := range n.Any {
		either := make([]*need, len(list))
		for i := range list {
			either[i] = newNeed(list[i])
		}
		r.any = append(r.any, either)
	}
	return r
}

func (n *need) met(g *Grams) bool {
	for _, c := range n.all {
		if !g.has(c) {
			return false
		}
	}
next:
	for _, list := range n.any {
		for _, one := range list {
			if one.met(g) {
				continue next
			}
		}
		return false
	}
	return true
}

// MayMatch reports whether re may be found in the text that g is of. Where it
// says no, [MatchERE] does; most expressions that aren't found are told so, for a
// few nanoseconds each.
func (re *ERE) MayMatch(g *Grams) bool {
	return re == nil || re.need == nil || g == nil || g.unknown || re.need.met(g)
}
