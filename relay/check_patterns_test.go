package relay_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/relay"
)

// TestPatternsForEverybody: a rule of a pattern table in transport_maps must be
// limited to somebody's domains.
func TestPatternsForEverybody(t *testing.T) {
	const refused = "refused"
	for _, tt := range []struct{ kind, text, want string }{
		{"regexp", `/./ smtp:x`, refused},
		{"regexp", `/\.(com|net|org)$/ smtp:x`, refused},
		{"regexp", `/\.co\.uk$/ smtp:x`, refused},
		{"regexp", `/@[^.]*\.org$/ smtp:x`, refused},
		{"regexp", `/com$/ smtp:x`, refused},
		{"regexp", `/example\.org$/ smtp:x`, refused}, // another-example.org
		{"regexp", `/@example\.org/ smtp:x`, refused}, // example.org.test
		{"regexp", `/^info@/ smtp:x`, refused},
		{"regexp", `/^\*$/ smtp:x`, refused}, // asked for where there is no other row
		{"regexp", `/^(\*|.*@example\.org)$/ smtp:x`, refused},
		{"regexp", `/@example\.org$|^a/ smtp:x`, refused},
		{"regexp", `!/@example\.org$/ smtp:x`, refused},
		{"regexp", "if !/@example\\.org$/\n/a/ smtp:x\nendif", refused},
		{"pcre", `/@.*$/ smtp:x`, refused},
		{"pcre", `/@(?:example\.org|.*\.de)$/ smtp:x`, refused},
		{"regexp", `/^.*@example\.org$/ smtp:x`, ""},
		{"regexp", `/@(a|b)\.example$/ smtp:x`, ""},
		{"regexp", `/@(.*\.)?example\.org$/ smtp:x`, ""},
		{"regexp", `/\.example\.co\.uk$/ smtp:x`, ""},
		{"regexp", `/@mx[0-9]\.example\.(org|net)$/ smtp:x`, ""},
		{"regexp", `/\.(intern|local)$/ smtp:x`, ""},
		{"regexp", `/@com$/ smtp:x`, ""},
		{"regexp", `/./ :`, ""},
		{"regexp", `/^[^@]+@([^.]+\.)*example\.org$/ smtp:x`, ""},
		{"regexp", `/^bounce-.*@/ discard:`, ""},
		{"regexp", `/^root@/ error:5.1.1 no`, ""},
		{"regexp", `/^later@/ retry:4.7.1 later`, ""},
		{"regexp", `/\.(np|ck|mm|fk|jm|kh|pg|er)$/ smtp:x`, refused},
		{"regexp", `/\.np$/ smtp:x`, refused},
		{"regexp", `/\.er$/ smtp:x`, refused},
		{"regexp", `/\.kobe\.jp$/ smtp:x`, refused},
		{"regexp", `/\.city\.kobe\.jp$/ smtp:x`, ""},
		{"regexp", `/\.example\.com\.np$/ smtp:x`, ""},
		{"regexp", `/\.de\.com$/ smtp:x`, refused}, // a company's, for whoever wants one
		{"regexp", `/\.eu\.org$/ smtp:x`, refused},
		{"regexp", `/\.example\.de\.com$/ smtp:x`, ""},
		{"regexp", "if /@example\\.org$/\n/^a/ smtp:x\nendif", ""},
		{"pcre", `/^[\w.+-]+@(?:mail\.)?EXAMPLE\.org$/ smtp:x`, ""},
		{"pcre", "/@b\\xc3\\xbccher\\.test$/ smtp:x", "opaque"}, // an escape that is not followed
		{"pcre", `/^(?=.)/ smtp:x`, "opaque"},
	} {
		p := labPolicy(t, "lab.json")
		in := labBase(t)
		in.Files["/etc/postfix/patterns"] = []byte("# one\n" + tt.text + "\n")
		in.Files["/etc/postfix/main.cf"] = append(in.Files["/etc/postfix/main.cf"],
			"\ntransport_maps = unionmap:{"+tt.kind+":/etc/postfix/patterns}\n"...)
		_, err := tryCompile(t, p, in)
		got := ""
		if err != nil && strings.Contains(err.Error(), "can't be read here") {
			// A rule that can't be tried may be for everybody: somebody must vouch.
			got = "opaque"
			in.Tables = map[string]relay.Table{"unionmap:{" + tt.kind + ":/etc/postfix/patterns}": {Harmless: true}}
			if _, err := tryCompile(t, p, in); err != nil {
				t.Errorf("%s, vouched for: %v", tt.text, err)
			}
		} else if err != nil {
			got = refused
			var e *relay.Error
			if errors.As(err, &e); strings.Contains(err.Error(), "\n") || !strings.HasPrefix(e.Position.String(), "patterns:") ||
				!errors.Is(err, relay.ErrConflict) || !strings.Contains(e.Fix, "$") {
				t.Errorf("%s: %v", tt.text, err)
			}
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q: %v", tt.text, got, tt.want, err)
		}
		for i := range p.Tenants {
			p.Tenants[i].Scope = relay.Scope{Use: relay.ScopeNone}
		}
		if _, err := tryCompile(t, p, in); err != nil {
			t.Errorf("%s: nobody is in scope: %v", tt.text, err)
		}
	}
}

