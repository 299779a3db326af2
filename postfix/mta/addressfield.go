package mta

import "strings"

// token is a word or a sign of an address field, as Postfix's tok822 library
// sees it, or an address of several tokens.
type token struct {
	kind  byte // the sign itself, or one of the kinds below
	text  string
	parts []token // of an address
}

// The kinds that are no signs; letters, which signs never are.
const (
	atomToken    = 'a'
	quotedToken  = 'q'
	literalToken = 'd' // a domain literal, without its brackets
	commentToken = 'c' // as written
	groupToken   = 'g' // the colon behind the name of a group
	addressToken = 'A'
)

// addressSigns are Postfix's single-character operators: RFC 822's specials,
// and those of addresses without @.
const addressSigns = `|%!()<>@,;:\".[]`

// maxTokens is header_address_token_limit's default.
const maxTokens = 10240

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// word reports whether a token is text and not a sign.
func (t *token) word() bool {
	switch t.kind {
	case atomToken, quotedToken, literalToken, commentToken, addressToken:
		return true
	}
	return false
}

// scanTokens reads a line word by word; limit 0 is none.
func scanTokens(s string, limit int) []token {
	var out []token
	for i := 0; i < len(s) && (limit == 0 || len(out) < limit); {
		c := s[i]
		switch {
		case c == 0:
			return out
		case blank(c):
			i++
		case c == '(':
			end := commentEnd(s, i+1)
			out = append(out, token{kind: commentToken, text: s[i:end]})
			i = end
		case c == '[' || c == '"':
			kind, closing := byte(quotedToken), c
			if c == '[' {
				kind, closing = literalToken, ']'
			}
			text, end := unescaped(s, i+1, func(c byte) bool { return c != closing })
			out = append(out, token{kind: kind, text: text})
			i = min(end+1, len(s))
		case c != '\\' && strings.IndexByte(addressSigns, c) >= 0:
			out = append(out, token{kind: c})
			i++
		default:
			text, end := unescaped(s, i, func(c byte) bool { return !blank(c) && strings.IndexByte(addressSigns, c) < 0 })
			t := token{kind: atomToken, text: text}
			for j := range len(text) {
				if c := text[j]; c == ' ' || c < ' ' || c == 127 || strings.IndexByte(addressSigns, c) >= 0 {
					t.kind = quotedToken
				}
			}
			out = append(out, t)
			i = end
		}
	}
	return out
}

// unescaped reads from i on while the characters fit; a backslash takes the
// next one in any case, and white space becomes a space.
func unescaped(s string, i int, fits func(byte) bool) (text string, end int) {
	var b strings.Builder
	for i < len(s) && s[i] != 0 {
		c := s[i]
		if c == '\\' {
			if i++; i == len(s) {
				break
			}
			c = s[i]
		} else if !fits(c) {
			break
		}
		if blank(c) {
			c = ' '
		}
		b.WriteByte(c)
		i++
	}
	return b.String(), i
}

// commentEnd is where the comment whose inside begins at i is over.
func commentEnd(s string, i int) int {
	for level := 1; i < len(s); i++ {
		switch s[i] {
		case '(':
			level++
		case ')':
			if level--; level == 0 {
				return i + 1
			}
		case '\\':
			i++
		}
	}
	return len(s)
}

// parseAddresses finds the addresses of an address field. Like Postfix it goes
// from right to left, leaves what it doesn't understand, moves comments behind
// the address that they are in, and adds missing commas.
func parseAddresses(value string) []token {
	in := scanTokens(value, maxTokens)
	p := addressParser{out: make([]token, 0, len(in)+4)}
	word, group := true, false // a word may come next, a group is open
	named := -1                // the sign that ends a phrase belongs to no address
	for i := len(in) - 1; i >= 0; i-- {
		t := in[i]
		switch {
		case t.kind == commentToken:
			p.emit(t)
		case t.kind == ';':
			p.address(true)
			p.emit(t)
			word, group = true, true
		case t.kind == ':' && group:
			p.address(false)
			p.emit(token{kind: groupToken})
			for i--; i >= 0 && in[i].kind != ','; i-- {
				p.emit(in[i])
			}
			i++
		case t.kind == '>':
			p.address(true)
			p.emit(t)
			for i--; i >= 0 && in[i].kind != '<'; i-- {
				if in[i].kind == commentToken {
					p.emit(in[i])
				} else {
					p.pending = append(p.pending, in[i])
				}
			}
			p.address(false)
			for ; i >= 0 && strings.IndexByte(">;,:", in[i].kind) < 0; i-- {
				p.emit(in[i])
			}
			named = i
			i++
			word = true
		case t.kind == atomToken || t.kind == quotedToken || t.kind == literalToken:
			if !word {
				p.address(true)
			}
			p.pending = append(p.pending, t)
			word = false
		case t.kind == ',':
			p.address(false)
			p.emit(t)
			word = true
		case i == named:
			p.emit(t)
			word = true
		default:
			p.pending = append(p.pending, t)
			word = true
		}
	}
	p.address(false)
	reverseTokens(p.out)
	return p.out
}

