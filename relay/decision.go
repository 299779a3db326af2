package relay

import (
	"net/netip"

	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// Message is what [Config.Route] decides on: one message for one recipient.
type Message struct {
	Origin Origin
	// From is the envelope sender; empty: the null sender.
	From string
	// To is the envelope recipient.
	To string
	// Raw is the message as it is sent, header and body, LF or CRLF.
	Raw []byte
	// SmartHost is what the gateway's smart host shows when it is connected to.
	SmartHost Peer
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
	// Memory returns what Dovecot remembers of earlier messages of a mailbox: those
	// that its script has redirected before aren't redirected again, nor answered.
	// Nil, and a nil that it returns, is a store that has seen no message. It is
	// told of this one.
	Memory func(mailbox string) interp.Memory
}

// Origin says where a message enters.
type Origin struct {
	// Role is the role of the listener; or [FromInternet], a stranger on the
	// gateway's listener; or [FromPickup].
	Role Role
	// Service names the listener where several have the role. Empty: the first.
	Service string
	// Client is the client's address.
	Client netip.Addr
	// Via is who connected to the gateway's listener behind a load balancer
	// ([Balancer]) and announced Client to it, where that is not the balancer.
	Via netip.Addr
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

// Peer is the state of the smart host, for asking "what if"; of all of them,
// where there are several.
type Peer string

const (
	// PeerVerified: it offers TLS, proves who it is, and takes the login.
	PeerVerified Peer = ""
	// PeerUnverified: its certificate has another name, is expired, or is of an
	// authority that is not trusted; or it has not the key of its TLSA record or
	// fingerprint.
	PeerUnverified Peer = "unverified"
	// PeerPlaintext: it does not offer TLS.
	PeerPlaintext Peer = "plaintext"
	// PeerNoLogin: it does not take the login, offers none, or there is none for it;
	// this says something where the policy has SmartHost.Auth.
	PeerNoLogin Peer = "nologin"
	// PeerDown: it can't be reached.
	PeerDown Peer = "down"
)

// The answers of [Config.Route] are those of package mta, which evaluates the
// Postfix of the compiled files. Rule is there the path of the policy's value
// that decided, empty where the installation's own settings did, and files have
// the names of [File].
type (
	Decision   = mta.Decision
	Outcome    = mta.Outcome
	Edit       = mta.Edit
	Trace      = mta.Trace
	Step       = mta.Step
	Assumption = mta.Assumption
	Action     = mta.Action
)

// What a [Message] says of its way, as package mta has it.
type (
	Certificate = mta.Certificate
	TLS         = mta.TLS
	Milter      = mta.Milter
	SMTPUTF8    = mta.SMTPUTF8
)

// Directory answers which domains and addresses there are, and Class is that of
// a domain.
type (
	Directory = mta.Directory
	Class     = mta.Class
)

// The actions; with which [Target] each comes is said there.
const (
	ActionRelay   = mta.ActionRelay
	ActionMX      = mta.ActionMX
	ActionMailbox = mta.ActionMailbox
	ActionDiscard = mta.ActionDiscard
	ActionReject  = mta.ActionReject
	ActionBounce  = mta.ActionBounce
	ActionDefer   = mta.ActionDefer
)

// Target is what an [Outcome] ends at; each kind is a type.
type (
	Target        = mta.Target
	TargetNextHop = mta.TargetNextHop
	TargetDomain  = mta.TargetDomain
	TargetFolder  = mta.TargetFolder
	TargetFile    = mta.TargetFile
	TargetCommand = mta.TargetCommand
	TargetService = mta.TargetService
	TargetReply   = mta.TargetReply
	TargetNone    = mta.TargetNone
)

// The states of a connection.
const (
	TLSPlaintext = mta.TLSPlaintext
	TLSEncrypted = mta.TLSEncrypted
)

// The answers of milters.
const (
	MilterUnknown    = mta.MilterUnknown
	MilterAccept     = mta.MilterAccept
	MilterReject     = mta.MilterReject
	MilterTempfail   = mta.MilterTempfail
	MilterDiscard    = mta.MilterDiscard
	MilterQuarantine = mta.MilterQuarantine
)

// What next hops offer.
const (
	SMTPUTF8Unknown = mta.SMTPUTF8Unknown
	SMTPUTF8Offered = mta.SMTPUTF8Offered
	SMTPUTF8Missing = mta.SMTPUTF8Missing
)

// The classes of domains, with the parameter that lists them.
const (
	ClassNone    = mta.ClassNone    // none of the others: the domain is remote
	ClassLocal   = mta.ClassLocal   // mydestination
	ClassAlias   = mta.ClassAlias   // virtual_alias_domains
	ClassMailbox = mta.ClassMailbox // virtual_mailbox_domains
	ClassRelay   = mta.ClassRelay   // relay_domains
)
