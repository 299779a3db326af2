package relay

import (
	"slices"
	"strings"
	"sync"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// Route says where a message goes for one recipient. It walks the emitted
// configuration in the order of the servers: connection and recipient checks,
// removal of forged markers, aliases and routing, the header checks of the
// second pass, and for local mail the Sieve scripts; redirects come back in at
// the re-entry listener. It never fails: where a server would refuse or defer,
// the decision says so. It makes no look-ups outside the configuration and the
// Directory, and is safe for concurrent use.
func (c *Config) Route(m *Message) Decision {
	d := Decision{To: m.To}
	written := [2]string{m.From, m.To}
	if !plainAddress(m.To) || !plainAddress(m.From) {
		n := *m
		n.To, n.From = canonical(m.To, c.eval.origin), canonical(m.From, c.eval.origin)
		m = &n
	}
	w := walk{e: &c.eval, m: m, written: written, redirects: new([]redirect)}
	w.out = &d.Outcomes
	buffer := sections.Get().(*section)
	w.fields, w.body = headers.Scan(buffer.fields[:0], m.Raw, headers.HeaderChecks)
	w.trace = make(Trace, 0, 8)
	w.enter()
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
	// written are the envelope sender and recipient as the client wrote them,
	// before trivial-rewrite(8) made addresses of them.
	written [2]string
	fields  headers.Section
	body    []byte
	edits   []Edit
	trace   Trace
	out     *[]Outcome
	rule    string // the policy's value that decided last
	hops    int    // how often the message came back in
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
	*w.out = append(*w.out, Outcome{
		Action: a, Target: target, To: to, Text: text, Rule: w.rule, Edits: w.edits, Trace: w.trace,
	})
}

// fork is a copy that can go its own way.
func (w *walk) fork() *walk {
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
	filter := ""
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
		for _, line := range s.prepend {
			w.prepend(line)
		}
	}
	if !w.certificateLine(l) {
		return
	}
	verdict := w.cleanup(l.cleanup)
	if verdict.done {
		return
	}
	if verdict.filter != "" {
		filter = verdict.filter
	}
	if w.e.share != nil && strings.HasPrefix(filter, w.e.shareGate+":") {
		w.step("smtp", "Inbound.Shared", l.at, filter, "others' mail, into a cleanup that removes markers")
		if verdict = w.cleanup(w.e.share); verdict.done {
			return
		}
		filter = verdict.filter
	}
	if filter != "" {
		// A FILTER of the installation's own overrides every route.
		w.rule = verdict.rule
		w.handOver(w.e.router.parse(filter, verdict.at), w.m.To)
		return
	}
	if l.filter != "" {
		if !w.e.reinjects {
			w.handOver(w.e.router.parse(l.filter, l.at), w.m.To)
			return
		}
		w.step("filter", "", l.at, l.filter, "through the installation's content filter and back")
	}
	w.expand()
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
		return s.unlisted(rules.at)
	}
	return dunno
}

// certificateLine is the check of the client certificate's name, which cleanup
// makes on the Received: line that smtpd writes. The line itself depends on the
// clock and the queue; its certificate part is what the rule looks at.
func (w *walk) certificateLine(l *listener) bool {
	if l.role != RoleGateway || len(w.e.certNames) == 0 {
		return true
	}
	o := &w.m.Origin
	if o.TLS == Encrypted && o.Certificate.Verified {
		for _, n := range w.e.certNames {
			if strings.EqualFold(n, o.Certificate.Name) {
				w.step("cleanup", "Gateway.Client.Names", w.e.certAt, o.Certificate.Name, "client certificate verified")
				return true
			}
		}
	}
	w.step("cleanup", "Gateway.Client.Names", w.e.certAt, o.Certificate.Name, "client certificate not the gateway's")
	w.rule = "Gateway.Client.Names"
	w.end(Reject, "550", w.m.To, w.e.certText)
	return false
}

// prepend adds a header line. Its place in the header decides nothing, so that
// it goes where it costs nothing.
func (w *walk) prepend(line string) {
	name, value, _ := strings.Cut(line, ":")
	w.edits = append(w.edits, Edit{Name: name, Value: strings.TrimSpace(value)})
	w.fields = append(w.fields, headers.Field{Name: []byte(name), Body: []byte(value)})
}

// cleaned is what cleanup(8) decided for the whole message.
type cleaned struct {
	done   bool
	filter string
	rule   string
	at     place
}

