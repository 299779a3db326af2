package relay

import (
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// checkPatterns refuses rules of regexp: and pcre: tables in transport_maps that
// are not limited to domains: they take mail in scope past the gateway whoever it
// is for. Which addresses a rule matches is known from what they must end in
// ([postfix.PatternTable.Endings]); a rule of which that can't be known may match
// all of them. So may one that matches "*", which is asked for where no row is
// found (transport(5)), and has no domain.
func (c *compiler) checkPatterns(name string) {
	const fix = `end the pattern with the domain, from its "@" or a dot on, and "$", as in /@example\.org$/; a route for everybody belongs into relayhost or default_transport`
	specs, err := postfix.ParseMaps(c.base.get(name))
	if err != nil {
		return
	}
	for _, spec := range specs {
		c.eachPattern(spec, func(file string, r postfix.RuleEndings) {
			if r.Value == "" || r.Value == ":" || slices.ContainsFunc(r.Endings, limited) { // (":" changes nothing, transport(5))
				return
			}
			c.errs.add(place{file, r.Line}.String(), ErrConflict, fix, "%s: the pattern for %q is not limited to domains, and takes mail in scope past the gateway", name, r.Value)
		})
	}
}

// checkSenderPatterns refuses rules of the installation's sender map that may
// match senders in scope, for whom patterns are asked before the scope's "@domain"
// is. A rule that ends in another domain is none of them.
func (c *compiler) checkSenderPatterns(name string, spec postfix.MapSpec, scope postfix.Table) {
	const fix = `end the pattern with a domain that is not in scope, and "$"; or put the tenant's other senders into Scope.Senders, and these not`
	c.eachPattern(spec, func(file string, r postfix.RuleEndings) {
		for _, e := range scope {
			if !strings.HasPrefix(e.Key, "@") || e.Value == "DUNNO" {
				continue
			}
			if !slices.ContainsFunc(r.Endings, func(list []string) bool { return !within(list, e.Key) }) {
				c.errs.add(place{file, r.Line}.String(), ErrConflict, fix, "%s: the pattern for %q may match senders in %s, who would leave past the gateway", name, r.Value, e.Key)
				return
			}
		}
	})
}

// eachPattern calls f for the rules of a table of patterns, and of those that it
// is made of. A pipemap's are no answers; catchAll asks it as a whole.
func (c *compiler) eachPattern(spec postfix.MapSpec, f func(file string, r postfix.RuleEndings)) {
	if spec.Type == "pipemap" {
		return
	}
	members, err := spec.Members()
	if err != nil {
		return
	}
	for _, m := range members {
		c.eachPattern(m, f)
	}
	src, ok := c.table(spec)
	if t, patterns := src.table.(*postfix.PatternTable); ok && patterns {
		plain, _ := t.WithoutSubstitution()
		for _, r := range plain.Endings() {
			f(strings.TrimPrefix(src.file, "postfix/"), r)
		}
	}
}

// limited reports whether addresses with these endings are those of some domains
// only: whole ones, or what is below a domain that somebody has. Under a public
// suffix such as "com" or "co.uk" (publicsuffix.org) is everybody; a top-level
// domain that the list doesn't have is an internal one.
func limited(endings []string) bool {
	return !slices.ContainsFunc(endings, func(e string) bool {
		if strings.Contains(e, "@") {
			return false
		}
		_, domain, ok := strings.Cut(e, ".")
		if !ok || domain == "" {
			return true
		}
		suffix, icann := publicsuffix.PublicSuffix(asciiHost(domain))
		return icann && suffix == asciiHost(domain)
	})
}

// within reports whether an address in a domain ("@example.com") may have one of
// these endings.
func within(endings []string, domain string) bool {
	return slices.ContainsFunc(endings, func(e string) bool {
		return strings.HasSuffix(e, domain) || strings.HasSuffix(domain, e)
	})
}
