package interp

import (
	"strconv"
	"strings"
	"unicode/utf8"

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
		if value = apply(m, value); len(value) > r.program.settings.MaxVariableSize {
			value = cutUTF8(value, r.program.settings.MaxVariableSize)
		}
	}
	return value
}

// apply applies one modifier. Letters are those of ASCII, as in Pigeonhole.
func apply(m sieve.Modifier, s string) string {
	switch m {
	case sieve.Lower:
		return ascii.Lower(s)
	case sieve.Upper:
		return ascii.Upper(s)
	case sieve.LowerFirst:
		if s != "" {
			return ascii.Lower(s[:1]) + s[1:]
		}
	case sieve.UpperFirst:
		if s != "" {
			return ascii.Upper(s[:1]) + s[1:]
		}
	case sieve.QuoteWildcard:
		return escapeAll(s, `*?\`)
	case sieve.QuoteRegex:
		return escapeAll(s, `.\[]{}()*+?^$|`)
	case sieve.EncodeURL:
		return encodeURL(s)
	case sieve.Length:
		return strconv.Itoa(utf8Length(s))
	}
	return s
}

// escapeAll puts a backslash before the octets of the set.
func escapeAll(s, set string) string {
	if !strings.ContainsAny(s, set) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(set, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// encodeURL encodes all but the unreserved characters of RFC 3986.
func encodeURL(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if ascii.IsAlpha(int(c)) || ascii.IsDigit(int(c)) || strings.IndexByte("-_.~", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

func utf8Length(s string) int { return utf8.RuneCountInString(s) }
