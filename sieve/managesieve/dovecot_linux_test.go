package managesieve_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/oxmailroute/oxmailroute/internal/managesievetest"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve/managesieve"
)

func dialDovecot(t testing.TB, d *managesievetest.Dovecot, security managesieve.Security, address string) *managesieve.Client {
	t.Helper()
	to := d.Addr
	if security == managesieve.ImplicitTLS {
		to = d.TLSAddr
	}
	c, err := managesieve.Dial(context.Background(), to, managesieve.Options{Security: security, TLS: d.Authority})
	if err != nil {
		t.Fatalf("%v\n%s", err, d.Log())
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Authenticate(context.Background(), sasl.NewPlainClient(address, d.Master, d.Password)); err != nil {
		t.Fatalf("%v\n%s", err, d.Log())
	}
	return c
}

func TestDovecotEveryCommand(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := managesievetest.StartDovecot(t, "")
	for i, security := range []managesieve.Security{managesieve.StartTLS, managesieve.ImplicitTLS} {
		c := dialDovecot(t, d, security, fmt.Sprintf("user%d@example.com", i))
		runSteps(t, everyCommand(ctx, c))
		runSteps(t, rfc5804Commands(ctx, c, nil))
		caps := c.Capabilities()
		if !caps.HasVersion() || caps.StartTLS || !slices.Contains(caps.Sieve, "fileinto") || caps.Implementation == "" {
			t.Errorf("capabilities %+v", caps)
		}
		if caps.Unauthenticate {
			runSteps(t, []step{{"unauthenticate", func() error { return c.Unauthenticate(ctx) }, nil}})
		}
		runSteps(t, []step{
			{"logout", func() error { return c.Logout(ctx) }, nil},
			{"after it", func() error { _, err := c.ListScripts(ctx); return err }, managesieve.ErrClosed},
		})
	}
}

// Pigeonhole 0.5 overlooks what comes, with TLS from the first byte, between the
// end of its greeting and its return to the event loop. The tracer makes that
// span long enough to be met every time.
func TestDovecotOverlooks(t *testing.T) {
	t.Parallel()
	servertest.Need(t, "strace")
	ctx := context.Background()
	d := managesievetest.StartDovecot(t, `service managesieve-login {
  executable = /usr/bin/strace -f --seccomp-bpf -qq -o /dev/null -e trace=write -e inject=write:delay_exit=30ms /usr/lib/dovecot/managesieve-login
}
`)
	dial := func() *managesieve.Client {
		c, err := managesieve.Dial(ctx, d.TLSAddr, managesieve.Options{Security: managesieve.ImplicitTLS, TLS: d.Authority,
			CommandTimeout: 10 * time.Second})
		if err != nil {
			t.Fatalf("%v\n%s", err, d.Log())
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	right := func(c *managesieve.Client) func() error {
		return func() error { return c.Authenticate(ctx, sasl.NewPlainClient("a@example.com", d.Master, d.Password)) }
	}
	for range 3 {
		c := dial()
		runSteps(t, []step{
			{"authenticate", right(c), nil},
			{"noop", func() error { return c.Noop(ctx) }, nil},
			{"logout", func() error { return c.Logout(ctx) }, nil},
		})
	}
	c := dial()
	runSteps(t, []step{
		{"capability", func() error { _, err := c.Capability(ctx); return err }, nil},
		{"noop", func() error { return c.Noop(ctx) }, nil},
	})
	if err := c.Authenticate(ctx, sasl.NewPlainClient("a@example.com", d.Master, "wrong")); !errors.As(err, new(*managesieve.ResponseError)) {
		t.Errorf("wrong password: %v", err)
	}
	runSteps(t, []step{
		{"authenticate", right(c), nil},
		{"list", func() error { return listIs(ctx, c) }, nil},
	})
	runSteps(t, []step{{"logout before anything", func() error { return dial().Logout(ctx) }, nil}})
}

func TestDovecotAuthentication(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := managesievetest.StartDovecot(t, "")
	if _, err := managesieve.Dial(ctx, d.Addr, managesieve.Options{TLS: &tls.Config{RootCAs: x509.NewCertPool(),
		ServerName: "localhost"}}); !errors.As(err, new(x509.UnknownAuthorityError)) {
		t.Errorf("unknown authority: %v", err)
	}
	if _, err := managesieve.Dial(ctx, d.Addr, managesieve.Options{TLS: &tls.Config{RootCAs: d.Authority.RootCAs}}); !errors.As(err,
		new(x509.HostnameError)) {
		t.Errorf("wrong name: %v", err)
	}
	// Dovecot takes loopback for secure, as LoopbackCleartext does.
	clear, err := managesieve.Dial(ctx, d.Addr, managesieve.Options{Security: managesieve.LoopbackCleartext})
	if err != nil {
		t.Fatal(err)
	}
	defer clear.Close()
	if err := clear.Authenticate(ctx, sasl.NewPlainClient("b@example.com", d.Master, d.Password)); err != nil {
		t.Errorf("cleartext: %v", err)
	}
	c, err := managesieve.Dial(ctx, d.Addr, managesieve.Options{TLS: d.Authority})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var answer *managesieve.ResponseError
	if err := c.Authenticate(ctx, sasl.NewPlainClient("a@example.com", d.Master, "wrong-password")); !errors.As(err, &answer) ||
		strings.Contains(err.Error(), "wrong-password") {
		t.Errorf("wrong password: %v", err)
	}
	if err := c.SetActive(ctx, "x"); !errors.As(err, &answer) {
		t.Errorf("before authentication: %v", err)
	}
	// A refusal isn't the end. A user for himself:
	if err := c.Authenticate(ctx, sasl.NewPlainClient("", "user@example.com", "user-password")); err != nil {
		t.Errorf("own password: %v", err)
	}
	runSteps(t, everyCommand(ctx, c))
}

// EXTERNAL by a client certificate.
func TestDovecotExternal(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := managesievetest.StartDovecot(t, `auth_mechanisms = plain external
ssl_ca = <DIR/ca.pem
ssl_verify_client_cert = yes
ssl_require_crl = no
auth_ssl_username_from_cert = yes
passdb {
  driver = static
  args = nopassword=y
  mechanisms = external
}
`)
	if err := d.Put("carol@example.com", "hers", scriptOne, true); err != nil {
		t.Fatal(err)
	}
	config := d.Authority.Clone()
	config.Certificates = []tls.Certificate{d.Client}
	c, err := managesieve.Dial(ctx, d.Addr, managesieve.Options{TLS: config})
	if err != nil {
		t.Fatalf("%v\n%s", err, d.Log())
	}
	defer c.Close()
	if err := c.Authenticate(ctx, sasl.NewExternalClient("")); err != nil {
		t.Fatalf("%v\n%s", err, d.Log())
	}
	runSteps(t, []step{{"list", func() error { return listIs(ctx, c, managesieve.Script{Name: "hers", Active: true}) }, nil}})
	// Nobody without a certificate.
	c, err = managesieve.Dial(ctx, d.Addr, managesieve.Options{TLS: d.Authority})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Authenticate(ctx, sasl.NewExternalClient("carol@example.com")); err == nil {
		t.Error("EXTERNAL without a certificate succeeds")
	}
}

func TestDovecotRefusals(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := managesievetest.StartDovecot(t,
		"plugin {\n  sieve_quota_max_scripts = 2\n  sieve_quota_max_storage = 2k\n  sieve_max_script_size = 1k\n}\n")
	c := dialDovecot(t, d, managesieve.StartTLS, "a@example.com")
	put := func(name string, script string) error { _, err := c.PutScript(ctx, name, []byte(script)); return err }
	filler := "# " + strings.Repeat("x", 900) + "\r\nkeep;\r\n"
	var answer *managesieve.ResponseError
	runSteps(t, []step{
		{"first", func() error { return put("a", filler) }, nil},
		{"activate", func() error { return c.SetActive(ctx, "a") }, nil},
		{"too large by itself", func() error { return put("a", filler+filler) }, managesieve.CodeQuotaMaxSize},
		{"old one stays", func() error { return scriptIs(ctx, c, "a", []byte(filler)) }, nil},
		{"second", func() error { return put("b", filler) }, nil},
		{"third", func() error { return put("c", "keep;") }, managesieve.CodeQuotaMaxScripts},
		{"no space", func() error { return c.HaveSpace(ctx, "c", 5) }, managesieve.CodeQuotaMaxScripts},
		{"space", func() error { return c.HaveSpace(ctx, "b", 5) }, nil},
		{"smaller", func() error { return put("b", "keep;\r\n") }, nil},
		{"storage, over the other", func() error { return c.HaveSpace(ctx, "b", 1500) }, managesieve.CodeQuota},
	})
	for _, script := range []string{"if true {", "frobnicate;\r\nfrobnicate;\r\n", "keep \x00;", "fileinto \"x\";"} {
		if err := put("a", script); !errors.As(err, &answer) || answer.Text == "" {
			t.Errorf("%q: %v", script, err)
		}
		if _, err := c.CheckScript(ctx, []byte(script)); !errors.As(err, &answer) || answer.Text == "" {
			t.Errorf("check %q: %v", script, err)
		}
		if got, err := c.GetScript(ctx, "a"); err != nil || !bytes.Equal(got, []byte(filler)) {
			t.Errorf("after %q the old script is %q, %v", script, got, err)
		}
	}
	// Pigeonhole warns of a header that no message can have.
	const odd = "if header \"a b\" \"x\" {\r\n  keep;\r\n}\r\n"
	if warnings, err := c.CheckScript(ctx, []byte(odd)); err != nil || !strings.Contains(warnings, "a b") {
		t.Errorf("check: warnings %q, error %v", warnings, err)
	}
	if warnings, err := c.PutScript(ctx, "b", []byte(odd)); err != nil || !strings.Contains(warnings, "a b") {
		t.Errorf("put: warnings %q, error %v", warnings, err)
	}
	if err := put("a/b", "keep;"); !errors.As(err, &answer) {
		t.Errorf("a name with a slash: %v", err)
	}
}
