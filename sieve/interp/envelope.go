package interp

import (
	"cmp"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
)

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
			return r.noteValue(c.step, true, v)
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
		side, s = 1, r.originalTo()
	case foldEqual(field, "auth"):
		name := cmp.Or(r.in.Auth, r.in.Environment["username"])
		if name == "" {
			return nil, 0
		}
		// It is a name and has no parts.
		if part == sieve.All {
			return &value{text: []byte(name)}, 1
		}
		return nil, 1
	default:
		return nil, 0
	}
	if r.envelope == nil {
		r.envelope = new([2][5]value)
	}
	r.enveloped = true
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
