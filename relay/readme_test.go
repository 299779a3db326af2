package relay_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// readmeServer is the server that the README's programs read.
var readmeServer = map[string]string{
	"main.cf": `myhostname = ox.example.com
mydestination = localhost
smtpd_tls_cert_file = /etc/ssl/ox/ox.pem
smtpd_tls_key_file = /etc/ssl/ox/ox.key
virtual_mailbox_domains = example.com
virtual_mailbox_maps = hash:/etc/postfix/mailboxes
virtual_transport = lmtp:unix:private/dovecot-lmtp
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
`,
	"master.cf": `smtp       inet  n  -  y  -  -  smtpd
submission inet  n  -  y  -  -  smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
` + strings.ReplaceAll(stockServices, " C ", " y "),
	"mailboxes": "alice@example.com 1\nbob@example.com 1\n",
}

// TestReadmePrograms runs every Go block of the README as it would be pasted, in
// a package of its own, and compares what it prints with its Output comment.
func TestReadmePrograms(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(readme), "\n```go\n")[1:]
	if len(blocks) == 0 {
		t.Fatal("the README has no program")
	}
	for i, b := range blocks {
		code, _, ok := strings.Cut(b, "\n```")
		if !ok {
			t.Fatal("a block without an end")
		}
		if !strings.HasPrefix(code, "package ") { // the body of a main
			code = "package main\n\nimport (\n\t\"context\"\n\t\"fmt\"\n\t\"log\"\n\t\"net/netip\"\n\t\"os\"\n\n" +
				"\t\"github.com/oxmailroute/oxmailroute/postfix/mta\"\n)\n\nfunc main() {\n" + code + "\n}\n"
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "main.go")
			// An overlay: the module has the program, and the tree stays as it is.
			overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "internal", "pasted", "main.go"): file}})
			if err != nil {
				t.Fatal(err)
			}
			for name, data := range map[string][]byte{file: []byte(code), filepath.Join(dir, "overlay.json"): overlay} {
				if err := os.WriteFile(name, data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			server := filepath.Join(dir, "server")
			if err := os.MkdirAll(server+"/etc/postfix", 0o755); err != nil {
				t.Fatal(err)
			}
			for name, text := range readmeServer {
				if err := os.WriteFile(filepath.Join(server, "etc/postfix", name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command("go", "run", "-overlay", filepath.Join(dir, "overlay.json"), "./internal/pasted", server)
			cmd.Dir = root
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			_, comment, ok := strings.Cut(code, "// Output:\n")
			if !ok {
				return
			}
			var want strings.Builder
			for line := range strings.Lines(comment) {
				if text, ok := strings.CutPrefix(strings.TrimSpace(line), "// "); ok {
					want.WriteString(text + "\n")
				}
			}
			if want.String() != string(out) {
				t.Errorf("it prints:\n%swhat the README says:\n%s", out, want.String())
			}
		})
	}
}
