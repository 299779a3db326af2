package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/tables"
)

// checkTransportMaps looks for routes that take mail past the gateway, or past
// the second pass.
func (c checker) checkTransportMaps() {
	const name = "transport_maps"
	raw, ok := c.main.Get(name)
	if !ok {
		return
	}
	known, opaque := c.conf.Maps(c.base.get(name))
	scoped := slices.ContainsFunc(c.policy.Tenants, func(t Tenant) bool { return t.Scope.Use != ScopeNone })
	for _, o := range opaque {
		if scoped && !c.tables.Vouched(o) {
			c.conflict(name, readable, "%s can't be read here; a \"*\" or a pattern in it may take all mail past the gateway, and a \":[host]\" "+
				"without a transport past the second pass", o)
		}
	}
	ours := c.transportTable()
	for _, m := range known {
		m.Table = c.conf.WithoutSubstitution(name, m.File, m.Table)
		if key, line, ok := tables.CatchAll(m.Table); ok {
			c.conflict(name, "move the route to relayhost or default_transport",
				"%q has a route for everybody, %s (%s), which takes all mail past the gateway", raw, key, place{m.File, line})
		}
		for _, e := range ours {
			if have, ok, _ := m.Table.Lookup(e.Key); ok && have.Value != e.Value {
				c.errs.Add(e.Rule, ErrConflict, "remove one of the two", "%s has a route already: %q at %s:%d", e.Key, have.Value, m.File, have.Line)
			}
		}
	}
	if scoped {
		c.checkNextHops(name)
		c.checkPatterns(name)
	}
}

// checkSenderRows refuses rows of the installation's sender map that would take
// senders in scope past the gateway: the generated one is asked first, but trivial-rewrite(8)
// asks all maps for the whole address before it asks any for "@domain".
func (c checker) checkSenderRows(name string) {
	const fix = "remove it; or put the tenant's other senders into Scope.Senders, and this one not"
	specs, err := postfix.ParseMaps(c.base.get(name))
	if err != nil {
		return
	}
	scope := c.scopeTable()
	ours := scope.Index()
	search := postfix.Search{Delimiter: c.base.get("recipient_delimiter")}
	inScope := func(sender string) bool {
		hit, ok, _ := search.Sender(ours, sender)
		return ok && hit.Entry.Value != "DUNNO" && hit.Key != sender
	}
	late := c.lateSenders(scope, inScope)
	site := "@" + mailaddr.Fold(c.base.get("myorigin"))
	local := c.conf.Domains(c.base.Settings, "mydestination")
	for _, e := range scope {
		if domain, ok := strings.CutPrefix(e.Key, "@"); ok && e.Value != "DUNNO" && local.Has(domain) {
			site = e.Key
			break
		}
	}
	for _, spec := range specs {
		src, ok := c.conf.Table(spec)
		if !ok {
			if len(scope) > 0 && !c.tables.Vouched(spec.String()) {
				c.conflict(name, readable, "%s can't be read here; a row or a pattern in it that matches a whole address in scope, or all of them, "+
					"would take the sender past the gateway", spec)
			}
			continue
		}
		c.checkSenderPatterns(name, spec, late)
		if p, ok := src.Table.(postfix.Patterns); spec.Type == "static" || ok && p.Patterns() {
			if spec.Type != "static" && !tables.Piped(src.Table) {
				continue
			}
			// Patterns see whole addresses only: one of each domain is tried, and
			// one with an extension of each whole address.
			table := c.conf.WithoutSubstitution(name, src.File, src.Table)
			for _, l := range late {
				e, ok, _ := table.Lookup(l.prefix + "some.sender" + l.suffix)
				if ok && !c.ends(e.Value) {
					c.errs.Add(c.at(name), ErrConflict, fix, "%s matches senders in scope (%s), who would leave past the gateway", place{src.File, e.Line},
						l)
					break
				}
			}
			if spec.Type != "static" && len(scope) > 0 && !c.tables.Vouched(spec.String()) {
				c.conflict(name, "write its rules without a pipemap:, or vouch for it in Installation.Tables (Harmless)",
					"%s is asked for whole addresses before the scope; a pattern for one sender in scope would take him past the gateway", spec)
			}
			continue
		}
		for _, leaf := range spec.Leaves() {
			for _, e := range c.tables.All(leaf) {
				key := mailaddr.Fold(e.Key)
				if !strings.Contains(key, "@") {
					key += site // a bare name is asked for at local domains
				}
				if key[0] == '@' || c.ends(e.Value) || !inScope(key) {
					continue
				}
				at := c.at(name)
				if file, inside := c.conf.FileName(leaf.Name); inside && e.Line > 0 {
					at = place{file, e.Line}.String()
				}
				c.errs.Add(at, ErrConflict, fix, "%s: %q comes before %q of the scope: the sender would leave past the gateway", name,
					e.Key+" "+e.Value, "@"+key[strings.LastIndexByte(key, '@')+1:])
			}
		}
	}
}

// checkNextHops refuses rows with a next hop and no transport (":[host]:25").
// They keep the transport that the sender has: for a sender in scope the one
// into the second pass, so that the mail would leave by it unchecked and
// unencrypted, with every marker in it.
func (c checker) checkNextHops(name string) {
	specs, err := postfix.ParseMaps(c.base.get(name))
	if err != nil {
		return
	}
	classed := c.classed()
	seen := map[postfix.MapSpec]bool{}
	for _, spec := range specs {
		for _, leaf := range spec.Leaves() {
			if seen[leaf] {
				continue
			}
			seen[leaf] = true
			for _, e := range c.tables.All(leaf) {
				if len(e.Value) < 2 || e.Value[0] != ':' || e.Key != "" && classed(e.Key) {
					continue
				}
				at := c.at(name)
				if file, inside := c.conf.FileName(leaf.Name); inside && e.Line > 0 {
					at = place{file, e.Line}.String()
				}
				c.errs.Add(at, ErrConflict, "name the transport, such as "+c.direct+e.Value,
					"%s: %q has a next hop and no transport: mail in scope would go there by the transport into the second pass, past its checks and "+
						"without TLS", name, strings.TrimSpace(e.Key+" "+e.Value))
			}
		}
	}
}

// classed returns a function that reports whether every recipient of a row of
// transport_maps has a transport of its class, which a next hop alone does not
// take away: the domains that are delivered here or relayed
// (ADDRESS_CLASS_README).
func (c *site) classed() func(key string) bool {
	hosted := map[string]bool{}
	for _, t := range c.policy.Tenants {
		for _, d := range t.Domains {
			for _, k := range mailaddr.DomainKeys(d) {
				hosted[k] = true
			}
		}
	}
	var lists []*mta.DomainList
	for _, name := range []string{"mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains"} {
		lists = append(lists, c.conf.Domains(c.base.Settings, name))
	}
	parents := slices.Contains(list(c.base.get(parentDomains)), "transport_maps")
	has := func(domain string) bool {
		return hosted[domain] || slices.ContainsFunc(lists, func(l *mta.DomainList) bool { return l.Has(domain) })
	}
	return func(key string) bool {
		key = mailaddr.Fold(key)
		if parent, ok := strings.CutPrefix(key, "."); ok {
			return has("subdomain." + parent)
		}
		if _, domain, ok := strings.Cut(key, "@"); ok {
			return has(domain)
		}
		return has(key) && (!parents || has("subdomain."+key))
	}
}
