package sieve

import (
	"fmt"
	"hash/fnv"
	"mime"
	"strings"
	"time"
)

// Outgoing is a message that the server sends because a script said so.
type Outgoing struct {
	// From is the sender of the envelope; it is empty for the null sender.
	From string
	// To are the recipients of the envelope.
	To []string
	// Raw is the message; its lines end with CRLF.
	Raw []byte
}

// mailWriter writes a message.
type mailWriter struct{ strings.Builder }

// field writes a header field; text that isn't ASCII is encoded (RFC 2047).
func (w *mailWriter) field(name, value string) {
	value = strings.Join(strings.FieldsFunc(value, func(c rune) bool { return c == '\r' || c == '\n' || c == 0 }), " ")
	w.WriteString(name + ": " + mime.QEncoding.Encode("utf-8", value) + "\r\n")
}

// lines writes text with CRLF line ends.
func (w *mailWriter) lines(text string) {
	w.WriteString(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n"))
	w.WriteString("\r\n")
}

// newID makes a Message-ID of what the message is about.
func (r *run) newID(about string) string {
	h := fnv.New64a()
	fmt.Fprint(h, about, r.in.From, r.in.To, r.header0("message-id"))
	host := r.in.Environment["host"]
	if host == "" {
		host = "localhost"
	}
	return fmt.Sprintf("<sieve-%d-%x@%s>", r.now().UnixNano(), h.Sum64(), host)
}

func (r *run) date() string { return r.now().Format("Mon, 02 Jan 2006 15:04:05 -0700") }

// header0 returns the value of the first field of a name.
func (r *run) header0(name string) string {
	if list := r.named(nil, r.header(), name); len(list) > 0 {
		return string(r.decode(list[0]).text)
	}
	return ""
}

func (r *run) has(name string) bool { return len(r.named(nil, r.header(), name)) > 0 }

// references writes In-Reply-To and References.
func (r *run) references(w *mailWriter) {
	id, refs := r.header0("message-id"), r.header0("references")
	if id != "" {
		w.field("In-Reply-To", id)
		refs = strings.TrimSpace(refs + " " + id)
	}
	if refs != "" {
		w.field("References", refs)
	}
}

// vacationPeriod is the default of sieve_vacation_default_period, and
// minVacationPeriod that of sieve_vacation_min_period.
const (
	vacationPeriod    = 7 * 24 * 60 * 60
	minVacationPeriod = 24 * 60 * 60
)

// reply decides whether a vacation answer goes out, and makes it (RFC 5230
// section 4). Otherwise why says why not.
func (r *run) reply(v Vacation, step int) (out *Outgoing, why string) {
	sender, to := r.in.From, r.in.To
	switch {
	case to == "":
		return nil, "the envelope has no recipient"
	case sender == "":
		return nil, "the sender is the null sender"
	case sameAddress(sender, to):
		return nil, "the sender is the user"
	}
	key := vacationKey(v, sender)
	if r.in.Memory != nil && r.in.Memory.Seen(key, r.now()) {
		return nil, "the sender has had this answer"
	}
	for _, name := range []string{"list-id", "list-owner", "list-subscribe", "list-post", "list-unsubscribe", "list-help", "list-archive"} {
		if r.has(name) {
			return nil, "the message comes from a mailing list: it has a field " + name
		}
	}
	for _, e := range r.named(nil, r.header(), "auto-submitted") {
		if s := string(r.decode(e).text); !strings.EqualFold(s, "no") {
			return nil, "the message is automatic: Auto-Submitted is " + s
		}
	}
	for _, e := range r.named(nil, r.header(), "precedence") {
		switch s := lowerASCII(string(r.decode(e).text)); s {
		case "junk", "bulk", "list":
			return nil, "the message is a bulk message: Precedence is " + s
		}
	}
	if systemAddress(sender) {
		return nil, "the sender is a system address"
	}
	from := r.addressed(append([]string{to}, v.Addresses...))
	if from == "" {
		return nil, "the message is not addressed to the user"
	}
	var w mailWriter
	subject := ""
	if v.Subject != nil {
		subject = *v.Subject
	}
	if subject == "" {
		subject = "Automated reply"
		if s := r.header0("subject"); s != "" {
			subject = "Auto: " + s
		}
	}
	w.field("X-Sieve", "Pigeonhole Sieve 0.5.19")
	w.field("Message-ID", r.newID(v.Reason))
	w.field("Date", r.date())
	if v.From != "" {
		w.field("From", v.From)
	} else {
		w.field("From", "<"+from+">")
	}
	w.field("To", "<"+sender+">")
	w.field("Subject", cutUTF8(subject, 256))
	r.references(&w)
	w.field("Auto-Submitted", "auto-replied (vacation)")
	w.field("Precedence", "bulk")
	w.field("X-Auto-Response-Suppress", "All")
	w.field("MIME-Version", "1.0")
	if !v.MIME {
		w.field("Content-Type", "text/plain; charset=utf-8")
		w.field("Content-Transfer-Encoding", "8bit")
		w.WriteString("\r\n")
	}
	w.lines(v.Reason)
	seconds := uint64(vacationPeriod)
	switch {
	case v.Seconds != nil:
		seconds = *v.Seconds
	case v.Days != nil:
		seconds = max(min(*v.Days, 1<<31)*24*60*60, minVacationPeriod)
	}
	r.marks = append(r.marks, mark{key, r.now().Add(time.Duration(min(seconds, 1<<32)) * time.Second)})
	return &Outgoing{To: []string{sender}, Raw: []byte(w.String())}, ""
}

// mark is something that is remembered when the script has ended well.
type mark struct {
	key   string
	until time.Time
}

// vacationKey is what a vacation answer is remembered as.
func vacationKey(v Vacation, sender string) string {
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
	return "vacation " + lowerASCII(sender) + " " + handle
}

// sameAddress compares addresses without regard to case.
func sameAddress(a, b string) bool { return strings.EqualFold(a, b) }

func systemAddress(s string) bool {
	lower := lowerASCII(s)
	return strings.HasPrefix(lower, "mailer-daemon") || strings.HasPrefix(lower, "listserv") ||
		strings.HasPrefix(lower, "majordomo") || strings.Contains(s, "-request@") || strings.HasPrefix(s, "owner-")
}

// addressed returns the first of the user's addresses that the message names.
func (r *run) addressed(mine []string) string {
	for i, m := range mine {
		if a, err := parseMailbox(m); err == nil {
			mine[i] = a.String()
		}
	}
	for _, name := range []string{"to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc"} {
		for _, m := range mine {
			for _, e := range r.named(nil, r.header(), name) {
				list, _ := r.addresses(e, All)
				for _, a := range list {
					if sameAddress(string(a.text), m) {
						return m
					}
				}
			}
		}
	}
	return ""
}

// rejection makes the message that a reject sends (RFC 5429 section 2.2, RFC
// 8098). Why says why none goes out.
func (r *run) rejection(reason string) (out *Outgoing, why string) {
	if r.in.From == "" {
		return nil, "the sender is the null sender"
	}
	if r.in.To == "" {
		return nil, "the envelope has no recipient"
	}
	var w mailWriter
	id := r.newID(reason)
	const boundary = "sieve-report-boundary"
	w.field("X-Sieve", "Pigeonhole Sieve 0.5.19")
	w.field("Message-ID", id)
	w.field("Date", r.date())
	w.field("From", "Mail Delivery Subsystem <"+r.postmaster()+">")
	w.field("To", "<"+r.in.From+">")
	w.field("Subject", "Automatically rejected mail")
	w.field("Auto-Submitted", "auto-replied (rejected)")
	w.field("Precedence", "bulk")
	w.field("MIME-Version", "1.0")
	w.WriteString("Content-Type: multipart/report;\r\n\treport-type=disposition-notification;\r\n\tboundary=\"" + boundary + "\"\r\n\r\n")
	w.WriteString("This is a MIME-encapsulated message\r\n\r\n--" + boundary + "\r\n")
	w.WriteString("Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: inline\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
	fmt.Fprintf(&w, "Your message to <%s> was automatically rejected:\r\n", r.in.To)
	w.lines(reason)
	w.WriteString("--" + boundary + "\r\nContent-Type: message/disposition-notification\r\n\r\n")
	w.field("Final-Recipient", "rfc822; "+r.in.To)
	if id := r.header0("message-id"); id != "" {
		w.field("Original-Message-ID", id)
	}
	w.WriteString("Disposition: automatic-action/MDN-sent-automatically; deleted\r\n\r\n")
	w.WriteString("--" + boundary + "\r\nContent-Type: message/rfc822\r\n\r\n")
	for _, f := range r.header() {
		if !equalFold(f.Name, "content-type") && !equalFold(f.Name, "return-path") {
			w.WriteString(string(f.Name) + ":" + string(f.Body) + "\r\n")
		}
	}
	w.WriteString("\r\n\r\n--" + boundary + "--\r\n")
	return &Outgoing{To: []string{r.in.From}, Raw: []byte(w.String())}, ""
}

func (r *run) postmaster() string {
	if s := r.in.Environment["postmaster"]; s != "" {
		return s
	}
	if _, domain, ok := strings.Cut(r.in.To, "@"); ok {
		return "postmaster@" + domain
	}
	return "postmaster"
}
