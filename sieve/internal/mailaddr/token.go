package mailaddr

import "strings"

// IsFeedback reports whether the server takes s for a type of feedback (RFC 5965
// section 3.1): a MIME token with white space and comments around it, or nothing.
func IsFeedback(s string) bool {
	p := Parser{S: []byte(s)}
	if r := p.Blank(); r != More {
		return r == AtEnd
	}
	for p.I < len(p.S) {
		if c := p.S[p.I]; c <= ' ' || c == 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, c) >= 0 {
			break
		}
		p.I++
	}
	return p.Blank() == AtEnd
}
