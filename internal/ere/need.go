package ere

import "regexp/syntax"

// Need is what a text must have for an expression to be found in it: all of the
// strings, and one of each list of alternatives. Letters are in lower case, and
// stand for both cases. A nil Need asks for nothing.
type Need struct {
	All []string
	Any [][]*Need
}

// maxNeed bounds the alternatives that are kept of an expression.
const maxNeed = 1000

// needs collects the literals of a sequence: run is the one that the sequence
// ends with so far.
type needs struct {
	need Need
	run  []byte
	left *int
}

func (s *needs) octet(c byte) { s.run = append(s.run, lower(c)) }

// cut ends a run: what follows may be anything.
func (s *needs) cut() {
	if len(s.run) > 1 {
		s.need.All = append(s.need.All, string(s.run))
	}
	s.run = s.run[:0]
}

// either adds alternatives, of which each has to need something.
func (s *needs) either(list []*Need) {
	s.cut()
	if *s.left -= len(list); *s.left < 0 {
		return
	}
	for _, n := range list {
		if n == nil {
			return
		}
	}
	s.need.Any = append(s.need.Any, list)
}

func (s *needs) end() *Need {
	if s.cut(); len(s.need.All)+len(s.need.Any) == 0 {
		return nil
	}
	return &s.need
}

// Need is nil where nothing is known.
func (e *Expr) Need() *Need {
	left := maxNeed
	return e.tree.needs(&left)
}

func (n *node) needs(left *int) *Need {
	s := needs{left: left}
	n.collect(&s)
	return s.end()
}

func (n *node) collect(s *needs) {
	if n == nil {
		return
	}
	switch n.kind {
	case kindSet:
		if one, other, count := n.set.members(); count == 1 || count == 2 && lower(one) == other && one != other {
			s.octet(one)
			return
		}
		s.cut()
	case kindConcat:
		n.left.collect(s)
		n.right.collect(s)
	case kindGroup:
		n.left.collect(s)
	case kindAlt:
		var list []*Need
		for n.kind == kindAlt && n.left != nil {
			list = append(list, n.right.needs(s.left))
			if n = n.left; n.kind != kindAlt {
				list = append(list, n.needs(s.left))
			}
		}
		if n.kind == kindAlt {
			list = append(list, nil) // an empty one
		}
		s.either(list)
	case kindRepeat:
		if n.min > 0 {
			n.left.collect(s) // once, and then what may stand between
		}
		s.cut()
	case kindAnchor:
		// It takes no octet.
	default:
		s.cut()
	}
}

// NeedGo is the Need of an expression of Go's in which each octet is a character.
func NeedGo(pattern string) *Need {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	left := maxNeed
	return needsGo(re, &left)
}

func needsGo(re *syntax.Regexp, left *int) *Need {
	s := needs{left: left}
	collectGo(re, &s)
	return s.end()
}

func collectGo(re *syntax.Regexp, s *needs) {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if r > 0xff || r >= 0x80 && re.Flags&syntax.FoldCase != 0 {
				s.cut()
				continue
			}
			s.octet(byte(r))
		}
	case syntax.OpConcat, syntax.OpCapture:
		for _, sub := range re.Sub {
			collectGo(sub, s)
		}
	case syntax.OpAlternate:
		list := make([]*Need, len(re.Sub))
		for i, sub := range re.Sub {
			list[i] = needsGo(sub, s.left)
		}
		s.either(list)
	case syntax.OpPlus, syntax.OpRepeat:
		if re.Op == syntax.OpPlus || re.Min > 0 {
			collectGo(re.Sub[0], s)
		}
		s.cut()
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
	default:
		s.cut()
	}
}
