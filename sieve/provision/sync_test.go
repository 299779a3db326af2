package provision_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/internal/managesievetest"
	"github.com/oxmailroute/oxmailroute/sieve/managesieve"
	"github.com/oxmailroute/oxmailroute/sieve/provision"
)

const alice = "alice@example.com"

// Which script is edited, and what the report says of it. A second run must
// change nothing.
func TestChoice(t *testing.T) {
	t.Parallel()
	const ox = provision.OpenXchange
	type scripts map[string]bool // name to active
	ours, other, fresh := oxScript(1), []byte("# roundcube\r\nkeep;\r\n"), managed(nil)
	tests := []struct {
		name    string
		scripts scripts
		content []byte // of all of them; nil: ours
		options func(*provision.Options)
		want    provision.Report
		active  string // afterwards
		err     string
	}{
		{"active", scripts{ox: true, "b": false}, nil, nil,
			provision.Report{Outcome: provision.Updated, Script: ox, Active: true, ActiveScript: ox, Before: len(ours), After: len(managed(ours)), Stored: true}, ox, ""},
		{"active of another name", scripts{ox: false, "roundcube": true}, other, nil,
			provision.Report{Outcome: provision.Updated, Script: "roundcube", Active: true, ActiveScript: "roundcube", Before: len(other), After: len(managed(other)), Stored: true}, "roundcube", ""},
		{"managed already", scripts{ox: true}, managed(ours), nil,
			provision.Report{Outcome: provision.Unchanged, Script: ox, Active: true, ActiveScript: ox, Before: len(managed(ours)), After: len(managed(ours))}, ox, ""},
		{"dry run", scripts{ox: true}, nil, func(o *provision.Options) { o.DryRun = true },
			provision.Report{Outcome: provision.Updated, Script: ox, Active: true, ActiveScript: ox, Before: len(ours), After: len(managed(ours))}, ox, ""},
		{"none active", scripts{ox: false}, nil, nil,
			provision.Report{Outcome: provision.NoScript}, "", ""},
		{"nothing", nil, nil, nil,
			provision.Report{Outcome: provision.NoScript}, "", ""},
		{"create", nil, nil, func(o *provision.Options) { o.Create = true },
			provision.Report{Outcome: provision.Created, Script: ox, After: len(fresh), Stored: true}, "", ""},
		{"create and activate", nil, nil, func(o *provision.Options) { o.Create, o.Activate = true, true },
			provision.Report{Outcome: provision.Created, Script: ox, Active: true, ActiveScript: ox, After: len(fresh), Stored: true}, ox, ""},
		{"create, dry run", nil, nil, func(o *provision.Options) { o.Create, o.Activate, o.DryRun = true, true, true },
			provision.Report{Outcome: provision.Created, Script: ox, After: len(fresh)}, "", ""},
		{"create beside an inactive one", scripts{"b": false}, nil, func(o *provision.Options) { o.Create, o.Activate, o.Script = true, true, "c" },
			provision.Report{Outcome: provision.Created, Script: "c", Active: true, ActiveScript: "c", After: len(fresh), Stored: true}, "c", ""},
		{"never over an inactive one", scripts{ox: false}, nil, func(o *provision.Options) { o.Create, o.Activate = true, true },
			provision.Report{Outcome: provision.Failed, Script: ox, After: len(managed(ours))}, "", "not active and no other"},
		{"interrupted activation", scripts{ox: false}, fresh, func(o *provision.Options) { o.Create, o.Activate = true, true },
			provision.Report{Outcome: provision.Created, Script: ox, Active: true, ActiveScript: ox, After: len(fresh)}, ox, ""},
		{"interrupted activation, dry run", scripts{ox: false}, fresh, func(o *provision.Options) { o.Create, o.Activate, o.DryRun = true, true, true },
			provision.Report{Outcome: provision.Created, Script: ox, After: len(fresh)}, "", ""},
		{"named and active", scripts{ox: true}, nil, func(o *provision.Options) { o.Script = ox },
			provision.Report{Outcome: provision.Updated, Script: ox, Active: true, ActiveScript: ox, Before: len(ours), After: len(managed(ours)), Stored: true}, ox, ""},
		{"named, another active", scripts{ox: false, "b": true}, nil, func(o *provision.Options) { o.Script = ox },
			provision.Report{Outcome: provision.Failed, ActiveScript: "b"}, "b", `"Open-Xchange" is not active, "b" is`},
		{"named, none active", scripts{ox: false}, nil, func(o *provision.Options) { o.Script = ox },
			provision.Report{Outcome: provision.Failed}, "", "not active and no other"},
		{"edit the named", scripts{ox: false, "b": true}, nil, func(o *provision.Options) { o.Script, o.Inactive = ox, provision.EditNamed },
			provision.Report{Outcome: provision.Updated, Script: ox, ActiveScript: "b", Before: len(ours), After: len(managed(ours)), Stored: true}, "b", ""},
		{"edit the named, none active, create", scripts{ox: false}, nil, func(o *provision.Options) {
			o.Script, o.Inactive, o.Create, o.Activate = ox, provision.EditNamed, true, true
		},
			provision.Report{Outcome: provision.Updated, Script: ox, Before: len(ours), After: len(managed(ours)), Stored: true}, "", ""},
		{"edit the active", scripts{ox: false, "b": true}, nil, func(o *provision.Options) { o.Script, o.Inactive = ox, provision.EditActive },
			provision.Report{Outcome: provision.Updated, Script: "b", Active: true, ActiveScript: "b", Before: len(ours), After: len(managed(ours)), Stored: true}, "b", ""},
		{"edit the active, none is", scripts{ox: false}, nil, func(o *provision.Options) { o.Script, o.Inactive = ox, provision.EditActive },
			provision.Report{Outcome: provision.Failed}, "", "not active"},
		{"named is missing", scripts{"b": true}, nil, func(o *provision.Options) { o.Script = ox },
			provision.Report{Outcome: provision.NoScript, ActiveScript: "b"}, "b", ""},
		{"named is missing, edit the active", scripts{"b": true}, nil, func(o *provision.Options) { o.Script, o.Inactive = ox, provision.EditActive },
			provision.Report{Outcome: provision.Updated, Script: "b", Active: true, ActiveScript: "b", Before: len(ours), After: len(managed(ours)), Stored: true}, "b", ""},
		{"named is missing, create, another active", scripts{"b": true}, nil, func(o *provision.Options) { o.Script, o.Create, o.Activate = ox, true, true },
			provision.Report{Outcome: provision.Failed, ActiveScript: "b"}, "b", `"b" is`},
		{"named is missing, create beside the active", scripts{"b": true}, nil, func(o *provision.Options) {
			o.Script, o.Create, o.Activate, o.Inactive = ox, true, true, provision.EditNamed
		},
			provision.Report{Outcome: provision.Created, Script: ox, ActiveScript: "b", After: len(fresh), Stored: true}, "b", ""},
		{"nothing to create", nil, nil, func(o *provision.Options) {
			o.Create, o.Activate = true, true
			o.Edit = func(_ string, script []byte) ([]byte, error) { return script, nil }
		},
			provision.Report{Outcome: provision.NoScript, Script: ox}, "", ""},
		{"no client", nil, nil, func(o *provision.Options) {
			o.Connect = func(context.Context, string) (*managesieve.Client, error) { return nil, nil }
		},
			provision.Report{Outcome: provision.Failed}, "", "neither"},
		{"broken", scripts{ox: true}, []byte("broken"), nil,
			provision.Report{Outcome: provision.Failed, Script: ox, Active: true, ActiveScript: ox, Before: 6, After: len(managed([]byte("broken")))}, ox, "unknown command"},
		{"edit fails", scripts{ox: true}, []byte(blockBegin), nil,
			provision.Report{Outcome: provision.Failed, Script: ox, Active: true, ActiveScript: ox}, ox, "edit: the block has no end"},
	}
	for _, test := range tests {
		for _, old := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/old server %v", test.name, old), func(t *testing.T) {
				s := memoryServer()
				s.Old = old
				if test.content == nil {
					test.content = ours
				}
				for name, active := range test.scripts {
					s.Put(alice, name, test.content, active)
				}
				o := options(s)
				if test.options != nil {
					test.options(&o)
				}
				got := syncOne(t, o, alice)
				test.want.Mailbox, test.want.Attempts = alice, 1
				if d := cmp.Diff(test.want, got, cmpopts.IgnoreFields(provision.Report{}, "Err")); d != "" {
					t.Error(d)
				}
				if (got.Err == nil) != (test.err == "") || got.Err != nil && !strings.Contains(got.Err.Error(), test.err) {
					t.Errorf("error %v, want %q", got.Err, test.err)
				}
				if s.Active(alice) != test.active {
					t.Errorf("%q is active, want %q", s.Active(alice), test.active)
				}
				wantPuts := 0
				if test.want.Stored {
					wantPuts = 1
				}
				if s.Puts() != wantPuts {
					t.Errorf("%d scripts stored, want %d", s.Puts(), wantPuts)
				}
				for name := range test.scripts {
					script, _ := s.Get(alice, name)
					want := test.content
					if name == test.want.Script && test.want.Stored {
						want = managed(test.content)
					}
					if !bytes.Equal(script, want) {
						t.Errorf("%s is %q, want %q", name, script, want)
					}
				}
				if syncOne(t, o, alice); s.Puts() != wantPuts || s.Active(alice) != test.active {
					t.Error("the second run changed something")
				}
			})
		}
	}
}

