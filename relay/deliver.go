package relay

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/dovecot"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// deliver is Dovecot's LMTP server with Pigeonhole: the global script, then the
// mailbox's own.
func (w *walk) deliver(h hop, to string) {
	if h.command != "lmtp" {
		w.step(h.command, w.rule, h.at, to, "delivered without Sieve")
		w.end(Mailbox, "INBOX", to, "")
		return
	}
	if !w.takesUTF8(h, "Dovecot", to, SMTPUTF8Missing) {
		return
	}
	to = w.leaveBy(h.transport, to)
	if w.e.asciiDovecot && beyondASCII(to) {
		w.step("lmtp", "", h.at, to, "not an address for Dovecot")
		w.end(Bounce, "501", to, "5.5.4 Invalid RCPT TO")
		return
	}
	boxes := directory{q: w.q}
	hit, known := w.e.router.search.Mailbox(&boxes, to)
	if boxes.err != nil {
		w.step("lmtp", "", h.at, to, boxes.err.Error())
		w.end(Defer, "451", to, "4.3.0 Temporary lookup failure")
		return
	}
	if !known && w.classOf(domainOf(to)) == mailboxClass {
		w.step("lmtp", "", h.at, to, "no such mailbox")
		w.end(Bounce, "550", to, "5.1.1 User doesn't exist: "+to)
		return
	}
	mailbox := to
	if known && hit.Extension != "" {
		mailbox = hit.Key
	}
	w.step("lmtp", "", h.at, mailbox, "to the mailbox")
	var scripts [2]*interp.Program
	sequence := interp.Sequence(scripts[:0])
	file := w.e.globalFile
	if w.e.tenants != nil {
		file = w.e.tenants[tenantKey(mailbox)]
	}
	if w.e.global != nil && file != "" {
		sequence = append(sequence, w.e.global)
	}
	own, err := w.q.script(fold(mailbox))
	if err != nil {
		// Pigeonhole defers when it can't read the active script.
		w.step("sieve", "", h.at, mailbox, err.Error())
		w.end(Defer, "451", to, "4.2.0 Temporary internal error")
		return
	}
	if own != nil {
		sequence = append(sequence, own)
	}
	if len(sequence) == 0 {
		w.end(Mailbox, "INBOX", to, "")
		return
	}
	in := interp.Input{
		Header: append(w.fields,
			headers.Field{Name: returnPath, Body: []byte(" <" + w.m.From + ">")},
			headers.Field{Name: deliveredTo, Body: []byte(" " + mailbox)},
			headers.Field{Name: received, Body: []byte(" by " + w.e.hostname)},
		),
		Body: w.body, Size: w.size(), From: w.sieveFrom(), To: to,
	}
	if w.m.Memory != nil {
		in.Memory = w.m.Memory(fold(mailbox))
	}
	in.UserEmail, in.RedirectFrom, in.Environment = w.e.dovecot.user(fold(mailbox))
	w.actions(sequence.Run(&in), file, to, in.UserEmail)
}

// sieveFrom is the envelope sender as Dovecot has it: 2.3 takes one beyond ASCII
// for none.
func (w *walk) sieveFrom() string {
	if w.e.asciiDovecot && beyondASCII(w.m.From) {
		return ""
	}
	return w.m.From
}

var (
	returnPath  = []byte("Return-Path")
	deliveredTo = []byte("Delivered-To")
	received    = []byte("Received")
)

// size is the message's size as Dovecot counts it: every line end is two
// octets. What Received: fields on the way add is not known here.
func size(raw []byte) int64 {
	return int64(len(raw) + bytes.Count(raw, []byte("\n")) - bytes.Count(raw, []byte("\r\n")))
}

// size is the message's size, which is counted once however many mailboxes get it.
func (w *walk) size() int64 {
	if w.q.size == 0 {
		w.q.size = size(w.m.Raw)
	}
	return w.q.size
}

func domainOf(address string) string {
	_, d := splitAddress(address)
	return d
}

