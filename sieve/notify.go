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
	wanted := len(uri.to) + len(uri.cc)
	for i := range r.actions {
		if had, ok := r.actions[i].act.(ActionNotify); ok {
			uri.to = without(uri.to, had.Recipients)
			uri.cc = without(uri.cc, had.Recipients)
		}
	}
	act.Recipients = append(slices.Clone(uri.to), uri.cc...)
	if wanted > 0 && len(act.Recipients) == 0 {
		return nil
	}
	act.uri = uri
	return r.add(&instruction{kind: opNotify, step: in.step, act: act})
}

func without(list, had []string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return slices.Contains(had, s) })
}

// notification makes the message of a notify (RFC 5436 section 2).
func (r *run) notification(a *ActionNotify) (out *Outgoing, why string) {
	uri := a.uri
	switch {
	case r.in.To == "":
		return nil, "the envelope has no recipient"
	case len(a.Recipients) == 0:
		return nil, "nobody is left to notify"
	}
	for _, e := range r.named(nil, r.header(), "auto-submitted") {
		if s := string(r.decode(e).text); !strings.EqualFold(s, "no") {
			return nil, "the message is automatic: Auto-Submitted is " + s
		}
	}
	var w mailWriter
	w.field("X-Sieve", "Pigeonhole Sieve 0.5.19")
	w.field("Message-ID", r.newID(a.Method))
	w.field("Date", r.date())
	subject := uri.subject
	if a.Message != nil {
		subject = *a.Message
	} else if subject == "" {
		subject = "Notification: (no subject)"
		if s := r.header0("subject"); s != "" {
			subject = "Notification: " + s
		}
	}
	w.field("Subject", cutUTF8(subject, 256))
	if a.From != "" {
		w.field("From", a.From)
	} else {
		w.field("From", "<"+r.postmaster()+">")
	}
	if len(uri.to) > 0 {
		w.field("To", strings.Join(uri.to, ", "))
	}
	if len(uri.cc) > 0 {
		w.field("Cc", strings.Join(uri.cc, ", "))
	}
	w.field("Auto-Submitted", `auto-notified; owner-email="`+r.in.To+`"`)
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
		if checkFieldName(h[0]) == nil {
			w.field(canonicalName(h[0]), h[1])
		}
	}
	w.field("MIME-Version", "1.0")
	body := uri.body
	if body == "" {
		body = "Notification of new message."
	}
	if strings.IndexFunc(body, func(c rune) bool { return c > 0x7f }) >= 0 {
		w.field("Content-Type", "text/plain; charset=utf-8")
		w.field("Content-Transfer-Encoding", "8bit")
	} else {
		w.field("Content-Type", "text/plain; charset=us-ascii")
		w.field("Content-Transfer-Encoding", "7bit")
	}
	w.WriteString("\r\n")
	w.lines(body)
	return &Outgoing{From: r.in.From, To: a.Recipients, Raw: []byte(w.String())}, ""
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
