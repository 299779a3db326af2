package relay_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/relay"
)

// TestGenericPatterns: a rule of smtp_generic_maps that may make a sender in scope
// of another one is refused; no garbage gets into the scope.
func TestGenericPatterns(t *testing.T) {
	const ok, here = "", "main.cf:33"
	for _, tt := range []struct{ value, text, at string }{
		{"regexp:/etc/postfix/own", `/^gen(x*)@example\.com$/ gen${1}x@example.com`, ok},
		{"regexp:/etc/postfix/own", `/^root@/ alice@example.com`, "own:1"},
		{"regexp:/etc/postfix/own", `/^root@/ root@remote1.test`, ok},
		{"pcre:/etc/postfix/own", `/^(.*)@int\.example$/ $1@example.net`, "own:1"},
		{"pcre:/etc/postfix/own", `/^(.*)@int\.(.*)$/ $1@$2`, "own:1"},
		{"regexp:/etc/postfix/own", `/^(.*)@example\.(com|net)$/ $1@example.com`, ok},
		{"regexp:/etc/postfix/own", `/^(.*)@example\.(com|org)$/ $1@example.com`, "own:1"},
		{"regexp:/etc/postfix/own", `!/@example\.com$/ alice@example.com`, "own:1"},
		{"regexp:{{/^root@/ alice@example.com}}", "", here},
		{"static:alice@example.com", "", here},
		{"static:alice@example.org", "", ok},
		{"unionmap:{hash:/etc/postfix/own,static:alice@example.com}", "x y", here},
		{"pipemap:{hash:/etc/postfix/own,static:alice@example.com}", "x y", here},
		{"inline:{root@int.example=alice@example.com}", "", ok},
		{"tcp:127.0.0.1:99", "", here},
	} {
		in := withMain("smtp_generic_maps = "+tt.value+"\n", map[string]string{"own": tt.text + "\n"})(t)
		c, err := tryCompile(t, labPolicy(t, "lab.json"), in)
		var e *relay.Error
		if tt.at == ok {
			if err != nil {
				t.Errorf("%s %s: %v", tt.value, tt.text, err)
				continue
			}
			scope := emitted(t, c, "postfix/conbool_scope")
			if strings.ContainsAny(scope, "/\\") && strings.Contains(scope, "^") {
				t.Errorf("%s %s: garbage in the scope:\n%s", tt.value, tt.text, scope)
			}
			if strings.Contains(tt.value, "inline") && !strings.Contains(scope, "root@int.example\t") {
				t.Errorf("%s is not in scope:\n%s", tt.value, scope)
			}
		} else if !errors.As(err, &e) || e.Position.String() != tt.at || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s %s: %v, want an error at %s", tt.value, tt.text, err, tt.at)
		}
		if tt.at == here {
			in.Tables = map[string]relay.Table{tt.value: {Harmless: true}}
			if _, err := tryCompile(t, labPolicy(t, "lab.json"), in); err != nil && !strings.Contains(tt.value, "static") &&
				!strings.Contains(tt.value, "{/") {
				t.Errorf("%s, vouched for: %v", tt.value, err)
			}
		}
	}
}

// TestNullSender: no table makes a sender in scope of the null sender.
func TestNullSender(t *testing.T) {
	const ok, here = "", "main.cf:33"
	for _, tt := range []struct{ main, text, at string }{
		{"sender_canonical_maps = regexp:/etc/postfix/own", "/x/ y\n/.*/ alice@example.com", "own:2"},
		{"canonical_maps = pcre:/etc/postfix/own", "/.*/ alice@example.com", "own:1"},
		{"sender_canonical_maps = static:alice@example.com", "", here},
		{"sender_canonical_maps = static:alice@example.org", "", ok},
		{"sender_canonical_maps = regexp:/etc/postfix/own", "/.@example\\.com$/ alice@example.com", ok},
		{"sender_canonical_maps = static:x@remote1.test\ncanonical_maps = hash:/etc/postfix/own", "x@remote1.test alice@example.com", "own:1"},
		{"sender_canonical_maps = static:alice@example.com\nsender_canonical_classes = header_sender", "", ok},
		{"recipient_canonical_maps = static:alice@example.com", "", ok},
		{"sender_canonical_maps = tcp:127.0.0.1:10001", "", here},
	} {
		_, err := tryCompile(t, labPolicy(t, "lab.json"), withMain(tt.main+"\n", map[string]string{"own": tt.text + "\n"})(t))
		var e *relay.Error
		if tt.at == ok && err != nil || tt.at != ok && (!errors.As(err, &e) || e.Position.String() != tt.at) {
			t.Errorf("%s: %v, want an error at %q", tt.main, err, tt.at)
		}
	}
}

