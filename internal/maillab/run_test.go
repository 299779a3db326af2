package maillab

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRun(t *testing.T) { onSystems(t, testRun) }

func testRun(t *testing.T, system System) {
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
		{Message{ID: "two-spellings", From: "a@remote2.test", Recipients: []string{"bob@example.com", "Bob@EXAMPLE.com"}},
			seen{250, map[string][]string{
				"bob@example.com": {"mailbox:INBOX <bob@example.com>"},
				"Bob@EXAMPLE.com": {"mailbox:INBOX <bob@example.com>"},
			}, nil, nil}},
		{Message{ID: "spam", From: "a@remote2.test", Recipients: []string{"bob@example.com"}, Raw: []byte("X-Flag: spam\n\nbody\n")},
			seen{250, to("bob@example.com", "mailbox:Spam <bob@example.com>"), nil, nil}},
		{Message{ID: "mx", From: "alice@example.com", Recipients: []string{"x@remote1.test", "y@remote2.test", "z@any.test",
			`"a b"@remote1.test`}},
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
		{Message{ID: "submission", Source: "127.0.66.6", TLS: "tls", Auth: &[2]string{"alice@example.com", "secret"}, From: "alice@example.com",
			Recipients: []string{"x@remote1.test"}},
			seen{250, to("x@remote1.test", "mx:remote1.test <x@remote1.test>"), nil, nil}},
		{Message{ID: "sendmail", To: "sendmail", From: "alice@example.com", Recipients: []string{"x@remote1.test", "bob@example.com"}},
			seen{250, map[string][]string{
				"x@remote1.test":  {"mx:remote1.test <x@remote1.test>"},
				"bob@example.com": {"mailbox:INBOX <bob@example.com>"},
			}, nil, nil}},
		{Message{ID: "sendmail-bounce", To: "sendmail", From: "", NoID: true, Recipients: []string{"x@nxdomain.invalid"},
			Raw: []byte("Subject: x\n\n")},
			seen{250, to("x@nxdomain.invalid", "bounced <x@nxdomain.invalid>"), nil, nil}},
		{Message{ID: "redirect", From: "a@remote2.test", Recipients: []string{"fwd@example.com"}, Raw: []byte(id("redirect"))},
			seen{250, to("fwd@example.com", "consumed <fwd@example.com>"), []string{"mx:remote1.test <out@remote1.test> by fwd@example.com"}, nil}},
		{Message{ID: "redirect-without-id", NoID: true, From: "a@remote2.test", Recipients: []string{"fwd@example.com"}, Raw: []byte("\n")},
			seen{250, to("fwd@example.com", "consumed <fwd@example.com>"), []string{"mx:remote1.test <out@remote1.test> by fwd@example.com"}, nil}},
		{Message{ID: "vacation", From: "v1@remote2.test", Recipients: []string{"vac@example.com"},
			Raw: []byte(id("vacation") + "To: vac@example.com\n")},
			seen{250, to("vac@example.com", "mailbox:INBOX <vac@example.com>", "mailbox:Wäg/Inner <vac@example.com>"), nil,
				[]string{"reply mx:remote2.test <v1@remote2.test> by vac@example.com"}}},
		{Message{ID: "vacation-without-id", NoID: true, From: "v2@remote2.test", Recipients: []string{"vac@example.com"},
			Raw: []byte("To: vac@example.com\n")},
			seen{250, to("vac@example.com", "mailbox:INBOX <vac@example.com>", "mailbox:Wäg/Inner <vac@example.com>"), nil,
				[]string{"reply mx:remote2.test <v2@remote2.test> by vac@example.com"}}},
		{Message{ID: "vacation-bounces", From: "v@nxdomain.invalid", Recipients: []string{"vac@example.com"},
			Raw: []byte(id("vb") + "To: vac@example.com\n")},
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
		{Message{ID: "stripped", From: "alice@example.com", Recipients: []string{"x@remote1.test"},
			Raw: []byte("X-Do: nothing\n" + id("stripped") + "\n")},
			seen{250, to("x@remote1.test", "mx:remote1.test <x@remote1.test>"), nil, nil}},
		{Message{ID: "odd", NoID: true, From: "alice@example.com", Recipients: []string{"x@remote1.test"},
			Raw: []byte(" continued\nX: \x00\xe9\r.\n\n.\n..\n")},
			seen{250, to("x@remote1.test", "mx:remote1.test <x@remote1.test>"), nil, nil}},
		{Message{ID: "no-server", To: "127.0.1.3:25", From: "alice@example.com", Recipients: []string{"x@remote1.test"}},
			seen{0, to("x@remote1.test", "unreachable <x@remote1.test>"), nil, nil}},
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
	w, site := site.on(system)
	r := Run(t, w, site, msgs)
	t.Logf("%+v: set-up %.1f s, sending %.1f s, in all %.1f s", system, r.Setup, r.Sending, r.Seconds)
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
		if got := p.Fields(IDHeader); len(got) != 1 || got[0] != " mx" || string(p.Body) != "body\n" || p.Sender != "alice@example.com" ||
			p.Peer != "127.0.0.1" {
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
