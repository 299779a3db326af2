package maillab

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSieve(t *testing.T) { onSystems(t, testSieve) }

func testSieve(t *testing.T, system System) {
	w, site := plainSite("").scripts(map[string]string{
		"fwd2@example.com":   `redirect "out@remote2.test";`,
		"chain@example.com":  `redirect "fwd@example.com";`,
		"lost@example.com":   `redirect "x@nxdomain.invalid";`,
		"reject@example.com": `require "reject"; reject "go away";`,
		"copy@example.com":   `require ["copy", "fileinto", "imap4flags", "mailbox"]; setflag ["\\Seen", "$Label1", "\\Flagged"]; redirect :copy "bob@example.com"; fileinto :create "A/B"; fileinto :create "C";`,
	}).on(system)
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
			seen{250, to("reject@example.com", "consumed <reject@example.com>"), nil,
				[]string{"reply mx:remote1.test <r@remote1.test> by reject@example.com"}}},
		{Message{ID: "reject-without-id", NoID: true, From: "r2@remote1.test", Recipients: []string{"reject@example.com"}, Raw: []byte("\n")},
			seen{250, to("reject@example.com", "consumed <reject@example.com>"), nil,
				[]string{"reply mx:remote1.test <r2@remote1.test> by reject@example.com"}}},
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
	r := Run(t, w, site, msgs)
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
