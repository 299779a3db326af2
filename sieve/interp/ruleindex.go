package interp

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// manyRules is from how many rules on a block has an index of them.
const manyRules = 12

// ruleIndex finds, of many rules one after the other, those that may match:
// where a rule asks for one value of a field, or for a text in it, the fields
// of the message are looked up among the keys of all rules at once. The others
// are tried one by one, in their order, so that the outcome is the same.
type ruleIndex struct {
	always []uint64 // the rules that are not in the index
	keys   []*keyIndex
	size   int
	// group is the place in keys of each rule, groupNone, or groupSeveral where
	// it has those in several.
	group   []int32
	several map[int32][]int32
}

const (
	groupNone    = -1
	groupSeveral = -2
)

// keyIndex is the keys of all rules that look at one field in one way.
type keyIndex struct {
	place   int32 // in ruleIndex.keys
	slot    int32
	address bool
	part    sieve.AddressPart
	octet   bool
	is      map[string][]int32 // the rules of each key of Is
	find    *automaton         // the keys of Contains, and the rules of each
	needles []string
	rules   []int32
	shapes  uint64      // of the keys of is
	begin   [256]uint32 // of the needles: the second octet, by the first
}

// indexKey tells the ways apart.
type indexKey struct {
	slot    int32
	address bool
	part    sieve.AddressPart
	octet   bool
}

// lazyIndex is an index that is made when it is asked for the second time: a
// program that runs once is done sooner without.
type lazyIndex struct {
	asked atomic.Bool
	once  sync.Once
	make  func() *ruleIndex
	index *ruleIndex
}

// get returns the index, or nil where there is none.
func (l *lazyIndex) get() *ruleIndex {
	if !l.asked.Load() {
		l.asked.Store(true)
		return nil
	}
	l.once.Do(func() { l.index = l.make() })
	return l.index
}

// indexRules makes the index of a block.
func (c *compiler) indexRules(code []instruction) *lazyIndex {
	if len(code) < manyRules || c.program.trace {
		return nil
	}
	return &lazyIndex{make: func() *ruleIndex {
		return buildIndex(len(code), func(i int) []branch {
			if in := &code[i]; in.kind == opIf && len(in.els.code) == 0 {
				return in.branches
			}
			return nil
		})
	}}
}

// indexChain makes the index of an if with many branches.
func (c *compiler) indexChain(branches []branch) *lazyIndex {
	if len(branches) < manyRules || c.program.trace {
		return nil
	}
	return &lazyIndex{make: func() *ruleIndex {
		return buildIndex(len(branches), func(i int) []branch { return branches[i : i+1] })
	}}
}

// buildIndex makes the index of rules, each of which may match only where one
// of its tests may; no tests means always.
func buildIndex(n int, tests func(i int) []branch) *ruleIndex {
	x := &ruleIndex{always: make([]uint64, (n+63)/64), size: n, group: make([]int32, n)}
	groups := make(map[indexKey]*keyIndex, 8)
	indexed := 0
	for i := range n {
		x.group[i] = groupNone
		list := tests(i)
		ok := len(list) > 0
		for j := range list {
			ok = ok && indexable(list[j].test)
		}
		if !ok {
			x.always[i/64] |= 1 << (i % 64)
			continue
		}
		indexed++
		for j := range list {
			x.add(groups, list[j].test, int32(i))
		}
	}
	if indexed < manyRules {
		return nil
	}
	for _, g := range x.keys {
		if len(g.needles) > 0 {
			g.find = newAutomaton(g.needles)
		}
	}
	return x
}

// indexable reports whether the index can tell where a test may hold.
func indexable(t condition) bool {
	switch t := t.(type) {
	case *plainTest:
		return true
	case *headerTest:
		return t.plain && t.match.indexable()
	case *addressTest:
		return t.simple() && t.match.indexable()
	case *junction:
		// One of allof is enough; of anyof all must be.
		for _, sub := range t.tests {
			if indexable(sub) != t.any {
				return !t.any
			}
		}
		return t.any
	}
	return false
}

