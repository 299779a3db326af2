package interp

import (
	"github.com/oxmailroute/oxmailroute/sieve"
)

// plainTest is the header test of one name and one key, with Is or Contains.
type plainTest struct {
	step  int
	slot  int32
	match *matcher
}

func (c *plainTest) eval(r *run) bool {
	var last *value
	for i := r.first[c.slot]; i >= 0; {
		e := &r.entries[i]
		last = r.decode(e)
		if r.search(c.match, last) {
			return r.noteValue(c.step, true, last)
		}
		i = e.next
	}
	return r.missed(c.step, last)
}

type headerTest struct {
	step  int
	plain bool // nothing but names that are known and keys
	source
	match  *matcher
	part   sieve.MIMEPart
	params []text
}

func (c *headerTest) eval(r *run) bool {
	if !c.plain {
		return c.general(r)
	}
	var last *value
	n := 0
	for _, s := range c.slots {
		for i := r.first[s]; i >= 0; i = r.entries[i].next {
			if c.match.kind == sieve.Count {
				n++
				continue
			}
			last = r.decode(&r.entries[i])
			if r.match(c.match, last) {
				return r.noteValue(c.step, true, last)
			}
		}
	}
	if c.match.kind == sieve.Count {
		return r.note(c.step, c.match.count(n), nil)
	}
	return r.missed(c.step, last)
}

// general is the test with variables, an index or MIME parts.
func (c *headerTest) general(r *run) bool {
	if c.match.kind == sieve.Count {
		return c.count(r)
	}
	entries := r.entriesOf(&c.source)
	if c.part == "" {
		refs := r.refs[:0]
		for _, e := range entries {
			refs = append(refs, r.decode(e))
		}
		r.refs = refs
		return r.compareRefs(c.step, c.match, refs)
	}
	values := r.list[:0]
	for _, e := range entries {
		values = r.mimeValues(values, e, c.part, c.params)
	}
	r.list = values
	return r.compare(c.step, c.match, values)
}

// count is the general test with Count. With an index the server takes the last
// field for none.
func (c *headerTest) count(r *run) bool {
	m := r.bind(c.match)
	if m == nil {
		return r.note(c.step, false, nil)
	}
	all := c.source
	all.index = 0
	n := len(r.entriesOf(&all))
	if c.index > 0 {
		if c.index < uint64(n) {
			n = 1
		} else {
			n = 0
		}
	}
	return r.note(c.step, m.count(n), nil)
}
