package relay_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// The addresses of the tests about connections (RFC 5737, RFC 3849): this
// server's, the gateway's, those of a monitoring system and of strangers.
const (
	here4, here6         = "192.0.2.10", "2001:db8::10"
	gate4, gate6         = "198.51.100.1", "2001:db8:25::1"
	monitor              = "203.0.113.5"
	stranger4, stranger6 = "192.0.2.66", "2001:db8:66::6"
)

// outside makes a world with a network interface, and the customer's server on
// it.
func outside(tb testing.TB, system maillab.System) (w maillab.World, p relay.Policy, in relay.Installation) {
	w = maillab.DefaultWorld()
	w.Interfaces = append(w.Interfaces, here4, here6)
	p = fromLab(tb, &w)
	w.Root = system.Root
	p.Server.Postfix, p.Server.Dovecot = system.Postfix, system.Dovecot
	p.Gateway.Networks = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/28"), netip.MustParsePrefix("2001:db8:25::/48")}
	p.Inbound.Allow = []netip.Prefix{netip.MustParsePrefix(monitor + "/32")}
	p.Listeners = []relay.Listener{
		{Service: "smtp", Role: relay.RoleGateway}, {Service: "submission", Role: relay.RoleSubmission}, {Service: "127.0.1.2:25",
			Role: relay.RoleInternal},
	}
	in = labBase(tb)
	in.Files["/etc/postfix/main.cf"] = []byte(strings.NewReplacer(
		"inet_interfaces = 127.0.1.1, 127.0.1.2,", "inet_interfaces = "+here4+", "+here6+",", "inet_protocols = ipv4", "inet_protocols = all",
	).Replace(string(in.Files["/etc/postfix/main.cf"])))
	in.Files["/etc/postfix/master.cf"] = []byte(strings.NewReplacer("127.0.1.1:25 ", "smtp ", "127.0.1.1:587",
		"submission").Replace(string(in.Files["/etc/postfix/master.cf"])))
	return w, p, in
}

// row is a message, and where it must end.
type row struct {
	name   string
	origin relay.Origin
	lab    maillab.Message
	want   string // what begins the only end
}

// client fills in what both sides of a row say alike.
func (r row) client(source, to string) row {
	r.lab.Source, r.lab.To = source, to
	if r.origin.Client == (netip.Addr{}) {
		r.origin.Client = netip.MustParseAddr(source)
	}
	return r
}

// gatewayRow is mail as the gateway sends it.
func gatewayRow(name, source, to, want string) row {
	return row{name, relay.Origin{Role: relay.RoleGateway, TLS: relay.TLSEncrypted, Certificate: relay.Certificate{Name: "mail.conbool.com",
		Verified: true}},
		maillab.Message{TLS: "tls", Certificate: "conbool"}, want}.client(source, to)
}

// connect sends every row and holds Route and the servers to what it says.
func connect(t *testing.T, w maillab.World, c *relay.Config, p relay.Policy, site maillab.Site, rows []row) maillab.Result {
	t.Helper()
	var msgs []maillab.Message
	for i := range rows {
		m := &rows[i].lab
		m.ID = fmt.Sprintf("c%d", i)
		m.From, m.Recipients = "z@remote2.test", []string{"bob@example.com"}
		if rows[i].origin.Role == relay.RoleSubmission {
			m.From, m.Recipients = "alice@example.com", []string{"x@remote1.test"}
			m.TLS, m.Auth = "tls", &[2]string{"alice@example.com", w.Password}
		}
		m.Raw = []byte("Subject: connection\n\nhi\n")
		msgs = append(msgs, *m)
	}
	result := maillab.Run(t, w, site, msgs)
	for _, c := range result.Complaints {
		t.Errorf("complaint: %s", c)
	}
	for i, r := range rows {
		m := msgs[i]
		d := c.Route(t.Context(), &relay.Message{Origin: r.origin, From: m.From, To: m.Recipients[0], Raw: m.Raw})
		want := expected(d, p, m.Raw)
		got := observed(result.Messages[m.ID], m.Recipients[0], d, p)
		if !slices.Equal(want, got) || len(got) != 1 || !strings.HasPrefix(got[0], r.want) {
			t.Errorf("%s: Route %q, servers %q (%+v), want %q\n%s", r.name, want, got, result.Messages[m.ID].SMTP, r.want, traces(d))
		}
	}
	if t.Failed() {
		for _, l := range result.Warnings[:min(len(result.Warnings), 20)] {
			t.Log(l)
		}
	}
	return result
}

