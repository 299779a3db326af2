package interp

import (
	"strings"
	"unicode/utf8"

	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
	"github.com/oxmailroute/oxmailroute/sieve/internal/varname"
)

// text is a string of a script: what it is, or where it has variables, of what
// it is put together (RFC 5229 section 3).
type text struct {
	lit   string
	parts []part // nil where there are no variables
}

type part struct {
	kind  partKind
	lit   string
	index int
}

type partKind uint8

const (
	partText   partKind = iota
	partLocal           // a variable of the script
	partGlobal          // a variable of all scripts (RFC 6609 section 3.4)
	partMatch           // a match variable
	partEnv             // an item of the environment
)

// constant reports whether the text is the same in every run.
func (t *text) constant() bool { return t.parts == nil }

// scope holds the variables of a script.
type scope struct {
	local   map[string]int // by the name in lower case
	globals map[string]bool
}

// variable returns what stands for a variable; it declares the variable.
func (c *compiler) variable(name, where string) part {
	name = ascii.Lower(name)
	if c.scope.globals[name] {
		return part{kind: partGlobal, index: c.global(name, where)}
	}
	i, ok := c.scope.local[name]
	if !ok {
		i = len(c.scope.local)
		if i >= varname.MaxVariables {
			c.errorf(where, "variable %q is one more than the %d that a script can have", name, varname.MaxVariables)
			return part{kind: partText}
		}
		if c.scope.local == nil {
			c.scope.local = make(map[string]int)
		}
		c.scope.local[name] = i
	}
	return part{kind: partLocal, index: i}
}

// namespaced returns what stands for a variable of a namespace.
func (c *compiler) namespaced(ref varname.Reference, where string) part {
	switch ns := ascii.Lower(ref.Namespace); {
	case ns == "env" && c.env:
		return part{kind: partEnv, lit: envItem(ref.Name)}
	case ns == "global":
		return part{kind: partGlobal, index: c.global(ascii.Lower(ref.Name), where)}
	}
	c.errorf(where, "variables of the namespace %q are unknown", ref.Namespace)
	return part{}
}

// named returns what stands for the variable that a command names.
func (c *compiler) named(name, where string) part {
	ref, end, ok := varname.Parse(name, 0)
	switch {
	case !ok || end != len(name) || ref.Name == "":
		c.errorf(where, "%q is not the name of a variable", name)
		return part{}
	case ref.Namespace != "":
		return c.namespaced(ref, where)
	}
	return c.variable(ref.Name, where)
}

// read returns what stands for a variable that a test names, which a match
// variable can be as well.
func (c *compiler) read(name, where string) part {
	if ref, end, ok := varname.Parse(name, 0); ok && end == len(name) && ref.Name == "" && ref.Index <= varname.MaxMatchValue {
		return part{kind: partMatch, index: ref.Index}
	}
	return c.named(name, where)
}

// global returns the index of a global variable.
func (c *compiler) global(name, where string) int {
	i, ok := c.globals[name]
	if !ok {
		i = len(c.globals)
		if i >= varname.MaxVariables {
			c.errorf(where, "global variable %q is one more than the %d that scripts can have", name, varname.MaxVariables)
			return 0
		}
		if c.globals == nil {
			c.globals = make(map[string]int)
		}
		c.globals[name] = i
	}
	return i
}

// hasVariables reports whether a string may have variables in it.
func (c *compiler) hasVariables(s string) bool { return c.variables && strings.Contains(s, "${") }

func (c *compiler) anyVariables(list []string) bool {
	for _, s := range list {
		if c.hasVariables(s) {
			return true
		}
	}
	return false
}

// text compiles a string.
func (c *compiler) text(s, where string) text {
	if !c.variables || !strings.Contains(s, "${") {
		return text{lit: s}
	}
	// What is wrong with a reference is left out, as the server does.
	var parts []part
	start, found := 0, false
	for {
		ref, ok := varname.Next(s, start)
		if !ok {
			break
		}
		if ref.Start > start {
			parts = append(parts, part{lit: s[start:ref.Start]})
		}
		start, found = ref.End, true
		switch {
		case ref.Namespace != "":
			if ns := ascii.Lower(ref.Namespace); ns == "global" || ns == "env" && c.env {
				parts = append(parts, c.namespaced(ref, where))
			}
		case ref.Name != "":
			parts = append(parts, c.variable(ref.Name, where))
		case ref.Index <= varname.MaxMatchValue:
			parts = append(parts, part{kind: partMatch, index: ref.Index})
		}
	}
	if !found {
		return text{lit: s}
	}
	if start < len(s) {
		parts = append(parts, part{lit: s[start:]})
	}
	return text{parts: parts}
}

// texts compiles a list of strings.
func (c *compiler) texts(list []string, where string) []text {
	out := make([]text, len(list))
	for i, s := range list {
		out[i] = c.text(s, where)
	}
	return out
}

func (c *compiler) optional(s *string, where string) *text {
	if s == nil {
		return nil
	}
	t := c.text(*s, where)
	return &t
}

func constants(list []text) bool {
	for i := range list {
		if !list[i].constant() {
			return false
		}
	}
	return true
}

// str returns the text as it is now.
func (r *run) str(t *text) string {
	if t.parts == nil {
		return t.lit
	}
	r.spend(16)
	if len(t.parts) == 1 {
		return r.variable(&t.parts[0])
	}
	var b strings.Builder
	for i := range t.parts {
		s := r.variable(&t.parts[i])
		if r.spend(16 + costAlloc*len(s)); r.failed != nil {
			return ""
		}
		b.WriteString(s)
	}
	return b.String()
}

func (r *run) variable(p *part) string {
	switch p.kind {
	case partLocal:
		return r.frame.local[p.index]
	case partGlobal:
		return r.globals[p.index]
	case partMatch:
		if p.index < len(r.frame.matched) {
			return r.frame.matched[p.index]
		}
		return ""
	case partEnv:
		v, _ := r.environment(p.lit)
		return v
	}
	return p.lit
}

// assign gives a variable a value.
func (r *run) assign(p *part, value string) {
	if len(value) > r.program.settings.MaxVariableSize {
		value = cutUTF8(value, r.program.settings.MaxVariableSize)
	}
	switch p.kind {
	case partLocal:
		r.frame.local[p.index] = value
	case partGlobal:
		r.globals[p.index] = value
	}
}

// cutUTF8 cuts a string to at most n octets, between two characters.
func cutUTF8(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := n; i > 0 && i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			return s[:i]
		}
	}
	return s[:n]
}

// short returns the text as it is now, or as much of it as a variable holds.
func (r *run) short(t *text) string {
	if len(t.parts) < 2 {
		return r.str(t)
	}
	var b strings.Builder
	for i := range t.parts {
		s := r.variable(&t.parts[i])
		// One character more, so that what is cut off is cut between two.
		s = s[:min(len(s), r.program.settings.MaxVariableSize+utf8.UTFMax-b.Len())]
		b.WriteString(s)
		if r.spend(16 + costAlloc*len(s)); r.failed != nil || b.Len() >= r.program.settings.MaxVariableSize+utf8.UTFMax {
			break
		}
	}
	return b.String()
}

// strs returns the texts as they are now.
func (r *run) strs(list []text) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = r.str(&list[i])
	}
	return out
}
