package mta

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Message is what [Instance.Route] decides on: one message for one recipient.
type Message struct {
	Origin Origin
	// From is the envelope sender; empty: the null sender.
	From string
	// To is the envelope recipient.
	To string
	// Raw is the message as it is sent, header and body, LF or CRLF.
	Raw []byte
	// Milters is what the installation's milters say, where it has any.
	Milters Milter
	// SMTPUTF8 says that the client declares it with MAIL (RFC 6531). sendmail(1)
	// doesn't; Postfix finds out itself there (smtputf8_autodetect_classes).
	// Dovecot offers none: mail that declares it, or that Postfix finds to need it,
	// and has a sender, a recipient or a header beyond ASCII, goes back to its
	// sender instead of into a mailbox, and so at every next hop without it.
	SMTPUTF8 bool
	// NextHops is whether the hosts that the mail is handed to offer SMTPUTF8.
	NextHops SMTPUTF8
	// Before is what was decided before the client reached Postfix: each trace
	// begins with it.
	Before Trace
	// Refused says that the client did not get as far as Postfix, and why; empty:
	// it did. Rule is then that of the outcome.
	Refused, Rule string
	// Value is the caller's own, for what [Options] calls: [Way.Value].
	Value any
}

// Origin says where a message enters.
type Origin struct {
	// Service names the service of master.cf by which it comes in: the name of an
	// inet one ("smtp", "127.0.0.1:10025"), else name and type ("smtpd/pass"), or
	// [Pickup]. Empty: the first.
	Service string
	// Name is the client's host name as smtpd(8) has verified it, "unknown" where
	// it has none; empty: it isn't told, and no table is asked for it. Helo is what
	// it says with HELO or EHLO; empty: it isn't told.
	Name, Helo string
	// Client is the client's address.
	Client netip.Addr
	// TLS is the state of the client's connection.
	TLS TLS
	// Certificate is the client certificate that was shown, if any.
	Certificate Certificate
	// Authenticated says that the client has logged in (SASL).
	Authenticated bool
	// Login is the name that it has logged in with, for sender login
	// restrictions. Where it is empty, Authenticated decides alone.
	Login string
}

// Pickup is the Origin.Service of what sendmail(1) takes.
const Pickup = "pickup"

// Milter is the answer of an installation's milters (smtpd_milters,
// non_smtpd_milters), for asking "what if". Changes that they make to a message
// can't be told; ask with the message as they leave it.
type Milter string

const (
	// MilterUnknown: not told. They are taken to accept, which
	// Decision.Assumptions then says.
	MilterUnknown Milter = ""
	// MilterAccept: they accept and change nothing.
	MilterAccept Milter = "accept"
	// MilterReject, MilterTempfail: refused for good or for now.
	MilterReject   Milter = "reject"
	MilterTempfail Milter = "tempfail"
	// MilterDiscard: accepted and dropped.
	MilterDiscard Milter = "discard"
	// MilterQuarantine: put on hold.
	MilterQuarantine Milter = "quarantine"
)

// TLS says whether a connection is encrypted.
type TLS bool

// The states of a connection.
const (
	TLSPlaintext TLS = false
	TLSEncrypted TLS = true
)

// Certificate is a client certificate as smtpd(8) sees it.
type Certificate struct {
	// Name is the subject's common name.
	Name string
	// Verified: it is valid now and issued by an authority that is trusted.
	Verified bool
	// Fingerprint is its SHA-256 fingerprint, in hex with colons.
	Fingerprint string
}

// Action is what becomes of a message. The zero value is never returned.
type Action string

// The actions.
const (
	ActionRelay   Action = "relay"   // handed on: TargetNextHop, TargetService, TargetCommand
	ActionMX      Action = "mx"      // delivered to the MX hosts of a domain: TargetDomain
	ActionMailbox Action = "mailbox" // delivered here: TargetFolder; by local(8) TargetFile, TargetCommand too
	ActionDiscard Action = "discard" // accepted and dropped: TargetNone
	ActionReject  Action = "reject"  // refused in the SMTP session: TargetReply; TargetNone where no session comes about
	ActionBounce  Action = "bounce"  // accepted, then returned to the sender: TargetReply
	ActionDefer   Action = "defer"   // kept and tried again: TargetReply; held: TargetNone
)

// Decision says where a message goes for one envelope recipient.
type Decision struct {
	To string
	// Outcomes has one element, and more where an alias or a redirect makes
	// more of it, in the order in which they are found.
	Outcomes []Outcome
	// Err is what [Directory], or an agent of [Options], could not answer; nil where
	// they did. The outcome is then what Postfix does while a table is down (reject or defer
	// with 451), and says nothing about the configuration.
	Err error
	// Assumptions are what the decision hangs on and only another program, or a
	// table that can't be read here, can answer, with the answer that Route went
	// on with: milters, policy services, DNS lists, databases, users' .forward
	// files, whether a content filter hands XFORWARD on, whether a next hop offers
	// SMTPUTF8, which addresses inet_interfaces = all has. Where there are none, the
	// configuration was followed in full.
	Assumptions []Assumption
}

