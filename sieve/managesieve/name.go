package managesieve

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// CheckName reports why a name can't be a script's (RFC 5804 section 1.6): it
// must be UTF-8 of 1 to 1024 bytes without control characters and line
// separators. Servers have rules of their own beyond that: Dovecot refuses "/",
// and every server must take 128 characters, but needn't take more.
func CheckName(name string) error {
	reason := badName(name)
	if reason == "" {
		return nil
	}
	shown := name
	if len(shown) > 64 {
		shown = strings.ToValidUTF8(shown[:64], "") + "..."
	}
	return fmt.Errorf("managesieve: script name %q: %s", shown, reason)
}

func badName(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case len(name) > maxName:
		return fmt.Sprintf("it has %d bytes, more than %d", len(name), maxName)
	case !utf8.ValidString(name):
		return "it is not UTF-8"
	}
	for _, r := range name {
		if r < 0x20 || r >= 0x7f && r <= 0x9f || r == 0x2028 || r == 0x2029 {
			return fmt.Sprintf("it has the control character %U", r)
		}
	}
	return ""
}

// quote writes a string that is known to have no CR, LF or NUL and at most 1024
// bytes.
func quote(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

// scriptName writes a script's name: as a literal where it is more than ASCII without
// quotes, since Cyrus's timsieved takes quoted strings only of that.
func scriptName(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] >= 0x80 || s[i] == '"' || s[i] == '\\' {
			return literal(b, []byte(s))
		}
	}
	return quote(b, s)
}

// literal writes a non-synchronizing literal, the only kind that a client may
// send (RFC 5804 section 4).
func literal(b []byte, s []byte) []byte {
	b = fmt.Appendf(b, "{%d+}\r\n", len(s))
	return append(b, s...)
}
