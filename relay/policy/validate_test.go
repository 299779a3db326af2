package policy_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/fault"
	. "github.com/oxmailroute/oxmailroute/relay/policy"
)

// testdata has the policies of the tests' world.
const testdata = "../../examples/oxmailroute/testdata/"

// remedied holds every problem to a place and to a remedy of its own, which the
// text of the problem does not have, and which is not what is said of anything.
func remedied(tb testing.TB, err error) {
	tb.Helper()
	if err == nil {
		return
	}
	var list Errors
	if !errors.As(err, &list) || len(list) == 0 {
		tb.Errorf("%T, not Errors: %v", err, err)
	}
	for _, e := range list {
		if e.Position.String() == "" || e.Fix == "" || e.Fix == fault.RemedyOf(errors.New("anything")) || strings.Contains(e.Err.Error(), e.Fix) {
			tb.Errorf("place %q, problem %q, remedy %q", e.Position.String(), e.Err, e.Fix)
		}
	}
}

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

func TestValidateAcceptsThePage(t *testing.T) {
	p := valid()
	if err := p.Validate(); err != nil {
		t.Errorf("Validate: %v", err)
	}
	if w := p.Warnings(); len(w) != 0 {
		t.Errorf("Warnings: %v", w)
	}
}

func TestValidate(t *testing.T) {
	type want struct {
		path string
		kind error
	}
	tests := []struct {
		name  string
		spoil func(*Policy)
		want  []want
	}{
		{"zero policy", func(p *Policy) { *p = Policy{} }, []want{
			{"Gateway.Name", ErrRequired}, {"Gateway.SmartHost.Host", ErrRequired}, {"Gateway.SmartHost.Port", ErrRequired},
			{"Gateway.SmartHost.CAFile", ErrRequired}, {"Gateway.SmartHost.CertFile", ErrRequired}, {"Gateway.SmartHost.KeyFile", ErrRequired},
			{"Gateway.Networks", ErrRequired}, {"Gateway.Markers", ErrRequired}, {"Topology", ErrRequired},
			{"Tenants", ErrRequired}, {"Inbound.Host", ErrRequired},
		}},
		{"bad domain", func(p *Policy) { p.Tenants[0].Domains = []string{"exa mple.com"}; p.Mailboxes, p.Aliases = nil, nil },
			[]want{{"Tenants[0].Domains[0]", ErrInvalid}}},
		{"duplicate domain", func(p *Policy) { p.Tenants[1].Domains = []string{"example.net", "example.org", "EXAMPLE.com"} },
			[]want{{"Tenants[1].Domains[2]", ErrDuplicate}}},
		{"the gateway's own domain", func(p *Policy) { p.Tenants[1].Domains = append(p.Tenants[1].Domains, "conbool.com") },
			[]want{{"Tenants[1].Domains[2]", ErrConflict}}},
		{"the gateway's host", func(p *Policy) { p.Tenants[1].Domains = append(p.Tenants[1].Domains, "mail.conbool.com") },
			[]want{{"Tenants[1].Domains[2]", ErrConflict}}},
		{"no scope", func(p *Policy) { p.Tenants[0].Scope = Scope{} }, []want{{"Tenants[0].Scope.Use", ErrRequired}}},
		{"unknown scope", func(p *Policy) { p.Tenants[0].Scope.Use = "some" }, []want{{"Tenants[0].Scope.Use", ErrInvalid}}},
		{"scope of another tenant", func(p *Policy) { p.Tenants[1].Scope.Domains = []string{"example.com"} },
			[]want{{"Tenants[1].Scope.Domains[0]", ErrConflict}}},
		{"foreign sender", func(p *Policy) {
			p.Tenants[0].Scope = Scope{Use: ScopeSenders, Senders: []string{"a@example.com", "b@remote1.test"}}
		}, []want{{"Tenants[0].Scope.Senders[1]", ErrConflict}}},
		{"sender twice", func(p *Policy) {
			p.Tenants[0].Scope = Scope{Use: ScopeSenders, Senders: []string{"a@example.com", "A@Example.com"}}
		}, []want{{"Tenants[0].Scope.Senders[1]", ErrDuplicate}}},
		{"no address", func(p *Policy) {
			p.Tenants[0].Scope = Scope{Use: ScopeSenders, Senders: []string{"alice"}}
			p.Mailboxes[0], p.Aliases[0].Members[0], p.Server.Hostname = "a b@example.com", "x", "192.0.2.1"
		}, []want{{"Server.Hostname", ErrInvalid}, {"Tenants[0].Scope.Senders[0]", ErrInvalid}, {"Mailboxes[0]",
			ErrInvalid}, {"Aliases[0].Members[0]", ErrInvalid}}},
		{"exception removes nothing", func(p *Policy) { p.Tenants[1].Scope.Except = []string{"example.org"} },
			[]want{{"Tenants[1].Scope.Except[0]", ErrConflict}}},
		{"exception removes nothing of what is gone", func(p *Policy) {
			p.Tenants[1].Scope.Except = []string{"example.net", "a@example.net"}
		}, []want{{"Tenants[1].Scope.Except[1]", ErrConflict}}},
		{"host bits", func(p *Policy) { p.Gateway.Networks = []netip.Prefix{netip.MustParsePrefix("127.0.2.1/28")} },
			[]want{{"Gateway.Networks[0]", ErrInvalid}}},
		{"everybody", func(p *Policy) { p.Gateway.Networks = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")} },
			[]want{{"Gateway.Networks[0]", ErrInvalid}}},
		{"everybody in two halves", func(p *Policy) { p.Gateway.Networks = nets("0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1") },
			[]want{{"Gateway.Networks[0]", ErrInvalid}, {"Gateway.Networks[1]", ErrInvalid}, {"Gateway.Networks[2]", ErrInvalid},
				{"Gateway.Networks[3]", ErrInvalid}}},
		{"all of IPv4 in /8", func(p *Policy) { p.Gateway.Networks = eighths(256) }, []want{{"Gateway.Networks", ErrInvalid}}},
		{"one /8 too many", func(p *Policy) { p.Gateway.Networks = eighths(17) }, []want{{"Gateway.Networks", ErrInvalid}}},
		{"a /16 of IPv6 too many", func(p *Policy) {
			p.Gateway.Networks = nil
			for i := range 9 {
				p.Gateway.Networks = append(p.Gateway.Networks, netip.PrefixFrom(netip.AddrFrom16([16]byte{0x26, byte(i)}), 16))
			}
		}, []want{{"Gateway.Networks", ErrInvalid}}},
		{"too short by a bit", func(p *Policy) { p.Server.Networks = nets("10.0.0.0/7", "2000::/15", "f800::/6") },
			[]want{{"Server.Networks[0]", ErrInvalid}, {"Server.Networks[1]", ErrInvalid}, {"Server.Networks[2]", ErrInvalid}}},
		{"network twice", func(p *Policy) { p.Gateway.Networks = append(p.Gateway.Networks, p.Gateway.Networks[0]) },
			[]want{{"Gateway.Networks[1]", ErrDuplicate}}},
		{"illegal header name", func(p *Policy) {
			p.Gateway.Markers.Released = headers.When(headers.Match{Name: "X Released", Op: headers.Is, Values: []string{"yes"}})
		}, []want{{"Gateway.Markers.Released.Name", ErrInvalid}}},
		{"line break in a header value", func(p *Policy) {
			p.Gateway.Markers.Spam = headers.When(headers.Match{Name: "X-Flag", Op: headers.Is, Values: []string{"YES\nX: y"}})
		}, []want{{"Gateway.Markers.Spam.Values[0]", ErrInvalid}}},
		{"condition over two fields", func(p *Policy) {
			p.Gateway.Markers.Spam = headers.When(headers.All{headers.Exists{Name: "X-A"}, headers.Exists{Name: "X-B"}})
		}, []want{{"Gateway.Markers.Spam", headers.ErrNotExpressible}}},
		{"marker that is not a field", func(p *Policy) {
			p.Gateway.Markers.Spam = headers.When(headers.ContentType{Types: []string{"text/html"}})
		}, []want{{"Gateway.Markers.Spam", ErrInvalid}}},
		{"line break in the domain marker's value", func(p *Policy) { p.Gateway.Markers.Domain.Value = "a\nb" },
			[]want{{"Gateway.Markers.Domain.Value", ErrInvalid}}},
		{"half a domain marker", func(p *Policy) { p.Gateway.Markers.Domain.Value = "" }, []want{{"Gateway.Markers.Domain", ErrRequired}}},
		{"reserved prefix of everybody", func(p *Policy) { p.Gateway.Markers.Reserved = []string{"X-"} },
			[]want{{"Gateway.Markers.Reserved[0]", ErrInvalid}}},
		{"reserved prefix of Dovecot's fields", func(p *Policy) { p.Gateway.Markers.Reserved = []string{"X-Siev"} },
			[]want{{"Gateway.Markers.Reserved[0]", ErrInvalid}}},
		{"line break in a folder", func(p *Policy) { p.Spam.Folder = "Spam\"; stop;\r\n" }, []want{{"Spam.Folder", ErrInvalid}}},
		{"NUL in a tenant's name", func(p *Policy) { p.Tenants[0].Name = "a\x00b" }, []want{{"Tenants[0].Name", ErrInvalid}}},
		{"relative path", func(p *Policy) { p.Gateway.SmartHost.CertFile = "ox.pem" }, []want{{"Gateway.SmartHost.CertFile", ErrInvalid}}},
		{"path with a macro", func(p *Policy) { p.Gateway.SmartHost.KeyFile = "/etc/$x" }, []want{{"Gateway.SmartHost.KeyFile", ErrInvalid}}},
		{"listener without a role", func(p *Policy) { p.Listeners[1].Role = "" }, []want{{"Listeners[1].Role", ErrRequired}}},
		{"no listener for the gateway", func(p *Policy) { p.Listeners = p.Listeners[1:] }, []want{{"Listeners", ErrRequired}}},
		{"listener twice", func(p *Policy) { p.Listeners[2].Service = "127.0.1.1:587" }, []want{{"Listeners[2].Service", ErrDuplicate}}},
		{"names and fingerprints", func(p *Policy) {
			p.Gateway.Client.Fingerprints = []string{strings.Repeat("AB:", 31) + "AB"}
		}, []want{{"Gateway.Client", headers.ErrNotExpressible}}},
		{"certificate name that ends the pattern", func(p *Policy) { p.Gateway.Client.Names = []string{`x", Issuer "y`} },
			[]want{{"Gateway.Client.Names[0]", ErrInvalid}}},
		{"strangers on a listener of the gateway's alone", func(p *Policy) { p.Inbound.Anybody = true },
			[]want{{"Inbound.Anybody", ErrConflict}}},
		{"a tenant that stays without a way in", func(p *Policy) { p.Tenants[0].Scope = Scope{Use: ScopeNone}; p.Listeners = p.Listeners[:2] },
			[]want{{"Inbound.Shared", ErrConflict}}},
		{"a domain that stays without a way in", func(p *Policy) {
			p.Tenants[0].Domains = append(p.Tenants[0].Domains, "stays.example")
			p.Tenants[0].Scope = Scope{Use: ScopeDomains, Domains: p.Tenants[0].Domains[:1]}
			p.Listeners = p.Listeners[:2]
		}, []want{{"Inbound.Shared", ErrConflict}}},
		{"elsewhere, and nobody stays", func(p *Policy) {
			p.Inbound.Elsewhere = true
			for i := range p.Tenants {
				p.Tenants[i].Scope = Scope{Use: ScopeAll}
			}
		}, []want{{"Inbound.Elsewhere", ErrConflict}}},
		{"inbound host is the gateway", func(p *Policy) { p.Inbound.Host = "mail.conbool.com" }, []want{{"Inbound.Host", ErrConflict}}},
		{"no use for the spam marker", func(p *Policy) { p.Spam = Spam{} }, []want{{"Spam", ErrRequired}}},
		{":create in a mailbox's own script", func(p *Policy) { p.Sieve.Form = SievePerMailbox; p.Spam.Create = true },
			[]want{{"Spam.Create", headers.ErrNotExpressible}}},
		{"an unknown generation of OX", func(p *Policy) { p.Sieve.OX = "7" }, []want{{"Sieve.OX", ErrInvalid}}},
		{"any domain where users can add headers", func(p *Policy) { p.Loop.AnyDomain = true; p.Sieve.UserEditheader = true },
			[]want{{"Sieve.UserEditheader", headers.ErrNotExpressible}}},
		{"unknown version", func(p *Policy) { p.Server.Postfix = "3.11"; p.Server.Dovecot = "2.2.36" },
			[]want{{"Server.Postfix", ErrUnsupported}, {"Server.Dovecot", ErrUnsupported}}},
		{"direct to a hosted domain", func(p *Policy) { p.Direct = []string{"example.org"} }, []want{{"Direct[0]", ErrConflict}}},
		{"gateway name of Postfix's own", func(p *Policy) { p.Gateway.Name = "cleanup" }, []want{{"Gateway.Name", ErrConflict}}},
		{"gateway name of all transports' parameters", func(p *Policy) { p.Gateway.Name = "default" }, []want{{"Gateway.Name", ErrConflict}}},
		{"origin header the gateway may set", func(p *Policy) { p.Loop.OriginHeader = "X-Conbool-Origin" },
			[]want{{"Loop.OriginHeader", ErrConflict}}},
		{"ports collide", func(p *Policy) { p.Server.ReEntry = netip.MustParseAddrPort("127.0.0.1:10030") },
			[]want{{"Server.ReEntry", ErrDuplicate}}},
		{"mailbox of nobody", func(p *Policy) { p.Mailboxes = append(p.Mailboxes, "x@remote1.test") }, []want{{"Mailboxes[2]", ErrConflict}}},
		{"store without topology", func(p *Policy) { p.Topology = TopologyStore }, []want{{"Tenants[0].Store", ErrRequired},
			{"Tenants[1].Store", ErrRequired}, {"Spam.Folder", ErrConflict}}},
		{"outbound with a gateway listener", func(p *Policy) { p.Topology = TopologyOutbound; p.Spam = Spam{}; p.Direct = []string{"a.test"} },
			[]want{{"Listeners[0].Role", ErrConflict}}},
		{"several at once", func(p *Policy) { p.Gateway.SmartHost.Port = 0; p.Tenants[1].Domains[1] = "x y"; p.Spam.Folder = "" }, []want{
			{"Gateway.SmartHost.Port", ErrRequired}, {"Tenants[1].Domains[1]", ErrInvalid}, {"Spam", ErrRequired},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := valid()
			tt.spoil(&p)
			err := p.Validate()
			remedied(t, err)
			var list Errors
			if !errors.As(err, &list) {
				t.Fatalf("Validate: %v, want Errors", err)
			}
			var got, wanted []string
			for _, e := range list {
				got = append(got, e.Position.String())
			}
			for _, w := range tt.want {
				wanted = append(wanted, w.path)
			}
			if diff := cmp.Diff(wanted, got); diff != "" {
				t.Fatalf("paths (-want +got):\n%s\n%v", diff, err)
			}
			for i, w := range tt.want {
				if !errors.Is(list[i], w.kind) {
					t.Errorf("%v: not %v", list[i], w.kind)
				}
			}
		})
	}
}

func nets(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// eighths are the first n networks of eight bits.
func eighths(n int) (out []netip.Prefix) {
	for i := range n {
		out = append(out, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i)}), 8))
	}
	return out
}

