package relay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/relay/deploy"
)

func TestSmartHostRefused(t *testing.T) {
	const at = "Gateway.SmartHost"
	print := strings.TrimSuffix(strings.Repeat("0a:", 32), ":")
	tests := []struct {
		name  string
		alter func(*relay.SmartHost)
		path  string
		kind  error
	}{
		{"a level that verifies nobody", func(s *relay.SmartHost) { s.Level = "encrypt" }, at + ".Level", relay.ErrInvalid},
		{"a level that falls back", func(s *relay.SmartHost) { s.Level = "dane" }, at + ".Level", relay.ErrInvalid},
		{"a level in capitals", func(s *relay.SmartHost) { s.Level = "Secure" }, at + ".Level", relay.ErrInvalid},
		{"secure without authorities", func(s *relay.SmartHost) { s.CAFile = "" }, at + ".CAFile", relay.ErrRequired},
		{"DANE with a name", func(s *relay.SmartHost) { s.Level = relay.LevelDANE }, at + ".TLSName", headers.ErrNotExpressible},
		{"fingerprints without one", func(s *relay.SmartHost) { s.Level, s.TLSName = relay.LevelFingerprint, "" }, at + ".Fingerprints",
			relay.ErrRequired},
		{"fingerprints with a name", func(s *relay.SmartHost) { s.Level, s.Fingerprints = relay.LevelFingerprint, []string{print} },
			at + ".TLSName", relay.ErrConflict},
		{"fingerprints at another level", func(s *relay.SmartHost) { s.Fingerprints = []string{print} }, at + ".Fingerprints", relay.ErrConflict},
		{"a short fingerprint", func(s *relay.SmartHost) {
			s.Level, s.TLSName, s.Fingerprints = relay.LevelFingerprint, "", []string{"0a:0b"}
		}, at + ".Fingerprints[0]", relay.ErrInvalid},
		{"a second host without one", func(s *relay.SmartHost) {
			s.Level, s.TLSName, s.Fingerprints = relay.LevelFingerprint, "", []string{print}
			s.Fallback = []relay.FallbackHost{{Host: "b.test", Port: 25}}
		}, at + ".Fallback[0].Fingerprints", relay.ErrRequired},
		{"a second host without a port", func(s *relay.SmartHost) { s.Fallback = []relay.FallbackHost{{Host: "b.test"}} },
			at + ".Fallback[0].Port", relay.ErrRequired},
		{"a second host that is an address", func(s *relay.SmartHost) { s.Fallback = []relay.FallbackHost{{Host: "192.0.2.1", Port: 25}} },
			at + ".Fallback[0].Host", relay.ErrInvalid},
		{"the same host twice", func(s *relay.SmartHost) { s.Fallback = []relay.FallbackHost{{Host: "Mail.Conbool.com", Port: 25}} },
			at + ".Fallback[0]", relay.ErrDuplicate},
		{"no password file", func(s *relay.SmartHost) { s.Auth.Mechanisms = []string{"PLAIN"} }, at + ".Auth.PasswordFile", relay.ErrRequired},
		{"a password for a file", func(s *relay.SmartHost) { s.Auth.PasswordFile = "hunter2" }, at + ".Auth.PasswordFile", relay.ErrInvalid},
		{"a file that is emitted", func(s *relay.SmartHost) { s.Auth.PasswordFile = "/etc/postfix/conbool_scope" }, at + ".Auth.PasswordFile",
			relay.ErrConflict},
		{"main.cf", func(s *relay.SmartHost) { s.Auth.PasswordFile = "/etc/postfix/main.cf" }, at + ".Auth.PasswordFile", relay.ErrConflict},
		{"a mechanism that is none", func(s *relay.SmartHost) { s.Auth = relay.Auth{PasswordFile: "/a", Mechanisms: []string{"PLAIN LOGIN"}} },
			at + ".Auth.Mechanisms[0]", relay.ErrInvalid},
		{"anonymous", func(s *relay.SmartHost) { s.Auth = relay.Auth{PasswordFile: "/a", Mechanisms: []string{"Anonymous"}} },
			at + ".Auth.Mechanisms[0]", relay.ErrConflict},
		{"ours", func(s *relay.SmartHost) {
			s.Auth = relay.Auth{PasswordFile: "/a", Mechanisms: []string{"X-OXMAILROUTE-LOGIN"}}
		}, at + ".Auth.Mechanisms[0]", relay.ErrConflict},
		{"a mechanism twice", func(s *relay.SmartHost) {
			s.Auth = relay.Auth{PasswordFile: "/a", Mechanisms: []string{"PLAIN", "plain"}}
		}, at + ".Auth.Mechanisms[1]", relay.ErrDuplicate},
		{"nothing to be known by", func(s *relay.SmartHost) { s.CertFile, s.KeyFile = "", "" }, at + ".CertFile", relay.ErrRequired},
		{"a certificate without a key", func(s *relay.SmartHost) { s.KeyFile, s.Auth.PasswordFile = "", "/a" }, at + ".KeyFile",
			relay.ErrRequired},
		{"known by address and certificate", func(s *relay.SmartHost) { s.KnownByAddress = true }, at + ".CertFile", relay.ErrConflict},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := labPolicy(t, "lab.json")
			tt.alter(&p.Gateway.SmartHost)
			err := p.Validate()
			var list relay.Errors
			if !errors.As(err, &list) {
				t.Fatalf("error %v, want Errors", err)
			}
			for _, e := range list {
				if e.Position.String() == tt.path && errors.Is(e, tt.kind) && e.Fix != "" {
					return
				}
			}
			t.Errorf("no %v with a fix at %s:\n%v", tt.kind, tt.path, err)
		})
	}
}

