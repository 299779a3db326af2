package interp

import (
	"fmt"
	"time"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mboxname"
)

// performed is an action of the result.
type performed struct {
	*instruction
	flags []string
	// unflagged marks an action of a script without imap4flags: a keep that is
	// carried out later takes the flags of then.
	unflagged bool
	// done marks the actions of earlier scripts.
	done bool
	// silent is for ActionReject.
	silent bool
	// unsent marks a redirect that isn't sent.
	unsent bool
	until  time.Time // opRemember
	sent   Action    // the action with the message that it sends
}

// keeps reports whether the action leaves the implicit keep as it is.
func (p performed) keeps() bool {
	if p.unsent {
		return true
	}
	switch a := p.act.(type) {
	case ActionFileInto:
		return a.Copy
	case ActionRedirect:
		return a.Copy
	case ActionVacation, ActionNotify, ActionAddHeader, ActionDeleteHeader, ActionReport, nil:
		return true
	default: // keep, discard and reject take its place
		return false
	}
}

// counted is how many actions there are; changes of the header are none.
func (r *run) counted() int {
	n := 0
	for i := range r.actions {
		if r.actions[i].kind != opEdit {
			n++
		}
	}
	return n
}

// commit makes the message that an action sends, when its script has ended.
func (r *run) commit(a *performed) {
	switch x := a.act.(type) {
	case ActionVacation:
		x.Vacation = cloneVacation(x.Vacation)
		x.Reply, x.Why = r.reply(x.Vacation, int(a.step))
		a.sent = x
	case ActionReject:
		if !a.silent {
			x.Message, _ = r.rejection(x.Text)
		}
		x.Silent = a.silent
		a.sent = x
	case ActionNotify:
		x.Mail, x.Why = r.notification(&x)
		x.uri = nil
		a.sent = x
	case ActionRedirect:
		if x.Why = r.notRedirected(x.Address); x.Why != "" {
			a.sent, a.unsent = x, true
		} else if x.From = r.redirectSender(); x.From != "" {
			a.sent = x
		}
	case nil:
		if a.kind == opRemember {
			r.marks = append(r.marks, mark{a.key, a.until})
		}
	default: // sends nothing that is made here
	}
}

// action returns the action as the caller gets it.
func (p *performed) action() Action {
	if p.sent != nil {
		return p.sent
	}
	switch x := p.act.(type) {
	case ActionKeep:
		if len(p.flags) > 0 {
			x.Flags = publicFlags(p.flags)
			return x
		}
	case ActionFileInto:
		if len(p.flags) > 0 {
			x.Flags = publicFlags(p.flags)
			return x
		}
	default: // has no flags
	}
	return p.act
}

// checkMailboxes checks that the mailboxes of the script's actions are there, or
// can be made.
func (r *run) checkMailboxes() error {
	inbox := false
	for i, a := range r.actions {
		if r.checked = i; a.done {
			continue
		}
		if f, ok := a.act.(ActionFileInto); ok {
			if use, ok := a.op.(usedFor); ok {
				if found, ok := r.specialUse("", string(use)); ok {
					f.Mailbox, f.Unnamed = named(found), unnamed(found)
					a.act = f // of a copy of the instruction
				}
			}
			err := r.program.store.Refused(f.Mailbox)
			if err == nil && !f.Create && !r.program.autoCreate && !r.mailboxExists(f.Mailbox) {
				err = fmt.Errorf("mailbox %q doesn't exist", f.Mailbox)
			}
			if err != nil {
				r.lost = inbox
				return r.errorf(a.instruction, "%w", err)
			}
		}
		switch {
		case a.kind == opFileInto || a.kind == opKeep && !r.delivery:
			inbox = inbox || mboxname.Same(a.key, sieve.Inbox)
		}
	}
	return nil
}

// add adds an action to the result, as sieve_result_add_action does.
func (r *run) add(in *instruction) error {
	next := performed{instruction: in, flags: r.flags, unflagged: !r.program.flagged}
	if in.own {
		next.flags = in.flag
	}
	same := 0
	for i := 0; i < len(r.actions); i++ {
		a := &r.actions[i]
		if r.repeats(a, in) {
			if in.kind == opKeep && a.kind == opKeep && a.done {
				// The keep of an earlier script is to be done at the end only.
				r.actions = append(r.actions[:i], r.actions[i+1:]...)
				i--
				continue
			}
			if !a.done {
				switch in.kind {
				case opVacation:
					return r.errorf(in, "vacation is allowed once only")
				case opReject:
					return r.errorf(in, "reject is allowed once only")
				}
				a.flags = next.flags
			}
			return nil
		}
		if a.kind == in.kind {
			same++
		}
		if err := r.conflict(a, &next); err != nil {
			return err
		}
	}
	if limit := r.program.maxActions; limit >= 0 && r.counted() >= limit {
		return r.errorf(in, "more than %d actions", limit)
	}
	if limit := max(r.program.maxRedirects, 0); in.kind == opRedirect && same >= limit {
		if limit == 0 {
			return r.errorf(in, "redirect is forbidden (MaxRedirects)")
		}
		return r.errorf(in, "more than %d redirects", limit)
	}
	r.actions = append(r.actions, next)
	return nil
}

// repeats reports whether the new action is one that is there already.
func (r *run) repeats(a *performed, in *instruction) bool {
	switch in.kind {
	case opKeep, opFileInto:
		if a.kind == in.kind {
			return mboxname.Same(a.key, in.key)
		}
		// In a delivery, keep is no action before the end.
		return !r.delivery && (a.kind == opKeep || a.kind == opFileInto) && mboxname.Same(a.key, in.key)
	case opRedirect, opReport:
		return a.kind == in.kind && a.key == in.key
	case opNotify, opEdit, opRemember:
		return false
	}
	return a.kind == in.kind
}

// conflict is the rule that a rejected message isn't delivered or answered
// otherwise (RFC 5429 section 2.2, RFC 5230 section 4.7).
func (r *run) conflict(a, next *performed) error {
	reject, other := a, next
	if next.kind == opReject {
		reject, other = next, a
	}
	if reject.kind != opReject {
		return nil
	}
	switch other.kind {
	case opKeep:
		if r.delivery {
			return nil
		}
	case opFileInto, opRedirect:
	case opVacation:
		if a.done {
			next.silent = true
			return nil
		}
	default:
		return nil
	}
	if a.done {
		return nil
	}
	return r.errorf(next.instruction, "reject conflicts with an action that delivers or answers the message")
}

// mark is something that is remembered when the script has ended well.
type mark struct {
	key   string
	until time.Time
}
