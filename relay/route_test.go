package relay_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// people is a Directory as an integrator writes one over SQL.
type people struct {
	domains   map[string]relay.Class
	mailboxes map[string]bool
	aliases   map[string][]string
	scripts   map[string]*interp.Program
	down      bool
}

var errDown = errors.New("database is down")

func (p *people) Domain(_ context.Context, domain string) (relay.Class, error) {
	if p.down {
		return relay.ClassNone, errDown
	}
	return p.domains[domain], nil
}

func (p *people) Mailbox(_ context.Context, key string) (bool, error) {
	if p.down {
		return false, errDown
	}
	return p.mailboxes[key], nil
}

func (p *people) Alias(_ context.Context, key string) ([]string, error) {
	if p.down {
		return nil, errDown
	}
	return p.aliases[key], nil
}

func (p *people) Script(_ context.Context, mailbox string) (*interp.Program, error) {
	return p.scripts[mailbox], nil
}

func program(tb testing.TB, name, text string) *interp.Program {
	tb.Helper()
	s, err := sieve.Parse(name, []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	p, err := interp.Compile(s, interp.Options{Name: name, Trace: true, AutoCreate: true})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

var hello = []byte("Subject: hello\n\nhi\n")

// TestBodyPrepend: body_checks add a line before the one that matches, as
// header_checks(5) has it, and the mailbox's script reads it.
func TestBodyPrepend(t *testing.T) {
	dir := &people{
		mailboxes: map[string]bool{"bob@example.com": true},
		scripts: map[string]*interp.Program{"bob@example.com": program(t, "bob.sieve",
			"require [\"body\",\"fileinto\"]; if body :raw :matches \"*NEW TEXT?prepend me*\" { fileinto \"Added\"; }")},
	}
	in := withMain("body_checks = regexp:/etc/postfix/own\n", map[string]string{"own": "/^prepend me/ PREPEND NEW TEXT\n/^vanish/ IGNORE\n"})(t)
	in.Directory, in.Scripts = dir, dir
	c := compile(t, labPolicy(t, "lab.json"), in)
	for body, want := range map[string]string{
		"prepend me\n":                     "mailbox Added",
		"rest\nvanish\nprepend me\nrest\n": "mailbox Added",
		"prepend me\nvanish\n":             "mailbox Added",
		"don't prepend me\n":               "mailbox INBOX",
	} {
		d := c.Route(t.Context(), &relay.Message{
			Origin: c.Origin(relay.RoleInternal), From: "alice@example.com", To: "bob@example.com", Raw: []byte("Subject: x\n\n" + body)})
		if d.String() != want {
			t.Errorf("%q: %s, want %s\n%s", body, d, want, d.Outcomes[0].Trace)
		}
	}
}

// TestDirectory: local addresses from the caller, asked with the keys and in
// the order of Postfix.
func TestDirectory(t *testing.T) {
	dir := &people{
		mailboxes: map[string]bool{"bob@example.com": true, "@example.net": true},
		aliases: map[string][]string{
			"team@example.com": {"bob@example.com", "x@remote1.test"}, "loop@example.com": {"loop@example.com"},
			"a@example.com": {"b@example.com"}, "b@example.com": {"a@example.com", "bob@example.com"}, "@example.org": {"bob@example.com"},
		},
		scripts: map[string]*interp.Program{
			"bob@example.com": program(t, "bob.sieve", "require \"fileinto\"; if header :is \"subject\" \"file\" { fileinto \"Filed\"; }"),
		},
	}
	in := labBase(t)
	in.Directory, in.Scripts = dir, dir
	c := compile(t, labPolicy(t, "lab.json"), in)
	tests := []struct{ name, to, raw, want string }{
		{"mailbox", "bob@example.com", "", "mailbox INBOX"},
		{"with extension and in capitals", "BOB+x@Example.com", "", "mailbox INBOX"},
		{"script", "bob+x@example.com", "Subject: file\n\n", "mailbox Filed"},
		{"any address of a domain", "whoever@example.net", "", "mailbox INBOX"},
		{"unknown", "nobody@example.com", "", "reject 550"},
		{"alias", "team@example.com", "", "mailbox INBOX <bob@example.com>, relay [mail.conbool.com]:25 <x@remote1.test>"},
		{"alias of a whole domain", "dave@example.org", "", "mailbox INBOX <bob@example.com>"},
		{"alias of itself", "loop@example.com", "", "bounce 550"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := []byte(tt.raw)
			if tt.raw == "" {
				raw = hello
			}
			d := c.Route(t.Context(), &relay.Message{Origin: c.Origin(relay.RoleInternal), From: "alice@example.com", To: tt.to, Raw: raw})
			if d.String() != tt.want {
				t.Errorf("%s, want %s\n%s", d, tt.want, d.Outcomes[0].Trace)
			}
		})
	}
	t.Run("look-up fails", func(t *testing.T) {
		down := labBase(t)
		down.Directory = &people{down: true}
		c := compile(t, labPolicy(t, "lab.json"), down)
		for role, want := range map[relay.Role]string{relay.RoleInternal: "reject 451", relay.FromPickup: "defer 451"} {
			d := c.Route(t.Context(), &relay.Message{Origin: c.Origin(role), From: "alice@example.com", To: "bob@example.com", Raw: hello})
			if !strings.HasPrefix(d.String(), want+" (alias of bob@example.com: database is down") || !errors.Is(d.Err, errDown) {
				t.Errorf("%s: %s, want %s", role, d, want)
			}
		}
	})
}

// TestRedirects: redirects come back in and end. A mailbox that gets its own
// redirect back keeps the message; so does one whose target is refused.
func TestRedirects(t *testing.T) {
	in := labBase(t)
	in.Scripts = relay.ScriptMap{
		"bob@example.com":   program(t, "bob", "redirect \"carol@example.net\";"),
		"carol@example.net": program(t, "carol", "redirect \"bob@example.com\";"),
		"dave@example.org":  program(t, "dave", "redirect \"nobody@example.com\";"),
		"fwd@example.com":   program(t, "fwd", "redirect \"fwd@example.com\";"),
		"alice@example.com": program(t, "alice", "require \"copy\"; redirect :copy \"x@remote1.test\"; redirect :copy \"y@remote2.test\";"),
	}
	c := compile(t, labPolicy(t, "lab.json"), in)
	for to, want := range map[string]string{
		"bob@example.com":   "mailbox INBOX",
		"dave@example.org":  "mailbox INBOX",
		"fwd@example.com":   "mailbox INBOX",
		"alice@example.com": "mailbox INBOX, mx remote1.test <x@remote1.test>, mx remote2.test <y@remote2.test>",
	} {
		d := c.Route(t.Context(), &relay.Message{Origin: c.Origin(relay.RoleGateway), From: "alice@example.com", To: to, Raw: hello})
		if d.String() != want {
			t.Errorf("%s: %s, want %s\n%s", to, d, want, d.Outcomes[0].Trace)
		}
	}
	// Whoever sends the field that Pigeonhole knows a loop by stops the redirect.
	for field, want := range map[string]string{
		"X-Sieve-Redirected-From: alice@example.com\n": "mailbox INBOX",
		"X-Sieve-Redirected-From: Alice@example.com\n": "mailbox INBOX, mx remote1.test <x@remote1.test>, mx remote2.test <y@remote2.test>",
	} {
		d := c.Route(t.Context(), &relay.Message{Origin: c.Origin(relay.RoleGateway), From: "joe@example.net", To: "alice@example.com",
			Raw: append([]byte(field), hello...)})
		if d.String() != want {
			t.Errorf("%s: %s, want %s\n%s", field, d, want, d.Outcomes[0].Trace)
		}
	}
}

// seen is the memory of all mailboxes.
type seen map[string]time.Time

func (s seen) Seen(id string, now time.Time) bool { return s[id].After(now) }

func (s seen) Remember(id string, until time.Time) { s[id] = until }

// TestRedirectedBefore: the message that a mailbox has redirected stays there
// when it comes again, known by its Message-ID.
func TestRedirectedBefore(t *testing.T) {
	in := labBase(t)
	in.Scripts = relay.ScriptMap{"bob@example.com": program(t, "bob", "redirect \"x@remote1.test\";")}
	c := compile(t, labPolicy(t, "lab.json"), in)
	memory := map[string]seen{}
	for i, tt := range []struct{ id, want string }{{"1", "mx remote1.test <x@remote1.test>"}, {"1", "mailbox INBOX"},
		{"2", "mx remote1.test <x@remote1.test>"}, {"2", "mailbox INBOX"}} {
		m := relay.Message{Origin: c.Origin(relay.RoleGateway), From: "joe@example.net", To: "bob@example.com",
			Raw: []byte("Message-ID: <" + tt.id + "@x>\n\nx\n"),
			Memory: func(mailbox string) interp.Memory {
				if memory[mailbox] == nil {
					memory[mailbox] = seen{}
				}
				return memory[mailbox]
			}}
		if d := c.Route(t.Context(), &m); d.String() != tt.want {
			t.Errorf("%d: %s, want %s\n%s", i, d, tt.want, d.Outcomes[0].Trace)
		}
	}
}

// TestRedirectSettings: who a redirected message is from, and which address a loop
// is known by, is what doveconf says.
func TestRedirectSettings(t *testing.T) {
	const bob, other, kept = "sender in scope (bob@example.com)", "", "mailbox INBOX"
	for _, tt := range []struct{ settings, field, want string }{
		{"", "", other},
		{"sieve_redirect_envelope_from = recipient\n", "", bob},
		{"sieve_redirect_envelope_from = <bob@example.com>\n", "", bob},
		{"sieve_redirect_envelope_from = user_email\nsieve_user_email = y@remote2.test\n", "", other},
		{"sieve_redirect_envelope_from = user_email\nsieve_user_email = %u\n", "", bob},
		{"", "X-Sieve-Redirected-From: me@%d\n", other},
		{"sieve_user_email = me@%d\n", "X-Sieve-Redirected-From: me@example.com\n", kept},
		{"sieve_user_email = me@%d\n", "X-Sieve-Redirected-From: bob@example.com\n", kept},
	} {
		in := labBase(t)
		in.Doveconf = whole("2.3.19.1 (9b53102964)", "ssl = no\nplugin {\n"+tt.settings+"}\n")
		in.Scripts = relay.ScriptMap{"bob@example.com": program(t, "bob", "redirect \"x@remote1.test\";")}
		c := compile(t, labPolicy(t, "lab.json"), in)
		m := relay.Message{Origin: c.Origin(relay.RoleGateway), From: "joe@example.net", To: "bob@example.com",
			Raw: append([]byte(tt.field), hello...)}
		d := c.Route(t.Context(), &m)
		got := d.String()
		if got != kept {
			if got = other; strings.Contains(d.Outcomes[0].Trace.String(), bob) {
				got = bob
			}
		}
		if got != tt.want {
			t.Errorf("%s%s: %s, want %q\n%s", tt.settings, tt.field, d, tt.want, d.Outcomes[0].Trace)
		}
	}
}

// TestScopes: who is in scope.
func TestScopes(t *testing.T) {
	const gate, mx = "relay [mail.conbool.com]:25", "mx remote1.test"
	tests := []struct {
		name  string
		scope relay.Scope
		want  map[string]string
	}{
		{"all", relay.Scope{Use: relay.ScopeAll}, map[string]string{
			"alice@example.com": gate, "Alice+x@EXAMPLE.Com": gate, "a@bücher.test": gate, "a@BÜCHER.test": gate, "a@xn--bcher-kva.test": gate,
			"a@sub.example.com": mx, "": mx, "z@remote2.test": mx, "alice": mx, "a@example.com.": gate, "example.com!a": gate,
		}},
		{"one domain of two", relay.Scope{Use: relay.ScopeDomains, Domains: []string{"bücher.test"}}, map[string]string{
			"alice@example.com": mx, "a@bücher.test": gate, "a@xn--bcher-kva.test": gate,
		}},
		{"some senders", relay.Scope{Use: relay.ScopeSenders, Senders: []string{"Alice@example.com"}}, map[string]string{
			"alice@example.com": gate, "ALICE+tag@example.com": gate, "bob@example.com": mx, "": mx,
		}},
		{"all but one sender and one domain", relay.Scope{Use: relay.ScopeAll, Except: []string{"bob@example.com", "bücher.test"}},
			map[string]string{
				"alice@example.com": gate, "Bob@example.com": mx, "bob+x@example.com": mx, "a@bücher.test": mx,
			}},
		{"nobody", relay.Scope{Use: relay.ScopeNone}, map[string]string{"alice@example.com": mx, "": mx}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := labPolicy(t, "lab.json")
			p.Tenants[0].Domains = []string{"example.com", "bücher.test"}
			p.Tenants[0].Scope = tt.scope
			in := withMain("virtual_alias_domains = bücher.test xn--bcher-kva.test\n", nil)(t)
			c := compile(t, p, in)
			for from, want := range tt.want {
				// Undeclared, a sender of a domain beyond ASCII is refused.
				declared := strings.ContainsFunc(from, func(c rune) bool { return c >= 0x80 })
				d := c.Route(t.Context(), &relay.Message{Origin: c.Origin(relay.RoleInternal), From: from, To: "x@remote1.test", Raw: hello,
					SMTPUTF8: declared, NextHops: relay.SMTPUTF8Offered})
				if d.String() != want {
					t.Errorf("from <%s>: %s, want %s\n%s", from, d, want, d.Outcomes[0].Trace)
				}
			}
		})
	}
}

