package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// serverCopy is a copy of a server: a Postfix with a policy service and a
// milter, and a Dovecot with users' scripts.
func serverCopy(t *testing.T) (root, doveconf, scripts string) {
	t.Helper()
	root = t.TempDir()
	files := map[string]string{
		"etc/postfix/main.cf": `compatibility_level = 3.6
myhostname = mx.example.com
mydestination = localhost
alias_maps =
virtual_mailbox_domains = example.com
virtual_mailbox_maps = hash:/etc/postfix/boxes
virtual_alias_maps = mysql:/etc/postfix/alias.cf
virtual_alias_domains =
inet_interfaces = 127.0.0.1
virtual_transport = dovecot
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = check_policy_service unix:private/policy
smtpd_milters = inet:127.0.0.1:11332
header_checks = regexp:/etc/postfix/header_checks
`,
		"etc/postfix/master.cf": `smtp inet n - y - - smtpd
submission inet n - y - - smtpd -o smtpd_sasl_auth_enable=yes
pickup unix n - y 60 1 pickup
cleanup unix n - y - 0 cleanup
smtp unix - - y - - smtp
local unix - n n - - local
dovecot unix - n n - - pipe flags=DRhu user=vmail argv=/usr/lib/dovecot/dovecot-lda -f ${sender} -a ${original_recipient} -d ${user}@${domain}
`,
		"etc/postfix/boxes":         "bob@example.com x\nfwd@example.com x\n",
		"etc/postfix/boxes.db":      "x",
		"etc/postfix/header_checks": "/^Subject: secret/ REJECT 5.7.1 not this\n",
		"etc/passwd":                "root:x:0:0::/root:/bin/sh\n",
		"etc/hostname":              "mx\n",
		"doveconf":                  "# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf\nlda_mailbox_autocreate = yes\nprotocol lda {\n  mail_plugins = \" sieve\"\n}\n",
		"scripts/bob@example.com.sieve": `require ["fileinto"];
if header :contains "subject" "invoice" {
  fileinto "Invoices";
}
`,
		"scripts/fwd@example.com.sieve": "redirect \"out@remote.test\";\n",
	}
	for _, name := range slices.Sorted(maps.Keys(files)) { // a compiled table behind its text
		text := files[name]
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root, filepath.Join(root, "doveconf"), filepath.Join(root, "scripts")
}

// TestRouteAnyServer asks a server without a policy: the answer is in terms of its
// own configuration, and what another program decides is asked and assumed.
func TestRouteAnyServer(t *testing.T) {
	root, doveconf, scripts := serverCopy(t)
	args := []string{"route", "-root", root, "-dir", "/etc/postfix", "-release", "3.7.11", "-doveconf", doveconf, "-sieve", scripts,
		"-origin", "smtp", "-from", "z@remote.test"}
	for _, tt := range []struct {
		name, message string
		args          []string
		want          string   // action, target and recipient of each outcome
		at            []string // among the places of the trace
		assumed       string   // the settings
	}{
		{"a folder", "Subject: invoice 7\n\nhi\n", []string{"-to", "bob@example.com"}, "mailbox Invoices bob@example.com",
			[]string{"/etc/postfix/master.cf:1", filepath.ToSlash(scripts) + "/bob@example.com.sieve:3"},
			"check_policy_service unix:private/policy; smtpd_milters = inet:127.0.0.1:11332; userdb; virtual_alias_maps mysql:/etc/postfix/alias.cf"},
		{"a redirect", "Subject: x\n\nhi\n", []string{"-to", "fwd@example.com"}, "mx remote.test out@remote.test",
			[]string{filepath.ToSlash(scripts) + "/fwd@example.com.sieve:1"},
			"check_policy_service unix:private/policy; smtpd_milters = inet:127.0.0.1:11332; userdb; virtual_alias_maps mysql:/etc/postfix/alias.cf"},
		{"a stranger relays", "Subject: x\n\nhi\n", []string{"-to", "x@remote.test"}, "reject 554 x@remote.test",
			[]string{"/etc/postfix/main.cf:11"}, ""},
		{"a user does", "Subject: x\n\nhi\n", []string{"-login", "bob", "-origin", "submission", "-to", "x@remote.test"},
			"mx remote.test x@remote.test", nil,
			"check_policy_service unix:private/policy; smtpd_milters = inet:127.0.0.1:11332; virtual_alias_maps mysql:/etc/postfix/alias.cf"},
		{"a header", "Subject: secret\n\nhi\n", []string{"-origin", "pickup", "-to", "bob@example.com"}, "bounce 550 bob@example.com",
			[]string{"/etc/postfix/header_checks:1"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, out, errs := call(tt.message, append(append(append([]string{}, args...), tt.args...), "-")...)
			if status != 0 {
				t.Fatalf("status %d: %s", status, errs)
			}
			var answers []struct {
				Outcomes []struct {
					Action, Target, To string
					Trace              []struct{ At string }
				}
				Assumptions []struct{ Setting, Assumed string }
			}
			if err := json.Unmarshal([]byte(out), &answers); err != nil {
				t.Fatalf("%v in\n%s", err, out)
			}
			var ends, settings []string
			places := map[string]bool{}
			for _, o := range answers[0].Outcomes {
				ends = append(ends, strings.Join([]string{o.Action, o.Target, o.To}, " "))
				for _, s := range o.Trace {
					places[s.At] = true
				}
			}
			for _, u := range answers[0].Assumptions {
				settings = append(settings, u.Setting)
				if u.Assumed == "" || !strings.Contains(errs, u.Setting) {
					t.Errorf("%s: taken for %q; standard error has %s", u.Setting, u.Assumed, errs)
				}
			}
			slices.Sort(settings)
			settings = slices.Compact(settings) // one for each address
			if diff := cmp.Diff(tt.want, strings.Join(ends, "; ")); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s\n%s", diff, out)
			}
			if diff := cmp.Diff(tt.assumed, strings.Join(settings, "; ")); diff != "" {
				t.Errorf("assumptions (-want +got):\n%s", diff)
			}
			for _, at := range tt.at {
				if !places[at] {
					t.Errorf("nothing at %s in\n%s", at, out)
				}
			}
		})
	}
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"no such service", []string{"-origin", "smtps"}, "smtp, submission, pickup"},
		{"no such directory", []string{"-dir", "/etc/none"}, "main.cf"},
		{"a policy, too", []string{"-policy", "testdata/lab.json"}, "-policy"},
		{"no scripts there", []string{"-sieve", filepath.Join(root, "none")}, "-sieve"},
		{"bad client", []string{"-client", "x"}, "-client"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, out, errs := call("\n", append(append(append([]string{}, args...), tt.args...), "-to", "bob@example.com", "-")...)
			if status != 2 || out != "" || !strings.Contains(errs, tt.want) {
				t.Errorf("status %d: %s", status, errs)
			}
		})
	}
}
