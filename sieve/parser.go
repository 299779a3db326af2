package sieve

import (
	"fmt"
)

// parser builds a syntax from tokens (RFC 5228 section 8.2). It goes down no
// deeper than maxBlockNesting and maxTestNesting.
type parser struct {
	syntax
	lex    lexer
	tok    token
	taken  int32 // comments that are nodes already
	reader reader
}

// parse reads the whole source.
func (p *parser) parse(src string, report func(off int, err error)) {
	p.src = src
	p.nodes = append(p.nodes[:0], synNode{end: int32(len(src))})
	p.args, p.strs, p.nums, p.commands, p.listed, p.taken = p.args[:0], p.strs[:0], p.nums[:0], 0, 0, 0
	p.lex = lexer{src: src, comments: p.comments[:0], decoded: p.decoded[:0], report: report}
	p.next()
	var l siblings
	p.block(&l, 1)
	for p.tok.kind != tokEOF {
		p.stray("a command")
		p.block(&l, 1)
	}
	p.nodes[0].block, p.nodes[0].count = l.first, l.count
	p.comments, p.decoded = p.lex.comments, p.lex.decoded
}

func (p *parser) next() { p.lex.next(&p.tok) }

func (p *parser) errorf(off int32, format string, args ...any) {
	p.lex.report(int(off), fmt.Errorf(format, args...))
}

// unexpected reports the current token, unless the lexer did.
func (p *parser) unexpected(want string) {
	if p.tok.kind != tokBad {
		p.errorf(p.tok.off, "want %s, found %s", want, p.tok.kind)
	}
}

// siblings is a list of nodes that grows at its end.
type siblings struct{ first, last, count int32 }

func (p *parser) add(l *siblings, n int32) {
	if l.last == 0 {
		l.first = n
	} else {
		p.nodes[l.last].next = n
	}
	l.last = n
	l.count++
}

// node makes a node of the current token.
func (p *parser) node() int32 {
	i := len(p.nodes)
	p.nodes = append(p.nodes, synNode{})
	// Written in place: a copy of what was just written makes the processor wait.
	n, t := &p.nodes[i], &p.tok
	n.off, n.nameEnd, n.end, n.line, n.id = t.off, t.end, t.end, t.line, t.id
	return int32(i)
}

// stray reports a token that can't begin a command, and skips what may belong
// to it: there may be more to report behind it.
func (p *parser) stray(want string) {
	p.unexpected(want)
	if p.tok.kind == tokSemicolon || p.tok.kind == tokRBrace {
		p.next()
		return
	}
	p.recover()
}

// block reads commands up to something that can't begin one.
func (p *parser) block(l *siblings, depth int) {
	for {
		if p.tok.comments != int32(len(p.lex.comments)) {
			p.blockComments(l)
		}
		if p.tok.kind != tokIdentifier {
			return
		}
		p.command(l, depth)
	}
}

// blockComments makes nodes of the comments before the current token.
func (p *parser) blockComments(l *siblings) {
	for i := max(p.tok.comments, p.taken); i < int32(len(p.lex.comments)); i++ {
		c := p.lex.comments[i]
		if _, ok := p.ownLine(c); ok {
			p.nodes = append(p.nodes, synNode{off: c.off, end: c.end, line: c.line, comment: true})
			p.add(l, int32(len(p.nodes)-1))
			p.commands++
		}
	}
	p.taken = int32(len(p.lex.comments))
}

// command reads one command; where there is an error it adds nothing.
func (p *parser) command(l *siblings, depth int) {
	n := p.node()
	p.next()
	if !p.arguments(n, 1) {
		p.recover()
		return
	}
	switch p.tok.kind {
	case tokSemicolon:
	case tokLBrace:
		p.nodes[n].hasBlock = true
		p.nodes[n].blockOff = p.tok.off
		if depth+1 > maxBlockNesting {
			p.errorf(p.tok.off, "blocks are nested deeper than %d levels", maxBlockNesting)
			p.recover()
			return
		}
		p.next()
		var inner siblings
		p.block(&inner, depth+1)
		for p.tok.kind != tokRBrace {
			if p.tok.kind == tokEOF {
				p.unexpected("a command or '}'")
				return
			}
			p.stray("a command or '}'")
			p.block(&inner, depth+1)
		}
		p.nodes[n].block, p.nodes[n].count = inner.first, inner.count
	default:
		p.unexpected("';' or '{' after " + p.name(&p.nodes[n]))
		p.recover()
		return
	}
	p.nodes[n].end = p.tok.end
	p.commands++
	p.add(l, n)
	p.next()
}

