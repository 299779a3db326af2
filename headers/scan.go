package headers

import "bytes"

// Postfix's limits, as they are by default (postconf(5)). A header section is
// read differently where an administrator changed them.
const (
	lineLengthLimit = 2048   // line_length_limit: longer lines are read in pieces
	headerSizeLimit = 102400 // header_size_limit: nothing is added to a header line this long
)

// nameOctet reports whether Postfix takes the octet in a field's name:
// printable ASCII without the colon, as RFC 5322 section 3.6.8.
func nameOctet(c byte) bool { return c > ' ' && c < 0x7f && c != ':' }

// Scan reads the header section at the start of raw as the view's server does,
// appends its fields to dst and returns them, and the body. It never fails: a
// message always has a header section and a body, either may be empty.
//
// Lines end with LF or CRLF. Fields and body alias raw, and Scan allocates
// nothing but what append needs for dst; a caller that passes a large enough
// stack buffer pays nothing. The one exception is a "From " line (below), which
// isn't a header line in raw.
//
// [HeaderChecks] reads a message that comes by SMTP like smtpd(8) and cleanup(8)
// of Postfix 3.7.11 with their default settings; the Received field that smtpd
// puts in front isn't there:
//
//   - the header section ends at the first line that is neither a field nor the
//     continuation of one, and that line is the body's first; an empty line
//     belongs to neither;
//   - a first line that begins with a space or a tab is such a line, so that
//     the message has no fields;
//   - lines "From x", ">From x" at the very start are made fields with the name
//     X-Mailbox-Line and the whole line as their value (one that is longer than
//     2048 octets Postfix garbles, Scan doesn't);
//   - a name is one or more printable ASCII octets, with any spaces and tabs
//     between it and its colon, which must be among the line's first 2048
//     octets;
//   - a CR that doesn't stand before a line end counts as a space
//     (cleanup_replace_stray_cr_lf), also at the start of a line, which then
//     continues the field before it. In the message's first line that field is
//     smtpd's own Received, so the line is lost.
//
// [Sieve] reads like Dovecot 2.3: the header section ends at the first empty
// line and nowhere else; lines that aren't fields are skipped, with those that
// continue them; of a name that has a NUL the part before it counts.
func Scan(dst Section, raw []byte, v View) (fields Section, body []byte) {
	if v == Sieve {
		return scanSieve(dst, raw)
	}
	return scanPostfix(dst, raw)
}

func scanPostfix(dst Section, raw []byte) (Section, []byte) {
	pos := 0
	if len(raw) > 0 && !nameOctet(raw[0]) || hasFromLine(raw) {
		dst, pos = scanStart(dst, raw)
	}
	for pos < len(raw) {
		f, n := readField(raw[pos:])
		if n == 0 {
			return dst, raw[pos+blankLine(raw[pos:]):]
		}
		dst = append(dst, f)
		pos += n
	}
	return dst, raw[pos:]
}

// scanStart deals with a message that begins with something other than a
// field: see [Scan].
func scanStart(dst Section, raw []byte) (Section, int) {
	pos, first := 0, len(dst)
	for hasFromLine(raw[pos:]) {
		n := lineEnd(raw[pos:])
		line := trimLineEnd(raw[pos : pos+n])
		dst = append(dst, Field{Name: []byte("X-Mailbox-Line"), Body: append([]byte(" "), line...)})
		pos += n
	}
	if pos < len(raw) && raw[pos] == '\r' && blankLine(raw[pos:]) == 0 {
		end := pos + fieldEnd(raw[pos:], 0)
		if len(dst) > first {
			f := &dst[len(dst)-1]
			f.Body = append(append(f.Body, '\n'), trimLineEnd(raw[pos:end])...)
		}
		pos = end
	}
	return dst, pos
}

// hasFromLine reports whether raw begins with an mbox "From " line.
func hasFromLine(raw []byte) bool {
	if len(raw) == 0 || raw[0] != 'F' && raw[0] != '>' {
		return false
	}
	return bytes.HasPrefix(bytes.TrimLeft(raw, ">"), []byte("From "))
}

// lineEnd returns the length of the first line of b, its end included.
func lineEnd(b []byte) int {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return i + 1
	}
	return len(b)
}

// fieldEnd returns where the field that begins line ends, in a search from
// offset i on: behind the last of its lines.
func fieldEnd(line []byte, i int) int {
	for {
		i += lineEnd(line[i:])
		if i == len(line) {
			return i
		}
		switch line[i] {
		case ' ', '\t':
		case '\r':
			if blankLine(line[i:]) > 0 {
				return i
			}
		default:
			return i
		}
	}
}

// trimLineEnd removes the last line end of b: LF and all the CRs before it. A
// last line may have no LF.
func trimLineEnd(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
	}
	for n := len(b); n > 0 && b[n-1] == '\r'; n-- {
		b = b[:n-1]
	}
	return b
}

// blankLine returns the length of the first line of b where it is empty, or 0.
// Up to 2048 CRs are part of the line's end.
func blankLine(b []byte) int {
	i := 0
	for i < len(b) && b[i] == '\r' && i < lineLengthLimit {
		i++
	}
	switch {
	case i == len(b):
		return i
	case b[i] == '\n':
		return i + 1
	}
	return 0
}

func scanSieve(dst Section, raw []byte) (Section, []byte) {
	r := NewReader(raw)
	for {
		f, ok := r.Next()
		if !ok {
			return dst, r.Rest()
		}
		dst = append(dst, f)
	}
}

// trimOneLineEnd removes LF or CRLF from the end of b.
func trimOneLineEnd(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
		if n > 1 && b[n-2] == '\r' {
			b = b[:n-2]
		}
	}
	return b
}
