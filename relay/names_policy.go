package relay

import (
	"net/netip"

	"github.com/oxmailroute/oxmailroute/relay/policy"
)

// The policy is package policy's; these are its names for who imports relay alone.

type (
	// Alias is a virtual(5) alias.
	Alias = policy.Alias
	// Auth is a login by SASL (RFC 4954).
	Auth = policy.Auth
	// Balancer is a TCP load balancer before the gateway's listener, which tells it the
	// client's address by the PROXY protocol (smtpd_upstream_proxy_protocol, postconf(5)).
	Balancer = policy.Balancer
	// Calendar is which calendaring mail stays off the smart host: text/calendar in any
	// MIME part.
	Calendar = policy.Calendar
	// ClientCertificate says which client certificates are the gateway's: by name or by
	// fingerprint, not both.
	ClientCertificate = policy.ClientCertificate
	// DomainMarker is a header whose name is Prefix and the domain with dashes for dots
	// ("X-Conbool-example-com", [headers.MarkerName]).
	DomainMarker = policy.DomainMarker
	// Error is one problem: where, what kind and how to mend it.
	Error = policy.Error
	// Errors are all the problems of a policy, in the order of its fields.
	Errors = policy.Errors
	// FallbackHost is one more smart host.
	FallbackHost = policy.FallbackHost
	// Firewall closes ports of this server to everybody but the gateway: a table of its
	// own for nftables (nft(8)), which nothing else of a ruleset has to know.
	Firewall = policy.Firewall
	// FurtherGateway is one more gateway on the same server, for the tenants that name it.
	FurtherGateway = policy.FurtherGateway
	// Gateway is a cloud e-mail gateway as its vendor describes it.
	Gateway = policy.Gateway
	// Inbound is the way from the gateway to the server.
	Inbound = policy.Inbound
	// Listener gives an SMTP service of master.cf its role.
	Listener = policy.Listener
	// Loop is the loop protection beyond the gateway's own markers.
	Loop = policy.Loop
	// MailboxRules are a policy's rules for delivery as rules of mailboxes' own scripts,
	// which OX App Suite shows to the user among the others and keeps.
	MailboxRules = policy.MailboxRules
	// Markers are the headers by which the gateway tells what it did.
	Markers = policy.Markers
	// Owner is a file's user and group, by their numbers.
	Owner = policy.Owner
	// Places are the directories of the server that emitted files belong into, absolute
	// and clean.
	Places = policy.Places
	// Policy is the mail routing of one Open-Xchange installation behind a gateway: plain
	// data, the same in Go and in JSON ([ParsePolicy]).
	Policy = policy.Policy
	// Role is what a listener's mail is trusted with.
	Role = policy.Role
	// Scope narrows the senders whose mail goes through the gateway.
	Scope = policy.Scope
	// ScopeUse is a tenant's switch.
	ScopeUse = policy.ScopeUse
	// Server is the machine that the files are for.
	Server = policy.Server
	// Sieve is where the rules for delivery go: released mail into INBOX, flagged mail
	// into a folder, before users' own rules run.
	Sieve = policy.Sieve
	// SieveForm is where the Sieve rules run.
	SieveForm = policy.SieveForm
	// SmartHost is where outbound mail goes: one host, or several in order.
	SmartHost = policy.SmartHost
	// Spam says what happens to mail with the gateway's spam marker: filed by Sieve,
	// marked by Postfix, or both.
	Spam = policy.Spam
	// TLSLevel is a TLS security level that verifies the server (smtp_tls_security_level,
	// postconf(5)).
	TLSLevel = policy.TLSLevel
	// Tenant is one customer of a multi-domain installation.
	Tenant = policy.Tenant
	// Topology says what this Postfix does with hosted recipients.
	Topology = policy.Topology
	// Warning is something that works and may not be what was meant.
	Warning = policy.Warning
)

