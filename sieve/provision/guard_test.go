package provision_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/sieve/managesieve"
	"github.com/oxmailroute/oxmailroute/sieve/provision"
)

// TestOneMailboxAlone: whatever happens in the edit or the connection of one
// mailbox is in its report, and the others are done.
func TestOneMailboxAlone(t *testing.T) {
	t.Parallel()
	forever := make(chan struct{})
	t.Cleanup(func() { close(forever) })
	broken := errors.New("broken")
	bad := map[string]struct {
		edit    func([]byte) ([]byte, error)
		connect func(context.Context) (*managesieve.Client, error)
		is      error
		text    string
		panics  bool
	}{
		"error": {edit: func([]byte) ([]byte, error) { return nil, broken }, is: broken, text: "provision: edit: broken"},
		"panic": {edit: func(b []byte) ([]byte, error) { return b[:cap(b)+1], nil }, text: "provision: edit: panic: runtime error",
			panics: true},
		"panic-error": {edit: func([]byte) ([]byte, error) { panic(broken) }, is: broken, text: "provision: edit: panic: broken",
			panics: true},
		"goexit":        {edit: func([]byte) ([]byte, error) { runtime.Goexit(); return nil, nil }, text: "ended its goroutine"},
		"runaway":       {edit: func([]byte) ([]byte, error) { <-forever; return nil, nil }, is: provision.ErrTimeout, text: "Options.Timeout"},
		"connect":       {connect: func(context.Context) (*managesieve.Client, error) { panic("no") }, text: "panic: no", panics: true},
		"connect-hangs": {connect: func(context.Context) (*managesieve.Client, error) { <-forever; return nil, nil }, is: provision.ErrTimeout},
		"connect-obeys": {connect: func(ctx context.Context) (*managesieve.Client, error) { <-ctx.Done(); return nil, ctx.Err() },
			is: provision.ErrTimeout},
		"connect-nothing": {connect: func(context.Context) (*managesieve.Client, error) { return nil, nil },
			text: "neither a client nor an error"},
		"busy": {connect: func(context.Context) (*managesieve.Client, error) { return nil, &managesieve.ConnError{} },
			text: "panic: no sleep", panics: true},
		"client-empty": {connect: func(context.Context) (*managesieve.Client, error) { return &managesieve.Client{}, nil }},
	}
	s := memoryServer()
	var mailboxes []string
	for i := range 12 {
		mailboxes = append(mailboxes, fmt.Sprintf("user%d@example.com", i))
		s.Put(mailboxes[len(mailboxes)-1], provision.OpenXchange, oxScript(i), true)
	}
	for name := range bad {
		mailboxes = append(mailboxes, name)
		s.Put(name, provision.OpenXchange, oxScript(1), true)
	}
	for _, order := range []int{1, -1} {
		o := options(s)
		o.Parallel, o.Timeout = 2, 300*time.Millisecond
		o.Backoff.Sleep = func(context.Context, time.Duration) error { panic("no sleep") }
		edit, connect := o.Edit, o.Connect
		o.Edit = func(mailbox string, script []byte) ([]byte, error) {
			if b := bad[mailbox]; b.edit != nil {
				return b.edit(script)
			}
			return edit(mailbox, script)
		}
		o.Connect = func(ctx context.Context, mailbox string) (*managesieve.Client, error) {
			if b := bad[mailbox]; b.connect != nil {
				return b.connect(ctx)
			}
			return connect(ctx, mailbox)
		}
		list := append([]string(nil), mailboxes...)
		if order < 0 {
			for i := range list {
				list[i] = mailboxes[len(mailboxes)-1-i]
			}
		}
		reports, err := provision.Sync(context.Background(), list, o)
		if err != nil || len(reports) != len(list) {
			t.Fatalf("%d reports, %v", len(reports), err)
		}
		for _, r := range reports {
			b, isBad := bad[r.Mailbox]
			if isBad != (r.Outcome == provision.Failed) || isBad != (r.Err != nil) {
				t.Errorf("%+v", r)
				continue
			}
			if !isBad {
				continue
			}
			var p *provision.PanicError
			if b.is != nil && !errors.Is(r.Err, b.is) || !strings.Contains(r.Err.Error(), b.text) || b.panics != errors.As(r.Err, &p) && b.panics {
				t.Errorf("%s: %v", r.Mailbox, r.Err)
			}
			if b.panics && !strings.Contains(string(p.Stack), "guard_test.go") {
				t.Errorf("%s: the stack doesn't show the place:\n%s", r.Mailbox, p.Stack)
			}
			if script, _ := s.Get(r.Mailbox, provision.OpenXchange); string(script) != string(oxScript(1)) {
				t.Errorf("%s: its script changed", r.Mailbox)
			}
		}
	}
}

// TestProgressPanics: a panic of Progress is Sync's error and doesn't stop it.
func TestProgressPanics(t *testing.T) {
	t.Parallel()
	s := memoryServer()
	o := options(s)
	calls := 0
	o.Progress = func(provision.Progress) { calls++; panic("full") }
	s.Put(alice, provision.OpenXchange, oxScript(1), true)
	s.Put("bob@example.com", provision.OpenXchange, oxScript(2), true)
	reports, err := provision.Sync(context.Background(), []string{alice, "bob@example.com"}, o)
	if err == nil || !strings.Contains(err.Error(), "Options.Progress: panic: full") || calls != 1 ||
		provision.Count(reports, provision.Updated) != 2 {
		t.Errorf("%d calls, %v, %+v", calls, err, reports)
	}
}

// TestEndDuringEdit: the end of the context doesn't wait for an edit.
func TestEndDuringEdit(t *testing.T) {
	t.Parallel()
	s := memoryServer()
	s.Put(alice, provision.OpenXchange, oxScript(1), true)
	ctx, cancel := context.WithCancel(context.Background())
	forever := make(chan struct{})
	defer close(forever)
	o := options(s)
	o.Edit = func(string, []byte) ([]byte, error) { cancel(); <-forever; return nil, nil }
	reports, err := provision.Sync(ctx, []string{alice}, o)
	if !errors.Is(err, context.Canceled) || !errors.Is(reports[0].Err, context.Canceled) {
		t.Errorf("%v, %+v", err, reports)
	}
}
