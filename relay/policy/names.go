package policy

import (
	"iter"

	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// LoginDemand is a mechanism that nobody has. A server that offers nothing but it
// can't be logged in to, which smtp(8) takes for a failed login; where AUTH is
// not offered at all, it would send without.
const LoginDemand = "X-OXMAILROUTE-LOGIN"

// OrderedTenants are the policy's tenants with their places, by name.
func (p Policy) OrderedTenants() iter.Seq2[int, Tenant] {
	keys := make([]string, len(p.Tenants))
	for i, t := range p.Tenants {
		keys[i] = t.Name
	}
	return func(yield func(int, Tenant) bool) {
		for _, i := range paths.Order(keys) {
			if !yield(i, p.Tenants[i]) {
				return
			}
		}
	}
}