// TestPeers: the smart host is trusted only with its certificate.
func TestPeers(t *testing.T) {
	c := compile(t, labPolicy(t, "lab.json"), labBase(t))
	for peer, want := range map[relay.Peer]string{
		relay.PeerVerified: "relay [mail.conbool.com]:25", relay.PeerUnverified: "defer 450", relay.PeerPlaintext: "defer 450", relay.PeerDown: "defer 450",
	} {
		m := relay.Message{Origin: c.Origin(relay.RoleSubmission), From: "alice@example.com", To: "x@remote1.test", Raw: hello, SmartHost: peer}
		if d := c.Route(t.Context(), &m); d.String() != want {
			t.Errorf("%q: %s, want %s", peer, d, want)
		}
		m.Raw = []byte("Content-Type: text/calendar\n\n") // does not go there
		if d := c.Route(t.Context(), &m); d.String() != "mx remote1.test" {
			t.Errorf("%q, calendar: %s", peer, d)
		}
	}
}

// TestOtherGateway: a gateway of other names, with fixed markers and no domain
// marker, needs nothing of the library's own.
func TestOtherGateway(t *testing.T) {
	p := labPolicy(t, "lab.json")
	p.Gateway = relay.Gateway{
		Name: "acme",
		SmartHost: relay.SmartHost{Host: "smtp.acme-gateway.test", Port: 587, LookupMX: true, TLSName: "gateway.acme-gateway.test",
			CAFile: "/etc/ssl/ca.pem", CertFile: "/etc/ssl/ox.pem", KeyFile: "/etc/ssl/ox.key"},
		Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32")},
		Markers: relay.Markers{
			Loop: []headers.Condition{headers.When(headers.Match{Name: "X-Acme-Seen", Op: headers.Is, Values: []string{"a", "b"},
				Comparator: headers.Octet})},
			Released: headers.When(headers.Match{Name: "X-Acme-Action", Op: headers.Contains, Values: []string{"release"}}),
			Spam:     headers.When(headers.Match{Name: "X-Acme-Score", Op: headers.Matches, Values: []string{"9*"}}),
		},
	}
	c := compile(t, p, labBase(t))
	tests := []struct {
		role      relay.Role
		header    string
		from, to  string
		want      string
		decidedBy string
	}{
		{relay.RoleSubmission, "", "alice@example.com", "x@remote1.test", "relay smtp.acme-gateway.test:587", "Tenants[0].Domains[0]"},
		{relay.RoleReEntry, redirectedHead + "X-Acme-Seen: a\n", "alice@example.com", "x@remote1.test", "mx remote1.test",
			"Gateway.Markers.Loop[0]"},
		{relay.RoleReEntry, redirectedHead + "X-Acme-Seen: A\n", "alice@example.com", "x@remote1.test", "relay smtp.acme-gateway.test:587",
			"Tenants[0].Domains[0]"},
		{relay.RoleReEntry, redirectedHead + "X-Acme-Action: user-release, 3\n", "alice@example.com", "x@remote1.test", "mx remote1.test",
			"Gateway.Markers.Released"},
		{relay.RoleSubmission, "X-Acme-Seen: a\n", "alice@example.com", "x@remote1.test", "relay smtp.acme-gateway.test:587",
			"Tenants[0].Domains[0]"},
		{relay.RoleGateway, "X-Acme-Score: 95\n", "z@remote1.test", "bob@example.com", "mailbox Spam", "Spam.Folder"},
		{relay.RoleGateway, "X-Acme-Score: 95\nX-Acme-Action: release\n", "z@remote1.test", "bob@example.com", "mailbox INBOX",
			"Gateway.Markers.Released"},
		{relay.RoleSubmission, "X-Acme-Score: 95\n", "alice@example.com", "bob@example.com", "mailbox INBOX", ""},
	}
	for _, tt := range tests {
		d := c.Route(t.Context(), &relay.Message{Origin: c.Origin(tt.role), From: tt.from, To: tt.to, Raw: []byte(tt.header + "Subject: x\n\n")})
		if d.String() != tt.want || d.Outcomes[0].Rule != tt.decidedBy {
			t.Errorf("%s %q: %s for %s, want %s for %s\n%s", tt.role, tt.header, d, d.Outcomes[0].Rule, tt.want, tt.decidedBy, d.Outcomes[0].Trace)
		}
	}
}

