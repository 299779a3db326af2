package relay_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/relay"
)

// acmeFingerprint stands for a certificate where no servers run.
var acmeFingerprint = strings.TrimSuffix(strings.Repeat("AC:", 32), ":")

// pair is the lab's policy with a second gateway, and its installation.
func pair(tb testing.TB) (relay.Policy, relay.Installation) {
	p := labPolicy(tb, "lab.json")
	p.Further = []relay.FurtherGateway{acmeWith(acmeFingerprint)}
	p.Tenants[1].Gateway = "acme"
	p.Listeners = append(p.Listeners, relay.Listener{Service: "127.0.1.1:2525", Role: relay.RoleGateway, Gateway: "acme"})
	return p, withListener(labBase)(tb)
}

func TestFurtherRefused(t *testing.T) {
	tests := []struct {
		name  string
		alter func(*relay.Policy)
		path  string
		kind  error
	}{
		{"an unknown gateway", func(p *relay.Policy) { p.Tenants[0].Gateway = "other" }, "Tenants[0].Gateway", relay.ErrConflict},
		{"a listener of an unknown gateway", func(p *relay.Policy) { p.Listeners[3].Gateway = "other" }, "Listeners[3].Gateway",
			relay.ErrConflict},
		{"a user's listener with a gateway", func(p *relay.Policy) { p.Listeners[1].Gateway = "acme" }, "Listeners[1].Gateway",
			relay.ErrConflict},
		{"no listener", func(p *relay.Policy) { p.Listeners = p.Listeners[:3] }, "Listeners", relay.ErrRequired},
		{"two listeners", func(p *relay.Policy) {
			p.Listeners = append(p.Listeners, relay.Listener{Service: "26", Role: relay.RoleGateway, Gateway: "acme"})
		}, "Listeners[4].Role", relay.ErrDuplicate},
		{"one listener for both", func(p *relay.Policy) { p.Listeners[3].Service = p.Listeners[0].Service }, "Listeners[3].Service",
			relay.ErrDuplicate},
		{"no tenant", func(p *relay.Policy) { p.Tenants[1].Gateway = "" }, "Further[0]", relay.ErrConflict},
		{"one name", func(p *relay.Policy) { p.Further[0].Name = "conbool" }, "Further[0].Name", relay.ErrDuplicate},
		{"no networks", func(p *relay.Policy) { p.Further[0].Networks = nil }, "Further[0].Networks", relay.ErrRequired},
		{"no smart host", func(p *relay.Policy) { p.Further[0].SmartHost.Host = "" }, "Further[0].SmartHost.Host", relay.ErrRequired},
		{"no host", func(p *relay.Policy) { p.Further[0].Inbound.Host = "" }, "Further[0].Inbound.Host", relay.ErrRequired},
		{"shared", func(p *relay.Policy) { p.Further[0].Inbound.Shared = true }, "Further[0].Inbound.Shared", headers.ErrNotExpressible},
		{"mail comes back, no certificate", func(p *relay.Policy) {
			p.Further[0].Client, p.Further[0].Inbound.Return = relay.ClientCertificate{}, true
		}, "Further[0].Client", relay.ErrRequired},
		{"one second pass for both", func(p *relay.Policy) { p.Further[0].SecondPass = netip.MustParseAddrPort("127.0.0.1:10030") },
			"Further[0].SecondPass", relay.ErrDuplicate},
		{"a second pass for everybody", func(p *relay.Policy) { p.Further[0].SecondPass = netip.MustParseAddrPort("0.0.0.0:10030") },
			"Further[0].SecondPass", relay.ErrInvalid},
		{"no origin header", func(p *relay.Policy) { p.Loop.NoOrigin = true }, "Loop.NoOrigin", headers.ErrNotExpressible},
		{"one pass", func(p *relay.Policy) { p.Topology = relay.TopologyOutbound }, "Further", headers.ErrNotExpressible},
		{"markers that overlap", func(p *relay.Policy) { p.Further[0].Markers.Reserved = []string{"X-Conbool-Acme-"} },
			"Further[0].Markers.Reserved[0]", headers.ErrNotExpressible},
		{"markers that hold the other's", func(p *relay.Policy) { p.Further[0].Markers.Reserved = []string{"X-Con"} },
			"Further[0].Markers.Reserved[0]", headers.ErrNotExpressible},
		{"the other gateway as the way past the first", func(p *relay.Policy) { p.DirectVia = "[mail.acme.test]" }, "DirectVia",
			relay.ErrConflict},
		{"the other gateway's domain", func(p *relay.Policy) { p.Tenants[0].Domains = append(p.Tenants[0].Domains, "acme.test") },
			"Tenants[0].Domains[1]", relay.ErrConflict},
		{"the password in an emitted file", func(p *relay.Policy) { p.Gateway.SmartHost.Auth.PasswordFile = "/etc/postfix/acme_x" },
			"Gateway.SmartHost.Auth.PasswordFile", relay.ErrConflict},
		{"networks that may relay", func(p *relay.Policy) { p.Further[0].Networks = []netip.Prefix{netip.MustParsePrefix("127.0.1.0/28")} },
			"Further[0].Networks[0]", relay.ErrConflict},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, in := pair(t)
			tt.alter(&p)
			_, err := tryCompile(t, p, in)
			var list relay.Errors
			errors.As(err, &list)
			for _, e := range list {
				if e.Position.String() == tt.path && errors.Is(e, tt.kind) && e.Fix != "" {
					return
				}
			}
			t.Errorf("no %v with a fix at %s:\n%v", tt.kind, tt.path, err)
		})
	}
}