// cleanup runs a service's header checks: over all headers the last FILTER
// wins, and REJECT or DISCARD ends the message.
func (w *walk) cleanup(c *cleanup) (v cleaned) {
	if len(c.header) == 0 && len(c.mime) == 0 && len(c.nested) == 0 {
		return v
	}
	body := w.body
	if len(c.mime) == 0 && len(c.nested) == 0 {
		body = nil
	}
	top, dropped := 0, false
	passed := false
	var added []string
	count := len(w.fields)
	headers.Walk(w.fields, body, func(class headers.Class, f headers.Field) bool {
		position := top
		top++
		if passed {
			return true
		}
		checks := c.header
		switch class {
		case headers.MIME:
			checks = c.mime
		case headers.Nested:
			checks = c.nested
		}
		for i := range checks {
			hit, ok := checks[i].checks.Lookup(f)
			if !ok {
				continue
			}
			at := checks[i].at(hit)
			switch a := hit.Action.(type) {
			case postfix.Filter:
				v.filter, v.rule, v.at = a.Transport+":"+a.NextHop, hit.Rule, at
				w.step("cleanup", hit.Rule, at, string(f.Name), "filter")
			case postfix.Reject:
				w.step("cleanup", hit.Rule, at, string(f.Name), "rejected")
				w.rule = hit.Rule
				w.refuse(rejectText(a.Text))
				v.done = true
				return false
			case postfix.Strip, postfix.Ignore:
				w.step("cleanup", hit.Rule, at, string(f.Name), "removed")
				if position < count {
					w.edits = append(w.edits, Edit{Removed: true, Name: string(f.Name), Value: strings.TrimSpace(string(f.Body))})
					w.drop(position, &dropped)
				}
			case postfix.Prepend:
				w.step("cleanup", hit.Rule, at, string(f.Name), "header added")
				if position < count {
					added = append(added, a.Text)
				}
			case postfix.Replace:
				w.step("cleanup", hit.Rule, at, string(f.Name), "replaced")
				if position < count {
					w.edits = append(w.edits, Edit{Removed: true, Name: string(f.Name), Value: strings.TrimSpace(string(f.Body))})
					w.drop(position, &dropped)
					added = append(added, a.Text)
				}
			case postfix.Redirect:
				w.step("cleanup", hit.Rule, at, string(f.Name), "redirected to "+a.Address)
				w.redirected(a.Address)
				v.done = true
				return false
			case postfix.Discard:
				w.step("cleanup", hit.Rule, at, string(f.Name), "discarded")
				w.rule = hit.Rule
				w.end(Discard, "", w.m.To, "")
				v.done = true
				return false
			case postfix.Hold:
				w.step("cleanup", hit.Rule, at, string(f.Name), "held until postsuper -H")
				w.rule = hit.Rule
				w.end(Defer, "", w.m.To, "held in the queue")
				v.done = true
				return false
			case postfix.Pass:
				passed = true
			case postfix.Dunno, postfix.Warn, postfix.Info, postfix.BCC:
			}
			break
		}
		return true
	})
	if dropped {
		w.fields = slices.DeleteFunc(w.fields, func(f headers.Field) bool { return f.Name == nil })
	}
	if !v.done {
		for _, line := range added {
			w.prepend(line)
		}
	}
	return v
}

// refuse is cleanup(8)'s REJECT: the SMTP client is told; what sendmail(1) took
// is returned.
func (w *walk) refuse(text string) {
	if w.m.Origin.Role == FromPickup {
		w.end(Bounce, "550", w.m.To, text)
		return
	}
	w.end(Reject, "550", w.m.To, text)
}

// drop marks a field as removed; the section is copied before its first change
// because forks share it.
func (w *walk) drop(position int, dropped *bool) {
	if !*dropped {
		w.fields = slices.Clone(w.fields)
		*dropped = true
	}
	w.fields[position].Name = nil
}

// rejectText gives a header check's text its status code, as cleanup does.
func rejectText(text string) string {
	if text == "" {
		text = "message content rejected"
	}
	if len(text) > 2 && text[1] == '.' && (text[0] == '5' || text[0] == '4') {
		return text
	}
	return "5.7.1 " + text
}

// redirected is REDIRECT: one recipient instead of all.
func (w *walk) redirected(address string) {
	m := *w.m
	m.To = address
	f := w.fork()
	f.m = &m
	f.forward(address) // not expanded again
}

