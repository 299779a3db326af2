package provision

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/oxmailroute/oxmailroute/sieve/managesieve"
)

// OpenXchange is the name that Open-Xchange gives to a user's script unless it is
// configured otherwise.
const OpenXchange = "Open-Xchange"

// Options say what to do with each mailbox. Connect and Edit are needed; the rest
// has defaults.
type Options struct {
	// Connect connects and authenticates for a mailbox: see [Connector]. It is
	// called from several goroutines at once.
	Connect func(ctx context.Context, mailbox string) (*managesieve.Client, error)
	// Edit returns the new script of the mailbox: the bytes it got for no
	// change. It is called from several goroutines at once, more than once for
	// a mailbox where something is tried again, and must not change its
	// argument. An error, a panic or a call that takes longer than Timeout
	// leaves the mailbox alone and is in its report; the others go on. Its
	// argument is empty where a script is to be created.
	Edit func(mailbox string, script []byte) ([]byte, error)

	Script   string   // name of the script; empty: the active one
	Inactive Inactive // what to do where Script isn't active
	// Create makes a script where there is none: under Script, or OpenXchange
	// where that is empty. Where another script is active, Inactive decides.
	// Where Edit makes nothing of nothing, nothing is created.
	Create bool
	// Activate activates a script that Create makes, where none is active. A
	// script that is there, inactive, and byte for byte what Create would make
	// is taken for one whose activation was interrupted.
	Activate bool

	Parallel int     // mailboxes at a time; 0: 8
	Attempts int     // per mailbox; 0: 5
	Backoff  Backoff // between attempts
	// Timeout is how long a single call of Connect or Edit may take; 0: 1
	// minute. A function that doesn't come back can't be ended: it is left
	// behind, with the goroutine that it runs in, and its mailbox has failed.
	Timeout time.Duration

	// DryRun does everything but store: Edit is called and the server checks
	// the result.
	DryRun bool
	// Progress is told of every mailbox as it ends. Calls don't overlap. After a
	// panic it isn't called again, and the panic is in the error of Sync.
	Progress func(Progress)
}

// Inactive is what to do where the named script isn't the active one.
type Inactive int

const (
	// LeaveAlone reports an [*InactiveError] and changes nothing.
	LeaveAlone Inactive = iota
	// EditNamed edits or creates the named script and doesn't activate it.
	EditNamed
	// EditActive edits the active script in its place. Where none is active it
	// does as LeaveAlone.
	EditActive
)

// Backoff is the delay before another attempt: random between nothing and a bound
// that starts at Min, doubles each time and ends at Max.
type Backoff struct {
	Min, Max time.Duration // 0: 200 ms and 30 s
	// Sleep waits for the duration or for the end of the context, whose error
	// it returns; nil waits by the clock.
	Sleep func(ctx context.Context, d time.Duration) error
	// Random returns a number in [0,1); nil is math/rand.
	Random func() float64
}

// Progress is what [Options.Progress] gets.
type Progress struct {
	Done, Total int // mailboxes
	Report      Report
}

func (o Options) withDefaults() (Options, error) {
	var errs []error
	if o.Connect == nil {
		errs = append(errs, errors.New("Options.Connect is nil: use Connector(...)"))
	}
	if o.Edit == nil {
		errs = append(errs, errors.New("Options.Edit is nil: give the function that makes the new script"))
	}
	if o.Script != "" {
		if err := managesieve.CheckName(o.Script); err != nil {
			errs = append(errs, fmt.Errorf("Options.Script: %w", err))
		}
	}
	if o.Inactive < LeaveAlone || o.Inactive > EditActive {
		errs = append(errs, errors.New("Options.Inactive: use LeaveAlone, EditNamed or EditActive"))
	}
	if o.Activate && !o.Create {
		errs = append(errs, errors.New("Options.Activate without Create: only created scripts are activated"))
	}
	if o.Parallel < 0 || o.Attempts < 0 || o.Backoff.Min < 0 || o.Backoff.Max < 0 || o.Timeout < 0 {
		errs = append(errs, errors.New("Options.Parallel, Attempts, Backoff or Timeout below 0: use 0 for the default"))
	}
	if o.Parallel == 0 {
		o.Parallel = 8
	}
	if o.Attempts == 0 {
		o.Attempts = 5
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.Backoff.Min == 0 {
		o.Backoff.Min = 200 * time.Millisecond
	}
	if o.Backoff.Max == 0 {
		o.Backoff.Max = 30 * time.Second
	}
	if o.Backoff.Sleep == nil {
		o.Backoff.Sleep = sleep
	}
	if o.Backoff.Random == nil {
		o.Backoff.Random = rand.Float64
	}
	return o, errors.Join(errs...)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// delay is the time before the attempt after the given one, counted from 1.
func (b Backoff) delay(attempt int) time.Duration {
	bound := b.Min
	for range attempt - 1 {
		if bound >= b.Max/2 {
			bound = b.Max
			break
		}
		bound *= 2
	}
	return time.Duration(b.Random() * float64(min(bound, b.Max)))
}

// Connector is an Options.Connect that dials the address and authenticates by the
// mechanism that auth gives for the mailbox, for a master user
//
//	func(mailbox string) sasl.Client { return sasl.NewPlainClient(mailbox, "master", password) }
//
// TLS sessions are resumed from one connection to the next unless options.TLS has
// a cache of its own; the certificate is verified at each.
func Connector(address string, options managesieve.Options, auth func(mailbox string) sasl.Client) func(context.Context,
	string) (*managesieve.Client, error) {
	if options.TLS == nil {
		options.TLS = &tls.Config{}
	}
	if options.TLS.ClientSessionCache == nil {
		options.TLS = options.TLS.Clone()
		options.TLS.ClientSessionCache = tls.NewLRUClientSessionCache(64)
	}
	return func(ctx context.Context, mailbox string) (*managesieve.Client, error) {
		if auth == nil {
			return nil, errors.New("provision: Connector got no auth: give the function that makes the SASL client")
		}
		c, err := managesieve.Dial(ctx, address, options)
		if err != nil {
			return nil, err
		}
		if err := c.Authenticate(ctx, auth(mailbox)); err != nil {
			c.Close()
			return nil, err
		}
		return c, nil
	}
}
