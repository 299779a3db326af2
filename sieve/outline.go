package sieve

// PrintedLines returns the lines of the commands and tests in what Format
// prints, in the order of Lines.
func (s *Script) PrintedLines() []int {
	if s == nil {
		s = new(Script)
	}
	nodes, requires := s.nodes()
	var p printer
	p.script(nodes, requires)
	return p.lines
}

// Texts returns the commands and tests in the order of Lines, each on one line
// without its block or its tests, and cut behind 160 octets.
func (s *Script) Texts() []string {
	if s == nil {
		s = new(Script)
	}
	nodes, _ := s.nodes()
	list := flatten(nil, nodes)
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = oneLine(n)
	}
	return out
}

// flatten lists the nodes in the order of Script.Lines.
func flatten(dst, nodes []*node) []*node {
	for _, n := range nodes {
		if !n.silent {
			dst = append(dst, n)
		}
		dst = flatten(dst, n.tests)
		dst = flatten(dst, n.block)
	}
	return dst
}

// stepWidth bounds the text of a step.
const stepWidth = 160

// oneLine prints a command without its block, or a test, on one line.
func oneLine(n *node) string {
	var p printer
	p.str(n.name)
	head := *n
	if n.hasBlock || n.list {
		head.tests = nil
		head.list = false
	}
	p.arguments(&head)
	out := make([]byte, 0, min(len(p.out), stepWidth))
	space := false
	for _, c := range p.out {
		if c == '\n' || c == ' ' {
			if !space {
				out = append(out, ' ')
			}
			space = true
			continue
		}
		space = false
		out = append(out, c)
		if len(out) >= stepWidth {
			return string(out) + "..."
		}
	}
	return string(out)
}
