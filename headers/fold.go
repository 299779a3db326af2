package headers

// lower is ASCII lower case; i;ascii-casemap (RFC 4790 section 9.2) and
// regcomp(3) in the POSIX locale know no other.
func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// lowerString returns s in ASCII lower case.
func lowerString(s string) string {
	b := []byte(s)
	for i, c := range b {
		b[i] = lower(c)
	}
	return string(b)
}

// equalFold reports whether b is s but for ASCII case; s is in lower case.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	return hasPrefixFold(b, s)
}

// hasPrefixFold reports whether b begins with s but for ASCII case; s is in
// lower case.
func hasPrefixFold(b []byte, s string) bool {
	if len(b) < len(s) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if lower(b[i]) != s[i] {
			return false
		}
	}
	return true
}
