package postfix

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// CIDREntry is one rule of a cidr: table (cidr_table(5)).
type CIDREntry struct {
	// Prefix is the network, without host bits.
	Prefix netip.Prefix
	Value  string
	// Negate: the rule applies to addresses outside Prefix ("!"), of the same
	// family: an IPv4 network says nothing of IPv6 addresses either way.
	Negate bool
	// Guards are the if...endif blocks that enclose the rule, the outermost
	// first. Consecutive rules with equal guards share the blocks.
	Guards []CIDRGuard
	// Comment is written above the rule as comment lines.
	Comment string
	// Rule says where it comes from, for traces. It is not printed.
	Rule string
	// Line is the first physical line where it was read from a file, else 0.
	Line int
}

// CIDRGuard is the condition of an if...endif block.
type CIDRGuard struct {
	Prefix netip.Prefix
	Negate bool
}

// matchPrefix reports whether a condition holds. It never does for an address
// of the other family, negated or not.
func matchPrefix(p netip.Prefix, negate bool, addr netip.Addr) bool {
	return p.Addr().BitLen() == addr.BitLen() && p.Contains(addr) != negate
}

// CIDRTable is a cidr: table; the first rule that matches counts.
type CIDRTable []CIDREntry

// Format returns the text of the table. What cidr_table(5) would skip or read
// differently is an error, as it would let through what the rule should stop;
// the error is [Errors], all at once.
func (t CIDRTable) Format() ([]byte, error) {
	var errs Errors
	fail := func(i int, field, format string, args ...any) {
		errs = append(errs, &Error{
			Position: Position{Path: fmt.Sprintf("[%d].%s", i, field)},
			Err:      fault.New(ErrIllegal, fmt.Sprintf(format, args...)),
		})
	}
	var b bytes.Buffer
	var open []CIDRGuard
	closeTo := func(n int) {
		for len(open) > n {
			b.WriteString("endif\n")
			open = open[:len(open)-1]
		}
	}
	for i, e := range t {
		if why := badPrefix(e.Prefix); why != "" {
			fail(i, "Prefix", "%s", why)
		}
		for j, g := range e.Guards {
			if why := badPrefix(g.Prefix); why != "" {
				fail(i, fmt.Sprintf("Guards[%d].Prefix", j), "%s", why)
			}
		}
		if why := badText(e.Value); why != "" {
			fail(i, "Value", "%q: %s", e.Value, why)
		}
		if why := badComment(e.Comment); why != "" {
			fail(i, "Comment", "%q: %s", e.Comment, why)
		}
		common := 0
		for common < len(open) && common < len(e.Guards) && open[common] == e.Guards[common] {
			common++
		}
		closeTo(common)
		for _, g := range e.Guards[common:] {
			b.WriteString("if ")
			writePrefix(&b, g.Prefix, g.Negate)
			b.WriteByte('\n')
			open = append(open, g)
		}
		writeComment(&b, e.Comment)
		writePrefix(&b, e.Prefix, e.Negate)
		b.WriteByte('\t')
		b.WriteString(e.Value)
		b.WriteByte('\n')
	}
	closeTo(0)
	if len(errs) > 0 {
		return nil, errs
	}
	return b.Bytes(), nil
}

func writePrefix(b *bytes.Buffer, p netip.Prefix, negate bool) {
	if negate {
		b.WriteByte('!')
	}
	b.WriteString(p.String())
}

func badPrefix(p netip.Prefix) string {
	switch {
	case !p.IsValid():
		return "is not a network"
	case p.Masked() != p:
		return fmt.Sprintf("%s has host bits: %s", p, p.Masked())
	case p.Addr().Is4In6():
		return fmt.Sprintf("%s is an IPv4 network in IPv6 form, which no client address has: write it as IPv4", p)
	}
	return ""
}

