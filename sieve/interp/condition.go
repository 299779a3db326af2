package interp

import (
	"github.com/oxmailroute/oxmailroute/sieve"
)

// condition is a compiled test. Each records its own step.
type condition interface{ eval(r *run) bool }

// local returns the part of a local part (RFC 5233 section 4).
func (r *run) local(local []byte, part sieve.AddressPart) ([]byte, bool) {
	if part == sieve.LocalPart {
		return local, true
	}
	for i, c := range local {
		for j := 0; j < len(r.program.delimiter); j++ {
			if c == r.program.delimiter[j] {
				if part == sieve.User {
					return local[:i:i], true
				}
				return local[i+1:], true
			}
		}
	}
	return local, part == sieve.User
}
