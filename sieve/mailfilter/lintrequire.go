package mailfilter

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// requireEntry is what OX 8 reads in the second line.
var requireEntry = regexp.MustCompile(`"[a-z0-9.\-]+"`)

// requires looks at where the require commands stand, and which entries OX
// leaves out when it saves.
func (l *linter) requires() {
	d := l.d
	lineTwo := ""
	if len(d.tree.lines) > 1 {
		lineTwo, _, _ = strings.Cut(d.tree.src[d.tree.lines[1]:], "\n")
	}
	var kept []string // what OX 8 takes over
	if strings.HasPrefix(lineTwo, "require") {
		for _, e := range requireEntry.FindAllString(lineTwo, -1) {
			kept = append(kept, strings.Trim(e, `"`))
		}
	}
	for i, r := range d.requires {
		n := d.tree.Commands[r]
		if l.ox == OlderOX && n.Name != "require" {
			l.problem(n.Start, n.Name, Dropped, `write "require"`,
				"%s doesn't know the command %s and drops it when a user saves", subjectMark, n.Name)
		}
		if l.ox == OlderOX {
			continue
		}
		line, column := d.tree.position(n.Start)
		last, _ := d.tree.position(n.End - 1)
		switch {
		case i > 0:
			l.problem(n.Start, n.Name, Dropped, "put all extensions into the first",
				"%s forgets what a second require command has, as far as it doesn't miss it itself", subjectMark)
		case line != 2 || column != 1 || n.Name != "require":
			l.problem(n.Start, n.Name, Dropped, "put it there, behind one comment line",
				"%s looks for the require command at the start of line 2, "+
					"and forgets what stands elsewhere as far as it doesn't miss it itself", subjectMark)
		case last != line:
			l.problem(n.Start, n.Name, Dropped, "write it in one line", "%s reads one line of the require command", subjectMark)
		}
	}
	for _, m := range l.unrequired {
		r := &d.rules[m.rule]
		var adds []string
		for _, n := range r.nodes {
			adds = l.adds(adds, n)
		}
		effect, until := Odd, ""
		if slices.Contains(adds, m.extension) {
			effect, until = Altered, ", until "+subjectMark+" adds the entry when a user saves"
		}
		l.enter(r)
		l.problem(r.off, m.extension, effect, fmt.Sprintf("add %q, or take the rule out", m.extension),
			"the rule needs the extension %q, which the script doesn't require: no server runs the script%s", m.extension, until)
		l.leave()
	}
	if len(l.broken) > 0 {
		return // then it takes all entries over
	}
	if l.ox == OlderOX {
		kept = nil
	}
	for i := range d.rules {
		r := &d.rules[i]
		if r.Disabled {
			continue
		}
		for _, n := range r.nodes {
			kept = l.adds(kept, n)
		}
	}
	have := d.Requires()
	said := map[string]bool{}
	for i := range d.rules {
		r := &d.rules[i]
		if r.Disabled {
			continue
		}
		for _, x := range d.uses(r) {
			if said[x] || slices.Contains(kept, x) || !slices.Contains(have, x) {
				continue
			}
			said[x] = true
			l.enter(r)
			l.problem(r.off, x, Altered, "see that it stands in line 2, and is one that OX knows",
				"%s leaves the extension %q, which the rule needs, out of the require command when a user saves", subjectMark, x)
			l.leave()
		}
	}
}

// adds adds the extensions that OX requires for a command of its own accord.
func (l *linter) adds(to []string, n *sieve.Node) []string {
	f, known := l.ox.action(n.Name)
	if known {
		to = union(to, f.requires)
	}
	for _, t := range n.Tests {
		to = l.addsTest(to, t)
	}
	for _, c := range n.Block {
		to = l.adds(to, c)
	}
	return to
}

func (l *linter) addsTest(to []string, n *sieve.Node) []string {
	f, _ := l.ox.test(n.Name)
	to = union(to, f.requires)
	for _, a := range n.Arguments {
		if x := tagRequires[":"+a.Tag]; x != "" {
			to = union(to, []string{x})
		}
	}
	for _, t := range n.Tests {
		to = l.addsTest(to, t)
	}
	return to
}

