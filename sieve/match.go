package sieve

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
)

// matcher compares values with keys (RFC 5228 section 2.7).
type matcher struct {
	kind       MatchType
	relation   Relation
	comparator Comparator
	keys       []string // lower case for ASCIICasemap
	globs      []*headers.Glob
	regexps    []*regexp.Regexp
}

// match reports whether the value compares true with one of the keys. It is
// not for Count.
func (m *matcher) match(v []byte) bool {
	switch m.kind {
	case Matches:
		for _, g := range m.globs {
			if g.Match(v) {
				return true
			}
		}
		return false
	case Regex:
		for _, re := range m.regexps {
			if headers.MatchERE(re, v) {
				return true
			}
		}
		return false
	}
	for _, k := range m.keys {
		var ok bool
		switch {
		case m.kind == Value:
			ok = m.relation.holds(compare(m.comparator, v, k))
		case m.comparator == ASCIINumeric:
			// The empty value is only the empty key, whatever its number.
			ok = len(v) == 0 && k == "" || len(v) > 0 && compareNumeric(v, k) == 0
		case m.kind == Contains && m.comparator == Octet:
			ok = bytes.Contains(v, []byte(k))
		case m.kind == Contains:
			ok = containsFold(v, k)
		case m.comparator == Octet:
			ok = string(v) == k
		default:
			ok = equalFold(v, k)
		}
		if ok {
			return true
		}
	}
	return false
}

// count reports whether the number of values compares true with one of the
// keys (RFC 5231 section 4.2).
func (m *matcher) count(n int) bool {
	var buf [20]byte
	v := strconv.AppendInt(buf[:0], int64(n), 10)
	for _, k := range m.keys {
		if m.relation.holds(compare(m.comparator, v, k)) {
			return true
		}
	}
	return false
}

// containsFold reports whether the lower-case key is in v, whatever the case.
func containsFold(v []byte, key string) bool {
	if key == "" {
		return true
	}
	for i := 0; i+len(key) <= len(v); i++ {
		c := v[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c == key[0] && equalFold(v[i:i+len(key)], key) {
			return true
		}
	}
	return false
}

func (r Relation) holds(order int) bool {
	switch r {
	case Greater:
		return order > 0
	case GreaterOrEqual:
		return order >= 0
	case Less:
		return order < 0
	case LessOrEqual:
		return order <= 0
	case Equal:
		return order == 0
	case NotEqual:
		return order != 0
	}
	return false
}

// compare orders a value and a key; the key is lower case for ASCIICasemap.
func compare(c Comparator, v []byte, key string) int {
	switch c {
	case ASCIINumeric:
		return compareNumeric(v, key)
	case Octet:
		return strings.Compare(string(v), key)
	}
	for i := 0; i < len(v) && i < len(key); i++ {
		a := v[i]
		if 'A' <= a && a <= 'Z' {
			a += 'a' - 'A'
		}
		if a != key[i] {
			if a < key[i] {
				return -1
			}
			return 1
		}
	}
	return len(v) - len(key)
}

// compareNumeric is i;ascii-numeric (RFC 4790 section 9.1): the digits at the
// beginning are the number; without any the number is infinite.
func compareNumeric(v []byte, key string) int {
	a, b := leadingDigits(string(v)), leadingDigits(key)
	switch {
	case a == "" && b == "":
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	}
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func leadingDigits(s string) string {
	i := 0
	for i < len(s) && isDigit(int(s[i])) {
		i++
	}
	return s[:i]
}
