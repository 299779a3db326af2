// Package policy describes the mail routing of one Open-Xchange installation behind
// gateways: plain data with what holds where a value is left out, its JSON, the
// vendors' presets, and what is wrong with it ([Policy.Validate]). Package relay
// compiles it, and has these types under the same names.
package policy

import (
	"net/netip"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve/mailfilter"
)

// Policy is the mail routing of one Open-Xchange installation behind a
// gateway: plain data, the same in Go and in JSON ([ParsePolicy]). The zero
// Policy fails [Policy.Validate] with a list of what is missing.
type Policy struct {
	Gateway Gateway
	// Further are more gateways, each for the tenants that name it.
	Further []FurtherGateway
	Server  Server
	// Topology says what this Postfix does with hosted recipients; required.
	Topology Topology
	// Tenants own the hosted domains, each with a switch of its own.
	Tenants []Tenant
	// Direct are recipient domains that never go through the gateway.
	Direct []string
	// DirectVia, where not empty, is the next hop ("[relay.example.net]:587")
	// that takes mail kept off the gateway, for a server that can't deliver to
	// MX hosts itself. Empty: the recipient domain's MX.
	DirectVia string
	Inbound   Inbound
	Firewall  Firewall
	Balancer  Balancer
	// Listeners gives every SMTP listener of master.cf its role.
	Listeners []Listener
	Loop      Loop
	Calendar  Calendar
	Spam      Spam
	Sieve     Sieve
	// Mailboxes and Aliases are the local addresses, where neither the
	// installation's own tables nor a [Directory] has them.
	Mailboxes []string
	Aliases   []Alias
}

// Gateway is a cloud e-mail gateway as its vendor describes it. [Conbool]
// returns one; any other is a literal.
type Gateway struct {
	// Name begins the names of the files, services and parameters emitted for
	// the gateway: a lower-case letter, then up to 15 letters or digits.
	Name      string
	SmartHost SmartHost
	// Networks are the addresses the gateway connects from. Everybody in other
	// words is refused, here and in the policy's other lists of networks: a
	// prefix shorter than /8 of IPv4 or /16 of IPv6 (but for fc00::/7 and
	// fe80::/10, which are private), and a list that covers more than a /4 of
	// IPv4 or a /13 of IPv6 in union. IPv4 addresses inside of IPv6 (NAT64, 6to4
	// and their like) count as IPv4.
	Networks []netip.Prefix
	// Client is the certificate the gateway shows when it connects.
	Client  ClientCertificate
	Markers Markers
}

// ClientCertificate says which client certificates are the gateway's: by name
// or by fingerprint, not both. Zero: the address alone identifies the gateway,
// which [Policy.Warnings] reports.
type ClientCertificate struct {
	// Names are subject common names; the certificate must be issued by an
	// authority in CAFile. No access restriction of Postfix compares names, so
	// the Received: line that smtpd(8) writes is checked: a host in the gateway's
	// networks without the name is refused at the end of the data.
	Names []string
	// Fingerprints are SHA-256 certificate fingerprints, 32 bytes in hex with
	// colons, as check_ccert_access has them.
	Fingerprints []string
	// CAFile verifies the names (smtpd_tls_CAfile). Empty: SmartHost.CAFile.
	CAFile string
}

// Markers are the headers by which the gateway tells what it did. They are
// honoured exactly, and in any case. Up to 100 domains each has a pattern in the
// bypass table; from 101 on a table NAME_markers has them, so that neither time
// nor memory grows.
type Markers struct {
	// Domain is the loop marker that is named after the hosted domain.
	Domain DomainMarker
	// Loop are further loop markers, the same for every domain.
	Loop []headers.Condition
	// Released marks mail released from quarantine: a loop marker too, and the
	// reason to file it into INBOX before anything else.
	Released headers.Condition
	// Spam marks mail that the gateway holds for spam.
	Spam headers.Condition
	// Reserved are name prefixes that only the gateway may use; fields whose
	// names begin so are removed from mail of everybody else. The names in the
	// conditions above are reserved in any case.
	Reserved []string
}

// DomainMarker is a header whose name is Prefix and the domain with dashes for
// dots ("X-Conbool-example-com", [headers.MarkerName]). Zero: the gateway has
// none.
type DomainMarker struct {
	Prefix string
	Value  string
}

