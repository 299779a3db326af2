package maillab

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// TestMany is a run of the size that the comparison with the evaluator needs.
func TestMany(t *testing.T) {
	Need(t)
	n := servertest.Deep(t, 60, 180)
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
}