// addressParser collects a field's tokens in reverse.
type addressParser struct{ out, pending []token }

func (p *addressParser) emit(t token) { p.out = append(p.out, t) }

// address makes one of what is pending; comma puts one in front of it.
func (p *addressParser) address(comma bool) {
	if len(p.pending) == 0 {
		return
	}
	parts := append([]token(nil), p.pending...)
	reverseTokens(parts)
	p.pending = p.pending[:0]
	p.emit(token{kind: addressToken, parts: parts})
	if comma {
		p.emit(token{kind: ','})
	}
}

func reverseTokens(l []token) {
	for i, j := 0, len(l)-1; i < j; i, j = i+1, j-1 {
		l[i], l[j] = l[j], l[i]
	}
}

// maxComments is how much text beside an address Postfix leaves in a field that
// it writes anew.
const maxComments = 250

// renderAddresses writes an address field, each address behind a comma on a
// line of its own; field is what comes before it on the first line.
func renderAddresses(field string, list []token) string {
	b := []byte(field)
	start, address, length := len(b), -1, 0
	short := func() {
		if address >= 0 && len(b)-length > start+maxComments {
			b = append(b[:start], '<')
			if parts := list[address].parts; parts != nil {
				b = append(b, quoteLocal(internal(parts))...)
			}
			b = append(b, '>')
		}
	}
	for i := range list {
		t := &list[i]
		switch t.kind {
		case ',':
			short()
			b = append(b, ",\n"...)
			start, address, length = len(b), -1, 0
			continue
		case addressToken:
			text := quoteLocal(internal(t.parts))
			address, length = i, len(text)
			b = append(b, text...)
		case '<':
			if i+1 < len(list) && list[i+1].kind == '>' {
				address, length = i, 0
			}
			b = append(b, '<')
		default:
			b = t.external(b)
		}
		if i+1 == len(list) {
			break
		}
		if next := &list[i+1]; t.kind == groupToken || next.kind == '<' || t.word() && next.word() {
			b = append(b, ' ')
		}
	}
	short()
	return string(b)
}

// external appends a token as it is written.
func (t *token) external(b []byte) []byte {
	quoted := func(special string) {
		for i := range len(t.text) {
			if strings.IndexByte(special, t.text[i]) >= 0 {
				b = append(b, '\\')
			}
			b = append(b, t.text[i])
		}
	}
	switch t.kind {
	case atomToken, commentToken:
		return append(b, t.text...)
	case quotedToken:
		b = append(b, '"')
		quoted("\"\\\r\n")
		return append(b, '"')
	case literalToken:
		b = append(b, '[')
		quoted("\\\r\n")
		return append(b, ']')
	case groupToken:
		return append(b, ':')
	case ',':
		return append(b, ", "...)
	}
	return append(b, t.kind)
}

// externalAddress is an address as it is written.
func externalAddress(parts []token) string {
	var b []byte
	for i := range parts {
		b = parts[i].external(b)
	}
	return string(b)
}

// internal is an address without quotes.
func internal(parts []token) string {
	var b []byte
	for i := range parts {
		switch t := &parts[i]; t.kind {
		case atomToken, commentToken, quotedToken:
			b = append(b, t.text...)
		case literalToken:
			b = append(append(append(b, '['), t.text...), ']')
		case groupToken:
			b = append(b, ':')
		default:
			b = append(b, t.kind)
		}
	}
	return string(b)
}

// quoteLocal quotes the local part of an address where it needs that.
func quoteLocal(address string) string {
	start := 0
	if strings.HasPrefix(address, "@") {
		start = strings.IndexByte(address, ':') + 1
	}
	end := strings.LastIndexByte(address[start:], '@') + start
	if end < start {
		end = len(address)
	}
	local := address[start:end]
	if dotString(local) {
		return address
	}
	b := append([]byte(address[:start]), '"')
	for i := range len(local) {
		if c := local[i]; c == '"' || c == '\\' || c == '\r' {
			b = append(b, '\\')
		}
		b = append(b, local[i])
	}
	return string(append(append(b, '"'), address[end:]...))
}

// dotString reports whether a local part needs no quotes.
func dotString(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 127 || strings.IndexByte(`()<>@,;:\"[]`, c) >= 0 {
			return false
		}
	}
	return true
}

// unquoteLocal is the address without the quotes of its local part.
func unquoteLocal(address string) string {
	if strings.IndexByte(address, '"') < 0 && strings.IndexByte(address, '\\') < 0 {
		return address
	}
	start := 0
	if strings.HasPrefix(address, "@") {
		start = strings.IndexByte(address, ':') + 1
	}
	b := []byte(address[:start])
	quoted, at, from := false, -1, 0
	for i := start; i < len(address); i++ {
		switch c := address[i]; {
		case c == '"':
			quoted = !quoted
			continue
		case c == '@' && !quoted:
			at, from = len(b), i
		case c == '\\':
			if i+1 == len(address) {
				continue
			}
			i++
		}
		b = append(b, address[i])
	}
	if at >= 0 {
		return string(b[:at]) + address[from:]
	}
	return string(b)
}
