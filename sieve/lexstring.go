package sieve

import (
	"strings"
)

// plain tells the octets that a quoted string has as they are.
var plain = func() (p [256]bool) {
	for i := range p {
		switch i {
		case '"', '\\', '\r', '\n', 0:
		default:
			p[i] = true
		}
	}
	return p
}()

// quoted reads a quoted string (RFC 5228 section 2.4.2). Like Pigeonhole it
// takes a bare LF as a line break.
func (l *lexer) quoted(t *token) {
	src, start := l.src, l.off+1
	i := start
	for i < len(src) && plain[src[i]] {
		i++
	}
	t.kind = tokString
	if i < len(src) && src[i] == '"' {
		// The common string has nothing to decode.
		t.decoded = 0
		l.off = i + 1
		return
	}
	l.off = i
	b := append(make([]byte, 0, 2*(i-start)+32), src[start:i]...)
	for {
		c := l.peek()
		if c == '"' {
			l.off++
			l.decode(t, string(b))
			return
		}
		if c == '\\' {
			l.off++
			c = l.peek()
		}
		switch c {
		case -1:
			l.errorf(start-1, "the string has no end: close it with a quote")
			t.kind = tokBad
			return
		case 0:
			l.errorf(l.off, "a NUL in a string: write it with encoded-character")
			l.skipString()
			t.kind = tokBad
			return
		case '\r':
			if !strings.HasPrefix(l.src[l.off:], "\r\n") {
				l.errorf(l.off, "a CR without LF in a string: write it with encoded-character")
				l.skipString()
				t.kind = tokBad
				return
			}
			l.off += 2
			l.line++
			b = append(b, '\r', '\n')
		case '\n':
			l.off++
			l.line++
			b = append(b, '\r', '\n')
		default:
			b = append(b, byte(c))
			l.off++
		}
	}
}

// decode notes what a string holds, where that isn't what stands between its
// quotes.
func (l *lexer) decode(t *token, text string) {
	l.decoded = append(l.decoded, text)
	t.decoded = int32(len(l.decoded))
}

// skipString skips to the end of a string with a forbidden octet, so that the
// rest of it isn't reported as commands.
func (l *lexer) skipString() {
	for l.off < len(l.src) {
		c := l.src[l.off]
		l.off++
		switch c {
		case '"':
			return
		case '\\':
			if l.off < len(l.src) {
				l.off++
			}
		}
	}
}

// multiline reads a multi-line string after "text:" (RFC 5228 section 2.4.2).
func (l *lexer) multiline(t *token) {
	t.kind = tokBad
	for c := l.peek(); c == ' ' || c == '\t'; c = l.peek() {
		l.off++
	}
	if l.peek() == '\r' {
		l.off++
	}
	if l.peek() == '#' && !l.hashComment() {
		return
	}
	switch l.peek() {
	case '\n':
		l.off++
		l.line++
	case -1:
		l.errorf(int(t.off), "the text has no end: close it with a line of one dot")
		return
	default:
		l.errorf(l.off, "only white space or a # comment can follow text: on its line")
		l.skipText()
		return
	}
	var b strings.Builder
	for {
		end := strings.IndexByte(l.src[l.off:], '\n')
		if end < 0 {
			l.off = len(l.src)
			l.errorf(int(t.off), "the text has no end: close it with a line of one dot")
			return
		}
		line := strings.TrimSuffix(l.src[l.off:l.off+end], "\r")
		bad := strings.IndexAny(line, "\r\x00")
		if bad >= 0 {
			l.errorf(l.off+bad, "a NUL or a CR without LF in a text: write it with encoded-character")
		}
		l.off += end + 1
		l.line++
		if bad >= 0 {
			l.skipText()
			return
		}
		if line == "." {
			t.kind = tokString
			l.decode(t, b.String())
			return
		}
		if strings.HasPrefix(line, "..") {
			line = line[1:]
		}
		b.WriteString(line)
		b.WriteString("\r\n")
	}
}

// skipText skips to the end of a text with a forbidden octet.
func (l *lexer) skipText() {
	for l.off < len(l.src) {
		end := strings.IndexByte(l.src[l.off:], '\n')
		if end < 0 {
			l.off = len(l.src)
			return
		}
		line := strings.TrimSuffix(l.src[l.off:l.off+end], "\r")
		l.off += end + 1
		if line == "." {
			return
		}
	}
}
