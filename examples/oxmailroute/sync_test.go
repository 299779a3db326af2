package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/managesievetest"
	"github.com/oxmailroute/oxmailroute/sieve/provision"
)

// listen serves a server in memory on loopback.
func listen(t *testing.T, s *managesievetest.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.Serve(conn)
		}
	}()
	return l.Addr().String()
}

// TestSync: rules go where the policy has them, come out again, and a failed
// mailbox is reported beside the others.
func TestSync(t *testing.T) {
	s := &managesievetest.Server{Master: "master", Password: "secret", Check: func(script []byte) (string, error) {
		if bytes.Contains(script, []byte("refuse me")) && bytes.Contains(script, []byte("X-Conbool-Released")) {
			return "", errors.New("line 1: refused")
		}
		return "", nil
	}}
	scripts := map[string]string{
		"alice@example.com": oxScript, "bob@example.com": oxScript, "carol@example.net": "keep;\r\n",
		"torn@example.com": "if true {\r\n", "refused@example.com": "# refuse me\r\nkeep;\r\n", "dave@example.org": "keep;\r\n",
	}
	reset := func() {
		for box, script := range scripts {
			s.Put(box, "Open-Xchange", []byte(script), true)
		}
	}
	reset()
	now := func(box string) string {
		script, _ := s.Get(box, "Open-Xchange")
		return string(script)
	}
	policy := ownScripts(t)
	password := writeFile(t, "password", "secret\n", 0o600)
	command := func(args ...string) []string {
		return append([]string{"sync", "-policy", policy, "-server", listen(t, s), "-cleartext", "-user", "master", "-password-file", password},
			args...)
	}
	list := writeFile(t, "mailboxes", "# all of them\nalice@example.com\n\n bob@example.com # has none\ncarol@example.net\r\n", 0o600)

	const changed = `alice@example.com: updated "Open-Xchange"`
	status, out, errs := call("", command("-mailboxes", list, "-n")...)
	if status != 0 || errs != "" || !strings.Contains(out, changed) || now("alice@example.com") != oxScript {
		t.Fatalf("-n: %d\n%s%s", status, out, errs)
	}
	status, out, errs = call("", command("-mailboxes", list)...)
	if status != 0 || errs != "" || !strings.Contains(out, changed) || !strings.HasSuffix(out, "\n3 mailboxes: 2 updated, 1 unchanged\n") {
		t.Fatalf("%d\n%s%s", status, out, errs)
	}
	_, want, _ := call(oxScript, "script", "-policy", policy, "-")
	if diff := cmp.Diff(want, now("alice@example.com")); diff != "" {
		t.Errorf("alice's script isn't what the command script makes:\n%s", diff)
	}
	if now("bob@example.com") != oxScript {
		t.Error("bob's script was changed")
	}
	puts := s.Puts()
	if status, out, _ = call("alice@example.com\ncarol@example.net", command("-mailboxes", "-", "bob@example.com")...); status != 0 ||
		s.Puts() != puts || !strings.HasSuffix(out, "\n3 mailboxes: 3 unchanged\n") {
		t.Errorf("a second run: %d, %d stored\n%s", status, s.Puts()-puts, out)
	}
	status, out, errs = call("", command("alice@example.com", "torn@example.com", "refused@example.com", "nobody@example.com",
		"dave@example.org", "-parallel", "2", "x@elsewhere.example")...)
	if status != 1 || errs != "" {
		t.Errorf("status %d: %s", status, errs)
	}
	for _, want := range []string{
		"alice@example.com: unchanged\n", "torn@example.com: failed: ", "torn@example.com:2:1", "refused@example.com: failed: ",
		"line 1: refused",
		"nobody@example.com: no script\n", "dave@example.org: unchanged\n", "x@elsewhere.example: ", "\n6 mailboxes: 2 unchanged, ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, box := range []string{"torn@example.com", "refused@example.com", "dave@example.org"} {
		if now(box) != scripts[box] {
			t.Errorf("%s was changed:\n%s", box, now(box))
		}
	}
	if status, out, errs = call("", command("-remove", "-mailboxes", list)...); status != 0 || errs != "" {
		t.Errorf("-remove: %d\n%s%s", status, out, errs)
	}
	for _, box := range []string{"alice@example.com", "bob@example.com", "carol@example.net"} {
		if diff := cmp.Diff(scripts[box], now(box)); diff != "" {
			t.Errorf("-remove leaves something with %s:\n%s", box, diff)
		}
	}

	// Rules that the user has moved down are reported with the mailbox.
	moved := "if true { discard; stop; }\r\n" + want
	s.Put("alice@example.com", "Open-Xchange", []byte(strings.Replace(moved, "require [", "#", 1)), true)
	_, with, _ := call("keep;\n", "script", "-policy", policy, "-")
	s.Put("carol@example.net", "Open-Xchange", []byte(strings.Replace(with, "## Flag: oxmailroute",
		"## Flag: |UniqueId:9|Rulename: Mine\nif true { discard; stop; }\n## Flag: oxmailroute", 1)), true)
	if status, _, errs = call("", command("carol@example.net")...); status != 0 || !strings.Contains(errs,
		`carol@example.net:4: rule "Mine": `) {
		t.Errorf("%d: no finding in %q", status, errs)
	}

	// A named script that is not there, or not active.
	s.Put("erin@example.com", "other", []byte("keep;\r\n"), true)
	s.Put("erin@example.com", "Open-Xchange", []byte("discard;\r\n"), false)
	if status, out, _ = call("", command("-script", "Open-Xchange", "erin@example.com")...); status != 1 ||
		now("erin@example.com") != "discard;\r\n" {
		t.Errorf("an inactive script: %d\n%s", status, out)
	}
	if status, out, _ = call("", command("-script", "Open-Xchange", "-inactive", "named", "erin@example.com")...); status != 0 ||
		!strings.Contains(out, "is not active") || !strings.Contains(now("erin@example.com"), "X-Conbool") {
		t.Errorf("-inactive named: %d\n%s", status, out)
	}
	if status, out, _ = call("", command("-create", "-activate", "frank@example.com")...); status != 0 ||
		!strings.Contains(out, "frank@example.com: created") || s.Active("frank@example.com") != "Open-Xchange" {
		t.Errorf("-create: %d\n%s", status, out)
	}
}