// What is tried again, and what isn't.
func TestRetry(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, command, answer string
		times, attempts       int
		outcome               provision.Outcome
	}{
		{"try later", "PUTSCRIPT", "NO (TRYLATER) \"busy\"\r\n", 3, 4, provision.Updated},
		{"below try later", "CHECKSCRIPT", "NO (TRYLATER/LOAD)\r\n", 1, 2, provision.Updated},
		{"bye", "LISTSCRIPTS", "BYE \"restart\"\r\n", 1, 2, provision.Updated},
		{"at the login", "AUTHENTICATE", "NO (TRYLATER)\r\n", 2, 3, provision.Updated},
		{"bye in the middle", "PUTSCRIPT", "BYE\r\n", 1, 2, provision.Updated},
		{"bye at the verification", "GETSCRIPT", "BYE\r\n", 1, 2, provision.Updated},
		{"too often", "GETSCRIPT", "NO (TRYLATER)\r\n", 5, 5, provision.Failed},
		{"refused", "PUTSCRIPT", "NO \"no\"\r\n", 1, 1, provision.Failed},
		{"quota", "PUTSCRIPT", "NO (QUOTA)\r\n", 1, 1, provision.Failed},
		{"referral", "AUTHENTICATE", "BYE (REFERRAL \"sieve://b.test\")\r\n", 1, 1, provision.Failed},
		{"credentials", "AUTHENTICATE", "NO\r\n", 1, 1, provision.Failed},
		{"garbage", "GETSCRIPT", "220 hello\r\n", 1, 1, provision.Failed},
		{"verification", "SETACTIVE", "NO\r\n", 0, 1, provision.Updated},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := memoryServer()
			s.Put(alice, "a", oxScript(1), true)
			left := test.times
			s.Answer = func(_, command string) string {
				if command != test.command || left == 0 {
					return ""
				}
				left--
				return test.answer
			}
			var delays []time.Duration
			o := options(s)
			o.Backoff = provision.Backoff{
				Min: time.Second, Max: 5 * time.Second, Random: func() float64 { return 0.5 },
				Sleep: func(_ context.Context, d time.Duration) error { delays = append(delays, d); return nil },
			}
			got := syncOne(t, o, alice)
			if got.Outcome != test.outcome || got.Attempts != test.attempts || (got.Err == nil) != (test.outcome == provision.Updated) {
				t.Errorf("report %+v, want %v after %d attempts", got, test.outcome, test.attempts)
			}
			want := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 2500 * time.Millisecond}[:test.attempts-1]
			if d := cmp.Diff(want, delays, cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
			script, active := s.Get(alice, "a")
			wantScript := oxScript(1)
			if test.outcome == provision.Updated {
				wantScript = managed(wantScript)
			}
			if !bytes.Equal(script, wantScript) || !active {
				t.Errorf("script %q, active %v", script, active)
			}
		})
	}
}

