package relay

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/condition"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

func (c fileWriter) emitTables() {
	c.hashTable(c.names.scope, slices.Clone(c.scopeTable()))
	c.hashTable(c.names.transport, c.transportTable())
	c.regexpTable(c.names.strip, c.reservedTable(postfix.Strip{Text: "untrusted marker"}))
	c.regexpTable(c.names.leave, c.reservedTable(postfix.Ignore{}))
	if c.origin() {
		c.regexpTable(c.names.leaveOriginFile, postfix.CheckTable{{When: headers.Exists{Name: c.policy.OriginHeader()}, Action: postfix.Ignore{},
			Rule: "Loop.OriginHeader"}})
	}
	c.regexpTable(c.names.bypassMIME, c.calendarTable())
	if derived.Sorts(c.policy) {
		c.regexpTable(c.names.sort, c.sortTable())
		c.regexpTable(c.names.reEntry, c.reEntryTable())
	}
	for _, g := range c.gateways {
		c.within(g, func() { c.of(g).emitGatewayTables(g) })
	}
	if c.policy.Topology != TopologyOutbound {
		c.postscreenTable()
	}
	for _, l := range c.policy.Listeners {
		if l.Role == RoleGateway {
			i, _ := c.policy.GatewayNamed(l.Gateway)
			g := c.gateways[i]
			c.within(g, func() { c.of(g).emitListenerTables(g) })
		}
	}
}

// emitGatewayTables are what each gateway has for itself.
func (c fileWriter) emitGatewayTables(g *gateway) {
	c.regexpTable(g.names.bypass, c.bypassTable(g))
	c.hashTable(g.names.tlsPolicy, g.tlsPolicyTable())
	c.authDemandTable(g)
	c.hashTable(g.names.back, c.returnTable(g))
	if g.policy.Topology == TopologyOutbound {
		return
	}
	c.regexpTable(g.names.others, reservedRules(g.others, postfix.Strip{Text: "another gateway's marker"}))
	c.regexpTable(g.names.certName, c.certNameTable(g))
	if len(g.policy.Gateway.Client.Fingerprints) > 0 {
		var t postfix.Table
		for i, f := range g.policy.Gateway.Client.Fingerprints {
			t = append(t, postfix.Entry{Key: strings.ToUpper(f), Value: "OK", Rule: paths.Index("Gateway.Client.Fingerprints", i)})
		}
		c.hashTable(g.names.certs, t)
	}
	if g.policy.Spam.Mark && g.policy.Gateway.Markers.Spam.Predicate != nil {
		c.regexpTable(g.names.spam, postfix.CheckTable{{
			When:   g.policy.Gateway.Markers.Spam.Predicate,
			Action: postfix.Prepend{Text: spamFlagHeader + ": " + spamFlagValue},
			Rule:   "Spam.Mark",
		}})
	}
	c.clientTables(g)
}

// scopeTable is the sender map (sender_dependent_default_transport_maps): only
// senders that are in scope, so that the null sender and foreign ones keep
// their normal route. Exceptions are DUNNO, which ends the search.
func (c task) scopeTable() postfix.Table {
	t, errs := c.scope()
	c.once(errs)
	return t
}

