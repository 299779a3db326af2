package policy

import (
	"cmp"
	"net/netip"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
)

// Uses returns what reports whether mail for a domain of the tenant, as A-labels,
// comes by the gateway: where anybody of it sends by it. The others stay as they are.
func (t Tenant) Uses() func(domain string) bool {
	in, out := make(map[string]bool), make(map[string]bool)
	add := func(to map[string]bool, d string) {
		if ascii, err := headers.ASCIIDomain(d); err == nil {
			to[ascii] = true
		}
	}
	for _, d := range t.Scope.Except {
		add(out, d)
	}
	switch t.Scope.Use {
	case ScopeDomains:
		for _, d := range t.Scope.Domains {
			add(in, d)
		}
	case ScopeSenders:
		last := ""
		for _, a := range t.Scope.Senders {
			if _, d := mailaddr.Split(a); d != last {
				add(in, d)
				last = d
			}
		}
	}
	return func(domain string) bool { return !out[domain] && (t.Scope.Use == ScopeAll || in[domain]) }
}

// DefaultOriginHeader is the name of the header by which the second pass knows
// what the gateway's listener accepted.
const DefaultOriginHeader = "X-OXMailroute-Origin"

// DefaultConfigDir is config_directory where the policy names none (postconf(5)).
const DefaultConfigDir = "/etc/postfix"

const defaultSieveDir = "/etc/dovecot/sieve/before"

const defaultTenantDir = "/etc/dovecot/sieve/tenants"

const defaultSecondPass = "127.0.0.1:10030"

const defaultStrip = "127.0.0.1:10031"

const defaultReEntry = "127.0.0.1:10032"

const defaultSorting = "127.0.0.1:10033"

const defaultGenerated = "127.0.0.1:10034"

// SecondPass is where the second pass listens: Server.SecondPass, or its default.
func (p Policy) SecondPass() netip.AddrPort { return orAddr(p.Server.SecondPass, defaultSecondPass) }

// Strip is where mail loses its markers: Server.Strip, or its default.
func (p Policy) Strip() netip.AddrPort { return orAddr(p.Server.Strip, defaultStrip) }

// ReEntry is where this server's Dovecot sends: Server.ReEntry, or its default.
func (p Policy) ReEntry() netip.AddrPort { return orAddr(p.Server.ReEntry, defaultReEntry) }

// Sorting is where what Sieve sends is told apart: Server.Sorting, or its default.
func (p Policy) Sorting() netip.AddrPort { return orAddr(p.Server.Sorting, defaultSorting) }

// Generated is where what Sieve made goes: Server.Generated, or its default.
func (p Policy) Generated() netip.AddrPort { return orAddr(p.Server.Generated, defaultGenerated) }

func orAddr(a netip.AddrPort, otherwise string) netip.AddrPort {
	if a == (netip.AddrPort{}) {
		return netip.MustParseAddrPort(otherwise)
	}
	return a
}

// ConfigDir is Postfix's configuration directory, or its default.
func (p Policy) ConfigDir() string { return cmp.Or(p.Server.ConfigDirectory, DefaultConfigDir) }

// SieveDir is the global script's directory, or its default.
func (p Policy) SieveDir() string { return cmp.Or(p.Sieve.Directory, defaultSieveDir) }

// TenantDir is the tenants' scripts' directory, or its default.
func (p Policy) TenantDir() string { return cmp.Or(p.Sieve.Directory, defaultTenantDir) }

// OriginHeader is the origin header's name, or its default.
func (p Policy) OriginHeader() string { return cmp.Or(p.Loop.OriginHeader, DefaultOriginHeader) }

// SieveForm is where the Sieve rules run, by default [SieveGlobal].
func (p Policy) SieveForm() SieveForm { return cmp.Or(p.Sieve.Form, SieveGlobal) }

// ClientCAFile verifies the gateway's certificate: its own, or that of the smart host.
func (g Gateway) ClientCAFile() string { return cmp.Or(g.Client.CAFile, g.SmartHost.CAFile) }
