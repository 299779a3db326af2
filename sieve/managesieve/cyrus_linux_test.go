package managesieve_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"

	"github.com/oxmailroute/oxmailroute/internal/managesievetest"
	"github.com/oxmailroute/oxmailroute/sieve/managesieve"
)

// Cyrus's timsieved: every command, with and without TLS, and its refusals whole.
func TestCyrus(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := managesievetest.StartCyrus(t, "user0@example.com", "user1@example.com")
	for i, security := range []managesieve.Security{managesieve.LoopbackCleartext, managesieve.StartTLS} {
		c, err := managesieve.Dial(ctx, s.Addr, managesieve.Options{Security: security, TLS: s.Authority})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		var answer *managesieve.ResponseError
		if err := c.Authenticate(ctx, sasl.NewPlainClient("", "user0@example.com", "wrong")); !errors.As(err, &answer) {
			t.Errorf("wrong password: %v", err)
		}
		address := fmt.Sprintf("user%d@example.com", i)
		put := func(name, script string) error { _, err := c.PutScript(ctx, name, []byte(script)); return err }
		inStep := func(what string) {
			t.Helper()
			if err := c.Noop(ctx); err != nil {
				t.Fatalf("after %s: %v", what, err)
			}
		}
		runSteps(t, []step{
			{"authenticate", func() error { return c.Authenticate(ctx, sasl.NewPlainClient(address, s.Master, s.Password)) }, nil},
			{"none", func() error { return listIs(ctx, c) }, nil},
			{"put", func() error { return put("rules", "keep;\r\n") }, nil},
			{"activate", func() error { return c.SetActive(ctx, "rules") }, nil},
			{"list", func() error { return listIs(ctx, c, managesieve.Script{Name: "rules", Active: true}) }, nil},
			{"get", func() error { return scriptIs(ctx, c, "rules", []byte("keep;\r\n")) }, nil},
			{"delete active", func() error { return c.DeleteScript(ctx, "rules") }, managesieve.CodeActive},
			{"space", func() error { return c.HaveSpace(ctx, "rules", 100) }, nil},
			{"missing", func() error { _, err := c.GetScript(ctx, "none"); return err }, managesieve.CodeNonexistent},
			{"rename", func() error { return c.RenameScript(ctx, "rules", "new") }, nil},
			{"renamed", func() error { return listIs(ctx, c, managesieve.Script{Name: "new", Active: true}) }, nil},
			{"deactivate", func() error { return c.Deactivate(ctx) }, nil},
			{"delete", func() error { return c.DeleteScript(ctx, "new") }, nil},
			{"check", func() error { _, err := c.CheckScript(ctx, []byte("keep;")); return err }, nil},
		})
		// The text of a refusal repeats the script's octets.
		for _, script := range []string{"frobnicate;\r\n", "if header \"a\" \"b\xff\xfe\" {\r\n", "require \"caf\xe9\";\r\n", "caf\xe9;\r\n",
			"keep \"\x80\";\r\n"} {
			if err := put("bad", script); !errors.As(err, &answer) || answer.Text == "" {
				t.Errorf("%q: %v", script, err)
			}
			inStep(fmt.Sprintf("%q", script))
		}
		// Names beyond ASCII are stored under some name, or refused;
		// the answers stay those to their commands.
		for _, name := range []string{"café", "☂", strings.Repeat("n", 1000), "a/b"} {
			if err := put(name, "keep;\r\n"); err != nil && !errors.As(err, &answer) {
				t.Errorf("%q: %v", name, err)
			}
			inStep(name)
			if err := c.SetActive(ctx, name); err != nil && !errors.As(err, &answer) {
				t.Errorf("activate %q: %v", name, err)
			}
			inStep(name)
		}
		// What is listed is found by the name that is listed.
		scripts, err := c.ListScripts(ctx)
		if err != nil || len(scripts) == 0 {
			t.Fatalf("list: %v, %v", scripts, err)
		}
		for _, listed := range scripts {
			runSteps(t, []step{{"get " + listed.Name, func() error { return scriptIs(ctx, c, listed.Name, []byte("keep;\r\n")) }, nil}})
		}
		if err := scriptIs(ctx, c, "=?UTF-8?Q?caf=C3=A9?=", []byte("keep;\r\n")); err != nil {
			t.Errorf("a name beyond ASCII as Cyrus 3.6 stores it: %v", err)
		}
		// Cyrus 3.6 stores a name with quotes and lists it without escaping them:
		// that is no answer, and nothing after it is taken for one.
		runSteps(t, []step{{"quotes", func() error { return put("a \"quoted\" name", "keep;\r\n") }, nil}})
		inStep("a name with quotes")
		if _, err := c.ListScripts(ctx); !errors.As(err, new(*managesieve.ProtocolError)) {
			t.Errorf("a list with quotes: %v", err)
		}
		runSteps(t, []step{{"after it", func() error { return c.Noop(ctx) }, managesieve.ErrClosed}})
	}
}
