package sieve

import (
	"errors"
	"strings"
)

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

// addressParser reads addresses of s from offset i on.
type addressParser struct {
	s string
	i int
}

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
	depth := 0
	for ; p.i < len(p.s); p.i++ {
		switch p.s[p.i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				p.i++
				return true
			}
		case '\\':
			p.i++
		}
	}
	p.i = len(p.s)
	return false
}

// run appends the octets that f takes to b.
func (p *addressParser) run(b *strings.Builder, f func(byte) bool) {
	start := p.i
	for p.i < len(p.s) && f(p.s[p.i]) {
		p.i++
	}
	b.WriteString(p.s[start:p.i])
}

func (p *addressParser) quoted(b *strings.Builder) outcome {
	for p.i++; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; c {
		case '"':
			p.i++
			return p.blank()
		case '\r':
			if p.i+1 < len(p.s) && p.s[p.i+1] == '\n' {
				continue
			}
			b.WriteByte(c)
		case '\n':
		case '\\':
			p.i++
			if p.i == len(p.s) {
				return broken
			}
			b.WriteByte(p.s[p.i])
		default:
			b.WriteByte(c)
		}
	}
	return broken
}

// phrase reads a display name or group name; the text is of no use here.
func (p *addressParser) phrase() outcome {
	if p.i == len(p.s) {
		return atEnd
	}
	if p.at('.') {
		return broken
	}
	for {
		var b strings.Builder
		var r outcome
		if p.at('"') {
			r = p.quoted(&b)
		} else {
			p.run(&b, func(c byte) bool { return isAtext(c) || c == '.' })
			r = p.blank()
		}
		if r != more {
			return r
		}
		if c := p.s[p.i]; !isAtext(c) && c != '"' && c != '.' {
			return more
		}
	}
}

// localPart reads a local part; dots can stand anywhere in it.
func (p *addressParser) localPart() (string, outcome) {
	var b strings.Builder
	if p.at('"') {
		r := p.quoted(&b)
		return b.String(), r
	}
	r := broken
	for {
		for p.at('.') {
			b.WriteByte('.')
			p.i++
			if p.i == len(p.s) {
				return b.String(), atEnd
			}
			r = more
		}
		if p.at('@') {
			break
		}
		if p.i == len(p.s) || !isAtext(p.s[p.i]) {
			r = broken
			break
		}
		p.run(&b, isAtext)
		if r = p.blank(); r != more || !p.at('.') {
			break
		}
	}
	return b.String(), r
}

// domain reads "@" and a domain.
func (p *addressParser) domain() (string, outcome) {
	p.i++
	if p.blank() != more {
		return "", broken
	}
	var b strings.Builder
	if p.at('[') {
		start := p.i
		for ; p.i < len(p.s); p.i++ {
			switch p.s[p.i] {
			case '\\':
				p.i++
			case ']':
				p.i++
				b.WriteString(p.s[start:p.i])
				return b.String(), p.blank()
			}
		}
		p.i = len(p.s)
		return "", broken
	}
	if !isAtext(p.s[p.i]) {
		return "", broken
	}
	for {
		p.run(&b, isAtext)
		r := p.blank()
		if r != more || !p.at('.') {
			return b.String(), r
		}
		p.i++
		b.WriteByte('.')
		if p.blank() != more || !isAtext(p.s[p.i]) {
			return b.String(), broken
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

// found is an address under construction.
type found struct {
	address
	hasLocal, bad bool
}

// mailbox reads one mailbox.
func (p *addressParser) mailbox() (found, outcome) {
	var a found
	start := p.i
	var r outcome
	if p.phrase() == more && p.at('<') {
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
	if r == broken || !a.hasLocal || a.domain == "" {
		a.bad = true
	}
	return a, r
}

func (p *addressParser) addrSpec(a *found) outcome {
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

// parseAddresses reads a list of addresses, the members of groups included.
// Broken addresses are left out. ok is false where there is text, but not one
// address in it.
func parseAddresses(s string) (list []address, ok bool) {
	p := addressParser{s: s}
	if p.blank() != more {
		return nil, true
	}
	add := func(a found) {
		if !a.bad && a.sendable() {
			list = append(list, a.address)
		}
	}
	// The server stops after 256.
	for range 256 {
		start := p.i
		var r outcome
		if p.phrase() == more && p.at(':') {
			r = p.group(add)
		} else {
			p.i = start
			var a found
			a, r = p.mailbox()
			add(a)
		}
		if r == atEnd || !p.at(',') {
			break
		}
		p.i++
		if p.blank() != more {
			break
		}
	}
	return list, len(list) > 0
}

// group reads what follows the name of a group.
func (p *addressParser) group(add func(found)) outcome {
	p.i++
	r := p.blank()
	if r == more && !p.at(';') {
		for {
			a, _ := p.mailbox()
			add(a)
			if !p.at(',') {
				break
			}
			p.i++
			if p.blank() != more {
				return more
			}
		}
	}
	if r != broken && p.at(';') {
		p.i++
		if p.blank() == atEnd {
			return atEnd
		}
	}
	return more
}

// parseMailbox reads exactly one address, with or without a display name, as
// the redirect and vacation commands want it (RFC 5228 section 2.4.2.3).
func parseMailbox(s string) (address, error) {
	p := addressParser{s: s}
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
	var a address
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
	case a.local == "":
		return address{}, errors.New("has an empty local part")
	case !a.sendable():
		return address{}, errors.New("has a local part that is not ASCII")
	}
	return a, nil
}
