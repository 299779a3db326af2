package mailfilter

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// tagLine is what OX looks for in every line, wherever the line stands.
var tagLine = regexp.MustCompile(`^## Flag: ([^|]*)\|UniqueId:([^|]*)\|Rulename: (.*)$`)

// tags looks at the tags, and at what OX takes for some.
func (l *linter) tags() {
	d := l.d
	belongs := map[int]bool{}
	for _, r := range d.rules {
		if r.tag >= 0 {
			belongs[r.tag] = true
		}
		if r.text != nil || len(r.nodes) == 0 {
			continue
		}
		// OX makes a rule of each elsif and else, and writes a tag before it.
		last := r.nodes[len(r.nodes)-1].Start
		for i := d.firstTag(r.off); i < len(d.tags) && d.tags[i].off < last; i++ {
			belongs[i] = true
		}
	}
	ids := map[int]string{}
	known := map[int]bool{}
	for i, g := range d.tags {
		known[g.off] = true
		line, _ := d.tree.position(g.off)
		problem := func(construct string, effect Effect, fix, format string, args ...any) {
			text := fmt.Sprintf(format, args...)
			l.out = append(l.out, Problem{Line: line, Column: 1, Rule: g.name, Construct: construct, Effect: effect, Fix: fix, Text: text})
		}
		raw := d.tree.src[g.off:g.end]
		switch parts := tagLine.FindStringSubmatch(raw); {
		case parts == nil || g.off > 0 && d.tree.src[g.off-1] != '\n':
			fix := fmt.Sprintf("write it as %q, on a line of its own", g.String())
			problem(tagPrefix, Dropped, fix, "%s takes the tag for a comment", subjectMark)
		case g.broken != "":
			problem(tagPrefix, l.breaks(g), "mend it", "the tag can't be read: %s", g.broken)
		case l.ox == OlderOX && strings.Contains(parts[1], " "):
			problem(tagPrefix, l.breaks(g), "leave them out", "%s can't read a tag with spaces between its flags", subjectMark)
		case strings.HasPrefix(parts[1], " ") || strings.HasSuffix(parts[1], " ") || strings.Trim(parts[2], "0123456789") != "":
			problem(tagPrefix, l.breaks(g), "leave them out", "%s can't read a tag with spaces around its flags or its id", subjectMark)
		}
		if first, ok := ids[g.id]; ok && g.id >= 0 {
			problem("UniqueId", Odd, "give it another", "the id %d is that of rule %q too", g.id, first)
		} else {
			ids[g.id] = g.name
		}
		if !belongs[i] {
			problem(tagPrefix, Odd, "remove it", "no rule follows the tag")
		}
		if l.ox == OX8 && g.meta != "" {
			if _, err := time.Parse(modifiedLayout, g.modified); err != nil {
				problem("LastModified", Unreadable, "take it out of the tag", "%s fails at the date %s", subjectMark, g.modified)
			} else if !ipv4.MatchString(g.by) {
				problem("ModifiedBy", Altered, "take it out of the tag",
					"%s takes |LastModified for a part of the name, where ModifiedBy is no IPv4 address", subjectMark)
			}
		}
	}
	off := 0
	for line := range strings.Lines(d.tree.src) {
		if !known[off] && tagLine.MatchString(strings.TrimRight(line, "\r\n")) {
			l.problem(off, tagPrefix, Altered, "put something before it", "%s takes this line of a text for the tag of the next rule", subjectMark)
		}
		off += len(line)
	}
}

// breaks makes the rule behind a tag one that OX can't read, if there is one.
func (l *linter) breaks(g tag) Effect {
	i, _ := slices.BinarySearchFunc(l.d.rules, g.off, func(r rule, off int) int { return r.off - off })
	for ; i < len(l.d.rules); i++ {
		r := &l.d.rules[i]
		if len(r.nodes) == 0 || l.unseen[r.off] {
			continue
		}
		l.enter(r)
		for _, n := range r.nodes {
			if _, known := l.ox.action(n.Name); known || l.control(n.Name) != "" { // it makes no rule of others
				l.breaksNode(r, n)
				l.leave()
				return Broken
			}
		}
		l.leave()
	}
	return Odd
}

func (l *linter) breaksNode(r *rule, n *sieve.Node) {
	if l.brokenAt[n] {
		return
	}
	l.brokenAt[n] = true
	first, _ := l.tree.position(n.Start)
	last, _ := l.tree.position(n.End - 1)
	l.broken = append(l.broken, lines{first, last, n.Start, l.tree, r})
}

// firstTag is the place of the first tag at or behind an offset.
func (d *Document) firstTag(off int) int {
	i, _ := slices.BinarySearchFunc(d.tags, off, func(g tag, off int) int { return g.off - off })
	return i
}
