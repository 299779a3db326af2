package sieve

import "errors"

// This file reads addresses the way Dovecot 2.3 does, which is laxer than RFC
// 5322 in some places (dots at odd places of a local part) and stricter in
// others (octets over 127).

// outcome is what a piece of the address grammar found.
type outcome int

const (
	broken outcome = iota - 1 // not what was wanted
	atEnd                     // found, and the text is used up
	more                      // found, and there is text left
)

// addressParser reads addresses of s from offset i on. What it finds stands in
// buf.
type addressParser struct {
	s   []byte
	i   int
	buf []byte
	// names asks for display names; phrases and comments leave theirs in name
	// and note.
	names      bool
	name, note []byte
}

// since returns what was appended to buf from start on.
func (p *addressParser) since(start int) []byte { return p.buf[start:len(p.buf):len(p.buf)] }

func (p *addressParser) at(c byte) bool { return p.i < len(p.s) && p.s[p.i] == c }

// blank skips white space and comments.
func (p *addressParser) blank() outcome {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\r', '\n':
			p.i++
		case '(':
			if !p.comment() {
				return broken
			}
		default:
			return more
		}
	}
	return atEnd
}

func (p *addressParser) comment() bool {
	depth, start := 0, p.i
	for ; p.i < len(p.s); p.i++ {
		switch p.s[p.i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				p.i++
				if p.names {
					p.note = commentText(p.s[start+1 : p.i-1])
				}
				return true
			}
		case '\\':
			p.i++
		}
	}
	p.i = len(p.s)
	return false
}

// commentText is the text of a comment without its quoting and folds.
func commentText(s []byte) []byte {
	var out []byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\n', c == '\r' && i+1 < len(s) && s[i+1] == '\n':
		case c == '\\' && i+1 < len(s) && s[i+1] != '\r' && s[i+1] != '\n':
			i++
			out = append(out, s[i])
		default:
			out = append(out, c)
		}
	}
	return out
}

// atom appends the octets of atext, and dots where they count, to buf.
func (p *addressParser) atom(dots bool) {
	start := p.i
	for p.i < len(p.s) && (atext[p.s[p.i]] || dots && p.s[p.i] == '.') {
		p.i++
	}
	p.buf = append(p.buf, p.s[start:p.i]...)
}

func (p *addressParser) quoted() outcome {
	for p.i++; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; c {
		case '"':
			p.i++
			return p.blank()
		case '\r':
			if p.i+1 < len(p.s) && p.s[p.i+1] == '\n' {
				continue
			}
			p.buf = append(p.buf, c)
		case '\n':
		case '\\':
			p.i++
			if p.i == len(p.s) {
				return broken
			}
			p.buf = append(p.buf, p.s[p.i])
		default:
			p.buf = append(p.buf, c)
		}
	}
	return broken
}

// phrase reads a display name or group name.
func (p *addressParser) phrase() outcome {
	if p.i == len(p.s) {
		return atEnd
	}
	if p.at('.') {
		return broken
	}
	defer func(n int) {
		if p.names {
			p.name = append([]byte(nil), p.buf[n:]...)
		}
		p.buf = p.buf[:n]
	}(len(p.buf))
	for {
		var r outcome
		if p.at('"') {
			r = p.quoted()
		} else {
			p.atom(true)
			r = p.blank()
		}
		if r != more {
			return r
		}
		if c := p.s[p.i]; !atext[c] && c != '"' && c != '.' {
			return more
		}
		p.buf = append(p.buf, ' ')
	}
}

// localPart reads a local part; dots can stand anywhere in it.
func (p *addressParser) localPart() ([]byte, outcome) {
	start := len(p.buf)
	if p.at('"') {
		r := p.quoted()
		return p.since(start), r
	}
	r := broken
	for {
		for p.at('.') {
			p.buf = append(p.buf, '.')
			p.i++
			if p.i == len(p.s) {
				return p.since(start), atEnd
			}
			r = more
		}
		if p.at('@') {
			break
		}
		if p.i == len(p.s) || !atext[p.s[p.i]] {
			r = broken
			break
		}
		p.atom(false)
		if r = p.blank(); r != more || !p.at('.') {
			break
		}
	}
	return p.since(start), r
}

// domain reads "@" and a domain.
func (p *addressParser) domain() ([]byte, outcome) {
	p.i++
	if p.blank() != more {
		return nil, broken
	}
	start := len(p.buf)
	if p.at('[') {
		literal := p.i
		for ; p.i < len(p.s); p.i++ {
			switch p.s[p.i] {
			case '\\':
				p.i++
			case ']':
				p.i++
				p.buf = append(p.buf, p.s[literal:p.i]...)
				return p.since(start), p.blank()
			}
		}
		p.i = len(p.s)
		return nil, broken
	}
	if !atext[p.s[p.i]] {
		return nil, broken
	}
	for {
		p.atom(false)
		r := p.blank()
		if r != more || !p.at('.') {
			return p.since(start), r
		}
		p.i++
		p.buf = append(p.buf, '.')
		if p.blank() != more || !atext[p.s[p.i]] {
			return p.since(start), broken
		}
	}
}

