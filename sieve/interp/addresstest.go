package interp

import (
	"github.com/oxmailroute/oxmailroute/sieve"
)

type addressTest struct {
	step int
	source
	part  sieve.AddressPart
	match *matcher
}

func (c *addressTest) eval(r *run) bool {
	m := r.bind(c.match)
	if m == nil {
		return r.note(c.step, false, nil)
	}
	n := 0
	var last *value
	r.brief = r.brief[:0]
	if c.simple() {
		for _, s := range c.slots {
			for i := r.first[s]; i >= 0; i = r.entries[i].next {
				values, count := r.addresses(&r.entries[i], c.part)
				n += count
				if m.kind == sieve.Count {
					continue
				}
				for j := range values {
					last = &values[j]
					if r.match(m, last) {
						return r.noteValue(c.step, true, last)
					}
				}
			}
		}
	} else {
		for _, e := range r.entriesOf(&c.source) {
			values, count := r.addresses(e, c.part)
			n += count
			if m.kind == sieve.Count {
				continue
			}
			for j := range values {
				last = &values[j]
				if r.match(m, last) {
					return r.noteValue(c.step, true, last)
				}
			}
		}
	}
	if m.kind == sieve.Count {
		return r.note(c.step, m.count(n), nil)
	}
	return r.missed(c.step, last)
}
