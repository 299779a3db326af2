package ere

import (
	"encoding/binary"
	"regexp"
	"unicode/utf8"
)

// Widen makes a character of each octet, for Go's regexp. Text that is ASCII
// stays as it is, and widened is false.
func Widen(text []byte) (wide []byte, widened bool) {
	if isASCII(text) {
		return text, false
	}
	wide = make([]byte, 0, 2*len(text))
	for _, c := range text {
		wide = utf8.AppendRune(wide, rune(c))
	}
	return wide, true
}

func isASCII(text []byte) bool {
	for ; len(text) >= 8; text = text[8:] {
		if binary.LittleEndian.Uint64(text)&0x8080808080808080 != 0 {
			return false
		}
	}
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// FindGo returns the offsets in the text of what an expression of Go's finds in
// the widened text.
func FindGo(re *regexp.Regexp, text []byte) []int {
	wide, widened := Widen(text)
	loc := re.FindSubmatchIndex(wide)
	if !widened {
		return loc
	}
	for i, offset := range loc {
		if offset > 0 {
			loc[i] = utf8.RuneCount(wide[:offset])
		}
	}
	return loc
}
