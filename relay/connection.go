package relay

import (
	"net/netip"
	"slices"
)

// connections are what decides over a connection before Postfix sees it.
type connections struct {
	firewall     Firewall
	firewallFile string
	proxyPort    uint16 // which only the balancer reaches; 0: none
	balancer     *Balancer
	balancerFile string // empty: not HAProxy as we configure it
	shared       bool
	allowed      []netip.Prefix // the gateway, and Inbound.Allow
}

func (c *compiler) buildConnections() {
	e, p := &c.cfg.eval, c.policy
	e.connections = connections{
		firewall: p.Firewall, shared: p.Inbound.Shared, firewallFile: c.names.firewallName(),
		allowed: slices.Concat(p.allNetworks(), p.Inbound.Allow),
	}
	if port, ok := p.proxyPort(); ok {
		e.connections.proxyPort = port
	}
	if !p.Balancer.isZero() {
		e.connections.balancer = &p.Balancer
		if _, ok := c.emitted[c.names.balancerName()]; ok {
			e.connections.balancerFile = c.names.balancerName()
		}
	}
}

// connect is the way to the listener: through the load balancer, where there
// is one, and the packet filter. It reports whether Postfix sees the client.
func (w *walk) connect(l *listener) bool {
	c, o := &w.e.connections, &w.m.Origin
	if l.role == FromPickup || l.rules == nil {
		return true
	}
	from := o.Client // who opens the connection to this server
	if c.balancer != nil && l.role == RoleGateway {
		switch {
		case o.Via.IsValid():
			from = o.Via
			if c.balancer.local() && !from.IsLoopback() {
				return w.noConnection("Balancer", place{masterFile, l.at.line}, from, "the listener is on loopback")
			}
			w.step("smtpd", "Balancer", l.at, from.String(), "believed, it announces "+o.Client.String())
		case c.balancerFile != "" && !c.shared && !inNetworks(c.allowed, o.Client):
			return w.noConnection("Balancer", place{c.balancerFile, 0}, o.Client, "the load balancer takes the gateway's connections alone")
		default:
			w.step("balancer", "Balancer", place{c.balancerFile, 0}, o.Client.String(), "announced to Postfix from "+c.balancer.from())
			return true
		}
	}
	if !l.bound.IsValid() || !c.firewall.closes(l.bound) || from.IsLoopback() {
		return true
	}
	rule, allowed := "Firewall", c.allowed
	if c.proxyPort != 0 && l.bound.Port() == c.proxyPort {
		allowed = c.balancer.Addresses
	}
	at := place{c.firewallFile, 0}
	if !inNetworks(allowed, from) {
		return w.noConnection(rule, at, from, "the packet filter drops the connection")
	}
	w.step("nftables", rule, at, from.String(), "let in")
	return true
}

// noConnection ends the message before there is a session.
func (w *walk) noConnection(rule string, at place, from netip.Addr, text string) bool {
	stage := "nftables"
	if rule == "Balancer" {
		stage = "balancer"
	}
	w.rule = rule
	w.step(stage, rule, at, from.String(), "no connection")
	w.end(Reject, "", w.m.To, text)
	return false
}
