package interp

import (
	"github.com/oxmailroute/oxmailroute/sieve"
)

// subtree returns where the parts below a part end.
func (r *run) subtree(at int) int {
	parts := r.parts
	if at >= len(parts) {
		return len(parts) // a change of the header has left fewer
	}
	end := at + 1
	for end < len(parts) && parts[end].depth > parts[at].depth {
		end++
	}
	r.spend(2 * (end - at))
	return end
}

// loopCommand is foreverypart (RFC 5703 section 3).
type loopCommand struct {
	name  string
	block block
}

func (c *compiler) forEveryPart(cmd sieve.ForEveryPart) operation {
	l := &loopCommand{}
	if cmd.Name != nil {
		l.name = *cmd.Name
	}
	c.parts++
	c.labels = append(c.labels, l.name)
	l.block = c.in("Block", cmd.Block)
	c.labels = c.labels[:len(c.labels)-1]
	c.parts--
	return l
}

func (l *loopCommand) perform(r *run, _ *instruction) error {
	parts := r.mimeParts()
	outer, outerAt := r.part, r.partAt
	at, end := 0, len(parts)
	if outer != nil {
		at, end = outerAt+1, r.subtree(outerAt)
		if outer.children == 0 {
			return nil
		}
	}
	defer func() { r.part, r.partAt = outer, outerAt }()
	for ; at < end; at++ {
		if parts[at].epilogue {
			continue
		}
		r.part, r.partAt = parts[at], at
		r.spend(32)
		err := r.exec(&l.block)
		if r.failed != nil {
			return nil
		}
		if b, ok := err.(*breakError); ok && (b.name == "" || b.name == l.name) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// breakError ends a foreverypart.
type breakError struct{ name string }

// Error is the command's name; a run never shows it.
func (*breakError) Error() string { return "break" }

type breakCommand struct{ err *breakError }

func (b *breakCommand) perform(*run, *instruction) error { return b.err }

func (c *compiler) breakLoop(cmd sieve.Break) operation {
	b := &breakCommand{&breakError{}}
	if c.parts == 0 {
		c.errorf("", "break stands outside of foreverypart")
	}
	if cmd.Name != nil {
		b.err.name = *cmd.Name
		for i := len(c.labels) - 1; ; i-- {
			if i < 0 {
				c.errorf("Name", "no foreverypart around it has the name %q", *cmd.Name)
				break
			}
			if c.labels[i] == *cmd.Name {
				break
			}
		}
	}
	return b
}
