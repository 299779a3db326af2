package interp

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
)

// mimeReader reads a structured MIME field (RFC 2045 section 5.1).
type mimeReader struct{ mailaddr.Parser }

func mimeToken(c byte) bool {
	return c > ' ' && c != 0x7f && strings.IndexByte(`()<>@,;:\"/[]?=`, c) < 0
}

func (m *mimeReader) token() string {
	start := m.I
	for m.I < len(m.S) && mimeToken(m.S[m.I]) {
		m.I++
	}
	out := string(m.S[start:m.I])
	m.Blank()
	return out
}

// ended reports whether the value ends here, or its parameters begin.
func (m *mimeReader) ended() bool { return m.I >= len(m.S) || m.At(';') }

// mediaType returns "type/subtype" as written, or "" where it is broken.
func mediaType(v []byte) string {
	m := mimeReader{mailaddr.Parser{S: v}}
	m.Blank()
	t := m.token()
	if t == "" || !m.At('/') {
		return ""
	}
	m.I++
	m.Blank()
	sub := m.token()
	if sub == "" || !m.ended() {
		return ""
	}
	return t + "/" + sub
}

// firstToken returns the token that a value is, or "" where it is broken.
func firstToken(v []byte) string {
	m := mimeReader{mailaddr.Parser{S: v}}
	m.Blank()
	t := m.token()
	if !m.ended() {
		return ""
	}
	return t
}

// encodingToken returns the token at the start of a value.
func encodingToken(v []byte) string {
	m := mimeReader{mailaddr.Parser{S: v}}
	m.Blank()
	return m.token()
}

// parameter is one of a MIME field. The name of one that is encoded as in RFC
// 2231 ends with a star.
type parameter struct{ name, value string }

// parameters returns the parameters of a MIME field; pieces of one value (RFC
// 2231 section 3) are put together behind the others.
func parameters(v []byte) []parameter {
	m := mimeReader{mailaddr.Parser{S: v}}
	m.Blank()
	for m.I < len(m.S) && m.S[m.I] != ';' {
		if m.S[m.I] == '"' {
			m.Buf = m.Buf[:0]
			if m.Quoted() == mailaddr.Broken {
				return nil
			}
			continue
		}
		m.I++
	}
	var out, pieces []parameter
	for m.At(';') {
		m.I++
		m.Blank()
		name := m.token()
		if name == "" || !m.At('=') {
			for m.I < len(m.S) && m.S[m.I] != ';' {
				m.I++
			}
			continue
		}
		m.I++
		m.Blank()
		value := ""
		if m.At('"') {
			start := len(m.Buf)
			m.Quoted()
			value = string(m.Since(start))
		} else {
			start := m.I
			for m.I < len(m.S) && m.S[m.I] != ';' && m.S[m.I] > ' ' && m.S[m.I] != '(' {
				m.I++
			}
			value = string(m.S[start:m.I])
			m.Blank()
		}
		for m.I < len(m.S) && m.S[m.I] != ';' {
			m.I++
		}
		if i := strings.IndexByte(name, '*'); i > 0 && i+1 < len(name) && ascii.IsDigit(int(name[i+1])) {
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
	var values [][]byte
	at := make(map[string]int) // by the name in lower case
	next := make(map[string]int)
	for _, p := range pieces {
		name, rest, _ := strings.Cut(p.name, "*")
		encoded := strings.HasSuffix(rest, "*")
		digits := strings.TrimSuffix(rest, "*")
		key := ascii.Lower(name)
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
			out = append(out, parameter{name: name})
			values = append(values, []byte(p.value))
			continue
		}
		values[at[key]] = append(values[at[key]], p.value...)
	}
	for i := range out {
		out[i].value = string(values[i])
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
