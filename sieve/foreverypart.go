package sieve

// ForEveryPart runs its block for each MIME part of the message, at every depth
// and in order (RFC 5703 section 3).
type ForEveryPart struct {
	// Name is what a [Break] inside can name; nil leaves the tag out.
	Name  *string
	Block []Command
}

// Break ends the innermost [ForEveryPart], or the one with the name (RFC 5703
// section 3.2).
type Break struct{ Name *string }

// ExtractText puts the text of the current MIME part into a variable (RFC 5703
// section 7). It stands inside of a [ForEveryPart].
type ExtractText struct {
	// Modifiers are as in [Set].
	Modifiers []Modifier
	// First is the number of characters to take; nil for all.
	First    *uint64
	Variable string
}

func (ForEveryPart) command() {}

func (Break) command() {}

func (ExtractText) command() {}

func (r *reader) forEveryPart(n *synNode) Command {
	c := ForEveryPart{Name: r.loopName()}
	if len(r.loops) >= maxLoopNesting {
		r.errorf(n.off, "foreverypart is nested deeper than %d levels", maxLoopNesting)
	}
	r.loops = append(r.loops, c.Name)
	c.Block = r.blockOf(n, false)
	r.loops = r.loops[:len(r.loops)-1]
	return c
}

// loopName returns the name of a foreverypart or break, or nil.
func (r *reader) loopName() *string {
	var name *string
	for i := range r.found {
		// The last of several counts.
		s := r.fixed(r.string1(r.found[i].param))
		name = &s
	}
	return name
}

func (r *reader) breakLoop(n *synNode) Command {
	c := Break{Name: r.loopName()}
	for _, loop := range r.loops {
		if c.Name == nil || loop != nil && *loop == *c.Name {
			return c
		}
	}
	if c.Name == nil {
		r.errorf(n.off, "break must stand inside of a foreverypart")
	} else {
		r.errorf(n.off, "break must stand inside of a foreverypart with the name %q", *c.Name)
	}
	return c
}

func (c *valueChecker) breakLoop(cmd Break, where string) {
	if len(c.loops) == 0 {
		c.errorf(where, "break stands outside of foreverypart")
	}
	if cmd.Name == nil {
		return
	}
	for _, name := range c.loops {
		if name == *cmd.Name {
			return
		}
	}
	c.errorf(where+".Name", "no foreverypart around it has the name %q", *cmd.Name)
}

func optionalName(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
