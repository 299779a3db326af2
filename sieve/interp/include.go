package interp

import (
	"errors"
	"io/fs"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// Scripts finds the scripts that [sieve.Include] names.
type Scripts interface {
	// Script returns a script. An error that wraps fs.ErrNotExist says that
	// there is none.
	Script(where sieve.Location, name string) (*sieve.Script, error)
}

// includeCommand is include (RFC 6609 section 3.2).
type includeCommand struct {
	script *script // nil: it is missing, which is no error
	once   bool
}

func (c *compiler) include(cmd sieve.Include) operation {
	if c.dead > 0 {
		return &includeCommand{} // the server doesn't look for it
	}
	where := cmd.Location
	switch where {
	case "":
		where = sieve.PersonalScript
	case sieve.PersonalScript, sieve.GlobalScript:
	default:
		c.errorf("Location", "unknown location %q", string(where))
	}
	key := string(where) + " " + cmd.Script
	if c.open[key] && !cmd.Once {
		c.errorf("Script", "the %s script %q includes itself: leave it out, or include it with :once", where, cmd.Script)
		return &includeCommand{}
	}
	if s, ok := c.included[key]; ok {
		return &includeCommand{s, cmd.Once}
	}
	tooMany := c.program.scripts+len(c.missing) > c.program.settings.MaxIncludes && !c.missing[key]
	var s *sieve.Script
	err := fs.ErrNotExist
	if c.provider != nil {
		s, err = c.provider.Script(where, cmd.Script)
	}
	switch {
	case err == nil && s == nil, errors.Is(err, fs.ErrNotExist):
		switch {
		case !cmd.Optional:
			c.errorf("Script", "included %s script %q doesn't exist", where, cmd.Script)
		case tooMany: // a missing one counts
			c.tooMany(cmd.Script)
		case c.depth >= c.program.settings.MaxIncludeDepth:
			c.tooDeep(cmd.Script)
		}
		if c.missing == nil {
			c.missing = make(map[string]bool)
		}
		c.missing[key] = true
		return &includeCommand{}
	case err != nil:
		c.errorf("Script", "included %s script %q: %w", where, cmd.Script, err)
		return &includeCommand{}
	case tooMany:
		c.tooMany(cmd.Script)
		return &includeCommand{}
	case c.depth >= c.program.settings.MaxIncludeDepth:
		c.tooDeep(cmd.Script)
		return &includeCommand{}
	}
	c.sources = append(c.sources, includedSource{where, cmd.Script, s})
	c.depth++
	if c.open == nil {
		c.open = make(map[string]bool)
	}
	c.open[key] = true
	defer func() {
		c.depth--
		delete(c.open, key)
	}()
	out := new(script)
	c.script(out, s, cmd.Script, key)
	return &includeCommand{out, cmd.Once}
}

func (c *compiler) tooDeep(name string) {
	c.errorf("Script", "script %q is included more than %d levels deep", name, c.program.settings.MaxIncludeDepth)
}

func (c *compiler) tooMany(name string) {
	c.errorf("Script", "script %q is one more than the %d that can be included", name, c.program.settings.MaxIncludes)
}

// errReturn ends a script.
var errReturn = errors.New("return")

type returnCommand struct{}

func (returnCommand) perform(*run, *instruction) error { return errReturn }

func (i *includeCommand) perform(r *run, in *instruction) error {
	if i.script == nil {
		return nil
	}
	if r.included[i.script] && i.once {
		return nil
	}
	if r.included == nil {
		r.included = make(map[*script]bool)
	}
	r.included[i.script] = true
	for f := r.frame; f != nil; f = f.outer {
		if f.script == i.script {
			return r.errorf(in, "script %q includes itself", i.script.name)
		}
	}
	r.spend(costAlloc * i.script.locals)
	r.frame = &frame{script: i.script, outer: r.frame, local: make([]string, i.script.locals)}
	err := r.exec(&i.script.code)
	r.frame = r.frame.outer
	if err == errReturn {
		err = nil
	}
	return err
}
