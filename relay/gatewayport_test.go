package relay_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/relay"
)

// TestBareNewline: the gateway's listener has the word that its release knows,
// and a release that knows none is refused unless the caller vouches.
func TestBareNewline(t *testing.T) {
	tests := []struct {
		version, own string
		vouched      bool
		value        string // of the option; empty: none
		warned       bool
		refused      bool
	}{
		{version: "3.7.6", refused: true},
		{version: "3.7.8-0+deb12u1", refused: true},
		{version: "3.7.8", vouched: true},
		{version: "3.7.9", value: "yes"},
		{version: "3.7.10", value: "normalize"},
		{version: "3.7.11", value: "normalize"},
		{version: "3.7.11", own: "reject", value: "reject"},
		{version: "3.7.11", own: "no", value: "normalize"},
		{version: "3.7", value: "yes", warned: true},
		{version: "3.7", own: "reject", value: "reject", warned: true},
		{version: "3.7", vouched: true, value: "yes"},
		{version: "3.8.3", refused: true},
		{version: "3.8.4", value: "yes"},
		{version: "3.8.5", value: "normalize"},
		{version: "3.8", value: "yes", warned: true},
		{version: "3.8-20230402", value: "yes", warned: true},
		{version: "3.9", value: "normalize"},
		{version: "3.9.0", value: "normalize"},
		{version: "3.10.13", own: "REJECT", value: "reject"},
		{version: "3.10", own: "note", value: "normalize"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %s %v", tt.version, tt.own, tt.vouched), func(t *testing.T) {
			p := labPolicy(t, "lab.json")
			p.Server.Postfix, p.Inbound.NoBareNewline = tt.version, tt.vouched
			lines := ""
			if tt.own != "" {
				lines = "smtpd_forbid_bare_newline = " + tt.own + "\n"
			}
			c, err := tryCompile(t, p, withMain(lines, nil)(t))
			if tt.refused {
				if !errors.Is(err, relay.ErrUnsupported) || !strings.Contains(err.Error(), "Inbound.NoBareNewline") {
					t.Fatalf("not refused: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			if tt.value != "" {
				want = "  -o smtpd_forbid_bare_newline=" + tt.value + "\n  -o smtpd_forbid_bare_newline_exclusions=\n"
			}
			front, _, _ := strings.Cut(emitted(t, c, "postfix/master.cf"), "# users'")
			if !strings.Contains(front, want) || want == "" && strings.Contains(front, "bare_newline") {
				t.Errorf("want %q in\n%s", want, front)
			}
			said := fmt.Sprint(c.Warnings())
			first := map[string]string{"3.7": "3.7.9", "3.8": "3.8.4"}[tt.version[:3]]
			if got := strings.Contains(said, "before "+first+" there is no smtpd_forbid_bare_newline"); got != tt.warned {
				t.Errorf("warnings %s", said)
			}
		})
	}
	p := labPolicy(t, "lab.json")
	p.Server.Postfix = "3.7.11"
	in := labBase(t)
	in.PostfixVersion = "3.7.9"
	if _, err := tryCompile(t, p, in); !errors.Is(err, relay.ErrConflict) {
		t.Errorf("two patch releases: %v", err)
	}
}

// ownOption puts an option of the customer's own on the gateway's listener.
func ownOption(option, lines string) func(tb testing.TB) relay.Installation {
	return func(tb testing.TB) relay.Installation {
		in := withMain(lines, nil)(tb)
		name := "/etc/postfix/master.cf"
		in.Files[name] = []byte(strings.Replace(string(in.Files[name]), "smtpd\n# users'", "smtpd\n  -o "+option+"\n# users'", 1))
		return in
	}
}

// TestGatewayOwnDefence: what the installation has against bad clients stays on
// the gateway's listener, wherever it says so.
func TestGatewayOwnDefence(t *testing.T) {
	const data = "conbool_data_restrictions = check_client_access cidr:/etc/postfix/conbool_clients.cidr, reject_plaintext_session, " +
		"check_client_access cidr:/etc/postfix/conbool_origin.cidr, reject_unauth_pipelining"
	tests := []struct {
		name           string
		base           func(testing.TB) relay.Installation
		alter          func(*relay.Policy)
		main, listener string // what must stand there
		not            string
	}{
		{name: "rules at DATA", base: withMain("smtpd_data_restrictions = permit_mynetworks, reject_multi_recipient_bounce\n", nil),
			main: data + ", permit_mynetworks, reject_multi_recipient_bounce\n"},
		{name: "by a name", base: withMain("mine = reject_multi_recipient_bounce\nsmtpd_data_restrictions = $mine\n", nil),
			main: data + ", reject_multi_recipient_bounce\n"},
		{name: "the listener's own", base: ownOption("smtpd_data_restrictions=reject_multi_recipient_bounce",
			"smtpd_data_restrictions = permit\n"),
			main: data + ", reject_multi_recipient_bounce\n"},
		{name: "the same behind it",
			base:     withMain("smtpd_data_restrictions = reject_multi_recipient_bounce\nsmtpd_end_of_data_restrictions = $smtpd_data_restrictions\n", nil),
			main:     "conbool_end_of_data_restrictions = reject_multi_recipient_bounce\n",
			listener: "-o smtpd_end_of_data_restrictions=$conbool_end_of_data_restrictions"},
		{name: "behind it, as it is", base: withMain("smtpd_end_of_data_restrictions = check_policy_service unix:private/p\n", nil),
			not: "end_of_data"},
		{name: "a rule that permits, with fingerprints", base: withMain("smtpd_data_restrictions = permit\n", nil),
			alter: func(p *relay.Policy) {
				p.Gateway.Client = relay.ClientCertificate{Fingerprints: []string{strings.Repeat("AB:", 31) + "AB"}}
			},
			main: data + ", check_ccert_access hash:/etc/postfix/conbool_certs_data, reject\n"},
		{name: "EHLO keywords", base: withMain("smtpd_discard_ehlo_keywords = etrn, silent-discard\n", nil),
			listener: "-o smtpd_discard_ehlo_keywords=etrn,silent-discard,chunking"},
		{name: "EHLO keywords by client", base: withMain("smtpd_discard_ehlo_keyword_address_maps = cidr:/etc/postfix/ehlo\n",
			map[string]string{"ehlo": "127.0.0.0/8 starttls\n"}),
			main:     "conbool_ehlo_keyword_address_maps = cidr:/etc/postfix/conbool_ehlo.cidr, cidr:/etc/postfix/ehlo\n",
			listener: "-o smtpd_discard_ehlo_keyword_address_maps=$conbool_ehlo_keyword_address_maps"},
		{name: "classes of the listener's own", base: ownOption("smtpd_restriction_classes=mine", "mine = permit\n"),
			alter: func(p *relay.Policy) { p.Inbound.Shared = true }, listener: "-o smtpd_restriction_classes=mine,conbool_early,conbool_in"},
		{name: "XCLIENT", base: withMain("smtpd_authorized_xclient_hosts = 192.0.2.1\n", nil),
			listener: "-o smtpd_authorized_xclient_hosts=\n"},
		{name: "a short header", base: withMain("header_size_limit = 60\n", nil), listener: "-o header_size_limit=102400\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := labPolicy(t, "lab.json")
			if tt.alter != nil {
				tt.alter(&p)
			}
			c := compile(t, p, tt.base(t))
			main := strings.ReplaceAll(emitted(t, c, "postfix/main.cf"), "\n ", " ")
			master := emitted(t, c, "postfix/master.cf")
			if !strings.Contains(main, tt.main) || !strings.Contains(master,
				tt.listener) || tt.not != "" && strings.Contains(master[:strings.Index(master, "# users'")], tt.not) {
				t.Errorf("want %q, %q and not %q in\n%s\n%s", tt.main, tt.listener, tt.not, main, master)
			}
		})
	}
}

