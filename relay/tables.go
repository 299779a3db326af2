package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// table reads a table of the installation; ok is false where its contents
// can't be known here.
func (c *conf) table(spec postfix.MapSpec) (source, bool) {
	if s, ok := c.sources[spec]; ok {
		return s, s.table != nil
	}
	s := c.readTable(spec)
	c.sources[spec] = s
	return s, s.table != nil
}

func (c *conf) readTable(spec postfix.MapSpec) source {
	if m := c.given(spec); m != nil {
		return source{spec.String(), unplaced{m}}
	}
	switch spec.Type {
	case "static":
		if v, err := postfix.StaticValue(spec.Name); err == nil {
			return source{spec.String(), postfix.Static(v)}
		}
		return source{}
	case "inline":
		t, err := postfix.InlineTable(spec.Name)
		if err != nil {
			return source{}
		}
		return source{spec.String(), unplaced{t.Index()}}
	}
	members, err := spec.Members()
	if err != nil {
		return source{}
	}
	if len(members) > 0 {
		maps := make([]postfix.Map, len(members))
		for i, m := range members {
			s, ok := c.table(m)
			if !ok {
				return source{}
			}
			maps[i] = s.table
			if spec.Type == "proxy" {
				return s
			}
		}
		if spec.Type == "pipemap" {
			return source{spec.String(), unplaced{postfix.Pipe(maps)}}
		}
		return source{spec.String(), unplaced{postfix.Union(maps)}}
	}
	if text, inline, err := spec.InlineRules(); inline && spec.Type != "cidr" {
		t, warnings := postfix.ParsePatternTable(spec.String(), spec.Type, text)
		if err != nil || slices.ContainsFunc(warnings, func(w postfix.Warning) bool { return w.Unevaluated }) {
			return source{}
		}
		c.tableWarnings(warnings)
		return source{spec.String(), t}
	}
	name, ok := c.fileName(spec.Name)
	if !ok {
		return source{}
	}
	text, ok := c.file(name)
	if !ok {
		return source{}
	}
	switch spec.Type {
	case "regexp", "pcre":
		t, warnings := postfix.ParsePatternTable(name, spec.Type, text)
		for _, w := range warnings {
			if w.Unevaluated {
				// One rule that can't be tried makes every answer uncertain.
				c.tell(w.Name, "line %d: %s; Route takes the whole table for one that can't be read here", w.Line, w.Text)
				return source{}
			}
		}
		c.tableWarnings(warnings)
		return source{label(name), t}
	}
	for _, t := range indexed {
		if t == spec.Type {
			if c.isAliasFile(spec) {
				t, warnings := postfix.ParseAliasFile(name, text)
				c.tableWarnings(warnings)
				return source{label(name), t.Index()}
			}
			t, warnings := postfix.ParseTable(name, text)
			c.tableWarnings(warnings)
			return source{label(name), t.Index()}
		}
	}
	return source{}
}

// isAliasFile reports whether a table is one of alias_maps, whose files
// postalias(1) indexes, and which local_recipient_maps name too.
func (c *conf) isAliasFile(spec postfix.MapSpec) bool {
	specs, err := postfix.ParseMaps(c.base.get("alias_maps"))
	return err == nil && slices.Contains(specs, spec)
}

// unplaced is a table whose rows have no lines: it stands in main.cf, or is
// made of several.
type unplaced struct{ postfix.Map }

// Lookup is the table's, without the line.
func (u unplaced) Lookup(key string) (postfix.Entry, int, bool) {
	e, _, ok := u.Map.Lookup(key)
	e.Line = 0
	return e, 0, ok
}

// Patterns is the table's.
func (u unplaced) Patterns() bool {
	p, ok := u.Map.(postfix.Patterns)
	return ok && p.Patterns()
}

// tableList is a parameter that names tables, such as transport_maps.
type tableList struct {
	name   string // the parameter
	at     place
	maps   postfix.Maps
	asked  postfix.Map // maps, or the only one of them; made by seal
	files  []string
	opaque []string // tables that can't be read here, in their order
}

// tables reads the parameter; nil where it is empty. Compile warns of tables
// that can't be read, and Route of decisions that hang on them.
func (c *conf) tables(s settings, name string) *tableList {
	value := s.get(name)
	if value == "" {
		return nil
	}
	known, opaque := c.maps(value)
	l := &tableList{name: name, at: c.placeOf(s, name), opaque: opaque}
	for _, k := range known {
		if noSubstitution[name] {
			k.table = c.withoutSubstitution(name, k.file, k.table)
		}
		l.maps = append(l.maps, k.table)
		l.files = append(l.files, k.file)
	}
	for _, o := range opaque {
		c.tell(c.at(name), "%s can't be read here; Route leaves it out", o)
	}
	return l.seal()
}

// seal makes the list ready for look-ups.
func (l *tableList) seal() *tableList {
	l.asked = l.maps
	if len(l.maps) == 1 {
		l.asked = l.maps[0]
	}
	return l
}

