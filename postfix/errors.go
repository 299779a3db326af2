package postfix

import "github.com/oxmailroute/oxmailroute/internal/fault"

// What is wrong, for errors.Is.
var (
	// ErrSyntax: Postfix would refuse the text, or stop on it.
	ErrSyntax = fault.ErrSyntax
	// ErrIllegal: a value can't be written so that Postfix reads the same
	// value back.
	ErrIllegal = fault.ErrIllegal
	// ErrDuplicate: something is there twice of which the server uses one.
	ErrDuplicate = fault.ErrDuplicate
	// ErrConflict: the installation's file says something that an edit would have
	// to overrule or to guess about.
	ErrConflict = fault.ErrConflict
	// ErrDamaged: the comment lines that frame a block are not as they were
	// written.
	ErrDamaged = fault.ErrDamaged
)

// Error is one thing wrong: Position (File, Line; for a value that is to be written
// Path, such as "[3].Key"), Err, which says what is wrong and how to mend it, and
// wraps one of this package's errors. All packages have the same type.
type Error = fault.Error

// Errors is everything wrong, in the order of the file or of the value.
type Errors = fault.Errors

// Position is where something stands: File, Line, Column, Path.
type Position = fault.Position

// Warning is what a Postfix program would log about a line and go on, or, where
// Unevaluated is set, what this package can't say about a line that Postfix obeys:
// Position, Text, Unevaluated.
type Warning = fault.Warning
