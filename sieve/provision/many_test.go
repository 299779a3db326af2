package provision_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/sieve/managesieve"
	"github.com/oxmailroute/oxmailroute/sieve/provision"
)

func TestManyMailboxes(t *testing.T) {
	t.Parallel()
	s := memoryServer()
	var mailboxes []string
	for i := range 300 {
		m := fmt.Sprintf("user%d@example.com", i)
		mailboxes = append(mailboxes, m)
		s.Put(m, "a", oxScript(i), true)
	}
	var now, most atomic.Int64
	o := options(s)
	connect := o.Connect
	o.Edit = func(mailbox string, script []byte) ([]byte, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(time.Millisecond)
		return manage(mailbox, script)
	}
	o.Connect = connect
	o.Parallel = 5
	var seen sync.Map
	last := 0
	o.Progress = func(p provision.Progress) {
		last++
		if p.Done != last || p.Total != len(mailboxes) || p.Report.Outcome != provision.Updated {
			t.Errorf("progress %+v, want number %d", p, last)
		}
		if _, twice := seen.LoadOrStore(p.Report.Mailbox, true); twice {
			t.Errorf("%s twice", p.Report.Mailbox)
		}
	}
	reports, err := provision.Sync(context.Background(), mailboxes, o)
	if err != nil || provision.Count(reports, provision.Updated) != len(mailboxes) || last != len(mailboxes) {
		t.Errorf("error %v, %d updated, %d told", err, provision.Count(reports, provision.Updated), last)
	}
	if most.Load() > 5 || most.Load() < 2 {
		t.Errorf("%d mailboxes at a time, want up to 5", most.Load())
	}
	for i, m := range mailboxes {
		if reports[i].Mailbox != m {
			t.Fatalf("report %d is of %s", i, reports[i].Mailbox)
		}
		if script, _ := s.Get(m, "a"); !bytes.Equal(script, managed(oxScript(i))) {
			t.Fatalf("%s has %q", m, script)
		}
	}
}

// The end of the context leaves whole scripts, and says what wasn't begun.
func TestCancel(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"AUTHENTICATE", "LISTSCRIPTS", "GETSCRIPT", "CHECKSCRIPT", "PUTSCRIPT"} {
		t.Run(at, func(t *testing.T) {
			s := memoryServer()
			var mailboxes []string
			for i := range 20 {
				m := fmt.Sprintf("user%d@example.com", i)
				mailboxes = append(mailboxes, m)
				s.Put(m, "a", oxScript(i), true)
			}
			ctx, cancel := context.WithCancelCause(context.Background())
			reason := errors.New("enough")
			var commands atomic.Int64
			s.Answer = func(_, command string) string {
				if command == at && commands.Add(1) == 5 {
					cancel(reason)
					time.Sleep(10 * time.Millisecond)
				}
				return ""
			}
			o := options(s)
			o.Parallel = 2
			reports, err := provision.Sync(ctx, mailboxes, o)
			if !errors.Is(err, reason) {
				t.Fatalf("error %v", err)
			}
			notStarted := 0
			for i, r := range reports {
				script, active := s.Get(r.Mailbox, "a")
				stored := bytes.Equal(script, managed(oxScript(i)))
				if !stored && !bytes.Equal(script, oxScript(i)) || !active || stored != r.Stored || stored != (r.Outcome == provision.Updated) {
					t.Errorf("report %+v, script %q", r, script)
				}
				if r.Outcome == provision.NotStarted {
					notStarted++
					if !errors.Is(r.Err, reason) {
						t.Errorf("not started: %v", r.Err)
					}
				}
			}
			if notStarted < 5 {
				t.Errorf("%d not started", notStarted)
			}
		})
	}
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	s := memoryServer()
	tests := []struct {
		name      string
		mailboxes []string
		options   func(*provision.Options)
		want      string
	}{
		{"nothing", nil, func(o *provision.Options) { o.Connect, o.Edit = nil, nil }, "Options.Edit"},
		{"twice", []string{"a", "b", "a"}, nil, "mailboxes[2] is mailboxes[0]"},
		{"empty", []string{"a", ""}, nil, "mailboxes[1]"},
		{"name", nil, func(o *provision.Options) { o.Script = "a\n" }, "control character"},
		{"activate alone", nil, func(o *provision.Options) { o.Activate = true }, "Create"},
		{"inactive", nil, func(o *provision.Options) { o.Inactive = 7 }, "Inactive"},
		{"negative", nil, func(o *provision.Options) { o.Parallel = -1 }, "below 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := options(s)
			if test.options != nil {
				test.options(&o)
			}
			if _, err := provision.Sync(context.Background(), test.mailboxes, o); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
	if reports, err := provision.Sync(context.Background(), nil, options(s)); err != nil || len(reports) != 0 {
		t.Errorf("no mailboxes: %v, %v", reports, err)
	}
}

// A server that can't be reached is tried again, one that isn't the right one
// isn't.
func TestConnectErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		err      error
		attempts int
	}{
		{"refused", &managesieve.ConnError{Command: "connect", Err: errors.New("connection refused")}, 5},
		{"own dialer", &net.OpError{Op: "dial", Err: errors.New("unreachable")}, 5},
		{"unknown host", &managesieve.ConnError{Command: "connect", Err: &net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}}, 1},
		{"no TLS", &managesieve.ConnError{Command: "STARTTLS", Err: managesieve.ErrNoTLS}, 1},
		{"something else", errors.New("no password for this mailbox"), 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := options(memoryServer())
			o.Connect = func(context.Context, string) (*managesieve.Client, error) { return nil, test.err }
			if got := syncOne(t, o, alice); got.Attempts != test.attempts || !errors.Is(got.Err, test.err) {
				t.Errorf("report %+v, want %d attempts", got, test.attempts)
			}
		})
	}
}
