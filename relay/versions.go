package relay

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// The releases whose defaults and languages are known: first and last of each.
var (
	firstPostfix, lastPostfix = release{3, 7}, release{3, 10}
	firstDovecot, lastDovecot = release{2, 3}, release{2, 4}
)

// Settings of Postfix that came with a release.
var (
	// tlsRequired: from here on the header "TLS-Required: no" of any user
	// switches verification off, and encryption with it (RFC 8689,
	// tls_required_enable).
	tlsRequired = release{3, 10}
	// hidesSession: from here on Received: lines may hide how the client was
	// authenticated (smtpd_hide_client_session).
	hidesSession = release{3, 10}
	// warnsOfPerSite: from here on each smtp_tls_per_site, even an empty one,
	// makes postconf and postfix check warn (DEPRECATION_README).
	warnsOfPerSite = release{3, 9}
)

// dovecotBlocks is the release from which Dovecot reads another language:
// settings of plugins stand beside the others, and Sieve scripts in blocks.
var dovecotBlocks = release{2, 4}

// release is the first two numbers of a program's version.
type release struct{ major, minor int }

// String is "major.minor", as a policy writes it.
func (r release) String() string { return fmt.Sprintf("%d.%d", r.major, r.minor) }

func (r release) before(other release) bool {
	return r.major < other.major || r.major == other.major && r.minor < other.minor
}

// parseRelease reads a version as a policy has it or as a program prints it:
// "3.7", "3.7.11", "mail_version = 3.7.11", "2.4.1-4 (7d8c0e5759)".
func parseRelease(s string) (release, bool) {
	s = strings.TrimSpace(s)
	if name, value, ok := strings.Cut(s, "="); ok {
		if strings.TrimSpace(name) != "mail_version" {
			return release{}, false
		}
		s = strings.TrimSpace(value)
	}
	s, _, _ = strings.Cut(s, " ")
	major, minor, ok := version(s)
	return release{major, minor}, ok
}

// program is one of the two whose version matters.
type program struct {
	name        string // "Postfix"
	ask         string // what tells the version
	first, last release
}

var (
	postfixProgram = program{"Postfix", "postconf -h mail_version", firstPostfix, lastPostfix}
	dovecotProgram = program{"Dovecot", "dovecot --version", firstDovecot, lastDovecot}
)

// read reports what is wrong with a version, or returns its release.
func (p program) read(errs *Errors, at, text string) (release, bool) {
	r, ok := parseRelease(text)
	switch {
	case !ok:
		errs.add(at, ErrInvalid, "what `"+p.ask+"` prints", "%q is not a version", text)
	case r.before(p.first):
		errs.add(at, ErrUnsupported, fmt.Sprintf("use %s %s to %s", p.name, p.first, p.last), "%s %s is too old", p.name, r)
	case p.last.before(r):
		errs.add(at, ErrUnsupported, fmt.Sprintf("use %s %s to %s, or a release of this module that knows %s", p.name, p.first, p.last, r),
			"%s %s is not known, and a new release may bring settings that break the emitted guarantees", p.name, r)
	default:
		return r, true
	}
	return release{}, false
}

// resolve finds the version of a program in the policy and in the
// installation, which must not contradict each other.
func (p program) resolve(errs *Errors, policy string, installation []found) release {
	at := "Server." + p.name
	var have release
	var where string
	if policy != "" {
		if r, ok := parseRelease(policy); ok {
			have, where = r, at // Validate has judged it
		}
	}
	bad := false
	for _, f := range installation {
		if strings.TrimSpace(f.text) == "" {
			continue
		}
		r, ok := p.read(errs, f.at, f.text)
		switch {
		case !ok:
			bad = true
		case where == "":
			have, where = r, f.at
		case r != have:
			errs.add(at, ErrConflict, fmt.Sprintf("write %s, or leave it out", r), "%s says %s, %s says %s", where, have, f.at, r)
		}
	}
	if where == "" && !bad {
		errs.required(at, fmt.Sprintf("what `%s` prints, here or as Installation.%sVersion", p.ask, p.name))
	}
	return have
}

// found is a version that a file or a program's output names.
type found struct{ at, text string }

// versions resolves what the emission depends on.
func (c *compiler) versions() {
	// Where a version isn't known, the first that could be meant goes on, to find
	// what else is wrong.
	defer func() {
		c.postfix, c.dovecot = cmp.Or(c.postfix, firstPostfix), cmp.Or(c.dovecot, firstDovecot)
		c.conf.Release = c.postfix.String()
	}()
	c.postfix = postfixProgram.resolve(&c.errs, c.policy.Server.Postfix, []found{{"Installation.PostfixVersion", c.in.PostfixVersion}})
	c.patchRelease()
	if c.policy.Topology != Mailboxes {
		return
	}
	c.dovecot = dovecotProgram.resolve(&c.errs, c.policy.Server.Dovecot, []found{
		{"Installation.DovecotVersion", c.in.DovecotVersion},
		{"Installation.Doveconf", doveconfVersion(c.in.Doveconf)},
	})
}

// doveconfVersion is the version that `doveconf -n` names in its first line
// ("# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf").
func doveconfVersion(text []byte) string {
	line, _, _ := strings.Cut(string(text), "\n")
	rest, ok := strings.CutPrefix(line, "# ")
	if !ok {
		return ""
	}
	if _, ok := parseRelease(rest); !ok {
		return "" // another comment
	}
	return rest
}

// sessionShown are the options by which the Received: line of the gateway's
// listener tells about the client's certificate, where a release or main.cf
// would have it tell less.
func (c *compiler) sessionShown() []postfix.Param {
	var o []postfix.Param
	if !c.postfix.before(hidesSession) {
		o = append(o, opt("smtpd_hide_client_session", "no"))
	}
	if c.base.yes("smtpd_tls_enable_rpk") { // a bare key has no name
		o = append(o, opt("smtpd_tls_enable_rpk", "no"))
	}
	return o
}

// noPerSite empties smtp_tls_per_site, which is asked where there are no policy
// maps; in the releases that warn of it only where the installation sets it.
func (c *compiler) noPerSite() []postfix.Param {
	if c.postfix.before(warnsOfPerSite) || c.base.set("smtp_tls_per_site") {
		return []postfix.Param{opt("smtp_tls_per_site")}
	}
	return nil
}

// alwaysVerified are the options of the transport to the smart host by which
// no header of a message takes verification away. An older Postfix would warn
// of them.
func (c *compiler) alwaysVerified() []postfix.Param {
	var o []postfix.Param
	if !c.postfix.before(tlsRequired) {
		o = append(o, opt("tls_required_enable", "no"))
	}
	return o
}
