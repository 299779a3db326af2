package mailfilter

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// ManagedFlag is the flag in the tag of every rule that [Document.Upsert]
// writes, beside the rule's own: by it alone such rules are known.
const ManagedFlag = "oxmailroute"

// Managed is a rule to be kept in a script.
type Managed struct {
	// Flag is the rule's own: letters and the digits 1 to 9. It must not change
	// from one run to the next.
	Flag string
	// Name is what users see. It can be empty. A name that the user gave to the
	// rule stays.
	Name string
	// Command is the rule, in the constructs that OX reads and keeps (see [Lint]).
	Command sieve.Command
	// Enable switches the rule on again where the user has disabled it.
	Enable bool
}

// want is a managed rule as it is written.
type want struct {
	Managed
	text     string
	commands []sieve.Command // of text, as the parser reads them
	needs    []string
}

// Change is what became of one managed rule.
type Change int

// The changes.
const (
	Unchanged Change = iota
	Inserted         // it was not there
	Updated          // it had another meaning
	Enabled          // the user had disabled it
	Removed
)

// String is the change in lower case.
func (c Change) String() string {
	if c < 0 || int(c) >= len(changes) {
		return fmt.Sprintf("change %d", int(c))
	}
	return changes[c]
}

var changes = [...]string{"unchanged", "inserted", "updated", "enabled", "removed"}

// prepare checks the rules and prints them; its error has everything that is
// wrong with them.
func (d *Document) prepare(rules []Managed) ([]want, error) {
	var errs []error
	var out []want
	for i, m := range rules {
		bad := func(err error) { errs = append(errs, fmt.Errorf("mailfilter: rules[%d]: %w", i, err)) }
		if err := checkFlag(m.Flag); err != nil {
			bad(err)
		} else if m.Flag == ManagedFlag || m.Flag == bracketedFlag || m.Flag == inlineFlag || m.Flag == headedFlag ||
			strings.HasPrefix(m.Flag, addedFlag) {
			bad(fmt.Errorf("flag %q is taken: choose another", m.Flag))
		}
		if slices.ContainsFunc(rules[:i], func(o Managed) bool { return o.Flag == m.Flag }) {
			bad(fmt.Errorf("flag %q is that of an earlier rule: choose another", m.Flag))
		}
		if err := checkName(m.Name); err != nil {
			bad(err)
		}
		w, err := d.write(m)
		if err != nil {
			bad(err)
			continue
		}
		out = append(out, w)
	}
	return out, errors.Join(errs...)
}

func (d *Document) write(m Managed) (want, error) {
	if m.Command == nil {
		return want{}, errors.New("the Command is missing")
	}
	s := &sieve.Script{Commands: []sieve.Command{m.Command}}
	if err := s.Validate(); err != nil {
		return want{}, err
	}
	w := want{Managed: m, needs: s.Requires()}
	alone, err := Parse("", s.Format())
	if err != nil {
		return want{}, err
	}
	if len(alone.rules) != 1 || len(alone.rules[0].nodes) != 1 {
		return want{}, fmt.Errorf("a rule is one command, without elsif and else: %w", ErrUnreadable)
	}
	if len(alone.tree.Comments) > 0 {
		return want{}, fmt.Errorf("it has a comment, which OX drops: use Name: %w", ErrUnreadable)
	}
	for _, p := range alone.lintAlone(d.OX) {
		return want{}, fmt.Errorf("%s: %s: %w", p.Text, p.Fix, ErrUnreadable)
	}
	w.text = strings.ReplaceAll(alone.rules[0].Text, "\n", d.eol)
	if w.commands, err = meaning(w.needs, w.text); err != nil {
		return want{}, err
	}
	return w, nil
}

// lintAlone looks at the one rule of a document, and not at what stands around
// it. A string that ends with a backslash counts as if others followed.
func (d *Document) lintAlone(ox Generation) []Problem {
	return ox.merge(func(g Generation) []Problem {
		l := &linter{d: d, ox: g}
		l.leave()
		l.escapes()
		n := d.rules[0].nodes[0]
		l.top(n)
		l.tree = &source{Tree: d.tree.Tree, src: d.tree.src + `""`, lines: d.tree.lines}
		l.literals(n)
		return l.out
	})
}

