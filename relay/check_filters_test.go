package relay_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/relay"
)

// spamc is Debian's recipe for SpamAssassin, simple the one of FILTER_README.
const (
	spamc  = "spamassassin unix - n n - - pipe\n  user=debian-spamd argv=/usr/bin/spamc -f -e /usr/sbin/sendmail -oi -f ${sender} ${recipient}\n"
	simple = "scan unix - n n - 10 pipe\n  flags=Rq user=filter null_sender=\n  argv=/usr/local/bin/scan -f ${sender} -- ${recipient}\n"
	lda    = "scan unix - n n - - pipe\n  user=mail argv=/usr/lib/dovecot/dovecot-lda -d ${recipient}\n"
)

// TestSendmailFilters: a filter that comes back by sendmail is refused where
// markers count, also one of which that can't be known; and each way out leads to
// success.
func TestSendmailFilters(t *testing.T) {
	gateway := func(filter string) func(testing.TB) relay.Installation {
		return withMaster(nil, "127.0.1.1:25     inet  n       -      n      -      -       smtpd\n",
			"127.0.1.1:25     inet  n       -      n      -      -       smtpd\n    -o content_filter="+filter+"\n")
	}
	more := func(base func(testing.TB) relay.Installation, lines string) func(testing.TB) relay.Installation {
		return func(tb testing.TB) relay.Installation {
			in := base(tb)
			in.Files["/etc/postfix/master.cf"] = append(in.Files["/etc/postfix/master.cf"], lines...)
			return in
		}
	}
	vouch := func(p *relay.Policy) { p.Server.SMTPFilters = []string{"scan"} }
	none := func(*relay.Policy) {}
	tests := []struct {
		name  string
		base  func(testing.TB) relay.Installation
		alter func(*relay.Policy)
		says  string // "": accepted
	}{
		{"gateway, spamc", more(gateway("spamassassin"), spamc), none, "back to sendmail"},
		{"main.cf, spamc", more(withMain("content_filter = spamassassin:\n", nil), spamc), none, "back to sendmail"},
		{"pickup, for what Sieve redirects", more(withMaster(nil, "1       pickup", "1       pickup\n  -o content_filter=spamassassin:x"), spamc),
			none, "back to sendmail"},
		{"submission alone", more(withMaster(nil, "-o smtpd_sasl_auth_enable=yes",
			"-o smtpd_sasl_auth_enable=yes\n    -o content_filter=spamassassin"), spamc), none, ""},
		{"FILTER of an access table", more(withMain("smtpd_recipient_restrictions = check_recipient_access hash:/etc/postfix/own\n",
			map[string]string{"own": "bob@example.com FILTER spamassassin:x\n"}), spamc), none, "back to sendmail"},
		{"FILTER in a comment", more(withMain("smtpd_recipient_restrictions = check_recipient_access hash:/etc/postfix/own\n",
			map[string]string{"own": "# bob FILTER spamassassin:x\nbob@example.com OK\n"}), spamc), none, ""},
		{"a script", more(gateway("scan:x"), simple), none, "may hand"},
		{"a script, vouched for", more(gateway("scan:x"), simple), vouch, ""},
		{"vouched against what is written", more(gateway("spamassassin"), spamc),
			func(p *relay.Policy) { p.Server.SMTPFilters = []string{"spamassassin"} }, "back to sendmail"},
		{"vouched for nothing", labInstallation, vouch, "no such service"},
		{"delivered", more(gateway("scan:x"), lda), none, ""},
		{"way out: SMTP and back", more(gateway("amavis:[127.0.0.1]:10024"),
			"amavis unix - - n - 2 smtp\n127.0.0.1:10025 inet n - n - - smtpd\n  -o content_filter=\n"),
			func(p *relay.Policy) {
				p.Listeners = append(p.Listeners, relay.Listener{Service: "127.0.0.1:10025", Role: relay.RoleReinjection})
			}, ""},
		{"way out: a milter", withMain("smtpd_milters = unix:/run/spamass/spamass.sock\n", nil), none, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := labPolicy(t, "lab.json")
			tt.alter(&p)
			_, err := relay.Compile(p, tt.base(t))
			relay.Remedied(t, err)
			switch {
			case tt.says == "" && err != nil:
				t.Error(err)
			case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || !errors.Is(err, relay.ErrConflict)):
				t.Errorf("want a conflict that says %q: %v", tt.says, err)
			}
		})
	}
}

func labInstallation(tb testing.TB) relay.Installation { return labBase(tb) }

// TestMilterReference: the milters of sendmail's mail are written out, so that no
// value refers back to itself.
func TestMilterReference(t *testing.T) {
	for _, main := range []string{
		"smtpd_milters = inet:127.0.0.1:8891\nnon_smtpd_milters = $smtpd_milters\n",
		"smtpd_milters = { inet:127.0.0.1:8891, connect_timeout=5s }\nnon_smtpd_milters = ${smtpd_milters}\n",
		"mine = inet:127.0.0.1:8891\nsmtpd_milters = $mine\nnon_smtpd_milters = ${smtpd_milters?$smtpd_milters}\n",
	} {
		c := compile(t, labPolicy(t, "lab.json"), withMain(main, nil)(t))
		var text []string
		for _, f := range c.Files() {
			if f.Name == "postfix/main.cf" || f.Name == "postfix/master.cf" {
				text = append(text, strings.Split(string(f.Data), "\n")...)
			}
		}
		if !slices.Contains(text, "  -o smtpd_milters=$conbool_sieve_milters") {
			t.Errorf("%s: no milters for what Sieve sends", main)
		}
		for _, l := range text {
			if v, ok := strings.CutPrefix(l, "conbool_sieve_milters = "); ok && (strings.Contains(v, "$") || !strings.Contains(v, "8891")) {
				t.Errorf("%s: %s", main, l)
			}
		}
	}
}