// TestCut breaks the connection at every byte of a whole run, once without
// another attempt and once with.
func TestCut(t *testing.T) {
	t.Parallel()
	for _, create := range []bool{false, true} {
		run := func(left, attempts int) (provision.Report, *managesievetest.Server, int) {
			s := memoryServer()
			before := []byte("keep;\r\n")
			if !create {
				s.Put(alice, provision.OpenXchange, before, true)
			}
			var cut *managesievetest.Cut
			o := optionsFor(func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := s.DialContext(ctx, network, address)
				if cut != nil || err != nil {
					return conn, err
				}
				cut = managesievetest.NewCut(conn, left)
				return cut, nil
			})
			o.Attempts, o.Create, o.Activate = attempts, create, create
			report := syncOne(t, o, alice)
			script, active := s.Get(alice, provision.OpenXchange)
			after := managed(before)
			if create {
				before, after = nil, managed(nil)
			}
			switch {
			case !bytes.Equal(script, before) && !bytes.Equal(script, after):
				t.Fatalf("cut after %d bytes: script %q", left, script)
			case bytes.Equal(script, after) && !report.Stored, report.Outcome != provision.Failed && !bytes.Equal(script, after):
				t.Fatalf("cut after %d bytes: script %q, report %+v", left, script, report)
			case !active && (!create || report.Outcome != provision.Failed):
				t.Fatalf("cut after %d bytes: not active, report %+v", left, report)
			}
			return report, s, left - cut.Left()
		}
		whole, _, total := run(1<<20, 1)
		want := provision.Updated
		if create {
			want = provision.Created
		}
		if whole.Outcome != want {
			t.Fatalf("uncut: %+v", whole)
		}
		failed := 0
		for left := range total {
			once, s, _ := run(left, 1)
			if once.Outcome == provision.Failed {
				failed++
			}
			// The next run, as of another process, does the rest.
			o := options(s)
			o.Create, o.Activate = create, create
			if r := syncOne(t, o, alice); r.Err != nil || !r.Active {
				t.Fatalf("cut after %d bytes, then run again: %+v", left, r)
			}
			twice, s, _ := run(left, 2)
			if twice.Outcome != want || !twice.Active || twice.Before != whole.Before || twice.After != whole.After || s.Puts() > 1 {
				t.Fatalf("cut after %d bytes, two attempts: %+v, stored %d times", left, twice, s.Puts())
			}
		}
		if failed < total/2 {
			t.Errorf("%d of %d cuts fail", failed, total)
		}
	}
}

