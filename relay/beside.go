package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// neutral are the options by which a generated service doesn't inherit what
// would break it and hardly anybody has: see the table of package postfix.
func (c *site) neutral(place postfix.Place) []postfix.Param { return c.base.Neutralized(place) }

// emitPace keeps a delay between deliveries, which is meant for each of many
// destinations, from the one destination that all mail in scope has.
func (c *mainWriter) emitPace() {
	var transports []string
	for _, g := range c.gateways {
		transports = append(transports, g.names.smartHost, g.names.gate)
	}
	if c.policy.Inbound.Shared {
		transports = append(transports, c.names.stripGate)
	}
	if c.policy.Topology == TopologyMailboxes {
		transports = append(transports, c.names.sortGate)
	}
	for _, delay := range []string{"_destination_rate_delay", "_transport_rate_delay"} {
		v := c.base.get("default" + delay)
		if v == "" || strings.Trim(v, "0smhdw") == "" {
			continue
		}
		comment := "default" + delay + " is not for the one destination of all mail in scope"
		for _, t := range transports {
			c.param(t+delay, comment, "0s")
			comment = ""
		}
	}
}

// checkBeside refuses what can't live with the generated settings, by name.
func (c checker) checkBeside() {
	if c.base.yes("smtp_tls_wrappermode") && c.policy.DirectVia == "" {
		c.conflict("smtp_tls_wrappermode", "name the relayhost in DirectVia, or set it with -o on a transport of its own",
			"mail kept off the gateway goes to MX hosts, and none speaks TLS from the first octet")
	}
	if v := list(c.base.get("inet_protocols")); len(v) > 0 && !slices.Contains(v, "all") && !slices.Contains(v, "ipv4") {
		c.conflict("inet_protocols", "add ipv4", "%q leaves out 127.0.0.1, where the generated listeners are", strings.Join(v, ", "))
	}
	c.checkCopies()
}

// checkCopies warns of copies for an address elsewhere: they are messages from
// the sender as any other, and leave by the gateway where he is in scope.
func (c checker) checkCopies() {
	for _, name := range []string{"always_bcc", "sender_bcc_maps", "recipient_bcc_maps"} {
		value := c.base.get(name)
		if value == "" {
			continue
		}
		addresses := []string{value}
		if name != "always_bcc" {
			addresses = nil
			specs, _ := postfix.ParseMaps(value)
			for _, spec := range specs {
				results, opaque := c.tables.Results(spec, c.at(name))
				for _, o := range opaque {
					c.warn(c.at(name), "%s can't be read here; copies for a domain elsewhere leave through the gateway where the sender is in scope, "+
						"unless Direct has the domain", o)
				}
				for _, r := range results {
					if _, d := mailaddr.Split(r.Text); r.Pattern && strings.Contains(d, "$") {
						c.warn(r.At, "%s: copies for %q leave through the gateway where the sender is in scope, unless Direct has the domain", name, r.Text)
						continue
					}
					addresses = append(addresses, r.Text)
				}
			}
		}
		seen := map[string]bool{}
		for _, a := range addresses {
			_, d := mailaddr.Split(mailaddr.Fold(a))
			if d == "" || seen[d] || c.isLocal(d) || slices.Contains(c.policy.Direct, d) {
				continue
			}
			seen[d] = true
			c.warn(c.at(name), "copies for %s leave through the gateway where the sender is in scope; list the domain in Direct if the archive is "+
				"not to depend on it", d)
		}
	}
}

// isLocal reports whether the installation delivers to a domain itself, or has
// a route of its own for it.
func (c *site) isLocal(domain string) bool {
	for _, name := range []string{"mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains"} {
		if c.conf.Domains(c.base.Settings, name).Has(domain) {
			return true
		}
	}
	known, _ := c.conf.Maps(c.base.get("transport_maps"))
	for _, m := range known {
		if _, ok, _ := m.Table.Lookup(domain); ok {
			return true
		}
	}
	return false
}

// behindPostscreen reports whether the gateway's listener gets its connections
// from postscreen(8).
func (c *site) behindPostscreen() bool {
	return slices.ContainsFunc(c.policy.Listeners, func(l Listener) bool {
		_, kind := l.Split()
		return l.Role == RoleGateway && kind == "pass"
	})
}

// emitPostscreen lets the gateway past postscreen(8), whose tests would put it
// off, or refuse it for everybody else's mail.
func (c *mainWriter) emitPostscreen() {
	if !c.behindPostscreen() {
		return
	}
	own := c.own("postscreen_access_list")
	if _, ok := c.main.Get("postscreen_access_list"); !ok {
		own = "permit_mynetworks"
	}
	c.param("postscreen_access_list", "the gateway is not put off", "cidr:"+c.path(c.names.postscreen), own)
}

func (c fileWriter) postscreenTable() {
	if !c.behindPostscreen() {
		return
	}
	var t postfix.CIDRTable
	for g, gateway := range c.policy.Gateways() {
		for i, n := range gateway.Networks {
			if !slices.ContainsFunc(t, func(e postfix.CIDREntry) bool { return e.Prefix == n }) {
				t = append(t, postfix.CIDREntry{Prefix: n, Value: "permit", Rule: paths.Index(paths.Gateway(g)+".Networks", i)})
			}
		}
	}
	c.cidrTable(c.names.postscreen, t)
}