// TestSmartHostElsewhere: a second smart host counts as the gateway wherever
// the first does.
func TestSmartHostElsewhere(t *testing.T) {
	spare := []relay.FallbackHost{{Host: "mx.spare.test", Port: 25}}
	tests := []struct {
		name  string
		alter func(*relay.Policy)
		base  func(testing.TB) relay.Installation
		path  string
	}{
		{"as a domain", func(p *relay.Policy) { p.Tenants[0].Domains = append(p.Tenants[0].Domains, "spare.test") }, labBase,
			"Tenants[0].Domains[1]"},
		{"as the way past the gateway", func(p *relay.Policy) { p.DirectVia = "[MX.spare.test]:25" }, labBase, "DirectVia"},
		{"as our own name", func(p *relay.Policy) { p.Inbound.Host = "mx.spare.test" }, labBase, "Inbound.Host"},
		{"as relayhost", func(p *relay.Policy) {}, func(tb testing.TB) relay.Installation {
			in := labBase(tb)
			in.Files["/etc/postfix/main.cf"] = []byte(strings.ReplaceAll(string(in.Files["/etc/postfix/main.cf"]), "relayhost =",
				"relayhost = [mx.spare.test]"))
			return in
		}, "main.cf:32"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := labPolicy(t, "lab.json")
			p.Gateway.SmartHost.Fallback = spare
			tt.alter(&p)
			_, err := tryCompile(t, p, tt.base(t))
			var list relay.Errors
			errors.As(err, &list)
			for _, e := range list {
				if e.Position.String() == tt.path && errors.Is(e, relay.ErrConflict) {
					return
				}
			}
			t.Errorf("no conflict at %s: %v", tt.path, err)
		})
	}
}