// ParseCIDR reads a cidr: table as Postfix does: rules that it skips are
// warnings.
func ParseCIDR(name string, src []byte) (CIDRTable, []Warning) {
	var t CIDRTable
	var warnings []Warning
	type block struct {
		line  int
		guard CIDRGuard
	}
	var open []block
	s := lineScanner{src: src}
	for s.next() {
		warn := func(format string, args ...any) {
			warnings = append(warnings, Warning{Position: Position{File: name, Line: s.first()}, Text: fmt.Sprintf(format, args...)})
		}
		if s.indented() {
			warn(indentedText)
			continue
		}
		text := string(bytes.TrimRight(cstring(s.text), " \t\n\v\f\r"))
		switch word := leadingWord(text); {
		case strings.EqualFold(word, "if"):
			pattern := strings.Trim(text[2:], " \t\n\v\f\r")
			pattern, negate := cutNegation(pattern)
			if i := strings.IndexFunc(pattern, isSpaceRune); i >= 0 {
				warn("text after the pattern of IF is ignored: do not indent what stands between IF and ENDIF")
				pattern = pattern[:i]
			}
			p, why := parsePattern(pattern)
			if why != "" {
				warn("%s: the rule is skipped", why)
				continue
			}
			open = append(open, block{s.first(), CIDRGuard{p, negate}})
		case strings.EqualFold(word, "endif"):
			if len(open) == 0 {
				warn("ENDIF without IF is ignored")
				continue
			}
			if len(text) > len("endif") {
				warn("text after ENDIF is ignored")
			}
			open = open[:len(open)-1]
		default:
			rest, negate := cutNegation(text)
			pattern, value := rest, ""
			if i := strings.IndexFunc(rest, isSpaceRune); i >= 0 {
				pattern, value = rest[:i], strings.TrimLeft(rest[i:], " \t\n\v\f\r")
			}
			p, why := parsePattern(pattern)
			switch {
			case value == "":
				warn("no lookup result: the rule is skipped")
				continue
			case why != "":
				warn("%s: the rule is skipped", why)
				continue
			}
			e := CIDREntry{Prefix: p, Negate: negate, Value: value, Line: s.first()}
			for _, b := range open {
				e.Guards = append(e.Guards, b.guard)
			}
			t = append(t, e)
			if !utf8.ValidString(value) {
				warn("the result isn't UTF-8: where it is found, the look-up fails")
				warnings[len(warnings)-1].Unevaluated = true
			}
		}
	}
	for _, b := range slices.Backward(open) {
		warnings = append(warnings, Warning{Position: Position{File: name, Line: b.line}, Text: "IF has no matching ENDIF"})
	}
	return t, warnings
}

// leadingWord is the run of letters and digits that text begins with.
func leadingWord(text string) string {
	n := 0
	for n < len(text) && isAlnum(text[n]) {
		n++
	}
	return text[:n]
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isSpaceRune(r rune) bool { return r < 0x80 && isSpace(byte(r)) }

// cutNegation takes "!" and white space off the front.
func cutNegation(text string) (rest string, negate bool) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '!':
			negate = !negate
		case !isSpace(c):
			return text[i:], negate
		}
	}
	return "", negate
}

// parsePattern reads "net/length" or an address (cidr_match(3)).
func parsePattern(text string) (netip.Prefix, string) {
	if strings.HasPrefix(text, "[") {
		if i := strings.IndexByte(text, ']'); i < 0 {
			return netip.Prefix{}, "missing ']' character"
		} else if rest := text[i+1:]; rest != "" && rest[0] != '/' {
			return netip.Prefix{}, "garbage after ']'"
		} else {
			text = text[1:i] + rest
		}
	}
	host, length, masked := strings.Cut(text, "/")
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" {
		return netip.Prefix{}, fmt.Sprintf("bad address pattern %q", text)
	}
	if !masked {
		return netip.PrefixFrom(addr, addr.BitLen()), ""
	}
	// The length is kept in eight bits, and nobody looks at the others.
	bits, err := strconv.ParseUint(length, 10, 31)
	if bits &= 0xff; err != nil || int(bits) > addr.BitLen() {
		return netip.Prefix{}, fmt.Sprintf("bad network/mask pattern %q", text)
	}
	p := netip.PrefixFrom(addr, int(bits))
	if p.Masked() != p {
		return netip.Prefix{}, fmt.Sprintf("non-null host address bits in %q, perhaps you should use %q instead", text, p.Masked())
	}
	return p, ""
}

// Lookup returns the first rule that matches the address. An IPv4 address in
// IPv6 form counts as IPv4, as smtpd(8) has it; a zone is ignored.
func (t CIDRTable) Lookup(addr netip.Addr) (CIDREntry, bool) {
	if !addr.IsValid() {
		return CIDREntry{}, false
	}
	addr = addr.Unmap().WithZone("")
next:
	for i := range t {
		e := &t[i]
		for _, g := range e.Guards {
			if !matchPrefix(g.Prefix, g.Negate, addr) {
				continue next
			}
		}
		if matchPrefix(e.Prefix, e.Negate, addr) {
			return *e, true
		}
	}
	return CIDREntry{}, false
}
