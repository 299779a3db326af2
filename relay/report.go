package relay

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/oxmailroute/oxmailroute/internal/fault"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
)

// report is what the steps of a Compile find: they add to it, and ask it nothing.
type report struct {
	errs     Errors
	warnings []Warning
	tenantAt func(path string) string // whose value it is
	warned   map[Warning]bool
	told     map[string]bool // errors of what is looked at several times
}

func newReport(p Policy) *report {
	return &report{tenantAt: func(path string) string { return derived.TenantAt(p, path) }, warned: map[Warning]bool{},
		told: map[string]bool{}}
}

// task is what a step has to work on: the site that it reads, and where it says
// what it found.
type task struct {
	*site
	*report
}

func (r *report) warn(path, format string, args ...any) {
	w := Warning{Position: fault.At(path), Tenant: r.tenantAt(path), Text: fmt.Sprintf(format, args...)}
	if !r.warned[w] {
		r.warned[w] = true
		r.warnings = append(r.warnings, w)
	}
}

// once adds what was not told yet.
func (r *report) once(errs Errors) {
	for _, e := range errs {
		if told := fmt.Sprint(e.Position, ": ", e.Err); !r.told[told] {
			r.told[told] = true
			r.errs = append(r.errs, e)
		}
	}
}

// within gives the problems that f finds their places in the whole policy: f
// works with a gateway's view of it.
func (r *report) within(g *gateway, f func()) {
	before := len(r.errs)
	f()
	for _, e := range r.errs[before:] {
		e.Path = g.rule(e.Path)
	}
}

// postfixErrors files every problem that package postfix found under its own
// place.
func (r *report) postfixErrors(err error, where string) {
	var l postfix.Errors
	if errors.As(err, &l) {
		for _, e := range l {
			r.errs.Wrap(cmp.Or(e.Position.String(), where), e.Err, "")
		}
		return
	}
	r.errs.Wrap(where, err, "")
}

// conflict reports a setting of the installation's that would break a generated one.
func (c task) conflict(name, fix, format string, args ...any) {
	c.errs.Add(c.at(name), ErrConflict, fix, name+": "+format, args...)
}
