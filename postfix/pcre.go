package postfix

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// compilePCRE translates a Perl-compatible expression where Go has the same
// with the same meaning. The text it is used on has one character for each
// octet ([headers.MatchERE]).
func compilePCRE(pattern, flags string) (*regexp.Regexp, error) {
	unsupported := func(format string, args ...any) (*regexp.Regexp, error) {
		return nil, fault.New(ErrSyntax, fmt.Sprintf(format, args...)+" can't be evaluated")
	}
	on := map[rune]bool{'i': true, 's': true}
	for _, f := range flags {
		switch f {
		case 'i', 'm', 's', 'A', 'E', 'U':
			on[f] = !on[f]
		default:
			return unsupported("flag %q", f)
		}
	}
	var b strings.Builder
	inSet, first := false, false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		wasFirst := first
		first = false
		switch {
		case c >= 0x80 || c < ' ' && c != '\t':
			return unsupported("octet %q", c)
		case c == '\\':
			if i++; i == len(pattern) {
				return unsupported("a backslash at the end")
			}
			switch e := pattern[i]; {
			case e == 's':
				// Perl's has the vertical tab.
				if b.WriteString(`[\s\v]`); inSet {
					trimmed := strings.TrimSuffix(b.String(), `[\s\v]`)
					b.Reset()
					b.WriteString(trimmed + `\s\v`)
				}
			case e == 'S' && !inSet:
				b.WriteString(`[^\s\v]`)
			case strings.IndexByte("dDwWtnrfa", e) >= 0, strings.IndexByte("bBAz", e) >= 0 && !inSet, !isAlnum(e):
				b.WriteByte('\\')
				b.WriteByte(e)
			default:
				return unsupported("\\%c", e)
			}
			continue
		case inSet:
			if c == ']' && !wasFirst {
				inSet = false
			}
			if c == '[' && strings.HasPrefix(pattern[i:], "[:") {
				n := strings.Index(pattern[i:], ":]")
				if n < 0 {
					return unsupported("%q", pattern[i:])
				}
				b.WriteString(pattern[i : i+n+2])
				i += n + 1
				continue
			}
			if c == '^' && wasFirst && pattern[i-1] == '[' {
				first = true
			}
			if c == '[' {
				b.WriteByte('\\')
			}
		case c == '[':
			inSet, first = true, true
		case c == '(' && strings.HasPrefix(pattern[i:], "(?") && !strings.HasPrefix(pattern[i:], "(?:") &&
			!strings.HasPrefix(pattern[i:], "(?i)"):
			return unsupported("%q", pattern[i:min(i+4, len(pattern))])
		case c == '(' && strings.HasPrefix(pattern[i:], "(*"):
			return unsupported("%q", pattern[i:min(i+4, len(pattern))])
		}
		b.WriteByte(c)
	}
	text := b.String()
	prefix := ""
	for _, f := range "imsU" {
		if on[f] {
			prefix += string(f)
		}
	}
	if on['A'] {
		text = `\A(?:` + text + `)`
	}
	if prefix != "" {
		text = "(?" + prefix + ")" + text
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return unsupported("pattern %q: %v", pattern, err)
	}
	return re, nil
}
