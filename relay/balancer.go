package relay

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
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

// emitBalancer writes sections for HAProxy, to be read beside the balancer's
// own configuration.
func (c fileWriter) emitBalancer() {
	p := c.policy
	if len(p.Balancer.Bind) == 0 {
		return
	}
	name := c.names.table()
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# %s", c.names.managed())
	line("# Sections for HAProxy 2.4 or later, read behind its own configuration:")
	line("#   haproxy -f /etc/haproxy/haproxy.cfg -f %s", "/etc/haproxy/"+c.names.smartHost+".cfg")
	line("defaults %s", name)
	line("\tmode tcp")
	line("\tlog global")
	line("\toption tcplog")
	line("\toption dontlognull")
	line("\toption clitcpka")
	line("\toption srvtcpka")
	line("\ttimeout connect 30s")
	line("\t# RFC 5321 section 4.5.3.2: ten minutes for the end of the data, and more than")
	line("\t# that here, so that it is Postfix who ends a session.")
	line("\ttimeout client 11m")
	line("\ttimeout server 11m")
	line("\ttimeout check 10s")
	line("")
	line("frontend %s from %s", name, name)
	for _, a := range p.Balancer.Bind {
		line("\tbind %s", a)
	}
	if p.Inbound.Shared {
		line("\t# Others share the port; Postfix tells them apart (Inbound.Shared).")
	} else {
		for _, n := range slices.Concat(p.Gateway.Networks, p.Inbound.Allow) {
			line("\tacl gateway src %s", n)
		}
		line("\ttcp-request connection reject unless gateway")
	}
	line("\tdefault_backend %s", name)
	line("")
	line("backend %s from %s", name, name)
	line("\tbalance leastconn")
	line("\t# Greets and leaves once a minute; Postfix logs the connection, no warning.")
	host, _ := headers.ASCIIDomain(p.Inbound.Host) // EHLO takes no other spelling
	line("\toption smtpchk EHLO %s", host)
	line("\tdefault-server send-proxy-v2 check check-send-proxy inter 60s fastinter 10s downinter 10s rise 2 fall 3")
	for i, a := range p.Balancer.Servers {
		line("\tserver mx%d %s", i+1, a)
	}
	c.emit(c.names.balancerName(), b.Bytes())
}
