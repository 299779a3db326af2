package relay_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/relay"
)

// evidence is what holds a row of the table of COEXISTENCE.md to the code.
type evidence struct {
	// settings are what a customer with the feature has: each stands in a layout,
	// which TestLayouts runs on both systems, or in the file of one of the tests.
	settings []string
	tests    []string // functions
	// refused are the clauses of the last column, each with a customer who gets
	// that error.
	refused map[string]refusal
}

type refusal struct {
	alter  func(*relay.Policy)
	base   func(testing.TB) relay.Installation
	says   string // a part of the error, or of the warning
	warned bool
}

func doveconf(text string) func(testing.TB) relay.Installation {
	return func(tb testing.TB) relay.Installation {
		in := labBase(tb)
		in.Doveconf = whole("2.3.19.1 (9b53102964)", text)
		return in
	}
}

// table is a customer's parameter with a table behind it.
func table(parameter, kind, text string) func(testing.TB) relay.Installation {
	return withMain(parameter+" = "+kind+":/etc/postfix/own\n", map[string]string{"own": text})
}

var coexistenceRows = map[string]evidence{
	"header, MIME, nested checks": {
		settings: []string{"header_checks = ", "mime_header_checks = ", "nested_header_checks = "}, tests: []string{"TestBeside"},
		refused: map[string]refusal{
			"`PASS` in them (it ends the generated checks too): use `DUNNO`": {base: table("header_checks", "regexp", "/^X-Ok:/ PASS\n"),
				says: "DUNNO"},
			"`REDIRECT`, which does the same: use an access table, or `BCC`": {base: table("header_checks", "regexp",
				"/^X-Ok:/ REDIRECT r@remote1.test\n"), says: "check_sender_access"},
			"a rule that makes markers or removes them": {base: table("header_checks", "regexp",
				"/^X-Ok: (.*)/ PREPEND $1\n"), says: "a marker too"},
			"a table that can't be read: vouch for it in `Installation.Tables`": {base: withMain("header_checks = mysql:/etc/postfix/x\n", nil),
				says: "Installation.Tables"},
		},
	},
	"body checks": {settings: []string{"\nbody_checks = "}, tests: []string{"TestFollow"}},
	"a cleanup service of your own on a listener, `-o header_checks`, `cleanup_service_name`": {
		settings: []string{"-o cleanup_service_name=", "-o header_checks="}, tests: []string{"TestBeside"},
		refused: map[string]refusal{
			"a name that is no cleanup service": {base: withMaster(nil, "-o smtpd_sasl_auth_enable=yes", "-o cleanup_service_name=qmgr"),
				says: "qmgr"},
		},
	},
	"`default_database_type` lmdb, btree or cdb": {settings: []string{"default_database_type = lmdb"},
		tests: []string{"TestIndexTypeServers"}},
	"`no_header_body_checks` on a listener or in main.cf": {settings: []string{"no_header_body_checks"}, tests: []string{"TestBeside"}},
	"milters": {settings: []string{"smtpd_milters", "non_smtpd_milters"}, tests: []string{"TestBeside"}},
	"content filter with reinjection": {
		settings: []string{"content_filter=", "Role:reinjection"}, tests: []string{"TestFollow"},
		refused: map[string]refusal{"a filter behind the transport of all outgoing mail: give it one of its own": {base: withMain("content_filter = smtp:[127.0.0.1]:10024\n", nil), says: "give the filter a transport of its own"}},
	},
	"`smtpd_proxy_filter`": {
		tests: []string{"TestBesideRefused"},
		refused: map[string]refusal{
			"always, on listeners whose mail is checked: it takes mail past cleanup(8)": {base: withMain("smtpd_proxy_filter = 127.0.0.1:10024\n",
				nil), says: "past the cleanup service"},
			"use `content_filter`": {base: withMaster(nil, "-o smtpd_sasl_auth_enable=yes", "-o smtpd_proxy_filter=127.0.0.1:10024"),
				says: "use content_filter"},
		},
	},
	"transport_maps, relay_domains, relay_recipient_maps": {
		settings: []string{"transport_maps = ", "relay_domains = ", "relay_recipient_maps = "}, tests: []string{"TestFollow",
			"TestPatternsForEverybody"},
		refused: map[string]refusal{
			"`*` in transport_maps: move it to `relayhost`": {base: table("transport_maps", "hash", "* smtp:[a.test]\n"),
				says: "move the route to relayhost"},
			"a pattern that is not limited to domains and has another result than `error:`, `retry:` or `discard:`: end it with one and `$`": {base: table("transport_maps", "regexp", "/^info@/ smtp:[a.test]\n"), says: "end the pattern with the domain"},
			"`:[host]` for a domain elsewhere: name the transport, as in `smtp:[host]`":                                                      {base: table("transport_maps", "hash", "partner.test :[a.test]\n"), says: "such as smtp:[a.test]"},
			"a table that can't be read: vouch for it in `Installation.Tables`":                                                              {base: withMain("transport_maps = proxy:mysql:/etc/postfix/x.cf\n", nil), says: "Installation.Tables"},
		},
	},
	"`sender_dependent_default_transport_maps`": {
		settings: []string{"sender_dependent_default_transport_maps = "}, tests: []string{"TestInstallationConflicts", "TestSenderPatterns"},
		refused: map[string]refusal{
			"an exception from the scope that would hide an entry of yours": {
				alter: func(p *relay.Policy) { p.Tenants[0].Scope.Except = []string{"bob@example.com"} },
				base: table("sender_dependent_default_transport_maps", "hash",
					"@example.com smtp:[a.test]\n"), says: "Tenants[0] (Example Com).Scope.Except[0]: conflict",
			},
			"an entry of yours for one address in scope, or a pattern that may match some (or extensions of an address in `Scope.Senders`), which Postfix finds before the generated `@domain`: remove it, or use `Scope.Senders`": {
				base: table("sender_dependent_default_transport_maps", "hash", "alice@example.com smtp:[a.test]\n"), says: "Scope.Senders",
			},
		},
	},
	"relayhost, per-sender relayhosts, SASL for them": {
		settings: []string{"\nrelayhost = ", "sender_dependent_relayhost_maps = ", "smtp_sasl_password_maps = "}, tests: []string{"TestLayouts"},
		refused: map[string]refusal{
			"the gateway itself as relayhost": {base: withMaster(nil, "relayhost =", "relayhost = [mail.conbool.com]:25"),
				says: "the sender map takes its place"},
			"`smtp_tls_wrappermode=yes` for all without `DirectVia`": {base: withMain("smtp_tls_wrappermode = yes\n", nil), says: "DirectVia"},
		},
	},
	"`smtp_fallback_relay`, trust anchors, TLS policies, bind address, delays between deliveries": {
		settings: []string{"smtp_fallback_relay", "smtp_tls_trust_anchor_file", "smtp_tls_policy_maps", "smtp_bind_address",
			"default_destination_rate_delay"},
		tests: []string{"TestBeside", "TestStrangeSettings"},
	},
	"BCC maps": {settings: []string{"always_bcc", "sender_bcc_maps", "recipient_bcc_maps"}, tests: []string{"TestCopyWarnings"}},
	"canonical, masquerading": {
		settings: []string{"canonical_maps", "masquerade_domains"}, tests: []string{"TestFollow", "TestNullSender"},
		refused: map[string]refusal{"a table that makes a sender in scope of the null sender: let the pattern want an address": {base: table("sender_canonical_maps", "regexp", "/.*/ alice@example.com\n"), says: "let the pattern want an address"}},
	},
	"generic maps": {
		settings: []string{"smtp_generic_maps"}, tests: []string{"TestGenericScope", "TestFollow"},
		refused: map[string]refusal{
			"a map that can't be read: vouch for it in `Installation.Tables`": {base: withMain("smtp_generic_maps = pgsql:/etc/postfix/generic.cf\n", nil), says: "Installation.Tables"},
			"a pattern that may make senders in scope of others: write rows, such as `@int.example @example.com`": {base: table("smtp_generic_maps",
				"regexp", "/^root@/ alice@example.com\n"), says: "@int.example @example.com"},
		},
	},
	"rules at DATA and behind it, discarded EHLO keywords, `smtpd_forbid_bare_newline`": {
		settings: []string{"smtpd_data_restrictions = ", "smtpd_end_of_data_restrictions = "}, tests: []string{"TestGatewayOwnDefence",
			"TestBareNewline", "TestGatewayPort"},
		refused: map[string]refusal{
			"a Postfix that lacks the setting (before 3.7.9, 3.8.4): update, or vouch in `Inbound.NoBareNewline`": {
				base: labBase, alter: func(p *relay.Policy) { p.Server.Postfix = "3.7.8" }, says: "Inbound.NoBareNewline"},
			"`starttls` among the keywords: take it out for this listener": {base: withMain("smtpd_discard_ehlo_keywords = starttls\n", nil),
				says: "take starttls out"},
		},
	},
	"`smtpd_authorized_xclient_hosts`, `header_size_limit`, `message_strip_characters`": {
		settings: []string{"smtpd_authorized_xclient_hosts = ", "header_size_limit = ",
			"message_strip_characters = "}, tests: []string{"TestGatewayOwnDefence", "TestGatewayPortRefused"},
		refused: map[string]refusal{
			"characters of that line that are taken out: use `Client.Fingerprints`": {base: withMain("message_strip_characters = (\n", nil),
				says: "Fingerprints"},
		},
	},
	"one port 25 for tenants behind the gateway and tenants that stay as they are": {
		tests: []string{"TestSharedPort", "TestGatewayPortRefused"},
		refused: map[string]refusal{
			"without it, and without a listener of role `internal` or `Inbound.Elsewhere`: their mail would be refused": {
				base: labBase, alter: func(p *relay.Policy) { p.Listeners[2].Role = relay.RoleSubmission }, says: "Inbound.Elsewhere"},
			"a domain behind the gateway in mydestination: move it to virtual_mailbox_domains, or set `Inbound.Anybody`": {
				alter: func(p *relay.Policy) { p.Inbound.Shared = true }, base: inMydestination, says: "Inbound.Anybody"},
		},
	},
	"sender login, HELO and sender restrictions": {
		settings: []string{"smtpd_sender_login_maps", "smtpd_helo_restrictions", "smtpd_sender_restrictions"}, tests: []string{"TestFollow"},
	},
	"message size limit":             {settings: []string{"message_size_limit"}, tests: []string{"TestLayouts"}},
	"SMTPUTF8, domains beyond ASCII": {settings: []string{"bücher"}, tests: []string{"TestLayouts"}},
	"postscreen":                     {settings: []string{"smtpd/pass", "postscreen_access_list"}, tests: []string{"TestBeside"}},
	"several instances":              {settings: []string{"ConfigDirectory", "multi_instance"}, tests: []string{"TestLayouts"}},
	"chroot":                         {settings: []string{"-       y       -"}, tests: []string{"TestLayouts"}},
	"IPv6 alone (`inet_protocols`)": {
		tests: []string{"TestBesideRefused"},
		refused: map[string]refusal{"the generated listeners are at 127.0.0.1: add `ipv4`": {base: withMaster(nil, "inet_protocols = ipv4",
			"inet_protocols = ipv6"), says: "add ipv4"}},
	},
	"Sieve scripts of your own before the users'": {
		settings: []string{"sieve_before2 = "}, tests: []string{"TestSieveSlot", "TestFragment24"},
		refused: map[string]refusal{
			"settings in a protocol's section that hide the generated ones": {base: doveconf("protocol lmtp {\n  plugin {\n    sieve_before = /srv/x.sieve\n  }\n}\n"), says: "doveconf: protocol lmtp: plugin: sieve_before: conflict"},
			"a `submission_host` elsewhere": {base: doveconf("submission_host = mail.test:587\n"),
				says: "doveconf: submission_host: conflict"},
		},
	},
	"editheader for users": {
		settings: []string{"sieve_editheader_forbid_add", "sieve_editheader_forbid_delete"}, tests: []string{"TestEditheader",
			"TestSieveForgery"},
		refused: map[string]refusal{"together with `Loop.AnyDomain`": {alter: func(p *relay.Policy) { p.Loop.AnyDomain = true },
			base: doveconf("plugin {\n  sieve_extensions = +editheader\n}\n"), says: "Loop.AnyDomain"}},
	},
}

