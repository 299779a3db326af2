package relay

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/oxmailroute/oxmailroute/headers"
)

// Route says where a message goes for one recipient. It walks the emitted
// configuration in the order of the servers: connection and recipient checks,
// removal of forged markers, aliases and routing, the header checks of the
// second pass, and for local mail the Sieve scripts; redirects come back in at
// the re-entry listener. It never fails: where a server would refuse or defer,
// the decision says so. It makes no look-ups outside of the configuration, the
// Directory, Scripts and Tables, and is safe for concurrent use. The context is
// for Directory and Scripts: what they don't answer because it is done is an
// error of theirs, which [Decision].Err has.
func (c *Config) Route(ctx context.Context, m *Message) Decision {
	if c == nil {
		c = new(Config)
	}
	if m == nil {
		m = new(Message)
	}
	d := Decision{To: m.To}
	written := [2]string{m.From, m.To}
	if r := &c.eval.rewriting; !r.plain(m.To) || !r.plain(m.From) {
		n := *m
		n.To, n.From = r.written(m.To), r.written(m.From)
		m = &n
	}
	w := walk{e: &c.eval, m: m, written: written, redirects: new([]redirect)}
	w.out, w.unevaluated = &d.Outcomes, &d.Unevaluated
	w.q = c.eval.inquiry(ctx)
	buffer := sections.Get().(*section)
	w.fields, w.body = headers.Scan(buffer.fields[:0], m.Raw, headers.HeaderChecks)
	w.trace = make(Trace, 0, 8)
	w.origin()
	w.enter()
	d.Err = w.q.err()
	clear(buffer.fields[:]) // it must not keep the message alive
	sections.Put(buffer)
	return d
}

// section holds the header of an ordinary message; a decision keeps nothing of
// it.
type section struct{ fields [64]headers.Field }

var sections = sync.Pool{New: func() any { return new(section) }}

// walk is a message on its way. Where the way forks, it is copied.
type walk struct {
	e *evaluator
	m *Message
	q *inquiry
	// written are the envelope sender and recipient as the client wrote them,
	// before trivial-rewrite(8) made addresses of them.
	written [2]string
	fields  headers.Section
	shared  bool // a fork may have fields, too
	body    []byte
	edits   []Edit
	trace   Trace
	out     *[]Outcome
	rule    string // the policy's value that decided last
	hops    int    // how often the message came back in
	bcc     string // the setting that made this copy
	// context is that in which addresses of the header are rewritten; nil: they
	// are not. forwarded says that the last server has handed it on (XFORWARD).
	context   *rewriting
	forwarded bool
	// utf8 says that SMTPUTF8 is declared, detects that cleanup(8) finds out
	// whether it is needed.
	// receivedUTF8 that a Received: field which Postfix makes is beyond ASCII.
	utf8, detects, receivedUTF8 bool
	// unevaluated is the decision's, for all ways.
	unevaluated *[]Unevaluated
	// redirects are those that mailboxes' scripts have made of the message, on
	// all its ways.
	redirects *[]redirect
}

// redirect is what a mailbox's script did with the message.
type redirect struct{ mailbox, address string }

func (w *walk) step(stage, rule string, at place, input, note string) {
	w.trace = append(w.trace, Step{Stage: stage, Rule: rule, File: at.file, Line: at.line, Input: input, Note: note})
}

// end adds an outcome.
func (w *walk) end(a Action, target, to, text string) {
	o := Outcome{
		Action: a, Target: target, To: to, Text: text, Rule: w.rule, Edits: w.edits, Trace: w.trace, BCC: w.bcc,
	}
	if a == Relay || a == MX || a == Mailbox {
		o.MailFrom, o.RcptTo = w.m.From, to
	}
	*w.out = append(*w.out, o)
}

// fork is a copy that can go its own way.
func (w *walk) fork() *walk {
	w.shared = true
	f := *w
	f.trace = slices.Clone(w.trace)
	f.edits = slices.Clone(w.edits)
	return &f
}

