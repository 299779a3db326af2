package managesieve_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/managesievetest"
	"github.com/oxmailroute/oxmailroute/sieve/managesieve"
)

func scriptIs(ctx context.Context, c *managesieve.Client, name string, want []byte) error {
	got, err := c.GetScript(ctx, name)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%s is %q, want %q", name, got, want)
	}
	return err
}

func listIs(ctx context.Context, c *managesieve.Client, want ...managesieve.Script) error {
	got, err := c.ListScripts(ctx)
	if err != nil {
		return err
	}
	byName := func(a, b managesieve.Script) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(got, byName)
	slices.SortFunc(want, byName)
	if d := cmp.Diff(want, got); d != "" {
		err = errors.New("list of scripts: " + d)
	}
	return err
}

var (
	scriptOne = []byte("# one\r\nkeep;\r\n")
	scriptTwo = []byte("# \"two\" \\ äöü {3+}\r\n# text:\r\n.\r\nstop;\r\n")
)

type step struct {
	name string
	run  func() error
	want error
}

// everyCommand is the whole protocol on a mailbox without scripts. It leaves the
// mailbox as it was.
func everyCommand(ctx context.Context, c *managesieve.Client) []step {
	type S = managesieve.Script
	name, other := "Open-Xchange", `a "quoted" \ name ☂`
	put := func(name string, script []byte) error { _, err := c.PutScript(ctx, name, script); return err }
	return []step{
		{"capability", func() error { _, err := c.Capability(ctx); return err }, nil},
		{"empty list", func() error { return listIs(ctx, c) }, nil},
		{"get nothing", func() error { _, err := c.GetScript(ctx, name); return err }, managesieve.CodeNonexistent},
		{"space", func() error { return c.HaveSpace(ctx, name, uint32(len(scriptOne))) }, nil},
		{"put", func() error { return put(name, scriptOne) }, nil},
		{"put another", func() error { return put(other, scriptOne) }, nil},
		{"list", func() error { return listIs(ctx, c, S{Name: name}, S{Name: other}) }, nil},
		{"activate", func() error { return c.SetActive(ctx, name) }, nil},
		{"delete the active", func() error { return c.DeleteScript(ctx, name) }, managesieve.CodeActive},
		{"activate nothing", func() error { return c.SetActive(ctx, "nobody") }, managesieve.CodeNonexistent},
		{"put over it", func() error { return put(name, scriptTwo[:22]) }, nil},
		{"list active", func() error { return listIs(ctx, c, S{Name: name, Active: true}, S{Name: other}) }, nil},
		{"get", func() error { return scriptIs(ctx, c, name, scriptTwo[:22]) }, nil},
		{"rename onto another", func() error { return c.RenameScript(ctx, name, other) }, managesieve.CodeAlreadyExists},
		{"rename nothing", func() error { return c.RenameScript(ctx, "nobody", "x") }, managesieve.CodeNonexistent},
		{"rename", func() error { return c.RenameScript(ctx, name, "new") }, nil},
		{"renamed and active", func() error { return listIs(ctx, c, S{Name: "new", Active: true}, S{Name: other}) }, nil},
		{"get renamed", func() error { return scriptIs(ctx, c, "new", scriptTwo[:22]) }, nil},
		{"deactivate", func() error { return c.Deactivate(ctx) }, nil},
		{"delete", func() error { return c.DeleteScript(ctx, "new") }, nil},
		{"delete again", func() error { return c.DeleteScript(ctx, "new") }, managesieve.CodeNonexistent},
		{"one left", func() error { return listIs(ctx, c, S{Name: other}) }, nil},
		{"delete the last", func() error { return c.DeleteScript(ctx, other) }, nil},
		{"empty again", func() error { return listIs(ctx, c) }, nil},
	}
}

// rfc5804Commands are those that older servers lack.
func rfc5804Commands(ctx context.Context, c *managesieve.Client, missing error) []step {
	return []step{
		{"noop", func() error { return c.Noop(ctx) }, missing},
		{"check", func() error { _, err := c.CheckScript(ctx, scriptOne); return err }, missing},
	}
}

