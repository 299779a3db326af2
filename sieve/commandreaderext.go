package sieve

import (
	"math"
	"strings"
	"unicode/utf8"

	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
	"github.com/oxmailroute/oxmailroute/sieve/internal/field"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailto"
)

// This file reads the commands of extensions.

// maxHeaderValue is the length of the value of addheader in octets
// (sieve_editheader_max_header_size).
const maxHeaderValue = 2048

func (r *reader) addHeader(args []synArg) Command {
	c := AddHeader{Last: r.has(nameLast), Name: r.headerName(r.string1(&args[0]))}
	s := r.string1(&args[1])
	value, literal := r.text(s)
	switch c.Value = value; {
	case !literal:
	case strings.IndexByte(value, 0) >= 0:
		r.errorf(s.off, "a NUL can't stand in a header field")
	case len(value) > maxHeaderValue:
		r.errorf(s.off, "the value has %d octets; %d is the limit", len(value), maxHeaderValue)
	}
	return c
}

// headerName returns the name of a field that is edited.
func (r *reader) headerName(s *synString) string {
	name, literal := r.text(s)
	if literal && name != "" && !field.IsName(name) {
		r.errorf(s.off, "%q can't be the name of a header field", name)
	}
	return name
}

func (r *reader) deleteHeader(n *synNode, args []synArg) Command {
	var c DeleteHeader
	if f := r.tagged(nameIndex); f != nil {
		if c.Index = r.num(f.param); c.Index > math.MaxInt32 {
			r.errorf(f.param.off, "index %d is larger than %d", c.Index, math.MaxInt32)
		}
	}
	if f := r.tagged(nameLast); f != nil {
		if c.Last = true; !r.has(nameIndex) {
			r.softf(r.args[f.arg].off, "tag :last needs :index")
		}
	}
	m := r.matching()
	name := &args[0]
	if name.kind == argList && name.nstrs != 1 {
		// The server takes it, and doesn't work then.
		r.errorf(name.off, "argument 1 of %s must be one name: %w", r.name(n), ErrUnsupported)
	}
	if s := r.string1(name); name.kind == argString {
		c.Name = r.headerName(s)
	} else {
		c.Name, _ = r.text(s)
	}
	if len(args) == 2 {
		c.Values = r.strList(&args[1])
		r.checkMatching(n, m, &args[1])
		c.Match, c.Relation, c.Comparator = m.match, m.relation, m.comparator
	}
	return c
}

func (r *reader) include(args []synArg) Command {
	r.includes = true
	c := Include{Once: r.has(nameOnce), Optional: r.has(nameOptional)}
	switch {
	case r.has(namePersonal):
		c.Location = PersonalScript
	case r.has(nameGlobal):
		c.Location = GlobalScript
	}
	s := r.string1(&args[0])
	name, literal := r.text(s)
	switch c.Script = name; {
	case !literal:
		r.errorf(s.off, "the name of an included script can't have variables")
	case !validScriptName(name):
		r.errorf(s.off, "%q can't be the name of a script", name)
	}
	return c
}

// maxScriptName is the length of the name of a script in characters.
const maxScriptName = 256

// validScriptName reports whether the server takes the name of a script.
func validScriptName(name string) bool {
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxScriptName {
		return false
	}
	return strings.IndexFunc(name, func(c rune) bool {
		return c <= 0x1f || c == '/' || 0x7f <= c && c <= 0x9f || c == 0xff || c == 0x2028 || c == 0x2029
	}) < 0
}

func (r *reader) global(n *synNode, args []synArg, previous nameID, top bool) Command {
	if n.id != nameGlobal {
		switch {
		case !top || previous != nameUnknown && previous != nameRequire && previous != nameImport && previous != nameExport:
			r.errorf(n.off, "%s must stand at the top of the script, behind require: use global instead", r.name(n))
			return nil
		}
	}
	if !r.on.Has(ExtVariables) {
		r.errorf(n.off, "%s needs the extension %q: add it to require", r.name(n), ExtVariables)
		return nil
	}
	r.shown |= ExtVariables
	start := len(r.list)
	for _, s := range r.strings(&args[0]) {
		if !r.declareGlobal(s.off, r.value(s)) {
			return nil
		}
		r.list = append(r.list, r.value(s))
	}
	names := r.list[start:len(r.list):len(r.list)]
	switch n.id {
	case nameImport:
		return Import{names}
	case nameExport:
		return Export{names}
	}
	return Global{names}
}

