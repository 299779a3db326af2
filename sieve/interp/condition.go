package interp

import (
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
)

// condition is a compiled test. Each records its own step.
type condition interface{ eval(r *run) bool }

type constant struct {
	step  int
	value bool
}

func (c constant) eval(r *run) bool { return r.note(c.step, c.value, nil) }

type negation struct {
	step int
	test condition
}

func (c *negation) eval(r *run) bool {
	at := r.begin(c.step)
	return r.end(at, !c.test.eval(r))
}

// junction is anyof, or where any is false, allof.
type junction struct {
	step  int
	tests []condition
	any   bool
}

func (c *junction) eval(r *run) bool {
	at := r.begin(c.step)
	for _, t := range c.tests {
		if t.eval(r) == c.any {
			return r.end(at, c.any)
		}
		if r.failed != nil {
			return r.end(at, false)
		}
	}
	return r.end(at, !c.any)
}

type sizeTest struct {
	step  int
	over  bool
	limit uint64
}

func (c *sizeTest) eval(r *run) bool {
	size := r.size()
	if c.over {
		return r.note(c.step, size > c.limit, nil)
	}
	return r.note(c.step, size < c.limit, nil)
}

type existsTest struct {
	step int
	source
}

func (c *existsTest) eval(r *run) bool {
	if c.simple() {
		for _, s := range c.slots {
			if r.first[s] < 0 {
				return r.note(c.step, false, nil)
			}
		}
		return r.note(c.step, true, nil)
	}
	for i := range c.count() {
		one := c.only(i)
		if len(r.entriesOf(&one)) == 0 {
			return r.note(c.step, false, nil)
		}
	}
	return r.note(c.step, true, nil)
}

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
			return r.note(c.step, true, last.text)
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
				return r.note(c.step, true, last.text)
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
	values := r.list[:0]
	for _, e := range r.entriesOf(&c.source) {
		v := r.decode(e)
		if c.part == "" {
			values = append(values, *v)
			continue
		}
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
						return r.note(c.step, true, last.text)
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
					return r.note(c.step, true, last.text)
				}
			}
		}
	}
	if m.kind == sieve.Count {
		return r.note(c.step, m.count(n), nil)
	}
	return r.missed(c.step, last)
}

type envelopeTest struct {
	step  int
	parts []text
	part  sieve.AddressPart
	match *matcher
}

func (c *envelopeTest) eval(r *run) bool {
	m := r.bind(c.match)
	if m == nil {
		return r.note(c.step, false, nil)
	}
	var last *value
	n := 0
	for i := range c.parts {
		v, count := r.envelopePart(r.str(&c.parts[i]), c.part)
		n += count
		if v == nil || m.kind == sieve.Count {
			continue
		}
		last = v
		if r.match(m, v) {
			return r.note(c.step, true, v.text)
		}
	}
	if m.kind == sieve.Count {
		return r.note(c.step, m.count(n), nil)
	}
	return r.missed(c.step, last)
}

// envelopePart returns a part of an address of the envelope, or nil where there
// is no such part, and as how many addresses it counts. The null sender is the
// empty string in every part.
func (r *run) envelopePart(field string, part sieve.AddressPart) (*value, int) {
	side, s := 0, r.in.From
	switch {
	case foldEqual(field, "from"):
	case foldEqual(field, "to"):
		side, s = 1, r.in.To
	case foldEqual(field, "auth"):
		if r.in.Auth == "" {
			return nil, 0
		}
		// It is a name and has no parts.
		if part == sieve.All {
			return &value{text: []byte(r.in.Auth)}, 1
		}
		return nil, 1
	default:
		return nil, 0
	}
	v := &r.envelope[side][partIndex(part)]
	if v.text != nil {
		return v, 1
	}
	a, ok := mailaddr.Envelope(s)
	if !ok {
		v.text = []byte{}
		return v, 1
	}
	start := len(r.arena)
	switch part {
	case sieve.All:
		r.arena = append(r.arena, a.String()...)
	case sieve.Domain:
		if a.Domain == "" {
			return nil, 1
		}
		r.arena = append(r.arena, a.Domain...)
	default:
		local, ok := r.local([]byte(a.Local), part)
		if !ok {
			return nil, 1
		}
		r.arena = append(r.arena, local...)
	}
	v.text = r.arena[start:len(r.arena):len(r.arena)]
	return v, 1
}

// local returns the part of a local part (RFC 5233 section 4).
func (r *run) local(local []byte, part sieve.AddressPart) ([]byte, bool) {
	if part == sieve.LocalPart {
		return local, true
	}
	for i, c := range local {
		for j := 0; j < len(r.program.delimiter); j++ {
			if c == r.program.delimiter[j] {
				if part == sieve.User {
					return local[:i:i], true
				}
				return local[i+1:], true
			}
		}
	}
	return local, part == sieve.User
}
