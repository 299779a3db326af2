package managesieve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// DefaultPort is the port of ManageSieve. Old installations use 2000.
const DefaultPort = "4190"

// A Client is one connection. Its methods may be called from several goroutines
// and run one after the other; Close interrupts them.
type Client struct {
	options Options

	raw net.Conn

	busy sync.Mutex // held by the command under way, guards:
	conn net.Conn   // raw, or TLS on it
	r    *reader
	caps Capabilities
	tls  bool
	noop int
	// The server watches its TLS stream, see mayDoze.
	awake bool

	state sync.Mutex // guards:
	cause error      // why the connection is closed; nil while it is open
}

// Dial connects to a server at "host" or "host:port" and prepares the connection
// as [NewClient] does.
func Dial(ctx context.Context, address string, options Options) (*Client, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = address, DefaultPort
	}
	if options.TLS.ServerName == "" {
		options.TLS = options.TLS.Clone()
		options.TLS.ServerName = host
	}
	ctx, cancel := context.WithTimeout(ctx, options.DialTimeout)
	defer cancel()
	conn, err := options.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, &ConnError{Command: "connect", Err: err}
	}
	return NewClient(ctx, conn, options)
}

// NewClient makes a client of a new connection: it does the TLS handshake of
// ImplicitTLS, reads the greeting, and does STARTTLS, after which the
// capabilities are read anew. TLS needs Options.TLS.ServerName here. On an error
// the connection is closed.
func NewClient(ctx context.Context, conn net.Conn, options Options) (*Client, error) {
	if conn == nil {
		return nil, errors.New("managesieve: NewClient needs a connection")
	}
	options, err := options.withDefaults()
	if err != nil {
		conn.Close()
		return nil, err
	}
	if options.Security == LoopbackCleartext && !isLoopback(conn.RemoteAddr()) {
		conn.Close()
		return nil, fmt.Errorf("managesieve: LoopbackCleartext, but the server is at %v: use StartTLS or ImplicitTLS", conn.RemoteAddr())
	}
	c := &Client{options: options, conn: conn, raw: conn, r: newReader(conn, options.Limits)}
	if options.Security == ImplicitTLS {
		if err := c.run(ctx, "TLS handshake", options.DialTimeout, func() error { return c.handshake(ctx) }); err != nil {
			return nil, c.give(err)
		}
	}
	if err := c.run(ctx, "greeting", options.DialTimeout, func() error { return c.readCapabilities("greeting") }); err != nil {
		return nil, c.give(err)
	}
	if options.Security == StartTLS {
		if err := c.run(ctx, "STARTTLS", options.DialTimeout, func() error { return c.startTLS(ctx) }); err != nil {
			return nil, c.give(err)
		}
	}
	return c, nil
}

// give closes the connection of a client that nobody gets.
func (c *Client) give(err error) error {
	c.close(err)
	return err
}

func isLoopback(a net.Addr) bool {
	switch a := a.(type) {
	case nil:
		return false
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	default:
		return a.Network() == "pipe"
	}
}

// Capabilities are what the server said last.
func (c *Client) Capabilities() Capabilities {
	if c == nil {
		c = new(Client)
	}
	c.busy.Lock()
	defer c.busy.Unlock()
	return c.caps.clone()
}

// Close closes the connection without LOGOUT. A command under way fails.
func (c *Client) Close() error {
	if c == nil {
		c = new(Client)
	}
	c.close(errors.New("Close was called"))
	return nil
}

func (c *Client) close(cause error) {
	c.state.Lock()
	defer c.state.Unlock()
	if c.cause == nil {
		c.cause = cause
		if c.raw == nil {
			return // the zero Client
		}
		c.raw.Close() // without TLS's farewell, which waits where the server doesn't read
	}
}

func (c *Client) closedErr(command string) error {
	c.state.Lock()
	defer c.state.Unlock()
	if c.raw == nil {
		return fmt.Errorf("managesieve: %s: %w: it was never opened, see Dial", command, ErrClosed)
	}
	if c.cause == nil {
		return nil
	}
	return fmt.Errorf("managesieve: %s: %w, since: %w", command, ErrClosed, c.cause)
}

// run runs the steps of one command under the context and the timeout. An error
// that leaves the position in the stream unknown closes the connection.
func (c *Client) run(ctx context.Context, command string, timeout time.Duration, steps func() error) error {
	c.busy.Lock()
	defer c.busy.Unlock()
	if err := c.closedErr(command); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("managesieve: %s: not sent: %w", command, context.Cause(ctx))
	}
	conn := c.raw
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return c.failed(ctx, command, timeout, err)
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		conn.SetDeadline(time.Unix(1, 0))
		close(interrupted)
	})
	err := steps()
	if !stop() {
		<-interrupted // or it would hit the next command
	}
	if err == nil {
		return nil
	}
	return c.failed(ctx, command, timeout, err)
}

