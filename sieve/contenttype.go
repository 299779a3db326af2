package sieve

import (
	"strings"
)

// mimeReader reads a structured MIME field (RFC 2045 section 5.1).
type mimeReader struct{ addressParser }

func mimeToken(c byte) bool {
	return c > ' ' && c != 0x7f && strings.IndexByte(`()<>@,;:\"/[]?=`, c) < 0
}

func (m *mimeReader) token() string {
	start := m.i
	for m.i < len(m.s) && mimeToken(m.s[m.i]) {
		m.i++
	}
	out := string(m.s[start:m.i])
	m.blank()
	return out
}

// ended reports whether the value ends here, or its parameters begin.
func (m *mimeReader) ended() bool { return m.i >= len(m.s) || m.at(';') }

// mediaType returns "type/subtype" as written, or "" where it is broken.
func mediaType(v []byte) string {
	m := mimeReader{addressParser{s: v}}
	m.blank()
	t := m.token()
	if t == "" || !m.at('/') {
		return ""
	}
	m.i++
	m.blank()
	sub := m.token()
	if sub == "" || !m.ended() {
		return ""
	}
	return t + "/" + sub
}

// firstToken returns the token that a value is, or "" where it is broken.
func firstToken(v []byte) string {
	m := mimeReader{addressParser{s: v}}
	m.blank()
	t := m.token()
	if !m.ended() {
		return ""
	}
	return t
}

// encodingToken returns the token at the start of a value.
func encodingToken(v []byte) string {
	m := mimeReader{addressParser{s: v}}
	m.blank()
	return m.token()
}

// parameter is one of a MIME field. The name of one that is encoded as in RFC
// 2231 ends with a star.
type parameter struct{ name, value string }

// parameters returns the parameters of a MIME field; pieces of one value (RFC
// 2231 section 3) are put together behind the others.
func parameters(v []byte) []parameter {
	m := mimeReader{addressParser{s: v}}
	m.blank()
	for m.i < len(m.s) && m.s[m.i] != ';' {
		if m.s[m.i] == '"' {
			m.buf = m.buf[:0]
			if m.quoted() == broken {
				return nil
			}
			continue
		}
		m.i++
	}
	var out, pieces []parameter
	for m.at(';') {
		m.i++
		m.blank()
		name := m.token()
		if name == "" || !m.at('=') {
			for m.i < len(m.s) && m.s[m.i] != ';' {
				m.i++
			}
			continue
		}
		m.i++
		m.blank()
		value := ""
		if m.at('"') {
			start := len(m.buf)
			m.quoted()
			value = string(m.since(start))
		} else {
			start := m.i
			for m.i < len(m.s) && m.s[m.i] != ';' && m.s[m.i] > ' ' && m.s[m.i] != '(' {
				m.i++
			}
			value = string(m.s[start:m.i])
			m.blank()
		}
		for m.i < len(m.s) && m.s[m.i] != ';' {
			m.i++
		}
		if i := strings.IndexByte(name, '*'); i > 0 && i+1 < len(name) && isDigit(int(name[i+1])) {
			pieces = append(pieces, parameter{name, value})
			continue
		}
		out = append(out, parameter{name, value})
	}
	return append(out, joinPieces(pieces)...)
}

// joinPieces puts the pieces of values together: name*0, name*1 and so on.
func joinPieces(pieces []parameter) []parameter {
	var out []parameter
	at := make(map[string]int) // by the name in lower case
	next := make(map[string]int)
	for _, p := range pieces {
		name, rest, _ := strings.Cut(p.name, "*")
		encoded := strings.HasSuffix(rest, "*")
		digits := strings.TrimSuffix(rest, "*")
		key := lowerASCII(name)
		n, ok := number([]byte(digits), 1, 4)
		if !ok || n != next[key] {
			continue
		}
		next[key]++
		if n == 0 {
			if encoded {
				name += "*"
			}
			at[key] = len(out)
			out = append(out, parameter{name, p.value})
			continue
		}
		out[at[key]].value += p.value
	}
	return out
}

// extendedValue decodes "charset'language'text" (RFC 2231 section 4). As in
// Pigeonhole, the charset is not looked at.
func extendedValue(s string) (string, bool) {
	for range 2 {
		_, rest, ok := strings.Cut(s, "'")
		if !ok {
			return "", false
		}
		s = rest
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b.WriteByte(hexValue(s[i+1])<<4 | hexValue(s[i+2]))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String(), true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
