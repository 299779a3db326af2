package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
)

// SmartHost is where outbound mail goes: one host, or several in order. TLS is
// always required, and the server must always prove who it is; how is Level.
//
// The gateway knows the server by its certificate (CertFile), by a login
// (Auth), by both, or by its address alone (KnownByAddress).
type SmartHost struct {
	// Host is the server's name. Names beyond ASCII are written as A-labels
	// ("xn--bcher-kva.example"), here and in the other hosts of a policy.
	Host string
	Port uint16
	// LookupMX delivers to the MX hosts of Host; otherwise Host itself is the
	// server, which Postfix spells with brackets (transport(5)).
	LookupMX bool
	// Fallback are the hosts that are tried, in this order, where those before
	// can't be reached, don't prove who they are, or put the mail off (4xx). A
	// host that refuses the mail (5xx) has decided for all.
	Fallback []FallbackHost
	// Level is how the server proves who it is. Empty: [LevelSecure].
	Level TLSLevel
	// TLSName is the name the server's certificate must have, for LevelSecure
	// (smtp_tls_secure_cert_match). Empty: Host.
	TLSName string
	// Fingerprints are the SHA-256 fingerprints of the server's certificate, for
	// LevelFingerprint: 32 octets in hex with colons.
	Fingerprints []string
	// ImplicitTLS speaks TLS from the first octet instead of STARTTLS, as on port
	// 465 (smtp_tls_wrappermode; RFC 8314). It holds for every host.
	ImplicitTLS bool
	// CAFile holds the certificates of the authorities that are trusted
	// (smtp_tls_CAfile); required for LevelSecure, which stops all mail without.
	CAFile string
	// CertFile and KeyFile are the client certificate.
	CertFile string
	KeyFile  string
	// Auth is the login. Zero: none.
	Auth Auth
	// KnownByAddress says that the gateway knows the server by its address, so that
	// there is neither a certificate nor a login.
	KnownByAddress bool
}

// FallbackHost is one more smart host. The fields mean what they mean in
// [SmartHost]: each host must have its own name or key.
type FallbackHost struct {
	Host         string
	Port         uint16
	LookupMX     bool
	TLSName      string
	Fingerprints []string
}

// TLSLevel is a TLS security level that verifies the server
// (smtp_tls_security_level, postconf(5)). Those that fall back to an unverified
// server, "dane" among them, are not offered.
type TLSLevel string

const (
	// LevelSecure: a certificate of a trusted authority, with the name TLSName.
	LevelSecure TLSLevel = "secure"
	// LevelDANE: a key published in DNSSEC (RFC 7672); without TLSA records, or
	// where the answers are not secure, mail waits. With LookupMX the MX records
	// must be secure too. It needs a validating resolver that is trusted by the
	// host, such as one on loopback.
	LevelDANE TLSLevel = "dane-only"
	// LevelFingerprint: a certificate with one of Fingerprints.
	LevelFingerprint TLSLevel = "fingerprint"
)

// Auth is a login by SASL (RFC 4954). It is tried only with a server that has
// proved who it is. Mail waits where there is no login for the server, where
// the server refuses it, and where the server offers none.
//
// The last is known by a line of the server's EHLO reply that Postfix can do
// without (SIZE, ENHANCEDSTATUSCODES, CHUNKING, HELP, VRFY, ETRN or EXPN):
// there the transport reads the demand for a login instead. A server with none
// of them that doesn't offer AUTH either is not noticed.
type Auth struct {
	// PasswordFile is the file on the server that holds the password, since a
	// policy never does: one line "[host]:port user:password" for each host, or
	// "host user:password", as in SASL_README, with A-labels for a name beyond
	// ASCII. It is read as texthash: by smtp(8)
	// before it gives up root's rights, so it must be a plain file of root's with
	// mode 0600; [Config.Commands] check that before Postfix reloads. Changes take
	// effect with a reload.
	PasswordFile string
	// Mechanisms are the SASL mechanisms that may be used ("PLAIN", "LOGIN").
	// Empty: what both sides know, but for ANONYMOUS. On Debian the server knows
	// none, and all mail waits, unless the package libsasl2-modules is installed.
	Mechanisms []string
}

// IsZero reports whether nobody logs in.
func (a Auth) IsZero() bool { return a.PasswordFile == "" && len(a.Mechanisms) == 0 }

// EffectiveLevel is Level, or its default.
func (s SmartHost) EffectiveLevel() TLSLevel { return cmp.Or(s.Level, LevelSecure) }

// Hosts are all the hosts in order.
func (s SmartHost) Hosts() []FallbackHost {
	return append([]FallbackHost{{s.Host, s.Port, s.LookupMX, s.TLSName, s.Fingerprints}}, s.Fallback...)
}

// clone copies everything that a caller could change later.
func (s SmartHost) clone() SmartHost {
	s.Fingerprints = slices.Clone(s.Fingerprints)
	s.Fallback = slices.Clone(s.Fallback)
	for i := range s.Fallback {
		s.Fallback[i].Fingerprints = slices.Clone(s.Fallback[i].Fingerprints)
	}
	s.Auth.Mechanisms = slices.Clone(s.Auth.Mechanisms)
	return s
}

// is reports whether name is one of the hosts.
func (s SmartHost) is(name string) bool {
	for _, h := range s.Hosts() {
		if h.Host != "" && strings.EqualFold(mailaddr.AsciiHost(h.Host), mailaddr.AsciiHost(name)) {
			return true
		}
	}
	return false
}

// EffectiveTLSName is TLSName, or the host's name.
func (h FallbackHost) EffectiveTLSName() string { return cmp.Or(h.TLSName, h.Host) }

// NextHop is the host as transport(5) writes it.
func (h FallbackHost) NextHop() string {
	if h.LookupMX {
		return fmt.Sprintf("%s:%d", h.Host, h.Port)
	}
	return fmt.Sprintf("[%s]:%d", h.Host, h.Port)
}

// NextHop are all hosts as smtp(8) takes them since Postfix 3.5.
func (s SmartHost) NextHop() string {
	var l []string
	for _, h := range s.Hosts() {
		l = append(l, h.NextHop())
	}
	return strings.Join(l, ",")
}
