package postfix

import (
	"unicode/utf8"

	"golang.org/x/text/cases"
)

// folding says what has to happen to a key before it is compared.
type folding uint8

const (
	foldNone  folding = iota // lower-case ASCII already
	foldASCII                // has upper-case ASCII
	foldUTF8                 // has non-ASCII
)

func foldingOf(key string) folding {
	f := foldNone
	for i := 0; i < len(key); i++ {
		switch c := key[i]; {
		case c >= utf8.RuneSelf:
			return foldUTF8
		case 'A' <= c && c <= 'Z':
			f = foldASCII
		}
	}
	return f
}

// lowerASCII appends s with A to Z in lower case.
func lowerASCII(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// foldKey folds as Postfix's casefold() with smtputf8_enable = yes: ASCII to
// lower case, anything else by Unicode's full case folding. Text that isn't
// UTF-8 has no folded form; Postfix doesn't look it up.
func foldKey(key string) (string, bool) {
	switch foldingOf(key) {
	case foldNone:
		return key, true
	case foldASCII:
		return string(lowerASCII(nil, key)), true
	}
	if !utf8.ValidString(key) {
		return "", false
	}
	return cases.Fold().String(key), true
}
