package headers

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

const sieveConf = `mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 0
first_valid_gid = 0
mail_location = maildir:DIR/mail
ssl = no
log_path = /dev/stderr
plugin {
  sieve_extensions = +vnd.dovecot.debug
}
`

var debugLine = regexp.MustCompile(`(?m)^info: DEBUG: (.*)\.$`)

// realSieve runs the script, which must debug_log once, over all messages and
// returns what it logged for each.
func realSieve(t *testing.T, script string, messages [][]byte) []string {
	t.Helper()
	compiler, filter := servertest.Need(t, "sievec"), servertest.Need(t, "sieve-filter")
	if os.Geteuid() != 0 {
		servertest.Missing(t, "sieve-filter with a mailbox of our own needs root")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	dir, err := os.MkdirTemp("", "svx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.Chmod(dir, 0o755))
	for _, sub := range []string{"mail", "mail/cur", "mail/new", "mail/tmp"} {
		check(os.Mkdir(filepath.Join(dir, sub), 0o700))
		check(os.Chown(filepath.Join(dir, sub), uid, -1))
	}
	for i, m := range messages {
		name := filepath.Join(dir, "mail", "cur", fmt.Sprintf("%d.M1:2,S", 1000000000+i))
		check(os.WriteFile(name, m, 0o644))
		check(os.Chown(name, uid, -1))
	}
	check(os.WriteFile(filepath.Join(dir, "c"), []byte(strings.ReplaceAll(sieveConf, "DIR", dir)), 0o644))
	check(os.WriteFile(filepath.Join(dir, "s.sieve"), []byte(script), 0o644))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, compiler, "-c", filepath.Join(dir, "c"), filepath.Join(dir, "s.sieve")).CombinedOutput(); err != nil {
		t.Fatalf("sievec: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(ctx, filter, "-c", filepath.Join(dir, "c"), filepath.Join(dir, "s.sieve"), "INBOX")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("sieve-filter: %v\n%s", err, stderr.String())
	}
	var logged []string
	for _, m := range debugLine.FindAllStringSubmatch(stderr.String(), -1) {
		logged = append(logged, m[1])
	}
	if len(logged) != len(messages) {
		t.Fatalf("sieve-filter logged %d lines for %d messages:\n%.2000s", len(logged), len(messages), stderr.String())
	}
	return logged
}

// sieveValueScript logs the first value of each header, percent-encoded, or "-"
// where there is none.
func sieveValueScript(names ...string) string {
	var b strings.Builder
	b.WriteString("require [\"variables\",\"enotify\",\"vnd.dovecot.debug\"];\nset \"r\" \"\";\n")
	for _, n := range names {
		fmt.Fprintf(&b, "if header :matches %s \"*\" { set :encodeurl \"v\" \"${1}\"; set \"r\" \"${r} =${v}\"; } else { set \"r\" \"${r} -\"; }\n", strconv.Quote(n))
	}
	b.WriteString("debug_log \"${r}\";\n")
	return b.String()
}

// sieveValues reads what that script logged.
func sieveValues(t *testing.T, line string) []string {
	t.Helper()
	var values []string
	for _, w := range strings.Fields(line) {
		if w == "-" {
			values = append(values, "-")
			continue
		}
		v, err := url.PathUnescape(strings.TrimPrefix(w, "="))
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, "="+v)
	}
	return values
}
