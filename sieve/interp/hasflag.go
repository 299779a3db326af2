package interp

import (
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/imapflag"
)

// flagTest is the test hasflag (RFC 5232 section 4).
type flagTest struct {
	step      int
	variables []part // nil: the script's own flags
	match     *matcher
	split     bool
}

func (c *compiler) hasFlag(t sieve.HasFlag, step int) condition {
	c.nonEmpty(t.Flags, "Flags")
	// Only these take a string for several flags.
	split := t.Match == "" || t.Match == sieve.Is || t.Match == sieve.Contains
	flags := t.Flags
	if split && constants(c.texts(flags, "Flags")) {
		flags = imapflag.Split(flags)
	}
	f := &flagTest{step: step, match: c.matcher(t.Match, t.Relation, t.Comparator, flags), split: split}
	for _, name := range t.Variables {
		f.variables = append(f.variables, c.read(name, "Variables"))
	}
	return f
}

func (c *flagTest) eval(r *run) bool {
	m := c.match
	if m.dynamic && c.split {
		keys, own := *m, *m.patterns // the program's stay as they are
		own.texts = nil
		for _, k := range imapflag.Split(r.strs(m.texts)) {
			own.texts = append(own.texts, text{lit: k})
		}
		keys.patterns = &own
		m = &keys
	}
	list := r.flags
	if c.variables != nil {
		var all []string
		for i := range c.variables {
			all = append(all, r.variable(&c.variables[i]))
		}
		r.spendStrings(all)
		list = validFlags(all)
	}
	values := r.list[:0]
	r.brief = r.brief[:0]
	for _, f := range list {
		r.spend(16 + len(f))
		start := len(r.brief)
		r.brief = append(r.brief, f...)
		values = append(values, value{text: r.brief[start:len(r.brief):len(r.brief)]})
	}
	r.list = values
	return r.compare(c.step, m, values)
}