func (r *reader) notify(args []synArg) Command {
	c := Notify{Options: r.optionalList(nameOptions), Message: r.optionalText(nameMessage)}
	if f := r.tagged(nameImportance); f != nil {
		s := r.string1(f.param)
		switch c.Importance = Importance(r.value(*s)); c.Importance {
		case HighImportance, NormalImportance, LowImportance:
		default:
			r.errorf(s.off, `importance %q is none of "1", "2", "3"`, r.value(*s))
		}
	}
	from := r.tagged(nameFrom)
	method := r.string1(&args[0])
	uri, literal := r.text(method)
	c.Method = uri
	if !literal {
		// What the method makes of the rest is seen when the script runs.
		if from != nil {
			c.From = r.str(from.param)
		}
		return c
	}
	if _, err := mailto.Parse(uri); err != nil {
		r.errorf(method.off, "%w", err)
		return c
	}
	if from != nil {
		c.From = r.address(from.param)
	}
	if f := r.tagged(nameOptions); f != nil {
		for i, s := range r.strings(f.param) {
			option := c.Options[i]
			if _, literal := r.text(&s); literal && !validOption(option) {
				r.errorf(s.off, `option %q is not of the form "name=value"`, option)
			}
		}
	}
	return c
}

// validOption reports whether an option of notify is well formed (RFC 5435
// section 3.5).
func validOption(s string) bool {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := int(name[i])
		if c == '_' && i == 0 || !ascii.IsAlpha(c) && !ascii.IsDigit(c) && (i == 0 || c != '.' && c != '-') {
			return false
		}
	}
	return !strings.ContainsAny(value, "\r\n")
}

// priority returns the priority of the draft's notify and denotify.
func (r *reader) priority() Priority {
	for _, id := range []nameID{nameLow, nameNormal, nameHigh} {
		if r.has(id) {
			return Priority(spellings[id])
		}
	}
	return ""
}

func (r *reader) draftNotify(n *synNode) Command {
	c := DraftNotify{
		Method: r.optionalText(nameMethod), ID: r.optionalText(nameIdent), Priority: r.priority(),
		Options: r.optionalList(nameOptions), Message: r.optionalText(nameMessage),
	}
	if c.Method != nil && !strings.EqualFold(*c.Method, "mailto") {
		r.errorf(n.off, `method %q is not "mailto", which alone the server has`, *c.Method)
	}
	if f := r.tagged(nameOptions); f != nil {
		for _, s := range r.strings(f.param) {
			if text, literal := r.text(&s); literal {
				if _, err := mailaddr.Parse(text); err != nil {
					r.errorf(s.off, "address %q: %w", text, err)
				}
			}
		}
	}
	return c
}

func (r *reader) denotify(n *synNode) Command {
	c := Denotify{Priority: r.priority()}
	m := r.matching()
	if m.match == "" {
		return c
	}
	key := r.tagged(nameID(m.tag)).arg + 1
	if m.relation != "" {
		key++
	}
	c.Match, c.Relation, c.Key = m.match, m.relation, r.str(&r.args[key])
	m.comparator = Octet
	r.checkMatching(n, m, &r.args[key])
	return c
}

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

func (r *reader) report(args []synArg) Command {
	c := Report{HeadersOnly: r.has(nameHeadersOnly)}
	s := r.string1(&args[0])
	kind, literal := r.text(s)
	if c.Type = kind; literal && !validFeedback(kind) {
		r.errorf(s.off, `%q is not a type of feedback, such as "abuse"`, kind)
	}
	c.Text = r.str(&args[1])
	c.Address = r.address(&args[2])
	return c
}

// validFeedback reports whether s is a MIME token, with white space around it,
// or nothing, which the server takes.
func validFeedback(s string) bool {
	s = strings.Trim(s, " \t\r\n")
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, s[i]) >= 0 {
			return false
		}
	}
	return true
}
