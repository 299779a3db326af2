package sieve

import "strings"

// quoted reads a quoted string (RFC 5228 section 2.4.2). Like Pigeonhole it
// takes a bare LF as a line break.
func (l *lexer) quoted(p pos) token {
	l.off++
	// The common string has nothing to decode.
	if i := strings.IndexAny(l.src[l.off:], "\"\\\r\n\x00"); i >= 0 && l.src[l.off+i] == '"' {
		text := l.src[l.off : l.off+i]
		l.off += i + 1
		return token{kind: tokString, pos: p, text: text}
	}
	var b strings.Builder
	for {
		c := l.peek()
		if c == '"' {
			l.off++
			return token{kind: tokString, pos: p, text: b.String()}
		}
		if c == '\\' {
			l.off++
			c = l.peek()
		}
		switch c {
		case -1:
			l.errorf(p, "the string has no end: close it with a quote")
			return token{kind: tokBad, pos: p}
		case 0:
			l.errorf(l.pos(), "a NUL in a string: write it with encoded-character")
			l.skipString()
			return token{kind: tokBad, pos: p}
		case '\r':
			if !strings.HasPrefix(l.src[l.off:], "\r\n") {
				l.errorf(l.pos(), "a CR without LF in a string: write it with encoded-character")
				l.skipString()
				return token{kind: tokBad, pos: p}
			}
			l.off++
			l.advance()
			b.WriteString("\r\n")
		case '\n':
			l.advance()
			b.WriteString("\r\n")
		default:
			b.WriteByte(byte(c))
			l.off++
		}
	}
}

// skipString skips to the end of a string with a forbidden octet, so that the
// rest of it isn't reported as commands.
func (l *lexer) skipString() {
	for {
		switch l.peek() {
		case -1:
			return
		case '"':
			l.off++
			return
		case '\\':
			l.off++
			if l.peek() < 0 {
				return
			}
		}
		l.advance()
	}
}

// multiline reads a multi-line string after "text:" (RFC 5228 section 2.4.2).
func (l *lexer) multiline(p pos) token {
	for c := l.peek(); c == ' ' || c == '\t'; c = l.peek() {
		l.off++
	}
	switch c := l.peek(); {
	case c == '#':
		if _, ok := l.hashComment(); !ok {
			return token{kind: tokBad, pos: p}
		}
	case c == '\r':
		l.off++
		if l.peek() == '#' {
			if _, ok := l.hashComment(); !ok {
				return token{kind: tokBad, pos: p}
			}
		}
	}
	switch l.peek() {
	case '\n':
		l.advance()
	case -1:
		l.errorf(p, "the text has no end: close it with a line of one dot")
		return token{kind: tokBad, pos: p}
	default:
		l.errorf(l.pos(), "only white space or a # comment can follow text: on its line")
		l.skipText()
		return token{kind: tokBad, pos: p}
	}
	var b strings.Builder
	for {
		end := strings.IndexByte(l.src[l.off:], '\n')
		if end < 0 {
			l.off = len(l.src)
			l.errorf(p, "the text has no end: close it with a line of one dot")
			return token{kind: tokBad, pos: p}
		}
		line := strings.TrimSuffix(l.src[l.off:l.off+end], "\r")
		bad := strings.IndexAny(line, "\r\x00")
		if bad >= 0 {
			at := l.pos()
			at.column += bad
			l.errorf(at, "a NUL or a CR without LF in a text: write it with encoded-character")
		}
		l.off += end
		l.advance()
		if bad >= 0 {
			l.skipText()
			return token{kind: tokBad, pos: p}
		}
		if line == "." {
			return token{kind: tokString, pos: p, text: b.String()}
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
		l.off += end
		l.advance()
		if line == "." {
			return
		}
	}
}
