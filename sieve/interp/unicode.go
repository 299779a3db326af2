package interp

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// unicodeFold appends the text as i;unicode-casemap compares it (RFC 5051
// section 2): each character in title case and decomposed. Octets that are no
// UTF-8 stay.
func unicodeFold(dst, text []byte) []byte {
	var buf [utf8.UTFMax]byte
	for len(text) > 0 {
		if c := text[0]; c < utf8.RuneSelf {
			if 'a' <= c && c <= 'z' {
				c -= 'a' - 'A'
			}
			dst = append(dst, c)
			text = text[1:]
			continue
		}
		c, n := utf8.DecodeRune(text)
		if c == utf8.RuneError && n == 1 {
			dst = append(dst, text[0])
			text = text[1:]
			continue
		}
		title := utf8.AppendRune(buf[:0], unicode.ToTitle(c))
		if 0xac00 <= c && c < 0xd7a4 {
			// Hangul is worked out (Unicode 3.12).
			s := c - 0xac00
			dst = utf8.AppendRune(dst, 0x1100+s/588)
			dst = utf8.AppendRune(dst, 0x1161+s%588/28)
			if s%28 > 0 {
				dst = utf8.AppendRune(dst, 0x11a7+s%28)
			}
		} else if d := norm.NFKD.Properties(title).Decomposition(); d != nil {
			dst = append(dst, d...)
		} else {
			dst = append(dst, title...)
		}
		text = text[n:]
	}
	return dst
}

// unicodeFold is the function for a value of the message.
func (r *run) unicodeFold(dst, text []byte) []byte {
	size := len(text)
	for _, c := range text {
		if c >= utf8.RuneSelf {
			r.spend(costUnicode)
			size += 4 // three times as long at most, but for a few characters
		}
	}
	if r.failed != nil {
		return dst
	}
	return unicodeFold(slices.Grow(dst, size), text)
}
