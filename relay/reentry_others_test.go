package relay_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/relay"
)

// withOther is the tests' installation with a listener for another server's
// Dovecot, which has more options.
func withOther(main string, files map[string]string, options ...string) func(testing.TB) relay.Installation {
	return func(tb testing.TB) relay.Installation {
		in := withMain(main, files)(tb)
		text := otherListener + " inet n - n - - smtpd\n"
		for _, o := range options {
			text += "  -o " + o + "\n"
		}
		in.Files["/etc/postfix/master.cf"] = append(in.Files["/etc/postfix/master.cf"], text...)
		return in
	}
}

func ofOthers(tb testing.TB) relay.Policy {
	p := labPolicy(tb, "lab.json")
	p.Listeners = append(p.Listeners, relay.Listener{Service: otherListener, Role: relay.RoleReEntry})
	return p
}

// TestOthersConflicts: what can't be combined with the sorting is refused by
// name, and the way out leads on.
func TestOthersConflicts(t *testing.T) {
	table := func(name, text string) map[string]string { return map[string]string{name: text} }
	const own, checks = "own unix n - n - 0 cleanup\n  -o header_checks=\n", "header_checks = regexp:/etc/postfix/own\n"
	service := func(base func(testing.TB) relay.Installation) func(testing.TB) relay.Installation {
		return func(tb testing.TB) relay.Installation {
			in := base(tb)
			in.Files["/etc/postfix/master.cf"] = append(in.Files["/etc/postfix/master.cf"], own...)
			return in
		}
	}
	pickup := func(base func(testing.TB) relay.Installation) func(testing.TB) relay.Installation {
		return func(tb testing.TB) relay.Installation {
			in := service(base)(tb)
			master := "/etc/postfix/master.cf"
			text := regexp.MustCompile(`(?m)^pickup .*$`).ReplaceAllString(string(in.Files[master]), "$0\n  -o cleanup_service_name=own")
			in.Files[master] = []byte(text)
			return in
		}
	}
	outside := func(options ...string) func(testing.TB) relay.Installation {
		return func(tb testing.TB) relay.Installation {
			in := withOther("", nil, options...)(tb)
			in.Files["/etc/postfix/master.cf"] = []byte(strings.Replace(string(in.Files["/etc/postfix/master.cf"]), otherListener, "192.0.2.9:25",
				1))
			return in
		}
	}
	for _, tt := range []struct {
		name     string
		base     func(testing.TB) relay.Installation
		at, says string // no text: it is taken
	}{
		{"plain", withOther("", nil), "", ""},
		{"another content filter", withOther("", nil, "content_filter=scan:[127.0.0.1]:10024"), "Listeners[3]", "content_filter"},
		{"way out: the same", withOther("content_filter = scan:[127.0.0.1]:10024\n", nil), "", ""},
		{"before-queue filter", withOther("", nil, "smtpd_proxy_filter=127.0.0.1:10024"), "master.cf:38", "smtpd_proxy_filter"},
		{"FILTER in body_checks", withOther("", table("own", "/x/ FILTER scan:x\n"), "cleanup_service_name=body"), "master.cf:38", "cleanup"},
		{"FILTER in header_checks", service(withOther(checks, table("own", "/^Subject: x/ FILTER scan:x\n"))), "own:1", "FILTER"},
		{"REJECT of X-Sieve", pickup(withOther(checks, table("own", "/^X-Sieve:/ REJECT\n"))), "own:1", "to " + otherListener},
		{"REJECT of X-Sieve by sendmail's checks", service(withOther(checks, table("own", "/^X-Sieve:/ REJECT\n"), "cleanup_service_name=own")),
			"own:1", "to 127.0.0.1:10032"},
		{"way out: a cleanup service of its own", pickup(withOther(checks, table("own", "/^X-Sieve:/ REJECT\n"), "cleanup_service_name=own")), "",
			""},
		{"way out: no checks", pickup(withOther(checks, table("own", "/^X-Sieve:/ REJECT\n"),
			"receive_override_options=no_header_body_checks,no_milters")), "", ""},
		{"IGNORE of X-Sieve", withOther(checks, table("own", "/^X-Sieve/ IGNORE\n")), "", ""},
		{"FILTER of an access table", withOther("", table("own", "z@remote3.test FILTER scan:x\n"),
			"smtpd_sender_restrictions=check_sender_access,hash:/etc/postfix/own"), "own:1", "FILTER"},
		{"open to everybody", outside(), "Listeners[3]", "anybody"},
		{"open by a table", outside("smtpd_sender_restrictions=check_sender_access,hash:/etc/postfix/mailboxes,reject"), "Listeners[3]",
			"anybody"},
		{"mynetworks is everybody", outside("mynetworks=0.0.0.0/0", "smtpd_client_restrictions=permit_mynetworks,reject"), "Listeners[3]",
			"anybody"},
		{"postmaster from anybody", outside("smtpd_client_restrictions=permit_mynetworks,reject"), "Listeners[3]", "postmaster"},
		{"closed by the firewall", outside("smtpd_client_restrictions=permit_mynetworks,reject",
			"smtpd_data_restrictions=permit_mynetworks,reject"),
			"Listeners[3]", "firewall would close"},
		{"way out: clients that are known", outside("smtpd_client_restrictions=permit_mynetworks,reject",
			"smtpd_data_restrictions=reject_unauth_pipelining,permit_mynetworks,reject"), "", ""},
		{"way out: refused at once", outside("smtpd_client_restrictions=permit_mynetworks,reject", "smtpd_delay_reject=no"), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := ofOthers(t)
			in := tt.base(t)
			if tt.name == "closed by the firewall" {
				p.Firewall = relay.Firewall{Ports: []uint16{25}}
				p.Listeners[2].Service, p.Inbound.Elsewhere = "127.0.1.2:25", true
			}
			if strings.Contains(string(in.Files["/etc/postfix/master.cf"]), "192.0.2.9") {
				p.Listeners[3].Service = "192.0.2.9:25"
			}
			_, err := tryCompile(t, p, in)
			var list relay.Errors
			if tt.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.As(err, &list) || list[0].Position.String() != tt.at || !strings.Contains(list[0].Error(), tt.says) ||
				!errors.Is(err, relay.ErrConflict) {
				t.Errorf("want a conflict at %s that says %q:\n%v", tt.at, tt.says, err)
			}
		})
	}
}