// TestRouteTotal: every message has an outcome, whatever it is.
func TestRouteTotal(t *testing.T) {
	configs := []*relay.Config{compile(t, labPolicy(t, "lab.json"), labBase(t)), compile(t, labPolicy(t, "relay.json"), relay.Installation{})}
	roles := []relay.Role{"", "nobody", relay.RoleGateway, relay.RoleSubmission, relay.RoleInternal, relay.RoleReEntry, relay.RoleReinjection,
		relay.FromInternet, relay.FromPickup}
	addresses := []string{"", "@", "a", "a@", "@b", "postmaster", "a@b@c", "\x00", strings.Repeat("a", 10000),
		"a@" + strings.Repeat("b.", 5000), "\"q x\"@example.com", "bob+@example.com", "+@example.com"}
	raws := [][]byte{nil, {}, []byte("\n"), []byte("\r\n\r\n"), []byte("no header at all"), []byte(":\n"),
		[]byte(strings.Repeat("X: y\n", 10000)), []byte("Content-Type: multipart/mixed; boundary=\"\"\n\n--\n"), []byte("X-Conbool-Released: " +
			strings.Repeat("y", 200000))}
	for _, c := range configs {
		for _, role := range servertest.Part(t, roles, 3) {
			for _, a := range addresses {
				for _, raw := range raws {
					d := c.Route(t.Context(), &relay.Message{Origin: relay.Origin{Role: role}, From: a, To: a, Raw: raw})
					if len(d.Outcomes) == 0 || d.Outcomes[0].Action == "" {
						t.Fatalf("%s <%.40q> %.20q: %+v", role, a, raw, d)
					}
				}
			}
		}
	}
}