// coexistenceTable reads the rows: what the customer has, and the clauses of what is
// refused.
func coexistenceTable(tb testing.TB) map[string][]string {
	tb.Helper()
	text, err := os.ReadFile("COEXISTENCE.md")
	if err != nil {
		tb.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "| what you have | what is done beside it | refused, and the way out |\n|---|---|---|\n")
	if !ok {
		tb.Fatal("COEXISTENCE.md has no table of what you have")
	}
	rows := map[string][]string{}
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "| ") {
			break
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 3 {
			tb.Fatalf("%d cells: %s", len(cells), line)
		}
		what, refused := strings.TrimSpace(cells[0]), strings.TrimSpace(cells[2])
		rows[what] = nil
		if refused != "" {
			rows[what] = strings.Split(refused, "; ")
		}
	}
	return rows
}

// testFunctions are the package's tests, each with the text of its file.
func testFunctions(tb testing.TB) map[string]string {
	tb.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil {
			tb.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				out[fn.Name.Name] = string(text)
			}
		}
	}
	return out
}

// TestCoexistence: each row of what the customer may have stands in a layout or
// a test that is there, and each clause of what is refused is what Compile says.
func TestCoexistence(t *testing.T) {
	rows := coexistenceTable(t)
	var known []string
	for what := range coexistenceRows {
		known = append(known, what)
	}
	slices.Sort(known)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(rows)), known); diff != "" {
		t.Errorf("rows of COEXISTENCE.md, and those with evidence (-document +evidence):\n%s", diff)
	}
	var layoutText strings.Builder
	for _, l := range layouts(t) {
		for _, text := range configured(l.in) {
			layoutText.Write(text)
		}
		fmt.Fprintf(&layoutText, "%+v %q\n", l.policy.Listeners, l.policy.Topology)
		if l.policy.Server.ConfigDirectory != "" {
			layoutText.WriteString("ConfigDirectory")
		}
		for _, text := range l.others {
			layoutText.Write(text)
		}
	}
	functions := testFunctions(t)
	for what, e := range coexistenceRows {
		if len(e.tests) == 0 {
			t.Errorf("%s: no test", what)
		}
		text := layoutText.String()
		for _, name := range e.tests {
			if functions[name] == "" {
				t.Errorf("%s: there is no test %s", what, name)
			}
			text += functions[name]
		}
		for _, s := range e.settings {
			if !strings.Contains(text, s) {
				t.Errorf("%s: %q is in no layout, and not in the files of %s", what, s, e.tests)
			}
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(rows[what])), slices.Sorted(maps.Keys(e.refused))); diff != "" {
			t.Errorf("%s: refused (-document +evidence):\n%s", what, diff)
		}
		for clause, r := range e.refused {
			p := labPolicy(t, "lab.json")
			if r.alter != nil {
				r.alter(&p)
			}
			c, err := tryCompile(t, p, r.base(t))
			said := fmt.Sprint(err)
			if r.warned && err == nil {
				said = fmt.Sprint(c.Warnings())
			}
			if (err == nil) != r.warned || !strings.Contains(said, r.says) {
				t.Errorf("%s: %s: want %q, got %s", what, clause, r.says, said)
			}
		}
	}
}