// meaning is what the text of a rule says, its layout aside. OX writes an
// action outside of an if as one of an if true.
func meaning(requires []string, text string) ([]sieve.Command, error) {
	s, err := sieve.Parse("", []byte(requireCommand(requires, "\n")+text))
	if err != nil {
		return nil, err
	}
	commands := slices.DeleteFunc(s.Commands, func(c sieve.Command) bool { _, ok := c.(sieve.Comment); return ok })
	if len(commands) == 1 {
		if c, ok := commands[0].(sieve.If); ok && c.Test == sieve.Test(sieve.True{}) && len(c.ElsIf) == 0 && c.Else == nil && len(c.Then) == 1 {
			return c.Then, nil
		}
	}
	return commands, nil
}

// requireCommand is a require command as OX writes it.
func requireCommand(extensions []string, eol string) string {
	if len(extensions) == 0 {
		return ""
	}
	return `require [ "` + strings.Join(extensions, `" , "`) + `" ];` + eol
}

// splice puts text in the place of the octets from off to end.
type splice struct {
	off, end int
	text     string
}

// apply makes all splices, which don't overlap and are in their order, and
// reads the result.
func (d *Document) apply(splices ...splice) error {
	if len(splices) == 0 {
		return nil
	}
	var b strings.Builder
	src, at := d.tree.src, 0
	for _, s := range splices {
		b.WriteString(src[at:s.off])
		b.WriteString(s.text)
		at = s.end
	}
	b.WriteString(src[at:])
	t, err := parseSource(d.tree.name, b.String())
	if err != nil {
		return fmt.Errorf("mailfilter: the edited script can't be read, it is left as it was: %w", err)
	}
	eol, ox := d.eol, d.OX
	*d = *newDocument(t)
	d.eol, d.OX = eol, ox
	return nil
}

// Upsert inserts the rules that are not there yet, gives those that are there
// their present meaning, and returns what it did with each, in the order of its
// arguments, or an error with everything that hinders it; the document is as it
// was then. Where nothing changes, no byte does.
//
// New rules stand in the order of the arguments before all rules of the user,
// and behind a managed rule that stands elsewhere and comes earlier in the
// arguments. Rules that are there stay where they are: see [Document.Findings]
// and [Document.Move]. Their ids and the names that the user gave them stay.
// The first require command is extended by what the rules need; where there is
// none, it is put where OX of the generation d.OX looks for it: in line 2, for
// which a comment line goes before a script that doesn't begin with one, or in
// line 1 for [OlderOX], which reads it anywhere.
//
// A script in which a rule uses an extension that it doesn't require runs on no
// server. It is refused, since an entry for the managed rules could make it run.
func (d *Document) Upsert(rules ...Managed) ([]Change, error) {
	if d == nil {
		return nil, errors.New("mailfilter: Upsert needs a Document: see Parse")
	}
	if d.tree == nil {
		*d = *d.whole()
	}
	if _, err := ParseGeneration(string(d.OX)); err != nil {
		return nil, err
	}
	wants, err := d.prepare(rules)
	if err != nil {
		return nil, err
	}
	if err := d.conflicts(wants); err != nil {
		return nil, err
	}
	before := d.tree
	_, readable := sieve.Parse("", []byte(before.src))
	edited := *d
	changed := make([]Change, len(wants))
	for i, w := range wants {
		if changed[i], err = edited.upsert(wants, i); err != nil {
			return nil, fmt.Errorf("mailfilter: rule %q: %w", w.Flag, err)
		}
	}
	if edited.tree != before {
		// What the server took before, it must take now: extensions exclude each
		// other, and a script has its limits.
		if _, err := sieve.Parse(d.tree.name, []byte(edited.tree.src)); err != nil && readable == nil {
			return nil, fmt.Errorf("mailfilter: with the rules, the script would be refused; it is left as it was: %w", err)
		}
		if readable != nil {
			if err := d.dead(); err != nil {
				return nil, err
			}
		}
	}
	*d = edited
	return changed, nil
}

// dead reports rules of the user's for whose extensions the script has no
// require entry. No server runs it, and entries of other rules could make it
// run all at once.
func (d *Document) dead() error {
	var errs []error
	for _, m := range d.unrequired() {
		r := &d.rules[m.rule]
		errs = append(errs, fmt.Errorf("mailfilter: the user's rule %q (line %d) needs the extension %q, which the script doesn't require: no server runs it as it is; add %q to its require command, or take the rule out",
			r.Name, r.Line, m.extension, m.extension))
	}
	return errors.Join(errs...)
}

