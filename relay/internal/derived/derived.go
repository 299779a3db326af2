// Package derived has what follows from a policy and only its compilation asks for.
package derived

import (
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay/internal/condition"
	"github.com/oxmailroute/oxmailroute/relay/internal/delivery"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
	"github.com/oxmailroute/oxmailroute/relay/policy"
)

// Tenants are the policy's tenants with their places, by name.
func Tenants(p policy.Policy) iter.Seq2[int, policy.Tenant] {
	keys := make([]string, len(p.Tenants))
	for i, t := range p.Tenants {
		keys[i] = t.Name
	}
	return func(yield func(int, policy.Tenant) bool) {
		for _, i := range paths.Order(keys) {
			if !yield(i, p.Tenants[i]) {
				return
			}
		}
	}
}

// TenantAt is what the tenant is called that a path leads to; empty for other
// paths.
func TenantAt(p policy.Policy, path string) string {
	i, ok := paths.Tenant(path)
	if !ok || i >= len(p.Tenants) {
		return ""
	}
	return paths.Called(p.Tenants[i].Name, p.Tenants[i].Domains)
}

// Named says of each problem whose it is.
func Named(p policy.Policy, l policy.Errors) policy.Errors {
	for _, e := range l {
		if e != nil {
			e.Tenant = TenantAt(p, e.Path)
		}
	}
	return l
}

// ReEntries are the indices of the listeners where mail of other servers comes
// in again.
func ReEntries(p policy.Policy) (list []int) {
	for i, l := range p.Listeners {
		if l.Role == policy.RoleReEntry {
			list = append(list, i)
		}
	}
	return list
}

// Sorts reports whether what Sieve sends comes here, of this server or of others.
func Sorts(p policy.Policy) bool {
	return p.Topology == policy.TopologyMailboxes || len(ReEntries(p)) > 0
}

// Networks are those of all gateways.
func Networks(p policy.Policy) []netip.Prefix {
	var out []netip.Prefix
	for _, g := range p.Gateways() {
		for _, n := range g.Networks {
			if !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

// Reserved are one gateway's names; at is its path.
func Reserved(g policy.Gateway, at string) []condition.Reserved {
	m := g.Markers
	return condition.ReservedBy(at, m.Reserved, m.Domain.Prefix, m.Loop, m.Released, m.Spam)
}

// AllReserved are all gateways' names, without the origin header.
func AllReserved(p policy.Policy) []condition.Reserved {
	var list []condition.Reserved
	for i, g := range p.Gateways() {
		list = condition.Union(list, Reserved(g, paths.Gateway(i)))
	}
	return list
}

// BalancerFrom says where the balancer connects from, for traces.
func BalancerFrom(b policy.Balancer) string {
	if b.Local() {
		return "loopback"
	}
	list := make([]string, len(b.Addresses))
	for i, a := range b.Addresses {
		list[i] = a.String()
	}
	return strings.Join(list, ", ")
}

// Delivery is the mail that the rules for delivery are about.
func Delivery(p policy.Policy) delivery.Marked {
	if p.Topology != policy.TopologyMailboxes {
		return delivery.Marked{}
	}
	m := delivery.Marked{Folder: p.Spam.Folder, Create: p.Spam.Create}
	for _, g := range p.Gateways() {
		m.Add(g.Markers.Released, g.Markers.Spam)
	}
	return m
}

// Sending are the hosted domains with anybody who sends through a gateway.
func Sending(p policy.Policy) map[string]bool {
	s := delivery.NewSwitches()
	for _, t := range p.Tenants {
		s.Add(t.Domains, t.Store == "", delivery.Scope{All: t.Scope.Use == policy.ScopeAll, ByDomain: t.Scope.Use == policy.ScopeDomains,
			BySender: t.Scope.Use == policy.ScopeSenders, Domains: t.Scope.Domains, Senders: t.Scope.Senders, Except: t.Scope.Except})
	}
	return s.Sending()
}

// Policed reports whether each host needs a line of its own in
// smtp_tls_policy_maps.
func Policed(s policy.SmartHost) bool {
	switch hosts := s.Hosts(); s.EffectiveLevel() {
	case policy.LevelSecure:
		return slices.ContainsFunc(hosts, func(h policy.FallbackHost) bool {
			return !strings.EqualFold(h.EffectiveTLSName(), hosts[0].EffectiveTLSName())
		})
	case policy.LevelFingerprint:
		return len(s.Fallback) > 0
	}
	return false
}

// InASCII spells the hosts that mail is sent to, and this server's own name, with
// A-labels, which DNS and certificates have. Postfix would translate U-labels
// itself, but only with smtputf8_enable, not in the case in which they are
// written, and with a warning for each message where smtp_tls_policy_maps is
// asked for a next hop with a port; and the password of a smart host is looked up
// by the name as it is written. Domains of senders and recipients are keys that
// are compared with addresses, and stay in both spellings.
func InASCII(p policy.Policy) policy.Policy {
	p.Gateway.SmartHost = hostInASCII(p.Gateway.SmartHost)
	for i := range p.Further {
		p.Further[i].SmartHost = hostInASCII(p.Further[i].SmartHost)
	}
	p.Server.Hostname = mailaddr.AsciiHost(p.Server.Hostname)
	p.DirectVia = mailaddr.AsciiHop(p.DirectVia)
	for i := range p.Tenants {
		p.Tenants[i].Store = mailaddr.AsciiHop(p.Tenants[i].Store)
	}
	return p
}

func hostInASCII(s policy.SmartHost) policy.SmartHost {
	s.Host, s.TLSName = mailaddr.AsciiHost(s.Host), mailaddr.AsciiHost(s.TLSName)
	for i := range s.Fallback {
		f := &s.Fallback[i]
		f.Host, f.TLSName = mailaddr.AsciiHost(f.Host), mailaddr.AsciiHost(f.TLSName)
	}
	return s
}
