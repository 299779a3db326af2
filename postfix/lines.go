package postfix

import "bytes"

// isSpace is Postfix's ISSPACE: isspace(3) of the C locale.
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// isBlank reports whether Postfix skips the physical line: white space only,
// or a comment.
func isBlank(line []byte) bool {
	for _, c := range line {
		if !isSpace(c) {
			return c == '#'
		}
	}
	return true
}

// cstring cuts text at its first NUL, where Postfix's string functions stop.
func cstring(text []byte) []byte {
	if i := bytes.IndexByte(text, 0); i >= 0 {
		return text[:i]
	}
	return text
}

// lineScanner yields the logical lines of a file as Postfix's readllines()
// does: comments and blank lines vanish wherever they stand, a line that
// starts with white space continues the one before it with that white space
// kept, line ends vanish.
type lineScanner struct {
	src  []byte
	pos  int
	line int // physical lines read so far

	text  []byte // the logical line; aliases src where it is one physical line
	parts []part // its physical lines
	buf   []byte
}

// part is one physical line of a logical line.
type part struct {
	line       int // from 1
	start, end int // in src, the line end included
}

// next reads one logical line. A logical line that begins with white space
// has nothing to continue; Postfix warns and skips it, so callers check that.
func (s *lineScanner) next() bool {
	s.parts = s.parts[:0]
	s.text = nil
	for s.pos < len(s.src) {
		start := s.pos
		end, stop := len(s.src), len(s.src)
		if i := bytes.IndexByte(s.src[start:], '\n'); i >= 0 {
			stop = start + i
			end = stop + 1
		}
		if len(s.parts) > 0 && s.src[start] != '#' && !isSpace(s.src[start]) {
			return true // the next logical line
		}
		s.pos = end
		s.line++
		content := s.src[start:stop]
		if isBlank(content) {
			continue
		}
		switch len(s.parts) {
		case 0:
			s.text = content
		case 1:
			s.buf = append(append(s.buf[:0], s.text...), content...)
			s.text = s.buf
		default:
			s.buf = append(s.buf, content...)
			s.text = s.buf
		}
		s.parts = append(s.parts, part{s.line, start, end})
	}
	return len(s.parts) > 0
}

// first is the number of the logical line's first physical line.
func (s *lineScanner) first() int { return s.parts[0].line }

// indented reports whether the logical line begins with white space.
func (s *lineScanner) indented() bool { return isSpace(s.text[0]) }

const indentedText = "a logical line must not start with white space: the line and what continues it are ignored"
