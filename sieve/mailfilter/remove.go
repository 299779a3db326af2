package mailfilter

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// Remove takes the managed rules with these flags out, or all managed rules
// where there are no arguments, and returns how many it took out. Of the
// require command it takes out what their insertion added and no remaining rule
// needs; the tags remember what that is. Where nobody changed the script in
// between, it is then the one from before the insertion, byte for byte. On an
// error the document is as it was.
func (d *Document) Remove(flags ...string) (int, error) {
	if d == nil || d.tree == nil {
		d = d.whole()
	}
	edited := *d
	count := 0
	for {
		// From the end, so that what precedes a rule is what it was inserted
		// behind.
		i := len(edited.rules) - 1
		for ; i >= 0; i-- {
			f := edited.rules[i].Flags
			if slices.Contains(f, ManagedFlag) && (len(flags) == 0 || slices.ContainsFunc(flags, func(g string) bool {
				return slices.Contains(f, g)
			})) {
				break
			}
		}
		if i < 0 {
			break
		}
		carried := slices.Clone(edited.rules[i].Flags)
		eol, err := edited.cut(i)
		if err != nil {
			return 0, err
		}
		if err := edited.unrequire(carried, eol); err != nil {
			return 0, err
		}
		if slices.Contains(carried, headedFlag) {
			if err := edited.behead(eol); err != nil {
				return 0, err
			}
		}
		count++
	}
	if src := edited.tree.src; count > 0 && (src == ownHeader+edited.eol) {
		if err := edited.apply(splice{0, len(src), ""}); err != nil {
			return 0, err
		}
	}
	*d = edited
	return count, nil
}

// behead takes out the line that was put before the script, unless a require
// command stands behind it still; then the next managed rule remembers it.
func (d *Document) behead(eol string) error {
	line := ownHeader + eol
	if !strings.HasPrefix(d.tree.src, line) {
		return nil // OX has written its own
	}
	if len(d.requires) == 0 {
		return d.apply(splice{0, len(line), ""})
	}
	if heir := slices.IndexFunc(d.rules, func(r rule) bool { return slices.Contains(r.Flags, ManagedFlag) }); heir >= 0 {
		return d.remember(heir, []string{headedFlag})
	}
	return nil
}

// cut takes out a managed rule and its tag, with the line ends that were
// inserted with them. It returns the line end that they were inserted with, which
// is the one between tag and rule: a CR before a bare LF is the user's.
func (d *Document) cut(i int) (eol string, err error) {
	r := d.rules[i]
	g := d.tags[r.tag]
	src := d.tree.src
	eol = "\n"
	if between := src[g.end:r.off]; !strings.HasPrefix(between, "\n") {
		eol = "\r\n"
	}
	if strings.Trim(src[g.end:r.off], " \t\r\n") != "" {
		// Somebody's comments stand between.
		return eol, d.apply(d.line(g.off, g.end, eol), d.line(r.off, r.end, eol))
	}
	s := d.line(g.off, r.end, eol)
	if slices.Contains(g.flags, inlineFlag) {
		if next := i + 1; next < len(d.rules) && d.rules[next].tag >= 0 && slices.Contains(d.rules[next].Flags, ManagedFlag) &&
			d.tags[d.rules[next].tag].off == s.end {
			// The next managed rule takes over the line end before this one.
			if err := d.remember(next, []string{inlineFlag}); err != nil {
				return eol, err
			}
			return eol, d.apply(s)
		}
		// OX, when it writes a script, puts a tag behind every rule; then these
		// line ends are its own.
		if before := strings.TrimSuffix(strings.TrimSuffix(src[:s.off], "\n"), strings.TrimSuffix(eol, "\n")); s.off > 0 &&
			src[s.off-1] == '\n' &&
			before != "" && before[len(before)-1] != '\n' && s.end < len(src) && !strings.ContainsRune("#\r\n", rune(src[s.end])) {
			s.off = len(before)
		}
	}
	return eol, d.apply(s)
}

// line widens a place to the whole line or lines it stands on, with their line
// end, where nothing else stands there. At the end of a script without a line
// end, it is the line end before that goes, as long as eol at most.
func (d *Document) line(off, end int, eol string) splice {
	src := d.tree.src
	first := off
	for first > 0 && (src[first-1] == ' ' || src[first-1] == '\t') {
		first--
	}
	last := end
	for last < len(src) && (src[last] == ' ' || src[last] == '\t' || src[last] == '\r') {
		last++
	}
	if first > 0 && src[first-1] != '\n' {
		return splice{off: off, end: end}
	}
	switch {
	case last < len(src) && src[last] == '\n':
		return splice{off: first, end: last + 1}
	case last < len(src):
		return splice{off: off, end: end}
	}
	if strings.HasSuffix(src[:first], eol) {
		first -= len(eol)
	} else if first > 0 {
		first--
	}
	return splice{off: first, end: last}
}

