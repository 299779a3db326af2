package relay_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/relay"
)

var update = flag.Bool("update", false, "write the golden files")

// tryCompile holds every error that it gets to a place and a remedy.
func tryCompile(tb testing.TB, p relay.Policy, in relay.Installation) (*relay.Config, error) {
	tb.Helper()
	c, err := relay.Compile(p, in)
	relay.Remedied(tb, err)
	return c, err
}

func compile(tb testing.TB, p relay.Policy, in relay.Installation) *relay.Config {
	tb.Helper()
	c, err := tryCompile(tb, p, in)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// TestGolden pins the emitted files of the tests' world, as one archive a
// topology.
func TestGolden(t *testing.T) {
	store := labPolicy(t, "lab.json")
	store.Tenants[2].Store = "[store.example.org]:25"
	two, twoBase := pair(t)
	shared := labPolicy(t, "lab.json")
	shared.Inbound.Shared = true
	shared.Gateway.Client = relay.ClientCertificate{}
	shared.Loop.AnyDomain = true
	shared.Spam = relay.Spam{Folder: "Spam", Create: true, Mark: true}
	trixie := labPolicy(t, "lab.json")
	trixie.Server.Postfix, trixie.Server.Dovecot = "", ""
	trixie.Sieve = relay.Sieve{UserEditheader: true}
	trixieBase := labBase(t)
	trixieBase.PostfixVersion, trixieBase.DovecotVersion = "mail_version = 3.10.13\n", "2.4.1-4 (7d8c0e5759)\n"
	tests := []struct {
		name   string
		policy relay.Policy
		in     relay.Installation
	}{
		{"postfix 3.10 dovecot 2.4", trixie, trixieBase},
		{"mailboxes", labPolicy(t, "lab.json"), labBase(t)},
		{"outbound", labPolicy(t, "relay.json"), relay.Installation{}},
		{"one tenant in a store", store, withoutOrg(t)},
		{"shared", shared, labBase(t)},
		{"two gateways", two, twoBase},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var a txtar.Archive
			for _, f := range compile(t, tt.policy, tt.in).Files() {
				a.Files = append(a.Files, txtar.File{Name: f.Name, Data: f.Data})
			}
			got := txtar.Format(&a)
			golden := filepath.Join("testdata", strings.ReplaceAll(tt.name, " ", "-")+".txtar")
			if *update {
				if err := os.MkdirAll("testdata", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

// withoutOrg is the customer's configuration with example.org hosted elsewhere.
func withoutOrg(tb testing.TB) relay.Installation {
	in := labBase(tb)
	in.Files["/etc/postfix/main.cf"] = bytes.Replace(in.Files["/etc/postfix/main.cf"], []byte(", example.org"), nil, 1)
	in.Files["/etc/postfix/mailboxes"] = bytes.Replace(in.Files["/etc/postfix/mailboxes"], []byte("dave@example.org\tx\n"), nil, 1)
	in.Files["/etc/postfix/mailboxes"] = bytes.Replace(in.Files["/etc/postfix/mailboxes"], []byte("nowhere@example.org\tx\n"), nil, 1)
	return in
}

// result is the configuration directory after a run.
func result(in relay.Installation, files []relay.File, obsolete []string) relay.Installation {
	out := relay.Installation{Files: map[string][]byte{}, ConfigDirectory: in.ConfigDirectory}
	for name, data := range configured(in) {
		out.Files[confDir(in)+"/"+name] = data
	}
	for _, f := range files {
		if name, ok := strings.CutPrefix(f.Name, "postfix/"); ok {
			out.Files[confDir(in)+"/"+name] = f.Data
		}
	}
	for _, name := range obsolete {
		delete(out.Files, confDir(in)+"/"+strings.TrimPrefix(name, "postfix/"))
	}
	return out
}

// TestTwiceAndBack: compiling over the result changes nothing, and removing
// restores the bytes from before, for every kind of policy.
func TestTwiceAndBack(t *testing.T) {
	policies := map[string]func(*relay.Policy){
		"page":   func(*relay.Policy) {},
		"shared": func(p *relay.Policy) { p.Inbound.Shared = true; p.Gateway.Client = relay.ClientCertificate{} },
		"direct": func(p *relay.Policy) { p.Direct = []string{"remote1.test"}; p.Spam.Mark = true },
		"store":  func(p *relay.Policy) { p.Tenants[2].Store = "[store.example.org]:25" },
	}
	bases := map[string]func(testing.TB) relay.Installation{
		"plain": labBase,
		"with settings of its own": withMain(partner+"# kept\nheader_checks = regexp:/etc/postfix/own\n  pcre:/etc/postfix/own2\nsender_dependent_default_transport_maps =\n  hash:/etc/postfix/senders\n# inside\n  hash:/etc/postfix/more\nsmtpd_restriction_classes = a\na = permit\nrelay_domains =\n",
			map[string]string{"transport": partnerFiles["transport"], "own": "/^X:/ WARN\n", "own2": "/^Y:/ WARN\n", "senders": "",
				"more": "q@remote1.test smtp:[a]\n"}),
		"CRLF": func(tb testing.TB) relay.Installation {
			in := labBase(tb)
			for _, n := range []string{"main.cf", "master.cf"} {
				in.Files["/etc/postfix/"+n] = bytes.ReplaceAll(in.Files["/etc/postfix/"+n], []byte("\n"), []byte("\r\n"))
			}
			return in
		},
	}
	for pn, alter := range policies {
		for bn, base := range bases {
			t.Run(pn+", "+bn, func(t *testing.T) {
				p := labPolicy(t, "lab.json")
				alter(&p)
				in := base(t)
				if pn == "store" {
					in.Files["/etc/postfix/main.cf"] = bytes.Replace(in.Files["/etc/postfix/main.cf"], []byte(", example.org"), nil, 1)
				}
				c := compile(t, p, in)
				once := result(in, c.Files(), c.Obsolete())
				c2 := compile(t, p, once)
				if diff := cmp.Diff(once.Files, result(once, c2.Files(), c2.Obsolete()).Files); diff != "" {
					t.Errorf("compiled twice (-once +twice):\n%s", diff)
				}
				if diff := cmp.Diff(c.Files(), compile(t, p, in).Files()); diff != "" {
					t.Errorf("the same policy, other bytes:\n%s", diff)
				}
				r, err := relay.Remove("conbool", once)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(in.Files, result(once, r.Files, r.Obsolete).Files); diff != "" {
					t.Errorf("removed (-before +after):\n%s", diff)
				}
			})
		}
	}
}

// TestPolicyShrinks: what a changed policy no longer has is named as obsolete.
func TestPolicyShrinks(t *testing.T) {
	p := labPolicy(t, "lab.json")
	p.Direct = []string{"remote1.test"}
	in := labBase(t)
	c := compile(t, p, in)
	once := result(in, c.Files(), nil)
	p.Direct, p.Calendar.Off = nil, true
	if diff := cmp.Diff([]string{"haproxy/conbool.cfg", "nftables/conbool.nft", "postfix/conbool_bypass_mime", "postfix/conbool_transport"},
		compile(t, p, once).Obsolete()); diff != "" {
		t.Errorf("obsolete (-want +got):\n%s", diff)
	}
}

// TestInstallationConflicts: what would break the policy is refused, with the
// place.
func TestInstallationConflicts(t *testing.T) {
	service := func(lines string) func(testing.TB) relay.Installation {
		return func(tb testing.TB) relay.Installation {
			in := labBase(tb)
			in.Files["/etc/postfix/master.cf"] = append(in.Files["/etc/postfix/master.cf"], lines...)
			return in
		}
	}
	replace := func(old, new string) func(testing.TB) relay.Installation {
		return func(tb testing.TB) relay.Installation {
			in := labBase(tb)
			for _, n := range []string{"main.cf", "master.cf"} {
				in.Files["/etc/postfix/"+n] = []byte(strings.ReplaceAll(string(in.Files["/etc/postfix/"+n]), old, new))
			}
			return in
		}
	}
	tests := []struct {
		name  string
		alter func(*relay.Policy)
		base  func(testing.TB) relay.Installation
		path  string
		kind  error
	}{
		{"everything to the gateway already", nil, replace("relayhost =", "relayhost = [mail.conbool.com]:25"), "main.cf:32", relay.ErrConflict},
		{"FILTER has a next hop", nil, withMain("default_filter_nexthop = [a.test]\n", nil), "main.cf:33", relay.ErrConflict},
		{"proxy filter", nil, withMain("smtpd_proxy_filter = 127.0.0.1:10024\n", nil), "main.cf:33", relay.ErrConflict},
		{"another cleanup", nil, withMain("cleanup_service_name = mine\n", nil), "main.cf:33", relay.ErrConflict},
		{"a route for everything", nil, withMain(partner, map[string]string{"transport": "* smtp:[a.test]\n"}), "main.cf:33", relay.ErrConflict},
		{"a route for everything by a pattern", nil, withMain("transport_maps = regexp:/etc/postfix/transport\n",
			map[string]string{"transport": "/^postmaster@/ smtp:[a.test]\n!/@example\\.com$/ smtp:[b.test]\n"}), "transport:2", relay.ErrConflict},
		{"a next hop without a transport", nil, withMain(partner, map[string]string{"transport": "a.test smtp:[10.0.0.1]\npartner.test :[10.0.0.1]:25\n"}), "transport:2", relay.ErrConflict},
		{"a next hop for one address", nil, withMain(partner, map[string]string{"transport": "x@partner.test :[10.0.0.1]\n"}), "transport:1",
			relay.ErrConflict},
		{"a next hop for the subdomains of a hosted domain", nil, withMain(partner, map[string]string{"transport": ".example.com :[10.0.0.1]\n"}),
			"transport:1", relay.ErrConflict},
		{"a next hop by a pattern", nil, withMain("transport_maps = unionmap:{regexp:/etc/postfix/transport}\n",
			map[string]string{"transport": "/@a\\.test$/ smtp:\n/@b\\.test$/ :[10.0.0.1]\n"}), "transport:2", relay.ErrConflict},
		{"a next hop in main.cf", nil, withMain("transport_maps = inline:{{partner.test=:[10.0.0.1]}}\n", nil), "main.cf:33", relay.ErrConflict},
		{"a route for one sender in scope", nil, withMain("sender_dependent_default_transport_maps = hash:/etc/postfix/senders\n",
			map[string]string{"senders": "@remote.test smtp:\nx@remote.test smtp:\nAlice+x@Example.com smtp:[a.test]\n"}), "senders:3", relay.ErrConflict},
		{"a route for a name at a local domain in scope", nil, func(tb testing.TB) relay.Installation {
			in := withMain("sender_dependent_default_transport_maps = hash:/etc/postfix/senders\n",
				map[string]string{"senders": "alice smtp:[a.test]\n"})(tb)
			in.Files["/etc/postfix/main.cf"] = []byte(strings.Replace(string(in.Files["/etc/postfix/main.cf"]), "mydestination = localhost",
				"mydestination = localhost, example.com", 1))
			return in
		}, "senders:1", relay.ErrConflict},
		{"one that says nothing", nil, withMain("sender_dependent_default_transport_maps = hash:/etc/postfix/senders\n",
			map[string]string{"senders": "alice@example.com DUNNO\n"}), "senders:1", relay.ErrConflict},
		{"a pattern for senders in scope", nil, withMain("sender_dependent_default_transport_maps = regexp:/etc/postfix/senders\n",
			map[string]string{"senders": "/@example\\.com$/ smtp:[a.test]\n"}), "senders:1", relay.ErrConflict},
		{"default transport that is not SMTP", nil, withMain("default_transport = error:no\n", nil), "main.cf:33", relay.ErrConflict},
		{"the gateway may relay", nil, replace("127.0.1.0/24", "127.0.0.0/8"), "Gateway.Networks[0]", relay.ErrConflict},
		{"no certificate", nil, replace("smtpd_tls_cert_file = /etc/ssl/lab/ox.pem", ""), "main.cf: smtpd_tls_cert_file", relay.ErrConflict},
		{"hosted domain that is not local", func(p *relay.Policy) { p.Tenants[2].Domains = append(p.Tenants[2].Domains, "example.edu") }, labBase,
			"Tenants[2].Domains[1]", relay.ErrConflict},
		{"hosted here and elsewhere", func(p *relay.Policy) { p.Tenants[2].Store = "[a.test]:25" }, labBase, "Tenants[2].Domains[0]",
			relay.ErrConflict},
		{"listener without a role", nil, service("smtps inet n - n - - smtpd\n"), "master.cf:38", relay.ErrRequired},
		{"the gateway as the default", nil, withMain("default_transport = smtp:[mail.conbool.com]:25\n", nil), "main.cf:33", relay.ErrConflict},
		{"the gateway as a fallback", nil, withMain("smtp_fallback_relay = [Mail.Conbool.com]\n", nil), "main.cf:33", relay.ErrConflict},
		{"the vendor's recipe", nil, withMain("sender_dependent_relayhost_maps = hash:/etc/postfix/sender_relay\n",
			map[string]string{"sender_relay": "@example.com [mail.conbool.com]:25\n"}), "main.cf:33", relay.ErrConflict},
		{"the null sender in scope", nil, withMain("empty_address_default_transport_maps_lookup_key = postmaster@example.com\n", nil),
			"main.cf:33", relay.ErrConflict},
		{"checks that end all checks", nil, withMain("header_checks = regexp:/etc/postfix/own\n",
			map[string]string{"own": "/^Subject:/ DUNNO\n/^X-Ok:/ PASS\n"}), "own:2", relay.ErrConflict},
		{"shared, and a check that leads past ours", func(p *relay.Policy) { p.Inbound.Shared = true; p.Gateway.Client = relay.ClientCertificate{} },
			withMain("header_checks = regexp:/etc/postfix/own\n", map[string]string{"own": "/^Subject:/ FILTER amavis:[127.0.0.1]:10024\n"}), "own:1", relay.ErrConflict},
		{"shared, and a table that may", func(p *relay.Policy) { p.Inbound.Shared = true; p.Gateway.Client = relay.ClientCertificate{} },
			withMain("smtpd_sender_restrictions = check_sender_access mysql:/etc/postfix/s.cf\n", nil), "main.cf:33", relay.ErrConflict},
		{"redirects go elsewhere, by protocol", nil, func(tb testing.TB) relay.Installation {
			in := labBase(tb)
			in.Doveconf = whole("2.3.19.1 (9b53102964)", "protocol lmtp {\n  submission_host = mail.test:587\n}\n")
			return in
		}, "doveconf: protocol lmtp: submission_host", relay.ErrConflict},
		{"a global script of one protocol", nil, func(tb testing.TB) relay.Installation {
			in := labBase(tb)
			in.Doveconf = whole("2.3.19.1 (9b53102964)", "protocol lmtp {\n  plugin {\n    sieve_before = /srv/x.sieve\n  }\n}\n")
			return in
		}, "doveconf: protocol lmtp: plugin: sieve_before", relay.ErrConflict},
		{"role without a listener", func(p *relay.Policy) {
			p.Listeners = append(p.Listeners, relay.Listener{Service: "smtps", Role: relay.RoleSubmission})
		}, labBase, "Listeners[3].Service", relay.ErrConflict},
		{"port of ours", nil, service("127.0.0.1:10030 inet n - n - - smtpd\n"), "master.cf:38", relay.ErrConflict},
		{"transport of our name", nil, service("conbool unix - - n - - smtp\n"), "master.cf:38", relay.ErrConflict},
		{"listener with its own cleanup", nil, replace("-o smtpd_sasl_auth_enable=yes", "-o cleanup_service_name=mine"), "master.cf:4",
			relay.ErrConflict},
		{"gateway's listener with its own clients", nil, replace("smtpd\n# users'", "smtpd\n  -o smtpd_client_restrictions=permit\n# users'"),
			"master.cf:2", relay.ErrConflict},
		{"filter behind the outgoing transport", nil, withMain("content_filter = smtp:[127.0.0.1]:10024\n", nil), "main.cf:33",
			relay.ErrConflict},
		{"file of our name", nil, withMain("", map[string]string{"conbool_scope": "@example.com conbool:\n"}), "conbool_scope",
			relay.ErrConflict},
		{"exception that hides a route", func(p *relay.Policy) { p.Tenants[0].Scope.Except = []string{"bob@example.com"} },
			withMain("sender_dependent_default_transport_maps = hash:/etc/postfix/senders\n",
				map[string]string{"senders": "@example.com smtp:[a.test]\n"}), "Tenants[0].Scope.Except[0]", relay.ErrConflict},
		{"exception that may hide a route", func(p *relay.Policy) { p.Tenants[0].Scope.Except = []string{"bob@example.com"} },
			withMain("sender_dependent_default_transport_maps = mysql:/etc/postfix/senders.cf\n",
				nil), "Tenants[0].Scope.Except[0]", relay.ErrConflict},
		{"direct domain with a route", func(p *relay.Policy) { p.Direct = []string{"partner.test"} }, withMain(partner, partnerFiles),
			"Direct[0]", relay.ErrConflict},
		{"outbound with mailboxes", func(p *relay.Policy) {
			p.Topology, p.Spam, p.Listeners[0].Role = relay.TopologyOutbound, relay.Spam{}, relay.RoleReEntry
		}, labBase, "Tenants[0].Domains[0]", relay.ErrConflict},
		{"no slot", func(p *relay.Policy) { p.Sieve.Slot = 0 }, labBase, "Sieve.Slot", relay.ErrRequired},
		{"redirects go elsewhere", nil, func(tb testing.TB) relay.Installation {
			in := labBase(tb)
			in.Doveconf = whole("2.3.19.1 (9b53102964)", "submission_host = mail.test:587\n")
			return in
		}, "doveconf: submission_host", relay.ErrConflict},
		{"editheader for users and any domain", func(p *relay.Policy) { p.Loop.AnyDomain = true }, func(tb testing.TB) relay.Installation {
			in := labBase(tb)
			in.Doveconf = whole("2.3.19.1 (9b53102964)", "plugin {\n  sieve_extensions = +editheader\n}\n")
			return in
		}, "Loop.AnyDomain", headers.ErrNotExpressible},
		{"nothing there and nothing said", nil, func(testing.TB) relay.Installation { return relay.Installation{} }, "Server.Hostname",
			relay.ErrRequired},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := labPolicy(t, "lab.json")
			if tt.alter != nil {
				tt.alter(&p)
			}
			c, err := tryCompile(t, p, tt.base(t))
			if c != nil {
				t.Error("a Config in spite of the error")
			}
			var list relay.Errors
			if !errors.As(err, &list) {
				t.Fatalf("error %v, want Errors", err)
			}
			i := slices.IndexFunc(list, func(e *relay.Error) bool { return e.Position.String() == tt.path })
			if i < 0 {
				t.Fatalf("no error at %s:\n%v", tt.path, err)
			}
			if !errors.Is(list[i], tt.kind) {
				t.Errorf("%v: not %v", list[i], tt.kind)
			}
		})
	}
}

// fragment is the Dovecot fragment that a policy emits.
func fragment(tb testing.TB, p relay.Policy, in relay.Installation) string {
	tb.Helper()
	for _, f := range compile(tb, p, in).Files() {
		if f.Name == "dovecot/99-conbool.conf" {
			return string(f.Data)
		}
	}
	tb.Fatal("no Dovecot fragment is emitted")
	return ""
}

// TestSieveSlot: the fragment takes a number that is free.
func TestSieveSlot(t *testing.T) {
	tests := []struct {
		name, doveconf string
		slot           int
		want           string
	}{
		{"unknown, given", "", 2, "sieve_before2 = "},
		{"nothing there", "plugin {\n  sieve = file:~/sieve\n}\n", 0, "sieve_before = "},
		{"one there", "plugin {\n  sieve_before = /srv/a.sieve\n}\n", 0, "sieve_before2 = "},
		{"ours there", "plugin {\n  sieve_before = /srv/a.sieve\n  sieve_before2 = /etc/dovecot/sieve/before/10-conbool.sieve\n}\n", 0,
			"sieve_before2 = "},
		{"a gap", "plugin {\n  sieve_before = /srv/a.sieve\n  sieve_before3 = /srv/b.sieve\n}\n", 0, "sieve_before2 = "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := labPolicy(t, "lab.json")
			p.Sieve.Slot = tt.slot
			in := labBase(t)
			if tt.doveconf != "" {
				in.Doveconf = whole("2.3.19.1 (9b53102964)", tt.doveconf)
			}
			if got := fragment(t, p, in); !strings.Contains(got, "  "+tt.want+"/etc/dovecot/sieve/before/10-conbool.sieve\n") {
				t.Errorf("fragment without %q:\n%s", tt.want, got)
			}
		})
	}
	t.Run("taken", func(t *testing.T) {
		p := labPolicy(t, "lab.json")
		in := labBase(t)
		in.Doveconf = whole("2.3.19.1 (9b53102964)", "plugin {\n  sieve_before = /srv/a.sieve\n}\n")
		if _, err := tryCompile(t, p, in); !errors.Is(err, relay.ErrConflict) {
			t.Errorf("slot 1 is taken: %v", err)
		}
	})
}

// TestEditheader: with the extension on, every trusted name is forbidden, and
// what was forbidden before stays so.
func TestEditheader(t *testing.T) {
	p := labPolicy(t, "lab.json")
	p.Sieve.Slot = 0
	in := labBase(t)
	in.Doveconf = whole("2.3.19.1 (9b53102964)", "plugin {\n  sieve_extensions = +editheader\n  sieve_editheader_forbid_add = X-Own\n}\n")
	const names = "X-Conbool-example-com X-Conbool-example-net X-Conbool-example-org X-Conbool-Released X-Conbool-Flag X-OXMailroute-Origin\n"
	check := func() {
		t.Helper()
		got := fragment(t, p, in)
		for _, want := range []string{"  sieve_editheader_forbid_add = X-Own " + names, "  sieve_editheader_forbid_delete = " + names} {
			if !strings.Contains(got, want) {
				t.Errorf("fragment without %q:\n%s", want, got)
			}
		}
	}
	check()
	in.Doveconf = whole("2.3.19.1 (9b53102964)", "plugin {\n  sieve_editheader_forbid_add = X-Own\n}\nprotocol lmtp {\n  plugin {\n    sieve_extensions = +editheader\n  }\n}\n")
	check()
}

// TestMailboxScript: the form for a mailbox's own script has nothing in it that
// OX can't read, and no global script beside it.
func TestMailboxScript(t *testing.T) {
	p := labPolicy(t, "lab.json")
	p.Sieve.Form = relay.SievePerMailbox
	c := compile(t, p, labBase(t))
	if c.GlobalScript() != nil {
		t.Error("there is a global script too")
	}
	for _, f := range c.Files() {
		if strings.HasPrefix(f.Name, "sieve/") {
			t.Errorf("%s is emitted too", f.Name)
		}
	}
	text := string(c.MailboxScript().Format())
	for _, bad := range []string{":create", ":comparator", "mailbox\""} {
		if strings.Contains(text, bad) {
			t.Errorf("%q in\n%s", bad, text)
		}
	}
	for _, good := range []string{`fileinto "INBOX";`, `fileinto "Spam";`, "stop;"} {
		if !strings.Contains(text, good) {
			t.Errorf("no %q in\n%s", good, text)
		}
	}
}

// TestCompileKeepsNoReference: changing the policy afterwards changes nothing.
func TestCompileKeepsNoReference(t *testing.T) {
	p := labPolicy(t, "lab.json")
	c := compile(t, p, labBase(t))
	before := c.Files()
	p.Tenants[0].Domains[0] = "changed.test"
	p.Gateway.Client.Names[0] = "changed"
	p.Listeners[0].Role = relay.RoleInternal
	d := c.Route(t.Context(), &relay.Message{Origin: c.Origin(relay.RoleGateway), From: "a@b.test", To: "bob@example.com",
		Raw: []byte("Subject: x\n\n")})
	if d.String() != "mailbox INBOX" {
		t.Errorf("Route: %s", d)
	}
	if diff := cmp.Diff(before, c.Files()); diff != "" {
		t.Error(diff)
	}
}

// inPostfix is the path of a file of the configuration directory.
func inPostfix(in relay.Installation, name string) string { return confDir(in) + "/" + name }
