package relay_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay"
)

// TestIndexType: generated tables are of the kind that the installation's postmap
// makes, in the configuration, in the commands and in what is obsolete later.
func TestIndexType(t *testing.T) {
	for _, tt := range []struct{ main, given, want string }{
		{"", "", "hash"}, {"default_database_type = lmdb\n", "", "lmdb"}, {"default_database_type = cdb\n", "", "cdb"},
		{"kind = btree\ndefault_database_type = $kind\n", "", "btree"}, {"", "lmdb\n", "lmdb"}, {"default_database_type = hash\n", "lmdb",
			"lmdb"},
		{"default_database_type = texthash\n", "", "hash"}, {"", "berkeley", ""},
	} {
		in := withMain(tt.main, nil)(t)
		in.DatabaseType = tt.given
		p := labPolicy(t, "lab.json")
		p.Direct = []string{"remote2.test"}
		c, err := tryCompile(t, p, in)
		if tt.want == "" {
			if !errors.Is(err, relay.ErrInvalid) || !strings.Contains(err.Error(), "Installation.DatabaseType") {
				t.Errorf("%q: %v", tt.given, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		main := emitted(t, c, "postfix/main.cf")
		for _, file := range []string{"conbool_scope", "conbool_transport"} {
			name := tt.want + ":/etc/postfix/" + file
			if !strings.Contains(main, "_maps = "+name) {
				t.Errorf("%q: main.cf has no %s", tt.main, name)
			}
			if !slices.ContainsFunc(c.Commands(), func(cmd relay.Command) bool { return cmd.String() == "postmap -c /etc/postfix "+name }) {
				t.Errorf("%q: no command for %s", tt.main, name)
			}
		}
		d := c.Route(t.Context(), &relay.Message{Origin: relay.Origin{Role: relay.FromPickup}, From: "alice@example.com", To: "x@remote1.test",
			Raw: hello})
		if d.String() != "relay [mail.conbool.com]:25" {
			t.Errorf("%q: %s", tt.main, d)
		}
		for _, f := range c.Files() {
			in.Files["/etc/"+f.Name] = f.Data
		}
		r, err := relay.Remove("conbool", in)
		if err != nil {
			t.Fatal(err)
		}
		suffix := map[string]string{"lmdb": ".lmdb", "cdb": ".cdb"}[tt.want]
		if suffix == "" {
			suffix = ".db"
		}
		if !slices.Contains(r.Obsolete, "postfix/conbool_scope"+suffix) {
			t.Errorf("%q: obsolete %q", tt.main, r.Obsolete)
		}
	}
}

// TestIndexTypeFromNothing: what is written for an empty server stays of one kind
// in later runs, which know main.cf alone.
func TestIndexTypeFromNothing(t *testing.T) {
	p := labPolicy(t, "lab.json")
	p.Server.Hostname, p.Server.CertFile, p.Server.KeyFile = "ox.example.com", "/etc/ssl/ox.pem", "/etc/ssl/ox.key"
	p.Mailboxes = []string{"alice@example.com"}
	first := compile(t, p, relay.Installation{DatabaseType: "lmdb"})
	in := relay.Installation{Files: map[string][]byte{}}
	for _, f := range first.Files() {
		if name, ok := strings.CutPrefix(f.Name, "postfix/"); ok {
			in.Files["/etc/postfix/"+name] = f.Data
		}
	}
	for _, given := range []string{"", "lmdb", "btree"} {
		in.DatabaseType = given
		second := compile(t, p, in)
		text := emitted(t, second, "postfix/main.cf")
		for _, cmd := range second.Commands() {
			if len(cmd.Args) == 4 && cmd.Args[0] == "postmap" && !strings.Contains(text, cmd.Args[3]) {
				t.Errorf("%q: %s, which main.cf doesn't name", given, cmd)
			}
		}
		if !strings.Contains(text, "virtual_mailbox_maps = lmdb:/etc/postfix/conbool_mailboxes") || strings.Contains(text, "hash:") {
			t.Errorf("%q:\n%s", given, text)
		}
	}
}

// TestIndexTypeServers: an installation whose tables are all lmdb: takes and
// sends mail as the one with hash: does.
func TestIndexTypeServers(t *testing.T) { onSystems(t, testIndexTypeServers) }

func testIndexTypeServers(t *testing.T, p relay.Policy, w maillab.World) {
	in := withMain("default_database_type = lmdb\n", nil)(t)
	for name, data := range in.Files {
		in.Files[name] = []byte(strings.ReplaceAll(string(data), "hash:", "lmdb:"))
	}
	p.Inbound.Shared = true // more tables
	p.Tenants[1].Scope = relay.Scope{Use: relay.ScopeNone}
	c, site := labSite(t, p, in)
	if text := emitted(t, c, "postfix/main.cf") + emitted(t, c, "postfix/master.cf"); strings.Contains(text, "hash:") ||
		strings.Count(text, "lmdb:") < 4 {
		t.Fatalf("hash: in\n%s", text)
	}
	var msgs []maillab.Message
	for _, m := range [][3]string{{"internal", "alice@example.com", "x@remote1.test"}, {"internal", "z@remote2.test", "y@remote1.test"},
		{"gateway", "z@remote2.test", "bob@example.com"}} {
		l := waysIn[m[0]].lab
		l.ID, l.From, l.Recipients, l.Raw = m[0]+m[1][:1], m[1], []string{m[2]}, hello
		msgs = append(msgs, l)
	}
	r := maillab.Run(t, w, site, msgs)
	for i, want := range []string{"smarthost", "mx", "mailbox"} {
		if got := kinds(r.Messages[msgs[i].ID], msgs[i].Recipients[0]); got != want {
			t.Errorf("%s: %s, want %s", msgs[i].ID, got, want)
		}
	}
	for _, line := range r.Complaints {
		t.Logf("complaint: %s", line)
	}
}

// TestUnnamedTables: a table that is given or vouched for, and that nothing
// names, is told of with what could be meant.
func TestUnnamedTables(t *testing.T) {
	const lines = "virtual_alias_maps = hash:/etc/postfix/aliases, proxy:pgsql:$config_directory/alias.cf\n" +
		"smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service inet:127.0.0.1:10023\n"
	for table, want := range map[string]string{
		"proxy:pgsql:/etc/postfix/alias.cf":         "",
		"check_policy_service inet:127.0.0.1:10023": "",
		"hash:/etc/aliases":                         "", // by default
		"pgsql:/etc/postfix/alias.cf":               "", // what is behind proxy:
		"proxy:pgsql:/etc/postfix/aliass.cf":        "write proxy:pgsql:/etc/postfix/alias.cf,",
		"hash:/etc/postfix/alias":                   "write hash:/etc/postfix/aliases,",
		"check_policy_service inet:127.0.0.1:10024": "write check_policy_service inet:127.0.0.1:10023,",
		"ldap:/nothing/of/the/kind/here":            "correct or remove it",
	} {
		in := withMain(lines, nil)(t)
		in.Tables = map[string]relay.Table{"proxy:pgsql:/etc/postfix/alias.cf": {Rows: postfix.Table{}},
			"check_policy_service inet:127.0.0.1:10023": {Harmless: true}}
		if _, ok := in.Tables[table]; !ok {
			in.Tables[table] = relay.Table{Harmless: true}
		}
		c := compile(t, labPolicy(t, "lab.json"), in)
		told := ""
		for _, w := range c.Warnings() {
			if w.Position.String() == "Installation.Tables" {
				told += w.Text
			}
		}
		if (want == "") != (told == "") || !strings.Contains(told, want) {
			t.Errorf("%s: %q, want %q", table, told, want)
		}
	}
	// Where the misspelt one is why Compile fails, it is among the errors.
	in := withMain("header_checks = pcre:/etc/postfix/elsewhere/checks\n", nil)(t)
	in.Tables = map[string]relay.Table{"pcre:/etc/postfix/elsewhere/check": {Harmless: true}}
	_, err := tryCompile(t, labPolicy(t, "lab.json"), in)
	if err == nil || !strings.Contains(err.Error(), "Installation.Tables") || !strings.Contains(err.Error(),
		"write pcre:/etc/postfix/elsewhere/checks,") {
		t.Errorf("error %v", err)
	}
}
