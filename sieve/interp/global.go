package interp

import (
	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
)

// declareCommand is global, import or export: what it does is done when the
// script is compiled.
type declareCommand struct{}

func (declareCommand) perform(*run, *instruction) error { return nil }

func (c *compiler) declare(names []string) operation {
	for _, name := range names {
		name = ascii.Lower(name)
		if _, ok := c.scope.local[name]; ok {
			c.errorf("Names", "variable %q is used as one of the script before it is made global", name)
		}
		if c.scope.globals == nil {
			c.scope.globals = make(map[string]bool)
		}
		c.scope.globals[name] = true
		c.global(name, "Names")
	}
	return declareCommand{}
}
