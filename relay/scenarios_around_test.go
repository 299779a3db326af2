package relay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/relay"
)

// around are scenarios of what stands around the servers: many domains,
// firewalls, load balancers.
var around = []scenario{
	{
		// The markers of so many domains are looked up in a table.
		name: "12,000 domains", messages: 250,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			p := fromLab(tb, w)
			for i := range 12_000 {
				p.Tenants[2].Domains = append(p.Tenants[2].Domains, fmt.Sprintf("d%05d.example", i))
			}
			return p
		},
		base: func(tb testing.TB) relay.Installation {
			in := labBase(tb)
			const own = "virtual_mailbox_domains = example.com, example.net, example.org"
			in.Files["/etc/postfix/main.cf"] = []byte(strings.Replace(string(in.Files["/etc/postfix/main.cf"]), own,
				"virtual_mailbox_domains = hash:/etc/postfix/domains", 1))
			var b strings.Builder
			b.WriteString("example.com x\nexample.net x\nexample.org x\n")
			for i := range 12_000 {
				fmt.Fprintf(&b, "d%05d.example x\n", i)
			}
			in.Files["/etc/postfix/domains"] = []byte(b.String())
			return in
		},
	},
}

// TestServersAround is [TestServers] for these.
func TestServersAround(t *testing.T) {
	for _, s := range around {
		t.Run(s.name, func(t *testing.T) { s.run(t) })
	}
}
