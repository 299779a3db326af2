// Package mailstore is Dovecot behind Postfix, as package mta asks for it: LMTP
// and dovecot-lda with the users' Sieve scripts, and what these bring back to
// Postfix.
//
// A [Store] reads what doveconf printed and the scripts that it names, and runs
// them: the answer has the folder with the script and the line that decided, and
// redirects on their further way.
package mailstore

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/dovecot"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// Store is a Dovecot with the scripts of its users. Its fields are set before it
// is used; it is then safe for concurrent use. It reads a mailbox's scripts
// whenever it is asked.
type Store struct {
	// Config is what doveconf printed; nil: nothing is known of the settings,
	// which is an assumption of each delivery.
	Config *dovecot.Config
	// Root is the server's root directory, in which scripts are read; nil: none
	// can be.
	Root fs.FS
	// Personal says where in Root a mailbox's own script is, in place of what the
	// settings say; nil: they say it.
	Personal func(mailbox string) string
	// Users are the mailboxes, in lower case; nil: each address is taken for one
	// where Postfix takes it for one.
	Users map[string]bool
	// Sendmail is the listener of the instance at which what Dovecot hands to
	// sendmail(1) comes in, as in mta.Origin, where sendmail(1) is that of another
	// instance which hands everything over there; empty: pickup.
	Sendmail string
}

// Options sets what an instance asks of Dovecot.
func (s *Store) Options(o *mta.Options) {
	if s != nil && o != nil {
		o.Deliver, o.Run = s.Deliver, s.Run
	}
}

// Deliver is delivery by LMTP: [mta.Options].Deliver.
func (s *Store) Deliver(w *mta.Way, h mta.Hop, to string) {
	if s == nil {
		s = new(Store)
	}
	if !s.Config.Is24() && strings.IndexFunc(to, func(r rune) bool { return r > 126 }) >= 0 {
		w.Step(mta.Step{Stage: "lmtp", File: h.File, Line: h.Line, Input: to, Note: "not an address for Dovecot"})
		w.End(mta.ActionBounce, mta.TargetReply("501"), to, "5.5.4 Invalid RCPT TO")
		return
	}
	delimiter, ok := s.Config.Get("lmtp", "recipient_delimiter")
	if !ok {
		delimiter = "+"
	}
	search := postfix.Search{Delimiter: delimiter}
	mailbox := search.Bare(to)
	if s.Users != nil && !s.Users[strings.ToLower(mailbox)] {
		w.Step(mta.Step{Stage: "lmtp", File: h.File, Line: h.Line, Input: mailbox, Note: "no such mailbox"})
		w.End(mta.ActionBounce, mta.TargetReply("550"), to, "5.1.1 User doesn't exist: "+to)
		return
	}
	w.Step(mta.Step{Stage: "lmtp", File: h.File, Line: h.Line, Input: mailbox, Note: "to the mailbox"})
	d := delivery{Store: s, w: w, h: h, protocol: "lmtp", mailbox: mailbox, to: to, from: s.sender(w.From())}
	d.run()
}

// Run is delivery by dovecot-lda, which pipe(8) or local(8) start:
// [mta.Options].Run. It reports false for other programs.
func (s *Store) Run(w *mta.Way, h mta.Hop, to string, argv []string) bool {
	if !mta.IsDeliveryAgent(argv) {
		return false
	}
	if s == nil {
		s = new(Store)
	}
	local, _, _ := strings.Cut(to, "@")
	d := delivery{Store: s, w: w, h: h, protocol: "lda", mailbox: local, to: to, from: s.sender(w.From()), inbox: sieve.Inbox}
	if h.Command != "local" {
		d.mailbox = "" // of the Unix user that the service has
	}
	original := ""
	for i := 1; i < len(argv); i++ {
		flag := argv[i]
		if len(flag) < 2 || flag[0] != '-' {
			return false
		}
		if flag == "-k" || flag == "-e" {
			continue
		}
		value := flag[2:]
		if value == "" {
			if i++; i == len(argv) {
				return false
			}
			value = argv[i]
		}
		switch flag[:2] {
		case "-d":
			d.mailbox = value
		case "-f":
			d.from = s.sender(value)
			if strings.EqualFold(value, "MAILER-DAEMON") && w.From() == "" {
				d.from = ""
			}
		case "-r":
			d.to = value
		case "-a":
			original = value
		case "-m":
			d.inbox = value
		case "-o", "-c", "-p":
			return false
		}
	}
	d.original = original
	w.Step(mta.Step{Stage: "dovecot-lda", File: h.File, Line: h.Line, Input: cmp.Or(d.mailbox, to), Note: "to the mailbox"})
	if s.Users != nil && d.mailbox != "" && !s.Users[strings.ToLower(d.mailbox)] {
		w.Step(mta.Step{Stage: "dovecot-lda", File: h.File, Line: h.Line, Input: d.mailbox, Note: "no such mailbox"})
		w.End(mta.ActionBounce, mta.TargetReply("550"), to, "5.1.1 user unknown")
		return true
	}
	d.run()
	return true
}

