package sieve

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
)

// quotable reports whether a quoted string can carry the octets: not NUL, and
// CR and LF only as CRLF.
func quotable(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case 0, '\n':
			return false
		case '\r':
			if i+1 == len(s) || s[i+1] != '\n' {
				return false
			}
			i++
		}
	}
	return true
}

// quote appends the string as a quoted string of a file with LF line ends; a
// line break in it is a line break of the file, which every Sieve lexer reads
// as CRLF. The string must be quotable.
func quote(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\r':
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// encodeCharacters rewrites the string for a script with encoded-character
// (RFC 5228 section 2.4.2.4): what no quoted string can carry is encoded, and
// what would be read as an encoding is protected from it.
func encodeCharacters(s string) string {
	if quotable(s) && !strings.Contains(s, "${") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\r' && i+1 < len(s) && s[i+1] == '\n':
			b.WriteString("\r\n")
			i++
		case c == 0, c == '\r', c == '\n', c == '$' && i+1 < len(s) && s[i+1] == '{':
			fmt.Fprintf(&b, "${hex:%02x}", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// decodeCharacters resolves the encodings of RFC 5228 section 2.4.2.4 as
// Pigeonhole does, which takes any beginning of the words "hex" and "unicode",
// and no letter at all for "hex".
func decodeCharacters(s string) (string, error) {
	if !strings.Contains(s, "${") {
		return s, nil
	}
	var out []byte
	var bad error
	done := 0 // everything before it is in out
	for i := 0; i < len(s); {
		if s[i] != '$' {
			i++
			continue
		}
		start := i
		i++
		if i == len(s) || s[i] != '{' {
			continue
		}
		i++
		mark := i
		for i < len(s) && ascii.IsAlpha(int(s[i])) && s[i] != '_' {
			i++
		}
		if i == len(s) || s[i] != ':' {
			continue
		}
		kind := strings.ToLower(s[mark:i])
		i++
		var decoded []byte
		var ok bool
		switch {
		case strings.HasPrefix("hex", kind):
			decoded, i, ok = decodeHex(s, i)
		case strings.HasPrefix("unicode", kind):
			var err error
			decoded, i, ok, err = decodeUnicode(s, i)
			if err != nil && bad == nil {
				bad = err
			}
		}
		if !ok || i == len(s) || s[i] != '}' {
			continue
		}
		if bad != nil {
			return s, bad
		}
		out = append(append(out, s[done:start]...), decoded...)
		i++
		done = i
	}
	return string(append(out, s[done:]...)), nil
}

// skipBlank skips white space; a CR must have its LF.
func skipBlank(s string, i int) (int, bool) {
	for i < len(s) {
		switch s[i] {
		case '\r':
			i++
			if i == len(s) || s[i] != '\n' {
				return i, false
			}
		case ' ', '\t', '\n':
			i++
		default:
			return i, true
		}
	}
	return i, true
}

// decodeHex reads pairs of hexadecimal digits; one digit is taken as well.
func decodeHex(s string, i int) (out []byte, end int, ok bool) {
	for i < len(s) {
		if i, ok = skipBlank(s, i); !ok {
			return nil, i, false
		}
		var v uint32
		n := 0
		for ; i < len(s) && n < 2; i, n = i+1, n+1 {
			d, ok := ascii.HexDigit(s[i])
			if !ok {
				break
			}
			v = v<<4 | d
		}
		if n == 2 && i < len(s) {
			// A third digit ends it.
			if _, more := ascii.HexDigit(s[i]); more {
				break
			}
		}
		if n == 0 {
			break
		}
		out = append(out, byte(v))
	}
	return out, i, len(out) > 0
}

// decodeUnicode reads hexadecimal code points; like the server it counts in 32
// bits.
func decodeUnicode(s string, i int) (out []byte, end int, ok bool, err error) {
	values := 0
	for i < len(s) {
		if i, ok = skipBlank(s, i); !ok {
			return nil, i, false, err
		}
		var v uint32
		n := 0
		for ; i < len(s); i, n = i+1, n+1 {
			d, ok := ascii.HexDigit(s[i])
			if !ok {
				break
			}
			v = v<<4 | d
		}
		if n == 0 {
			break
		}
		values++
		if v > utf8.MaxRune || 0xd800 <= v && v <= 0xdfff {
			if err == nil {
				err = fmt.Errorf("no character has the number %#x", v)
			}
			continue
		}
		out = utf8.AppendRune(out, rune(v))
	}
	return out, i, values > 0, err
}