func runSteps(t *testing.T, steps []step) {
	t.Helper()
	for _, s := range steps {
		err := s.run()
		if s.want == nil && err != nil || s.want != nil && !errors.Is(err, s.want) {
			t.Fatalf("%s: error %v, want %v", s.name, err, s.want)
		}
	}
}

func TestEveryCommand(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tests := []struct {
		name     string
		security managesieve.Security
		old      bool
		dozes    bool
	}{
		{"cleartext", managesieve.LoopbackCleartext, false, false},
		{"STARTTLS", managesieve.StartTLS, false, false},
		{"implicit TLS", managesieve.ImplicitTLS, false, false},
		{"implicit TLS, overlooked", managesieve.ImplicitTLS, false, true},
		{"before RFC 5804", managesieve.LoopbackCleartext, true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := memoryServer()
			s.Old, s.Dozes = test.old, test.dozes
			options := pipeOptions()
			options.Security, options.TLS = test.security, authority(t)
			dial := s.DialContext
			switch test.security {
			case managesieve.StartTLS:
				s.TLS = certificate(t, "server")
			case managesieve.ImplicitTLS:
				config := certificate(t, "server")
				dial = func(context.Context, string, string) (net.Conn, error) {
					client, server := net.Pipe()
					go func() {
						s.Serve(tls.Server(server, config))
						server.Close()
					}()
					return client, nil
				}
			}
			options.DialContext = dial
			c, err := managesieve.Dial(ctx, "server.test", options)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if test.dozes {
				runSteps(t, []step{{"capability", func() error { _, err := c.Capability(ctx); return err }, nil}})
			}
			if err := c.Authenticate(ctx, sasl.NewPlainClient(mailb, "master", "wrong")); !errors.As(err, new(*managesieve.ResponseError)) {
				t.Fatalf("wrong password: %v", err)
			}
			if err := c.Authenticate(ctx, sasl.NewPlainClient(mailb, "master", "hunter2")); err != nil {
				t.Fatal(err)
			}
			var missing error
			if test.old {
				missing = errors.ErrUnsupported
			}
			runSteps(t, everyCommand(ctx, c))
			runSteps(t, rfc5804Commands(ctx, c, missing))
			runSteps(t, []step{
				{"unauthenticate", func() error { return c.Unauthenticate(ctx) }, missing},
				{"logout", func() error { return c.Logout(ctx) }, nil},
				{"after it", func() error { _, err := c.ListScripts(ctx); return err }, managesieve.ErrClosed},
			})
		})
	}
}