// siteOf lays a configuration's files over an installation's.
func siteOf(c *relay.Config, in relay.Installation) maillab.Site {
	site := maillab.Site{Files: map[string][]byte{}, Users: users}
	for name, data := range configured(in) {
		site.Files["postfix/"+name] = data
	}
	for _, f := range c.Files() {
		site.Files[f.Name] = f.Data
	}
	return site
}

// customerRules is a ruleset that is there already.
const customerRules = `table inet filter {
	chain input {
		type filter hook input priority filter; policy accept;
		tcp dport 9 drop
	}
}
`

// TestFirewall loads the emitted ruleset, twice, beside a customer's own: the
// gateway reaches its port, strangers don't, other ports stay open, and what
// takes it out leaves the customer's.
func TestFirewall(t *testing.T) {
	t.Parallel() // much of a run is waiting
	for _, system := range maillab.FixedSystems(t, t.Name()) {
		t.Run(system.Name, func(t *testing.T) { t.Parallel(); testFirewall(t, system) })
	}
}

func testFirewall(t *testing.T, system maillab.System) {
	maillab.NeedSystem(t, system)
	servertest.Need(t, "nft")
	w, p, in := outside(t, system)
	p.Firewall = relay.Firewall{Ports: []uint16{25}}
	c, err := tryCompile(t, p, in)
	if err != nil {
		t.Fatal(err)
	}
	var load []string
	for _, cmd := range c.Commands() {
		if cmd.Args[0] == "nft" {
			load = append(load, cmd.String())
		}
	}
	if len(load) != 2 {
		t.Fatalf("commands: %q", load)
	}
	gone, err := relay.Remove("conbool", in)
	if err != nil {
		t.Fatal(err)
	}
	site := siteOf(c, in)
	site.NFTables = []byte(customerRules)
	const list = "nft -s list ruleset"
	site.Exec = []string{load[0], load[1], list + " >/run/once", load[1], list + " >/run/twice", "cmp /run/once /run/twice >&2"}
	site.After = []string{list, gone.Firewall.String() + " && " + gone.Firewall.String() + " && " + list}
	result := connect(t, w, c, p, site, []row{
		gatewayRow("gateway", gate4, here4+":25", "mailbox INBOX"),
		gatewayRow("gateway, IPv6", gate6, "["+here6+"]:25", "mailbox INBOX"),
		gatewayRow("the gateway's certificate from elsewhere", stranger4, here4+":25", "reject"),
		row{"stranger", relay.Origin{Role: relay.FromInternet}, maillab.Message{}, "reject"}.client(stranger4, here4+":25"),
		row{"stranger, IPv6", relay.Origin{Role: relay.FromInternet}, maillab.Message{}, "reject"}.client(stranger6, "["+here6+"]:25"),
		row{"monitoring", relay.Origin{Role: relay.FromInternet}, maillab.Message{}, "reject 554"}.client(monitor, here4+":25"),
		row{"a user", relay.Origin{Role: relay.RoleSubmission, TLS: relay.TLSEncrypted, Authenticated: true}, maillab.Message{},
			"relay"}.client(stranger4, here4+":587"),
		row{"a user, IPv6", relay.Origin{Role: relay.RoleSubmission, TLS: relay.TLSEncrypted, Authenticated: true}, maillab.Message{},
			"relay"}.client(stranger6, "["+here6+"]:587"),
		row{"loopback", relay.Origin{Role: relay.FromInternet}, maillab.Message{}, "reject 554"}.client("127.0.0.1", "127.0.0.1:25"),
		row{"an internal server", relay.Origin{Role: relay.RoleInternal}, maillab.Message{}, "mailbox INBOX"}.client("127.0.1.20",
			"127.0.1.2:25"),
	})
	const ours, theirs = "table inet oxmailroute_conbool", "tcp dport 9 drop"
	if !strings.Contains(result.After[0], ours) || !strings.Contains(result.After[0], theirs) {
		t.Errorf("loaded:\n%s", result.After[0])
	}
	if strings.Contains(result.After[1], ours) || !strings.Contains(result.After[1], theirs) {
		t.Errorf("removed:\n%s", result.After[1])
	}
}

