package sieve

import (
	"unicode/utf8"

	"github.com/oxmailroute/oxmailroute/sieve/internal/mboxname"
)

// FileInto stores the message in a mailbox (RFC 5228 section 4.1) and cancels
// the implicit keep.
type FileInto struct {
	// Mailbox is the name in UTF-8, with the server's hierarchy separator.
	Mailbox string
	// Copy leaves the implicit keep as it is (RFC 3894).
	Copy bool
	// Create makes the mailbox where it is missing (RFC 5490 section 3.2).
	Create bool
	// SpecialUse is a special-use attribute (RFC 8579 section 4), such as
	// `\Junk`: the mailbox that carries it is taken before Mailbox is. Empty
	// leaves the tag out.
	SpecialUse string
	// Flags are the IMAP flags to set in place of the script's own (RFC 5232
	// section 5): flags separated by spaces in each string, "" for none. Nil
	// leaves the tag out.
	Flags []string
}

func (FileInto) command() {}

func (r *reader) fileInto(args []synArg) Command {
	var c FileInto
	if r.own {
		c.Copy, c.Create, c.Flags = r.shows(nameCopy, ExtCopy), r.shows(nameCreate, ExtMailbox), r.flags()
	}
	if f := r.tagged(nameSpecialUse); f != nil {
		r.shown |= ExtSpecialUse
		c.SpecialUse = r.specialUse(r.string1(f.param), r.errorf)
	}
	s := r.string1(&args[0])
	mailbox, literal := r.text(s)
	if c.Mailbox = mailbox; literal && !utf8.ValidString(mailbox) {
		r.errorf(s.off, "mailbox %q is not UTF-8", mailbox)
	}
	return c
}

func (c *valueChecker) fileInto(cmd FileInto, where string) {
	c.texts(cmd.Flags, where+".Flags")
	if !c.hasVariables(cmd.Mailbox) && cmd.SpecialUse == "" {
		if err := mboxname.Check(cmd.Mailbox); err != nil {
			c.errorf(where+".Mailbox", "%w", err)
		}
		return
	}
	c.text(cmd.Mailbox, where+".Mailbox")
	c.text(cmd.SpecialUse, where+".SpecialUse")
}
