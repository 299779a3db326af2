package deploy_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/relay/deploy"
)

func TestMain(m *testing.M) {
	if maillab.IsChild() {
		os.Exit(maillab.Child())
	}
	if os.Getenv(killVariable) != "" {
		os.Exit(killed())
	}
	// A file system in memory, where there is one: the tests flush a lot.
	if dir, err := os.MkdirTemp("/dev/shm", "deploy-test-"); err == nil {
		os.Setenv("TMPDIR", dir)
		defer os.RemoveAll(dir)
	}
	servertest.Overlap()
	m.Run()
}

// tree lists what is below a directory: names with mode, and contents, link or
// kind. Directories are among them.
func tree(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String() + " "
		if st, ok := info.Sys().(*syscall.Stat_t); ok && !d.IsDir() {
			text += fmt.Sprintf("%d:%d ", st.Uid, st.Gid)
		}
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += string(data)
		case info.Mode()&fs.ModeSymlink != 0:
			to, _ := os.Readlink(path)
			text += "-> " + to
		}
		out[filepath.ToSlash(rel)] = text
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func write(dir string, o deploy.Options, files ...relay.File) (deploy.Result, error) {
	return deploy.Write(context.Background(), deploy.Local{Dir: dir}, files, o)
}

// put makes a file with its directories.
func put(tb testing.TB, dir, name, text string, mode fs.FileMode) string {
	tb.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		tb.Fatal(err)
	}
	return path
}

func policy() relay.Policy {
	gateway := relay.Conbool(netip.MustParsePrefix("198.51.100.0/28"))
	gateway.SmartHost.CertFile, gateway.SmartHost.KeyFile = "/etc/ssl/ox/ox.pem", "/etc/ssl/ox/ox.key"
	return relay.Policy{
		Gateway: gateway,
		Server: relay.Server{Postfix: "3.7", Dovecot: "2.3", Hostname: "ox.example.com", CertFile: "/etc/ssl/ox/ox.pem",
			KeyFile: "/etc/ssl/ox/ox.key"},
		Topology:  relay.TopologyMailboxes,
		Tenants:   []relay.Tenant{{Name: "Example", Domains: []string{"example.com"}, Scope: relay.Scope{Use: relay.ScopeAll}}},
		Inbound:   relay.Inbound{Host: "ox.example.com"},
		Listeners: []relay.Listener{{Service: "smtp", Role: relay.RoleGateway}, {Service: "submission", Role: relay.RoleSubmission}},
		Spam:      relay.Spam{Folder: "Spam", Create: true},
		Sieve:     relay.Sieve{Slot: 1},
		Mailboxes: []string{"alice@example.com"},
		Aliases:   []relay.Alias{{Address: "team@example.com", Members: []string{"alice@example.com"}}},
	}
}

func compile(tb testing.TB, p relay.Policy, in relay.Installation) *relay.Config {
	tb.Helper()
	c, err := relay.Compile(p, in)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// has reports whether the error says all of that.
func has(err error, words ...string) bool {
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			return false
		}
	}
	return err != nil
}
