package postfix

import (
	"errors"
	"strconv"
	"strings"
)

// What is wrong, for errors.Is.
var (
	// ErrSyntax: Postfix would refuse the text, or stop on it.
	ErrSyntax = errors.New("postfix: syntax")
	// ErrIllegal: a value can't be written so that Postfix reads the same
	// value back.
	ErrIllegal = errors.New("postfix: can't be written")
	// ErrDuplicate: something is there twice of which the server uses one.
	ErrDuplicate = errors.New("postfix: duplicate")
	// ErrConflict: the customer's file says something that an edit would have
	// to overrule or to guess about.
	ErrConflict = errors.New("postfix: conflict")
	// ErrDamaged: the comment lines that frame a block are not as they were
	// written.
	ErrDamaged = errors.New("postfix: damaged block")
)

// Error is one thing wrong, and where.
type Error struct {
	// Name is the file, or for a value that is to be written the path to it in
	// Go's words: "[3].Key".
	Name string
	// Line is the first physical line, from 1; 0 where Name is a path.
	Line int
	// Err says what is wrong and how to mend it. It wraps one of this
	// package's errors.
	Err error
}

// Error gives the place and the text.
func (e *Error) Error() string {
	if e == nil {
		return "<nil>"
	}
	switch {
	case e.Line > 0:
		return e.Name + ":" + strconv.Itoa(e.Line) + ": " + errorText(e.Err)
	case e.Name != "":
		return e.Name + ": " + errorText(e.Err)
	}
	return errorText(e.Err)
}

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Errors is everything wrong, in the order of the file or of the value.
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

// detail is an error text that is one of the sentinels for errors.Is without
// repeating its words.
type detail struct {
	kind error
	text string
}

// Error is the text alone.
func (d *detail) Error() string { return d.text }

// Unwrap returns the sentinel.
func (d *detail) Unwrap() error { return d.kind }

// Warning is what a Postfix program would log about a line and go on, or what
// this package can't say about it.
type Warning struct {
	Name string // file
	Line int    // first physical line, from 1
	Text string
	// Unevaluated: Postfix obeys the line, but this package can't say what it
	// does. Otherwise Postfix logs a warning, and Text says what it does.
	Unevaluated bool
}

// String gives the place and the text.
func (w Warning) String() string {
	return w.Name + ":" + strconv.Itoa(w.Line) + ": " + w.Text
}

// errorText is an error's text; an Error that somebody built may have none.
func errorText(err error) string {
	if err == nil {
		return "<nil>"
	}
	return err.Error()
}