// TestPipesForEverybody: what several tables make of an address is tried.
func TestPipesForEverybody(t *testing.T) {
	for first, want := range map[string]bool{"/./ everybody": true, "/@example\\.org$/ everybody": false, "/^\\*$/ everybody": true} {
		in := labBase(t)
		in.Files["/etc/postfix/first"], in.Files["/etc/postfix/second"] = []byte(first+"\n"), []byte("/^everybody$/ smtp:x\n")
		in.Files["/etc/postfix/main.cf"] = append(in.Files["/etc/postfix/main.cf"],
			"\ntransport_maps = pipemap:{regexp:/etc/postfix/first,regexp:/etc/postfix/second}\n"...)
		if _, err := tryCompile(t, labPolicy(t, "lab.json"), in); errors.Is(err, relay.ErrConflict) != want {
			t.Errorf("%s: %v", first, err)
		}
	}
}

// TestSenderPatterns: nor may a rule of the sender map match senders in scope.
func TestSenderPatterns(t *testing.T) {
	p := labPolicy(t, "lab.json") // example.com and example.net are in scope, example.org is not
	for _, tt := range []struct {
		kind, text string
		want       []string
	}{
		{"regexp", "/@example\\.org$/ smtp:x\n/@example\\.com$/ smtp:x\n/^alice@example\\.net$/ smtp:x", []string{"senders:2", "senders:3"}},
		{"regexp", "/@(example\\.org|lists\\.example\\.com)$/ smtp:x\n/\\.example\\.com$/ smtp:x", nil},
		{"regexp", "/./ smtp:x", []string{"senders:1"}},
		{"regexp", "/^alice/ DUNNO", []string{"senders:1"}},
		{"regexp", "if /@example\\.org$/\n/^alice/ smtp:x\nendif", nil},
		{"regexp", "/\\.com$/ smtp:x\n/com$/ smtp:x\n/m$/ smtp:x\n/\\.org$/ smtp:x", []string{"senders:1", "senders:2", "senders:3"}},
		{"pcre", "/^(?:bob|carol)@example\\.(?:net|org)$/ smtp:x", []string{"senders:1"}},
	} {
		in := labBase(t)
		in.Files["/etc/postfix/senders"] = []byte(tt.text + "\n")
		in.Files["/etc/postfix/main.cf"] = append(in.Files["/etc/postfix/main.cf"],
			"\nsender_dependent_default_transport_maps = "+tt.kind+":/etc/postfix/senders\n"...)
		c, err := tryCompile(t, p, in)
		var list relay.Errors
		errors.As(err, &list)
		var got []string
		for _, e := range list {
			got = append(got, e.Position.String())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.text, diff)
		}
		if c != nil && len(c.Warnings()) > 0 && strings.Contains(c.Warnings()[0].Text, "whole addresses") {
			t.Errorf("%s: %v", tt.text, c.Warnings())
		}
	}
}

