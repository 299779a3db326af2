package provision

import (
	"errors"
	"fmt"
)

// Outcome is what became of a mailbox.
type Outcome int

const (
	// NotStarted is a mailbox that wasn't reached before the context ended.
	NotStarted Outcome = iota
	// Unchanged: the script is as Edit wants it; nothing was stored.
	Unchanged
	// Updated: the script was stored, or would be in a dry run.
	Updated
	// Created: there was no script; one was stored, or would be in a dry run.
	// Also where only the activation was missing, see [Options.Activate].
	Created
	// NoScript: there is no script to edit, and Create isn't set or Edit made
	// nothing of nothing.
	NoScript
	// Failed: Report.Err says why. Report.Stored says whether the new script
	// may be on the server nevertheless.
	Failed
)

// String is the name of the outcome.
func (o Outcome) String() string {
	names := []string{"not started", "unchanged", "updated", "created", "no script", "failed"}
	if o < 0 || int(o) >= len(names) {
		return fmt.Sprintf("Outcome(%d)", int(o))
	}
	return names[o]
}

// A Report says what happened to one mailbox.
type Report struct {
	Mailbox string
	Outcome Outcome
	Script  string // name of the script that was edited; empty if none was chosen
	// Active says whether Script was the active one when Sync ended, and
	// ActiveScript which one was, empty for none, as far as they are known.
	Active       bool
	ActiveScript string
	Before       int    // bytes of the script before; 0 for a created one
	After        int    // bytes of the script that Edit made; 0 if it wasn't called
	Attempts     int    // 1 where everything went well at once
	Warnings     string // the server's, of the new script
	// Stored says that the new script was stored, or, with an error, that it
	// may have been: the connection broke before the answer.
	Stored bool
	Err    error // nil but for Failed and NotStarted
}

// An InactiveError is the error of a mailbox whose named script isn't the active
// one; see [Options.Inactive].
type InactiveError struct {
	Script string // the named one
	Active string // the active one; empty if none is
}

// Error names both scripts and the ways out.
func (e *InactiveError) Error() string {
	if e == nil {
		return "<nil>"
	}
	if e.Active == "" {
		return fmt.Sprintf("provision: script %q is not active and no other one is: activate it, or set Options.Inactive to EditNamed", e.Script)
	}
	return fmt.Sprintf("provision: script %q is not active, %q is: set Options.Inactive to EditActive or EditNamed", e.Script, e.Active)
}

// An EditError is an error of the edit function.
type EditError struct{ Err error }

// Error is the edit function's error.
func (e *EditError) Error() string {
	if e == nil {
		return "<nil>"
	}
	return "provision: edit: " + fmt.Sprint(e.Err)
}

// Unwrap is the edit function's error.
func (e *EditError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// A PanicError is in the error of a mailbox, as that of its edit in an
// [*EditError], where a function of the options or the work on it panicked.
type PanicError struct {
	Value any    // of the panic
	Stack []byte // of its goroutine, as debug.Stack has it
}

// Error is the panic's value, without the stack.
func (e *PanicError) Error() string {
	if e == nil {
		return "<nil>"
	}
	return fmt.Sprintf("panic: %v", e.Value)
}

// Unwrap is the value of the panic where that is an error.
func (e *PanicError) Unwrap() error {
	if e == nil {
		return nil
	}
	err, _ := e.Value.(error)
	return err
}

// ErrTimeout is in the error of a mailbox whose Connect or Edit took longer than
// [Options.Timeout].
var ErrTimeout = errors.New("it takes longer than Options.Timeout")

// ErrConflict is in the error of a mailbox whose script somebody else changed
// while it was edited, in every attempt.
var ErrConflict = errors.New("somebody else changed the script at the same time")

// Count is how many reports have the outcome.
func Count(reports []Report, outcome Outcome) int {
	n := 0
	for _, r := range reports {
		if r.Outcome == outcome {
			n++
		}
	}
	return n
}