// kept looks at what OX does with the rules that it keeps as text: it takes
// whole lines, which it looks for by CRLF.
func (l *linter) kept() {
	for _, b := range l.broken {
		l.enter(b.rule)
		switch {
		case b.rule.Disabled && l.ox == OlderOX:
			l.problem(b.off, disabledPrefix, Altered, leaveOut, "%s switches on a disabled rule that it can't read when a user saves", subjectMark)
		case !b.rule.Disabled && !l.found(b):
			effect := Dropped
			if start, end := l.cut(b); start > end && l.ox == OlderOX {
				effect = Unreadable
			}
			l.problem(b.off, "LF", effect, "end all lines in CRLF",
				"%s loses what it can't read when a user saves, because not all lines end in CRLF", subjectMark)
		case b.shared():
			l.problem(b.off, "line", Altered, "give each a line of its own",
				"%s keeps whole lines of what it can't read, and doubles what else stands on them", subjectMark)
		}
		l.leave()
	}
}

// cut is the place of the lines as OX finds it, which looks for CRLF from one
// line to the next, and goes on from the second octet where it finds none.
func (l *linter) cut(b lines) (start, end int) {
	if l.ends == nil {
		src := l.d.tree.src
		var crlfs []int
		for i := 0; ; {
			n := strings.Index(src[i:], "\r\n")
			if n < 0 {
				break
			}
			crlfs = append(crlfs, i+n)
			i += n + len("\r\n")
		}
		l.ends = append(l.ends, 0)
		for at := 0; len(l.ends) <= len(l.d.tree.lines); l.ends = append(l.ends, at) {
			if i, _ := slices.BinarySearch(crlfs, at); i < len(crlfs) {
				at = crlfs[i] + len("\r\n")
			} else {
				at = min(1, len(src))
			}
		}
	}
	return l.ends[b.first-1], l.ends[b.last]
}

// found reports whether OX finds the lines.
func (l *linter) found(b lines) bool {
	start, end := l.cut(b)
	last := len(b.tree.src)
	if b.last < len(b.tree.lines) {
		last = b.tree.lines[b.last]
	}
	return start == b.tree.lines[b.first-1] && end == last
}

// shared reports whether another command stands on the lines.
func (b lines) shared() bool {
	list := b.tree.Commands
	i, _ := slices.BinarySearchFunc(list, b.off, func(n *sieve.Node, off int) int { return n.Start - off })
	if i > 0 {
		if last, _ := b.tree.position(list[i-1].End - 1); last >= b.first {
			return true
		}
	}
	if i+1 < len(list) {
		if first, _ := b.tree.position(list[i+1].Start); first <= b.last {
			return true
		}
	}
	return false
}

// missing is an extension that a rule uses and the script doesn't require.
type missing struct {
	rule      int
	extension string
}

// unrequired are the extensions that enabled rules use and the script doesn't
// require. The server doesn't run such a script.
func (d *Document) unrequired() []missing {
	if _, err := sieve.Parse("", []byte(d.tree.src)); err == nil {
		return nil
	}
	have := d.known()
	var out []missing
	for i := range d.rules {
		r := &d.rules[i]
		if r.Disabled {
			continue
		}
		if _, err := sieve.Parse("", []byte(requireCommand(have, "\n")+r.Text)); err == nil {
			continue
		}
		for _, set := range optionalExtensions {
			s, err := sieve.Parse("", []byte(requireCommand(union(have, set), "\n")+r.Text))
			if err != nil {
				continue
			}
			for _, x := range s.Requires() {
				if !slices.Contains(have, x) {
					out = append(out, missing{i, x})
				}
			}
			break
		}
	}
	return out
}

// optionalExtensions are sets of extensions that can be required together.
var optionalExtensions = func() [][]string {
	without := func(off sieve.Extensions) []string {
		return slices.DeleteFunc((sieve.AllExtensions &^ off).Names(), func(x string) bool { return x == "" })
	}
	const drafts = sieve.ExtIMAPFlags | sieve.ExtNotify | sieve.ExtDovecotDuplicate
	const strings = sieve.ExtVariables | sieve.ExtEncodedCharacter
	const final = sieve.ExtIMAP4Flags | sieve.ExtENotify | sieve.ExtDuplicate
	return [][]string{without(drafts | strings), without(drafts), without(final | strings)}
}()

// uses are the extensions that a rule uses, as far as the script requires them.
func (d *Document) uses(r *rule) []string {
	s, err := sieve.Parse("", []byte(requireCommand(d.known(), "\n")+r.Text))
	if err != nil {
		return nil
	}
	out := s.Requires()
	if strings.Contains(r.Text, "${") {
		// In their strings, these have no other trace.
		for _, x := range []string{"variables", "encoded-character"} {
			if slices.Contains(d.Requires(), x) {
				out = union(out, []string{x})
			}
		}
	}
	return out
}
