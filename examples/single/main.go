// Command single puts the server of one company behind a gateway: it compiles a
// policy into the configuration that is there, says what it would write and run,
// and where three messages would go.
//
//	go run ./examples/single
package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log"
	"net/netip"

	"github.com/oxmailroute/oxmailroute/relay"
)

// server is /etc/postfix of the example; a real program reads os.DirFS("/etc/postfix").
//
//go:embed testdata/postfix
var server embed.FS

func main() {
	dir, err := fs.Sub(server, "testdata/postfix")
	if err != nil {
		log.Fatal(err)
	}
	installation, err := relay.ReadInstallation(dir, "")
	if err != nil {
		log.Fatal(err)
	}
	gateway := relay.Conbool(netip.MustParsePrefix("198.51.100.0/28"), netip.MustParsePrefix("2001:db8:25::/48"))
	gateway.SmartHost.CertFile, gateway.SmartHost.KeyFile = "/etc/ssl/ox/ox.pem", "/etc/ssl/ox/ox.key"
	config, err := relay.Compile(relay.Policy{
		Gateway:   gateway,
		Server:    relay.Server{Postfix: "3.7.11", Dovecot: "2.3"},
		Topology:  relay.TopologyMailboxes,
		Tenants:   []relay.Tenant{{Name: "Example", Domains: []string{"example.com"}, Scope: relay.Scope{Use: relay.ScopeAll}}},
		Inbound:   relay.Inbound{Host: "ox.example.com"},
		Firewall:  relay.Firewall{Ports: []uint16{25}},
		Listeners: []relay.Listener{{Service: "smtp", Role: relay.RoleGateway}, {Service: "submission", Role: relay.RoleSubmission}},
		Spam:      relay.Spam{Folder: "Spam", Create: true},
		Sieve:     relay.Sieve{Slot: 1},
	}, installation)
	if err != nil {
		log.Fatal(err) // everything that is wrong, a line each
	}

	// A real program: deploy.Write and deploy.Run.
	fmt.Println("files:")
	for _, f := range config.Files() {
		fmt.Println(" ", f.Name)
	}
	fmt.Println("commands:")
	for _, c := range config.Commands() {
		fmt.Println(" ", c)
	}
	fmt.Println("mail:")
	for _, m := range []relay.Message{
		{Origin: config.Origin(relay.RoleSubmission), From: "alice@example.com", To: "x@remote.example", Raw: []byte("Subject: hello\n\nhi\n")},
		{Origin: config.Origin(relay.RoleGateway), From: "x@remote.example", To: "bob@example.com", Raw: []byte("X-Conbool-Flag: YES\n\nbuy\n")},
		{Origin: config.Origin(relay.FromInternet), From: "x@remote.example", To: "bob@example.com",
			Raw: []byte("Subject: past the gateway\n\nhi\n")},
	} {
		fmt.Printf("  from %s by %s: %s\n", m.From, m.Origin.Role, config.Route(context.Background(), &m))
	}
}
