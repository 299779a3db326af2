package ere

import (
	"fmt"
	"strings"
)

// parser reads an expression as regcomp(3) does: with FoldCase it sees the
// letters in upper case, but for those behind a backslash and for the names of
// classes. The text is read in upper case too, so "\d" is found nowhere.
type parser struct {
	raw    string
	in     string // raw, in upper case with FoldCase
	pos    int
	flags  Flags
	groups int
	// closed are the groups that a back-reference may stand for.
	closed [10]bool
	// backref is the error for the first one, if nothing else is wrong.
	backref *Error
	tok     tok
}

// token is the kind of a token.
type token uint8

const (
	tokEnd token = iota
	tokOctet
	tokAlt
	tokOpen
	tokClose
	tokStar
	tokPlus
	tokQuestion
	tokOpenBrace
	tokCloseBrace
	tokBracket
	tokPeriod
	tokAnchor
	tokBackref
	tokClass // \w \W \s \S
	tokBackslash
)

// tok is a token: its octet, and where it stands.
type tok struct {
	kind       token
	c          byte
	at         int
	constraint constraint
}

// maxDepth keeps a hostile expression from exhausting the stack.
const maxDepth = 250

// maxRepeat is RE_DUP_MAX.
const maxRepeat = 0x7fff

func newParser(pattern string, flags Flags) *parser {
	p := &parser{raw: pattern, in: pattern, flags: flags}
	if flags.FoldCase {
		b := []byte(pattern)
		for i, c := range b {
			b[i] = upper(c)
		}
		p.in = string(b)
	}
	return p
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func fail(at int, fix, format string, args ...any) *Error {
	return &Error{Offset: at, Text: fmt.Sprintf(format, args...), Fix: fix}
}

// parse reads all of it.
func (p *parser) parse() (*node, *Error) {
	if at := strings.IndexByte(p.in, 0); at >= 0 {
		return nil, &Error{at, "NUL", "remove it", true}
	}
	p.next()
	tree, err := p.alternatives(0)
	if err == nil {
		err = p.backref
	}
	return tree, err
}

// next reads a token.
func (p *parser) next() {
	at := p.pos
	if at >= len(p.in) {
		p.tok = tok{kind: tokEnd, at: at}
		return
	}
	c := p.in[at]
	p.tok = tok{kind: tokOctet, c: c, at: at}
	p.pos++
	if c == '\\' {
		p.escape()
		return
	}
	switch c {
	case '|':
		p.tok.kind = tokAlt
	case '(':
		p.tok.kind = tokOpen
	case ')':
		p.tok.kind = tokClose
	case '+':
		p.tok.kind = tokPlus
	case '?':
		p.tok.kind = tokQuestion
	case '{':
		p.tok.kind = tokOpenBrace
	case '}':
		p.tok.kind = tokCloseBrace
	case '^':
		p.tok.kind, p.tok.constraint = tokAnchor, prevNewline
	case '$':
		p.tok.kind, p.tok.constraint = tokAnchor, nextNewline
	case '*':
		p.tok.kind = tokStar
	case '[':
		p.tok.kind = tokBracket
	case '.':
		p.tok.kind = tokPeriod
	}
}

// escape reads what follows a backslash.
func (p *parser) escape() {
	if p.pos >= len(p.in) {
		p.tok.kind = tokBackslash
		return
	}
	c := p.raw[p.pos]
	p.tok.c = c
	p.pos++
	switch {
	case c >= '1' && c <= '9':
		p.tok.kind = tokBackref
	case strings.IndexByte("wWsS", c) >= 0:
		p.tok.kind = tokClass
	case escapeAnchors[c] != 0:
		p.tok.kind, p.tok.constraint = tokAnchor, escapeAnchors[c]
	}
}

// \b and \B are either of two.
var escapeAnchors = [256]constraint{'<': wordFirst, '>': wordLast, '`': prevBegin, '\'': nextEnd, 'b': wordFirst, 'B': insideWord}

// ends reports whether the token ends a branch.
func (p *parser) ends(depth int) bool {
	return p.tok.kind == tokAlt || p.tok.kind == tokEnd || depth > 0 && p.tok.kind == tokClose
}

// alternatives reads up to the end or, inside of a group, to its ")".
func (p *parser) alternatives(depth int) (*node, *Error) {
	if depth > maxDepth {
		return nil, &Error{p.tok.at, fmt.Sprintf("more than %d nested groups", maxDepth), "leave out groups", true}
	}
	before := p.closed
	tree, err := p.branch(depth)
	for err == nil && p.tok.kind == tokAlt {
		p.next()
		var right *node
		if !p.ends(depth) {
			after := p.closed
			p.closed = before
			if right, err = p.branch(depth); err != nil {
				return nil, err
			}
			for i, c := range after {
				p.closed[i] = p.closed[i] || c
			}
		}
		tree = &node{kind: kindAlt, left: tree, right: right}
	}
	return tree, err
}

// branch reads one alternative.
func (p *parser) branch(depth int) (*node, *Error) {
	var tree *node
	for !p.ends(depth) {
		one, err := p.piece(depth)
		if err != nil {
			return nil, err
		}
		tree = concat(tree, one)
	}
	return tree, nil
}

// piece reads an atom and its repetitions.
func (p *parser) piece(depth int) (*node, *Error) {
	var tree *node
	switch t := p.tok; t.kind {
	case tokOpen:
		var err *Error
		if tree, err = p.group(depth); err != nil {
			return nil, err
		}
	case tokBracket:
		s, err := p.bracket()
		if err != nil {
			return nil, err
		}
		tree = &node{kind: kindSet, set: s}
	case tokPeriod:
		tree = &node{kind: kindSet, set: p.period()}
	case tokClass:
		tree = &node{kind: kindSet, set: p.escapedClass(t.c)}
	case tokBackref:
		n := int(t.c - '0')
		if !p.closed[n] {
			return nil, fail(t.at, "write the text itself", "there is no group before the back-reference \\%c", t.c)
		}
		if p.backref == nil {
			p.backref = &Error{t.at, fmt.Sprintf("the back-reference \\%c can't be matched", t.c), "write the text itself", true}
		}
		tree = &node{kind: kindBackref, group: n}
	case tokAnchor:
		tree = p.anchor(t)
		p.next()
		// What follows can't repeat it.
		return tree, nil
	case tokStar, tokPlus, tokQuestion, tokOpenBrace:
		return nil, fail(t.at, fmt.Sprintf("write %q for the octet", `\`+string(t.c)), "%q repeats nothing", t.c)
	case tokBackslash:
		return nil, fail(t.at, `write "\\\\" for the octet`, `nothing follows "\\"`)
	default: // a lone ")" or "}" is an octet
		tree = p.octet(t.c)
	}
	p.next()
	for {
		at := p.tok.at
		low, high, ok, err := p.repetition()
		if err != nil {
			return nil, err
		}
		if !ok {
			return tree, nil
		}
		if tree != nil {
			tree = repeat(tree, low, high)
		}
		if tree.size() > maxNodes {
			return nil, &Error{at, "too many repetitions for one expression", "make several of it", true}
		}
	}
}

func repeat(tree *node, low, high int) *node {
	switch {
	case high == 0:
		return nil
	case low == 1 && high == 1:
		return tree
	}
	return &node{kind: kindRepeat, left: tree, min: low, max: high}
}

// group reads from "(" to ")".
func (p *parser) group(depth int) (*node, *Error) {
	at := p.tok.at
	p.groups++
	n := &node{kind: kindGroup, group: p.groups}
	p.next()
	if p.tok.kind != tokClose {
		var err *Error
		if n.left, err = p.alternatives(depth + 1); err != nil {
			return nil, err
		}
		if p.tok.kind != tokClose {
			return nil, fail(at, `close it, or write "\\(" for the octet`, `"(" without ")"`)
		}
	}
	if n.group < len(p.closed) {
		p.closed[n.group] = true
	}
	return n, nil
}

// anchor makes an anchor, \b and \B as either of two.
func (p *parser) anchor(t tok) *node {
	one := func(c constraint) *node { return &node{kind: kindAnchor, constraint: c} }
	switch p.raw[t.at] {
	case '\\':
		switch t.c {
		case 'b':
			return &node{kind: kindAlt, left: one(wordFirst), right: one(wordLast)}
		case 'B':
			return &node{kind: kindAlt, left: one(insideWord), right: one(insideNotWord)}
		}
	}
	return one(t.constraint)
}

// repetition reads "*", "+", "?" or an interval, if there is one.
func (p *parser) repetition() (low, high int, ok bool, err *Error) {
	switch p.tok.kind {
	case tokStar:
		low, high = 0, unlimited
	case tokPlus:
		low, high = 1, unlimited
	case tokQuestion:
		low, high = 0, 1
	case tokOpenBrace:
		if low, high, err = p.interval(); err != nil {
			return 0, 0, false, err
		}
	default:
		return 0, 0, false, nil
	}
	p.next()
	return low, high, true, nil
}

// What number returns where there is none, and where there is something else.
const (
	noNumber = -1
	noDigits = -2
)

// interval reads from "{" to "}", which stays the token.
func (p *parser) interval() (low, high int, err *Error) {
	at := p.tok.at
	comma := func() bool { return p.tok.kind == tokOctet && p.tok.c == ',' }
	low = p.number()
	if low == noNumber && comma() {
		low = 0
	} else if low == noNumber {
		low = noDigits
	}
	high = low
	if low != noDigits && p.tok.kind != tokCloseBrace {
		if high = noDigits; comma() {
			high = p.number()
		}
	}
	if p.tok.kind == tokEnd && (low == noDigits || high == noDigits) {
		return 0, 0, fail(at, `write "\\{" for the octet`, `"{" without "}"`)
	}
	text := p.raw[at:p.pos]
	switch {
	case low == noDigits || high == noDigits || p.tok.kind != tokCloseBrace:
		return 0, 0, fail(at, "write {2}, {2,} or {2,5}", "%q is no interval", text)
	case high != noNumber && low > high:
		return 0, 0, fail(at, "write the smaller number first", "the interval %q is empty", text)
	case max(low, high) > maxRepeat:
		return 0, 0, fail(at, "repeat a group of repetitions", "%q asks for too many repetitions", text)
	}
	return low, high, nil // noNumber is unlimited
}

// number reads tokens up to a "," or "}".
func (p *parser) number() int {
	n := noNumber
	for {
		p.next()
		c := p.tok.c
		switch {
		case p.tok.kind == tokEnd:
			return noDigits
		case p.tok.kind == tokCloseBrace || c == ',':
			return n
		case p.tok.kind != tokOctet || c < '0' || c > '9' || n == noDigits:
			n = noDigits
		case n == noNumber:
			n = int(c - '0')
		default:
			n = min(maxRepeat+1, 10*n+int(c-'0'))
		}
	}
}