// TestOthersRoute: Route sorts mail of a listener for other servers as the
// servers do (TestSieveSends, TestOthersSieve), in every topology and for two such
// listeners, and this server's own redirects enter at the generated listener.
func TestOthersRoute(t *testing.T) {
	relays := labPolicy(t, "relay.json")
	relays.Listeners = append(relays.Listeners, relay.Listener{Service: otherListener, Role: relay.RoleReEntry})
	boxes := ofOthers(t)
	store := ofOthers(t)
	store.Topology, store.Sieve, store.Spam = relay.TopologyStore, relay.Sieve{}, relay.Spam{Mark: true}
	for i := range store.Tenants {
		store.Tenants[i].Store = "[store.example.com]:25"
	}
	without := func(tb testing.TB) relay.Installation {
		in := withOther("", nil)(tb)
		main := string(in.Files["/etc/postfix/main.cf"])
		in.Files["/etc/postfix/main.cf"] = []byte(strings.Replace(main, "virtual_mailbox_domains =", "relay_domains =", 1))
		return in
	}
	const made = "X-Sieve: Pigeonhole Sieve 2.4.1\nMessage-ID: <a@b>\nX-Sieve-Redirected-From: a@b\n"
	const marker = "X-Conbool-Released: yes\n"
	for _, topology := range []struct {
		name string
		p    relay.Policy
		in   relay.Installation
	}{{"outbound", relays, relay.Installation{}}, {"mailboxes", boxes, withOther("", nil)(t)}, {"store", store, without(t)}} {
		t.Run(topology.name, func(t *testing.T) {
			c := compile(t, topology.p, topology.in)
			for _, l := range topology.p.Listeners {
				if l.Role != relay.RoleReEntry {
					continue
				}
				o := c.Origin(relay.RoleReEntry)
				o.Service = l.Service
				for raw, want := range map[string]relay.Action{
					"Message-ID: <a@b>\n" + marker:                  relay.ActionMX,
					redirectedHead + marker:                         relay.ActionMX,
					made + marker:                                   relay.ActionRelay,
					"Subject: x\nX-Sieve: CMU Sieve 3.0\n" + marker: relay.ActionRelay,
					"X-Sieve-Redirected-From: a@b\n" + marker:       relay.ActionMX,
					// It went through a Sieve earlier.
					"Received: from a by b\n" + marker + "X-Sieve: x\nMessage-ID: <a@b>\n":                          relay.ActionMX,
					"Received: from a by b\nMessage-ID: <a@b>\nX-Sieve: x\nX-Sieve-Redirected-From: a@b\n" + marker: relay.ActionRelay,
				} {
					d := c.Route(t.Context(), &relay.Message{Origin: o, From: "alice@example.com", To: "x@remote1.test", Raw: []byte(raw + "\nhi\n")})
					if len(d.Outcomes) != 1 || d.Outcomes[0].Action != want {
						t.Errorf("%s: %q: %v, want %s\n%s", l.Service, raw, d.Outcomes, want, traces(d))
					}
				}
			}
			// A second run changes nothing, and nothing is left after a removal.
			in := result(topology.in, c.Files(), c.Obsolete())
			again := compile(t, topology.p, in)
			if diff := cmp.Diff(texts(c), texts(again)); diff != "" {
				t.Errorf("a second run (-first +second):\n%s", diff)
			}
			r, err := relay.Remove("conbool", in)
			if err != nil {
				t.Fatal(err)
			}
			if len(topology.in.Files) == 0 {
				return
			}
			if diff := cmp.Diff(configured(topology.in), configured(result(in, r.Files, r.Obsolete))); diff != "" {
				t.Errorf("after the removal (-before +after):\n%s", diff)
			}
		})
	}
	c := compile(t, boxes, withScript(t, withOther("", nil)(t)))
	d := c.Route(t.Context(), &relay.Message{Origin: c.Origin(relay.RoleGateway), From: "z@remote3.test", To: "fwd@example.com", Raw: hello})
	if !strings.Contains(traces(d), "Sieve has redirected it") || !strings.Contains(traces(d), "10033") {
		t.Errorf("this server's redirect:\n%s", traces(d))
	}
}

func withScript(tb testing.TB, in relay.Installation) relay.Installation {
	in.Scripts = relay.ScriptMap{"fwd@example.com": program(tb, "fwd@example.com", "redirect \"out@remote1.test\";\n")}
	return in
}

func texts(c *relay.Config) map[string]string {
	out := map[string]string{}
	for _, f := range c.Files() {
		out[f.Name] = string(f.Data)
	}
	return out
}
