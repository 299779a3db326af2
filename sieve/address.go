package sieve

import "strings"

// address is a mailbox of a header field or of the envelope.
type address struct {
	local, domain string
}

// atext tells atext of RFC 5322 section 3.2.3; octets over 127 count too.
var atext = func() (set [256]bool) {
	for c := range set {
		set[c] = isAlpha(c) || isDigit(c) || c >= 0x80 || strings.IndexByte("!#$%&'*+-/=?^`{|}~", byte(c)) >= 0
	}
	return set
}()

// sendable reports whether SMTP could say the local part.
func sendable(local []byte) bool {
	for _, c := range local {
		if c < ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// String returns the address as SMTP spells it: the local part is quoted where
// it must be (RFC 5321 section 4.1.2).
func (a address) String() string {
	return string(appendAddress(nil, []byte(a.local), []byte(a.domain)))
}

// appendAddress appends an address as SMTP spells it.
func appendAddress(dst, local, domain []byte) []byte {
	plain := len(local) > 0 && local[0] != '.' && local[len(local)-1] != '.'
	for i := 0; i < len(local) && plain; i++ {
		plain = atext[local[i]] || local[i] == '.' && local[i+1] != '.'
	}
	if plain {
		dst = append(dst, local...)
	} else {
		dst = append(dst, '"')
		for _, c := range local {
			if c == '"' || c == '\\' {
				dst = append(dst, '\\')
			}
			dst = append(dst, c)
		}
		dst = append(dst, '"')
	}
	// An envelope address such as postmaster has no domain.
	if len(domain) > 0 {
		dst = append(append(dst, '@'), domain...)
	}
	return dst
}

// bareAddress reads an address that a script gives; the domain gets lower case.
func bareAddress(s string) (address, error) {
	a, err := parseMailbox(s)
	a.domain = lowerASCII(a.domain)
	return a, err
}

// redirectTarget is the address of a redirect as the server sends to it: bare,
// with the domain in lower case.
func redirectTarget(s string) (string, error) {
	a, err := bareAddress(s)
	if err != nil {
		return "", err
	}
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
