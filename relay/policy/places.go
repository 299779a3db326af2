package policy

import (
	"cmp"
	"path"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay/internal/fixed"
)

// Owner is a file's user and group, by their numbers.
type Owner struct{ UID, GID int }

// Places are the directories of the server that emitted files belong into,
// absolute and clean.
type Places struct {
	Postfix string // the configuration directory
	Dovecot string // what dovecot.conf includes (conf.d)
	Global  string // the global Sieve script's directory
	Tenants string // the tenants' Sieve scripts' directory
	Nft     string // nftables' rulesets, included by nftables.conf
	HAProxy string // HAProxy's configuration, named by -f
}

// Places are where the policy's files belong: its own directories, and where it
// names none, Debian's.
func (p Policy) Places() Places {
	return Places{
		Postfix: path.Clean(p.ConfigDir()),
		Dovecot: "/etc/dovecot/conf.d",
		Global:  path.Clean(p.SieveDir()),
		Tenants: path.Clean(p.TenantDir()),
		Nft:     path.Clean(cmp.Or(p.Firewall.Directory, fixed.FirewallDir)),
		HAProxy: "/etc/haproxy",
	}
}

// Path is the absolute path on the server of a file by its File.Name; "" for a
// name that no emitted file has.
func (p Places) Path(name string) string {
	for _, d := range [...]struct{ prefix, dir string }{
		{"postfix/", p.Postfix}, {"dovecot/", p.Dovecot}, {"sieve/before/", p.Global}, {fixed.TenantScriptDir, p.Tenants}, {"nftables/",
			p.Nft}, {"haproxy/", p.HAProxy},
	} {
		if rest, ok := strings.CutPrefix(name, d.prefix); ok && rest != "" && d.dir != "" {
			return path.Join(d.dir, rest)
		}
	}
	return ""
}
