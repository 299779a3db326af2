package headers

import (
	"errors"
	"fmt"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// What is wrong with a value, for errors.Is.
var (
	// ErrRequired: a field that must be set is empty.
	ErrRequired = fault.ErrRequired
	// ErrInvalid: a value is not legal where it stands.
	ErrInvalid = fault.ErrInvalid
	// ErrUnsupported: the servers take a regular expression that [CompileERE]
	// doesn't. Such an error is ErrInvalid too.
	ErrUnsupported = fault.ErrUnsupported
	// ErrNotExpressible: a target can't say what a predicate asks. The error
	// is a [NotExpressibleError].
	ErrNotExpressible = fault.ErrNotExpressible
)

// Error is one thing wrong with a value: Position, whose Path says where, in Go's
// words, from the value that was checked ("Any[1].Name"; empty where the value itself
// is wrong), Err, which wraps [ErrRequired] or [ErrInvalid], and Fix. All packages
// have the same type.
type Error = fault.Error

// Errors is everything wrong with a value, in the order of its fields.
type Errors = fault.Errors

// mistake is an error without a path.
func mistake(sentinel error, fix, format string, args ...any) *Error {
	return &Error{Err: fault.New(sentinel, fmt.Sprintf(format, args...)), Fix: fix}
}

// under gives an error of this package a path.
func under(path string, err error) *Error {
	at := fault.Position{Path: path}
	var e *Error
	if errors.As(err, &e) {
		return &Error{Position: at, Err: e.Err, Fix: e.Fix}
	}
	return &Error{Position: at, Err: err}
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
	text := e.Target + " can't express that " + Sentence(e.Predicate) + ": " + e.Reason
	if e.Fix != "" {
		text += "; " + e.Fix
	}
	return text
}

// Is reports whether the target is [ErrNotExpressible].
func (e *NotExpressibleError) Is(target error) bool { return target == ErrNotExpressible }

// Unwrap returns [ErrNotExpressible].
func (e *NotExpressibleError) Unwrap() error { return ErrNotExpressible }

// Apart returns Fix, and the error without it.
func (e *NotExpressibleError) Apart() (fix string, rest error) {
	if e == nil {
		return "", e
	}
	without := *e
	without.Fix = ""
	return e.Fix, &without
}
