package headers

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// CompileERE translates a POSIX extended regular expression (POSIX.1-2017,
// XBD 9.4) as regcomp(3) reads it without REG_NEWLINE and in the POSIX locale,
// which is how Postfix's regexp: tables and Pigeonhole's :regex use it: "."
// is any octet, a line end too, "^" and "$" stand for the ends of the text
// only, and of several matches the leftmost longest counts. foldCase ignores
// the case of ASCII letters (REG_ICASE).
//
// What POSIX leaves undefined or what Go's regexp can't do is an error that
// names it: back-references, "\<", "\w" and the other GNU escapes, a
// repetition of nothing, more than 1000 repetitions. It wraps [ErrInvalid],
// and where regcomp takes the pattern, or may take it, [ErrUnsupported].
//
// The result works on octets; text that isn't ASCII must be given to it by
// [MatchERE]. For ASCII text its own methods do as well.
func CompileERE(pattern string, foldCase bool) (*regexp.Regexp, error) {
	p := ereParser{in: pattern, fold: foldCase, out: []byte("(?s)")}
	if err := p.alternatives(0); err != nil {
		return nil, err
	}
	re, err := regexp.Compile(string(p.out))
	if err != nil {
		return nil, mistake(ErrUnsupported, "make several of it", "regular expression %q is too large", pattern)
	}
	re.Longest()
	return re, nil
}

// MatchERE reports whether re, made by [CompileERE], is found in the value.
// Octets that aren't ASCII count as one character each, as in the POSIX
// locale. What follows a NUL isn't seen, as regexec(3) doesn't see it.
func MatchERE(re *regexp.Regexp, value []byte) bool {
	if re == nil {
		return false
	}
	text, _ := posixText(value)
	return re.Match(text)
}

// FindERE returns where re, made by [CompileERE], is found in the value: the
// match and each of its groups, nil for a group that has no part in it. Where
// it isn't found, that is nil. Of two ways to the longest match the groups are
// those of Go's regexp, which POSIX may fill otherwise.
func FindERE(re *regexp.Regexp, value []byte) [][]byte {
	if re == nil {
		return nil
	}
	text, wide := posixText(value)
	list := re.FindSubmatch(text)
	if !wide {
		return list
	}
	for i, b := range list {
		if b == nil {
			continue
		}
		narrow := make([]byte, 0, len(b))
		for _, c := range string(b) {
			narrow = append(narrow, byte(c))
		}
		list[i] = narrow
	}
	return list
}

// posixText returns what regexec(3) sees of a value, up to a NUL. Where an octet
// isn't ASCII, each becomes a character of its own, and the text is wide.
func posixText(value []byte) (text []byte, wide bool) {
	for i, c := range value {
		if c == 0 {
			value = value[:i]
			break
		}
		wide = wide || c >= utf8.RuneSelf
	}
	if !wide {
		return value, false
	}
	text = make([]byte, 0, 2*len(value))
	for _, c := range value {
		text = utf8.AppendRune(text, rune(c))
	}
	return text, true
}

// ereParser writes the Go expression while it reads the POSIX one.
type ereParser struct {
	in   string
	pos  int
	fold bool
	out  []byte
}

// ereMaxDepth keeps a hostile pattern from exhausting the stack; Go's own
// limit is 1000.
const ereMaxDepth = 250

// maxInterval is the largest number in an interval (RE_DUP_MAX of glibc).
const maxInterval = 0x7fff

func (p *ereParser) errorf(at int, fix, format string, args ...any) error {
	return mistake(ErrInvalid, fix, "regular expression %q: at octet %d: %s", p.in, at+1, fmt.Sprintf(format, args...))
}

// foreignf is errorf for what regcomp(3) takes, or may take.
func (p *ereParser) foreignf(at int, fix, format string, args ...any) error {
	return mistake(ErrUnsupported, fix, "regular expression %q: at octet %d: %s", p.in, at+1, fmt.Sprintf(format, args...))
}

func (p *ereParser) more() bool { return p.pos < len(p.in) }