// inMydestination is an installation with a tenant's domain there.
func inMydestination(tb testing.TB) relay.Installation {
	in := labBase(tb)
	name := "/etc/postfix/main.cf"
	text := strings.Replace(string(in.Files[name]), "mydestination = localhost", "mydestination = localhost, example.com", 1)
	in.Files[name] = []byte(strings.Replace(text, "virtual_mailbox_domains = example.com, ", "virtual_mailbox_domains = ", 1))
	return in
}

// TestGatewayPortRefused: what can't be done is refused, with a way out that
// works.
func TestGatewayPortRefused(t *testing.T) {
	shared := func(p *relay.Policy) { p.Inbound.Shared = true }
	tests := []struct {
		name  string
		alter func(*relay.Policy)
		base  func(testing.TB) relay.Installation
		path  string
		kind  error
		out   func(*relay.Policy)
	}{
		{"an IPv6 network with an interface", func(p *relay.Policy) {
			shared(p)
			p.Gateway.Networks = []netip.Prefix{netip.MustParsePrefix("fe80::/64")}
		}, labBase, "Gateway.Networks[0]", headers.ErrNotExpressible, func(p *relay.Policy) {
			p.Gateway.Client = relay.ClientCertificate{Fingerprints: []string{strings.Repeat("AB:", 31) + "AB"}}
		}},
		{"a domain behind the gateway in mydestination", shared, inMydestination, "Tenants[0].Domains[0]", headers.ErrNotExpressible,
			func(p *relay.Policy) { p.Inbound.Anybody = true }},
		{"no STARTTLS", func(*relay.Policy) {}, withMain("smtpd_discard_ehlo_keywords = starttls\n", nil), "master.cf:2",
			relay.ErrConflict, nil},
		{"characters that are taken out", func(*relay.Policy) {}, withMain("message_strip_characters = \\0(\n", nil), "main.cf:33",
			relay.ErrConflict, func(p *relay.Policy) {
				p.Gateway.Client = relay.ClientCertificate{Fingerprints: []string{strings.Repeat("AB:", 31) + "AB"}}
			}},
		{"nobody gets in", func(p *relay.Policy) { p.Listeners[2].Role = relay.RoleSubmission }, labBase, "Inbound.Shared",
			relay.ErrConflict, shared},
		{"nobody gets in, and it comes elsewhere", func(p *relay.Policy) { p.Listeners[2].Role = relay.RoleSubmission }, labBase,
			"Inbound.Shared", relay.ErrConflict,
			func(p *relay.Policy) { p.Inbound.Elsewhere = true }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := labPolicy(t, "lab.json")
			tt.alter(&p)
			_, err := tryCompile(t, p, tt.base(t))
			var list relay.Errors
			errors.As(err, &list)
			found := false
			for _, e := range list {
				found = found || e.Position.String() == tt.path && errors.Is(e, tt.kind)
			}
			if !found {
				t.Fatalf("no %v at %s: %v", tt.kind, tt.path, err)
			}
			if tt.out != nil {
				tt.out(&p)
				if _, err := tryCompile(t, p, tt.base(t)); err != nil {
					t.Errorf("the way out: %v", err)
				}
			}
		})
	}
}
