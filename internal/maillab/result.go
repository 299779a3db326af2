package maillab

import (
	"bytes"
	"fmt"
	"strings"
)

// Result is what a run saw. How a message is followed: nothing relies on a header
// field that the configuration under test might change. The reply to a message names
// its queue file; each delivery line of Postfix's log names the next one ("queued
// as"), the sink's record or the LMTP session; a mailbox copy names its LMTP session in
// the Received field that Dovecot adds. Mail that re-enters from Sieve is joined by
// the chain of its Received fields. The field [IDHeader], which Run puts before the
// message unless [Message.NoID] is set, and the Message-ID decide only where the
// chain is broken.
type Result struct {
	// Messages are the outcomes by Message.ID.
	Messages map[string]Outcome
	// Stray are copies in sinks and mailboxes that belong to no message; a
	// sound run has none.
	Stray []Place
	// Complaints are the warnings and errors of the programs that read the
	// configuration (postmap, postconf, postfix check, sievec, dovecot) and of
	// Site.Exec; a sound configuration has none.
	Complaints []string
	// Warnings are the log lines of severity warning and worse, of Postfix and
	// Dovecot, but for remarks about the clock of the file system.
	Warnings []string
	// Log is the whole mail log, each line with the seconds since the start.
	Log []string
	// After is the output of Site.After, one entry per command.
	After []string
	// Drained is false if messages still moved when World.Settle was over.
	Drained bool
	// Setup, Sending and Seconds are the time until the first message, of the
	// sending and of everything.
	Setup, Sending, Seconds float64
}

// Outcome is what became of one message.
type Outcome struct {
	// SMTP is the reply that decided over the message: to the end of the data
	// where it got so far, else the refusal.
	SMTP Reply
	// RCPT are the replies to each RCPT command.
	RCPT map[string]Reply
	// Recipients are the places by recipient, as in Message.Recipients. A
	// recipient that the site added (always_bcc) has an entry of its own.
	Recipients map[string][]Place
	// Redirected are the places of copies that Sieve sent on; By says from which
	// mailbox.
	Redirected []Place
	// Notices are the places of mail made on account of this message: bounces
	// and delay warnings (Mail is MailDSN), vacation and rejection notices
	// (MailReply).
	Notices []Place
}

// Reply is an SMTP reply. Code 0 means that there was none: Text has the error.
type Reply struct {
	Code     int
	Enhanced string // RFC 3463 code, as "5.7.1", or ""
	Text     string // without codes, lines joined by spaces
	Stage    string // connect, helo, tls, auth, mail, rcpt, data, end, sendmail
}

// Kind is the kind of place where a copy of a message ended.
type Kind string

// The kinds of places.
const (
	KindSmartHost Kind = "smarthost" // a sink in the gateway's role; Name is its name
	KindMX        Kind = "mx"        // a mail exchanger; Name is the domain
	KindRelay     Kind = "relay"     // another server: a sink's Name, or host:port
	KindMailbox   Kind = "mailbox"   // Name is the folder
	KindRejected  Kind = "rejected"  // refused in the SMTP dialogue
	// KindUnreachable: no connection to the listener: refused or, as a packet
	// filter does, unanswered.
	KindUnreachable Kind = "unreachable"
	KindBounced     Kind = "bounced"   // accepted, then returned as undeliverable
	KindDeferred    Kind = "deferred"  // waits in the queue after a failure
	KindHeld        Kind = "held"      // in the hold queue
	KindDiscarded   Kind = "discarded" // thrown away by Postfix
	KindConsumed    Kind = "consumed"  // LMTP took it and no folder has it: Sieve's discard or redirect
	KindLost        Kind = "lost"      // no trace of it
)

// MailKind tells a message from mail that was made on its account.
type MailKind string

// The kinds of mail.
const (
	MailMessage MailKind = ""      // the message itself
	MailDSN     MailKind = "dsn"   // a delivery status notification
	MailReply   MailKind = "reply" // a vacation reply or a rejection notice
)

// Place is where one copy of a message ended, and what it looked like there.
type Place struct {
	Kind Kind
	Name string
	// Address is the final recipient, after aliases.
	Address string
	// By is the mailbox whose Sieve script sent this copy.
	By string
	// Mail tells a message from notices.
	Mail MailKind
	// Code, Enhanced and Text are the reply or the reason of a refusal: of the
	// SMTP dialogue, of the next host, or Postfix's own (Code 0 then).
	Code           int
	Enhanced, Text string
	// Sender is the envelope sender of this copy, where it is known.
	Sender string
	// Recipients are the envelope recipients of the transaction that brought
	// it, as they arrived. For sinks only.
	Recipients []string
	// Header is the header section of the copy and Body the rest after the empty
	// line, as stored, with LF line ends.
	Header, Body []byte
	// Flags are the IMAP flags and keywords of a mailbox copy, sorted.
	Flags []string
	// Peer is the address the copy came from, TLS the protocol ("TLSv1.3", ""
	// in the clear), ClientCert the common name of the certificate that the
	// site presented, Verified whether "ca" issued it, SNI the server name it
	// asked for, Login the name it logged in with. For sinks only.
	Peer, TLS, ClientCert, SNI, Login string
	Verified                          bool
	// Sink is the address of the sink that took it, as in World.Sinks.
	Sink string
	// Agent is the log name of the delivery agent, as "postfix/smtp".
	Agent string
}

// String is the place in short: kind:name, the code where there is one.
func (p Place) String() string {
	var b strings.Builder
	b.WriteString(string(p.Kind))
	if p.Name != "" {
		b.WriteString(":" + p.Name)
	}
	if p.Code != 0 {
		fmt.Fprintf(&b, ":%d", p.Code)
	}
	return b.String()
}

// Fields returns the values of the copy's header fields of that name, in order:
// what follows the colon up to the line end before the next field, unchanged.
// Names are compared without case.
func (p Place) Fields(name string) []string { return fields(p.Header, name) }

// fields returns the values of the named fields of a header section. A line is
// a field if a name and a colon begin it; space before the colon is accepted.
func fields(header []byte, name string) []string {
	var values []string
	in := false
	for line := range bytes.Lines(header) {
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			if in {
				values[len(values)-1] += "\n" + string(line)
			}
			continue
		}
		before, after, ok := bytes.Cut(line, []byte(":"))
		if in = ok && strings.EqualFold(string(bytes.TrimRight(before, " \t")), name); in {
			values = append(values, string(after))
		}
	}
	return values
}

// split cuts a stored message into header section and body, with LF line ends.
// The empty line belongs to neither.
func split(data []byte) (header, body []byte) {
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	if bytes.HasPrefix(data, []byte("\n")) {
		return nil, data[1:]
	}
	if i := bytes.Index(data, []byte("\n\n")); i >= 0 {
		return data[:i+1], data[i+2:]
	}
	return data, nil
}