// TestChecksServers: on real servers access tables' REDIRECT and HOLD leave the
// removal of markers on, so does a table of header checks that is accepted; and
// Route follows a null sender that is rewritten.
func TestChecksServers(t *testing.T) { onSystems(t, testChecksServers) }

func testChecksServers(t *testing.T, p relay.Policy, w maillab.World) {
	in := withMain(`header_checks = regexp:{ {/^X-Hold:/ HOLD} }, pcre:/etc/postfix/own
smtpd_sender_restrictions = check_sender_access hash:/etc/postfix/senders
sender_canonical_maps = regexp:/etc/postfix/canon
smtp_generic_maps = inline:{root@int.example=alice@example.com}
`, map[string]string{
		"own":     "/^X-Copy: (.*)/ PREPEND X-Copied: $1\n/^X-Line: (.*)/ REPLACE X-Other: $1\n",
		"senders": "alice@example.com REDIRECT r@remote1.test\ncarol@example.net HOLD\n",
		"canon":   "/^$/ nobody@remote3.test\n",
	})(t)
	c, site := labSite(t, p, in)
	site.After = []string{"for q in $(mailq | grep '^[0-9A-Z]' | cut -d'!' -f1 | cut -d' ' -f1); do postcat -qh $q; done"}
	entry := waysIn["internal"]
	var msgs []maillab.Message
	for _, m := range []struct{ id, from, to, raw string }{
		{"redirect", "alice@example.com", "bob@example.com", "X-Conbool-Released: yes\n\n"},
		{"hold", "carol@example.net", "x@remote1.test", "X-Conbool-Released: yes\n\n"},
		{"header", "bob@example.com", "x@remote1.test", "X-Hold: x\nX-Conbool-Released: yes\n\n"},
		{"copy", "bob@example.com", "x@remote1.test", "X-Copy: X-Conbool-Released: yes\n\n"},
		{"line", "bob@example.com", "x@remote1.test", "X-Line: X-Conbool-Released: yes\n\n"},
		{"null", "", "x@remote1.test", "\n"},
		{"generic", "root@int.example", "x@remote1.test", "\n"},
	} {
		lab := entry.lab
		lab.ID, lab.From, lab.Recipients, lab.Raw = m.id, m.from, []string{m.to}, []byte(m.raw)
		msgs = append(msgs, lab)
	}
	want := map[string]string{"redirect": "smarthost", "hold": "held", "header": "held", "copy": "smarthost", "line": "smarthost",
		"null": "mx", "generic": "smarthost"}
	r := maillab.Run(t, w, site, msgs)
	again(t, w, site, msgs, &r)
	for _, m := range msgs {
		got := ""
		for _, places := range r.Messages[m.ID].Recipients {
			for _, p := range places {
				got = string(p.Kind)
			}
		}
		if got != want[m.ID] {
			t.Errorf("%s: %s, want %s: %v", m.ID, got, want[m.ID], r.Messages[m.ID])
		}
		d := c.Route(t.Context(), &relay.Message{Origin: entry.origin, From: m.From, To: m.Recipients[0], Raw: m.Raw})
		says := map[relay.Action]string{relay.ActionRelay: "smarthost", relay.ActionMX: "mx", relay.ActionDefer: "held"}[d.Outcomes[0].Action]
		if says != want[m.ID] {
			t.Errorf("%s: Route says %s, want %s\n%s", m.ID, d.Outcomes[0], want[m.ID], traces(d))
		}
	}
	for _, queued := range r.After {
		if strings.Contains(queued, "X-Conbool") || !strings.Contains(queued, "X-Lab-Id: hold") {
			t.Errorf("what is held: %s", queued)
		}
	}
	for _, l := range r.Complaints {
		t.Errorf("complaint: %s", l)
	}
}
