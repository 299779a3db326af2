package relay

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The sentinels that callers branch on, with errors.Is.
var (
	// ErrRequired: a value is missing.
	ErrRequired = errors.New("required")
	// ErrInvalid: a value can't be what it should be.
	ErrInvalid = errors.New("invalid")
	// ErrDuplicate: a value stands twice.
	ErrDuplicate = errors.New("duplicate")
	// ErrConflict: a value contradicts another, or what the installation has.
	ErrConflict = errors.New("conflict")
	// ErrUnsupported: a version that the library does not know.
	ErrUnsupported = errors.New("unsupported")
)

// Error is one problem: where, what kind and how to mend it.
type Error struct {
	// Path is the place: a path into the policy ("Tenants[2].Domains[0]"), or
	// a file and line of the installation ("main.cf:12").
	Path string
	// Err wraps one of the sentinels, or headers.ErrNotExpressible.
	Err error
	// Fix says what to do.
	Fix string
}

// Error returns the place, the problem and the fix in one line.
func (e *Error) Error() string {
	s := e.Path + ": " + e.Err.Error()
	if e.Fix != "" {
		s += "; " + e.Fix
	}
	return s
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

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

func (l *Errors) add(path string, kind error, fix, format string, args ...any) {
	*l = append(*l, &Error{Path: path, Err: fmt.Errorf("%w: "+format, append([]any{kind}, args...)...), Fix: fix})
}

func (l *Errors) required(path, fix string) {
	*l = append(*l, &Error{Path: path, Err: ErrRequired, Fix: fix})
}

// wrap keeps an error of another package, with its own sentinels, under path.
func (l *Errors) wrap(path string, err error, fix string) {
	*l = append(*l, &Error{Path: path, Err: err, Fix: fix})
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// also is an error that is a second one too.
type also struct {
	error
	kind error
}

// Unwrap gives both, so that errors.Is finds either.
func (e *also) Unwrap() []error { return []error{e.error, e.kind} }
