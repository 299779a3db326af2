package relay

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay/internal/fixed"
)

// Origin returns what an ordinary client of a role looks like: the gateway with
// its own address and certificate, a user who has logged in, a server of the
// installation. For [FromInternet] it is a stranger of TEST-NET-1 (RFC 5737)
// without TLS.
func (c *Config) Origin(role Role) Origin {
	if c == nil {
		c = new(Config)
	}
	o := Origin{Role: role}
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	switch role {
	case RoleGateway:
		if len(c.passages) == 0 {
			return o
		}
		o = c.passages[0].origin
	case RoleSubmission:
		o.Client, o.TLS, o.Authenticated = stranger, TLSEncrypted, true
	case RoleInternal, RoleReEntry, RoleReinjection:
		o.Client = loopback
		if d := c.door(o); d != nil {
			if nets := c.eval.Networks(d.service); len(nets) > 0 {
				o.Client = nets[0].Addr()
			}
		}
	case FromInternet:
		o.Client = stranger
	case FromPickup:
		o.Client = loopback
	}
	return o
}

var stranger = netip.AddrFrom4([4]byte{192, 0, 2, 1})

// Enters says why no mail can come in so: an error that Is [ErrInvalid] for a
// Role that is none, and for one, or a Service, without a listener. What Route
// answers for such a message, reject, says nothing of the policy.
func (c *Config) Enters(o Origin) error {
	if c == nil {
		c = new(Config)
	}
	switch o.Role {
	case RoleGateway, RoleSubmission, RoleInternal, RoleReEntry, RoleReinjection, FromInternet, FromPickup:
	default:
		return fmt.Errorf("%w: role %q: gateway, submission, internal, reentry, reinjection, internet or pickup", ErrInvalid, o.Role)
	}
	switch {
	case c.door(o) != nil:
		return nil
	case o.Service != "":
		return fmt.Errorf("%w: no listener %q", ErrInvalid, o.Service)
	}
	return fmt.Errorf("%w: no listener has the role %q: add one to Listeners, or ask for mail that enters elsewhere", ErrInvalid, o.Role)
}

// SetTLS sets the state of the connection as commands and fixtures write it:
// "none", "tls", "name=NAME" for a verified client certificate of that name,
// "unverified=NAME" for one that isn't, or "fingerprint=HEX".
func (o *Origin) SetTLS(s string) error {
	kind, value, has := strings.Cut(s, "=")
	switch {
	case s == "none":
		o.TLS, o.Certificate = TLSPlaintext, Certificate{}
	case s == "tls":
		o.TLS, o.Certificate = TLSEncrypted, Certificate{}
	case kind == "name" && has && value != "":
		o.TLS, o.Certificate = TLSEncrypted, Certificate{Name: value, Verified: true}
	case kind == "unverified" && has && value != "":
		o.TLS, o.Certificate = TLSEncrypted, Certificate{Name: value}
	case kind == "fingerprint" && fixed.Fingerprint.MatchString(withColons(value)):
		o.TLS, o.Certificate = TLSEncrypted, Certificate{Fingerprint: strings.ToUpper(withColons(value))}
	default:
		return fmt.Errorf("%w: TLS state %q: none, tls, name=NAME, unverified=NAME or fingerprint=HEX (32 octets)", ErrInvalid, s)
	}
	return nil
}

// withColons writes plain hex as Postfix writes fingerprints.
func withColons(hex string) string {
	if strings.Contains(hex, ":") || len(hex)%2 != 0 {
		return hex
	}
	var b strings.Builder
	for i := 0; i < len(hex); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(hex[i : i+2])
	}
	return b.String()
}