// TestRouteConcurrently is for the race detector; every answer is the same.
func TestRouteConcurrently(t *testing.T) {
	c := compile(t, labPolicy(t, "lab.json"), labBase(t))
	m := relay.Message{Origin: c.Origin(relay.RoleGateway), From: "alice@example.com", To: "all@example.net",
		Raw: []byte("X-Conbool-Flag: YES\nSubject: x\n\n")}
	want := c.Route(t.Context(), &m)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 200 {
				if diff := cmp.Diff(want, c.Route(t.Context(), &m)); diff != "" {
					t.Errorf("another answer (-first +later):\n%s", diff)
					return
				}
			}
		})
	}
	group.Wait()
}

// FuzzRoute: any message has an outcome, the same twice; and what the gateway
// sent never goes to the gateway.
func FuzzRoute(f *testing.F) {
	c := compile(f, labPolicy(f, "lab.json"), labBase(f))
	for _, x := range fixtures(f) {
		f.Add(x.Message.From, x.Message.To, x.Message.Raw)
	}
	roles := []relay.Role{relay.RoleGateway, relay.RoleSubmission, relay.RoleInternal, relay.RoleReEntry, relay.FromInternet, relay.FromPickup}
	f.Fuzz(func(t *testing.T, from, to string, raw []byte) {
		for _, role := range roles {
			m := relay.Message{Origin: c.Origin(role), From: from, To: to, Raw: raw}
			d := c.Route(t.Context(), &m)
			if len(d.Outcomes) == 0 {
				t.Fatalf("%s: no outcome", role)
			}
			if diff := cmp.Diff(d, c.Route(t.Context(), &m)); diff != "" {
				t.Fatalf("%s: two answers:\n%s", role, diff)
			}
			for _, o := range d.Outcomes {
				if role == relay.RoleGateway && o.Action == relay.ActionRelay && o.Target.String() == "[mail.conbool.com]:25" {
					t.Fatalf("the gateway's mail returns to it:\n%s", o.Trace)
				}
				if o.Action == relay.ActionRelay && o.Target.String() == "[mail.conbool.com]:25" && !strings.Contains(fmt.Sprint(o.Rule), "Tenants[") {
					t.Fatalf("to the gateway, and no tenant wanted it: %q\n%s", o.Rule, o.Trace)
				}
			}
		}
	})
}
