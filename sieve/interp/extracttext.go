package interp

import (
	"unicode/utf8"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// extractCommand is extracttext (RFC 5703 section 7).
type extractCommand struct {
	variable  part
	first     *uint64
	modifiers []sieve.Modifier
}

func (c *compiler) extractText(cmd sieve.ExtractText) operation {
	if c.parts == 0 {
		c.errorf("", "extracttext stands outside of foreverypart")
	}
	return &extractCommand{c.named(cmd.Variable, "Variable"), cmd.First, c.modifiers(cmd.Modifiers, "Modifiers")}
}

func (e *extractCommand) perform(r *run, _ *instruction) error {
	if r.part == nil {
		return nil
	}
	s := ""
	if r.part.children == 0 {
		// A variable holds no more than this.
		b := r.partText(r.part, true).text
		b = b[:min(len(b), r.program.settings.MaxVariableSize+utf8.UTFMax)]
		r.spend(costAlloc * len(b))
		s = string(b)
	}
	if e.first != nil && *e.first < uint64(len(s)) {
		s = s[:*e.first]
	}
	s = r.modify(s, e.modifiers)
	if r.failed == nil {
		r.assign(&e.variable, s)
	}
	return nil
}
