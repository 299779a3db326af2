// Package ere matches POSIX regular expressions as glibc's regcomp(3) and
// regexec(3) do in the POSIX locale, the groups too.
//
// glibc makes an automaton of the expression, looks for the leftmost longest
// match, and then walks once more from its beginning to its end to fill the
// groups: at each fork it takes the node with the smaller number from which the
// end can still be reached. The numbers and the rules for a group that is
// passed again follow from how it builds the tree, so this package builds the
// same one.
package ere

import (
	"fmt"
	"regexp"
	"sync"
)

// Flags are the flags of regcomp(3).
type Flags struct {
	// FoldCase is REG_ICASE.
	FoldCase bool
	// Newline is REG_NEWLINE.
	Newline bool
}

// Error is what is wrong with an expression.
type Error struct {
	// Offset is the place, counted in octets from 0.
	Offset int
	// Text says what is wrong, Fix what would be right.
	Text, Fix string
	// Taken says that regcomp(3) takes it.
	Taken bool
}

// Error gives place and text.
func (e *Error) Error() string { return fmt.Sprintf("at octet %d: %s", e.Offset+1, e.Text) }

// Expr is a compiled expression. It may be used by several goroutines.
type Expr struct {
	tree   *node
	flags  Flags
	groups int
	same   []int // the group that each group shares its place with
	size   int
	// translated is the expression for Go's regexp, where that matches alike.
	translated *regexp.Regexp
	// plain is the automaton without groups, where translated isn't there.
	plain *automaton
	once  sync.Once
	full  *automaton // with groups
}

// maxNodes bounds the automaton: a{1,32767} fits, several of it don't.
const maxNodes = 140_000

// maxTries bounds how many matches are tried that have no way through.
const maxTries = 50

// Compile reads an expression.
func Compile(pattern string, flags Flags) (*Expr, *Error) {
	p := newParser(pattern, flags)
	tree, err := p.parse()
	if err != nil {
		return nil, err
	}
	e := &Expr{tree: tree, flags: flags, groups: p.groups}
	e.same = make([]int, p.groups+1)
	for i := range e.same {
		e.same[i] = i
	}
	mergeGroups(tree, e.same)
	tooLarge := &Error{0, "it needs too many states", "make several of it", true}
	if tree.size() > maxNodes {
		return nil, tooLarge
	}
	plain, ok := newAutomaton(tree, flags, false)
	if !ok {
		return nil, tooLarge
	}
	full := plain
	if p.groups > 0 {
		if full, ok = newAutomaton(tree, flags, true); !ok {
			return nil, tooLarge
		}
	}
	e.size = len(full.nodes)
	if flags.Newline || !plain.lineEnds() {
		e.translated = translate(tree, flags, plain.onlyAtBegin())
	}
	if e.translated == nil {
		e.plain = plain
	}
	return e, nil
}

// Groups is the number of groups.
func (e *Expr) Groups() int { return e.groups }

// Size is the number of states.
func (e *Expr) Size() int { return e.size }

// Regexp is the expression for Go's regexp, where it matches alike, else nil.
// Each octet has to be a character of its own there.
func (e *Expr) Regexp() *regexp.Regexp { return e.translated }

// Match reports whether the expression is found in the text, as regexec(3) says
// for an expression that was compiled with REG_NOSUB.
func (e *Expr) Match(text []byte) bool {
	if e.translated != nil {
		wide, _ := Widen(text)
		return e.translated.Match(wide)
	}
	_, ok := e.plain.search(text, 0, false)
	return ok
}

// Find returns the offsets of the match and of its groups, two for each, -1 for
// a group without a part in it, or nil where it isn't found.
func (e *Expr) Find(text []byte) []int {
	if e.groups == 0 && e.translated != nil {
		return FindGo(e.translated, text)
	}
	if e.groups == 0 {
		if m, ok := e.plain.search(text, 0, true); ok {
			return []int{m.start, m.end}
		}
		return nil
	}
	e.once.Do(func() { e.full, _ = newAutomaton(e.tree, e.flags, true) })
	from := 0
	for tries := 0; tries < maxTries && from <= len(text); tries++ {
		m, ok := e.full.search(text, from, true)
		if !ok {
			return nil
		}
		regs, again := e.full.registers(text, m, e.groups+1)
		if regs == nil && again {
			from = m.start + 1
			continue
		}
		if regs != nil {
			for i, j := range e.same {
				regs[2*i], regs[2*i+1] = regs[2*j], regs[2*j+1]
			}
		}
		return regs
	}
	return nil
}
