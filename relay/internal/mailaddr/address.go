// Package mailaddr spells addresses and domains as keys of tables, as hosts and as
// next hops.
package mailaddr

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// Split cuts an address at its last @. Without one the domain is empty.
func Split(address string) (local, domain string) {
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		return address[:i], address[i+1:]
	}
	return address, ""
}

// Check accepts what can stand as a key of every Postfix table without
// quoting: a dot-atom (RFC 5321 section 4.1.2, RFC 6531 section 3.3) at a legal
// domain. It returns the address with its domain as lower-case A-labels.
func Check(address string) (string, error) {
	local, domain := Split(address)
	if domain == "" {
		return "", fmt.Errorf("%q is not an address", address)
	}
	if err := checkLocalPart(local); err != nil {
		return "", fmt.Errorf("%q: %w", address, err)
	}
	ascii, err := headers.ASCIIDomain(domain)
	if err != nil {
		return "", fmt.Errorf("%q: %w", address, fault.Cause(err))
	}
	return strings.ToLower(local) + "@" + ascii, nil
}

func checkLocalPart(local string) error {
	if local == "" || len(local) > 64 {
		return fmt.Errorf("the local part must have 1 to 64 octets")
	}
	if !utf8.ValidString(local) {
		return fmt.Errorf("the local part is not valid UTF-8")
	}
	for i, r := range local {
		switch {
		case r == '.':
			if i == 0 || i == len(local)-1 || local[i-1] == '.' {
				return fmt.Errorf("a dot in the local part must stand between other characters")
			}
		case r < utf8.RuneSelf:
			if !isAtext(byte(r)) {
				return fmt.Errorf("the local part can't have %q", r)
			}
		case unicode.IsControl(r) || unicode.IsSpace(r) || !unicode.IsPrint(r):
			return fmt.Errorf("the local part can't have %q", r)
		}
	}
	return nil
}

// isAtext is RFC 5322 section 3.2.3's atext.
func isAtext(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

// isASCIILower reports whether s can be a table key as it stands.
func isASCIILower(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' {
			return false
		}
	}
	return true
}

// Fold is Postfix's casefold(): lower case, and for UTF-8 Unicode's full case
// folding, by which "ß" is "ss". Text that isn't UTF-8 is left as it is.
func Fold(s string) string {
	if isASCIILower(s) {
		return s
	}
	if !utf8.ValidString(s) {
		return s
	}
	return cases.Fold().String(s)
}

// DomainKeys are the spellings of a domain that a sender may use: A-labels and,
// for an internationalized one, U-labels (SMTPUTF8). Postfix compares them as
// text, so a table needs both. Where U-labels fold into another domain's
// ([foldedDomain]), they are no key: it would be the other one's.
func DomainKeys(domain string) []string {
	ascii, err := headers.ASCIIDomain(domain)
	if err != nil {
		return []string{Fold(domain)}
	}
	unicode, err := headers.UnicodeDomain(ascii)
	if err != nil || unicode == ascii || FoldedDomain(ascii) != "" {
		return []string{ascii}
	}
	return []string{ascii, Fold(unicode)}
}

// FoldedDomain is the other domain, as A-labels, that Postfix takes a domain in
// U-labels for, since it compares folded text: strasse.example for
// straße.example. It is empty where folding leaves the domain the same.
func FoldedDomain(domain string) string {
	unicode, err := headers.UnicodeDomain(domain)
	if err != nil || isASCIILower(unicode) {
		return ""
	}
	ascii, err := headers.ASCIIDomain(domain)
	if err != nil {
		return ""
	}
	other, err := headers.ASCIIDomain(Fold(unicode))
	if err != nil || other == ascii {
		return ""
	}
	return other
}

// AddressKeys are the same for an address.
func AddressKeys(address string) []string {
	local, domain := Split(address)
	keys := DomainKeys(domain)
	for i, k := range keys {
		keys[i] = Fold(local) + "@" + k
	}
	return keys
}

// AsciiHost leaves names in ASCII as they are, and those that are no names.
func AsciiHost(host string) string {
	if !BeyondASCII(host) {
		return host
	}
	ascii, err := headers.ASCIIDomain(host)
	if err != nil {
		return host
	}
	return ascii
}

// BeyondASCII reports whether a text has other characters.
func BeyondASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0
}

// AsciiHop is a next hop with its host in ASCII: all but the host is.
func AsciiHop(hop string) string {
	if !BeyondASCII(hop) {
		return hop
	}
	host, rest := strings.TrimPrefix(hop, "["), ""
	if i := strings.IndexAny(host, "]:"); i >= 0 {
		host, rest = host[:i], host[i:]
	}
	return hop[:strings.Index(hop, host)] + AsciiHost(host) + rest
}

// InNetworks reports whether an address is in one of the networks.
func InNetworks(nets []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap()
	for _, n := range nets {
		if n.Contains(a) {
			return true
		}
	}
	return false
}
