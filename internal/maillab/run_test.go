package maillab

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
		Dovecot: "namespace inbox {\n  mailbox Spam {\n    auto = create\n  }\n}\n",
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

func TestRun(t *testing.T) {
	Need(t)
	id := func(name string) string { return "Message-ID: <" + name + "@mua.example.com>\n" }
	to := func(recipient string, places ...string) map[string][]string {
		return map[string][]string{recipient: places}
	}
	// Each message has a sender of its own where a vacation reply goes to it.
	tests := []struct {
		Message
		want seen
	}{
		{Message{ID: "local", From: "a@remote2.test", Recipients: []string{"bob@example.com"}},
			seen{250, to("bob@example.com", "mailbox:INBOX <bob@example.com>"), nil, nil}},
		{Message{ID: "two-local", From: "a@remote2.test", Recipients: []string{"Alice@Example.com", "bob+tag@example.com"}},
			seen{250, map[string][]string{
				"Alice@Example.com":   {"mailbox:INBOX <Alice@Example.com>"},
				"bob+tag@example.com": {"mailbox:INBOX <bob+tag@example.com>"},
			}, nil, nil}},
		{Message{ID: "spam", From: "a@remote2.test", Recipients: []string{"bob@example.com"}, Raw: []byte("X-Flag: spam\n\nbody\n")},
			seen{250, to("bob@example.com", "mailbox:Spam <bob@example.com>"), nil, nil}},
		{Message{ID: "mx", From: "alice@example.com", Recipients: []string{"x@remote1.test", "y@remote2.test", "z@any.test", `"a b"@remote1.test`}},
			seen{250, map[string][]string{
				"x@remote1.test":     {"mx:remote1.test <x@remote1.test>"},
				"y@remote2.test":     {"mx:remote2.test <y@remote2.test>"},
				"z@any.test":         {"mx:any.test <z@any.test>"},
				`"a b"@remote1.test`: {`mx:remote1.test <"a b"@remote1.test>`},
			}, nil, nil}},
		{Message{ID: "alias", From: "alice@example.com", Recipients: []string{"team@example.com"}},
			seen{250, to("team@example.com", "mailbox:INBOX <bob@example.com>", "mx:remote1.test <ext@remote1.test>"), nil, nil}},
		{Message{ID: "alias-and-member", From: "alice@example.com", Recipients: []string{"team@example.com", "bob@example.com"}},
			seen{250, map[string][]string{
				"team@example.com": {"mailbox:INBOX <bob@example.com>", "mx:remote1.test <ext@remote1.test>"},
				"bob@example.com":  {"mailbox:INBOX <bob@example.com>"},
			}, nil, nil}},
		{Message{ID: "one-mailbox-twice", From: "alice@example.com", Recipients: []string{"self@example.com"}},
			seen{250, to("self@example.com", "mailbox:INBOX <bob+x@example.com>", "mailbox:INBOX <bob@example.com>"), nil, nil}},
		{Message{ID: "bounce", From: "alice@example.com", Recipients: []string{"x@nxdomain.invalid"}},
			seen{250, to("x@nxdomain.invalid", "bounced <x@nxdomain.invalid>"), nil, []string{"dsn mailbox:INBOX <alice@example.com>"}}},
		{Message{ID: "bounce-null", From: "", Recipients: []string{"x@nxdomain.invalid"}},
			seen{250, to("x@nxdomain.invalid", "bounced <x@nxdomain.invalid>"), nil, nil}},
		{Message{ID: "unknown", From: "alice@example.com", Recipients: []string{"nobody@example.com"}},
			seen{550, to("nobody@example.com", "rejected:550 <nobody@example.com>"), nil, nil}},
		{Message{ID: "half-unknown", From: "alice@example.com", Recipients: []string{"nobody@example.com", "bob@example.com"}},
			seen{250, map[string][]string{
				"nobody@example.com": {"rejected:550 <nobody@example.com>"},
				"bob@example.com":    {"mailbox:INBOX <bob@example.com>"},
			}, nil, nil}},
		{Message{ID: "relay-denied", Source: "127.0.66.6", From: "a@stranger.test", Recipients: []string{"x@remote1.test"}},
			seen{554, to("x@remote1.test", "rejected:554 <x@remote1.test>"), nil, nil}},
		{Message{ID: "submission", Source: "127.0.66.6", TLS: "tls", Auth: &[2]string{"alice@example.com", "secret"}, From: "alice@example.com", Recipients: []string{"x@remote1.test"}},
			seen{250, to("x@remote1.test", "mx:remote1.test <x@remote1.test>"), nil, nil}},
		{Message{ID: "sendmail", To: "sendmail", From: "alice@example.com", Recipients: []string{"x@remote1.test", "bob@example.com"}},
			seen{250, map[string][]string{
				"x@remote1.test":  {"mx:remote1.test <x@remote1.test>"},
				"bob@example.com": {"mailbox:INBOX <bob@example.com>"},
			}, nil, nil}},
		{Message{ID: "sendmail-bounce", To: "sendmail", From: "", NoID: true, Recipients: []string{"x@nxdomain.invalid"}, Raw: []byte("Subject: x\n\n")},
			seen{250, to("x@nxdomain.invalid", "bounced <x@nxdomain.invalid>"), nil, nil}},
		{Message{ID: "redirect", From: "a@remote2.test", Recipients: []string{"fwd@example.com"}, Raw: []byte(id("redirect"))},
			seen{250, to("fwd@example.com", "consumed <fwd@example.com>"), []string{"mx:remote1.test <out@remote1.test> by fwd@example.com"}, nil}},
		{Message{ID: "redirect-without-id", NoID: true, From: "a@remote2.test", Recipients: []string{"fwd@example.com"}, Raw: []byte("\n")},
			seen{250, to("fwd@example.com", "consumed <fwd@example.com>"), []string{"mx:remote1.test <out@remote1.test> by fwd@example.com"}, nil}},
		{Message{ID: "vacation", From: "v1@remote2.test", Recipients: []string{"vac@example.com"}, Raw: []byte(id("vacation") + "To: vac@example.com\n")},
			seen{250, to("vac@example.com", "mailbox:INBOX <vac@example.com>", "mailbox:Wäg/Inner <vac@example.com>"), nil,
				[]string{"reply mx:remote2.test <v1@remote2.test> by vac@example.com"}}},
		{Message{ID: "vacation-without-id", NoID: true, From: "v2@remote2.test", Recipients: []string{"vac@example.com"}, Raw: []byte("To: vac@example.com\n")},
			seen{250, to("vac@example.com", "mailbox:INBOX <vac@example.com>", "mailbox:Wäg/Inner <vac@example.com>"), nil,
				[]string{"reply mx:remote2.test <v2@remote2.test> by vac@example.com"}}},
		{Message{ID: "vacation-bounces", From: "v@nxdomain.invalid", Recipients: []string{"vac@example.com"}, Raw: []byte(id("vb") + "To: vac@example.com\n")},
			seen{250, to("vac@example.com", "mailbox:INBOX <vac@example.com>", "mailbox:Wäg/Inner <vac@example.com>"), nil,
				[]string{"reply bounced <v@nxdomain.invalid> by vac@example.com"}}},
		{Message{ID: "sieve-discard", From: "a@remote2.test", Recipients: []string{"null@example.com"}},
			seen{250, to("null@example.com", "consumed <null@example.com>"), nil, nil}},
		{Message{ID: "hold", From: "alice@example.com", Recipients: []string{"bob@example.com", "x@remote1.test"}, Raw: []byte("X-Do: hold\n\n")},
			seen{250, map[string][]string{"bob@example.com": {"held <bob@example.com>"}, "x@remote1.test": {"held <x@remote1.test>"}}, nil, nil}},
		{Message{ID: "discard", From: "alice@example.com", Recipients: []string{"bob@example.com"}, Raw: []byte("X-Do: discard\n\n")},
			seen{250, to("bob@example.com", "discarded <bob@example.com>"), nil, nil}},
		{Message{ID: "discard-early", From: "drop@example.com", Recipients: []string{"bob@example.com"}},
			seen{250, to("bob@example.com", "discarded <bob@example.com>"), nil, nil}},
		{Message{ID: "discard-transport", From: "alice@example.com", Recipients: []string{"x@drop.test"}},
			seen{250, to("x@drop.test", "discarded <x@drop.test>"), nil, nil}},
		{Message{ID: "store", From: "alice@example.com", Recipients: []string{"x@store.test"}},
			seen{250, to("x@store.test", "relay:mailstore.example.com <x@store.test>"), nil, nil}},
		{Message{ID: "decoy", From: "alice@example.com", Recipients: []string{"x@mail.conbool.com"}},
			seen{250, to("x@mail.conbool.com", "mx:mail.conbool.com <x@mail.conbool.com>"), nil, nil}},
		{Message{ID: "detour", From: "alice@example.com", Recipients: []string{"x@detour.test"}},
			seen{250, to("x@detour.test", "mx:decoy <x@detour.test>"), nil, nil}},
		{Message{ID: "header-reject", From: "alice@example.com", Recipients: []string{"bob@example.com"}, Raw: []byte("X-Do: reject\n\n")},
			seen{550, to("bob@example.com", "rejected:550 <bob@example.com>"), nil, nil}},
		{Message{ID: "bcc", From: "watched@example.com", Recipients: []string{"x@remote1.test"}},
			seen{250, map[string][]string{
				"x@remote1.test":    {"mx:remote1.test <x@remote1.test>"},
				"alice@example.com": {"mailbox:INBOX <alice@example.com>"},
			}, nil, nil}},
		{Message{ID: "stripped", From: "alice@example.com", Recipients: []string{"x@remote1.test"}, Raw: []byte("X-Do: nothing\n" + id("stripped") + "\n")},
			seen{250, to("x@remote1.test", "mx:remote1.test <x@remote1.test>"), nil, nil}},
		{Message{ID: "odd", NoID: true, From: "alice@example.com", Recipients: []string{"x@remote1.test"}, Raw: []byte(" continued\nX: \x00\xe9\r.\n\n.\n..\n")},
			seen{250, to("x@remote1.test", "mx:remote1.test <x@remote1.test>"), nil, nil}},
		{Message{ID: "no-server", To: "127.0.1.3:25", From: "alice@example.com", Recipients: []string{"x@remote1.test"}},
			seen{0, to("x@remote1.test", "rejected <x@remote1.test>"), nil, nil}},
	}
	site := plainSite(`header_checks = regexp:/etc/postfix/header_checks
transport_maps = inline:{ drop.test=discard:gone, {store.test=smtp:[mailstore.example.com]}, {detour.test=smtp:[decoy.conbool.com]} }
sender_bcc_maps = inline:{ watched@example.com=alice@example.com }
smtpd_sender_restrictions = check_sender_access inline:{ drop@example.com=DISCARD }
`)
	site.Files["postfix/header_checks"] = []byte(`/^X-Do: hold/ HOLD
/^X-Do: discard/ DISCARD
/^X-Do: reject/ REJECT 5.7.9 not this one
/^X-Lab-Id: stripped/ IGNORE
`)
	var msgs []Message
	for _, test := range tests {
		m := test.Message
		if m.Raw == nil {
			m.Raw = []byte("Subject: x\n\nbody\n")
		}
		msgs = append(msgs, m)
	}
	site.After = []string{"echo done; id -u", "exit 3"}
	r := Run(t, DefaultWorld(), site, msgs)
	for _, test := range tests {
		t.Run(test.ID, func(t *testing.T) {
			if diff := cmp.Diff(test.want, short(r.Messages[test.ID])); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if diff := cmp.Diff([]string{"done\n0\n", "exit status 3\n"}, r.After); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}

	t.Run("details", func(t *testing.T) {
		p := r.Messages["mx"].Recipients["x@remote1.test"][0]
		if got := p.Fields(IDHeader); len(got) != 1 || got[0] != " mx" || string(p.Body) != "body\n" || p.Sender != "alice@example.com" || p.Peer != "127.0.0.1" {
			t.Errorf("mx copy: id %q, body %q, sender %q, peer %q", got, p.Body, p.Sender, p.Peer)
		}
		p = r.Messages["stripped"].Recipients["x@remote1.test"][0]
		if got := p.Fields(IDHeader); got != nil {
			t.Errorf("the stripped copy has %q", got)
		}
		p = r.Messages["odd"].Recipients["x@remote1.test"][0]
		if got := string(p.Body); !strings.HasSuffix(got, ".\n..\n") {
			t.Errorf("body of odd: %q, header %q", got, p.Header)
		}
		p = r.Messages["header-reject"].Recipients["bob@example.com"][0]
		if p.Enhanced != "5.7.9" || p.Text != "not this one" || r.Messages["header-reject"].SMTP.Stage != "end" {
			t.Errorf("header-reject: %+v", p)
		}
		p = r.Messages["bounce"].Recipients["x@nxdomain.invalid"][0]
		if p.Enhanced != "5.4.4" || !strings.Contains(p.Text, "not found") {
			t.Errorf("bounce: %+v", p)
		}
		p = r.Messages["hold"].Recipients["bob@example.com"][0]
		if got := p.Fields("X-Do"); len(got) != 1 || got[0] != " hold" {
			t.Errorf("held header: %q", p.Header)
		}
	})
	sound(t, r)
}

func TestSieve(t *testing.T) {
	Need(t)
	site := plainSite("").scripts(map[string]string{
		"fwd2@example.com":   `redirect "out@remote2.test";`,
		"chain@example.com":  `redirect "fwd@example.com";`,
		"lost@example.com":   `redirect "x@nxdomain.invalid";`,
		"reject@example.com": `require "reject"; reject "go away";`,
		"copy@example.com":   `require ["copy", "fileinto", "imap4flags", "mailbox"]; setflag ["\\Seen", "$Label1", "\\Flagged"]; redirect :copy "bob@example.com"; fileinto :create "A/B"; fileinto :create "C";`,
	})
	raw := func(id string) []byte {
		return fmt.Appendf(nil, "Message-ID: <%s@mua.example.com>\nSubject: %[1]s\nTo: x@example.com\n\nbody\n", id)
	}
	to := func(recipient string, places ...string) map[string][]string {
		return map[string][]string{recipient: places}
	}
	tests := []struct {
		Message
		want seen
	}{
		{Message{ID: "two-redirects", From: "a@remote1.test", Recipients: []string{"fwd@example.com", "fwd2@example.com", "bob@example.com"}},
			seen{250, map[string][]string{
				"fwd@example.com":  {"consumed <fwd@example.com>"},
				"fwd2@example.com": {"consumed <fwd2@example.com>"},
				"bob@example.com":  {"mailbox:INBOX <bob@example.com>"},
			}, []string{
				"mx:remote1.test <out@remote1.test> by fwd@example.com",
				"mx:remote2.test <out@remote2.test> by fwd2@example.com",
			}, nil}},
		{Message{ID: "chain", From: "a@remote1.test", Recipients: []string{"chain@example.com"}},
			seen{250, to("chain@example.com", "consumed <chain@example.com>"), []string{
				"consumed <fwd@example.com> by chain@example.com",
				"mx:remote1.test <out@remote1.test> by fwd@example.com",
			}, nil}},
		{Message{ID: "redirect-bounces", From: "a@remote1.test", Recipients: []string{"lost@example.com"}},
			seen{250, to("lost@example.com", "consumed <lost@example.com>"), []string{"bounced <x@nxdomain.invalid> by lost@example.com"},
				[]string{"dsn mx:remote1.test <a@remote1.test>"}}},
		{Message{ID: "redirect-of-null", From: "", Recipients: []string{"lost@example.com"}},
			seen{250, to("lost@example.com", "consumed <lost@example.com>"), []string{"bounced <x@nxdomain.invalid> by lost@example.com"}, nil}},
		{Message{ID: "reject", From: "r@remote1.test", Recipients: []string{"reject@example.com"}},
			seen{250, to("reject@example.com", "consumed <reject@example.com>"), nil, []string{"reply mx:remote1.test <r@remote1.test> by reject@example.com"}}},
		{Message{ID: "reject-without-id", NoID: true, From: "r2@remote1.test", Recipients: []string{"reject@example.com"}, Raw: []byte("\n")},
			seen{250, to("reject@example.com", "consumed <reject@example.com>"), nil, []string{"reply mx:remote1.test <r2@remote1.test> by reject@example.com"}}},
		{Message{ID: "copies", From: "a@remote1.test", Recipients: []string{"copy@example.com"}},
			seen{250, to("copy@example.com", "mailbox:A/B <copy@example.com>", "mailbox:C <copy@example.com>"),
				[]string{"mailbox:INBOX <bob@example.com> by copy@example.com"}, nil}},
	}
	var msgs []Message
	for _, test := range tests {
		m := test.Message
		if m.Raw == nil {
			m.Raw = raw(m.ID)
		}
		msgs = append(msgs, m)
	}
	r := Run(t, DefaultWorld(), site, msgs)
	for _, test := range tests {
		t.Run(test.ID, func(t *testing.T) {
			if diff := cmp.Diff(test.want, short(r.Messages[test.ID])); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if diff := cmp.Diff([]string{"$Label1", `\Flagged`, `\Seen`}, r.Messages["copies"].Recipients["copy@example.com"][0].Flags); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
	sound(t, r)
}

// TestInstances has a second Postfix that does the sending, with the long form
// of queue file names.
func TestInstances(t *testing.T) {
	Need(t)
	site := plainSite("relayhost = [127.0.1.2]:25\nenable_long_queue_ids = yes\nalternate_config_directories = /etc/postfix-out\n")
	site.Files["postfix/main.cf"] = bytes.Replace(site.Files["postfix/main.cf"], []byte("smtpd_sasl_auth_enable = yes\n"), nil, 1)
	site.Files["postfix-out/main.cf"] = []byte(`compatibility_level = 3.6
myhostname = out.example.com
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.1.2
inet_protocols = ipv4
alias_maps =
queue_directory = /var/spool/postfix-out
data_directory = /var/lib/postfix-out
smtpd_relay_restrictions = permit_mynetworks, reject
`)
	site.NoDovecot = true
	r := Run(t, DefaultWorld(), site, []Message{
		{ID: "out", From: "alice@example.com", Recipients: []string{"x@remote1.test", "y@remote2.test"}, Raw: []byte("\n")},
		{ID: "pickup", To: "sendmail:out", From: "alice@example.com", Recipients: []string{"x@remote1.test"}, Raw: []byte("\n")},
	})
	want := map[string]seen{
		"out": {250, map[string][]string{
			"x@remote1.test": {"mx:remote1.test <x@remote1.test>"}, "y@remote2.test": {"mx:remote2.test <y@remote2.test>"},
		}, nil, nil},
		"pickup": {250, map[string][]string{"x@remote1.test": {"mx:remote1.test <x@remote1.test>"}}, nil, nil},
	}
	got := map[string]seen{}
	for id, o := range r.Messages {
		got[id] = short(o)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p := r.Messages["out"].Recipients["x@remote1.test"]; len(p) == 1 && len(p[0].Fields("Received")) != 2 {
		t.Errorf("the copy went through one instance only:\n%s", p[0].Header)
	}
	sound(t, r)
}

// TestNothingEscapes checks that a run leaves the machine as it is.
func TestNothingEscapes(t *testing.T) {
	Need(t)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	site := plainSite("")
	site.Exec = []string{"touch /etc/maillab-escape /var/lib/maillab-escape /run/maillab-escape", "touch /usr/maillab-escape"}
	site.After = []string{"hostname; ls /etc/maillab-escape"}
	r := Run(t, DefaultWorld(), site, nil)
	if diff := cmp.Diff([]string{"touch /usr/maillab-escape: touch: cannot touch '/usr/maillab-escape': Read-only file system", "touch /usr/maillab-escape: exit status 1"}, r.Complaints); diff != "" {
		t.Errorf("complaints (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ox.example.com\n/etc/maillab-escape\n"}, r.After); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
	for _, dir := range []string{"/etc", "/var/lib", "/run", "/usr"} {
		if _, err := os.Stat(dir + "/maillab-escape"); err == nil {
			t.Errorf("%s was written to", dir)
		}
	}
	if now, _ := os.Hostname(); now != host {
		t.Errorf("the host name is %s now, was %s", now, host)
	}
}

func TestSmartHostModes(t *testing.T) {
	Need(t)
	want := map[Mode]string{
		Good: "smarthost:mail.conbool.com", CNOnly: "smarthost:mail.conbool.com",
		WrongName: "deferred", Expired: "deferred", OtherCA: "deferred", SelfSigned: "deferred", NoTLS: "deferred",
		Reject: "bounced:550", TempFail: "deferred:451", Down: "deferred",
	}
	for _, mode := range Modes() {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			w := DefaultWorld()
			w.SmartHost = mode
			r := Run(t, w, plainSite("relayhost = [mail.conbool.com]:25\nsmtp_tls_security_level = secure\n"), []Message{
				{ID: "out", From: "alice@example.com", Recipients: []string{"x@remote1.test"}, Raw: []byte("Subject: x\n\n")},
			})
			p := r.Messages["out"].Recipients["x@remote1.test"][0]
			if got := p.String(); got != want[mode] {
				t.Errorf("got %s, want %s (%s)", got, want[mode], p.Text)
			}
			if p.Kind == KindSmartHost && (p.TLS != "TLSv1.3" || p.ClientCert != "ox.example.com" || !p.Verified || p.Peer == "") {
				t.Errorf("shown to the smart host: %q %q %v from %q", p.TLS, p.ClientCert, p.Verified, p.Peer)
			}
			if notices := briefs(r.Messages["out"].Notices); (len(notices) > 0) != (mode == Reject) {
				t.Errorf("notices %q", notices)
			}
			sound(t, r)
		})
	}
}

// TestOtherGateway is a world with nothing of Conbool's, and a test that needs
// the gateway's fingerprint in its files.
func TestOtherGateway(t *testing.T) {
	Need(t)
	w := WorldFor("out.gateway.test", "gw")
	keys, err := Issue(w.Certificates, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Keys = keys
	print, err := keys["gw"].Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	site := plainSite(`relayhost = [out.gateway.test]
smtp_tls_security_level = secure
smtpd_tls_ask_ccert = yes
smtpd_tls_fingerprint_digest = sha256
smtpd_client_restrictions = permit_mynetworks, check_ccert_access hash:/etc/postfix/ccerts, reject
smtpd_delay_reject = yes
`)
	site.Files["postfix/ccerts"] = []byte(print + " OK\n")
	in := Message{ID: "in", Source: "127.0.2.1", TLS: "tls", Certificate: "gw", From: "z@remote2.test", Recipients: []string{"bob@example.com"}, Raw: []byte("\n")}
	other := in
	other.ID, other.Certificate = "in-other", "stranger"
	r := Run(t, w, site, []Message{
		{ID: "out", From: "alice@example.com", Recipients: []string{"x@remote1.test"}, Raw: []byte("\n")}, in, other,
	})
	got := map[string]string{}
	for id, o := range r.Messages {
		for _, places := range o.Recipients {
			got[id] += strings.Join(briefs(places), ", ")
		}
	}
	want := map[string]string{
		"out":      "smarthost:out.gateway.test <x@remote1.test>",
		"in":       "mailbox:INBOX <bob@example.com>",
		"in-other": "rejected:554 <bob@example.com>",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	sound(t, r)
}

func TestComplaints(t *testing.T) {
	Need(t)
	site := plainSite("no_such_parameter = 1\nsmtp_tls_ciphers = $no_such_thing\n")
	site.Files["postfix/mailboxes"] = []byte("bob@example.com 1\nbob@example.com 2\n")
	site.Files["sieve/before/20-bad.sieve"] = []byte("keep\n")
	site.Exec = []string{"echo careful >&2", "exit 4", "true"}
	site.Dovecot += "ssl_protocols = TLSv1.2\n"
	r := Run(t, DefaultWorld(), site, nil)
	all := strings.Join(r.Complaints, "\n")
	for _, want := range []string{
		"echo careful >&2: careful",
		"exit 4: exit status 4",
		"postconf -c /etc/postfix -n: postconf: warning: /etc/postfix/main.cf: unused parameter: no_such_parameter=1",
		"postmap hash:/etc/postfix/mailboxes: postmap: warning: /etc/postfix/mailboxes.db: duplicate entry: \"bob@example.com\"",
		"sievec /etc/dovecot/sieve/before/20-bad.sieve: ",
		"doveconf -n: ",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no complaint %q in\n%s", want, all)
		}
	}
}

func TestBrokenSetUp(t *testing.T) {
	Need(t)
	message := Message{ID: "m", Recipients: []string{"bob@example.com"}}
	tests := []struct {
		name string
		edit func(w *World, s *Site, m *[]Message)
		want string
	}{
		{"no main.cf", func(_ *World, s *Site, _ *[]Message) { delete(s.Files, "postfix/main.cf") }, "no postfix/main.cf"},
		{"no place", func(_ *World, s *Site, _ *[]Message) { s.Files["exim/exim.conf"] = nil }, `"exim/exim.conf": no place`},
		{"climbing", func(_ *World, s *Site, _ *[]Message) { s.Files["etc/../../x"] = nil }, "clean relative slash path"},
		{"no id", func(_ *World, _ *Site, m *[]Message) { (*m)[0].ID = "a b" }, `ID "a b"`},
		{"same id", func(_ *World, _ *Site, m *[]Message) { *m = append(*m, (*m)[0]) }, "there twice"},
		{"no recipient", func(_ *World, _ *Site, m *[]Message) { (*m)[0].Recipients = nil }, "no recipients"},
		{"issuer", func(w *World, _ *Site, _ *[]Message) { delete(w.Certificates, "otherca") }, `"otherca" isn't described`},
		{"fatal", func(_ *World, s *Site, _ *[]Message) {
			s.Files["postfix/main.cf"] = append(s.Files["postfix/main.cf"], "inet_interfaces = 192.0.2.1\n"...)
		}, "192.0.2.1"},
		{"address in use", func(_ *World, s *Site, _ *[]Message) {
			s.Files["postfix/main.cf"] = append(s.Files["postfix/main.cf"], "inet_interfaces = all\n"...)
		}, "Address already in use"},
		{"dovecot", func(_ *World, s *Site, _ *[]Message) { s.Dovecot = "no_such_setting = 1\n" }, "no_such_setting"},
		{"time", func(w *World, s *Site, _ *[]Message) {
			w.Timeout = time.Second
			s.Exec = []string{"sleep 100"}
		}, "out of time"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, s, m := DefaultWorld(), plainSite(""), []Message{message}
			test.edit(&w, &s, &m)
			start := time.Now()
			_, err := run(w, s, m)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestMany is a run of the size that the comparison with the evaluator needs.
func TestMany(t *testing.T) {
	Need(t)
	const n = 1000
	want := map[string]string{}
	var msgs []Message
	for i := range n {
		id := fmt.Sprintf("m%d", i)
		m := Message{ID: id, NoID: i%2 == 0, From: "alice@example.com", Raw: fmt.Appendf(nil, "Subject: %d\n\n%[1]d\n", i)}
		switch i % 4 {
		case 0:
			m.Recipients, want[id] = []string{"bob@example.com"}, "mailbox:INBOX <bob@example.com>"
		case 1:
			m.Recipients, want[id] = []string{"x@remote1.test"}, "mx:remote1.test <x@remote1.test>"
		case 2:
			m.Recipients, want[id] = []string{"team@example.com"}, "mailbox:INBOX <bob@example.com>, mx:remote1.test <ext@remote1.test>"
		case 3:
			m.TLS = "tls"
			m.Recipients, want[id] = []string{"nobody@example.com"}, "rejected:550 <nobody@example.com>"
		}
		msgs = append(msgs, m)
	}
	r := Run(t, DefaultWorld(), plainSite(""), msgs)
	got := map[string]string{}
	for i, m := range msgs {
		places := r.Messages[m.ID].Recipients[m.Recipients[0]]
		got[m.ID] = strings.Join(briefs(places), ", ")
		for _, p := range places {
			if body := string(p.Body); p.Kind != KindRejected && body != fmt.Sprintln(i) {
				t.Errorf("%s: body %q of another message", m.ID, body)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	sound(t, r)
	t.Logf("%d messages: set-up %.1f s, sending %.1f s, in all %.1f s", n, r.Setup, r.Sending, r.Seconds)
	if r.Seconds > 60 {
		t.Errorf("took %.0f s; a run of this size should be done in 60", r.Seconds)
	}
}
