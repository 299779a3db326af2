package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/managesievetest"
)

// TestSyncDovecot: in and out through Dovecot, with its certificate verified,
// by STARTTLS and by TLS from the first byte.
func TestSyncDovecot(t *testing.T) {
	d := managesievetest.StartDovecot(t, "")
	boxes := []string{"alice@example.com", "bob@example.com", "torn@example.com"}
	scripts := map[string]string{"alice@example.com": oxScript, "bob@example.com": oxScript, "torn@example.com": "if true {\r\n"}
	for _, box := range boxes {
		if err := d.Put(box, "Open-Xchange", []byte(scripts[box]), true); err != nil {
			t.Fatal(err)
		}
	}
	policy := ownScripts(t)
	_, with, _ := call(oxScript, "script", "-policy", policy, "-")
	password := writeFile(t, "password", d.Password+"\n", 0o600)
	login := []string{"sync", "-policy", policy, "-user", d.Master, "-password-file", password}
	starttls := append(login, "-tls-name", "localhost", "-ca", d.AuthorityFile(), "-server", d.Addr)
	implicit := append(login[:len(login):len(login)], "-tls-name", "localhost", "-ca", d.AuthorityFile(), "-implicit-tls", "-server",
		d.TLSAddr)
	steps := []struct {
		name   string
		args   []string
		status int
		want   string // alice's script
		out    string
	}{
		{"an authority nobody knows", append(login[:len(login):len(login)], "-server", d.Addr, "-tls-name", "localhost", "alice@example.com"), 1,
			oxScript, "certificate"},
		{"another name", append(login[:len(login):len(login)], "-server", d.Addr, "-ca", d.AuthorityFile(), "-tls-name", "other.example",
			"alice@example.com"), 1, oxScript, "certificate"},
		{"a dry run", append(starttls[:len(starttls):len(starttls)], "-n", "alice@example.com"), 0, oxScript, "1 updated"},
		{"in", append(starttls[:len(starttls):len(starttls)], boxes...), 1, with, "3 mailboxes: 1 updated, 1 unchanged, 1 failed"},
		{"again", append(implicit[:len(implicit):len(implicit)], boxes[:2]...), 0, with, "2 mailboxes: 2 unchanged"},
		{"out", append(implicit[:len(implicit):len(implicit)], "-remove", "alice@example.com", "bob@example.com"), 0, oxScript,
			"1 updated, 1 unchanged"},
	}
	for _, tt := range steps {
		status, out, errs := call("", tt.args...)
		if status != tt.status || !strings.Contains(out, tt.out) {
			t.Errorf("%s: %d, no %q in\n%s%s", tt.name, status, tt.out, out, errs)
		}
		got, active, err := d.Get("alice@example.com", "Open-Xchange")
		if err != nil || !active {
			t.Fatalf("%s: active %v, %v", tt.name, active, err)
		}
		if diff := cmp.Diff(tt.want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if got, _, err := d.Get("torn@example.com", "Open-Xchange"); err != nil || string(got) != scripts["torn@example.com"] {
		t.Errorf("the torn script: %q %v", got, err)
	}
}