// noSubstitution are the parameters whose patterns can't put text from the key
// into their results.
var noSubstitution = map[string]bool{
	"transport_maps": true, "sender_dependent_default_transport_maps": true, "sender_dependent_relayhost_maps": true,
	"alias_maps": true, "mailbox_transport_maps": true, "fallback_transport_maps": true,
}

// withoutSubstitution is the table as such a parameter opens it.
func (c *conf) withoutSubstitution(name, file string, m postfix.Map) postfix.Map {
	each := func(list []postfix.Map) []postfix.Map {
		out := make([]postfix.Map, len(list))
		for i := range list {
			out[i] = c.withoutSubstitution(name, file, list[i])
		}
		return out
	}
	switch m := m.(type) {
	case *postfix.PatternTable:
		plain, skipped := m.WithoutSubstitution()
		for _, line := range skipped {
			c.tell(place{strings.TrimPrefix(file, "postfix/"), line}.String(), "%s allows no $number in a result: the rule is skipped", name)
		}
		return plain
	case unplaced:
		return unplaced{c.withoutSubstitution(name, file, m.Map)}
	case postfix.Union:
		return postfix.Union(each(m))
	case postfix.Pipe:
		return postfix.Pipe(each(m))
	}
	return m
}

// place is where the row of a hit stands.
func (l *tableList) place(h postfix.Hit) place {
	return place{where(l.maps, l.files, h.Key), h.Line}
}

// domainList is a list of domains as mydestination has it: names, tables and
// the contents of files, in their order; the first that matches counts.
type domainList struct {
	names   map[string]bool // where there are names alone
	items   []domainItem    // else
	parents bool            // a name matches its subdomains
	// domain says that it is a list whose tables are asked for the parents of
	// a domain too (relay_domains), others aren't.
	domain bool
	// opaque are elements that can't be read here (SQL, LDAP, files outside).
	opaque []string
	name   string
}

type domainItem struct {
	not   bool
	name  string
	table postfix.Map
}

func (d *domainList) has(domain string) bool {
	if d.items == nil {
		return d.named(domain, d.names)
	}
	for i := range d.items {
		item := &d.items[i]
		match := false
		if item.table != nil {
			match = d.listed(item.table, domain)
		} else {
			match = item.name == domain || d.parents && len(domain) > len(item.name) && strings.HasSuffix(domain, item.name) &&
				domain[len(domain)-len(item.name)-1] == '.'
		}
		if match {
			return !item.not
		}
	}
	return false
}

// named looks for the domain, and its parents where they match too.
func (d *domainList) named(domain string, names map[string]bool) bool {
	if names[domain] {
		return true
	}
	if d.parents {
		for i := strings.IndexByte(domain, '.'); i >= 0; {
			if names[domain[i+1:]] {
				return true
			}
			next := strings.IndexByte(domain[i+1:], '.')
			if next < 0 {
				break
			}
			i += 1 + next
		}
	}
	return false
}

// listed asks a table for the domain, and in a list of domains for its
// parents: "example.com" where parent_domain_matches_subdomains has the list,
// else ".example.com".
func (d *domainList) listed(m postfix.Map, domain string) bool {
	if !d.domain {
		_, _, ok := m.Lookup(domain)
		return ok
	}
	search := postfix.Search{MatchParents: d.parents}
	_, ok := search.Domain(m, domain)
	return ok
}

// domains reads a list of domains.
func (c *conf) domains(s settings, name string) *domainList {
	d := &domainList{names: map[string]bool{}, name: name, domain: name == "relay_domains"}
	d.parents = d.domain && hasWord(list(s.get("parent_domain_matches_subdomains")), "relay_domains")
	plain := true
	c.domainItems(d, s.get(name), false, 0)
	for _, item := range d.items {
		plain = plain && item.table == nil && !item.not
		d.names[item.name] = true
	}
	if plain {
		d.items = nil
	} else {
		d.names = nil
	}
	return d
}

// domainItems reads the words of a list, and of files that it names.
func (c *conf) domainItems(d *domainList, value string, negated bool, depth int) {
	words, err := postfix.ParseMaps(value)
	if err != nil {
		d.opaque = append(d.opaque, value)
		return
	}
	for _, w := range words {
		e, not := w.Name, negated
		if w.Type != "" {
			e = w.String()
		}
		for strings.HasPrefix(e, "!") {
			not, e = !not, e[1:]
		}
		switch {
		case e == "":
		case strings.HasPrefix(e, "/"):
			file, inside := c.fileName(e)
			text, ok := c.stock[file]
			if !inside || !ok || depth > 10 {
				d.opaque = append(d.opaque, e)
				continue
			}
			c.domainItems(d, uncommented(string(text)), not, depth+1)
		case strings.Contains(e, ":"):
			kind, file, _ := strings.Cut(e, ":")
			if src, ok := c.table(postfix.MapSpec{Type: kind, Name: file}); ok {
				d.items = append(d.items, domainItem{not: not, table: src.table})
			} else {
				d.opaque = append(d.opaque, e)
			}
		default:
			d.items = append(d.items, domainItem{not: not, name: fold(e)})
		}
	}
}

// uncommented takes the comment lines out of a file.
func uncommented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func hasWord(words []string, word string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}