// Topology says what this Postfix does with hosted recipients.
type Topology string

const (
	// TopologyMailboxes: the hosted mailboxes are on this server, but for tenants with a
	// Store; two passes.
	TopologyMailboxes Topology = "mailboxes"
	// TopologyStore: all hosted mail is handed to other hosts (Tenant.Store); two passes.
	TopologyStore Topology = "store"
	// TopologyOutbound: only outbound mail comes here, nothing from the gateway; two
	// passes. Refused where a tenant's domain is delivered here.
	TopologyOutbound Topology = "outbound"
)

// Server is the machine that the files are for.
type Server struct {
	// Hostname is Postfix's myhostname, written with A-labels. Only needed where there is no
	// configuration to build on.
	Hostname string
	// Postfix and Dovecot are the versions, such as "3.7" and "2.3" or what
	// `postconf -h mail_version` and `dovecot --version` print, because
	// defaults and even the configuration language differ. Postfix 3.7 to 3.10
	// and Dovecot 2.3 and 2.4 are known. Either may be empty where the
	// Installation has it; Dovecot's is needed in topology [TopologyMailboxes] alone.
	Postfix string
	Dovecot string
	// ConfigDirectory is where Postfix's files lie on the server. Empty:
	// /etc/postfix.
	ConfigDirectory string
	// CertFile and KeyFile are the server's own certificate for inbound TLS,
	// and Networks the clients that may relay (mynetworks). Only needed where
	// there is no configuration to build on.
	CertFile string
	KeyFile  string
	Networks []netip.Prefix
	// SecondPass, ReEntry and Strip are loopback addresses of generated
	// listeners. They and the next two take mail from every program of this server
	// without a login, as sendmail(1) does, and SecondPass, ReEntry and Sorting
	// believe markers: who can run programs there can send past the gateway. Zero: 127.0.0.1:10030, 127.0.0.1:10032, 127.0.0.1:10031.
	SecondPass netip.AddrPort
	ReEntry    netip.AddrPort
	Strip      netip.AddrPort
	// Sorting and Generated are those behind ReEntry, and behind listeners of
	// [RoleReEntry] in every topology: at the first, what Sieve redirects is told
	// from what it makes, which loses markers at the second. Zero:
	// 127.0.0.1:10033, 127.0.0.1:10034.
	Sorting   netip.AddrPort
	Generated netip.AddrPort
	// SMTPFilters are services of master.cf that run pipe(8) as a content filter,
	// by name, of which the caller vouches that what they filtered comes back by
	// SMTP at a listener of [RoleReinjection], or not at all, and never by
	// sendmail(1): there markers are removed, and a program can't be looked into.
	SMTPFilters []string
}

// Tenant is one customer of a multi-domain installation.
type Tenant struct {
	Name string
	// Domains are hosted here: mail to them is local, and their loop markers
	// are honoured, whether or not they use the gateway.
	Domains []string
	// Gateway is the name of the tenant's gateway. Empty: Policy.Gateway.
	Gateway string
	// Scope says whose outbound mail goes through the gateway; its zero value
	// is not valid, so that no tenant is switched by omission.
	Scope Scope
	// Store is the next hop for the tenant's recipients
	// ("[store.example.com]:25"), where their mailboxes are on another host:
	// for every tenant in topology [TopologyStore], for some in topology [TopologyMailboxes].
	Store string
}

// Scope narrows the senders whose mail goes through the gateway. Senders that
// are not hosted, and the null sender, are never in scope.
//
// "Only in the Sieve rules of the chosen mailboxes", as vendors' pages have
// it, is [ScopeSenders] here, with [SievePerMailbox] Sieve rules: Sieve runs at
// delivery and can't route outbound mail, the sender map does that.
type Scope struct {
	Use ScopeUse
	// Domains are the domains in scope, for [ScopeDomains].
	Domains []string
	// Senders are the addresses in scope, for [ScopeSenders].
	Senders []string
	// Except takes domains or senders out again. Each must take out something.
	Except []string
}

// ScopeUse is a tenant's switch.
type ScopeUse string

const (
	ScopeAll     ScopeUse = "all"     // every domain of the tenant
	ScopeDomains ScopeUse = "domains" // Scope.Domains
	ScopeSenders ScopeUse = "senders" // Scope.Senders
	ScopeNone    ScopeUse = "none"    // nobody; the tenant stays as it is
)

