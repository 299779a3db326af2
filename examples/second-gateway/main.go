// Command second-gateway shows one server whose tenants use two gateways. It
// writes the files to a directory and says where each tenant's mail goes:
//
//	go run ./examples/second-gateway DIRECTORY
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/netip"
	"os"

	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/relay/deploy"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: second-gateway DIRECTORY")
	}
	if err := run(os.Stdout, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

// policy has Conbool for one tenant and Proofpoint Essentials for the other.
func policy() relay.Policy {
	first := relay.Conbool(netip.MustParsePrefix("198.51.100.0/28"))
	first.SmartHost.CertFile, first.SmartHost.KeyFile = "/etc/ssl/ox/ox.pem", "/etc/ssl/ox/ox.key"
	second := relay.ProofpointEssentials(relay.ProofpointEU, "/etc/postfix/sasl_proofpoint", netip.MustParsePrefix("203.0.113.0/28"))
	return relay.Policy{
		Gateway: first,
		Further: []relay.FurtherGateway{{Gateway: second, Inbound: relay.Inbound{Host: "mx2.ox.example.com"}}},
		Server: relay.Server{
			Hostname: "ox.example.com", Postfix: "3.7.11", Dovecot: "2.3",
			CertFile: "/etc/ssl/ox/ox.pem", KeyFile: "/etc/ssl/ox/ox.key",
		},
		Topology: relay.TopologyMailboxes,
		Tenants: []relay.Tenant{
			{Name: "One", Domains: []string{"one.example"}, Scope: relay.Scope{Use: relay.ScopeAll}},
			{Name: "Two", Domains: []string{"two.example"}, Gateway: second.Name, Scope: relay.Scope{Use: relay.ScopeAll}},
		},
		Inbound: relay.Inbound{Host: "mx.ox.example.com"},
		// Each gateway connects to a port of its own.
		Listeners: []relay.Listener{
			{Service: "smtp", Role: relay.RoleGateway},
			{Service: "2525", Role: relay.RoleGateway, Gateway: second.Name},
			{Service: "submission", Role: relay.RoleSubmission},
		},
		Spam:      relay.Spam{Folder: "Spam"},
		Sieve:     relay.Sieve{Slot: 1},
		Mailboxes: []string{"ann@one.example", "ben@two.example"},
		Aliases:   []relay.Alias{{Address: "out@one.example", Members: []string{"someone@elsewhere.example"}}},
	}
}

func run(out io.Writer, dir string) error {
	c, err := relay.Compile(policy(), relay.Installation{})
	if err != nil {
		return err
	}
	if _, err := deploy.Write(context.Background(), deploy.Local{Dir: dir}, c.Files(), deploy.Options{}); err != nil {
		return err
	}
	say := func(what string, o relay.Origin, from, to string) {
		d := c.Route(context.Background(), &relay.Message{Origin: o, From: from, To: to, Raw: []byte("Subject: x\n\nx\n")})
		fmt.Fprintf(out, "%-42s %s\n", what, d)
	}
	user := c.Origin(relay.RoleSubmission)
	say("ann to the world", user, "ann@one.example", "x@elsewhere.example")
	say("ben to the world", user, "ben@two.example", "x@elsewhere.example")
	say("ann to ben", user, "ann@one.example", "ben@two.example")
	second, _ := c.OriginAt("2525")
	say("the second gateway to ben", second, "x@elsewhere.example", "ben@two.example")
	say("the second gateway to an alias that leaves", second, "ann@one.example", "out@one.example")
	return nil
}
