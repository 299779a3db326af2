// Package condition copies conditions on header fields and knows the names that
// they look at.
package condition

import (
	"reflect"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
)

// Clone copies a condition.
func Clone(c headers.Condition) headers.Condition {
	return headers.Condition{Predicate: ClonePredicate(c.Predicate)}
}

// ClonePredicate copies what a caller could change later.
func ClonePredicate(p headers.Predicate) headers.Predicate {
	switch p := p.(type) {
	case nil:
		return nil
	case headers.Exists:
		return p
	case headers.Match:
		p.Values = slices.Clone(p.Values)
		return p
	case headers.MatchPrefix:
		p.Values = slices.Clone(p.Values)
		return p
	case headers.ContentType:
		p.Types = slices.Clone(p.Types)
		return p
	case headers.Not:
		return headers.Not{Predicate: ClonePredicate(p.Predicate)}
	case headers.All:
		l := slices.Clone(p)
		for i := range l {
			l[i] = ClonePredicate(l[i])
		}
		return l
	case headers.Any:
		l := slices.Clone(p)
		for i := range l {
			l[i] = ClonePredicate(l[i])
		}
		return l
	case headers.Condition:
		return Clone(p)
	default: // validation refuses it
		return p
	}
}

// Covers reports whether every name that b has is one of r's.
func (r Reserved) Covers(b Reserved) bool {
	if r.Exact {
		return b.Exact && strings.EqualFold(r.Prefix, b.Prefix)
	}
	return len(b.Prefix) >= len(r.Prefix) && strings.EqualFold(b.Prefix[:len(r.Prefix)], r.Prefix)
}

// AnyCovers reports whether one of a list covers a name.
func AnyCovers(list []Reserved, r Reserved) bool {
	for _, have := range list {
		if have.Covers(r) {
			return true
		}
	}
	return false
}

// Reserved is a header name, or the beginning of some, that only the gateway
// may use.
type Reserved struct {
	Prefix string
	Exact  bool
	Path   string
}

// FieldNames are the header names that a predicate looks at.
func FieldNames(p headers.Predicate) []Reserved {
	switch p := p.(type) {
	case headers.Exists:
		return []Reserved{{Prefix: p.Name, Exact: true}}
	case headers.Match:
		return []Reserved{{Prefix: p.Name, Exact: true}}
	case headers.MatchPrefix:
		return []Reserved{{Prefix: p.Prefix}}
	case headers.Not:
		return FieldNames(p.Predicate)
	case headers.All:
		var list []Reserved
		for _, q := range p {
			list = append(list, FieldNames(q)...)
		}
		return list
	case headers.Any:
		var list []Reserved
		for _, q := range p {
			list = append(list, FieldNames(q)...)
		}
		return list
	case headers.Condition:
		return FieldNames(p.Predicate)
	case headers.ContentType, nil:
		return nil
	default: // validation refuses it
		return nil
	}
}

// AddTo adds a gateway's condition, where it has one that the others have not.
func AddTo(list headers.Any, c headers.Condition) headers.Any {
	if c.Predicate == nil || slices.ContainsFunc(list, func(p headers.Predicate) bool { return reflect.DeepEqual(p, c.Predicate) }) {
		return list
	}
	return append(list, c.Predicate)
}

// One is the only predicate of a list as it is.
func One(list headers.Any) headers.Predicate {
	if len(list) == 1 {
		return list[0]
	}
	return list
}
