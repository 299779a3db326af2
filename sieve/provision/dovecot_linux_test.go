package provision_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/oxmailroute/oxmailroute/internal/managesievetest"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/mailfilter"
	"github.com/oxmailroute/oxmailroute/sieve/managesieve"
	"github.com/oxmailroute/oxmailroute/sieve/provision"
)

// A population is the state of a mailbox before the first run, and what must come
// of it.
type population struct {
	address string
	script  []byte // under provision.OpenXchange; nil: none
	active  bool
	other   bool // otherScript is the active one
	want    provision.Outcome
	refused bool // by the server
}

// withRules puts rules as a gateway needs them into a user's script.
func withRules(mailbox string, script []byte) ([]byte, error) {
	rule := func(flag, header, value, folder string) mailfilter.Managed {
		return mailfilter.Managed{Flag: flag, Name: flag, Command: sieve.If{
			Test: sieve.Header{Names: []string{header}, Match: sieve.Is, Keys: []string{value}},
			Then: []sieve.Command{sieve.FileInto{Mailbox: folder}, sieve.Stop{}},
		}}
	}
	d, err := mailfilter.Parse(mailbox, script)
	if err != nil {
		return nil, err
	}
	if _, err := d.Upsert(rule("gwreleased", "X-Gateway-Released", "yes", "INBOX"),
		rule("gwspam", "X-Gateway-Flag", "YES", "Spam")); err != nil {
		return nil, err
	}
	return d.Format(), nil
}