// unrequire takes out the entries of the require commands that the flags
// remember and no rule needs.
func (d *Document) unrequire(flags []string, eol string) error {
	flags = slices.DeleteFunc(slices.Clone(flags), func(f string) bool { return f != bracketedFlag && !strings.HasPrefix(f, addedFlag) })
	if len(flags) == 0 {
		return nil
	}
	needed := d.needed()
	var bequest []string
	for _, f := range flags {
		if f == bracketedFlag {
			continue
		}
		for _, x := range d.Requires() {
			if m, ok := memory(x); !ok || m != f {
				continue
			}
			if slices.Contains(needed, x) {
				bequest = append(bequest, f)
				continue
			}
			if s, ok := d.entry(x, eol); ok {
				if err := d.apply(s); err != nil {
					return err
				}
			}
		}
	}
	if slices.Contains(flags, bracketedFlag) {
		done := false
		for _, i := range d.requires {
			a := d.tree.Commands[i].Arguments[0]
			// The layout is the one that the insertion made; OX has another.
			if a.List && len(a.Strings) == 1 && a.Strings[0].Start == a.Start+1 && a.Strings[0].End == a.End-1 {
				if err := d.apply(splice{a.Start, a.End, d.tree.text(a.Strings[0].Span)}); err != nil {
					return err
				}
				done = true
				break
			}
		}
		if !done {
			bequest = append(bequest, bracketedFlag)
		}
	}
	if heir := slices.IndexFunc(d.rules, func(r rule) bool { return slices.Contains(r.Flags, ManagedFlag) }); heir >= 0 && len(bequest) > 0 {
		return d.remember(heir, bequest)
	}
	return nil
}

// entry is the splice that takes an entry out of its require command, or the
// whole command where it is the only one. An entry with a comment beside it
// stays.
func (d *Document) entry(extension, eol string) (splice, bool) {
	for _, i := range d.requires {
		n := d.tree.Commands[i]
		all := n.Arguments[0].Strings
		j := slices.IndexFunc(all, func(s sieve.StringLiteral) bool { return s.Value == extension })
		if j < 0 {
			continue
		}
		comma := func(from, to int) bool { return strings.Trim(d.tree.src[from:to], " \t\r\n") == "," }
		switch {
		case len(all) == 1:
			if slices.ContainsFunc(d.tree.Comments, func(c sieve.Span) bool { return c.Start >= n.Start && c.End <= n.End }) {
				return splice{}, false
			}
			return d.line(n.Start, n.End, eol), true
		case j > 0 && comma(all[j-1].End, all[j].Start):
			return splice{off: all[j-1].End, end: all[j].End}, true
		case j == 0 && comma(all[0].End, all[1].Start):
			return splice{off: all[0].Start, end: all[1].Start}, true
		}
		return splice{}, false
	}
	return splice{}, false
}

// needed are the extensions that the rules need, disabled ones too; of rules
// that package sieve can't read, those that they may need.
func (d *Document) needed() []string {
	requires := d.known()
	var out []string
	for _, r := range d.rules {
		if strings.Contains(r.Text, "${") {
			// In their strings, these have no other trace.
			out = union(out, []string{"variables", "encoded-character"})
		}
		if s, err := sieve.Parse("", []byte(requireCommand(requires, "\n")+r.Text)); err == nil {
			out = union(out, s.Requires())
			continue
		}
		text := strings.ToLower(r.Text)
		for _, x := range d.Requires() {
			words, ok := words[x]
			if !ok || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) }) {
				out = union(out, []string{x})
			}
		}
	}
	return out
}

// known are the extensions of the script that package sieve knows.
func (d *Document) known() []string {
	all := d.Requires()
	if _, err := sieve.Parse("", []byte(requireCommand(all, "\n"))); err == nil {
		return all
	}
	return slices.DeleteFunc(all, func(x string) bool {
		_, err := sieve.Parse("", []byte(requireCommand([]string{x}, "\n")))
		return err != nil
	})
}

// words are found in every rule that uses the extension.
var words = map[string][]string{
	"body":       {"body"},
	"copy":       {":copy"},
	"envelope":   {"envelope"},
	"fileinto":   {"fileinto"},
	"imap4flags": {"flag"},
	"regex":      {":regex"},
	"reject":     {"reject"},
	"vacation":   {"vacation"},
}
