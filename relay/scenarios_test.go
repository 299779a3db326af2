package relay_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// issue makes the world's certificates beforehand, for policies that name
// their fingerprints.
func issue(tb testing.TB, w *maillab.World) {
	tb.Helper()
	var err error
	if w.Keys, err = maillab.Issue(w.Certificates, nil); err != nil {
		tb.Fatal(err)
	}
}

func fromLab(tb testing.TB, w *maillab.World) relay.Policy {
	issue(tb, w)
	return labPolicy(tb, "lab.json")
}

// withMain adds lines to the customer's main.cf, and files beside it.
func withMain(lines string, files map[string]string) func(testing.TB) relay.Installation {
	return func(tb testing.TB) relay.Installation {
		in := labBase(tb)
		in.Files["/etc/postfix/main.cf"] = append(in.Files["/etc/postfix/main.cf"], "\n"+lines...)
		for name, text := range files {
			in.Files["/etc/postfix/"+name] = []byte(text)
		}
		return in
	}
}

// hostile are settings of a customer's that would each break something if ours
// did not stand above them.
const hostile = `smtpd_delay_reject = no
smtp_tls_per_site = hash:/etc/postfix/persite
smtp_tls_chain_files = /etc/ssl/lab/stranger.key, /etc/ssl/lab/stranger.pem
smtpd_data_restrictions = reject_unauth_pipelining
smtpd_helo_restrictions = reject_non_fqdn_helo_hostname
smtp_tls_policy_maps = hash:/etc/postfix/persite
mailbox_transport = lmtp:unix:private/dovecot-lmtp
`

var hostileFiles = map[string]string{"persite": "mail.conbool.com NONE\n[mail.conbool.com]:25 none\n"}

// partner is a route of the customer's own, which wins over the gateway.
const partner = "transport_maps = hash:/etc/postfix/transport\n"

var partnerFiles = map[string]string{"transport": "partner.test smtp:[mailstore.example.com]:25\n"}

