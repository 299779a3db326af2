package ere

import "slices"

// state is a node of the automaton.
type state struct {
	kind kind
	// copied says that glibc made it as a copy, which has a meaning for the
	// anchor before it.
	copied bool
	// optional says of kindOpen and kindClose that the group may be left out.
	optional   bool
	constraint constraint
	group      int
	set        *set
	next       int32 // of kindSet
	// original is what a copy for an anchor is a copy of.
	original int32
	// to are the ways out without an octet, in ascending order.
	to []int32
}

// automaton is an expression as glibc has it.
type automaton struct {
	flags Flags
	nodes []state
	first int32
	words bool // there is a word anchor
	forks bool // there is kindAlt or kindStar
	// from are the ways in without an octet.
	from [][]int32
	// starts says for each context of a place what a match can begin with there.
	starts [atEnd]*start
}

// start is what a match can begin with: the octets, or nothing at all.
type start struct {
	octets set
	any    bool // one of the octets, or nothing
	empty  bool
}

// hole is where the number of the node that follows is missing.
type hole struct {
	node  int32
	which uint8 // 0: next, 1: left, 2: right
}

// builder numbers the nodes as glibc does: the parts of a node before itself.
type builder struct {
	a      *automaton
	groups bool
	sides  [][2]int32 // left and right of kindAlt and the like
}

// newAutomaton builds it. It is false where it is too large. Without groups it
// is what glibc makes with REG_NOSUB.
func newAutomaton(tree *node, flags Flags, groups bool) (*automaton, bool) {
	a := &automaton{flags: flags}
	b := builder{a: a, groups: groups}
	first, holes := b.emit(tree, false, false)
	end := b.add(state{kind: kindEnd})
	b.fill(holes, end)
	if first < 0 {
		first = end
	}
	for i := range a.nodes {
		s := &a.nodes[i]
		switch s.kind {
		case kindSet, kindEnd:
		case kindAlt, kindStar:
			a.forks = true
			l, r := b.sides[i][0], b.sides[i][1]
			s.to = []int32{min(l, r), max(l, r)}
			if l == r {
				s.to = s.to[:1]
			}
		default:
			s.to = []int32{s.next}
			a.words = a.words || s.constraint&(prevWord|prevNotWord|nextWord|nextNotWord) != 0
		}
	}
	a.first = first
	if !a.closures() {
		return nil, false
	}
	a.from = make([][]int32, len(a.nodes))
	for i := range a.nodes {
		for _, t := range a.nodes[i].to {
			a.from[t] = append(a.from[t], int32(i))
		}
	}
	a.starts[0] = a.startAt(0)
	a.starts[atNewline|atBegin] = a.startAt(atNewline | atBegin)
	if a.words {
		a.starts[atWord] = a.startAt(atWord)
	}
	if flags.Newline {
		a.starts[atNewline] = a.startAt(atNewline)
	}
	return a, true
}

func (a *automaton) startAt(x context) *start {
	s := new(start)
	l := threads{mark: make([]uint32, len(a.nodes)), gen: 1}
	l.add(a, a.first, 0, x)
	for _, t := range l.list {
		n := &a.nodes[t.state]
		s.any = true
		if n.kind == kindEnd {
			s.empty = true
			continue
		}
		for c, in := range n.set {
			s.octets[c] = s.octets[c] || in
		}
	}
	return s
}

// begins reports whether a match may begin before text[i], in context x.
func (a *automaton) begins(text []byte, i int, x context) bool {
	s := a.starts[x]
	return s.empty || i < len(text) && s.octets[text[i]]
}

func (b *builder) add(s state) int32 {
	s.original = -1
	b.a.nodes = append(b.a.nodes, s)
	b.sides = append(b.sides, [2]int32{})
	return int32(len(b.a.nodes) - 1)
}

func (b *builder) fill(holes []hole, to int32) {
	for _, h := range holes {
		if h.which == 0 {
			b.a.nodes[h.node].next = to
		} else {
			b.sides[h.node][h.which-1] = to
		}
	}
}

// emit adds the nodes of a tree, and returns its first one, -1 where there is
// none, and the holes that its follower fills.
func (b *builder) emit(n *node, copied, optional bool) (first int32, holes []hole) {
	if n == nil {
		return -1, nil
	}
	switch n.kind {
	case kindConcat:
		left, l := b.emit(n.left, copied, false)
		right, r := b.emit(n.right, copied, false)
		return b.join(left, l, right, r)
	case kindAlt:
		left, l := b.emit(n.left, copied, false)
		right, r := b.emit(n.right, copied, false)
		return b.alt(left, l, right, r, copied)
	case kindGroup:
		if !b.groups && n.left != nil {
			return b.emit(n.left, copied, false)
		}
		open := b.add(state{kind: kindOpen, group: n.group, optional: optional})
		body, holes := b.emit(n.left, copied, false)
		shut := b.add(state{kind: kindClose, group: n.group, optional: optional})
		b.fill(holes, shut)
		if body < 0 {
			body = shut
		}
		b.a.nodes[open].next = body
		return open, []hole{{shut, 0}}
	case kindRepeat:
		return b.repeat(n, copied)
	}
	i := b.add(state{kind: n.kind, set: n.set, constraint: n.constraint, copied: copied})
	return i, []hole{{i, 0}}
}

