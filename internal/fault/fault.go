// Package fault has the one vocabulary of what is wrong: the error, the list of
// errors and the warning of all packages, and the kinds that callers branch on.
// The packages give them their own names.
package fault

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The kinds, for errors.Is. Each package names those that it returns.
var (
	// ErrRequired: a value is missing.
	ErrRequired = errors.New("required")
	// ErrInvalid: a value can't be what it should be.
	ErrInvalid = errors.New("invalid")
	// ErrSyntax: the server would refuse the text, or stop on it.
	ErrSyntax = errors.New("syntax")
	// ErrIllegal: a value can't be written so that the server reads the same value
	// back.
	ErrIllegal = errors.New("can't be written")
	// ErrDuplicate: a value stands twice.
	ErrDuplicate = errors.New("duplicate")
	// ErrConflict: a value contradicts another, or what the installation has.
	ErrConflict = errors.New("conflict")
	// ErrDamaged: the comment lines that frame a block are not as they were
	// written.
	ErrDamaged = errors.New("damaged block")
	// ErrUnsupported: it may be right, and the library doesn't know it.
	ErrUnsupported = errors.New("not supported")
	// ErrNotExpressible: a target has no words for it.
	ErrNotExpressible = errors.New("not expressible")
)

// Position says where something stands: in a file, in a value, or in a value that
// was read from a file.
type Position struct {
	// File is the file by the name that it was given under ("main.cf",
	// "lab.json"), or the parameter or program where no line is at fault
	// ("relayhost", "doveconf -n").
	File string
	// Line and Column count from 1, a column in octets; 0: not known.
	Line, Column int
	// Path leads to the value in Go's words: "Tenants[2].Domains[0]".
	Path string
}

// String is "file:line:column: path", without what isn't there.
func (p Position) String() string { return p.named("") }

func (p Position) named(tenant string) string {
	path := Named(p.Path, tenant)
	if p.File == "" && p.Line == 0 {
		return path
	}
	var b strings.Builder
	b.WriteString(p.File)
	for _, n := range []int{p.Line, p.Column} {
		if n == 0 {
			break
		}
		if b.Len() > 0 {
			b.WriteByte(':')
		}
		b.WriteString(strconv.Itoa(n))
	}
	if path != "" {
		b.WriteString(": ")
		b.WriteString(path)
	}
	return b.String()
}

// Named puts a tenant's name into a path: "Tenants[2] (Example Ltd).Name".
func Named(path, tenant string) string {
	if i := strings.IndexByte(path, ']'); tenant != "" && i >= 0 {
		path = path[:i+1] + " (" + tenant + ")" + path[i+1:]
	}
	return path
}

// At reads a place: "main.cf:12" is a line of a file, "Tenants[2].Name" leads to a
// value, and anything else is a file, parameter or program.
func At(text string) Position {
	if i := strings.LastIndexByte(text, ':'); i > 0 {
		if line, err := strconv.Atoi(text[i+1:]); err == nil && line > 0 {
			return Position{File: text[:i], Line: line}
		}
	}
	if text != "" && (text[0] == '[' || 'A' <= text[0] && text[0] <= 'Z') {
		return Position{Path: text}
	}
	return Position{File: text}
}

// Error is one thing wrong: where, what, and how to mend it.
type Error struct {
	Position
	// Tenant is whose value it is, for a path into a policy's Tenants: its name, or
	// where it has none its first domain.
	Tenant string
	// Err says what is wrong. It wraps one of the kinds.
	Err error
	// Fix says what to do; empty where Err says that too.
	Fix string
}

// Error returns place, problem and fix in one line. A place in a policy's Tenants
// has the tenant's name in it: "Tenants[2] (Example Ltd).Domains[0]".
func (e *Error) Error() string {
	if e == nil {
		return "<nil>"
	}
	text := fmt.Sprint(e.Err)
	if at := e.named(e.Tenant); at != "" {
		text = at + ": " + text
	}
	if e.Fix != "" {
		text += "; " + e.Fix
	}
	return text
}

// Unwrap returns Err.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Apart returns Fix, and the error without it.
func (e *Error) Apart() (fix string, rest error) {
	if e == nil {
		return "", e
	}
	return e.Fix, &Error{Position: e.Position, Tenant: e.Tenant, Err: e.Err}
}

// Errors are all that is wrong, in the order of the file or of the value.
type Errors []*Error

// Error returns the errors, one a line.
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

// Err returns l as an error, nil where it is empty.
func (l Errors) Err() error {
	if len(l) == 0 {
		return nil
	}
	return l
}

// Add appends a problem at a place, which [At] reads: its kind is one of the
// package's.
func (l *Errors) Add(at string, kind error, fix, format string, args ...any) {
	if l == nil {
		return
	}
	*l = append(*l, &Error{Position: At(at), Err: fmt.Errorf("%w: "+format, append([]any{kind}, args...)...), Fix: fix})
}

// Required appends that the value of a path is missing.
func (l *Errors) Required(at, fix string) {
	if l == nil {
		return
	}
	*l = append(*l, &Error{Position: At(at), Err: ErrRequired, Fix: fix})
}

// Wrap appends an error that keeps its own kind. The fix is for errors that have no
// remedy of their own.
func (l *Errors) Wrap(at string, err error, fix string) {
	if l == nil {
		return
	}
	own, err := Apart(err)
	*l = append(*l, &Error{Position: At(at), Err: err, Fix: cmp.Or(own, fix, RemedyOf(err))})
}

// Warning is something that works and may not be what was meant.
type Warning struct {
	Position
	// Tenant is as in [Error].
	Tenant string
	// Text says what is strange, and where it is known what the server does.
	Text string
	// Unevaluated: the server obeys what stands there, but the library can't say
	// what it does.
	Unevaluated bool
}

// String returns place, with the tenant's name, and text.
func (w Warning) String() string { return w.named(w.Tenant) + ": " + w.Text }

// New is an error of a kind with a text that doesn't repeat the kind's words.
func New(kind error, text string) error { return &detail{kind, text} }

type detail struct {
	kind error
	text string
}

// Error is the text alone.
func (d *detail) Error() string { return d.text }

// Unwrap returns the kind.
func (d *detail) Unwrap() error { return d.kind }

// Both is an error that is of a second kind too, for errors.Is.
func Both(err, kind error) error { return &also{err, kind} }

type also struct {
	error
	kind error
}

// Unwrap gives both, so that errors.Is finds either.
func (e *also) Unwrap() []error { return []error{e.error, e.kind} }

// Apart takes the remedy out of an error.
func Apart(err error) (fix string, of error) {
	switch e := err.(type) {
	case *also:
		fix, of := Apart(e.error)
		return fix, &also{of, e.kind}
	case interface{ Apart() (string, error) }:
		return e.Apart()
	}
	return "", err
}

// Cause is an error without its remedy, for one that has a better.
func Cause(err error) error {
	_, err = Apart(err)
	return err
}

// RemedyOf is for errors whose text names what stands there.
func RemedyOf(err error) string {
	switch {
	case errors.Is(err, ErrSyntax):
		return "mend the line, which Postfix would refuse or read as something else"
	case errors.Is(err, ErrIllegal):
		return "choose a value that Postfix reads back as it is written"
	case errors.Is(err, ErrDuplicate):
		return "remove one of the two"
	case errors.Is(err, ErrConflict):
		return "change that line, or the policy"
	case errors.Is(err, ErrDamaged):
		return "write the comment line as it was, or delete the block with both its comment lines"
	}
	return "change the value that stands there"
}
