package mta

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/oxmailroute/oxmailroute/headers"
)

// Route says where a message goes for one recipient. It walks the configuration
// in the order of the servers: connection and recipient checks, header checks,
// aliases and routing, and delivery. It never fails: where a server would refuse
// or defer, the decision says so. It makes no look-ups outside of the
// configuration and what [Options] has, and is safe for concurrent use. The
// context is for those: what they don't answer because it is done is an error of
// theirs, which [Decision].Err has.
func (e *Instance) Route(ctx context.Context, m *Message) Decision {
	if e == nil {
		e = new(Instance)
	}
	if m == nil {
		m = new(Message)
	}
	d := Decision{To: m.To}
	written := [2]string{m.From, m.To}
	if r := &e.rewriting; !r.plain(m.To) || !r.plain(m.From) {
		n := *m
		n.To, n.From = r.written(m.To), r.written(m.From)
		m = &n
	}
	w := Way{e: e, m: m, written: written, q: e.inquiry(ctx), out: &d.Outcomes, assumed: &d.Assumptions}
	buffer := sections.Get().(*section)
	w.fields, w.body = headers.Scan(buffer.fields[:0], m.Raw, headers.HeaderChecks)
	w.trace = append(make(Trace, 0, 8), m.Before...)
	d.Assumptions = append(d.Assumptions, e.standing...)
	w.origin()
	switch l := e.listener(m.Origin.Service); {
	case m.Refused != "":
		w.rule = m.Rule
		w.end(ActionReject, "", m.To, m.Refused)
	case l == nil:
		w.step("smtpd", "", place{}, m.Origin.Service, "no such listener")
		w.end(ActionReject, "", m.To, "no such listener")
	default:
		w.enter(l)
	}
	if d.Err = w.q.err(); w.q.down != nil {
		d.Outcomes = []Outcome{*w.q.down}
	}
	clear(buffer.fields[:]) // it must not keep the message alive
	sections.Put(buffer)
	return d
}

// section holds the header of an ordinary message; a decision keeps nothing of
// it.
type section struct{ fields [64]headers.Field }

var sections = sync.Pool{New: func() any { return new(section) }}

func (w *Way) step(stage, rule string, at place, input, note string) {
	if rule == "" && w.e.source != nil && at.line > 0 {
		rule = w.e.source(at.file, at.line)
	}
	w.trace = append(w.trace, Step{Stage: stage, Rule: rule, File: at.file, Line: at.line, Input: input, Note: note})
}

// end adds an outcome.
func (w *Way) end(a Action, target, to, text string) { w.endAt(a, targetOf(a, target), to, text) }

func (w *Way) endAt(a Action, target Target, to, text string) {
	if reply, ok := target.(TargetReply); ok && strings.HasPrefix(string(reply), "5") &&
		(a == ActionBounce && w.e.soft || a == ActionReject && w.at != nil && w.at.soft) {
		target = "4" + reply[1:]
		if text = softly(text); a == ActionBounce {
			a = ActionDefer
		}
	}
	o := Outcome{
		Action: a, Target: target, To: to, Text: text, Rule: w.rule, Edits: w.edits, Trace: w.trace, BCC: w.bcc,
	}
	if a == ActionRelay || a == ActionMX || a == ActionMailbox {
		o.MailFrom, o.RcptTo = w.m.From, to
	}
	*w.out = append(*w.out, o)
}

// softly makes the status code at the front of a text one of a refusal for now.
func softly(text string) string {
	if _, _, ok := cutStatus(text); ok {
		return "4" + text[1:]
	}
	return text
}

// fork is a copy that can go its own way.
func (w *Way) fork() *Way {
	w.shared = true
	f := *w
	f.trace = slices.Clone(w.trace)
	f.edits = slices.Clone(w.edits)
	return &f
}

