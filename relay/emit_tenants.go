package relay

import (
	"maps"
	"slices"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/relay/internal/doveconf"
	"github.com/oxmailroute/oxmailroute/relay/internal/fixed"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
)

// longestTenant bounds the name of a domain that a file is named after: with
// what sievec(1) adds for its temporary file, NAME_MAX is 255 octets.
const longestTenant = 180

// emitTenants writes the script once for every spelling of every domain that
// uses the gateway: a recipient with SMTPUTF8 has U-labels.
func (c fileWriter) emitTenants(text []byte) map[string]string {
	files := map[string]string{}
	for _, d := range slices.Sorted(maps.Keys(derived.Sending(c.policy))) {
		names := []string{d}
		if u, err := headers.UnicodeDomain(d); err == nil && u != d {
			names = append(names, u) // not folded: Dovecot's "lower" is for ASCII
		}
		for _, k := range names {
			if len(k) > longestTenant {
				c.errs.Add("Sieve.Form", headers.ErrNotExpressible, `use the form "global" or "mailbox"`,
					"a script can't be named after %s, which is longer than %d octets", k, longestTenant)
				continue
			}
			name := fixed.TenantScriptDir + k + ".sieve"
			files[k] = name
			c.emit(name, text)
		}
	}
	return files
}

// tenantPath is the path by which Dovecot finds a tenant's script, in its
// language. Where there is none, no script runs, and nothing is logged.
func (c *site) tenantPath() string {
	if c.dovecot.Before(dovecotBlocks) {
		return c.policy.TenantDir() + "/%Ld.sieve"
	}
	return c.policy.TenantDir() + "/%{user | domain | lower}.sieve"
}

// tenantKey is the domain as Dovecot finds it in a user name, in lower case as
// far as it is ASCII.
func tenantKey(mailbox string) string {
	_, domain := mailaddr.Split(mailbox)
	d := []byte(domain)
	for i, c := range d {
		if 'A' <= c && c <= 'Z' {
			d[i] = c + 'a' - 'A'
		}
	}
	return string(d)
}

// checkUserName: where Dovecot takes the domain off its users' names, no script
// is found by it.
func (c fileWriter) checkUserName(conf doveconf.Settings, d deliveryScripts) {
	if d.tenants == nil || d.global == nil {
		return
	}
	if c.in.Doveconf == nil && !c.dovecot.Before(dovecotBlocks) {
		c.warn("Sieve.Form", "Debian's own 20-lmtp.conf for Dovecot 2.4 takes the domain off users' names (auth_username_format), where no "+
			"tenant's script would be found; give Installation.Doveconf to have it checked")
	}
	for _, section := range deliverySections {
		have, ok := conf[section+"auth_username_format"]
		if !ok || have == "" || doveconf.KeepsDomain(have) {
			continue
		}
		c.errs.Add(doveconf.Place(section, "auth_username_format"), ErrConflict, "keep the domain in users' names, or use Sieve.Form \"global\"",
			"%s takes the domain off, by which a tenant's script is found", have)
	}
}
