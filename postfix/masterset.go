package postfix

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
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
// What lies between the comment lines is the owner's: edits by hand there are
// lost. The error is [Errors], and nothing is changed: ErrIllegal and
// ErrDuplicate for services and options that can't be written so that
// postconf -M and -P read them back, ErrConflict where a service of that name
// and type is there already or isn't there for options, where the customer has
// a -o option of the same name with another value, where the entry ends in
// arguments after which no option can follow, or where a line continues what
// the block says, ErrDamaged where the comment lines are not as they were
// written.
func (m *Master) Set(owner string, add []Service, options []ServiceOptions) error {
	var errs Errors
	if err := checkOwner(owner); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, checkServices(add)...)
	errs = append(errs, checkOptions(options)...)
	src, damage := m.without(owner)
	if errs = append(errs, damage...); len(errs) > 0 {
		return errs
	}
	base, err := ParseMaster(m.name, src)
	if err != nil {
		return err
	}
	others := frames(base.src, owner)
	fail := func(line int, format string, args ...any) {
		errs = append(errs, &Error{m.name, line, &detail{ErrConflict, fmt.Sprintf(format, args...)}})
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
			errs = append(errs, &Error{Name: m.name, Err: &detail{ErrConflict,
				fmt.Sprintf("no service %s %s to add options to", o.Name, o.Type)}})
			continue
		}
		if e.closed != "" {
			fail(e.Line, "service %s %s takes no more -o options: %s; mend that first", o.Name, o.Type, e.closed)
			continue
		}
		for _, p := range o.Options {
			if v, ok := e.Option(p.Name); ok && v != p.Value {
				fail(e.Line, "service %s %s has -o %s=%s, want %q: delete it there, or take it out of the policy", o.Name, o.Type, p.Name, v, p.Value)
			}
		}
		last := e.parts[len(e.parts)-1]
		at := last.end
		for _, f := range others {
			// Another owner's options at the end of the same entry.
			if f.why == "" && e.Line < f.line && f.line < last.line && last.line < f.endLine && !base.startsBetween(last.line, f.endLine) {
				at = f.end
			}
		}
		list = append(list, insertion{at, o.Options})
	}
	if len(errs) > 0 {
		return errs
	}
	slices.SortStableFunc(list, func(a, b insertion) int { return a.at - b.at })
	var b bytes.Buffer
	begin := func(text string) {
		line := beginLine(owner) + text
		if n := b.Len(); n > 0 && b.Bytes()[n-1] != '\n' {
			b.WriteByte('\n')
			line += noNewlineText
		}
		b.WriteString(line + "\n")
	}
	from := 0
	for _, in := range list {
		b.Write(base.src[from:in.at])
		from = in.at
		begin("")
		writeOptions(&b, in.options)
		b.WriteString(endLine(owner) + "\n")
	}
	b.Write(base.src[from:])
	if len(add) > 0 {
		begin(managedText)
		for _, s := range add {
			writeService(&b, s)
		}
		b.WriteString(endLine(owner) + "\n")
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
			errs = append(errs, &Error{Name: m.name, Err: &detail{ErrConflict,
				fmt.Sprintf("service %s %s can't be written so that Postfix reads it: mend the lines around it", name, typ)}})
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
	if err := checkOwner(owner); err != nil {
		return Errors{err}
	}
	src, errs := m.without(owner)
	if len(errs) > 0 {
		return errs
	}
	return m.replace(src)
}

// replace puts a changed text in the place of the old one.
func (m *Master) replace(src []byte) error {
	changed, err := ParseMaster(m.name, src)
	if err != nil {
		return err
	}
	*m = *changed
	return nil
}