// Inbound is the way from the gateway to the server.
type Inbound struct {
	// Host is the name under which the gateway reaches the server, as it is entered in
	// the vendor's assistant.
	Host string
	// Shared: others than the gateway connect to the gateway's listener too, as
	// where one port 25 serves tenants that use the gateway and tenants that stay
	// as they are. Their mail is accepted by the installation's own rules and
	// loses every marker; the gateway must show its certificate as without it.
	// Domains that use the gateway (with a sender in scope) are refused to
	// strangers: to those whom the installation's mynetworks, logins and
	// relay_clientcerts don't know. Mail to "postmaster" without a domain is taken
	// from anybody, as RFC 5321 section 4.5.1 wants, and goes where the
	// installation's aliases lead. Without Shared everybody but the gateway is
	// refused, and a policy with domains that stay as they are must say how their
	// mail comes in: by a listener of role "internal", or Elsewhere.
	Shared bool
	// Anybody: strangers on a shared listener may deliver to the domains that use
	// the gateway, too, past what it filters; for the days in which MX records
	// change.
	Anybody bool
	// Elsewhere: mail for domains that stay as they are reaches this server by
	// another way than the listeners in Listeners, or another server.
	Elsewhere bool
	// NoBareNewline: the caller vouches that no line of mail from the gateway ends
	// in LF without CR, because the gateway or a proxy before Postfix sees to it,
	// or a distribution's Postfix has smtpd_forbid_bare_newline before its patch
	// release (3.7.9, 3.8.4) and main.cf sets it. Without it a Postfix that is
	// known to lack this setting is refused: messages could be smuggled into the
	// gateway's, with markers of their author's.
	NoBareNewline bool
	// Allow are others that Firewall and Balancer let connect to the gateway's
	// port: monitoring, or servers whose listener has the same port. It only
	// opens the connection: smtpd(8) still takes mail as the listener does.
	Allow []netip.Prefix
	// Return: the gateway hands outbound mail back for final delivery. Mail that
	// it sends, with its certificate, for a sender in scope is then relayed to
	// the recipient's MX, or to DirectVia, and never to the gateway again: the
	// origin header keeps it off, with the gateway's marker or without. smtpd(8)
	// answers RCPT before it sees the header, so that a marker can't be made a
	// condition. Anybody else, and the gateway for other senders, reaches hosted
	// recipients only.
	Return bool
}

// Listener gives an SMTP service of master.cf its role.
type Listener struct {
	// Service is the first column of master.cf as it is written there ("smtp",
	// "127.0.0.1:587"), and where the type is not inet "/" and the type
	// ("smtpd/pass").
	Service string
	Role    Role
	// Gateway is the name of the gateway that connects here, for RoleGateway.
	// Empty: Policy.Gateway.
	Gateway string
}

// Role is what a listener's mail is trusted with.
type Role string

const (
	// RoleGateway: the gateway connects here; its markers count.
	RoleGateway Role = "gateway"
	// RoleSubmission: users, authenticated; markers are removed.
	RoleSubmission Role = "submission"
	// RoleInternal: other servers of the installation; markers are removed.
	RoleInternal Role = "internal"
	// RoleReEntry: mail that another server of the installation has accepted, and
	// that keeps the markers it came with: by that server's Dovecot
	// (submission_host), or relayed by its Postfix, which must take markers off
	// its users' mail itself. What Sieve sends there is sorted as this server's
	// is, in every topology: what it redirects keeps its markers, what it makes
	// (vacation, notify, reject) has none. It is known by the field X-Sieve, with
	// which Pigeonhole begins it; mail with X-Sieve that does not begin as a
	// redirect counts as made by Sieve. The generated listener for this server's
	// Dovecot (Server.ReEntry) has this role, too, and takes all that does not
	// begin as a redirect for mail that Sieve has made.
	RoleReEntry Role = "reentry"
	// RoleReinjection: the way back from a content filter. It is left alone, and
	// its markers count: what Sieve has made lost them before it went to the
	// filter. No Dovecot may send there, of this server or another.
	RoleReinjection Role = "reinjection"
)

// Origins that are not listeners, for [Origin].
const (
	// FromInternet: a stranger on the gateway's listener.
	FromInternet Role = "internet"
	// FromPickup: sendmail(1) on the server itself.
	FromPickup Role = "pickup"
)

