package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/relay/internal/fixed"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// smartHost is the transport to the gateway. Certificate and key are here, so
// that no other server sees them, and the level with its name is here, so that
// no policy map can miss it.
func (c *masterWriter) smartHost(g *gateway) {
	s := g.policy.Gateway.SmartHost
	o := slices.Concat([]postfix.Param{
		opt("smtp_tls_security_level", string(s.EffectiveLevel())),
	}, c.proof(s), []postfix.Param{
		opt("smtp_tls_policy_maps", c.tlsPolicyMap(g)),
		opt("smtp_tls_wrappermode", yesNo(s.ImplicitTLS)),
		opt("smtp_tls_chain_files"),
		opt("smtp_tls_cert_file", s.CertFile),
		opt("smtp_tls_key_file", s.KeyFile),
		opt("smtp_tls_eccert_file"),
		opt("smtp_tls_eckey_file"),
		opt("smtp_tls_dcert_file"),
		opt("smtp_tls_dkey_file"),
	}, c.noPerSite(), c.login(s), []postfix.Param{
		opt("smtp_fallback_relay"),
	}, c.alwaysVerified(), c.neutral(postfix.SmartHostTransport))
	c.add(g.names.smartHost, "unix", "-", "smtp", "the gateway's smart host", o...)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// proof is what the server must show.
func (c *site) proof(s SmartHost) []postfix.Param {
	authorities := []postfix.Param{opt("smtp_tls_CAfile", s.CAFile), opt("smtp_tls_CApath"), opt("tls_append_default_CA", "no")}
	switch s.EffectiveLevel() {
	case LevelDANE:
		return append([]postfix.Param{
			opt("smtp_dns_support_level", "dnssec"),
			opt("smtp_host_lookup", "dns"),
		}, authorities...)
	case LevelFingerprint:
		return append([]postfix.Param{
			opt("smtp_tls_fingerprint_digest", "sha256"),
			opt("smtp_tls_fingerprint_cert_match", upper(s.Fingerprints)...),
		}, authorities...)
	}
	// Where the policy map has a name for each host, this is the first's.
	return append([]postfix.Param{opt("smtp_tls_secure_cert_match", s.Hosts()[0].EffectiveTLSName())}, authorities...)
}

func upper(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToUpper(s)
	}
	return out
}

// tlsPolicyTable names each host's own proof, by the next hop as the transport
// spells it.
func (g *gateway) tlsPolicyTable() postfix.Table {
	s := g.policy.Gateway.SmartHost
	if !derived.Policed(s) {
		return nil
	}
	var t postfix.Table
	for i, h := range s.Hosts() {
		at := "Gateway.SmartHost"
		if i > 0 {
			at = paths.Index(at+".Fallback", i-1)
		}
		value := "secure match=" + h.EffectiveTLSName()
		if s.EffectiveLevel() == LevelFingerprint {
			value = "fingerprint match=" + strings.Join(upper(h.Fingerprints), "|")
		}
		t = append(t, postfix.Entry{Key: strings.ToLower(h.NextHop()), Value: value, Rule: at})
	}
	return t
}

func (c *masterWriter) tlsPolicyMap(g *gateway) string { return c.hashMap(g.names.tlsPolicy) }

