package interp

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// unicodeFold appends the text as i;unicode-casemap compares it (RFC 5051
// section 2): each character in title case and decomposed. Octets that are no
// UTF-8 stay.
func unicodeFold(dst, text []byte) []byte {
	for len(text) > 0 {
		c, n := utf8.DecodeRune(text)
		if c == utf8.RuneError && n == 1 {
			dst = append(dst, text[0])
			text = text[1:]
			continue
		}
		dst = append(dst, norm.NFKD.String(string(unicode.ToTitle(c)))...)
		text = text[n:]
	}
	return dst
}