// sender is the envelope sender as Dovecot has it: 2.3 takes one beyond ASCII for
// none.
func (s *Store) sender(from string) string {
	if !s.Config.Is24() && strings.IndexFunc(from, func(r rune) bool { return r > 126 }) >= 0 {
		return ""
	}
	return from
}

// delivery is that of one message to one mailbox.
type delivery struct {
	*Store
	w                           *mta.Way
	h                           mta.Hop
	protocol                    string
	mailbox, to, from, original string
	inbox                       string // where what is kept goes: dovecot-lda -m
	email                       string // sieve_user_email
}

// assume names what is beyond the settings.
func (d *delivery) assume(setting, asked, assumed string) {
	d.w.Assume(mta.Assumption{Setting: setting, File: d.h.File, Line: d.h.Line, Asked: asked, Assumed: assumed})
}

// end ends the way in a folder.
func (d *delivery) end(folder string) {
	if strings.EqualFold(folder, sieve.Inbox) && d.inbox != "" {
		folder = d.inbox
	}
	d.w.End(mta.ActionMailbox, mta.TargetFolder(folder), d.to, "")
}

// run delivers.
func (d *delivery) run() {
	if d.Config == nil {
		d.assume("doveconf", d.mailbox, "no Sieve script, delivered to INBOX")
		d.end(sieve.Inbox)
		return
	}
	if d.Users == nil {
		d.assume("userdb", d.mailbox, "a mailbox")
	}
	detail := d.protocol == "lmtp" && !strings.EqualFold(d.to, d.mailbox)
	if v, _ := d.Config.Get(d.protocol, "lmtp_save_to_detail_mailbox"); detail && v == "yes" {
		d.assume("lmtp_save_to_detail_mailbox", d.to, "no such mailbox, INBOX")
	}
	if !d.Config.RunsSieve(d.protocol) {
		d.end(sieve.Inbox)
		return
	}
	user := dovecot.User{Name: strings.ToLower(d.mailbox)}
	user.Home, _ = d.Config.Home(user.Name)
	if d.Personal != nil {
		user.Personal = d.Personal(user.Name)
	}
	list, err := d.Config.Sequence(d.protocol, user, d.Root, func(o *interp.Options) { o.Trace = true })
	switch {
	case err == nil:
	case errors.Is(err, dovecot.ErrScript), errors.Is(err, dovecot.ErrSetting):
		d.w.Step(mta.Step{Stage: "sieve", File: d.h.File, Line: d.h.Line, Input: d.mailbox, Note: err.Error()})
	default:
		d.assume("sieve of "+d.mailbox, err.Error(), "no script")
	}
	if d.Root == nil {
		d.assume("sieve of "+d.mailbox, "", "no script")
	}
	if len(list) == 0 {
		d.end(sieve.Inbox)
		return
	}
	in := interp.Input{
		Header: append(d.w.Header(),
			headers.Field{Name: []byte("Return-Path"), Body: []byte(" <" + d.w.From() + ">")},
			headers.Field{Name: []byte("Delivered-To"), Body: []byte(" " + d.mailbox)},
			headers.Field{Name: []byte("Received"), Body: []byte(" by " + d.w.Hostname())},
		),
		Body: d.w.Body(), Size: d.w.Size(), From: d.from, To: d.to, OriginalTo: d.original,
		Environment: map[string]string{"host": d.w.Hostname(), "username": user.Name},
	}
	if d.protocol == "lda" {
		in.Header = in.Header[:len(in.Header)-3] // pipe(8) and local(8) write their own by their flags
	}
	d.email, _ = d.Config.UserEmail(d.protocol, user)
	in.UserEmail = d.email
	if v, _ := d.Config.Get(d.protocol, "sieve_redirect_envelope_from"); interp.AddressSource(v).Valid() {
		in.RedirectFrom = interp.AddressSource(v)
	}
	if v, _ := d.Config.Get(d.protocol, "postmaster_address"); v != "" && !strings.Contains(v, "%") {
		in.Environment["postmaster"] = v
	}
	d.actions(list.Run(&in))
}