// TestFurtherTwiceAndBack: compiling again changes nothing, and Remove with the
// first gateway's name takes everything out again.
func TestFurtherTwiceAndBack(t *testing.T) {
	p, in := pair(t)
	c := compile(t, p, in)
	once := result(in, c.Files(), c.Obsolete())
	c2 := compile(t, p, once)
	if diff := cmp.Diff(once.Files, result(once, c2.Files(), c2.Obsolete()).Files); diff != "" {
		t.Errorf("compiled twice (-once +twice):\n%s", diff)
	}
	r, err := relay.Remove("conbool", once)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in.Files, result(once, r.Files, r.Obsolete).Files); diff != "" {
		t.Errorf("removed (-before +after):\n%s", diff)
	}
	// Without the second gateway, its files are obsolete.
	p.Further, p.Tenants[1].Gateway = nil, ""
	p.Listeners[3] = relay.Listener{Service: "127.0.1.1:2525", Role: relay.RoleInternal}
	left := compile(t, p, once).Obsolete()
	for _, f := range c.Files() {
		if strings.HasPrefix(f.Name, "postfix/acme_") && !slices.Contains(left, f.Name) {
			t.Errorf("%s is left behind", f.Name)
		}
	}
}

// TestFurtherWays: each tenant's mail takes its own gateway, and what one
// gateway delivered goes to none of them again.
func TestFurtherWays(t *testing.T) {
	p, in := pair(t)
	c := compile(t, p, in)
	first, ok := c.OriginAt("127.0.1.1:25")
	if !ok {
		t.Fatal("no first listener")
	}
	second, ok := c.OriginAt("127.0.1.1:2525")
	if !ok || second.Certificate.Fingerprint != acmeFingerprint {
		t.Fatalf("the second gateway is %+v", second)
	}
	if _, ok := c.OriginAt("127.0.1.1:26"); ok {
		t.Error("there is a listener that nobody has")
	}
	inside := c.Origin(relay.RoleInternal)
	tests := []struct {
		name           string
		origin         relay.Origin
		from, to, head string
		want           string
		rule           string
	}{
		{"the first tenant", inside, "alice@example.com", "x@remote1.test", "", "relay [mail.conbool.com]:25", "Tenants[0].Domains[0]"},
		{"the second tenant", inside, "carol@example.net", "x@remote1.test", "", "relay [mail.acme.test]:25", "Tenants[1].Domains[0]"},
		{"between them", inside, "alice@example.com", "carol@example.net", "", "mailbox INBOX", ""},
		{"a forged marker of the second", inside, "carol@example.net", "x@remote1.test", "X-Acme-Seen: yes\n", "relay [mail.acme.test]:25",
			"Tenants[1].Domains[0]"},
		{"the first delivered, the second tenant's sender", first, "carol@example.net", "outside@example.org", "",
			"mx remote2.test <ext@remote2.test>", "Loop.OriginHeader"},
		{"the second delivered, the first tenant's sender", second, "alice@example.com", "outside@example.org", "",
			"mx remote2.test <ext@remote2.test>", "Loop.OriginHeader"},
		{"the second delivered, its own sender, marked", second, "carol@example.net", "outside@example.org", "X-Acme-Seen: yes\n",
			"mx remote2.test <ext@remote2.test>", "Loop.OriginHeader"},
		{"the second's spam", second, "z@remote2.test", "carol@example.net", "X-Acme-Spam: high\n", "mailbox Spam", "Spam.Folder"},
		{"the first's spam at the second", second, "z@remote2.test", "carol@example.net", "X-Conbool-Flag: YES\n", "mailbox INBOX", ""},
		{"the second's spam at the first", first, "z@remote2.test", "bob@example.com", "X-Acme-Spam: high\n", "mailbox INBOX", ""},
		{"released by the second", second, "z@remote2.test", "carol@example.net", "X-Acme-Spam: high\nX-Acme-Released: 1\n", "mailbox INBOX",
			"Gateway.Markers.Released"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := c.Route(t.Context(), &relay.Message{Origin: tt.origin, From: tt.from, To: tt.to, Raw: []byte(tt.head + "Subject: x\n\nx\n")})
			if got := d.String(); got != tt.want || tt.rule != "" && d.Outcomes[0].Rule != tt.rule {
				t.Errorf("got %s for %s, want %s for %s\n%s", got, d.Outcomes[0].Rule, tt.want, tt.rule, d.Outcomes[0].Trace)
			}
		})
	}
}
