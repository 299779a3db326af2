package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// Firewall closes ports of this server to everybody but the gateway: a table of
// its own for nftables (nft(8)), which nothing else of a ruleset has to know.
// Zero: none is emitted.
//
// A packet is refused where any table refuses it, and an accept in one table
// does not take a refusal in another away. So the table only ever closes these
// ports, and whatever else closes them stays closed. It filters what comes in to
// the server itself, not what is forwarded to containers.
//
// With Policy.Further the ports are open to all gateways: each is still refused
// at the others' listeners, by smtpd(8).
type Firewall struct {
	// Ports are the TCP ports that are closed: 25, or whatever the gateway's
	// listener has.
	Ports []uint16
	// Addresses are those of this server at which they are closed. Empty: all.
	// Where listeners for others have the same port, this tells them apart.
	Addresses []netip.Addr
	// Directory is where the ruleset is installed. Empty: /etc/nftables. The
	// commands load it; so that it is there after a restart, include it in
	// /etc/nftables.conf behind the line that flushes the ruleset.
	Directory string
}

// IsZero reports whether none is emitted.
func (f Firewall) IsZero() bool {
	return len(f.Ports) == 0 && len(f.Addresses) == 0 && f.Directory == ""
}

func (f Firewall) clone() Firewall {
	f.Ports, f.Addresses = slices.Clone(f.Ports), slices.Clone(f.Addresses)
	return f
}

func (v *validator) firewall(p Policy) {
	f := p.Firewall
	if f.IsZero() {
		return
	}
	const at = "Firewall"
	if p.Topology == TopologyOutbound {
		v.errs.Add(at, ErrConflict, "remove it", "nothing comes in from the gateway in topology \"outbound\"")
		return
	}
	if p.Inbound.Shared {
		v.errs.Add(at, ErrConflict, "leave one of the two out", "it would close the port that others share with the gateway (Inbound.Shared)")
	}
	if len(f.Ports) == 0 {
		v.errs.Required(at+".Ports", "25, or the port of the gateway's listener")
	}
	seen := map[uint16]int{}
	for i, port := range f.Ports {
		if port == 0 {
			v.errs.Add(paths.Index(at+".Ports", i), ErrInvalid, "25, or the port of the gateway's listener", "0 is no port")
		} else if j, dup := seen[port]; dup {
			v.errs.Add(paths.Index(at+".Ports", i), ErrDuplicate, "remove it", "%d stands at %s already", port, paths.Index(at+".Ports", j))
		}
		seen[port] = i
	}
	known := map[netip.Addr]int{}
	for i, a := range f.Addresses {
		switch at := paths.Index(at+".Addresses", i); {
		case !a.IsValid() || a.Zone() != "" || a.Is4In6() || a.IsUnspecified() || a.IsMulticast():
			v.errs.Add(at, ErrInvalid, "an address of this server, or leave the list empty for all", "%s", a)
		case a.IsLoopback():
			v.errs.Add(at, ErrInvalid, "remove it", "%s is loopback, which the ruleset leaves open", a)
		default:
			if j, dup := known[a]; dup {
				v.errs.Add(at, ErrDuplicate, "remove it", "%s stands at %s already", a, paths.Index("Firewall.Addresses", j))
			}
			known[a] = i
		}
	}
	if f.Directory != "" {
		v.file(at+".Directory", f.Directory, "")
	}
	for i, l := range p.Listeners {
		b, ok := l.Bound()
		if !ok || len(f.Ports) == 0 || l.Role != RoleGateway {
			continue
		}
		open := !b.Addr().IsLoopback() && !f.Closes(b)
		if p.Balancer.Local() && len(p.Balancer.Bind) > 0 {
			open = !slices.ContainsFunc(p.Balancer.Bind, f.Closes)
		}
		if open {
			v.errs.Add(at, ErrConflict,
				"put the port of the gateway's listener, or of the balancer on this server, into Ports, and its address into Addresses",
				"what the gateway connects to (%s, %s) stays open to everybody", paths.Index("Listeners", i), l.Service)
		}
	}
	for i, l := range p.Listeners {
		b, ok := l.Bound()
		if !ok || !f.Closes(b) {
			continue
		}
		switch l.Role {
		case RoleSubmission:
			v.errs.Add(paths.Index("Listeners", i), ErrConflict,
				fmt.Sprintf("take %d out of Firewall.Ports, or name the gateway's address in Firewall.Addresses", b.Port()),
				"the firewall would close %s to the users who log in there", l.Service)
		case RoleInternal, RoleReEntry:
			if len(p.Inbound.Allow) == 0 {
				v.errs.Add(paths.Index("Listeners", i), ErrConflict, "name its clients in Inbound.Allow, or the gateway's address in Firewall.Addresses",
					"the firewall would close %s to the servers that send there", l.Service)
			}
		case RoleGateway, RoleReinjection:
		}
	}
}

// Closes reports whether the ruleset looks at connections to an address; the
// unspecified one stands for every address of the server.
func (f Firewall) Closes(a netip.AddrPort) bool {
	if !slices.Contains(f.Ports, a.Port()) || a.Addr().IsLoopback() {
		return false
	}
	return len(f.Addresses) == 0 || a.Addr().IsUnspecified() || slices.Contains(f.Addresses, a.Addr())
}

// servicePorts are the names that master.cf usually has for ports
// (services(5)).
var servicePorts = map[string]uint16{"smtp": 25, "mail": 25, "smtps": 465, "submissions": 465, "submission": 587, "ssmtp": 465, "urd": 465}

// Bound returns where a listener listens, the unspecified address where its
// name has none; ok is false where its port can't be known.
func (l Listener) Bound() (a netip.AddrPort, ok bool) {
	name, kind := l.Split()
	if kind != "inet" {
		return a, false
	}
	host, service := "", name
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		host, service = name[:i], name[i+1:]
	}
	port, ok := servicePorts[service]
	if !ok {
		n, err := strconv.ParseUint(service, 10, 16)
		if err != nil || n == 0 {
			return a, false
		}
		port = uint16(n)
	}
	addr := netip.IPv4Unspecified()
	if host == "localhost" {
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	} else if host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"); host != "" {
		parsed, err := netip.ParseAddr(host)
		if err != nil {
			return a, false
		}
		addr = parsed
	}
	return netip.AddrPortFrom(addr, port), true
}

// GatewayListener returns the listener that has the gateway's role.
func (p Policy) GatewayListener() (l Listener, at string) {
	for i, l := range p.Listeners {
		if l.Role == RoleGateway {
			return l, paths.Index("Listeners", i)
		}
	}
	return Listener{}, ""
}
