package interp

import (
	"math/bits"
)

// triedFirst is how many rules are tried before an index is used at all.
const triedFirst = 1

// search is an index in use. A look-up costs more than a test or two, so that a
// field is looked up among the keys of all rules only when that is no more than
// a fifth of what the tests up to there would have cost without the index; the
// rules before are tried one by one.
type search struct {
	*ruleIndex
	start  int // in run.bits: the rules that may match, then the groups looked up
	todo   int // groups not looked up
	plain  int // what the tests so far would have cost without, in nanoseconds
	extra  int // what the look-ups have cost
	inUse  int // words of run.bits
	groups int // where in run.bits the groups begin
}

// What things cost, in nanoseconds, roughly. Tests of a field share what it
// takes to decode it.
const (
	planRun    = 180 // what there is without any test
	planTest   = 30
	planGlance = 10 // a first look at a value
	planLookup = 60
)

// What is known of a group of keys.
const (
	groupSeen  = 1 + iota // its fields are decoded
	groupMaybe            // one of the keys may be there
	groupKnown            // the rules are in run.bits
)

// startSearch begins a search.
func (r *run) startSearch(x *ruleIndex) search {
	s := search{ruleIndex: x, start: len(r.bits), plain: planRun + planTest*triedFirst}
	r.bits = append(r.bits, x.always...)
	s.groups = len(r.bits)
	for range (len(x.keys) + 31) / 32 {
		r.bits = append(r.bits, 0) // two bits for each group
	}
	s.inUse, s.todo = len(r.bits), len(x.keys)
	return s
}

// again begins the search anew: the header is another one.
func (r *run) again(s *search) {
	r.bits = append(r.bits[:s.start], s.always...)
	for range s.inUse - s.groups {
		r.bits = append(r.bits, 0)
	}
	s.todo = len(s.keys)
}

// next returns the next rule that is to be tried, from i on.
func (r *run) next(s *search, i int) int {
	for ; i < s.size && s.todo > 0; i++ {
		s.plain += planTest
		g := s.group[i]
		if g == groupNone {
			return i
		}
		if g != groupSeveral {
			if !r.known(s, int(g)) {
				return i
			}
		} else {
			known := true
			for _, g := range s.several[int32(i)] {
				known = known && r.known(s, int(g))
			}
			if !known {
				return i
			}
		}
		if r.bits[s.start+i/64]&(1<<(i%64)) != 0 {
			return i
		}
	}
	for i < s.size {
		word := r.bits[s.start+i/64] >> (i % 64)
		if word != 0 {
			return i + bits.TrailingZeros64(word)
		}
		i = (i/64 + 1) * 64
	}
	return s.size
}

// known reports whether a group has been looked up; where it is time to do so,
// it is.
func (r *run) known(s *search, group int) bool {
	word, shift := s.groups+group/32, group%32*2
	state := r.bits[word] >> shift & 3
	if state == groupKnown {
		return true
	}
	g := s.keys[group]
	octets, n := 0, 0
	for i := r.first[g.slot]; i >= 0; i = r.entries[i].next {
		octets += len(r.entries[i].field.Body)
		n++
	}
	if state == 0 {
		// Decoding is no more work than without the index.
		r.bits[word] |= groupSeen << shift
		state = groupSeen
		if g.address {
			s.plain += 100*n + 6*octets
		} else {
			s.plain += 20*n + 2*octets
		}
	}
	if state < groupMaybe {
		cost := 0
		if len(g.contains) > 0 {
			cost = octets
		}
		if cost += planGlance * n; 5*(s.extra+cost) > s.plain {
			return false
		}
		s.extra += cost
		if !r.each(g, true) {
			r.bits[word] ^= (state ^ groupKnown) << shift
			s.todo--
			return true
		}
		r.bits[word] ^= (state ^ groupMaybe) << shift
	}
	cost := planLookup * n
	if len(g.contains) > 0 {
		cost += 8 * octets
	}
	if 5*(s.extra+cost) > s.plain {
		return false
	}
	s.extra += cost
	r.bits[word] ^= (groupMaybe ^ groupKnown) << shift
	s.todo--
	r.at = s.start
	r.each(g, false)
	return true
}

