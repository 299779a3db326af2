package mailfilter

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// Document is a whole script, every byte of it. [Document.Format] returns the
// bytes; what an edit doesn't concern stays as it was.
type Document struct {
	// OX is the generation whose reading [Document.Upsert] and [Document.Lint]
	// keep to. [Parse] leaves it at every one.
	OX Generation

	tree *source
	eol  string
	// requires are the require commands, as indexes into the tree.
	requires []int
	rules    []rule
	tags     []tag // all, also those that belong to no rule
}

// Rule is a rule of a script: one top-level command, an if with its elsif and
// else for one.
type Rule struct {
	// Name, ID and Flags are those of the tag before the rule ("## Flag:
	// spam|UniqueId:3|Rulename: Junk"). ID is -1 and Flags nil where there is no
	// tag; Name is then Roundcube's ("# rule:[Junk]") or empty.
	Name  string
	ID    int
	Flags []string
	// Modified and ModifiedBy are when and from which address OX 8 last changed the
	// rule, as it writes in the tag ("|LastModified: 2026-03-03T14:05:09Z|ModifiedBy:
	// 192.0.2.1"); zero and empty where the tag doesn't say.
	Modified   time.Time
	ModifiedBy string
	// Disabled rules stand behind "#<!-->" and don't run.
	Disabled bool
	// Line is the line of the rule itself, from 1.
	Line int
	// Text is the rule as it is written, without the prefix of disabled rules.
	Text string
}

type rule struct {
	Rule
	// off and end are the rule's place in the source: of a disabled one, whole
	// lines without the last line end.
	off, end int
	tag      int // index, -1 for none
	// nodes are the commands of Text; nil in a disabled rule that can't be read.
	nodes []*sieve.Node
	// text is the tree of a disabled rule's text.
	text *source
}

