package interp

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailto"
)

// notifyCommand is notify (RFC 5435 section 3).
type notifyCommand struct {
	method, from, importance text
	options                  []text
	message                  *text
}

func (c *compiler) notify(cmd sieve.Notify) operation {
	n := &notifyCommand{c.text(cmd.Method, "Method"), c.text(cmd.From, "From"), c.text(string(cmd.Importance), "Importance"),
		c.texts(cmd.Options, "Options"), c.optional(cmd.Message, "Message")}
	if n.method.constant() {
		if _, err := mailto.Parse(cmd.Method); err != nil {
			c.errorf("Method", "%w", err)
		}
	}
	return n
}

func (n *notifyCommand) perform(r *run, in *instruction) error {
	act := ActionNotify{Method: r.str(&n.method), From: r.str(&n.from), Importance: sieve.Importance(r.str(&n.importance))}
	switch act.Importance {
	case sieve.HighImportance, sieve.LowImportance:
	default:
		act.Importance = sieve.NormalImportance
	}
	if len(n.options) > 0 {
		act.Options = r.strs(n.options)
	}
	if n.message != nil {
		s := r.str(n.message)
		act.Message = &s
	}
	if !n.from.constant() {
		if _, err := mailaddr.Parse(act.From); err != nil {
			return r.errorf(in, ":from address %q: %w", act.From, err)
		}
	}
	if r.spend(costAlloc * 2 * (len(act.Method) + len(act.From))); r.failed != nil {
		return nil
	}
	uri, err := mailto.Parse(act.Method)
	if err != nil {
		return r.errorf(in, "%w", err)
	}
	// Who has had a notification gets no other one.
	others := false
	for i := range r.actions {
		if had, ok := r.actions[i].act.(ActionNotify); ok {
			others = true
			uri.Recipients = slices.DeleteFunc(uri.Recipients, func(to mailto.Recipient) bool {
				return slices.ContainsFunc(had.Recipients, func(s string) bool { return mailto.SameRecipient(to.Text, s) })
			})
		}
	}
	for _, to := range uri.Recipients {
		act.Recipients = append(act.Recipients, to.Text)
	}
	if others && len(act.Recipients) == 0 {
		return nil
	}
	act.uri = uri
	return r.add(&instruction{kind: opNotify, step: in.step, act: act})
}

// maxNotifySubject bounds the subject of a notification, in octets, and with 2.4
// in characters.
const maxNotifySubject = 256

func (r *run) notifySubject(s string) string {
	if r.program.pigeonhole24 {
		return r.sanitizedRunes(cString(s), maxNotifySubject)
	}
	return sanitized(cString(s), maxNotifySubject)
}

// notification makes the message of a notify (RFC 5436 section 2).
func (r *run) notification(a *ActionNotify) (out *Outgoing, why string) {
	uri := a.uri
	if len(uri.Recipients) == 0 {
		return nil, "nobody is left to notify"
	}
	for _, f := range r.arrived() {
		if s := unread(f); equalFold(f.Name, "auto-submitted") && !strings.EqualFold(s, "no") {
			return nil, "the message is automatic: Auto-Submitted is " + s
		}
	}
	owner, ok := mailaddr.Envelope(r.in.To)
	if !ok {
		owner = r.postmaster()
	}
	pm := r.postmaster()
	from, sender, source := a.From, "", r.program.settings.NotifyFrom
	user, _ := mailaddr.Envelope(r.userEmail())
	if user != (mailaddr.Address{}) {
		owner = user
	}
	if r.in.From != "" {
		if source != "" {
			sender = r.source(source)
		} else if s, err := mailaddr.Bare(a.From); err == nil {
			sender = s.String()
		} else if user != (mailaddr.Address{}) {
			sender = user.String()
		} else {
			sender = pm.String()
		}
	}
	// The answer to the null sender is in the postmaster's name.
	null := r.in.From == ""
	if from == "" && source != "" && !null {
		if a, ok := mailaddr.Envelope(r.source(source)); ok {
			from = mailboxText("", a.Local, a.Domain)
		}
	}
	if from == "" && user != (mailaddr.Address{}) && !null {
		from = mailboxText("", user.Local, user.Domain)
	}
	if from == "" {
		from = mailboxText("Postmaster", pm.Local, pm.Domain)
	}
	var w mailWriter
	w.field("X-Sieve", r.implementation())
	w.field("Message-ID", r.newID(a.Method))
	w.field("Date", r.date())
	switch {
	case a.Message != nil:
		w.encoded("Subject", r.notifySubject(*a.Message))
	case uri.Subject != nil:
		w.encoded("Subject", *uri.Subject)
	default:
		subject, ok := r.decodedFirst("subject")
		if !ok {
			subject = "(no subject)"
		}
		w.encoded("Subject", r.notifySubject("Notification: "+subject))
	}
	w.addressField("From", from)
	if to := uri.Addressees(false); to != nil {
		w.addressField("To", strings.Join(to, ", "))
	}
	if cc := uri.Addressees(true); cc != nil {
		w.addressField("Cc", strings.Join(cc, ", "))
	}
	w.field("Auto-Submitted", `auto-notified; owner-email="`+owner.String()+`"`)
	w.field("Precedence", "bulk")
	switch a.Importance {
	case sieve.HighImportance:
		w.field("X-Priority", "1 (Highest)")
		w.field("Importance", "High")
	case sieve.LowImportance:
		w.field("X-Priority", "5 (Lowest)")
		w.field("Importance", "Low")
	default:
		w.field("X-Priority", "3 (Normal)")
		w.field("Importance", "Normal")
	}
	for _, h := range uri.Headers {
		w.field(canonicalName(h[0]), h[1])
	}
	w.field("MIME-Version", "1.0")
	charset, encoding, body := "US-ASCII", "7bit", "Notification of new message."
	if uri.Body != nil {
		if charset, body = "us-ascii", *uri.Body; has8bit(body) {
			charset, encoding = "utf-8", "8bit"
		}
	}
	w.field("Content-Type", "text/plain; charset="+charset)
	w.field("Content-Transfer-Encoding", encoding)
	w.WriteString("\r\n" + body + "\r\n")
	var to []string
	for _, s := range a.Recipients {
		if m, err := mailaddr.Bare(s); err == nil {
			to = append(to, m.String())
		}
	}
	return outgoing(sender, to, w.String()), ""
}
