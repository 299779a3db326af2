// Package mailaddr reads addresses the way Dovecot does.
package mailaddr

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
)

// Address is a mailbox of a header field or of the envelope.
type Address struct {
	Local, Domain string
}

// Atext tells atext of RFC 5322 section 3.2.3; octets over 127 count too.
var Atext = func() (set [256]bool) {
	for c := range set {
		set[c] = ascii.IsAlpha(c) || ascii.IsDigit(c) || c >= 0x80 || strings.IndexByte("!#$%&'*+-/=?^`{|}~", byte(c)) >= 0
	}
	return set
}()

// Sendable reports whether SMTP could say the local part, with SMTPUTF8 or
// without. Of UTF-8 the server looks at each octet by itself.
func Sendable(local []byte, utf8 bool) bool {
	for _, c := range local {
		if c < ' ' || c == 0x7f || c > 0x7f && (!utf8 || c > 0xfd) {
			return false
		}
	}
	return true
}

// String returns the address as SMTP spells it: the local part is quoted where
// it must be (RFC 5321 section 4.1.2).
func (a Address) String() string {
	return string(Append(nil, []byte(a.Local), []byte(a.Domain)))
}

// Append appends an address as SMTP spells it.
func Append(dst, local, domain []byte) []byte {
	plain := len(local) > 0 && local[0] != '.' && local[len(local)-1] != '.'
	for i := 0; i < len(local) && plain; i++ {
		plain = Atext[local[i]] || local[i] == '.' && local[i+1] != '.'
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

// Bare reads an address that a script gives; the domain gets lower case.
func Bare(s string) (Address, error) {
	a, err := Parse(s)
	a.Domain = ascii.Lower(a.Domain)
	return a, err
}

// Target is the address of a redirect as the server sends to it: bare,
// with the domain in lower case.
func Target(s string) (string, error) {
	a, err := Bare(s)
	if err != nil {
		return "", err
	}
	return a.String(), nil
}

// Envelope splits an address of the SMTP envelope; the null sender has
// ok false.
func Envelope(s string) (a Address, ok bool) {
	if s == "" {
		return Address{}, false
	}
	if strings.HasPrefix(s, `"`) {
		if m, err := Parse(s); err == nil {
			return m, true
		}
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return Address{s[:i], s[i+1:]}, true
	}
	return Address{Local: s}, true
}

// Equal compares addresses without regard to case.
func (a Address) Equal(b Address) bool {
	return strings.EqualFold(a.Local, b.Local) && strings.EqualFold(a.Domain, b.Domain)
}

// Is compares the address with one of a header field.
func (a Address) Is(b Found) bool { return a.Equal(Address{string(b.Local), string(b.Domain)}) }
