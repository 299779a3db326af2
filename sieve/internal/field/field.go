// Package field has the rules for names and values of header fields.
package field

import (
	"fmt"
	"strings"
)

// MaxValue is what a field may hold (sieve_editheader_max_header_size).
const MaxValue = 2048

// CheckName says whether editheader takes a name: the server takes the empty
// one, and DEL in one.
func CheckName(name string) error {
	for i := 0; i < len(name); i++ {
		if c := name[i]; c <= ' ' || c > 0x7f || c == ':' {
			return fmt.Errorf("header field name %q is invalid", name)
		}
	}
	return nil
}

// CheckValue says whether editheader takes a value: the server takes everything
// but NUL, of at most so many octets.
func CheckValue(s string, limit int) error {
	if strings.IndexByte(s, 0) >= 0 {
		return fmt.Errorf("header field value %.40q has a NUL", s)
	}
	if len(s) > limit {
		return fmt.Errorf("header field value %.40q has more than %d octets", s, limit)
	}
	return nil
}

// IsName reports whether s is a field name of RFC 5322 section 2.2.
func IsName(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ':' {
			return false
		}
	}
	return s != ""
}
