package relay

import (
	"context"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// Scripts answers for the Sieve scripts of mailboxes. Its methods must be safe
// for concurrent use. An error defers the mail, as Pigeonhole does where it
// can't read the active script.
type Scripts interface {
	// Script returns the compiled active script of a mailbox (its address
	// without extension, lower case), or nil where it has none.
	Script(ctx context.Context, mailbox string) (*interp.Program, error)
}

// ScriptMap is Scripts in memory, by address. [Compile] copies it.
type ScriptMap map[string]*interp.Program

// Script returns the script of the mailbox.
func (s ScriptMap) Script(_ context.Context, mailbox string) (*interp.Program, error) {
	return s[mailbox], nil
}

// Table is what is known of a table that isn't among Installation.Files.
type Table struct {
	// Rows are all rows of the table, as `postmap -s` prints them. Nil: not known.
	Rows postfix.Table
	// Map is asked in place of Rows, for a table that is too large, or that
	// computes its answers. It tells nobody what is not in the table: where a
	// guarantee hangs on that, Harmless is needed too.
	Map postfix.Map
	// Harmless says that the caller vouches for a table that can't be read here:
	// nothing in it takes mail past what the policy says. In header checks it has
	// no PASS, REDIRECT or FILTER, and makes and removes no marker; as an access
	// table it has no FILTER or REDIRECT; in transport_maps no route for everybody
	// and none of a next hop alone (":[host]"); as a map of senders no route for one
	// in scope; as canonical_maps it leaves the null sender alone. A policy service
	// goes by its restriction, "check_policy_service inet:127.0.0.1:10023".
	Harmless bool
}
