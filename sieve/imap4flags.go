package sieve

import (
	"fmt"

	"github.com/oxmailroute/oxmailroute/sieve/internal/imapflag"
)

// AddFlag adds IMAP flags to the script's flags (RFC 5232 section 3.2): flags
// separated by spaces in each string.
type AddFlag struct {
	Flags []string
	// Variable is the variable that holds the flags in place of the script's
	// own; empty leaves it out.
	Variable string
}

// SetFlag replaces the script's flags (RFC 5232 section 3.1); the fields are
// those of [AddFlag].
type SetFlag struct {
	Flags    []string
	Variable string
}

// RemoveFlag takes flags away from the script's flags (RFC 5232 section 3.3);
// the fields are those of [AddFlag].
type RemoveFlag struct {
	Flags    []string
	Variable string
}

func (AddFlag) command() {}

func (SetFlag) command() {}

func (RemoveFlag) command() {}

// Mark and Unmark add and remove the flag \Flagged: the extension "imapflags",
// a draft of RFC 5232.
type (
	Mark   struct{}
	Unmark struct{}
)

func (Mark) command() {}

func (Unmark) command() {}

// flags returns the strings of :flags (RFC 5232 section 5).
func (r *reader) flags() []string {
	if !r.shows(nameFlags, ExtIMAP4Flags) {
		return nil
	}
	return r.optionalList(nameFlags)
}

func (r *reader) flagCommand(n *synNode, args []synArg) Command {
	var variable string
	if len(args) == 2 {
		variable = r.flagVariable(n, &args[0])
	}
	flags := r.strList(&args[len(args)-1])
	switch n.id {
	case nameAddFlag:
		return AddFlag{flags, variable}
	case nameSetFlag:
		return SetFlag{flags, variable}
	}
	return RemoveFlag{flags, variable}
}

// flagVariable returns the variable before the flags of a command.
func (r *reader) flagVariable(n *synNode, a *synArg) string {
	switch {
	case a.kind != argString:
		r.errorf(a.off, "argument 1 of %s must be the name of a variable, found a %s", r.name(n), a.kind)
	case !r.on.Has(ExtVariables):
		r.errorf(a.off, "%s with a variable needs the extension %q: add it to require", r.name(n), ExtVariables)
	default:
		r.shown |= ExtVariables
		return r.variable(r.string1(a), true)
	}
	return ""
}

func (l *linter) flags(off int32, flags []string) {
	for _, f := range imapflag.Split(flags) {
		if !imapflag.Valid(f) && !variableText(f) {
			l.warn(off, "%q is not an IMAP flag, and left out", f)
		}
	}
}

func (n *node) flags(w *writer, flags []string) *node {
	if flags == nil {
		return n
	}
	w.use(ExtIMAP4Flags)
	return n.tag("flags").strList(flags)
}

// HasFlag holds where one of the script's IMAP flags compares true with one of
// the flags given (RFC 5232 section 4).
type HasFlag struct {
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Flags      []string
	// Variables are the variables that hold the flags in place of the script's
	// own; nil leaves them out.
	Variables []string
}

func (HasFlag) test() {}

// flagVariables returns the variables before the flags of hasflag.
func (r *reader) flagVariables(n *synNode, a *synArg) []string {
	if !r.on.Has(ExtVariables) {
		r.errorf(a.off, "%s with variables needs the extension %q: add it to require", r.name(n), ExtVariables)
		return nil
	}
	r.shown |= ExtVariables
	start := len(r.list)
	for i := range r.strings(a) {
		r.list = append(r.list, r.variable(&r.strs[a.first+int32(i)], false))
	}
	return r.list[start:len(r.list):len(r.list)]
}

func (v *validator) flagsTag(flags []string, where string) {
	if flags != nil {
		v.flags(flags, where)
	}
}

func (v *validator) flags(flags []string, where string) {
	if len(flags) == 0 {
		v.errorf(where, `is empty: use "" for no flag`)
	}
	for i, s := range flags {
		for _, f := range imapflag.Split([]string{s}) {
			if !imapflag.Valid(f) {
				v.errorf(fmt.Sprintf("%s[%d]", where, i), "%q is not an IMAP flag", f)
			}
		}
		v.text(s, fmt.Sprintf("%s[%d]", where, i))
	}
}

func (c *valueChecker) flags(flags []string, variable, where string) {
	c.texts(flags, where+".Flags")
	if variable != "" {
		c.named(variable, where+".Variable")
	}
}

func (w *writer) flagCommand(name, variable string, flags []string) *node {
	w.use(ExtIMAP4Flags)
	n := newNode(name)
	if variable != "" {
		w.use(ExtVariables)
		n.str(variable)
	}
	return n.strList(flags)
}
