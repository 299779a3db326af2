package interp

import (
	"math/bits"
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
}

// keyIndex is the keys of all rules that look at one field in one way.
type keyIndex struct {
	slot    int32
	address bool
	part    sieve.AddressPart
	octet   bool
	is      map[string][]int32 // the rules of each key of Is
	find    *automaton         // the keys of Contains, and the rules of each
	needles []string
	rules   []int32
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
	x := &ruleIndex{always: make([]uint64, (n+63)/64), size: n}
	groups := make(map[indexKey]*keyIndex, 8)
	indexed := 0
	for i := range n {
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

func (x *ruleIndex) enter(groups map[indexKey]*keyIndex, key indexKey, m *matcher, rule int32) {
	g := groups[key]
	if g == nil {
		g = &keyIndex{slot: key.slot, address: key.address, part: key.part, octet: key.octet}
		groups[key] = g
		x.keys = append(x.keys, g)
	}
	for _, k := range m.keys {
		if m.kind == sieve.Is {
			if g.is == nil {
				g.is = make(map[string][]int32, x.size/4)
			}
			g.is[k] = append(g.is[k], rule)
		} else {
			g.needles = append(g.needles, k)
			g.rules = append(g.rules, rule)
		}
	}
}

// candidates returns the rules that may match, as a set of bits in r.bits from
// the offset returned on.
func (r *run) candidates(x *ruleIndex) int {
	start := len(r.bits)
	r.bits = append(r.bits, x.always...)
	for _, g := range x.keys {
		for i := r.first[g.slot]; i >= 0; i = r.entries[i].next {
			e := &r.entries[i]
			if !g.address {
				r.lookup(g, r.decode(e), start)
				continue
			}
			values, _ := r.addresses(e, g.part)
			for j := range values {
				r.lookup(g, &values[j], start)
			}
		}
	}
	return start
}

// lookup adds the rules that one value may match.
func (r *run) lookup(g *keyIndex, v *value, start int) {
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
	r.spend(8 * len(text))
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
	start := r.candidates(x)
	defer func() { r.bits = r.bits[:start] }()
	for i := 0; i < len(b.code); {
		word := r.bits[start+i/64] >> (i % 64)
		if word == 0 {
			i = (i/64 + 1) * 64
			continue
		}
		i += bits.TrailingZeros64(word)
		edits := r.edits
		if err := r.instruction(&b.code[i]); err != nil {
			return err
		}
		i++
		if r.edits != edits {
			// The header is another one: the rest is looked up anew.
			r.bits = r.bits[:start]
			r.candidates(x)
		}
	}
	return nil
}

// chooseIndexed returns the block of an if that is to run.
func (r *run) chooseIndexed(in *instruction, x *ruleIndex) *block {
	start := r.candidates(x)
	defer func() { r.bits = r.bits[:start] }()
	for i := 0; i < len(in.branches); {
		word := r.bits[start+i/64] >> (i % 64)
		if word == 0 {
			i = (i/64 + 1) * 64
			continue
		}
		i += bits.TrailingZeros64(word)
		if in.branches[i].test.eval(r) {
			return &in.branches[i].then
		}
		if r.failed != nil {
			break
		}
		i++
	}
	return in.els
}
