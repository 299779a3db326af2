package policy

import (
	"github.com/oxmailroute/oxmailroute/relay/internal/condition"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// reservedPrefixes are all gateways' names, without the origin header.
func (p Policy) reservedPrefixes() []condition.Reserved {
	var list []condition.Reserved
	for i, g := range p.Gateways() {
		list = condition.Union(list, reservedOf(g, paths.Gateway(i)))
	}
	return list
}

// reservedOf are one gateway's.
func reservedOf(g Gateway, at string) []condition.Reserved {
	m := g.Markers
	return condition.ReservedBy(at, m.Reserved, m.Domain.Prefix, m.Loop, m.Released, m.Spam)
}
