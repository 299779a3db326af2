package relay_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"testing"

	"github.com/oxmailroute/oxmailroute/relay"
)

// noTB lets the examples use the tests' helpers.
type noTB struct{ testing.TB }

func (noTB) Helper()           {}
func (noTB) Fatal(args ...any) { log.Fatal(args...) }

func Example() {
	gateway := relay.Conbool(netip.MustParsePrefix("198.51.100.0/28"))
	gateway.SmartHost.CertFile, gateway.SmartHost.KeyFile = "/etc/ssl/ox/ox.pem", "/etc/ssl/ox/ox.key"
	config, err := relay.Compile(relay.Policy{
		Gateway: gateway,
		Server: relay.Server{Hostname: "ox.example.com", Postfix: "3.7.11", Dovecot: "2.3", CertFile: "/etc/ssl/ox/ox.pem",
			KeyFile: "/etc/ssl/ox/ox.key"},
		Topology:  relay.TopologyMailboxes,
		Tenants:   []relay.Tenant{{Name: "Example", Domains: []string{"example.com"}, Scope: relay.Scope{Use: relay.ScopeAll}}},
		Inbound:   relay.Inbound{Host: "mx-internal.example.com"},
		Listeners: []relay.Listener{{Service: "smtp", Role: relay.RoleGateway}, {Service: "submission", Role: relay.RoleSubmission}},
		Spam:      relay.Spam{Folder: "Spam"},
		Sieve:     relay.Sieve{Slot: 1},
		Mailboxes: []string{"alice@example.com", "bob@example.com"},
	}, relay.Installation{})
	if err != nil {
		log.Fatal(err) // every problem, with its path: Tenants[0].Domains[0]: ...
	}
	raw := []byte("Subject: hello\nX-Conbool-Released: yes\n\nhi\n") // the marker is forged
	fmt.Println(config.Route(context.Background(), &relay.Message{Origin: config.Origin(relay.RoleSubmission), From: "alice@example.com",
		To: "x@remote.example", Raw: raw}))
	fmt.Println(config.Route(context.Background(), &relay.Message{Origin: config.Origin(relay.RoleGateway), From: "x@remote.example",
		To: "bob@example.com", Raw: raw}))
	// Output:
	// relay [mail.conbool.com]:25
	// mailbox INBOX
}

func ExampleConfig_Route() {
	config, err := relay.Compile(labPolicy(noTB{}, "lab.json"), labBase(noTB{}))
	if err != nil {
		log.Fatal(err)
	}
	decision := config.Route(context.Background(), &relay.Message{
		Origin: config.Origin(relay.RoleGateway),
		From:   "alice@example.com",
		To:     "team@example.com", // an alias with a member elsewhere
		Raw:    []byte("Subject: no marker\n\nhi\n"),
	})
	fmt.Println(decision)
	fmt.Print(decision.Outcomes[1].Trace)
	// Output:
	// mailbox INBOX <bob@example.com>, mx remote1.test <ext@remote1.test>
	// smtpd       enters (gateway) at postfix/master.cf:2 for Listeners
	// smtpd       client known at postfix/conbool_clients.cidr:2 for Gateway.Networks[0]
	// smtpd       client known at postfix/conbool_clients.cidr:2 for Gateway.Networks[0]
	// smtpd       header added (X-OXMailroute-Origin: gateway) at postfix/conbool_origin.cidr:2 for Loop.OriginHeader
	// cleanup     client certificate verified (mail.conbool.com) at postfix/conbool_cert_name:4 for Gateway.Client.Names
	// aliases     expands (team@example.com) at postfix/aliases:2
	// route       sender in scope (alice@example.com) at postfix/conbool_scope:3 for Tenants[0].Domains[0]
	// cleanup     filter (X-OXMailroute-Origin) at postfix/conbool_bypass:8 for Loop.OriginHeader
	// second pass past the gateway at postfix/conbool_bypass:8 for Loop.OriginHeader
	// smtp        removed (X-OXMailroute-Origin) at postfix/conbool_leave:3 for Loop.OriginHeader
	// smtp        to the MX (remote1.test) at postfix/conbool_bypass:8 for Loop.OriginHeader
}

func ExampleRemove() {
	policy, before := labPolicy(noTB{}, "lab.json"), labBase(noTB{})
	config, err := relay.Compile(policy, before)
	if err != nil {
		log.Fatal(err)
	}
	after := result(before, config.Files(), nil)
	removal, err := relay.Remove("conbool", after)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range removal.Files {
		fmt.Println(f.Name, string(f.Data) == string(before.Files["/etc/postfix/"+f.Name[len("postfix/"):]]))
	}
	// Output:
	// postfix/main.cf true
	// postfix/master.cf true
}
