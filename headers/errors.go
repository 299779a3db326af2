package headers

import (
	"errors"
	"strings"
)

// What is wrong with a value, for errors.Is.
var (
	// ErrRequired: a field that must be set is empty.
	ErrRequired = errors.New("headers: required")
	// ErrInvalid: a value is not legal where it stands.
	ErrInvalid = errors.New("headers: invalid")
	// ErrNotExpressible: a target can't say what a predicate asks. The error
	// is a [NotExpressibleError].
	ErrNotExpressible = errors.New("headers: not expressible")
)

// Error is one thing wrong with a value.
type Error struct {
	// Path says where, in Go's words, from the value that was checked:
	// "Any[1].Name". It is empty where the value itself is wrong.
	Path string
	// Err says what is wrong and what would be right. It wraps [ErrRequired]
	// or [ErrInvalid].
	Err error
}

// Error gives the path and the text.
func (e *Error) Error() string {
	if e.Path == "" {
		return e.Err.Error()
	}
	return e.Path + ": " + e.Err.Error()
}

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.Err }

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
	// Reason says why, and where there is a way, what to ask instead.
	Reason string
}

// Error names predicate, target and reason.
func (e *NotExpressibleError) Error() string {
	return e.Target + " can't express that " + Sentence(e.Predicate) + ": " + e.Reason
}

// Is reports whether the target is [ErrNotExpressible].
func (e *NotExpressibleError) Is(target error) bool { return target == ErrNotExpressible }

// Unwrap returns [ErrNotExpressible].
func (e *NotExpressibleError) Unwrap() error { return ErrNotExpressible }
