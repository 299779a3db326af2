package relay_test

import (
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// onSystems runs the test on each system (on one in a plain run), with a policy of
// labPolicy's for its versions and the world that has it.
func onSystems(t *testing.T, test func(t *testing.T, p relay.Policy, w maillab.World)) {
	t.Parallel() // much of a run is waiting
	for _, system := range maillab.FixedSystems(t, t.Name()) {
		t.Run(system.Name, func(t *testing.T) {
			maillab.NeedSystem(t, system)
			t.Parallel()
			p := labPolicy(t, "lab.json")
			p.Server.Postfix, p.Server.Dovecot = system.Postfix, system.Dovecot
			w := maillab.DefaultWorld()
			w.Root = system.Root
			test(t, p, w)
		})
	}
}

// labSite is the emitted configuration of a policy in the customer's.
func labSite(tb testing.TB, p relay.Policy, in relay.Installation) (*relay.Config, maillab.Site) {
	tb.Helper()
	c := compile(tb, p, in)
	site := maillab.Site{Files: map[string][]byte{}, Users: users}
	for name, data := range configured(in) {
		site.Files["postfix/"+name] = data
	}
	for _, f := range c.Files() {
		site.Files[f.Name] = f.Data
	}
	return c, site
}

// kinds are the kinds of the places where a recipient's copies ended.
func kinds(o maillab.Outcome, to string) string {
	var out []string
	for _, p := range append(o.Recipients[to], o.Redirected...) {
		if p.Kind != maillab.KindConsumed {
			out = append(out, string(p.Kind))
		}
	}
	return strings.Join(out, " ")
}

// TestSmartHostModes: only a smart host with the right certificate gets mail;
// everything else waits, whatever the message asks for (TLS-Required, RFC 8689),
// and marked mail does not care.
func TestSmartHostModes(t *testing.T) { onSystems(t, testSmartHostModes) }

func testSmartHostModes(t *testing.T, policy relay.Policy, w maillab.World) {
	want := map[maillab.Mode]string{
		maillab.Good: "smarthost", maillab.CNOnly: "smarthost", maillab.WrongName: "deferred", maillab.Expired: "deferred", maillab.OtherCA: "deferred",
		maillab.SelfSigned: "deferred", maillab.NoTLS: "deferred", maillab.Reject: "bounced", maillab.TempFail: "deferred", maillab.Down: "deferred",
	}
	_, site := labSite(t, policy, labBase(t))
	// Of each kind (takes it, refuses it, can not be trusted) the plain run has some.
	for _, mode := range servertest.Part(t, maillab.Modes(), 2) {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			w := w
			w.SmartHost = mode
			r := maillab.Run(t, w, site, []maillab.Message{
				{ID: "out", To: "127.0.1.2:25", From: "alice@example.com", Recipients: []string{"x@remote1.test"}, Raw: hello},
				{ID: "opt-out", To: "127.0.1.2:25", From: "alice@example.com", Recipients: []string{"x@remote1.test"},
					Raw: []byte("TLS-Required: no\n\n")},
				{ID: "marked", To: "127.0.0.1:10032", Source: "127.0.0.1", From: "alice@example.com", Recipients: []string{"x@remote1.test"},
					Raw: []byte(redirectedHead + "X-Conbool-Released: yes\n\n")},
				{ID: "in", To: "127.0.1.2:25", From: "alice@example.com", Recipients: []string{"bob@example.com"}, Raw: hello},
			})
			for id, to := range map[string]string{"out": "x@remote1.test", "opt-out": "x@remote1.test", "marked": "x@remote1.test",
				"in": "bob@example.com"} {
				expected := map[string]string{"out": want[mode], "opt-out": want[mode], "marked": "mx", "in": "mailbox"}[id]
				if got := kinds(r.Messages[id], to); got != expected {
					t.Errorf("%s: %q, want %q (%v)", id, got, expected, r.Messages[id].Recipients[to])
				}
			}
			for _, p := range r.Messages["out"].Recipients["x@remote1.test"] {
				if p.Kind == maillab.KindSmartHost && (p.ClientCert != "ox.example.com" || !p.Verified) {
					t.Errorf("our certificate: %q, verified %v", p.ClientCert, p.Verified)
				}
			}
			for _, p := range r.Messages["marked"].Recipients["x@remote1.test"] {
				if p.ClientCert != "" || len(p.Fields("X-Conbool-Released")) > 0 {
					t.Errorf("the MX saw certificate %q and %v", p.ClientCert, p.Fields("X-Conbool-Released"))
				}
			}
		})
	}
}

