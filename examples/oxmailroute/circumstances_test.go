package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a script's outcome depends on besides the message: each flag changes it.
func TestSieveCircumstances(t *testing.T) {
	const message = "From: alice@example.net\nTo: bob@example.org\nSubject: hello\nMessage-ID: <1@example.net>\nX-Spam-Score: 5\n\nbody\n"
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("mine/part.sieve", "redirect \"mine@example.org\";")
	write("all/part.sieve", "redirect \"all@example.org\";")
	write("mine/broken.sieve", "keep;\nfrobnicate;\n")
	needs := func(extensions, text string) string { return "require [" + extensions + "];\n" + text }
	redirect := func(test string) string { return "if " + test + " { redirect \"yes@example.org\"; }" }
	included := needs(`"include"`, `include :personal "part"; include :global "part";`)
	both := []string{"-include", filepath.Join(dir, "mine"), "-include-global", filepath.Join(dir, "all")}
	for _, tt := range []struct {
		name, script string
		args         []string
		want, not    string
	}{
		{"mailboxes, all", needs(`"mailbox"`, redirect(`mailboxexists "Spam"`)), nil, "yes@example.org", ""},
		{"mailboxes, not that one", needs(`"mailbox"`, redirect(`mailboxexists "Spam"`)), []string{"-mailbox", "Junk"}, "", "yes@example.org"},
		{"mailboxes, that one", needs(`"mailbox"`, redirect(`mailboxexists ["Spam", "INBOX"]`)),
			[]string{"-mailbox", "Junk", "-mailbox", "Spam"}, "yes@example.org", ""},
		{"missing mailbox", needs(`"fileinto"`, `fileinto "Spam";`), []string{"-mailbox", "Junk"}, `"error": "`, `"error": null`},
		{"missing mailbox, made", needs(`"fileinto"`, `fileinto "Spam";`), []string{"-mailbox", "Junk", "-autocreate"}, `"error": null`, ""},
		{"special use", needs(`"special-use"`, redirect(`specialuse_exists "\\junk"`)), []string{"-special-use", `\Junk=Spam`}, "yes@example.org",
			""},
		{"no special use", needs(`"special-use"`, redirect(`specialuse_exists "\\junk"`)), nil, "", "yes@example.org"},
		{"annotation", needs(`"mboxmetadata"`, redirect(`metadata "INBOX" "/private/x" "1"`)), []string{"-annotation", "INBOX:/private/x=1"},
			"yes@example.org", ""},
		{"annotation of the server", needs(`"servermetadata"`, redirect(`servermetadata "/shared/x" "1"`)),
			[]string{"-annotation", ":/shared/x=1"}, "yes@example.org", ""},
		{"included", included, both, "mine@example.org", ""},
		{"included, global", included, both, "all@example.org", ""},
		{"clock", needs(`"date", "relational"`, redirect(`currentdate :zone "+0100" "hour" "15"`)), []string{"-now", "2026-11-30T14:10:00Z"},
			"yes@example.org", ""},
		{"environment", needs(`"environment"`, redirect(`environment "location" "MTA"`)), []string{"-env", "location=MTA"}, "yes@example.org",
			""},
		{"spamtest", needs(`"spamtest", "relational", "comparator-i;ascii-numeric"`,
			redirect(`spamtest :value "ge" :comparator "i;ascii-numeric" "9"`)),
			[]string{"-spam", "0.95"}, "yes@example.org", ""},
		{"virustest", needs(`"virustest"`, redirect(`virustest "5"`)), []string{"-virus", "1"}, "yes@example.org", ""},
		{"auth", needs(`"envelope"`, redirect(`envelope "auth" "bob"`)), []string{"-auth", "bob"}, "yes@example.org", ""},
		{"delimiter", needs(`"envelope", "subaddress"`, redirect(`envelope :detail "to" "x"`)), []string{"-delimiter", "_"}, "yes@example.org",
			""},
		{"redirects", `redirect "a@example.org"; redirect "b@example.org";`, []string{"-max-redirects", "1"}, `"error": "`, ""},
		{"settings", needs(`"fileinto"`, `fileinto "a..b";`), []string{"-doveconf", write("doveconf",
			"# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf\nmail_location = maildir:~/Maildir\n")}, `"error": "`, ""},
		{"settings, of 2.4", needs(`"variables"`, redirect(`string "a" "A"`)), []string{"-doveconf",
			write("doveconf24", "# 2.4.1-4 (7d8c0e5759): /etc/dovecot/dovecot.conf\n")}, "yes@example.org", ""},
		{"actions", needs(`"fileinto"`, `fileinto "A"; fileinto "B";`), []string{"-max-actions", "1"}, `"error": "`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			script := scriptFile(t, "x.sieve", tt.script)
			args := append([]string{"sieve", "-script", script, "-from", "alice@example.net", "-to", "bob_x@example.org"}, tt.args...)
			status, out, errs := call(message, append(args, "-")...)
			if status != 0 || errs != "" {
				t.Fatalf("status %d: %s", status, errs)
			}
			if !strings.Contains(out, tt.want) || tt.not != "" && strings.Contains(out, tt.not) {
				t.Errorf("want %q, and not %q, in\n%s", tt.want, tt.not, out)
			}
		})
	}
	t.Run("memory", func(t *testing.T) {
		file := filepath.Join(dir, "memory.json")
		script := scriptFile(t, "x.sieve", needs(`"duplicate", "vacation"`, "if duplicate { discard; stop; } vacation \"away\";"))
		run := func(now, message string) (actions string) {
			t.Helper()
			status, out, errs := call(message, "sieve", "-script", script, "-memory", file, "-now", now, "-from", "alice@example.net", "-to",
				"bob@example.org", "-")
			if status != 0 {
				t.Fatalf("status %d: %s", status, errs)
			}
			var d struct {
				Actions []struct{ Action, Why string }
			}
			if err := json.Unmarshal([]byte(out), &d); err != nil {
				t.Fatal(err)
			}
			for _, a := range d.Actions {
				actions += a.Action + " " + a.Why + ";"
			}
			return actions
		}
		other := strings.Replace(message, "<1@", "<2@", 1)
		for _, step := range []struct{ now, message, want string }{
			{"2026-11-30T12:00:00Z", message, "vacation ;"},
			{"2026-11-30T12:00:01Z", message, "discard ;"},
			{"2026-11-30T12:00:02Z", other, "vacation "}, // not sent again
			{"2027-03-01T12:00:00Z", message, "vacation ;"},
		} {
			got := run(step.now, step.message)
			if !strings.HasPrefix(got, step.want) || step.message == other && got == "vacation ;" {
				t.Errorf("%s: %q, want %q", step.now, got, step.want)
			}
		}
		if err := os.WriteFile(file, []byte("{\"x\": \"2026-11-30T12:00:00Z\"}"), 0o600); err != nil {
			t.Fatal(err)
		}
		status, out, errs := call(message, "sieve", "-script", script, "-memory", file, "-from=", "-to", "b@example.org", "-")
		if status != 2 || out != "" || !strings.Contains(errs, file) {
			t.Errorf("a file that is no memory: status %d, %s%s", status, out, errs)
		}
	})
	t.Run("refused", func(t *testing.T) {
		script := scriptFile(t, "x.sieve", "keep;")
		status, out, errs := call(message, "sieve", "-script", script, "-from=", "-to", "b@example.org", "-now", "noon", "-env", "x", "-spam",
			"2",
			"-special-use", "Junk=Spam", "-annotation", "x=1", "-include", "/nonexistent", "-")
		if status != 2 || out != "" {
			t.Errorf("status %d\n%s", status, out)
		}
		for _, flag := range []string{"-now: ", "-env: ", "-spam: ", "-special-use: ", "-annotation: ", "-include: "} {
			if !strings.Contains(errs, flag) {
				t.Errorf("no %q in\n%s", flag, errs)
			}
		}
	})
	t.Run("errors of an included script", func(t *testing.T) {
		script := scriptFile(t, "x.sieve", needs(`"include"`, `include "broken"; include :global "nobody";`))
		status, _, errs := call(message, "sieve", "-script", script, "-from=", "-to", "b@example.org", "-include", filepath.Join(dir, "mine"),
			"-")
		if status != 1 || !strings.Contains(errs, filepath.Join(dir, "mine", "broken.sieve")+":2:1: ") || !strings.Contains(errs, script+":2:") {
			t.Errorf("status %d\n%s", status, errs)
		}
	})
}