// scopeOf is the sender map for the tenants of some gateways, with what keeps it
// from being one.
func (c *site) scopeOf(gateway func(int) bool) (postfix.Table, Errors) {
	var t postfix.Table
	for i, tenant := range derived.Tenants(c.policy) {
		if !gateway(c.tenantGateway[i]) {
			continue
		}
		hop := c.gateways[c.tenantGateway[i]].hop()
		at := paths.Index("Tenants", i)
		s := tenant.Scope
		out := map[string]bool{}
		for _, e := range s.Except {
			if !strings.Contains(e, "@") {
				d, _ := headers.ASCIIDomain(e)
				out[d] = true
			} else {
				a, _ := mailaddr.Check(e)
				out[a] = true
			}
		}
		start := len(t)
		domain := func(d, rule string) {
			ascii, _ := headers.ASCIIDomain(d)
			if out[ascii] {
				return
			}
			for _, k := range mailaddr.DomainKeys(ascii) {
				t = append(t, postfix.Entry{Key: "@" + k, Value: hop, Rule: rule})
			}
		}
		switch s.Use {
		case ScopeAll:
			for j, d := range paths.Ordered(tenant.Domains) {
				domain(d, paths.Index(at+".Domains", j))
			}
		case ScopeDomains:
			for j, d := range paths.Ordered(s.Domains) {
				domain(d, paths.Index(at+".Scope.Domains", j))
			}
		case ScopeSenders:
			for j, a := range paths.Ordered(s.Senders) {
				key, _ := mailaddr.Check(a)
				if _, d := mailaddr.Split(key); out[key] || out[d] {
					continue
				}
				for _, k := range mailaddr.AddressKeys(key) {
					t = append(t, postfix.Entry{Key: k, Value: hop, Rule: paths.Index(at+".Scope.Senders", j)})
				}
			}
		case ScopeNone:
		}
		if s.Use == ScopeAll || s.Use == ScopeDomains {
			for j, e := range paths.Ordered(s.Except) {
				if !strings.Contains(e, "@") {
					continue
				}
				key, _ := mailaddr.Check(e)
				for _, k := range mailaddr.AddressKeys(key) {
					t = append(t, postfix.Entry{Key: k, Value: "DUNNO", Rule: paths.Index(at+".Scope.Except", j)})
				}
			}
		}
		if len(t) > start {
			t[start].Comment = "tenant " + tenant.Name
		}
	}
	return c.genericScope(t)
}

// emitListenerTables are what its listener needs more, for what the installation
// has there.
func (c fileWriter) emitListenerTables(g *gateway) {
	if g.ehloTable() {
		var t postfix.CIDRTable
		for i, n := range g.policy.Gateway.Networks {
			t = append(t, postfix.CIDREntry{Prefix: n, Value: strings.Join(g.quiet(), ", "), Rule: paths.Index("Gateway.Networks", i)})
		}
		c.cidrTable(g.names.ehlo, t)
	}
	c.certifiedTable(g)
}

// transportTable routes hosted recipients of a store and the recipient domains
// that always go direct.
func (c *site) transportTable() postfix.Table {
	var t postfix.Table
	for i, tenant := range derived.Tenants(c.policy) {
		if tenant.Store == "" {
			continue
		}
		for j, d := range paths.Ordered(tenant.Domains) {
			for _, k := range mailaddr.DomainKeys(d) {
				t = append(t, postfix.Entry{Key: k, Value: c.names.store + ":" + tenant.Store, Rule: paths.Index(paths.Index("Tenants", i)+".Domains",
					j)})
			}
		}
	}
	for i, d := range paths.Ordered(c.policy.Direct) {
		for _, k := range mailaddr.DomainKeys(d) {
			t = append(t, postfix.Entry{Key: k, Value: c.direct + ":" + c.policy.DirectVia, Rule: paths.Index("Direct", i)})
		}
	}
	return t
}

// reservedTable takes the headers away that only the gateway may set, and the
// origin header.
func (c *site) reservedTable(action postfix.CheckAction) postfix.CheckTable {
	t := reservedRules(derived.AllReserved(c.policy), action)
	if c.origin() {
		t = append(t, postfix.CheckRule{When: headers.Exists{Name: c.policy.OriginHeader()}, Action: action, Rule: "Loop.OriginHeader"})
	}
	return t
}

// reservedRules do something with the fields of some names.
func reservedRules(list []condition.Reserved, action postfix.CheckAction) postfix.CheckTable {
	var t postfix.CheckTable
	for _, r := range list {
		var when headers.Predicate = headers.MatchPrefix{Prefix: r.Prefix, Op: headers.Contains, Values: []string{""}}
		if r.Exact {
			when = headers.Exists{Name: r.Prefix}
		}
		t = append(t, postfix.CheckRule{When: when, Action: action, Rule: r.Path})
	}
	return t
}

// origin reports whether mail of the gateway gets a generated header.
func (c *site) origin() bool {
	return !c.policy.Loop.NoOrigin && c.policy.Topology != TopologyOutbound
}

