package mta

import (
	"net/netip"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// Listener is a service by which mail comes in.
type Listener struct {
	// Service is its name in master.cf, with "/" and the type where that is not
	// inet: "smtp", "127.0.0.1:10025", "smtpd/pass".
	Service string
	// Rule and Label are what the step by which a message enters has as its Rule
	// and Input; empty: no rule, and the name.
	Rule, Label string
}

// Pass is a next hop that is a listener of the same instance, behind which mail
// goes on without a session that could refuse it.
type Pass struct {
	// Transport and NextHop lead to it; an empty NextHop is any.
	Transport, NextHop string
	// Service is the listener, as in [Listener].
	Service string
	// Filtered is the listener where mail goes that a FILTER of the first one's
	// checks takes out of the row; empty: it goes by that FILTER.
	Filtered string
	// Kind is when it is passed.
	Kind PassKind
	// Stage and Rule are those of its step, Note and FilteredNote what came of it
	// without a FILTER and with one.
	Stage, Rule, Note, FilteredNote string
}

// PassKind is when a [Pass] is passed.
type PassKind uint8

const (
	// PassRouted: mail for one recipient, when it was routed. It goes by the
	// listener's content_filter.
	PassRouted PassKind = iota
	// PassEntering: the whole message, before its recipients are expanded. It
	// goes on as from the listener by which it came in.
	PassEntering
	// PassExpanded: mail for one recipient, when it was expanded. It goes on as
	// from that listener.
	PassExpanded
)

// Hop is where mail goes on: a transport of master.cf with a next hop.
type Hop struct {
	// Transport is the service's name, NextHop what stands behind the colon, and
	// Command the service's program: smtp, lmtp, virtual, local, pipe, discard,
	// error; empty: there is no such service.
	Transport, NextHop, Command string
	// File and Line are where that is said, as in [Step].
	File string
	Line int
}

// Agent is in the place of the smtp(8) of one transport: it knows the server
// that mail is handed to.
type Agent interface {
	// Reached reports whether the server answers, so that it can be asked what it
	// offers.
	Reached(w *Way) bool
	// Deliver ends the way of the message with [Way.End], for the recipient to.
	Deliver(w *Way, h Hop, to string)
}

// Options are what an instance is asked with beside its files. The zero Options
// know nothing more.
type Options struct {
	// Listeners are the services by which mail comes in, in the order in which an
	// Origin without a service finds them; nil: all smtpd(8) services.
	Listeners []Listener
	// Passes are next hops that are listeners of the same instance.
	Passes []Pass
	// Returns is the listener, as in [Listener], where content filters hand mail
	// back; empty: they are not followed.
	Returns string
	// Agents are for the servers behind transports, by their names.
	Agents map[string]Agent
	// Deliver delivers by LMTP to a mailbox: with Sieve, say. It ends the way of
	// the message with [Way.End]. The addresses are those that the server sees. Nil:
	// mail goes to INBOX, which is an assumption.
	Deliver func(w *Way, h Hop, to string)
	// Run delivers in the place of a command that pipe(8) or local(8) starts,
	// whose words it gets with the macros and variables filled in: dovecot-lda, say
	// ([IsDeliveryAgent]). It ends the way of the message with [Way.End], or reports
	// false: then a command of pipe(8) or of an alias is the end of the way, and
	// mailbox_command is assumed to deliver to INBOX. Nil: that is so for all.
	Run func(w *Way, h Hop, to string, argv []string) bool
	// Received judges the Received: line of a message that comes in, which
	// smtpd(8) writes, as header checks do that hang on the client's certificate.
	// It reports false where it has ended the way of the message. Nil: it passes.
	Received func(w *Way) bool
	// Directory answers for domains and addresses in place of tables. Nil: the
	// tables are asked.
	Directory Directory
	// Mailboxes and Aliases are the addresses that are known where
	// virtual_mailbox_maps and virtual_alias_maps can't be read, or are empty: the
	// former by the address in lower case, the latter as [virtual(5)] has rows. A nil
	// Mailboxes is that none are known, and that each address in question is taken
	// for one.
	//
	// [virtual(5)]: https://www.postfix.org/virtual.5.html
	Mailboxes map[string]bool
	Aliases   postfix.Table
	// Users are the system's users (passwd(5)); nil: each name is taken for one.
	Users map[string]bool
	// Addresses are the addresses of the system's interfaces, for inet_interfaces =
	// all; nil: loopback is known alone.
	Addresses []netip.Addr
	// Source says what is behind a line of a file, as Step.Rule has it where the
	// row itself says nothing; nil: nobody knows.
	Source func(file string, line int) string

	// ConfigDirectory, Release, Defaults, Hostname and Tables are for [Load]: the
	// directory of main.cf, empty for /etc/postfix; Postfix's version; what
	// `postconf -d` prints, from which the version is known too; the system's name
	// (uname -n); and tables that are not among the files, by the name that main.cf
	// has for them ("mysql:/etc/postfix/vmail.cf"): what is in them, or what answers
	// for them.
	ConfigDirectory string
	Release         string
	Defaults        []byte
	Hostname        string
	Tables          map[string]postfix.Map

	// Hosted are domains of lists that can't be read here: true is one whose
	// mailboxes are on this server, false one that is relayed.
	Hosted map[string]bool
}
