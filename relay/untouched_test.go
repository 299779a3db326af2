package relay_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
)

// storeSettings are those of the tests' mail store.
const storeSettings = `# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf
lda_mailbox_autocreate = yes
mail_home = /var/vmail/%d/%n
protocol lmtp {
  mail_plugins = " sieve"
}
plugin {
  sieve = file:~/sieve;active=/etc/dovecot/sieve/users/%u.sieve
}
`

// TestUntouched asks every layout twice, loaded as it was and as Compile leaves
// it: mail that has nothing to do with the gateway, by the installation's own
// listeners and without a marker, from senders and to recipients that no tenant
// has or that are not in scope, must end alike.
func TestUntouched(t *testing.T) {
	system := maillab.System{Name: "old", Postfix: "3.7.11", Dovecot: "2.3.19.1 (9b53102964)"}
	list := layouts(t)
	for _, l := range list {
		t.Run(l.name, func(t *testing.T) {
			c := l.compile(t, system)
			reEntry := "127.0.0.1:10032"
			if a := l.policy.Server.ReEntry; a.IsValid() {
				reEntry = a.String()
			}
			before := l.load(t, system, l.site(nil), "ox.example.com", nil, []byte(storeSettings), nil)
			after := l.load(t, system, l.site(c), "ox.example.com", nil, []byte(storeSettings+"submission_host = "+reEntry+"\n"), nil)
			g := &layoutGenerator{generator: generator{rand: rand.New(rand.NewPCG(*seed, 9)), policy: l.policy, world: l.world(system)}, layout: l}
			asked, ends := 0, map[mta.Action]int{}
			for i := range 40 * servertest.Scaled(t, 10) {
				m := g.message(i)
				if !g.untouched(c, m) {
					continue
				}
				if asked++; asked > servertest.Scaled(t, 40) {
					break
				}
				b, _ := l.asked(t, before, m, map[string]bool{})
				a, trace := l.asked(t, after, m, map[string]bool{})
				for _, e := range b {
					ends[mta.Action(strings.Fields(e)[0])]++
				}
				if diff := cmp.Diff(b, a); diff != "" {
					t.Errorf("%s %s (-before +after):\n%s%s", m.what, m.lab.Recipients, diff, trace)
				}
			}
			if asked == 0 && !slices.Contains([]string{"null-client"}, l.name) {
				t.Error("no message has nothing to do with the gateway")
			}
			t.Logf("%d messages, ends: %v", asked, ends)
		})
	}
}
