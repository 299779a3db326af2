package headers

// contentTypeNode is ContentType; everything in lower case.
type contentTypeNode struct {
	types []string
	top   bool
	param string
}

func (n *contentTypeNode) fieldwise() bool { return true }
func (n *contentTypeNode) cost() int       { return 1 }

func (n *contentTypeNode) match(m mail) bool {
	if m.view == Sieve {
		return n.matchSieve(m)
	}
	found := false
	Walk(m.fields, m.body, func(_ Class, f Field) bool {
		found = n.matchField(f)
		return !found
	})
	return found
}

// matchField is the pattern in the documentation of [Matcher.Match].
func (n *contentTypeNode) matchField(f Field) bool {
	if !equalFold(f.Name, "content-type") {
		return false
	}
	var buf [512]byte
	value := checkValue(buf[:0], f)
	for _, t := range n.types {
		if !hasPrefixFold(value, t) {
			continue
		}
		rest := value[len(t):]
		for len(rest) > 0 && isSpace(rest[0]) {
			rest = rest[1:]
		}
		if n.param == "" {
			if len(rest) == 0 || rest[0] == ';' {
				return true
			}
		} else if len(rest) > 0 && rest[0] == ';' && hasParam(rest[1:], n.param) {
			return true
		}
	}
	return false
}

// hasParam reports whether the name stands in b, at its start or behind a
// semicolon or white space, and a "=" behind it. That a quoted value isn't a
// parameter is beyond a pattern.
func hasParam(b []byte, name string) bool {
	for i := 0; i+len(name) < len(b); i++ {
		if i > 0 && b[i-1] != ';' && !isSpace(b[i-1]) || !hasPrefixFold(b[i:], name) {
			continue
		}
		rest := b[i+len(name):]
		for len(rest) > 0 && isSpace(rest[0]) {
			rest = rest[1:]
		}
		if len(rest) > 0 && rest[0] == '=' {
			return true
		}
	}
	return false
}