// login is SASL. The password table answers by the host's name or by the next
// hop; a next hop that it doesn't know is an error instead of "no login", so
// that the mail waits. Passwords go in the clear inside TLS, and only where the
// server has proved who it is.
func (c *site) login(s SmartHost) []postfix.Param {
	if s.Auth.IsZero() {
		return []postfix.Param{opt("smtp_sasl_auth_enable", "no")}
	}
	hops := make([]string, 0, len(s.Fallback)+1)
	for _, h := range s.Hosts() {
		hops = append(hops, strings.ToLower(h.NextHop())+"=x")
	}
	mechanisms := upper(s.Auth.Mechanisms)
	if len(mechanisms) > 0 {
		mechanisms = append(mechanisms, fixed.LoginDemand)
	}
	o := []postfix.Param{
		opt("smtp_sasl_auth_enable", "yes"),
		opt("smtp_sasl_type", "cyrus"),
		opt("smtp_sasl_path"),
		opt("smtp_sasl_password_maps", "texthash:"+s.Auth.PasswordFile, "pipemap:{inline:{"+strings.Join(hops, ",")+"},fail:login}"),
		opt("smtp_sasl_security_options", "noplaintext", "noanonymous"),
		opt("smtp_sasl_tls_security_options", "noplaintext", "noanonymous"),
		opt("smtp_sasl_tls_verified_security_options", "noanonymous"),
		opt("smtp_sasl_mechanism_filter", mechanisms...),
		opt("smtp_sasl_auth_soft_bounce", "yes"),
		opt("smtp_sasl_auth_cache_name"),
		opt("smtp_sender_dependent_authentication", "no"),
		opt("smtp_reply_filter", "regexp:"+c.path(c.names.authDemand)),
	}
	if c.base.Set("smtp_sasl_password_result_delimiter") {
		o = append(o, opt("smtp_sasl_password_result_delimiter", ":"))
	}
	return o
}

// withoutSecrets forgets the password file, which a configuration directory that
// was read whole may have brought along.
func (c *reader) withoutSecrets() {
	for _, g := range c.policy.Gateways() {
		file, inside := c.conf.FileName(g.SmartHost.Auth.PasswordFile)
		if inside {
			delete(c.stock, file)
		}
	}
}

// checkSecret is the command that refuses a password file which others may
// read, or that is not there.
func (c *site) checkSecret(add func(silent bool, why string, args ...string)) {
	checked := map[string]bool{}
	for _, g := range c.policy.Gateways() {
		file := g.SmartHost.Auth.PasswordFile
		if file == "" || checked[file] {
			continue
		}
		checked[file] = true
		add(true, "the password file is a plain file of root's with mode 0600, or its name is printed",
			"find", file, "-maxdepth", "0", "-type", "f", "-user", "root", "-perm", "0600", "-o", "-fprint", "/dev/stderr")
	}
}

// checkCertificates is the command that refuses a certificate, key or authority
// that is not there, or empty: mail would wait for it, and nothing else looks
// before the reload. Package deploy looks into them.
func (c *site) checkCertificates(add func(silent bool, why string, args ...string)) {
	files := []string{c.policy.Server.CertFile, c.policy.Server.KeyFile}
	for _, g := range c.policy.Gateways() {
		files = append(files, g.SmartHost.CertFile, g.SmartHost.KeyFile, g.SmartHost.CAFile, g.Client.CAFile)
	}
	slices.Sort(files)
	files = slices.DeleteFunc(slices.Compact(files), func(f string) bool { return f == "" })
	if len(files) == 0 {
		return
	}
	add(true, "certificates, keys and authorities are files with something in them, or their names are printed",
		slices.Concat([]string{"find", "-L"}, files, []string{"-maxdepth", "0", "(", "!", "-type", "f", "-o", "-size", "0", ")",
			"-fprint", "/dev/stderr"})...)
}

// authDemandTable is a smtp_reply_filter (postconf(5)).
func (c fileWriter) authDemandTable(g *gateway) {
	if g.policy.Gateway.SmartHost.Auth.IsZero() {
		return
	}
	c.emit("postfix/"+g.names.authDemand, []byte("# "+g.names.managed()+"\n"+
		"# A login is demanded of every server; without one, mail waits.\n"+
		"/^250([- ])(SIZE( [0-9]*)?|ENHANCEDSTATUSCODES|CHUNKING|HELP|VRFY|ETRN|EXPN)$/\t250${1}AUTH "+fixed.LoginDemand+"\n"+
		"/^530([- ].*)$/\t430${1}\n"))
}