// join puts one part behind another.
func (b *builder) join(left int32, l []hole, right int32, r []hole) (int32, []hole) {
	switch {
	case left < 0:
		return right, r
	case right < 0:
		return left, l
	}
	b.fill(l, right)
	return left, r
}

// alt adds a fork between two parts.
func (b *builder) alt(left int32, l []hole, right int32, r []hole, copied bool) (int32, []hole) {
	i := b.add(state{kind: kindAlt, copied: copied})
	b.sides[i] = [2]int32{left, right}
	if left < 0 {
		l = append(l, hole{i, 1})
	}
	if right < 0 {
		r = append(r, hole{i, 2})
	}
	return i, append(l, r...)
}

// repeat writes an interval out: x{1,3} is x((x)?x)?, x+ is xx*.
func (b *builder) repeat(n *node, copied bool) (first int32, holes []hole) {
	first = -1
	for i := range n.min {
		one, h := b.emit(n.left, copied || i > 0, false)
		first, holes = b.join(first, holes, one, h)
	}
	if n.max == n.min {
		return first, holes
	}
	// The mark is set on one of them, and copies don't have it.
	mark := n.left.kind == kindGroup && !copied
	rest, h := b.emit(n.left, copied || n.min > 0, mark)
	if n.max == unlimited {
		star := b.add(state{kind: kindStar, copied: copied})
		b.fill(h, star)
		b.sides[star] = [2]int32{rest, -1}
		return b.join(first, holes, star, []hole{{star, 2}})
	}
	rest, h = b.alt(rest, h, -1, nil, copied)
	for i := n.min + 1; i < n.max; i++ {
		one, more := b.emit(n.left, true, false)
		rest, h = b.join(rest, h, one, more)
		rest, h = b.alt(rest, h, -1, nil, copied)
	}
	return b.join(first, holes, rest, h)
}

// closures makes copies of the nodes that follow an anchor, which have its
// constraint, in the order in which glibc finds them.
func (a *automaton) closures() bool {
	if !slices.ContainsFunc(a.nodes, func(s state) bool { return s.constraint != 0 }) {
		return true
	}
	seen := make([]bool, len(a.nodes))
	var walk func(i int32)
	walk = func(i int32) {
		seen[i] = true
		if n := &a.nodes[i]; n.constraint != 0 && len(n.to) > 0 && !a.nodes[n.to[0]].copied {
			a.double(i, i, i, n.constraint)
			seen = append(seen, make([]bool, len(a.nodes)-len(seen))...)
		}
		for _, t := range a.nodes[i].to {
			if !seen[t] {
				walk(t)
			}
		}
	}
	for i := int32(0); int(i) < len(a.nodes); i++ {
		if len(a.nodes) > maxNodes {
			return false
		}
		if !seen[i] {
			walk(i)
		}
	}
	return true
}

// double makes the copies for one anchor.
func (a *automaton) double(original, clone, root int32, c constraint) {
	for len(a.nodes) <= maxNodes {
		to := a.nodes[original].to
		if len(to) == 0 {
			a.nodes[clone].next = a.nodes[original].next
			return
		}
		last := to[len(to)-1]
		if len(to) == 1 {
			if original == root && clone != original {
				a.nodes[clone].to = []int32{last}
				return
			}
			c |= a.nodes[original].constraint
			a.nodes[clone].to = nil
		} else {
			a.nodes[clone].to = nil
			next := to[0]
			dup := a.doubled(next, c)
			if dup >= 0 {
				a.way(clone, dup)
			} else {
				dup = a.copy(next, c)
				a.way(clone, dup)
				a.double(next, dup, root, c)
			}
		}
		dup := a.copy(last, c)
		a.way(clone, dup)
		original, clone = last, dup
	}
}

// way adds a way out.
func (a *automaton) way(from, to int32) {
	s := &a.nodes[from]
	if !slices.Contains(s.to, to) {
		s.to = append(slices.Clone(s.to), to)
		slices.Sort(s.to)
	}
}

func (a *automaton) copy(i int32, c constraint) int32 {
	s := a.nodes[i]
	s.constraint |= c
	s.copied, s.original = true, i
	s.to = slices.Clone(s.to)
	a.nodes = append(a.nodes, s)
	return int32(len(a.nodes) - 1)
}

// doubled looks for a copy among the last nodes.
func (a *automaton) doubled(original int32, c constraint) int32 {
	for i := int32(len(a.nodes) - 1); i > 0 && a.nodes[i].copied; i-- {
		if a.nodes[i].original == original && a.nodes[i].constraint == c {
			return i
		}
	}
	return -1
}
