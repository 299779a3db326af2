package postfix

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/oxmailroute/oxmailroute/postfix/internal/block"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// Set makes the owner's part of the file say add and options: nothing else of
// it changes, and [Master.Remove] brings the original bytes back.
//
// New services are one block at the end, between "# BEGIN owner: managed
// block, ..." and "# END owner". Options for a service of the customer's are
// lines after the last line of its entry, between the comment lines "# BEGIN
// owner" and "# END owner", which Postfix skips within an entry; as the last
// ones they win. What the owner has in the file already is removed first:
// setting the same things again changes nothing.
//
// What was edited by hand between the comment lines stays, as [Master.Extract]
// leaves it. The error is [Errors], and nothing is changed: ErrIllegal and
// ErrDuplicate for services and options that can't be written so that
// postconf -M and -P read them back, ErrConflict where a service of that name
// and type is there already or isn't there for options, where the customer has
// a -o option of the same name with another value that isn't to be overridden,
// where the entry ends in
// arguments after which no option can follow, or where a line continues what
// the block says, ErrDamaged where the comment lines are not as they were
// written.
func (m *Master) Set(owner string, add []Service, options []ServiceOptions) error {
	if m == nil {
		return &Error{Err: errors.New("Set needs a Master: see ParseMaster")}
	}
	var errs Errors
	if err := checkOwner(owner); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, checkServices(add)...)
	errs = append(errs, checkOptions(options)...)
	src, _, damage := m.without(owner, false)
	if errs = append(errs, damage...); len(errs) > 0 {
		return errs
	}
	base, err := ParseMaster(m.name, src)
	if err != nil {
		return err
	}
	others := block.Find(base.src, owner)
	fail := func(line int, format string, args ...any) {
		errs = append(errs, &Error{Position: Position{File: m.name, Line: line}, Err: fault.New(ErrConflict, fmt.Sprintf(format, args...))})
	}
	for _, s := range add {
		if e := base.find(s.Name, s.Type); e != nil {
			fail(e.Line, "service %s %s is there already: rename one of the two", s.Name, s.Type)
		}
	}
	type insertion struct {
		at      int
		options []Param
	}
	var list []insertion
	for _, o := range options {
		if len(o.Options) == 0 {
			continue
		}
		e := base.find(o.Name, o.Type)
		if e == nil {
			errs = append(errs, &Error{Position: Position{File: m.name}, Err: fault.New(ErrConflict,
				fmt.Sprintf("no service %s %s to add options to", o.Name, o.Type))})
			continue
		}
		if e.closed != "" {
			fail(e.Line, "service %s %s takes no more -o options: %s; mend that first", o.Name, o.Type, e.closed)
			continue
		}
		for _, p := range o.Options {
			if v, ok := e.Option(p.Name); ok && v != p.Value && !slices.Contains(o.Override, p.Name) {
				fail(e.Line, "service %s %s has -o %s=%s, want %q: delete it there, or take it out of the policy", o.Name, o.Type, p.Name, v, p.Value)
			}
		}
		last := e.parts[len(e.parts)-1]
		at := last.end
		for _, f := range others {
			// Another owner's options at the end of the same entry.
			if f.Why == "" && e.Line < f.Line && f.Line < last.line && last.line < f.EndLine && !base.startsBetween(last.line, f.EndLine) {
				at = f.End
			}
		}
		list = append(list, insertion{at, o.Options})
	}
	if len(errs) > 0 {
		return errs
	}
	slices.SortStableFunc(list, func(a, b insertion) int { return a.at - b.at })
	var b bytes.Buffer
	from := 0
	for _, in := range list {
		b.Write(base.src[from:in.at])
		from = in.at
		var body bytes.Buffer
		writeOptions(&body, in.options)
		block.Write(&b, owner, body.Bytes(), nil, false)
	}
	b.Write(base.src[from:])
	if len(add) > 0 {
		var body bytes.Buffer
		for _, s := range add {
			writeService(&body, s)
		}
		block.Write(&b, owner, body.Bytes(), nil, true)
	}
	changed, err := ParseMaster(m.name, b.Bytes())
	if err != nil {
		return err
	}
	// Never write what would be read as something else, whatever stands
	// around it.
	if errs := changed.missing(add, options); len(errs) > 0 {
		return errs
	}
	changed.seals = m.seals
	*m = *changed
	return nil
}

// missing says what of services and options isn't in the file as they are.
func (m *Master) missing(add []Service, options []ServiceOptions) Errors {
	var errs Errors
	check := func(name, typ string, options []Param) {
		e := m.find(name, typ)
		for _, p := range options {
			if e == nil {
				break
			}
			if v, ok := e.Option(p.Name); !ok || v != p.Value {
				e = nil
			}
		}
		if e == nil && len(options) > 0 {
			errs = append(errs, &Error{Position: Position{File: m.name}, Err: fault.New(ErrConflict,
				fmt.Sprintf("service %s %s can't be written so that Postfix reads it: mend the lines around it", name, typ))})
		}
	}
	for _, s := range add {
		check(s.Name, s.Type, s.Options)
	}
	for _, o := range options {
		check(o.Name, o.Type, o.Options)
	}
	return errs
}