// TestLookupMX: without brackets the MX of the smart host's name gets the
// connection, and is refused for its certificate.
func TestLookupMX(t *testing.T) { onSystems(t, testLookupMX) }

func testLookupMX(t *testing.T, p relay.Policy, w maillab.World) {
	p.Gateway.SmartHost.LookupMX = true
	c, site := labSite(t, p, labBase(t))
	r := maillab.Run(t, w, site, []maillab.Message{
		{ID: "out", To: "127.0.1.2:25", From: "alice@example.com", Recipients: []string{"x@remote1.test"}, Raw: hello},
	})
	if got := kinds(r.Messages["out"], "x@remote1.test"); got != "deferred" {
		t.Errorf("%q, want deferred", got)
	}
	m := relay.Message{Origin: c.Origin(relay.RoleInternal), From: "alice@example.com", To: "x@remote1.test", Raw: hello,
		SmartHost: relay.PeerUnverified}
	if d := c.Route(t.Context(), &m); d.String() != "defer 450" {
		t.Errorf("Route: %s", d)
	}
}

// TestSieveForgery: a user with editheader can't send past the gateway. The
// same script without our fragment's list can, so that the test would notice.
func TestSieveForgery(t *testing.T) { onSystems(t, testSieveForgery) }

func testSieveForgery(t *testing.T, p relay.Policy, w maillab.World) {
	const extension = "plugin {\n  sieve_extensions = +editheader\n}\n"
	const script = "require \"editheader\";\naddheader \"X-Conbool-Released\" \"yes\";\naddheader \"X-OXMailroute-Origin\" \"gateway\";\nredirect \"x@remote1.test\";\n"
	for _, tt := range []struct {
		name      string
		protected bool
		want      string
	}{{"forbidden", true, "smarthost"}, {"control", false, "mx"}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := p
			p.Sieve.UserEditheader = tt.protected
			_, site := labSite(t, p, labBase(t))
			site.Dovecot, site.Dovecot24 = extension, "sieve_extensions {\n  editheader = yes\n}\n"
			site.Files["sieve/users/bob@example.com.sieve"] = []byte(script)
			r := maillab.Run(t, w, site, []maillab.Message{
				{ID: "out", To: "127.0.1.2:25", From: "alice@example.com", Recipients: []string{"bob@example.com"},
					Raw: []byte("Message-ID: <1@forged.test>\nSubject: x\n\n")},
			})
			if got := kinds(r.Messages["out"], "bob@example.com"); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// TestMailboxScriptServers: the rules in a mailbox's own script do what the
// global ones do, before the user's rules.
func TestMailboxScriptServers(t *testing.T) { onSystems(t, testMailboxScriptServers) }

func testMailboxScriptServers(t *testing.T, p relay.Policy, w maillab.World) {
	p.Sieve.Form = relay.SievePerMailbox
	c, site := labSite(t, p, labBase(t))
	own := string(c.MailboxScript().Format()) + "# the user's\nif header :contains \"subject\" \"x\" { fileinto \"Own\"; }\n"
	site.Files["sieve/users/bob@example.com.sieve"] = []byte(own)
	in := labBase(t)
	in.Scripts = relay.ScriptMap{"bob@example.com": program(t, "bob", own)}
	c = compile(t, p, in)
	want := map[string]string{
		"Subject: x\n\n": "Own", "X-Conbool-Flag: YES\nSubject: x\n\n": "Spam", "X-Conbool-Flag: YES\nX-Conbool-Released: yes\nSubject: x\n\n": "INBOX", "Subject: y\n\n": "INBOX",
	}
	var msgs []maillab.Message
	ids := map[string]string{}
	for raw := range want {
		id := "m" + string(rune('a'+len(msgs)))
		ids[id] = raw
		msgs = append(msgs, maillab.Message{ID: id, Source: "127.0.2.1", TLS: "tls", Certificate: "conbool", From: "z@remote2.test",
			Recipients: []string{"bob@example.com"}, Raw: []byte(raw)})
	}
	r := maillab.Run(t, w, site, msgs)
	for id, raw := range ids {
		d := c.Route(t.Context(), &relay.Message{Origin: c.Origin(relay.RoleGateway), From: "z@remote2.test", To: "bob@example.com",
			Raw: []byte(raw)})
		if d.String() != "mailbox "+want[raw] {
			t.Errorf("%q: Route says %s, want %s", raw, d, want[raw])
		}
		if places := r.Messages[id].Recipients["bob@example.com"]; len(places) != 1 || places[0].Kind != maillab.KindMailbox ||
			places[0].Name != want[raw] {
			t.Errorf("%q: servers %v, want %s", raw, places, want[raw])
		}
	}
}
