package sieve

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
	"github.com/oxmailroute/oxmailroute/sieve/internal/varname"
)

// hasVariables reports whether a string may have variables in it.
func (c *valueChecker) hasVariables(s string) bool { return c.variables && strings.Contains(s, "${") }

// text checks the variables of a string and reports whether it is the same in
// every run.
func (c *valueChecker) text(s, where string) bool {
	if !c.hasVariables(s) {
		return true
	}
	found, parts := false, false
	at := 0
	for {
		// What is wrong with a reference is left out, as the server does.
		ref, ok := varname.Next(s, at)
		if !ok {
			return !found || !parts && at == len(s)
		}
		parts = parts || ref.Start > at
		found, at = true, ref.End
		switch {
		case ref.Namespace != "":
			if ns := ascii.Lower(ref.Namespace); ns == "global" || ns == "env" && c.env {
				c.namespaced(ref, where)
				parts = true
			}
		case ref.Name != "":
			c.variable(ref.Name, where)
			parts = true
		case ref.Index <= varname.MaxMatchValue:
			parts = true
		}
	}
}

// texts checks a list of strings.
func (c *valueChecker) texts(list []string, where string) bool {
	constant := true
	for _, s := range list {
		if !c.text(s, where) {
			constant = false
		}
	}
	return constant
}

// optional checks a string that may be absent.
func (c *valueChecker) optional(s *string, where string) {
	if s != nil {
		c.text(*s, where)
	}
}

// named checks the variable that a command names.
func (c *valueChecker) named(name, where string) {
	ref, end, ok := varname.Parse(name, 0)
	switch {
	case !ok || end != len(name) || ref.Name == "":
		c.errorf(where, "%q is not the name of a variable", name)
	case ref.Namespace != "":
		c.namespaced(ref, where)
	default:
		c.variable(ref.Name, where)
	}
}

// read checks the variable that a test names, which a match variable can be.
func (c *valueChecker) read(name, where string) {
	if ref, end, ok := varname.Parse(name, 0); ok && end == len(name) && ref.Name == "" && ref.Index <= varname.MaxMatchValue {
		return
	}
	c.named(name, where)
}

// namespaced checks a variable of a namespace.
func (c *valueChecker) namespaced(ref varname.Reference, where string) {
	switch ns := ascii.Lower(ref.Namespace); {
	case ns == "env" && c.env:
	case ns == "global":
		c.share(ascii.Lower(ref.Name), where)
	default:
		c.errorf(where, "variables of the namespace %q are unknown", ref.Namespace)
	}
}

// variable notes a variable.
func (c *valueChecker) variable(name, where string) {
	name = ascii.Lower(name)
	switch {
	case c.global[name]:
		c.share(name, where)
	case c.local[name]:
	case len(c.local) >= varname.MaxVariables:
		c.errorf(where, "variable %q is one more than the %d that a script can have", name, varname.MaxVariables)
	default:
		c.local[name] = true
	}
}

// share notes a variable of all scripts.
func (c *valueChecker) share(name, where string) {
	switch {
	case c.shared[name]:
	case len(c.shared) >= varname.MaxVariables:
		c.errorf(where, "global variable %q is one more than the %d that scripts can have", name, varname.MaxVariables)
	default:
		c.shared[name] = true
	}
}