const (
	// ScopeAll: every domain of the tenant.
	ScopeAll = policy.ScopeAll
	// DefaultOriginHeader is the name of the header by which the second pass knows what
	// the gateway's listener accepted.
	DefaultOriginHeader = policy.DefaultOriginHeader
	// FromInternet: a stranger on the gateway's listener.
	FromInternet = policy.FromInternet
	// FromPickup: sendmail(1) on the server itself.
	FromPickup = policy.FromPickup
	// SieveGlobal: one script before every mailbox's own (sieve_before).
	SieveGlobal = policy.SieveGlobal
	// LevelDANE: a key published in DNSSEC (RFC 7672); without TLSA records, or where the
	// answers are not secure, mail waits.
	LevelDANE = policy.LevelDANE
	// LevelFingerprint: a certificate with one of Fingerprints.
	LevelFingerprint = policy.LevelFingerprint
	// LevelSecure: a certificate of a trusted authority, with the name TLSName.
	LevelSecure = policy.LevelSecure
	// TopologyMailboxes: the hosted mailboxes are on this server, but for tenants with a Store;
	// two passes.
	TopologyMailboxes = policy.TopologyMailboxes
	// ScopeNone: nobody; the tenant stays as it is
	ScopeNone = policy.ScopeNone
	// TopologyOutbound: only outbound mail comes here, nothing from the gateway; two passes.
	TopologyOutbound = policy.TopologyOutbound
	// SievePerMailbox: the rules stand in the chosen mailboxes' own scripts
	// ([Config.MailboxRules]); no global script is installed.
	SievePerMailbox = policy.SievePerMailbox
	// SievePerTenant: the same script for each hosted domain that uses the gateway, before its
	// mailboxes' own; other domains have none.
	SievePerTenant = policy.SievePerTenant
	// ProofpointEU is the European region of [ProofpointEssentials].
	ProofpointEU = policy.ProofpointEU
	// ProofpointUS is the American one.
	ProofpointUS = policy.ProofpointUS
	// RoleGateway: the gateway connects here; its markers count.
	RoleGateway = policy.RoleGateway
	// RoleInternal: other servers of the installation; markers are removed.
	RoleInternal = policy.RoleInternal
	// RoleReEntry: mail that another server of the installation has accepted, and that
	// keeps the markers it came with: by that server's Dovecot (submission_host), or
	// relayed by its Postfix, which must take markers off its users' mail itself.
	RoleReEntry = policy.RoleReEntry
	// RoleReinjection: the way back from a content filter.
	RoleReinjection = policy.RoleReinjection
	// RoleSubmission: users, authenticated; markers are removed.
	RoleSubmission = policy.RoleSubmission
	// ScopeDomains: Scope.Domains.
	ScopeDomains = policy.ScopeDomains
	// ScopeSenders: Scope.Senders.
	ScopeSenders = policy.ScopeSenders
	// TopologyStore: all hosted mail is handed to other hosts (Tenant.Store); two passes.
	TopologyStore = policy.TopologyStore
)

var (
	// ErrConflict: a value contradicts another, or what the installation has.
	ErrConflict = policy.ErrConflict
	// ErrDuplicate: a value stands twice.
	ErrDuplicate = policy.ErrDuplicate
	// ErrInvalid: a value can't be what it should be.
	ErrInvalid = policy.ErrInvalid
	// ErrRequired: a value is missing.
	ErrRequired = policy.ErrRequired
	// ErrUnsupported: a version that the library does not know.
	ErrUnsupported = policy.ErrUnsupported
)

// ParsePolicy reads a policy from JSON: see [policy.ParsePolicy].
func ParsePolicy(name string, data []byte) (Policy, error) { return policy.ParsePolicy(name, data) }

// Conbool returns the gateway as Conbool's page for Open-Xchange fixes it: see
// [policy.Conbool].
func Conbool(networks ...netip.Prefix) Gateway { return policy.Conbool(networks...) }

// ProofpointEssentials returns the gateway as Proofpoint's pages have it: see
// [policy.ProofpointEssentials].
func ProofpointEssentials(smartHost, passwordFile string, networks ...netip.Prefix) Gateway {
	return policy.ProofpointEssentials(smartHost, passwordFile, networks...)
}
