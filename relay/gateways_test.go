package relay_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// gatewayScenarios are installations whose gateway is reached in another way
// than the page's, or that have more than one.
var gatewayScenarios = []scenario{
	{
		name: "two smart hosts, the first down", messages: 150,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			p := fromLab(tb, w)
			fallback(nil)(&p.Gateway.SmartHost, w)
			return p
		},
		base: withMain(hostile, hostileFiles),
		world: func(w *maillab.World) {
			spare(w)
			first(w).Mode = maillab.Down
		},
	},
	{
		name: "DANE", messages: 150,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			p := fromLab(tb, w)
			dane(&p.Gateway.SmartHost, w)
			return p
		},
		base: labBase, world: tlsa("conbool", true),
	},
	{
		name: "login by implicit TLS", messages: 150,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			p := fromLab(tb, w)
			p.Gateway.SmartHost.ImplicitTLS, p.Gateway.SmartHost.Port = true, 465
			p.Gateway.SmartHost.Auth.PasswordFile = passwords
			return p
		},
		base: withMain("smtp_sasl_password_maps = static:none:none\nsmtp_discard_ehlo_keywords = auth\nsmtp_sasl_mechanism_filter = GSSAPI\n",
			map[string]string{"sasl_gateway": "[" + gatewayName + "]:465 ox:a secret: word\n"}),
		world: func(w *maillab.World) {
			first(w).Address, first(w).ImplicitTLS = "127.0.2.1:465", true
			loginWorld()(w)
			// The MX of some hosted domains is the gateway, too.
			w.Sinks = append(w.Sinks, maillab.Sink{Address: "127.0.2.1:25", Kind: maillab.KindSmartHost, Name: gatewayName, Certificate: "conbool"})
		},
	},
	{
		name: "mail comes back from the gateway", messages: 300,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			p := fromLab(tb, w)
			p.Inbound.Return = true
			p.Tenants[0].Scope.Except = []string{"bob@example.com"}
			return p
		},
		base: func(tb testing.TB) relay.Installation {
			in := withMain(partner, partnerFiles)(tb)
			in.Files["/etc/postfix/main.cf"] = bytes.Replace(in.Files["/etc/postfix/main.cf"], []byte("= reject_non_fqdn_recipient"),
				[]byte("= reject_unauth_destination, reject_non_fqdn_recipient"), 1)
			return in
		},
	},
	{
		name: "mail comes back from the gateway, fingerprints, some senders, via a relay", messages: 150,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			p := fromLab(tb, w)
			f, err := w.Keys["conbool"].Fingerprint()
			if err != nil {
				tb.Fatal(err)
			}
			p.Inbound.Return = true
			p.Gateway.Client = relay.ClientCertificate{Fingerprints: []string{f}}
			p.Tenants[0].Scope = relay.Scope{Use: relay.ScopeSenders, Senders: []string{"alice@example.com"}}
			p.DirectVia = "[mailstore.example.com]:25"
			return p
		},
		base: labBase,
	},
}

// acme is a second gateway: no marker of its own domain, other headers, a login
// by fingerprint, a listener and a second pass of its own.
func acme(tb testing.TB, w *maillab.World) relay.FurtherGateway {
	f, err := w.Keys["acme"].Fingerprint()
	if err != nil {
		tb.Fatal(err)
	}
	return acmeWith(f)
}

func acmeWith(f string) relay.FurtherGateway {
	return relay.FurtherGateway{
		Gateway: relay.Gateway{
			Name: "acme",
			SmartHost: relay.SmartHost{
				Host: "mail.acme.test", Port: 25, CAFile: "/etc/ssl/certs/ca-certificates.crt", CertFile: "/etc/ssl/lab/ox.pem", KeyFile: "/etc/ssl/lab/ox.key",
			},
			Networks: []netip.Prefix{netip.MustParsePrefix("127.0.5.0/28")},
			Client:   relay.ClientCertificate{Fingerprints: []string{f}},
			Markers: relay.Markers{
				Loop:     []headers.Condition{headers.When(headers.Match{Name: "X-Acme-Seen", Op: headers.Is, Values: []string{"yes"}})},
				Released: headers.When(headers.Exists{Name: "X-Acme-Released"}),
				Spam:     headers.When(headers.Match{Name: "X-Acme-Spam", Op: headers.Is, Values: []string{"high"}}),
				Reserved: []string{"X-Acme-"},
			},
		},
		Inbound: relay.Inbound{Host: "mx2.ox.example.com"},
	}
}