func TestQuotaAndWarnings(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := memoryServer()
	s.MaxSize, s.MaxScripts = 100, 2
	s.Check = func(script []byte) (string, error) {
		switch {
		case bytes.Contains(script, []byte("wrong")):
			return "", errors.New("line 1: error: unknown command 'wrong'\r\nline 2: error: too many")
		case bytes.Contains(script, []byte("odd")):
			return "line 1: warning: odd", nil
		}
		return "", nil
	}
	c := login(t, s, pipeOptions())
	put := func(name, script string) error { _, err := c.PutScript(ctx, name, []byte(script)); return err }
	runSteps(t, []step{
		{"put", func() error { return put("a", "keep;") }, nil},
		{"too large", func() error { return put("a", strings.Repeat("#", 101)) }, managesieve.CodeQuotaMaxSize},
		{"too large is a quota", func() error { return put("a", strings.Repeat("#", 101)) }, managesieve.CodeQuota},
		{"no space", func() error { return c.HaveSpace(ctx, "a", 101) }, managesieve.CodeQuotaMaxSize},
		{"space", func() error { return c.HaveSpace(ctx, "a", 100) }, nil},
		{"second", func() error { return put("b", "keep;") }, nil},
		{"third", func() error { return put("c", "keep;") }, managesieve.CodeQuotaMaxScripts},
		{"over the second", func() error { return put("b", "stop;") }, nil},
	})
	if err := put("c", "keep;"); errors.Is(err, managesieve.CodeQuotaMaxSize) || errors.Is(err, managesieve.Code("QUO")) {
		t.Errorf("QUOTA/MAXSCRIPTS is found as something else: %v", err)
	}
	for _, f := range []func(context.Context, []byte) (string, error){c.CheckScript,
		func(ctx context.Context, b []byte) (string, error) { return c.PutScript(ctx, "a", b) }} {
		if w, err := f(ctx, []byte("odd")); err != nil || w != "line 1: warning: odd" {
			t.Errorf("warnings %q, error %v", w, err)
		}
		var answer *managesieve.ResponseError
		if _, err := f(ctx, []byte("wrong")); !errors.As(err, &answer) || !strings.Contains(answer.Text, "\r\nline 2") {
			t.Errorf("wrong script: error %v", err)
		}
	}
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "Open-Xchange", "ä ☂ \"\\", strings.Repeat("x", 1024)} {
		if err := managesieve.CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	c, err := dialScripted(t, pipeOptions(), greeting, hang)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "a\r\nDELETESCRIPT \"b\"", "\x00", "\x7f", "\u0085", "\u2028", "\xff", strings.Repeat("x", 1025)} {
		if err := managesieve.CheckName(name); err == nil {
			t.Errorf("%.20q is taken", name)
		}
		if err := c.SetActive(context.Background(), name); err == nil || errors.Is(err, managesieve.ErrClosed) {
			t.Errorf("SetActive %.20q: %v", name, err)
		}
	}
}

