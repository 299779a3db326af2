//go:build unix

package interp_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// deliver hands the message to dovecot-lda with the scripts: the last one as
// the user's, the others before it.
func deliver(o *sievetest.Oracle, tb testing.TB, message []byte, from, to string, scripts ...[]byte) executed {
	tb.Helper()
	lda := servertest.Need(tb, "dovecot-lda")
	uid, gid, name := sievetest.Owner(tb)
	o.Scripts++
	store := fmt.Sprintf("store%d", o.Scripts)
	dir := o.Mailbox(tb, store, nil)
	defer os.RemoveAll(dir)
	for _, f := range folders {
		o.Mailbox(tb, store+"/."+f, nil)
	}
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			tb.Fatal(err)
		}
		if err := os.Chown(path, uid, gid); err != nil {
			tb.Fatal(err)
		}
		return path
	}
	sent := filepath.Join(dir, "sent")
	sendmail := file("sendmail", "#!/bin/sh\n{ echo \"ARGS $*\"; cat; } >>"+sent+"\n", 0o755)
	var plugin strings.Builder
	for i, s := range scripts {
		path := file(fmt.Sprintf("%d.sieve", i), string(s), 0o644)
		switch {
		case i == len(scripts)-1:
			fmt.Fprintf(&plugin, "  sieve = file:%s\n", path)
		case i == 0:
			fmt.Fprintf(&plugin, "  sieve_before = %s\n", path)
		default:
			fmt.Fprintf(&plugin, "  sieve_before%d = %s\n", i+1, path)
		}
	}
	conf := file("dovecot.conf", fmt.Sprintf("log_path = /dev/stderr\nmail_uid = %s\nmail_gid = %d\nfirst_valid_uid = 0\nfirst_valid_gid = 0\n"+
		"mail_location = maildir:%s\nmail_home = %s\nssl = no\npostmaster_address = postmaster@example.org\nsendmail_path = %s\n"+
		"protocol lda {\n  mail_plugins = sieve\n}\nplugin {\n"+
		"  sieve_extensions = +editheader +vnd.dovecot.environment\n  sieve_env_x = y\n  sieve_env_a-b = z\n"+
		"  sieve_global = %s\n%s}\n", name, gid, dir, dir, sendmail,
		filepath.Join(o.Dir, "included"), plugin.String()), 0o644)
	msg := file("message.eml", string(message), 0o644)

	logged := runLDA(tb, lda, dir, []string{"-c", conf, "-e", "-f", from, "-a", to, "-r", to, "-p", msg}, name, uid, gid)
	out := executed{
		Failed:   strings.Contains(logged, "failed, but implicit keep was successful"),
		Rejected: strings.Contains(logged, "reject action: rejected message"),
	}
	mails, _ := os.ReadFile(sent)
	for _, line := range strings.Split(string(mails), "\n") {
		line = strings.TrimSpace(line)
		// The recipient is the last argument; answers go to the sender.
		if args, ok := strings.CutPrefix(line, "ARGS "); ok {
			if to := args[strings.Index(args, " -- ")+len(" -- "):]; to != from {
				out.Redirects = append(out.Redirects, to)
			}
		}
	}
	out.Stored = stored(tb, dir)
	slices.Sort(out.Redirects)
	return out
}

// stored lists the messages of a maildir with its folders: "mailbox FLAGS".
func stored(tb testing.TB, dir string) []string {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		tb.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(dir, ".*", "*", "*"))
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	for _, f := range append(files, more...) {
		sub := filepath.Dir(f)
		if base := filepath.Base(sub); base != "cur" && base != "new" {
			continue
		}
		box := strings.TrimPrefix(filepath.Base(filepath.Dir(sub)), ".")
		if filepath.Dir(sub) == dir {
			box = sieve.Inbox
		}
		flags := ""
		if _, letters, ok := strings.Cut(filepath.Base(f), ":2,"); ok {
			flags = strings.Map(func(r rune) rune {
				if 'a' <= r && r <= 'z' {
					return -1 // a keyword
				}
				return r
			}, letters)
		}
		out = append(out, strings.TrimSpace(box+" "+flags))
	}
	slices.Sort(out)
	return out
}

