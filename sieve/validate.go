package sieve

import (
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/oxmailroute/oxmailroute/sieve/internal/field"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
)

// Validate reports everything wrong with a script built in Go, as an
// [Errors] in the order of the script, each error with the path of its
// value. A script without errors is accepted by sievec as Format prints it, and
// Parse gives it back unchanged.
//
// Validate is stricter than Parse, which takes whatever the server takes: it
// also refuses what the server takes and can't do anything with, such as names
// that no header field can have, mailbox names with control characters, unknown
// flags and strings that aren't UTF-8.
func (s *Script) Validate() error {
	if s == nil {
		s = new(Script)
	}
	v := validator{}
	v.commands(s.Commands, "Commands")
	if len(v.errs) > 0 {
		return v.errs
	}
	if !s.includes() {
		// Which scripts can be included is not known here.
		if err := checkValues(s); err != nil {
			return err
		}
	}
	// Whatever is left shows in the text itself.
	src := string(s.Format())
	if len(src) > maxScriptSize {
		v.errorf("", "the script has %d octets; %d is the limit", len(src), maxScriptSize)
		return v.errs
	}
	p := parsers.Get().(*parser)
	defer p.free()
	r := p.read(src, AllExtensions)
	switch {
	case len(r.errs)+len(r.soft) > 0:
		paths := s.paths()
		if !r.includes {
			r.errs = append(r.errs, r.soft...)
		}
		for _, e := range r.errs {
			v.errorf(r.path(paths, e.off), "%w", e.err)
		}
	case !reflect.DeepEqual(r.top, s.Commands):
		if back := (&Script{Commands: r.top, Extensions: r.unseen()}); string(back.Format()) != src {
			v.errorf("", "the printed script means something else")
		}
	}
	return v.errs.Err()
}

func (s *Script) includes() bool {
	found := false
	walk(s.Commands, func(c Command) {
		_, ok := c.(Include)
		found = found || ok
	}, nil)
	return found
}

// paths are the paths of the commands and tests, in the order of Lines.
func (s *Script) paths() []string {
	var out []string
	var commands func(list []Command, where string)
	var test func(t Test, where string)
	test = func(t Test, where string) {
		out = append(out, where)
		switch t := t.(type) {
		case Not:
			test(t.Test, where+".Test")
		case AllOf:
			for i, u := range t {
				test(u, fmt.Sprintf("%s[%d]", where, i))
			}
		case AnyOf:
			for i, u := range t {
				test(u, fmt.Sprintf("%s[%d]", where, i))
			}
		default: // holds no test
		}
	}
	commands = func(list []Command, where string) {
		for i, c := range list {
			at := fmt.Sprintf("%s[%d]", where, i)
			out = append(out, at)
			switch c := c.(type) {
			case If:
				test(c.Test, at+".Test")
				commands(c.Then, at+".Then")
				for j, e := range c.ElsIf {
					branch := fmt.Sprintf("%s.ElsIf[%d]", at, j)
					out = append(out, branch)
					test(e.Test, branch+".Test")
					commands(e.Then, branch+".Then")
				}
				commands(c.Else, at+".Else")
			case ForEveryPart:
				commands(c.Block, at+".Block")
			default: // has no block
			}
		}
	}
	commands(s.Commands, "Commands")
	return out
}

// path returns the path of the innermost command or test that an offset of the
// printed script lies in.
func (r *reader) path(paths []string, off int32) string {
	// Where the reader stopped short, its offsets are not all there; the nodes
	// are, in the order of the source.
	i := -1
	for j := range r.nodes[1:] {
		n := &r.nodes[j+1]
		switch {
		case n.off > off:
		case n.id == nameRequire || n.id == nameElse:
		default:
			i++
		}
	}
	if i < 0 || i >= len(paths) {
		return ""
	}
	return paths[i]
}

type validator struct{ errs Errors }

func (v *validator) errorf(where, format string, args ...any) {
	if len(v.errs) < maxErrors {
		v.errs = append(v.errs, &Error{Position: Position{Path: where}, Err: fmt.Errorf(format, args...)})
	}
}

func (v *validator) commands(list []Command, where string) {
	for i, c := range list {
		v.command(c, fmt.Sprintf("%s[%d]", where, i))
	}
}

