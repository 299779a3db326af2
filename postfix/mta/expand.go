package mta

import (
	"errors"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// redirected is REDIRECT: one recipient instead of all.
func (w *Way) redirected(address string) {
	m := *w.m
	m.To = address
	f := w.fork()
	f.m = &m
	f.forward(address) // not expanded again
}

// aliasError is cleanup(8)'s answer where an alias has too many members, or is
// nested too deep.
const aliasError = "4.6.0 Alias expansion error"

// expand is cleanup(8)'s virtual alias expansion, and a way for each result.
func (w *Way) expand(l *listener, next func(w *Way, to string)) {
	if w.taken != nil {
		each := next
		next = func(w *Way, to string) {
			taken, key := w.taken, fold(to)
			if w.taken = nil; taken[key] {
				return
			}
			taken[key] = true
			each(w, to)
		}
	}
	if !l.maps || l.cleanup.noAliases {
		w.phase = queued
		next(w, w.m.To)
		return
	}
	a := postfix.Aliases{Search: w.e.addresses, Rewrite: w.e.canonical, Split: addressesOf, Propagate: w.e.expand,
		RecursionLimit: w.e.limits[0], ExpansionLimit: w.e.limits[1], AddressLimit: w.e.limits[2]}
	if w.e.aliases != nil {
		if len(w.e.aliases.maps) == 0 && len(w.e.aliases.opaque) == 0 {
			w.phase = queued
			next(w, w.m.To)
			return
		}
		w.e.aliases.unknown(w, w.m.To)
		a.Map = w.e.aliases.asked
	} else {
		a.Map = &directory{q: w.q, alias: true}
	}
	list, err := a.Expand(w.m.To)
	if err != nil && !errors.Is(err, postfix.ErrSyntax) { // the table's
		w.fail(err)
		w.step("aliases", "", place{"virtual_alias_maps", 0}, w.m.To, err.Error())
		if w.pickup() || w.hops > 0 {
			w.end(ActionDefer, "451", w.m.To, "4.3.0 Error: queue file write error")
		} else {
			w.end(ActionReject, "451", w.m.To, "4.3.0 Error: queue file write error")
		}
		return
	}
	if err != nil {
		w.step("aliases", "", place{"virtual_alias_maps", 0}, w.m.To, err.Error())
		if w.pickup() {
			w.end(ActionDefer, "451", w.m.To, aliasError)
		} else {
			w.end(ActionReject, "451", w.m.To, aliasError)
		}
		return
	}
	w.phase = queued
	if len(list) == 1 {
		w.alias(list[0], next)
		return
	}
	seen := map[string]bool{}
	for _, l := range list {
		if key := fold(l.Address); !seen[key] {
			seen[key] = true
			w.fork().alias(l, next)
		}
	}
}

func (w *Way) alias(a postfix.Alias, next func(w *Way, to string)) {
	for _, h := range a.Hits {
		at := place{"virtual_alias_maps", 0}
		if w.e.aliases != nil {
			at = placeOfRow(h.Row)
		}
		w.step("aliases", "", at, h.Key, "expands")
	}
	next(w, a.Address)
}

// addressesOf takes the value of an address table apart as cleanup(8) does: by
// RFC 822, where names, comments and groups are no addresses.
func addressesOf(value string) (list []string) {
	for _, t := range parseAddresses(value) {
		if t.kind == addressToken {
			if one := externalAddress(t.parts); one != "" {
				list = append(list, one)
			}
		}
	}
	return list
}
