package relay_test

import (
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/relay"
)

// withOption adds an option to a service of the tests' installation.
func withOption(tb testing.TB, in relay.Installation, service, option string) relay.Installation {
	tb.Helper()
	text := "\n" + string(in.Files["/etc/postfix/master.cf"])
	before, rest, ok := strings.Cut(text, "\n"+service+" ")
	if !ok {
		tb.Fatalf("no service %s", service)
	}
	line, rest, _ := strings.Cut(rest, "\n")
	in.Files["/etc/postfix/master.cf"] = []byte(before[min(1, len(before)):] + "\n" + service + " " + line + "\n    -o " + option + "\n" + rest)
	return in
}

// TestPast: no way leads to the gateway but the generated one, in main.cf, in
// options of master.cf, by name or by address.
func TestPast(t *testing.T) {
	for _, tt := range []struct{ service, setting, want string }{
		{"smtp", "smtp_fallback_relay=[mail.conbool.com]:25", "smtp_fallback_relay"},
		{"relay", "smtp_fallback_relay=[Mail.Conbool.COM]", "smtp_fallback_relay"},
		{"relay", "smtp_fallback_relay=[127.0.2.1]:25", "smtp_fallback_relay"},
		{"lmtp", "lmtp_fallback_relay=mail.conbool.com", "lmtp_fallback_relay"},
		{"pickup", "content_filter=relay:[mail.conbool.com]:25", "content_filter"},
		{"127.0.1.2:25", "content_filter=relay:[127.0.2.1]:25", "content_filter"},
		{"local", "fallback_transport=relay:[mail.conbool.com]", "fallback_transport"},
		{"smtp", "smtp_generic_maps=static:alice@example.com", "smtp_generic_maps"},
		{"smtp", "smtp_fallback_relay=[127.0.3.3]:25", ""},
		{"relay", "smtp_generic_maps=static:alice@example.com", ""},
		{"", "content_filter = relay:[mail.conbool.com]:25", "content_filter"},
		{"", "relayhost = [127.0.2.2]", "relayhost"},
		{"", "relayhost = [::ffff:127.0.2.2]:25", "relayhost"},
		{"", "mailbox_transport = relay:[mail.conbool.com]", "mailbox_transport"},
		{"", "transport_maps = inline:{remote3.test=relay:[127.0.2.1]}", "transport_maps"},
		{"", "transport_maps = inline:{remote3.test=relay:[127.0.3.3]}", ""},
	} {
		in := labBase(t)
		if tt.service != "" {
			in = withOption(t, in, tt.service, tt.setting)
		} else {
			in = withMain(tt.setting+"\n", nil)(t)
		}
		_, err := tryCompile(t, labPolicy(t, "lab.json"), in)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s %s: %v, want %q", tt.service, tt.setting, err, tt.want)
		}
	}
}

// TestProbesOfVerify: the sender of probes stands in master.cf, too, on real servers:
// a recipient whom its exchanger refuses is refused.
func TestProbesOfVerify(t *testing.T) {
	onSystems(t, func(t *testing.T, p relay.Policy, w maillab.World) {
		for i := range w.Sinks {
			if w.Sinks[i].Name == "remote1.test" {
				w.Sinks[i].Replies = map[string]string{"RCPT": "550 5.1.1 no such user"}
			}
		}
		in := withOption(t, withMain("address_verify_poll_count = 20\naddress_verify_poll_delay = 1\nunverified_recipient_reject_code = 550\n"+
			"smtpd_sender_restrictions = reject_unverified_recipient\n", nil)(t), "verify", "address_verify_sender=probe@example.com")
		_, site := labSite(t, p, in)
		m := waysIn["internal"].lab
		m.ID, m.From, m.Recipients, m.Raw = "refused", "z@remote3.test", []string{"x@remote1.test"}, hello
		r := maillab.Run(t, w, site, []maillab.Message{m})
		if code := r.Messages["refused"].RCPT["x@remote1.test"].Code; code != 550 {
			t.Errorf("a recipient that its exchanger refuses: %d", code)
		}
	})
}
