package relay

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
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

func (f Firewall) isZero() bool {
	return len(f.Ports) == 0 && len(f.Addresses) == 0 && f.Directory == ""
}

func (f Firewall) clone() Firewall {
	f.Ports, f.Addresses = slices.Clone(f.Ports), slices.Clone(f.Addresses)
	return f
}

const defaultFirewallDir = "/etc/nftables"

// firewallName is the ruleset among the emitted files.
func (n names) firewallName() string { return "nftables/" + n.smartHost + ".nft" }

// table is the name of the ruleset's table.
func (n names) table() string { return strings.ReplaceAll(n.owner, "-", "_") }

func (v *validator) firewall(p Policy) {
	f := p.Firewall
	if f.isZero() {
		return
	}
	const at = "Firewall"
	if p.Topology == Outbound {
		v.errs.add(at, ErrConflict, "remove it", "nothing comes in from the gateway in topology \"outbound\"")
		return
	}
	if p.Inbound.Shared {
		v.errs.add(at, ErrConflict, "leave one of the two out", "it would close the port that others share with the gateway (Inbound.Shared)")
	}
	if len(f.Ports) == 0 {
		v.errs.required(at+".Ports", "25, or the port of the gateway's listener")
	}
	seen := map[uint16]int{}
	for i, port := range f.Ports {
		if port == 0 {
			v.errs.add(index(at+".Ports", i), ErrInvalid, "25, or the port of the gateway's listener", "0 is no port")
		} else if j, dup := seen[port]; dup {
			v.errs.add(index(at+".Ports", i), ErrDuplicate, "remove it", "%d stands at %s already", port, index(at+".Ports", j))
		}
		seen[port] = i
	}
	known := map[netip.Addr]int{}
	for i, a := range f.Addresses {
		switch at := index(at+".Addresses", i); {
		case !a.IsValid() || a.Zone() != "" || a.Is4In6() || a.IsUnspecified() || a.IsMulticast():
			v.errs.add(at, ErrInvalid, "an address of this server, or leave the list empty for all", "%s", a)
		case a.IsLoopback():
			v.errs.add(at, ErrInvalid, "remove it", "%s is loopback, which the ruleset leaves open", a)
		default:
			if j, dup := known[a]; dup {
				v.errs.add(at, ErrDuplicate, "remove it", "%s stands at %s already", a, index("Firewall.Addresses", j))
			}
			known[a] = i
		}
	}
	if f.Directory != "" {
		v.file(at+".Directory", f.Directory, "")
	}
	for i, l := range p.Listeners {
		b, ok := l.bound()
		if !ok || len(f.Ports) == 0 || l.Role != RoleGateway {
			continue
		}
		open := !b.Addr().IsLoopback() && !f.closes(b)
		if p.Balancer.local() && len(p.Balancer.Bind) > 0 {
			open = !slices.ContainsFunc(p.Balancer.Bind, f.closes)
		}
		if open {
			v.errs.add(at, ErrConflict,
				"put the port of the gateway's listener, or of the balancer on this server, into Ports, and its address into Addresses",
				"what the gateway connects to (%s, %s) stays open to everybody", index("Listeners", i), l.Service)
		}
	}
	for i, l := range p.Listeners {
		b, ok := l.bound()
		if !ok || !f.closes(b) {
			continue
		}
		switch l.Role {
		case RoleSubmission:
			v.errs.add(index("Listeners", i), ErrConflict,
				fmt.Sprintf("take %d out of Firewall.Ports, or name the gateway's address in Firewall.Addresses", b.Port()),
				"the firewall would close %s to the users who log in there", l.Service)
		case RoleInternal, RoleReEntry:
			if len(p.Inbound.Allow) == 0 {
				v.errs.add(index("Listeners", i), ErrConflict, "name its clients in Inbound.Allow, or the gateway's address in Firewall.Addresses",
					"the firewall would close %s to the servers that send there", l.Service)
			}
		case RoleGateway, RoleReinjection:
		}
	}
}

// closes reports whether the ruleset looks at connections to an address; the
// unspecified one stands for every address of the server.
func (f Firewall) closes(a netip.AddrPort) bool {
	if !slices.Contains(f.Ports, a.Port()) || a.Addr().IsLoopback() {
		return false
	}
	return len(f.Addresses) == 0 || a.Addr().IsUnspecified() || slices.Contains(f.Addresses, a.Addr())
}

// servicePorts are the names that master.cf usually has for ports
// (services(5)).
var servicePorts = map[string]uint16{"smtp": 25, "mail": 25, "smtps": 465, "submissions": 465, "submission": 587, "ssmtp": 465, "urd": 465}

