package interp

import (
	"github.com/oxmailroute/oxmailroute/sieve"
)

// setCommand is the command set (RFC 5229 section 4).
type setCommand struct {
	variable  part
	value     text
	modifiers []sieve.Modifier // in the order of their precedence
}

func (s *setCommand) perform(r *run, _ *instruction) error {
	value := r.modify(r.short(&s.value), s.modifiers)
	if r.failed != nil {
		return nil
	}
	r.assign(&s.variable, value)
	return nil
}
