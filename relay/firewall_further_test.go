package relay_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// TestFirewallFurther: with two gateways the ruleset lets both in, and nobody
// else; at the other's listener smtpd(8) refuses each.
func TestFirewallFurther(t *testing.T) {
	t.Parallel() // much of a run is waiting
	for _, system := range maillab.FixedSystems(t, t.Name()) {
		t.Run(system.Name, func(t *testing.T) {
			maillab.NeedSystem(t, system)
			servertest.Need(t, "nft")
			t.Parallel()
			w, p, in := outside(t, system)
			acmeWorld(&w)
			p.Further = twoGateways(t, &w).Further
			p.Tenants[1].Gateway = "acme"
			const acme4, acme6 = "198.51.100.65", "2001:db8:5::1"
			p.Further[0].Networks = []netip.Prefix{netip.MustParsePrefix("198.51.100.64/28"), netip.MustParsePrefix("2001:db8:5::/48")}
			p.Listeners = append(p.Listeners, relay.Listener{Service: "2525", Role: relay.RoleGateway, Gateway: "acme"})
			in.Files["/etc/postfix/master.cf"] = append(in.Files["/etc/postfix/master.cf"], "2525 inet n - n - - smtpd\n"...)
			p.Firewall = relay.Firewall{Ports: []uint16{25}}
			if _, err := tryCompile(t, p, in); err == nil || !strings.Contains(err.Error(), "2525) stays open to everybody") {
				t.Errorf("the second gateway's port is open: %v", err)
			}
			p.Firewall.Ports = []uint16{25, 2525}
			c, err := tryCompile(t, p, in)
			if err != nil {
				t.Fatal(err)
			}
			site := siteOf(c, in)
			for _, f := range c.Files() {
				if f.Name == "nftables/conbool.nft" {
					site.NFTables = f.Data
				}
			}
			acmeRow := func(name, source, to, want string) row {
				o := relay.Origin{Role: relay.RoleGateway, Service: "2525", TLS: relay.TLSEncrypted,
					Certificate: relay.Certificate{Fingerprint: p.Further[0].Client.Fingerprints[0]}}
				return row{name, o, maillab.Message{TLS: "tls", Certificate: "acme"}, want}.client(source, to)
			}
			second := gatewayRow("the first gateway at the second's port", gate4, here4+":2525", "reject 554")
			second.origin.Service = "2525"
			connect(t, w, c, p, site, []row{
				gatewayRow("the first gateway", gate4, here4+":25", "mailbox INBOX"),
				gatewayRow("the first gateway, IPv6", gate6, "["+here6+"]:25", "mailbox INBOX"),
				acmeRow("the second gateway", acme4, here4+":2525", "mailbox INBOX"),
				acmeRow("the second gateway, IPv6", acme6, "["+here6+"]:2525", "mailbox INBOX"),
				second,
				acmeRow("a stranger", stranger4, here4+":2525", "reject"),
				acmeRow("a stranger, IPv6", stranger6, "["+here6+"]:2525", "reject"),
				row{"a stranger at the first port", relay.Origin{Role: relay.FromInternet}, maillab.Message{}, "reject"}.client(stranger4, here4+":25"),
			})
		})
	}
}
