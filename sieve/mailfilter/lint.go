package mailfilter

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// ErrUnreadable is in the errors for rules that OX would report as broken.
var ErrUnreadable = errors.New("OX can't read it")

// Reader is a generation of OX App Suite's mailfilter, by what it can read.
type Reader int

const (
	// Classic is what every version reads.
	Classic Reader = iota
	// Newer reads the tests exists, date and string, and fileinto with :copy
	// besides.
	Newer
)

// Problem is something of a script that OX can't read or doesn't keep.
type Problem struct {
	// Line and Column are its place, from 1; a column is an octet.
	Line, Column int
	// Rule is the name of the rule it is in; empty outside of rules, and for
	// rules without a name.
	Rule string
	// Construct is what it is about, as it is written: ":create", "elsif".
	Construct string
	// Text says what is wrong and what to do.
	Text string
}

// String is "line:column: rule \"Name\": text".
func (p Problem) String() string {
	if p.Rule == "" {
		return fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p.Text)
	}
	return fmt.Sprintf("%d:%d: rule %q: %s", p.Line, p.Column, p.Rule, p.Text)
}

// Lint returns everything in a script that OX App Suite can't read: it shows
// such rules as broken, and takes a require command that it doesn't find in the
// second line for none. It fails where [Parse] does. Comments that are not
// tags, which OX drops when a user saves, are no problem for reading and not
// reported.
func Lint(name string, src []byte, reader Reader) ([]Problem, error) {
	d, err := Parse(name, src)
	if err != nil {
		return nil, err
	}
	return d.Lint(reader), nil
}

