package sieve

import (
	"fmt"
)

// Supports returns an error where the comparator can't compare in the way of a
// match type.
func (c Comparator) Supports(m MatchType) error {
	switch {
	case c == ASCIINumeric && (m == Contains || m == Matches), m == Regex && c != "" && c != Octet && c != ASCIICasemap:
		return fmt.Errorf("comparator %q can't compare with :%s", string(c), string(m))
	}
	return nil
}