// edited is what withRules makes of a script that it can read.
func edited(t testing.TB, script []byte) []byte {
	t.Helper()
	out, err := withRules("", script)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var otherScript = []byte("# rule:[lists]\r\nif true\r\n{\r\n\tkeep;\r\n}\r\n")

func populate(t testing.TB, d *managesievetest.Dovecot, n int) []population {
	t.Helper()
	var all []population
	for i := range n {
		p := population{address: fmt.Sprintf("user%d@example.com", i), script: oxScript(i), active: true, want: provision.Updated}
		switch i % 20 {
		case 3: // one that is not Sieve, and left alone
			p.script = append(p.script, "## Flag: |UniqueId:9|Rulename: broken\r\nif header :nonsense \"a\" {\r\n"...)
			p.want = provision.Failed
		case 13: // one that the server doesn't take
			p.script = append(p.script, "## Flag: |UniqueId:9|Rulename: broken\r\nif header :nonsense \"a\" {\r\n}\r\n"...)
			p.want, p.refused = provision.Failed, true
		case 5:
			p.script, p.active, p.want = nil, false, provision.Created
		case 7:
			p.script, p.want = edited(t, p.script), provision.Unchanged
		case 9, 19:
			p.active, p.other = false, true
		case 11:
			p.active = false
		}
		if p.script != nil {
			if err := d.Put(p.address, provision.OpenXchange, p.script, p.active); err != nil {
				t.Fatal(err)
			}
		}
		if p.other {
			if err := d.Put(p.address, "roundcube", otherScript, true); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, p)
	}
	return all
}

// check compares a mailbox's files with what may be there: in the end the new
// script, before it the old or the new one.
func (p population) check(d *managesievetest.Dovecot, end bool) error {
	script, active, err := d.Get(p.address, provision.OpenXchange)
	if p.script == nil && !end && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	after := p.script
	switch {
	case p.want == provision.Updated, p.want == provision.Created:
		after, err = withRules("", p.script)
		if err != nil {
			return err
		}
	}
	if !bytes.Equal(script, after) && (end || !bytes.Equal(script, p.script)) {
		return fmt.Errorf("%s: script %q", p.address, script)
	}
	created := p.want == provision.Created
	if wantActive := p.active || created; active != wantActive && (end || !created) {
		return fmt.Errorf("%s: active %v, want %v", p.address, active, wantActive)
	}
	if p.other {
		script, active, err := d.Get(p.address, "roundcube")
		if err != nil || !active || !bytes.Equal(script, otherScript) {
			return fmt.Errorf("%s: the active script is %q, active %v, %v", p.address, script, active, err)
		}
	}
	return nil
}

// modified is when a mailbox's files were last written.
func (p population) modified(d *managesievetest.Dovecot) [2]time.Time {
	var times [2]time.Time
	for i, name := range []string{"/sieve/" + provision.OpenXchange + ".sieve", "/.dovecot.sieve"} {
		if info, err := os.Lstat(d.Home(p.address) + name); err == nil {
			times[i] = info.ModTime()
		}
	}
	return times
}

// dovecotOptions edit the script of Open-Xchange, wherever it is.
func dovecotOptions(d *managesievetest.Dovecot, dial func(context.Context, string, string) (net.Conn, error)) provision.Options {
	return provision.Options{
		Connect: provision.Connector(d.Addr, managesieve.Options{TLS: d.Authority, DialContext: dial, DialTimeout: 20 * time.Second,
			CommandTimeout: 20 * time.Second},
			func(mailbox string) sasl.Client { return sasl.NewPlainClient(mailbox, d.Master, d.Password) }),
		Edit:     withRules,
		Script:   provision.OpenXchange,
		Inactive: provision.EditNamed,
		Create:   true,
		Activate: true,
		Parallel: 8,
		Attempts: 200,
		Backoff:  provision.Backoff{Min: 10 * time.Millisecond, Max: 200 * time.Millisecond},
	}
}

// TestDovecotKilled provisions 1,000 mailboxes while the server is killed and
// started again at random points and connections break at random bytes.
func TestDovecotKilled(t *testing.T) {
	t.Parallel()
	mailboxes := servertest.Deep(t, 60, 225)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	d := managesievetest.StartDovecot(t, "")
	all := populate(t, d, mailboxes)
	var addresses []string
	for _, p := range all {
		addresses = append(addresses, p.address)
	}
	var cuts, dials atomic.Int64
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil || dials.Add(1)%4 != 0 {
			return conn, err
		}
		cuts.Add(1)
		return managesievetest.NewCut(conn, rand.IntN(12_000)), nil
	}
	options := dovecotOptions(d, dial)
	var ended atomic.Int64
	options.Progress = func(provision.Progress) { ended.Add(1) }
	type result struct {
		reports []provision.Report
		err     error
	}
	finished := make(chan result, 1)
	start := time.Now()
	go func() {
		reports, err := provision.Sync(ctx, addresses, options)
		finished <- result{reports, err}
	}()
	// Each time some more mailboxes are done, kill it a little later.
	var first result
	// Every kill costs a start of all its processes.
	kills, step := 0, max(2, mailboxes/servertest.Deep(t, 4, 12))
	for next, running := int64(mailboxes/33), true; running; {
		select {
		case first = <-finished:
			running = false
		case <-time.After(time.Duration(random.IntN(20)) * time.Millisecond):
			if ended.Load() < next {
				break
			}
			next = ended.Load() + int64(random.IntN(step))
			d.Kill()
			kills++
			for _, p := range all {
				if err := p.check(d, false); err != nil {
					t.Errorf("after kill %d: %v", kills, err)
				}
			}
			d.Start()
		}
	}
	took := time.Since(start)
	if first.err != nil {
		t.Fatalf("%v\n%s", first.err, d.Log())
	}
	attempts := 0
	for i, r := range first.reports {
		p := all[i]
		attempts += r.Attempts
		refused := errors.As(r.Err, new(*managesieve.ResponseError))
		if r.Outcome != p.want || p.refused != refused {
			t.Errorf("report %+v, want %v", r, p.want)
		}
		if err := p.check(d, true); err != nil {
			t.Error(err)
		}
		if want := p.active || p.want == provision.Created; r.Active != want {
			t.Errorf("%s: reported active %v, want %v", p.address, r.Active, want)
		}
	}
	t.Logf("%d mailboxes, %d kills, %d cut connections, %d attempts, %v", mailboxes, kills, cuts.Load(), attempts, took)
	if kills < 3 || cuts.Load() < int64(mailboxes/20) {
		t.Errorf("%d kills and %d cuts are too few to show anything", kills, cuts.Load())
	}

	var times [][2]time.Time
	for _, p := range all {
		times = append(times, p.modified(d))
	}
	start = time.Now()
	second, err := provision.Sync(ctx, addresses, dovecotOptions(d, nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("second run %v", time.Since(start))
	for i, r := range second {
		p := all[i]
		want := provision.Unchanged
		if p.want == provision.Failed {
			want = provision.Failed
		}
		if r.Outcome != want || r.Stored || r.Attempts != 1 {
			t.Errorf("second run: report %+v, want %v", r, want)
		}
		if err := p.check(d, true); err != nil {
			t.Errorf("second run: %v", err)
		}
		if p.modified(d) != times[i] {
			t.Errorf("second run: %s was written", p.address)
		}
	}
}

// TestDovecotDryRun changes no byte and says what the real run will do.
func TestDovecotDryRun(t *testing.T) {
	t.Parallel()
	d := managesievetest.StartDovecot(t, "")
	all := populate(t, d, 40)
	options := dovecotOptions(d, nil)
	options.DryRun = true
	var addresses []string
	for _, p := range all {
		addresses = append(addresses, p.address)
	}
	reports, err := provision.Sync(context.Background(), addresses, options)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range all {
		script, active, err := d.Get(p.address, provision.OpenXchange)
		if p.script == nil && !errors.Is(err, fs.ErrNotExist) || p.script != nil && (!bytes.Equal(script, p.script) || active != p.active) {
			t.Errorf("%s: script %q, active %v, %v", p.address, script, active, err)
		}
		if reports[i].Outcome != p.want || reports[i].Stored {
			t.Errorf("report %+v, want %v", reports[i], p.want)
		}
	}
}
