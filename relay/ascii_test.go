package relay

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
)

func TestASCIIHop(t *testing.T) {
	for hop, want := range map[string]string{
		"":                         "",
		"Relay.Example.net":        "Relay.Example.net",
		"[Relay.Example.net]:587":  "[Relay.Example.net]:587",
		"Bücher.test":              "xn--bcher-kva.test",
		"BÜCHER.test:26":           "xn--bcher-kva.test:26",
		"[mail.bücher.test]":       "[mail.xn--bcher-kva.test]",
		"[mail.bücher.test]:smtp":  "[mail.xn--bcher-kva.test]:smtp",
		"[bü cher.test]:25":        "[bü cher.test]:25",
		"[mail.bücher.test]:smtpß": "[mail.xn--bcher-kva.test]:smtpß",
	} {
		if got := mailaddr.AsciiHop(hop); got != want {
			t.Errorf("%q: got %q, want %q", hop, got, want)
		}
	}
}

// TestHostsInASCII: hosts beyond ASCII are A-labels in every file and answer;
// domains of senders and recipients have both spellings there as before. How
// real Postfix takes them is TestSmartHost's matter.
func TestHostsInASCII(t *testing.T) {
	p := valid()
	p.Server.Hostname = "ox.Bücher.test"
	p.Tenants = append(p.Tenants, Tenant{Name: "store", Domains: []string{"münchen.test"}, Scope: Scope{Use: ScopeNone},
		Store: "[store.Bücher.test]:25"})
	p.DirectVia = "[relay.Bücher.test]:587"
	p.Direct = []string{"partner.bücher.test"}
	p.Gateway.SmartHost.Host, p.Gateway.SmartHost.TLSName = "mail.Bücher.test", "cert.Bücher.test"
	p.Gateway.SmartHost.Fallback = []FallbackHost{{Host: "spare.Bücher.test", Port: 25}}
	p.Gateway.SmartHost.Auth = Auth{PasswordFile: "/etc/postfix/sasl"}
	before := p.Clone()
	c, err := Compile(p, Installation{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before.Gateway.SmartHost, p.Gateway.SmartHost); diff != "" {
		t.Errorf("the caller's policy was changed: %s", diff)
	}
	files := map[string]string{}
	for _, f := range c.Files() {
		files[f.Name] = string(f.Data)
		for line := range strings.Lines(string(f.Data)) {
			// Domains' keys begin their lines.
			if value, _, _ := strings.Cut(line, "#"); strings.Contains(strings.TrimPrefix(value, "partner."), "Bücher") {
				t.Errorf("%s: %s", f.Name, line)
			}
		}
	}
	for name, want := range map[string]string{
		"postfix/main.cf":            "myhostname = ox.xn--bcher-kva.test\n",
		"postfix/conbool_transport":  "\tconbool-store:[store.xn--bcher-kva.test]:25\n",
		"postfix/conbool_bypass":     ":[relay.xn--bcher-kva.test]:587\n",
		"postfix/conbool_tls_policy": "[mail.xn--bcher-kva.test]:25\tsecure match=cert.xn--bcher-kva.test\n[spare.xn--bcher-kva.test]:25\tsecure match=spare.xn--bcher-kva.test\n",
		"postfix/master.cf":          "[mail.xn--bcher-kva.test]:25=x,[spare.xn--bcher-kva.test]:25=x",
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s has not %q:\n%s", name, want, files[name])
		}
	}
	for _, key := range []string{"partner.bücher.test", "partner.xn--bcher-kva.test", "münchen.test", "xn--mnchen-3ya.test"} {
		if !strings.Contains("\n"+files["postfix/conbool_transport"], "\n"+key+"\t") {
			t.Errorf("no row for %s:\n%s", key, files["postfix/conbool_transport"])
		}
	}
	raw := []byte("Subject: x\n\n")
	for to, want := range map[string]string{
		"x@remote1.test":        "relay [mail.xn--bcher-kva.test]:25",
		"x@münchen.test":        "relay [store.xn--bcher-kva.test]:25",
		"x@partner.bücher.test": "relay [relay.xn--bcher-kva.test]:587",
	} {
		if d := c.Route(t.Context(), &Message{Origin: c.Origin(RoleSubmission), From: "alice@example.com", To: to, Raw: raw,
			SMTPUTF8: true}); d.String() != want {
			t.Errorf("%s: %s, want %s", to, d, want)
		}
	}
}

func TestHostsInASCIIRefused(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*Policy)
		path  string
		kind  error
	}{
		{"the gateway, spelled in another way", func(p *Policy) {
			p.Gateway.SmartHost.Host, p.DirectVia = "mail.Bücher.test", "[mail.xn--bcher-kva.test]:25"
		}, "DirectVia", ErrConflict},
		{"one host in two spellings", func(p *Policy) {
			p.Gateway.SmartHost.Host = "mail.Bücher.test"
			p.Gateway.SmartHost.Fallback = []FallbackHost{{Host: "mail.xn--bcher-kva.test", Port: 25}}
		}, "Gateway.SmartHost.Fallback[0]", ErrDuplicate},
		{"no name", func(p *Policy) { p.DirectVia = "[bü_cher.test]:25" }, "DirectVia", ErrInvalid},
		{"no name for a port", func(p *Policy) { p.DirectVia = "[relay.test]:ß" }, "DirectVia", ErrInvalid},
	}
	for _, tt := range tests {
		p := valid()
		p.Gateway.Networks = []netip.Prefix{netip.MustParsePrefix("127.0.2.0/28")}
		tt.spoil(&p)
		err := p.Validate()
		Remedied(t, err)
		var list Errors
		if !errors.As(err, &list) || len(list) != 1 || list[0].Position.String() != tt.path || !errors.Is(list[0], tt.kind) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