// actions turns what the scripts did into outcomes.
func (d *delivery) actions(r interp.Result) {
	w := d.w
	for i := range r.Steps {
		s := &r.Steps[i]
		note := "no match"
		if s.Matched {
			note = s.Text
			w.SetRule("")
		}
		w.Step(mta.Step{Stage: "sieve", File: s.Script, Line: s.Line, Input: s.Input, Note: note})
	}
	if r.Err != nil {
		w.Step(mta.Step{Stage: "sieve", Note: r.Err.Error()})
	}
	done := dovecot.Deliver(&r)
	for _, a := range r.Actions {
		if a, ok := a.(interp.ActionRedirect); ok && a.Why != "" {
			w.Step(mta.Step{Stage: "sieve", Input: a.Address, Note: a.Why + ": not redirected"})
		}
	}
	// Redirects first: one that is refused keeps the message.
	var redirected []mta.Outcome
	kept, ended, inbox := false, false, false
	for _, a := range done.Redirects {
		outcomes, gone := d.redirect(a)
		redirected = append(redirected, outcomes...)
		kept = kept || !gone
	}
	for _, folder := range done.Stored {
		inbox = inbox || strings.EqualFold(folder, sieve.Inbox)
		ended = true
		d.end(folder)
	}
	if kept && !inbox {
		ended = true
		d.end(sieve.Inbox)
	}
	for _, a := range done.Rejects {
		if d.from != "" { // the null sender gets no notice
			ended = true
			w.End(mta.ActionBounce, mta.TargetReply("550"), d.to, "5.7.1 "+a.Text)
		}
	}
	w.Add(redirected)
	if !ended && len(redirected) == 0 {
		w.End(mta.ActionDiscard, nil, d.to, "")
	}
}

// redirect hands a message to the submission server of the settings, or to
// sendmail(1). It reports false where that refuses it for good, and where this
// mailbox has redirected the message to this address before, which Pigeonhole
// remembers: the message is then kept.
func (d *delivery) redirect(a interp.ActionRedirect) (out []mta.Outcome, gone bool) {
	w := d.w
	if !w.Once("redirect\x00" + strings.ToLower(d.to) + "\x00" + strings.ToLower(a.Address)) {
		w.Step(mta.Step{Stage: "sieve", Input: d.mailbox, Note: "redirected to " + a.Address + " before: kept"})
		return nil, false
	}
	if w.TooOften() {
		w.Step(mta.Step{Stage: "sieve", Input: a.Address, Note: "redirected too often"})
		return w.Apart(func() { w.End(mta.ActionBounce, mta.TargetReply("554"), a.Address, "5.4.6 too many hops") }), true
	}
	fields := make(headers.Section, 0, len(w.Header())+2)
	fields = append(fields, headers.Field{Name: []byte("X-Sieve"), Body: []byte(" Pigeonhole Sieve")},
		headers.Field{Name: []byte("X-Sieve-Redirected-From"), Body: []byte(" " + cmp.Or(d.email, d.to))})
	for _, f := range w.Header() {
		if !strings.EqualFold(string(f.Name), "Return-Path") {
			fields = append(fields, f)
		}
	}
	n := mta.Entry{
		Origin: mta.Origin{Service: cmp.Or(d.Sendmail, mta.Pickup), Client: netip.AddrFrom4([4]byte{127, 0, 0, 1})},
		From:   cmp.Or(a.From, d.from), To: w.Canonical(a.Address), Header: fields,
		Step:    mta.Step{Stage: "sieve", Input: d.mailbox, Note: "redirected to " + a.Address},
		Missing: mta.Step{Stage: "smtpd", Input: mta.Pickup, Note: "no such service"}, Text: "no pickup service",
	}
	if host, _ := d.Config.Get(d.protocol, "submission_host"); host != "" {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), "25")
		}
		service, ok := w.Listening(host)
		if !ok {
			d.assume("submission_host", host, "a server that takes the message")
			w.Step(n.Step)
			name, port, _ := net.SplitHostPort(host)
			return w.Apart(func() { w.End(mta.ActionRelay, mta.TargetNextHop("["+name+"]:"+port), n.To, "") }), true
		}
		n.Origin.Service = service
	}
	if n.Origin.Service == d.Sendmail { // its pickup(8) and cleanup(8) find out, and it keeps what was refused
		for _, f := range w.Header() {
			n.SMTPUTF8 = n.SMTPUTF8 || bytes.ContainsFunc(f.Body, func(r rune) bool { return r > 126 })
		}
		out = w.Submit(n)
		for i := range out {
			if o := &out[i]; o.Action == mta.ActionReject {
				if o.Action = mta.ActionBounce; o.Temporary() {
					o.Action = mta.ActionDefer
				}
			}
		}
		return out, true
	}
	steps := len(w.Trace())
	out = w.Submit(n)
	if len(out) == 1 && out[0].Action == mta.ActionReject && out[0].Permanent() {
		for _, s := range out[0].Trace[steps:] {
			w.Step(s)
		}
		return nil, false
	}
	return out, true
}
