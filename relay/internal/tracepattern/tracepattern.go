// Package tracepattern writes regular expressions for the addresses of a network
// in the Received: lines of smtpd(8).
package tracepattern

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// Network is a POSIX regular expression for the addresses of a network as
// smtpd(8) writes them: IPv6 ones with "IPv6:" before them, in the form of
// inet_ntop(3): lower case, no leading zeros, and "::" for the longest run of two
// or more groups of zeros, the first of equal ones (RFC 5952). Other forms, which
// nobody writes, it may match or not.
func Network(p netip.Prefix) (string, error) {
	p = p.Masked()
	a := p.Addr()
	if a.Is4() {
		return pattern4(a.As4(), p.Bits()), nil
	}
	for _, odd := range []struct{ network, why string }{
		{"::/80", "addresses there are written with an IPv4 address in them"},
		{"fe80::/10", "addresses there have an interface"},
	} {
		if n := netip.MustParsePrefix(odd.network); n.Overlaps(p) && p != netip.MustParsePrefix("::1/128") {
			return "", fmt.Errorf("%s", odd.why)
		}
	}
	return "IPv6:" + pattern6(a, p.Bits()), nil
}

func pattern4(a [4]byte, bits int) string {
	var parts []string
	for i := range 4 {
		switch fixed := bits - 8*i; {
		case fixed >= 8:
			parts = append(parts, paths.Itoa(int(a[i])))
		case fixed <= 0:
			parts = append(parts, "[0-9]+")
		default:
			parts = append(parts, decimals(int(a[i]), int(a[i])+1<<(8-fixed)-1))
		}
	}
	return strings.Join(parts, `\.`)
}

// decimals is an expression for the numbers from low to high, at most 255: by
// their tens.
func decimals(low, high int) string {
	var alternatives []string
	for ten := low / 10; ten <= high/10; ten++ {
		first, last := max(low, ten*10)%10, min(high, ten*10+9)%10
		text := ""
		if ten > 0 {
			text = paths.Itoa(ten)
		}
		switch {
		case first == last:
			text += paths.Itoa(first)
		default:
			text += fmt.Sprintf("[%d-%d]", first, last)
		}
		alternatives = append(alternatives, text)
	}
	if len(alternatives) == 1 {
		return alternatives[0]
	}
	return "(" + strings.Join(alternatives, "|") + ")"
}

// pattern6 is an expression for the addresses whose first bits are a's.
func pattern6(a netip.Addr, bits int) string {
	if bits == 128 {
		return regexp.QuoteMeta(a.String())
	}
	const group, more = "[0-9a-f]{1,4}", "[0-9a-f:]*"
	b := a.As16()
	full, rest := bits/16, bits%16 // whole groups, and bits of the one behind them
	text := make([]string, full)
	zero := make([]bool, full)
	for i := range full {
		v := int(b[2*i])<<8 | int(b[2*i+1])
		text[i], zero[i] = fmt.Sprintf("%x", v), v == 0
	}
	next, free := group, true // the group behind the whole ones, and whether it may be 0
	if rest > 0 {
		v := int(b[2*full])<<8 | int(b[2*full+1])
		next, free = hexadecimals(v, rest), v == 0
	}
	// exactly n groups, the first of which is number full.
	groups := func(n int) string {
		switch n {
		case 0:
			return ""
		case 1:
			return next
		}
		return next + fmt.Sprintf("(:%s){%d}", group, n-1)
	}
	prefix := ""
	for _, t := range text {
		prefix += t + ":"
	}
	// No "::" among the whole groups: they stand there, and either the next one
	// or the "::" that it is in.
	var alternatives []string
	switch {
	case rest == 0 && full == 0:
		return more
	case rest == 0:
		alternatives = append(alternatives, prefix+more)
	default:
		alternatives = append(alternatives, prefix+next+"(:"+more+")?")
		if free {
			alternatives = append(alternatives, strings.TrimSuffix(prefix, ":")+"::"+more)
		}
	}
	// A "::" that begins among them: what is in front of it, and as many groups
	// behind it as make the run as long as it is.
	for i := 0; i < full; i++ {
		if !zero[i] || i > 0 && zero[i-1] {
			continue
		}
		end := i // the run's end within the whole groups
		for end < full && zero[end] {
			end++
		}
		head := strings.Join(text[:i], ":") + "::"
		if end < full {
			if end-i > 1 {
				alternatives = append(alternatives, head+strings.Join(text[end:], ":")+":"+groups(8-full))
			}
			continue
		}
		if end-i > 1 {
			alternatives = append(alternatives, head+groups(8-full))
		}
		if free { // the run goes on
			n := 7 - full // groups that can stand behind it
			tail := ""
			if n > 0 {
				tail = "(" + group + fmt.Sprintf("(:%s){0,%d}", group, n-1) + ")?"
			}
			alternatives = append(alternatives, head+tail)
		}
	}
	if len(alternatives) == 1 {
		return alternatives[0]
	}
	return "(" + strings.Join(alternatives, "|") + ")"
}

// hexadecimals is an expression for the groups whose first bits are v's.
func hexadecimals(v, bits int) string {
	digits := fmt.Sprintf("%04x", v)
	whole, rest := bits/4, bits%4
	fixed, class, nibble := digits[:whole], "", 0
	if rest > 0 {
		nibble = int(v>>(12-4*whole)) & 15
		for i := nibble; i < nibble+1<<(4-rest); i++ {
			class += fmt.Sprintf("%x", i)
		}
		whole++
	}
	free := 4 - whole
	tail := ""
	if free > 0 {
		tail = fmt.Sprintf("[0-9a-f]{%d}", free)
	}
	if lead := strings.TrimLeft(fixed, "0"); lead != "" {
		if class != "" {
			class = "[" + class + "]"
		}
		return lead + class + tail
	}
	// No digit in front is fixed but zeros, which are not written.
	var alternatives []string
	if c := strings.TrimPrefix(class, "0"); c != "" {
		alternatives = append(alternatives, "["+c+"]"+tail)
	}
	if class == "" || class[0] == '0' {
		if free == 0 {
			alternatives = append(alternatives, "0")
		} else {
			alternatives = append(alternatives, fmt.Sprintf("[0-9a-f]{1,%d}", free))
		}
	}
	if len(alternatives) == 1 {
		return alternatives[0]
	}
	return "(" + strings.Join(alternatives, "|") + ")"
}
