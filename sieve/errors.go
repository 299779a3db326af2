package sieve

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnsupported is the error of a script that is Sieve, but uses something
// this package does not implement. The text of the error that wraps it names
// the thing and, in an [Error], its place.
var ErrUnsupported = errors.New("not supported")

// maxErrors bounds the errors reported for one script; Pigeonhole stops after
// 100 too.
const maxErrors = 100

// Error is one error of a script.
type Error struct {
	// Name is the name given to Parse or Options; it can be empty.
	Name string
	// Line and Column count from 1; a column is an octet. Both are 0 in a
	// script that was not read from source.
	Line, Column int
	// Where is the path of the value in a script that was built in Go
	// ("Commands[2].Test.Names[0]"); empty in a script read from source.
	Where string
	Err   error
}

// Error returns "name:line:column: text", or "name: path: text" for a script
// that was built in Go.
func (e *Error) Error() string {
	if e == nil {
		return "<nil>"
	}
	var b strings.Builder
	b.WriteString(e.Name)
	if e.Line > 0 {
		if e.Name != "" {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%d:%d", e.Line, e.Column)
	}
	if e.Where != "" {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(e.Where)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(errorText(e.Err))
	return b.String()
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// ErrorList is every error of a script, in the order of the script.
type ErrorList []*Error

// Error returns one error a line.
func (l ErrorList) Error() string {
	var b strings.Builder
	for i, e := range l {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.Error())
	}
	return b.String()
}

// Unwrap returns the errors, so that errors.Is and errors.As see each.
func (l ErrorList) Unwrap() []error {
	errs := make([]error, len(l))
	for i, e := range l {
		errs[i] = e
	}
	return errs
}

// Err returns the list as an error, or nil where it is empty.
func (l ErrorList) Err() error {
	if len(l) == 0 {
		return nil
	}
	return l
}

// errorText is an error's text; an Error that somebody built may have none.
func errorText(err error) string {
	if err == nil {
		return "<nil>"
	}
	return err.Error()
}