// balancedHere is the customer's server behind a HAProxy of its own.
func balancedHere(tb testing.TB, system maillab.System) (w maillab.World, p relay.Policy, in relay.Installation) {
	w, p, in = outside(tb, system)
	p.Listeners[0].Service = "127.0.0.1:10025"
	p.Balancer = relay.Balancer{
		Bind:    []netip.AddrPort{netip.MustParseAddrPort(here4 + ":25"), netip.MustParseAddrPort("[" + here6 + "]:25")},
		Servers: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:10025")},
	}
	in.Files["/etc/postfix/master.cf"] = []byte(strings.Replace(string(in.Files["/etc/postfix/master.cf"]), "smtp ", "127.0.0.1:10025 ", 1))
	return w, p, in
}

// haproxy is a whole configuration around the emitted sections, with the
// defaults of a web server's.
func haproxy(tb testing.TB, c *relay.Config) []byte {
	for _, f := range c.Files() {
		if f.Name == "haproxy/conbool.cfg" {
			return append([]byte("global\n\tlog /dev/log local0\n\tuser haproxy\n\tgroup haproxy\n\ndefaults\n\tlog global\n\tmode http\n\toption httplog\n\ttimeout connect 5s\n\ttimeout client 50s\n\ttimeout server 50s\n\n"), f.Data...)
		}
	}
	tb.Fatal("no configuration for HAProxy")
	return nil
}

// TestBalancer has real HAProxy, as configured by the emitted file, before
// Postfix: it lets the gateway through and tells Postfix its address.
func TestBalancer(t *testing.T) {
	t.Parallel() // much of a run is waiting
	for _, system := range maillab.FixedSystems(t, t.Name()) {
		t.Run(system.Name, func(t *testing.T) { t.Parallel(); testBalancer(t, system) })
	}
}

func testBalancer(t *testing.T, system maillab.System) {
	maillab.NeedSystem(t, system)
	servertest.Need(t, "haproxy")
	w, p, in := balancedHere(t, system)
	p.Inbound.Host = "mx.bücher.example"
	c, err := tryCompile(t, p, in)
	if err != nil {
		t.Fatal(err)
	}
	site := siteOf(c, in)
	site.HAProxy = haproxy(t, c)
	if !strings.Contains(string(site.HAProxy), "EHLO mx.xn--bcher-kva.example\n") {
		t.Error("EHLO has not the name in ASCII")
	}
	forged := row{"a local program that claims the gateway's address", relay.Origin{Role: relay.RoleGateway,
		Client: netip.MustParseAddr(gate4), Via: netip.MustParseAddr("127.0.0.1"), TLS: relay.TLSEncrypted},
		maillab.Message{TLS: "tls", Proxy: "PROXY TCP4 " + gate4 + " " + here4 + " 4711 25"}, "reject 550"}
	result := connect(t, w, c, p, site, []row{
		gatewayRow("gateway", gate4, here4+":25", "mailbox INBOX"),
		gatewayRow("gateway, IPv6", gate6, "["+here6+"]:25", "mailbox INBOX"),
		row{"stranger", relay.Origin{Role: relay.FromInternet}, maillab.Message{}, "reject"}.client(stranger4, here4+":25"),
		row{"stranger, IPv6", relay.Origin{Role: relay.FromInternet}, maillab.Message{}, "reject"}.client(stranger6, "["+here6+"]:25"),
		row{"monitoring", relay.Origin{Role: relay.FromInternet}, maillab.Message{}, "reject 554"}.client(monitor, here4+":25"),
		forged.client("127.0.0.1", "127.0.0.1:10025"),
	})
	// Whoever connects and leaves without a word makes smtpd exit, and master
	// throttle the listener; so HAProxy's health checks must say something.
	for _, l := range result.Warnings {
		t.Errorf("warning: %s", l)
	}
}

