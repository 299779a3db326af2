package interp

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mboxname"
)

// Run says what the script does with the message when it runs by itself, as in
// sieve-test and sieve-filter. Delivery (dovecot-lda, LMTP) runs even a single
// script as a [Sequence], in which keep is carried out at the end: there keep
// and reject go together, while here that is a run-time error.
//
// Run never panics, whatever the message.
func (p *Program) Run(in *Input) Result {
	var out Result
	p.RunInto(in, &out)
	return out
}

// RunInto is [Program.Run] with a Result that is overwritten: a caller that
// uses it again for the next message, once it is done with what it holds, has
// no allocations for Actions and Steps.
func (p *Program) RunInto(in *Input, out *Result) {
	if p == nil {
		p = new(Program)
	}
	list := [1]*Program{p}
	runAll(list[:], in, false, out)
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
func (s Sequence) Run(in *Input) Result {
	var out Result
	s.RunInto(in, &out)
	return out
}

// RunInto is [Sequence.Run] with a Result that is overwritten, as
// [Program.RunInto].
func (s Sequence) RunInto(in *Input, out *Result) { runAll(s, in, true, out) }

// runs holds *run.
var runs = sync.Pool{New: func() any { return new(run) }}

func runAll(programs []*Program, in *Input, delivery bool, out *Result) {
	if out == nil {
		out = new(Result)
	}
	r := runs.Get().(*run)
	if in != nil {
		r.in = *in
	}
	r.delivery = delivery
	r.active = true
	r.actions, r.trace = r.actions[:0], out.Steps[:0]
	for _, p := range programs {
		if p != nil && !r.script(p) {
			break
		}
	}
	if r.failed == nil && r.in.Memory != nil {
		for _, m := range r.marks {
			r.in.Memory.Remember(m.key, m.until)
		}
	}
	r.finish(out)
	r.reset()
	runs.Put(r)
}

// run is the state of a run. Between runs it keeps its buffers.
type run struct {
	state

	// The fields that the program asks for, and the first and last of each
	// slot.
	entries     []entry
	first, last []int32
	parsed      []addressList
	envelope    *[2][5]value     // the parts of sender and recipient
	found       []mailaddr.Found // where addresses are read to
	list        []value          // where values are gathered
	refs        []*value         // the same, of values that stand elsewhere
	arena       []byte           // what decoded values stand in
	fresh       []entry          // the fields of one test, where they aren't those of slots
	picked      []*entry         // the fields of one test
	brief       []byte           // what decoded values of one test stand in
	scratch     []byte           // what one value is folded to
	wide        []byte           // the same for i;unicode-casemap
	spare       *addressList     // of one field
	bits        []uint64         // where candidates are gathered
	top         frame
	actions     []performed
	recent      [4]loaded // the programs that ran last, and small ones that were compiled
}

// state is what of a run nothing is kept of.
type state struct {
	in       Input
	program  *program
	delivery bool // as a Sequence
	fromPath bool // the sender is that of the field Return-Path
	checked  int  // how many actions of a script that has ended are there

	enveloped bool    // there are some of run.envelope
	byName    []entry // what is kept of the header's fields that aren't those of slots
	raw       value   // the body as it stands

	keptAddresses int              // in parsed
	inputs        map[*byte]string // the long values that the trace has
	lastInput     string           // the last of those that are made for a test

	at    int   // where in bits those of the search are
	steps int64 // that the run may still take

	frame    *frame // of the script that runs
	globals  []string
	included map[*script]bool
	seen     map[string]bool // what duplicate has said
	quiet    bool            // no match variables are set

	parts  []*mimePart
	part   *mimePart // where a foreverypart is, and its place in parts
	partAt int

	marks []mark
	flags []string
	trace []Step

	// The size and the lines of the header, from the first change on.
	headOctets, headLines int64

	edits    int             // how often the header was changed
	original headers.Section // before the first of them
	added    []addedField

	active bool // the message is kept so far
	failed error
	lost   bool // the failure loses the message
}

// frame is what a script that runs has for itself.
type frame struct {
	outer   *frame
	script  *script
	local   []string
	matched []string // the match variables
}

// keepBuffers bounds the octets of a buffer that is kept between runs.
const keepBuffers = 64 << 10

func (r *run) reset() {
	if cap(r.arena) > keepBuffers {
		r.arena = nil
	}
	if cap(r.entries) > keepBuffers/64 {
		r.entries = nil
	}
	if cap(r.parsed) > keepBuffers/1024 {
		r.parsed = nil
	}
	if cap(r.found) > keepBuffers/1024 {
		r.found = nil
	}
	if cap(r.list) > keepBuffers/1024 {
		r.list = nil
	}
	if cap(r.refs) > keepBuffers/64 || cap(r.picked) > keepBuffers/64 || cap(r.fresh) > keepBuffers/1024 {
		r.refs, r.picked, r.fresh = nil, nil, nil
	}
	if cap(r.wide) > keepBuffers {
		r.wide = nil
	}
	if cap(r.brief) > keepBuffers || cap(r.scratch) > keepBuffers {
		r.brief, r.scratch = nil, nil
	}
	// Nothing of the message stays behind.
	clear(r.actions[:cap(r.actions)])
	clear(r.found[:cap(r.found)])
	clear(r.list[:cap(r.list)])
	clear(r.entries)
	clear(r.refs[:cap(r.refs)])
	clear(r.picked[:cap(r.picked)])
	clear(r.fresh[:cap(r.fresh)])
	if r.spare != nil {
		*r.spare = addressList{}
	}
	for i := range r.parsed {
		for j := range r.parsed[i].parts {
			list := &r.parsed[i].parts[j]
			if clear(*list); cap(*list) > keepBuffers/1024 {
				*list = nil
			}
		}
	}
	clear(r.top.local)
	r.forgetEnvelope()
	r.state = state{}
	r.top = frame{local: r.top.local[:0]}
	r.entries, r.parsed, r.found, r.list = r.entries[:0], r.parsed[:0], r.found[:0], r.list[:0]
	r.refs, r.picked, r.fresh, r.actions = r.refs[:0], r.picked[:0], r.fresh[:0], r.actions[:0]
	r.arena, r.brief, r.scratch, r.wide, r.bits = r.arena[:0], r.brief[:0], r.scratch[:0], r.wide[:0], r.bits[:0]
}

// spend takes steps from what the run may take, and lets it fail where they
// are used up.
func (r *run) spend(n int) {
	if r.steps -= int64(n); r.steps < 0 && r.failed == nil {
		r.failed = errSteps
	}
}

var (
	errSteps   = errors.New("the message takes more steps than Options.MaxSteps allows")
	errActions = errors.New("more actions than Options.MaxActions allows")
	// errStop ends a script without an error.
	errStop = errors.New("stop")
)

// script runs one script and reports whether the next one is to run.
func (r *run) script(source *Program) bool {
	p := r.load(source)
	r.program = p
	r.steps = p.maxSteps
	r.index(&p.fields)
	main := p.main
	if main == nil {
		main = &script{} // a Program that Compile didn't make
	}
	r.top.script, r.top.matched, r.top.local = main, nil, cleared(r.top.local, main.locals)
	r.globals = cleared(r.globals, p.globals)
	r.frame, r.part, r.included = &r.top, nil, nil
	if r.delivery && r.in.From == "" && !r.fromPath {
		// dovecot-lda takes a null sender for none; in LMTP the field stands before all others.
		if a, ok := r.returnPath(); ok {
			r.in.From, r.fromPath = a.String(), true
		}
	}
	before := r.in
	err := r.exec(&main.code)
	if err == nil || err == errStop || err == errReturn {
		err = r.checkMailboxes()
	}
	if err != nil {
		// The actions of the script are not done, and the message is kept.
		r.actions = slices.DeleteFunc(r.actions, func(a performed) bool { return !a.done })
		r.failed, r.active, r.in = err, false, before
		return false
	}
	r.checked = 0
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
		r.commit(a)
		implicit = implicit && a.keeps()
	}
	r.active = explicit || implicit
	return r.active
}

