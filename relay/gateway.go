package relay

import (
	"github.com/oxmailroute/oxmailroute/relay/internal/condition"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// gateway is one of a site's gateways, with what it has for itself.
type gateway struct {
	index  int
	policy Policy   // as if it were the only one
	names  names    // its own, and the first one's for what is of all
	own    settings // of its listener, before the generated ones
	// others are the headers of the other gateways, which are no more than
	// anybody's on this one's listener.
	others []condition.Reserved
	// markers are its domain markers, markerErrs those that there can't be. More
	// than fit into rules are a pipemap, markerMap, whose table in the middle is fold.
	markers    []markerName
	markerErrs Errors
	markerMap  string
	fold       []byte
}

// rule is a path of the gateway's view as the whole policy has it.
func (g *gateway) rule(path string) string { return paths.Further(g.index, path) }

// readGateways lists the policy's gateways.
func (c *reader) readGateways() {
	all := c.policy.Gateways()
	for i := range all {
		g := &gateway{index: i, policy: c.policy.View(i), names: c.names.forGateway(all[i].Name)}
		own := derived.Reserved(all[i], "Gateway")
		for j, other := range all {
			if i == j {
				continue
			}
			for _, r := range derived.Reserved(other, paths.Gateway(j)) {
				if !condition.AnyCovers(own, r) && !condition.AnyCovers(g.others, r) {
					g.others = append(g.others, r)
				}
			}
		}
		c.gateways = append(c.gateways, g)
	}
	for _, t := range c.policy.Tenants {
		i, _ := c.policy.GatewayNamed(t.Gateway)
		c.tenantGateway = append(c.tenantGateway, i)
	}
}

// readListeners reads what each gateway's listener has of the installation's.
func (c *reader) readListeners() {
	for _, l := range c.policy.Listeners {
		if l.Role == RoleGateway {
			i, _ := c.policy.GatewayNamed(l.Gateway)
			sv, _ := c.master.Lookup(l.Split())
			c.gateways[i].own = c.base.service(sv)
		}
	}
}

// hop is what the sender map answers for a sender in scope: the generated second
// pass.
func (g *gateway) hop() string {
	a := g.policy.SecondPass()
	return g.names.gate + ":[" + a.Addr().String() + "]:" + port(a)
}

// cleans reports whether the gateway's mail is cleaned by a service of its own.
func (g *gateway) cleans() bool {
	return len(g.policy.Gateway.Client.Names) > 0 || g.policy.Spam.Mark || len(g.others) > 0
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
