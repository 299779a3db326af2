package managesieve

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// Security is how a connection is protected.
type Security int

const (
	// StartTLS demands STARTTLS (RFC 5804 section 2.2) before anything else.
	StartTLS Security = iota
	// ImplicitTLS starts with the TLS handshake. Authenticate then sends nothing
	// until the server asks, and asks again after half a second: Pigeonhole 0.5
	// (Dovecot 2.3) overlooks what a quick client sends right after the greeting.
	ImplicitTLS
	// LoopbackCleartext uses no TLS and permits every mechanism. It is refused
	// unless the peer is a loopback address, a Unix socket or an in-memory pipe.
	LoopbackCleartext
)

// Options are the settings of a connection. The zero value is STARTTLS with the
// certificate verified by the system's authorities.
type Options struct {
	Security Security
	// TLS may be nil. ServerName is the host of Dial's address where it is
	// empty. InsecureSkipVerify is refused where no VerifyConnection stands in.
	TLS *tls.Config
	// DialTimeout is for the connection, the TLS handshake and the greeting
	// together; 0 is 30 seconds.
	DialTimeout time.Duration
	// CommandTimeout is for a whole command, from its first byte to the last
	// byte of its answer; 0 is 60 seconds.
	CommandTimeout time.Duration
	Limits         Limits
	// DialContext makes the connections of Dial; nil is a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

// Limits are the sizes beyond which an answer is a [*ProtocolError]. A 0 is the
// default.
type Limits struct {
	Script  int // bytes of a script, sent or received; 4 MiB
	Scripts int // scripts of a mailbox; 4096
	Text    int // bytes of text and response code data in one answer; 64 KiB
	Line    int // bytes of a line, literals not counted; 8 KiB
	Nesting int // parentheses in the data of a response code; 8
}

// What nobody needs to change.
const (
	maxCapabilities = 256      // capability lines
	maxChallenge    = 64 << 10 // bytes of a SASL challenge
	maxRounds       = 64       // SASL challenges of one exchange
	maxName         = 1024     // bytes of a script's name: the longest quoted string (RFC 5804 section 4)
)

func (o Options) withDefaults() (Options, error) {
	for _, d := range []struct {
		v    *int
		zero int
	}{
		{&o.Limits.Script, 4 << 20}, {&o.Limits.Scripts, 4096}, {&o.Limits.Text, 64 << 10},
		{&o.Limits.Line, 8 << 10}, {&o.Limits.Nesting, 8},
	} {
		switch {
		case *d.v < 0:
			return o, errors.New("managesieve: a limit below 0: use 0 for the default")
		case *d.v == 0:
			*d.v = d.zero
		}
	}
	for _, d := range []struct {
		v    *time.Duration
		zero time.Duration
	}{{&o.DialTimeout, 30 * time.Second}, {&o.CommandTimeout, 60 * time.Second}} {
		switch {
		case *d.v < 0:
			return o, errors.New("managesieve: a timeout below 0: use 0 for the default")
		case *d.v == 0:
			*d.v = d.zero
		}
	}
	switch o.Security {
	case StartTLS, ImplicitTLS, LoopbackCleartext:
	default:
		return o, errors.New("managesieve: Options.Security: use StartTLS, ImplicitTLS or LoopbackCleartext")
	}
	if o.TLS == nil {
		o.TLS = &tls.Config{}
	}
	if o.TLS.InsecureSkipVerify && o.TLS.VerifyConnection == nil {
		return o, errors.New("managesieve: Options.TLS.InsecureSkipVerify accepts every server: put its authority into RootCAs, or pin the certificate by VerifyConnection")
	}
	if o.DialContext == nil {
		o.DialContext = (&net.Dialer{}).DialContext
	}
	return o, nil
}
