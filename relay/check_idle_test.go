package relay_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/relay"
)

// TestIdleRules: rules for delivery that never run are warned of, and mailboxes of
// the policy that nobody reads.
func TestIdleRules(t *testing.T) {
	const virtual = "virtual_transport = lmtp:unix:private/dovecot-lmtp"
	pipe := func(argv string) string {
		return "mine unix - n n - - pipe\n  flags=DRhu user=vmail argv=" + argv + "\nqmgr   "
	}
	for _, tt := range []struct {
		name   string
		oldnew []string
		want   string // of a warning; empty: none
	}{
		{"LMTP", []string{virtual, virtual}, ""},
		{"virtual(8)", []string{virtual, "virtual_transport = virtual"}, "mail for example.com and 2 more domains is written by virtual(8)"},
		{"maildrop", []string{virtual, "virtual_transport = mine", "qmgr   ", pipe("/usr/bin/maildrop -d ${recipient}")}, "handed to a program"},
		{"Dovecot's LDA", []string{virtual, "virtual_transport = mine", "qmgr   ", pipe("/usr/lib/dovecot/dovecot-lda -d ${recipient}")}, ""},
		{"Dovecot's LDA of old", []string{virtual, "virtual_transport = mine:x", "qmgr   ", pipe("/usr/lib/dovecot/deliver -d ${recipient}")},
			""},
		{"a transport row", []string{"relayhost =", "transport_maps = inline:{example.net=virtual:}\nrelayhost ="},
			"mail for example.net is written by virtual(8)"},
		{"a row for another host", []string{"relayhost =", "transport_maps = inline:{example.net=smtp:[a.test]}\nrelayhost ="},
			"mail for example.net is handed to another host"},
		{"a row to LMTP", []string{"relayhost =", "transport_maps = inline:{example.net=lmtp:unix:private/dovecot-lmtp}\nrelayhost ="}, ""},
		{"a local domain", []string{"mydestination = localhost", "mydestination = localhost, example.net",
			"example.com, example.net, example.org", "example.com, example.org"}, "mail for example.net is written by local(8)"},
		{"a local domain, by mailbox_command", []string{"mydestination = localhost",
			"mailbox_command = /usr/bin/procmail -a x\nmydestination = localhost, example.net", "example.com, example.net, example.org", "example.com, example.org"}, "mailbox_command"},
		{"a local domain, by mailbox_transport", []string{"mydestination = localhost",
			"mailbox_transport = lmtp:unix:private/x\nmydestination = localhost, example.net", "example.com, example.net, example.org", "example.com, example.org"}, ""},
	} {
		c := compile(t, labPolicy(t, "lab.json"), withMaster(nil, tt.oldnew...)(t))
		var got []string
		for _, w := range c.Warnings() {
			if strings.Contains(w.Text, "Sieve") && strings.Contains(w.Text, "mail for") {
				got = append(got, w.String())
			}
		}
		if tt.want == "" && got != nil || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	p := labPolicy(t, "lab.json")
	p.Mailboxes = []string{"alice@example.com", "alise@example.com"}
	p.Aliases = []relay.Alias{{Address: "nothere@example.com", Members: []string{"alice@example.com"}}}
	var paths []string
	for _, w := range compile(t, p, labBase(t)).Warnings() {
		if strings.Contains(w.Text, "is in none of the tables") {
			paths = append(paths, w.Position.String())
		}
	}
	if !slices.Equal(paths, []string{"Mailboxes[1]", "Aliases[0]"}) {
		t.Errorf("warned of %v", paths)
	}
}
