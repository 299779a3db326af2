package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/fault"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// Warnings are what works and may not be what was meant. They are no errors;
// Validate finds those.
func (p Policy) Warnings() []Warning {
	var out []Warning
	add := func(path, format string, args ...any) {
		out = append(out, Warning{Position: fault.At(path), Tenant: p.tenantAt(path), Text: fmt.Sprintf(format, args...)})
	}
	for g, gateway := range p.Gateways() {
		prefix := gateway.Markers.Domain.Prefix
		if prefix == "" {
			continue
		}
		owner := map[string]string{}
		for i, t := range p.Tenants {
			if of, _ := p.GatewayNamed(t.Gateway); of != g {
				continue
			}
			for j, d := range t.Domains {
				name, err := headers.MarkerName(prefix, d)
				if err != nil {
					continue
				}
				at := paths.Index(paths.Index("Tenants", i)+".Domains", j)
				if other, dup := owner[name]; dup {
					add(at, "%s and %s have one marker, %s: what the gateway says of one counts for both", d, other, name)
				} else {
					owner[name] = d
				}
			}
		}
	}
	for i, g := range p.Gateways() {
		g.SmartHost.ports(paths.Gateway(i)+".SmartHost", add)
		if p.Topology == TopologyOutbound || len(g.Client.Names)+len(g.Client.Fingerprints) > 0 {
			continue
		}
		add(paths.Gateway(i)+".Client", "no certificate is asked for: whoever can send from the gateway's addresses is believed")
	}
	if p.Loop.AnyDomain {
		add("Loop.AnyDomain", "the marker of any domain counts, of domains that are not hosted here too")
	}
	if p.Loop.NoOrigin && p.Topology != TopologyOutbound {
		add("Loop.NoOrigin", "mail of the gateway that carries no marker can return to it")
	}
	if p.Calendar.Off {
		add("Calendar.Off", "invitations go through the gateway, which the vendor's page excludes")
	}
	if p.Spam.Mark && slices.ContainsFunc(p.Gateways(), func(g Gateway) bool { return g.Markers.Released.Predicate != nil }) {
		add("Spam.Mark", "released mail is marked too where the gateway left its spam marker in: header checks see one field at a time")
	}
	if !slices.ContainsFunc(p.Tenants, func(t Tenant) bool { return t.Scope.Use != ScopeNone }) {
		add("Tenants", "nobody is in scope: no mail goes through the gateway")
	}
	for i, l := range p.Listeners {
		if (l.Role == RoleReinjection || l.Role == RoleReEntry) && p.Topology != TopologyOutbound && !strings.HasPrefix(l.Service, "127.") &&
			!strings.HasPrefix(l.Service, "localhost:") && !strings.HasPrefix(l.Service, "[::1]:") {
			add(paths.Index("Listeners", i), "%s believes the markers of whoever reaches it; bind it to loopback", l.Service)
		}
	}
	return out
}
