package sieve

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
)

// Input is a message and its delivery.
type Input struct {
	// Header and Body come from headers.Scan with headers.Sieve. Body is only
	// read by tests of MIME parts.
	Header headers.Section
	Body   []byte
	// Size is the size of the message in octets as the server holds it.
	Size int64
	// From and To are the addresses of the envelope, without angle brackets;
	// an empty From is the null sender.
	From, To string
	// MailboxExists says whether a mailbox is there and can be stored in; nil
	// means that all are.
	MailboxExists func(name string) bool
}

// Run says what the script does with the message when it runs by itself, as in
// sieve-test and sieve-filter. Delivery (dovecot-lda, LMTP) runs even a single
// script as a [Sequence], in which keep is carried out at the end: there keep
// and reject go together, while here that is a run-time error.
//
// Run never panics, whatever the message.
func (p *Program) Run(in *Input) Result {
	return runAll([]*Program{p}, in, false)
}

// Sequence is the scripts that run when a message is delivered: those of
// sieve_before, the user's own, those of sieve_after; nil programs are skipped.
type Sequence []*Program

// Run says what the server does with the message. The rules are Pigeonhole's:
//
//   - The next script runs where the message is kept, explicitly or because
//     nothing cancelled the implicit keep; a stop ends its own script only.
//     After fileinto, redirect, discard and reject (without :copy and without a
//     keep beside them) the sequence is over.
//   - A keep is carried out at the end, and only where the last script that ran
//     keeps the message as well.
//   - What an earlier script did stays done. The same mailbox or address again
//     does nothing; it doesn't cancel the implicit keep of its script either.
//   - The limits on redirects and actions count for all scripts together, and
//     are those of the script that runs.
//   - A run-time error ends the sequence with a keep (but see [KeepLost]).
//   - The IMAP flags set by one script are there in the next.
func (s Sequence) Run(in *Input) Result { return runAll(s, in, true) }

func runAll(programs []*Program, in *Input, delivery bool) Result {
	if in == nil {
		in = &Input{}
	}
	programs = slices.DeleteFunc(slices.Clip(programs), func(p *Program) bool { return p == nil })
	if len(programs) == 0 {
		return Result{Keep: KeepImplicit}
	}
	pool := &programs[0].pool
	r, _ := pool.Get().(*run)
	if r == nil {
		r = new(run)
	}
	r.in = in
	r.delivery = delivery
	for _, p := range programs {
		if !r.script(p) {
			break
		}
	}
	result := r.finish()
	r.reset()
	pool.Put(r)
	return result
}

// run is the state of a run. Between runs it keeps its buffers.
type run struct {
	in       *Input
	program  *Program
	delivery bool // as a Sequence

	// The fields of each slot: first, and the next of each.
	first, last []int32
	next        []int32
	values      [][]byte // of the fields, as far as they were asked for
	arena       []byte   // what decoded values stand in

	actions []performed
	flags   []string
	steps   []Step

	active bool // the message is kept so far
	failed error
	lost   bool // the failure loses the message
}

func (r *run) reset() {
	clear(r.values)
	clear(r.actions)
	const keepArena = 64 << 10
	if cap(r.arena) > keepArena {
		r.arena = nil
	}
	*r = run{
		first: r.first, last: r.last, next: r.next, values: r.values[:0],
		arena: r.arena[:0], actions: r.actions[:0],
	}
}

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
}

// keeps reports whether the action leaves the implicit keep as it is.
func (p performed) keeps() bool {
	switch a := p.act.(type) {
	case ActionFileInto:
		return a.Copy
	case ActionRedirect:
		return a.Copy
	case ActionVacation:
		return true
	}
	return false
}

// errStop ends a script without an error.
var errStop = errors.New("stop")

// script runs one script and reports whether the next one is to run.
func (r *run) script(p *Program) bool {
	r.program = p
	r.index(&p.fields)
	r.arena = r.arena[:0]
	err := r.exec(p.code)
	if err == nil || err == errStop {
		err = r.checkMailboxes()
	}
	if err != nil {
		// The actions of the script are not done, and the message is kept.
		r.actions = slices.DeleteFunc(r.actions, func(a performed) bool { return !a.done })
		r.failed, r.active = err, false
		return false
	}
	explicit, implicit := false, true
	for i := range r.actions {
		a := &r.actions[i]
		if a.done {
			continue
		}
		a.done = true
		if a.kind == opKeep {
			explicit = true
		}
		implicit = implicit && a.keeps()
	}
	r.active = explicit || implicit
	return r.active
}

