package mta

import (
	"maps"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// Table reads a table of the installation; ok is false where its contents
// can't be known here.
func (c *Configuration) Table(spec postfix.MapSpec) (Source, bool) {
	if c == nil {
		c = new(Configuration)
	}
	if s, ok := c.sources[spec]; ok {
		return s, s.Table != nil
	}
	s := c.readTable(spec)
	c.SetTable(spec, s)
	return s, s.Table != nil
}

func (c *Configuration) readTable(spec postfix.MapSpec) Source {
	if c.Given != nil {
		if m := c.Given(spec); m != nil {
			return Source{spec.String(), Unplaced{m}}
		}
	}
	switch spec.Type {
	case "static":
		if v, err := postfix.StaticValue(spec.Name); err == nil {
			return Source{spec.String(), postfix.Static(v)}
		}
		return Source{}
	case "inline":
		t, err := postfix.InlineTable(spec.Name)
		if err != nil {
			return Source{}
		}
		return Source{spec.String(), Unplaced{t.Index()}}
	}
	members, err := spec.Members()
	if err != nil {
		return Source{}
	}
	if len(members) > 0 {
		maps := make([]postfix.Map, len(members))
		for i, m := range members {
			s, ok := c.Table(m)
			if !ok {
				return Source{}
			}
			maps[i] = s.Table
			if spec.Type == "proxy" {
				return s
			}
		}
		if spec.Type == "pipemap" {
			return Source{spec.String(), Unplaced{postfix.Pipe(maps)}}
		}
		return Source{spec.String(), Unplaced{postfix.Union(maps)}}
	}
	if text, inline, err := spec.InlineRules(); inline && spec.Type != "cidr" {
		t, warnings := postfix.ParsePatternTable(spec.String(), spec.Type, text)
		if err != nil || slices.ContainsFunc(warnings, func(w postfix.Warning) bool { return w.Unevaluated }) {
			return Source{}
		}
		c.tableWarnings(warnings)
		return Source{spec.String(), t}
	}
	name, ok := c.FileName(spec.Name)
	var text []byte
	if ok {
		text, ok = c.file(name)
	}
	if !ok {
		if c.compiled != nil {
			c.compiled(spec)
		}
		return Source{}
	}
	switch spec.Type {
	case "regexp", "pcre":
		t, warnings := postfix.ParsePatternTable(name, spec.Type, text)
		for _, w := range warnings {
			if w.Unevaluated {
				// One rule that can't be tried makes every answer uncertain.
				c.warn(w.File, "line %d: %s; Route takes the whole table for one that can't be read here", w.Line, w.Text)
				return Source{}
			}
		}
		c.tableWarnings(warnings)
		return Source{c.named(name), t}
	}
	if !Indexed(spec.Type) {
		return Source{}
	}
	if c.compiled != nil {
		c.compiled(spec)
	}
	if c.isAliasFile(spec) {
		t, warnings := postfix.ParseAliasFile(name, text)
		c.tableWarnings(warnings)
		return Source{c.named(name), t.Index()}
	}
	t, warnings := postfix.ParseTable(name, text)
	c.tableWarnings(warnings)
	return Source{c.named(name), t.Index()}
}

// isAliasFile reports whether a table is one of alias_maps, whose files
// postalias(1) indexes, and which local_recipient_maps name too.
func (c *Configuration) isAliasFile(spec postfix.MapSpec) bool {
	if !c.read {
		c.read = true // once: main.cf may be another later
		c.aliasMaps, _ = postfix.ParseMaps(c.Settings().Value("alias_maps"))
	}
	return slices.Contains(c.aliasMaps, spec)
}

// Indexed reports whether tables of a type are made of their source text by
// postmap(1), or read as it would ("hash", "texthash").
func Indexed(kind string) bool {
	switch kind {
	case "hash", "btree", "texthash", "lmdb", "cdb", "dbm", "sdbm":
		return true
	}
	return false
}

// Unplaced is a table whose rows have no lines: it stands in main.cf, or is
// made of several.
type Unplaced struct{ postfix.Map }

// Lookup is the table's, without line and source.
func (u Unplaced) Lookup(key string) (row postfix.Row, ok bool, err error) {
	if u.Map == nil {
		return postfix.Row{}, false, nil
	}
	row, ok, err = u.Map.Lookup(key)
	row.Line, row.Source = 0, ""
	return row, ok, err
}

// Patterns is the table's.
func (u Unplaced) Patterns() bool {
	p, ok := u.Map.(postfix.Patterns)
	return ok && p.Patterns()
}

// tableList is a parameter that names tables, such as transport_maps.
type tableList struct {
	name   string // the parameter
	at     place
	maps   postfix.Maps // each with the file that answers give
	asked  postfix.Map  // maps, or the only one of them; made by seal
	opaque []string     // tables that can't be read here, in their order
}

// tables reads the parameter; nil where it is empty. Compile warns of tables
// that can't be read, and Route of decisions that hang on them.
func (c *Configuration) tables(s Settings, name string) *tableList {
	value := s.Value(name)
	if value == "" {
		return nil
	}
	known, opaque := c.Maps(value)
	l := &tableList{name: name, at: c.placeOf(s, name), opaque: opaque}
	for _, k := range known {
		if noSubstitution[name] {
			k.Table = c.WithoutSubstitution(name, k.File, k.Table)
		}
		l.maps = append(l.maps, postfix.Named{Name: k.File, Map: k.Table})
	}
	for _, o := range opaque {
		c.warn(c.At(name), "%s can't be read here; Route leaves it out", o)
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

// WithoutSubstitution is a table as a parameter opens it that allows no $number in
// a result, such as transport_maps: rules that have one are skipped.
func (c *Configuration) WithoutSubstitution(name, file string, m postfix.Map) postfix.Map {
	if c == nil {
		c = new(Configuration)
	}
	each := func(list []postfix.Map) []postfix.Map {
		out := make([]postfix.Map, len(list))
		for i := range list {
			out[i] = c.WithoutSubstitution(name, file, list[i])
		}
		return out
	}
	switch m := m.(type) {
	case *postfix.PatternTable:
		plain, skipped := m.WithoutSubstitution()
		for _, line := range skipped {
			c.warn(place{strings.TrimPrefix(file, c.label()), line}.String(), "%s allows no $number in a result: the rule is skipped", name)
		}
		return plain
	case Unplaced:
		return Unplaced{c.WithoutSubstitution(name, file, m.Map)}
	case postfix.Union:
		return postfix.Union(each(m))
	case postfix.Pipe:
		return postfix.Pipe(each(m))
	}
	return m
}

// placeOfRow is where a row stands.
func placeOfRow(r postfix.Row) place { return place{r.Source, r.Line} }

// DomainList is a list of domains as mydestination has it: names, tables and
// the contents of files, in their order; the first that matches counts.
type DomainList struct {
	names   map[string]bool // where there are names alone
	items   []domainItem    // else
	parents bool            // a name matches its subdomains
	// domain says that it is a list whose tables are asked for the parents of
	// a domain too (relay_domains), others aren't.
	domain bool
	// Opaque are elements that can't be read here (SQL, LDAP, files outside).
	Opaque []string
	name   string
}

// domainItem is one element of such a list.
type domainItem struct {
	not   bool
	name  string
	table postfix.Map
}

// Has reports whether a domain, in lower case, is in the list, as far as it can be
// read here.
func (d *DomainList) Has(domain string) bool {
	found, _ := d.has(domain)
	return found
}

// fails is the error of a table of the list that is asked for a domain.
func (d *DomainList) fails(domain string) error {
	if d == nil || d.items == nil {
		return nil
	}
	_, err := d.has(domain)
	return err
}

func (d *DomainList) has(domain string) (found bool, err error) {
	if d == nil {
		return false, nil
	}
	if d.items == nil {
		return d.named(domain, d.names), nil
	}
	for i := range d.items {
		item := &d.items[i]
		match := false
		if item.table != nil {
			if match, err = d.listed(item.table, domain); err != nil {
				return false, err
			}
		} else {
			match = item.name == domain || d.parents && len(domain) > len(item.name) && strings.HasSuffix(domain, item.name) &&
				domain[len(domain)-len(item.name)-1] == '.'
		}
		if match {
			return !item.not, nil
		}
	}
	return false, nil
}

// Names are the names of the list, sorted, where it has names alone.
func (d *DomainList) Names() []string {
	if d == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(d.names))
}

// named looks for the domain, and its parents where they match too.
func (d *DomainList) named(domain string, names map[string]bool) bool {
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
func (d *DomainList) listed(m postfix.Map, domain string) (bool, error) {
	if !d.domain {
		_, ok, err := m.Lookup(domain)
		return ok, err
	}
	search := postfix.Search{MatchParents: d.parents}
	_, ok, err := search.Domain(m, domain)
	return ok, err
}

// Domains reads a list of domains.
func (c *Configuration) Domains(s Settings, name string) *DomainList {
	if c == nil {
		c = new(Configuration)
	}
	d := &DomainList{names: map[string]bool{}, name: name, domain: name == "relay_domains"}
	d.parents = d.domain && hasWord(list(s.Value("parent_domain_matches_subdomains")), "relay_domains")
	plain := true
	c.domainItems(d, s.Value(name), false, 0)
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
func (c *Configuration) domainItems(d *DomainList, value string, negated bool, depth int) {
	words, err := postfix.ParseMaps(value)
	if err != nil {
		d.Opaque = append(d.Opaque, value)
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
			file, inside := c.FileName(e)
			text, ok := c.stock(file)
			if !inside || !ok || depth > 10 {
				d.Opaque = append(d.Opaque, e)
				continue
			}
			c.domainItems(d, uncommented(string(text)), not, depth+1)
		case strings.Contains(e, ":"):
			kind, file, _ := strings.Cut(e, ":")
			if src, ok := c.Table(postfix.MapSpec{Type: kind, Name: file}); ok {
				d.items = append(d.items, domainItem{not: not, table: src.Table})
			} else {
				d.Opaque = append(d.Opaque, e)
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
