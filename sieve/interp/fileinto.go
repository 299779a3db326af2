package interp

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/imapflag"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mboxname"
)

// flagsTag compiles :flags.
func (c *compiler) flagsTag(in *instruction, flags []string) {
	if in.own = flags != nil; len(flags) == 0 {
		return
	}
	if !c.anyVariables(flags) {
		in.flag = validFlags(imapflag.Stored(imapflag.Split(flags)))
		return
	}
	list := c.texts(flags, "Flags")
	c.before(in, func(r *run, in instruction) (instruction, error) {
		in.flag = validFlags(imapflag.Stored(imapflag.Split(r.strs(list))))
		return in, nil
	})
}

// named returns the mailbox that a name stands for: the empty one is the
// inbox's, but stores beside a keep once more. To the server a name ends at a
// NUL.
func named(mailbox string) string {
	if mailbox, _, _ = strings.Cut(mailbox, "\x00"); mailbox == "" {
		return sieve.Inbox
	}
	return mailbox
}

func unnamed(mailbox string) bool { return mailbox == "" || mailbox[0] == 0 }

// usedFor is the special use by which the mailbox of a fileinto is looked for when the
// script has ended. Two are the same action by the mailbox that is named beside it.
type usedFor string

func (usedFor) perform(*run, *instruction) error { return nil }

func (c *compiler) fileInto(in *instruction, cmd sieve.FileInto) {
	in.kind, in.key = opFileInto, cmd.Mailbox
	in.act = ActionFileInto{Mailbox: named(cmd.Mailbox), Unnamed: unnamed(cmd.Mailbox), Create: cmd.Create, Copy: cmd.Copy}
	c.flagsTag(in, cmd.Flags)
	if !c.hasVariables(cmd.Mailbox) && cmd.SpecialUse == "" {
		if err := mboxname.Check(cmd.Mailbox); err != nil {
			c.errorf("Mailbox", "%w", err)
		}
		return
	}
	mailbox, use, special := c.text(cmd.Mailbox, "Mailbox"), c.text(cmd.SpecialUse, "SpecialUse"), cmd.SpecialUse != ""
	c.before(in, func(r *run, in instruction) (instruction, error) {
		name := r.str(&mailbox)
		in.key = name
		if err := mboxname.Check(name); err != nil {
			return in, r.errorf(&in, "%w", err)
		}
		if special {
			attr := r.str(&use)
			if !mboxname.ValidSpecialUse(attr) {
				return in, r.errorf(&in, "%q is not a special-use attribute", attr)
			}
			in.op = usedFor(attr)
		}
		act := in.act.(ActionFileInto)
		act.Mailbox, act.Unnamed = named(name), unnamed(name)
		in.act = act
		return in, nil
	})
}
