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

// vacationPeriod is the default of sieve_vacation_default_period, and
// minVacationPeriod that of sieve_vacation_min_period.
const (
	vacationPeriod    = 7 * 24 * 60 * 60
	minVacationPeriod = 24 * 60 * 60
)

// reply decides whether a vacation answer goes out, and makes it (RFC 5230
// section 4). Otherwise why says why not.
func (r *run) reply(v sieve.Vacation, step int) (out *Outgoing, why string) {
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
		if len(r.named(nil, r.header(), name)) > 0 {
			return nil, "the message comes from a mailing list: it has a field " + name
		}
	}
	for _, e := range r.named(nil, r.header(), "auto-submitted") {
		if s := unread(e.field); !strings.EqualFold(s, "no") {
			return nil, "the message is automatic: Auto-Submitted is " + s
		}
	}
	for _, e := range r.named(nil, r.header(), "precedence") {
		switch s := ascii.Lower(unread(e.field)); s {
		case "junk", "bulk", "list":
			return nil, "the message is a bulk message: Precedence is " + s
		}
	}
	for _, e := range r.named(nil, r.header(), "x-auto-response-suppress") {
		for s := range strings.SplitSeq(unread(e.field), ",") {
			if s = strings.Trim(s, " \t"); strings.EqualFold(s, "all") || strings.EqualFold(s, "oof") {
				return nil, "the message wants no answer: X-Auto-Response-Suppress has " + s
			}
		}
	}
	if systemAddress(sender.Local) {
		return nil, "the sender is a system address"
	}
	from, ok := r.addressed(append([]mailaddr.Address{to}, mine...))
	if !ok {
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
	seconds := uint64(vacationPeriod)
	switch {
	case v.Seconds != nil:
		seconds = min(*v.Seconds, 1<<32)
	case v.Days != nil:
		seconds = min(*v.Days, 1<<31) * 24 * 60 * 60
	}
	r.marks = append(r.marks, mark{key, r.now().Add(time.Duration(min(max(seconds, minVacationPeriod), 1<<32)) * time.Second)})
	return outgoing("", []string{sender.String()}, w.String()), ""
}

// maxSubject bounds the subject of a reply (sieve_vacation_max_subject_codepoints).
const maxSubject = 256

// replySubject is the subject of a vacation answer.
func (r *run) replySubject(v sieve.Vacation) string {
	subject := "Automated reply"
	if v.Subject != nil && *v.Subject != "" {
		subject = *v.Subject
	} else if s, ok := r.decodedFirst("subject"); ok {
		subject = "Auto: " + s
	}
	return sanitizedRunes(subject, maxSubject)
}

// correspondent is whom a vacation answer goes to, with the display name that
// the message has for the sender of the envelope.
func (r *run) correspondent(sender mailaddr.Address) string {
	for _, name := range []string{"sender", "resent-from", "from"} {
		f, ok := r.arrivedField(name)
		if !ok {
			continue
		}
		p := mailaddr.Parser{S: []byte(unread(f)), Names: true}
		list, _ := p.Addresses(nil)
		for _, a := range list {
			if sender.Is(a) {
				return mailboxText(string(a.Name), string(a.Local), string(a.Domain))
			}
		}
	}
	return mailboxText("", sender.Local, sender.Domain)
}

