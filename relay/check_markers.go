package relay

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay/internal/condition"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
)

// checkMarkers refuses checks that take the gateway's markers off: its mail would
// go back to it, or into the wrong folder.
func (c checker) checkMarkers(s checkSetting, specs []postfix.MapSpec) {
	told := map[string]bool{}
	refuse := func(at, line string) {
		if !told[at] {
			told[at] = true
			c.errs.Add(at, ErrConflict, "put before it: "+c.keepMarkers(),
				"%s: the rule removes %q, by which the gateway's mail is known", s.name, line)
		}
	}
	samples := c.sampleMarkers()
	var leaves []postfix.MapSpec // what stands behind proxy: and in unionmap:, too
	for _, spec := range specs {
		if spec.Type == "pipemap" {
			// Its last table sees what the others say, a marker's line perhaps.
			results, _ := c.tables.Results(spec, s.at)
			for _, r := range results {
				if removes(r.Text) && len(samples) > 0 {
					refuse(r.At, samples[0])
				}
			}
			continue
		}
		leaves = append(leaves, spec.Leaves()...)
	}
	specs = leaves
	for _, line := range samples {
		field, value, _ := strings.Cut(line, ":")
		f := headers.Field{Name: []byte(field), Body: []byte(value)}
	tables:
		for _, spec := range specs {
			switch spec.Type {
			case "regexp", "pcre":
			case "static", "randmap":
				// They answer the same for each line.
				results, _ := c.tables.Results(spec, s.at)
				for _, r := range results {
					if removes(r.Text) {
						refuse(r.At, line)
						break tables
					}
				}
				if spec.Type == "static" && len(results) > 0 {
					break tables
				}
				continue
			default:
				// A key is a whole line of a header, which Postfix folds or not.
				if at, ok := c.removedKey(spec, s.at); ok {
					refuse(at, line)
				}
				continue
			}
			text, place, ok := c.tables.Rules(spec, s.at)
			if !ok {
				continue
			}
			t, _ := postfix.ParseCheckTable("", spec.Type, text)
			checks, err := t.Compile()
			if err != nil {
				continue
			}
			hit, ok := checks.Lookup(f)
			if !ok {
				continue
			}
			switch hit.Action.(type) {
			case postfix.Ignore, postfix.Strip, postfix.Replace:
				refuse(place(hit.Line), line)
			default: // the line stays
			}
			break tables
		}
	}
}

// removes reports whether what a check says takes the line off.
func removes(text string) bool {
	verb, _, _ := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
	verb = strings.ToUpper(verb)
	return verb == "IGNORE" || verb == "STRIP" || verb == "REPLACE"
}

// removedKey is where a table of whole lines takes a marker's line off.
func (c *site) removedKey(spec postfix.MapSpec, at string) (string, bool) {
	rows, place := c.tables.Given(spec.String()), func(int) string { return at }
	switch {
	case c.tables.Vouched(spec.String()):
		return "", false
	case rows != nil:
	case spec.Type == "inline":
		rows, _ = postfix.InlineTable(spec.Name)
	default:
		text, where, ok := c.tables.Rules(spec, at)
		if !ok || spec.Type != "" && !mta.Indexed(spec.Type) {
			return "", false
		}
		rows, _ = postfix.ParseTable("", text)
		place = where
	}
	for _, e := range rows {
		if name, _, ok := strings.Cut(e.Key, ":"); ok && c.isReserved(strings.TrimSpace(name)) && removes(e.Value) {
			return place(e.Line), true
		}
	}
	return "", false
}

// keepMarkers are rules that leave all markers alone.
func (c *site) keepMarkers() string {
	var rules []string
	for _, r := range derived.AllReserved(c.policy) {
		end := ""
		if r.Exact {
			end = ":"
		}
		rules = append(rules, "/^"+r.Prefix+end+"/ DUNNO")
	}
	if c.origin() {
		rules = append(rules, "/^"+c.policy.OriginHeader()+":/ DUNNO")
	}
	return strings.Join(rules, " and ")
}

// sampleMarkers are lines of each kind that the gateways set, or the generated
// configuration for them.
func (c *site) sampleMarkers() (lines []string) {
	if c.origin() {
		lines = append(lines, c.policy.OriginHeader()+": "+originValue)
	}
	for _, g := range c.policy.Gateways() {
		m := g.Markers
		predicates := []headers.Predicate{m.Released.Predicate, m.Spam.Predicate}
		for _, l := range m.Loop {
			predicates = append(predicates, l.Predicate)
		}
		for _, p := range predicates {
			lines = append(lines, condition.Samples(p)...)
		}
		if m.Domain.Prefix == "" {
			continue
		}
		for _, t := range c.policy.Tenants {
			if name, err := headers.MarkerName(m.Domain.Prefix, t.Domains[0]); err == nil {
				lines = append(lines, name+": "+m.Domain.Value)
				break // rules about single domains are nobody's
			}
		}
	}
	return lines
}
