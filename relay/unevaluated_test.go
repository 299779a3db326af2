package relay_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/relay"
)

// TestUnevaluated: a decision says what it hangs on, and only that.
func TestUnevaluated(t *testing.T) {
	const gate = "relay [mail.conbool.com]:25"
	tests := []struct {
		name, main string
		message    func(m *relay.Message)
		want       string // the decision
		hangs      []string
	}{
		{"nothing", "", nil, gate, nil},
		{"milters", "smtpd_milters = inet:127.0.0.1:11332\n", nil, gate,
			[]string{"smtpd_milters = inet:127.0.0.1:11332 at postfix/master.cf:29: taken for accepted, and nothing changed"}},
		{"milters that accept", "smtpd_milters = inet:127.0.0.1:11332\n", func(m *relay.Message) { m.Milters = relay.MilterAccept }, gate, nil},
		{"milters that refuse", "smtpd_milters = inet:127.0.0.1:11332\n", func(m *relay.Message) { m.Milters = relay.MilterReject }, "reject 550",
			nil},
		{"milters that defer", "smtpd_milters = inet:127.0.0.1:11332\n", func(m *relay.Message) { m.Milters = relay.MilterTempfail },
			"reject 451", nil},
		{"milters that discard", "smtpd_milters = inet:127.0.0.1:11332\n", func(m *relay.Message) { m.Milters = relay.MilterDiscard }, "discard",
			nil},
		{"milters that hold", "smtpd_milters = inet:127.0.0.1:11332\n", func(m *relay.Message) { m.Milters = relay.MilterQuarantine }, "defer",
			nil},
		{"no milters for this listener", "non_smtpd_milters = inet:127.0.0.1:11332\n", nil, gate, nil},
		{"policy service", "smtpd_sender_restrictions = check_policy_service unix:private/policy\n", nil, gate,
			[]string{"check_policy_service unix:private/policy at postfix/master.cf:29: taken for no opinion"}},
		{"policy service behind a permit", "smtpd_sender_restrictions = permit_sasl_authenticated, check_policy_service unix:private/policy\n",
			nil, gate, nil},
		{"DNS list", "smtpd_client_restrictions = reject_rbl_client list.test\n", nil, gate,
			[]string{"reject_rbl_client list.test at postfix/master.cf:29: taken for no opinion"}},
		{"SQL", "sender_canonical_maps = pgsql:/etc/postfix/x.cf\n", nil, gate,
			[]string{"sender_canonical_maps pgsql:/etc/postfix/x.cf at postfix/main.cf:33 (alice@example.com): taken for no entry"}},
		{"SQL that isn't asked", "recipient_bcc_maps = pgsql:/etc/postfix/x.cf\n", func(m *relay.Message) { m.To = "nobody@example.com" },
			"reject 550", nil},
		{"a login that isn't told", "smtpd_sender_login_maps = static:alice\nsmtpd_sender_restrictions = reject_sender_login_mismatch\n", nil,
			gate,
			[]string{"reject_sender_login_mismatch at postfix/master.cf:29 (alice@example.com): taken for one of its owners (alice) has logged in"}},
		{"a login", "smtpd_sender_login_maps = static:alice\nsmtpd_sender_restrictions = reject_sender_login_mismatch\n",
			func(m *relay.Message) { m.Origin.Login = "alice" }, gate, nil},
		{"another login", "smtpd_sender_login_maps = static:alice\nsmtpd_sender_restrictions = reject_sender_login_mismatch\n",
			func(m *relay.Message) { m.Origin.Login = "bob" }, "reject 553", nil},
		{"checks that can't be read", "body_checks = pcre:/etc/elsewhere\n", nil, gate,
			[]string{"body_checks pcre:/etc/elsewhere at postfix/master.cf: taken for no match"}},
		{"SMTPUTF8", "smtputf8_enable = yes\n", func(m *relay.Message) { m.From, m.SMTPUTF8 = "\u00e4lice@example.com", true }, gate,
			[]string{"SMTPUTF8 at postfix/master.cf ([mail.conbool.com]:25): taken for offered"}},
		{"SMTPUTF8 that is not needed", "smtputf8_enable = yes\n", func(m *relay.Message) { m.SMTPUTF8 = true }, gate, nil},
		{"SMTPUTF8 that is offered", "smtputf8_enable = yes\n", func(m *relay.Message) {
			m.From, m.SMTPUTF8, m.NextHops = "\u00e4lice@example.com", true, relay.SMTPUTF8Offered
		}, gate, nil},
		{"SMTPUTF8 that is missing", "smtputf8_enable = yes\n", func(m *relay.Message) {
			m.From, m.SMTPUTF8, m.NextHops = "\u00e4lice@example.com", true, relay.SMTPUTF8Missing
		}, "bounce 550",
			[]string{"smtp_connection_cache_on_demand at postfix/master.cf ([mail.conbool.com]:25): taken for a new connection"}},
		{"a header that depends on the interfaces", "inet_interfaces = all\n",
			func(m *relay.Message) { m.Raw = []byte("From: alice\nSubject: x\n\nx\n") }, gate,
			[]string{"local_header_rewrite_clients permit_inet_interfaces at postfix/master.cf:29 (127.0.66.6): taken for no client of it"}},
		{"a header that doesn't", "inet_interfaces = all\n", func(m *relay.Message) {
			m.Raw = []byte("Message-Id: <a@b.c>\nDate: Mon, 01 Jun 2026 00:00:00 +0000\nFrom: alice@example.com\nSubject: x\n\nx\n")
		}, gate, nil},
		{"a message that is too large", "message_size_limit = 20\n",
			func(m *relay.Message) { m.Raw = []byte("Subject: x\n\n" + strings.Repeat("x", 20)) }, "reject 552", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := withMain(tt.main, nil)(t)
			in.Tables = map[string]relay.Table{"pgsql:/etc/postfix/x.cf": {Harmless: true}, "pcre:/etc/elsewhere": {Harmless: true}}
			c := compile(t, labPolicy(t, "lab.json"), in)
			m := relay.Message{Origin: waysIn["submission"].origin, From: "alice@example.com", To: "x@remote1.test", Raw: hello}
			m.Origin.Login = ""
			if tt.message != nil {
				tt.message(&m)
			}
			d := c.Route(t.Context(), &m)
			var hangs []string
			for _, u := range d.Assumptions {
				text := u.String()
				if u.Setting == "body_checks pcre:/etc/elsewhere" || strings.HasSuffix(u.Asked, ":25") {
					text = strings.Replace(text, ":"+digits(u.Line), "", 1) // a service of ours
				}
				hangs = append(hangs, text)
			}
			if d.String() != tt.want {
				t.Errorf("%s, want %s\n%s", d, tt.want, d.Outcomes[0].Trace)
			}
			if diff := cmp.Diff(tt.hangs, hangs); diff != "" {
				t.Errorf("hangs on (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLocal: local(8) with alias_maps that can be read.
func TestLocal(t *testing.T) {
	in := withMain("alias_maps = hash:/etc/postfix/local\nlocal_recipient_maps = $alias_maps\nmydestination = localhost, host.test, $myhostname\nexpand_owner_alias = yes\n", map[string]string{
		"local": "root: alice@example.com, |/bin/true\nloop: loop, file\nfile: /var/mail/x\nlist: x@remote1.test\nowner-list: bob@example.com\na: b, b\nb: a, b2, a\nb2: b\ninc: :include:/etc/list\n",
	})(t)
	in.Files["/etc/postfix/main.cf"] = []byte(strings.NewReplacer("mydestination = localhost\n", "", "local_recipient_maps =\nalias_maps =\n",
		"").Replace(string(in.Files["/etc/postfix/main.cf"])))
	c := compile(t, labPolicy(t, "lab.json"), in)
	for to, want := range map[string]string{
		"root@host.test":    "mailbox INBOX <alice@example.com>, relay |/bin/true",
		"root+x@host.test":  "mailbox INBOX <alice@example.com>, relay |/bin/true",
		"loop@host.test":    "mailbox INBOX <loop@ox.example.com>, mailbox /var/mail/x <file@ox.example.com>",
		"list@host.test":    "relay [mail.conbool.com]:25 <x@remote1.test>",
		"a@host.test":       "bounce 550 <b@ox.example.com>",
		"inc@host.test":     "discard",
		"unknown@host.test": "reject 550",
	} {
		d := c.Route(t.Context(), &relay.Message{Origin: waysIn["internal"].origin, From: "z@remote2.test", To: to, Raw: hello})
		got := d.String()
		if got != want {
			t.Errorf("%s: %s, want %s\n%s", to, got, want, d.Outcomes[0].Trace)
		}
		if to == "list@host.test" && d.Outcomes[0].MailFrom != "bob@example.com" {
			t.Errorf("the sender is %s", d.Outcomes[0].MailFrom)
		}
		if to == "inc@host.test" && len(d.Assumptions) == 0 {
			t.Error("nothing is said of the file")
		}
	}
}

func digits(n int) string { return strings.TrimPrefix(relay.Step{File: "x", Line: n}.At(), "x:") }
