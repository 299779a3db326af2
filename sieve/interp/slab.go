package interp

import "sync"

// slab hands out pieces of larger allocations: what a form is made of comes and
// goes together, and one allocation for many is a third of the work of Compile.
type slab[T any] struct{ free []T }

// maxAhead bounds how many pieces are allocated at once.
const maxAhead = 16

// maxTaken bounds how many pieces are taken from an allocation for many.
const maxTaken = 32

// take returns n cleared values, where about so many rules are still to come.
func (s *slab[T]) take(n, ahead int) []T {
	if n > maxTaken {
		return make([]T, n)
	}
	if len(s.free) < n {
		s.free = make([]T, n*max(1, min(ahead, maxAhead)))
	}
	out := s.free[:n:n]
	s.free = s.free[n:]
	return out
}

// one returns one.
func (s *slab[T]) one(ahead int) *T { return &s.take(1, ahead)[0] }

// slabs are those of a compiler.
type slabs struct {
	code      slab[instruction]
	choices   slab[choiceOfOne]
	plain     slab[plainOfOne]
	addresses slab[addressOfOne]
	octets    slab[byte]
	path      [8]place
}

// workshops are slabs without anything in them.
var workshops = sync.Pool{New: func() any { return new(slabs) }}

// choiceOfOne is a choice with its branch beside it: most have one.
type choiceOfOne struct {
	choice
	one [1]branch
}

// plainOfOne is a test of one key in one piece, as most are.
type plainOfOne struct {
	plainTest
	match matcher
	ofOne
}

// addressOfOne is the same with addresses.
type addressOfOne struct {
	addressTest
	match matcher
	slots [1]int
	ofOne
}

// ofOne is room for a key.
type ofOne struct {
	keys    [1]string
	needles [1][]byte
}

// in lets a matcher use the room.
func (x *ofOne) in(m *matcher) *matcher {
	m.keys, m.needles = x.keys[:0], x.needles[:0]
	return m
}
