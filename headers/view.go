package headers

import "bytes"

// Line appends the logical line that header_checks(5) patterns see: name,
// colon, and the body with each fold as one LF. White space between name and
// colon is gone; all other white space is there, that after the colon and at
// the end too. A CR in the middle of a line is a space, text behind a NUL is
// not seen, and what comes after the line that makes it longer than 102400
// octets (header_size_limit) is cut off, as cleanup(8) does it.
//
// A physical line longer than 2048 octets is read in pieces, and a NUL hides
// the rest of its piece only. Line counts the pieces as if no white space stood
// before the colon, since a Field doesn't tell.
func Line(dst []byte, f Field) []byte {
	start := len(dst)
	dst = append(dst, f.Name...)
	dst = append(dst, ':')
	return appendRecords(dst, f.Body, len(dst)-start)
}

// appendRecords appends a field's body as cleanup collects it; size is what the
// line holds already.
func appendRecords(dst, body []byte, size int) []byte {
	if plainLine(body) && size+len(body) < headerSizeLimit {
		return append(dst, body...)
	}
	room := max(lineLengthLimit-size, 0)
	newLine := false
	for len(body) > 0 {
		record, n, whole := nextRecord(body, room)
		body, room = body[n:], lineLengthLimit
		if size < headerSizeLimit {
			if newLine {
				dst = append(dst, '\n')
				size++
			}
			if i := bytes.IndexByte(record, 0); i >= 0 {
				record = record[:i]
			}
			size += len(record)
			dst = append(dst, record...)
			for i := len(dst) - len(record); i < len(dst); i++ {
				if dst[i] == '\r' {
					dst[i] = ' '
				}
			}
		}
		newLine = whole
	}
	return dst
}

// nextRecord returns the first record of b as smtpd(8) reads it, a line or at
// most room octets of one, how much of b that takes, and whether it reaches
// the line's end. The line's end, LF and all CRs before it, isn't part of it.
func nextRecord(b []byte, room int) (record []byte, n int, whole bool) {
	if i := bytes.IndexByte(b[:min(room, len(b))], '\n'); i >= 0 {
		return bytes.TrimRight(b[:i], "\r"), i + 1, true
	}
	if len(b) <= room {
		return bytes.TrimRight(b, "\r"), len(b), true
	}
	// A line end isn't torn in two.
	if room > 0 && b[room-1] == '\r' && b[room] == '\n' {
		return bytes.TrimRight(b[:room], "\r"), room + 1, true
	}
	return b[:room], room, false
}

// plainLine reports whether cleanup takes the octets as they are.
func plainLine(b []byte) bool {
	return bytes.IndexByte(b, '\r') < 0 && bytes.IndexByte(b, 0) < 0
}

// checkValue returns what a header_checks pattern of the form
// "^Name:[[:space:]]*value[[:space:]]*$" leaves for the value: the body of the
// logical line without the white space at both ends. It aliases f or buf.
func checkValue(buf []byte, f Field) []byte {
	if len(f.Name)+1+len(f.Body) < headerSizeLimit {
		if v := trimSpace(f.Body); plainLine(v) {
			return v
		}
	}
	return trimSpace(appendRecords(buf, f.Body, len(f.Name)+1))
}

// isSpace reports whether the octet is in [[:space:]] of the POSIX locale.
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func trimSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// Value appends the value that Sieve's tests see in Pigeonhole 0.5.19, which
// differs from what RFC 5228 section 2.4.2.2 might suggest:
//
//   - spaces and tabs after the colon go, but where the value begins on the
//     next line, the fold's own space stays (": " LF " yes" is " yes");
//   - a fold goes with its line end, and the octet that follows is a space even
//     if it was a tab; other white space of the fold stays;
//   - RFC 2047 words are decoded, in the middle of a word too, and words with
//     nothing but white space before them join what comes before;
//   - a word with an unknown charset counts as UTF-8, octets that aren't UTF-8
//     become one U+FFFD a run, NUL becomes a space if it was encoded and
//     otherwise U+FFFD;
//   - then spaces and tabs at the end go.
//
// Charsets are those of [github.com/emersion/go-message/charset], and UTF-7,
// UTF-16 and UTF-32 as iconv(3) reads them. Pigeonhole has those of the machine's iconv:
// it knows some exotic ones more (EBCDIC), and octets that a charset leaves
// undefined can come out differently.
func Value(dst []byte, f Field) []byte {
	b := trimLeftBlank(f.Body)
	if plainValue(b) {
		return append(dst, trimRightBlank(b)...)
	}
	start := len(dst)
	dst = decodeWords(dst, unfold(nil, b))
	for i := start; i < len(dst); i++ {
		if dst[i] == 0 {
			dst[i] = ' '
		}
	}
	return dst[:start+len(trimRightBlank(dst[start:]))]
}

// sieveValue is [Value] without a copy where there is nothing to do. It aliases
// f or buf.
func sieveValue(buf []byte, f Field) []byte {
	if b := trimLeftBlank(f.Body); plainValue(b) {
		return trimRightBlank(b)
	}
	return Value(buf, f)
}

// plainValue reports whether there is nothing to unfold, decode or repair in b.
func plainValue(b []byte) bool {
	for i, c := range b {
		if c == 0 || c == '\n' || c >= 0x80 || c == '?' && i > 0 && b[i-1] == '=' {
			return false
		}
	}
	return true
}

func trimLeftBlank(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	return b
}

func trimRightBlank(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// unfold appends b on one line, with U+FFFD for each NUL.
func unfold(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\r' && i+1 < len(b) && b[i+1] == '\n':
		case c == '\n':
			if i+1 < len(b) {
				i++
				dst = append(dst, ' ')
			}
		case c == 0:
			dst = append(dst, replacement...)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
