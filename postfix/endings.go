package postfix

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// RuleEndings is what is known of the keys that a rule of a [PatternTable]
// matches.
type RuleEndings struct {
	// Value is the result as it is written, Line the rule's line.
	Value string
	Line  int
	// Endings are alternatives, in lower case, for each pattern that a key must
	// match: the rule's own and those of the IFs around it. A key that the rule
	// matches ends, in lower case, in one text of every list. A list of one empty
	// text says nothing, and patterns that are negated have none.
	Endings [][]string

	programs []*syntax.Prog // of the patterns of Endings, for MayMatch
}

// Endings returns what the keys that the rules match end in, in the order of
// the rules. It follows literal text, alternatives and small sets from the end
// of an expression to the first part that may be any text; an expression that
// doesn't end at the end of the key tells nothing.
func (t *PatternTable) Endings() []RuleEndings {
	if t == nil {
		t = new(PatternTable)
	}
	out := make([]RuleEndings, len(t.rules))
	for i, r := range t.rules {
		out[i] = RuleEndings{Value: r.result, Line: r.line}
		for _, g := range append([]patternGuard{r.pattern}, r.guards...) {
			if !g.negate {
				endings, program := endingsOf(g.re.Regexp())
				out[i].Endings = append(out[i].Endings, endings)
				out[i].programs = append(out[i].programs, program)
			}
		}
	}
	return out
}

var anyEnding = []string{""}

// endingsOf reads an expression. The program is nil where there is none.
func endingsOf(expr *regexp.Regexp) ([]string, *syntax.Prog) {
	if expr == nil {
		return anyEnding, nil
	}
	re, err := syntax.Parse(expr.String(), syntax.Perl)
	if err != nil {
		return anyEnding, nil
	}
	re = re.Simplify()
	program, err := syntax.Compile(re)
	if err != nil {
		program = nil
	}
	if !anchored(re) {
		return anyEnding, program
	}
	var list []string
	for _, e := range ends(re) {
		list = append(list, narrow(e.text))
	}
	slices.Sort(list)
	list = slices.Compact(list)
	// What ends in another of them says no more than that.
	return slices.DeleteFunc(slices.Clone(list), func(e string) bool {
		return slices.ContainsFunc(list, func(o string) bool { return o != e && strings.HasSuffix(e, o) })
	}), program
}

// anchored reports whether every match ends where the text does.
func anchored(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpEndText, syntax.OpNoMatch:
		return true
	case syntax.OpEndLine: // a key has no line ends
		return true
	case syntax.OpCapture:
		return anchored(re.Sub[0])
	case syntax.OpConcat:
		return anchored(re.Sub[len(re.Sub)-1])
	case syntax.OpAlternate:
		return !slices.ContainsFunc(re.Sub, func(s *syntax.Regexp) bool { return !anchored(s) })
	}
	return false
}

// Bounds of what is followed: texts in a list, octets of a set, depth.
const maxEndings, maxEndingSet = 1000, 64

// ending is a text that a match may end in; whole: that is all of the match.
type ending struct {
	text  string
	whole bool
}

var unknown = []ending{{}}

// ends returns how a match may end.
func ends(re *syntax.Regexp) []ending {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpWordBoundary,
		syntax.OpNoWordBoundary:
		return []ending{{whole: true}}
	case syntax.OpNoMatch:
		return nil
	case syntax.OpLiteral:
		// Beyond ASCII each octet is a character, and none has another case.
		return []ending{{asciiLower(string(re.Rune)), true}}
	case syntax.OpCharClass:
		var list []ending
		for i := 0; i < len(re.Rune); i += 2 {
			for c := re.Rune[i]; c <= min(re.Rune[i+1], 0xff); c++ { // an octet each
				if len(list) == maxEndingSet {
					return unknown
				}
				if e := (ending{asciiLower(string(c)), true}); !slices.Contains(list, e) {
					list = append(list, e)
				}
			}
		}
		return list
	case syntax.OpCapture:
		return ends(re.Sub[0])
	case syntax.OpQuest:
		return append(slices.Clone(ends(re.Sub[0])), ending{whole: true})
	case syntax.OpPlus, syntax.OpStar:
		list := slices.Clone(ends(re.Sub[0]))
		for i := range list {
			list[i].whole = false
		}
		if re.Op == syntax.OpStar {
			list = append(list, ending{whole: true})
		}
		return list
	case syntax.OpAlternate:
		var list []ending
		for _, sub := range re.Sub {
			if list = append(list, ends(sub)...); len(list) > maxEndings {
				return unknown
			}
		}
		return list
	case syntax.OpConcat:
		list := []ending{{whole: true}}
		for i := len(re.Sub) - 1; i >= 0 && slices.ContainsFunc(list, func(e ending) bool { return e.whole }); i-- {
			before := ends(re.Sub[i])
			if len(before)*len(list) > maxEndings {
				break
			}
			var longer []ending
			for _, e := range list {
				if !e.whole {
					longer = append(longer, e)
					continue
				}
				for _, b := range before {
					longer = append(longer, ending{b.text + e.text, b.whole})
				}
			}
			list = longer
		}
		// Where it stopped early, what is in front of a whole one is unknown.
		return list
	}
	return unknown
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}
