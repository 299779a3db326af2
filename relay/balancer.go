package relay

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/around"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// balancerName is HAProxy's configuration among the emitted files.
func (n names) balancerName() string { return "haproxy/" + n.smartHost + ".cfg" }

// checkProxy refuses listeners of gateways that speak the PROXY protocol where
// the policy knows of no balancer, and one that others than the balancer reach.
func (c checker) checkProxy() {
	if c.policy.Topology == TopologyOutbound {
		return
	}
	c.checkOpenAddresses()
	for i, l := range c.policy.Listeners {
		if l.Role != RoleGateway || !c.policy.Balancer.IsZero() {
			continue
		}
		name, kind := l.Split()
		sv, ok := c.master.Lookup(name, kind)
		if !ok {
			continue
		}
		refuse := func(parameter string, sv postfix.Service) {
			if v := c.base.service(sv).get(parameter); v != "" {
				c.errs.Add(paths.Index("Listeners", i), ErrConflict, "describe the load balancer in Balancer, or switch it off for this listener",
					"%s=%s on %s: it believes everybody who connects and announces the gateway's address", parameter, v, serviceSpec(sv))
			}
		}
		refuse("smtpd_upstream_proxy_protocol", sv)
		if kind != "pass" {
			continue
		}
		for _, front := range c.master.Services() {
			if front.Command == "postscreen" {
				refuse("postscreen_upstream_proxy_protocol", front)
			}
		}
	}
}

// checkOpenAddresses: Firewall.Addresses leaves the ports open at all others of
// this server, where a listener without an address of its own may be reached
// too (inet_interfaces).
func (c checker) checkOpenAddresses() {
	f := c.policy.Firewall
	l, at := c.policy.GatewayListener()
	a, ok := l.Bound()
	if len(f.Addresses) == 0 || !ok || !a.Addr().IsUnspecified() || !slices.Contains(f.Ports, a.Port()) {
		return
	}
	interfaces := list(c.base.get("inet_interfaces"))
	if name, _ := l.Split(); len(interfaces) == 0 || strings.Contains(name, ":") { // an address is written there
		interfaces = []string{"all"}
	}
	open := ""
	for _, word := range interfaces {
		if i, err := netip.ParseAddr(strings.Trim(word, "[]")); err == nil && (i.IsLoopback() || slices.Contains(f.Addresses, i)) ||
			word == "localhost" || word == "loopback-only" {
			continue
		}
		open = word
	}
	switch {
	case open == "":
	case c.policy.Balancer.IsZero() || c.policy.Balancer.Local():
		c.warn("Firewall.Addresses", "%s listens at other addresses of this server too (inet_interfaces: %s), where everybody can connect to "+
			"it; smtpd(8) refuses strangers there", l.Service, open)
	default:
		c.errs.Add(at+".Service", ErrConflict, fmt.Sprintf("leave Firewall.Addresses empty, or bind the listener to one of them, such as %s",
			netip.AddrPortFrom(f.Addresses[0], a.Port())),
			"it listens at other addresses of this server too (inet_interfaces: %s), where it believes everybody who connects and announces the "+
				"gateway's address", open)
	}
}

// proxied are the options of the gateway's listener behind a balancer.
func (c *site) proxied() []postfix.Param {
	if c.policy.Balancer.IsZero() {
		return nil
	}
	return []postfix.Param{opt("smtpd_upstream_proxy_protocol", "haproxy")}
}

// emitBalancer writes sections for HAProxy.
func (c fileWriter) emitBalancer() {
	if len(c.policy.Balancer.Bind) > 0 {
		c.emit(c.names.balancerName(),
			around.HAProxy(c.policy, c.names.table(), "/etc/haproxy/"+c.names.smartHost+".cfg", c.names.managed()))
	}
}
