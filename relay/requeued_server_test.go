package relay_test

import (
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
)

// TestRequeued: what postsuper -r hands to pickup(8) loses its markers, and is
// neither lost nor sent round: mail for mailboxes lands in the INBOX, what leaves
// goes to the gateway if its sender is in scope, each once.
func TestRequeued(t *testing.T) {
	t.Parallel() // much of a run is waiting
	for _, system := range maillab.FixedSystems(t, "requeued") {
		t.Run(system.Name, func(t *testing.T) {
			maillab.NeedSystem(t, system)
			t.Parallel()
			w := maillab.DefaultWorld()
			w.Root = system.Root
			p := fromLab(t, &w)
			p.Server.Postfix, p.Server.Dovecot = system.Postfix, system.Dovecot
			_, site := labSite(t, p, withMain("defer_transports = lmtp, smtp\n", nil)(t))
			// pickup(8) looks into its directory when it begins.
			site.After = []string{"postconf -e defer_transports= && postsuper -r ALL && postfix reload; cd /var/spool/postfix; for i in $(seq 100); do sleep 0.2; " +
				"[ -n \"$(find maildrop incoming active deferred -type f)\" ] || exit 0; done; postqueue -p"}
			want := map[string]string{}
			var msgs []maillab.Message
			for _, c := range []struct{ id, from, to, header, end string }{
				{"spam", "z@remote3.test", "bob@example.com", "X-Conbool-Flag: YES\n", "mailbox:INBOX"},
				{"released", "z@remote3.test", "carol@example.net", "X-Conbool-Flag: YES\nX-Conbool-Released: yes\n", "mailbox:INBOX"},
				{"in-scope", "alice@example.com", "outside@example.org", mark, "smarthost:mail.conbool.com"},
				{"out-of-scope", "z@remote3.test", "outside@example.org", mark, "mx:remote2.test"},
			} {
				m := waysIn["gateway"].lab
				m.ID, m.From, m.Recipients = c.id, c.from, []string{c.to}
				m.Raw = []byte("Subject: x\n" + c.header + "\nhello\n")
				msgs = append(msgs, m)
				want[c.id] = c.end
			}
			r := maillab.Run(t, w, site, msgs)
			for _, m := range msgs {
				places := r.Messages[m.ID].Redirected // pickup(8) begins a new message
				if len(places) != 1 || places[0].String() != want[m.ID] || len(places[0].Fields("X-Conbool-Flag"))+len(places[0].Fields("X-Conbool-Released")) > 0 {
					t.Errorf("%s: %v, want %s without markers, once", m.ID, places, want[m.ID])
				}
			}
			if t.Failed() {
				t.Logf("%q\n%s", r.After, strings.Join(r.Log, "\n"))
			}
		})
	}
}
