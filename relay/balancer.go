package relay

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// Balancer is a TCP load balancer before the gateway's listener, which tells it
// the client's address by the PROXY protocol (smtpd_upstream_proxy_protocol,
// postconf(5)). Zero: the gateway connects to Postfix itself.
//
// A listener that speaks this protocol believes whoever connects to it, and to
// smtpd's restrictions the client is the one that was announced: none of them
// sees who announced it. So it must be bound to loopback, with the balancer on
// this server, or Firewall must admit the balancer's addresses alone; anything
// else is refused. TLS is between the gateway and Postfix; the balancer passes
// it on.
type Balancer struct {
	// Addresses are those that the balancer connects from. Empty: it is on this
	// server and connects over loopback.
	Addresses []netip.Prefix
	// Bind are the balancer's own addresses, to which the gateway connects, and
	// Servers the gateway's listeners of all mail servers as the balancer
	// reaches them: with both a configuration for HAProxy is emitted, for a
	// balancer of another make neither is needed.
	Bind    []netip.AddrPort
	Servers []netip.AddrPort
}

func (b Balancer) isZero() bool {
	return len(b.Addresses) == 0 && len(b.Bind) == 0 && len(b.Servers) == 0
}

func (b Balancer) clone() Balancer {
	b.Addresses, b.Bind, b.Servers = slices.Clone(b.Addresses), slices.Clone(b.Bind), slices.Clone(b.Servers)
	return b
}

// local reports whether the balancer is on this server.
func (b Balancer) local() bool {
	return !slices.ContainsFunc(b.Addresses, func(p netip.Prefix) bool { return !p.Addr().IsLoopback() })
}

// balancerName is HAProxy's configuration among the emitted files.
func (n names) balancerName() string { return "haproxy/" + n.smartHost + ".cfg" }

// proxyPort is the port that only the balancer may reach; ok is false where
// there is none, or none but loopback reaches it.
func (p Policy) proxyPort() (port uint16, ok bool) {
	if p.Balancer.isZero() || p.Balancer.local() {
		return 0, false
	}
	l, _ := p.gatewayListener()
	a, ok := l.bound()
	return a.Port(), ok
}

func (v *validator) balancer(p Policy) {
	b := p.Balancer
	if !b.isZero() && p.Topology == Outbound {
		v.errs.add("Balancer", ErrConflict, "remove it", "nothing comes in from the gateway in topology \"outbound\"")
		return
	}
	v.networks("Inbound.Allow", p.Inbound.Allow, "the hosts that may connect")
	if len(p.Inbound.Allow) > 0 && b.isZero() && p.Firewall.isZero() {
		v.errs.add("Inbound.Allow", ErrConflict, "remove it, or set Firewall or Balancer", "there is nothing that would let these connect")
	}
	if b.isZero() {
		return
	}
	const at = "Balancer"
	v.networks(at+".Addresses", b.Addresses, "the balancer's own addresses")
	v.places(at+".Bind", b.Bind, true)
	v.places(at+".Servers", b.Servers, false)
	if (len(b.Bind) == 0) != (len(b.Servers) == 0) {
		v.errs.required(at, "give Bind and Servers for HAProxy, or neither for a balancer of another make")
	}
	l, listener := p.gatewayListener()
	if listener == "" {
		return
	}
	a, ok := l.bound()
	if !ok {
		v.errs.add(listener+".Service", ErrConflict,
			"give the balancer an inet service with a number or a usual name for its port, such as 127.0.0.1:10025",
			"%s: nothing can see to it that the balancer alone reaches this port", l.Service)
		return
	}
	switch loopback := a.Addr().IsLoopback(); {
	case loopback && !b.local():
		v.errs.add(at+".Addresses", ErrConflict,
			"leave Addresses empty where the balancer is on this server, or bind the listener to an address that the balancer reaches",
			"%s is loopback, which a balancer elsewhere does not reach", l.Service)
	case !loopback && b.local():
		v.errs.add(listener+".Service", ErrConflict, "bind it to loopback (127.0.0.1:10025), or set Balancer.Addresses and Firewall",
			"%s believes everybody who connects and announces the gateway's address, and others than the balancer on this server reach it",
			l.Service)
	case !loopback && !p.Firewall.closes(a):
		v.errs.add(listener+".Service", ErrConflict, fmt.Sprintf("put %d into Firewall.Ports, so that the balancer's addresses alone reach it, "+
			"or bind it to loopback with the balancer on this server", a.Port()),
			"%s believes everybody who connects and announces the gateway's address", l.Service)
	}
	for i, other := range p.Listeners {
		if port, ok := p.proxyPort(); ok && other.Role != RoleGateway {
			if o, known := other.bound(); known && o.Port() == port && p.Firewall.closes(o) {
				v.errs.add(index("Listeners", i)+".Service", ErrConflict,
					"give the balancer a port of its own, or name the gateway's address in Firewall.Addresses",
					"the firewall leaves port %d to the balancer alone", port)
			}
		}
	}
}

