package interp

import (
	"slices"
	"sync"

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
	indexKey
	place    int32       // in ruleIndex.keys
	is       []ruleKey   // the keys of Is
	contains []ruleKey   // the keys of Contains
	shapes   uint64      // of the keys of is
	begin    [256]uint32 // of those of contains: the second octet, by the first
	empty    bool        // one of them is

	// What finds them is made when a value is first looked up.
	once sync.Once
	same map[string][]int32 // the rules of each key of Is
	find *automaton         // the keys of Contains
}

// ruleKey is a key and its rule.
type ruleKey struct {
	key  string
	rule int32
}

// prepare makes what finds the keys.
func (g *keyIndex) prepare() {
	g.once.Do(func() {
		if len(g.is) > 0 {
			g.same = make(map[string][]int32, len(g.is))
			for _, k := range g.is {
				g.same[k.key] = append(g.same[k.key], k.rule)
			}
		}
		if len(g.contains) > 0 {
			list := make([]string, len(g.contains))
			for i, k := range g.contains {
				list[i] = k.key
			}
			g.find = newAutomaton(list)
		}
	})
}

// indexKey tells the ways apart.
type indexKey struct {
	slot    int32
	address bool
	part    sieve.AddressPart
	octet   bool
}

// lazyIndex is an index that is made when a run first comes to it. Whether it is
// used never depends on earlier runs: each takes the same steps.
type lazyIndex struct {
	once  sync.Once
	make  func() *ruleIndex
	index *ruleIndex
}

// get returns the index, or nil where there is none.
func (l *lazyIndex) get() *ruleIndex {
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
			x.add(list[j].test, int32(i))
		}
	}
	if indexed < manyRules {
		return nil
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
		// One of allof is enough, where those before it do nothing but hold or not;
		// of anyof all must be.
		for _, sub := range t.tests {
			switch ok := indexable(sub); {
			case ok != t.any:
				return !t.any
			case !t.any && !harmless(sub):
				return false
			}
		}
		return t.any
	}
	return false
}

// harmless reports whether a test that isn't tried leaves no trace: it sets no
// match variables, remembers nothing and can't fail.
func harmless(t condition) bool {
	switch t := t.(type) {
	case constant, *sizeTest, *existsTest, *plainTest:
		return true
	case *headerTest:
		return t.plain && t.match.harmless()
	case *addressTest:
		return t.simple() && t.match.harmless()
	case *negation:
		return harmless(t.test)
	case *junction:
		return !slices.ContainsFunc(t.tests, func(sub condition) bool { return !harmless(sub) })
	}
	return false
}

func (m *matcher) harmless() bool {
	return !m.dynamic && !(m.captures && (m.kind == sieve.Matches || m.kind == sieve.Regex))
}

func (m *matcher) indexable() bool {
	return !m.dynamic && (m.kind == sieve.Is || m.kind == sieve.Contains) &&
		(m.comparator == sieve.ASCIICasemap || m.comparator == sieve.Octet)
}

// add enters a rule for a test that is indexable.
func (x *ruleIndex) add(t condition, rule int32) {
	switch t := t.(type) {
	case *plainTest:
		x.enter(indexKey{slot: t.slot, octet: t.match.comparator == sieve.Octet}, t.match, rule)
	case *headerTest:
		for _, slot := range t.slots {
			x.enter(indexKey{slot: int32(slot), octet: t.match.comparator == sieve.Octet}, t.match, rule)
		}
	case *addressTest:
		for _, slot := range t.slots {
			x.enter(indexKey{int32(slot), true, t.part, t.match.comparator == sieve.Octet}, t.match, rule)
		}
	case *junction:
		for _, sub := range t.tests {
			if t.any {
				x.add(sub, rule)
			} else if indexable(sub) {
				x.add(sub, rule)
				return
			}
		}
	}
}

// begins notes how a needle begins, in both cases of its letters.
func (g *keyIndex) begins(needle string) {
	if needle == "" {
		g.empty = true
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

func (x *ruleIndex) enter(key indexKey, m *matcher, rule int32) {
	var g *keyIndex
	if i := slices.IndexFunc(x.keys, func(g *keyIndex) bool { return g.indexKey == key }); i >= 0 {
		g = x.keys[i]
	} else {
		g = &keyIndex{indexKey: key, place: int32(len(x.keys))}
		x.keys = append(x.keys, g)
	}
	x.belongs(rule, g.place)
	for _, k := range m.keys {
		if m.kind == sieve.Is {
			g.is = append(g.is, ruleKey{k, rule})
			g.shapes |= shape(k)
		} else {
			g.contains = append(g.contains, ruleKey{k, rule})
			g.begins(k)
		}
	}
}
