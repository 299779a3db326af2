package ere

// What is known of a place between two octets.
type context uint8

const (
	atWord context = 1 << iota
	atNewline
	atBegin
	atEnd
)

// before is the context of what stands before text[i].
func (a *automaton) before(text []byte, i int) context {
	if i == 0 {
		return atNewline | atBegin
	}
	return a.context(text[i-1])
}

// reached is the context of the states that were reached by text[i-1] from start.
// For those each line end is one, with REG_NEWLINE or without.
func (a *automaton) reached(text []byte, i, start int) context {
	if i > start && text[i-1] == '\n' {
		return atNewline
	}
	return a.before(text, i)
}

// after is the context of what stands at text[i].
func (a *automaton) after(text []byte, i int) context {
	if i == len(text) {
		return atNewline | atEnd
	}
	return a.context(text[i])
}

// passed is the context in which a state takes an octet: again each line end is
// one.
func (a *automaton) passed(c byte) context {
	if c == '\n' {
		return atNewline
	}
	return a.context(c)
}

func (a *automaton) context(c byte) context {
	switch {
	case a.words && isWord(c):
		return atWord
	case c == '\n' && a.flags.Newline:
		return atNewline
	}
	return 0
}

// prevHolds and nextHolds check a constraint.
func (c constraint) prevHolds(x context) bool {
	return (c&prevWord == 0 || x&atWord != 0) && (c&prevNotWord == 0 || x&atWord == 0) &&
		(c&prevNewline == 0 || x&atNewline != 0) && (c&prevBegin == 0 || x&atBegin != 0)
}

func (c constraint) nextHolds(x context) bool {
	return (c&nextWord == 0 || x&atWord != 0) && (c&nextNotWord == 0 || x&atWord == 0) &&
		(c&nextNewline == 0 || x&atNewline != 0) && (c&nextEnd == 0 || x&atEnd != 0)
}

// thread is a state that was reached, and from where.
type thread struct {
	state int32
	start int
}

// threads are the states that were reached at one place, the earliest starts
// first.
type threads struct {
	list []thread
	mark []uint32
	gen  uint32
	todo []int32
}

// add adds what is reached from a state without an octet.
func (l *threads) add(a *automaton, first int32, start int, x context) {
	if l.mark[first] == l.gen {
		return
	}
	l.mark[first] = l.gen
	l.todo = append(l.todo[:0], first)
	for len(l.todo) > 0 {
		i := l.todo[len(l.todo)-1]
		l.todo = l.todo[:len(l.todo)-1]
		n := &a.nodes[i]
		if len(n.to) == 0 {
			if n.constraint.prevHolds(x) {
				l.list = append(l.list, thread{i, start})
			}
			continue
		}
		for _, t := range n.to {
			if l.mark[t] != l.gen {
				l.mark[t] = l.gen
				l.todo = append(l.todo, t)
			}
		}
	}
}

func (l *threads) reset() {
	l.list = l.list[:0]
	l.gen++
}

// match is where an expression was found, and the state at its end.
type match struct {
	start, end int
	last       int32
}

// onlyAtBegin reports whether a match begins where the text does.
func (a *automaton) onlyAtBegin() bool {
	for x, s := range a.starts {
		if s != nil && s.any && context(x)&atBegin == 0 {
			return false
		}
	}
	return true
}

// search looks for the leftmost match that begins at from or later, and for the
// longest one of those where longest is set.
func (a *automaton) search(text []byte, from int, longest bool) (m match, ok bool) {
	marks := make([]uint32, 2*len(a.nodes))
	now := &threads{mark: marks[:len(a.nodes)], gen: 1}
	next := &threads{mark: marks[len(a.nodes):], gen: 1}
	for i := from; i <= len(text); i++ {
		x := a.before(text, i)
		if !ok && a.begins(text, i, x) {
			now.add(a, a.first, i, x)
		}
		if len(now.list) == 0 {
			if ok || i > 0 && a.onlyAtBegin() {
				break
			}
			continue
		}
		after := a.after(text, i)
		next.reset()
		var nextContext context
		if i < len(text) {
			nextContext = a.reached(text, i+1, i)
		}
		for _, t := range now.list {
			if ok && t.start > m.start {
				break
			}
			n := &a.nodes[t.state]
			if n.kind == kindEnd {
				if !n.constraint.nextHolds(after) {
					continue
				}
				if !ok || t.start < m.start || i > m.end || t.state < m.last {
					m = match{t.start, i, t.state}
				}
				if ok = true; !longest {
					return m, true
				}
			} else if i < len(text) && n.set[text[i]] && n.constraint.nextHolds(a.passed(text[i])) {
				next.add(a, n.next, t.start, nextContext)
			}
		}
		now, next = next, now
	}
	return m, ok
}

// lineEnds reports whether "^" or "$" can stand beside a line end within the
// match.
func (a *automaton) lineEnds() bool {
	l := threads{mark: make([]uint32, len(a.nodes)), gen: 1}
	for i := range a.nodes {
		if n := &a.nodes[i]; n.kind == kindSet && n.set['\n'] {
			if n.constraint&nextNewline != 0 {
				return true
			}
			l.add(a, n.next, 0, 0)
		}
	}
	for i, gen := range l.mark {
		if gen == l.gen && a.nodes[i].constraint&prevNewline != 0 {
			return true
		}
	}
	return false
}