// conflicts reports rules whose text would mean something else in this script,
// or would give another meaning to the user's rules: "${" in a string is one
// thing with the extensions variables and encoded-character and another
// without.
func (d *Document) conflicts(wants []want) error {
	var errs []error
	have := d.Requires()
	for _, w := range wants {
		if _, err := sieve.Parse("", []byte(requireCommand(union(d.known(), w.needs), "\n"))); err != nil {
			errs = append(errs, fmt.Errorf("mailfilter: rule %q: its extensions and those of the script: %w", w.Flag, err))
		}
	}
	for _, x := range []string{"variables", "encoded-character"} {
		for _, w := range wants {
			switch needs := slices.Contains(w.needs, x); {
			case needs && !slices.Contains(have, x):
				for _, r := range d.rules {
					if strings.Contains(r.Text, "${") && !slices.Contains(r.Flags, ManagedFlag) {
						errs = append(errs, fmt.Errorf("mailfilter: rule %q needs the extension %q, which would change the meaning of \"${\" in the user's rule %q (line %d)", w.Flag, x, r.Name, r.Line))
						break
					}
				}
			case !needs && slices.Contains(have, x) && strings.Contains(w.text, "${"):
				errs = append(errs, fmt.Errorf("mailfilter: rule %q has \"${\" in a string, which the extension %q of this script gives another meaning", w.Flag, x))
			}
		}
	}
	return errors.Join(errs...)
}

func (d *Document) upsert(wants []want, i int) (Change, error) {
	w := wants[i]
	found := d.find(w.Flag)
	if len(found) == 0 {
		return Inserted, d.insert(wants, i)
	}
	change := Unchanged
	for len(found) > 1 {
		// A copy, which only an edit by hand can have made.
		if _, err := d.cut(found[len(found)-1]); err != nil {
			return 0, err
		}
		found = d.find(w.Flag)
		change = Updated
	}
	r := &d.rules[found[0]]
	if r.Disabled && w.Enable {
		if err := d.apply(splice{r.off, r.end, strings.TrimRight(r.Text, "\r\n")}); err != nil {
			return 0, err
		}
		r = &d.rules[d.Find(w.Flag)]
		change = Enabled
	}
	if have, err := meaning(union(d.known(), w.needs), r.Text); err != nil || !reflect.DeepEqual(have, w.commands) {
		text := w.text
		if r.Disabled {
			text = disabledPrefix + strings.ReplaceAll(text, "\n", "\n"+disabledPrefix)
		}
		if err := d.apply(splice{r.off, r.end, text}); err != nil {
			return 0, err
		}
		change = max(change, Updated)
		r = &d.rules[d.Find(w.Flag)]
	}
	if r.Disabled {
		return change, nil
	}
	added, edits := d.require(w.needs)
	if len(edits) > 0 {
		if err := d.apply(edits...); err != nil {
			return 0, err
		}
		change = max(change, Updated)
	}
	if err := d.remember(d.Find(w.Flag), added); err != nil {
		return 0, err
	}
	return change, d.forget(d.Find(w.Flag), w.needs)
}

// forget takes out the entries that were added for a rule that has no use for
// them any more.
func (d *Document) forget(i int, needs []string) error {
	var drop []string
	for _, f := range d.rules[i].Flags {
		if !strings.HasPrefix(f, addedFlag) {
			continue
		}
		if !slices.ContainsFunc(needs, func(x string) bool { m, _ := memory(x); return m == f }) {
			drop = append(drop, f)
		}
	}
	if len(drop) == 0 {
		return nil
	}
	g := d.tags[d.rules[i].tag]
	g.flags = slices.DeleteFunc(slices.Clone(g.flags), func(f string) bool { return slices.Contains(drop, f) })
	if err := d.retag(g); err != nil {
		return err
	}
	return d.unrequire(drop, d.eol)
}

// remember adds flags to the tag of a managed rule.
func (d *Document) remember(i int, flags []string) error {
	g := d.tags[d.rules[i].tag]
	missing := slices.DeleteFunc(slices.Clone(flags), func(f string) bool { return slices.Contains(g.flags, f) })
	if len(missing) == 0 {
		return nil
	}
	g.flags = append(slices.Clone(g.flags), missing...)
	return d.retag(g)
}

// retag writes a tag anew. One whose id couldn't be read gets one.
func (d *Document) retag(g tag) error {
	if g.id < 0 {
		g.id = d.newID()
	}
	return d.apply(splice{g.off, g.end, g.String()})
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
