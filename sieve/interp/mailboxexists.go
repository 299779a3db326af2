package interp

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mboxname"
)

// mailboxTest is mailboxexists (RFC 5490 section 3.1).
type mailboxTest struct {
	step  int
	names []text
}

func (c *mailboxTest) eval(r *run) bool {
	for i := range c.names {
		name := r.str(&c.names[i])
		if r.spend(64 + 8*len(name)); r.failed != nil {
			return false
		}
		if !r.mailboxExists(name) {
			return r.note(c.step, false, []byte(name))
		}
	}
	return r.note(c.step, true, nil)
}

func (r *run) mailboxExists(name string) bool {
	if mboxname.Check(name) != nil || r.program.store.Refused(name) != nil {
		return false // with a warning
	}
	if r.in.MailboxExists == nil || strings.EqualFold(name, sieve.Inbox) || r.in.MailboxExists(name) {
		return true
	}
	// What scripts before this one store is stored by now, with :create too, and
	// when this one has ended what its actions store one after the other.
	for i := range r.actions {
		if a := &r.actions[i]; (a.done || i < r.checked) && a.kind == opFileInto {
			if f, ok := a.act.(ActionFileInto); ok && mboxname.Same(f.Mailbox, name) {
				return true
			}
		}
	}
	return false
}
