package sieve

import (
	"fmt"

	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
)

// Vacation answers the sender (RFC 5230); it leaves the implicit keep as it is.
// The pointers are nil where the tag is absent, which is not the same as a tag
// with 0 or "".
type Vacation struct {
	// Days between two answers to one sender; the server bounds it, and has a
	// default (7).
	Days *uint64
	// Seconds is the same in seconds (RFC 6131); it excludes Days.
	Seconds *uint64
	Subject *string
	// From is the address to answer from; empty leaves the tag out.
	From string
	// Addresses are the user's other addresses; nil leaves the tag out.
	Addresses []string
	// MIME says that Reason is a MIME entity with its header.
	MIME bool
	// Handle identifies the answer for the counting of days.
	Handle *string
	Reason string
}

func (Vacation) command() {}

func (r *reader) vacation(args []synArg) Command {
	c := Vacation{
		Days: r.number(nameDays), Seconds: r.number(nameSeconds), Subject: r.optionalText(nameSubject),
		Addresses: r.optionalList(nameAddresses), MIME: r.has(nameMIME),
	}
	if c.Seconds != nil {
		r.shown |= ExtVacationSeconds
	}
	if f := r.tagged(nameFrom); f != nil {
		c.From = r.address(f.param)
	}
	for i := range r.found {
		// The last of several counts.
		if f := &r.found[i]; f.id == nameHandle {
			s := r.str(f.param)
			c.Handle = &s
		}
	}
	c.Reason = r.str(&args[0])
	return c
}

func (v *validator) vacation(c Vacation, where string) {
	if c.Subject != nil {
		v.line(*c.Subject, where+".Subject")
	}
	if c.From != "" {
		v.address(c.From, where+".From")
	}
	if c.Addresses != nil && len(c.Addresses) == 0 {
		v.errorf(where+".Addresses", "is empty: use nil")
	}
	for i, a := range c.Addresses {
		v.address(a, fmt.Sprintf("%s.Addresses[%d]", where, i))
	}
	if c.Handle != nil {
		v.line(*c.Handle, where+".Handle")
	}
	v.text(c.Reason, where+".Reason")
}

func (c *valueChecker) vacation(cmd Vacation, where string) {
	if cmd.Days != nil && cmd.Seconds != nil {
		c.errorf(where+".Seconds", "excludes Days")
	}
	if c.text(cmd.From, where+".From") && cmd.From != "" {
		if _, err := mailaddr.Parse(cmd.From); err != nil {
			c.errorf(where+".From", "address %q: %w", cmd.From, err)
		}
	}
	c.optional(cmd.Subject, where+".Subject")
	c.optional(cmd.Handle, where+".Handle")
	c.texts(cmd.Addresses, where+".Addresses")
	c.text(cmd.Reason, where+".Reason")
}

func (w *writer) vacation(c Vacation) *node {
	w.use(ExtVacation)
	n := newNode("vacation").number("days", c.Days)
	if c.Seconds != nil {
		w.use(ExtVacationSeconds)
		n.number("seconds", c.Seconds)
	}
	n.text("subject", c.Subject)
	if c.From != "" {
		n.tag("from").str(c.From)
	}
	if c.Addresses != nil {
		n.tag("addresses").strList(c.Addresses)
	}
	if c.MIME {
		n.tag("mime")
	}
	return n.text("handle", c.Handle).str(c.Reason)
}
