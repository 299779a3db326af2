// Command csv makes a policy for many tenants out of a table of their domains,
// and answers for their mailboxes through a [relay.Directory], since Postfix
// keeps those in a database that no file shows. database.go has the same
// Directory over database/sql.
//
//	go run ./examples/csv
package main

import (
	"context"
	"embed"
	"encoding/csv"
	"fmt"
	"io/fs"
	"log"
	"net/netip"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay"
)

//go:embed testdata
var data embed.FS

func main() {
	rows, err := table("testdata/tenants.csv")
	if err != nil {
		log.Fatal(err)
	}
	directory, err := readAddresses("testdata/addresses.csv")
	if err != nil {
		log.Fatal(err)
	}
	dir, err := fs.Sub(data, "testdata/postfix")
	if err != nil {
		log.Fatal(err)
	}
	installation, err := relay.ReadInstallation(dir, "")
	if err != nil {
		log.Fatal(err)
	}
	installation.Directory = directory

	gateway := relay.Conbool(netip.MustParsePrefix("198.51.100.0/28"))
	gateway.SmartHost.CertFile, gateway.SmartHost.KeyFile = "/etc/ssl/ox/ox.pem", "/etc/ssl/ox/ox.key"
	config, err := relay.Compile(relay.Policy{
		Gateway:  gateway,
		Server:   relay.Server{Postfix: "3.7.11", Dovecot: "2.3"},
		Topology: relay.TopologyMailboxes,
		Tenants:  tenants(rows),
		// One port 25 for all: the tenants that stay as they are get their mail there.
		Inbound:   relay.Inbound{Host: "ox.example.com", Shared: true},
		Listeners: []relay.Listener{{Service: "smtp", Role: relay.RoleGateway}, {Service: "submission", Role: relay.RoleSubmission}},
		Spam:      relay.Spam{Folder: "Spam"},
		Sieve:     relay.Sieve{Slot: 1},
	}, installation)
	if err != nil {
		log.Fatal(err) // Tenants[2].Domains[0]: ...
	}
	for _, m := range []relay.Message{
		{Origin: config.Origin(relay.RoleSubmission), From: "alice@example.com", To: "x@remote.example"},
		{Origin: config.Origin(relay.RoleSubmission), From: "carol@example.org", To: "x@remote.example"},
		{Origin: config.Origin(relay.RoleSubmission), From: "info@xn--bcher-kva.example", To: "bob+news@example.net"},
		{Origin: config.Origin(relay.RoleGateway), From: "x@remote.example", To: "team@example.com"},
		{Origin: config.Origin(relay.RoleGateway), From: "x@remote.example", To: "nobody@example.com"},
		{Origin: config.Origin(relay.FromInternet), From: "x@remote.example", To: "carol@example.org"},
		{Origin: config.Origin(relay.FromInternet), From: "x@remote.example", To: "alice@example.com"},
	} {
		m.Raw = []byte("Subject: hello\n\nhi\n")
		fmt.Printf("%s -> %s: %s\n", m.From, m.To, config.Route(context.Background(), &m))
	}
}

// table reads a CSV file without its head.
func table(name string) ([][]string, error) {
	f, err := data.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return rows[min(1, len(rows)):], nil
}

// tenants groups rows of tenant, domain and "yes" or "no" by tenant, in their
// order. A tenant uses the gateway with the domains that say yes.
func tenants(rows [][]string) []relay.Tenant {
	var list []relay.Tenant
	for _, row := range rows {
		i := slices.IndexFunc(list, func(t relay.Tenant) bool { return t.Name == row[0] })
		if i < 0 {
			i = len(list)
			list = append(list, relay.Tenant{Name: row[0], Scope: relay.Scope{Use: relay.ScopeNone}})
		}
		t := &list[i]
		t.Domains = append(t.Domains, row[1])
		if row[2] == "yes" {
			t.Scope.Use = relay.ScopeDomains
			t.Scope.Domains = append(t.Scope.Domains, row[1])
		}
	}
	return list
}

// addresses is a relay.Directory in memory: mailboxes without members, aliases
// with theirs.
type addresses map[string][]string

func readAddresses(name string) (addresses, error) {
	rows, err := table(name)
	if err != nil {
		return nil, err
	}
	a := addresses{}
	for _, row := range rows {
		a[strings.ToLower(row[0])] = strings.Fields(row[1])
	}
	return a, nil
}

// Domain says that every domain of an address is one of virtual_mailbox_domains.
func (a addresses) Domain(_ context.Context, domain string) (relay.Class, error) {
	for address := range a {
		if strings.HasSuffix(address, "@"+domain) {
			return relay.ClassMailbox, nil
		}
	}
	return relay.ClassNone, nil
}

// Mailbox reports whether the key is a mailbox.
func (a addresses) Mailbox(_ context.Context, key string) (bool, error) {
	members, ok := a[key]
	return ok && len(members) == 0, nil
}

// Alias returns the members of an alias.
func (a addresses) Alias(_ context.Context, key string) ([]string, error) { return a[key], nil }