var scenarios = []scenario{
	{
		name: "mailboxes", policy: fromLab, base: labBase, messages: 1000,
	},
	{
		name: "mailboxes, the customer's own checks and routes", messages: 300, policy: fromLab,
		base: withMain(partner+`header_checks = regexp:/etc/postfix/own_checks
body_checks = regexp:/etc/postfix/own_body
smtpd_sender_restrictions = permit_mynetworks, permit_sasl_authenticated, check_sender_access hash:/etc/postfix/own_senders
smtpd_restriction_classes = own_class
own_class = permit
smtp_header_checks = regexp:/etc/postfix/own_smtp
receive_override_options = no_header_body_checks
always_bcc =
message_size_limit = 100000
`, map[string]string{
			"transport":   partnerFiles["transport"],
			"own_checks":  "/^X-Customer:[[:space:]]*secret/ REJECT not outside\n/^Subject:.*invoice/ PREPEND X-Customer: invoice\n",
			"own_body":    "/^never$/ REJECT\n",
			"own_senders": "example.com REJECT our domain does not come from outside\n",
			"own_smtp":    "/^X-Mailer:/ IGNORE\n",
		}),
	},
	{
		name: "shared port 25, fingerprints, any domain, mark", messages: 400,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			p := fromLab(tb, w)
			f, err := w.Keys["conbool"].Fingerprint()
			if err != nil {
				tb.Fatal(err)
			}
			p.Inbound.Shared = true
			p.Gateway.Client = relay.ClientCertificate{Fingerprints: []string{strings.ToLower(f)}}
			p.Gateway.Networks = append(p.Gateway.Networks, netip.MustParsePrefix("2001:db8:25::/48"), netip.MustParsePrefix("2001:db8::25/128"))
			p.Loop.AnyDomain = true
			p.Spam = relay.Spam{Folder: "Junk/Gateway", Create: true, Mark: true}
			p.Tenants[1].Scope = relay.Scope{Use: relay.ScopeNone}
			p.Tenants[0].Scope.Except = []string{"bob@example.com"}
			p.Direct = []string{"remote2.test"}
			return p
		},
		base: withMain(partner, partnerFiles),
	},
	{
		name: "some senders, no origin header, stricter calendar, via a relay", messages: 300,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			p := fromLab(tb, w)
			p.Tenants[0].Scope = relay.Scope{Use: relay.ScopeSenders, Senders: []string{"alice@example.com", "carl@example.com"}}
			p.Loop.NoOrigin = true
			p.Calendar = relay.Calendar{ICS: true, RequireMethod: true}
			p.DirectVia = "[mailstore.example.com]:25"
			p.Sieve.Form = relay.SievePerMailbox
			return p
		},
		base: labBase,
	},
	{
		name: "one tenant in a store, scripts by domain", messages: 200,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			p := fromLab(tb, w)
			p.Sieve.Form = relay.SievePerTenant
			p.Tenants[1].Scope = relay.Scope{Use: relay.ScopeNone}
			p.Tenants[2].Store = "[mailstore.example.com]:25"
			return p
		},
		base: withoutOrg,
	},
	{
		// The filter is a wire: what matters is that mail leaves and comes back.
		name: "a content filter", messages: 300,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			p := fromLab(tb, w)
			p.Listeners = append(p.Listeners, relay.Listener{Service: "127.0.0.1:10025", Role: relay.RoleReinjection})
			return p
		},
		base: func(tb testing.TB) relay.Installation {
			in := withMain("content_filter = filter:[127.0.0.1]:10025\n", nil)(tb)
			in.Files["/etc/postfix/master.cf"] = append(in.Files["/etc/postfix/master.cf"], `filter unix - - n - - smtp
  -o smtp_send_xforward_command=yes
  -o smtp_tls_security_level=none
127.0.0.1:10025 inet n - n - - smtpd
  -o content_filter=
  -o receive_override_options=no_header_body_checks,no_unknown_recipient_checks,no_address_mappings
  -o mynetworks=127.0.0.0/8
  -o smtpd_authorized_xforward_hosts=127.0.0.0/8
  -o smtpd_client_restrictions=permit_mynetworks,reject
  -o smtpd_relay_restrictions=permit_mynetworks,reject
  -o smtpd_recipient_restrictions=permit_mynetworks,reject
`...)
			return in
		},
	},
	{
		name: "settings that would break ours, and a smart host of another name", messages: 150, policy: fromLab, base: withMain(hostile,
			hostileFiles),
		world: func(w *maillab.World) { w.SmartHost = maillab.WrongName },
	},
	{
		name: "settings that would break ours", messages: 150, policy: fromLab, base: withMain(hostile, hostileFiles),
	},
	{
		name: "smart host with a certificate of another name", messages: 60, policy: fromLab, base: labBase,
		world: func(w *maillab.World) { w.SmartHost = maillab.WrongName },
	},
	{
		name: "smart host without TLS", messages: 60, policy: fromLab, base: labBase,
		world: func(w *maillab.World) { w.SmartHost = maillab.NoTLS },
	},
	{
		name: "store", messages: 300,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			p := fromLab(tb, w)
			p.Topology = relay.TopologyStore
			p.Spam = relay.Spam{Mark: true}
			for i := range p.Tenants {
				p.Tenants[i].Store = "[mailstore.example.com]:25"
			}
			return p
		},
		base: func(tb testing.TB) relay.Installation {
			in := labBase(tb)
			main := strings.NewReplacer(
				"virtual_mailbox_domains = example.com, example.net, example.org", "relay_domains = example.com",
				"virtual_mailbox_maps = hash:/etc/postfix/mailboxes\n", "",
				"virtual_transport = lmtp:unix:private/dovecot-lmtp\n", "",
			).Replace(string(in.Files["/etc/postfix/main.cf"]))
			in.Files["/etc/postfix/main.cf"] = []byte(main)
			return in
		},
	},
	{
		name: "outbound", messages: 300,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			issue(tb, w)
			return labPolicy(tb, "relay.json")
		},
		// example.org's MX is this host in the default world, where an outbound
		// relay would find itself.
		world: func(w *maillab.World) {
			w.Names["example.org"] = maillab.Name{MX: []maillab.MX{{Preference: 10, Host: "mx.other.test"}}}
		},
	},
	{
		name: "a gateway of another name, from nothing", messages: 200,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			p := fromLab(tb, w)
			p.Gateway.Name = "acme"
			p.Gateway.SmartHost.LookupMX = false
			p.Server.Hostname = "ox.example.com"
			p.Server.CertFile, p.Server.KeyFile = "/etc/ssl/lab/ox.pem", "/etc/ssl/lab/ox.key"
			p.Server.Networks = []netip.Prefix{netip.MustParsePrefix("127.0.1.0/24")}
			p.Mailboxes = []string{"alice@example.com", "bob@example.com", "carol@example.net", "dave@example.org", "fwd@example.com",
				"filter@example.com", "vac@example.com", "loop1@example.com", "loop2@example.net", "nowhere@example.org"}
			p.Aliases = []relay.Alias{
				{Address: "team@example.com", Members: []string{"bob@example.com", "ext@remote1.test"}},
				{Address: "all@example.net", Members: []string{"team@example.com", "carol@example.net", "fwd@example.com"}},
				{Address: "outside@example.org", Members: []string{"ext@remote2.test"}},
			}
			return p
		},
	},
}

// TestServers holds Route to what real Postfix and Dovecot do with the emitted
// files.
func TestServers(t *testing.T) {
	t.Parallel() // much of a run is waiting
	for _, s := range servertest.Part(t, scenarios, 2) {
		t.Run(s.name, func(t *testing.T) { t.Parallel(); s.run(t) })
	}
}
