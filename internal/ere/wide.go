package ere

import "unicode/utf8"

// Widen makes a character of each octet, for Go's regexp. Text that is ASCII
// stays as it is, and widened is false.
func Widen(text []byte) (wide []byte, widened bool) {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			wide = make([]byte, 0, 2*len(text))
			for _, c := range text {
				wide = utf8.AppendRune(wide, rune(c))
			}
			return wide, true
		}
	}
	return text, false
}

// narrowOffsets turns offsets in widened text, in ascending order, into those
// in the text.
func narrowOffsets(wide []byte, loc []int) []int {
	for i, offset := range loc {
		loc[i] = utf8.RuneCount(wide[:offset])
	}
	return loc
}
