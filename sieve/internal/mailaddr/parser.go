package mailaddr

import (
	"errors"
)

// This file reads addresses the way Dovecot 2.3 does, which is laxer than RFC
// 5322 in some places (dots at odd places of a local part) and stricter in
// others (octets over 127).

// Outcome is what a piece of the address grammar found.
type Outcome int

const (
	Broken Outcome = iota - 1 // not what was wanted
	AtEnd                     // found, and the text is used up
	More                      // found, and there is text left
)

// Parser reads addresses of s from offset i on. What it finds stands in
// buf.
type Parser struct {
	S   []byte
	I   int
	Buf []byte
	// names asks for display names; phrases and comments leave theirs in name
	// and note.
	Names bool
	// UTF8 takes local parts with octets over 127 in Addresses, as 2.4 does. For
	// the addresses of scripts it doesn't.
	UTF8       bool
	name, note []byte
}

// Since returns what was appended to buf from start on.
func (p *Parser) Since(start int) []byte { return p.Buf[start:len(p.Buf):len(p.Buf)] }

// At reports whether the octet stands next.
func (p *Parser) At(c byte) bool { return p.I < len(p.S) && p.S[p.I] == c }

// Blank skips white space and comments.
func (p *Parser) Blank() Outcome {
	for p.I < len(p.S) {
		switch p.S[p.I] {
		case ' ', '\t', '\r', '\n':
			p.I++
		case '(':
			if !p.comment() {
				return Broken
			}
		default:
			return More
		}
	}
	return AtEnd
}

func (p *Parser) comment() bool {
	depth, start := 0, p.I
	for ; p.I < len(p.S); p.I++ {
		switch p.S[p.I] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				p.I++
				if p.Names {
					p.note = commentText(p.S[start+1 : p.I-1])
				}
				return true
			}
		case '\\':
			p.I++
		}
	}
	p.I = len(p.S)
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
func (p *Parser) atom(dots bool) {
	start := p.I
	for p.I < len(p.S) && (Atext[p.S[p.I]] || dots && p.S[p.I] == '.') {
		p.I++
	}
	p.Buf = append(p.Buf, p.S[start:p.I]...)
}

// Quoted reads a quoted string and what is blank behind it.
func (p *Parser) Quoted() Outcome {
	for p.I++; p.I < len(p.S); p.I++ {
		switch c := p.S[p.I]; c {
		case '"':
			p.I++
			return p.Blank()
		case '\r':
			if p.I+1 < len(p.S) && p.S[p.I+1] == '\n' {
				continue
			}
			p.Buf = append(p.Buf, c)
		case '\n':
		case '\\':
			p.I++
			if p.I == len(p.S) {
				return Broken
			}
			p.Buf = append(p.Buf, p.S[p.I])
		default:
			p.Buf = append(p.Buf, c)
		}
	}
	return Broken
}

// phrase reads a display name or group name.
func (p *Parser) phrase() Outcome {
	if p.I == len(p.S) {
		return AtEnd
	}
	if p.At('.') {
		return Broken
	}
	defer func(n int) {
		if p.Names {
			p.name = append([]byte(nil), p.Buf[n:]...)
		}
		p.Buf = p.Buf[:n]
	}(len(p.Buf))
	for {
		var r Outcome
		if p.At('"') {
			r = p.Quoted()
		} else {
			p.atom(true)
			r = p.Blank()
		}
		if r != More {
			return r
		}
		if c := p.S[p.I]; !Atext[c] && c != '"' && c != '.' {
			return More
		}
		p.Buf = append(p.Buf, ' ')
	}
}

// LocalPart reads a local part; dots can stand anywhere in it.
func (p *Parser) LocalPart() ([]byte, Outcome) {
	start := len(p.Buf)
	if p.At('"') {
		r := p.Quoted()
		return p.Since(start), r
	}
	r := Broken
	for {
		for p.At('.') {
			p.Buf = append(p.Buf, '.')
			p.I++
			if p.I == len(p.S) {
				return p.Since(start), AtEnd
			}
			r = More
		}
		if p.At('@') {
			break
		}
		if p.I == len(p.S) || !Atext[p.S[p.I]] {
			r = Broken
			break
		}
		p.atom(false)
		if r = p.Blank(); r != More || !p.At('.') {
			break
		}
	}
	return p.Since(start), r
}

// Domain reads "@" and a domain.
func (p *Parser) Domain() ([]byte, Outcome) {
	p.I++
	if p.Blank() != More {
		return nil, Broken
	}
	start := len(p.Buf)
	if p.At('[') {
		literal := p.I
		for ; p.I < len(p.S); p.I++ {
			switch p.S[p.I] {
			case '\\':
				p.I++
			case ']':
				p.I++
				for _, c := range p.S[literal:p.I] {
					if c != '\r' && c != '\n' { // which folds it
						p.Buf = append(p.Buf, c)
					}
				}
				return p.Since(start), p.Blank()
			}
		}
		p.I = len(p.S)
		return nil, Broken
	}
	if !Atext[p.S[p.I]] {
		return nil, Broken
	}
	for {
		p.atom(false)
		r := p.Blank()
		if r != More || !p.At('.') {
			return p.Since(start), r
		}
		p.I++
		p.Buf = append(p.Buf, '.')
		if p.Blank() != More || !Atext[p.S[p.I]] {
			return p.Since(start), Broken
		}
	}
}

