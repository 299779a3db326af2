package sieve

import "strings"

// address is a mailbox of a header field or of the envelope.
type address struct {
	local, domain string
}

// isAtext reports atext of RFC 5322 section 3.2.3; octets over 127 count too.
func isAtext(c byte) bool {
	return isAlpha(int(c)) || isDigit(int(c)) || c >= 0x80 || strings.IndexByte("!#$%&'*+-/=?^`{|}~", c) >= 0
}

// sendable reports whether SMTP could say the address.
func (a address) sendable() bool {
	for i := 0; i < len(a.local); i++ {
		if a.local[i] < ' ' || a.local[i] >= 0x7f {
			return false
		}
	}
	return true
}

// String returns the address as SMTP spells it: the local part is quoted where
// it must be (RFC 5321 section 4.1.2).
func (a address) String() string {
	plain := a.local != "" && a.local[0] != '.' && a.local[len(a.local)-1] != '.' && !strings.Contains(a.local, "..")
	for i := 0; i < len(a.local) && plain; i++ {
		plain = isAtext(a.local[i]) || a.local[i] == '.'
	}
	at := "@"
	if a.domain == "" {
		at = "" // an envelope address such as postmaster
	}
	if plain {
		return a.local + at + a.domain
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(a.local); i++ {
		if c := a.local[i]; c == '"' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(a.local[i])
	}
	b.WriteString(`"` + at + a.domain)
	return b.String()
}

// redirectTarget is the address of a redirect as the server sends to it: bare,
// with the domain in lower case.
func redirectTarget(s string) (string, error) {
	a, err := parseMailbox(s)
	if err != nil {
		return "", err
	}
	a.domain = lowerASCII(a.domain)
	return a.String(), nil
}

// envelopeAddress splits an address of the SMTP envelope; the null sender has
// ok false.
func envelopeAddress(s string) (a address, ok bool) {
	if s == "" {
		return address{}, false
	}
	if strings.HasPrefix(s, `"`) {
		if m, err := parseMailbox(s); err == nil {
			return m, true
		}
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return address{s[:i], s[i+1:]}, true
	}
	return address{local: s}, true
}

// lowerASCII folds A to Z only, as mail does.
func lowerASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
