package managesieve_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/oxmailroute/oxmailroute/sieve/managesieve"
)

// player is a connection whose other end has said everything already.
type player struct {
	net.Conn // nil: no other method is called
	r        *bytes.Reader
}

func (p player) Read(b []byte) (int, error)  { return p.r.Read(b) }
func (p player) Write(b []byte) (int, error) { return len(b), nil }
func (p player) Close() error                { return nil }
func (p player) SetDeadline(time.Time) error { return nil }
func (p player) RemoteAddr() net.Addr        { return &net.UnixAddr{Name: "player", Net: "unix"} }

// turn is a player that says one answer per command.
type turn struct {
	player
	answers [][]byte
	pos     *int
}

func (p turn) Read(b []byte) (int, error) {
	if *p.pos >= len(p.answers) || len(p.answers[*p.pos]) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.answers[*p.pos])
	p.answers[*p.pos] = p.answers[*p.pos][n:]
	return n, nil
}

func (p turn) Write(b []byte) (int, error) {
	*p.pos++
	return len(b), nil
}

// FuzzResponse gives each command any answer. No call may panic or hang, errors
// have one of the types, and what is returned keeps the limits.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{
		"OK\r\n", "NO (QUOTA/MAXSIZE) \"x\"\r\n", "BYE (REFERRAL \"sieve://x\")\r\n", "{3}\r\nabc\r\nOK\r\n",
		"\"a\" ACTIVE\r\n\"b\"\r\nOK (WARNINGS) {2}\r\nxy\r\n", "\"SASL\" \"PLAIN\"\r\n\"VERSION\" \"1.0\"\r\nOK\r\n",
		"\"eA==\"\r\n", "OK (TAG \"oxmailroute-1\")\r\n", "NO (X (((()))) 1 \"\\\"\")\r\n", "{0}\r\n\r\nOK\r\n", "{99}\r\n", "OK\r\nOK\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		ctx := context.Background()
		limits := managesieve.Limits{Script: 100, Scripts: 5, Text: 200, Line: 300, Nesting: 3}
		options := managesieve.Options{Security: managesieve.LoopbackCleartext, Limits: limits}
		commands := []func(*managesieve.Client) error{
			func(c *managesieve.Client) error {
				list, err := c.ListScripts(ctx)
				if len(list) > limits.Scripts || err != nil && list != nil {
					t.Errorf("%d scripts, error %v", len(list), err)
				}
				for _, s := range list {
					if err := managesieve.CheckName(s.Name); err != nil {
						t.Error(err)
					}
				}
				return err
			},
			func(c *managesieve.Client) error {
				script, err := c.GetScript(ctx, "a")
				if len(script) > limits.Script || (script == nil) != (err != nil) {
					t.Errorf("script %q, error %v", script, err)
				}
				return err
			},
			func(c *managesieve.Client) error {
				w, err := c.PutScript(ctx, "a", []byte("keep;"))
				if len(w) > limits.Text || w != "" && err != nil {
					t.Errorf("warnings %q, error %v", w, err)
				}
				return err
			},
			func(c *managesieve.Client) error { _, err := c.Capability(ctx); return err },
			func(c *managesieve.Client) error { return c.Noop(ctx) },
			func(c *managesieve.Client) error { return c.SetActive(ctx, "a") },
			func(c *managesieve.Client) error {
				return c.Authenticate(ctx, sasl.NewPlainClient("", "alice", "s3cr3t-password"))
			},
			func(c *managesieve.Client) error { return c.Logout(ctx) },
		}
		check := func(err error) {
			var a *managesieve.ResponseError
			var p *managesieve.ProtocolError
			var b *managesieve.ConnError
			switch {
			case err == nil:
			case errors.As(err, &a) && (a.Status == managesieve.OK || len(a.Text) > limits.Text):
				t.Errorf("error with status %v, %d bytes of text", a.Status, len(a.Text))
			case a == nil && !errors.As(err, &p) && !errors.As(err, &b) &&
				err.Error() != "managesieve: AUTHENTICATE PLAIN: sasl: unexpected server challenge":
				if !bytes.Contains([]byte(err.Error()), []byte("base64")) {
					t.Errorf("error of type %T: %v", err, err)
				}
			}
		}
		for _, command := range commands {
			c, err := managesieve.NewClient(ctx, turn{answers: [][]byte{[]byte(greeting), answer, answer}, pos: new(int)}, options)
			if err != nil {
				t.Fatal(err)
			}
			err = command(c)
			check(err)
			if err != nil && bytes.Contains([]byte(err.Error()), []byte("s3cr3t")) && !bytes.Contains(answer, []byte("s3cr3t")) {
				t.Errorf("credentials in %v", err)
			}
			// What comes after it mustn't panic, either.
			c.ListScripts(ctx)
		}
		// As the greeting.
		c, err := managesieve.NewClient(ctx, player{r: bytes.NewReader(answer)}, options)
		check(err)
		if err == nil {
			c.GetScript(ctx, "a")
		}
	})
}