// alternatives reads up to the end or, inside a group, to its ")".
func (p *ereParser) alternatives(depth int) error {
	if depth > ereMaxDepth {
		return p.foreignf(p.pos, "leave out groups", "more than %d nested groups", ereMaxDepth)
	}
	for p.more() {
		switch p.in[p.pos] {
		case '|':
			p.pos++
			p.out = append(p.out, '|')
		case ')':
			if depth > 0 {
				return nil
			}
			return p.foreignf(p.pos, `write "\\)" for the octet`, `")" without "("`)
		default:
			if err := p.piece(depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// piece reads an atom and its repetitions.
func (p *ereParser) piece(depth int) error {
	start := p.pos
	mark := len(p.out)
	repeatable := true
	switch c := p.in[p.pos]; c {
	case '^', '$':
		p.pos++
		anchor := `\A`
		if c == '$' {
			anchor = `\z`
		}
		p.out = append(p.out, anchor...)
		repeatable = false
	case '*', '+', '?', '{':
		return p.errorf(start, fmt.Sprintf("write %q for the octet", `\`+string(c)), "%q repeats nothing", c)
	case '(':
		p.pos++
		p.out = append(p.out, '(')
		if err := p.alternatives(depth + 1); err != nil {
			return err
		}
		if !p.more() {
			return p.errorf(start, `close it, or write "\\(" for the octet`, `"(" without ")"`)
		}
		p.pos++
		p.out = append(p.out, ')')
	case '.':
		p.pos++
		p.out = append(p.out, '.')
	case '[':
		set, err := p.bracket()
		if err != nil {
			return err
		}
		p.set(set)
	case '\\':
		if err := p.escape(); err != nil {
			return err
		}
	case 0:
		return p.foreignf(start, "remove it", "NUL")
	default:
		p.pos++
		p.literal(c)
	}
	for times := 0; p.more(); times++ {
		at := p.pos
		repeat, err := p.repetition()
		if err != nil {
			return err
		}
		if repeat == "" {
			break
		}
		if !repeatable {
			return p.errorf(at, "remove it", "%q repeats an anchor", p.in[at])
		}
		if times > 0 {
			// In Go a second sign would change the first one's meaning.
			atom := string(p.out[mark:])
			p.out = append(p.out[:mark], "(?:"+atom+")"...)
		}
		p.out = append(p.out, repeat...)
	}
	return nil
}

// repetition reads "*", "+", "?" or an interval, or nothing.
func (p *ereParser) repetition() (string, error) {
	start := p.pos
	switch c := p.in[p.pos]; c {
	case '*', '+', '?':
		p.pos++
		return string(c), nil
	case '{':
	default:
		return "", nil
	}
	end := strings.IndexByte(p.in[start:], '}')
	if end < 0 {
		return "", p.errorf(start, `write "\\{" for the octet`, `"{" without "}"`)
	}
	p.pos = start + end + 1
	low, high, comma := strings.Cut(p.in[start+1:start+end], ",")
	number := func(s string) (int, bool) {
		n, err := strconv.Atoi(s)
		return n, err == nil && s[0] >= '0' && s[0] <= '9'
	}
	m, ok := number(low)
	n := m
	if ok && comma && high != "" {
		n, ok = number(high)
	}
	switch {
	case !ok && low == "" && comma:
		return "", p.foreignf(start, "write {0,5}", "%q is no interval of POSIX", p.in[start:p.pos])
	case !ok:
		return "", p.errorf(start, "write {2}, {2,} or {2,5}", "%q is no interval", p.in[start:p.pos])
	case m > n:
		return "", p.errorf(start, "write the smaller number first", "the interval %q is empty", p.in[start:p.pos])
	case n > maxInterval:
		return "", p.errorf(start, "repeat a group of repetitions", "%q asks for too many repetitions", p.in[start:p.pos])
	case n > 1000:
		return "", p.foreignf(start, "repeat a group of repetitions", "%q asks for more than 1000 repetitions", p.in[start:p.pos])
	case !comma:
		return fmt.Sprintf("{%d}", m), nil
	case high == "":
		return fmt.Sprintf("{%d,}", m), nil
	}
	return fmt.Sprintf("{%d,%d}", m, n), nil
}

// escape reads a backslash and the octet it makes ordinary.
func (p *ereParser) escape() error {
	start := p.pos
	if start+1 == len(p.in) {
		return p.errorf(start, `write "\\\\" for the octet`, `nothing follows "\\"`)
	}
	c := p.in[start+1]
	p.pos += 2
	if c >= '1' && c <= '9' {
		if strings.Count(p.in[:start], "(") < int(c-'0') {
			return p.errorf(start, "write the text itself", "there is no group for the back-reference \\%c", c)
		}
		return p.foreignf(start, "write the text itself", "the back-reference \\%c can't be matched", c)
	}
	if !strings.ContainsRune(`^.[]$()|*+?{}\/-"#,:;=!%&@_~ `, rune(c)) {
		return p.foreignf(start, gnuEscape(c), "\\%c is not defined in POSIX", c)
	}
	p.literal(c)
	return nil
}

// gnuEscape says what to write for an escape of GNU's regcomp.
func gnuEscape(c byte) string {
	switch c {
	case 'w':
		return "write [[:alnum:]_]"
	case 'W':
		return "write [^[:alnum:]_]"
	case 's':
		return "write [[:space:]]"
	case 'S':
		return "write [^[:space:]]"
	case '<', '>', 'b', 'B':
		return "write (^|[^[:alnum:]_]) or ([^[:alnum:]_]|$) for the edge of a word"
	case '`':
		return "write ^"
	}
	return "write the octet itself"
}

// literal writes one octet.
func (p *ereParser) literal(c byte) {
	if l := lower(c); p.fold && l >= 'a' && l <= 'z' {
		// Not (?i), which would fold characters outside of ASCII too.
		p.out = append(p.out, '[', l-32, l, ']')
		return
	}
	p.out = append(p.out, regexp.QuoteMeta(string(rune(c)))...)
}

// set writes a bracket expression.
func (p *ereParser) set(set *[256]bool) {
	mark := len(p.out)
	p.out = append(p.out, '[')
	for c := 0; c < 256; c++ {
		if !set[c] {
			continue
		}
		end := c
		for end < 255 && set[end+1] {
			end++
		}
		if c <= 0x80 && end == 255 {
			// The same on octets, and for those who don't use MatchERE a
			// negated set has all the other characters.
			p.out = fmt.Appendf(p.out, `\x{%x}-\x{10ffff}`, c)
		} else {
			p.out = fmt.Appendf(p.out, `\x{%x}-\x{%x}`, c, end)
		}
		c = end
	}
	if len(p.out) == mark+1 {
		p.out = append(p.out, `^\x{0}-\x{10ffff}`...)
	}
	p.out = append(p.out, ']')
}