func (v *validator) command(c Command, where string) {
	switch c := c.(type) {
	case If:
		v.test(c.Test, where+".Test")
		v.commands(c.Then, where+".Then")
		for i, e := range c.ElsIf {
			at := fmt.Sprintf("%s.ElsIf[%d]", where, i)
			v.test(e.Test, at+".Test")
			v.commands(e.Then, at+".Then")
		}
		v.commands(c.Else, where+".Else")
	case Stop, Discard:
	case Keep:
		v.flagsTag(c.Flags, where+".Flags")
	case FileInto:
		v.mailbox(c.Mailbox, where+".Mailbox")
		v.flagsTag(c.Flags, where+".Flags")
	case Redirect:
		v.address(c.Address, where+".Address")
	case Reject:
		v.text(c.Reason, where+".Reason")
	case Vacation:
		v.vacation(c, where)
	case AddFlag:
		v.flags(c.Flags, where+".Flags")
	case SetFlag:
		v.flags(c.Flags, where+".Flags")
	case RemoveFlag:
		v.flags(c.Flags, where+".Flags")
	case Comment:
		if strings.ContainsAny(string(c), "\r\n\x00") {
			v.errorf(where, "comment %.40q holds a line break or NUL: use one Comment a line", string(c))
		} else if !utf8.ValidString(string(c)) {
			v.errorf(where, "comment %.40q is not UTF-8", string(c))
		}
	case ForEveryPart:
		v.commands(c.Block, where+".Block")
	case nil:
		v.errorf(where, "is nil")
	default:
		v.extension(c, where)
	}
}

// text checks a string that may have line breaks.
func (v *validator) text(s, where string) bool {
	switch {
	case !utf8.ValidString(s):
		v.errorf(where, "%.40q is not UTF-8", s)
	case strings.IndexByte(s, 0) >= 0:
		v.errorf(where, "%.40q holds NUL", s)
	case !quotable(s):
		v.errorf(where, `%.40q holds a line break that isn't "\r\n", which is what Sieve strings have`, s)
	default:
		return true
	}
	return false
}

// line checks a string that can't have control characters.
func (v *validator) line(s, where string) bool {
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) >= 0 {
		v.errorf(where, "%.40q holds a control character", s)
		return false
	}
	return v.text(s, where)
}

func (v *validator) mailbox(name, where string) {
	if name == "" {
		v.errorf(where, "is empty")
		return
	}
	v.line(name, where)
}

func (v *validator) address(s, where string) {
	if !v.line(s, where) {
		return
	}
	if _, err := mailaddr.Parse(s); err != nil {
		v.errorf(where, "address %q: %w", s, err)
	}
}

func (v *validator) strings(list []string, where string, check func(string, string) bool) {
	if len(list) == 0 {
		v.errorf(where, "is empty")
	}
	for i, s := range list {
		check(s, fmt.Sprintf("%s[%d]", where, i))
	}
}

func (v *validator) fieldName(s, where string) bool {
	if !field.IsName(s) {
		v.errorf(where, "%q can't be the name of a header field", s)
		return false
	}
	return true
}

func (v *validator) test(t Test, where string) {
	switch t := t.(type) {
	case True, False, Size:
	case Not:
		v.test(t.Test, where+".Test")
	case AllOf:
		v.tests(t, where)
	case AnyOf:
		v.tests(t, where)
	case Exists:
		v.strings(t.Names, where+".Names", v.fieldName)
	case MailboxExists:
		v.strings(t.Mailboxes, where+".Mailboxes", func(s, where string) bool { v.mailbox(s, where); return true })
	case Header:
		v.strings(t.Names, where+".Names", v.fieldName)
		v.strings(t.Keys, where+".Keys", v.text)
	case Address:
		v.strings(t.Names, where+".Names", func(s, where string) bool {
			if !isAddressField(s) {
				v.errorf(where, "field %q holds no addresses: use Header", s)
			}
			return true
		})
		v.strings(t.Keys, where+".Keys", v.text)
	case Envelope:
		v.strings(t.Fields, where+".Fields", v.text)
		v.strings(t.Keys, where+".Keys", v.text)
	case HasFlag:
		v.strings(t.Flags, where+".Flags", v.text)
	case nil:
		v.errorf(where, "is nil")
	default:
		v.testExtension(t, where)
	}
}

func (v *validator) tests(list []Test, where string) {
	if len(list) == 0 {
		v.errorf(where, "is empty: use True or False")
	}
	for i, t := range list {
		v.test(t, fmt.Sprintf("%s[%d]", where, i))
	}
}
