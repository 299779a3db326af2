package relay

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/dovecot"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// deliver is Dovecot's LMTP server with Pigeonhole: the global script, then the
// mailbox's own.
func (c *Config) deliver(w *mta.Way, h mta.Hop, to string) {
	at := place{h.File, h.Line}
	if c.asciiDovecot && mailaddr.BeyondASCII(to) {
		step(w, "lmtp", "", at, to, "not an address for Dovecot")
		w.End(ActionBounce, TargetReply("501"), to, "5.5.4 Invalid RCPT TO")
		return
	}
	hit, known, bounced, err := w.Mailbox(to)
	switch {
	case err != nil:
		step(w, "lmtp", "", at, to, err.Error())
		w.End(ActionDefer, TargetReply("451"), to, "4.3.0 Temporary lookup failure")
		return
	case bounced:
		step(w, "lmtp", "", at, to, "no such mailbox")
		w.End(ActionBounce, TargetReply("550"), to, "5.1.1 User doesn't exist: "+to)
		return
	}
	mailbox := to
	if known && hit.Extension != "" {
		mailbox = hit.Key
	}
	step(w, "lmtp", "", at, mailbox, "to the mailbox")
	var scripts [2]*interp.Program
	sequence := interp.Sequence(scripts[:0])
	file := c.globalFile
	if c.tenants != nil {
		file = c.tenants[tenantKey(mailbox)]
	}
	if c.program != nil && file != "" {
		sequence = append(sequence, c.program)
	}
	p := passingBy(w)
	own, err := p.script(w, mailaddr.Fold(mailbox))
	if err != nil {
		// Pigeonhole defers when it can't read the active script.
		step(w, "sieve", "", at, mailbox, err.Error())
		w.End(ActionDefer, TargetReply("451"), to, "4.2.0 Temporary internal error")
		return
	}
	if own != nil {
		sequence = append(sequence, own)
	}
	if len(sequence) == 0 {
		w.End(ActionMailbox, TargetFolder("INBOX"), to, "")
		return
	}
	in := interp.Input{
		Header: append(w.Header(),
			headers.Field{Name: returnPath, Body: []byte(" <" + w.From() + ">")},
			headers.Field{Name: deliveredTo, Body: []byte(" " + mailbox)},
			headers.Field{Name: received, Body: []byte(" by " + w.Hostname())},
		),
		Body: w.Body(), Size: w.Size(), From: c.sieveFrom(w), To: to,
	}
	if p.m.Memory != nil {
		in.Memory = p.m.Memory(mailaddr.Fold(mailbox))
	}
	in.UserEmail, in.RedirectFrom, in.Environment = c.dovecot.user(mailaddr.Fold(mailbox))
	c.actions(w, sequence.Run(&in), file, to, in.UserEmail)
}

// sieveFrom is the envelope sender as Dovecot has it: 2.3 takes one beyond ASCII
// for none.
func (c *Config) sieveFrom(w *mta.Way) string {
	if c.asciiDovecot && mailaddr.BeyondASCII(w.From()) {
		return ""
	}
	return w.From()
}

var (
	returnPath  = []byte("Return-Path")
	deliveredTo = []byte("Delivered-To")
	received    = []byte("Received")
)

// actions turns what the scripts did into outcomes; file is the global script's,
// user is sieve_user_email.
func (c *Config) actions(w *mta.Way, r interp.Result, file, to, user string) {
	for i := range r.Steps {
		s := &r.Steps[i]
		rule, script := "", s.Script
		if c.program != nil && script == c.globalFile {
			rule, script = c.globalRules[s.Line], file
		}
		note := "no match"
		if s.Matched {
			note = s.Text
			if rule != "" {
				w.SetRule(rule)
			}
		}
		step(w, "sieve", rule, place{script, s.Line}, s.Input, note)
	}
	if r.Err != nil {
		step(w, "sieve", "", place{}, "", r.Err.Error())
	}
	d := dovecot.Deliver(&r)
	// Redirects first: one that is refused at re-entry keeps the message.
	kept := false
	for _, a := range r.Actions {
		if a, ok := a.(interp.ActionRedirect); ok && a.Why != "" {
			step(w, "sieve", "", place{}, a.Address, a.Why+": not redirected")
		}
	}
	var redirected []Outcome
	for _, a := range d.Redirects {
		outcomes, gone := c.reEnter(w, a, to, user)
		redirected = append(redirected, outcomes...)
		kept = kept || !gone
	}
	ended := false
	end := func(a Action, target Target, text string) {
		ended = true
		w.End(a, target, to, text)
	}
	inbox := false
	for _, folder := range d.Stored {
		inbox = inbox || strings.EqualFold(folder, sieve.Inbox)
		end(ActionMailbox, TargetFolder(folder), "")
	}
	if kept && !inbox {
		end(ActionMailbox, TargetFolder(sieve.Inbox), "")
	}
	for _, a := range d.Rejects {
		// The null sender gets no notice.
		if c.sieveFrom(w) != "" {
			end(ActionBounce, TargetReply("550"), "5.7.1 "+a.Text)
		}
	}
	w.Add(redirected)
	if !ended && len(redirected) == 0 {
		w.End(ActionDiscard, nil, to, "")
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
func (c *Config) reEnter(w *mta.Way, a interp.ActionRedirect, mailbox, user string) (out []Outcome, gone bool) {
	p, address := passingBy(w), a.Address
	way := redirect{mailaddr.Fold(mailbox), mailaddr.Fold(address)}
	if slices.Contains(p.redirects, way) {
		step(w, "sieve", "", place{}, mailbox, "redirected to "+address+" before: kept")
		return nil, false
	}
	if w.TooOften() {
		step(w, "sieve", "", place{}, address, "redirected too often")
		return w.Apart(func() { w.End(ActionBounce, TargetReply("554"), address, "5.4.6 too many hops") }), true
	}
	p.redirects = append(p.redirects, way)
	by := mailbox
	if user != "" {
		by = user
	}
	n := mta.Entry{
		Origin: mta.Origin{Service: cmp.Or(c.reEntry, string(RoleReEntry)), Client: netip.AddrFrom4([4]byte{127, 0, 0, 1})},
		From:   c.sieveFrom(w), To: w.Canonical(address), Header: redirectedFields(w.Header(), by),
		Step:    Step{Stage: "sieve", Input: mailbox, Note: "redirected to " + address},
		Missing: Step{Stage: "smtpd", Rule: "Listeners", Input: string(RoleReEntry), Note: "no such listener"},
		Text:    "no listener has this role",
	}
	if d := c.withRole(RoleReEntry); d != nil && c.reEntry == "" {
		n.Origin.Service = d.service
	}
	if a.From != "" {
		n.From = a.From
	}
	steps := len(w.Trace())
	out = w.Submit(n)
	if len(out) == 1 && out[0].Action == ActionReject && out[0].Permanent() {
		for _, s := range out[0].Trace[steps:] {
			w.Step(s)
		}
		return nil, false
	}
	return out, true
}
