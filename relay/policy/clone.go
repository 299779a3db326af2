package policy

import (
	"slices"

	"github.com/oxmailroute/oxmailroute/relay/internal/condition"
)

// Clone copies everything that a caller could change later. Predicates are
// values whose slices are cloned by the conditions' owners alone.
func (p Policy) Clone() Policy {
	p.Gateway = p.Gateway.clone()
	p.Further = slices.Clone(p.Further)
	for i := range p.Further {
		p.Further[i].Gateway = p.Further[i].Gateway.clone()
		p.Further[i].Inbound.Allow = slices.Clone(p.Further[i].Inbound.Allow)
	}
	p.Server.Networks = slices.Clone(p.Server.Networks)
	p.Server.SMTPFilters = slices.Clone(p.Server.SMTPFilters)
	p.Tenants = slices.Clone(p.Tenants)
	for i := range p.Tenants {
		t := &p.Tenants[i]
		t.Domains = slices.Clone(t.Domains)
		t.Scope.Domains = slices.Clone(t.Scope.Domains)
		t.Scope.Senders = slices.Clone(t.Scope.Senders)
		t.Scope.Except = slices.Clone(t.Scope.Except)
	}
	p.Direct = slices.Clone(p.Direct)
	p.Inbound.Allow = slices.Clone(p.Inbound.Allow)
	p.Firewall, p.Balancer = p.Firewall.clone(), p.Balancer.clone()
	p.Listeners = slices.Clone(p.Listeners)
	p.Mailboxes = slices.Clone(p.Mailboxes)
	p.Aliases = slices.Clone(p.Aliases)
	for i := range p.Aliases {
		p.Aliases[i].Members = slices.Clone(p.Aliases[i].Members)
	}
	return p
}

func (g Gateway) clone() Gateway {
	g.Networks = slices.Clone(g.Networks)
	g.SmartHost = g.SmartHost.clone()
	g.Client.Names = slices.Clone(g.Client.Names)
	g.Client.Fingerprints = slices.Clone(g.Client.Fingerprints)
	g.Markers.Loop = slices.Clone(g.Markers.Loop)
	for i, l := range g.Markers.Loop {
		g.Markers.Loop[i] = condition.Clone(l)
	}
	g.Markers.Released = condition.Clone(g.Markers.Released)
	g.Markers.Spam = condition.Clone(g.Markers.Spam)
	g.Markers.Reserved = slices.Clone(g.Markers.Reserved)
	return g
}