// acmeWorld adds the gateway's server.
func acmeWorld(w *maillab.World) {
	w.Names["mail.acme.test"] = maillab.Name{A: []string{"127.0.5.1"}}
	w.Certificates["acme"] = maillab.Certificate{CommonName: "mail.acme.test", Organization: "Lab", Names: []string{"mail.acme.test"},
		Issuer: "ca"}
	w.Sinks = append(w.Sinks, maillab.Sink{Address: "127.0.5.1:25", Kind: maillab.KindSmartHost, Name: "mail.acme.test", Certificate: "acme"})
}

// twoGateways is the lab's policy with example.net at the second one.
func twoGateways(tb testing.TB, w *maillab.World) relay.Policy {
	p := fromLab(tb, w)
	p.Further = []relay.FurtherGateway{acme(tb, w)}
	p.Tenants[1].Gateway = "acme"
	p.Listeners = append(p.Listeners, relay.Listener{Service: "127.0.1.1:2525", Role: relay.RoleGateway, Gateway: "acme"})
	return p
}

// withListener adds the second gateway's listener to an installation.
func withListener(base func(testing.TB) relay.Installation) func(testing.TB) relay.Installation {
	return func(tb testing.TB) relay.Installation {
		in := base(tb)
		in.Files["/etc/postfix/master.cf"] = append(in.Files["/etc/postfix/master.cf"], "127.0.1.1:2525 inet n - n - - smtpd\n"...)
		return in
	}
}

// proofpoint is the preset in the tests' world.
func proofpoint(tb testing.TB, w *maillab.World) relay.Policy {
	p := fromLab(tb, w)
	p.Gateway = relay.ProofpointEssentials(relay.ProofpointEU, "/etc/postfix/sasl_gateway", netip.MustParsePrefix("127.0.2.0/28"))
	p.Spam = relay.Spam{}
	return p
}

var presetScenarios = []scenario{{
	name: "Proofpoint Essentials", messages: 300, policy: proofpoint,
	base: withMain("", map[string]string{"sasl_gateway": "[" + relay.ProofpointEU + "]:587 someone:word\n"}),
	world: func(w *maillab.World) {
		w.Names[relay.ProofpointEU] = maillab.Name{A: []string{"127.0.2.1"}}
		w.Certificates["ppe"] = maillab.Certificate{CommonName: relay.ProofpointEU, Organization: "Lab", Names: []string{relay.ProofpointEU},
			Issuer: "ca"}
		w.Sinks = append(w.Sinks, maillab.Sink{
			Address: "127.0.2.1:587", Kind: maillab.KindSmartHost, Name: relay.ProofpointEU, Certificate: "ppe",
			Login: &maillab.Login{Users: map[string]string{"someone": "word"}},
		})
	},
}}

// TestPresets holds Route to the real servers.
func TestPresets(t *testing.T) {
	t.Parallel() // much of a run is waiting
	for _, s := range presetScenarios {
		t.Run(s.name, func(t *testing.T) { t.Parallel(); s.run(t) })
	}
}

// TestReturnFlow: only the gateway itself, and only for senders in scope,
// reaches strangers; nothing goes to the gateway again.
func TestReturnFlow(t *testing.T) { onSystems(t, testReturnFlow) }

