// Package imapflag has the rules for IMAP flags in scripts (RFC 5232).
package imapflag

import (
	"slices"
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

// maxKeyword is how many octets a store takes for a keyword
// (mail_max_keyword_length).
const maxKeyword = 50

// Stored returns what a mail store takes of flags: where one of the keywords is
// invalid or too long, none of them.
func Stored(flags []string) []string {
	keyword := func(f string) bool { return !strings.HasPrefix(f, `\`) }
	if slices.ContainsFunc(flags, func(f string) bool { return keyword(f) && (!Valid(f) || len(f) > maxKeyword) }) {
		return slices.DeleteFunc(slices.Clone(flags), keyword)
	}
	return flags
}

// Split returns the flags of a list, each string of which can hold
// several (RFC 5232 section 2). A flag ends at a NUL.
func Split(list []string) []string {
	var out []string
	for _, s := range list {
		for _, f := range strings.Split(s, " ") {
			if f != "" {
				f, _, _ = strings.Cut(f, "\x00")
				out = append(out, f)
			}
		}
	}
	return out
}
