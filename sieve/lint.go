package sieve

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/field"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mboxname"
)

// Check reports everything that is wrong or strange with a script in source
// form, in the order of the source. The error is that of [ParseFor], [Errors]: what
// Pigeonhole refuses to compile. Warnings come only where there is no error:
//
//   - what the server reports as an error and compiles all the same, such as a
//     variable of an unknown namespace in a string, and what it doesn't look at
//     because no run comes there
//   - commands that are never run, because a stop or the like stands before them
//   - tests that are never true, because of what they compare or because the
//     same test decided before them
//   - fileinto without :create, which fails where the mailbox is missing
//   - fileinto with a name that Dovecot's mail stores refuse, where the separator is
//     the default "." or the usual "/": an empty level, a leading "~", control
//     characters, too long. That "/" is refused where it isn't the separator can't be
//     seen in a script
//   - reject together with an action that delivers or answers, a run-time error
//   - names that no header field can have, flags that IMAP doesn't have, parts
//     and zones that no date has
//   - extensions that are out of date, and those that nothing uses
func Check(name string, src []byte, on Extensions) ([]Warning, error) {
	if len(src) > maxScriptSize {
		_, err := ParseFor(name, src, on)
		return nil, err
	}
	p := parsers.Get().(*parser)
	defer p.free()
	r := p.read(string(src), on)
	if len(r.errs) > 0 {
		return nil, r.errorList(name, r.errs)
	}
	l := linter{reader: r}
	l.extensions()
	l.block(r.top, flow{})
	var out []Warning
	for _, e := range r.errorList(name, append(l.found, r.warnings...)) {
		out = append(out, Warning{Position: e.Position, Text: e.Err.Error()})
	}
	return out, nil
}

// linter walks the values of a script beside the places of their nodes.
type linter struct {
	*reader
	found []sourceError
	at    int // of places
}

func (l *linter) warn(off int32, format string, args ...any) {
	l.found = append(l.found, sourceError{off, fmt.Errorf(format, args...)})
}

// next returns the offset of the next command or test.
func (l *linter) next() int32 {
	l.at++
	return l.places[l.at-1].off
}

// extensions looks at the require commands.
func (l *linter) extensions() {
	s := Script{Commands: l.top, Extensions: l.unseen()}
	_, used := s.nodes()
	used |= l.shown
	if l.decoded {
		used |= ExtEncodedCharacter
	}
	if used.Has(ExtVacationSeconds) {
		used |= ExtVacation
	}
	var seen Extensions
	for i := l.nodes[0].block; i != 0; i = l.nodes[i].next {
		n := &l.nodes[i]
		if n.comment || n.id != nameRequire {
			continue
		}
		for j := range n.nargs {
			for _, s := range l.strings(&l.args[n.args+int32(j)]) {
				name := l.value(s)
				switch x := ExtensionNamed(name); {
				case x&(ExtIMAPFlags|ExtNotify|ExtDovecotDuplicate) != 0:
					l.warn(s.off, "extension %q is out of date: use %q", name,
						map[Extensions]Extensions{ExtIMAPFlags: ExtIMAP4Flags, ExtNotify: ExtENotify, ExtDovecotDuplicate: ExtDuplicate}[x])
				case x&(ExtOctet|ExtASCIICasemap) != 0, x == ExtUnicodeCasemap && l.available.Has(Pigeonhole24):
					l.warn(s.off, "extension %q is always there", name)
				case seen.Has(x):
					l.warn(s.off, "extension %q is required twice", name)
				case x == ExtSpamTestPlus && used.Has(ExtSpamTest), x == ExtVacation && used.Has(ExtVacationSeconds):
				case !used.Has(x):
					l.warn(s.off, "extension %q is required and not used", name)
				}
				seen |= ExtensionNamed(name)
			}
		}
	}
}

// flow is what has surely been done where a command runs.
type flow struct {
	delivered, rejected, answered bool
	// ended says that no command behind is run.
	ended bool
}

// block looks at the commands of a block and returns what is done behind it.
func (l *linter) block(list []Command, f flow) flow {
	told := false
	for _, c := range list {
		if _, ok := c.(Comment); !ok && f.ended && !told {
			l.warn(l.places[l.at].off, "this is never run: the commands before end the script or the block")
			told = true
		}
		f = l.command(c, f)
	}
	return f
}

