// Package imapflag has the rules for IMAP flags in scripts (RFC 5232).
package imapflag

import (
	"strings"
)

// System returns the name of a system flag as RFC 3501 section 2.3.2
// writes it, without regard to case.
func System(flag string) (string, bool) {
	for _, name := range []string{`\Answered`, `\Flagged`, `\Deleted`, `\Seen`, `\Draft`} {
		if strings.EqualFold(flag, name) {
			return name, true
		}
	}
	return "", false
}

// Valid reports whether the server takes the flag; it leaves out others,
// with a warning in its log.
func Valid(flag string) bool {
	if strings.HasPrefix(flag, `\`) {
		_, ok := System(flag)
		return ok
	}
	for i := 0; i < len(flag); i++ {
		if c := flag[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
			return false
		}
	}
	return flag != ""
}

// Split returns the flags of a list, each string of which can hold
// several (RFC 5232 section 2).
func Split(list []string) []string {
	var out []string
	for _, s := range list {
		for _, f := range strings.Split(s, " ") {
			if f != "" {
				out = append(out, f)
			}
		}
	}
	return out
}
