package delivery

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
)

// Switches say which mailboxes here send through a gateway.
type Switches struct {
	Domains map[string]bool // hosted ones, by A-labels: whether all of it does
	Single  map[string]bool // addresses for which it is otherwise than for their domain
}

// Scope is a tenant's: which of its senders use the gateway.
type Scope struct {
	All, ByDomain, BySender  bool
	Domains, Senders, Except []string
}

// NewSwitches are those of no tenant.
func NewSwitches() Switches { return Switches{map[string]bool{}, map[string]bool{}} }

// Add adds a tenant; here: its mailboxes are.
func (s Switches) Add(domains []string, here bool, scope Scope) {
	out := map[string]bool{}
	for _, e := range scope.Except {
		if strings.Contains(e, "@") {
			e, _ = mailaddr.Check(e)
		} else {
			e, _ = headers.ASCIIDomain(e)
		}
		out[e] = true
	}
	for _, d := range domains {
		d, _ = headers.ASCIIDomain(d)
		s.Domains[d] = here && scope.All && !out[d]
	}
	if !here {
		return
	}
	if scope.ByDomain {
		for _, d := range scope.Domains {
			d, _ = headers.ASCIIDomain(d)
			s.Domains[d] = !out[d]
		}
	}
	if scope.BySender {
		for _, a := range scope.Senders {
			a, _ = mailaddr.Check(a)
			if _, d := mailaddr.Split(a); !out[a] && !out[d] {
				s.Single[a] = true
			}
		}
		return
	}
	for e := range out {
		if strings.Contains(e, "@") {
			s.Single[e] = false
		}
	}
}

// Sending are the domains with anybody who sends through a gateway.
func (s Switches) Sending() map[string]bool {
	out := map[string]bool{}
	for d, in := range s.Domains {
		if in {
			out[d] = true
		}
	}
	for a, in := range s.Single {
		if in {
			_, d := mailaddr.Split(a)
			out[d] = true
		}
	}
	return out
}
