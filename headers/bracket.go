package headers

import "strings"

const closeBracket = "close it, or write \"\\\\[\" for the octet"

// bracket reads a bracket expression (POSIX.1-2017, XBD 9.3.5) in the POSIX
// locale.
func (p *ereParser) bracket() (*[256]bool, error) {
	start := p.pos
	p.pos++
	var set [256]bool
	not := p.more() && p.in[p.pos] == '^'
	if not {
		p.pos++
	}
	for first := true; ; first = false {
		if !p.more() {
			return nil, p.errorf(start, closeBracket, `"[" without "]"`)
		}
		if p.in[p.pos] == ']' && !first {
			p.pos++
			break
		}
		at := p.pos
		if strings.HasPrefix(p.in[at:], "[:") {
			if err := p.class(&set); err != nil {
				return nil, err
			}
			continue
		}
		if p.in[at] == '-' && !first && !strings.HasPrefix(p.in[at+1:], "]") {
			return nil, p.foreignf(at, "write it last", `"-" stands neither first nor last in its brackets`)
		}
		low, err := p.element()
		if err != nil {
			return nil, err
		}
		high := low
		if strings.HasPrefix(p.in[p.pos:], "-") && !strings.HasPrefix(p.in[p.pos:], "-]") {
			p.pos++
			if strings.HasPrefix(p.in[p.pos:], "[:") || strings.HasPrefix(p.in[p.pos:], "[=") {
				return nil, p.errorf(at, "write the class and the range one after the other", "a range that ends with a class")
			}
			if high, err = p.element(); err != nil {
				return nil, err
			}
			if high < low {
				return nil, p.errorf(at, "write the lower end first", "the range %q is empty", p.in[at:p.pos])
			}
		}
		for c := int(low); c <= int(high); c++ {
			set[c] = true
		}
	}
	if p.fold {
		for c := byte('a'); c <= 'z'; c++ {
			either := set[c] || set[c-32]
			set[c], set[c-32] = either, either
		}
	}
	if not {
		for c := range set {
			set[c] = !set[c]
		}
	}
	// No text has a NUL.
	set[0] = false
	return &set, nil
}

// element reads one octet, plain or as "[.x.]" or "[=x=]".
func (p *ereParser) element() (byte, error) {
	if !p.more() {
		return 0, p.errorf(p.pos, closeBracket, `"[" without "]"`)
	}
	at := p.pos
	c := p.in[at]
	if c == 0 {
		return 0, p.errorf(at, "remove it", "NUL")
	}
	if c == '[' && at+1 < len(p.in) && (p.in[at+1] == '.' || p.in[at+1] == '=') {
		if at+4 >= len(p.in) || p.in[at+3] != p.in[at+1] || p.in[at+4] != ']' {
			return 0, p.foreignf(at, "write the octet itself", "%q is no single octet", p.in[at:min(at+5, len(p.in))])
		}
		p.pos += 5
		return p.in[at+2], nil
	}
	p.pos++
	return c, nil
}

// class reads a character class and adds it to the set.
func (p *ereParser) class(set *[256]bool) error {
	at := p.pos
	// The colon of "[:" is not the one of ":]".
	end := strings.Index(p.in[at+2:], ":]")
	if end < 0 {
		return p.errorf(at, "close it with :]", `"[:" without ":]"`)
	}
	name := p.in[at+2 : at+2+end]
	p.pos = at + 2 + end + 2
	is := classOf(name)
	if is == nil {
		return p.errorf(at, "write one of POSIX, such as [:alpha:]", "there is no character class %q", name)
	}
	if strings.HasPrefix(p.in[p.pos:], "-") && !strings.HasPrefix(p.in[p.pos:], "-]") {
		return p.errorf(at, "write the class and the range one after the other", "a range that begins with a class")
	}
	for c := range 128 {
		if is(byte(c)) {
			set[c] = true
		}
	}
	return nil
}

// classOf returns the character class of the POSIX locale, or nil.
func classOf(name string) func(c byte) bool {
	isLower := func(c byte) bool { return c >= 'a' && c <= 'z' }
	isUpper := func(c byte) bool { return c >= 'A' && c <= 'Z' }
	isAlpha := func(c byte) bool { return isLower(lower(c)) }
	isDigit := func(c byte) bool { return c >= '0' && c <= '9' }
	isAlnum := func(c byte) bool { return isAlpha(c) || isDigit(c) }
	isGraph := func(c byte) bool { return c > ' ' && c < 0x7f }
	switch name {
	case "alpha":
		return isAlpha
	case "digit":
		return isDigit
	case "alnum":
		return isAlnum
	case "upper":
		return isUpper
	case "lower":
		return isLower
	case "space":
		return isSpace
	case "blank":
		return func(c byte) bool { return c == ' ' || c == '\t' }
	case "punct":
		return func(c byte) bool { return isGraph(c) && !isAlnum(c) }
	case "print":
		return func(c byte) bool { return c == ' ' || isGraph(c) }
	case "graph":
		return isGraph
	case "cntrl":
		return func(c byte) bool { return c < ' ' || c == 0x7f }
	case "xdigit":
		return func(c byte) bool { return unhex(c) >= 0 }
	}
	return nil
}
