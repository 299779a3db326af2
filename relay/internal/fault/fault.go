// Package fault has the kinds of what is wrong with a policy, and what mends the
// errors of the packages below.
package fault

import (
	"errors"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// ErrRequired: a value is missing.
var ErrRequired = errors.New("required")

// ErrInvalid: a value can't be what it should be.
var ErrInvalid = errors.New("invalid")

// ErrDuplicate: a value stands twice.
var ErrDuplicate = errors.New("duplicate")

// ErrConflict: a value contradicts another, or what the installation has.
var ErrConflict = errors.New("conflict")

// ErrUnsupported: a version that the library does not know.
var ErrUnsupported = errors.New("unsupported")

// Apart takes the remedy out of an error of package headers.
func Apart(err error) (fix string, of error) {
	switch e := err.(type) {
	case *headers.Error:
		return e.Fix, &headers.Error{Path: e.Path, Err: e.Err}
	case *headers.NotExpressibleError:
		without := *e
		without.Fix = ""
		return e.Fix, &without
	case *also:
		fix, of := Apart(e.error)
		return fix, &also{of, e.kind}
	}
	return "", err
}

// Cause is an error without its remedy, for one that has a better.
func Cause(err error) error {
	_, err = Apart(err)
	return err
}

// RemedyOf is for errors of package postfix, whose texts name what stands where.
func RemedyOf(err error) string {
	switch {
	case errors.Is(err, postfix.ErrSyntax):
		return "mend the line, which Postfix would refuse or read as something else"
	case errors.Is(err, postfix.ErrIllegal):
		return "choose a value that Postfix reads back as it is written"
	case errors.Is(err, postfix.ErrDuplicate):
		return "remove one of the two"
	case errors.Is(err, postfix.ErrConflict):
		return "change that line, or the policy"
	case errors.Is(err, postfix.ErrDamaged):
		return "write the comment line as it was, or delete the block with both its comment lines"
	}
	return "change the value that stands there"
}

// Both is an error that is of a second kind too, for errors.Is.
func Both(err, kind error) error { return &also{err, kind} }

type also struct {
	error
	kind error
}

// Unwrap gives both, so that errors.Is finds either.
func (e *also) Unwrap() []error { return []error{e.error, e.kind} }
