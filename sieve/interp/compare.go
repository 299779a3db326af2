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
		if r.match(m, last) {
			return r.note(step, true, last.text)
		}
	}
	return r.missed(step, last)
}