// enter is the first server: the listener's session and its cleanup.
func (w *walk) enter() {
	l := w.e.listener(w.m.Origin)
	if l == nil {
		w.step("smtpd", "Listeners", place{}, string(w.m.Origin.Role), "no such listener")
		w.end(Reject, "", w.m.To, "no listener has this role")
		return
	}
	if !w.connect(l) {
		return
	}
	w.step("smtpd", "Listeners", l.at, string(l.role), "enters")
	w.declare(l)
	filter, to, hold := "", "", false
	var copies []bcc
	if l.rules != nil {
		s := session{w: w, l: l}
		if v := s.judge(); v == rejected {
			w.rule = s.rule
			w.end(Reject, s.code, w.m.To, s.text)
			return
		} else if v == discarded {
			w.end(Discard, "", w.m.To, "")
			return
		}
		filter = s.filter
		hold, to = s.hold, s.to
		copies = s.copies
		for _, line := range s.prepend {
			w.prepend(line)
		}
	}
	if l.limit > 0 && int64(len(w.m.Raw)) > l.limit/2 && w.size() > l.limit {
		w.step("smtpd", "", l.at, "message_size_limit", "too large")
		w.end(Reject, "552", w.m.To, "5.3.4 Message size exceeds fixed limit")
		return
	}
	if l.milters != "" && !w.milters(l) {
		return
	}
	w.setContext(l)
	if m := l.cleanup.mapping; m != nil && l.maps {
		copies = append(copies, w.envelope(m)...)
	}
	if !w.certificateLine(l) {
		return
	}
	verdict := w.cleanup(l.cleanup, l.maps)
	if verdict.done {
		return
	}
	w.detect()
	if hold { // cleanup(8) has done all its work
		w.end(Defer, "", w.m.To, "held in the queue")
		return
	}
	if to != "" { // one recipient in the place of all, copies too
		w.redirected(to)
		return
	}
	if verdict.filter != "" {
		filter = verdict.filter
	}
	if w.e.share != nil && strings.HasPrefix(filter, w.e.shareGate+":") {
		w.step("smtp", "Inbound.Shared", l.at, filter, "others' mail, into a cleanup that removes markers")
		if verdict = w.cleanup(w.e.share, false); verdict.done {
			return
		}
		filter = verdict.filter
	}
	copies = append(copies, verdict.copies...)
	if len(copies) == 0 {
		w.proceed(l, filter, verdict)
		return
	}
	ways := make([]*walk, len(copies))
	for i, c := range copies {
		ways[i] = w.copyTo(c)
	}
	w.proceed(l, filter, verdict)
	for _, f := range ways {
		f.proceed(l, filter, verdict)
	}
}

