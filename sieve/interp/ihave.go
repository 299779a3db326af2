package interp

import (
	"github.com/oxmailroute/oxmailroute/sieve"
)

// available is an ihave that holds.
type available struct{ step int }

func (c available) eval(r *run) bool { return r.note(c.step, true, nil) }

// ihave is decided by what the server has (RFC 5463 section 4).
func (c *compiler) ihave(t sieve.IHave, step int) condition {
	for _, name := range t.Extensions {
		x := sieve.ExtensionNamed(name)
		// What changes the meaning of strings can't be asked for.
		if x == 0 || !c.program.extensions.Has(x) || x == sieve.ExtVariables || x == sieve.ExtEncodedCharacter {
			return constant{step, false}
		}
	}
	return available{step}
}
