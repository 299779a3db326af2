package interp

// automaton finds which of many strings occur in a text, in one pass over it
// (Aho and Corasick). It works on octets.
type automaton struct {
	root [256]int32 // the states one octet away from the first
	// table is an open hash of the other transitions: state<<8|octet and the
	// state it leads to; the first is 0 where a place is free.
	table []transition
	fail  []int32 // of each state, the longest other one that it ends with
	key   []int32 // the string that ends in a state, or -1
	link  []int32 // the next state on the way of fail in which a string ends, or 0
	// empty says that one of the strings is empty.
	empty []int32
	// same lists, for a string that came again, the earlier one.
	same []int32
}

type transition struct {
	from uint64
	to   int32
}

// newAutomaton builds the automaton of the strings.
func newAutomaton(list []string) *automaton {
	a := &automaton{fail: []int32{0}, key: []int32{-1}, link: []int32{0}, same: make([]int32, len(list))}
	size := 0
	for _, s := range list {
		size += len(s)
	}
	n := 16
	for n < 2*size {
		n *= 2
	}
	a.table = make([]transition, n)
	depth := []int32{0}
	var octet []byte
	parent := []int32{0}
	octet = append(octet, 0)
	for i, s := range list {
		a.same[i] = -1
		if s == "" {
			a.empty = append(a.empty, int32(i))
			continue
		}
		state := int32(0)
		for j := 0; j < len(s); j++ {
			next := a.step(state, s[j])
			if next == 0 {
				next = int32(len(a.fail))
				a.fail, a.key, a.link = append(a.fail, 0), append(a.key, -1), append(a.link, 0)
				parent, octet, depth = append(parent, state), append(octet, s[j]), append(depth, int32(j+1))
				a.add(state, s[j], next)
			}
			state = next
		}
		a.same[i], a.key[state] = a.key[state], int32(i)
	}
	// By depth, so that a shorter state has its fail before a longer one.
	order := make([]int32, 0, len(depth))
	var start []int32
	for _, d := range depth {
		for int(d)+1 >= len(start) {
			start = append(start, 0)
		}
		start[d+1]++
	}
	for d := 1; d < len(start); d++ {
		start[d] += start[d-1]
	}
	order = order[:len(depth)]
	for s, d := range depth {
		order[start[d]] = int32(s)
		start[d]++
	}
	for _, s := range order {
		if depth[s] > 1 {
			f := a.fail[parent[s]]
			next := a.step(f, octet[s])
			for next == 0 && f != 0 {
				f = a.fail[f]
				next = a.step(f, octet[s])
			}
			a.fail[s] = next
		}
		if f := a.fail[s]; a.key[f] >= 0 {
			a.link[s] = f
		} else {
			a.link[s] = a.link[f]
		}
	}
	return a
}

func (a *automaton) place(from uint64) int {
	h := from * 0x9e3779b97f4a7c15
	i := int(h>>33) & (len(a.table) - 1)
	for a.table[i].from != 0 && a.table[i].from != from {
		i = (i + 1) & (len(a.table) - 1)
	}
	return i
}

// step returns the state that an octet leads to, or 0.
func (a *automaton) step(state int32, c byte) int32 {
	if state == 0 {
		return a.root[c]
	}
	return a.table[a.place(uint64(state)<<8|uint64(c))].to
}

func (a *automaton) add(state int32, c byte, to int32) {
	if state == 0 {
		a.root[c] = to
		return
	}
	from := uint64(state)<<8 | uint64(c)
	a.table[a.place(from)] = transition{from, to}
}

// next returns the state behind an octet of the text.
func (a *automaton) next(state int32, c byte) int32 {
	for {
		if to := a.step(state, c); to != 0 || state == 0 {
			return to
		}
		state = a.fail[state]
	}
}

// any reports whether one of the strings is in the text.
func (a *automaton) any(text []byte) bool {
	if len(a.empty) > 0 {
		return true
	}
	state := int32(0)
	for i := 0; i < len(text); i++ {
		if state == 0 {
			for i < len(text) && a.root[text[i]] == 0 {
				i++
			}
			if i == len(text) {
				break
			}
		}
		state = a.next(state, text[i])
		if a.key[state] >= 0 || a.link[state] != 0 {
			return true
		}
	}
	return false
}

// all calls found with each string that is in the text. It reports whether the
// string is a new one; where it isn't, those that end it were found with it.
func (a *automaton) all(text []byte, found func(key int32) bool) {
	for _, k := range a.empty {
		found(k)
	}
	state := int32(0)
	for i := 0; i < len(text); i++ {
		if state == 0 {
			for i < len(text) && a.root[text[i]] == 0 {
				i++
			}
			if i == len(text) {
				break
			}
		}
		state = a.next(state, text[i])
		s := state
		if a.key[s] < 0 {
			s = a.link[s]
		}
		for ; s != 0; s = a.link[s] {
			if !found(a.key[s]) {
				break
			}
			for k := a.same[a.key[s]]; k >= 0; k = a.same[k] {
				found(k)
			}
		}
	}
}
