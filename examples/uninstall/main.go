// Command uninstall takes a gateway out of a server again, after an
// administrator has edited the files: what he wrote stays, and what can't be
// told apart is reported.
//
//	go run ./examples/uninstall
package main

import (
	"embed"
	"fmt"
	"io/fs"
	"log"
	"net/netip"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay"
)

//go:embed testdata/postfix
var server embed.FS

func main() {
	dir, err := fs.Sub(server, "testdata/postfix")
	if err != nil {
		log.Fatal(err)
	}
	before, err := relay.ReadInstallation(dir, "")
	if err != nil {
		log.Fatal(err)
	}
	now := install(before)

	// The administrator was there: a line of their own, and one in the generated block.
	main := string(now.Files["/etc/postfix/main.cf"])
	main = "message_size_limit = 50000000\n" + main
	main = strings.Replace(main, "# END oxmailroute-conbool", "smtpd_banner = $myhostname ESMTP\n# END oxmailroute-conbool", 1)
	now.Files["/etc/postfix/main.cf"] = []byte(main)

	// All that is needed is the gateway's name and the directory as it is.
	removal, err := relay.Remove("conbool", now)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range removal.Files {
		name := strings.TrimPrefix(f.Name, "postfix/")
		fmt.Printf("%s: as before: %v\n", name, string(f.Data) == string(before.Files["/etc/postfix/"+name]))
		had := map[string]bool{}
		for _, line := range strings.Split(string(before.Files["/etc/postfix/"+name]), "\n") {
			had[line] = true
		}
		for _, line := range strings.Split(string(f.Data), "\n") {
			if !had[line] {
				fmt.Println("  new:", line)
			}
		}
	}
	for _, l := range removal.Left {
		fmt.Println("left:", l)
	}
	for _, name := range removal.Obsolete {
		fmt.Println("delete, if it is there:", name)
	}
	fmt.Println("run, if there was a firewall:", removal.Firewall)
}

// install is what was done to the server once.
func install(in relay.Installation) relay.Installation {
	gateway := relay.Conbool(netip.MustParsePrefix("198.51.100.0/28"))
	gateway.SmartHost.CertFile, gateway.SmartHost.KeyFile = "/etc/ssl/ox/ox.pem", "/etc/ssl/ox/ox.key"
	config, err := relay.Compile(relay.Policy{
		Gateway:   gateway,
		Server:    relay.Server{Postfix: "3.7.11", Dovecot: "2.3"},
		Topology:  relay.TopologyMailboxes,
		Tenants:   []relay.Tenant{{Name: "Example", Domains: []string{"example.com"}, Scope: relay.Scope{Use: relay.ScopeAll}}},
		Inbound:   relay.Inbound{Host: "ox.example.com"},
		Listeners: []relay.Listener{{Service: "smtp", Role: relay.RoleGateway}, {Service: "submission", Role: relay.RoleSubmission}},
		Spam:      relay.Spam{Folder: "Spam"},
		Sieve:     relay.Sieve{Slot: 1},
	}, in)
	if err != nil {
		log.Fatal(err)
	}
	now := relay.Installation{Files: map[string][]byte{}}
	for name, data := range in.Files {
		now.Files[name] = data
	}
	for _, f := range config.Files() {
		if strings.HasPrefix(f.Name, "postfix/") {
			now.Files["/etc/"+f.Name] = f.Data
		}
	}
	return now
}
