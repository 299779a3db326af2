package sieve

import (
	"slices"
	"strings"
)

// notifyCommand is notify (RFC 5435 section 3).
type notifyCommand struct {
	method, from, importance text
	options                  []text
	message                  *text
}

func (c *compiler) notify(cmd Notify) operation {
	n := &notifyCommand{c.text(cmd.Method, "Method"), c.text(cmd.From, "From"), c.text(string(cmd.Importance), "Importance"),
		c.texts(cmd.Options, "Options"), c.optional(cmd.Message, "Message")}
	if n.method.constant() {
		if _, err := parseMailto(cmd.Method); err != nil {
			c.errorf("Method", "%w", err)
		}
	}
	return n
}

func (n *notifyCommand) perform(r *run, in *instruction) error {
	act := ActionNotify{Method: r.str(&n.method), From: r.str(&n.from), Importance: Importance(r.str(&n.importance))}
	switch act.Importance {
	case HighImportance, LowImportance:
	default:
		act.Importance = NormalImportance
	}
	if len(n.options) > 0 {
		act.Options = r.strs(n.options)
	}
	if n.message != nil {
		s := r.str(n.message)
		act.Message = &s
	}
	uri, err := parseMailto(act.Method)
	if err != nil {
		return r.errorf(in, "%w", err)
	}
	// Who has had a notification gets no other one.
	others := false
	for i := range r.actions {
		if had, ok := r.actions[i].act.(ActionNotify); ok {
			others = true
			uri.recipients = slices.DeleteFunc(uri.recipients, func(to recipient) bool {
				return slices.ContainsFunc(had.Recipients, func(s string) bool { return sameRecipient(to.text, s) })
			})
		}
	}
	for _, to := range uri.recipients {
		act.Recipients = append(act.Recipients, to.text)
	}
	if others && len(act.Recipients) == 0 {
		return nil
	}
	act.uri = uri
	return r.add(&instruction{kind: opNotify, step: in.step, act: act})
}

// sameRecipient compares the addresses of recipients: the domain has no case.
func sameRecipient(s, t string) bool {
	a, err := bareAddress(s)
	if err != nil {
		return false
	}
	b, err := bareAddress(t)
	return err == nil && a == b
}

// maxNotifySubject bounds the subject of a notification, in octets.
const maxNotifySubject = 256

// notification makes the message of a notify (RFC 5436 section 2).
func (r *run) notification(a *ActionNotify) (out *Outgoing, why string) {
	uri := a.uri
	if len(uri.recipients) == 0 {
		return nil, "nobody is left to notify"
	}
	for _, f := range r.arrived() {
		if s := unread(f); equalFold(f.Name, "auto-submitted") && !strings.EqualFold(s, "no") {
			return nil, "the message is automatic: Auto-Submitted is " + s
		}
	}
	owner, ok := envelopeAddress(r.in.To)
	if !ok {
		owner = r.postmaster()
	}
	pm := r.postmaster()
	from, sender := a.From, ""
	if r.in.From != "" {
		if s, err := bareAddress(a.From); err == nil {
			sender = s.String()
		} else {
			sender = pm.String()
		}
	}
	if from == "" {
		from = mailboxText("Postmaster", pm.local, pm.domain)
	}
	var w mailWriter
	w.field("X-Sieve", r.implementation())
	w.field("Message-ID", r.newID(a.Method))
	w.field("Date", r.date())
	switch {
	case a.Message != nil:
		w.encoded("Subject", sanitized(*a.Message, maxNotifySubject))
	case uri.subject != nil:
		w.encoded("Subject", *uri.subject)
	default:
		subject, ok := r.decodedFirst("subject")
		if !ok {
			subject = "(no subject)"
		}
		w.encoded("Subject", sanitized("Notification: "+subject, maxNotifySubject))
	}
	w.addressField("From", from)
	if to := uri.addressees(false); to != nil {
		w.addressField("To", strings.Join(to, ", "))
	}
	if cc := uri.addressees(true); cc != nil {
		w.addressField("Cc", strings.Join(cc, ", "))
	}
	w.field("Auto-Submitted", `auto-notified; owner-email="`+owner.String()+`"`)
	w.field("Precedence", "bulk")
	switch a.Importance {
	case HighImportance:
		w.field("X-Priority", "1 (Highest)")
		w.field("Importance", "High")
	case LowImportance:
		w.field("X-Priority", "5 (Lowest)")
		w.field("Importance", "Low")
	default:
		w.field("X-Priority", "3 (Normal)")
		w.field("Importance", "Normal")
	}
	for _, h := range uri.headers {
		w.field(canonicalName(h[0]), h[1])
	}
	w.field("MIME-Version", "1.0")
	charset, encoding, body := "US-ASCII", "7bit", "Notification of new message."
	if uri.body != nil {
		if charset, body = "us-ascii", *uri.body; has8bit(body) {
			charset, encoding = "utf-8", "8bit"
		}
	}
	w.field("Content-Type", "text/plain; charset="+charset)
	w.field("Content-Transfer-Encoding", encoding)
	w.WriteString("\r\n" + body + "\r\n")
	var to []string
	for _, s := range a.Recipients {
		if m, err := bareAddress(s); err == nil {
			to = append(to, m.String())
		}
	}
	return outgoing(sender, to, w.String()), ""
}

// notifyMethodTest is valid_notify_method (RFC 5435 section 4).
type notifyMethodTest struct {
	step int
	uris []text
}

func (c *notifyMethodTest) eval(r *run) bool {
	for i := range c.uris {
		uri := r.str(&c.uris[i])
		if _, err := parseMailto(uri); err != nil {
			return r.note(c.step, false, []byte(uri))
		}
	}
	return r.note(c.step, true, nil)
}

// notifyCapabilityTest is notify_method_capability (RFC 5435 section 5): of
// mailto the capability "online" is "maybe".
type notifyCapabilityTest struct {
	step            int
	uri, capability text
	match           *matcher
}

func (c *notifyCapabilityTest) eval(r *run) bool {
	if _, err := parseMailto(r.str(&c.uri)); err != nil || !strings.EqualFold(r.str(&c.capability), "online") {
		return r.note(c.step, false, nil)
	}
	values := append(r.list[:0], value{text: []byte("maybe")})
	r.list = values
	return r.compare(c.step, c.match, values)
}

// reportCommand is report (vnd.dovecot.report).
type reportCommand struct {
	kind, text, address text
	headersOnly         bool
}

func (c *compiler) report(cmd Report) operation {
	return &reportCommand{c.text(cmd.Type, "Type"), c.text(cmd.Text, "Text"), c.text(cmd.Address, "Address"), cmd.HeadersOnly}
}

func (p *reportCommand) perform(r *run, in *instruction) error {
	address := r.str(&p.address)
	target, err := redirectTarget(address)
	if err != nil {
		return r.errorf(in, "address %q: %w", address, err)
	}
	act := ActionReport{Type: r.str(&p.kind), Text: r.str(&p.text), Address: target, HeadersOnly: p.headersOnly}
	return r.add(&instruction{kind: opReport, step: in.step, act: act, key: target})
}
