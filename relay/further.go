package relay

import (
	"net/netip"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
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

// gateways are all gateways, the policy's first one first.
func (p Policy) gateways() []Gateway {
	out := []Gateway{p.Gateway}
	for _, f := range p.Further {
		out = append(out, f.Gateway)
	}
	return out
}

// gatewayPath is where a gateway stands in the policy.
func gatewayPath(i int) string {
	if i == 0 {
		return "Gateway"
	}
	return index("Further", i-1)
}

// gatewayNamed finds a gateway; the empty name is the first one's.
func (p Policy) gatewayNamed(name string) (int, bool) {
	if name == "" {
		return 0, true
	}
	for i, g := range p.gateways() {
		if g.Name == name {
			return i, true
		}
	}
	return 0, false
}

// view is the policy as if the gateway were its only one.
func (p Policy) view(i int) Policy {
	if i > 0 {
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
	for _, g := range p.gateways() {
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
		g, ok := p.gatewayNamed(t.Gateway)
		if !ok {
			v.errs.add(index("Tenants", i)+".Gateway", ErrConflict, "the Name of Gateway or of one of Further", "there is no gateway %q", t.Gateway)
		}
		used[g] = true
	}
	for i, l := range p.Listeners {
		at := index("Listeners", i) + ".Gateway"
		if _, ok := p.gatewayNamed(l.Gateway); !ok {
			v.errs.add(at, ErrConflict, "the Name of Gateway or of one of Further", "there is no gateway %q", l.Gateway)
		} else if l.Gateway != "" && l.Role != RoleGateway {
			v.errs.add(at, ErrConflict, `remove it, or use role "gateway"`, "role %q is not a gateway's", l.Role)
		}
	}
	if len(p.Further) == 0 {
		return
	}
	switch {
	case p.Topology == Outbound:
		v.errs.add("Further", headers.ErrNotExpressible, `use topology "mailboxes" or "store"`,
			"what one gateway delivered elsewhere carries no header that keeps it off the others")
	case p.Loop.NoOrigin:
		v.errs.add("Loop.NoOrigin", headers.ErrNotExpressible, "remove it",
			"without the origin header, what one gateway delivered would go to another")
	}
	if !p.Balancer.isZero() {
		v.errs.add("Further", headers.ErrNotExpressible, "leave Balancer out, and let Firewall admit each gateway itself",
			"it is for one gateway's listener: what it announces at another's would be believed there")
	}
	for i, g := range p.gateways() {
		at := gatewayPath(i)
		for j := range i {
			if g.Name != "" && g.Name == p.gateways()[j].Name {
				v.errs.add(at+".Name", ErrDuplicate, "choose another", "%q is %s already", g.Name, gatewayPath(j))
			}
			v.apart(p, i, j)
		}
		if i == 0 {
			continue
		}
		v.gateway(at, g, p)
		view := p.view(i)
		view.Further, view.Tenants = nil, nil
		view.Inbound.Anybody, view.Inbound.Elsewhere = false, false
		sub := &validator{}
		sub.inbound(view)
		for _, e := range sub.errs {
			e.Path = furtherRule(i, e.Path)
			v.errs = append(v.errs, e)
		}
		if own := p.Further[i-1].Inbound; own.Anybody || own.Elsewhere {
			v.errs.add(at+".Inbound", ErrConflict, "say it in the policy's Inbound", "Anybody and Elsewhere are for the policy's first gateway")
		}
		if view.Inbound.Shared {
			v.errs.add(at+".Inbound.Shared", headers.ErrNotExpressible, "give the gateway a listener of its own",
				"one listener can be shared with others, that of the policy's first gateway")
		}
		if len(view.Inbound.Allow) > 0 {
			v.errs.add(at+".Inbound.Allow", ErrConflict, "remove it", "there is no firewall for this gateway")
		}
		if !used[i] {
			v.errs.add(at, ErrConflict, "name it in a tenant's Gateway, or remove it", "no tenant uses %q", g.Name)
		}
	}
}

// apart wants the markers of two gateways to be the same ones, as of two
// accounts with one vendor, or to have no name in common: the listener of each
// removes what is the other's.
func (v *validator) apart(p Policy, i, j int) {
	for _, a := range reservedOf(p.gateways()[i], gatewayPath(i)) {
		for _, b := range reservedOf(p.gateways()[j], gatewayPath(j)) {
			if a.covers(b) != b.covers(a) {
				v.errs.add(a.path, headers.ErrNotExpressible, "reserve the same names for both gateways",
					"%q and %q (%s) share some names, so that what is removed as the one gateway's would be missed as the other's", a.prefix, b.prefix,
					b.path)
			}
		}
	}
}

// covers reports whether every name that b has is one of r's.
func (r reserved) covers(b reserved) bool {
	if r.exact {
		return b.exact && strings.EqualFold(r.prefix, b.prefix)
	}
	return len(b.prefix) >= len(r.prefix) && strings.EqualFold(b.prefix[:len(r.prefix)], r.prefix)
}

// furtherRule is a path within the view of a gateway as the policy has it.
func furtherRule(i int, path string) string {
	if i == 0 {
		return path
	}
	if rest, ok := strings.CutPrefix(path, "Gateway."); ok {
		return gatewayPath(i) + "." + rest
	}
	if strings.HasPrefix(path, "Inbound.") {
		return gatewayPath(i) + "." + path
	}
	return path
}

// eachGateway compiles for one gateway after the other: meanwhile the policy is
// the gateway's view, and the names of what each has for itself are its own.
func (c *compiler) eachGateway(f func()) {
	for i := range c.gateways {
		c.forGateway(i, f)
	}
}

func (c *compiler) forGateway(i int, f func()) {
	policy, names, current, before := c.policy, c.names, c.current, len(c.errs)
	c.policy, c.names, c.current = c.gateways[i], names.forGateway(c.gateways[i].Gateway.Name), i
	f()
	for _, e := range c.errs[before:] {
		e.Path = c.rule(e.Path)
	}
	c.policy, c.names, c.current = policy, names, current
}

// rule is a policy path of the current gateway.
func (c *compiler) rule(path string) string { return furtherRule(c.current, path) }

// several prepares what gateways have for themselves.
func (c *compiler) several() {
	for i := range c.policy.gateways() {
		c.gateways = append(c.gateways, c.policy.view(i))
	}
	for _, t := range c.policy.Tenants {
		i, _ := c.policy.gatewayNamed(t.Gateway)
		c.tenantGateway = append(c.tenantGateway, i)
	}
	c.eachGateway(func() { c.gateHops = append(c.gateHops, c.gateHop()) })
}

// otherMarkers are the headers of the other gateways, which are no more than
// anybody's on this one's listener.
func (c *compiler) otherMarkers() []reserved {
	own := reservedOf(c.policy.Gateway, "Gateway")
	var out []reserved
	for i, g := range c.gateways {
		if i == c.current {
			continue
		}
		for _, r := range reservedOf(g.Gateway, gatewayPath(i)) {
			if !anyCovers(own, r) && !anyCovers(out, r) {
				out = append(out, r)
			}
		}
	}
	return out
}

func anyCovers(list []reserved, r reserved) bool {
	for _, have := range list {
		if have.covers(r) {
			return true
		}
	}
	return false
}

// OriginAt returns what an ordinary client of a listener looks like, by the
// listener's name in [Listener]: for a gateway's, that gateway. It reports
// whether there is such a listener.
func (c *Config) OriginAt(service string) (Origin, bool) {
	if c == nil {
		c = new(Config)
	}
	d := c.named(service)
	if d == nil {
		return Origin{}, false
	}
	o := c.Origin(d.role)
	if d.role == RoleGateway {
		o = c.passages[d.gateway].origin
	}
	o.Service = service
	return o, true
}