func TestSmartHostPorts(t *testing.T) {
	p := labPolicy(t, "lab.json")
	p.Gateway.SmartHost.Fallback = []relay.FallbackHost{{Host: "b.test", Port: 465}}
	var got []string
	for _, w := range p.Warnings() {
		got = append(got, w.Position.String())
	}
	p.Gateway.SmartHost.ImplicitTLS = true
	for _, w := range p.Warnings() {
		got = append(got, w.Position.String())
	}
	if diff := cmp.Diff([]string{"Gateway.SmartHost.Fallback[0].Port", "Gateway.SmartHost.Port"}, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

// TestNoSecret: a password file that lies in the configuration directory, and
// so was read with it, appears nowhere.
func TestNoSecret(t *testing.T) {
	const secret = "correct-horse-battery"
	p := labPolicy(t, "lab.json")
	p.Gateway.SmartHost.Auth.PasswordFile = "/etc/postfix/sasl/gateway"
	in := labBase(t)
	in.Files["/etc/postfix/sasl/gateway"] = []byte("[mail.conbool.com]:25 ox:" + secret + "\n  " + secret + "\n")
	// Whoever reads tables reads this one, too, and would warn of its lines.
	in.Files["/etc/postfix/main.cf"] = append(in.Files["/etc/postfix/main.cf"],
		"\ntransport_maps = hash:/etc/postfix/sasl/gateway\nheader_checks = regexp:/etc/postfix/sasl/gateway\nsmtp_sasl_password_maps = hash:/etc/postfix/sasl/gateway\n"...)
	in.Tables = map[string]relay.Table{"hash:/etc/postfix/sasl/gateway": {Harmless: true},
		"regexp:/etc/postfix/sasl/gateway": {Harmless: true}}
	c, err := tryCompile(t, p, in)
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Files["/etc/postfix/sasl/gateway"]) == 0 {
		t.Error("the caller's installation has lost the file")
	}
	d := c.Route(t.Context(), &relay.Message{Origin: c.Origin(relay.RoleInternal), From: "alice@example.com", To: "x@remote1.test",
		Raw: []byte("Subject: x\n\n"), SmartHost: relay.PeerNoLogin})
	if got := d.String(); got != "defer 450" {
		t.Errorf("Route says %s", got)
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for what, s := range map[string]string{
		"decision": string(text), "policy": string(policy) + fmt.Sprintf("%+v",
			p), "warnings": fmt.Sprint(c.Warnings()), "commands": fmt.Sprint(c.Commands()),
		"config": fmt.Sprintf("%+v", *c),
	} {
		if strings.Contains(s, secret) {
			t.Errorf("the password is in the %s", what)
		}
	}
	for _, f := range c.Files() {
		if strings.Contains(string(f.Data), secret) || f.Name == "postfix/sasl/gateway" {
			t.Errorf("the password is in %s", f.Name)
		}
	}
}

// TestNoSecretInErrors: nor is it in what Compile and ParsePolicy refuse, be it
// that a table which is the password file has rows that would be refused, or
// that the policy has the password where a name or a file belongs.
func TestNoSecretInErrors(t *testing.T) {
	const secret = "correct-horse-battery"
	rows := map[string]string{ // a parameter that makes it a table, and rows that another table may not have
		"transport_maps": "* smtp:" + secret + "\nremote1.test :[" + secret + "]:25\n",
		"sender_dependent_default_transport_maps": "alice@example.com smtp:[" + secret + "]\n",
		"header_checks":             "/^X-" + secret + "/ PASS " + secret + "\n/(" + secret + "/ PASS\n",
		"smtpd_client_restrictions": secret + "\n",
		"virtual_alias_maps":        secret + "@example.com " + secret + "\n",
	}
	for name, text := range rows {
		for _, kind := range []string{"hash", "regexp", "texthash"} {
			if kind == "regexp" && name != "header_checks" {
				continue
			}
			p := labPolicy(t, "lab.json")
			p.Gateway.SmartHost.Auth.PasswordFile = "/etc/postfix/sasl/gateway"
			in := labBase(t)
			in.Files["/etc/postfix/sasl/gateway"] = []byte(text)
			value := kind + ":/etc/postfix/sasl/gateway"
			if strings.HasSuffix(name, "restrictions") {
				value = "check_client_access " + value
			}
			in.Files["/etc/postfix/main.cf"] = append(in.Files["/etc/postfix/main.cf"], "\n"+name+" = "+value+"\n"...)
			if c, err := tryCompile(t, p, in); strings.Contains(fmt.Sprint(err), secret) {
				t.Errorf("%s: %v", name, err)
			} else if c != nil && strings.Contains(fmt.Sprint(c.Warnings()), secret) {
				t.Errorf("%s: %v", name, c.Warnings())
			}
			in = labBase(t) // another file with these rows is read
			in.Files["/etc/postfix/plain"] = []byte(text)
			in.Files["/etc/postfix/main.cf"] = append(in.Files["/etc/postfix/main.cf"], "\n"+name+" = "+strings.Replace(value, "sasl/gateway",
				"plain", 1)+"\n"...)
			c, err := tryCompile(t, p, in)
			if err == nil && kind != "texthash" && name != "virtual_alias_maps" && name != "smtpd_client_restrictions" && len(c.Warnings()) == 0 {
				t.Errorf("%s: nothing is wrong with the rows, so this proves nothing", name)
			}
		}
	}
	for what, spoil := range map[string]func(*relay.Policy){
		"login for a file":  func(p *relay.Policy) { p.Gateway.SmartHost.Auth.PasswordFile = "ox:" + secret },
		"file with a login": func(p *relay.Policy) { p.Gateway.SmartHost.Auth.PasswordFile = "/etc/postfix/ox:" + secret },
		"file of ours":      func(p *relay.Policy) { p.Gateway.SmartHost.Auth.PasswordFile = "/etc/postfix/conbool_" + secret },
		"password as mechanism": func(p *relay.Policy) {
			p.Gateway.SmartHost.Auth = relay.Auth{PasswordFile: "/p", Mechanisms: []string{"PLAIN", "ox:" + secret}}
		},
		"login before the host": func(p *relay.Policy) { p.Gateway.SmartHost.Host = "ox:" + secret + "@mail.conbool.com" },
		"login before another": func(p *relay.Policy) {
			p.Gateway.SmartHost.Fallback = []relay.FallbackHost{{Host: "ox:" + secret + "@b.test", Port: 25}}
		},
		"login before DirectVia": func(p *relay.Policy) { p.DirectVia = "ox:" + secret + "@[relay.example.net]:587" },
	} {
		p := labPolicy(t, "lab.json")
		spoil(&p)
		if _, err := tryCompile(t, p, labBase(t)); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, auth := range []string{
		`"ox:` + secret + `"`, `["ox:` + secret + `"]`, `{"Password": "` + secret + `"}`, `{"PasswordFile": {"ox": "` + secret + `"}}`,
		`{"PasswordFile": ["` + secret + `"]}`, `{"PasswordFile": "` + secret + `",}`, `{"Mechanisms": "` + secret + `"}`, `{"PasswordFile": "` +
			secret,
	} {
		if _, err := relay.ParsePolicy("p.json", []byte(`{"Gateway": {"SmartHost": {"Auth": `+auth+`}}}`)); err == nil ||
			strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", auth, err)
		}
	}
}

// TestSecretCommand: the command refuses every password file that others may
// read, and nothing but the file's name is printed.
func TestSecretCommand(t *testing.T) {
	servertest.Need(t, "find")
	dir := t.TempDir()
	file := filepath.Join(dir, "sasl")
	p := labPolicy(t, "lab.json")
	p.Gateway.SmartHost.Auth.PasswordFile = file
	var check *relay.Command
	for _, cmd := range compile(t, p, labBase(t)).Commands() {
		if cmd.Args[0] == "find" {
			check = &cmd
			break
		}
		if strings.Contains(cmd.String(), "reload") {
			t.Fatal("Postfix reloads before the password file is checked")
		}
	}
	if check == nil {
		t.Fatal("no command looks at the password file")
	}
	if os.Getuid() != 0 {
		servertest.Missing(t, "only root makes files of root's")
	}
	write := func(mode os.FileMode, owner int) func() {
		return func() {
			if err := os.WriteFile(file, []byte("h u:hush\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.Chown(file, owner, owner), os.Chmod(file, mode)); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := []struct {
		name string
		make func()
		good bool
	}{
		{"root's, 0600", write(0o600, 0), true},
		{"group may read", write(0o640, 0), false},
		{"everybody may read", write(0o604, 0), false},
		{"everybody may write", write(0o602, 0), false},
		{"set-uid", write(0o600|os.ModeSetuid, 0), false},
		{"somebody's", write(0o600, 65534), false},
		{"missing", func() {}, false},
		{"a directory", func() { os.Mkdir(file, 0o600) }, false},
		{"a link", func() {
			if err := errors.Join(os.WriteFile(file+"2", nil, 0o600), os.Symlink(file+"2", file)); err != nil {
				t.Fatal(err)
			}
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			os.RemoveAll(file)
			tt.make()
			err := deploy.Run(context.Background(), deploy.Local{Dir: "/"}, []relay.Command{*check})
			if (err == nil) != tt.good {
				t.Errorf("%s: %v", check, err)
			}
			if err != nil && (strings.Contains(err.Error(), "hush") || !strings.Contains(err.Error(), file)) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// TestWriteSecret: a file that is written with mode 0600 has had no other mode.
func TestWriteSecret(t *testing.T) {
	dir := t.TempDir()
	for range 2 { // the second time over a file that everybody may read
		if _, err := deploy.Write(context.Background(), deploy.Local{Dir: dir}, []relay.File{{Name: "postfix/sasl_gateway", Mode: 0o600,
			Data: []byte("h u:p\n")}}, deploy.Options{}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, "postfix/sasl_gateway"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("mode %v, %v", info.Mode(), err)
		}
		if err := os.Chmod(filepath.Join(dir, "postfix/sasl_gateway"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
