package main

import (
	"context"
	"embed"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/relay/deploy"
)

//go:embed messages/*.eml
var messages embed.FS

// demoPolicy is an installation of three tenants with one port 25: Acme sends
// everything through the gateway, of Beta only the sales address does, and Gamma
// stays as it is, with its mail from strangers on the same port.
func demoPolicy() relay.Policy {
	gateway := relay.Conbool(netip.MustParsePrefix("198.51.100.0/28"))
	gateway.SmartHost.CertFile = "/etc/ssl/ox/ox.pem"
	gateway.SmartHost.KeyFile = "/etc/ssl/ox/ox.key"
	return relay.Policy{
		Gateway: gateway,
		Server: relay.Server{
			Hostname: "ox.acme.example", Postfix: "3.7.11", Dovecot: "2.3",
			CertFile: "/etc/ssl/ox/ox.pem", KeyFile: "/etc/ssl/ox/ox.key",
		},
		Topology: relay.TopologyMailboxes,
		Tenants: []relay.Tenant{
			{Name: "Acme", Domains: []string{"acme.example"}, Scope: relay.Scope{Use: relay.ScopeAll}},
			{Name: "Beta", Domains: []string{"beta.example"}, Scope: relay.Scope{
				Use: relay.ScopeSenders, Senders: []string{"sales@beta.example"},
			}},
			{Name: "Gamma", Domains: []string{"gamma.example"}, Scope: relay.Scope{Use: relay.ScopeNone}},
		},
		Inbound: relay.Inbound{Host: "mx-internal.acme.example", Shared: true},
		Listeners: []relay.Listener{
			{Service: "smtp", Role: relay.RoleGateway},
			{Service: "submission", Role: relay.RoleSubmission},
		},
		Spam:  relay.Spam{Folder: "Spam"},
		Sieve: relay.Sieve{Slot: 1},
		Mailboxes: []string{"alice@acme.example", "bob@acme.example", "mallory@acme.example", "sales@beta.example", "dora@beta.example",
			"carla@gamma.example"},
		Aliases: []relay.Alias{{Address: "team@acme.example", Members: []string{"bob@acme.example", "partner@remote.example"}}},
	}
}

var demoMessages = []struct {
	what, file string
	origin     relay.Role
	from, to   string
}{
	{"outbound mail of a tenant in scope", "plain.eml", relay.RoleSubmission, "alice@acme.example", "xenia@remote.example"},
	{"a sender that is not in scope", "plain.eml", relay.RoleSubmission, "dora@beta.example", "xenia@remote.example"},
	{"the one sender of that tenant that is", "plain.eml", relay.RoleSubmission, "sales@beta.example", "xenia@remote.example"},
	{"inside the installation", "plain.eml", relay.RoleSubmission, "alice@acme.example", "bob@acme.example"},
	{"an invitation", "invitation.eml", relay.RoleSubmission, "alice@acme.example", "xenia@remote.example"},
	{"an automatic answer, null sender", "vacation.eml", relay.FromPickup, "", "xenia@remote.example"},
	{"back from the gateway, to an alias", "marked.eml", relay.RoleGateway, "alice@acme.example", "team@acme.example"},
	{"flagged by the gateway", "spam.eml", relay.RoleGateway, "winner@lottery.example", "bob@acme.example"},
	{"released from quarantine", "released.eml", relay.RoleGateway, "partner@remote.example", "bob@acme.example"},
	{"a user forges the marker", "forged.eml", relay.RoleSubmission, "mallory@acme.example", "xenia@remote.example"},
	{"a stranger, past the gateway", "released.eml", relay.FromInternet, "partner@remote.example", "bob@acme.example"},
	{"a stranger, to the tenant that stays as it is", "plain.eml", relay.FromInternet, "partner@remote.example", "carla@gamma.example"},
}

// demo needs nothing but Go: it compiles the policy, writes the files and says
// of each sample message where it goes and why.
func demo(args []string, _ io.Reader, stdout, stderr io.Writer) error {
	fs := flags("demo", "", stderr)
	out := fs.String("out", "", "keep what is written in this new `directory`")
	if err := parseFlags(fs, args, 0, 0); err != nil {
		return err
	}
	c, err := relay.Compile(demoPolicy(), relay.Installation{})
	if err != nil {
		return err
	}
	dir, kept := *out, ""
	if dir != "" {
		err = os.Mkdir(dir, 0o755)
	} else {
		dir, err = os.MkdirTemp("", "oxmailroute-demo-")
		kept = " (and taken away again; -out DIRECTORY keeps it)"
	}
	if err != nil {
		return err
	}
	if *out == "" {
		defer os.RemoveAll(dir)
	}
	if _, err := deploy.Write(context.Background(), deploy.Local{Dir: dir}, c.Files(), deploy.Options{}); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "Three tenants, one port 25: of acme.example everybody is behind mail.conbool.com, of beta.example sales alone, "+
		"gamma.example stays as it is.\n\nWritten to %s%s:\n", dir, kept)
	for _, f := range c.Files() {
		fmt.Fprintf(stdout, "  %-32s %5d bytes\n", f.Name, len(f.Data))
	}
	fmt.Fprint(stdout, "\nWhere the sample messages go, and what decided:\n\n")
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, s := range demoMessages {
		raw, err := messages.ReadFile("messages/" + s.file)
		if err != nil {
			return err
		}
		from := s.from
		if from == "" {
			from = "<>"
		}
		d := c.Route(context.Background(), &relay.Message{Origin: c.Origin(s.origin), From: s.from, To: s.to, Raw: raw})
		fmt.Fprintf(table, "%s\t%s -> %s\t\n", s.what, from, s.to)
		for _, o := range d.Outcomes {
			end := strings.ToUpper(string(o.Action)) + " " + o.Target.String()
			if o.To != s.to {
				end += " for " + o.To
			}
			fmt.Fprintf(table, "    => %s\t%s\n", end, because(o))
		}
	}
	return table.Flush()
}

// because is the step that decided, in short: the last one of the deciding rule
// before the message was handed over.
func because(o relay.Outcome) string {
	for i := len(o.Trace) - 1; i >= 0; i-- {
		s := o.Trace[i]
		if s.Rule != o.Rule || s.File == "" || s.Stage == "smtp" {
			continue
		}
		if s.Rule == "" {
			return s.Note + ", " + s.At()
		}
		return s.Note + ", " + s.At() + " (" + s.Rule + ")"
	}
	return o.Rule
}