// TestBalancerElsewhere: the balancer is another machine. Its addresses alone
// reach the listener that believes what is announced there; without the ruleset
// everybody would.
func TestBalancerElsewhere(t *testing.T) {
	t.Parallel() // much of a run is waiting
	for _, system := range maillab.FixedSystems(t, t.Name()) {
		t.Run(system.Name, func(t *testing.T) { t.Parallel(); testBalancerElsewhere(t, system) })
	}
}

func testBalancerElsewhere(t *testing.T, system maillab.System) {
	maillab.NeedSystem(t, system)
	servertest.Need(t, "nft")
	const balancer4, balancer6, port = "192.0.2.20", "2001:db8::20", "10025"
	w, p, in := outside(t, system)
	p.Gateway.Client = relay.ClientCertificate{} // the address alone tells the gateway
	p.Listeners[0].Service = port
	p.Balancer = relay.Balancer{Addresses: []netip.Prefix{netip.MustParsePrefix(balancer4 + "/32"), netip.MustParsePrefix(balancer6 + "/128")}}
	p.Firewall = relay.Firewall{Ports: []uint16{10025}, Addresses: []netip.Addr{netip.MustParseAddr(here4), netip.MustParseAddr(here6)}}
	in.Files["/etc/postfix/master.cf"] = []byte(strings.Replace(string(in.Files["/etc/postfix/master.cf"]), "smtp ", port+" ", 1))
	c, err := tryCompile(t, p, in)
	if err != nil {
		t.Fatal(err)
	}
	announced := func(name, via, client, to, want string) row {
		family := "TCP4 " + client + " " + here4
		if strings.Contains(client, ":") {
			family = "TCP6 " + client + " " + here6
		}
		r := row{name, relay.Origin{Role: relay.RoleGateway, Client: netip.MustParseAddr(client), TLS: relay.TLSEncrypted},
			maillab.Message{TLS: "tls", Proxy: "PROXY " + family + " 4711 25"}, want}
		if via != balancer4 && via != balancer6 {
			r.origin.Via = netip.MustParseAddr(via)
		}
		return r.client(via, to)
	}
	rows := []row{
		announced("the balancer", balancer4, gate4, here4+":"+port, "mailbox INBOX"),
		announced("the balancer, IPv6", balancer6, gate6, "["+here6+"]:"+port, "mailbox INBOX"),
		announced("the balancer with a stranger", balancer4, stranger4, here4+":"+port, "reject 554"),
		announced("a stranger who claims the gateway's address", stranger4, gate4, here4+":"+port, "reject"),
		announced("the same, IPv6", stranger6, gate6, "["+here6+"]:"+port, "reject"),
		announced("the gateway past the balancer", gate4, gate4, here4+":"+port, "reject"),
		row{"a user", relay.Origin{Role: relay.RoleSubmission, TLS: relay.TLSEncrypted, Authenticated: true}, maillab.Message{},
			"relay"}.client(stranger4, here4+":587"),
	}
	site := siteOf(c, in)
	for _, f := range c.Files() {
		if f.Name == "nftables/conbool.nft" {
			site.NFTables = f.Data
		}
	}
	connect(t, w, c, p, site, rows)
	site.NFTables = nil
	without := maillab.Run(t, w, site, []maillab.Message{rows[3].lab})
	m := without.Messages[rows[3].lab.ID]
	if m.SMTP.Code != 250 {
		t.Errorf("without the ruleset the claim is not believed any more (%+v): the refusals of Validate can go", m.SMTP)
	}
}

