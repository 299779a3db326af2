package interp

import (
	"strconv"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
)

// modifiers orders and checks modifiers.
func (c *compiler) modifiers(list []sieve.Modifier, where string) []sieve.Modifier {
	out := make([]sieve.Modifier, 0, len(list))
	for _, m := range list {
		p := m.Precedence()
		if p == 0 {
			c.errorf(where, "unknown modifier %q", string(m))
			continue
		}
		at := 0
		for at < len(out) && out[at].Precedence() > p {
			at++
		}
		if at < len(out) && out[at].Precedence() == p {
			c.errorf(where, "modifiers %q and %q have the same precedence: take one of them", string(out[at]), string(m))
			continue
		}
		out = append(out[:at], append([]sieve.Modifier{m}, out[at:]...)...)
	}
	return out
}

// modify applies modifiers to a value.
func (r *run) modify(value string, list []sieve.Modifier) string {
	value = cutUTF8(value, r.program.settings.MaxVariableSize)
	for _, m := range list {
		r.spend(costAlloc * len(value))
		value = apply(m, value, r.program.settings.MaxVariableSize)
	}
	return value
}

// apply applies one modifier. Letters are those of ASCII, as in Pigeonhole, and
// behind a NUL their case stays. What comes out has at most the octets, and ends
// with a whole character of s.
func apply(m sieve.Modifier, s string, most int) string {
	switch m {
	case sieve.Lower:
		head := cString(s)
		return ascii.Lower(head) + s[len(head):]
	case sieve.Upper:
		head := cString(s)
		return ascii.Upper(head) + s[len(head):]
	case sieve.LowerFirst:
		if s != "" {
			return ascii.Lower(s[:1]) + s[1:]
		}
	case sieve.UpperFirst:
		if s != "" {
			return ascii.Upper(s[:1]) + s[1:]
		}
	case sieve.QuoteWildcard:
		return escapeAll(s, `*?\`, most)
	case sieve.QuoteRegex:
		return escapeAll(s, `.\[]{}()*+?^$|`, most)
	case sieve.EncodeURL:
		return encodeURL(s, most)
	case sieve.Length:
		return strconv.Itoa(utf8Length(s))
	}
	return s
}

// escapeAll puts a backslash before the octets of the set.
func escapeAll(s, set string, most int) string {
	if !strings.ContainsAny(s, set) {
		return s
	}
	b := make([]byte, 0, min(2*len(s), most+2))
	for s != "" {
		var c string
		c, s = character(s)
		whole := len(b)
		if strings.IndexByte(set, c[0]) >= 0 {
			b = append(b, '\\')
		}
		if b = append(b, c...); len(b) > most {
			return string(b[:whole])
		}
	}
	return string(b)
}

// encodeURL encodes all but the unreserved characters of RFC 3986.
func encodeURL(s string, most int) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, min(3*len(s), most+18))
	for s != "" {
		var char string
		char, s = character(s)
		whole := len(b)
		for _, c := range []byte(char) {
			if len(char) == 1 && (ascii.IsAlpha(int(c)) || ascii.IsDigit(int(c)) || strings.IndexByte("-_.~", c) >= 0) {
				b = append(b, c)
			} else {
				b = append(b, '%', hex[c>>4], hex[c&15])
			}
		}
		if len(b) > most {
			return string(b[:whole])
		}
	}
	return string(b)
}

// characterSize is how many octets the first octet of a character promises.
func characterSize(first byte) int {
	switch {
	case first < 0xc2:
		return 1
	case first < 0xe0:
		return 2
	case first < 0xf0:
		return 3
	case first < 0xf8:
		return 4
	case first < 0xfc:
		return 5
	case first < 0xfe:
		return 6
	}
	return 1
}

// character cuts a character off, of which the server looks at the first octet
// only: octets that are missing at the end of the text are NULs.
func character(s string) (c, rest string) {
	n := characterSize(s[0])
	if n > len(s) {
		return s + strings.Repeat("\x00", n-len(s)), ""
	}
	return s[:n], s[n:]
}

// utf8Length counts the characters that are whole, by their first octets.
func utf8Length(s string) int {
	count := 0
	for i := 0; i < len(s); count++ {
		if i += characterSize(s[i]); i > len(s) {
			break
		}
	}
	return count
}