func (l *linter) command(c Command, f flow) flow {
	if c, ok := c.(If); ok {
		return l.chain(c, f)
	}
	off := l.next()
	conflict := func(set bool) {
		if set && !f.ended {
			l.warn(off, "reject and an action that delivers or answers exclude each other: the message is kept, with a run-time error")
		}
	}
	switch c := c.(type) {
	case Stop, Return, Break, Fail:
		f.ended = true
	case FileInto:
		conflict(f.rejected)
		f.delivered = true
		l.flags(off, c.Flags)
		if variableText(c.Mailbox) {
			break
		}
		if why := mboxname.Strange(c.Mailbox); why != "" {
			l.warn(off, "mailbox %.60q %s: the server stores nothing there, and the script fails", c.Mailbox, why)
		} else if !c.Create && c.SpecialUse == "" && c.Mailbox != "" && !mboxname.Same(c.Mailbox, Inbox) {
			l.warn(off, "fileinto without :create fails where mailbox %q is missing", c.Mailbox)
		}
	case Redirect:
		conflict(f.rejected)
		f.delivered = true
	case Keep:
		l.flags(off, c.Flags)
	case Reject, EReject:
		conflict(f.delivered || f.answered)
		f.rejected = true
	case Vacation:
		conflict(f.rejected)
		f.answered = true
	case AddFlag:
		l.flags(off, c.Flags)
	case SetFlag:
		l.flags(off, c.Flags)
	case RemoveFlag:
		l.flags(off, c.Flags)
	case AddHeader:
		l.fieldNames(off, []string{c.Name})
	case DeleteHeader:
		l.fieldNames(off, []string{c.Name})
	case Import, Export:
		l.warn(off, "import and export are out of date: use global")
	case ForEveryPart:
		l.block(c.Block, flow{delivered: f.delivered, rejected: f.rejected, answered: f.answered})
	default: // neither delivers nor ends anything, and there is nothing to warn of
	}
	return f
}

// chain looks at an if with its elsif and else. What is sure behind it is what
// every branch does.
func (l *linter) chain(c If, f flow) flow {
	after := flow{delivered: true, rejected: true, answered: true, ended: true}
	join := func(g flow) {
		if !g.ended {
			after.delivered = after.delivered && g.delivered
			after.rejected = after.rejected && g.rejected
			after.answered = after.answered && g.answered
			after.ended = false
		}
	}
	var tests []Test
	decided := false // a test before is always true
	branch := func(t Test, then []Command) {
		l.next()
		off := l.places[l.at].off
		reason := l.test(t)
		for _, before := range tests {
			if reason == "" && reflect.DeepEqual(before, t) {
				reason = "the same test stands before it"
			}
		}
		if reason != "" {
			l.warn(off, "this test is never true: %s", reason)
		}
		// A chain of many branches isn't compared pair by pair.
		if tests = append(tests, t); len(tests) > 32 {
			tests = tests[1:]
		}
		g := l.block(then, f)
		if reason == "" && !decided {
			join(g)
		}
		decided = decided || isAlways(t)
	}
	branch(c.Test, c.Then)
	for _, e := range c.ElsIf {
		branch(e.Test, e.Then)
	}
	if len(c.Else) > 0 {
		if g := l.block(c.Else, f); !decided {
			join(g)
		}
	} else if !decided {
		join(f)
	}
	if after.ended {
		after.delivered, after.rejected, after.answered = f.delivered, f.rejected, f.answered
	}
	after.ended = after.ended || f.ended
	return after
}

// isAlways reports whether a test is true whatever the message is.
func isAlways(t Test) bool {
	switch t := t.(type) {
	case True:
		return true
	case Not:
		_, never := t.Test.(False)
		return never
	case AllOf:
		return !slices.ContainsFunc(t, func(u Test) bool { return !isAlways(u) })
	case AnyOf:
		return slices.ContainsFunc(t, isAlways)
	default: // depends on the message, the server or the time
		return false
	}
}

// fieldNames warns of names that no field can have, and reports whether all are
// such.
func (l *linter) fieldNames(off int32, names []string) (none bool) {
	none = true
	for _, name := range names {
		if variableText(name) || field.IsName(name) {
			none = false
			continue
		}
		l.warn(off, "%q can't be the name of a header field", name)
	}
	return none
}

// everyKey reports whether all keys are of a kind, and none is known at run
// time only.
func everyKey(keys []string, is func(string) bool) bool {
	return !slices.ContainsFunc(keys, func(k string) bool { return variableText(k) || !is(k) })
}

func hasAt(s string) bool { return strings.IndexByte(s, '@') >= 0 }

func endsBlank(s string) bool { return strings.HasSuffix(s, " ") || strings.HasSuffix(s, "\t") }
