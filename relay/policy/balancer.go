package policy

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
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

// IsZero reports whether there is none.
func (b Balancer) IsZero() bool {
	return len(b.Addresses) == 0 && len(b.Bind) == 0 && len(b.Servers) == 0
}

func (b Balancer) clone() Balancer {
	b.Addresses, b.Bind, b.Servers = slices.Clone(b.Addresses), slices.Clone(b.Bind), slices.Clone(b.Servers)
	return b
}

// Local reports whether the balancer is on this server.
func (b Balancer) Local() bool {
	return !slices.ContainsFunc(b.Addresses, func(p netip.Prefix) bool { return !p.Addr().IsLoopback() })
}

// ProxyPort is the port that only the balancer may reach; ok is false where
// there is none, or none but loopback reaches it.
func (p Policy) ProxyPort() (port uint16, ok bool) {
	if p.Balancer.IsZero() || p.Balancer.Local() {
		return 0, false
	}
	l, _ := p.GatewayListener()
	a, ok := l.Bound()
	return a.Port(), ok
}

func (v *validator) balancer(p Policy) {
	b := p.Balancer
	if !b.IsZero() && p.Topology == TopologyOutbound {
		v.errs.Add("Balancer", ErrConflict, "remove it", "nothing comes in from the gateway in topology \"outbound\"")
		return
	}
	v.networks("Inbound.Allow", p.Inbound.Allow, "the hosts that may connect")
	if len(p.Inbound.Allow) > 0 && b.IsZero() && p.Firewall.IsZero() {
		v.errs.Add("Inbound.Allow", ErrConflict, "remove it, or set Firewall or Balancer", "there is nothing that would let these connect")
	}
	if b.IsZero() {
		return
	}
	const at = "Balancer"
	v.networks(at+".Addresses", b.Addresses, "the balancer's own addresses")
	v.places(at+".Bind", b.Bind, true)
	v.places(at+".Servers", b.Servers, false)
	if (len(b.Bind) == 0) != (len(b.Servers) == 0) {
		v.errs.Required(at, "give Bind and Servers for HAProxy, or neither for a balancer of another make")
	}
	l, listener := p.GatewayListener()
	if listener == "" {
		return
	}
	a, ok := l.Bound()
	if !ok {
		v.errs.Add(listener+".Service", ErrConflict,
			"give the balancer an inet service with a number or a usual name for its port, such as 127.0.0.1:10025",
			"%s: nothing can see to it that the balancer alone reaches this port", l.Service)
		return
	}
	switch loopback := a.Addr().IsLoopback(); {
	case loopback && !b.Local():
		v.errs.Add(at+".Addresses", ErrConflict,
			"leave Addresses empty where the balancer is on this server, or bind the listener to an address that the balancer reaches",
			"%s is loopback, which a balancer elsewhere does not reach", l.Service)
	case !loopback && b.Local():
		v.errs.Add(listener+".Service", ErrConflict, "bind it to loopback (127.0.0.1:10025), or set Balancer.Addresses and Firewall",
			"%s believes everybody who connects and announces the gateway's address, and others than the balancer on this server reach it",
			l.Service)
	case !loopback && !p.Firewall.Closes(a):
		v.errs.Add(listener+".Service", ErrConflict, fmt.Sprintf("put %d into Firewall.Ports, so that the balancer's addresses alone reach it, "+
			"or bind it to loopback with the balancer on this server", a.Port()),
			"%s believes everybody who connects and announces the gateway's address", l.Service)
	}
	for i, other := range p.Listeners {
		if port, ok := p.ProxyPort(); ok && other.Role != RoleGateway {
			if o, known := other.Bound(); known && o.Port() == port && p.Firewall.Closes(o) {
				v.errs.Add(paths.Index("Listeners", i)+".Service", ErrConflict,
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
		at := paths.Index(path, i)
		switch {
		case !a.IsValid() || a.Port() == 0 || a.Addr().Zone() != "" || a.Addr().Is4In6() || a.Addr().IsMulticast():
			v.errs.Add(at, ErrInvalid, "address:port, such as 192.0.2.10:25 or [2001:db8::10]:25", "%s", a)
		case !bind && a.Addr().IsUnspecified():
			v.errs.Add(at, ErrInvalid, "the address at which the balancer reaches the server", "%s is no place to connect to", a)
		default:
			if j, dup := seen[a]; dup {
				v.errs.Add(at, ErrDuplicate, "remove it", "%s stands at %s already", a, paths.Index(path, j))
			}
			seen[a] = i
		}
	}
}
