package relay_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/relay"
)

// TestRoutingOptions: what master.cf tells the programs that route mail, beside
// main.cf, is refused where the generated maps would not be asked; options that
// route nothing stay, and those of local(8) count.
func TestRoutingOptions(t *testing.T) {
	const router, second = "trivial-rewrite\n", "rw2 unix - - n - - trivial-rewrite\n  -o transport_maps=\n"
	tests := []struct{ name, old, with, main, master, want string }{
		{"the sender map", router, router + "  -o sender_dependent_default_transport_maps=inline:{{x@y.test=smtp:}}\n", "", "", "sender_dependent_default"},
		{"no sender map", router, router + "  -o sender_dependent_default_transport_maps=\n", "", "", "sender_dependent_default"},
		{"no transport map", router, router + "  -o transport_maps=\n", "", "", "transport_maps"},
		{"domains", router, router + "  -o virtual_mailbox_domains=\n", "", "", "virtual_mailbox_domains"},
		{"by name", router, router + "  -o mydomain=other.test\n", "myorigin = $mydomain\n", "", "myorigin"},
		{"qmgr's router", "qmgr\n", "qmgr\n  -o rewrite_service_name=rw2\n", "", second, "rewrite_service_name"},
		{"everybody's router", "", "", "rewrite_service_name = rw2\n", second, "transport_maps"},
		{"no router", "", "", "rewrite_service_name = rw2\n", "", "rewrite_service_name"},
		{"qmgr defers", "qmgr\n", "qmgr\n  -o defer_transports=smtp\n", "", "", "defer_transports"},
		{"nothing that routes", router, router + "  -o syslog_name=postfix/rw\n  -o address_verify_relayhost=\n", "", "", ""},
		{"a router that nobody asks", "", "", "", second, ""},
	}
	for _, tt := range tests {
		in := withMain(tt.main, nil)(t)
		master := string(in.Files["/etc/postfix/master.cf"])
		if tt.old != "" && !strings.Contains(master, tt.old) {
			t.Fatalf("%s: no %q", tt.name, tt.old)
		}
		if tt.old != "" {
			master = strings.Replace(master, tt.old, tt.with, 1)
		}
		in.Files["/etc/postfix/master.cf"] = []byte(master + tt.master)
		_, err := tryCompile(t, labPolicy(t, "lab.json"), in)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestEveryPickup: each service that takes sendmail(1)'s mail removes markers.
func TestEveryPickup(t *testing.T) {
	in := labBase(t)
	in.Files["/etc/postfix/master.cf"] = append(in.Files["/etc/postfix/master.cf"], "pickup2 unix n - n 60 1 pickup\n"...)
	c := compile(t, labPolicy(t, "lab.json"), in)
	for _, f := range c.Files() {
		if f.Name == "postfix/master.cf" {
			_, rest, _ := strings.Cut(string(f.Data), "\npickup2 ")
			if text, _, _ := strings.Cut(rest, "# END"); !strings.Contains(text, "cleanup_service_name=conbool-cleanup-strip") {
				t.Errorf("pickup2 removes no markers: %s", text)
			}
		}
	}
}

// TestSecondWays: markers leave by no transport of the installation's, and a TLS
// session that another listener has verified proves nothing to the gateway's.
func TestSecondWays(t *testing.T) { onSystems(t, testSecondWays) }

// resumed takes a session of the submission listener's, which trusts another
// authority, to the gateway's listener. On a busy machine commands come together,
// which the listener refuses (503; Postfix 3.10: 554): then it is tried again.
const resumed = `cd /tmp; A="-CAfile /etc/ssl/lab/ca.pem -bind 127.0.2.1 -starttls smtp -ign_eof"
try() {
( sleep 0.5; printf 'EHLO x\r\nquit\r\n'; sleep 0.5 ) | timeout 20 openssl s_client -connect 127.0.1.1:587 $A $how \
  -cert /etc/ssl/lab/otherca-leaf.pem -key /etc/ssl/lab/otherca-leaf.key -sess_out s.pem 2>&1 | grep -a -E '^New,|^Reused,' | cut -c1-6
( sleep 0.5; for c in 'EHLO x' 'MAIL FROM:<z@remote3.test>' 'rcpt to:<bob@example.com>' DATA 'Subject: resumed\r\n\r\nx\r\n.' quit; do printf "$c\r\n"; sleep 0.4; done ) |
  timeout 20 openssl s_client -connect 127.0.1.1:25 $A $how -sess_in s.pem 2>&1 | grep -a -E '^New,|^Reused,|^250 2.0.0|^5[0-9][0-9] |^354' | cut -c1-6
}
for how in "-tls1_3" "-tls1_2" "-tls1_2 -no_ticket"; do
  for n in 1 2 3 4; do said=$(try); case "$said" in *"503 5."* | *"554 5."*) sleep 2 ;; *) break ;; esac; done
  echo "$said"
done; true`

func testSecondWays(t *testing.T, p relay.Policy, w maillab.World) {
	in := withMain(`smtpd_tls_ask_ccert = yes
smtpd_tls_CAfile = /etc/ssl/lab/otherca.pem
smtpd_tls_session_cache_database = btree:$data_directory/smtpd_scache
transport_maps = inline:{{remote1.test=slow:},{remote2.test=odd:}}
`, map[string]string{"odd": "/^Subject:/ DUNNO\n"})(t)
	in.Files["/etc/postfix/aliases"] = append(in.Files["/etc/postfix/aliases"], "carol@example.net\tx@remote1.test, y@remote2.test\n"...)
	in.Files["/etc/postfix/master.cf"] = append(in.Files["/etc/postfix/master.cf"],
		"slow unix - - n - 2 smtp\nodd unix - - n - 2 smtp\n  -o smtp_header_checks=regexp:/etc/postfix/odd\n"...)
	c, site := labSite(t, p, in)
	site.After = []string{resumed}
	msgs := []maillab.Message{waysIn["gateway"].lab, waysIn["gateway"].lab}
	for i := range msgs {
		m := &msgs[i]
		m.ID, m.From, m.Recipients = []string{"out", "in-scope"}[i], []string{"z@remote3.test", "alice@example.com"}[i], []string{"carol@example.net"}
		m.Raw = []byte(marked + "Subject: x\n\nhi\n")
	}
	r := maillab.Run(t, w, site, msgs)
	for _, m := range msgs {
		places := r.Messages[m.ID].Recipients["carol@example.net"]
		if len(places) != 2 {
			t.Errorf("%s: %v", m.ID, places)
		}
		for _, pl := range places {
			if pl.Kind != maillab.KindMX || strings.Contains(string(pl.Header), "X-Conbool-") || strings.Contains(string(pl.Header), "X-OXMailroute") {
				t.Errorf("%s: %s\n%s", m.ID, pl, pl.Header)
			}
		}
		o := waysIn["gateway"].origin
		for _, e := range c.Route(t.Context(), &relay.Message{Origin: o, From: m.From, To: m.Recipients[0], Raw: m.Raw}).Outcomes {
			if e.Action != relay.ActionMX || !slices.ContainsFunc(e.Edits, func(e relay.Edit) bool { return e.Removed && strings.EqualFold(e.Name, "X-Conbool-Released") }) {
				t.Errorf("%s: Route says %s, edits %v", m.ID, e, e.Edits)
			}
		}
	}
	if want := strings.Repeat("New, T\nNew, T\n354 En\n550 5.\n", 3); r.After[0] != want {
		t.Errorf("a session of another listener's: %q", r.After[0])
	}
}
