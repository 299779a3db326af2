package mta

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"

	"github.com/oxmailroute/oxmailroute/headers"
)

// list splits a value of names, tables and files as match_list(3) reads it.
func list(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\r' || r == '\n' })
}

// splitAddress cuts an address at its last @. Without one the domain is empty.
func splitAddress(address string) (local, domain string) {
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		return address[:i], address[i+1:]
	}
	return address, ""
}

func domainOf(address string) string {
	_, d := splitAddress(address)
	return d
}

// fold is Postfix's casefold(): lower case, and for UTF-8 Unicode's full case
// folding, by which "ß" is "ss". Text that isn't UTF-8 is left as it is.
func fold(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] < utf8.RuneSelf && (s[i] < 'A' || s[i] > 'Z')
	}
	if plain || !utf8.ValidString(s) {
		return s
	}
	return cases.Fold().String(s)
}

func beyondASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0
}

// asciiHost leaves names in ASCII as they are, and those that are no names.
func asciiHost(host string) string {
	ascii, err := headers.ASCIIDomain(host)
	if err != nil {
		return host
	}
	return ascii
}
