package relay

import "net/netip"

// valid is a policy with nothing wrong, which each case spoils in one place.
func valid() Policy {
	g := Conbool(netip.MustParsePrefix("127.0.2.0/28"))
	g.SmartHost.CertFile = "/etc/ssl/lab/ox.pem"
	g.SmartHost.KeyFile = "/etc/ssl/lab/ox.key"
	return Policy{
		Gateway: g,
		Server: Server{Hostname: "ox.example.com", Postfix: "3.7", Dovecot: "2.3", CertFile: "/etc/ssl/lab/ox.pem",
			KeyFile: "/etc/ssl/lab/ox.key"},
		Topology: TopologyMailboxes,
		Tenants: []Tenant{
			{Name: "com", Domains: []string{"example.com"}, Scope: Scope{Use: ScopeAll}},
			{Name: "net", Domains: []string{"example.net", "example.org"}, Scope: Scope{Use: ScopeDomains, Domains: []string{"example.net"}}},
		},
		Inbound: Inbound{Host: "mx-internal.example.com"},
		Listeners: []Listener{
			{Service: "127.0.1.1:25", Role: RoleGateway},
			{Service: "127.0.1.1:587", Role: RoleSubmission},
			{Service: "127.0.1.2:25", Role: RoleInternal},
		},
		Spam:      Spam{Folder: "Spam"},
		Sieve:     Sieve{Slot: 1},
		Mailboxes: []string{"alice@example.com", "bob@example.com"},
		Aliases:   []Alias{{Address: "team@example.com", Members: []string{"bob@example.com", "ext@remote1.test"}}},
	}
}
