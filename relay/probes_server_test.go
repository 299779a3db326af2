package relay_test

import (
	"bytes"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/relay"
)

// TestProbesServers: probes of address verification ask the recipient's exchanger,
// though their sender is in scope. The smart host takes every address, so a probe
// that reached it would have nobody refused, as the control shows.
func TestProbesServers(t *testing.T) {
	const line = "address_verify_sender_dependent_default_transport_maps ="
	for _, control := range []bool{false, true} {
		name := map[bool]string{false: "emitted", true: "control"}[control]
		t.Run(name, func(t *testing.T) {
			onSystems(t, func(t *testing.T, p relay.Policy, w maillab.World) {
				for i := range w.Sinks {
					if w.Sinks[i].Name == "remote1.test" {
						w.Sinks[i].Replies = map[string]string{"RCPT": "550 5.1.1 no such user"}
					}
				}
				_, site := labSite(t, p, withMain(`address_verify_sender = probe@example.com
address_verify_poll_count = 20
address_verify_poll_delay = 1
unverified_recipient_reject_code = 550
smtpd_sender_restrictions = reject_unverified_recipient
`, nil)(t))
				main := site.Files["postfix/main.cf"]
				if !bytes.Contains(main, []byte("\n"+line)) {
					t.Fatalf("no %q in\n%s", line, main)
				}
				if control {
					site.Files["postfix/main.cf"] = bytes.ReplaceAll(main, []byte("\n"+line), []byte("\n# "+line))
				}
				way, msgs := waysIn["internal"], []maillab.Message{}
				for _, host := range []string{"remote1", "remote2"} {
					m := way.lab
					m.ID, m.From, m.Recipients, m.Raw = host, "z@remote3.test", []string{"x@" + host + ".test"}, hello
					msgs = append(msgs, m)
				}
				r := maillab.Run(t, w, site, msgs)
				refused := r.Messages["remote1"].RCPT["x@remote1.test"].Code
				if want := map[bool]int{false: 550, true: 250}[control]; refused != want {
					t.Errorf("a recipient that its exchanger refuses: %d, want %d", refused, want)
				}
				if got := kinds(r.Messages["remote2"], "x@remote2.test"); got != "mx" {
					t.Errorf("a recipient that its exchanger takes: %s", got)
				}
			})
		})
	}
}
