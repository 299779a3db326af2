package relay_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// inSQL is the lab's base with its hosted domains in a database.
func inSQL(tb testing.TB) relay.Installation {
	in := labBase(tb)
	const main = "/etc/postfix/main.cf"
	var lines []string
	for line := range strings.Lines(string(in.Files[main])) {
		if strings.HasPrefix(line, "virtual_mailbox_domains") {
			line = "virtual_mailbox_domains = pgsql:/etc/postfix/domains.cf\n"
		}
		lines = append(lines, line)
	}
	in.Files[main] = []byte(strings.Join(lines, ""))
	if !strings.Contains(string(in.Files[main]), "pgsql:") {
		tb.Fatal("the base has no virtual_mailbox_domains")
	}
	return in
}

// TestDomainsInSQL: what the server answers for the policy's own domain hangs on
// a table that nobody can read here: it is an assumption without a Directory, and
// the Directory's answer with one.
func TestDomainsInSQL(t *testing.T) {
	ask := func(c *relay.Config, role relay.Role) relay.Decision {
		return c.Route(t.Context(), &relay.Message{Origin: c.Origin(role), From: "alice@example.com", To: "bob@example.com", Raw: hello})
	}
	in := inSQL(t)
	c := compile(t, labPolicy(t, "lab.json"), in)
	d := ask(c, relay.RoleGateway)
	if d.String() != "mailbox INBOX" || !slices.ContainsFunc(d.Assumptions, func(u relay.Assumption) bool {
		return u.Setting == "virtual_mailbox_domains pgsql:/etc/postfix/domains.cf" && u.Asked == "example.com" && u.Assumed == "in it"
	}) {
		t.Errorf("without a Directory: %s, hangs on %v", d, d.Assumptions)
	}

	people := &people{mailboxes: map[string]bool{"bob@example.com": true}}
	in.Directory = people
	c = compile(t, labPolicy(t, "lab.json"), in)
	if d := ask(c, relay.RoleGateway); d.String() != "reject 554" || len(d.Assumptions) > 0 {
		t.Errorf("the database doesn't have the domain: %s, hangs on %v", d, d.Assumptions)
	}
	if d := ask(c, relay.RoleInternal); d.String() != "relay [mail.conbool.com]:25" {
		t.Errorf("from inside, the database doesn't have the domain: %s", d)
	}
	people.domains = map[string]relay.Class{"example.com": relay.ClassMailbox}
	for _, role := range []relay.Role{relay.RoleGateway, relay.RoleInternal} {
		if d := ask(c, role); d.String() != "mailbox INBOX" || len(d.Assumptions) > 0 {
			t.Errorf("%s, the database has the domain: %s, hangs on %v", role, d, d.Assumptions)
		}
	}
	people.domains["example.com"] = relay.ClassAlias
	if d := ask(c, relay.RoleGateway); !strings.HasPrefix(d.String(), "reject 550") {
		t.Errorf("a domain of aliases: %s", d)
	}
	in.Directory = failing{people}
	c = compile(t, labPolicy(t, "lab.json"), in)
	for role, want := range map[relay.Role]string{relay.RoleGateway: "reject 451", relay.RoleInternal: "reject 451",
		relay.FromPickup: "defer 451"} {
		if d := ask(c, role); !strings.HasPrefix(d.String(), want+" (") || !errors.Is(d.Err, errDown) {
			t.Errorf("%s, the database is down: %s", role, d)
		}
	}
}

// failing answers for addresses and not for domains.
type failing struct{ *people }

func (failing) Domain(context.Context, string) (relay.Class, error) { return relay.ClassNone, errDown }

// counting counts the questions.
type counting struct {
	*people
	asked map[string]int
}

func (c *counting) Domain(ctx context.Context, domain string) (relay.Class, error) {
	c.asked["domain "+domain]++
	return c.people.Domain(ctx, domain)
}