// each looks the values of a group up, or where glance is set, reports whether
// one of them may have one of the keys.
func (r *run) each(g *keyIndex, glance bool) bool {
	for i := r.first[g.slot]; i >= 0; i = r.entries[i].next {
		e := &r.entries[i]
		if !g.address {
			if v := r.decode(e); !glance {
				r.lookup(g, v)
			} else if r.glance(g, v) {
				return true
			}
			continue
		}
		values, _ := r.addresses(e, g.part)
		for j := range values {
			if !glance {
				r.lookup(g, &values[j])
			} else if r.glance(g, &values[j]) {
				return true
			}
		}
	}
	return false
}

// glance reports whether a value may have one of the keys. It takes less time
// than a test or two.
func (r *run) glance(g *keyIndex, v *value) bool {
	text := v.text
	if len(g.is) > 0 && g.shapes&shape(text) != 0 {
		return true
	}
	if len(g.contains) == 0 {
		return false
	}
	r.spend(len(text))
	for i, c := range text {
		if g.begin[c] != 0 && (i+1 == len(text) || g.begin[c]>>(text[i+1]&31)&1 != 0) {
			return true
		}
	}
	return g.empty
}

// shape is a bit for the length and the ends of a text, whatever its case.
func shape[T string | []byte](text T) uint64 {
	n := len(text)
	if n == 0 {
		return 1
	}
	return 1 << ((uint(text[0]|0x20) + 7*uint(text[n-1]|0x20) + 11*uint(n)) & 63)
}

// lookup adds the rules that one value may match.
func (r *run) lookup(g *keyIndex, v *value) {
	g.prepare()
	start := r.at
	text := v.text
	if !g.octet {
		text = r.fold(v)
	}
	if len(g.is) > 0 {
		for _, rule := range g.same[string(text)] {
			r.bits[start+int(rule/64)] |= 1 << (rule % 64)
		}
	}
	if len(g.contains) == 0 {
		return
	}
	r.spend(costFind * len(text))
	// Which keys were found stands behind the rules.
	found := len(r.bits)
	for range (len(g.contains) + 63) / 64 {
		r.bits = append(r.bits, 0)
	}
	g.find.all(text, func(key int32) bool {
		word, bit := found+int(key/64), uint64(1)<<(key%64)
		if r.bits[word]&bit != 0 {
			return false
		}
		r.bits[word] |= bit
		rule := g.contains[key].rule
		r.bits[start+int(rule/64)] |= 1 << (rule % 64)
		return true
	})
	r.bits = r.bits[:found]
}

// execIndexed runs the rules of a block that may match.
func (r *run) execIndexed(b *block, x *ruleIndex) error {
	for i := range b.code[:triedFirst] {
		if err := r.instruction(&b.code[i]); err != nil {
			return err
		}
	}
	s := r.startSearch(x)
	var err error
	for i := r.next(&s, triedFirst); i < s.size; i = r.next(&s, i+1) {
		edits := r.edits
		if err = r.instruction(&b.code[i]); err != nil {
			break
		}
		if r.edits != edits {
			r.again(&s)
		}
	}
	r.bits = r.bits[:s.start]
	return err
}

// chooseIndexed returns the block of an if that is to run.
func (r *run) chooseIndexed(in *instruction, x *ruleIndex) *block {
	for i := range triedFirst {
		if in.branches[i].test.eval(r) {
			return &in.branches[i].then
		}
		if r.failed != nil {
			return in.els
		}
	}
	s := r.startSearch(x)
	then := in.els
	for i := r.next(&s, triedFirst); i < s.size; i = r.next(&s, i+1) {
		if in.branches[i].test.eval(r) {
			then = &in.branches[i].then
			break
		}
		if r.failed != nil {
			break
		}
	}
	r.bits = r.bits[:s.start]
	return then
}