// angle reads "<" route local-part "@" domain ">". Without a mailbox ok is
// false and the outcome good.
func (p *addressParser) angle(a *found) outcome {
	p.i++
	if p.blank() != more {
		return broken
	}
	if p.at('@') {
		for p.at('@') {
			if _, r := p.domain(); r != more {
				break
			}
			for p.blank() == more && p.at(',') {
				p.i++
			}
		}
		if p.i == len(p.s) {
			return broken
		}
		if p.at(':') {
			p.i++
		}
		if p.blank() != more {
			return broken
		}
	}
	if !p.at('>') {
		local, r := p.localPart()
		if r != broken {
			a.local, a.hasLocal = local, true
		}
		if r != more {
			return broken
		}
		if p.at('@') {
			domain, r := p.domain()
			if r != broken {
				a.domain = domain
			}
			if r != more {
				return broken
			}
		}
	}
	if !p.at('>') {
		return broken
	}
	p.i++
	return p.blank()
}

// found is an address in a header field.
type found struct {
	local, domain []byte
	name          []byte // where addressParser.names asks for it
	hasLocal, bad bool
}

// mailbox reads one mailbox.
func (p *addressParser) mailbox() (found, outcome) {
	var a found
	start := p.i
	var r outcome
	if p.phrase() == more && p.at('<') {
		a.name = p.name
		if p.angle(&a) == broken {
			a.bad = true
		}
		r = atEnd
		if p.i < len(p.s) {
			r = more
		}
	} else {
		p.i = start
		r = p.addrSpec(&a)
	}
	if r == broken || !a.hasLocal || len(a.domain) == 0 {
		a.bad = true
	}
	return a, r
}

func (p *addressParser) addrSpec(a *found) outcome {
	if p.names {
		p.note = nil
		defer func() { a.name = p.note }()
	}
	local, r := p.localPart()
	if r != broken {
		a.local, a.hasLocal = local, true
	}
	if r != more {
		a.bad = true
	}
	if r != atEnd && p.at('@') {
		domain, rd := p.domain()
		if rd != broken {
			a.domain = domain
		}
		if rd != more {
			r = rd
		}
		return r
	}
	a.bad = true
	// Skip what can't be an address, to find the next comma.
	p.phrase()
	return broken
}

// addresses appends a list of addresses to dst, the members of groups included.
// Broken addresses are left out. ok is false where there is text, but not one
// address in it.
func (p *addressParser) addresses(dst []found) (list []found, ok bool) {
	if p.blank() != more {
		return dst, true
	}
	n := len(dst)
	// The server stops after 256.
	for range 256 {
		start := p.i
		var r outcome
		if p.phrase() == more && p.at(':') {
			dst, r = p.group(dst)
		} else {
			p.i = start
			var a found
			a, r = p.mailbox()
			dst = a.appendTo(dst)
		}
		if r == atEnd || !p.at(',') {
			break
		}
		p.i++
		if p.blank() != more {
			break
		}
	}
	return dst, len(dst) > n
}

// appendTo appends the address to a list, if it is good.
func (a found) appendTo(list []found) []found {
	if a.bad || !sendable(a.local) {
		return list
	}
	return append(list, a)
}

// group reads what follows the name of a group.
func (p *addressParser) group(dst []found) ([]found, outcome) {
	p.i++
	r := p.blank()
	if r == more && !p.at(';') {
		for {
			a, _ := p.mailbox()
			dst = a.appendTo(dst)
			if !p.at(',') {
				break
			}
			p.i++
			if p.blank() != more {
				return dst, more
			}
		}
	}
	if r != broken && p.at(';') {
		p.i++
		if p.blank() == atEnd {
			return dst, atEnd
		}
	}
	return dst, more
}

// parseMailbox reads exactly one address, with or without a display name, as
// the redirect and vacation commands want it (RFC 5228 section 2.4.2.3).
func parseMailbox(s string) (address, error) {
	p := addressParser{s: []byte(s)}
	p.blank()
	if p.i == len(p.s) {
		return address{}, errors.New("is empty")
	}
	start := p.i
	angle := p.phrase() == more && p.at('<')
	if angle {
		p.i++
		if p.blank() != more {
			return address{}, errors.New("lacks the address behind '<'")
		}
	} else {
		p.i = start
	}
	var a found
	var r outcome
	if a.local, r = p.localPart(); r == broken {
		return address{}, errors.New("has a broken local part")
	}
	if r != more || !p.at('@') {
		return address{}, errors.New("lacks '@' and a domain")
	}
	if a.domain, r = p.domain(); r == broken {
		return address{}, errors.New("has a broken or no domain")
	}
	if angle {
		if !p.at('>') {
			return address{}, errors.New("lacks the closing '>'")
		}
		p.i++
		if p.blank() == broken {
			return address{}, errors.New("has text behind the address")
		}
	}
	switch {
	case p.at(','):
		return address{}, errors.New("is more than one address")
	case p.i < len(p.s):
		return address{}, errors.New("has text behind the address")
	case len(a.local) == 0:
		return address{}, errors.New("has an empty local part")
	case !sendable(a.local):
		return address{}, errors.New("has a local part that is not ASCII")
	}
	return address{string(a.local), string(a.domain)}, nil
}
