package ere

import "strings"

const closeBracket = `close it, or write "\\[" for the octet`

// maxName is the longest name in "[: :]", "[= =]" and "[. .]".
const maxName = 31

// element is one thing in a bracket expression.
type element struct {
	class, equivalence bool
	name               string // of a class
	c                  byte
}

// bracket reads a bracket expression (POSIX.1-2017, XBD 9.3.5), of which the
// token is the "[".
func (p *parser) bracket() (*set, *Error) {
	start := p.tok.at
	unclosed := func() *Error { return fail(start, closeBracket, `"[" without "]"`) }
	var s set
	not := strings.HasPrefix(p.in[p.pos:], "^")
	if not {
		p.pos++
		// The brackets that stand for what isn't in them don't have it.
		s['\n'] = p.flags.Newline
	}
	for first := true; ; first = false {
		rest := p.in[p.pos:]
		if rest == "" {
			return nil, unclosed()
		}
		if rest[0] == ']' && !first {
			p.pos++
			break
		}
		at := p.pos
		if rest[0] == '-' && !first && !strings.HasPrefix(rest, "-]") {
			return nil, fail(at, "write it last", `"-" stands neither first nor last in its brackets`)
		}
		low, err := p.element(start)
		if err != nil {
			return nil, err
		}
		if low.class {
			p.addClass(&s, low.name)
			continue
		}
		high := low
		if rest := p.in[p.pos:]; !low.equivalence && strings.HasPrefix(rest, "-") {
			if rest == "-" {
				return nil, unclosed()
			} else if rest[1] != ']' {
				p.pos++
				if high, err = p.element(start); err != nil {
					return nil, err
				}
			}
		}
		text := p.raw[at:p.pos]
		switch {
		case high.class || high.equivalence && high != low:
			return nil, fail(at, "write the class and the range one after the other", "the range %q ends with a class", text)
		case high.c < low.c:
			return nil, fail(at, "write the lower end first", "the range %q is empty", text)
		}
		for c := int(low.c); c <= int(high.c); c++ {
			s[c] = true
		}
	}
	if not {
		for c := range s {
			s[c] = !s[c]
		}
	}
	return p.folded(&s), nil
}

// element reads one octet, plain or as "[.x.]", or a class.
func (p *parser) element(start int) (element, *Error) {
	at := p.pos
	rest := p.in[at:]
	if rest == "" {
		return element{}, fail(start, closeBracket, `"[" without "]"`)
	}
	p.pos++
	if len(rest) < 2 || rest[0] != '[' || strings.IndexByte(":=.", rest[1]) < 0 {
		return element{c: rest[0]}, nil
	}
	kind := rest[1]
	if kind == ':' {
		rest = p.raw[at:]
	}
	name, _, closed := strings.Cut(rest[2:], string(kind)+"]")
	if !closed || len(name) > maxName || len(rest) == len(name)+4 {
		return element{}, fail(at, "close it", "\"[%c\" without \"%c]\" and \"]\"", kind, kind)
	}
	p.pos = at + len(name) + 4
	switch kind {
	case ':':
		if classes[name] == nil {
			return element{}, fail(at, "the classes are alnum, alpha, blank, cntrl, digit, graph, lower, print, punct, space, upper and xdigit",
				"%q is no character class", name)
		}
		return element{class: true, name: name}, nil
	default:
		if len(name) != 1 {
			return element{}, fail(at, "write the octet", "%q is no single octet", name)
		}
		return element{equivalence: kind == '=', c: name[0]}, nil
	}
}

// classes are the character classes of the POSIX locale.
var classes = map[string]func(c byte) bool{
	"alnum":  isAlnum,
	"alpha":  isAlpha,
	"blank":  func(c byte) bool { return c == ' ' || c == '\t' },
	"cntrl":  func(c byte) bool { return c < ' ' || c == 0x7f },
	"digit":  isDigit,
	"graph":  func(c byte) bool { return c > ' ' && c < 0x7f },
	"lower":  func(c byte) bool { return 'a' <= c && c <= 'z' },
	"print":  func(c byte) bool { return c >= ' ' && c < 0x7f },
	"punct":  func(c byte) bool { return c > ' ' && c < 0x7f && !isAlnum(c) },
	"space":  isSpace,
	"upper":  func(c byte) bool { return 'A' <= c && c <= 'Z' },
	"xdigit": func(c byte) bool { return isDigit(c) || 'a' <= lower(c) && lower(c) <= 'f' },
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isAlpha(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' }
func isAlnum(c byte) bool { return isDigit(c) || isAlpha(c) }
func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }
func isWord(c byte) bool  { return isAlnum(c) || c == '_' }

// addClass adds a class.
func (p *parser) addClass(s *set, name string) {
	if p.flags.FoldCase && (name == "upper" || name == "lower") {
		name = "alpha"
	}
	is := classes[name]
	for c := range s {
		if is(byte(c)) {
			s[c] = true
		}
	}
}

// folded makes a set of what is compared with it of a set of octets in upper
// case. A text has no NUL.
func (p *parser) folded(s *set) *set {
	if p.flags.FoldCase {
		for c := 'A'; c <= 'Z'; c++ {
			s[c+'a'-'A'] = s[c]
		}
	}
	s[0] = false
	return s
}

func (p *parser) octet(c byte) *node {
	var s set
	s[c] = true
	return &node{kind: kindSet, set: p.folded(&s)}
}

func (p *parser) period() *set {
	var s set
	for c := range s {
		s[c] = c != '\n' || !p.flags.Newline
	}
	return p.folded(&s)
}

// escapedClass is \w, \W, \s or \S.
func (p *parser) escapedClass(c byte) *set {
	is := isWord
	if lower(c) == 's' {
		is = isSpace
	}
	var s set
	for i := range s {
		if is(byte(i)) {
			s[i] = true
		}
	}
	if c == 'W' || c == 'S' {
		for i := range s {
			s[i] = !s[i]
		}
	}
	return p.folded(&s)
}
