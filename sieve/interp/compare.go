package interp

import (
	"github.com/oxmailroute/oxmailroute/sieve"
)

// compare is a test of values that are all there.
func (r *run) compare(step int, m *matcher, values []value) bool {
	if m = r.bind(m); m == nil {
		return r.note(step, false, nil)
	}
	if m.kind == sieve.Count {
		return r.note(step, m.count(len(values)), nil)
	}
	var last *value
	for i := range values {
		last = &values[i]
		last.once = true
		if r.match(m, last) {
			return r.noteValue(step, true, last)
		}
	}
	return r.missed(step, last)
}

// compareRefs is compare for values that stand elsewhere.
func (r *run) compareRefs(step int, m *matcher, values []*value) bool {
	if m = r.bind(m); m == nil {
		return r.note(step, false, nil)
	}
	if m.kind == sieve.Count {
		return r.note(step, m.count(len(values)), nil)
	}
	var last *value
	for _, last = range values {
		if r.match(m, last) {
			return r.noteValue(step, true, last)
		}
	}
	return r.missed(step, last)
}
