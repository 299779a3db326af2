package relay

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// siteOf reads a policy's site: valid's with two gateways, where main and master
// add to a small installation.
func siteOf(t *testing.T, main, master string) *site {
	t.Helper()
	p := valid()
	p.Further = []FurtherGateway{{
		Gateway: Gateway{
			Name: "acme",
			SmartHost: SmartHost{Host: "mail.acme.test", Port: 25, CAFile: "/etc/ssl/ca.pem", CertFile: "/etc/ssl/lab/ox.pem",
				KeyFile: "/etc/ssl/lab/ox.key"},
			Networks: []netip.Prefix{netip.MustParsePrefix("127.0.5.0/28")},
			Client:   ClientCertificate{Fingerprints: []string{strings.TrimSuffix(strings.Repeat("AC:", 32), ":")}},
			Markers:  Markers{Released: headers.When(headers.Exists{Name: "X-Acme-Released"}), Reserved: []string{"X-Acme-"}},
		},
		Inbound: Inbound{Host: "mx2.ox.example.com"},
	}}
	p.Tenants[1].Gateway = "acme"
	p.Listeners = append(p.Listeners, Listener{Service: "127.0.1.1:2525", Role: RoleGateway, Gateway: "acme"})
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	master = "127.0.1.1:25 inet n - n - - smtpd\n127.0.1.1:587 inet n - n - - smtpd\n127.0.1.2:25 inet n - n - - smtpd\n" +
		"127.0.1.1:2525 inet n - n - - smtpd\n  -o smtpd_data_restrictions=reject_unauth_pipelining\npickup unix n - n 60 1 pickup\n" +
		"cleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\nrewrite unix - - n - - trivial-rewrite\nsmtp unix - - n - - smtp\n" +
		"relay unix - - n - - smtp\nlmtp unix - - n - - lmtp\nvirtual unix - n n - - virtual\nlocal unix - n n - - local\n" + master
	main = "myhostname = ox.example.com\nmynetworks = 127.0.0.1/32\nvirtual_mailbox_domains = example.com, example.net, example.org\n" +
		"virtual_transport = lmtp:unix:private/dovecot-lmtp\nmydestination =\nsmtpd_tls_cert_file = /etc/ssl/lab/ox.pem\n" + main
	r := newReport(p)
	s, ok := read(p, Installation{Files: map[string][]byte{"/etc/postfix/main.cf": []byte(main), "/etc/postfix/master.cf": []byte(master)}}, r)
	if !ok || len(r.errs) > 0 {
		t.Fatal(r.errs)
	}
	return s
}

// TestCheckAlone asks single checks of a site that has one fault, and of one that
// has all and was checked: the last ones first.
func TestCheckAlone(t *testing.T) {
	checks := []struct {
		name         string
		main, master string
		check        func(checker)
		place, says  string
	}{
		{"networks", "mynetworks = 127.0.5.0/24\n", "", checker.checkNetworks, "Further[0].Networks[0]", "could relay to anywhere"},
		{"routing", "", "q unix n - n - - qmgr\n  -o rewrite_service_name=other\n", checker.checkRouting, "master.cf:", "rewrite_service_name"},
		{"services", "", "2626 inet n - n - - smtpd\n", checker.checkServices, "master.cf:", "no role"},
		{"past", "relayhost = [mail.acme.test]\n", "", checker.checkPast, "main.cf:", "without verifying it"},
		{"dropped", "message_drop_headers = X-Acme-Released\n", "", checker.checkDropped, "main.cf:", "the gateway's mail is known"},
	}
	var main, master string
	for _, tt := range checks {
		main, master = main+tt.main, master+tt.master
	}
	all := siteOf(t, main, master)
	check(all, newReport(all.policy))
	for _, tt := range slices.Backward(checks) {
		for _, s := range []*site{siteOf(t, tt.main, tt.master), all} {
			r := newReport(s.policy)
			tt.check(checker{task{s, r}})
			found := slices.ContainsFunc(r.errs, func(e *Error) bool {
				return strings.HasPrefix(e.Position.String(), tt.place) && strings.Contains(e.Error(), tt.says)
			})
			if !found || s != all && len(r.errs) != 1 {
				t.Errorf("%s, with others %t: %v", tt.name, s == all, r.errs)
			}
		}
	}
}

// TestEmissionAlone writes what one gateway of two has for itself, without the
// rest, and everything twice from one site.
func TestEmissionAlone(t *testing.T) {
	s := siteOf(t, "", "")
	r := newReport(s.policy)
	whole := emit(s, r)
	if len(r.errs) > 0 {
		t.Fatal(r.errs)
	}
	for _, g := range s.gateways {
		out := &output{site: s, files: map[string][]byte{}}
		w := fileWriter{task: task{s, newReport(s.policy)}, out: out}.of(g)
		w.emitGatewayTables(g)
		w.emitListenerTables(g)
		if len(out.files) < 3 {
			t.Errorf("%s has %d files", g.policy.Gateway.Name, len(out.files))
		}
		for name, data := range out.files {
			if !strings.HasPrefix(name, "postfix/"+g.policy.Gateway.Name+"_") || !bytes.Equal(data, whole.files[name]) {
				t.Errorf("%s of %s: alone\n%s\nwith the others\n%s", name, g.policy.Gateway.Name, data, whole.files[name])
			}
		}
		// Its parameters name its own tables, and none that is not written.
		for _, o := range []*output{out, {site: s}} {
			m := &mainWriter{task: task{s, newReport(s.policy)}, output: o}
			m.emitRestrictions(g)
			named := slices.ContainsFunc(m.params, func(p postfix.Param) bool { return strings.Contains(p.Value, "_certs") })
			if len(m.params) < 3 || named != (o == out && len(g.policy.Gateway.Client.Fingerprints) > 0) {
				t.Errorf("%s: %v", g.policy.Gateway.Name, m.params)
			}
			for _, p := range m.params {
				if !strings.HasPrefix(p.Name, g.policy.Gateway.Name+"_") {
					t.Errorf("%s has %s", g.policy.Gateway.Name, p.Name)
				}
			}
		}
	}
	again := emit(s, r)
	if len(r.errs) > 0 || len(again.files) != len(whole.files) {
		t.Fatal(r.errs)
	}
	for name, data := range whole.files {
		if !bytes.Equal(data, again.files[name]) {
			t.Errorf("%s: once\n%s\nthen\n%s", name, data, again.files[name])
		}
	}
	if c := evaluate(s, again, r); len(r.errs) > 0 || len(c.Exceptions()) != 2 {
		t.Errorf("evaluated: %v", r.errs)
	}
}
