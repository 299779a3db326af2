package sieve

import (
	"github.com/oxmailroute/oxmailroute/headers"
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

func (c negation) eval(r *run) bool {
	at := r.begin(c.step)
	return r.end(at, !c.test.eval(r))
}

// junction is anyof, or where any is false, allof.
type junction struct {
	step  int
	tests []condition
	any   bool
}

func (c junction) eval(r *run) bool {
	at := r.begin(c.step)
	for _, t := range c.tests {
		if t.eval(r) == c.any {
			return r.end(at, c.any)
		}
	}
	return r.end(at, !c.any)
}

type sizeTest struct {
	step  int
	over  bool
	limit uint64
}

func (c sizeTest) eval(r *run) bool {
	size := r.size()
	if c.over {
		return r.note(c.step, size > c.limit, nil)
	}
	return r.note(c.step, size < c.limit, nil)
}

type existsTest struct {
	step  int
	slots []int
}

func (c existsTest) eval(r *run) bool {
	for _, s := range c.slots {
		if r.first[s] < 0 {
			return r.note(c.step, false, nil)
		}
	}
	return r.note(c.step, true, nil)
}

type mailboxTest struct {
	step  int
	names []string
}

func (c mailboxTest) eval(r *run) bool {
	for _, name := range c.names {
		if !r.mailboxExists(name) {
			return r.note(c.step, false, []byte(name))
		}
	}
	return r.note(c.step, true, nil)
}

type headerTest struct {
	step  int
	slots []int
	match *matcher
}

func (c *headerTest) eval(r *run) bool {
	var last *value
	n := 0
	for _, s := range c.slots {
		for i := r.first[s]; i >= 0; i = r.entries[i].next {
			if c.match.kind == Count {
				n++
				continue
			}
			last = r.decode(i)
			if r.match(c.match, last) {
				return r.note(c.step, true, last.text)
			}
		}
	}
	if c.match.kind == Count {
		return r.note(c.step, c.match.count(n), nil)
	}
	return r.missed(c.step, last)
}

// contentTypeTest is the one form of the header test of RFC 5703 that is
// supported.
type contentTypeTest struct {
	step  int
	match *headers.Matcher
}

func (c contentTypeTest) eval(r *run) bool {
	return r.note(c.step, c.match.Match(r.header(), r.body()), nil)
}

type addressTest struct {
	step  int
	slots []int
	part  AddressPart
	match *matcher
}

func (c *addressTest) eval(r *run) bool {
	n := 0
	var last *value
	for _, s := range c.slots {
		for i := r.first[s]; i >= 0; i = r.entries[i].next {
			values, count := r.addresses(i, c.part)
			n += count
			if c.match.kind == Count {
				continue
			}
			for j := range values {
				last = &values[j]
				if r.match(c.match, last) {
					return r.note(c.step, true, last.text)
				}
			}
		}
	}
	if c.match.kind == Count {
		return r.note(c.step, c.match.count(n), nil)
	}
	return r.missed(c.step, last)
}

type envelopeTest struct {
	step  int
	to    []bool // for each field, whether it is the recipient
	part  AddressPart
	match *matcher
}

func (c *envelopeTest) eval(r *run) bool {
	var last *value
	n := 0
	for _, to := range c.to {
		n++
		if c.match.kind == Count {
			continue
		}
		v := r.envelopePart(to, c.part)
		if v == nil {
			continue
		}
		last = v
		if r.match(c.match, v) {
			return r.note(c.step, true, v.text)
		}
	}
	if c.match.kind == Count {
		return r.note(c.step, c.match.count(n), nil)
	}
	return r.missed(c.step, last)
}

// envelopePart returns a part of the sender's or recipient's address, or nil
// where it has no such part. The null sender is the empty string in every part.
func (r *run) envelopePart(to bool, part AddressPart) *value {
	side, s := 0, r.in.From
	if to {
		side, s = 1, r.in.To
	}
	v := &r.envelope[side][partIndex(part)]
	if v.text != nil {
		return v
	}
	v.text = []byte{}
	if a, ok := envelopeAddress(s); ok {
		if part == Domain && a.domain == "" {
			v.text = nil
			return nil
		}
		start := len(r.arena)
		switch part {
		case LocalPart:
			r.arena = append(r.arena, a.local...)
		case Domain:
			r.arena = append(r.arena, a.domain...)
		default:
			r.arena = append(r.arena, a.String()...)
		}
		v.text = r.arena[start:len(r.arena):len(r.arena)]
	}
	return v
}

type flagTest struct {
	step  int
	match *matcher
}

func (c *flagTest) eval(r *run) bool {
	if c.match.kind == Count {
		return r.note(c.step, c.match.count(len(r.flags)), nil)
	}
	var last *value
	for _, f := range r.flags {
		start := len(r.arena)
		r.arena = append(r.arena, f...)
		last = &value{text: r.arena[start:len(r.arena):len(r.arena)]}
		if r.match(c.match, last) {
			return r.note(c.step, true, last.text)
		}
	}
	return r.missed(c.step, last)
}
