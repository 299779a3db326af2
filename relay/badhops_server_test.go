package relay_test

import (
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/relay"
)

// TestBadNextHops: the generated FILTER takes the recipient's domain for the next
// hop. A domain that is no host name, by which smtp(8) would die, never comes that
// far, in any topology: the message is returned, and others' mail goes on.
func TestBadNextHops(t *testing.T) {
	for _, topology := range []relay.Topology{relay.TopologyMailboxes, relay.TopologyOutbound} {
		t.Run(string(topology), func(t *testing.T) {
			onSystems(t, func(t *testing.T, p relay.Policy, w maillab.World) { testBadNextHops(t, p, w, topology) })
		})
	}
}

func testBadNextHops(t *testing.T, p relay.Policy, w maillab.World, topology relay.Topology) {
	const calendar = "MIME-Version: 1.0\nContent-Type: text/calendar; method=REQUEST\n\nX\n"
	lines, in := "smtputf8_enable = no\ndisable_mime_input_processing = yes\n", relay.Installation{}
	if topology == relay.TopologyOutbound {
		issue(t, &w)
		q := labPolicy(t, "relay.json")
		q.Server.Postfix, q.Server.Dovecot = p.Server.Postfix, ""
		p = q
		first := compile(t, p, in)
		in = relay.Installation{Files: map[string][]byte{}}
		for _, f := range first.Files() {
			in.Files["/etc/"+f.Name] = f.Data
		}
		in.Files["/etc/postfix/main.cf"] = append([]byte(lines), in.Files["/etc/postfix/main.cf"]...)
	} else {
		in = withMain(lines, nil)(t)
	}
	c, site := labSite(t, p, in)
	site.NoDovecot = topology == relay.TopologyOutbound
	pickup := relay.Origin{Role: relay.FromPickup}
	var msgs []maillab.Message
	want := map[string]string{}
	for id, m := range map[string][2]string{
		"hyphen":  {"x@-bad-.test", "bounced"},
		"literal": {"x@[-bad-]", "bounced"},
		"number":  {"x@1.2.3.4", "bounced"},
		"long":    {"x@" + strings.Repeat("a", 70) + ".test", "bounced"},
		"ulabel":  {"x@b\xc3\xbccher.test", "bounced"},
		"good":    {"x@remote1.test", "mx"},
		"plain":   {"y@remote1.test", "smarthost"},
	} {
		raw := calendar
		if id == "plain" {
			raw = string(hello)
		}
		msgs = append(msgs, maillab.Message{ID: id, To: "sendmail", From: "alice@example.com", Recipients: []string{m[0]}, Raw: []byte(raw)})
		want[id] = m[1]
		d := c.Route(t.Context(), &relay.Message{Origin: pickup, From: "alice@example.com", To: m[0], Raw: []byte(raw)})
		action := map[relay.Action]string{relay.ActionBounce: "bounced", relay.ActionReject: "bounced", relay.ActionMX: "mx",
			relay.ActionRelay: "smarthost"}[d.Outcomes[0].Action]
		if action != m[1] {
			t.Errorf("%s: Route says %s, want %s", m[0], d.Outcomes[0], m[1])
		}
	}
	r := maillab.Run(t, w, site, msgs)
	for _, m := range msgs {
		got := kinds(r.Messages[m.ID], m.Recipients[0])
		for _, places := range r.Messages[m.ID].Recipients {
			// The log writes the U-label otherwise.
			if m.ID == "ulabel" && len(places) == 1 && places[0].Kind == maillab.KindBounced {
				got = string(places[0].Kind)
			}
		}
		if got != want[m.ID] {
			t.Errorf("%s: %q, want %q: %v", m.Recipients[0], got, want[m.ID], r.Messages[m.ID])
		}
	}
	for _, l := range append(r.Warnings, r.Complaints...) {
		if strings.Contains(l, "fatal") || strings.Contains(l, "throttling") {
			t.Error(l)
		}
	}
}