func TestTimeoutAndCancel(t *testing.T) {
	t.Parallel()
	stalls := map[string]string{
		"silent":         "",
		"half a literal": "{10}\r\nabc",
		"half a word":    "O",
		"no line end":    "OK",
	}
	for name, text := range stalls {
		for _, cancelled := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", name, cancelled), func(t *testing.T) {
				t.Parallel()
				options := pipeOptions()
				ctx, cancel := context.WithCancelCause(context.Background())
				defer cancel(nil)
				wanted := errors.New("the user went away")
				if cancelled {
					time.AfterFunc(20*time.Millisecond, func() { cancel(wanted) })
				} else {
					options.CommandTimeout = 20 * time.Millisecond
				}
				c, err := dialScripted(t, options, greeting, "GETSCRIPT \"a\"\r\n", text, hang)
				if err != nil {
					t.Fatal(err)
				}
				_, err = c.GetScript(ctx, "a")
				var broken *managesieve.ConnError
				if !errors.As(err, &broken) || errors.Is(err, wanted) != cancelled {
					t.Errorf("error %v", err)
				}
				if _, err := c.ListScripts(context.Background()); !errors.Is(err, managesieve.ErrClosed) || !errors.As(err, &broken) {
					t.Errorf("afterwards: %v, want closed with the cause", err)
				}
			})
		}
	}
	t.Run("cancelled before", func(t *testing.T) {
		s := memoryServer()
		c := login(t, s, pipeOptions())
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := c.Noop(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if err := c.Noop(context.Background()); err != nil {
			t.Errorf("the connection was not used, but: %v", err)
		}
	})
	t.Run("silent greeting", func(t *testing.T) {
		options := pipeOptions()
		options.DialTimeout = 20 * time.Millisecond
		if _, err := dialScripted(t, options, hang); !errors.As(err, new(*managesieve.ConnError)) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a server that does not read", func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		go server.Write([]byte(greeting))
		options := pipeOptions()
		options.CommandTimeout = 20 * time.Millisecond
		c, err := managesieve.NewClient(context.Background(), client, options)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.PutScript(context.Background(), "a", scriptOne); !errors.As(err, new(*managesieve.ConnError)) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("Close", func(t *testing.T) {
		c, err := dialScripted(t, pipeOptions(), greeting, hang)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(20*time.Millisecond, func() { c.Close() })
		if _, err := c.ListScripts(context.Background()); !errors.Is(err, managesieve.ErrClosed) {
			t.Errorf("error %v", err)
		}
	})
}

// TestCancelledLate races cancellation with the answer: what follows must never
// suffer from it.
func TestCancelledLate(t *testing.T) {
	t.Parallel()
	s := memoryServer()
	c := login(t, s, pipeOptions())
	for i := range 300 {
		ctx, cancel := context.WithCancel(context.Background())
		go cancel()
		err := c.Noop(ctx)
		if errors.As(err, new(*managesieve.ConnError)) {
			c = login(t, s, pipeOptions())
			continue
		}
		if err := c.Noop(context.Background()); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
}

// lateDeadline is a connection that is slow to learn of an interruption.
type lateDeadline struct{ net.Conn }

func (c lateDeadline) SetDeadline(t time.Time) error {
	if t.Before(time.Now()) {
		time.Sleep(30 * time.Millisecond)
	}
	return c.Conn.SetDeadline(t)
}

// An interruption that comes after the answer must not hit the next command.
func TestInterruptionTooLate(t *testing.T) {
	t.Parallel()
	s := memoryServer()
	ctx, cancel := context.WithCancel(context.Background())
	s.Answer = func(_, command string) string {
		switch command {
		case "LISTSCRIPTS":
			cancel()
			time.Sleep(10 * time.Millisecond)
		case "NOOP":
			time.Sleep(60 * time.Millisecond)
		}
		return ""
	}
	dial := s.DialContext
	options := pipeOptions()
	options.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return lateDeadline{conn}, err
	}
	c, err := managesieve.Dial(context.Background(), "server.test", options)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Authenticate(context.Background(), sasl.NewPlainClient(mailb, "master", "hunter2")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ListScripts(ctx); err != nil {
		t.Fatalf("the answer came before the interruption, but: %v", err)
	}
	if err := c.Noop(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestCut breaks a whole session at every byte. Everything that succeeded must
// have happened, no call may hang, and the mailbox has one of its whole scripts,
// active throughout.
func TestCut(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	before, after := []byte("keep;\r\n"), []byte("# new\r\nstop;\r\n")
	session := func(left int) (finished bool, sent bool, used int) {
		s := memoryServer()
		s.Put(mailb, "main", before, true)
		server, _ := s.DialContext(ctx, "", "")
		cut := managesievetest.NewCut(server, left)
		put := false
		err := func() error {
			c, err := managesieve.NewClient(ctx, cut, pipeOptions())
			if err != nil {
				return err
			}
			defer c.Close()
			if err := c.Authenticate(ctx, sasl.NewPlainClient(mailb, "master", "hunter2")); err != nil {
				return err
			}
			if err := listIs(ctx, c, managesieve.Script{Name: "main", Active: true}); err != nil {
				return err
			}
			if err := scriptIs(ctx, c, "main", before); err != nil {
				return err
			}
			if _, err := c.CheckScript(ctx, after); err != nil {
				return err
			}
			if _, err := c.PutScript(ctx, "main", after); err != nil {
				return err
			}
			put = true
			if err := scriptIs(ctx, c, "main", after); err != nil {
				return err
			}
			return c.Logout(ctx)
		}()
		var broken *managesieve.ConnError
		if err != nil && !errors.As(err, &broken) {
			t.Fatalf("cut after %d bytes: %v, want a ConnError", left, err)
		}
		got, active := s.Get(mailb, "main")
		whole := bytes.Equal(got, before) && !put || bytes.Equal(got, after)
		if !whole || !active {
			t.Fatalf("cut after %d bytes: script %q, active %v, stored %v", left, got, active, put)
		}
		return err == nil, put, left - cut.Left()
	}
	finished, _, total := session(1 << 20)
	if !finished {
		t.Fatal("the whole session fails")
	}
	puts := 0
	for left := range total {
		finished, put, _ := session(left)
		if finished {
			t.Fatalf("cut after %d of %d bytes: no error", left, total)
		}
		if put {
			puts++
		}
	}
	if puts == 0 || puts == total {
		t.Errorf("%d of %d cuts are after PUTSCRIPT", puts, total)
	}
}
