package policy

import (
	"github.com/oxmailroute/oxmailroute/relay/internal/condition"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// ReservedPrefixes are all gateways' names, without the origin header.
func (p Policy) ReservedPrefixes() []condition.Reserved {
	var list []condition.Reserved
	for i, g := range p.Gateways() {
		for _, r := range ReservedOf(g, GatewayPath(i)) {
			if !condition.AnyCovers(list, r) {
				list = append(list, r)
			}
		}
	}
	return list
}

// ReservedOf are one gateway's.
func ReservedOf(g Gateway, at string) []condition.Reserved {
	m := g.Markers
	var list []condition.Reserved
	add := func(r condition.Reserved) {
		if !condition.AnyCovers(list, r) {
			list = append(list, r)
		}
	}
	for i, r := range m.Reserved {
		add(condition.Reserved{Prefix: r, Path: paths.Index(at+".Markers.Reserved", i)})
	}
	if m.Domain.Prefix != "" {
		add(condition.Reserved{Prefix: m.Domain.Prefix, Path: at + ".Markers.Domain.Prefix"})
	}
	for i, c := range m.Loop {
		for _, r := range condition.FieldNames(c.Predicate) {
			r.Path = paths.Index(at+".Markers.Loop", i)
			add(r)
		}
	}
	for _, r := range condition.FieldNames(m.Released.Predicate) {
		r.Path = at + ".Markers.Released"
		add(r)
	}
	for _, r := range condition.FieldNames(m.Spam.Predicate) {
		r.Path = at + ".Markers.Spam"
		add(r)
	}
	return list
}
