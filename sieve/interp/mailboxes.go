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
		if !r.mailboxExists(name) {
			return r.note(c.step, false, []byte(name))
		}
	}
	return r.note(c.step, true, nil)
}

func (r *run) mailboxExists(name string) bool {
	return r.in.MailboxExists == nil || strings.EqualFold(name, sieve.Inbox) || r.in.MailboxExists(name)
}

// specialUse finds the mailbox of an attribute.
func (r *run) specialUse(mailbox, attribute string) (string, bool) {
	if r.in.Mailboxes == nil {
		return "", false
	}
	return r.in.Mailboxes.SpecialUse(mailbox, attribute)
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
	}
	for i := range c.attributes {
		attr := r.str(&c.attributes[i])
		if !mboxname.ValidSpecialUse(attr) {
			return r.note(c.step, false, []byte(attr))
		}
		if _, ok := r.specialUse(mailbox, attr); !ok {
			return r.note(c.step, false, []byte(attr))
		}
	}
	return r.note(c.step, true, nil)
}

// metadata returns an annotation of a mailbox, or of the server.
func (r *run) metadata(mailbox, annotation string) (string, bool) {
	if r.in.Mailboxes == nil {
		return "", false
	}
	return r.in.Mailboxes.Metadata(mailbox, annotation)
}

// metadataTest is metadata or servermetadata (RFC 5490 sections 4 and 5).
type metadataTest struct {
	step       int
	mailbox    text
	annotation text
	match      *matcher
	server     bool
}

func (c *metadataTest) eval(r *run) bool {
	mailbox := ""
	if !c.server {
		if mailbox = r.str(&c.mailbox); !r.mailboxExists(mailbox) {
			return r.note(c.step, false, []byte(mailbox))
		}
	}
	values := r.list[:0]
	if v, ok := r.metadata(mailbox, r.str(&c.annotation)); ok {
		values = append(values, value{text: []byte(v)})
	}
	r.list = values
	return r.compare(c.step, c.match, values)
}

// metadataExistsTest is metadataexists or servermetadataexists.
type metadataExistsTest struct {
	step        int
	mailbox     text
	annotations []text
	server      bool
}

func (c *metadataExistsTest) eval(r *run) bool {
	mailbox := ""
	if !c.server {
		if mailbox = r.str(&c.mailbox); !r.mailboxExists(mailbox) {
			return r.note(c.step, false, []byte(mailbox))
		}
	}
	for i := range c.annotations {
		name := r.str(&c.annotations[i])
		if _, ok := r.metadata(mailbox, name); !ok {
			return r.note(c.step, false, []byte(name))
		}
	}
	return r.note(c.step, true, nil)
}