// TestConnectionValidate has what of Firewall and Balancer is refused.
func TestConnectionValidate(t *testing.T) {
	elsewhere := []netip.Prefix{netip.MustParsePrefix("192.0.2.20/32")}
	ports := func(list ...uint16) relay.Firewall { return relay.Firewall{Ports: list} }
	bind, server := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.10:25")}, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:10025")}
	tests := []struct {
		name string
		edit func(p *relay.Policy)
		want []string // paths
	}{
		{"a firewall", func(p *relay.Policy) { p.Firewall = ports(25) }, nil},
		{"a firewall without ports", func(p *relay.Policy) { p.Firewall.Directory = "/etc/nft" }, []string{"Firewall.Ports"}},
		{"port 0, and one twice", func(p *relay.Policy) { p.Firewall = ports(25, 0, 25) }, []string{"Firewall.Ports[1]", "Firewall.Ports[2]"}},
		{"addresses that are none", func(p *relay.Policy) {
			p.Firewall = relay.Firewall{Ports: []uint16{25}, Addresses: []netip.Addr{{}, netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::"),
				netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("::ffff:192.0.2.1")}}
		}, []string{"Firewall.Addresses[0]", "Firewall.Addresses[1]", "Firewall.Addresses[2]", "Firewall.Addresses[3]", "Firewall.Addresses[4]"}},
		{"an address twice", func(p *relay.Policy) {
			p.Firewall = relay.Firewall{Ports: []uint16{25}, Addresses: []netip.Addr{netip.MustParseAddr(here4), netip.MustParseAddr(here4)}}
		}, []string{"Firewall.Addresses[1]"}},
		{"a path that breaks out", func(p *relay.Policy) { p.Firewall = ports(25); p.Firewall.Directory = "/etc/x; reboot" },
			[]string{"Firewall.Directory"}},
		{"a firewall for another port", func(p *relay.Policy) { p.Firewall = ports(24) }, []string{"Firewall"}},
		{"a firewall for another address", func(p *relay.Policy) {
			p.Firewall, p.Listeners[0].Service = ports(25), here4+":25"
			p.Firewall.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.11")}
		}, []string{"Firewall"}},
		{"a firewall before a balancer here", func(p *relay.Policy) {
			p.Listeners[0].Service, p.Balancer, p.Firewall = "127.0.0.1:10025", relay.Balancer{Bind: bind, Servers: server}, ports(25)
		}, nil},
		{"users locked out", func(p *relay.Policy) { p.Firewall = ports(25, 587) }, []string{"Listeners[1]"}},
		{"users on another address", func(p *relay.Policy) {
			p.Firewall = relay.Firewall{Ports: []uint16{25, 587}, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.11")}}
			p.Listeners[1].Service = "192.0.2.12:587"
		}, nil},
		{"internal servers locked out", func(p *relay.Policy) {
			p.Firewall, p.Listeners[2].Service = ports(25), "10.0.0.1:25"
			p.Inbound.Allow = nil
		}, []string{"Listeners[2]"}},
		{"internal servers named", func(p *relay.Policy) { p.Firewall, p.Listeners[2].Service = ports(25), "10.0.0.1:25" }, nil},
		{"a shared port", func(p *relay.Policy) {
			p.Firewall, p.Inbound.Shared, p.Gateway.Client = ports(25), true, relay.ClientCertificate{}
		}, []string{"Firewall"}},
		{"others without either", func(*relay.Policy) {}, []string{"Inbound.Allow"}},
		{"everybody allowed", func(p *relay.Policy) {
			p.Firewall, p.Inbound.Allow = ports(25), []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
		}, []string{"Inbound.Allow[0]"}},
		{"a balancer here", func(p *relay.Policy) {
			p.Listeners[0].Service, p.Balancer = "127.0.0.1:10025", relay.Balancer{Bind: bind, Servers: server}
		}, nil},
		{"a balancer here, for others to reach", func(p *relay.Policy) { p.Balancer = relay.Balancer{Bind: bind, Servers: server} },
			[]string{"Listeners[0].Service"}},
		{"a balancer elsewhere, loopback", func(p *relay.Policy) {
			p.Listeners[0].Service, p.Balancer = "localhost:10025", relay.Balancer{Addresses: elsewhere}
		}, []string{"Balancer.Addresses"}},
		{"a balancer elsewhere, no firewall", func(p *relay.Policy) {
			p.Listeners[0].Service, p.Balancer = "10025", relay.Balancer{Addresses: elsewhere}
		}, []string{"Listeners[0].Service"}},
		{"a balancer elsewhere, a firewall for another port", func(p *relay.Policy) {
			p.Listeners[0].Service, p.Balancer, p.Firewall = "10025", relay.Balancer{Addresses: elsewhere}, ports(25)
		}, []string{"Firewall", "Listeners[0].Service"}},
		{"a balancer elsewhere, a firewall for another address", func(p *relay.Policy) {
			p.Listeners[0].Service, p.Balancer, p.Firewall = "192.0.2.10:10025", relay.Balancer{Addresses: elsewhere}, ports(10025)
			p.Firewall.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.11")}
		}, []string{"Firewall", "Listeners[0].Service"}},
		{"a balancer elsewhere", func(p *relay.Policy) {
			p.Listeners[0].Service, p.Balancer, p.Firewall = "192.0.2.10:10025", relay.Balancer{Addresses: elsewhere}, ports(10025)
		}, nil},
		{"a balancer's port that an internal listener has too", func(p *relay.Policy) {
			p.Balancer, p.Firewall = relay.Balancer{Addresses: elsewhere}, ports(25)
			p.Listeners[2].Service = "10.0.0.1:25"
		}, []string{"Listeners[2].Service"}},
		{"a balancer before postscreen", func(p *relay.Policy) {
			p.Listeners[0].Service, p.Balancer, p.Firewall = "smtpd/pass", relay.Balancer{Addresses: elsewhere}, ports(25)
		}, []string{"Listeners[0].Service"}},
		{"half of HAProxy", func(p *relay.Policy) {
			p.Listeners[0].Service, p.Balancer = "127.0.0.1:10025", relay.Balancer{Bind: bind}
		}, []string{"Balancer"}},
		{"no places", func(p *relay.Policy) {
			p.Listeners[0].Service = "127.0.0.1:10025"
			p.Balancer = relay.Balancer{Bind: append(bind, bind[0], netip.AddrPort{}),
				Servers: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:25")}}
		}, []string{"Balancer.Bind[1]", "Balancer.Bind[2]", "Balancer.Servers[0]"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := labPolicy(t, "lab.json")
			p.Inbound.Allow = []netip.Prefix{netip.MustParsePrefix(monitor + "/32")}
			p.Listeners = []relay.Listener{{Service: "smtp", Role: relay.RoleGateway}, {Service: "submission", Role: relay.RoleSubmission},
				{Service: "127.0.1.2:25", Role: relay.RoleInternal}}
			tt.edit(&p)
			var got []string
			var list relay.Errors
			if errors.As(p.Validate(), &list) {
				for _, e := range list {
					got = append(got, e.Position.String())
					if e.Fix == "" {
						t.Errorf("no fix: %v", e)
					}
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("refused %q, want %q: %v", got, tt.want, list)
			}
		})
	}
}
