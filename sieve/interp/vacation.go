package interp

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
)

func (c *compiler) vacation(in *instruction, cmd sieve.Vacation) {
	cmd = cloneVacation(cmd)
	in.kind, in.act = opVacation, ActionVacation{Vacation: cmd}
	if cmd.Days != nil && cmd.Seconds != nil {
		c.errorf("Seconds", "excludes Days")
	}
	from := c.text(cmd.From, "From")
	if cmd.From != "" && from.constant() {
		if _, err := mailaddr.Parse(cmd.From); err != nil {
			c.errorf("From", "address %q: %w", cmd.From, err)
		}
	}
	subject, handle := c.optional(cmd.Subject, "Subject"), c.optional(cmd.Handle, "Handle")
	addresses, reason := c.texts(cmd.Addresses, "Addresses"), c.text(cmd.Reason, "Reason")
	if from.constant() && reason.constant() && constants(addresses) &&
		(subject == nil || subject.constant()) && (handle == nil || handle.constant()) {
		return
	}
	c.before(in, func(r *run, in instruction) (instruction, error) {
		v := cloneVacation(cmd)
		// The server takes here what it wouldn't compile.
		v.From = r.str(&from)
		v.Reason = r.str(&reason)
		if subject != nil {
			s := r.str(subject)
			v.Subject = &s
		}
		if handle != nil {
			s := r.str(handle)
			v.Handle = &s
		}
		if addresses != nil && cmd.Addresses != nil {
			v.Addresses = slices.Clone(r.strs(addresses))
		}
		in.act = ActionVacation{Vacation: v}
		return in, nil
	})
}

// reply decides whether a vacation answer goes out, and makes it (RFC 5230
// section 4). Otherwise why says why not.
func (r *run) reply(v sieve.Vacation, step int) (out *Outgoing, why string) {
	set := &r.program.settings.Vacation
	v.From, v.Reason = cString(v.From), cString(v.Reason)
	to, ok := mailaddr.Envelope(r.in.To)
	if !ok {
		return nil, "the envelope has no recipient"
	}
	sender, ok := mailaddr.Envelope(r.in.From)
	if !ok {
		return nil, "the sender is the null sender"
	}
	if sender.Equal(to) {
		return nil, "the sender is the user"
	}
	var mine []mailaddr.Address
	for _, s := range v.Addresses {
		if a, err := mailaddr.Bare(s); err == nil {
			if sender.Equal(a) {
				return nil, "the sender is the user, as :addresses says"
			}
			mine = append(mine, a)
		}
	}
	key := vacationKey(v, sender.String())
	if r.in.Memory != nil && r.in.Memory.Seen(key, r.now()) {
		return nil, "the sender has had this answer"
	}
	for _, name := range []string{"list-id", "list-owner", "list-subscribe", "list-post", "list-unsubscribe", "list-help", "list-archive"} {
		for range r.fieldsNamed(name) {
			return nil, "the message comes from a mailing list: it has a field " + name
		}
	}
	for f := range r.fieldsNamed("auto-submitted") {
		if s := unread(f); !strings.EqualFold(s, "no") {
			return nil, "the message is automatic: Auto-Submitted is " + s
		}
	}
	for f := range r.fieldsNamed("precedence") {
		switch s := ascii.Lower(unread(f)); s {
		case "junk", "bulk", "list":
			return nil, "the message is a bulk message: Precedence is " + s
		}
	}
	for f := range r.fieldsNamed("x-auto-response-suppress") {
		for s := range strings.SplitSeq(unread(f), ",") {
			if s = strings.Trim(s, " \t"); strings.EqualFold(s, "all") || strings.EqualFold(s, "oof") {
				return nil, "the message wants no answer: X-Auto-Response-Suppress has " + s
			}
		}
	}
	if systemAddress(sender.Local) {
		return nil, "the sender is a system address"
	}
	own := []mailaddr.Address{to}
	if set.OriginalRecipient {
		orig, _ := mailaddr.Envelope(r.originalTo())
		own = append(own, orig)
	}
	own = append(own, mine...)
	if user, ok := mailaddr.Envelope(r.userEmail()); ok {
		own = append(own, user)
	}
	from, ok := r.addressed(own)
	switch {
	case ok:
	case set.AnyRecipient:
		from = r.account()
	default:
		return nil, "the message is not addressed to the user"
	}
	var w mailWriter
	w.field("X-Sieve", r.implementation())
	w.field("Message-ID", r.newID(v.Reason))
	w.field("Date", r.date())
	if v.From != "" {
		w.addressField("From", v.From)
	} else {
		w.field("From", mailboxText("", from.Local, from.Domain))
	}
	w.field("To", r.correspondent(sender))
	if subject := r.replySubject(v); has8bit(subject) {
		w.encoded("Subject", subject)
	} else {
		w.field("Subject", subject)
	}
	id := messageID(r.arrived())
	refs, ok := r.rawFirst("references")
	if id != "" {
		w.field("In-Reply-To", id)
		if ok {
			refs += " "
		}
		refs += id
	}
	if id != "" || ok {
		w.field("References", refs)
	}
	w.field("Auto-Submitted", "auto-replied (vacation)")
	w.field("Precedence", "bulk")
	w.field("X-Auto-Response-Suppress", "All")
	w.field("MIME-Version", "1.0")
	if !v.MIME {
		w.field("Content-Type", "text/plain; charset=utf-8")
		w.field("Content-Transfer-Encoding", "8bit")
		w.WriteString("\r\n")
	}
	w.WriteString(v.Reason + "\r\n")
	period := set.DefaultPeriod
	switch {
	case v.Seconds != nil:
		period = time.Duration(min(*v.Seconds, 1<<32)) * time.Second
	case v.Days != nil:
		period = time.Duration(min(min(*v.Days, 1<<31)*24*60*60, 1<<32)) * time.Second
	}
	if period = max(period, set.MinPeriod); set.MaxPeriod > 0 {
		period = min(period, set.MaxPeriod)
	}
	r.marks = append(r.marks, mark{key, r.now().Add(min(period, 1<<32*time.Second))})
	envelope := ""
	if set.SendFromRecipient {
		envelope = to.String()
	}
	return outgoing(envelope, []string{sender.String()}, w.String()), ""
}

