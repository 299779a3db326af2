package relay_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay"
)

// withMaster replaces text in the customer's main.cf and master.cf, and adds
// files.
func withMaster(files map[string]string, oldnew ...string) func(testing.TB) relay.Installation {
	return func(tb testing.TB) relay.Installation {
		in := withMain("", files)(tb)
		for i := 0; i < len(oldnew); i += 2 {
			hit := false
			for _, name := range []string{"main.cf", "master.cf"} {
				text := string(in.Files["/etc/postfix/"+name])
				hit = hit || strings.Contains(text, oldnew[i])
				in.Files["/etc/postfix/"+name] = []byte(strings.Replace(text, oldnew[i], oldnew[i+1], 1))
			}
			if !hit {
				tb.Fatalf("nothing to replace: %q", oldnew[i])
			}
		}
		return in
	}
}

// effective are the settings of an emitted service, main.cf's parameters
// expanded.
func effective(tb testing.TB, c *relay.Config, name, kind string, parameters ...string) map[string]string {
	tb.Helper()
	main, err := postfix.ParseMain("main.cf", []byte(emitted(tb, c, "postfix/main.cf")))
	if err != nil {
		tb.Fatal(err)
	}
	master, err := postfix.ParseMaster("master.cf", []byte(emitted(tb, c, "postfix/master.cf")))
	if err != nil {
		tb.Fatal(err)
	}
	sv, ok := master.Lookup(name, kind)
	if !ok {
		tb.Fatalf("no service %s %s", name, kind)
	}
	out := map[string]string{}
	for _, p := range parameters {
		value, ok := sv.Option(p)
		if !ok {
			if value, ok = main.Get(p); !ok {
				out[p] = "-"
				continue
			}
		}
		if out[p], err = main.Expand(value, main.Get); err != nil {
			tb.Fatal(err)
		}
		out[p] = strings.Join(strings.Fields(strings.ReplaceAll(out[p], ",", " ")), " ")
	}
	return out
}

