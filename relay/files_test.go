package relay_test

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay"
)

func TestReadInstallation(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"main.cf": "a = b\n", "tables/x": "k v\n", "x.db": "binary"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"link": "tables/x", "broken": "nowhere", "links": "tables"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	in, err := relay.ReadInstallation(os.DirFS(dir), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Files) != 3 || string(in.Files["/etc/postfix/tables/x"]) != "k v\n" || string(in.Files["/etc/postfix/link"]) != "k v\n" {
		t.Errorf("read: %q", in.Files)
	}
	if _, err := relay.ReadInstallation(os.DirFS(filepath.Join(dir, "tables")), ""); err == nil {
		t.Error("a directory without main.cf is no error")
	}
}

// TestReadServer: from a server's root what main.cf and master.cf name is read, and
// neither keys nor passwords nor the rest of the disk.
func TestReadServer(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text), Mode: 0o644} }
	root := fstest.MapFS{
		"opt/pf/main.cf": file("myorigin = /etc/mailname\nvirtual_alias_maps = hash:${config_directory}/aliases, proxy:hash:/srv/virtual, mysql:/etc/db.cf\n" +
			"own = regexp:/srv/rx\nheader_checks = $own\nvirtual_mailbox_domains = example.com !/srv/domains\nsmtp_sasl_password_maps = hash:/srv/sasl\n" +
			"smtpd_tls_key_file = /srv/key.pem\nsmtpd_client_restrictions = check_client_access {cidr:/srv/clients, default_action=reject}\ntransport_maps = unionmap:{hash:/srv/t1, texthash:/srv/t2, hash:/srv/missing}\n"),
		"opt/pf/master.cf": file("smtp inet n - n - - smtpd\n -o smtpd_sender_restrictions=check_sender_access,hash:/srv/senders\n"),
		"opt/pf/aliases":   file("a b\n"),
		"etc/mailname":     file("mail.example.com\n"),
		"etc/aliases":      file("root: bob\n"),
	}
	for _, name := range []string{"virtual", "rx", "domains", "sasl", "key.pem", "clients", "t1", "t2", "senders", "other"} {
		root["srv/"+name] = file("x y\n")
	}
	root["etc/db.cf"] = file("password = x\n")
	in, err := relay.ReadServer(root, "/opt/pf/")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/etc/aliases", "/etc/mailname", "/opt/pf/aliases", "/opt/pf/main.cf", "/opt/pf/master.cf",
		"/srv/clients", "/srv/domains", "/srv/rx", "/srv/senders", "/srv/t1", "/srv/t2", "/srv/virtual"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(in.Files))); diff != "" || in.ConfigDirectory != "/opt/pf" {
		t.Errorf("%s: %s", in.ConfigDirectory, diff)
	}
	if _, err := relay.ReadServer(root, ""); err == nil {
		t.Error("no main.cf in /etc/postfix, and no error")
	}
}

// TestFilesByPath: files elsewhere count as those of the configuration directory
// do, and a configuration that lies elsewhere is not overlooked.
func TestFilesByPath(t *testing.T) {
	in := labBase(t)
	const main = "/etc/postfix/main.cf"
	in.Files[main] = bytes.ReplaceAll(in.Files[main], []byte("hash:/etc/postfix/mailboxes"), []byte("hash:/srv/mailboxes"))
	in.Files["/srv/mailboxes"] = in.Files["/etc/postfix/mailboxes"]
	delete(in.Files, "/etc/postfix/mailboxes")
	c := compile(t, labPolicy(t, "lab.json"), in)
	for to, want := range map[string]string{"bob@example.com": "mailbox INBOX", "nobody@example.com": "reject 550"} {
		d := c.Route(t.Context(), &relay.Message{Origin: c.Origin(relay.RoleGateway), From: "z@remote2.test", To: to, Raw: hello})
		if d.String() != want || len(d.Assumptions) > 0 {
			t.Errorf("%s: %s, hangs on %v", to, d, d.Assumptions)
		}
	}
	for _, alter := range []func(p *relay.Policy, in *relay.Installation){
		func(p *relay.Policy, in *relay.Installation) { in.ConfigDirectory = "/opt/pf" },
		func(p *relay.Policy, in *relay.Installation) { p.Server.ConfigDirectory = "/opt/pf" },
		func(p *relay.Policy, in *relay.Installation) { in.Files["main.cf"] = nil },
		func(p *relay.Policy, in *relay.Installation) {
			p.Server.ConfigDirectory, in.ConfigDirectory = "/opt/pf", "/etc/postfix"
		},
	} {
		p, in := labPolicy(t, "lab.json"), labBase(t)
		alter(&p, &in)
		if _, err := tryCompile(t, p, in); !errors.Is(err, relay.ErrConflict) && !errors.Is(err, relay.ErrInvalid) {
			t.Errorf("%s, %s: %v", p.Server.ConfigDirectory, in.ConfigDirectory, err)
		}
	}
}

// TestGivenTables: a table that nobody can read here is known by its rows, or asked.
func TestGivenTables(t *testing.T) {
	rows := postfix.Table{{Key: "bob@example.com", Value: "x"}}
	for name, given := range map[string]relay.Table{"rows": {Rows: rows}, "map": {Map: rows.Index()}} {
		in := labBase(t)
		const main = "/etc/postfix/main.cf"
		in.Files[main] = bytes.ReplaceAll(in.Files[main], []byte("hash:/etc/postfix/mailboxes"), []byte("proxy:pgsql:/etc/postfix/m.cf"))
		in.Tables = map[string]relay.Table{"proxy:pgsql:/etc/postfix/m.cf": given}
		c := compile(t, labPolicy(t, "lab.json"), in)
		for to, want := range map[string]string{"bob@example.com": "mailbox INBOX", "alice@example.com": "reject 550"} {
			d := c.Route(t.Context(), &relay.Message{Origin: c.Origin(relay.RoleGateway), From: "z@remote2.test", To: to, Raw: hello})
			if d.String() != want || len(d.Assumptions) > 0 {
				t.Errorf("%s, %s: %s, hangs on %v", name, to, d, d.Assumptions)
			}
		}
		in = labBase(t)
		in.Files[main] = append(in.Files[main], "\nheader_checks = pgsql:/etc/postfix/h.cf\n"...)
		in.Tables = map[string]relay.Table{"pgsql:/etc/postfix/h.cf": {Rows: postfix.Table{{Key: "x", Value: "PASS"}}}}
		if _, err := tryCompile(t, labPolicy(t, "lab.json"), in); !errors.Is(err, relay.ErrConflict) || !strings.Contains(err.Error(), "PASS") {
			t.Errorf("a PASS among the rows: %v", err)
		}
	}
	in := labBase(t)
	const main = "/etc/postfix/main.cf"
	in.Files[main] = bytes.ReplaceAll(bytes.ReplaceAll(in.Files[main], []byte("myhostname = ox.example.com\n"), nil),
		[]byte("mydestination = localhost"), []byte("mydestination = $myhostname, localhost"))
	in.Files[main] = bytes.ReplaceAll(in.Files[main], []byte(", example.net"), nil)
	p := labPolicy(t, "lab.json")
	p.Server.Hostname = ""
	if _, err := tryCompile(t, p, in); err == nil || !strings.Contains(err.Error(), "Installation.Nodename") {
		t.Errorf("without the system's name: %v", err)
	}
	in.Nodename = "example.net"
	if _, err := tryCompile(t, p, in); err != nil {
		t.Errorf("with it: %v", err)
	}
}