// Lint is the function [Lint] for a document.
func (d *Document) Lint(reader Reader) []Problem {
	if d == nil || d.tree == nil {
		d = d.whole()
	}
	out := d.lintRequires()
	ids := map[int]string{}
	belongs := map[int]bool{}
	for i := range d.rules {
		r := &d.rules[i]
		if r.tag >= 0 {
			belongs[r.tag] = true
		}
		out = append(out, lintRule(d.tree, r, reader)...)
	}
	for i, g := range d.tags {
		line, _ := d.tree.position(g.off)
		problem := func(construct, format string, args ...any) {
			out = append(out, Problem{Line: line, Column: 1, Rule: g.name, Construct: construct, Text: fmt.Sprintf(format, args...)})
		}
		if g.broken != "" {
			problem("## Flag:", "the tag can't be read: %s", g.broken)
		}
		if first, ok := ids[g.id]; ok && g.id >= 0 {
			problem("UniqueId", "the id %d is that of rule %q too: give it another", g.id, first)
		} else {
			ids[g.id] = g.name
		}
		if !belongs[i] {
			problem("## Flag:", "no rule follows the tag: remove it")
		}
	}
	slices.SortStableFunc(out, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return out
}

func (d *Document) lintRequires() []Problem {
	var out []Problem
	for i, r := range d.requires {
		n := d.tree.Commands[r]
		line, column := d.tree.position(n.Start)
		last, _ := d.tree.position(n.End - 1)
		p := Problem{Line: line, Column: column, Construct: "require"}
		switch {
		case i > 0:
			p.Text = "OX knows one require command: put all extensions into the first"
		case line != 2 || column != 1:
			p.Text = "OX looks for the require command at the start of line 2: put it there, behind one comment line"
		case last != line:
			p.Text = "OX reads a require command of one line: join its lines"
		case len(n.Arguments) == 1 && !n.Arguments[0].List:
			p.Text = `OX reads a list of extensions: write [ "name" ]`
		default:
			continue
		}
		out = append(out, p)
	}
	return out
}

// readable is what OX reads of a command or test.
type readable struct {
	tags  string // with their colons, separated by spaces
	newer string // tags that the newer generation reads
	since Reader
}

const matchTags = " :is :contains :matches :regex "

var readableTests = map[string]readable{
	"address":     {tags: matchTags + ":all :localpart :domain "},
	"envelope":    {tags: matchTags + ":all :localpart :domain "},
	"header":      {tags: matchTags},
	"size":        {tags: " :over :under "},
	"exists":      {since: Newer},
	"body":        {tags: matchTags + ":raw :content :text "},
	"currentdate": {tags: matchTags + ":value :zone "},
	"date":        {tags: matchTags + ":value :zone :originalzone ", since: Newer},
	"hasflag":     {tags: matchTags},
	"string":      {tags: matchTags, since: Newer},
	"true":        {},
	"false":       {},
	"not":         {},
	"allof":       {},
	"anyof":       {},
}

var readableCommands = map[string]readable{
	"if":           {},
	"keep":         {},
	"discard":      {},
	"stop":         {},
	"fileinto":     {newer: " :copy "},
	"redirect":     {tags: " :copy "},
	"reject":       {},
	"vacation":     {tags: " :days :addresses :subject :from "},
	"notify":       {tags: " :message "},
	"addflag":      {},
	"removeflag":   {},
	"addheader":    {tags: " :last "},
	"deleteheader": {tags: matchTags + ":last :index "},
	"set":          {tags: " :lower :upper :lowerfirst :upperfirst :quotewildcard :length "},
}

// linter collects the problems of one rule.
type linter struct {
	tree   *source // that the nodes are of
	rule   *rule
	reader Reader
	out    []Problem
	// line and column are where the rule's text begins, for disabled rules.
	line int
}

func lintRule(t *source, r *rule, reader Reader) []Problem {
	l := &linter{tree: t, rule: r, reader: reader}
	if r.Disabled {
		if r.nodes == nil {
			return []Problem{{Line: r.Line, Column: 1, Rule: r.Name, Construct: disabledPrefix, Text: "the disabled rule is not Sieve: mend or remove it"}}
		}
		l.tree = r.text
		first, _ := l.tree.position(r.nodes[0].Start)
		l.line = r.Line - first
	}
	for i := range r.nodes {
		n := r.nodes[i]
		if i > 0 {
			l.problem(n.Start, n.Name, "%s is unknown to OX: make it a rule of its own", n.Name)
			continue
		}
		l.command(n, 0)
	}
	return l.out
}

func (l *linter) problem(off int, construct, format string, args ...any) {
	line, column := l.tree.position(off)
	if l.rule.Disabled {
		line += l.line
		column += len(disabledPrefix)
	}
	l.out = append(l.out, Problem{Line: line, Column: column, Rule: l.rule.Name, Construct: construct, Text: fmt.Sprintf(format, args...)})
}

func (l *linter) command(n *sieve.Node, depth int) {
	name := strings.ToLower(n.Name)
	known, ok := readableCommands[name]
	if !ok || name == "if" && depth > 0 {
		what := "the command"
		if name == "if" {
			what = "a nested"
		}
		l.problem(n.Start, n.Name, "%s %s is unknown to OX: leave it out of users' scripts", what, n.Name)
		return
	}
	l.tags(n, known)
	for i := range n.Tests {
		l.test(n.Tests[i])
	}
	for i := range n.Block {
		l.command(n.Block[i], depth+1)
	}
}

func (l *linter) test(n *sieve.Node) {
	known, ok := readableTests[strings.ToLower(n.Name)]
	switch {
	case !ok:
		l.problem(n.Start, n.Name, "the test %s is unknown to OX: leave it out of users' scripts", n.Name)
		return
	case known.since > l.reader:
		l.problem(n.Start, n.Name, "the test %s is known to newer versions of OX only", n.Name)
		return
	}
	l.tags(n, known)
	for i := range n.Tests {
		l.test(n.Tests[i])
	}
}

func (l *linter) tags(n *sieve.Node, known readable) {
	for _, a := range n.Arguments {
		if a.Tag == "" {
			continue
		}
		tag := ":" + strings.ToLower(a.Tag)
		switch {
		case strings.Contains(known.tags, " "+tag+" "), l.reader >= Newer && strings.Contains(known.newer, " "+tag+" "):
		case strings.Contains(known.newer, " "+tag+" "):
			l.problem(a.Start, tag, "the tag %s of %s is known to newer versions of OX only", tag, n.Name)
		default:
			l.problem(a.Start, tag, "the tag %s of %s is unknown to OX: leave it out", tag, n.Name)
		}
	}
	if strings.EqualFold(n.Name, "fileinto") && len(n.Arguments) > 0 && len(n.Arguments[len(n.Arguments)-1].Strings) != 1 {
		l.problem(n.Start, n.Name, "fileinto names one folder")
	}
}
