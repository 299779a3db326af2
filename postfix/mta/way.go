package mta

import (
	"context"
	"slices"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// Way is a message on its way through an instance, as what [Options] calls sees
// it. It is for the call alone. On the zero Way nothing happens.
type Way struct {
	e *Instance
	m *Message
	q *inquiry
	// at is the listener by which it has come in.
	at *listener
	// written are the envelope sender and recipient as the client wrote them,
	// before trivial-rewrite(8) made addresses of them.
	written [2]string
	fields  headers.Section
	shared  bool // a fork may have fields, too
	body    []byte
	edits   []Edit
	trace   Trace
	out     *[]Outcome
	rule    string // what is behind the row that decided last
	hops    int    // how often the message came back in
	// taken are the recipients that a message has already, where it has copies: none
	// is there twice. Nil: nobody looks.
	taken   map[string]bool
	luser   bool   // it goes to luser_relay, which is a user of this machine
	localTo string // the recipient that local(8) has had last
	passes  int    // how often local(8) has handed it to another transport
	bcc     string // the setting that made this copy
	phase   phase
	// context is that in which addresses of the header are rewritten; nil: they
	// are not. forwarded says that the last server has handed it on (XFORWARD).
	context   *rewriting
	forwarded bool
	// utf8 says that SMTPUTF8 is declared, detects that cleanup(8) finds out
	// whether it is needed, receivedUTF8 that a Received: field which Postfix makes
	// is beyond ASCII.
	utf8, detects, receivedUTF8 bool
	// assumed are the decision's, for all ways.
	assumed *[]Assumption
}

// none reports whether there is no message.
func (w *Way) none() bool { return w == nil || w.e == nil || w.m == nil }

// Context is the one that Route was called with.
func (w *Way) Context() context.Context {
	if w.none() {
		return context.Background()
	}
	return w.q.ctx
}

// Value is the message's [Message].Value.
func (w *Way) Value() any {
	if w.none() {
		return nil
	}
	return w.m.Value
}

// Origin is where the message has come in last, with the service's name.
func (w *Way) Origin() Origin {
	if w.none() {
		return Origin{}
	}
	o := w.m.Origin
	if w.at != nil {
		o.Service = w.at.name
	}
	return o
}

// From is the envelope sender as it is now, and To the recipient.
func (w *Way) From() string {
	if w.none() {
		return ""
	}
	return w.m.From
}

// To is the envelope recipient as it is now.
func (w *Way) To() string {
	if w.none() {
		return ""
	}
	return w.m.To
}

// Header is the header as it is now. It must not be changed; what is appended to
// it is lost when the call is over.
func (w *Way) Header() headers.Section {
	if w.none() {
		return nil
	}
	return w.fields
}

// Body is the body as it is now. It must not be changed.
func (w *Way) Body() []byte {
	if w.none() {
		return nil
	}
	return w.body
}

// Size is the message's size in octets as it came in, each line end as two.
func (w *Way) Size() int64 {
	if w.none() {
		return 0
	}
	return w.size()
}

// Hostname is the instance's own name.
func (w *Way) Hostname() string {
	if w.none() {
		return ""
	}
	return w.e.hostname
}

// Rule is what is behind the row that decided last.
func (w *Way) Rule() string {
	if w.none() {
		return ""
	}
	return w.rule
}

// SetRule makes another one that, for outcomes that end from now on.
func (w *Way) SetRule(rule string) {
	if !w.none() {
		w.rule = rule
	}
}

// Step adds a step to the trace.
func (w *Way) Step(s Step) {
	if !w.none() {
		w.trace = append(w.trace, s)
	}
}

// Trace is the way so far.
func (w *Way) Trace() Trace {
	if w.none() {
		return nil
	}
	return w.trace[:len(w.trace):len(w.trace)]
}

// End ends the way, or one of several, for a recipient: an outcome with what was
// done on the way. A nil target is [TargetNone].
func (w *Way) End(a Action, target Target, to, text string) {
	if !w.none() {
		if target == nil {
			target = TargetNone{}
		}
		w.endAt(a, target, to, text)
	}
}

// Fail notes what could not be found out, for [Decision].Err.
func (w *Way) Fail(err error) {
	if !w.none() && err != nil {
		w.fail(err)
	}
}

// fail notes an error once.
func (w *Way) fail(err error) {
	if !slices.ContainsFunc(w.q.errs, func(had error) bool { return had == err }) {
		w.q.errs = append(w.q.errs, err)
	}
}

// phase says who is told that a table can't be asked.
type phase uint8

const (
	queued    phase = iota // the message is accepted: it is tried again
	inSession              // the client, by the reply to RCPT
	inCleanup              // the client, by the reply to the end of the data
)

// down ends the message for now, since a table can't be asked: what Postfix would
// have found in it, and where it would have gone then, nobody knows. The Directory's
// errors are told where they are met.
func (w *Way) down(err error) { w.downAs(err, "") }

// downAs is down with the reply of an access table.
func (w *Way) downAs(err error, text string) {
	if slices.ContainsFunc(w.q.errs, func(had error) bool { return had == err }) {
		return
	}
	w.q.errs = append(w.q.errs, err)
	if w.q.down != nil {
		return
	}
	action := ActionDefer
	if w.phase != queued && w.hops == 0 && !w.pickup() {
		action = ActionReject
	}
	switch {
	case text != "":
	case w.phase == inSession:
		text = "4.3.0 <" + w.written[1] + ">: Temporary lookup failure"
	case w.phase == inCleanup:
		text = "4.3.0 Error: queue file write error"
	default:
		text = "4.3.0 address resolver failure"
	}
	w.q.down = &Outcome{Action: action, Target: TargetReply("451"), To: w.m.To, Text: text, Edits: w.edits,
		Trace: append(slices.Clone(w.trace), Step{Stage: "table", Input: w.m.To, Note: err.Error()}), BCC: w.bcc}
}

// took is what a search found.
func (w *Way) took(hit postfix.Hit, ok bool, err error) (postfix.Hit, bool) {
	if err != nil {
		w.down(err)
	}
	return hit, ok
}

// tookRow is what one question found.
func (w *Way) tookRow(row postfix.Row, ok bool, err error) (postfix.Row, bool) {
	if err != nil {
		w.down(err)
	}
	return row, ok
}

// Assume notes what the decision hangs on beyond Postfix, for
// [Decision].Assumptions; each once.
func (w *Way) Assume(a Assumption) {
	if !w.none() {
		w.depends(a.Setting, place{a.File, a.Line}, a.Asked, a.Assumed)
	}
}

// Once reports whether a key is asked for the first time in this decision: what
// a program remembers of a message that comes by several ways.
func (w *Way) Once(key string) bool {
	if w.none() || w.q.seen[key] {
		return false
	}
	if w.q.seen == nil {
		w.q.seen = map[string]bool{}
	}
	w.q.seen[key] = true
	return true
}

// Listening finds the listener of this instance that a next hop leads to,
// "127.0.0.1:10025" or "[127.0.0.1]:10025", named as in [Origin].
func (w *Way) Listening(nexthop string) (service string, ok bool) {
	if w.none() {
		return "", false
	}
	l := w.e.listening(nexthop)
	if l == nil {
		return "", false
	}
	return l.name, true
}

// Apart runs f and takes away the outcomes that came of it.
func (w *Way) Apart(f func()) []Outcome {
	if w.none() || f == nil {
		return nil
	}
	before := len(*w.out)
	f()
	out := append([]Outcome(nil), (*w.out)[before:]...)
	*w.out = (*w.out)[:before]
	return out
}

// Add adds outcomes that were taken away.
func (w *Way) Add(l []Outcome) {
	if !w.none() {
		*w.out = append(*w.out, l...)
	}
}

// Mailbox searches for a recipient's mailbox, with its extension and without
// (postconf(5), virtual_mailbox_maps). The key of the hit is the mailbox. Bounced
// says that there is none, though its domain is one of virtual_mailbox_domains.
func (w *Way) Mailbox(to string) (hit postfix.Hit, found, bounced bool, err error) {
	if w.none() {
		return hit, false, false, nil
	}
	boxes := directory{q: w.q}
	if hit, found, err = w.e.router.search.Mailbox(&boxes, to); err != nil {
		return hit, false, false, err
	}
	if !found && w.assumeMailbox(to) {
		return hit, false, false, nil
	}
	return hit, found, !found && w.classOf(domainOf(to)) == mailboxClass, nil
}

// TakesUTF8 is what smtp(8) and lmtp(8) do with a server that may not offer
// SMTPUTF8, host, before anything else is asked of it. It reports false where the
// message goes back, and the way has ended.
func (w *Way) TakesUTF8(h Hop, host, to string, offered SMTPUTF8) bool {
	if w.none() {
		return true
	}
	return w.takesUTF8(h.hop(), host, to, offered)
}

// TooOften reports whether the message has come back in so often that it is
// returned.
func (w *Way) TooOften() bool { return !w.none() && w.hops >= maxHops }

// Canonical is an address as trivial-rewrite(8) writes it.
func (w *Way) Canonical(address string) string {
	if w.none() {
		return address
	}
	return w.e.canonical(address)
}

// Entry is a message that a program submits while it delivers another one.
type Entry struct {
	Origin   Origin
	From, To string
	Header   headers.Section
	SMTPUTF8 bool // declared
	// Step is that by which it comes about. Where there is no listener, Missing is
	// the step that says so, and Text the reply.
	Step, Missing Step
	Text          string
}

// Submit brings a copy of the message back in, and returns the outcomes that came
// of it, which are not yet among those of the message.
func (w *Way) Submit(n Entry) []Outcome {
	if w.none() {
		return nil
	}
	m := *w.m
	m.From, m.To, m.SMTPUTF8, m.Origin = n.From, n.To, n.SMTPUTF8, n.Origin
	f := w.fork()
	f.m = &m
	f.fields, f.shared = n.Header, false
	f.written = [2]string{m.From, m.To}
	f.hops++
	f.Step(n.Step)
	return f.Apart(func() {
		l := f.e.listener(n.Origin.Service)
		if l == nil {
			f.Step(n.Missing)
			f.end(ActionReject, "", n.To, n.Text)
			return
		}
		f.enter(l)
	})
}
