package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func scriptFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSieve(t *testing.T) {
	const message = "From: alice@example.net\nTo: bob@example.org\nSubject: hello\nX-Spam: YES\n\nbody\n"
	spam := scriptFile(t, "spam.sieve", `require ["fileinto", "imap4flags"]; if header "X-Spam" "yes" { fileinto :flags "\\Seen" "Spam"; stop; }`)
	none := scriptFile(t, "none.sieve", `if header "X-Other" "yes" { discard; }`)
	forward := scriptFile(t, "forward.sieve", `require ["copy", "editheader"]; addheader "X-Seen" "1"; redirect :copy "Carol <carol@Example.com>";`)
	fails := scriptFile(t, "fails.sieve", `require ["reject", "fileinto"]; fileinto "A"; reject "no";`)
	away := scriptFile(t, "away.sieve", `require "vacation"; vacation :subject "away" "I am away.";`)
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"fileinto", []string{"-script", spam}, `{"actions": [{"action": "fileinto", "mailbox": "Spam", "flags": ["\\Seen"], "copy": false, "create": false}], "implicitKeep": false, "error": null}`},
		{"nothing", []string{"-script", none}, `{"actions": [], "implicitKeep": true, "error": null}`},
		{"redirect", []string{"-script", forward}, `{"actions": [{"action": "addheader", "name": "X-Seen", "value": "1", "last": false}, {"action": "redirect", "address": "carol@example.com", "copy": true}], "implicitKeep": true, "error": null}`},
		{"run-time error", []string{"-script", fails}, `{"actions": [], "implicitKeep": true, "error": "` + fails +
			`:1:1: reject conflicts with an action that delivers or answers the message"}`},
		{"before", []string{"-script", forward, "-before", spam}, `{"actions": [{"action": "fileinto", "mailbox": "Spam", "flags": ["\\Seen"], "copy": false, "create": false}], "implicitKeep": false, "error": null}`},
		{"after", []string{"-script", none, "-after", spam, "-before", none},
			`{"actions": [{"action": "fileinto", "mailbox": "Spam", "flags": ["\\Seen"], "copy": false, "create": false}], "implicitKeep": false, "error": null}`},
		{"trace", []string{"-script", none, "-trace"}, `{"actions": [], "implicitKeep": true, "error": null, "trace": [{"script": "` + none +
			`", "line": 1, "text": "header \"X-Other\" \"yes\"", "matched": false}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append(append([]string{"sieve"}, tt.args...), "-from", "alice@example.net", "-to", "bob@example.org", "-")
			status, out, errs := call(message, args...)
			if status != 0 || errs != "" {
				t.Fatalf("status %d: %s", status, errs)
			}
			var got, want any
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	_, out, _ := call(message, "sieve", "-script", away, "-from", "alice@example.net", "-to", "bob@example.org", "-")
	if !strings.Contains(out, `Subject: away\r\n`) || !strings.Contains(out, `"to": [`) {
		t.Errorf("no answer in\n%s", out)
	}
}

func TestSieveErrors(t *testing.T) {
	broken := scriptFile(t, "broken.sieve", "keep;\nfileinto \"A\";\nfrobnicate;\n")
	odd := scriptFile(t, "odd.sieve", "stop;\nkeep;\n")
	off := scriptFile(t, "off.sieve", "require \"editheader\";\naddheader \"A\" \"b\";\n")
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		stdout []string // each line contains
		stderr []string
	}{
		{"compile errors", []string{"-script", broken, "-from=", "-to", "a@b", "-"}, 1, nil, []string{broken + ":2:1: ", broken + ":3:1: "}},
		{"check errors", []string{"-check", broken}, 1, []string{broken + ":2:1: ", broken + ":3:1: "}, nil},
		{"check warnings", []string{"-check", odd}, 0, []string{odd + ":2:1: warning: "}, nil},
		{"an extension that is off", []string{"-check", off, "-extensions", "+duplicate"}, 1, []string{off + ":1:"}, nil},
		{"an extension that is on", []string{"-check", off, "-extensions", "+editheader"}, 0, nil, nil},
		{"unknown extension", []string{"-check", off, "-extensions", "+bad"}, 2, nil, []string{`-extensions: extension "bad" is unknown`}},
		{"no script", []string{"-from=", "-to", "a@b", "-"}, 2, nil, []string{"-script, -from, -to and a message are needed"}},
		{"missing file", []string{"-script", "/nonexistent", "-from=", "-to", "a@b", "-"}, 2, nil, []string{"/nonexistent"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, out, errs := call("\n", append([]string{"sieve"}, tt.args...)...)
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			for _, check := range []struct {
				text string
				want []string
			}{{out, tt.stdout}, {errs, tt.stderr}} {
				lines := strings.Split(strings.TrimRight(check.text, "\n"), "\n")
				if check.text == "" {
					lines = nil
				}
				for i, want := range check.want {
					if i >= len(lines) || !strings.Contains(lines[i], want) {
						t.Errorf("no %q in line %d of\n%s", want, i+1, check.text)
					}
				}
				if len(check.want) == 0 && len(lines) > 0 && tt.status < 2 {
					t.Errorf("unexpected:\n%s", check.text)
				}
			}
		})
	}
}
