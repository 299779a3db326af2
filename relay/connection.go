package relay

import (
	"net/netip"
	"slices"

	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
)

// connections are what decides over a connection before Postfix sees it.
type connections struct {
	firewall     Firewall
	firewallFile string
	proxyPort    uint16 // which only the balancer reaches; 0: none
	balancer     *Balancer
	balancerFile string // empty: not HAProxy as it is generated
	shared       bool
	allowed      []netip.Prefix // the gateway, and Inbound.Allow
}

func (c *evaluator) buildConnections() {
	e, p := &c.cfg.evaluation, c.policy
	e.connections = connections{
		firewall: p.Firewall, shared: p.Inbound.Shared, firewallFile: c.names.firewallName(),
		allowed: slices.Concat(derived.Networks(p), p.Inbound.Allow),
	}
	if port, ok := p.ProxyPort(); ok {
		e.connections.proxyPort = port
	}
	if !p.Balancer.IsZero() {
		e.connections.balancer = &p.Balancer
		if _, ok := c.files[c.names.balancerName()]; ok {
			e.connections.balancerFile = c.names.balancerName()
		}
	}
}

// connect is the way to the listener: through the load balancer, where there
// is one, and the packet filter. Where Postfix doesn't see the client, the message
// is refused.
func (c *connections) connect(m *mta.Message, o *Origin, d *door) {
	if d.role == FromPickup {
		return
	}
	from := o.Client // who opens the connection to this server
	if c.balancer != nil && d.role == RoleGateway {
		at := place{masterFile, d.line}
		switch {
		case o.Via.IsValid():
			from = o.Via
			if c.balancer.Local() && !from.IsLoopback() {
				noConnection(m, "Balancer", at, from, "the listener is on loopback")
				return
			}
			before(m, "smtpd", "Balancer", at, from.String(), "believed, it announces "+o.Client.String())
		case c.balancerFile != "" && !c.shared && !mailaddr.InNetworks(c.allowed, o.Client):
			noConnection(m, "Balancer", place{c.balancerFile, 0}, o.Client, "the load balancer takes the gateway's connections alone")
			return
		default:
			before(m, "balancer", "Balancer", place{c.balancerFile, 0}, o.Client.String(),
				"announced to Postfix from "+derived.BalancerFrom(*c.balancer))
			return
		}
	}
	if !d.bound.IsValid() || !c.firewall.Closes(d.bound) || from.IsLoopback() {
		return
	}
	rule, allowed := "Firewall", c.allowed
	if c.proxyPort != 0 && d.bound.Port() == c.proxyPort {
		allowed = c.balancer.Addresses
	}
	at := place{c.firewallFile, 0}
	if !mailaddr.InNetworks(allowed, from) {
		noConnection(m, rule, at, from, "the packet filter drops the connection")
		return
	}
	before(m, "nftables", rule, at, from.String(), "let in")
}

// before adds a step before Postfix.
func before(m *mta.Message, stage, rule string, at place, input, note string) {
	m.Before = append(m.Before, Step{Stage: stage, Rule: rule, File: at.file, Line: at.line, Input: input, Note: note})
}

// noConnection ends the message before there is a session.
func noConnection(m *mta.Message, rule string, at place, from netip.Addr, text string) {
	stage := "nftables"
	if rule == "Balancer" {
		stage = "balancer"
	}
	before(m, stage, rule, at, from.String(), "no connection")
	m.Rule, m.Refused = rule, text
}
