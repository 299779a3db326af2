package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// genericScope puts the addresses in scope that smtp_generic_maps turn into
// addresses in scope when mail leaves: trivial-rewrite(8) asks the sender map
// before that (ADDRESS_REWRITING_README).
func (c *site) genericScope(t postfix.Table) (postfix.Table, Errors) {
	value := c.base.get("smtp_generic_maps")
	if value == "" || len(t) == 0 {
		return t, nil
	}
	var errs Errors
	var known []mta.Source
	var patterns []postfix.MapSpec
	specs, _ := postfix.ParseMaps(value)
	for _, spec := range specs {
		for _, leaf := range spec.Leaves() {
			src, ok := c.conf.Table(leaf)
			_, indexed := src.Table.(*postfix.Index)
			switch {
			case c.tables.Vouched(spec.String()) || c.tables.Vouched(leaf.String()):
			case !ok || spec.Type == "pipemap":
				errs.Add(c.at("smtp_generic_maps"), ErrConflict, readable,
					"smtp_generic_maps: %s can't be read here; a sender that it turns into one in scope would leave past the gateway", spec)
			case indexed || leaf.Type == "inline":
				known = append(known, src)
			default:
				patterns = append(patterns, leaf)
			}
		}
	}
	index, own := t.Index(), len(t)
	seen := map[string]bool{}
	for _, e := range t {
		seen[mailaddr.Fold(e.Key)] = true
	}
	var sites []string
	add := func(key, value string, s mta.Source, line int) {
		if !seen[key] {
			seen[key] = true
			t = append(t, postfix.Entry{Key: key, Value: value, Rule: "smtp_generic_maps, " + s.File + ":" + paths.Itoa(line)})
		}
	}
	for _, s := range known {
		for _, e := range c.tables.Indexed(s) {
			local, domain := mailaddr.Split(mailaddr.Fold(strings.TrimSpace(e.Value)))
			hit, ok, _ := index.Lookup(local + "@" + domain)
			if local == "" || !ok {
				hit, ok, _ = index.Lookup("@" + domain)
			}
			if domain == "" || !ok {
				continue
			}
			key := mailaddr.Fold(e.Key)
			switch {
			case strings.HasPrefix(key, "@"):
				// Single senders of the domain that are treated otherwise, first.
				for _, other := range t[:own] {
					if l, d := mailaddr.Split(mailaddr.Fold(other.Key)); l != "" && d == domain {
						add(l+key, other.Value, s, e.Line)
					}
				}
				add(key, hit.Value, s, e.Line)
			case strings.Contains(key, "@"):
				add(key, hit.Value, s, e.Line)
			default: // a bare name matches at every name of this host (generic(5))
				if sites == nil {
					sites = append([]string{mailaddr.Fold(c.base.get("myorigin"))}, c.conf.Domains(c.base.Settings, "mydestination").Names()...)
				}
				for _, site := range slices.Compact(sites) {
					add(key+"@"+site, hit.Value, s, e.Line)
				}
			}
		}
	}
	return t, append(errs, c.genericPatterns(patterns, t[:own])...)
}

// genericPatterns refuses rules of smtp_generic_maps that may make senders in scope
// of others: for a pattern there is no row in the scope.
func (c *site) genericPatterns(specs []postfix.MapSpec, scope postfix.Table) (errs Errors) {
	const name = "smtp_generic_maps"
	whole, some := map[string]bool{}, map[string]bool{}
	for _, e := range scope {
		if local, domain := mailaddr.Split(mailaddr.Fold(e.Key)); e.Value != "DUNNO" {
			some[domain] = true
			whole[domain] = whole[domain] || local == ""
		}
	}
	inScope := func(result string) bool {
		_, domain := mailaddr.Split(mailaddr.Fold(strings.TrimSpace(result)))
		return some[domain] || strings.Contains(domain, "$")
	}
	refuse := func(at, result string) {
		errs.Add(at, ErrConflict, `write it as a row of an indexed table (hash:), such as "@int.example @example.com"; or end the pattern with "@", a `+
			`domain that is in scope, and "$"`,
			"%s: the pattern for %q may turn senders who are not in scope into some who are, and who would leave past the gateway", name, result)
	}
	for _, spec := range specs {
		if spec.Type == "static" {
			if v, _ := postfix.StaticValue(spec.Name); inScope(v) {
				refuse(c.at(name), v)
			}
			continue
		}
		src, _ := c.conf.Table(spec)
		t, ok := src.Table.(*postfix.PatternTable)
		if !ok {
			errs.Add(c.at(name), ErrConflict, readable,
				"%s: %s can't be read here; a sender that it turns into one in scope would leave past the gateway", name, spec)
			continue
		}
		for _, r := range t.Endings() {
			if !inScope(r.Value) || slices.ContainsFunc(r.Endings, func(l []string) bool {
				return !slices.ContainsFunc(l, func(e string) bool { _, domain, ok := strings.Cut(e, "@"); return !ok || !whole[domain] })
			}) {
				continue
			}
			at := place{strings.TrimPrefix(src.File, "postfix/"), r.Line}.String()
			if src.File == spec.String() {
				at = c.at(name)
			}
			refuse(at, r.Value)
		}
	}
	return errs
}
