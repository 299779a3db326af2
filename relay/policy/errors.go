package policy

import (
	"github.com/oxmailroute/oxmailroute/internal/fault"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// The sentinels that callers branch on, with errors.Is.
var (
	// ErrRequired: a value is missing.
	ErrRequired = fault.ErrRequired
	// ErrInvalid: a value can't be what it should be.
	ErrInvalid = fault.ErrInvalid
	// ErrDuplicate: a value stands twice.
	ErrDuplicate = fault.ErrDuplicate
	// ErrConflict: a value contradicts another, or what the installation has.
	ErrConflict = fault.ErrConflict
	// ErrUnsupported: a version that the library does not know.
	ErrUnsupported = fault.ErrUnsupported
)

// Error is one problem: Position, a Path into the policy ("Tenants[2].Domains[0]"), a
// File and Line of the installation, or both for a policy read from JSON; Tenant,
// whose value it is; Err, which wraps one of the sentinels or
// headers.ErrNotExpressible; and Fix, which is never empty. All packages have the same
// type.
type Error = fault.Error

// Errors are all the problems of a policy, in the order of its fields.
type Errors = fault.Errors

// Position is where something stands: File, Line, Column, Path.
type Position = fault.Position

// Warning is something that works and may not be what was meant: Position and Tenant
// as in [Error], and Text.
type Warning = fault.Warning

// tenantAt is the name of the tenant that a path leads to, or its first domain;
// empty for other paths.
func (p Policy) tenantAt(path string) string {
	i, ok := paths.Tenant(path)
	if !ok || i >= len(p.Tenants) {
		return ""
	}
	return paths.Called(p.Tenants[i].Name, p.Tenants[i].Domains)
}

// named is a path with the name of the tenant that it leads to, for texts.
func (p Policy) named(path string) string { return fault.Named(path, p.tenantAt(path)) }