// bypassTable is what keeps marked mail off the smart host.
func (c fileWriter) bypassTable(g *gateway) postfix.CheckTable {
	m := g.policy.Gateway.Markers
	direct := postfix.Filter{Transport: c.direct, NextHop: g.policy.DirectVia}
	var t postfix.CheckTable
	switch {
	case m.Domain.Prefix == "":
	case g.policy.Loop.AnyDomain:
		t = append(t, postfix.CheckRule{
			When:   headers.MatchPrefix{Prefix: m.Domain.Prefix, Op: headers.Is, Values: []string{m.Domain.Value}},
			Action: direct, Rule: "Loop.AnyDomain",
		})
	default:
		c.errs = append(c.errs, g.markerErrs...)
		if g.markerMap != "" {
			c.markerTables(g)
			break
		}
		for _, n := range g.markers {
			t = append(t, postfix.CheckRule{
				When:   headers.Match{Name: n.name, Op: headers.Is, Values: []string{m.Domain.Value}},
				Action: direct, Rule: n.rule,
			})
		}
	}
	for i, l := range m.Loop {
		t = append(t, postfix.CheckRule{When: l.Predicate, Action: direct, Rule: paths.Index("Gateway.Markers.Loop", i)})
	}
	if m.Released.Predicate != nil {
		t = append(t, postfix.CheckRule{When: m.Released.Predicate, Action: direct, Rule: "Gateway.Markers.Released"})
	}
	if c.origin() {
		t = append(t, postfix.CheckRule{
			When:   headers.Match{Name: g.policy.OriginHeader(), Op: headers.Is, Values: []string{originValue}},
			Action: direct, Rule: "Loop.OriginHeader",
		})
	}
	return t
}

// calendarTable keeps calendaring off the smart host. mime_header_checks sees
// the Content-Type of every part, attached messages included
// (header_checks(5)).
func (c *site) calendarTable() postfix.CheckTable {
	cal := c.policy.Calendar
	if cal.Off {
		return nil
	}
	when := headers.ContentType{Types: []string{"text/calendar"}}
	if cal.ICS {
		when.Types = append(when.Types, "application/ics")
	}
	if cal.RequireMethod {
		when.Param = "method"
	}
	return postfix.CheckTable{{
		When: when, Action: postfix.Filter{Transport: c.direct, NextHop: c.policy.DirectVia}, Rule: "Calendar",
	}}
}

// clientTables are the cidr_table(5) maps by which the gateway's listener knows
// the gateway.
func (c fileWriter) clientTables(g *gateway) {
	var clients, early, origin postfix.CIDRTable
	ours := "DUNNO"
	others := "REJECT not a permitted mail gateway"
	rule := "Gateway.Networks"
	if g.policy.Inbound.Shared {
		a := g.policy.Strip()
		ours = g.names.class
		others = "FILTER " + g.names.stripGate + ":[" + a.Addr().String() + "]:" + port(a)
		rule = "Inbound.Shared"
	}
	for i, n := range g.policy.Gateway.Networks {
		at := paths.Index("Gateway.Networks", i)
		clients = append(clients, postfix.CIDREntry{Prefix: n, Value: ours, Rule: at})
		early = append(early, postfix.CIDREntry{Prefix: n, Value: g.names.earlyClass, Rule: at})
		origin = append(origin, postfix.CIDREntry{Prefix: n, Value: "PREPEND " + g.policy.OriginHeader() + ": " + originValue,
			Rule: "Loop.OriginHeader"})
	}
	for _, all := range []string{"0.0.0.0/0", "::/0"} {
		clients = append(clients, postfix.CIDREntry{Prefix: netip.MustParsePrefix(all), Value: others, Rule: rule})
	}
	c.cidrTable(g.names.clients, clients)
	if g.policy.Inbound.Shared {
		var pass, hosted postfix.CIDRTable
		for i, n := range g.policy.Gateway.Networks {
			at := paths.Index("Gateway.Networks", i)
			pass = append(pass, postfix.CIDREntry{Prefix: n, Value: "OK", Rule: at})
			hosted = append(hosted, postfix.CIDREntry{Prefix: n, Value: "reject_unauth_destination, reject_unlisted_recipient, permit", Rule: at})
		}
		c.cidrTable(g.names.pass, pass)
		c.cidrTable(g.names.hosted, hosted)
		c.cidrTable(g.names.early, early)
		c.hashTable(g.names.behind, c.behindTable(g))
	}
	if c.origin() {
		c.cidrTable(g.names.origin, origin)
	}
}
