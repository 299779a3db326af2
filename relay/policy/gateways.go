package policy

import (
	"net/netip"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// FurtherGateway is one more gateway on the same server, for the tenants that
// name it. It has a listener of its own ([Listener].Gateway) and a second pass
// of its own, so that each gateway's markers count on its own listener alone:
// on every other one, the other gateways' too, they are removed. What one
// gateway has delivered goes to none of them again.
type FurtherGateway struct {
	Gateway
	// Inbound is the way from this gateway to the server; Shared is for the policy's
	// first gateway alone.
	Inbound Inbound
	// SecondPass is a loopback address like Server.SecondPass. Zero:
	// 127.0.0.1:10040 for the first of them, 10041 for the next.
	SecondPass netip.AddrPort
}

const furtherSecondPass = 10040

// Gateways are all gateways, the policy's first one first.
func (p Policy) Gateways() []Gateway {
	out := []Gateway{p.Gateway}
	for _, f := range p.Further {
		out = append(out, f.Gateway)
	}
	return out
}

// GatewayNamed finds a gateway; the empty name is the first one's.
func (p Policy) GatewayNamed(name string) (int, bool) {
	if name == "" {
		return 0, true
	}
	for i, g := range p.Gateways() {
		if g.Name == name {
			return i, true
		}
	}
	return 0, false
}

// View is the policy as if the gateway were its only one.
func (p Policy) View(i int) Policy {
	if i > 0 && i <= len(p.Further) {
		f := p.Further[i-1]
		p.Gateway, p.Inbound = f.Gateway, f.Inbound
		p.Server.SecondPass = f.SecondPass
		if f.SecondPass == (netip.AddrPort{}) {
			p.Server.SecondPass = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(furtherSecondPass+i-1))
		}
	}
	return p
}

// isGateway reports whether a host is one of the smart hosts.
func (p Policy) isGateway(host string) bool {
	for _, g := range p.Gateways() {
		if g.SmartHost.is(host) {
			return true
		}
	}
	return false
}

// further validates what several gateways need of each other.
func (v *validator) further(p Policy) {
	used := map[int]bool{}
	for i, t := range p.Tenants {
		g, ok := p.GatewayNamed(t.Gateway)
		if !ok {
			v.errs.Add(paths.Index("Tenants", i)+".Gateway", ErrConflict, "the Name of Gateway or of one of Further", "there is no gateway %q",
				t.Gateway)
		}
		used[g] = true
	}
	for i, l := range p.Listeners {
		at := paths.Index("Listeners", i) + ".Gateway"
		if _, ok := p.GatewayNamed(l.Gateway); !ok {
			v.errs.Add(at, ErrConflict, "the Name of Gateway or of one of Further", "there is no gateway %q", l.Gateway)
		} else if l.Gateway != "" && l.Role != RoleGateway {
			v.errs.Add(at, ErrConflict, `remove it, or use role "gateway"`, "role %q is not a gateway's", l.Role)
		}
	}
	if len(p.Further) == 0 {
		return
	}
	switch {
	case p.Topology == TopologyOutbound:
		v.errs.Add("Further", headers.ErrNotExpressible, `use topology "mailboxes" or "store"`,
			"what one gateway delivered elsewhere carries no header that keeps it off the others")
	case p.Loop.NoOrigin:
		v.errs.Add("Loop.NoOrigin", headers.ErrNotExpressible, "remove it",
			"without the origin header, what one gateway delivered would go to another")
	}
	if !p.Balancer.IsZero() {
		v.errs.Add("Further", headers.ErrNotExpressible, "leave Balancer out, and let Firewall admit each gateway itself",
			"it is for one gateway's listener: what it announces at another's would be believed there")
	}
	for i, g := range p.Gateways() {
		at := paths.Gateway(i)
		for j := range i {
			if g.Name != "" && g.Name == p.Gateways()[j].Name {
				v.errs.Add(at+".Name", ErrDuplicate, "choose another", "%q is %s already", g.Name, paths.Gateway(j))
			}
			v.apart(p, i, j)
		}
		if i == 0 {
			continue
		}
		v.gateway(at, g, p)
		view := p.View(i)
		view.Further, view.Tenants = nil, nil
		view.Inbound.Anybody, view.Inbound.Elsewhere = false, false
		sub := &validator{}
		sub.inbound(view)
		for _, e := range sub.errs {
			e.Path = paths.Further(i, e.Path)
			v.errs = append(v.errs, e)
		}
		if own := p.Further[i-1].Inbound; own.Anybody || own.Elsewhere {
			v.errs.Add(at+".Inbound", ErrConflict, "say it in the policy's Inbound", "Anybody and Elsewhere are for the policy's first gateway")
		}
		if view.Inbound.Shared {
			v.errs.Add(at+".Inbound.Shared", headers.ErrNotExpressible, "give the gateway a listener of its own",
				"one listener can be shared with others, that of the policy's first gateway")
		}
		if len(view.Inbound.Allow) > 0 {
			v.errs.Add(at+".Inbound.Allow", ErrConflict, "remove it", "there is no firewall for this gateway")
		}
		if !used[i] {
			v.errs.Add(at, ErrConflict, "name it in a tenant's Gateway, or remove it", "no tenant uses %q", g.Name)
		}
	}
}

// apart wants the markers of two gateways to be the same ones, as of two
// accounts with one vendor, or to have no name in common: the listener of each
// removes what is the other's.
func (v *validator) apart(p Policy, i, j int) {
	for _, a := range reservedOf(p.Gateways()[i], paths.Gateway(i)) {
		for _, b := range reservedOf(p.Gateways()[j], paths.Gateway(j)) {
			if a.Covers(b) != b.Covers(a) {
				v.errs.Add(a.Path, headers.ErrNotExpressible, "reserve the same names for both gateways",
					"%q and %q (%s) share some names, so that what is removed as the one gateway's would be missed as the other's", a.Prefix, b.Prefix,
					b.Path)
			}
		}
	}
}
