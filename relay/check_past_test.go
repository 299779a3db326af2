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
	in.Files["/etc/postfix/master.cf"] = []byte(before[min(1, len(before)):] + "\n" + service + " " + line + "\n    -o " + option + "\n" +
		rest)
	return in
}

// TestPast: no way leads to the gateway but the generated one, in main.cf, in
// options of master.cf, by name or by address; a service that doesn't read an option
// may have it.
func TestPast(t *testing.T) {
	refused := func(service, setting, want string, in relay.Installation) {
		t.Helper()
		_, err := tryCompile(t, labPolicy(t, "lab.json"), in)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s %s: %v, want %q", service, setting, err, want)
		}
	}
	for _, tt := range past {
		if tt.service != "" {
			refused(tt.service, tt.setting, tt.want, withOption(t, labBase(t), tt.service, tt.setting))
		} else {
			refused(tt.service, tt.setting, tt.want, withMain(tt.setting+"\n", nil)(t))
		}
	}
	for _, tt := range [][2]string{{"smtp", "smtp_fallback_relay=[127.0.3.3]:25"}, {"relay", "smtp_generic_maps=static:alice@example.com"},
		{"lmtp", "content_filter=relay:[mail.conbool.com]"}, {"bounce", "content_filter=relay:[mail.conbool.com]"}, {"127.0.1.2:25",
			"smtp_fallback_relay=[mail.conbool.com]"}} {
		refused(tt[0], tt[1], "", withOption(t, labBase(t), tt[0], tt[1]))
	}
	refused("", "remote3.test", "", withMain("transport_maps = inline:{remote3.test=relay:[127.0.3.3]}\n", nil)(t))
	by := withMain("smtp_fallback_relay = $spare\nspare =\n", nil)(t)
	refused("smtp", "spare", "smtp_fallback_relay", withOption(t, by, "smtp", "spare=[mail.conbool.com]:25"))
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
