package sieve

import (
	"fmt"
	"strings"
)

// The limits of Pigeonhole 0.5 (sieve-limits.h, sieve_max_script_size).
const (
	maxScriptSize   = 1 << 20
	maxIdentifier   = 32
	maxArguments    = 32
	maxBlockNesting = 32
	maxTestNesting  = 32
)

// tokenKind is the kind of a token; the punctuation marks are their own kind.
type tokenKind string

const (
	tokEOF        tokenKind = "the end of the script"
	tokIdentifier tokenKind = "identifier"
	tokTag        tokenKind = "tag"
	tokNumber     tokenKind = "number"
	tokString     tokenKind = "string"
	// tokBad stands for text that was reported already.
	tokBad tokenKind = "unreadable text"

	tokSemicolon tokenKind = "';'"
	tokComma     tokenKind = "','"
	tokLParen    tokenKind = "'('"
	tokRParen    tokenKind = "')'"
	tokLBracket  tokenKind = "'['"
	tokRBracket  tokenKind = "']'"
	tokLBrace    tokenKind = "'{'"
	tokRBrace    tokenKind = "'}'"
	tokColon     tokenKind = "':'"
	tokSlash     tokenKind = "'/'"
)

// token is one token of the grammar of RFC 5228 section 8.1.
type token struct {
	kind tokenKind
	pos  pos
	text string // identifier, tag without colon, decoded string
	num  uint64
	// comments are the comments that stand alone on a line before the token.
	comments []commentLine
}

type commentLine struct {
	text string
	pos  pos
}

// lexer cuts a source into tokens. It reports each error once and goes on.
type lexer struct {
	src       string
	off       int
	line      int
	lineStart int
	// fresh says that only white space precedes off on its line.
	fresh  bool
	report func(pos, error)
}

func newLexer(src string, report func(pos, error)) *lexer {
	return &lexer{src: src, line: 1, fresh: true, report: report}
}

func (l *lexer) pos() pos { return pos{l.line, l.off - l.lineStart + 1} }

// peek returns the next octet, or -1 at the end.
func (l *lexer) peek() int {
	if l.off < len(l.src) {
		return int(l.src[l.off])
	}
	return -1
}

func (l *lexer) advance() {
	if l.src[l.off] == '\n' {
		l.line++
		l.lineStart = l.off + 1
	}
	l.off++
}

func (l *lexer) errorf(p pos, format string, args ...any) {
	l.report(p, fmt.Errorf(format, args...))
}

// next returns the next token.
func (l *lexer) next() token {
	var comments []commentLine
	for {
		p := l.pos()
		switch c := l.peek(); {
		case c == -1:
			return token{kind: tokEOF, pos: p, comments: comments}
		case c == '\n':
			l.advance()
			l.fresh = true
		case c == ' ' || c == '\t' || c == '\r':
			l.advance()
		case c == '#':
			text, ok := l.hashComment()
			if !ok {
				return token{kind: tokBad, pos: p, comments: comments}
			}
			// A stray CR can't be printed in a comment.
			if l.fresh && strings.IndexByte(text, '\r') < 0 {
				comments = append(comments, commentLine{commentText(text), p})
			}
		case c == '/' && strings.HasPrefix(l.src[l.off:], "/*"):
			l.fresh = false
			if !l.bracketComment(p) {
				return token{kind: tokBad, pos: p, comments: comments}
			}
		default:
			l.fresh = false
			t := l.token(p, byte(c))
			t.comments = comments
			return t
		}
	}
}

// commentText takes off the space that Format puts after "#".
func commentText(text string) string {
	return strings.TrimPrefix(text, " ")
}

