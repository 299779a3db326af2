package relay

import (
	"cmp"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/doveconf"
	"github.com/oxmailroute/oxmailroute/relay/internal/release"
)

// Settings of Postfix that came with a release.
var (
	// tlsRequired: from here on the header "TLS-Required: no" of any user
	// switches verification off, and encryption with it (RFC 8689,
	// tls_required_enable).
	tlsRequired = release.Release{Major: 3, Minor: 10}
	// hidesSession: from here on Received: lines may hide how the client was
	// authenticated (smtpd_hide_client_session).
	hidesSession = release.Release{Major: 3, Minor: 10}
	// warnsOfPerSite: from here on each smtp_tls_per_site, even an empty one,
	// makes postconf and postfix check warn (DEPRECATION_README).
	warnsOfPerSite = release.Release{Major: 3, Minor: 9}
)

// dovecotBlocks is the release from which Dovecot reads another language:
// settings of plugins stand beside the others, and Sieve scripts in blocks.
var dovecotBlocks = release.Release{Major: 2, Minor: 4}

// versions resolves what the emission depends on.
func (c *reader) versions() {
	// Where a version isn't known, the first that could be meant goes on, to find
	// what else is wrong.
	defer func() {
		c.postfix, c.dovecot = cmp.Or(c.postfix, release.FirstPostfix), cmp.Or(c.dovecot, release.FirstDovecot)
		c.conf.Release = c.postfix.String()
	}()
	c.postfix = release.Postfix.Resolve(&c.errs, c.policy.Server.Postfix, []release.Found{{At: "Installation.PostfixVersion",
		Text: c.in.PostfixVersion}})
	c.patchRelease()
	if c.policy.Topology != TopologyMailboxes {
		return
	}
	c.dovecot = release.Dovecot.Resolve(&c.errs, c.policy.Server.Dovecot, []release.Found{
		{At: "Installation.DovecotVersion", Text: c.in.DovecotVersion},
		{At: "Installation.Doveconf", Text: doveconf.Version(c.in.Doveconf)},
	})
}

// sessionShown are the options by which the Received: line of the gateway's
// listener tells about the client's certificate, where a release or main.cf
// would have it tell less.
func (c *site) sessionShown() []postfix.Param {
	var o []postfix.Param
	if !c.postfix.Before(hidesSession) {
		o = append(o, opt("smtpd_hide_client_session", "no"))
	}
	if c.base.yes("smtpd_tls_enable_rpk") { // a bare key has no name
		o = append(o, opt("smtpd_tls_enable_rpk", "no"))
	}
	return o
}

// noPerSite empties smtp_tls_per_site, which is asked where there are no policy
// maps; in the releases that warn of it only where the installation sets it.
func (c *site) noPerSite() []postfix.Param {
	if c.postfix.Before(warnsOfPerSite) || c.base.Set("smtp_tls_per_site") {
		return []postfix.Param{opt("smtp_tls_per_site")}
	}
	return nil
}

// alwaysVerified are the options of the transport to the smart host by which
// no header of a message takes verification away. An older Postfix would warn
// of them.
func (c *site) alwaysVerified() []postfix.Param {
	var o []postfix.Param
	if !c.postfix.Before(tlsRequired) {
		o = append(o, opt("tls_required_enable", "no"))
	}
	return o
}
