package maillab

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

func TestWorldIsData(t *testing.T) {
	w := DefaultWorld()
	data, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	var back World
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w, back); diff != "" {
		t.Errorf("through JSON (-want +got):\n%s", diff)
	}
	for _, name := range []string{"conbool", "Conbool"} {
		other, err := json.Marshal(WorldFor("out.gateway.test", "gw"))
		if err != nil || bytes.Contains(other, []byte(name)) {
			t.Errorf("another gateway's world has %q in it (%v)", name, err)
		}
	}
}

func TestSmartHostModes(t *testing.T) {
	Need(t)
	want := map[Mode]string{
		Good: "smarthost:mail.conbool.com", CNOnly: "smarthost:mail.conbool.com",
		WrongName: "deferred", Expired: "deferred", OtherCA: "deferred", SelfSigned: "deferred", NoTLS: "deferred",
		Reject: "bounced:550", TempFail: "deferred:451", Down: "deferred",
	}
	for _, mode := range servertest.Part(t, Modes(), 1) {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			w := DefaultWorld()
			w.SmartHost = mode
			r := Run(t, w, plainSite("relayhost = [mail.conbool.com]:25\nsmtp_tls_security_level = secure\n"), []Message{
				{ID: "out", From: "alice@example.com", Recipients: []string{"x@remote1.test"}, Raw: []byte("Subject: x\n\n")},
			})
			p := r.Messages["out"].Recipients["x@remote1.test"][0]
			if got := p.String(); got != want[mode] {
				t.Errorf("got %s, want %s (%s)", got, want[mode], p.Text)
			}
			if p.Kind == KindSmartHost && (p.TLS != "TLSv1.3" || p.ClientCert != "ox.example.com" || !p.Verified || p.Peer == "") {
				t.Errorf("shown to the smart host: %q %q %v from %q", p.TLS, p.ClientCert, p.Verified, p.Peer)
			}
			if notices := briefs(r.Messages["out"].Notices); (len(notices) > 0) != (mode == Reject) {
				t.Errorf("notices %q", notices)
			}
			sound(t, r)
		})
	}
}

// TestOtherGateway is a world with nothing of Conbool's, and a test that needs
// the gateway's fingerprint in its files.
func TestOtherGateway(t *testing.T) {
	Need(t)
	w := WorldFor("out.gateway.test", "gw")
	keys, err := Issue(w.Certificates, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Keys = keys
	print, err := keys["gw"].Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	site := plainSite(`relayhost = [out.gateway.test]
smtp_tls_security_level = secure
smtpd_tls_ask_ccert = yes
smtpd_tls_fingerprint_digest = sha256
smtpd_client_restrictions = permit_mynetworks, check_ccert_access hash:/etc/postfix/ccerts, reject
smtpd_delay_reject = yes
`)
	site.Files["postfix/ccerts"] = []byte(print + " OK\n")
	in := Message{ID: "in", Source: "127.0.2.1", TLS: "tls", Certificate: "gw", From: "z@remote2.test",
		Recipients: []string{"bob@example.com"}, Raw: []byte("\n")}
	other := in
	other.ID, other.Certificate = "in-other", "stranger"
	r := Run(t, w, site, []Message{
		{ID: "out", From: "alice@example.com", Recipients: []string{"x@remote1.test"}, Raw: []byte("\n")}, in, other,
	})
	got := map[string]string{}
	for id, o := range r.Messages {
		for _, places := range o.Recipients {
			got[id] += strings.Join(briefs(places), ", ")
		}
	}
	want := map[string]string{
		"out":      "smarthost:out.gateway.test <x@remote1.test>",
		"in":       "mailbox:INBOX <bob@example.com>",
		"in-other": "rejected:554 <bob@example.com>",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	sound(t, r)
}

// TestInstances has a second Postfix that does the sending, with the long form
// of queue file names.
func TestInstances(t *testing.T) {
	Need(t)
	site := plainSite("relayhost = [127.0.1.2]:25\nenable_long_queue_ids = yes\nalternate_config_directories = /etc/postfix-out\n")
	site.Files["postfix/main.cf"] = bytes.Replace(site.Files["postfix/main.cf"], []byte("smtpd_sasl_auth_enable = yes\n"), nil, 1)
	site.Files["postfix-out/main.cf"] = []byte(`compatibility_level = 3.6
myhostname = out.example.com
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.1.2
inet_protocols = ipv4
alias_maps =
queue_directory = /var/spool/postfix-out
data_directory = /var/lib/postfix-out
smtpd_relay_restrictions = permit_mynetworks, reject
`)
	site.NoDovecot = true
	r := Run(t, DefaultWorld(), site, []Message{
		{ID: "out", From: "alice@example.com", Recipients: []string{"x@remote1.test", "y@remote2.test"}, Raw: []byte("\n")},
		{ID: "pickup", To: "sendmail:out", From: "alice@example.com", Recipients: []string{"x@remote1.test"}, Raw: []byte("\n")},
	})
	want := map[string]seen{
		"out": {250, map[string][]string{
			"x@remote1.test": {"mx:remote1.test <x@remote1.test>"}, "y@remote2.test": {"mx:remote2.test <y@remote2.test>"},
		}, nil, nil},
		"pickup": {250, map[string][]string{"x@remote1.test": {"mx:remote1.test <x@remote1.test>"}}, nil, nil},
	}
	got := map[string]seen{}
	for id, o := range r.Messages {
		got[id] = short(o)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p := r.Messages["out"].Recipients["x@remote1.test"]; len(p) == 1 && len(p[0].Fields("Received")) != 2 {
		t.Errorf("the copy went through one instance only:\n%s", p[0].Header)
	}
	sound(t, r)
}