// expand is cleanup(8)'s virtual alias expansion, and a way for each result.
func (w *walk) expand() {
	lookup := directory{d: w.e.directory, alias: true}
	a := postfix.Aliases{Map: &lookup, Search: w.e.aliases, Origin: w.e.origin, Propagate: w.e.expand}
	list, err := a.Expand(w.m.To)
	if lookup.err != nil {
		w.step("aliases", "", place{"virtual_alias_maps", 0}, w.m.To, lookup.err.Error())
		w.end(Defer, "451", w.m.To, "4.3.0 Temporary lookup failure")
		return
	}
	if err != nil {
		w.step("aliases", "", place{"virtual_alias_maps", 0}, w.m.To, err.Error())
		if w.m.Origin.Role == FromPickup {
			w.end(Defer, "451", w.m.To, "4.6.0 Alias expansion error")
		} else {
			w.end(Reject, "451", w.m.To, "4.6.0 Alias expansion error")
		}
		return
	}
	if len(list) == 1 {
		w.alias(list[0])
		return
	}
	seen := map[string]bool{}
	for _, l := range list {
		if key := fold(l.Address); !seen[key] {
			seen[key] = true
			w.fork().alias(l)
		}
	}
}

func (w *walk) alias(a postfix.Alias) {
	for _, h := range a.Hits {
		at := place{"virtual_alias_maps", 0}
		if t, ok := w.e.directory.(*tables); ok {
			at = t.where(t.aliasMaps, h.Key, at)
		}
		w.step("aliases", "", at, h.Key, "expands")
	}
	w.forward(a.Address)
}

// forward routes one final address.
func (w *walk) forward(to string) {
	h, class, ok := w.resolve(to)
	if !ok {
		return
	}
	if h.transport == w.e.gate && w.e.second != nil {
		w.secondPass(to)
		return
	}
	if (class == mailboxClass || class == localClass) && (h.command == "lmtp" || h.command == "virtual" || h.command == "local") {
		w.deliver(h, to)
		return
	}
	w.handOver(h, to)
}

// secondPass decides between the gateway and the recipient's MX.
func (w *walk) secondPass(to string) {
	m := *w.m
	m.To = to
	w.m = &m
	v := w.cleanup(w.e.second)
	if v.done {
		return
	}
	if v.filter != "" {
		w.rule = v.rule
		w.step("second pass", v.rule, v.at, "", "past the gateway")
		w.handOver(w.e.router.parse(v.filter, v.at), to)
		return
	}
	w.step("second pass", "Gateway.SmartHost", w.e.secondHop.at, "", "nothing keeps it off the gateway")
	w.handOver(w.e.secondHop, to)
}

// handOver is a delivery agent other than Dovecot.
func (w *walk) handOver(h hop, to string) {
	_, domain := splitAddress(to)
	domain = fold(domain)
	w.leave(h.transport)
	switch h.command {
	case "smtp":
		if h.transport == w.e.smartHost {
			w.toSmartHost(h, to)
			return
		}
		if h.nexthop == "" {
			w.step("smtp", w.rule, h.at, domain, "to the MX")
			w.end(MX, domain, to, "")
			return
		}
		w.step("smtp", w.rule, h.at, h.nexthop, "to a fixed host")
		w.end(Relay, h.nexthop, to, "")
	case "lmtp":
		w.step("lmtp", w.rule, h.at, h.nexthop, "to a fixed host")
		w.end(Relay, h.nexthop, to, "")
	case "discard":
		w.step("discard", w.rule, h.at, to, "discarded")
		w.end(Discard, "", to, "")
	case "error":
		text := h.nexthop
		if text == "" || text == domain {
			text = "mail is undeliverable"
		}
		action, code := Bounce, "550"
		if h.transport == "retry" {
			action, code = Defer, "450"
		}
		w.step("error", w.rule, h.at, to, text)
		w.end(action, code, to, text)
	case "local", "virtual":
		w.deliver(h, to)
	case "":
		w.step("qmgr", w.rule, h.at, h.transport, "no such transport")
		w.end(Defer, "450", to, "4.3.0 mail transport unavailable")
	default:
		w.step(h.command, w.rule, h.at, h.nexthop, "handed to another program")
		w.end(Relay, h.transport+":"+h.nexthop, to, "")
	}
}

// leave removes the markers as mail leaves by smtp(8) (smtp_header_checks).
func (w *walk) leave(transport string) {
	leave := w.e.leaves[transport]
	if len(leave) == 0 {
		return
	}
	for _, f := range w.fields {
		for i := range leave {
			hit, ok := leave[i].checks.Lookup(f)
			if !ok {
				continue
			}
			switch hit.Action.(type) {
			case postfix.Ignore, postfix.Strip:
				w.step("smtp", hit.Rule, leave[i].at(hit), string(f.Name), "removed")
				w.edits = append(w.edits, Edit{Removed: true, Name: string(f.Name), Value: strings.TrimSpace(string(f.Body))})
			}
			break
		}
	}
}
