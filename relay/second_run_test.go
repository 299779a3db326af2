package relay_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay"
)

// fromNothing is a policy for a server without a configuration.
func fromNothing(tb testing.TB) relay.Policy {
	p := labPolicy(tb, "lab.json")
	p.Server.Hostname = "ox.example.com"
	p.Server.CertFile, p.Server.KeyFile = "/etc/ssl/lab/ox.pem", "/etc/ssl/lab/ox.key"
	p.Server.Networks = []netip.Prefix{netip.MustParsePrefix("127.0.1.0/24")}
	p.Mailboxes = []string{"alice@example.com", "bob@example.com"}
	return p
}

// TestSecondRun: the mailboxes and aliases of a configuration that was written
// from nothing stay the policy's, and no file that a setting names is obsolete.
func TestSecondRun(t *testing.T) {
	p := fromNothing(t)
	first := compile(t, p, relay.Installation{})
	in := result(relay.Installation{}, first.Files(), first.Obsolete())
	rows := func(c *relay.Config, name string) (keys []string) {
		table, _ := postfix.ParseTable(name, []byte(emitted(t, c, "postfix/"+name)))
		for _, e := range table {
			keys = append(keys, e.Key)
		}
		return keys
	}
	if got := rows(first, "conbool_aliases"); got != nil {
		t.Errorf("aliases from nothing: %v", got)
	}
	p.Mailboxes = append(p.Mailboxes, "carol@example.net")
	p.Aliases = []relay.Alias{{Address: "team@example.com", Members: []string{"bob@example.com", "alice@example.com"}}}
	second := compile(t, p, in)
	if diff := cmp.Diff([]string{"alice@example.com", "bob@example.com", "carol@example.net"}, rows(second, "conbool_mailboxes")); diff != "" {
		t.Errorf("mailboxes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"team@example.com"}, rows(second, "conbool_aliases")); diff != "" {
		t.Errorf("aliases (-want +got):\n%s", diff)
	}
	d := second.Route(t.Context(), &relay.Message{Origin: waysIn["internal"].origin, From: "x@other.test", To: "carol@example.net",
		Raw: hello})
	if d.Outcomes[0].Action != relay.ActionMailbox {
		t.Errorf("the mailbox of the second run: %v", d.Outcomes)
	}
	for _, c := range []*relay.Config{first, second} {
		if i := slices.IndexFunc(c.Commands(), func(c relay.Command) bool { return strings.Contains(c.String(), "conbool_mailboxes") }); i < 0 {
			t.Errorf("no postmap of the mailboxes: %v", c.Commands())
		}
	}
	for _, name := range second.Obsolete() {
		if strings.Contains(name, "conbool_mailboxes") || strings.Contains(name, "conbool_aliases") {
			t.Errorf("%s is obsolete", name)
		}
	}
	in = result(in, second.Files(), second.Obsolete())
	p.Aliases = nil
	if got := rows(compile(t, p, in), "conbool_aliases"); got != nil {
		t.Errorf("without aliases: %v", got)
	}
	p.Mailboxes = nil
	if _, err := tryCompile(t, p, in); err == nil || !strings.Contains(err.Error(), "Mailboxes") {
		t.Errorf("without mailboxes: %v", err)
	}
}

// TestStillNamed: a file of an earlier run that a setting or a row still names
// stays, and is warned of.
func TestStillNamed(t *testing.T) {
	old := labPolicy(t, "lab.json")
	old.Direct = []string{"partner.test"}
	first := compile(t, old, labBase(t))
	for text, named := range map[string]string{
		"local_transport = error:x\n":                                 "",
		"# hash:/etc/postfix/conbool_transport\n":                     "",
		"x = hash:/etc/postfix/conbool_transport_of_mine\n":           "",
		"relocated_maps = hash:/etc/postfix/conbool_transport\n":      "main.cf",
		"relocated_maps =\n  hash:/etc/postfix/conbool_transport,y\n": "main.cf",
		"list": "list",
	} {
		in := result(labBase(t), first.Files(), first.Obsolete())
		if text == "list" {
			in.Files["/etc/postfix/list"] = []byte("# x\nhash:/etc/postfix/conbool_transport\n")
		} else {
			in.Files["/etc/postfix/main.cf"] = append([]byte(text), in.Files["/etc/postfix/main.cf"]...)
		}
		c := compile(t, labPolicy(t, "lab.json"), in)
		stays := !slices.Contains(c.Obsolete(), "postfix/conbool_transport")
		warned := slices.ContainsFunc(c.Warnings(), func(w relay.Warning) bool {
			return w.Position.String() == "conbool_transport" && strings.Contains(w.Text, named+" names it")
		})
		if stays != (named != "") || warned != stays {
			t.Errorf("%q: stays %v, warned of %v: %v", text, stays, warned, c.Warnings())
		}
	}
}

// TestShuffled: the order in which a caller lists tenants, domains, senders and
// mailboxes changes no file.
func TestShuffled(t *testing.T) {
	p := fromNothing(t)
	p.Tenants[0].Scope = relay.Scope{Use: relay.ScopeSenders, Senders: []string{"b@example.com", "a@example.com", "c@example.com"}}
	p.Tenants[1].Domains = append(p.Tenants[1].Domains, "a.example.net", "z.example.net", "b.example.net")
	p.Tenants[1].Scope.Except = []string{"y@example.net", "x@example.net", "z.example.net"}
	p.Direct = []string{"b.test", "a.test"}
	p.Aliases = []relay.Alias{{Address: "b@example.com", Members: []string{"bob@example.com", "alice@example.com"}},
		{Address: "a@example.com", Members: []string{"bob@example.com"}}}
	for i := range 120 { // enough for an indexed table of markers
		p.Tenants = append(p.Tenants, relay.Tenant{Name: fmt.Sprint("T", i), Domains: []string{string(rune('a'+i%26)) + strings.Repeat("x",
			i/26) + ".example"}, Scope: relay.Scope{Use: relay.ScopeAll}})
	}
	want := compile(t, p, relay.Installation{}).Files()
	r := rand.New(rand.NewPCG(*seed, 9))
	shuffle := func(l []string) { r.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] }) }
	for range 3 {
		r.Shuffle(len(p.Tenants), func(i, j int) { p.Tenants[i], p.Tenants[j] = p.Tenants[j], p.Tenants[i] })
		r.Shuffle(len(p.Aliases), func(i, j int) { p.Aliases[i], p.Aliases[j] = p.Aliases[j], p.Aliases[i] })
		for i := range p.Tenants {
			shuffle(p.Tenants[i].Domains)
			shuffle(p.Tenants[i].Scope.Senders)
			shuffle(p.Tenants[i].Scope.Except)
		}
		shuffle(p.Direct)
		shuffle(p.Mailboxes)
		shuffle(p.Aliases[0].Members)
		if diff := cmp.Diff(want, compile(t, p, relay.Installation{}).Files()); diff != "" {
			t.Fatalf("(-before +shuffled):\n%.2000s", diff)
		}
	}
}