// replySubject is the subject of a vacation answer.
func (r *run) replySubject(v sieve.Vacation) string {
	set := &r.program.settings.Vacation
	subject := set.DefaultSubject
	if v.Subject != nil && cString(*v.Subject) != "" {
		subject = cString(*v.Subject)
	} else if s, ok := r.decodedFirst("subject"); ok {
		subject = set.subject(s, r.program.pigeonhole24)
	}
	return r.sanitizedRunes(subject, set.MaxSubject)
}

// correspondent is whom a vacation answer goes to, with the display name that
// the message has for the sender of the envelope.
func (r *run) correspondent(sender mailaddr.Address) string {
	for _, name := range []string{"sender", "resent-from", "from"} {
		f, ok := r.arrivedField(name)
		if !ok {
			continue
		}
		p := mailaddr.Parser{S: []byte(unread(f)), Names: true, UTF8: r.program.pigeonhole24}
		list, _ := p.Addresses(nil)
		for _, a := range list {
			if sender.Is(a) || r.program.settings.Vacation.HeaderOnly {
				return mailboxText(string(a.Name), string(a.Local), string(a.Domain))
			}
		}
	}
	return mailboxText("", sender.Local, sender.Domain)
}

// vacationKey is what a vacation answer is remembered as.
func vacationKey(v sieve.Vacation, sender string) string {
	handle := ""
	if v.Handle != nil {
		handle = "handle " + *v.Handle
	} else {
		subject := ""
		if v.Subject != nil {
			subject = *v.Subject
		}
		handle = fmt.Sprintf("%q %q %v %q", subject, v.From, v.MIME, v.Reason)
	}
	return "vacation " + ascii.Lower(sender) + " " + handle
}

func systemAddress(local string) bool {
	return strings.EqualFold(local, "mailer-daemon") || strings.EqualFold(local, "listserv") ||
		strings.EqualFold(local, "majordomo") || strings.Contains(local, "-request") || strings.HasPrefix(local, "owner-")
}

// addressed returns the first of the user's addresses that the message names.
func (r *run) addressed(mine []mailaddr.Address) (mailaddr.Address, bool) {
	for _, name := range []string{"to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc"} {
		var list []mailaddr.Found
		for f := range r.fieldsNamed(name) {
			p := mailaddr.Parser{S: []byte(unread(f)), UTF8: r.program.pigeonhole24}
			list, _ = p.Addresses(list)
		}
		for _, m := range mine {
			for _, a := range list {
				if m.Is(a) {
					return m, true
				}
			}
		}
	}
	return mailaddr.Address{}, false
}

// cloneVacation returns a copy that shares nothing with v.
func cloneVacation(v sieve.Vacation) sieve.Vacation {
	if v.Days != nil {
		days := *v.Days
		v.Days = &days
	}
	if v.Seconds != nil {
		seconds := *v.Seconds
		v.Seconds = &seconds
	}
	if v.Subject != nil {
		subject := *v.Subject
		v.Subject = &subject
	}
	if v.Handle != nil {
		handle := *v.Handle
		v.Handle = &handle
	}
	v.Addresses = slices.Clone(v.Addresses)
	return v
}
