package condition

import (
	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// ReservedBy are the names that a gateway's markers have: those that it reserves,
// its domain markers' prefix, and what its conditions look at. at is the gateway's
// path.
func ReservedBy(at string, names []string, prefix string, loop []headers.Condition, released, spam headers.Condition) []Reserved {
	var list []Reserved
	add := func(r Reserved) {
		if !AnyCovers(list, r) {
			list = append(list, r)
		}
	}
	for i, r := range names {
		add(Reserved{Prefix: r, Path: paths.Index(at+".Markers.Reserved", i)})
	}
	if prefix != "" {
		add(Reserved{Prefix: prefix, Path: at + ".Markers.Domain.Prefix"})
	}
	for i, c := range loop {
		for _, r := range FieldNames(c.Predicate) {
			r.Path = paths.Index(at+".Markers.Loop", i)
			add(r)
		}
	}
	for _, r := range FieldNames(released.Predicate) {
		r.Path = at + ".Markers.Released"
		add(r)
	}
	for _, r := range FieldNames(spam.Predicate) {
		r.Path = at + ".Markers.Spam"
		add(r)
	}
	return list
}

// Union adds names that no other one of the list covers.
func Union(list, more []Reserved) []Reserved {
	for _, r := range more {
		if !AnyCovers(list, r) {
			list = append(list, r)
		}
	}
	return list
}
