package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/tables"
)

// checkPatterns refuses rules of regexp: and pcre: tables in transport_maps that
// are not limited to domains: they take mail in scope past the gateway whoever it
// is for. Which addresses a rule matches is known from what they must end in
// ([postfix.PatternTable.Endings]); a rule of which that can't be known may match
// all of them. So may one that matches "*", which is asked for where no row is
// found (transport(5)), and has no domain.
func (c checker) checkPatterns(name string) {
	const fix = `end the pattern with the domain, from its "@" or a dot on, and "$", as in /@example\.org$/; a route for everybody belongs ` +
		`into relayhost or default_transport`
	specs, err := postfix.ParseMaps(c.base.get(name))
	if err != nil {
		return
	}
	for _, spec := range specs {
		c.tables.EachPattern(spec, func(file string, r postfix.RuleEndings) {
			if r.Value == "" || r.Value == ":" || c.ends(r.Value) || slices.ContainsFunc(r.Endings,
				tables.Limited) { // (":" changes nothing, transport(5))
				return
			}
			c.errs.Add(place{file, r.Line}.String(), ErrConflict, fix,
				"%s: the pattern for %q is not limited to domains, and takes mail in scope past the gateway", name, r.Value)
		})
	}
}

// checkSenderPatterns refuses rules of the installation's sender map that may
// match senders in scope whom the scope's own table finds only after that map was
// asked: by "@domain", or by a whole address without its extension.
func (c checker) checkSenderPatterns(name string, spec postfix.MapSpec, late []lateSenders) {
	const fix = `end the pattern with a domain that is not in scope, and "$"; or put the tenant's other senders into Scope.Senders, and ` +
		`begin the pattern with "^", the whole name of the one that is not, and "@"`
	c.tables.EachPattern(spec, func(file string, r postfix.RuleEndings) {
		if c.ends(r.Value) {
			return
		}
		for _, l := range late {
			if r.MayMatch(l.prefix, l.suffix) {
				c.errs.Add(place{file, r.Line}.String(), ErrConflict, fix,
					"%s: the pattern for %q may match senders in scope (%s), who would leave past the gateway", name, r.Value, l)
				return
			}
		}
	})
}

// lateSenders are senders in scope of whom Postfix asks every map for the whole
// address before it asks any for the scope's key: all with this beginning and end.
type lateSenders struct{ prefix, suffix string }

// String shows them in errors: "alice+...@example.com".
func (l lateSenders) String() string { return l.prefix + "..." + l.suffix }

// lateSenders are those of a scope: whole domains, and the extensions of whole
// addresses (recipient_delimiter), which stand for them.
func (c *site) lateSenders(scope postfix.Table, inScope func(sender string) bool) []lateSenders {
	var out []lateSenders
	for _, e := range scope {
		if e.Value == "DUNNO" {
			continue
		}
		local, domain := mailaddr.Split(mailaddr.Fold(e.Key))
		if local == "" {
			out = append(out, lateSenders{"", "@" + domain})
			continue
		}
		for _, d := range c.base.get("recipient_delimiter") {
			// Not those whose extension Postfix leaves on (owner-list), or cuts
			// off sooner.
			if l := (lateSenders{local + string(d), "@" + domain}); inScope(l.prefix + "some.sender" + l.suffix) {
				out = append(out, l)
			}
		}
	}
	return out
}

// ends reports whether a result of a transport table takes mail nowhere: it is
// returned, thrown away or kept, by the services that master.cf has for it.
func (c *site) ends(result string) bool {
	transport, _, _ := strings.Cut(result, ":")
	switch transport {
	case "error", "retry", "discard":
	default:
		return false
	}
	for _, s := range c.master.Services() {
		if s.Name == transport && s.Type == "unix" {
			return s.Command == transport || transport == "retry" && s.Command == "error"
		}
	}
	return false
}
