package mailfilter_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/mailfilter"
)

// oxRule is a rule as OX holds it.
type oxRule struct {
	flags       []string
	id          int
	name, meta  string
	disabled    bool
	node        *oxNode // nil where it is broken
	text        string  // of a broken one, whole lines
	broken      bool
	require     bool
	first, last int
}

// ox models what OX App Suite of a generation does to a script when a user
// edits rules in the web interface. It knows nothing of the package under test.
type ox struct {
	gen      mailfilter.Generation
	requires []string // of the script that was read
	lineTwo  []string // those of them that OX 8 takes over
	rules    []oxRule
	nextID   int
	dropped  int // commands
}

var (
	oxTagLine = regexp.MustCompile(`^## Flag: ([^|]*?)\|UniqueId:([^|]*?)\|Rulename: (.*?)$`)
	ox8Meta   = regexp.MustCompile(`\|LastModified: [\d-]+T[\d:]+Z\|ModifiedBy: (?:\d{1,3}\.){3}\d{1,3}$`)
	oxEntry   = regexp.MustCompile(`"[a-z0-9.\-]+"`)
	oxFlag    = regexp.MustCompile(`^[a-zA-Z1-9]*$`)
)

// readOX reads a script, with an error where OX can't.
func readOX(src string, gen mailfilter.Generation) (*ox, error) {
	o := &ox{gen: gen}
	without, marks := oxWithout(src)
	var commented strings.Builder
	for i, line := range strings.Split(without, "\n") {
		if marks[i+1] {
			commented.WriteString(strings.TrimSuffix(line, "\r"))
		}
		commented.WriteString("\r\n")
	}
	for _, s := range []struct {
		text     string
		disabled bool
	}{{src, false}, {commented.String(), true}} {
		text, err := oxUnicode(s.text)
		if err != nil {
			return nil, err
		}
		list, err := oxParse(text)
		if err != nil {
			return nil, err
		}
		for _, n := range list {
			if err := o.command(n, s.disabled); err != nil {
				return nil, err
			}
		}
	}
	slices.SortStableFunc(o.rules, func(a, b oxRule) int { return a.first - b.first })
	for i, line := range strings.Split(src, "\n") {
		o.tag(strings.TrimSuffix(line, "\r"), i+1)
	}
	lines := strings.Split(src, "\n")
	if len(lines) > 1 && strings.HasPrefix(lines[1], "require") {
		for _, e := range oxEntry.FindAllString(lines[1], -1) {
			o.lineTwo = append(o.lineTwo, strings.Trim(e, `"`))
		}
	}
	o.rules = slices.DeleteFunc(o.rules, func(r oxRule) bool { return r.require })
	for i := range o.rules {
		r := &o.rules[i]
		if o.nextID = max(o.nextID, r.id+1); r.broken {
			r.node = nil
			var ok bool
			r.text, ok = oxLines(map[bool]string{false: src, true: commented.String()}[r.disabled], r.first, r.last)
			if !ok && gen == mailfilter.OlderOX {
				return nil, errOX
			}
		}
	}
	for i := range o.rules {
		if o.rules[i].id < 0 {
			o.rules[i].id = o.nextID
			o.nextID++
		}
	}
	return o, nil
}

// oxLines cuts lines out as OX does, which looks for CRLF.
func oxLines(text string, first, last int) (string, bool) {
	next := func(from int) int { return from + strings.Index(text[from:], "\r\n") + 2 }
	start := 0
	for number := 1; number < first; number++ {
		if !strings.Contains(text[start:], "\r\n") {
			start = min(1, len(text))
			continue
		}
		start = next(start)
	}
	end := start
	for number := first; number <= last; number++ {
		if !strings.Contains(text[end:], "\r\n") {
			end = min(1, len(text))
			continue
		}
		end = next(end)
	}
	if start > end {
		return "", false
	}
	return text[start:end], true
}

func (o *ox) control(name string) string {
	if o.gen == mailfilter.OX8 {
		name = strings.ToLower(name)
	}
	if slices.Contains([]string{"require", "if", "elsif", "else"}, name) {
		return name
	}
	return ""
}

