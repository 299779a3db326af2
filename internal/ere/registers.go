package ere

import (
	"math"
	"slices"
)

// bitset is a set of states.
type bitset []uint64

func (b bitset) has(i int32) bool { return b[i/64]&(1<<(i%64)) != 0 }
func (b bitset) add(i int32)      { b[i/64] |= 1 << (i % 64) }

// sift knows for each place of a match from which states its end can be
// reached. It keeps some places, and finds those between them again.
type sift struct {
	a          *automaton
	text       []byte
	start, end int
	block      int
	kept       []bitset // at the ends of the blocks, from the last one
	current    []bitset // of one block
	number     int      // of that block, counted from the last one
	todo       []int32
	seen       bitset
}

func (a *automaton) newSift(text []byte, start, end int, last int32) *sift {
	words := (len(a.nodes) + 63) / 64
	s := &sift{a: a, text: text, start: start, end: end, number: -1, seen: make(bitset, words)}
	s.block = max(16, int(math.Sqrt(float64(end-start))))
	at := make(bitset, words)
	s.close(at, []int32{last}, end)
	s.kept = append(s.kept, at)
	scratch := [2]bitset{make(bitset, words), make(bitset, words)}
	for i := end - 1; i >= start; i-- {
		out := scratch[i%2]
		if (end-i)%s.block == 0 {
			out = make(bitset, words)
			s.kept = append(s.kept, out)
		}
		s.step(out, at, i)
		at = out
	}
	return s
}

// at returns the states of a place.
func (s *sift) at(i int) bitset {
	number := (s.end - i) / s.block
	last := s.end - number*s.block
	if i == last {
		return s.kept[number]
	}
	if s.number != number {
		s.number = number
		words := len(s.kept[0])
		s.current = append(s.current[:0], s.kept[number])
		all := make(bitset, words*s.block)
		for j := last - 1; j >= s.start && j > last-s.block; j-- {
			out := all[:words:words]
			all = all[words:]
			s.step(out, s.current[len(s.current)-1], j)
			s.current = append(s.current, out)
		}
	}
	return s.current[last-i]
}

// step finds the states at text[i] of those behind it.
func (s *sift) step(out, behind bitset, i int) {
	clear(out)
	s.todo = s.todo[:0]
	c, x, after := s.text[i], s.a.reached(s.text, i, s.start), s.a.after(s.text, i)
	for n := range s.a.nodes {
		state := &s.a.nodes[n]
		if state.kind == kindSet && state.set[c] && behind.has(state.next) && state.constraint.prevHolds(x) && state.constraint.nextHolds(after) {
			s.todo = append(s.todo, int32(n))
		}
	}
	s.close(out, s.todo, i)
}

// close adds the states from which one of the list is reached without an octet.
func (s *sift) close(out bitset, list []int32, i int) {
	x := s.a.reached(s.text, i, s.start)
	clear(s.seen)
	for _, n := range list {
		s.seen.add(n)
	}
	for len(list) > 0 {
		n := list[len(list)-1]
		list = list[:len(list)-1]
		if s.a.nodes[n].constraint.prevHolds(x) {
			out.add(n)
		}
		for _, f := range s.a.from[n] {
			if !s.seen.has(f) {
				s.seen.add(f)
				list = append(list, f)
			}
		}
	}
	s.todo = list[:0]
}

// registers walks over a match, and returns its offsets and those of the
// groups, or nil where glibc finds no way over it. again says that it looks for
// another match then.
func (a *automaton) registers(text []byte, m match, count int) (found []int, again bool) {
	start, end, last := m.start, m.end, m.last
	s := a.newSift(text, start, end, last)
	regs := make([]int, 2*count)
	for i := range regs {
		regs[i] = -1
	}
	regs[0], regs[1] = start, end
	before := append([]int(nil), regs...)
	via := make(map[int32]bool)
	here := s.at(start)
	first := &threads{mark: make([]uint32, len(a.nodes)), gen: 1}
	first.add(a, a.first, start, a.before(text, start))
	if !slices.ContainsFunc(first.list, func(t thread) bool { return here.has(t.state) }) {
		return nil, a.forks
	}
	n, idle := a.first, 0
	for i := start; i <= end; {
		state := &a.nodes[n]
		a.update(state, i, regs, before)
		if i == end && n == last {
			return regs, false
		}
		if len(state.to) == 0 {
			if state.kind == kindEnd || i == end || !state.set[text[i]] || !state.constraint.nextHolds(a.after(text, i)) {
				return nil, false
			}
			n = state.next
			i++
			here = s.at(i)
			clear(via)
			continue
		}
		if idle++; !via[n] {
			via[n], idle = true, 0
		}
		to := int32(-1)
		for _, t := range state.to {
			if !here.has(t) {
				continue
			}
			if to < 0 {
				to = t
				continue
			}
			if via[to] {
				to = t
			}
			break
		}
		if to < 0 || idle > len(a.nodes) {
			return nil, false
		}
		n = to
	}
	return nil, false
}

// update fills the registers at the beginning and the end of a group.
func (a *automaton) update(n *state, at int, regs, before []int) {
	g := 2 * n.group
	switch n.kind {
	case kindOpen:
		regs[g], regs[g+1] = at, -1
	case kindClose:
		switch {
		case regs[g] < at:
			regs[g+1] = at
			copy(before, regs)
		case n.optional && before[g] != -1:
			// An empty match of a group that matched already is undone.
			copy(regs, before)
		default:
			regs[g+1] = at
		}
	}
}
