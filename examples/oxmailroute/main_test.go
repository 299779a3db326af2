package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// call runs the program as a shell would.
func call(stdin string, args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(args, strings.NewReader(stdin), &out, &errs)
	return status, out.String(), errs.String()
}

func TestDemo(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	status, out, errs := call("", "demo")
	if status != 0 || errs != "" {
		t.Fatalf("status %d: %s", status, errs)
	}
	for _, want := range []string{
		"=> RELAY [mail.conbool.com]:25", "=> MX remote.example", "=> MAILBOX Spam", "=> MAILBOX INBOX", "=> REJECT 554",
		"=> MX remote.example for partner@remote.example", "postfix/conbool_scope:3 (Tenants[0].Domains[0])",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	kept := filepath.Join(temporary, "kept")
	if status, _, errs := call("", "demo", "-out", kept); status != 0 || errs != "" {
		t.Fatalf("-out: status %d: %s", status, errs)
	}
	if _, err := os.Stat(filepath.Join(kept, "postfix/main.cf")); err != nil {
		t.Error(err)
	}
	if status, _, errs := call("", "demo", "-out", kept); status == 0 || !strings.Contains(errs, "exists") {
		t.Errorf("over what is there: status %d: %s", status, errs)
	}
}

// TestWriteRemove: what write adds, remove takes out, to the byte and the mode.
func TestWriteRemove(t *testing.T) {
	base := t.TempDir()
	before := map[string]string{}
	for _, name := range []string{"main.cf", "master.cf", "mailboxes", "aliases"} {
		data, err := os.ReadFile("testdata/base/" + name)
		if err != nil {
			t.Fatal(err)
		}
		before[name] = string(data)
		if err := os.WriteFile(filepath.Join(base, name), data, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	// What is not text of Postfix's comes along, too.
	before["mailboxes.db"] = "\x00compiled"
	if err := os.WriteFile(filepath.Join(base, "mailboxes.db"), []byte(before["mailboxes.db"]), 0o640); err != nil {
		t.Fatal(err)
	}
	before["linked"] = before["aliases"]
	if err := os.Symlink("aliases", filepath.Join(base, "linked")); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if status, _, errs := call("", "write", "-policy", "testdata/lab.json", "-base", base, "-out", dir); status != 0 || errs != "" {
		t.Fatalf("write: status %d: %s", status, errs)
	}
	for _, name := range []string{"postfix/main.cf", "postfix/mailboxes", "postfix/conbool_scope", "sieve/before/10-conbool.sieve",
		"dovecot/99-conbool.conf"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		} else if _, ofBase := before[filepath.Base(name)]; ofBase && info.Mode().Perm() != 0o640 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	// The result written over itself is the same.
	first := read(t, dir)
	if status, _, errs := call("", "write", "-policy", "testdata/lab.json", "-base", filepath.Join(dir, "postfix"), "-out", dir); status != 0 {
		t.Fatalf("write again: status %d: %s", status, errs)
	}
	if diff := cmp.Diff(first, read(t, dir)); diff != "" {
		t.Errorf("written twice (-once +twice):\n%s", diff)
	}
	if status, _, errs := call("", "remove", "-policy", "testdata/lab.json", "-base", filepath.Join(dir, "postfix"), "-out",
		dir); status != 0 || errs != "" {
		t.Fatalf("remove: status %d: %s", status, errs)
	}
	want := map[string]string{}
	for name, text := range before {
		want["postfix/"+name] = text
	}
	if diff := cmp.Diff(want, read(t, dir)); diff != "" {
		t.Errorf("removed (-before +after):\n%s", diff)
	}
}

func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestForeignFiles: a file of our name that is not ours is not written over.
func TestForeignFiles(t *testing.T) {
	for _, name := range []string{"dovecot/99-conbool.conf", "sieve/before/10-conbool.sieve"} {
		dir := t.TempDir()
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("# mine\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		status, _, errs := call("", "write", "-policy", "testdata/lab.json", "-base", "testdata/base", "-out", dir)
		if status != 2 || !strings.Contains(errs, "not generated") {
			t.Errorf("status %d: %s", status, errs)
		}
		if diff := cmp.Diff(map[string]string{name: "# mine\n"}, read(t, dir)); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	}
}

func TestRoute(t *testing.T) {
	script := filepath.Join(t.TempDir(), "fwd.sieve")
	if err := os.WriteFile(script, []byte("redirect \"out@remote1.test\";\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	common := []string{"route", "-policy", "testdata/lab.json", "-base", "testdata/base"}
	const plain, released = "Subject: x\n\nhi\n", "X-Conbool-Released: yes\n\nhi\n"
	tests := []struct {
		name, message string
		args          []string
		want          string // action, target and recipient of each outcome
	}{
		{"submission", plain, []string{"-origin", "submission", "-from", "alice@example.com", "-to", "x@remote1.test"},
			"relay [mail.conbool.com]:25 x@remote1.test"},
		{"not logged in", plain, []string{"-origin", "submission", "-auth=false", "-from", "alice@example.com", "-to", "x@remote1.test"},
			"reject 554 x@remote1.test"},
		{"null sender", plain, []string{"-origin", "internal", "-from", "", "-to", "x@remote1.test"}, "mx remote1.test x@remote1.test"},
		{"two recipients", plain, []string{"-origin", "pickup", "-from", "dave@example.org", "-to", "bob@example.com", "-to", "team@example.com"},
			"mailbox INBOX bob@example.com; mailbox INBOX bob@example.com; mx remote1.test ext@remote1.test"},
		{"gateway", released, []string{"-origin", "gateway", "-from", "z@remote2.test", "-to", "bob@example.com"},
			"mailbox INBOX bob@example.com"},
		{"gateway in the clear", released, []string{"-origin", "gateway", "-tls", "none", "-from", "z@remote2.test", "-to", "bob@example.com"},
			"reject 550 bob@example.com"},
		{"wrong certificate", released, []string{"-origin", "gateway", "-tls", "name=stranger.test", "-from", "z@remote2.test", "-to",
			"bob@example.com"}, "reject 550 bob@example.com"},
		{"another address", released, []string{"-origin", "gateway", "-client", "127.0.9.9", "-from", "z@remote2.test", "-to", "bob@example.com"},
			"reject 554 bob@example.com"},
		{"stranger", released, []string{"-origin", "internet", "-from", "z@remote2.test", "-to", "bob@example.com"},
			"reject 554 bob@example.com"},
		{"re-entry of a redirect", "X-Sieve: Pigeonhole\nX-Sieve-Redirected-From: bob@example.com\n" + released,
			[]string{"-origin", "reentry", "-from", "alice@example.com", "-to", "x@remote1.test"}, "mx remote1.test x@remote1.test"},
		{"re-entry of a notification", "X-Sieve: Pigeonhole\nDate: x\n" + released, []string{"-origin", "reentry", "-from", "alice@example.com",
			"-to", "x@remote1.test"}, "relay [mail.conbool.com]:25 x@remote1.test"},
		{"script", plain, []string{"-script", "fwd@example.com=" + script, "-origin", "internal", "-from", "alice@example.com", "-to",
			"fwd@example.com"}, "relay [mail.conbool.com]:25 out@remote1.test"},
		{"smart host without TLS", plain, []string{"-smarthost", "plaintext", "-origin", "internal", "-from", "alice@example.com", "-to",
			"x@remote1.test"}, "defer 450 x@remote1.test"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, out, errs := call(tt.message, append(append(append([]string{}, common...), tt.args...), "-")...)
			if status != 0 || errs != "" {
				t.Fatalf("status %d: %s", status, errs)
			}
			var answers []struct {
				To       string
				Outcomes []struct {
					Action, Target, To string
					Trace              []map[string]string
				}
			}
			if err := json.Unmarshal([]byte(out), &answers); err != nil {
				t.Fatalf("%v in\n%s", err, out)
			}
			var got []string
			for _, a := range answers {
				for _, o := range a.Outcomes {
					got = append(got, strings.Join([]string{o.Action, o.Target, o.To}, " "))
					if len(o.Trace) == 0 || o.Trace[0]["stage"] == "" || o.Trace[0]["note"] == "" {
						t.Errorf("no trace in\n%s", out)
					}
				}
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, "; ")); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFixtures(t *testing.T) {
	names, err := filepath.Glob("testdata/fixtures/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if status, out, errs := call("", append([]string{"test"}, names...)...); status != 0 || !strings.Contains(out, "passed, 0 failed") {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
	data, err := os.ReadFile("testdata/fixtures/out.txtar")
	if err != nil {
		t.Fatal(err)
	}
	// A fixture that wants something else fails, and shows what and why.
	dir := t.TempDir()
	abs, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(abs)); err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(dir, "fixtures", "wrong.txtar")
	text := strings.Replace(string(data), "relay [mail.conbool.com]:25", "mx remote1.test", 1)
	if err := os.WriteFile(wrong, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	status, out, _ := call("", "test", wrong)
	if status != 1 || !strings.Contains(out, "0 passed, 1 failed") || !strings.Contains(out, "conbool_scope") {
		t.Errorf("status %d: %s", status, out)
	}
}

func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.json")
	if err := os.WriteFile(bad, []byte("{\n\"Gatway\": {}}"), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"nothing", nil, "usage"},
		{"unknown command", []string{"fly"}, "usage"},
		{"unknown flag", []string{"demo", "-x"}, "flag provided but not defined"},
		{"no policy", []string{"write", "-out", out}, "-policy is missing"},
		{"no such policy", []string{"write", "-policy", "none.json", "-out", out}, "none.json"},
		{"unknown field", []string{"write", "-policy", bad, "-out", out}, "bad.json:"},
		{"no base", []string{"write", "-policy", "testdata/lab.json", "-base", dir, "-out", out}, "not a Postfix configuration"},
		{"nothing to build on", []string{"write", "-policy", "testdata/lab.json", "-out", out}, "Server.Hostname"},
		{"no message", []string{"route", "-policy", "testdata/lab.json", "-base", "testdata/base", "-origin", "pickup", "-from", "", "-to",
			"a@b.test"}, "usage"},
		{"no recipient", []string{"route", "-policy", "testdata/lab.json", "-base", "testdata/base", "-origin", "pickup", "-from", "", "-"},
			"-to"},
		{"no sender", []string{"route", "-policy", "testdata/lab.json", "-base", "testdata/base", "-origin", "pickup", "-to", "a@b.test", "-"},
			"-from"},
		{"unknown origin", []string{"route", "-policy", "testdata/lab.json", "-base", "testdata/base", "-origin", "moon", "-from", "", "-to",
			"a@b.test", "-"}, "moon"},
		{"bad client", []string{"route", "-policy", "testdata/lab.json", "-base", "testdata/base", "-origin", "internal", "-client", "x", "-from",
			"", "-to", "a@b.test", "-"}, "-client"},
		{"bad TLS", []string{"route", "-policy", "testdata/lab.json", "-base", "testdata/base", "-origin", "internal", "-tls", "x", "-from", "",
			"-to", "a@b.test", "-"}, "-tls"},
		{"bad script", []string{"route", "-policy", "testdata/lab.json", "-base", "testdata/base", "-script", "a@example.com=" + bad, "-origin",
			"internal", "-from", "", "-to", "a@b.test", "-"}, "bad.json:1:"},
		{"no such message", []string{"route", "-policy", "testdata/lab.json", "-base", "testdata/base", "-origin", "internal", "-from", "", "-to",
			"a@b.test", filepath.Join(dir, "none.eml")}, "none.eml"},
		{"no such fixture", []string{"test", filepath.Join(dir, "none.txtar")}, "none.txtar"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, stdout, errs := call("Subject: x\n\n", tt.args...)
			if status != 2 || !strings.Contains(errs, tt.want) {
				t.Errorf("status %d, want 2 and %q:\n%s%s", status, tt.want, stdout, errs)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("something was written")
			}
		})
	}
}