// command makes a rule of a command at the top.
func (o *ox) command(n *oxNode, disabled bool) error {
	r := oxRule{id: -1, disabled: disabled, node: n, first: n.first, last: n.last}
	switch o.control(n.name) {
	case "require":
		o.requires = append(o.requires, n.args[0].strings...)
		r.require = true
	case "if":
		n.name = "if"
		for _, t := range n.tests {
			r.broken = r.broken || oxCheckTest(o.gen, t) != nil
		}
		var kept []*oxNode
		for _, c := range n.block {
			k, known := oxAction(o.gen, c.name)
			switch {
			case o.control(c.name) != "":
				r.broken = true
			case !known && len(c.tests) > 0 && !c.hasBlock:
				return errOX
			case known:
				r.broken = r.broken || oxCheckAction(k, c) != nil
				kept = append(kept, c)
			}
		}
		if !r.broken {
			o.dropped += len(n.block) - len(kept)
			n.block = o.order(kept)
		}
	case "elsif", "else":
		r.broken = true
	default:
		k, known := oxAction(o.gen, n.name)
		if !known {
			if len(n.tests) > 0 && !n.hasBlock {
				return errOX
			}
			o.dropped++
			return nil
		}
		r.broken = oxCheckAction(k, n) != nil
		r.node = &oxNode{name: "if", tests: []*oxNode{{name: "true"}}, block: []*oxNode{n}, hasBlock: true}
	}
	o.rules = append(o.rules, r)
	return nil
}

// order puts what changes the message before fileinto.
func (o *ox) order(list []*oxNode) []*oxNode {
	changes := "addflag addheader deleteheader"
	if o.gen == mailfilter.OX8 {
		changes += " removeflag"
	}
	for i := range list {
		if list[i].name != "fileinto" {
			continue
		}
		for j := i + 1; j < len(list); j++ {
			if slices.Contains(strings.Fields(changes), list[j].name) {
				moved := list[j]
				return o.order(slices.Insert(slices.Delete(list, j, j+1), i, moved))
			}
		}
	}
	return list
}

// tag gives a line that is a tag to the rule that begins next after it.
func (o *ox) tag(line string, number int) {
	m := oxTagLine.FindStringSubmatch(line)
	if m == nil {
		return
	}
	best := -1
	for i, r := range o.rules {
		if r.first > number && (best < 0 || r.first < o.rules[best].first) {
			best = i
		}
	}
	if best < 0 {
		return
	}
	r := &o.rules[best]
	flags := strings.Split(m[1], ",")
	if o.gen == mailfilter.OX8 {
		flags = regexp.MustCompile(`\s*,\s*`).Split(m[1], -1)
	}
	id, err := strconv.ParseInt(m[2], 10, 32)
	if err != nil || slices.ContainsFunc(flags, func(f string) bool { return !oxFlag.MatchString(f) }) {
		r.broken = true
		return
	}
	r.flags, r.id, r.name, r.meta = slices.DeleteFunc(flags, func(f string) bool { return f == "" }), int(id), m[3], ""
	if meta := ox8Meta.FindString(m[3]); meta != "" && o.gen == mailfilter.OX8 {
		r.name, r.meta = strings.TrimSuffix(m[3], meta), meta
	}
}

// oxCapabilities are what the server has.
var oxCapabilities = strings.Fields("fileinto copy envelope body date relational regex subaddress imap4flags variables editheader enotify vacation reject")

// needs are the extensions that OX requires for a command of its own accord.
func (o *ox) needs(n *oxNode, add func(...string)) {
	switch n.name {
	case "redirect":
		if o.gen == mailfilter.OlderOX {
			add("copy")
		}
	case "fileinto", "reject", "vacation", "envelope", "body", "date":
		add(n.name)
	case "notify":
		add("enotify")
	case "currentdate":
		add("date")
	case "hasflag":
		if o.gen == mailfilter.OX8 {
			add("imap4flags")
		}
	case "addflag", "removeflag", "setflag":
		add("imap4flags", "imapflags")
	case "addheader", "deleteheader":
		add("editheader")
	case "set", "string":
		add("variables")
	}
	for _, a := range n.args {
		switch a.tag {
		case ":regex":
			add("regex")
		case ":value":
			add("relational")
		case ":user", ":detail":
			add("subaddress")
		}
	}
	for _, t := range n.tests {
		o.needs(t, add)
	}
	for _, c := range n.block {
		o.needs(c, add)
	}
}