// checkMailboxes checks that the mailboxes of the script's actions are there.
func (r *run) checkMailboxes() error {
	if r.in.MailboxExists == nil || r.program.autoCreate {
		return nil
	}
	inbox := false
	for _, a := range r.actions {
		if a.done {
			continue
		}
		switch f, _ := a.act.(ActionFileInto); {
		case a.kind == opFileInto && !f.Create && !r.mailboxExists(f.Mailbox):
			r.lost = inbox
			return r.errorf(a.instruction, "mailbox %q doesn't exist", f.Mailbox)
		case a.kind == opFileInto || a.kind == opKeep && !r.delivery:
			inbox = inbox || sameMailbox(a.key, Inbox)
		}
	}
	return nil
}

func (r *run) mailboxExists(name string) bool {
	return r.in.MailboxExists == nil || strings.EqualFold(name, Inbox) || r.in.MailboxExists(name)
}

func (r *run) errorf(in *instruction, format string, args ...any) error {
	return &Error{
		Name: r.program.name, Line: r.program.steps[in.step].Line, Column: 1,
		Err: fmt.Errorf(format, args...),
	}
}

// exec runs a block. The error is errStop or that of the run.
func (r *run) exec(code []instruction) error {
	for i := range code {
		var err error
		if in := &code[i]; in.kind == opIf {
			err = r.exec(r.choose(in))
		} else {
			err = r.perform(in)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// choose returns the block of an if that is to run.
func (r *run) choose(in *instruction) []instruction {
	for i := range in.branches {
		if in.branches[i].test.eval(r) {
			return in.branches[i].then
		}
	}
	return in.els
}

// perform runs a command that is not an if.
func (r *run) perform(in *instruction) error {
	r.note(in.step, true, nil)
	switch in.kind {
	case opStop:
		return errStop
	case opAddFlag:
		r.flags = addFlags(r.flags, in.flag)
	case opSetFlag:
		r.flags = in.flag
	case opRemoveFlag:
		r.flags = removeFlags(r.flags, in.flag)
	default:
		return r.add(in)
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
	if limit := r.program.maxActions; limit >= 0 && len(r.actions) >= limit {
		return r.errorf(in, "more than %d actions", limit)
	}
	if limit := r.program.maxRedirects; in.kind == opRedirect && same >= limit {
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
			return sameMailbox(a.key, in.key)
		}
		// In a delivery, keep is no action before the end.
		return !r.delivery && (a.kind == opKeep || a.kind == opFileInto) && sameMailbox(a.key, in.key)
	case opRedirect:
		return a.kind == opRedirect && a.key == in.key
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

// sameMailbox compares mailbox names: INBOX has no case.
func sameMailbox(a, b string) bool {
	return a == b || len(a) == len(Inbox) && strings.EqualFold(a, Inbox) && strings.EqualFold(b, Inbox)
}

// finish makes the result.
func (r *run) finish() Result {
	out := Result{Keep: KeepCancelled, Err: r.failed, Steps: r.steps}
	keep := -1 // the last explicit keep
	for i, a := range r.actions {
		if a.kind == opKeep {
			keep = i
		}
	}
	switch {
	case r.lost:
		out.Keep = KeepLost
	case r.failed != nil:
		out.Keep = KeepFailure
	case r.active && keep < 0:
		out.Keep, out.KeepFlags = KeepImplicit, publicFlags(r.flags)
	}
	if len(r.actions) == 0 {
		return out
	}
	out.Actions = make([]Action, 0, len(r.actions))
	for _, a := range r.actions {
		act := a.act
		switch x := act.(type) {
		case ActionKeep:
			if r.delivery && !r.active {
				continue
			}
			if a.unflagged {
				a.flags = r.flags
			}
			if len(a.flags) > 0 {
				x.Flags = publicFlags(a.flags)
				act = x
			}
		case ActionFileInto:
			if len(a.flags) > 0 {
				x.Flags = publicFlags(a.flags)
				act = x
			}
		case ActionVacation:
			act = ActionVacation(Vacation(x).clone())
		case ActionReject:
			if a.silent {
				x.Silent = true
				act = x
			}
		}
		out.Actions = append(out.Actions, act)
	}
	return out
}

// note records a step.
func (r *run) note(step int, matched bool, input []byte) bool {
	if r.program.trace {
		s := r.program.steps[step]
		s.Matched, s.Input = matched, string(input)
		r.steps = append(r.steps, s)
	}
	return matched
}

// begin records a step whose outcome end fills in.
func (r *run) begin(step int) int {
	if !r.program.trace {
		return -1
	}
	r.note(step, false, nil)
	return len(r.steps) - 1
}

func (r *run) end(at int, matched bool) bool {
	if at >= 0 {
		r.steps[at].Matched = matched
	}
	return matched
}