// TestSyncBadInput: what can't be done is said before the first connection.
func TestSyncBadInput(t *testing.T) {
	policy := ownScripts(t)
	password, empty := writeFile(t, "password", "secret", 0o600), writeFile(t, "empty", "\n", 0o600)
	login := []string{"-server", "127.0.0.1:1", "-user", "master", "-password-file", password}
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"-policy", policy, "a@example.com"}, "-server, -user and -password-file"},
		{append([]string{"-policy", policy}, login...), "no mailboxes"},
		{append([]string{"a@example.com"}, login...), "-policy is missing"},
		{append([]string{"-policy", policy, "-inactive", "what", "a@example.com"}, login...), "-inactive"},
		{append([]string{"-policy", policy, "-cleartext", "-implicit-tls", "a@example.com"}, login...), "-cleartext"},
		{append([]string{"-policy", policy, "-ca", password, "a@example.com"}, login...), "no certificate"},
		{append([]string{"-policy", policy, "-ca", "/nonexistent", "a@example.com"}, login...), "/nonexistent"},
		{append([]string{"-policy", policy, "-mailboxes", "/nonexistent"}, login...), "/nonexistent"},
		{append([]string{"-policy", policy, "a@example.com", "a@example.com"}, login...), "a@example.com"},
		{[]string{"-policy", policy, "-server", "127.0.0.1:1", "-user", "m", "-password-file", empty, "a@example.com"}, "first line is empty"},
		{append([]string{"-policy", policy, "-parallel", "-1", "a@example.com"}, login...), "arallel"},
		{[]string{"-nosuch"}, "nosuch"},
	}
	for _, tt := range tests {
		if status, out, errs := call("", append([]string{"sync"}, tt.args...)...); status != 2 || out != "" || !strings.Contains(errs, tt.want) {
			t.Errorf("%v: %d %q %q, want 2 and %q", tt.args, status, out, errs, tt.want)
		}
	}
}

// TestSyncPassword: a password that everybody can read is told.
func TestSyncPassword(t *testing.T) {
	s := server{passwordFile: writeFile(t, "password", "päss word\r\nmore\n", 0o600)}
	var errs strings.Builder
	if p, err := s.password(&errs); p != "päss word" || err != nil || errs.Len() > 0 {
		t.Errorf("%q %v %q", p, err, errs.String())
	}
	if err := os.Chmod(s.passwordFile, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.password(&errs); err != nil || !strings.Contains(errs.String(), "chmod o-r") {
		t.Errorf("%v %q", err, errs.String())
	}
}

// TestProgress: a line now and then, and on a terminal one that is written over.
func TestProgress(t *testing.T) {
	const ours = "10 of 40 mailboxes, 10 failed, 1 a second, 30s left"
	for _, terminal := range []bool{false, true} {
		var out strings.Builder
		at := time.Unix(0, 0)
		p := newProgress(&out, 40)
		p.now, p.start, p.last, p.terminal = func() time.Time { return at }, at, at, terminal
		for i := range 15 {
			at = at.Add(time.Second)
			p.tell(provision.Progress{Done: i + 1, Total: 40, Report: provision.Report{Outcome: provision.Failed}})
		}
		p.end()
		want := ours + "\n"
		if terminal {
			want = "\r" + ours + "\x1b[K\r\x1b[K"
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("terminal %v (-want +got):\n%s", terminal, diff)
		}
	}
}