// write prints the whole script anew, as OX does when it stores: another
// layout, no comments but the tags.
func (o *ox) write(r *rand.Rand) string {
	var needs []string
	add := func(list ...string) {
		for _, x := range list {
			if slices.Contains(oxCapabilities, x) && !slices.Contains(needs, x) {
				needs = append(needs, x)
			}
		}
	}
	var body strings.Builder
	for _, rule := range o.rules {
		if rule.broken {
			for _, x := range o.requires {
				if !slices.Contains(needs, x) {
					needs = append(needs, x)
				}
			}
		}
		meta := rule.meta
		if o.gen == mailfilter.OX8 && r.IntN(3) == 0 {
			meta = "|LastModified: 2024-01-17T09:30:00Z|ModifiedBy: 192.0.2.1"
		}
		fmt.Fprintf(&body, "\r\n## Flag: %s|UniqueId:%d|Rulename: %s%s\r\n", strings.Join(rule.flags, ","), rule.id, rule.name, meta)
		text := strings.TrimSuffix(rule.text, "\r\n")
		if !rule.broken {
			text = oxPrint(rule.node, "")
			if !rule.disabled {
				o.needs(rule.node, add)
			}
		}
		if rule.disabled && (!rule.broken || o.gen == mailfilter.OX8) {
			text = "#<!-->" + strings.ReplaceAll(text, "\n", "\n#<!-->")
			if o.gen == mailfilter.OX8 {
				text += "\r\n#<!-->"
			}
		}
		body.WriteString(text + "\r\n")
	}
	date := "Tue Mar 03 14:05:09 CET 2026"
	if o.gen == mailfilter.OX8 {
		date = "2026-03-03T13:05:09Z"
		for _, x := range o.lineTwo {
			if !slices.Contains(needs, x) {
				needs = append(needs, x)
			}
		}
	}
	r.Shuffle(len(needs), func(i, j int) { needs[i], needs[j] = needs[j], needs[i] })
	head := "# Generated by OX Sieve Bundle on " + date + "\r\n"
	if len(needs) > 0 {
		head += `require [ "` + strings.Join(needs, `" , "`) + "\" ];\r\n"
	}
	return head + body.String()
}

// oxPrint is a command in OX's layout.
func oxPrint(n *oxNode, indent string) string {
	var b strings.Builder
	b.WriteString(indent + oxParts(n))
	if !n.hasBlock {
		return b.String() + ";"
	}
	b.WriteString("\r\n{\r\n")
	for _, c := range n.block {
		b.WriteString(oxPrint(c, "    ") + "\r\n")
	}
	return b.String() + "}"
}

func oxParts(n *oxNode) string {
	var b strings.Builder
	b.WriteString(n.name + " ")
	for _, a := range n.args {
		switch {
		case a.tag != "":
			b.WriteString(a.tag + " ")
		case a.number != nil:
			fmt.Fprintf(&b, "%d ", *a.number)
		default:
			var list []string
			for _, s := range a.strings {
				list = append(list, `"`+strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`)+`" `)
			}
			if len(list) == 1 {
				b.WriteString(list[0])
			} else {
				b.WriteString("[ " + strings.Join(list, ", ") + "] ")
			}
		}
	}
	var tests []string
	for _, t := range n.tests {
		tests = append(tests, oxParts(t))
	}
	switch {
	case n.name == "if" || n.name == "not":
		b.WriteString(strings.Join(tests, ""))
	case len(tests) > 0:
		b.WriteString("( " + strings.Join(tests, ", ") + ") ")
	}
	return b.String()
}