// enter is a server: the listener's session and its cleanup.
func (w *Way) enter(l *listener) {
	w.at = l
	w.step("smtpd", l.rule, l.at, l.label, "enters")
	if w.e.follow && l.screen != nil && !l.screen.untested.has(w.m.Origin.Client) {
		w.depends("postscreen", l.at, w.m.Origin.Client.String(), "handed over to smtpd(8)")
	}
	if w.e.follow && l.rules != nil && !guarded(l.rules.lists[3]) && !guarded(l.rules.lists[4]) {
		w.step("smtpd", "", l.at, "smtpd_relay_restrictions", "nothing in it keeps strangers from relaying: smtpd(8) stops")
		w.end(ActionReject, "", w.m.To, "no session")
		return
	}
	w.declare(l)
	filter, to, hold, discard := "", "", false, false
	var copies []bcc
	if l.rules != nil {
		s := session{w: w, l: l}
		w.phase = inSession
		if v := s.judge(); v == rejected {
			w.rule = s.rule
			w.end(ActionReject, s.code, w.m.To, s.text)
			return
		}
		discard = s.discard
		filter = s.filter
		hold, to = s.hold, s.to
		copies = s.copies
		for _, line := range s.prepend {
			w.prepend(line)
		}
	}
	w.phase = inCleanup
	if l.limit > 0 && int64(len(w.m.Raw)) > l.limit/2 && w.size() > l.limit {
		w.step("smtpd", "", l.at, "message_size_limit", "too large")
		w.end(ActionReject, "552", w.m.To, "5.3.4 Message size exceeds fixed limit")
		return
	}
	if l.milters != "" && !w.milters(l) {
		return
	}
	w.setContext(l)
	w.stamp(l)
	if m := l.cleanup.mapping; m != nil && l.maps {
		copies = append(copies, w.envelope(m)...)
	}
	if l.rules != nil && w.e.received != nil && !w.e.received(w) {
		return
	}
	verdict := w.cleanup(l.cleanup, l.maps)
	if verdict.done {
		return
	}
	w.detect()
	hold, discard = hold || verdict.hold, discard || verdict.discard
	if verdict.to != "" {
		to = verdict.to
	}
	if discard {
		w.end(ActionDiscard, "", w.m.To, "")
		return
	}
	if hold { // cleanup(8) has done all its work
		w.end(ActionDefer, "", w.m.To, "held in the queue")
		return
	}
	if to != "" { // one recipient in the place of all, copies too
		w.redirected(to)
		return
	}
	if verdict.filter != "" {
		filter = verdict.filter
	}
	if v, passed := w.entering(l, filter); passed {
		if v.done {
			return
		}
		verdict, filter = v, v.filter
	}
	copies = append(copies, verdict.copies...)
	if len(copies) == 0 {
		w.proceed(l, filter, verdict)
		return
	}
	if w.e.oneCopy {
		w.taken = map[string]bool{}
	}
	ways := make([]*Way, len(copies))
	for i, c := range copies {
		ways[i] = w.copyTo(c)
	}
	before := len(*w.out)
	w.proceed(l, filter, verdict)
	for _, f := range ways {
		f.proceed(l, filter, verdict)
	}
	// A message one of whose addresses can't be expanded isn't taken at all.
	for _, o := range (*w.out)[before:] {
		if o.Text == aliasError {
			*w.out = append((*w.out)[:before], o)
			break
		}
	}
}

