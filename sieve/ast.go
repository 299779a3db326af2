package sieve

import (
	"fmt"
	"math"
	"strings"

	gosieve "git.sr.ht/~emersion/go-sieve"
)

// This is the only file that knows go-sieve. Its tree is used as a vocabulary;
// its parser is not (it drops errors and some arguments without a word).

// AST returns the script as go-sieve's tree, the require command included.
// Comments are left out: the tree has none. So is [Unread]; an [UnreadTest] is
// the test false. A number that doesn't fit an int is
// cut to the largest int.
func (s *Script) AST() []gosieve.Command {
	if s == nil {
		s = new(Script)
	}
	nodes, requires := s.nodes()
	var out []gosieve.Command
	if requires != 0 {
		out = append(out, gosieve.Command{
			Name:      "require",
			Arguments: []gosieve.Argument{gosieve.ArgumentStringList(requires.Names())},
		})
	}
	return append(out, astCommands(nodes)...)
}

func astCommands(nodes []*node) []gosieve.Command {
	var out []gosieve.Command
	for _, n := range nodes {
		if n.isComment || n.raw != "" {
			continue
		}
		out = append(out, gosieve.Command{
			Name:      n.name,
			Arguments: astArguments(n.args),
			Tests:     astTests(n.tests),
			Block:     astCommands(n.block),
		})
	}
	return out
}

func astTests(nodes []*node) []gosieve.Test {
	var out []gosieve.Test
	for _, n := range nodes {
		name := n.name
		if n.raw != "" {
			name = "false"
		}
		out = append(out, gosieve.Test{
			Name:      name,
			Arguments: astArguments(n.args),
			Tests:     astTests(n.tests),
		})
	}
	return out
}

func astArguments(args []argument) []gosieve.Argument {
	var out []gosieve.Argument
	for _, a := range args {
		switch a.kind {
		case argTag:
			out = append(out, gosieve.ArgumentTag(a.tag))
		case argNumber:
			n := a.num
			if shift, ok := quantifierShift(a.quantifier); ok {
				n >>= shift
			}
			out = append(out, gosieve.ArgumentNumber{Value: int(min(n, math.MaxInt)), Quantifier: a.quantifier})
		case argString, argList:
			out = append(out, gosieve.ArgumentStringList(a.values()))
		}
	}
	return out
}

// FromAST returns the script that go-sieve's tree holds. It makes the demands
// that Parse makes, and reports all that is wrong as an [Errors] without
// positions, which the tree doesn't have. The tree doesn't tell a list of one
// test from a test, or an empty block from none; both are taken as the command
// wants them.
func FromAST(cmds []gosieve.Command) (*Script, error) {
	var c converter
	nodes := c.commands(cmds, 1)
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	var p printer
	p.commands(nodes)
	s, err := Parse("", p.out)
	if err != nil {
		for _, e := range err.(Errors) {
			e.Line, e.Column = 0, 0
		}
		return nil, err
	}
	s.Lines = nil
	return s, nil
}

// converter makes nodes of go-sieve's tree.
type converter struct{ errs Errors }

func (c *converter) errorf(format string, args ...any) {
	if len(c.errs) < maxErrors {
		c.errs = append(c.errs, &Error{Err: fmt.Errorf(format, args...)})
	}
}

// name returns a name that is an identifier.
func (c *converter) name(kind, name string) string {
	if word(name) != name {
		c.errorf("unknown %s %q", kind, name)
	}
	return name
}

func (c *converter) commands(cmds []gosieve.Command, depth int) []*node {
	var out []*node
	for _, cmd := range cmds {
		n := &node{name: c.name("command", cmd.Name)}
		n.args = c.arguments(cmd.Name, cmd.Arguments)
		n.tests = c.tests(cmd.Tests, 1)
		switch strings.ToLower(cmd.Name) {
		case "if", "elsif", "else", "foreverypart":
			n.hasBlock = true
		default:
			n.hasBlock = len(cmd.Block) > 0
		}
		n.list = len(n.tests) > 1
		if n.hasBlock && depth+1 > maxBlockNesting {
			c.errorf("blocks are nested deeper than %d levels", maxBlockNesting)
			return nil
		}
		n.block = c.commands(cmd.Block, depth+1)
		out = append(out, n)
	}
	return out
}

func (c *converter) tests(tests []gosieve.Test, depth int) []*node {
	if len(tests) > 0 && depth+1 > maxTestNesting {
		c.errorf("tests are nested deeper than %d levels", maxTestNesting)
		return nil
	}
	var out []*node
	for _, t := range tests {
		n := &node{name: c.name("test", t.Name), args: c.arguments(t.Name, t.Arguments), tests: c.tests(t.Tests, depth+1)}
		switch strings.ToLower(t.Name) {
		case "allof", "anyof":
			n.list = len(n.tests) > 0
		default:
			n.list = len(n.tests) > 1
		}
		out = append(out, n)
	}
	return out
}

func (c *converter) arguments(name string, args []gosieve.Argument) []argument {
	if len(args) > maxArguments {
		c.errorf("%s has more than %d arguments", name, maxArguments)
		return nil
	}
	var out []argument
	for _, a := range args {
		switch a := a.(type) {
		case gosieve.ArgumentTag:
			out = append(out, tagArg(word(string(a))))
		case gosieve.ArgumentNumber:
			n := uint64(max(a.Value, 0))
			shift, ok := quantifierShift(a.Quantifier)
			if a.Value < 0 || !ok && a.Quantifier != 0 || n > math.MaxUint64>>shift {
				c.errorf("%d%c is not a number", a.Value, a.Quantifier)
			}
			out = append(out, argument{kind: argNumber, num: n << shift})
		case gosieve.ArgumentStringList:
			if len(a) == 0 {
				c.errorf("%s has an empty string list", name)
				continue
			}
			list := make([]string, len(a))
			for i, s := range a {
				list[i] = lineBreaks(s)
				if !quotable(list[i]) {
					c.errorf("%s: the string %.40q has a NUL or a CR without LF", name, s)
				}
			}
			out = append(out, listArg(list))
		default:
			c.errorf("%s has an argument of type %T", name, a)
		}
	}
	return out
}

// lineBreaks makes every LF a CRLF, as a Sieve lexer does.
func lineBreaks(s string) string {
	if !strings.Contains(s, "\n") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}
