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
//   - A script that doesn't compile ends the sequence before it: leave it and
//     what follows it out.
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
