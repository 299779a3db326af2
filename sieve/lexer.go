package sieve

import (
	"fmt"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
)

// The limits of Pigeonhole 0.5 (sieve-limits.h, sieve_max_script_size).
const (
	maxScriptSize   = 1 << 20
	maxIdentifier   = 32
	maxArguments    = 32
	maxBlockNesting = 32
	maxTestNesting  = 32
	maxLoopNesting  = 4
)

// tokenKind is the kind of a token; the punctuation marks are their own kind.
type tokenKind uint8

const (
	tokEOF tokenKind = iota
	tokBad           // reported by the lexer
	tokIdentifier
	tokTag
	tokNumber
	tokString
	tokSemicolon
	tokComma
	tokLParen
	tokRParen
	tokLBracket
	tokRBracket
	tokLBrace
	tokRBrace
	tokColon
	tokSlash
)

// String names the kind as errors do.
func (k tokenKind) String() string {
	return [...]string{
		"end of file", "bad token", "identifier", "tag", "number", "string",
		"';'", "','", "'('", "')'", "'['", "']'", "'{'", "'}'", "':'", "'/'",
	}[k]
}

// class is what an octet can be at the beginning of a token.
type class uint8

const (
	classOther class = iota
	classSpace
	classAlpha
	classDigit
	classMark // a token of one octet
	classQuote
	classColon
	classSlash
	classHash
)

var classes, marks = func() (c [256]class, m [256]tokenKind) {
	for i := 'a'; i <= 'z'; i++ {
		c[i], c[i-'a'+'A'] = classAlpha, classAlpha
	}
	c['_'] = classAlpha
	for i := '0'; i <= '9'; i++ {
		c[i] = classDigit
	}
	for _, s := range " \t\r\n" {
		c[s] = classSpace
	}
	c['"'], c[':'], c['/'], c['#'] = classQuote, classColon, classSlash, classHash
	for s, kind := range map[byte]tokenKind{
		';': tokSemicolon, ',': tokComma, '(': tokLParen, ')': tokRParen,
		'[': tokLBracket, ']': tokRBracket, '{': tokLBrace, '}': tokRBrace,
	} {
		c[s], m[s] = classMark, kind
	}
	return c, m
}()

// token is one token of the grammar of RFC 5228 section 8.1.
type token struct {
	kind     tokenKind
	id       nameID // of an identifier or tag
	off, end int32  // in the source
	line     int32  // that it begins in, from 0
	// decoded is that of synString.
	decoded int32
	num     uint64
	// comments is the number of comments that were seen before the token.
	comments int32
}

// synComment is a comment of a source, from its first octet to behind its last;
// the line end of a # comment is not part of it.
type synComment struct{ off, end, line int32 }

// lexer cuts a source into tokens. It reports each error once and goes on.
type lexer struct {
	src      string
	off      int
	line     int32 // of off, from 0, as long as there was no error
	comments []synComment
	decoded  []string
	report   func(off int, err error)
}

// peek returns the next octet, or -1 at the end.
func (l *lexer) peek() int {
	if l.off < len(l.src) {
		return int(l.src[l.off])
	}
	return -1
}

func (l *lexer) errorf(off int, format string, args ...any) {
	l.report(off, fmt.Errorf(format, args...))
}

// next reads the next token into t.
func (l *lexer) next(t *token) {
	t.comments = int32(len(l.comments))
	for {
		src, i := l.src, l.off
		for i < len(src) && classes[src[i]] == classSpace {
			if src[i] == '\n' {
				l.line++
			}
			i++
		}
		l.off = i
		t.off, t.line = int32(i), l.line
		if i == len(src) {
			t.kind, t.end = tokEOF, int32(i)
			return
		}
		c := src[i]
		switch classes[c] {
		case classMark:
			l.off = i + 1
			t.kind = marks[c]
		case classAlpha:
			l.word(t, tokIdentifier)
		case classQuote:
			l.quoted(t)
		case classColon:
			l.off = i + 1
			t.kind = tokColon
			if i+1 < len(src) && classes[src[i+1]] == classAlpha {
				l.word(t, tokTag)
			}
		case classDigit:
			l.number(t)
		case classHash:
			if l.hashComment() {
				continue
			}
			t.kind = tokBad
		case classSlash:
			if i+1 < len(src) && src[i+1] == '*' {
				if l.bracketComment() {
					continue
				}
				t.kind = tokBad
				break
			}
			l.off = i + 1
			t.kind = tokSlash
		default:
			l.other(t)
		}
		t.end = int32(l.off)
		return
	}
}

// other reports a run of octets that no token begins with.
func (l *lexer) other(t *token) {
	start := l.off
	for l.off < len(l.src) && classes[l.src[l.off]] == classOther {
		l.off++
	}
	l.errorf(start, "unexpected %s outside a string", printable(l.src[start:l.off]))
	t.kind = tokBad
}

func printable(s string) string {
	if len(s) > 20 {
		s = s[:20]
	}
	return fmt.Sprintf("%q", s)
}

// hashComment skips to the line end (not over it).
func (l *lexer) hashComment() bool {
	start := l.off
	end := strings.IndexByte(l.src[start:], '\n')
	if end < 0 {
		end = len(l.src)
	} else {
		end += start
	}
	text := l.src[start:end]
	if i := strings.IndexByte(text, 0); i >= 0 {
		l.errorf(start+i, "a NUL in a comment: remove it")
		l.off = start + i + 1
		return false
	}
	l.off = end
	l.comments = append(l.comments, synComment{int32(start), int32(start + len(strings.TrimSuffix(text, "\r"))), l.line})
	return true
}

// bracketComment skips a comment between /* and */.
func (l *lexer) bracketComment() bool {
	start := l.off
	end := strings.Index(l.src[start+2:], "*/")
	if end < 0 {
		l.off = len(l.src)
	} else {
		l.off = start + 2 + end + 2
	}
	nul := strings.IndexByte(l.src[start:l.off], 0)
	if nul >= 0 {
		l.errorf(start+nul, "a NUL in a comment: remove it")
	}
	if end < 0 {
		l.errorf(start, "the comment /* has no end: close it with */")
	}
	if nul >= 0 || end < 0 {
		return false
	}
	l.comments = append(l.comments, synComment{int32(start), int32(l.off), l.line})
	l.line += int32(strings.Count(l.src[start:l.off], "\n"))
	return true
}

// word reads an identifier, the rest of a tag, or a multi-line string.
func (l *lexer) word(t *token, kind tokenKind) {
	src, start := l.src, l.off
	var key wordKey
	i := start
	for ; i < len(src); i++ {
		c := letters[src[i]]
		if c == 0 {
			break
		}
		key = key<<8 | wordKey(c)
	}
	l.off = i
	t.kind = kind
	t.id = lookupKey(key, src[start:i])
	if t.id == nameText && kind == tokIdentifier && i < len(src) && src[i] == ':' {
		l.off++
		l.multiline(t)
		return
	}
	if i-start > maxIdentifier {
		l.errorf(int(t.off), "%s %.40q is longer than %d octets", kind, src[start:i], maxIdentifier)
		t.kind = tokBad
	}
}

// number reads a number with its quantifier (RFC 5228 section 2.4.1).
func (l *lexer) number(t *token) {
	var n uint64
	overflow := false
	for c := l.peek(); ascii.IsDigit(c); c = l.peek() {
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
	t.kind, t.num = tokNumber, n
	if overflow {
		l.errorf(int(t.off), "number is larger than %d", uint64(1<<64-1))
		t.kind = tokBad
	}
}
