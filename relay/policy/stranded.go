package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// stays are the domains that don't use the gateway, by tenant, for messages.
func (p Policy) stays() []string {
	const most = 5
	var out []string
	for i, t := range p.Tenants {
		var domains []string
		uses := t.Uses()
		for _, d := range t.Domains {
			if ascii, err := headers.ASCIIDomain(d); err == nil && !uses(ascii) {
				domains = append(domains, ascii)
			}
		}
		if len(domains) > most {
			domains = append(domains[:most:most], fmt.Sprintf("and %d more", len(domains)-most))
		}
		if len(domains) > 0 {
			out = append(out, fmt.Sprintf("%s %q (%s)", paths.Index("Tenants", i), t.Name, strings.Join(domains, ", ")))
		}
	}
	if len(out) > most {
		out = append(out[:most:most], fmt.Sprintf("and %d more", len(out)-most))
	}
	return out
}

// stranded refuses a policy in which domains stay as they are and nobody is let
// in who has mail for them: strangers are refused at the gateway's listener.
func (v *validator) stranded(p Policy) {
	in := p.Inbound
	if p.Topology == TopologyOutbound {
		return
	}
	if in.Anybody && !in.Shared {
		v.errs.Add("Inbound.Anybody", ErrConflict, "set Inbound.Shared, or remove it", "strangers are refused on a listener that is not shared")
	}
	stays := p.stays()
	switch {
	case in.Elsewhere && in.Shared:
		v.errs.Add("Inbound.Elsewhere", ErrConflict, "remove one of the two", "others come in by the gateway's listener (Inbound.Shared)")
	case in.Elsewhere && len(stays) == 0:
		v.errs.Add("Inbound.Elsewhere", ErrConflict, "remove it", "every domain uses the gateway")
	case in.Shared || in.Elsewhere || len(stays) == 0 || p.anotherDoor():
	default:
		v.errs.Add("Inbound.Shared", ErrConflict,
			`set it: strangers then deliver to these on the gateway's port, and the gateway's certificate is checked as before; `+
				`or give them a listener of their own, on another address, with role "internal"; `+
				`or set Inbound.Elsewhere where their mail comes in by another server`,
			"nobody could deliver to %s: these don't use the gateway, and the gateway's listener refuses strangers", strings.Join(stays, ", "))
	}
}

// anotherDoor reports whether others than the gateway have a listener that is
// not for this machine alone.
func (p Policy) anotherDoor() bool {
	return slices.ContainsFunc(p.Listeners, func(l Listener) bool {
		a, ok := l.Bound()
		return l.Role == RoleInternal && !(ok && (a.Addr() == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || a.Addr() == netip.IPv6Loopback()))
	})
}

// returnFlow refuses what would make a return flow an open relay or a loop.
func (v *validator) returnFlow(p Policy) {
	const at = "Inbound.Return"
	if !p.Inbound.Return {
		return
	}
	if p.Topology == TopologyOutbound {
		v.errs.Add(at, ErrConflict, `use topology "mailboxes" or "store"`, "topology \"outbound\" receives nothing from the gateway")
		return
	}
	if p.Inbound.Shared {
		v.errs.Add(at, headers.ErrNotExpressible, "give the gateway a listener of its own",
			"on a shared listener the installation's rules decide who may relay")
	}
	if p.Loop.NoOrigin {
		v.errs.Add("Loop.NoOrigin", ErrConflict, "remove it, or Inbound.Return",
			"without the origin header, mail that is handed back without a marker would go to the gateway again")
	}
	if len(p.Gateway.Client.Names)+len(p.Gateway.Client.Fingerprints) == 0 {
		v.errs.Required("Gateway.Client", "the gateway's certificate, by Names or Fingerprints: whoever comes from its addresses could relay")
	}
}