func (c *counting) Mailbox(ctx context.Context, key string) (bool, error) {
	c.asked["mailbox "+key]++
	return c.people.Mailbox(ctx, key)
}

func (c *counting) Alias(ctx context.Context, key string) ([]string, error) {
	c.asked["alias "+key]++
	return c.people.Alias(ctx, key)
}

// TestEachQuestionOnce: a decision asks each distinct question once, and asks no
// more when its context is done.
func TestEachQuestionOnce(t *testing.T) {
	in := inSQL(t)
	dir := &counting{&people{
		domains:   map[string]relay.Class{"example.com": relay.ClassMailbox},
		mailboxes: map[string]bool{"bob@example.com": true},
		aliases:   map[string][]string{"team@example.com": {"bob@example.com", "bob+x@example.com", "y@remote1.test"}},
	}, map[string]int{}}
	in.Directory = dir
	c := compile(t, labPolicy(t, "lab.json"), in)
	m := &relay.Message{Origin: c.Origin(relay.RoleInternal), From: "alice@example.com", To: "team@example.com", Raw: hello}
	d := c.Route(t.Context(), m)
	if len(d.Outcomes) != 3 || len(dir.asked) < 4 {
		t.Errorf("%s; asked %v", d, dir.asked)
	}
	for question, times := range dir.asked {
		if times != 1 {
			t.Errorf("%s was asked %d times", question, times)
		}
	}
	clear(dir.asked)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d := c.Route(ctx, m); !errors.Is(d.Err, context.Canceled) || len(dir.asked) > 0 || !strings.HasPrefix(d.String(), "reject 451") {
		t.Errorf("%s, %v; asked %v", fmt.Sprint(d), d.Err, dir.asked)
	}
}

// TestDomainsServers: domains in a table that only the servers can read, one of the
// policy's is missing there; the Directory has the same rows.
func TestDomainsServers(t *testing.T) {
	t.Parallel() // much of a run is waiting
	const list = "example.com x\nexample.org x\nsub.example.com x\n"
	f := followed{
		edit:   strings.NewReplacer(ownDomains(t), "virtual_mailbox_domains = texthash:/etc/postfix/sql\n"),
		hidden: map[string]string{"sql": list},
		given: func(in *relay.Installation) {
			dir := &people{domains: map[string]relay.Class{}, mailboxes: map[string]bool{}, aliases: map[string][]string{}}
			for key := range rowsOf(list) {
				dir.domains[key] = relay.ClassMailbox
			}
			for key := range rowsOf(string(in.Files["/etc/postfix/mailboxes"])) {
				dir.mailboxes[key] = true
			}
			for key, members := range rowsOf(string(in.Files["/etc/postfix/aliases"])) {
				dir.aliases[key] = strings.FieldsFunc(members, func(r rune) bool { return r == ',' || r == ' ' })
			}
			in.Directory = dir
		},
		senders: []string{"alice@example.com", "carol@example.net", "z@remote2.test", ""},
		rcpts: []string{"bob@example.com", "carol@example.net", "nobody@example.com", "dave@example.org", "team@example.com",
			"x@remote1.test"},
		entries:  []string{"gateway", "internal", "submission", "pickup"},
		messages: servertest.Scaled(t, 30),
	}
	for _, system := range maillab.FixedSystems(t, t.Name()) {
		t.Run(system.Name, func(t *testing.T) {
			t.Parallel()
			f.run(t, system)
		})
	}
}

// ownDomains is the line of the lab's base that lists its domains.
func ownDomains(tb testing.TB) string {
	for line := range strings.Lines(string(labBase(tb).Files["/etc/postfix/main.cf"])) {
		if strings.HasPrefix(line, "virtual_mailbox_domains") {
			return line
		}
	}
	tb.Fatal("the base has no virtual_mailbox_domains")
	return ""
}

// rowsOf are the rows of a table.
func rowsOf(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.Join(strings.Fields(line), " "), " "); ok && key[0] != '#' {
			out[key] = value
		}
	}
	return out
}
