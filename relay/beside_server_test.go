package relay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/relay"
)

// strange are settings of a customer's that each broke something, or took a
// guarantee away, where ours did not stand above them.
const strange = `smtp_bind_address = 127.0.1.1
smtp_generic_maps = regexp:/etc/postfix/generic
smtp_fallback_relay = [mailstore.example.com]:25
smtp_tls_trust_anchor_file = /etc/ssl/lab/otherca.pem
smtp_discard_ehlo_keywords = starttls, pipelining
message_size_limit = 20000
disable_mime_input_processing = yes
smtpd_recipient_limit = 2
smtpd_client_connection_count_limit = 30
`

// TestStrangeSettings: what the customer's main.cf says of all listeners and
// transports does not reach ours.
func TestStrangeSettings(t *testing.T) { onSystems(t, testStrangeSettings) }

func testStrangeSettings(t *testing.T, p relay.Policy, w maillab.World) {
	lines := strange
	if w.Root != "" {
		lines += "smtpd_hide_client_session = yes\n"
	}
	// Each pass through smtp(8) that applies generic maps adds a letter.
	in := withMain(lines, map[string]string{"generic": "/^gen(x*)@example\\.com$/ gen${1}x@example.com\n"})(t)
	_, site := labSite(t, p, in)
	out := maillab.Message{ID: "out", To: "127.0.1.2:25", From: "gen@example.com", Recipients: []string{"x@remote1.test"}, Raw: hello}
	msgs := []maillab.Message{
		out,
		{ID: "marked", To: "127.0.0.1:10032", Source: "127.0.0.1", From: "gen@example.com", Recipients: []string{"x@remote1.test"},
			Raw: []byte(redirectedHead + "X-Conbool-Released: yes\n\n")},
		{ID: "unscoped", To: "127.0.1.2:25", From: "gen@other.test", Recipients: []string{"x@remote1.test"}, Raw: hello},
		{ID: "calendar", To: "127.0.1.2:25", From: "alice@example.com", Recipients: []string{"x@remote1.test"},
			Raw: []byte("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/calendar; method=REQUEST\n\nX\n--b--\n")},
		{ID: "gateway", Source: "127.0.2.1", TLS: "tls", Certificate: "conbool", From: "z@remote2.test", Recipients: []string{"bob@example.com"},
			Raw: hello},
		{ID: "stranger", Source: "127.0.2.1", TLS: "tls", Certificate: "stranger", From: "z@remote2.test",
			Recipients: []string{"bob@example.com"}, Raw: hello},
		{ID: "nobody", Source: "127.0.2.1", TLS: "tls", From: "z@remote2.test", Recipients: []string{"bob@example.com"}, Raw: hello},
	}
	want := map[string]string{
		"out": "smarthost from genx@example.com", "marked": "mx from genx@example.com", "unscoped": "mx from gen@other.test",
		"calendar": "mx from alice@example.com", "gateway": "mailbox from ", "stranger": "rejected from ", "nobody": "rejected from ",
	}
	// What the listener takes, the second pass takes too, to the last octet.
	const head = "Subject: size\n\n"
	for size := 18000; size < 19600; size += 49 {
		body := strings.Repeat(strings.Repeat("a", 48)+"\n", (size-len(head))/49)
		msgs = append(msgs, maillab.Message{ID: fmt.Sprintf("size%d", size), To: "127.0.1.2:25", From: "alice@example.com",
			Recipients: []string{"x@remote1.test"}, Raw: []byte(head + body)})
	}
	r := maillab.Run(t, w, site, msgs)
	again(t, w, site, msgs, &r)
	got := map[string]string{}
	taken, refused := 0, 0
	for _, m := range msgs {
		for _, p := range r.Messages[m.ID].Recipients[m.Recipients[0]] {
			switch {
			case !strings.HasPrefix(m.ID, "size"):
				got[m.ID] = string(p.Kind) + " from " + p.Sender
				if p.Kind == maillab.KindMailbox || p.Kind == maillab.KindRejected {
					got[m.ID] = string(p.Kind) + " from "
				}
			case p.Kind == maillab.KindSmartHost:
				taken++
			case p.Kind == maillab.KindRejected:
				refused++
			default:
				t.Errorf("%s: %s %s", m.ID, p, p.Text)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if taken == 0 || refused == 0 {
		t.Errorf("of messages around the limit %d were taken and %d refused", taken, refused)
	}
	for _, c := range r.Complaints {
		t.Errorf("complaint: %s", c)
	}
	// An authority that main.cf trusts is none of ours, and mail that waits for
	// the gateway does not go to a fallback.
	w.SmartHost = maillab.OtherCA
	r = maillab.Run(t, w, site, []maillab.Message{out})
	if got := kinds(r.Messages["out"], "x@remote1.test"); got != "deferred" {
		t.Errorf("a smart host of another authority: %q, want deferred", got)
	}
}