// Loop is the loop protection beyond the gateway's own markers.
type Loop struct {
	// AnyDomain honours the loop marker of any domain with one rule, instead of
	// the hosted domains' alone: weaker, and a line less to look up.
	AnyDomain bool
	// NoOrigin switches off the origin header, by which mail that the
	// gateway's listener accepted never returns to the gateway even where the
	// gateway set no marker.
	NoOrigin bool
	// OriginHeader is that header's name. Empty: X-OXMailroute-Origin.
	OriginHeader string
}

// Calendar is which calendaring mail stays off the smart host: text/calendar
// in any MIME part. The exemption needs no trust: whoever sends through the server can
// avoid the gateway with such a part.
type Calendar struct {
	// ICS exempts application/ics too.
	ICS bool
	// RequireMethod exempts only parts with a method parameter (RFC 6047).
	RequireMethod bool
	// Off exempts nothing.
	Off bool
}

// Spam says what happens to mail with the gateway's spam marker: filed by
// Sieve, marked by Postfix, or both.
type Spam struct {
	// Folder is the mailbox for flagged mail. Empty: not filed.
	Folder string
	// Create makes the folder where it is missing (fileinto :create, RFC 5490).
	Create bool
	// Mark prepends "X-Spam-Flag: YES" on the gateway's listener, for filters
	// that know only that. Header checks see one field at a time, so released
	// mail gets it too where the gateway left its spam marker in; the release
	// rule still files that mail into INBOX.
	Mark bool
}

// Sieve is where the rules for delivery go: released mail into INBOX, flagged
// mail into a folder, before users' own rules run.
//
// What Sieve makes (vacation, notify, reject, reports) loses all markers; what it
// redirects at delivery keeps them and is treated as sendmail(1)'s mail: its
// header checks, milters and content filter. Dovecot's own fields tell the two
// apart by their order, which no script can change; X-Sieve-Redirected-From
// stays, whatever header_checks say of it. What Sieve sends elsewhere (imapsieve)
// goes the way it went before, by sendmail(1) or the installation's
// submission_host.
type Sieve struct {
	// Form is where the rules run. Empty: [SieveGlobal].
	Form SieveForm
	// Directory is where the global script, or those of the tenants' domains,
	// are installed. Empty: /etc/dovecot/sieve/before, or
	// /etc/dovecot/sieve/tenants, which holds nothing else.
	Directory string
	// Slot is the number N of the sieve_before<N> setting that the Dovecot
	// fragment may use; 1 is sieve_before itself. A fragment replaces a
	// setting that is there already, so the slot must be free, and the list
	// ends at its first gap. Zero: taken from Installation.Doveconf. Where that
	// isn't given, the number is the caller's word that it is free. Dovecot 2.4
	// has names instead, and the slot is not used.
	Slot int
	// OX is the generation of OX App Suite in whose mailfilter users edit their
	// scripts, for the form [SievePerMailbox]: "older" or "8"; empty for every one. The
	// rules are in what it reads, and stand where it looks for them.
	OX mailfilter.Generation
	// UserEditheader: users' scripts may use the editheader extension. It
	// allows them to forge markers unless every name is forbidden.
	UserEditheader bool
}

// SieveForm is where the Sieve rules run.
type SieveForm string

const (
	// SieveGlobal: one script before every mailbox's own (sieve_before). Nothing has to
	// be kept up to date, and users can't change it.
	SieveGlobal SieveForm = "global"
	// SievePerTenant: the same script for each hosted domain that uses the gateway,
	// before its mailboxes' own; other domains have none. A domain uses the
	// gateway if any sender of it is in scope. The domain is that of Dovecot's
	// user name, which must be the mail address: see [Config.Warnings].
	SievePerTenant SieveForm = "tenant"
	// SievePerMailbox: the rules stand in the chosen mailboxes' own scripts
	// ([Config.MailboxRules]); no global script is installed. Users see them in OX
	// App Suite, and can move them or switch them off; who writes the whole script
	// anew from an old page takes them out until the next run of package provision.
	SievePerMailbox SieveForm = "mailbox"
)

// Alias is a virtual(5) alias.
type Alias struct {
	Address string // "team@example.com", or "@example.com" for every other address
	Members []string
}