// startsBetween reports whether a service starts between two lines.
func (m *Master) startsBetween(after, before int) bool {
	return slices.ContainsFunc(m.entries, func(e masterEntry) bool {
		return after < e.Line && e.Line < before
	})
}

// Remove undoes [Master.Set]. Without anything of the owner's it does nothing.
// The error is as that of Set, and nothing is changed.
func (m *Master) Remove(owner string) error {
	if m == nil {
		m = new(Master)
	}
	if err := checkOwner(owner); err != nil {
		return Errors{err}
	}
	src, _, errs := m.without(owner, false)
	if len(errs) > 0 {
		return errs
	}
	return m.replace(src)
}

// Extract is [Master.Remove] for a file that somebody may have edited within
// what is the owner's, or torn it; see [Main.Extract].
func (m *Master) Extract(owner string) ([]Leftover, error) {
	if m == nil {
		m = new(Master)
	}
	if err := checkOwner(owner); err != nil {
		return nil, Errors{err}
	}
	src, left, errs := m.without(owner, true)
	if len(errs) > 0 {
		return nil, errs
	}
	return left, m.replace(src)
}

// Edits reports what was edited by hand in what is the owner's, and what
// becomes of it by [Master.Set] and [Master.Remove].
func (m *Master) Edits(owner string) []Leftover {
	if m == nil {
		m = new(Master)
	}
	_, left, _ := m.without(owner, false)
	return left
}

// replace puts a changed text in the place of the old one.
func (m *Master) replace(src []byte) error {
	changed, err := ParseMaster(m.name, src)
	if err != nil {
		return err
	}
	changed.seals = m.seals
	*m = *changed
	return nil
}

// without returns the text without the owner's part. lenient: what is damaged
// is left and reported, instead of an error.
func (m *Master) without(owner string, lenient bool) ([]byte, []Leftover, Errors) {
	var errs Errors
	var left []Leftover
	var edits []block.Edit
	fail := func(line int, kind error, format string, args ...any) {
		errs = append(errs, &Error{Position: Position{File: m.name, Line: line}, Err: fault.New(kind, fmt.Sprintf(format, args...))})
	}
	all := block.Find(m.src, owner)
	if lenient {
		all = block.Mend(m.src, all, owner, false, m.seals)
	} else {
		all = m.seals.Know(m.src, all, owner)
	}
	var own []block.Frame
	services := 0 // line of the block of them
	for _, f := range all {
		if f.Owner != owner {
			continue
		}
		why := f.Why
		if why == "" && f.Managed && services > 0 && (f.Seal == (block.Seal{}) || !lenient) {
			why = fmt.Sprintf("a second block of %s, the first is in line %d: delete the one that is a copy", owner, services)
		}
		if f.Managed && f.Why == "" {
			services = f.Line
		}
		if why == "" {
			own = append(own, f)
			continue
		}
		if !lenient {
			fail(cmp.Or(f.Line, f.EndLine), ErrDamaged, "%s", why)
			continue
		}
		some, rest := f.Salvage(m.src, all, why)
		edits, left = append(edits, some...), append(left, rest...)
	}
	if len(errs) > 0 {
		return nil, nil, errs
	}
	for _, e := range m.entries {
		for i := 0; i < len(own); i++ {
			f := own[i]
			first, last := e.Line, e.parts[len(e.parts)-1].line
			inside := f.Line < first && first < f.EndLine
			switch {
			case inside && !f.Managed && lenient && f.Seal == (block.Seal{}):
				left = append(left, Leftover{Line: f.Line, Text: block.LineAt(m.src, f.Start),
					Why: fmt.Sprintf("service %s %s stands among the options of %s, which stay", e.Name, e.Type, owner)})
				own = slices.Delete(own, i, i+1)
				i--
			case inside && !f.Managed && !lenient:
				fail(first, ErrConflict, "service %s %s stands among the options of %s: move it out of there", e.Name, e.Type, owner)
			case inside && last > f.EndLine && !lenient:
				fail(last, ErrConflict, "the line continues service %s %s in the block of %s: don't indent it", e.Name, e.Type, owner)
			case f.Managed && first < f.Line && last > f.Line && !lenient:
				fail(last, ErrConflict, "the line continues service %s %s in line %d across the block of %s: move it there", e.Name, e.Type, first,
					owner)
			}
		}
	}
	if len(errs) > 0 {
		return nil, nil, errs
	}
	src, left := block.Cut(m.src, all, own, owner, edits, left, lenient)
	return src, left, nil
}
