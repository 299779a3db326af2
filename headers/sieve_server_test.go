package headers

import (
	"bytes"
	"context"
	"fmt"
	"math/rand"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
	if out, err := exec.CommandContext(ctx, compiler, "-c", filepath.Join(dir, "c"), filepath.Join(dir,
		"s.sieve")).CombinedOutput(); err != nil {
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

// TestSieveReads asks a real Pigeonhole about every case of the tables.
func TestSieveReads(t *testing.T) {
	var raws [][]byte
	for _, tt := range sieveTests {
		raws = append(raws, []byte(tt.raw))
	}
	for i, line := range realSieve(t, sieveValueScript("A", "B"), raws) {
		tt := sieveTests[i]
		if diff := cmp.Diff(sieveValues(t, line), []string{tt.a, tt.b}); diff != "" {
			t.Errorf("%s: %q (-pigeonhole +ours)\n%s", tt.name, tt.raw, diff)
		}
	}
	raws = nil
	for _, tt := range valueTests {
		raws = append(raws, []byte("A:"+tt.body+"\n\n"))
	}
	for i, line := range realSieve(t, sieveValueScript("A"), raws) {
		tt := valueTests[i]
		if diff := cmp.Diff(sieveValues(t, line), []string{"=" + tt.want}); diff != "" {
			t.Errorf("%s: %q (-pigeonhole +ours)\n%s", tt.name, tt.body, diff)
		}
	}
}

// TestSieveRandom asks it about random headers.
func TestSieveRandom(t *testing.T) {
	pieces := []string{
		"A:", "B:", " ", "\t", "\n", "\r\n", "\n ", "\n\t", "\r", "\x00", "x", "yes", "junk", ":", "\xe4", "\xc3\xa4", "\xef\xbf\xbd", "\n\n", "\nA: ", "\nB : ",
		"=?utf-8?q?y=65s?=", "=?utf-8?b?eWVz?=", "=?iso-8859-1?q?=E4_?=", "=?", "?=", "?", "=?utf-8?q?", "=?x?q?=E4=00?=", "=?utf-8?q?_?=", "=3D", "=?utf-8?q?=C3?=",
	}
	r := rand.New(rand.NewSource(1))
	var raws [][]byte
	for range servertest.Deep(t, 100, 450) {
		b := "A:"
		for n := r.Intn(12); n >= 0; n-- {
			b += pieces[r.Intn(len(pieces))]
		}
		raws = append(raws, []byte(b))
	}
	for i, line := range realSieve(t, sieveValueScript("A", "B"), raws) {
		a, b := firstValues(raws[i])
		if diff := cmp.Diff(sieveValues(t, line), []string{a, b}); diff != "" {
			t.Errorf("%q (-pigeonhole +ours)\n%s", raws[i], diff)
		}
	}
}

// TestSieveMatches asks it about the table of matches.
func TestSieveMatches(t *testing.T) {
	for _, tt := range matchTests {
		test, extensions := sieveTest(tt.predicate)
		if tt.view != Sieve || test == "" {
			continue
		}
		var raws [][]byte
		var wants []string
		for raw, want := range tt.messages() {
			raws = append(raws, []byte(raw))
			wants = append(wants, fmt.Sprint(want))
		}
		script := fmt.Sprintf("require [\"vnd.dovecot.debug\"%s];\nif %s { debug_log \"true\"; } else { debug_log \"false\"; }\n", extensions,
			test)
		for i, line := range realSieve(t, script, raws) {
			if line != wants[i] {
				t.Errorf("%s: %q: Pigeonhole says %s\n%s", tt.name, raws[i], line, script)
			}
		}
	}
}

// sieveTest is the Sieve test of a predicate and the extensions it needs, or
// "" where there is none.
func sieveTest(p Predicate) (test, extensions string) {
	quote := func(s string) string {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	list := func(values []string) string {
		var quoted []string
		for _, v := range values {
			quoted = append(quoted, quote(v))
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	all := func(word string, parts []Predicate) (string, string) {
		var tests []string
		extensions := ""
		for _, q := range parts {
			test, more := sieveTest(q)
			if test == "" {
				return "", ""
			}
			tests = append(tests, test)
			extensions += more
		}
		return word + " (" + strings.Join(tests, ", ") + ")", extensions
	}
	switch p := p.(type) {
	case Exists:
		return "exists " + quote(p.Name), ""
	case Match:
		if p.Op == Regex {
			extensions = ", \"regex\""
		}
		comparator := p.Comparator
		if comparator == "" {
			comparator = ASCIICasemap
		}
		return fmt.Sprintf("header :comparator %s :%s %s %s", quote(string(comparator)), p.Op, quote(p.Name), list(p.Values)), extensions
	case ContentType:
		if p.Param != "" {
			return "", ""
		}
		children := ":anychild "
		if p.Top {
			children = ""
		}
		return "header :mime " + children + ":contenttype \"Content-Type\" " + list(p.Types), ", \"mime\""
	case Not:
		test, extensions = sieveTest(p.Predicate)
		if test == "" {
			return "", ""
		}
		return "not " + test, extensions
	case All:
		return all("allof", p)
	case Any:
		return all("anyof", p)
	}
	return "", ""
}

// TestSieveGlobs asks it about globs, but for those that it has bugs with:
// where a "?" follows a star, or anything but the end follows the last one.
func TestSieveGlobs(t *testing.T) {
	var patterns, values []string
	for _, tt := range globTests {
		if !tt.bug {
			patterns = append(patterns, tt.pattern)
			values = append(values, append(tt.yes, tt.no...)...)
		}
	}
	slices.Sort(values)
	values = slices.Compact(values)
	var raws [][]byte
	for _, v := range values {
		raws = append(raws, []byte("A: "+v+"\n\n"))
	}
	for fold, comparator := range map[bool]Comparator{true: ASCIICasemap, false: Octet} {
		// One run for all of them: a digit for each pattern.
		script := "require [\"vnd.dovecot.debug\", \"variables\"];\nset \"all\" \"\";\n"
		for _, p := range patterns {
			test, _ := sieveTest(Match{Name: "A", Op: Matches, Values: []string{p}, Comparator: comparator})
			script += "if " + test + " { set \"all\" \"${all}1\"; } else { set \"all\" \"${all}0\"; }\n"
		}
		script += "debug_log \"${all}\";\n"
		for i, line := range realSieve(t, script, raws) {
			if len(line) != len(patterns) {
				t.Fatalf("%d answers for %d patterns: %q", len(line), len(patterns), line)
			}
			for j, p := range patterns {
				if got := CompileGlob(p, fold).Match([]byte(values[i])); got != (line[j] == '1') {
					t.Errorf("%q on %q, folding %v: %v, Pigeonhole says %c", p, values[i], fold, got, line[j])
				}
			}
		}
	}
}
