package mta

import "strings"

// pass is a [Pass] with its listeners.
type pass struct {
	Pass
	first, filtered *listener
	next            hop // the first one's content_filter
}

// pass finds the one that a next hop is.
func (e *Instance) pass(kind PassKind, h hop) *pass {
	for _, p := range e.passes {
		if p.Kind == kind && p.Transport != "" && p.Transport == h.transport && (p.NextHop == "" || p.NextHop == h.nexthop) {
			return p
		}
	}
	return nil
}

// entering is the pass of the whole message: its cleanup(8), behind which the
// message goes on as from the listener by which it came in.
func (w *Way) entering(l *listener, filter string) (verdict cleaned, passed bool) {
	transport, nexthop, _ := strings.Cut(filter, ":")
	p := w.e.pass(PassEntering, hop{transport: transport, nexthop: nexthop})
	if p == nil {
		return verdict, false
	}
	w.step(p.Stage, p.Rule, l.at, filter, p.Note)
	return w.cleanup(p.first.cleanup, false), true
}

// expanded is the pass of mail for one recipient that was expanded.
func (w *Way) expanded(p *pass, h hop, to string) {
	w.setTo(to)
	l := p.first
	v := w.cleanup(l.cleanup, l.maps)
	if v.done {
		return
	}
	note := p.Note
	if v.filter != "" {
		note = p.FilteredNote
	}
	w.step(p.Stage, p.Rule, l.at, h.nexthop, note)
	if v.filter != "" && p.filtered != nil {
		l = p.filtered
		if v = w.cleanup(l.cleanup, l.maps); v.done {
			return
		}
	}
	w.proceed(l, "", v)
}

// routed is the pass of mail for one recipient that was routed.
func (w *Way) routed(p *pass, to string) {
	to = w.leaveBy(p.Transport, to)
	w.setTo(to)
	v := w.cleanup(p.first.cleanup, false)
	if v.done {
		return
	}
	if v.filter != "" {
		w.rule = v.rule
		w.step(p.Stage, v.rule, v.at, "", p.FilteredNote)
		w.handOver(w.e.router.parse(v.filter, v.at), to)
		return
	}
	w.step(p.Stage, p.Rule, p.next.at, "", p.Note)
	w.handOver(p.next, to)
}

// setTo gives the message another recipient.
func (w *Way) setTo(to string) {
	m := *w.m
	m.To = to
	w.m = &m
}