func (m *matcher) indexable() bool {
	return !m.dynamic && (m.kind == sieve.Is || m.kind == sieve.Contains) &&
		(m.comparator == sieve.ASCIICasemap || m.comparator == sieve.Octet)
}

// add enters a rule for a test that is indexable.
func (x *ruleIndex) add(groups map[indexKey]*keyIndex, t condition, rule int32) {
	switch t := t.(type) {
	case *plainTest:
		x.enter(groups, indexKey{slot: t.slot, octet: t.match.comparator == sieve.Octet}, t.match, rule)
	case *headerTest:
		for _, slot := range t.slots {
			x.enter(groups, indexKey{slot: int32(slot), octet: t.match.comparator == sieve.Octet}, t.match, rule)
		}
	case *addressTest:
		for _, slot := range t.slots {
			x.enter(groups, indexKey{int32(slot), true, t.part, t.match.comparator == sieve.Octet}, t.match, rule)
		}
	case *junction:
		for _, sub := range t.tests {
			if t.any {
				x.add(groups, sub, rule)
			} else if indexable(sub) {
				x.add(groups, sub, rule)
				return
			}
		}
	}
}

// begins notes how a needle begins, in both cases of its letters.
func (g *keyIndex) begins(needle string) {
	if needle == "" {
		return
	}
	second := ^uint32(0)
	if len(needle) > 1 {
		second = 1 << (needle[1] & 31) // the same for both cases
	}
	c := needle[0]
	if g.begin[c] |= second; !g.octet && 'a' <= c && c <= 'z' {
		g.begin[c-('a'-'A')] |= second
	}
}

// belongs notes that a rule has keys in a group.
func (x *ruleIndex) belongs(rule, group int32) {
	switch x.group[rule] {
	case groupNone:
		x.group[rule] = group
		return
	case group:
		return
	case groupSeveral:
	default:
		if x.several == nil {
			x.several = make(map[int32][]int32)
		}
		x.several[rule] = []int32{x.group[rule]}
		x.group[rule] = groupSeveral
	}
	if !slices.Contains(x.several[rule], group) {
		x.several[rule] = append(x.several[rule], group)
	}
}

func (x *ruleIndex) enter(groups map[indexKey]*keyIndex, key indexKey, m *matcher, rule int32) {
	g := groups[key]
	if g == nil {
		g = &keyIndex{place: int32(len(x.keys)), slot: key.slot, address: key.address, part: key.part, octet: key.octet}
		groups[key] = g
		x.keys = append(x.keys, g)
	}
	x.belongs(rule, g.place)
	for _, k := range m.keys {
		if m.kind == sieve.Is {
			if g.is == nil {
				g.is = make(map[string][]int32, x.size/4)
			}
			g.is[k] = append(g.is[k], rule)
			g.shapes |= shape(k)
		} else {
			g.needles = append(g.needles, k)
			g.begins(k)
			g.rules = append(g.rules, rule)
		}
	}
}

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
		if g.find != nil {
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
	if g.find != nil {
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
	if g.is != nil && g.shapes&shape(text) != 0 {
		return true
	}
	if g.find == nil {
		return false
	}
	r.spend(len(text))
	for i, c := range text {
		if g.begin[c] != 0 && (i+1 == len(text) || g.begin[c]>>(text[i+1]&31)&1 != 0) {
			return true
		}
	}
	return len(g.find.empty) > 0
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
	start := r.at
	text := v.text
	if !g.octet {
		text = r.fold(v)
	}
	if g.is != nil {
		for _, rule := range g.is[string(text)] {
			r.bits[start+int(rule/64)] |= 1 << (rule % 64)
		}
	}
	if g.find == nil {
		return
	}
	r.spend(costFind * len(text))
	// Which keys were found stands behind the rules.
	found := len(r.bits)
	for range (len(g.needles) + 63) / 64 {
		r.bits = append(r.bits, 0)
	}
	g.find.all(text, func(key int32) bool {
		word, bit := found+int(key/64), uint64(1)<<(key%64)
		if r.bits[word]&bit != 0 {
			return false
		}
		r.bits[word] |= bit
		rule := g.rules[key]
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
