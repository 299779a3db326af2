package sieve

import (
	"fmt"
)

// Tree is a source as its grammar has it (RFC 5228 section 8.2), before names
// and arguments mean anything. It is for programs that edit scripts: every node
// knows which octets it stands for, so whatever an edit doesn't name stays as
// it is.
type Tree struct {
	// Source is what was parsed.
	Source []byte
	// Commands are those at the top, in order.
	Commands []*Node
	// Comments are all comments, in order, wherever they stand.
	Comments []Span
}

// Span is a piece of a source, from Start up to but without End.
type Span struct {
	Start, End int
	// Line and Column are those of Start, from 1; a column is an octet.
	Line, Column int
}

// Node is a command or a test.
type Node struct {
	// Span begins with the name. It ends behind the semicolon or brace of a
	// command, and behind the last argument of a test.
	Span
	Name      string // as written
	Arguments []Argument
	Tests     []*Node
	// TestList says that the tests stand in parentheses.
	TestList bool
	// Block are the commands between the braces at BlockStart and, if it is not
	// 0, before Span.End-1; BlockStart is 0 where there is no block.
	Block      []*Node
	BlockStart int
}

// Argument is an argument of a command or test (RFC 5228 section 2.6).
type Argument struct {
	Span
	// Tag is the name of a tag, as written and without its colon.
	Tag string
	// Strings are those of a string or string list, decoded; nil for others.
	Strings []StringLiteral
	// List says that the strings stand in brackets.
	List bool
	// Number is the value of a number, with its quantifier.
	Number uint64
}

// StringLiteral is a string of an argument.
type StringLiteral struct {
	Span
	// Value is what the string holds: escapes, dot-stuffing and line ends are
	// resolved, encoded-character and variables are not.
	Value string
}

// ParseTree reads a source as a tree. It makes the demands of the grammar alone
// and reports all that is wrong as an [Errors]; [Parse] knows what commands
// and arguments mean.
func ParseTree(name string, src []byte) (*Tree, error) {
	if len(src) > maxScriptSize {
		err := fmt.Errorf("the script has %d octets; %d is the limit", len(src), maxScriptSize)
		return nil, Errors{{Position: Position{File: name, Line: 1, Column: 1}, Err: err}}
	}
	p := parsers.Get().(*parser)
	defer p.free()
	r := &p.reader
	r.syntax = &p.syntax
	p.parse(string(src), func(off int, err error) { r.errorf(int32(off), "%w", err) })
	if len(r.errs) > 0 {
		return nil, r.errorList(name, r.errs)
	}
	b := treeBuilder{syntax: &p.syntax}
	t := &Tree{Source: append([]byte(nil), src...)}
	for _, c := range p.comments {
		t.Comments = append(t.Comments, b.span(c.off, c.end))
	}
	b.line, b.at, b.lineStart = 0, 0, 0
	t.Commands = b.list(p.nodes[0].block)
	return t, nil
}

// treeBuilder makes a tree of a syntax, in the order of the source.
type treeBuilder struct {
	*syntax
	line, at, lineStart int // of what was counted last; line is one less
}

func (b *treeBuilder) span(off, end int32) Span {
	for ; b.at < int(off); b.at++ {
		if b.src[b.at] == '\n' {
			b.line++
			b.lineStart = b.at + 1
		}
	}
	return Span{int(off), int(end), b.line + 1, int(off) - b.lineStart + 1}
}

func (b *treeBuilder) list(first int32) []*Node {
	var out []*Node
	for i := first; i != 0; i = b.nodes[i].next {
		n := &b.nodes[i]
		if n.comment {
			continue
		}
		node := &Node{Span: b.span(n.off, n.end), Name: b.name(n), TestList: n.list, BlockStart: int(n.blockOff)}
		for j := range b.argsOf(n) {
			a := &b.args[n.args+int32(j)]
			arg := Argument{Span: b.span(a.off, a.end), List: a.kind == argList}
			if a.kind == argTag {
				arg.Tag = b.tag(a)
			}
			if a.kind == argNumber {
				arg.Number = b.num(a)
			}
			for _, s := range b.strings(a) {
				arg.Strings = append(arg.Strings, StringLiteral{b.span(s.off, s.end), b.value(s)})
			}
			node.Arguments = append(node.Arguments, arg)
		}
		node.Tests = b.list(n.tests)
		node.Block = b.list(n.block)
		out = append(out, node)
	}
	return out
}
