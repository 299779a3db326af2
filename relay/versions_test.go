package relay_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/relay"
)

// trixie makes a policy one for Debian 13.
func trixie(p relay.Policy) relay.Policy {
	p.Server.Postfix, p.Server.Dovecot = "3.10.13", "2.4.1"
	return p
}

// emitted returns one of the emitted files.
func emitted(tb testing.TB, c *relay.Config, name string) string {
	tb.Helper()
	for _, f := range c.Files() {
		if f.Name == name {
			return string(f.Data)
		}
	}
	tb.Fatalf("no %s is emitted", name)
	return ""
}

// TestVersions: the versions come from the policy or from what the programs
// print, and never from both in contradiction.
func TestVersions(t *testing.T) {
	const old = "2.3.19.1 (9b53102964)\n"
	new23, new24 := string(whole("2.3.19.1 (9b53102964)", "mail_location = maildir:~/m\n")), string(whole("2.4.1-4 (7d8c0e5759)",
		"mail_driver = maildir\n"))
	tests := []struct {
		name                       string
		postfix, dovecot           string // of the policy
		mailVersion, dovecotOutput string // of the installation
		doveconf                   string
		path                       string // of the error; empty: none
		kind                       error
		settings, blocks           bool // the emission is for 3.10, for 2.4
	}{
		{name: "policy alone", postfix: "3.7", dovecot: "2.3"},
		{name: "policy with whole versions", postfix: "3.9.1", dovecot: "2.3.21"},
		{name: "policy for Debian 13", postfix: "3.10", dovecot: "2.4", settings: true, blocks: true},
		{name: "installation alone", mailVersion: "3.7.11\n", dovecotOutput: old},
		{name: "postconf with a name", mailVersion: "mail_version = 3.10.13\n", dovecotOutput: "2.4.1-4 (7d8c0e5759)\n", settings: true,
			blocks: true},
		{name: "from doveconf", mailVersion: "3.7.11", doveconf: new23},
		{name: "new from doveconf", mailVersion: "3.10.13", doveconf: new24, settings: true, blocks: true},
		{name: "one each", postfix: "3.10", dovecotOutput: old, settings: true},
		{name: "the same twice", postfix: "3.7", mailVersion: "3.7.11", dovecot: "2.3", dovecotOutput: old, doveconf: new23},
		{name: "no Postfix", dovecot: "2.3", path: "Server.Postfix", kind: relay.ErrRequired},
		{name: "no Dovecot", postfix: "3.7", path: "Server.Dovecot", kind: relay.ErrRequired},
		{name: "Postfix contradicts", postfix: "3.7", mailVersion: "3.10.13", dovecot: "2.3", path: "Server.Postfix", kind: relay.ErrConflict},
		{name: "Dovecot contradicts", postfix: "3.7", dovecot: "2.4", dovecotOutput: old, path: "Server.Dovecot", kind: relay.ErrConflict},
		{name: "doveconf contradicts", postfix: "3.7", dovecotOutput: old, doveconf: new24, path: "Server.Dovecot", kind: relay.ErrConflict},
		{name: "newer Postfix in the installation", dovecot: "2.3", mailVersion: "3.11.0", path: "Installation.PostfixVersion",
			kind: relay.ErrUnsupported},
		{name: "older Postfix", postfix: "3.5", dovecot: "2.3", path: "Server.Postfix", kind: relay.ErrUnsupported},
		{name: "newer Dovecot", postfix: "3.7", dovecot: "2.5.0", path: "Server.Dovecot", kind: relay.ErrUnsupported},
		{name: "Dovecot 3", postfix: "3.7", dovecot: "3.0", path: "Server.Dovecot", kind: relay.ErrUnsupported},
		{name: "no version", postfix: "new", dovecot: "2.3", path: "Server.Postfix", kind: relay.ErrInvalid},
		{name: "another parameter", dovecot: "2.3", mailVersion: "mail_name = Postfix 3.7", path: "Installation.PostfixVersion",
			kind: relay.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := labPolicy(t, "lab.json")
			p.Server.Postfix, p.Server.Dovecot = tt.postfix, tt.dovecot
			in := labBase(t)
			in.PostfixVersion, in.DovecotVersion = tt.mailVersion, tt.dovecotOutput
			if tt.doveconf != "" {
				in.Doveconf = []byte(tt.doveconf)
			}
			c, err := tryCompile(t, p, in)
			if tt.path != "" {
				var list relay.Errors
				if !errors.As(err, &list) || list[0].Position.String() != tt.path || !errors.Is(list[0], tt.kind) || list[0].Fix == "" {
					t.Fatalf("%v, want %v at %s with its fix", err, tt.kind, tt.path)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			master := emitted(t, c, "postfix/master.cf")
			for _, option := range []string{"-o tls_required_enable=no", "-o smtpd_hide_client_session=no"} {
				if got := strings.Count(master, option); got != map[bool]int{true: 1}[tt.settings] {
					t.Errorf("%s stands %d times in master.cf", option, got)
				}
			}
			if got := strings.Contains(fragment(t, p, in), "sieve_script oxmailroute-conbool {"); got != tt.blocks {
				t.Errorf("blocks in the fragment: %v, want %v", got, tt.blocks)
			}
		})
	}
}

// TestRawPublicKeys: a bare key has no name that could be checked.
func TestRawPublicKeys(t *testing.T) {
	p := trixie(labPolicy(t, "lab.json"))
	master := emitted(t, compile(t, p, withMain("smtpd_tls_enable_rpk = yes\nsmtp_tls_enable_rpk = yes\n", nil)(t)), "postfix/master.cf")
	for _, option := range []string{"-o smtp_tls_enable_rpk=no", "-o smtpd_tls_enable_rpk=no"} {
		if !strings.Contains(master, option) {
			t.Errorf("master.cf without %s", option)
		}
	}
}

// TestFragment24: what the installation's Dovecot 2.4 has already decides what
// the fragment says, or whether there can be one.
func TestFragment24(t *testing.T) {
	tests := []struct {
		name, doveconf string
		path           string // of an error
		want, not      string // in the fragment
	}{
		{name: "a script of the customer's", doveconf: "sieve_script his {\n  path = /etc/his.sieve\n  type = before\n}\n",
			want: "sieve_script oxmailroute-conbool {\n  type = before\n  driver = file\n  path = /etc/dovecot/sieve/before/10-conbool.sieve\n  precedence = 1\n}\n", not: "editheader"},
		{name: "ours from before", doveconf: "sieve_script oxmailroute-conbool {\n  path = /etc/dovecot/sieve/before/10-conbool.sieve\n}\nsubmission_host = 127.0.0.1:10032\n", want: "sieve_script oxmailroute-conbool {"},
		{name: "a script of our name", doveconf: "sieve_script oxmailroute-conbool {\n  path = /srv/x.sieve\n}\n",
			path: "doveconf: sieve_script oxmailroute-conbool"},
		{name: "redirects go elsewhere", doveconf: "protocol lmtp {\n  submission_host = mail.test:587\n}\n",
			path: "doveconf: protocol lmtp: submission_host"},
		{name: "editheader", doveconf: "sieve_extensions {\n  fileinto = yes\n  editheader = yes\n}\n",
			want: "sieve_editheader_header X-Conbool-Released {\n  forbid_add = yes\n  forbid_delete = yes\n}\n"},
		{name: "editheader for one protocol", doveconf: "protocol lmtp {\n  sieve_extensions {\n    editheader = yes\n  }\n}\n",
			want: "sieve_editheader_header X-OXMailroute-Origin {"},
		{name: "editheader allowed for our names", doveconf: "sieve_extensions {\n  editheader = yes\n}\nprotocol lmtp {\n  sieve_editheader_header x-conbool-released {\n    forbid_add = no\n  }\n}\n", path: "doveconf: sieve_editheader_header x-conbool-released"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := trixie(labPolicy(t, "lab.json"))
			in := labBase(t)
			in.Doveconf = whole("2.4.1-4 (7d8c0e5759)", tt.doveconf)
			if tt.path != "" {
				var list relay.Errors
				if _, err := tryCompile(t, p, in); !errors.As(err, &list) || list[0].Position.String() != tt.path ||
					!errors.Is(list[0], relay.ErrConflict) {
					t.Fatalf("%v, want a conflict at %s", err, tt.path)
				}
				return
			}
			got := fragment(t, p, in)
			if !strings.Contains(got, tt.want) || tt.not != "" && strings.Contains(got, tt.not) {
				t.Errorf("want %q and not %q in\n%s", tt.want, tt.not, got)
			}
		})
	}
}