// TestNetworks: what is large and somebody's is taken, overlaps count once, and
// the fix speaks of the list that it is about.
func TestNetworks(t *testing.T) {
	p := valid()
	p.Gateway.Networks = append(eighths(16), nets("3.0.0.0/9", "3.128.0.0/9", "2a00::/16", "2000::/16", "2a00:1450::/32")...)
	p.Server.Networks = nets("127.0.0.0/8", "10.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128")
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
	p = valid()
	p.Gateway.Networks = nets("::1/128", "64:ff9b::c000:200/120", "2002:c000:200::/40", "2600::/16", "2003::/19")
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
	many := nets("2001::/16", "2003::/16")
	for _, first := range []int{0x24, 0x26, 0x28, 0x2a, 0x2c} {
		for second := range 16 {
			many = append(many, netip.PrefixFrom(netip.AddrFrom16([16]byte{byte(first), byte(second)}), 16))
		}
	}
	wide := nets()
	for i := range 17 { // more than a /4 of IPv4, as NAT64 writes it
		wide = append(wide, netip.PrefixFrom(netip.AddrFrom16([16]byte{1: 0x64, 2: 0xff, 3: 0x9b, 12: byte(i)}), 104))
	}
	for _, list := range [][]netip.Prefix{many, many[2:18], many[2:11], wide,
		nets("64:ff9b::/96"), nets("64:ff9b::8000:0/97"), nets("64:ff9b:1::/48"), nets("64:ff9b::/32"), nets("2002::/16"), nets("2002:8000::/17"), nets("::/96"), nets("::/64"), nets("::ffff:0:0:0/96"), nets("::ffff:0:0/96")} {
		p = valid()
		p.Gateway.Networks = list
		if err := p.Validate(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v: %v", list, err)
		}
	}
	everybody := nets("0.0.0.0/0")
	p = valid()
	p.Gateway.Networks, p.Server.Networks, p.Inbound.Allow, p.Balancer.Addresses = everybody, everybody, everybody, everybody
	var list Errors
	errors.As(p.Validate(), &list)
	fixes := map[string]string{}
	for _, e := range list {
		if strings.Contains(e.Err.Error(), "everybody") {
			fixes[e.Position.String()] = e.Fix
		}
	}
	want := map[string]string{
		"Gateway.Networks[0]":   "list the gateway's own networks",
		"Server.Networks[0]":    "list the networks of your own servers and users, who may relay",
		"Inbound.Allow[0]":      "list the hosts that may connect",
		"Balancer.Addresses[0]": "list the balancer's own addresses",
	}
	if diff := cmp.Diff(want, fixes); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct {
		name  string
		alter func(*Policy)
		want  []string
	}{
		{"two domains with one marker", func(p *Policy) {
			p.Tenants[1].Domains = append(p.Tenants[1].Domains, "a-b.com", "a.b.com")
		}, []string{"Tenants[1].Domains[3]"}},
		{"no certificate", func(p *Policy) { p.Gateway.Client = ClientCertificate{} }, []string{"Gateway.Client"}},
		{"any domain", func(p *Policy) { p.Loop.AnyDomain = true }, []string{"Loop.AnyDomain"}},
		{"no origin", func(p *Policy) { p.Loop.NoOrigin = true }, []string{"Loop.NoOrigin"}},
		{"nobody in scope", func(p *Policy) {
			p.Tenants[0].Scope = Scope{Use: ScopeNone}
			p.Tenants[1].Scope = Scope{Use: ScopeNone}
		}, []string{"Tenants"}},
		{"mark", func(p *Policy) { p.Spam.Mark = true }, []string{"Spam.Mark"}},
		{"re-injection for everybody", func(p *Policy) {
			p.Listeners = append(p.Listeners, Listener{Service: "10025", Role: RoleReinjection})
		}, []string{"Listeners[3]"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := valid()
			tt.alter(&p)
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range p.Warnings() {
				got = append(got, w.Position.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
		})
	}
}
