package headers

import (
	"bytes"
)

// valueTest compares one value with the values of a Match.
type valueTest struct {
	op     Op
	fold   bool
	values []string // Is; in lower case if fold
	globs  []*Glob  // Matches, and Contains as "*text*"
	exprs  []*ERE
}

func newValueTest(p Predicate, op Op, values []string, c Comparator, v View) (*valueTest, error) {
	t := &valueTest{op: op, fold: c != Octet}
	for _, value := range values {
		if v == HeaderChecks && op != Regex && value != "" && (isSpace(value[0]) || isSpace(value[len(value)-1])) {
			return nil, &NotExpressibleError{p, string(v), "header_checks patterns don't see the white space at the ends of a value", "remove it"}
		}
		switch op {
		case Is:
			if t.fold {
				value = lowerString(value)
			}
			t.values = append(t.values, value)
		case Contains:
			t.globs = append(t.globs, containsGlob(value, t.fold))
		case Matches:
			t.globs = append(t.globs, CompileGlob(value, t.fold))
		case Regex:
			re, err := CompileERE(value, t.fold)
			if err != nil {
				return nil, err
			}
			t.exprs = append(t.exprs, re)
		}
	}
	return t, nil
}

// containsGlob is the glob "*text*" with nothing in text special.
func containsGlob(text string, fold bool) *Glob {
	empty := newGlobPart(nil, nil, fold)
	return &Glob{[]globPart{empty, newGlobPart([]byte(text), nil, fold), empty}}
}

func (t *valueTest) match(value []byte) bool {
	switch t.op {
	case Is:
		for _, v := range t.values {
			if t.fold && equalFold(value, v) || !t.fold && string(value) == v {
				return true
			}
		}
	case Contains, Matches:
		for _, g := range t.globs {
			if g.Match(value) {
				return true
			}
		}
	case Regex:
		// The copy keeps the caller's value on its stack.
		text := bytes.Clone(value)
		for _, re := range t.exprs {
			if MatchERE(re, text) {
				return true
			}
		}
	}
	return false
}