// TestFragmentNames: a header name that 2.4's configuration reads differently is
// no block's name.
func TestFragmentNames(t *testing.T) {
	for _, name := range []string{`X-A{b`, `X-A"b`, `X-A#b`, `X-A=b`, `X-A/b`} {
		p := trixie(labPolicy(t, "lab.json"))
		p.Sieve.UserEditheader = true
		p.Gateway.Markers.Loop = []headers.Condition{headers.When(headers.Exists{Name: name})}
		if _, err := tryCompile(t, p, labBase(t)); !errors.Is(err, headers.ErrNotExpressible) && !errors.Is(err, relay.ErrInvalid) {
			t.Errorf("%s: %v, want it refused", name, err)
		}
	}
}

// TestSievePlugin: where no protocol runs Sieve, the rules would do nothing.
func TestSievePlugin(t *testing.T) {
	for doveconf, warned := range map[string]bool{
		"protocol lmtp {\n  mail_plugins = \" quota sieve\"\n}\n":      false,
		"protocol lmtp {\n  mail_plugins {\n    sieve = yes\n  }\n}\n": false,
		"mail_plugins = quota\n":                                       true,
	} {
		p := labPolicy(t, "lab.json")
		in := labBase(t)
		in.Doveconf = whole("2.3.19.1 (9b53102964)", doveconf)
		got := false
		for _, w := range compile(t, p, in).Warnings() {
			got = got || strings.Contains(w.Text, "mail_plugins")
		}
		if got != warned {
			t.Errorf("%q: warned %v, want %v", doveconf, got, warned)
		}
	}
}
