package sieve

import (
	"bytes"

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
	size := uint64(max(r.in.Size, 0))
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

func (c headerTest) eval(r *run) bool {
	var v []byte
	n := 0
	for _, s := range c.slots {
		for i := r.first[s]; i >= 0; i = r.next[i] {
			if c.match.kind == Count {
				n++
				continue
			}
			v = r.value(i)
			if c.match.match(v) {
				return r.note(c.step, true, v)
			}
		}
	}
	if c.match.kind == Count {
		return r.note(c.step, c.match.count(n), nil)
	}
	return r.note(c.step, false, v)
}

// contentTypeTest is the one form of the header test of RFC 5703 that is
// supported.
type contentTypeTest struct {
	step  int
	match *headers.Matcher
}

func (c contentTypeTest) eval(r *run) bool {
	return r.note(c.step, c.match.Match(r.in.Header, r.in.Body), nil)
}

type addressTest struct {
	step  int
	slots []int
	part  AddressPart
	match *matcher
}

func (c addressTest) eval(r *run) bool {
	n := 0
	var v []byte
	for _, s := range c.slots {
		for i := r.first[s]; i >= 0; i = r.next[i] {
			values, count := addressValues(r.in.Header[i].Body, c.part)
			n += count
			if c.match.kind == Count {
				continue
			}
			for _, value := range values {
				v = []byte(value)
				if c.match.match(v) {
					return r.note(c.step, true, v)
				}
			}
		}
	}
	if c.match.kind == Count {
		return r.note(c.step, c.match.count(n), nil)
	}
	return r.note(c.step, false, v)
}

// addressValues returns what the address test compares of a field, and as how
// many addresses the field counts. Where there is no address in it, that is the
// text as it stands.
func addressValues(body []byte, part AddressPart) (values []string, count int) {
	raw := rawValue(body)
	if raw == "" {
		return []string{""}, 1
	}
	list, ok := parseAddresses(raw)
	if !ok {
		if part == All {
			values = []string{raw}
		}
		return values, 1
	}
	for _, a := range list {
		// An empty local part counts, and is nothing to compare.
		if a.local != "" {
			values = append(values, a.piece(part))
		}
	}
	return values, len(list)
}

// rawValue is the value as the address test sees it: not decoded.
func rawValue(body []byte) string {
	body = bytes.TrimRight(body, "\r\n")
	return string(bytes.Trim(body, " \t"))
}

func (a address) piece(p AddressPart) string {
	switch p {
	case LocalPart:
		return a.local
	case Domain:
		return a.domain
	}
	return a.String()
}

type envelopeTest struct {
	step  int
	to    []bool // for each field, whether it is the recipient
	part  AddressPart
	match *matcher
}

func (c envelopeTest) eval(r *run) bool {
	var v []byte
	n := 0
	for _, to := range c.to {
		s := r.in.From
		if to {
			s = r.in.To
		}
		a, ok := envelopeAddress(s)
		n++
		if c.match.kind == Count {
			continue
		}
		// The null sender is the empty string in every part.
		v = []byte{}
		if ok {
			if c.part == Domain && a.domain == "" {
				continue
			}
			v = []byte(a.piece(c.part))
		}
		if c.match.match(v) {
			return r.note(c.step, true, v)
		}
	}
	if c.match.kind == Count {
		return r.note(c.step, c.match.count(n), nil)
	}
	return r.note(c.step, false, v)
}

type flagTest struct {
	step  int
	match *matcher
}

func (c flagTest) eval(r *run) bool {
	if c.match.kind == Count {
		return r.note(c.step, c.match.count(len(r.flags)), nil)
	}
	var v []byte
	for _, f := range r.flags {
		v = []byte(f)
		if c.match.match(v) {
			return r.note(c.step, true, v)
		}
	}
	return r.note(c.step, false, v)
}