// Somebody else saves while we edit.
func TestConflict(t *testing.T) {
	t.Parallel()
	user := []byte("# saved by the user\r\nkeep;\r\n")
	tests := []struct {
		name    string
		gets    int // before which GETSCRIPT the user saves; a run has three
		outcome provision.Outcome
		puts    int
	}{
		{"before we read", 1, provision.Updated, 1},
		{"before we read again", 2, provision.Updated, 1},
		{"after we stored", 3, provision.Updated, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := memoryServer()
			s.Put(alice, "a", oxScript(1), true)
			gets := 0
			s.Answer = func(_, command string) string {
				if command == "GETSCRIPT" {
					if gets++; gets == test.gets {
						s.Put(alice, "a", user, true)
					}
				}
				return ""
			}
			got := syncOne(t, options(s), alice)
			if got.Outcome != test.outcome || s.Puts() != test.puts {
				t.Errorf("report %+v, %d stored", got, s.Puts())
			}
			if script, _ := s.Get(alice, "a"); !bytes.Equal(script, managed(user)) {
				t.Errorf("script %q: the user's is lost", script)
			}
		})
	}
	t.Run("all the time", func(t *testing.T) {
		s := memoryServer()
		s.Put(alice, "a", oxScript(1), true)
		n := 0
		s.Answer = func(_, command string) string {
			if command == "GETSCRIPT" {
				n++
				s.Put(alice, "a", fmt.Appendf(nil, "# %d\r\n", n), true)
			}
			return ""
		}
		if got := syncOne(t, options(s), alice); !errors.Is(got.Err, provision.ErrConflict) || got.Attempts != 5 || s.Puts() != 0 {
			t.Errorf("report %+v, %d stored", got, s.Puts())
		}
	})
	t.Run("created meanwhile", func(t *testing.T) {
		s := memoryServer()
		lists := 0
		s.Answer = func(_, command string) string {
			if command == "LISTSCRIPTS" {
				if lists++; lists == 2 {
					s.Put(alice, provision.OpenXchange, user, true)
				}
			}
			return ""
		}
		o := options(s)
		o.Create = true
		if got := syncOne(t, o, alice); got.Outcome != provision.Updated {
			t.Errorf("report %+v", got)
		}
		if script, active := s.Get(alice, provision.OpenXchange); !bytes.Equal(script, managed(user)) || !active {
			t.Errorf("script %q, active %v", script, active)
		}
	})
	t.Run("deleted meanwhile", func(t *testing.T) {
		s := memoryServer()
		s.Put(alice, "a", oxScript(1), true)
		gets := 0
		s.Answer = func(_, command string) string {
			if command == "GETSCRIPT" {
				if gets++; gets == 2 {
					return "NO (NONEXISTENT)\r\n"
				}
			}
			return ""
		}
		if got := syncOne(t, options(s), alice); got.Outcome != provision.Updated || got.Attempts != 2 {
			t.Errorf("report %+v", got)
		}
	})
}