func testReturnFlow(t *testing.T, p relay.Policy, w maillab.World) {
	p.Inbound.Return = true
	c := compile(t, p, labBase(t))
	site := maillab.Site{Files: map[string][]byte{}, Users: users}
	for name, data := range configured(labBase(t)) {
		site.Files["postfix/"+name] = data
	}
	for _, f := range c.Files() {
		site.Files[f.Name] = f.Data
	}
	site.Files["sieve/users/fwd@example.com.sieve"] = []byte(userScripts["fwd@example.com"])
	const marked, other, plain = "X-Conbool-example-com: true\n", "X-Conbool-remote9-test: true\n", ""
	tests := []struct {
		name                         string
		source, tls, cert, to        string
		from, header, recipient, end string
	}{
		{"marked", "127.0.2.1", "tls", "conbool", "", "alice@example.com", marked, "x@remote1.test", "mx remote1.test"},
		{"unmarked", "127.0.2.1", "tls", "conbool", "", "alice@example.com", plain, "x@remote1.test", "mx remote1.test"},
		{"marked for a domain elsewhere", "127.0.2.1", "tls", "conbool", "", "alice@example.com", other, "x@remote1.test", "mx remote1.test"},
		{"to a mailbox", "127.0.2.1", "tls", "conbool", "", "alice@example.com", marked, "bob@example.com", "mailbox INBOX"},
		{"to a mailbox that forwards", "127.0.2.1", "tls", "conbool", "", "alice@example.com", marked, "fwd@example.com", "mx remote1.test"},
		{"to a mailbox that has forwarded it", "127.0.2.1", "tls", "conbool", "", "alice@example.com",
			marked + "X-Sieve-Redirected-From: fwd@example.com\n", "fwd@example.com", "mailbox INBOX"},
		{"to nobody here", "127.0.2.1", "tls", "conbool", "", "alice@example.com", marked, "nobody@example.com", "rejected 550"},
		{"another sender", "127.0.2.1", "tls", "conbool", "", "z@remote2.test", marked, "x@remote1.test", "rejected 554"},
		{"a sender out of scope", "127.0.2.1", "tls", "conbool", "", "dave@example.org", marked, "x@remote1.test", "rejected 554"},
		{"a subdomain", "127.0.2.1", "tls", "conbool", "", "a@sub.example.com", marked, "x@remote1.test", "rejected 554"},
		{"the null sender", "127.0.2.1", "tls", "conbool", "", "", marked, "x@remote1.test", "rejected 554"},
		{"without TLS", "127.0.2.1", "", "", "", "alice@example.com", marked, "x@remote1.test", "rejected 550"},
		{"without a certificate", "127.0.2.1", "tls", "", "", "alice@example.com", marked, "x@remote1.test", "rejected 550"},
		{"another certificate", "127.0.2.1", "tls", "stranger", "", "alice@example.com", marked, "x@remote1.test", "rejected 550"},
		{"a forged certificate", "127.0.2.1", "tls", "selfsigned", "", "alice@example.com", marked, "x@remote1.test", "rejected 550"},
		{"an expired certificate", "127.0.2.1", "tls", "expired", "", "alice@example.com", marked, "x@remote1.test", "rejected 550"},
		{"a stranger", "127.0.66.6", "tls", "stranger", "", "alice@example.com", marked, "x@remote1.test", "rejected 554"},
		{"a stranger with the gateway's certificate", "127.0.66.6", "tls", "conbool", "", "alice@example.com", marked, "x@remote1.test",
			"rejected 554"},
		{"the gateway where others come in", "127.0.2.1", "tls", "conbool", "127.0.1.2:25", "alice@example.com", marked, "x@remote1.test",
			"rejected 554"},
		{"a user goes to the gateway as before", "127.0.1.20", "", "", "127.0.1.2:25", "alice@example.com", marked, "x@remote1.test",
			"smarthost mail.conbool.com"},
	}
	var msgs []maillab.Message
	for i, tt := range tests {
		msgs = append(msgs, maillab.Message{ID: fmt.Sprintf("r%d", i), Source: tt.source, TLS: tt.tls, Certificate: tt.cert,
			To: cmp.Or(tt.to, "127.0.1.1:25"), From: tt.from,
			Recipients: []string{tt.recipient}, Raw: []byte(fmt.Sprintf("Message-ID: <r%d@lab.invalid>\nFrom: <a@b.test>\n%s\nx\n", i, tt.header))})
	}
	result := maillab.Run(t, w, site, msgs)
	for _, c := range result.Complaints {
		t.Errorf("complaint: %s", c)
	}
	for i, tt := range tests {
		o := result.Messages[msgs[i].ID]
		places := append(slices.Clone(o.Redirected), o.Recipients[tt.recipient]...)
		if len(places) == 0 {
			t.Errorf("%s: no place", tt.name)
			continue
		}
		pl := places[0]
		got := fmt.Sprintf("%s %s", pl.Kind, pl.Name)
		if pl.Kind == maillab.KindRejected {
			got = fmt.Sprintf("%s %d", pl.Kind, pl.Code)
		}
		if got != tt.end {
			t.Errorf("%s: it ended at %s (%s), want %s", tt.name, got, pl, tt.end)
		}
		if pl.Kind == maillab.KindMX && bytes.Contains(bytes.ToLower(pl.Header), []byte("\nx-conbool-")) {
			t.Errorf("%s: a marker has left:\n%s", tt.name, pl.Header)
		}
	}
}

