package mailfilter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// linter collects the problems of a document, for one generation. What the
// generations do is that of their public sources: the grammar of Apache jSieve
// behind a reader of Java's escapes, and tables of names and tags.
type linter struct {
	d  *Document
	ox Generation
	// tree, rule and shift are of what is looked at now: shift is the line before
	// the tree's first, for disabled rules.
	tree   *source
	rule   *Rule
	indent int // what stands before the tree's lines
	shift  int
	out    []Problem
	// broken are the lines of what OX keeps as text because it can't read it.
	broken   []lines
	brokenAt map[*sieve.Node]bool
	// unrequired are the extensions that rules use and the script doesn't require.
	unrequired []missing
	// stream is the disabled lines as OX reads them, with where its lines begin;
	// ends is where OX finds the lines of the script to begin.
	stream      string
	streamLines []int
	ends        []int
	// unseen are the places of disabled rules that OX takes for comments.
	unseen map[int]bool
}

type lines struct {
	first, last int // in the tree
	off         int
	tree        *source
	rule        *rule
}

func (l *linter) problem(off int, construct string, effect Effect, fix, format string, args ...any) {
	line, column := l.tree.position(off)
	name := ""
	if l.rule != nil {
		name = l.rule.Name
	}
	l.out = append(l.out, Problem{
		Line: line + l.shift, Column: column + l.indent, Rule: name, Construct: construct, Effect: effect,
		Text: fmt.Sprintf(format, args...), Fix: fix,
	})
}

// enter makes a rule the one that is looked at.
func (l *linter) enter(r *rule) {
	l.tree, l.rule, l.shift, l.indent = l.d.tree, &r.Rule, 0, 0
	if r.text != nil {
		first, _ := r.text.position(r.nodes[0].Start)
		l.tree, l.shift, l.indent = r.text, r.Line-first, len(disabledPrefix)
	}
}

func (l *linter) leave() { l.tree, l.rule, l.shift, l.indent = l.d.tree, nil, 0, 0 }

func (l *linter) document() {
	l.leave()
	l.brokenAt = map[*sieve.Node]bool{}
	l.escapes()
	l.disabledLines()
	l.tags()
	for i := range l.d.rules {
		r := &l.d.rules[i]
		l.enter(r)
		if l.unseen[r.off] {
			continue
		}
		if r.Disabled && r.nodes == nil {
			l.problem(r.off, disabledPrefix, Unreadable, "mend or remove it", "the disabled rule is not Sieve")
			continue
		}
		for j, n := range r.nodes {
			before := len(l.out)
			l.top(n)
			if j > 0 && (strings.EqualFold(n.Name, "if") || !isChain(n)) {
				l.problem(n.Start, n.Name, Odd, "give each a line of its own", "several disabled rules share their lines")
			}
			l.literals(n)
			if slices.ContainsFunc(l.out[before:], func(p Problem) bool { return p.Effect == Broken }) {
				l.breaksNode(r, n)
			}
			if l.brokenAt[n] {
				// Its text stays, whatever OX would make of it.
				moot := func(p Problem) bool { return p.Effect == Altered || p.Effect == Dropped }
				l.out = append(l.out[:before], slices.DeleteFunc(l.out[before:], moot)...)
			}
		}
	}
	l.leave()
	for _, i := range l.d.requires {
		l.literals(l.d.tree.Commands[i])
	}
	l.kept()
	l.requires()
}

func isChain(n *sieve.Node) bool {
	return strings.EqualFold(n.Name, "elsif") || strings.EqualFold(n.Name, "else")
}

// Fixes that several problems share.
const (
	leaveOut = "leave it out of users' scripts"
	ownRule  = "make it a rule of its own"
)

// control is the name by which OX knows one of its control commands; "" for
// others.
func (l *linter) control(name string) string {
	known := name
	if l.ox == OX8 { // it looks these up in upper case
		known = strings.ToLower(name)
	}
	switch known {
	case "require", "if", "elsif", "else":
		return known
	default:
		return ""
	}
}

// top looks at a command that is a rule, or the elsif or else of one: OX makes
// a rule of each.
func (l *linter) top(n *sieve.Node) {
	switch l.control(n.Name) {
	case "if":
		l.tests(n)
		l.block(n.Block)
	case "elsif", "else":
		l.problem(n.Start, n.Name, Broken, ownRule, "%s can't read %s", subjectMark, n.Name)
	case "require": // only in a disabled rule
		l.problem(n.Start, n.Name, Odd, "leave it to the first require command", "require is disabled")
	default:
		l.action(n)
	}
}

