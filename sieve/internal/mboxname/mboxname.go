// Package mboxname has the rules for names of mailboxes.
package mboxname

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Inbox is the name of the mailbox that the keep stores in.
const Inbox = "INBOX"

// Check is what sievec demands of a mailbox name.
func Check(name string) error {
	if !utf8.ValidString(name) {
		return fmt.Errorf("mailbox %q is not UTF-8", name)
	}
	return nil
}

// ValidSpecialUse reports whether s is a special-use attribute (RFC 6154 section
// 6).
func ValidSpecialUse(s string) bool {
	rest, ok := strings.CutPrefix(s, `\`)
	for i := 0; ok && i < len(rest); i++ {
		c := rest[i]
		ok = c > ' ' && c < 0x7f && strings.IndexByte(`(){%*"\]`, c) < 0
	}
	return ok
}

// Same compares mailbox names: INBOX has no case.
func Same(a, b string) bool {
	return a == b || len(a) == len(Inbox) && strings.EqualFold(a, Inbox) && strings.EqualFold(b, Inbox)
}