// arguments reads the arguments and tests of a command or test.
func (p *parser) arguments(n int32, depth int) bool {
	first := len(p.args)
	for {
		t := &p.tok
		switch t.kind {
		case tokTag:
			a := p.arg(argTag)
			a.id = t.id
		case tokNumber:
			a := p.arg(argNumber)
			a.first = int32(len(p.nums))
			p.nums = append(p.nums, t.num)
		case tokString:
			a := p.arg(argString)
			a.first, a.nstrs = int32(len(p.strs)), 1
			p.str()
			if depth > 1 {
				p.listed++
			}
		case tokLBracket:
			a := p.arg(argList)
			a.first = int32(len(p.strs))
			if !p.list(a) {
				return false
			}
		default:
			node := &p.nodes[n]
			node.args, node.nargs = int32(first), uint8(len(p.args)-first)
			if len(p.args) > first {
				node.end = p.args[len(p.args)-1].end
			}
			if t.kind != tokIdentifier && t.kind != tokLParen {
				return true
			}
			return p.tests(n, depth)
		}
		if len(p.args)-first > maxArguments {
			p.errorf(p.nodes[n].off, "%s has more than %d arguments", p.name(&p.nodes[n]), maxArguments)
			return false
		}
		p.next()
	}
}

// arg makes an argument of the current token.
func (p *parser) arg(kind argKind) *synArg {
	p.args = append(p.args, synArg{})
	a := &p.args[len(p.args)-1]
	a.kind, a.off, a.end = kind, p.tok.off, p.tok.end
	return a
}

// str makes a string of the current token.
func (p *parser) str() {
	p.strs = append(p.strs, synString{})
	s := &p.strs[len(p.strs)-1]
	s.off, s.end, s.decoded = p.tok.off, p.tok.end, p.tok.decoded
}

// list reads a string list up to its closing bracket.
func (p *parser) list(a *synArg) bool {
	p.next()
	for {
		if p.tok.kind != tokString {
			p.unexpected("a string in the list")
			return false
		}
		p.str()
		a.nstrs++
		p.next()
		if p.tok.kind == tokRBracket {
			a.end = p.tok.end
			p.listed += int(a.nstrs)
			return true
		}
		if p.tok.kind != tokComma {
			p.unexpected("',' or ']' in the list")
			return false
		}
		p.next()
	}
}

// tests reads the tests after the arguments.
func (p *parser) tests(n int32, depth int) bool {
	var l siblings
	switch p.tok.kind {
	case tokIdentifier:
		if !p.test(&l, depth) {
			return false
		}
		p.nodes[n].tests = l.first
		p.nodes[n].end = p.nodes[l.first].end
	case tokLParen:
		p.nodes[n].list = true
		p.next()
		for {
			if p.tok.kind != tokIdentifier {
				p.unexpected("a test")
				return false
			}
			if !p.test(&l, depth) {
				return false
			}
			if p.tok.kind == tokRParen {
				break
			}
			if p.tok.kind != tokComma {
				p.unexpected("',' or ')' in the list of tests")
				return false
			}
			p.next()
		}
		p.nodes[n].tests = l.first
		p.nodes[n].end = p.tok.end
		p.next()
	}
	return true
}

// test reads one test.
func (p *parser) test(l *siblings, depth int) bool {
	if depth+1 > maxTestNesting {
		p.errorf(p.tok.off, "tests are nested deeper than %d levels", maxTestNesting)
		return false
	}
	n := p.node()
	p.next()
	p.add(l, n)
	return p.arguments(n, depth+1)
}

// recover skips the rest of a command with an error: to behind its semicolon,
// or to behind its block.
func (p *parser) recover() {
	depth := 0
	for ; p.tok.kind != tokEOF; p.next() {
		switch p.tok.kind {
		case tokSemicolon:
			if depth == 0 {
				p.next()
				return
			}
		case tokLBrace:
			depth++
		case tokRBrace:
			if depth == 0 {
				return
			}
			if depth--; depth == 0 {
				p.next()
				return
			}
		}
	}
}