// places are addresses with ports.
func (v *validator) places(path string, list []netip.AddrPort, bind bool) {
	seen := map[netip.AddrPort]int{}
	for i, a := range list {
		at := index(path, i)
		switch {
		case !a.IsValid() || a.Port() == 0 || a.Addr().Zone() != "" || a.Addr().Is4In6() || a.Addr().IsMulticast():
			v.errs.add(at, ErrInvalid, "address:port, such as 192.0.2.10:25 or [2001:db8::10]:25", "%s", a)
		case !bind && a.Addr().IsUnspecified():
			v.errs.add(at, ErrInvalid, "the address at which the balancer reaches the server", "%s is no place to connect to", a)
		default:
			if j, dup := seen[a]; dup {
				v.errs.add(at, ErrDuplicate, "remove it", "%s stands at %s already", a, index(path, j))
			}
			seen[a] = i
		}
	}
}

// checkProxy refuses listeners of gateways that speak the PROXY protocol where
// the policy knows of no balancer, and one that others than the balancer reach.
func (c *compiler) checkProxy() {
	if c.policy.Topology == Outbound {
		return
	}
	c.checkOpenAddresses()
	for i, l := range c.policy.Listeners {
		if l.Role != RoleGateway || !c.policy.Balancer.isZero() {
			continue
		}
		name, kind := l.split()
		sv, ok := c.master.Lookup(name, kind)
		if !ok {
			continue
		}
		refuse := func(parameter string, sv postfix.Service) {
			if v := c.base.service(sv).get(parameter); v != "" {
				c.errs.add(index("Listeners", i), ErrConflict, "describe the load balancer in Balancer, or switch it off for this listener",
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
func (c *compiler) checkOpenAddresses() {
	f := c.policy.Firewall
	l, at := c.policy.gatewayListener()
	a, ok := l.bound()
	if len(f.Addresses) == 0 || !ok || !a.Addr().IsUnspecified() || !slices.Contains(f.Ports, a.Port()) {
		return
	}
	interfaces := list(c.base.get("inet_interfaces"))
	if name, _ := l.split(); len(interfaces) == 0 || strings.Contains(name, ":") { // an address is written there
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
	case c.policy.Balancer.isZero() || c.policy.Balancer.local():
		c.warn("Firewall.Addresses", "%s listens at other addresses of this server too (inet_interfaces: %s), where everybody can connect to "+
			"it; smtpd(8) refuses strangers there", l.Service, open)
	default:
		c.errs.add(at+".Service", ErrConflict, fmt.Sprintf("leave Firewall.Addresses empty, or bind the listener to one of them, such as %s",
			netip.AddrPortFrom(f.Addresses[0], a.Port())),
			"it listens at other addresses of this server too (inet_interfaces: %s), where it believes everybody who connects and announces the "+
				"gateway's address", open)
	}
}

// proxied are the options of the gateway's listener behind a balancer.
func (c *compiler) proxied() []postfix.Param {
	if c.policy.Balancer.isZero() {
		return nil
	}
	return []postfix.Param{opt("smtpd_upstream_proxy_protocol", "haproxy")}
}

// emitBalancer writes sections for HAProxy, to be read beside the balancer's
// own configuration.
func (c *compiler) emitBalancer() {
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
	c.emit(c.names.balancerName(), b.Bytes(), true)
}

// from says where the balancer connects from, for traces.
func (b Balancer) from() string {
	if b.local() {
		return "loopback"
	}
	list := make([]string, len(b.Addresses))
	for i, a := range b.Addresses {
		list[i] = a.String()
	}
	return strings.Join(list, ", ")
}
