package policy

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/relay/internal/fixed"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// mechanism is the name of a SASL mechanism (RFC 4422, section 3.1).
var mechanism = regexp.MustCompile(`^[A-Za-z0-9_-]{1,20}$`)

func (v *validator) smartHost(at string, s SmartHost, p Policy) {
	seen := map[string]string{}
	for i, h := range s.Hosts() {
		here := at
		if i > 0 {
			here = paths.Index(at+".Fallback", i-1)
		}
		v.smartHostHost(here, h, s.EffectiveLevel())
		h.Host = mailaddr.AsciiHost(h.Host)
		key := strings.ToLower(h.NextHop())
		if other, dup := seen[key]; dup && h.Host != "" {
			v.errs.Add(here, ErrDuplicate, "remove one", "%s is %s already", h.NextHop(), other)
		}
		seen[key] = here
	}
	switch s.EffectiveLevel() {
	case LevelSecure:
		v.file(at+".CAFile", s.CAFile, "the file with the trusted authorities, such as /etc/ssl/certs/ca-certificates.crt")
	case LevelDANE, LevelFingerprint:
		if s.CAFile != "" {
			v.file(at+".CAFile", s.CAFile, "")
		}
	default:
		v.errs.Add(at+".Level", ErrInvalid, `"secure", "dane-only" or "fingerprint"`, "%q is not a level that verifies the server", s.Level)
	}
	v.identity(at, s)
	v.auth(at+".Auth", s.Auth, p)
}

func (v *validator) smartHostHost(at string, h FallbackHost, level TLSLevel) {
	v.host(at+".Host", h.Host, "the gateway's host name")
	if h.Port == 0 {
		v.errs.Required(at+".Port", "25 unless the vendor says else")
	}
	switch {
	case h.TLSName == "":
	case level == LevelSecure:
		v.host(at+".TLSName", h.TLSName, "the name in the gateway's certificate")
	case level == LevelDANE:
		v.errs.Add(at+".TLSName", headers.ErrNotExpressible, "remove it, or use level \"secure\"",
			"DANE goes by the key in DNS; names are compared only where a TLSA record asks for it, and then with the host's own")
	default:
		v.errs.Add(at+".TLSName", ErrConflict, "remove it, or use level \"secure\"", "at level %q the certificate's name is not looked at", level)
	}
	switch {
	case level == LevelFingerprint && len(h.Fingerprints) == 0:
		v.errs.Required(at+".Fingerprints", "the SHA-256 fingerprint of the server's certificate (openssl x509 -noout -fingerprint -sha256)")
	case level != LevelFingerprint && len(h.Fingerprints) > 0:
		v.errs.Add(at+".Fingerprints", ErrConflict, "remove them, or use level \"fingerprint\"", "at level %q they are not looked at", level)
	}
	for i, f := range h.Fingerprints {
		v.fingerprint(paths.Index(at+".Fingerprints", i), f)
	}
}

func (v *validator) fingerprint(at, f string) {
	if !fixed.Fingerprint.MatchString(f) {
		v.errs.Add(at, ErrInvalid, "32 octets in hex with colons (openssl x509 -noout -fingerprint -sha256)", "%q is not a SHA-256 fingerprint",
			f)
	}
}

// identity is how the gateway knows this server.
func (v *validator) identity(at string, s SmartHost) {
	if s.KnownByAddress {
		for _, f := range []struct {
			name string
			set  bool
		}{{"CertFile", s.CertFile != ""}, {"KeyFile", s.KeyFile != ""}, {"Auth", !s.Auth.IsZero()}} {
			if f.set {
				v.errs.Add(at+"."+f.name, ErrConflict, "remove one of the two", "KnownByAddress says that there is neither certificate nor login")
			}
		}
		return
	}
	if s.CertFile == "" && s.KeyFile == "" && !s.Auth.IsZero() {
		return
	}
	v.file(at+".CertFile", s.CertFile, "the server's client certificate, by which the gateway knows it; or Auth, or KnownByAddress")
	v.file(at+".KeyFile", s.KeyFile, "the key of the server's client certificate")
}

func (v *validator) auth(at string, a Auth, p Policy) {
	if a.IsZero() {
		return
	}
	v.passwordFile(at+".PasswordFile", a.PasswordFile)
	if dir, base := path.Split(a.PasswordFile); path.Clean(dir) == p.ConfigDir() {
		if base == "main.cf" || base == "master.cf" || slices.ContainsFunc(p.Gateways(), func(g Gateway) bool {
			return g.Name != "" && strings.HasPrefix(base, g.Name+"_")
		}) {
			v.errs.Add(at+".PasswordFile", ErrConflict, "choose another name", "it is, or may be, a file that is emitted for everybody to read")
		}
	}
	for i, m := range a.Mechanisms {
		here := paths.Index(at+".Mechanisms", i)
		switch {
		case !mechanism.MatchString(m):
			v.errs.Add(here, ErrInvalid, "up to 20 letters, digits, dashes and underscores, such as \"PLAIN\"", "not the name of a SASL mechanism")
		case strings.EqualFold(m, "ANONYMOUS"):
			v.errs.Add(here, ErrConflict, "remove it", "ANONYMOUS is no login")
		case strings.EqualFold(m, fixed.LoginDemand):
			v.errs.Add(here, ErrConflict, "remove it", "%s stands for a missing login", fixed.LoginDemand)
		case slices.ContainsFunc(a.Mechanisms[:i], func(o string) bool { return strings.EqualFold(o, m) }):
			v.errs.Add(here, ErrDuplicate, "remove one", "%s stands there already", m)
		}
	}
}

// passwordFile wants a file's path. Whoever writes the password itself there, or
// "user:password", must not find it in a log: the value is not repeated.
func (v *validator) passwordFile(at, s string) {
	one := &validator{}
	one.file(at, s, "the file on the server that holds the password, such as /etc/postfix/sasl_gateway")
	for _, e := range one.errs {
		if s != "" {
			e.Err, e.Fix = fmt.Errorf("%w: not the path of a file", ErrInvalid),
				"give the path from / of the file that holds the password, in its shortest form, with letters, digits and /._+@-"
		}
		v.errs = append(v.errs, e)
	}
}

// ports warns where a port and the way TLS begins don't fit each other.
func (s SmartHost) ports(at string, add func(path, format string, args ...any)) {
	for i, h := range s.Hosts() {
		at := at
		if i > 0 {
			at = paths.Index(at+".Fallback", i-1)
		}
		switch {
		case s.ImplicitTLS && (h.Port == 25 || h.Port == 587):
			add(at+".Port", "port %d begins in the clear (STARTTLS) with nearly every server, and ImplicitTLS is set", h.Port)
		case !s.ImplicitTLS && h.Port == 465:
			add(at+".Port", "port 465 is for TLS from the first octet, and ImplicitTLS is not set")
		}
	}
}
