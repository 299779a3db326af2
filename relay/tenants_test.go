package relay_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/relay"
)

// emittedFiles are a configuration's files by name.
func emittedFiles(c *relay.Config) map[string]string {
	out := map[string]string{}
	for _, f := range c.Files() {
		out[f.Name] = string(f.Data)
	}
	return out
}

// TestTenantScripts: a script for every domain that uses the gateway, in both
// spellings; what is no longer needed goes.
func TestTenantScripts(t *testing.T) {
	p := labPolicy(t, "lab.json")
	p.Sieve.Form = relay.SievePerTenant
	p.Mailboxes, p.Aliases = nil, nil
	p.Tenants = []relay.Tenant{
		{Name: "all", Domains: []string{"all.example", "BÜCHER.example", "out.example"}, Scope: relay.Scope{Use: relay.ScopeAll,
			Except: []string{"bob@all.example", "out.example"}}},
		{Name: "domains", Domains: []string{"in.example", "notin.example"}, Scope: relay.Scope{Use: relay.ScopeDomains,
			Domains: []string{"in.example"}}},
		{Name: "senders", Domains: []string{"some.example", "nobody.example"}, Scope: relay.Scope{Use: relay.ScopeSenders,
			Senders: []string{"alice@some.example", "carl@nobody.example"}, Except: []string{"carl@nobody.example"}}},
		{Name: "none", Domains: []string{"none.example"}, Scope: relay.Scope{Use: relay.ScopeNone}},
		{Name: "elsewhere", Domains: []string{"store.example"}, Scope: relay.Scope{Use: relay.ScopeAll}, Store: "[store.example.com]:25"},
	}
	in := relay.Installation{Files: map[string][]byte{}}
	maps.Copy(in.Files, labBase(t).Files)
	for name := range configured(in) {
		if name != "main.cf" && name != "master.cf" {
			delete(in.Files, "/etc/postfix/"+name)
		}
	}
	in.Files["/etc/postfix/main.cf"] = []byte("mynetworks = 192.0.2.1/32\nmyhostname = ox.example.com\nsmtpd_tls_cert_file = /c\nsmtpd_tls_key_file = /k\nvirtual_mailbox_domains = all.example xn--bcher-kva.example out.example in.example notin.example some.example nobody.example none.example\nvirtual_transport = lmtp:unix:private/dovecot-lmtp\nrelay_domains = store.example\n")
	c := compile(t, p, in)
	ours := c.GlobalScript().Format()
	in.Written = map[string][]byte{
		"sieve/tenants/gone.example.sieve":  ours,
		"sieve/tenants/all.example.sieve":   ours,
		"sieve/tenants/other.example.sieve": []byte("keep;\n"),
	}
	c = compile(t, p, in)
	var scripts []string
	for name, data := range emittedFiles(c) {
		if rest, ok := strings.CutPrefix(name, "sieve/"); ok {
			scripts = append(scripts, rest)
			if data != string(c.GlobalScript().Format()) || !relay.Managed("conbool", []byte(data)) {
				t.Errorf("%s:\n%s", name, data)
			}
		}
	}
	slices.Sort(scripts)
	if diff := cmp.Diff([]string{"tenants/all.example.sieve", "tenants/bücher.example.sieve", "tenants/in.example.sieve",
		"tenants/some.example.sieve", "tenants/xn--bcher-kva.example.sieve"}, scripts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	obsolete := slices.DeleteFunc(c.Obsolete(), func(name string) bool { return !strings.HasPrefix(name, "sieve/") })
	if diff := cmp.Diff([]string{"sieve/before/10-conbool.sieve", "sieve/before/10-conbool.svbin", "sieve/tenants/gone.example.sieve",
		"sieve/tenants/gone.example.svbin"}, obsolete); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r, err := relay.Remove("conbool", in)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"all.example.sieve", "all.example.svbin", "gone.example.sieve"} {
		if !slices.Contains(r.Obsolete, "sieve/tenants/"+name) {
			t.Errorf("Remove leaves %s", name)
		}
	}
	if slices.Contains(r.Obsolete, "sieve/tenants/other.example.sieve") {
		t.Error("Remove takes a script that is not ours")
	}
	commands, compiles := c.Commands(), -1
	for i, cmd := range commands {
		if cmd.String() == "sievec /etc/dovecot/sieve/tenants" {
			compiles = i
		}
	}
	if compiles < 0 || slices.IndexFunc(commands, func(c relay.Command) bool { return strings.HasSuffix(c.String(), "reload") }) < compiles {
		t.Errorf("commands: %v", commands)
	}

	// The other way: scripts by domain go when one script is for all.
	p.Sieve.Form = relay.SieveGlobal
	if o := compile(t, p, in).Obsolete(); !slices.Contains(o, "sieve/tenants/all.example.sieve") ||
		!slices.Contains(o, "sieve/tenants/all.example.svbin") || slices.Contains(o, "sieve/before/10-conbool.sieve") {
		t.Errorf("obsolete in the global form: %q", o)
	}

	p.Sieve.Form = relay.SievePerTenant
	in.Written["sieve/tenants/in.example.sieve"] = []byte("# the customer's\n")
	p.Tenants[0].Domains = append(p.Tenants[0].Domains, strings.Repeat("a.", 90)+"example")
	in.Files["/etc/postfix/main.cf"] = append(in.Files["/etc/postfix/main.cf"],
		"relay_domains = store.example "+p.Tenants[0].Domains[3]+"\n"...)
	if _, err = tryCompile(t, p, in); !errors.Is(err, relay.ErrConflict) || !errors.Is(err, headers.ErrNotExpressible) {
		t.Errorf("somebody else's script, and a long domain: %v", err)
	}
	for i := range p.Tenants {
		p.Tenants[i].Scope = relay.Scope{Use: relay.ScopeNone}
	}
	p.Tenants[0].Domains, in.Written = p.Tenants[0].Domains[:3], nil
	c = compile(t, p, in)
	for name, data := range emittedFiles(c) {
		if strings.HasPrefix(name, "sieve/") || strings.Contains(data, "sieve/tenants") {
			t.Errorf("nobody uses the gateway: %s\n%s", name, data)
		}
	}
	for _, cmd := range c.Commands() {
		if cmd.Args[0] == "sievec" {
			t.Errorf("nobody uses the gateway: %s", cmd)
		}
	}
}

