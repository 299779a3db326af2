package interp

import (
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
)

func (c *compiler) redirect(in *instruction, cmd sieve.Redirect) {
	in.kind = opRedirect
	if c.program.maxRedirects < 0 {
		c.errorf("", "redirect is forbidden (MaxRedirects)")
	}
	if !c.hasVariables(cmd.Address) {
		target, err := mailaddr.Target(cmd.Address)
		if err != nil {
			c.errorf("Address", "address %q: %w", cmd.Address, err)
		}
		in.key, in.act = target, ActionRedirect{Address: target, Copy: cmd.Copy}
		return
	}
	address, keeps := c.text(cmd.Address, "Address"), cmd.Copy
	c.before(in, func(r *run, in instruction) (instruction, error) {
		s := r.str(&address)
		target, err := mailaddr.Target(s)
		if err != nil {
			return in, r.errorf(&in, "address %q: %w", s, err)
		}
		in.key, in.act = target, ActionRedirect{Address: target, Copy: keeps}
		return in, nil
	})
}