// without returns the text without the owner's part.
func (m *Master) without(owner string) ([]byte, Errors) {
	var errs Errors
	fail := func(line int, kind error, format string, args ...any) {
		errs = append(errs, &Error{m.name, line, &detail{kind, fmt.Sprintf(format, args...)}})
	}
	var own []frame
	block := 0 // line of the block of services
	for _, f := range frames(m.src, owner) {
		if f.owner != owner {
			continue
		}
		if f.why != "" {
			fail(f.line, ErrDamaged, "%s", f.why)
			continue
		}
		if f.managed && block > 0 {
			fail(f.line, ErrDamaged, "a second block of %s, the first is in line %d: delete the one that is a copy", owner, block)
		}
		if f.managed {
			block = f.line
		}
		own = append(own, f)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	for _, e := range m.entries {
		for _, f := range own {
			first, last := e.Line, e.parts[len(e.parts)-1].line
			inside := f.line < first && first < f.endLine
			switch {
			case inside && !f.managed:
				fail(first, ErrConflict, "service %s %s stands among the options of %s: move it out of there", e.Name, e.Type, owner)
			case inside && last > f.endLine:
				fail(last, ErrConflict, "the line continues service %s %s in the block of %s: don't indent it", e.Name, e.Type, owner)
			case f.managed && first < f.line && last > f.line:
				fail(last, ErrConflict, "the line continues service %s %s in line %d across the block of %s: move it there", e.Name, e.Type, first, owner)
			}
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return cut(m.src, own, nil, owner), nil
}

// FormatService returns the lines of master.cf for a service, comment
// included. The error is [Errors], ErrIllegal.
func FormatService(s Service) ([]byte, error) {
	if errs := checkServices([]Service{s}); len(errs) > 0 {
		return nil, errs
	}
	var b bytes.Buffer
	writeService(&b, s)
	return b.Bytes(), nil
}

// writeService writes the entry: the fields in postconf's columns, then a line
// for each option, then the remaining arguments.
func writeService(b *bytes.Buffer, s Service) {
	writeComment(b, s.Comment)
	s = withDefaults(s)
	fields := [...]string{s.Name, s.Type, s.Private, s.Unprivileged, s.Chroot, s.Wakeup, s.MaxProcesses, s.Command}
	columns := [...]int{0, 11, 17, 25, 33, 41, 49, 57}
	width := 0
	for i, f := range fields {
		if i > 0 {
			for ok := true; ok; ok = width < columns[i] {
				b.WriteByte(' ')
				width++
			}
		}
		b.WriteString(f)
		width += len(f)
	}
	leading, rest := splitArgs(s.Args)
	for _, arg := range leading {
		b.WriteString(" " + arg)
	}
	b.WriteByte('\n')
	writeOptions(b, s.Options)
	if len(rest) > 0 {
		b.WriteString(" ")
		for _, arg := range rest {
			b.WriteByte(' ')
			if needsBraces(arg) {
				arg = "{" + arg + "}"
			}
			b.WriteString(arg)
		}
		b.WriteByte('\n')
	}
}

func writeOptions(b *bytes.Buffer, options []Param) {
	for _, p := range options {
		for line := range strings.SplitSeq(p.Comment, "\n") {
			if line != "" {
				b.WriteString("# " + line + "\n")
			}
		}
		if strings.Contains(p.Value, " ") {
			fmt.Fprintf(b, "  -o { %s = %s }\n", p.Name, p.Value)
		} else {
			fmt.Fprintf(b, "  -o %s=%s\n", p.Name, p.Value)
		}
	}
}

// withDefaults makes empty fields "-".
func withDefaults(s Service) Service {
	for _, f := range [...]*string{&s.Private, &s.Unprivileged, &s.Chroot, &s.Wakeup, &s.MaxProcesses} {
		if *f == "" {
			*f = "-"
		}
	}
	return s
}

// splitArgs divides arguments into the options that they begin with, which
// stand before the -o options, and the rest.
func splitArgs(args []string) (leading, rest []string) {
	n := 0
	for n < len(args) && strings.HasPrefix(args[n], "-") && args[n] != "--" {
		n++
	}
	return args[:n], args[n:]
}

// needsBraces reports whether an argument has to stand in braces: for white
// space, as a "{" would be taken off, and as "#" at the start of a line would
// make it a comment.
func needsBraces(arg string) bool {
	return arg == "" || strings.Contains(arg, " ") || arg[0] == '{' || arg[0] == '#'
}

// checkServices checks services that are to be written.
func checkServices(add []Service) Errors {
	var errs Errors
	type key struct{ name, typ string }
	seen := make(map[key]int, len(add))
	for i, s := range add {
		fail := func(field string, kind error, format string, args ...any) {
			errs = append(errs, &Error{Name: fmt.Sprintf("[%d]%s", i, field), Err: &detail{kind, fmt.Sprintf(format, args...)}})
		}
		s = withDefaults(s)
		if why := badField(s.Name); why != "" || s.Name != "" && s.Name[0] == '#' {
			if why == "" {
				why = "starts a comment"
			}
			fail(".Name", ErrIllegal, "%q: %s", s.Name, why)
		}
		if why := badField(s.Command); why != "" {
			fail(".Command", ErrIllegal, "%q: %s", s.Command, why)
		}
		for _, why := range badFields(s) {
			fail("", ErrIllegal, "%s", why)
		}
		if first, dup := seen[key{s.Name, s.Type}]; dup {
			fail(".Name", ErrDuplicate, "service %s %s is [%d] already", s.Name, s.Type, first)
		} else {
			seen[key{s.Name, s.Type}] = i
		}
		if s.Type == "inet" && s.Private != "n" {
			fail(".Private", ErrIllegal, "%q: an inet service can't be private, write n", s.Private)
		}
		if err := checkComment(s.Comment); err != nil {
			fail(".Comment", ErrIllegal, "%s", err)
		}
		leading, rest := splitArgs(s.Args)
		for j, arg := range leading {
			if why := badField(arg); why != "" || strings.Contains(arg, "o") {
				if why == "" {
					why = "options with a value go to Options"
				}
				fail(fmt.Sprintf(".Args[%d]", j), ErrIllegal, "%q: %s", arg, why)
			}
		}
		for j, arg := range rest {
			if why := badArg(arg); why != "" {
				fail(fmt.Sprintf(".Args[%d]", len(leading)+j), ErrIllegal, "%q: %s", arg, why)
			}
		}
		errs = append(errs, checkServiceOptions(fmt.Sprintf("[%d].Options", i), s.Options)...)
	}
	return errs
}

// checkOptions checks options that are to be added to services.
func checkOptions(list []ServiceOptions) Errors {
	var errs Errors
	type key struct{ name, typ string }
	seen := make(map[key]int, len(list))
	for i, o := range list {
		k := key{o.Name, o.Type}
		if first, dup := seen[k]; dup {
			errs = append(errs, &Error{Name: fmt.Sprintf("options[%d].Name", i),
				Err: &detail{ErrDuplicate, fmt.Sprintf("options for %s %s are [%d] already", o.Name, o.Type, first)}})
		} else {
			seen[k] = i
		}
		errs = append(errs, checkServiceOptions(fmt.Sprintf("options[%d].Options", i), o.Options)...)
	}
	return errs
}

// checkServiceOptions is checkParams with what braces add to it.
func checkServiceOptions(path string, params []Param) Errors {
	errs := checkParams(path, params)
	for i, p := range params {
		if ValidValue(p.Value) == nil && !balanced(p.Value) {
			errs = append(errs, &Error{Name: fmt.Sprintf("%s[%d].Value", path, i),
				Err: &detail{ErrIllegal, fmt.Sprintf("value %q: braces aren't balanced", p.Value)}})
		}
	}
	return errs
}

// badField says why text can't be a field without braces.
func badField(text string) string {
	why := badText(text)
	switch {
	case why != "":
	case strings.ContainsAny(text, " \t"):
		why = "holds white space"
	case strings.ContainsAny(text, "{}"):
		why = "holds a brace"
	case text == "-":
		why = "means a default, and there is none"
	}
	return why
}

// badArg says why text can't be an argument.
func badArg(text string) string {
	if text == "" {
		return ""
	}
	why := badText(text)
	switch {
	case why != "":
	case strings.Contains(text, "\t"):
		why = "holds a tab"
	case !balanced(text):
		why = "braces aren't balanced"
	}
	return why
}

// balanced reports whether each brace of text closes another one.
func balanced(text string) bool {
	level := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{':
			level++
		case '}':
			if level--; level < 0 {
				return false
			}
		}
	}
	return level == 0
}