// actions turns what the scripts did into outcomes; file is the global script's,
// user is sieve_user_email.
func (w *walk) actions(r interp.Result, file, to, user string) {
	for i := range r.Steps {
		s := &r.Steps[i]
		rule, script := "", s.Script
		if w.e.global != nil && script == w.e.globalFile {
			rule, script = w.e.globalRules[s.Line], file
		}
		note := "no match"
		if s.Matched {
			note = s.Text
			if rule != "" {
				w.rule = rule
			}
		}
		w.step("sieve", rule, place{script, s.Line}, s.Input, note)
	}
	if r.Err != nil {
		w.step("sieve", "", place{}, "", r.Err.Error())
	}
	d := dovecot.Deliver(&r)
	before := len(*w.out)
	// Redirects first: one that is refused at re-entry keeps the message.
	kept := false
	for _, a := range r.Actions {
		if a, ok := a.(interp.ActionRedirect); ok && a.Why != "" {
			w.step("sieve", "", place{}, a.Address, a.Why+": not redirected")
		}
	}
	for _, a := range d.Redirects {
		kept = !w.reEnter(a, to, user) || kept
	}
	redirected := (*w.out)[before:]
	redirected = append([]Outcome(nil), redirected...)
	*w.out = (*w.out)[:before]
	inbox := false
	for _, folder := range d.Stored {
		inbox = inbox || strings.EqualFold(folder, sieve.Inbox)
		w.end(Mailbox, folder, to, "")
	}
	if kept && !inbox {
		w.end(Mailbox, sieve.Inbox, to, "")
	}
	for _, a := range d.Rejects {
		// The null sender gets no notice.
		if w.sieveFrom() != "" {
			w.end(Bounce, "550", to, "5.7.1 "+a.Text)
		}
	}
	*w.out = append(*w.out, redirected...)
	if len(*w.out) == before {
		w.end(Discard, "", to, "")
	}
}

// redirectedFields is the header that Pigeonhole gives a redirected message: two
// fields of its own before all others, those of an earlier redirect among them.
func redirectedFields(fields headers.Section, mailbox string) headers.Section {
	out := make(headers.Section, 0, len(fields)+2)
	out = append(out, headers.Field{Name: []byte(xSieve), Body: []byte(" Pigeonhole Sieve")},
		headers.Field{Name: []byte(redirectedFrom), Body: []byte(" " + mailbox)})
	for _, f := range fields {
		if !strings.EqualFold(string(f.Name), "Return-Path") {
			out = append(out, f)
		}
	}
	return out
}

// reEnter brings a redirected message back in: Dovecot submits it at the
// re-entry listener with its original sender, or that of
// sieve_redirect_envelope_from.
// It reports false where the listener refuses it for good, and where this
// mailbox has redirected the message to this address before (Pigeonhole
// remembers by Message-ID): the message is then kept. The listeners behind it
// see that it is a redirect.
func (w *walk) reEnter(a interp.ActionRedirect, mailbox, user string) bool {
	address := a.Address
	way := redirect{fold(mailbox), fold(address)}
	if slices.Contains(*w.redirects, way) {
		w.step("sieve", "", place{}, mailbox, "redirected to "+address+" before: kept")
		return false
	}
	if w.hops >= w.e.redirects {
		w.step("sieve", "", place{}, address, "redirected too often")
		w.end(Bounce, "554", address, "5.4.6 too many hops")
		return true
	}
	m := *w.m
	m.From, m.To, m.SMTPUTF8 = w.sieveFrom(), w.e.canonical(address), false
	m.Origin = Origin{Role: RoleReEntry, Service: w.e.reEntry, Client: netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	if a.From != "" {
		m.From = a.From
	}
	by := mailbox
	if user != "" {
		by = user
	}
	f := w.fork()
	f.m = &m
	f.fields, f.shared = redirectedFields(w.fields, by), false
	f.written = [2]string{m.From, m.To}
	f.hops++
	*w.redirects = append(*w.redirects, way)
	f.step("sieve", "", place{}, mailbox, "redirected to "+address)
	steps, before := len(f.trace), len(*f.out)
	f.enter()
	if list := *f.out; len(list) == before+1 && list[before].Action == Reject && strings.HasPrefix(list[before].Target, "5") {
		*f.out = list[:before]
		w.trace = append(w.trace, list[before].Trace[steps-1:]...)
		return false
	}
	return true
}
