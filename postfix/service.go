package postfix

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

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
			errs = append(errs, &Error{Position: Position{Path: fmt.Sprintf("[%d]%s", i, field)}, Err: fault.New(kind,
				fmt.Sprintf(format, args...))})
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
			errs = append(errs, &Error{Position: Position{Path: fmt.Sprintf("options[%d].Name", i)},
				Err: fault.New(ErrDuplicate, fmt.Sprintf("options for %s %s are [%d] already", o.Name, o.Type, first))})
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
			errs = append(errs, &Error{Position: Position{Path: fmt.Sprintf("%s[%d].Value", path, i)},
				Err: fault.New(ErrIllegal, fmt.Sprintf("value %q: braces aren't balanced", p.Value))})
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