// proceed is the way of one recipient behind cleanup(8): by a filter, or by
// aliases and routes.
func (w *Way) proceed(l *listener, filter string, v cleaned) {
	at := v.at
	if filter == "" {
		filter, at = l.filter, l.at
	} else {
		// A FILTER of the installation's own overrides every route.
		w.rule = v.rule
	}
	if filter == "" {
		w.expand(l, (*Way).forward)
		return
	}
	h := w.e.router.parse(filter, at)
	if h.nexthop == "" {
		h.nexthop = w.e.filterHop
	}
	if p := w.e.pass(PassExpanded, h); p != nil {
		w.expand(l, func(w *Way, to string) { w.expanded(p, h, to) })
		return
	}
	if w.e.submits[h.transport] && w.e.pickup != nil {
		w.step("filter", "", at, filter, "through the installation's content filter and back by sendmail")
		w.expand(l, func(w *Way, to string) { w.reinject(h, to, w.e.pickup, Origin{Service: Pickup}) })
		return
	}
	if w.e.reinjects == nil || w.e.reinjects == l || !w.e.returns(h) {
		w.expand(l, func(w *Way, to string) { w.filtered(h, to) })
		return
	}
	w.step("filter", "", at, filter, "through the installation's content filter and back")
	back := Origin{Service: w.e.reinjects.name, Client: netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	w.expand(l, func(w *Way, to string) { w.reinject(h, to, w.e.reinjects, back) })
}

// filtered hands a message to a content filter that doesn't hand it back.
func (w *Way) filtered(h hop, to string) {
	if !w.postponed(h, to) {
		w.handOver(h, to)
	}
}

// postponed is defer_transports.
func (w *Way) postponed(h hop, to string) bool {
	if !hasWord(w.e.putOff, h.transport) {
		return false
	}
	w.step("qmgr", "", place{"defer_transports", 0}, h.transport, "put off")
	w.end(ActionDefer, "450", to, "4.3.2 deferred transport")
	return true
}

// returns reports whether a hop is a content filter that hands mail back:
// content_filter's transport, a program, or a server on this machine.
func (e *Instance) returns(h hop) bool {
	if h.command == "pipe" || strings.HasPrefix(h.nexthop, "unix:") {
		return true
	}
	for _, l := range e.listeners {
		if transport, _, _ := strings.Cut(l.filter, ":"); transport == h.transport && e.agents[h.transport] == nil {
			return true
		}
	}
	host := strings.TrimPrefix(strings.TrimPrefix(h.nexthop, "inet:"), "[")
	return strings.HasPrefix(host, "127.") || strings.HasPrefix(host, "localhost") || strings.HasPrefix(host, "::1]")
}

// reinject is the way through a content filter: out by its transport, and back
// in where it hands mail over.
func (w *Way) reinject(h hop, to string, l *listener, back Origin) {
	if w.hops >= maxHops {
		w.step("filter", "", h.at, to, "filtered too often")
		w.end(ActionBounce, "554", to, "5.4.0 too many hops")
		return
	}
	if l == w.e.reinjects && (h.command == "smtp" || h.command == "lmtp") && !w.takesUTF8(h, h.nexthop, to, w.m.NextHops) {
		return
	}
	w.hops++
	m := *w.m
	m.To = to
	m.Origin = back
	w.m = &m
	w.leave(h.transport)
	if leaf := w.e.leaves[h.transport]; leaf != nil && leaf.forwards && !l.pickup && l.forwarded {
		w.forwarded = true
	}
	w.written = [2]string{w.m.From, w.m.To}
	before := len(*w.out)
	w.enter(l)
	// The filter tells the queue what it was told.
	for i := before; i < len(*w.out); i++ {
		o := &(*w.out)[i]
		if o.Action == ActionReject {
			o.Action = ActionBounce
			if o.Temporary() {
				o.Action = ActionDefer
			}
		}
	}
}

// milters is the answer of the listener's milters.
func (w *Way) milters(l *listener) bool {
	switch w.m.Milters {
	case MilterReject, MilterTempfail:
		code, text := "550", "5.7.1 Command rejected"
		if w.m.Milters == MilterTempfail {
			code, text = "451", "4.7.1 Service unavailable - try again later"
		}
		w.step("milter", "", l.at, l.milters, "rejected with "+code)
		switch {
		case !l.pickup:
			w.end(ActionReject, code, w.m.To, text)
		case code == "451":
			w.end(ActionDefer, code, w.m.To, text)
		default:
			w.end(ActionBounce, code, w.m.To, text)
		}
		return false
	case MilterDiscard:
		w.step("milter", "", l.at, l.milters, "discarded")
		w.end(ActionDiscard, "", w.m.To, "")
		return false
	case MilterQuarantine:
		w.step("milter", "", l.at, l.milters, "held until postsuper -H")
		w.end(ActionDefer, "", w.m.To, "held in the queue")
		return false
	case MilterUnknown:
		w.depends(l.milters, l.at, "", "accepted, and nothing changed")
	}
	w.step("milter", "", l.at, l.milters, "accepted")
	return true
}

// listener finds a service by which mail comes in; nil: there is none.
func (e *Instance) listener(service string) *listener {
	if service == Pickup {
		return e.pickup
	}
	for _, l := range e.listeners {
		if service == "" || l.name == service {
			return l
		}
	}
	return nil
}

// Services are those by which mail comes in, as [Origin] names them.
func (e *Instance) Services() []string {
	if e == nil {
		return nil
	}
	var names []string
	for _, l := range e.listeners {
		names = append(names, l.name)
	}
	if e.pickup != nil {
		names = append(names, Pickup)
	}
	return names
}

// Networks are the client networks of mynetworks at a service, named as in
// [Origin], as far as they are known; nil for a service that there isn't, and for
// [Pickup].
func (e *Instance) Networks(service string) []netip.Prefix {
	if e == nil {
		return nil
	}
	if l := e.listener(service); l != nil && l.rules != nil {
		return slices.Clone(l.rules.networks.prefixes)
	}
	return nil
}

// pickup reports whether sendmail(1) has handed the message over.
func (w *Way) pickup() bool { return w.at != nil && w.at.pickup }

// judge is smtpd(8)'s session up to the answer to RCPT TO.
func (s *session) judge() verdict {
	rules, o := s.l.rules, &s.w.m.Origin
	if rules.encrypt && o.TLS == TLSPlaintext {
		s.code, s.text = "530", "5.7.0 Must issue a STARTTLS command first"
		s.w.step("smtpd", "", rules.at, "smtpd_tls_security_level", "rejected with 530")
		return rejected
	}
	if !s.offered() || !s.wellFormed() {
		return rejected
	}
	if v := s.judgeEnvelope(); v != dunno {
		return v
	}
	for i, class := range []string{"Data command", "End-of-data"} {
		s.lift = nil
		s.class, s.on = class, [2]string{"DATA", "END-OF-MESSAGE"}[i]
		if v := s.run(rules.atData[i]); v == rejected || s.put() {
			return rejected
		}
	}
	return dunno
}

// judgeEnvelope is the answer up to RCPT TO. Without smtpd_delay_reject the first
// three lists are asked before there is a recipient.
func (s *session) judgeEnvelope() verdict {
	rules, bare := s.l.rules, barePostmaster(s.w.written[1])
	if bare && rules.delayed {
		return dunno
	}
	if !rules.delayed {
		s.early = true
	}
	for i, class := range []string{"Client host", "Helo command", "Sender address"} {
		s.class, s.unsent, s.lift = class, s.early && i < 2, nil
		if v := s.run(rules.lists[i]); v == rejected {
			return rejected
		}
	}
	s.unsent = false
	if rules.unlistedFrom && !s.discard {
		if v := s.unlistedSender(rules.at); v != dunno {
			return v
		}
	}
	s.early = false
	if bare {
		return dunno
	}
	s.class, s.lift = "Recipient address", nil
	for i := 3; i < len(rules.lists); i++ {
		if v := s.run(rules.lists[i]); v == rejected {
			return rejected
		}
	}
	if s.put() {
		return rejected
	}
	if rules.unlisted && !s.discard {
		return s.unlisted(rules.at)
	}
	return dunno
}

// barePostmaster reports whether smtpd(8) asks nothing about a recipient.
func barePostmaster(recipient string) bool {
	return strings.EqualFold(strings.Trim(recipient, `"`), "postmaster")
}

// forward routes one final address.
func (w *Way) forward(to string) {
	h, class, to, ok := w.resolve(to)
	if !ok {
		return
	}
	if local, _ := splitAddress(to); class == localClass && w.e.doubleBounce != "" && fold(local) == w.e.doubleBounce {
		w.step("qmgr", "", place{"double_bounce_sender", 0}, to, "discarded")
		w.end(ActionDiscard, "", to, "")
		return
	}
	if p := w.e.pass(PassRouted, h); p != nil {
		w.routed(p, to)
		return
	}
	if w.postponed(h, to) || w.ended(h, to) {
		return
	}
	if (class == mailboxClass || class == localClass) && (h.command == "lmtp" || h.command == "virtual") {
		w.mailbox(h, to)
		return
	}
	w.handOver(h, to)
}
