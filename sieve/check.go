package sieve

import (
	"fmt"
	"unicode/utf8"
)

// checkMailbox is what sievec demands of a mailbox name.
func checkMailbox(name string) error {
	if !utf8.ValidString(name) {
		return fmt.Errorf("mailbox %q is not UTF-8", name)
	}
	return nil
}

// checkComparator says which match types a comparator can do.
func checkComparator(m MatchType, c Comparator) error {
	switch {
	case c == ASCIINumeric && (m == Contains || m == Matches), m == Regex && c != "" && c != Octet && c != ASCIICasemap:
		return fmt.Errorf("comparator %q can't compare with :%s", string(c), string(m))
	}
	return nil
}