// A creation that is refused at first doesn't make a script of somebody else ours.
func TestRefusedCreation(t *testing.T) {
	t.Parallel()
	s := memoryServer()
	user := []byte("# the user's, inactive\r\n")
	s.Answer = func(_, command string) string {
		if _, active := s.Get(alice, provision.OpenXchange); command == "PUTSCRIPT" && !active {
			s.Put(alice, provision.OpenXchange, user, false)
			return "NO (TRYLATER)\r\n"
		}
		return ""
	}
	o := options(s)
	o.Create, o.Activate = true, true
	got := syncOne(t, o, alice)
	var inactive *provision.InactiveError
	if script, active := s.Get(alice, provision.OpenXchange); !errors.As(got.Err, &inactive) || !bytes.Equal(script, user) || active {
		t.Errorf("report %+v, script %q, active %v", got, script, active)
	}
}

// What may be on the server is reported as stored.
func TestStoredPerhaps(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{"BYE\r\n": true, "garbage\r\n": true, "NO (TRYLATER)\r\n": false} {
		s := memoryServer()
		s.Put(alice, "a", oxScript(1), true)
		s.Answer = func(_, command string) string {
			if command == "PUTSCRIPT" {
				return answer
			}
			return ""
		}
		o := options(s)
		o.Attempts = 1
		if got := syncOne(t, o, alice); got.Outcome != provision.Failed || got.Stored != want {
			t.Errorf("%q: report %+v, want stored %v", answer, got, want)
		}
	}
}

// A server that loses the activation when it stores, against RFC 5804.
func TestActivatedAgain(t *testing.T) {
	t.Parallel()
	s := memoryServer()
	s.Put(alice, "a", oxScript(1), true)
	lists := 0
	s.Answer = func(_, command string) string {
		if command == "LISTSCRIPTS" {
			if lists++; lists == 2 {
				s.Deactivate(alice)
			}
		}
		return ""
	}
	got := syncOne(t, options(s), alice)
	if _, active := s.Get(alice, "a"); !active || !got.Active || got.Outcome != provision.Updated {
		t.Errorf("active %v, report %+v", active, got)
	}
}