// block looks at the commands of an if.
func (l *linter) block(list []*sieve.Node) {
	filed := false
	for _, n := range list {
		if l.control(n.Name) != "" {
			l.problem(n.Start, n.Name, Broken, ownRule, "%s can't read %s inside of another", subjectMark, n.Name)
			continue
		}
		l.action(n)
		switch {
		case n.Name == "fileinto":
			filed = true
		case filed && l.ox.movable(n.Name):
			l.problem(n.Start, n.Name, Altered, "put it before", "%s moves %s before the fileinto when a user saves", subjectMark, n.Name)
		}
	}
}

// action looks at an action. OX drops one that it doesn't know without a word.
func (l *linter) action(n *sieve.Node) {
	f, ok := l.ox.action(n.Name)
	if !ok {
		fix := leaveOut
		if lower := strings.ToLower(n.Name); lower != n.Name {
			if _, known := l.ox.action(lower); known || l.control(lower) != "" {
				fix = fmt.Sprintf("write %q", lower)
			}
		}
		if len(n.Tests) > 0 && n.BlockStart == 0 {
			l.problem(n.Start, n.Name, Unreadable, fix, "%s fails at the test of %s", subjectMark, n.Name)
			return
		}
		l.problem(n.Start, n.Name, Dropped, fix, "%s doesn't know the command %s and drops it when a user saves", subjectMark, n.Name)
		return
	}
	l.arguments(n, f)
	if f.tagFirst && len(n.Arguments) > 0 && n.Arguments[0].Tag == "" {
		fix := "write :days 7 before it, the server's default"
		if n.Name != "vacation" {
			fix = "write a tag before it"
		}
		l.problem(n.Arguments[0].Start, n.Name, Broken, fix, "%s reads %s only where a tag is its first argument", subjectMark, n.Name)
	}
	count, seen := 0, ""
	for i := 0; i < len(n.Arguments); i++ {
		switch tag := ":" + n.Arguments[i].Tag; {
		case tag == ":":
			count++
		case strings.Contains(takesArgument, " "+tag+" ") && f.reads(tag[1:]) && !strings.Contains(seen, tag):
			seen += tag
			i++
		}
	}
	if count < f.min {
		l.problem(n.Start, n.Name, Broken, "give it all of them", "%s reads %s with %d arguments behind its tags", subjectMark, n.Name, f.min)
	}
}

func (l *linter) tests(n *sieve.Node) {
	for _, t := range n.Tests {
		l.test(t)
	}
}

func (l *linter) test(n *sieve.Node) {
	f, ok := l.ox.test(n.Name)
	if !ok {
		fix := leaveOut
		if _, known := l.ox.test(strings.ToLower(n.Name)); known {
			fix = fmt.Sprintf("write %q", strings.ToLower(n.Name))
		}
		l.problem(n.Start, n.Name, Broken, fix, "%s doesn't know the test %s", subjectMark, n.Name)
		return
	}
	before := len(l.out)
	l.arguments(n, f)
	count := 0
	for _, a := range n.Arguments {
		if a.Tag == "" {
			count++
		}
	}
	if count < f.min || count > f.max && len(l.out) == before {
		l.problem(n.Start, n.Name, Broken, "leave out what is too much",
			"%s reads %s with %d argument besides tags, not %d", subjectMark, n.Name, f.max, count)
	}
	l.tests(n)
}

// arguments looks at the tags and numbers.
func (l *linter) arguments(n *sieve.Node, f form) {
	for _, a := range n.Arguments {
		switch {
		case a.Tag != "":
			if f.reads(a.Tag) {
				continue
			}
			fix := "leave it out"
			if lower := strings.ToLower(a.Tag); f.reads(lower) {
				fix = fmt.Sprintf("write %q", ":"+lower)
			}
			l.problem(a.Start, ":"+a.Tag, Broken, fix, "%s doesn't know the tag :%s of %s", subjectMark, a.Tag, n.Name)
		case a.Strings == nil:
			l.number(a)
		}
	}
}

const maxInt = 1<<31 - 1

// number looks at a number: OX holds it in 32 bits with a sign.
func (l *linter) number(a sieve.Argument) {
	text := l.tree.text(a.Span)
	switch {
	case tooLong(text): // literals says so
	case strings.IndexByte("kmg", text[len(text)-1]) >= 0:
		l.problem(a.Start, text, Broken, "write "+strings.ToUpper(text), "%s reads the units of numbers in capitals only", subjectMark)
	case a.Number > maxInt:
		l.problem(a.Start, text, Altered, "write a smaller one", "%s takes the number for another, it holds none beyond %d", subjectMark, maxInt)
	}
}

// tooLong reports whether OX fails at the digits of a number.
func tooLong(text string) bool {
	digits := strings.TrimLeft(strings.TrimRight(text, "KMGkmg"), "0")
	return len(digits) > 10 || len(digits) == 10 && digits > "2147483647"
}