// mark is something that is remembered when the script has ended well.
type mark struct {
	key   string
	until time.Time
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
		for _, e := range r.named(nil, r.header(), name) {
			p := mailaddr.Parser{S: []byte(unread(e.field))}
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

// rejection makes the message that a reject sends (RFC 5429 section 2.2, RFC
// 8098), as a delivery does. Why says why none goes out.
func (r *run) rejection(reason string) (out *Outgoing, why string) {
	sender, ok := mailaddr.Envelope(r.in.From)
	if !ok {
		if sender, ok = r.returnPath(); !ok {
			return nil, "the sender is the null sender"
		}
	}
	to, ok := mailaddr.Envelope(r.in.To)
	if !ok {
		return nil, "the envelope has no recipient"
	}
	if s, ok := r.rawFirst("auto-submitted"); ok && !strings.EqualFold(s, "no") {
		return nil, "the message is automatic: Auto-Submitted is " + s
	}
	id, _ := r.rawFirst("message-id")
	subject, _ := r.rawFirst("subject")
	pm := r.postmaster()
	const boundary = "sieve-report-boundary"
	var w mailWriter
	w.WriteString("Message-ID: " + r.newID(reason) + "\r\n" +
		"Date: " + r.date() + "\r\n" +
		"From: " + mailboxText("Postmaster", pm.Local, pm.Domain) + "\r\n" +
		"To: <" + sender.String() + ">\r\n" +
		"MIME-Version: 1.0\r\n" +
		"Content-Type: multipart/report; report-type=disposition-notification;\r\n\tboundary=\"" + boundary + "\"\r\n" +
		"Subject: Rejected: " + sanitized(subject, 80) + "\r\n" +
		"Auto-Submitted: auto-replied (rejected)\r\n" +
		"Precedence: bulk\r\n" +
		"\r\nThis is a MIME-encapsulated message\r\n\r\n")
	w.WriteString("--" + boundary + "\r\n" +
		"Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: inline\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" +
		"Your message to <" + to.String() + "> was automatically rejected:\r\n" + reason + "\r\n")
	w.WriteString("--" + boundary + "\r\nContent-Type: message/disposition-notification\r\n\r\n" +
		"Reporting-UA: " + r.host() + "; Dovecot Mail Delivery Agent\r\n")
	if s, ok := r.rawFirst("original-recipient"); ok {
		w.WriteString("Original-Recipient: rfc822; " + s + "\r\n")
	}
	w.WriteString("Final-Recipient: rfc822; " + to.String() + "\r\n")
	if id != "" {
		w.WriteString("Original-Message-ID: " + id + "\r\n")
	}
	w.WriteString("Disposition: automatic-action/MDN-sent-automatically; deleted\r\n\r\n")
	w.WriteString("--" + boundary + "\r\nContent-Type: message/rfc822\r\n\r\n")
	w.WriteString(r.arrivedText() + "\r\n\r\n--" + boundary + "--\r\n")
	return outgoing("", []string{sender.String()}, w.String()), ""
}

// returnPath is the address of the field Return-Path.
func (r *run) returnPath() (mailaddr.Address, bool) {
	s, ok := r.rawFirst("return-path")
	if !ok {
		return mailaddr.Address{}, false
	}
	p := mailaddr.Parser{S: []byte(s)}
	if p.Blank() != mailaddr.More {
		return mailaddr.Address{}, false
	}
	var a mailaddr.Found
	if p.At('<') {
		if p.Angle(&a) != mailaddr.AtEnd {
			return mailaddr.Address{}, false
		}
	} else if p.AddrSpec(&a) != mailaddr.AtEnd {
		return mailaddr.Address{}, false
	}
	return mailaddr.Address{Local: string(a.Local), Domain: string(a.Domain)},
		len(a.Local) > 0 && len(a.Domain) > 0 && mailaddr.Sendable(a.Local)
}

// arrivedText is the header as it came, with the lines that are no fields and
// the empty line behind it, but without Content-Type.
func (r *run) arrivedText() string {
	var b strings.Builder
	if r.in.Raw == nil {
		for _, f := range r.arrived() {
			if !equalFold(f.Name, "content-type") {
				b.WriteString(string(f.Name) + ":" + strings.TrimSuffix(string(f.Body), "\n") + "\n")
			}
		}
		return b.String() + "\n"
	}
	body := r.body()
	left := false
	for line := range strings.Lines(string(r.in.Raw[:len(r.in.Raw)-len(body)])) {
		if line[0] != ' ' && line[0] != '\t' {
			name, _, ok := strings.Cut(line, ":")
			left = ok && strings.EqualFold(strings.TrimRight(name, " \t"), "content-type")
		}
		if !left {
			b.WriteString(line)
		}
	}
	return b.String()
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