// proceed is the way of one recipient behind cleanup(8): by a filter, or by
// aliases and routes.
func (w *walk) proceed(l *listener, filter string, v cleaned) {
	at := v.at
	if filter == "" {
		filter, at = l.filter, l.at
	} else {
		// A FILTER of the installation's own overrides every route.
		w.rule = v.rule
	}
	if filter == "" {
		w.expand(l, (*walk).forward)
		return
	}
	h := w.e.router.parse(filter, at)
	if w.e.sorting != nil && h.transport == w.e.sortGate {
		w.expand(l, func(w *walk, to string) { w.sort(h, to) })
		return
	}
	if w.e.submits[h.transport] && w.e.pickup != nil {
		w.step("filter", "", at, filter, "through the installation's content filter and back by sendmail")
		w.expand(l, func(w *walk, to string) { w.reinject(h, to, Origin{Role: FromPickup}) })
		return
	}
	if w.e.reinjects == nil || w.e.reinjects == l || !w.e.returns(h) {
		w.expand(l, func(w *walk, to string) { w.handOver(h, to) })
		return
	}
	w.step("filter", "", at, filter, "through the installation's content filter and back")
	back := Origin{Role: RoleReinjection, Service: w.e.reinjects.name, Client: netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	w.expand(l, func(w *walk, to string) { w.reinject(h, to, back) })
}

// sort is what happens to what Sieve sends, of this server and of others: a
// redirect goes on as it is, what Sieve has made loses its markers first.
func (w *walk) sort(h hop, to string) {
	m := *w.m
	m.To = to
	w.m = &m
	l := w.e.sorting
	v := w.cleanup(l.cleanup, l.maps)
	if v.done {
		return
	}
	note := "Sieve has redirected it: markers stay"
	if v.filter != "" {
		note = "Sieve has made it: markers are removed"
	}
	w.step("smtpd", "Topology", l.at, h.nexthop, note)
	if v.filter != "" {
		l = w.e.generated
		if v = w.cleanup(l.cleanup, l.maps); v.done {
			return
		}
	}
	w.proceed(l, "", v)
}

// returns reports whether a hop is a content filter that hands mail back:
// content_filter's transport, a program, or a server on this machine.
func (e *evaluator) returns(h hop) bool {
	if h.command == "pipe" || strings.HasPrefix(h.nexthop, "unix:") {
		return true
	}
	for _, l := range e.listeners {
		if transport, _, _ := strings.Cut(l.filter, ":"); transport == h.transport && e.to(h.transport) == nil {
			return true
		}
	}
	host := strings.TrimPrefix(strings.TrimPrefix(h.nexthop, "inet:"), "[")
	return strings.HasPrefix(host, "127.") || strings.HasPrefix(host, "localhost") || strings.HasPrefix(host, "::1]")
}

// reinject is the way through a content filter: out by its transport, and back
// in where it hands mail over.
func (w *walk) reinject(h hop, to string, back Origin) {
	if w.hops >= w.e.redirects {
		w.step("filter", "", h.at, to, "filtered too often")
		w.end(Bounce, "554", to, "5.4.6 too many hops")
		return
	}
	w.hops++
	m := *w.m
	m.To = to
	m.Origin = back
	w.m = &m
	w.leave(h.transport)
	if leaf := w.e.leaves[h.transport]; leaf != nil && leaf.forwards && back.Role == RoleReinjection && w.e.reinjects.forwarded {
		w.forwarded = true
	}
	w.written = [2]string{w.m.From, w.m.To}
	before := len(*w.out)
	w.enter()
	// The filter tells the queue what it was told.
	for i := before; i < len(*w.out); i++ {
		o := &(*w.out)[i]
		if o.Action == Reject {
			o.Action = Bounce
			if strings.HasPrefix(o.Target, "4") {
				o.Action = Defer
			}
		}
	}
}

// milters is the answer of the listener's milters.
func (w *walk) milters(l *listener) bool {
	switch w.m.Milters {
	case MilterReject, MilterTempfail:
		code, text := "550", "5.7.1 Command rejected"
		if w.m.Milters == MilterTempfail {
			code, text = "451", "4.7.1 Service unavailable - try again later"
		}
		w.step("milter", "", l.at, l.milters, "rejected with "+code)
		switch {
		case l.role != FromPickup:
			w.end(Reject, code, w.m.To, text)
		case code == "451":
			w.end(Defer, code, w.m.To, text)
		default:
			w.end(Bounce, code, w.m.To, text)
		}
		return false
	case MilterDiscard:
		w.step("milter", "", l.at, l.milters, "discarded")
		w.end(Discard, "", w.m.To, "")
		return false
	case MilterQuarantine:
		w.step("milter", "", l.at, l.milters, "held until postsuper -H")
		w.end(Defer, "", w.m.To, "held in the queue")
		return false
	case MilterUnknown:
		w.depends(l.milters, l.at, "", "accepted, and nothing changed")
	}
	w.step("milter", "", l.at, l.milters, "accepted")
	return true
}

// listener finds where a message of that origin enters.
func (e *evaluator) listener(o Origin) *listener {
	role := o.Role
	switch role {
	case FromPickup:
		return e.pickup
	case FromInternet:
		role = RoleGateway
		if o.Service == "" && !slices.ContainsFunc(e.listeners, func(l *listener) bool { return l.role == RoleGateway }) && len(e.listeners) > 0 {
			return e.listeners[0]
		}
	}
	for _, l := range e.listeners {
		if o.Service != "" && l.name == o.Service || o.Service == "" && l.role == role {
			return l
		}
	}
	return nil
}

// judge is smtpd(8)'s session up to the answer to RCPT TO.
func (s *session) judge() verdict {
	rules, o := s.l.rules, &s.w.m.Origin
	if rules.encrypt && o.TLS == Plaintext {
		s.code, s.text = "530", "5.7.0 Must issue a STARTTLS command first"
		s.w.step("smtpd", "", rules.at, "smtpd_tls_security_level", "rejected with 530")
		return rejected
	}
	if !s.offered() || !s.wellFormed() {
		return rejected
	}
	if !barePostmaster(s.w.written[1]) {
		if v := s.judgeRecipient(); v != dunno {
			return v
		}
	}
	for i, class := range []string{"Data command", "End-of-data"} {
		s.class, s.on = class, [2]string{"DATA", "END-OF-MESSAGE"}[i]
		if v := s.run(rules.atData[i]); v == rejected || v == discarded {
			return v
		}
	}
	return dunno
}

// barePostmaster reports whether smtpd(8) asks nothing about a recipient.
func barePostmaster(recipient string) bool {
	return strings.EqualFold(strings.Trim(recipient, `"`), "postmaster")
}

// judgeRecipient is the answer to RCPT TO, behind all delayed rejects.
func (s *session) judgeRecipient() verdict {
	rules := s.l.rules
	for i := range rules.lists {
		switch i {
		case 0:
			s.class = "Client host"
		case 1:
			s.class = "Helo command"
		case 2:
			s.class = "Sender address"
		default:
			s.class = "Recipient address"
		}
		if v := s.run(rules.lists[i]); v == rejected || v == discarded {
			return v
		}
	}
	if rules.unlisted {
		if v := s.unlisted(rules.at); v != dunno {
			return v
		}
	}
	if rules.unlistedFrom {
		return s.unlistedSender(rules.at)
	}
	return dunno
}

// forward routes one final address.
func (w *walk) forward(to string) {
	h, class, to, ok := w.resolve(to)
	if !ok {
		return
	}
	if p := w.e.into(h); p != nil {
		to = w.leaveBy(p.gate, to)
		w.secondPass(p, to)
		return
	}
	if (class == mailboxClass || class == localClass) && (h.command == "lmtp" || h.command == "virtual") {
		w.deliver(h, to)
		return
	}
	w.handOver(h, to)
}

// secondPass decides between the gateway and the recipient's MX.
func (w *walk) secondPass(p *passage, to string) {
	m := *w.m
	m.To = to
	w.m = &m
	v := w.cleanup(p.second, false)
	if v.done {
		return
	}
	if v.filter != "" {
		w.rule = v.rule
		w.step("second pass", v.rule, v.at, "", "past the gateway")
		w.handOver(w.e.router.parse(v.filter, v.at), to)
		return
	}
	w.step("second pass", p.hostRule, p.secondHop.at, "", "nothing keeps it off the gateway")
	w.handOver(p.secondHop, to)
}