// failed gives an error its type and closes the connection where it must.
func (c *Client) failed(ctx context.Context, command string, timeout time.Duration, err error) error {
	var answer *ResponseError
	var final finalError
	var syntax syntaxError
	var local localError
	var broken *ConnError
	var timedOut net.Error
	switch {
	case errors.As(err, &local):
		return local.error
	case errors.As(err, &broken):
		broken.Command = command
	case errors.As(err, &answer):
		if answer.Status != Bye {
			return err
		}
	case errors.As(err, &final):
		err = final.answer
	case errors.As(err, &syntax):
		err = &ProtocolError{Command: command, Reason: string(syntax)}
	case c.closedErr(command) != nil: // Close interrupted it
		return c.closedErr(command)
	case ctx.Err() != nil:
		err = &ConnError{Command: command, Err: fmt.Errorf("interrupted: %w", context.Cause(ctx))}
	case errors.As(err, &timedOut) && timedOut.Timeout():
		err = &ConnError{Command: command, Err: fmt.Errorf("no answer within %v: %w", timeout, err)}
	default:
		err = &ConnError{Command: command, Err: err}
	}
	c.close(err)
	return err
}

// localError is an error after which the connection can go on.
type localError struct{ error }

// handshake puts TLS on the connection.
func (c *Client) handshake(ctx context.Context) error {
	t := tls.Client(c.raw, c.options.TLS)
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	c.conn = t
	c.r = newReader(t, c.options.Limits)
	c.tls = true
	return nil
}

func (c *Client) startTLS(ctx context.Context) error {
	if !c.caps.StartTLS {
		return ErrNoTLS
	}
	resp, err := c.exchange([]byte("STARTTLS\r\n"), 0, nil)
	if err != nil {
		return err
	}
	if err := resp.err("STARTTLS"); err != nil {
		return err
	}
	// What came before the handshake wasn't protected and must not be taken
	// for what comes after it.
	if c.r.br.Buffered() > 0 {
		return syntaxError("data between the answer to STARTTLS and the TLS handshake")
	}
	if err := c.handshake(ctx); err != nil {
		return err
	}
	return c.readCapabilities("STARTTLS")
}

// readCapabilities reads a capability answer that the server sends unasked or
// was asked for.
func (c *Client) readCapabilities(command string) error {
	var caps capabilityReader
	resp, err := c.r.answer(maxName, caps.line)
	if err != nil {
		return err
	}
	if err := resp.err(command); err != nil {
		return err
	}
	c.caps = caps.Capabilities
	return nil
}

// exchange sends a command and reads its answer.
func (c *Client) exchange(command []byte, most int, each func(data) error) (response, error) {
	if err := c.send(command); err != nil {
		return response{}, err
	}
	var resp response
	err := c.woken(func() (last bool, err error) {
		resp, err = c.r.answer(most, each)
		return resp.status == Bye || string(command) == logout, err
	})
	return resp, err
}

// send sends a command. Something that the server said unasked would be taken
// for the answer, so only a BYE may be there.
func (c *Client) send(command []byte) error {
	if c.r.br.Buffered() > 0 {
		resp, err := c.r.answer(0, nil)
		if err != nil {
			return err
		}
		if resp.status != Bye {
			return syntaxError("an answer to no command")
		}
		return resp.err("before the command")
	}
	_, err := c.conn.Write(command)
	if err == nil {
		return nil
	}
	var timedOut net.Error
	if errors.As(err, &timedOut) && timedOut.Timeout() {
		return err
	}
	// A server that refuses a command in the middle says why before it closes.
	if resp, readErr := c.r.answer(0, nil); readErr == nil {
		if refusal := resp.err("while sending"); refusal != nil {
			return &ConnError{Err: fmt.Errorf("%w (%w)", err, refusal)}
		}
	}
	return err
}

// command runs a command whose answer has data lines.
func (c *Client) command(ctx context.Context, name string, command []byte, most int, each func(data) error) (response, error) {
	var resp response
	err := c.run(ctx, name, c.options.CommandTimeout, func() error {
		var err error
		if resp, err = c.exchange(command, most, each); err != nil {
			return err
		}
		return resp.err(name)
	})
	return resp, err
}
