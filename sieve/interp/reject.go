package interp

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
)

func (c *compiler) reject(in *instruction, reason string, early bool) {
	in.kind, in.act = opReject, ActionReject{Text: reason, Early: early}
	if !c.hasVariables(reason) {
		return
	}
	text := c.text(reason, "Reason")
	c.before(in, func(r *run, in instruction) (instruction, error) {
		in.act = ActionReject{Text: r.str(&text), Early: early}
		return in, nil
	})
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
	to, ok := mailaddr.Envelope(r.originalTo())
	if !ok {
		return nil, "the envelope has no recipient"
	}
	if s, ok := r.rawFirst("auto-submitted"); ok && !strings.EqualFold(s, "no") {
		return nil, "the message is automatic: Auto-Submitted is " + s
	}
	id, hasID := r.rawFirst("message-id")
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
		"Your message to <" + to.String() + "> was automatically rejected:\r\n" + cString(reason) + "\r\n")
	w.WriteString("--" + boundary + "\r\nContent-Type: message/disposition-notification\r\n\r\n" +
		"Reporting-UA: " + r.host() + "; Dovecot Mail Delivery Agent\r\n")
	if s, ok := r.rawFirst("original-recipient"); ok {
		w.WriteString("Original-Recipient: rfc822; " + s + "\r\n")
	}
	w.WriteString("Final-Recipient: rfc822; " + to.String() + "\r\n")
	if hasID {
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
		len(a.Local) > 0 && len(a.Domain) > 0 && mailaddr.Sendable(a.Local, r.program.pigeonhole24)
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