// Outcome is one end of a message's way.
type Outcome struct {
	Action Action
	Target Target // never nil in an answer
	// To is the recipient at that end, after aliases and redirects.
	To string
	// MailFrom and RcptTo are the envelope with which the message arrives
	// there, after canonical, generic and masquerading rewrites. They are set
	// for Relay, MX and Mailbox. RcptTo differs from To where smtp_generic_maps
	// rewrites it on its way out.
	MailFrom, RcptTo string
	// BCC is the setting that made this copy (always_bcc, sender_bcc_maps,
	// recipient_bcc_maps, or the table with a BCC action), empty for the
	// recipient's own. A message of several recipients has one copy for
	// always_bcc and sender_bcc_maps; each of their decisions shows it.
	BCC string
	// Text is the reply for Reject, Bounce and Defer, with its enhanced status
	// code (RFC 3463).
	Text string
	// Rule is what is behind the row or listener that decided
	// ([postfix.Entry.Rule]); empty where nobody said.
	Rule string
	// Edits are what was done to the header on the way, as it is seen at the
	// destination, in order: an address field that was rewritten is removed and
	// added, by Postfix for mail of sendmail(1) and of
	// local_header_rewrite_clients after the header checks, and for all mail on its
	// way out (smtp_generic_maps). Trace fields (Received, Delivered-To, Return-Path), and the Date and
	// Message-Id that cleanup(8) adds where they are missing, are not listed.
	Edits []Edit
	// Trace is the whole way, in order, from the first decision.
	Trace Trace
}

// Edit is one change to the header.
type Edit struct {
	Removed bool // otherwise added; at the top, where it replaces none
	Name    string
	Value   string
}

// Trace is the way of a message.
type Trace []Step

// Step is one decision on the way. Its strings are the configuration's;
// rendering is [Step.String].
type Step struct {
	// Stage is the part of the server: "smtpd", "milter", "cleanup", "aliases",
	// "route", "qmgr", "filter", "second pass", "smtp", "lmtp", "local", "error",
	// "discard", "pipe" or another program of master.cf, "sieve"; before Postfix
	// "firewall" and "balancer".
	Stage string
	// Rule is what is behind the row that decided, if anybody said.
	Rule string
	// File and Line are the place that said so ("/etc/postfix/transport", 3; see
	// [Configuration].Label), or the parameter and 0.
	File string
	Line int
	// Input is what was looked at.
	Input string
	// Note is what came of it.
	Note string
}

// String renders the step in one line.
func (s Step) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-11s %s", s.Stage, s.Note)
	if s.Input != "" {
		fmt.Fprintf(&b, " (%s)", s.Input)
	}
	if at := s.At(); at != "" {
		fmt.Fprintf(&b, " at %s", at)
	}
	if s.Rule != "" {
		fmt.Fprintf(&b, " for %s", s.Rule)
	}
	return b.String()
}

// At renders the place: "postfix/conbool_scope:3".
func (s Step) At() string { return place{s.File, s.Line}.String() }

// MarshalJSON writes the step with its place as one string, and without what
// is empty.
func (s Step) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Stage string `json:"stage"`
		Rule  string `json:"rule,omitempty"`
		At    string `json:"at,omitempty"`
		Input string `json:"input,omitempty"`
		Note  string `json:"note"`
	}{s.Stage, s.Rule, s.At(), s.Input, s.Note})
}

// place is a file and line, or a parameter and 0.
type place struct {
	file string
	line int
}

// String writes "file:line", or the parameter alone.
func (p place) String() string {
	if p.line == 0 {
		return p.file
	}
	return p.file + ":" + strconv.Itoa(p.line)
}

// String renders the way, a step a line.
func (t Trace) String() string {
	var b strings.Builder
	for _, s := range t {
		b.WriteString(s.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// String says the end in a few words: "relay [mail.conbool.com]:25".
func (o Outcome) String() string {
	s := string(o.Action)
	if o.Target == nil {
		return s
	}
	if target := fmt.Sprint(o.Target); target != "" { // a nil pointer to one is told, not called
		s += " " + target
	}
	return s
}

// String joins the outcomes, and says Err.
func (d Decision) String() string {
	ends := make([]string, len(d.Outcomes))
	for i, o := range d.Outcomes {
		ends[i] = o.String()
		if o.To != d.To {
			ends[i] += " <" + o.To + ">"
		}
	}
	s := strings.Join(ends, ", ")
	if d.Err != nil {
		s += " (" + strings.ReplaceAll(d.Err.Error(), "\n", "; ") + ")"
	}
	return s
}