// TestBeside: what the installation's services say stays true beside what ours
// say.
func TestBeside(t *testing.T) {
	const strip, cert = "regexp:/etc/postfix/conbool_strip", "regexp:/etc/postfix/conbool_cert_name"
	none := map[string]string{"own": "/^X-A:/ WARN\n", "more": "/^X-B:/ WARN\n"}
	tests := []struct {
		name    string
		alter   func(*relay.Policy)
		base    func(testing.TB) relay.Installation
		service string // "name type"
		want    map[string]string
	}{
		{
			name: "checks of main.cf", base: withMain("header_checks = regexp:/etc/postfix/own\nmime_header_checks = regexp:/etc/postfix/more\n",
				none),
			service: "conbool-cleanup-strip unix",
			want: map[string]string{"header_checks": strip + " regexp:/etc/postfix/own", "mime_header_checks": "regexp:/etc/postfix/more",
				"nested_header_checks": "regexp:/etc/postfix/own", "body_checks": "-"},
		},
		{
			name: "checks of main.cf, the gateway's mail", base: withMain("header_checks = regexp:/etc/postfix/own\n", none),
			service: "conbool-cleanup-in unix",
			want: map[string]string{"header_checks": cert + " regexp:/etc/postfix/own", "mime_header_checks": "regexp:/etc/postfix/own",
				"nested_header_checks": "regexp:/etc/postfix/own"},
		},
		{
			name: "a cleanup service of its own for submission", base: withMaster(none,
				"-o smtpd_sasl_auth_enable=yes", "-o smtpd_sasl_auth_enable=yes\n  -o cleanup_service_name=subcleanup",
				"qmgr   ", "subcleanup unix n - n - 0 cleanup\n  -o syslog_name=postfix/sub\n  -o header_checks=regexp:/etc/postfix/own\n  -o virtual_alias_maps=\nqmgr   "),
			service: "conbool-cleanup-strip-2 unix",
			want: map[string]string{"header_checks": strip + " regexp:/etc/postfix/own", "mime_header_checks": "regexp:/etc/postfix/own",
				"virtual_alias_maps": ""},
		},
		{
			name: "and its listener", base: withMaster(none,
				"-o smtpd_sasl_auth_enable=yes", "-o smtpd_sasl_auth_enable=yes\n  -o cleanup_service_name=subcleanup",
				"qmgr   ", "subcleanup unix n - n - 0 cleanup\n  -o header_checks=regexp:/etc/postfix/own\nqmgr   "),
			service: "127.0.1.1:587 inet",
			want:    map[string]string{"cleanup_service_name": "conbool-cleanup-strip-2"},
		},
		{
			name: "another cleanup service for everything", base: withMaster(none, "relayhost =", "cleanup_service_name = mine\nrelayhost =",
				"qmgr   ", "mine unix n - n - 0 cleanup\n  -o header_checks=regexp:/etc/postfix/own\nqmgr   "),
			service: "conbool-cleanup-in-2 unix",
			want:    map[string]string{"header_checks": cert + " regexp:/etc/postfix/own"},
		},
		{
			name: "checks of the cleanup service itself", base: withMaster(none, "0       cleanup\n",
				"0       cleanup\n  -o header_checks=regexp:/etc/postfix/more\n"),
			service: "conbool-cleanup-strip unix",
			want:    map[string]string{"header_checks": strip + " regexp:/etc/postfix/more"},
		},
		{
			name: "no checks for pickup", base: withMaster(none, "relayhost =", "header_checks = regexp:/etc/postfix/own\nrelayhost =",
				"1       pickup", "1       pickup\n  -o content_filter=\n  -o receive_override_options=no_header_body_checks,no_milters"),
			service: "conbool-cleanup-strip-2 unix",
			want:    map[string]string{"header_checks": strip, "mime_header_checks": "", "nested_header_checks": "", "body_checks": ""},
		},
		{
			name: "no checks for pickup, its options", base: withMaster(none,
				"1       pickup", "1       pickup\n  -o content_filter=\n  -o receive_override_options=no_header_body_checks,no_milters"),
			service: "pickup unix",
			want: map[string]string{"cleanup_service_name": "conbool-cleanup-strip-2", "receive_override_options": "no_milters",
				"content_filter": ""},
		},
		{
			name: "no checks for pickup, nor for redirects", base: withMaster(none,
				"1       pickup", "1       pickup\n  -o content_filter=\n  -o receive_override_options=no_header_body_checks"),
			service: "127.0.0.1:10032 inet",
			want: map[string]string{"receive_override_options": "", "cleanup_service_name": "conbool-cleanup-reentry-2", "content_filter": "-",
				"smtpd_milters": ""},
		},
		{
			name: "no checks at all", base: withMain("header_checks = regexp:/etc/postfix/own\nbody_checks = regexp:/etc/postfix/more\nreceive_override_options = no_header_body_checks\n", none),
			service: "conbool-cleanup-in-2 unix",
			want:    map[string]string{"header_checks": cert, "mime_header_checks": "", "body_checks": ""},
		},
		{
			name: "checks of the outgoing transport", base: withMaster(none, "-       smtp\nrelay",
				"-       smtp\n  -o smtp_header_checks=regexp:/etc/postfix/own\nrelay"),
			service: "smtp unix",
			want:    map[string]string{"smtp_header_checks": "regexp:/etc/postfix/conbool_leave regexp:/etc/postfix/own"},
		},
		{
			name: "milters", base: withMain("smtpd_milters = inet:127.0.0.1:11332\nnon_smtpd_milters = inet:127.0.0.1:11333\n", nil),
			service: "127.0.0.1:10030 inet",
			want:    map[string]string{"receive_override_options": "no_unknown_recipient_checks no_address_mappings no_milters"},
		},
		{
			name: "milters of redirects", base: withMain("smtpd_milters = inet:127.0.0.1:11332\nnon_smtpd_milters = inet:127.0.0.1:11333\n", nil),
			service: "127.0.0.1:10032 inet",
			want:    map[string]string{"smtpd_milters": "inet:127.0.0.1:11333"},
		},
		{
			name: "settings hardly anybody has, of listeners", base: withMain("smtpd_tls_wrappermode = yes\nsmtpd_command_filter = pcre:/x\nsmtpd_recipient_limit = 5\nsmtpd_forbid_bare_newline = yes\n", nil),
			service: "127.0.0.1:10030 inet",
			want: map[string]string{"smtpd_tls_wrappermode": "no", "smtpd_command_filter": "", "smtpd_recipient_limit": "1000",
				"smtpd_forbid_bare_newline": "yes"},
		},
		{
			name: "and of transports", base: withMain("smtp_tls_trust_anchor_file = /etc/ssl/other.pem\nsmtp_never_send_ehlo = yes\nsmtp_discard_ehlo_keywords = starttls\n", nil),
			service: "conbool unix",
			want:    map[string]string{"smtp_tls_trust_anchor_file": "", "smtp_never_send_ehlo": "no", "smtp_discard_ehlo_keywords": ""},
		},
		{
			name: "a delay between deliveries", base: withMain("default_destination_rate_delay = 1s\n", nil),
			service: "conbool-gate unix",
			want:    map[string]string{"conbool-gate_destination_rate_delay": "0s", "conbool_destination_rate_delay": "0s"},
		},
		{
			name: "postscreen", alter: func(p *relay.Policy) { p.Listeners[0].Service = "smtpd/pass" },
			base: withMaster(nil, "127.0.1.1:25     inet  n       -      n      -      -       smtpd",
				"127.0.1.1:25 inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd\ndnsblog unix - - n - 0 dnsblog\ntlsproxy unix - - n - 0 tlsproxy"),
			service: "smtpd pass",
			want: map[string]string{"postscreen_access_list": "cidr:/etc/postfix/conbool_postscreen.cidr permit_mynetworks",
				"cleanup_service_name": "conbool-cleanup-in"},
		},
		{
			name: "postscreen with a list", alter: func(p *relay.Policy) { p.Listeners[0].Service = "smtpd/pass" },
			base: withMaster(nil, "relayhost =", "postscreen_access_list = cidr:/etc/postfix/mine\nrelayhost =",
				"127.0.1.1:25     inet  n       -      n      -      -       smtpd", "127.0.1.1:25 inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd"),
			service: "smtpd pass",
			want:    map[string]string{"postscreen_access_list": "cidr:/etc/postfix/conbool_postscreen.cidr cidr:/etc/postfix/mine"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := labPolicy(t, "lab.json")
			if tt.alter != nil {
				tt.alter(&p)
			}
			in := tt.base(t)
			c := compile(t, p, in)
			name, kind, _ := strings.Cut(tt.service, " ")
			var parameters []string
			for k := range tt.want {
				parameters = append(parameters, k)
			}
			if diff := cmp.Diff(tt.want, effective(t, c, name, kind, parameters...)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.service, diff)
			}
			once := result(in, c.Files(), c.Obsolete())
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

// TestBesideRefused: what can't live with ours is refused by name, with the way
// out.
func TestBesideRefused(t *testing.T) {
	tests := []struct {
		name  string
		alter func(*relay.Policy)
		base  func(testing.TB) relay.Installation
		path  string
		fix   string // in the error's text
	}{
		{name: "TLS from the first octet for every server", base: withMain("smtp_tls_wrappermode = yes\n", nil), path: "main.cf:33",
			fix: "DirectVia"},
		{name: "IPv6 alone", base: withMaster(nil, "inet_protocols = ipv4", "inet_protocols = ipv6"), path: "main.cf:11", fix: "add ipv4"},
		{name: "proxy filter of a listener", base: withMaster(nil, "-o smtpd_sasl_auth_enable=yes", "-o smtpd_proxy_filter=127.0.0.1:10024"),
			path: "master.cf:4", fix: "content_filter"},
		{name: "proxy filter of the gateway's listener", base: withMaster(nil, "smtpd\n# users'",
			"smtpd\n  -o smtpd_proxy_filter=127.0.0.1:10024\n# users'"), path: "master.cf:2", fix: "content_filter"},
		{name: "no STARTTLS for the gateway", base: withMain("smtpd_noop_commands = NOOP STARTTLS\n", nil), path: "master.cf:2",
			fix: "take STARTTLS out"},
		{name: "no encryption from the gateway", base: withMain("smtpd_tls_ciphers = null\n", nil), path: "master.cf:2", fix: "medium or high"},
		{name: "no ciphers for the gateway but in TLS 1.3", base: withMain("smtp_tls_mandatory_ciphers = null\n", nil), path: "main.cf:33",
			fix: "medium or high"},
		{name: "a grade of the installation's that hides nothing", base: withMain("smtpd_tls_ciphers = high\ntls_high_cipherlist = HIGH:eNULL:!aNULL\n", nil),
			path: "master.cf:2", fix: "medium or high"},
		{name: "cleanup that is none", base: withMaster(nil, "-o smtpd_sasl_auth_enable=yes", "-o cleanup_service_name=qmgr"),
			path: "master.cf:4", fix: "name one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := labPolicy(t, "lab.json")
			if tt.alter != nil {
				tt.alter(&p)
			}
			_, err := tryCompile(t, p, tt.base(t))
			var list relay.Errors
			if !errors.As(err, &list) {
				t.Fatalf("error %v, want Errors", err)
			}
			i := slices.IndexFunc(list, func(e *relay.Error) bool { return e.Position.String() == tt.path })
			if i < 0 || !errors.Is(list[i], relay.ErrConflict) || !strings.Contains(list[i].Fix, tt.fix) {
				t.Errorf("no conflict at %s that says %q:\n%v", tt.path, tt.fix, err)
			}
		})
	}
}

// TestGenericScope: who becomes a sender in scope when mail leaves is in scope
// before.
func TestGenericScope(t *testing.T) {
	p := labPolicy(t, "lab.json")
	p.Tenants[0].Scope.Except = []string{"bob@example.com"}
	c := compile(t, p, withMain("myorigin = ox.example.com\nsmtp_generic_maps = hash:/etc/postfix/generic\n", map[string]string{
		"generic": "root alice@example.com\n@int.example @example.com\njoe@other.example carol@example.net\nann@other.example bob@example.com\nout@other.example x@remote1.test\n",
	})(t))
	const gate = "conbool-gate:[127.0.0.1]:10030"
	want := map[string]string{
		"root@ox.example.com": gate, "root@localhost": gate, "@int.example": gate, "bob@int.example": "DUNNO", "joe@other.example": gate, "ann@other.example": "DUNNO",
	}
	got := map[string]string{}
	scope, _ := postfix.ParseTable("scope", []byte(emitted(t, c, "postfix/conbool_scope")))
	for _, e := range scope {
		if _, ok := want[e.Key]; ok || strings.Contains(e.Key, "other.example") || strings.Contains(e.Key, "int.example") {
			got[e.Key] = e.Value
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("conbool_scope (-want +got):\n%s", diff)
	}
}

// TestCopyWarnings: copies for an archive elsewhere take the sender's way.
func TestCopyWarnings(t *testing.T) {
	base := withMain(partner+"always_bcc = all@archive.test\nsender_bcc_maps = hash:/etc/postfix/bcc\n", map[string]string{
		"transport": partnerFiles["transport"], "bcc": "@example.com journal@partner.test\n@example.net bob@example.com\n@example.org j@far.test\n",
	})
	p := labPolicy(t, "lab.json")
	p.Direct = []string{"far.test"}
	var got []string
	for _, w := range compile(t, p, base(t)).Warnings() {
		if strings.Contains(w.Text, "copies for") {
			got = append(got, w.String()[:strings.Index(w.String(), " leave")])
		}
	}
	if diff := cmp.Diff([]string{"main.cf:34: copies for archive.test"}, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}
