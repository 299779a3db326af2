package postfix

import (
	"fmt"
	"regexp/syntax"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
)

// regexPattern puts a regular expression on the value into one on the line.
// The value has no white space at its ends and the line has, so an expression
// that could begin or end with some would match more there.
func regexPattern(p headers.Predicate, re string, fold bool) (string, error) {
	branches, err := splitBranches(escapeLone(re))
	if err != nil {
		return "", notExpressible(p, "write a simpler expression", "%v", err)
	}
	var list []string
	for _, branch := range branches {
		text, err := branchPattern(branch, fold)
		if err != nil {
			return "", notExpressible(p, "write a simpler expression", "%v", err)
		}
		list = append(list, text)
	}
	return eitherOf(list), nil
}

// branchPattern does it for one alternative.
func branchPattern(branch string, fold bool) (string, error) {
	core, start, end := branch, false, false
	for strings.HasPrefix(core, "^") {
		core, start = core[1:], true
	}
	for strings.HasSuffix(core, "$") && !escapedAt(core, len(core)-1) {
		core, end = core[:len(core)-1], true
	}
	// ".*" at an end is no anchor at all.
	for strings.HasPrefix(core, ".*") && (len(core) == 2 || strings.IndexByte("*+?{", core[2]) < 0) {
		core, start = core[2:], false
	}
	for strings.HasSuffix(core, ".*") && !escapedAt(core, len(core)-2) {
		core, end = core[:len(core)-2], false
	}
	if core == "" && !(start && end) {
		return "", nil // every value matches
	}
	shape, err := shapeOf(core, fold)
	if err != nil {
		return "", err
	}
	switch {
	case shape.anchor:
		return "", fmt.Errorf("an anchor within %q: put anchors at the ends of the alternatives", branch)
	case shape.empty && !(start && end):
		return "", nil
	case shape.first || shape.last:
		return "", fmt.Errorf("%q could begin or end with the white space around the value: begin and end with what isn't white space", branch)
	}
	text := core
	if core != "" && core != branch {
		text = "(" + text + ")"
	}
	if start {
		text = ws + text
	} else {
		text = ".*" + text
	}
	if end {
		text += wsToEnd
	}
	return text, nil
}

// splitBranches splits an expression at its outermost "|".
func splitBranches(re string) ([]string, error) {
	var list []string
	level, from := 0, 0
	for i := 0; i < len(re); i++ {
		switch re[i] {
		case '\\':
			i++
		case '[':
			end := bracketEnd(re, i)
			if end < 0 {
				return nil, fmt.Errorf("\"[\" without \"]\" in %q", re)
			}
			i = end
		case '(':
			level++
		case ')':
			level = max(0, level-1) // a lone one is an octet
		case '|':
			if level == 0 {
				list = append(list, re[from:i])
				from = i + 1
			}
		}
	}
	return append(list, re[from:]), nil
}

// escapeLone escapes each ")" without "(", so that it stays an octet within a
// group.
func escapeLone(re string) string {
	var b strings.Builder
	level, from := 0, 0
	for i := 0; i < len(re); i++ {
		switch re[i] {
		case '\\':
			i++
		case '[':
			end := bracketEnd(re, i)
			if end < 0 {
				return re
			}
			i = end
		case '(':
			level++
		case ')':
			if level--; level < 0 {
				b.WriteString(re[from:i] + `\`)
				level, from = 0, i
			}
		}
	}
	return b.String() + re[from:]
}

// bracketEnd returns where the bracket expression at re[i] ends, or -1.
func bracketEnd(re string, i int) int {
	i++
	if i < len(re) && re[i] == '^' {
		i++
	}
	for first := true; i < len(re); first = false {
		switch {
		case re[i] == ']' && !first:
			return i
		case re[i] == '[' && i+1 < len(re) && strings.IndexByte(":.=", re[i+1]) >= 0:
			n := strings.Index(re[i+2:], re[i+1:i+2]+"]")
			if n < 0 {
				return -1
			}
			i += n + 4
		default:
			i++
		}
	}
	return -1
}

// escapedAt reports whether a backslash escapes text[i].
func escapedAt(text string, i int) bool {
	n := 0
	for i-n > 0 && text[i-n-1] == '\\' {
		n++
	}
	return n%2 == 1
}

// shape is what branchPattern has to know of an expression.
type shape struct {
	empty       bool // may match nothing
	first, last bool // may begin, end with white space
	anchor      bool // has anchors
}

func shapeOf(re string, fold bool) (shape, error) {
	compiled, err := headers.CompileERE(re, fold)
	if err != nil {
		return shape{}, err
	}
	translated := compiled.Regexp()
	if translated == nil {
		return shape{}, fmt.Errorf("in %q there is more than ordinary repetitions, groups and anchors", re)
	}
	parsed, err := syntax.Parse(translated.String(), syntax.Perl)
	if err != nil {
		return shape{}, err
	}
	return shapeOfNode(parsed), nil
}

func shapeOfNode(n *syntax.Regexp) shape {
	switch n.Op {
	case syntax.OpNoMatch:
		return shape{}
	case syntax.OpEmptyMatch:
		return shape{empty: true}
	case syntax.OpLiteral:
		isWhite := func(r rune) bool { return r < 0x80 && isSpace(byte(r)) }
		return shape{first: isWhite(n.Rune[0]), last: isWhite(n.Rune[len(n.Rune)-1])}
	case syntax.OpCharClass:
		for i := 0; i < len(n.Rune); i += 2 {
			if n.Rune[i] <= ' ' && n.Rune[i+1] >= ' ' || n.Rune[i] <= '\r' && n.Rune[i+1] >= '\t' {
				return shape{first: true, last: true}
			}
		}
		return shape{}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return shape{first: true, last: true}
	case syntax.OpCapture:
		return shapeOfNode(n.Sub[0])
	case syntax.OpStar, syntax.OpQuest:
		s := shapeOfNode(n.Sub[0])
		s.empty = true
		return s
	case syntax.OpPlus:
		return shapeOfNode(n.Sub[0])
	case syntax.OpRepeat:
		s := shapeOfNode(n.Sub[0])
		s.empty = s.empty || n.Min == 0
		return s
	case syntax.OpAlternate:
		var s shape
		for _, sub := range n.Sub {
			one := shapeOfNode(sub)
			s = shape{s.empty || one.empty, s.first || one.first, s.last || one.last, s.anchor || one.anchor}
		}
		return s
	case syntax.OpConcat:
		s := shape{empty: true}
		for _, sub := range n.Sub {
			one := shapeOfNode(sub)
			s.first = s.first || s.empty && one.first
			s.last = one.last || one.empty && s.last
			s.empty = s.empty && one.empty
			s.anchor = s.anchor || one.anchor
		}
		return s
	}
	return shape{anchor: true}
}
