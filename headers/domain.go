package headers

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// ASCIIDomain returns a mail domain in the one form that can be compared: A-labels
// (RFC 5891) in lower case, without the root's dot. U-labels are mapped as
// browsers and mail clients map what a user types (UTS #46, not
// transitional: "ß" stays itself), so "BÜCHER.example" is the domain
// "xn--bcher-kva.example".
//
// The error, which wraps [ErrRequired] or [ErrInvalid], says what is wrong: a
// label that is empty, longer than 63 octets, has anything but letters,
// digits and hyphens, or a hyphen at an end (RFC 5890 section 2.3.1); a name
// longer than 253 octets; labels that IDNA doesn't allow; an address in the
// place of a domain.
func ASCIIDomain(domain string) (string, error) {
	if domain == "" {
		return "", mistake(ErrRequired, writeDomain, "the domain is empty")
	}
	invalid := func(fix, format string, args ...any) (string, error) {
		return "", mistake(ErrInvalid, fix, "%q is not a domain: %s", domain, fmt.Sprintf(format, args...))
	}
	ascii := domain
	if needsIDNA(domain) {
		// The length of what follows depends on the input's alone.
		if len(domain) > 1024 {
			return "", mistake(ErrInvalid, "at most 253", "a domain of %d octets is too long", len(domain))
		}
		if !utf8.ValidString(domain) {
			return invalid("write it in UTF-8, or with A-labels", "it isn't UTF-8")
		}
		profile := idnaProfile()
		var err error
		ascii, err = profile.ToASCII(domain)
		if err == nil {
			// What IDNA doesn't allow shows on the way back at the latest.
			_, err = profile.ToUnicode(ascii)
		}
		if err != nil {
			return invalid(writeDomain, "%v", strings.TrimPrefix(err.Error(), "idna: "))
		}
	}
	ascii = strings.TrimSuffix(lowerString(ascii), ".")
	if ascii == "" {
		return invalid(writeDomain, "it has no labels")
	}
	if len(ascii) > 253 {
		return "", mistake(ErrInvalid, "at most 253", "a domain of %d octets is too long", len(ascii))
	}
	last := ""
	for rest, more := ascii, true; more; {
		last, rest, more = strings.Cut(rest, ".")
		if last == "" {
			return invalid("remove a dot", "it has an empty label")
		}
		if len(last) > 63 {
			return invalid("at most 63", "the label %q is longer than 63 octets", last)
		}
		for i := range len(last) {
			if c := last[i]; c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
				return invalid("write letters, digits, hyphens and dots", "%q may not stand in it", c)
			}
		}
		if last[0] == '-' || last[len(last)-1] == '-' {
			return invalid("remove the hyphen", "the label %q begins or ends with a hyphen", last)
		}
	}
	if strings.Trim(last, "0123456789") == "" {
		return invalid("write a name", "the last label has digits only, as in an address")
	}
	return ascii, nil
}

const writeDomain = "write a domain such as example.com"

// UnicodeDomain returns a domain with U-labels, for people to read. What it
// takes is what [ASCIIDomain] takes.
func UnicodeDomain(domain string) (string, error) {
	ascii, err := ASCIIDomain(domain)
	if err != nil || !needsIDNA(ascii) {
		return ascii, err
	}
	unicode, err := idnaProfile().ToUnicode(ascii)
	if err != nil {
		return "", mistake(ErrInvalid, writeDomain, "%q is not a domain: %v", domain, err)
	}
	return unicode, nil
}

// needsIDNA reports whether a domain has U-labels or A-labels. All other
// domains go without IDNA's tables, since IDNA would refuse some that exist
// (two hyphens in the third and fourth place).
func needsIDNA(domain string) bool {
	start := true
	for i := range len(domain) {
		if domain[i] >= 0x80 {
			return true
		}
		if start && len(domain)-i >= 4 && hasPrefixFold([]byte(domain[i:i+4]), "xn--") {
			return true
		}
		start = domain[i] == '.'
	}
	return false
}

// idnaProfile is idna.Lookup with the checks of registration that it leaves
// out: joiners and the length of labels.
func idnaProfile() *idna.Profile {
	return idna.New(
		idna.MapForLookup(),
		idna.Transitional(false),
		idna.BidiRule(),
		idna.CheckJoiners(true),
		idna.StrictDomainName(true),
	)
}