// TestSequenceServer delivers every case of the table, and generated sequences.
func TestSequenceServer(t *testing.T) {
	servertest.Need(t, "dovecot-lda")
	o := sievetest.NewOracle(t)
	for _, tt := range servertest.Part(t, sequenceCases, 5) {
		t.Run(tt.name, func(t *testing.T) {
			var scripts [][]byte
			for _, s := range tt.scripts {
				scripts = append(scripts, withRequire(s))
			}
			got := deliver(o, t, sequenceMessage, "sender@example.net", "user@example.org", scripts...)
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +Pigeonhole):\n%s", diff)
			}
		})
	}
	t.Run("generated", func(t *testing.T) {
		g := sievetest.NewGenerator(*sievetest.Seed)
		for i := range servertest.Deep(t, 6, 30) {
			var scripts [][]byte
			for range 1 + g.IntN(3) {
				s := &sieve.Script{}
				for range 1 + g.IntN(4) {
					c := g.Command(0)
					if _, ok := c.(sieve.FileInto); ok && g.Chance(10) {
						c = sieve.FileInto{Mailbox: "nosuch", Copy: g.Chance(50)}
					}
					s.Commands = append(s.Commands, c)
				}
				scripts = append(scripts, s.Format())
			}
			want := deliver(o, t, sequenceMessage, "sender@example.net", "user@example.org", scripts...)
			got := executedOf(compileSequence(t, scripts).Run(sequenceInput()))
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				for j, s := range scripts {
					t.Logf("script %d:\n%s", j, s)
				}
				t.Fatalf("sequence %d (-Pigeonhole +ours):\n%s", i, diff)
			}
		}
	})
}

// TestEnvelopeServer delivers with the senders and recipients that sieve-test
// can't be given.
func TestEnvelopeServer(t *testing.T) {
	servertest.Need(t, "dovecot-lda")
	o := sievetest.NewOracle(t)
	const head = `require ["envelope", "fileinto", "relational", "copy", "mailbox"]; `
	tests := []string{
		`envelope "from" ""`, `envelope :localpart "from" ""`, `envelope :domain "from" ""`, `envelope :contains "from" ""`,
		`envelope :matches "from" "*"`, `envelope :matches "from" "*@*"`, `envelope :count "eq" "from" "1"`,
		`envelope :comparator "i;octet" "from" "S@X.Org"`, `envelope "from" "s@x.org"`, `envelope :domain "from" "x.org"`,
		`envelope :localpart "from" ["s", "a b", "postmaster"]`, `envelope "from" "postmaster"`, `envelope "from" "\"a b\"@c"`,
		`envelope ["FROM", "To"] "r+x@y.org"`, `envelope :comparator "i;octet" "to" "r+x@Y.org"`, `envelope :localpart "to" "r+x"`,
		`envelope :count "eq" ["from", "to"] "2"`, `envelope :value "gt" "from" "q"`, `envelope :domain :matches "from" "*"`,
	}
	for _, from := range []string{"", "S@X.Org", "postmaster", `"a b"@c`} {
		// One delivery answers for all tests: a copy for each that holds.
		var src strings.Builder
		src.WriteString(head)
		var want []string
		in := sievetest.Input(sequenceMessage, from, "r+x@Y.org")
		for i, test := range tests {
			fmt.Fprintf(&src, "if %s { fileinto :copy :create \"t%d\"; }\n", test, i)
			s, err := sieve.Parse("", []byte(head+"if "+test+" { discard; }"))
			if err != nil {
				t.Fatal(err)
			}
			p, err := interp.Compile(s, interp.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if r := p.Run(in); r.Keep == interp.KeepCancelled {
				want = append(want, test)
			}
		}
		got := deliver(o, t, sequenceMessage, from, "r+x@Y.org", []byte(src.String()))
		var held []string
		for i, test := range tests {
			if slices.Contains(got.Stored, fmt.Sprintf("t%d", i)) {
				held = append(held, test)
			}
		}
		if diff := cmp.Diff(held, want); diff != "" {
			t.Errorf("sender %q: tests that hold (-Pigeonhole +ours):\n%s", from, diff)
		}
	}
}

// runLDA delivers with dovecot-lda as that user and returns what it logs.
func runLDA(tb testing.TB, lda, dir string, args []string, name string, uid, gid int) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, lda, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "USER="+name)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	var logged bytes.Buffer
	cmd.Stderr = &logged
	if err := cmd.Run(); err != nil {
		tb.Fatalf("dovecot-lda: %v\n%s", err, logged.String())
	}
	if strings.Contains(logged.String(), "Failed to compile") {
		tb.Fatalf("dovecot-lda: %s", logged.String())
	}
	return logged.String()
}
