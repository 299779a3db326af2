package maillab

import (
	"strings"
	"testing"
)

// plainSite is an ordinary mail server without a gateway: mailboxes for
// example.com in Dovecot, everything else by MX. extra is added to main.cf.
func plainSite(extra string) Site {
	return Site{
		Files: map[string][]byte{
			"postfix/main.cf": []byte(`compatibility_level = 3.6
myhostname = ox.example.com
mydestination = localhost
mynetworks = 127.0.0.1/32, 127.0.1.0/24
inet_interfaces = 127.0.1.1, 127.0.0.1
inet_protocols = ipv4
recipient_delimiter = +
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = example.com
virtual_mailbox_maps = hash:/etc/postfix/mailboxes
virtual_alias_maps = hash:/etc/postfix/aliases_virtual
virtual_transport = lmtp:unix:private/dovecot-lmtp
smtpd_tls_cert_file = /etc/ssl/lab/ox.pem
smtpd_tls_key_file = /etc/ssl/lab/ox.key
smtpd_tls_security_level = may
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt
smtp_tls_cert_file = /etc/ssl/lab/ox.pem
smtp_tls_key_file = /etc/ssl/lab/ox.key
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = reject_non_fqdn_recipient, reject_unlisted_recipient
` + extra),
			"postfix/mailboxes":       []byte("alice@example.com 1\nbob@example.com 1\nfwd@example.com 1\nvac@example.com 1\nnull@example.com 1\n"),
			"postfix/aliases_virtual": []byte("team@example.com bob@example.com, ext@remote1.test\nself@example.com bob@example.com, bob+x@example.com\n"),
			"sieve/users/fwd@example.com.sieve": []byte(`redirect "out@remote1.test";
`),
			"sieve/users/vac@example.com.sieve": []byte(`require ["vacation", "fileinto", "mailbox"];
vacation :addresses ["vac@example.com"] "away";
fileinto :create "Wäg/Inner"; keep;
`),
			"sieve/users/null@example.com.sieve": []byte("discard;\n"),
			"sieve/before/10-spam.sieve":         []byte("require \"fileinto\";\nif header :is \"X-Flag\" \"spam\" { fileinto \"Spam\"; stop; }\n"),
			"dovecot/10-spam.conf":               []byte("plugin {\n  sieve_before = /etc/dovecot/sieve/before/10-spam.sieve\n}\n"),
		},
		Dovecot:   "namespace inbox {\n  mailbox Spam {\n    auto = create\n  }\n}\n",
		Dovecot24: "namespace inbox {\n  mailbox Spam {\n    auto = create\n  }\n}\n",
	}
}

// set replaces a setting of main.cf.
func (s Site) set(name, value string) Site {
	var text strings.Builder
	for line := range strings.Lines(string(s.Files["postfix/main.cf"])) {
		if strings.HasPrefix(line, name+" = ") {
			line = name + " = " + value + "\n"
		}
		text.WriteString(line)
	}
	s.Files["postfix/main.cf"] = []byte(text.String())
	return s
}

// on puts the site and the default world on the system.
func (s Site) on(system System) (World, Site) {
	w := DefaultWorld()
	w.Root = system.Root
	if strings.HasPrefix(system.Dovecot, "2.4") {
		s.Files["dovecot/10-spam.conf"] = []byte("sieve_script spam {\n  type = before\n  driver = file\n  path = /etc/dovecot/sieve/before/10-spam.sieve\n}\n")
	}
	return w, s
}

// onSystems runs the test on one of the systems in a plain run, and on each in
// the scaled one.
func onSystems(t *testing.T, test func(t *testing.T, system System)) {
	for _, system := range FixedSystems(t, t.Name()) {
		t.Run(system.Name, func(t *testing.T) {
			NeedSystem(t, system)
			test(t, system)
		})
	}
}

// scripts adds personal scripts to the site.
func (s Site) scripts(byUser map[string]string) Site {
	for user, script := range byUser {
		s.Files["sieve/users/"+user+".sieve"] = []byte(script)
		s.Files["postfix/mailboxes"] = append(s.Files["postfix/mailboxes"], user+" 1\n"...)
	}
	return s
}

// brief is a place in one line: where, for whom, by which mailbox's script.
func brief(p Place) string {
	s := p.String()
	if p.Mail != "" {
		s = string(p.Mail) + " " + s
	}
	s += " <" + p.Address + ">"
	if p.By != "" {
		s += " by " + p.By
	}
	return s
}

func briefs(places []Place) []string {
	var all []string
	for _, p := range places {
		all = append(all, brief(p))
	}
	return all
}

// seen is an outcome, made short.
type seen struct {
	Code       int
	Recipients map[string][]string
	Redirected []string
	Notices    []string
}

func short(o Outcome) seen {
	s := seen{Code: o.SMTP.Code, Recipients: map[string][]string{}, Redirected: briefs(o.Redirected), Notices: briefs(o.Notices)}
	for r, places := range o.Recipients {
		s.Recipients[r] = briefs(places)
	}
	return s
}

// sound fails the test where the run itself wasn't.
func sound(t *testing.T, r Result) {
	t.Helper()
	if len(r.Complaints) > 0 || len(r.Warnings) > 0 || len(r.Stray) > 0 || !r.Drained {
		t.Errorf("complaints %q, warnings %q, stray %q, drained %v", r.Complaints, r.Warnings, briefs(r.Stray), r.Drained)
	}
	if t.Failed() {
		t.Logf("log:\n%s", strings.Join(r.Log, "\n"))
	}
}