// hashComment skips to the line end (not over it) and returns the text after
// "#".
func (l *lexer) hashComment() (string, bool) {
	start := l.off + 1
	end := strings.IndexByte(l.src[start:], '\n')
	if end < 0 {
		end = len(l.src)
	} else {
		end += start
	}
	text := l.src[start:end]
	if i := strings.IndexByte(text, 0); i >= 0 {
		l.off = start + i
		l.errorf(l.pos(), "a NUL in a comment: remove it")
		l.off++
		return "", false
	}
	l.off = end
	return strings.TrimSuffix(text, "\r"), true
}

func (l *lexer) bracketComment(start pos) bool {
	ok := true
	l.off += 2
	for {
		switch l.peek() {
		case -1:
			l.errorf(start, "the comment /* has no end: close it with */")
			return false
		case 0:
			if ok {
				l.errorf(l.pos(), "a NUL in a comment: remove it")
			}
			ok = false
			l.off++
		case '*':
			l.off++
			if l.peek() == '/' {
				l.off++
				return ok
			}
		default:
			l.advance()
		}
	}
}

func isAlpha(c int) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' }
func isDigit(c int) bool { return '0' <= c && c <= '9' }

// token reads the token that begins with c.
func (l *lexer) token(p pos, c byte) token {
	var kind tokenKind
	switch c {
	case ';':
		kind = tokSemicolon
	case ',':
		kind = tokComma
	case '(':
		kind = tokLParen
	case ')':
		kind = tokRParen
	case '[':
		kind = tokLBracket
	case ']':
		kind = tokRBracket
	case '{':
		kind = tokLBrace
	case '}':
		kind = tokRBrace
	case '/':
		kind = tokSlash
	case '"':
		return l.quoted(p)
	case ':':
		l.off++
		if !isAlpha(l.peek()) {
			return token{kind: tokColon, pos: p}
		}
		return l.word(p, tokTag)
	default:
		if isDigit(int(c)) {
			return l.number(p)
		}
		if isAlpha(int(c)) {
			return l.word(p, tokIdentifier)
		}
		// One report for a run of such octets.
		for c := l.peek(); c >= 0 && !isAlpha(c) && !isDigit(c) && !strings.ContainsRune("\r\n\t \"#:;,()[]{}/", rune(c)); c = l.peek() {
			l.off++
		}
		l.errorf(p, "unexpected %s outside a string", printable(l.src[l.off-(l.pos().column-p.column):l.off]))
		return token{kind: tokBad, pos: p}
	}
	l.off++
	return token{kind: kind, pos: p}
}

func printable(s string) string {
	if len(s) > 20 {
		s = s[:20]
	}
	return fmt.Sprintf("%q", s)
}

// word reads the rest of an identifier or tag, and a multi-line string.
func (l *lexer) word(p pos, kind tokenKind) token {
	start := l.off
	for c := l.peek(); isAlpha(c) || isDigit(c); c = l.peek() {
		l.off++
	}
	text := l.src[start:l.off]
	if kind == tokIdentifier && l.peek() == ':' && strings.EqualFold(text, "text") {
		l.off++
		return l.multiline(p)
	}
	if len(text) > maxIdentifier {
		l.errorf(p, "%s %.40q is longer than %d octets", kind, text, maxIdentifier)
		return token{kind: tokBad, pos: p}
	}
	return token{kind: kind, pos: p, text: text}
}

// number reads a number with its quantifier (RFC 5228 section 2.4.1).
func (l *lexer) number(p pos) token {
	var n uint64
	overflow := false
	for c := l.peek(); isDigit(c); c = l.peek() {
		d := uint64(c - '0')
		if n > (1<<64-1-d)/10 {
			overflow = true
		}
		n = n*10 + d
		l.off++
	}
	if c := l.peek(); c >= 0 {
		if shift, ok := quantifierShift(byte(c)); ok {
			l.off++
			if n > (1<<64-1)>>shift {
				overflow = true
			}
			n <<= shift
		}
	}
	if overflow {
		l.errorf(p, "number is larger than %d", uint64(1<<64-1))
		return token{kind: tokBad, pos: p}
	}
	return token{kind: tokNumber, pos: p, num: n}
}
