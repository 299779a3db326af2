package mailfilter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// FindingKind is what [Document.Findings] found.
type FindingKind int

// The kinds of findings.
const (
	// Missing: the managed rule is not in the script.
	Missing FindingKind = iota
	// Disabled: the user has switched the managed rule off.
	Disabled
	// Order: the managed rule stands before one that must come first.
	Order
	// Shadowed: a rule of the user's stands before a managed one and can take
	// mail that the managed rule is for.
	Shadowed
)

// Finding is something about the order of a script's rules that the caller may
// want to report or to mend with [Document.Move].
type Finding struct {
	Kind FindingKind
	// Rule is the place in Rules of the rule that it is about (of the user's, for
	// Shadowed), -1 for Missing. Line and Name are that rule's.
	Rule, Line int
	Name       string
	// Flag is the managed rule's.
	Flag string
	// Text says what it means.
	Text string
}

// Findings compares the script with the order that its managed rules need: the
// flags, the one that must come first before the others, and all of them before
// the user's rules. It reports every rule of the user's above a managed one
// that ends the script, files, sends away, discards or refuses mail: whether it
// catches a certain message is not looked into. A script that is as it should
// be has none.
func (d *Document) Findings(flags ...string) []Finding {
	if d == nil || d.tree == nil {
		d = d.whole()
	}
	var out []Finding
	add := func(kind FindingKind, i int, flag, format string, args ...any) {
		f := Finding{Kind: kind, Rule: i, Flag: flag, Text: fmt.Sprintf(format, args...)}
		if i >= 0 {
			f.Line, f.Name = d.rules[i].Line, d.rules[i].Name
		}
		out = append(out, f)
	}
	first := len(d.rules) // the first managed rule that runs
	firstFlag := ""
	places := make([]int, len(flags))
	for j, flag := range flags {
		i := d.Find(flag)
		places[j] = i
		switch {
		case i < 0:
			add(Missing, -1, flag, "the rule %q is not there: Upsert puts it in", flag)
		case d.rules[i].Disabled:
			add(Disabled, i, flag, "the user has disabled rule %q (line %d): Managed.Enable switches it on", d.rules[i].Name, d.rules[i].Line)
			places[j] = -1
		default:
			for k := range j {
				if places[k] > i {
					add(Order, i, flag, "rule %q (line %d) runs before rule %q (line %d), which must come first: move it", d.rules[i].Name,
						d.rules[i].Line, d.rules[places[k]].Name, d.rules[places[k]].Line)
					break
				}
			}
			if i < first {
				first, firstFlag = i, flag
			}
		}
	}
	last := -1 // the last managed rule: every rule of the user's before it counts
	for _, i := range places {
		last = max(last, i)
	}
	for i := 0; i < last; i++ {
		r := &d.rules[i]
		if r.Disabled || slices.Contains(r.Flags, ManagedFlag) {
			continue
		}
		flag := firstFlag
		if i > first {
			// Name the first managed rule that stands behind it.
			next := len(d.rules)
			for j, k := range places {
				if k > i && k < next {
					next, flag = k, flags[j]
				}
			}
		}
		if what := takes(r.nodes); what != "" {
			add(Shadowed, i, flag, "the user's rule %q (line %d) stands before a managed one and has %s: mail it catches may not get there", r.Name,
				r.Line, what)
		}
	}
	return out
}

// takes names the first command in which mail may end before later rules.
func takes(nodes []*sieve.Node) string {
	for _, n := range nodes {
		copied := slices.ContainsFunc(n.Arguments, func(a sieve.Argument) bool { return strings.EqualFold(a.Tag, "copy") })
		switch name := strings.ToLower(n.Name); name {
		case "stop", "return", "discard", "reject", "ereject", "refuse":
			return name
		case "fileinto", "redirect":
			if !copied {
				// Without stop, later rules run too; but the message is in two
				// places then.
				return name
			}
		case "include":
			return name
		}
		if what := takes(n.Block); what != "" {
			return what
		}
	}
	return ""
}

// Move puts the rule at place from of Rules, with its tag, where it will be at
// place to; those between move up or down by one. What stands between rules
// stays where it is, so that moving back gives the same script again. It fails
// where one of the rules shares a line with something else.
func (d *Document) Move(from, to int) error {
	if d == nil || d.tree == nil {
		d = d.whole()
	}
	if from < 0 || from >= len(d.rules) || to < 0 || to >= len(d.rules) {
		return fmt.Errorf("mailfilter: there are %d rules: a move from %d to %d is out of range", len(d.rules), from, to)
	}
	var slots []splice
	for i := min(from, to); i <= max(from, to); i++ {
		s, err := d.block(i)
		if err != nil {
			return err
		}
		s.text = d.tree.src[s.off:s.end]
		slots = append(slots, s)
	}
	last := len(slots) - 1
	if from < to {
		moved := slots[0].text
		for i := range last {
			slots[i].text = slots[i+1].text
		}
		slots[last].text = moved
	} else {
		moved := slots[last].text
		for i := last; i > 0; i-- {
			slots[i].text = slots[i-1].text
		}
		slots[0].text = moved
	}
	return d.apply(slots...)
}

// block is the lines of a rule and its tag, without the last line end.
func (d *Document) block(i int) (splice, error) {
	r := d.rules[i]
	src := d.tree.src
	s := splice{off: r.off, end: len(src)}
	if r.tag >= 0 {
		s.off = d.tags[r.tag].off
	}
	for s.off > 0 && (src[s.off-1] == ' ' || src[s.off-1] == '\t') {
		s.off--
	}
	if j := strings.IndexByte(src[r.end:], '\n'); j >= 0 {
		s.end = r.end + j
		if s.end > r.end && src[s.end-1] == '\r' {
			s.end--
		}
	}
	rest := strings.TrimSpace(src[r.end:s.end])
	if s.off > 0 && src[s.off-1] != '\n' || rest != "" && (rest[0] != '#' || strings.HasPrefix(rest, tagPrefix)) {
		return s, fmt.Errorf("mailfilter: rule %q (line %d) shares its line with something else: give it a line of its own", r.Name, r.Line)
	}
	return s, nil
}