// Parse reads a script. It fails, with every place as a [sieve.Errors], where
// the source is not in the grammar of Sieve: such a script must be left alone.
// Extensions that package sieve doesn't know are no hindrance.
func Parse(name string, src []byte) (*Document, error) {
	t, err := parseSource(name, string(src))
	if err != nil {
		return nil, err
	}
	var errs sieve.Errors
	chain := false // the command before is an if or elsif
	for _, n := range t.Commands {
		name := strings.ToLower(n.Name)
		if (name == "elsif" || name == "else") && !chain {
			errs = append(errs, &sieve.Error{Position: sieve.Position{File: t.name, Line: n.Line, Column: n.Column},
				Err: errors.New(name + " must follow an if")})
		}
		chain = name == "if" || name == "elsif"
		if isRequire(n) && (len(n.Arguments) != 1 || n.Arguments[0].Strings == nil || n.BlockStart > 0 || n.Tests != nil) {
			errs = append(errs, &sieve.Error{Position: sieve.Position{File: name, Line: n.Line, Column: n.Column},
				Err: errors.New("require takes a list of strings and nothing else")})
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return newDocument(t), nil
}

func isRequire(n *sieve.Node) bool { return strings.EqualFold(n.Name, "require") }

func newDocument(t *source) *Document {
	d := &Document{tree: t, eol: "\r\n"}
	if i := strings.IndexByte(t.src, '\n'); i == 0 || i > 0 && t.src[i-1] != '\r' {
		d.eol = "\n"
	}
	var roundcube []tag
	var disabled []sieve.Span // whole lines
	src := t.src
	next := 0 // the next command
	for _, c := range t.Comments {
		for next < len(t.Commands) && t.Commands[next].End <= c.Start {
			next++
		}
		if next < len(t.Commands) && t.Commands[next].Start < c.Start {
			continue // inside a command
		}
		line := strings.TrimSuffix(t.text(c), "\r")
		end := c.Start + len(line)
		if g, ok := parseTag(line); ok {
			g.off, g.end = c.Start, end
			d.tags = append(d.tags, g)
		} else if c.Start > 0 && src[c.Start-1] != '\n' {
			continue
		} else if name, ok := strings.CutPrefix(line, roundcubeStart); ok {
			roundcube = append(roundcube, tag{name: strings.TrimSuffix(name, "]"), off: c.Start, end: end})
		} else if strings.HasPrefix(line, disabledPrefix) {
			if n := len(disabled); n > 0 && strings.Trim(src[disabled[n-1].End:c.Start], "\r\n") == "" &&
				strings.Count(src[disabled[n-1].End:c.Start], "\n") == 1 {
				disabled[n-1].End = end
			} else {
				disabled = append(disabled, sieve.Span{Start: c.Start, End: end})
			}
		}
	}
	for i := range t.Commands {
		n := t.Commands[i]
		last := len(d.rules) - 1
		switch {
		case isRequire(n):
			d.requires = append(d.requires, i)
		case (strings.EqualFold(n.Name, "elsif") || strings.EqualFold(n.Name, "else")) && last >= 0:
			r := &d.rules[last]
			r.end = n.End
			first := i - len(r.nodes)
			r.nodes = t.Commands[first : i+1]
		default:
			d.rules = append(d.rules, rule{off: n.Start, end: n.End, tag: -1, nodes: t.Commands[i : i+1]})
		}
	}
	for i := range d.rules {
		r := &d.rules[i]
		r.Text = src[r.off:r.end]
	}
	for _, s := range disabled {
		d.rules = append(d.rules, disabledRules(t, s)...)
	}
	slices.SortStableFunc(d.rules, func(a, b rule) int { return a.off - b.off })
	d.name(roundcube)
	for i := range d.rules {
		r := &d.rules[i]
		r.Line, _ = t.position(r.off)
	}
	return d
}

// disabledRules are the rules in a run of disabled lines: one for each command
// of the text behind the prefixes, or one in all where that can't be read.
func disabledRules(t *source, s sieve.Span) []rule {
	var text strings.Builder
	var starts []int // of the lines in the source
	for off := s.Start; off < s.End; {
		end := s.End
		if i := strings.IndexByte(t.src[off:s.End], '\n'); i >= 0 {
			end = off + i + 1
		}
		starts = append(starts, off)
		text.WriteString(strings.TrimPrefix(t.src[off:end], disabledPrefix))
		off = end
	}
	whole := rule{Rule: Rule{Disabled: true, Text: text.String()}, off: s.Start, end: s.End, tag: -1}
	inner, err := parseSource("", text.String())
	if err != nil {
		return []rule{whole}
	}
	if len(inner.Commands) == 0 {
		return nil // comments
	}
	whole.text = inner
	d := Document{tree: inner}
	for i := range inner.Commands {
		n := inner.Commands[i]
		if last := len(d.rules) - 1; last >= 0 && (strings.EqualFold(n.Name, "elsif") || strings.EqualFold(n.Name, "else")) {
			d.rules[last].end = n.End
			d.rules[last].nodes = inner.Commands[i-len(d.rules[last].nodes) : i+1]
			continue
		}
		d.rules = append(d.rules, rule{off: n.Start, end: n.End, nodes: inner.Commands[i : i+1]})
	}
	var out []rule
	line := func(off int) int { n, _ := inner.position(off); return n - 1 }
	for _, r := range d.rules {
		first, last := line(r.off), line(r.end-1)
		if len(out) > 0 && out[len(out)-1].end > starts[first] {
			// Two commands share a line: they can't be told apart by lines.
			whole.nodes = inner.Commands
			return []rule{whole}
		}
		// OX 8 ends a disabled rule with an empty line behind the prefix.
		for last+1 < len(starts) && emptyDisabled(t.src[starts[last+1]:s.End]) {
			last++
		}
		end := s.End
		if last+1 < len(starts) {
			end = starts[last+1] - 1
			if end > 0 && t.src[end-1] == '\r' {
				end--
			}
		}
		out = append(out, rule{Rule: Rule{Disabled: true, Text: inner.src[r.off:r.end]}, off: starts[first], end: end, tag: -1, nodes: r.nodes,
			text: inner})
	}
	return out
}

// emptyDisabled reports whether a text begins with a disabled line that has
// nothing behind the prefix.
func emptyDisabled(text string) bool {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(strings.TrimPrefix(line, disabledPrefix)) == ""
}

// name gives each rule the tag that is nearest before it.
func (d *Document) name(roundcube []tag) {
	nearest := func(tags []tag, from, to int) int {
		i, _ := slices.BinarySearchFunc(tags, to, func(g tag, off int) int { return g.off - off })
		if i--; i >= 0 && tags[i].off >= from {
			return i
		}
		return -1
	}
	from := 0
	for i := range d.rules {
		r := &d.rules[i]
		r.ID = -1
		if r.tag = nearest(d.tags, from, r.off); r.tag >= 0 {
			g := d.tags[r.tag]
			r.Name, r.ID, r.Flags, r.ModifiedBy = g.name, g.id, slices.Clone(g.flags), g.by
			r.Modified, _ = time.Parse(modifiedLayout, g.modified) // stays zero for what is no date
		} else if j := nearest(roundcube, from, r.off); j >= 0 {
			r.Name = roundcube[j].name
		}
		from = r.end
	}
}

// Rules are the rules in their order, disabled ones too.
func (d *Document) Rules() []Rule {
	if d == nil || d.tree == nil {
		d = d.whole()
	}
	out := make([]Rule, len(d.rules))
	for i, r := range d.rules {
		out[i] = r.Rule
		out[i].Flags = slices.Clone(r.Flags)
	}
	return out
}

// Format returns the script.
func (d *Document) Format() []byte {
	if d == nil || d.tree == nil {
		d = d.whole()
	}
	return []byte(d.tree.src)
}

// Requires are the extensions that the script requires, in its order.
func (d *Document) Requires() []string {
	if d == nil || d.tree == nil {
		d = d.whole()
	}
	var out []string
	for _, i := range d.requires {
		for _, s := range d.entries(i) {
			out = append(out, s.Value)
		}
	}
	return out
}

// entries are the strings of a require command.
func (d *Document) entries(i int) []sieve.StringLiteral {
	var out []sieve.StringLiteral
	for _, a := range d.tree.Commands[i].Arguments {
		out = append(out, a.Strings...)
	}
	return out
}

// managed reports whether the rule is a managed one with the flag.
func (r *rule) managed(flag string) bool {
	return slices.Contains(r.Flags, ManagedFlag) && slices.Contains(r.Flags, flag)
}

// find returns the indexes of the rules that carry the flag.
func (d *Document) find(flag string) []int {
	var out []int
	for i, r := range d.rules {
		if r.managed(flag) {
			out = append(out, i)
		}
	}
	return out
}

// Find returns the place in Rules of the first managed rule with the flag, or -1.
func (d *Document) Find(flag string) int {
	if d == nil || d.tree == nil {
		d = d.whole()
	}
	for i, r := range d.rules {
		if r.managed(flag) {
			return i
		}
	}
	return -1
}

// whole is the document, for the zero one and nil that of an empty script.
func (d *Document) whole() *Document {
	if d != nil && d.tree != nil {
		return d
	}
	empty, err := Parse("", nil)
	if err != nil {
		empty = new(Document)
	}
	if d != nil {
		empty.OX = d.OX
	}
	return empty
}
