package around

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
	"github.com/oxmailroute/oxmailroute/relay/policy"
)

// Nftables is the ruleset of a policy's firewall: one table ("inet x"), which it
// replaces in one transaction, so that loading it again changes nothing and no
// moment is without it. The mark stands in the first line; off is the command that
// takes it out of the kernel again.
func Nftables(p policy.Policy, table, mark, off string) []byte {
	f := p.Firewall
	proxy, balanced := p.ProxyPort()
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
	line("# %s", mark)
	line("# Only the gateway, and who else is named here, reaches these ports. Include this")
	line("# file in /etc/nftables.conf behind the line that flushes the ruleset; take it out")
	line("# again with: %s", off)
	line("table %s", table)
	line("delete table %s", table)
	line("table %s {", table)
	var ports []string
	for _, port := range f.Ports {
		if !balanced || port != proxy {
			ports = append(ports, paths.Itoa(int(port)))
		}
	}
	if len(ports) > 0 {
		comment := "Gateway.Networks"
		if len(p.Further) > 0 {
			comment += ", and those of Further"
		}
		set("gateway", comment, derived.Networks(p))
	}
	if len(ports) > 0 && len(p.Inbound.Allow) > 0 {
		set("allowed", "Inbound.Allow", p.Inbound.Allow)
	}
	if balanced {
		set("balancer", "Balancer.Addresses", p.Balancer.Addresses)
	}
	line("\tchain input {")
	line("\t\t# Before the usual filters. What is accepted here, they still judge.")
	line("\t\ttype filter hook input priority filter - 5; policy accept;")
	line("\t\tiif \"lo\" accept")
	all := slices.Clone(ports)
	if balanced {
		all = append(all, paths.Itoa(int(proxy)))
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
		if len(p.Inbound.Allow) > 0 {
			admit("", "allowed")
		}
	}
	line("\t\tcounter drop")
	line("\t}")
	line("}")
	return b.Bytes()
}