// Angle reads "<" route local-part "@" domain ">". Without a mailbox ok is
// false and the outcome good.
func (p *Parser) Angle(a *Found) Outcome {
	p.I++
	if p.Blank() != More {
		return Broken
	}
	if p.At('@') {
		for p.At('@') {
			if _, r := p.Domain(); r != More {
				break
			}
			for p.Blank() == More && p.At(',') {
				p.I++
			}
		}
		if p.I == len(p.S) {
			return Broken
		}
		if p.At(':') {
			p.I++
		}
		if p.Blank() != More {
			return Broken
		}
	}
	if !p.At('>') {
		local, r := p.LocalPart()
		if r != Broken {
			a.Local, a.hasLocal = local, true
		}
		if r != More {
			return Broken
		}
		if p.At('@') {
			domain, r := p.Domain()
			if r != Broken {
				a.Domain = domain
			}
			if r != More {
				return Broken
			}
		}
	}
	if !p.At('>') {
		return Broken
	}
	p.I++
	return p.Blank()
}

// Found is an address in a header field.
type Found struct {
	Local, Domain []byte
	Name          []byte // where addressParser.names asks for it
	hasLocal, bad bool
}

// mailbox reads one mailbox.
func (p *Parser) mailbox() (Found, Outcome) {
	var a Found
	start := p.I
	var r Outcome
	if p.phrase() == More && p.At('<') {
		a.Name = p.name
		if p.Angle(&a) == Broken {
			a.bad = true
		}
		r = AtEnd
		if p.I < len(p.S) {
			r = More
		}
	} else {
		p.I = start
		r = p.AddrSpec(&a)
	}
	if r == Broken || !a.hasLocal || len(a.Domain) == 0 {
		a.bad = true
	}
	return a, r
}

// AddrSpec reads local-part "@" domain.
func (p *Parser) AddrSpec(a *Found) Outcome {
	if p.Names {
		p.note = nil
		defer func() { a.Name = p.note }()
	}
	local, r := p.LocalPart()
	if r != Broken {
		a.Local, a.hasLocal = local, true
	}
	if r != More {
		a.bad = true
	}
	if r != AtEnd && p.At('@') {
		domain, rd := p.Domain()
		if rd != Broken {
			a.Domain = domain
		}
		if rd != More {
			r = rd
		}
		return r
	}
	a.bad = true
	// Skip what can't be an address, to find the next comma.
	p.phrase()
	return Broken
}

// Addresses appends a list of addresses to dst, the members of groups included.
// Broken addresses are left out. ok is false where there is text, but not one
// address in it.
func (p *Parser) Addresses(dst []Found) (list []Found, ok bool) {
	if p.Blank() != More {
		return dst, true
	}
	n := len(dst)
	// The server stops after 256.
	for range 256 {
		start := p.I
		var r Outcome
		if p.phrase() == More && p.At(':') {
			dst, r = p.group(dst)
		} else {
			p.I = start
			var a Found
			a, r = p.mailbox()
			dst = p.good(dst, a)
		}
		if r == AtEnd || !p.At(',') {
			break
		}
		p.I++
		if p.Blank() != More {
			break
		}
	}
	return dst, len(dst) > n
}

// good appends the address to a list, if it is good.
func (p *Parser) good(list []Found, a Found) []Found {
	if a.bad || !Sendable(a.Local, p.UTF8) {
		return list
	}
	return append(list, a)
}

// group reads what follows the name of a group.
func (p *Parser) group(dst []Found) ([]Found, Outcome) {
	p.I++
	r := p.Blank()
	if r == More && !p.At(';') {
		for {
			a, _ := p.mailbox()
			dst = p.good(dst, a)
			if !p.At(',') {
				break
			}
			p.I++
			if p.Blank() != More {
				return dst, More
			}
		}
	}
	if r != Broken && p.At(';') {
		p.I++
		if p.Blank() == AtEnd {
			return dst, AtEnd
		}
	}
	return dst, More
}

// Parse reads exactly one address, with or without a display name, as
// the redirect and vacation commands want it (RFC 5228 section 2.4.2.3).
func Parse(s string) (Address, error) {
	p := Parser{S: []byte(s)}
	p.Blank()
	if p.I == len(p.S) {
		return Address{}, errors.New("is empty")
	}
	start := p.I
	angle := p.phrase() == More && p.At('<')
	if angle {
		p.I++
		if p.Blank() != More {
			return Address{}, errors.New("lacks the address behind '<'")
		}
	} else {
		p.I = start
	}
	var a Found
	var r Outcome
	if a.Local, r = p.LocalPart(); r == Broken {
		return Address{}, errors.New("has a broken local part")
	}
	if r != More || !p.At('@') {
		return Address{}, errors.New("lacks '@' and a domain")
	}
	if a.Domain, r = p.Domain(); r == Broken {
		return Address{}, errors.New("has a broken or no domain")
	}
	if angle {
		if !p.At('>') {
			return Address{}, errors.New("lacks the closing '>'")
		}
		p.I++
		if p.Blank() == Broken {
			return Address{}, errors.New("has text behind the address")
		}
	}
	switch {
	case p.At(','):
		return Address{}, errors.New("is more than one address")
	case p.I < len(p.S):
		return Address{}, errors.New("has text behind the address")
	case len(a.Local) == 0:
		return Address{}, errors.New("has an empty local part")
	case !Sendable(a.Local, false):
		return Address{}, errors.New("has a local part that is not ASCII")
	}
	return Address{string(a.Local), string(a.Domain)}, nil
}
