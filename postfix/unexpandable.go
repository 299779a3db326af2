package postfix

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// Unexpandable returns an error for each value that Postfix would stop on with
// "macro processing error": of each parameter of main.cf that a program reads,
// and, for each service of master.cf, of what its -o options make of the
// parameters that its program reads. Options are not looked at in s itself.
func (s Settings) Unexpandable(master *Master) Errors {
	if s.Main == nil {
		return nil
	}
	c := expansionCheck{seen: map[string]bool{}}
	s.Options = nil
	used := s.usedNames()
	for _, name := range used {
		c.check(s, name, s.Main.name, s.Main.Line(name))
	}
	if master == nil {
		return c.errs
	}
	for _, sv := range master.Services() {
		if len(sv.Options) == 0 {
			continue
		}
		own := s.Of(sv)
		for _, name := range used {
			// What main.cf alone breaks is reported there.
			if p, ok := LookupParameter(name); !ok || p.ReadBy(sv.Command) {
				c.check(own, name, master.name, sv.Line)
			}
		}
		for _, o := range sv.Options {
			if p, ok := LookupParameter(o.Name); ok && p.ReadBy(sv.Command) && !slices.Contains(used, o.Name) {
				c.check(own, o.Name, master.name, sv.Line)
			}
		}
	}
	return c.errs
}

// usedNames are the parameters of main.cf that a program reads: those of the
// table, and restriction classes.
func (s Settings) usedNames() []string {
	var used []string
	for name := range s.Main.last {
		if _, ok := LookupParameter(name); ok {
			used = append(used, name)
		}
	}
	if classes, err := s.Get("smtpd_restriction_classes"); err == nil {
		used = append(used, strings.FieldsFunc(classes, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })...)
	}
	slices.SortFunc(used, func(a, b string) int { return s.Main.Line(a) - s.Main.Line(b) })
	return slices.Compact(used)
}

// expansionCheck collects errors, each once.
type expansionCheck struct {
	errs Errors
	seen map[string]bool // by parameter and file
}

func (c *expansionCheck) check(s Settings, name, file string, line int) {
	raw, ok := s.written(name)
	if p, _ := LookupParameter(name); !ok || p.raw || strings.IndexByte(raw, '$') < 0 {
		return
	}
	_, err := s.expand(name, raw)
	if err == nil {
		return
	}
	key := name + "\n" + raw
	if !c.seen[key] {
		c.seen[key] = true
		c.errs = append(c.errs, &Error{Position: Position{File: file, Line: line}, Err: fault.New(ErrSyntax,
			fmt.Sprintf("%s = %s: Postfix would stop: %s", name, raw, err))})
	}
}