// TestSenderExtensions: Postfix asks every map for a sender's whole address before
// any for the one without its extension, so patterns must not match those of
// Scope.Senders. The other senders of the domain may be routed.
func TestSenderExtensions(t *testing.T) {
	for _, tt := range []struct {
		delimiter, kind, text string
		refused               bool
	}{
		{"+", "regexp", `/./ smtp:`, true},
		{"+", "regexp", `/^alice\+/ smtp:`, true},
		{"+", "regexp", `/\+.*@example\.com$/ smtp:`, true},
		{"+", "regexp", `/@example\.com$/ smtp:`, true},
		{"+", "regexp", `/^(bob|alice\+x)@example\.com$/ smtp:`, true},
		{"-+", "regexp", `/^alice\+/ smtp:`, true},
		{"-+", "pcre", `/^alice-/ smtp:`, true},
		{"-", "regexp", `/^alice\+/ smtp:`, false}, // no extension
		{"+", "regexp", `/^bob@example\.com$/ smtp:`, false},
		{"+", "regexp", `/^bob@/ smtp:`, false},
		{"+", "regexp", `/^alice@example\.com$/ smtp:`, false}, // ours is found first
		{"+", "regexp", `/^alice\+.*@example\.org$/ smtp:`, false},
		{"+", "regexp", `/^alice\+spam@/ discard:`, false},
		{"", "regexp", `/@example\.com$/ smtp:`, false},
		{"+", "static", "smtp:", true},
		{"", "static", "smtp:", false},
	} {
		p := labPolicy(t, "lab.json")
		for i, tenant := range p.Tenants {
			p.Tenants[i].Scope = relay.Scope{Use: relay.ScopeNone}
			if slices.Contains(tenant.Domains, "example.com") {
				p.Tenants[i].Scope = relay.Scope{Use: relay.ScopeSenders, Senders: []string{"alice@example.com"}}
			}
		}
		in := labBase(t)
		spec := tt.kind + ":/etc/postfix/senders"
		if tt.kind == "static" {
			spec = "static:" + tt.text
		} else {
			in.Files["/etc/postfix/senders"] = []byte(tt.text + "\n")
		}
		in.Files["/etc/postfix/main.cf"] = append(in.Files["/etc/postfix/main.cf"],
			"\nrecipient_delimiter = "+tt.delimiter+"\nsender_dependent_default_transport_maps = "+spec+"\n"...)
		c, err := tryCompile(t, p, in)
		if errors.Is(err, relay.ErrConflict) != tt.refused || !tt.refused && err != nil {
			t.Errorf("%q %s: %v", tt.delimiter, tt.text, err)
		}
		if err != nil {
			continue
		}
		for _, from := range []string{"alice@example.com", "alice" + tt.delimiter + "x@example.com"} {
			if len(tt.delimiter) != 1 {
				break
			}
			m := &relay.Message{Origin: c.Origin(relay.RoleSubmission), From: from, To: "x@remote.example", Raw: []byte("Subject: x\n\nx\n")}
			if d := c.Route(t.Context(), m); d.Outcomes[0].Action == relay.ActionMX {
				t.Errorf("%q %s: %s: %v", tt.delimiter, tt.text, from, d)
			}
		}
	}
}

// TestFoldedDomains: Postfix compares folded text, so that U-labels with "ß" are
// another domain's. No key of ours catches that one's mail, and a scope that
// would have to is refused.
func TestFoldedDomains(t *testing.T) {
	p := labPolicy(t, "lab.json")
	p.Direct = append(p.Direct, "straße.example", "bücher.example")
	c, err := tryCompile(t, p, labBase(t))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(fmt.Sprint(c.Warnings()), "straße.example for those in strasse.example") ||
		strings.Contains(fmt.Sprint(c.Warnings()), "bücher") {
		t.Errorf("%v", c.Warnings())
	}
	for to, want := range map[string]relay.Action{"strasse.example": relay.ActionRelay, "xn--strae-oqa.example": relay.ActionMX,
		"bücher.example": relay.ActionMX, "xn--bcher-kva.example": relay.ActionMX} {
		m := &relay.Message{Origin: c.Origin(relay.RoleSubmission), From: "alice@example.com", To: "x@" + to, SMTPUTF8: true,
			Raw: []byte("Subject: x\n\nx\n")}
		if d := c.Route(t.Context(), m); d.Outcomes[0].Action != want {
			t.Errorf("%s: %v, want %s", to, d, want)
		}
	}
	for except, path := range map[string]string{"strauß@example.com": "Tenants[0].Scope.Except[0]", "strauss@example.com": "",
		"müller@example.com": ""} {
		p := labPolicy(t, "lab.json")
		p.Tenants[0].Scope = relay.Scope{Use: relay.ScopeAll, Except: []string{except}}
		_, err := tryCompile(t, p, labBase(t))
		got := ""
		if e := (*relay.Error)(nil); errors.As(err, &e) {
			got = e.Position.String()
		}
		if got != path {
			t.Errorf("%s: %v", except, err)
		}
	}
	for _, tt := range []struct {
		domains []string
		want    string
	}{
		{[]string{"straße.example"}, "Tenants[0].Domains[0]"},
		{[]string{"σς.example"}, "Tenants[0].Domains[0]"},
		{[]string{"straße.example", "strasse.example"}, ""},
		{[]string{"bücher.example"}, ""},
	} {
		p := labPolicy(t, "lab.json")
		p.Mailboxes, p.Aliases = nil, nil
		p.Tenants = p.Tenants[:1]
		p.Tenants[0].Domains, p.Tenants[0].Scope = tt.domains, relay.Scope{Use: relay.ScopeAll}
		in := labBase(t)
		in.Files["/etc/postfix/main.cf"] = append(in.Files["/etc/postfix/main.cf"], "\nvirtual_mailbox_domains = "+strings.Join(tt.domains,
			", ")+", xn--strae-oqa.example, xn--3xaa.example, xn--4xaa.example, xn--3xab.example, xn--bcher-kva.example\n"...)
		_, err := tryCompile(t, p, in)
		got := ""
		if e := (*relay.Error)(nil); errors.As(err, &e) {
			got = e.Position.String()
		}
		if got != tt.want {
			t.Errorf("%v: %q, want %q: %v", tt.domains, got, tt.want, err)
		}
	}
}
