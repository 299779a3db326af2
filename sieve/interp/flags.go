package interp

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/imapflag"
)

// validFlags returns the valid flags of a list, each once and as it is written:
// hasflag with i;octet sees how a flag was written first.
func validFlags(list []string) []string {
	var out []string
	for _, f := range imapflag.Split(list) {
		if imapflag.Valid(f) && !hasFlag(out, f) {
			out = append(out, f)
		}
	}
	return out
}

// publicFlags returns a copy of the list with the system flags in their common
// spelling.
func publicFlags(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	out := slices.Clone(list)
	for i, f := range out {
		if name, ok := imapflag.System(f); ok {
			out[i] = name
		}
	}
	return out
}

func hasFlag(list []string, flag string) bool {
	return slices.ContainsFunc(list, func(f string) bool { return strings.EqualFold(f, flag) })
}

// addFlags returns a new list with the flags added.
func addFlags(list, flags []string) []string {
	out := slices.Clip(list)
	for _, f := range flags {
		if !hasFlag(out, f) {
			out = append(out, f)
		}
	}
	return out
}

// removeFlags returns a new list without the flags.
func removeFlags(list, flags []string) []string {
	var out []string
	for _, f := range list {
		if !hasFlag(flags, f) {
			out = append(out, f)
		}
	}
	return out
}

// flagCommand is addflag, setflag or removeflag (RFC 5232 section 3).
type flagCommand struct {
	kind     flagChange
	constant []string // the flags, where they are known
	flags    []text   // the flags otherwise
	variable *part    // where the flags are kept; nil: in the script's own
}

type flagChange uint8

const (
	addingFlags flagChange = iota
	settingFlags
	removingFlags
)

func (c *compiler) flagCommand(in *instruction, kind flagChange, flags []string, variable string) {
	f := &flagCommand{kind: kind}
	if list := c.texts(flags, "Flags"); constants(list) {
		if f.constant = validFlags(flags); kind == removingFlags {
			f.constant = imapflag.Split(flags)
		}
	} else {
		f.flags = list
	}
	if variable != "" {
		v := c.named(variable, "Variable")
		f.variable = &v
	}
	in.kind, in.op = opRun, f
}

func (f *flagCommand) perform(r *run, _ *instruction) error {
	list := f.constant
	if f.flags != nil {
		list = r.strs(f.flags)
		if f.kind == removingFlags {
			list = imapflag.Split(list)
		} else {
			list = validFlags(list)
		}
	}
	have := r.flags
	if f.variable != nil {
		have = imapflag.Split([]string{r.variable(f.variable)})
	}
	r.spend(8 * len(list) * (1 + len(have)))
	if r.failed != nil {
		return nil
	}
	switch f.kind {
	case addingFlags:
		have = addFlags(have, list)
	case settingFlags:
		have = list
	case removingFlags:
		have = removeFlags(have, list)
	}
	if f.variable != nil {
		r.assign(f.variable, strings.Join(have, " "))
	} else {
		r.flags = have
	}
	return nil
}

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
		f.variables = append(f.variables, c.named(name, "Variables"))
	}
	return f
}

func (c *flagTest) eval(r *run) bool {
	m := c.match
	if m.dynamic && c.split {
		keys := *m
		keys.texts = nil
		for _, k := range imapflag.Split(r.strs(m.texts)) {
			keys.texts = append(keys.texts, text{lit: k})
		}
		m = &keys
	}
	list := r.flags
	if c.variables != nil {
		var all []string
		for i := range c.variables {
			all = append(all, r.variable(&c.variables[i]))
		}
		list = validFlags(all)
	}
	values := r.list[:0]
	for _, f := range list {
		start := len(r.arena)
		r.arena = append(r.arena, f...)
		values = append(values, value{text: r.arena[start:len(r.arena):len(r.arena)]})
	}
	r.list = values
	return r.compare(c.step, m, values)
}