// cleared returns a list of n empty strings, in the memory of the list where it
// is large enough.
func cleared(list []string, n int) []string {
	list = slices.Grow(list[:0], n)[:n]
	clear(list)
	return list
}

func (r *run) errorf(in *instruction, format string, args ...any) error {
	s := r.frame.script
	return &sieve.Error{Position: sieve.Position{File: s.name, Line: s.line(int(in.step)), Column: 1}, Err: fmt.Errorf(format, args...)}
}

// exec runs a block. The error is errStop or that of the run.
func (r *run) exec(b *block) error {
	if b.index != nil {
		if x := b.index.get(); x != nil {
			return r.execIndexed(b, x)
		}
	}
	for i := range b.code {
		if err := r.instruction(&b.code[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) instruction(in *instruction) error {
	if in.kind == opIf {
		then := r.choose(in)
		if r.failed != nil {
			return r.errorf(in, "%w", r.failed)
		}
		return r.exec(then)
	}
	r.note(int(in.step), true, nil)
	if r.failed != nil {
		return r.errorf(in, "%w", r.failed)
	}
	switch in.kind {
	case opStop:
		return errStop
	case opRun:
		err := in.op.perform(r, in)
		if err == nil && r.failed != nil {
			err = r.errorf(in, "%w", r.failed)
		}
		return err
	}
	return r.add(in)
}

// choose returns the block of an if that is to run.
func (r *run) choose(in *instruction) *block {
	if in.chain != nil {
		if x := in.chain.get(); x != nil {
			return r.chooseIndexed(in, x)
		}
	}
	for i := range in.branches {
		if in.branches[i].test.eval(r) {
			return &in.branches[i].then
		}
		if r.failed != nil {
			break
		}
	}
	return in.els
}

// finish makes the result.
func (r *run) finish(out *Result) {
	*out = Result{Actions: out.Actions[:0], Keep: KeepCancelled, Err: r.failed, Steps: r.trace}
	keep, inbox := -1, -1 // the last explicit keep, and fileinto of the inbox
	for i := range r.actions {
		switch a := &r.actions[i]; {
		case a.kind == opKeep:
			keep = i
		case r.delivery && a.kind == opFileInto && mboxname.Same(a.key, sieve.Inbox):
			inbox = i
		}
	}
	switch {
	case r.lost:
		out.Keep = KeepLost
	case r.failed != nil:
		out.Keep = KeepFailure
	case r.active && keep < 0:
		out.Keep, out.KeepFlags = KeepImplicit, publicFlags(r.flags)
		if inbox >= 0 {
			out.KeepFlags = publicFlags(r.actions[inbox].flags)
		}
	}
	for i := range r.actions {
		a := &r.actions[i]
		if a.kind == opRemember {
			continue
		}
		if a.kind == opKeep {
			if r.delivery && !r.active {
				continue
			}
			switch {
			case inbox >= 0:
				// The message is there already when it comes to the keep.
				a.flags = r.actions[inbox].flags
			case a.unflagged:
				a.flags = r.flags
			}
		}
		out.Actions = append(out.Actions, a.action())
	}
}

// missed records a test that nothing matched.
func (r *run) missed(step int, last *value) bool {
	if last == nil {
		return r.note(step, false, nil)
	}
	return r.noteValue(step, false, last)
}

// note records a step.
func (r *run) note(step int, matched bool, input []byte) bool {
	r.spend(costTest)
	if r.program.trace {
		s := r.frame.script.steps[step]
		s.Matched, s.Input = matched, string(input)
		r.trace = append(r.trace, s)
	}
	return matched
}

// begin records a step whose outcome end fills in.
func (r *run) begin(step int) int {
	if !r.program.trace {
		return -1
	}
	r.note(step, false, nil)
	return len(r.trace) - 1
}

func (r *run) end(at int, matched bool) bool {
	if at >= 0 {
		r.trace[at].Matched = matched
	}
	return matched
}