// bound returns where a listener listens, the unspecified address where its
// name has none; ok is false where its port can't be known.
func (l Listener) bound() (a netip.AddrPort, ok bool) {
	name, kind := l.split()
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

// allNetworks are the networks of all gateways.
func (p Policy) allNetworks() []netip.Prefix {
	var out []netip.Prefix
	for _, g := range p.gateways() {
		for _, n := range g.Networks {
			if !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

// gatewayListener returns the listener that has the gateway's role.
func (p Policy) gatewayListener() (l Listener, at string) {
	for i, l := range p.Listeners {
		if l.Role == RoleGateway {
			return l, index("Listeners", i)
		}
	}
	return Listener{}, ""
}

// emitFirewall writes the ruleset. It replaces its table in one transaction, so
// that loading it again changes nothing and no moment is without it.
func (c *compiler) emitFirewall() {
	f := c.policy.Firewall
	if f.isZero() {
		return
	}
	table := "inet " + c.names.table()
	proxy, balanced := c.policy.proxyPort()
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	set := func(name, comment string, nets []netip.Prefix) {
		for _, family := range []struct {
			suffix, kind string
			is           func(netip.Addr) bool
		}{{"4", "ipv4_addr", netip.Addr.Is4}, {"6", "ipv6_addr", netip.Addr.Is6}} {
			line("\t# %s", comment)
			line("\tset %s%s {", name, family.suffix)
			line("\t\ttype %s", family.kind)
			line("\t\tflags interval")
			line("\t\tauto-merge")
			first := true
			for _, n := range nets {
				if !family.is(n.Addr()) {
					continue
				}
				if first {
					line("\t\telements = {")
					first = false
				}
				line("\t\t\t%s,", n)
			}
			if !first {
				line("\t\t}")
			}
			line("\t}")
		}
	}
	line("# %s", c.names.managed())
	line("# Only the gateway, and who else is named here, reaches these ports. Include this")
	line("# file in /etc/nftables.conf behind the line that flushes the ruleset; take it out")
	line("# again with: %s", c.names.firewallOff())
	line("table %s", table)
	line("delete table %s", table)
	line("table %s {", table)
	var ports []string
	for _, port := range f.Ports {
		if !balanced || port != proxy {
			ports = append(ports, itoa(int(port)))
		}
	}
	if len(ports) > 0 {
		comment := "Gateway.Networks"
		if len(c.policy.Further) > 0 {
			comment += ", and those of Further"
		}
		set("gateway", comment, c.policy.allNetworks())
	}
	if len(ports) > 0 && len(c.policy.Inbound.Allow) > 0 {
		set("allowed", "Inbound.Allow", c.policy.Inbound.Allow)
	}
	if balanced {
		set("balancer", "Balancer.Addresses", c.policy.Balancer.Addresses)
	}
	line("\tchain input {")
	line("\t\t# Before the usual filters. What is accepted here, they still judge.")
	line("\t\ttype filter hook input priority filter - 5; policy accept;")
	line("\t\tiif \"lo\" accept")
	all := slices.Clone(ports)
	if balanced {
		all = append(all, itoa(int(proxy)))
	}
	line("\t\tmeta l4proto != tcp accept")
	line("\t\ttcp dport != { %s } accept", strings.Join(all, ", "))
	if len(f.Addresses) > 0 {
		for _, family := range []struct {
			proto, match string
			is           func(netip.Addr) bool
		}{{"ipv4", "ip", netip.Addr.Is4}, {"ipv6", "ip6", netip.Addr.Is6}} {
			var here []string
			for _, a := range f.Addresses {
				if family.is(a) {
					here = append(here, a.String())
				}
			}
			if len(here) == 0 {
				line("\t\tmeta nfproto %s accept", family.proto)
			} else {
				line("\t\t%s daddr != { %s } accept", family.match, strings.Join(here, ", "))
			}
		}
	}
	admit := func(match, set string) {
		line("\t\t%sip saddr @%s4 accept", match, set)
		line("\t\t%sip6 saddr @%s6 accept", match, set)
	}
	if balanced {
		admit(fmt.Sprintf("tcp dport %d ", proxy), "balancer")
		line("\t\ttcp dport %d counter drop", proxy)
	}
	if len(ports) > 0 {
		admit("", "gateway")
		if len(c.policy.Inbound.Allow) > 0 {
			admit("", "allowed")
		}
	}
	line("\t\tcounter drop")
	line("\t}")
	line("}")
	c.emit(c.names.firewallName(), b.Bytes(), true)
}

// firewallOff is the command that takes the table out of the kernel, whether or
// not it is there.
func (n names) firewallOff() Command {
	t := "inet " + n.table()
	return Command{Args: []string{"nft", "table " + t + "; delete table " + t}, Why: "open the ports that only the gateway reached",
		Silent: true}
}
