package relay

import (
	"github.com/oxmailroute/oxmailroute/relay/internal/condition"
	"github.com/oxmailroute/oxmailroute/relay/policy"
)

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
func (c *compiler) rule(path string) string { return policy.FurtherRule(c.current, path) }

// several prepares what gateways have for themselves.
func (c *compiler) several() {
	for i := range c.policy.Gateways() {
		c.gateways = append(c.gateways, c.policy.View(i))
	}
	for _, t := range c.policy.Tenants {
		i, _ := c.policy.GatewayNamed(t.Gateway)
		c.tenantGateway = append(c.tenantGateway, i)
	}
	c.eachGateway(func() { c.gateHops = append(c.gateHops, c.gateHop()) })
}

// otherMarkers are the headers of the other gateways, which are no more than
// anybody's on this one's listener.
func (c *compiler) otherMarkers() []condition.Reserved {
	own := policy.ReservedOf(c.policy.Gateway, "Gateway")
	var out []condition.Reserved
	for i, g := range c.gateways {
		if i == c.current {
			continue
		}
		for _, r := range policy.ReservedOf(g.Gateway, policy.GatewayPath(i)) {
			if !condition.AnyCovers(own, r) && !condition.AnyCovers(out, r) {
				out = append(out, r)
			}
		}
	}
	return out
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