// TestReturnRefused: what would open a relay, or a loop, is an error.
func TestReturnRefused(t *testing.T) {
	tests := []struct {
		name  string
		alter func(*relay.Policy)
		base  func(testing.TB) relay.Installation
		path  string
		kind  error
	}{
		{"no certificate", func(p *relay.Policy) { p.Gateway.Client = relay.ClientCertificate{} }, labBase, "Gateway.Client", relay.ErrRequired},
		{"no origin header", func(p *relay.Policy) { p.Loop.NoOrigin = true }, labBase, "Loop.NoOrigin", relay.ErrConflict},
		{"shared", func(p *relay.Policy) { p.Inbound.Shared = true }, labBase, "Inbound.Return", headers.ErrNotExpressible},
		{"outbound", func(p *relay.Policy) { p.Topology = relay.TopologyOutbound }, labBase, "Inbound.Return", relay.ErrConflict},
		{"a table that answers for subdomains", func(p *relay.Policy) {},
			withMain("smtpd_recipient_restrictions = check_recipient_access hash:/etc/postfix/closed\n",
				map[string]string{"closed": "example.net REJECT closed\n"}), "Inbound.Return", headers.ErrNotExpressible},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := labPolicy(t, "lab.json")
			p.Inbound.Return = true
			tt.alter(&p)
			_, err := tryCompile(t, p, tt.base(t))
			var list relay.Errors
			errors.As(err, &list)
			for _, e := range list {
				if e.Position.String() == tt.path && errors.Is(e, tt.kind) && e.Fix != "" {
					return
				}
			}
			t.Errorf("no %v with a fix at %s: %v", tt.kind, tt.path, err)
		})
	}
}

// twoGatewayScenarios are installations with two gateways.
var twoGatewayScenarios = []scenario{
	{name: "two gateways", messages: 600, policy: twoGateways, world: acmeWorld, base: withListener(labBase)},
	{
		name: "two gateways, marks, checks of the customer's, mail comes back from both", messages: 300, world: acmeWorld,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			p := twoGateways(tb, w)
			p.Spam = relay.Spam{Folder: "Junk", Create: true, Mark: true}
			p.Inbound.Return, p.Further[0].Inbound.Return = true, true
			p.Tenants[2].Gateway, p.Tenants[2].Scope.Use = "acme", relay.ScopeAll
			return p
		},
		base: withListener(withMain(partner+"header_checks = regexp:/etc/postfix/own_checks\nreceive_override_options = no_header_body_checks\n",
			map[string]string{
				"transport": partnerFiles["transport"], "own_checks": "/^X-Customer:[[:space:]]*secret/ REJECT not outside\n",
			})),
	},
	{
		name: "two gateways, the first on a shared port", messages: 300, world: acmeWorld,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			p := twoGateways(tb, w)
			f, err := w.Keys["conbool"].Fingerprint()
			if err != nil {
				tb.Fatal(err)
			}
			p.Inbound.Shared = true
			p.Gateway.Client = relay.ClientCertificate{Fingerprints: []string{f}}
			return p
		},
		base: withListener(labBase),
	},
	{
		name: "two accounts with one vendor", messages: 300, world: acmeWorld,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			p := twoGateways(tb, w)
			f := p.Further[0]
			f.Markers, f.Client = p.Gateway.Markers, p.Gateway.Client
			f.Networks = p.Gateway.Networks
			p.Further[0] = f
			return p
		},
		base: withListener(labBase),
	},
}

// TestTwoGateways holds Route to the real servers.
func TestTwoGateways(t *testing.T) {
	t.Parallel() // much of a run is waiting
	for _, s := range servertest.Part(t, twoGatewayScenarios, 1) {
		t.Run(s.name, func(t *testing.T) { t.Parallel(); s.run(t) })
	}
}

// TestGatewayServers holds Route to the real servers.
func TestGatewayServers(t *testing.T) {
	t.Parallel() // much of a run is waiting
	for _, s := range servertest.Part(t, gatewayScenarios, 1) {
		t.Run(s.name, func(t *testing.T) { t.Parallel(); s.run(t) })
	}
}