// TestTenantFragment: the fragment finds the scripts, takes the place of an
// earlier form's, and is refused where Dovecot's user names have no domain.
func TestTenantFragment(t *testing.T) {
	const lmtp = "protocol lmtp {\n  mail_plugins = sieve\n%s}\n"
	tests := []struct {
		dovecot, conf, want string
		err                 error
	}{
		{"2.3", "", "  sieve_before = /etc/dovecot/sieve/tenants/%Ld.sieve\n", nil},
		{"2.3", "plugin {\n  sieve_before = /etc/dovecot/own\n}\n", "  sieve_before2 = /etc/dovecot/sieve/tenants/%Ld.sieve\n", nil},
		{"2.3", "plugin {\n  sieve_before = /etc/dovecot/sieve/before/10-conbool.sieve\n}\n",
			"  sieve_before = /etc/dovecot/sieve/tenants/%Ld.sieve\n", nil},
		{"2.3", "plugin {\n  sieve_before = /etc/dovecot/sieve/tenants/%Ld.sieve\n}\n", "  sieve_before = /etc/dovecot/sieve/tenants/%Ld.sieve\n",
			nil},
		{"2.3", "auth_username_format = %Ln\n", "", relay.ErrConflict},
		{"2.3", "auth_username_format = %n\n", "", relay.ErrConflict},
		{"2.3", "auth_username_format = %{username}\n", "", relay.ErrConflict},
		{"2.3", "auth_username_format = %Lu\n", "  sieve_before = /etc/dovecot/sieve/tenants/%Ld.sieve\n", nil},
		{"2.3", "auth_username_format = %n@%d\n", "  sieve_before = /etc/dovecot/sieve/tenants/%Ld.sieve\n", nil},
		{"2.4", "", "  path = /etc/dovecot/sieve/tenants/%{user | domain | lower}.sieve\n", nil},
		{"2.4", "sieve_script oxmailroute-conbool {\n  path = /etc/dovecot/sieve/tenants/%{user | domain | lower}.sieve\n}\n",
			"  path = /etc/dovecot/sieve/tenants/%{user | domain | lower}.sieve\n", nil},
		{"2.4", "sieve_script oxmailroute-conbool {\n  path = /etc/dovecot/sieve/before/10-conbool.sieve\n}\n",
			"  path = /etc/dovecot/sieve/tenants/%{user | domain | lower}.sieve\n", nil},
		{"2.4", "sieve_script oxmailroute-conbool {\n  path = /elsewhere\n}\n", "", relay.ErrConflict},
		{"2.4", "protocol lmtp {\n  auth_username_format = %{user | username | lower}\n}\n", "", relay.ErrConflict},
		{"2.4", "protocol lmtp {\n  auth_username_format = %{user | lower}\n}\n",
			"  path = /etc/dovecot/sieve/tenants/%{user | domain | lower}.sieve\n", nil},
		{"2.4", "auth_username_format = %{user | username}@%{user | domain}\n",
			"  path = /etc/dovecot/sieve/tenants/%{user | domain | lower}.sieve\n", nil},
	}
	for _, tt := range tests {
		p := labPolicy(t, "lab.json")
		p.Sieve, p.Server.Dovecot = relay.Sieve{Form: relay.SievePerTenant}, tt.dovecot
		in := labBase(t)
		in.Doveconf = whole(tt.dovecot+".1 (x)", fmt.Sprintf(lmtp, "")+tt.conf)
		c, err := tryCompile(t, p, in)
		if tt.err != nil {
			if !errors.Is(err, tt.err) {
				t.Errorf("%s, %q: %v", tt.dovecot, tt.conf, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s, %q: %v", tt.dovecot, tt.conf, err)
		} else if got := emittedFiles(c)["dovecot/99-conbool.conf"]; !strings.Contains(got, "\n"+tt.want) {
			t.Errorf("%s, %q:\n%s", tt.dovecot, tt.conf, got)
		}
	}
}

// TestTenantServers: mail for a tenant that uses the gateway is filed by its
// script, also under a subaddress, in another case and by an alias of another
// tenant; a tenant that doesn't has no script, not even for what comes by an
// alias of one that does, and nothing is logged.
func TestTenantServers(t *testing.T) { onSystems(t, testTenantServers) }

func testTenantServers(t *testing.T, p relay.Policy, w maillab.World) {
	p.Sieve.Form = relay.SievePerTenant
	for i := range p.Tenants {
		if !slices.Contains(p.Tenants[i].Domains, "example.com") {
			p.Tenants[i].Scope = relay.Scope{Use: relay.ScopeNone}
		}
	}
	const own = "require \"fileinto\";\nif header :contains \"subject\" \"x\" { fileinto \"Own\"; }\n"
	in := labBase(t)
	in.Files["/etc/postfix/aliases"] = append(in.Files["/etc/postfix/aliases"],
		"desk@example.net\talice@example.com\nshop@example.com\tcarol@example.net\n"...)
	in.Scripts = relay.ScriptMap{"bob@example.com": program(t, "bob", own)}
	c, site := labSite(t, p, in)
	site.Files["sieve/users/bob@example.com.sieve"] = []byte(own)
	tests := []struct {
		id, to, raw, want string
		box               string // where the alias leads
	}{
		{"spam", "alice@example.com", "X-Conbool-Flag: YES\n\n", "Spam", ""},
		{"spam-case", "Alice@Example.COM", "X-Conbool-Flag: YES\n\n", "Spam", ""},
		{"spam-extension", "alice+tag@example.com", "X-Conbool-Flag: YES\n\n", "Spam", ""},
		{"released", "alice@example.com", "X-Conbool-Flag: YES\nX-Conbool-Released: yes\n\n", "INBOX", ""},
		{"plain", "alice@example.com", "Subject: a\n\n", "INBOX", ""},
		{"own", "bob@example.com", "Subject: x\n\n", "Own", ""},
		{"before-own", "bob@example.com", "X-Conbool-Flag: YES\nSubject: x\n\n", "Spam", ""},
		{"alias-of-other", "desk@example.net", "X-Conbool-Flag: YES\n\n", "Spam", "alice@example.com"},
		{"alias-to-other", "shop@example.com", "X-Conbool-Flag: YES\n\n", "INBOX", "carol@example.net"},
		{"other-tenant", "carol@example.net", "X-Conbool-Flag: YES\n\n", "INBOX", ""},
		{"other-released", "carol@example.net", "X-Conbool-Flag: YES\nX-Conbool-Released: yes\n\n", "INBOX", ""},
	}
	var msgs []maillab.Message
	for _, tt := range tests {
		msgs = append(msgs, maillab.Message{ID: tt.id, Source: "127.0.2.1", TLS: "tls", Certificate: "conbool", From: "z@remote2.test",
			Recipients: []string{tt.to}, Raw: []byte(tt.raw)})
	}
	r := maillab.Run(t, w, site, msgs)
	for _, tt := range tests {
		d := c.Route(t.Context(), &relay.Message{Origin: c.Origin(relay.RoleGateway), From: "z@remote2.test", To: tt.to, Raw: []byte(tt.raw)})
		want := "mailbox " + tt.want
		if tt.box != "" {
			want += " <" + tt.box + ">"
		}
		if d.String() != want {
			t.Errorf("%s: Route says %s, want %s", tt.id, d, want)
		}
		if tt.id == "spam" && !strings.Contains(d.Outcomes[0].Trace.String(), "sieve/tenants/example.com.sieve") {
			t.Errorf("the trace doesn't name the tenant's script:\n%s", d.Outcomes[0].Trace)
		}
		if places := r.Messages[tt.id].Recipients[tt.to]; len(places) != 1 || places[0].Kind != maillab.KindMailbox ||
			places[0].Name != tt.want || tt.box != "" && places[0].Address != tt.box {
			t.Errorf("%s: servers %v, want %s", tt.id, places, tt.want)
		}
	}
	if len(r.Complaints) > 0 {
		t.Errorf("complaints: %v", r.Complaints)
	}
	for _, l := range r.Warnings {
		if strings.Contains(l, "sieve") {
			t.Errorf("logged: %s", l)
		}
	}
}
