package headers

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// decodeWords appends b with its RFC 2047 words decoded as Dovecot decodes
// them: a word may stand anywhere, and the white space before it goes where
// there is nothing else between it and the word or the start before it. That
// white space also goes before a "=?" that turns out to begin no word.
func decodeWords(dst, b []byte) []byte {
	start := 0 // of what hasn't been appended yet
	for pos := 0; pos+1 < len(b); {
		if b[pos] != '=' || b[pos+1] != '?' {
			pos++
			continue
		}
		if !onlySpace(b[start:pos]) {
			dst = appendUTF8(dst, b[start:pos])
		}
		start = pos
		pos += 2
		w, n := parseWord(b[pos:])
		if n == 0 {
			continue
		}
		pos += n
		start = pos
		dst = w.append(dst)
	}
	return appendUTF8(dst, b[start:])
}

func onlySpace(b []byte) bool {
	for _, c := range b {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

// word is an encoded-word (RFC 2047 section 2).
type word struct {
	charset  []byte
	encoding byte // 'q' or 'b'
	text     []byte
}

// parseWord reads "charset?encoding?text?=" at the start of b and returns its
// length, or 0. Of the encoding only the first letter counts.
func parseWord(b []byte) (w word, n int) {
	var mark [3]int
	at := 0
	for i := range mark {
		j := bytes.IndexByte(b[at:], '?')
		if j < 0 {
			return w, 0
		}
		mark[i] = at + j
		at += j + 1
	}
	if at == len(b) || b[at] != '=' {
		return w, 0
	}
	w = word{charset: b[:mark[0]], encoding: b[mark[0]+1] | 0x20, text: b[mark[1]+1 : mark[2]]}
	if w.encoding != 'q' && w.encoding != 'b' {
		return w, 0
	}
	return w, at + 1
}

// append appends the word's text in UTF-8.
func (w word) append(dst []byte) []byte {
	var text []byte
	if w.encoding == 'q' {
		text = decodeQ(w.text)
	} else {
		text = decodeB(w.text)
	}
	if len(text) == 0 {
		return dst
	}
	name := strings.ToLower(string(w.charset))
	switch name {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return appendUTF8(dst, text)
	case "utf-7":
		return append(dst, decodeUTF7(text)...)
	}
	reader, err := charsetReader(name, text)
	if err != nil {
		return appendUTF8(dst, text)
	}
	converted, err := io.ReadAll(reader)
	if err != nil {
		return appendUTF8(dst, text)
	}
	return append(dst, squeezeReplacements(converted)...)
}

// charsetReader converts text to UTF-8.
func charsetReader(name string, text []byte) (io.Reader, error) {
	var e encoding.Encoding
	switch name {
	case "utf-16", "ucs-2":
		// iconv(3) of glibc takes the machine's byte order, not RFC 2781's.
		e = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	case "utf-32":
		e = utf32.UTF32(utf32.LittleEndian, utf32.UseBOM)
	case "utf-32le":
		e = utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)
	case "utf-32be":
		e = utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)
	case "iso-8859-6-i", "iso-8859-8-i", "hz-gb-2312", "ks_c_5601-1987",
		"unicode-1-1-utf-7", "x-user-defined", "x-mac-roman", "x-mac-cyrillic", "replacement":
		// Go knows these, iconv doesn't.
		return nil, encoding.ErrInvalidUTF8
	default:
		return charset.Reader(name, bytes.NewReader(text))
	}
	return e.NewDecoder().Reader(bytes.NewReader(text)), nil
}

const replacement = "\uFFFD"

// appendUTF8 appends b with U+FFFD for what isn't UTF-8, but never two in a
// row.
func appendUTF8(dst, b []byte) []byte {
	if utf8.Valid(b) {
		return append(dst, b...)
	}
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r != utf8.RuneError || n > 1:
			dst = append(dst, b[:n]...)
		case !bytes.HasSuffix(dst, []byte(replacement)):
			dst = append(dst, replacement...)
		}
		b = b[n:]
	}
	return dst
}

// squeezeReplacements makes one U+FFFD of several.
func squeezeReplacements(b []byte) []byte {
	for bytes.Contains(b, []byte(replacement+replacement)) {
		b = bytes.ReplaceAll(b, []byte(replacement+replacement), []byte(replacement))
	}
	return b
}

// decodeQ decodes the "Q" encoding. A "=" without two hexadecimal digits stays.
func decodeQ(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '_':
			out = append(out, ' ')
		case c == '=' && i+2 < len(text) && unhex(text[i+1]) >= 0 && unhex(text[i+2]) >= 0:
			out = append(out, byte(unhex(text[i+1])<<4|unhex(text[i+2])))
			i += 2
		default:
			out = append(out, c)
		}
	}
	return out
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// decodeB decodes base64, white space apart, up to the first octet that isn't
// of its alphabet, and gives all whole octets so far.
func decodeB(text []byte) []byte {
	out := make([]byte, 0, len(text)/4*3+3)
	var bits uint32
	n := 0
	for _, c := range text {
		v := unbase64(c)
		if v < 0 {
			if isSpace(c) {
				continue
			}
			break
		}
		bits = bits<<6 | uint32(v)
		if n += 6; n >= 8 {
			n -= 8
			out = append(out, byte(bits>>n))
		}
	}
	return out
}

func unbase64(c byte) int {
	switch {
	case c >= 'A' && c <= 'Z':
		return int(c - 'A')
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 26
	case c >= '0' && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return -1
}

// decodeUTF7 decodes RFC 2152. What can't be decoded becomes U+FFFD.
func decodeUTF7(text []byte) []byte {
	var out []byte
	bad := func() {
		if !bytes.HasSuffix(out, []byte(replacement)) {
			out = append(out, replacement...)
		}
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c >= 0x80 || c == '~' || c == '\\' {
			bad()
			continue
		}
		if c != '+' {
			out = append(out, c)
			continue
		}
		if i+1 < len(text) && text[i+1] == '-' {
			out = append(out, '+')
			i++
			continue
		}
		var units []byte
		var bits uint32
		n := 0
		for i++; i < len(text) && unbase64(text[i]) >= 0; i++ {
			bits = bits<<6 | uint32(unbase64(text[i]))
			if n += 6; n >= 16 {
				n -= 16
				units = append(units, byte(bits>>n>>8), byte(bits>>n))
			}
		}
		decoded, _ := unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder().Bytes(units)
		out = append(out, decoded...)
		if i < len(text) && text[i] != '-' {
			i--
		}
	}
	return squeezeReplacements(out)
}
