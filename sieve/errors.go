package sieve

import "github.com/oxmailroute/oxmailroute/internal/fault"

// ErrUnsupported is the error of a script that is Sieve, but uses something
// this package does not implement. The text of the error that wraps it names
// the thing and, in an [Error], its place.
var ErrUnsupported = fault.ErrUnsupported

// maxErrors bounds the errors reported for one script; Pigeonhole stops after
// 100 too.
const maxErrors = 100

// Error is one error of a script: Position and Err. File is the name given to Parse or
// Options, which can be empty; a script that was built in Go has no Line, but a Path
// ("Commands[2].Test.Names[0]"). All packages have the same type.
type Error = fault.Error

// Errors is every error of a script, in the order of the script.
type Errors = fault.Errors

// Position is where something stands: File, Line, Column, Path.
type Position = fault.Position

// Warning is something that [Check] has to say about a script that the server takes:
// Position and Text.
type Warning = fault.Warning
