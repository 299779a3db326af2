package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/oxmailroute/oxmailroute/sieve/managesieve"
)

// edit calls Options.Edit.
func (j *job) edit(ctx context.Context, script []byte) ([]byte, error) {
	script = bytes.Clone(script)
	edit, mailbox := j.options.Edit, j.report.Mailbox
	after, err := limited(ctx, j.options.Timeout, func() ([]byte, error) { return edit(mailbox, script) }, nil)
	if err != nil {
		return nil, &EditError{err}
	}
	return after, nil
}

// connect calls Options.Connect.
func (j *job) connect(ctx context.Context) (*managesieve.Client, error) {
	connect, mailbox := j.options.Connect, j.report.Mailbox
	late := func(c *managesieve.Client) {
		if c != nil {
			c.Close()
		}
	}
	limit, cancel := context.WithTimeoutCause(ctx, j.options.Timeout, ErrTimeout)
	defer cancel()
	c, err := limited(ctx, j.options.Timeout, func() (*managesieve.Client, error) { return connect(limit, mailbox) }, late)
	if err != nil && limit.Err() != nil && ctx.Err() == nil && !errors.Is(err, ErrTimeout) {
		err = fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	return c, err
}

// limited calls f in a goroutine of its own and waits until it is done, the time
// is over or the context ends. Whatever a function that is late returns goes to
// late.
func limited[T any](ctx context.Context, timeout time.Duration, f func() (T, error), late func(T)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result) // taken, or gone
	gone := make(chan struct{})
	defer close(gone)
	go func() {
		r := result{err: errors.New("it ended its goroutine (runtime.Goexit)")}
		defer func() {
			if v := recover(); v != nil {
				r.err = &PanicError{v, debug.Stack()}
			}
			select {
			case done <- r:
			case <-gone:
				if r.err == nil && late != nil {
					late(r.value)
				}
			}
		}()
		r.value, r.err = f()
	}()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	var none T
	select {
	case r := <-done:
		return r.value, r.err
	case <-timer.C:
		return none, fmt.Errorf("%w, %v", ErrTimeout, timeout)
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}
