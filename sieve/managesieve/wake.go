package managesieve

import (
	"errors"
	"slices"
	"time"
)

// The managesieve-login of Pigeonhole 0.5 can lose sight of what a client sends
// with TLS from the first byte: what comes between the last line of its greeting
// and its return to the event loop is read together with the socket's other
// affairs, and looked at only when more comes (src/managesieve-login/client.c adds
// its descriptor, not the TLS stream, to the loop; mended in 2.4). A client on the
// same machine or network is quick enough for that, and then waits until the
// timeout. Whatever comes next wakes the server, and with the first challenge of
// an AUTHENTICATE it watches the TLS stream instead, so that:
//
//   - an AUTHENTICATE is begun without its initial response, which RFC 5804
//     section 2.1 leaves to the client, and the server's empty challenge waited for;
//   - where that doesn't come in time, the exchange is cancelled, which is one more
//     line in either state of the server, and begun anew;
//   - any other command before it is followed by a CAPABILITY.

// wakeAfter is how long the first answer may take until the server is woken. A
// server that was only slow loses nothing by it.
const wakeAfter = 500 * time.Millisecond

// cancelled is what ends an exchange of SASL (RFC 5804 section 2.1).
const cancelled = "\"*\"\r\n"

// mayDoze reports whether the server may need to be woken.
func (c *Client) mayDoze() bool { return c.options.Security == ImplicitTLS && !c.awake }

// await waits for the first byte of an answer, sends the line where that takes
// long, and reports whether it did.
func (c *Client) await(line string) (woken bool, err error) {
	sent := make(chan struct{})
	conn := c.conn
	timer := time.AfterFunc(wakeAfter, func() {
		defer close(sent)
		_, _ = conn.Write([]byte(line)) // where it fails, reading does too
	})
	_, err = c.r.peek()
	if timer.Stop() {
		return false, err
	}
	<-sent
	return true, err
}

// woken runs the reading of the answer to a command that was just sent, and reads
// what a wake-up call brought on. After the last answer of a connection there is
// none.
func (c *Client) woken(read func() (last bool, err error)) error {
	if !c.mayDoze() {
		_, err := read()
		return err
	}
	woken, err := c.await("CAPABILITY\r\n")
	if err != nil {
		return err
	}
	if last, err := read(); err != nil || last || !woken {
		return err
	}
	return c.readCapabilities("CAPABILITY")
}

// saslFirst begins an AUTHENTICATE and reads the first answer. It reports whether
// the initial response was held back and is what the challenge asks for.
func (c *Client) saslFirst(line, initial []byte, challenge **string) (held bool, resp response, err error) {
	whole := line
	if initial != nil {
		whole = saslString(append(slices.Clone(line), ' '), initial)
	}
	if !c.mayDoze() {
		resp, err = c.saslStep(whole, challenge)
		return false, resp, err
	}
	if err := c.send(append(line, '\r', '\n')); err != nil {
		return false, resp, err
	}
	woken, err := c.await(cancelled)
	if err != nil {
		return false, resp, err
	}
	if resp, err = c.saslAnswer(challenge); err != nil {
		return false, resp, err
	}
	if initial != nil && resp.status == OK {
		return false, resp, syntaxError("OK before the client has said who it is")
	}
	c.awake = *challenge != nil || resp.status == OK
	if !woken || resp.status == Bye {
		return initial != nil, resp, nil
	}
	// The second answer is that to the cancellation: of the exchange, or of
	// nothing where that was over.
	second, err := c.r.answer(0, nil)
	switch {
	case err != nil:
		return false, resp, err
	case second.status == Bye:
		return false, resp, second.err("AUTHENTICATE")
	case second.status == OK:
		return false, resp, syntaxError("OK to a cancelled exchange")
	case *challenge == nil:
		return false, resp, nil
	}
	// Once cancelled, Pigeonhole takes a lacking initial response for an empty one.
	resp, err = c.saslStep(whole, challenge)
	return false, resp, err
}

// errChallenge ends the reading of an answer at a challenge.
var errChallenge = errors.New("challenge")

// saslAnswer reads a challenge or the response.
func (c *Client) saslAnswer(challenge **string) (response, error) {
	resp, err := c.r.answer(maxChallenge, func(d data) error {
		if d.kind != oneString {
			return syntaxError("more than one string in a challenge")
		}
		s := string(d.first)
		*challenge = &s
		return errChallenge
	})
	if err == errChallenge {
		err = nil
	}
	return resp, err
}
