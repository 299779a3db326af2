package sieve

import (
	"bytes"
	"strconv"
)

const (
	indentWidth = 4
	// lineWidth is where a list of strings is broken into lines.
	lineWidth = 100
)

// printer prints nodes in the canonical form and notes the line of each.
type printer struct {
	out   []byte
	line  int // of the next octet, less one
	depth int
	// lines collects the lines as Script.Lines holds them.
	lines []int
	// counted is how much of out is counted in line.
	counted int
}

// mark notes the current line for a node.
func (p *printer) mark(n *node) {
	p.line += bytes.Count(p.out[p.counted:], []byte{'\n'})
	p.counted = len(p.out)
	n.line = p.line + 1
	if !n.silent {
		p.lines = append(p.lines, n.line)
	}
}

func (p *printer) str(s string) { p.out = append(p.out, s...) }

func (p *printer) newline() {
	p.out = append(p.out, '\n')
	for range p.depth * indentWidth {
		p.out = append(p.out, ' ')
	}
}

func (p *printer) script(nodes []*node, requires Extensions) {
	if requires != 0 {
		p.str("require ")
		p.bracketed(listArg(requires.Names()).strs)
		p.str(";\n")
	}
	p.commands(nodes)
}

// commands prints each command on lines of its own.
func (p *printer) commands(nodes []*node) {
	for i, n := range nodes {
		if n.name == "elsif" || n.name == "else" {
			p.out = append(p.out, ' ')
		} else {
			for range p.depth * indentWidth {
				p.out = append(p.out, ' ')
			}
		}
		p.mark(n)
		if n.isComment {
			p.str("#")
			if n.comment != "" && n.comment[0] != '#' {
				p.str(" ")
			}
			p.str(n.comment)
			p.str("\n")
			continue
		}
		if n.raw != "" {
			p.str(n.raw)
			p.str("\n")
			continue
		}
		p.str(n.name)
		p.arguments(n)
		if !n.hasBlock {
			p.str(";\n")
			continue
		}
		p.str(" {\n")
		p.depth++
		p.commands(n.block)
		p.depth--
		for range p.depth * indentWidth {
			p.out = append(p.out, ' ')
		}
		p.str("}")
		if i+1 == len(nodes) || nodes[i+1].name != "elsif" && nodes[i+1].name != "else" {
			p.str("\n")
		}
	}
}

// arguments prints what follows a name.
func (p *printer) arguments(n *node) {
	for _, a := range n.args {
		p.out = append(p.out, ' ')
		switch a.kind {
		case argTag:
			p.out = append(p.out, ':')
			p.str(a.tag)
		case argNumber:
			num := a.num
			if shift, ok := quantifierShift(a.quantifier); ok {
				num >>= shift
			}
			p.out = strconv.AppendUint(p.out, num, 10)
			if a.quantifier != 0 {
				p.out = append(p.out, a.quantifier)
			}
		case argString:
			p.out = quote(p.out, a.strs[0].value)
		case argList:
			p.bracketed(a.strs)
		}
	}
	if len(n.tests) == 0 && !n.list {
		return
	}
	p.out = append(p.out, ' ')
	if !n.list {
		p.test(n.tests[0])
		return
	}
	p.str("(")
	if len(n.tests) == 1 {
		p.test(n.tests[0])
		p.str(")")
		return
	}
	p.depth++
	for i, t := range n.tests {
		p.newline()
		p.test(t)
		if i+1 < len(n.tests) {
			p.str(",")
		}
	}
	p.depth--
	p.newline()
	p.str(")")
}

func (p *printer) test(n *node) {
	p.mark(n)
	if n.raw != "" {
		p.str(n.raw)
		return
	}
	p.str(n.name)
	p.arguments(n)
}

// bracketed prints a string list, over several lines where it is long.
func (p *printer) bracketed(list []item) {
	width := 0
	for _, s := range list {
		width += len(s.value) + 4
	}
	broken := width > lineWidth && len(list) > 1
	p.str("[")
	p.depth++
	for i, s := range list {
		if i > 0 {
			p.str(",")
		}
		switch {
		case broken:
			p.newline()
		case i > 0:
			p.str(" ")
		}
		p.out = quote(p.out, s.value)
	}
	p.depth--
	if broken {
		p.newline()
	}
	p.str("]")
}
