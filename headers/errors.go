package headers

import (
	"errors"
	"fmt"
	"strings"
)

// What is wrong with a value, for errors.Is.
var (
	// ErrRequired: a field that must be set is empty.
	ErrRequired = errors.New("headers: required")
	// ErrInvalid: a value is not legal where it stands.
	ErrInvalid = errors.New("headers: invalid")
	// ErrUnsupported: the servers take a regular expression that [CompileERE]
	// doesn't. It wraps ErrInvalid.
	ErrUnsupported = fmt.Errorf("%w: not supported", ErrInvalid)
	// ErrNotExpressible: a target can't say what a predicate asks. The error
	// is a [NotExpressibleError].
	ErrNotExpressible = errors.New("headers: not expressible")
)

// Error is one thing wrong with a value.
type Error struct {
	// Path says where, in Go's words, from the value that was checked:
	// "Any[1].Name". It is empty where the value itself is wrong.
	Path string
	// Err says what is wrong. It wraps [ErrRequired] or [ErrInvalid].
	Err error
	// Fix says what would be right.
	Fix string
}

// Error gives the path, what is wrong and what would be right.
func (e *Error) Error() string {
	if e == nil {
		return "<nil>"
	}
	text := fmt.Sprint(e.Err)
	if e.Path != "" {
		text = e.Path + ": " + text
	}
	return withFix(text, e.Fix)
}

func withFix(text, fix string) string {
	if fix == "" {
		return text
	}
	return text + "; " + fix
}

// mistake is an error without a path.
func mistake(sentinel error, fix, format string, args ...any) *Error {
	return &Error{Err: wrapError{sentinel, fmt.Sprintf(format, args...)}, Fix: fix}
}

// under gives an error of this package a path.
func under(path string, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return &Error{path, e.Err, e.Fix}
	}
	return &Error{Path: path, Err: err}
}

// wrapError is a text with a sentinel that it need not repeat.
type wrapError struct {
	sentinel error
	text     string
}

// Error is the text alone.
func (e wrapError) Error() string { return e.text }

// Unwrap returns the sentinel.
func (e wrapError) Unwrap() error { return e.sentinel }

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Errors is everything wrong with a value, in the order of its fields.
type Errors []*Error

// Error gives one line for each.
func (l Errors) Error() string {
	var b strings.Builder
	for i, e := range l {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.Error())
	}
	return b.String()
}

// Unwrap returns the single errors, for errors.Is and errors.As.
func (l Errors) Unwrap() []error {
	list := make([]error, len(l))
	for i, e := range l {
		list[i] = e
	}
	return list
}

// Err returns the list as an error, or nil where it is empty.
func (l Errors) Err() error {
	if len(l) == 0 {
		return nil
	}
	return l
}

// NotExpressibleError says that a target (a reader, a language) can't express
// a predicate. It is [ErrNotExpressible] for errors.Is.
type NotExpressibleError struct {
	// Predicate is the part that can't be expressed.
	Predicate Predicate
	// Target names what can't express it: "sieve", "header_checks".
	Target string
	// Reason says why.
	Reason string
	// Fix says what to ask instead.
	Fix string
}

// Error names predicate, target, reason and fix.
func (e *NotExpressibleError) Error() string {
	if e == nil {
		return "<nil>"
	}
	return withFix(e.Target+" can't express that "+Sentence(e.Predicate)+": "+e.Reason, e.Fix)
}

// Is reports whether the target is [ErrNotExpressible].
func (e *NotExpressibleError) Is(target error) bool { return target == ErrNotExpressible }

// Unwrap returns [ErrNotExpressible].
func (e *NotExpressibleError) Unwrap() error { return ErrNotExpressible }
