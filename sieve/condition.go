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

// mimeTest is the header test of RFC 5703.
type mimeTest struct {
	step     int
	names    []string
	anyChild bool
	part     MIMEPart
	match    *matcher
}

func (c mimeTest) eval(r *run) bool {
	var v []byte
	n := 0
	found := false
	field := func(f headers.Field) bool {
		for _, name := range c.names {
			if !equalFold(f.Name, lowerASCII(name)) {
				continue
			}
			if v = mimeValue(c.part, r.decode(f)); v == nil {
				continue
			}
			if c.match.kind == Count {
				n++
			} else if c.match.match(v) {
				found = true
				return false
			}
		}
		return true
	}
	if c.anyChild {
		headers.Walk(r.in.Header, r.in.Body, func(_ headers.Class, f headers.Field) bool { return field(f) })
	} else {
		for _, f := range r.in.Header {
			if !field(f) {
				break
			}
		}
	}
	if c.match.kind == Count {
		return r.note(c.step, c.match.count(n), nil)
	}
	return r.note(c.step, found, v)
}

// mimeValue returns the piece of a value (RFC 5703 section 4.2), or nil where
// the value isn't of that form.
func mimeValue(part MIMEPart, v []byte) []byte {
	if part == "" {
		return v
	}
	p := addressParser{s: string(v)}
	var pieces [2]bytes.Buffer
	for i := range pieces {
		if p.blank() != more {
			return nil
		}
		start := p.i
		for p.i < len(p.s) && isMIMEToken(p.s[p.i]) {
			p.i++
		}
		pieces[i].WriteString(p.s[start:p.i])
		r := p.blank()
		if i == 0 {
			if r != more || !p.at('/') {
				return nil
			}
			p.i++
		}
	}
	switch part {
	case MIMEType:
		return pieces[0].Bytes()
	case MIMESubtype:
		return pieces[1].Bytes()
	}
	pieces[0].WriteByte('/')
	pieces[0].Write(pieces[1].Bytes())
	return pieces[0].Bytes()
}

// isMIMEToken reports token of RFC 2045 section 5.1.
func isMIMEToken(c byte) bool {
	return c == '.' || isAtext(c) && c != '/' && c != '?' && c != '='
}

type addressTest struct {
	step  int
	slots []int
	part  AddressPart
	match *matcher
}

func (c addressTest) eval(r *run) bool {
	var v []byte
	n := 0
	try := func(s string) bool {
		n++
		if c.match.kind == Count {
			return false
		}
		v = []byte(s)
		return c.match.match(v)
	}
	for _, s := range c.slots {
		for i := r.first[s]; i >= 0; i = r.next[i] {
			raw := rawValue(r.in.Header[i].Body)
			list, ok := parseAddresses(raw)
			if !ok {
				// The text as it stands is all there is.
				if (raw == "" || c.part == All) && try(raw) {
					return r.note(c.step, true, v)
				}
				continue
			}
			for _, a := range list {
				if try(a.piece(c.part)) {
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
