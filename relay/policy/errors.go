package policy

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/oxmailroute/oxmailroute/relay/internal/fault"
)

// The sentinels that callers branch on, with errors.Is.
var (
	// ErrRequired: a value is missing.
	ErrRequired = fault.ErrRequired
	// ErrInvalid: a value can't be what it should be.
	ErrInvalid = fault.ErrInvalid
	// ErrDuplicate: a value stands twice.
	ErrDuplicate = fault.ErrDuplicate
	// ErrConflict: a value contradicts another, or what the installation has.
	ErrConflict = fault.ErrConflict
	// ErrUnsupported: a version that the library does not know.
	ErrUnsupported = fault.ErrUnsupported
)

// Error is one problem: where, what kind and how to mend it.
type Error struct {
	// Path is the place: a path into the policy ("Tenants[2].Domains[0]"), or
	// a file and line of the installation ("main.cf:12") or of the policy's JSON.
	Path string
	// Tenant is whose value it is, for a path into Tenants: its name, or where it
	// has none its first domain.
	Tenant string
	// Position is where the value stands in the policy's JSON ("lab.json:12:7"),
	// where [ParsePolicy] reports it.
	Position string
	// Err wraps one of the sentinels, or headers.ErrNotExpressible.
	Err error
	// Fix says what to do; it is never empty.
	Fix string
}

// Error returns place, problem and fix in one line. A place in Tenants has the
// tenant's name in it: "Tenants[2] (Example Ltd).Domains[0]".
func (e *Error) Error() string {
	if e == nil {
		return "<nil>"
	}
	s := namedPath(e.Path, e.Tenant) + ": " + fmt.Sprint(e.Err) + "; " + e.Fix
	if e.Position != "" {
		s = e.Position + ": " + s
	}
	return s
}

// Unwrap returns Err.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Errors are all the problems of a policy, in the order of its fields.
type Errors []*Error

// Error returns the problems, one a line.
func (l Errors) Error() string {
	lines := make([]string, len(l))
	for i, e := range l {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the problems, for errors.Is and errors.As.
func (l Errors) Unwrap() []error {
	errs := make([]error, len(l))
	for i, e := range l {
		errs[i] = e
	}
	return errs
}

// Err returns l as an error, nil if there are none.
func (l Errors) Err() error {
	if len(l) == 0 {
		return nil
	}
	return l
}

// Add appends a problem at a path: its kind is one of the sentinels.
func (l *Errors) Add(path string, kind error, fix, format string, args ...any) {
	if l == nil {
		return
	}
	*l = append(*l, &Error{Path: path, Err: fmt.Errorf("%w: "+format, append([]any{kind}, args...)...), Fix: fix})
}

// Required appends that the value of a path is missing.
func (l *Errors) Required(path, fix string) {
	if l == nil {
		return
	}
	*l = append(*l, &Error{Path: path, Err: ErrRequired, Fix: fix})
}

// Wrap keeps an error of another package, with its own sentinels, under path.
// The fix is for errors that have no remedy of their own.
func (l *Errors) Wrap(path string, err error, fix string) {
	if l == nil {
		return
	}
	own, err := fault.Apart(err)
	*l = append(*l, &Error{Path: path, Err: err, Fix: cmp.Or(own, fix, fault.RemedyOf(err))})
}

// Of says of each problem whose it is.
func (l Errors) Of(p Policy) Errors {
	for _, e := range l {
		if e != nil {
			e.Tenant = p.TenantAt(e.Path)
		}
	}
	return l
}

// TenantAt is the name of the tenant that a path leads to, or its first domain;
// empty for other paths.
func (p Policy) TenantAt(path string) string {
	rest, ok := strings.CutPrefix(path, "Tenants[")
	if !ok {
		return ""
	}
	number, _, _ := strings.Cut(rest, "]")
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || i >= len(p.Tenants) {
		return ""
	}
	name := p.Tenants[i].Name
	if name == "" && len(p.Tenants[i].Domains) > 0 {
		name = p.Tenants[i].Domains[0]
	}
	if len(name) > 100 || strings.IndexFunc(name, unicode.IsControl) >= 0 {
		name = strconv.Quote(name[:min(len(name), 100)])
	}
	return name
}

// named is a path with the name of the tenant that it leads to, for texts.
func (p Policy) named(path string) string { return namedPath(path, p.TenantAt(path)) }

func namedPath(path, tenant string) string {
	if i := strings.IndexByte(path, ']'); tenant != "" && i >= 0 {
		return path[:i+1] + " (" + tenant + ")" + path[i+1:]
	}
	return path
}
