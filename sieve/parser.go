package sieve

import "fmt"

// parser builds nodes from tokens (RFC 5228 section 8.2).
type parser struct {
	lex    *lexer
	tok    token
	report func(pos, error)
}

func (p *parser) next() { p.tok = p.lex.next() }

func (p *parser) errorf(at pos, format string, args ...any) {
	p.report(at, fmt.Errorf(format, args...))
}

// unexpected reports the current token, unless the lexer did.
func (p *parser) unexpected(want string) {
	if p.tok.kind == tokBad {
		return
	}
	p.errorf(p.tok.pos, "want %s, found %s", want, p.tok.kind)
}

// script reads the whole source.
func (p *parser) script() []*node {
	p.next()
	nodes := p.commands(1)
	for p.tok.kind != tokEOF {
		p.stray("a command")
		nodes = append(nodes, p.commands(1)...)
	}
	return nodes
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

// commands reads commands up to something that can't begin one.
func (p *parser) commands(depth int) []*node {
	var nodes []*node
	for {
		for _, c := range p.tok.comments {
			nodes = append(nodes, &node{pos: c.pos, comment: c.text, isComment: true})
		}
		if p.tok.kind != tokIdentifier {
			return nodes
		}
		if n := p.command(depth); n != nil {
			nodes = append(nodes, n)
		}
	}
}

// command reads one command; it returns nil where there was an error.
func (p *parser) command(depth int) *node {
	n := &node{name: p.tok.text, pos: p.tok.pos}
	p.next()
	if !p.arguments(n, 1) {
		p.recover()
		return nil
	}
	switch p.tok.kind {
	case tokSemicolon:
		p.next()
		return n
	case tokLBrace:
		n.hasBlock = true
		if depth+1 > maxBlockNesting {
			p.errorf(p.tok.pos, "blocks are nested deeper than %d levels", maxBlockNesting)
			p.recover()
			return nil
		}
		p.next()
		n.block = p.commands(depth + 1)
		for p.tok.kind != tokRBrace {
			if p.tok.kind == tokEOF {
				p.unexpected("a command or '}'")
				return nil
			}
			p.stray("a command or '}'")
			n.block = append(n.block, p.commands(depth+1)...)
		}
		p.next()
		return n
	default:
		p.unexpected("';' or '{' after " + n.name)
		p.recover()
		return nil
	}
}

// arguments reads the arguments and tests of a command or test.
func (p *parser) arguments(n *node, depth int) bool {
	for {
		a := argument{pos: p.tok.pos}
		switch p.tok.kind {
		case tokTag:
			a.kind, a.tag = argTag, p.tok.text
			p.next()
		case tokNumber:
			a.kind, a.num = argNumber, p.tok.num
			p.next()
		case tokString:
			a.kind, a.strs = argString, []item{{p.tok.text, p.tok.pos}}
			p.next()
		case tokLBracket:
			a.kind = argList
			p.next()
			for {
				if p.tok.kind != tokString {
					p.unexpected("a string in the list")
					return false
				}
				a.strs = append(a.strs, item{p.tok.text, p.tok.pos})
				p.next()
				if p.tok.kind == tokRBracket {
					break
				}
				if p.tok.kind != tokComma {
					p.unexpected("',' or ']' in the list")
					return false
				}
				p.next()
			}
			p.next()
		default:
			return p.tests(n, depth)
		}
		n.args = append(n.args, a)
		if len(n.args) > maxArguments {
			p.errorf(n.pos, "%s has more than %d arguments", n.name, maxArguments)
			return false
		}
	}
}

// tests reads the tests after the arguments.
func (p *parser) tests(n *node, depth int) bool {
	one := func() bool {
		if depth+1 > maxTestNesting {
			p.errorf(p.tok.pos, "tests are nested deeper than %d levels", maxTestNesting)
			return false
		}
		t := &node{name: p.tok.text, pos: p.tok.pos}
		p.next()
		n.tests = append(n.tests, t)
		return p.arguments(t, depth+1)
	}
	switch p.tok.kind {
	case tokIdentifier:
		return one()
	case tokLParen:
		n.list = true
		p.next()
		for {
			if p.tok.kind != tokIdentifier {
				p.unexpected("a test")
				return false
			}
			if !one() {
				return false
			}
			if p.tok.kind == tokRParen {
				p.next()
				return true
			}
			if p.tok.kind != tokComma {
				p.unexpected("',' or ')' in the list of tests")
				return false
			}
			p.next()
		}
	}
	return true
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
