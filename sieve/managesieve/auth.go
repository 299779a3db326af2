package managesieve

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"
)

// Authenticate logs in by a SASL mechanism (RFC 5804 section 2.1), which must be
// among the server's. Where the server refuses, the connection can be used for
// another try. Nothing of what was sent is in the error: a text of the server
// that repeats it is left out. go-sasl has PLAIN, EXTERNAL, OAUTHBEARER and LOGIN; it
// has no SCRAM, but any implementation of its Client interface will do, since
// challenges and the server's final data are passed on.
func (c *Client) Authenticate(ctx context.Context, mechanism sasl.Client) error {
	if c == nil {
		c = new(Client)
	}
	const command = "AUTHENTICATE"
	return c.run(ctx, command, c.options.CommandTimeout, func() error {
		if !c.tls && c.options.Security != LoopbackCleartext {
			return localError{errors.New("managesieve: AUTHENTICATE: the connection has no TLS")}
		}
		name, initial, err := mechanism.Start()
		if err != nil {
			return localError{fmt.Errorf("managesieve: AUTHENTICATE: %w", err)}
		}
		if err := c.checkMechanism(name, initial); err != nil {
			return localError{err}
		}
		line := quote([]byte("AUTHENTICATE "), name)
		var challenge *string
		held, resp, err := c.saslFirst(line, initial, &challenge)
		sent := [][]byte{initial}
		for round := 0; ; round++ {
			if err != nil {
				return err
			}
			if challenge == nil {
				return c.saslEnd(mechanism, resp, sent)
			}
			if round == maxRounds {
				return syntaxf("more than %d challenges", maxRounds)
			}
			answer := initial
			if !held || round > 0 {
				if answer, err = nextStep(mechanism, *challenge); err != nil {
					if _, err := c.exchange([]byte(cancelled), 0, nil); err != nil {
						return err
					}
					return localError{fmt.Errorf("managesieve: AUTHENTICATE %s: %w", name, err)}
				}
				sent = append(sent, answer)
			} else if *challenge != "" {
				return syntaxError("a challenge with data where the client speaks first")
			}
			resp, err = c.saslStep(saslString(nil, answer), &challenge)
		}
	})
}

func (c *Client) checkMechanism(name string, initial []byte) error {
	for _, b := range []byte(name) {
		if b <= ' ' || b >= 0x7f || b == '"' || b == '\\' {
			return fmt.Errorf("managesieve: AUTHENTICATE: %q is no SASL mechanism", name)
		}
	}
	if !slices.Contains(c.caps.SASL, strings.ToUpper(name)) {
		return fmt.Errorf("managesieve: AUTHENTICATE: the server offers %q, not %q", c.caps.SASL, name)
	}
	// A NUL inside an identity would shift the fields (RFC 4616 section 2).
	if strings.EqualFold(name, sasl.Plain) && initial != nil && bytes.Count(initial, []byte{0}) != 2 {
		return errors.New("managesieve: AUTHENTICATE PLAIN: an identity or the password has a NUL")
	}
	return nil
}

// saslStep sends a line and reads a challenge or the response.
func (c *Client) saslStep(line []byte, challenge **string) (response, error) {
	*challenge = nil
	if err := c.send(append(line, '\r', '\n')); err != nil {
		return response{}, err
	}
	return c.saslAnswer(challenge)
}

// saslEnd judges the response. The final data of the mechanism, which proves the
// server to the client in some mechanisms, comes in the code SASL.
func (c *Client) saslEnd(mechanism sasl.Client, resp response, sent [][]byte) error {
	if resp.status != OK {
		if repeats(resp.text, sent) || repeats(resp.arg, sent) {
			resp.text, resp.arg = "the server's text repeats the credentials and is left out", ""
		}
		return resp.err("AUTHENTICATE")
	}
	if resp.code != CodeSASL {
		return nil
	}
	answer, err := nextStep(mechanism, resp.arg)
	if err != nil {
		return fmt.Errorf("the server's proof: %w", err) // not the server that was wanted: the connection is closed
	}
	if len(answer) > 0 {
		return syntaxError("final data where the mechanism was not at its end")
	}
	return nil
}

func nextStep(mechanism sasl.Client, challenge string) ([]byte, error) {
	decoded, err := base64.StdEncoding.DecodeString(challenge)
	if err != nil {
		return nil, errors.New("a challenge that is not base64")
	}
	return mechanism.Next(decoded)
}

func saslString(b, s []byte) []byte {
	encoded := base64.StdEncoding.AppendEncode(nil, s)
	if len(encoded) > 1024 {
		return literal(b, encoded)
	}
	return quote(b, string(encoded))
}

// repeats reports whether a text has something of what was sent: base64 as a
// whole, or the last field of a message with NUL or ^A between fields, where
// mechanisms have their secrets.
func repeats(text string, sent [][]byte) bool {
	for _, s := range sent {
		if len(s) == 0 {
			continue
		}
		if strings.Contains(text, base64.StdEncoding.EncodeToString(s)) {
			return true
		}
		fields := bytes.FieldsFunc(s, func(r rune) bool { return r == 0 || r == 1 })
		if len(fields) > 0 && strings.Contains(text, string(fields[len(fields)-1])) {
			return true
		}
	}
	return false
}

// Unauthenticate ends the authentication, so that the connection can serve
// another mailbox (RFC 5804 section 2.14). Few servers have it; the others give
// errors.ErrUnsupported.
func (c *Client) Unauthenticate(ctx context.Context) error {
	if c == nil {
		c = new(Client)
	}
	if !c.Capabilities().Unauthenticate {
		return unsupported("UNAUTHENTICATE", "the server does not offer it")
	}
	_, err := c.command(ctx, "UNAUTHENTICATE", []byte("UNAUTHENTICATE\r\n"), 0, nil)
	return err
}
