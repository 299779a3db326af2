package interp

import (
	"fmt"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mboxname"
)

// specialUse finds the mailbox of an attribute, which has to be there.
func (r *run) specialUse(mailbox, attribute string) (string, bool) {
	if r.in.Mailboxes == nil {
		return "", false
	}
	name, ok := r.in.Mailboxes.SpecialUse(mailbox, attribute)
	return name, ok && r.mailboxExists(name)
}

// specialUseTest is specialuse_exists (RFC 8579 section 3).
type specialUseTest struct {
	step       int
	mailbox    *text
	attributes []text
}

func (c *specialUseTest) eval(r *run) bool {
	mailbox := ""
	if c.mailbox != nil {
		mailbox = r.str(c.mailbox)
		if !r.mailboxExists(mailbox) {
			return r.note(c.step, false, []byte(mailbox))
		}
		if mailbox == "" {
			mailbox = sieve.Inbox
		}
	}
	for i := range c.attributes {
		attr := r.str(&c.attributes[i])
		if r.spend(64 + 8*len(attr)); r.failed != nil {
			return false
		}
		if !mboxname.ValidSpecialUse(attr) {
			r.failed = fmt.Errorf("specialuse_exists: %.60q is not a special-use attribute", attr)
			return false
		}
		if _, ok := r.specialUse(mailbox, attr); !ok {
			return r.note(c.step, false, []byte(attr))
		}
	}
	return r.note(c.step, true, nil)
}
