package mailfilter_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
	"github.com/oxmailroute/oxmailroute/sieve/mailfilter"
)

// TestMeaning: with our rules in, a released message is in INBOX alone and one
// of the gateway's spam in its folder alone, whatever the user's rules are; all
// other mail goes where it went before.
func TestMeaning(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(*seed, 4))}
	run := func(src string, raw string) interp.Result {
		s, err := sieve.Parse("", []byte(src))
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		p, err := interp.Compile(s, interp.Options{AutoCreate: true})
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		return p.Run(&interp.Input{Raw: []byte(raw), From: "x@remote.test", To: "a@example.com", Now: time.Unix(1e9, 0)})
	}
	compared := 0
	for range runs(t) / 10 {
		src, _ := g.script()
		if accepted([]byte(src)) != nil {
			continue
		}
		d := parse(t, src)
		upsert(t, d, released("Released"), spam("Spam"))
		with := string(d.Format())
		if gen := generations[g.IntN(2)]; g.IntN(2) == 0 && keeps(t, src, gen) {
			with = reread(t, with, gen).write(g.Rand)
		}
		for _, c := range []struct{ header, mailbox string }{
			{"X-Gateway-Released: yes\n", "INBOX"},
			{"X-Gateway-Flag: YES\n", "Spam"},
			{"X-Gateway-Released: yes\nX-Gateway-Flag: YES\n", "INBOX"},
		} {
			r := run(with, c.header+"Subject: invoice\nX-Any: [a]\nA: 1\n\nhi\n")
			if got := r.Mailboxes(); r.Err != nil || !slices.Equal(got, []string{c.mailbox}) {
				t.Fatalf("%q is in %v (%v) with\n%s", c.header, got, r.Err, with)
			}
		}
		plain := "From: y@a.test\nSubject: " + g.pick("invoice", "hello") + "\nX-Any: [a]\nA: " + g.pick("1", "2", "3") + "\n\nhi\n"
		before, after := run(src, plain), run(with, plain)
		if !reflect.DeepEqual(before.Actions, after.Actions) || before.Keep != after.Keep {
			t.Fatalf("other mail: %s\nbefore:\n%s\nafter:\n%s", cmp.Diff(fmt.Sprint(before), fmt.Sprint(after)), src, with)
		}
		compared++
	}
	if compared < runs(t)/20 {
		t.Errorf("only %d of %d scripts were compared", compared, runs(t)/10)
	}
}

// TestPigeonhole: what Pigeonhole compiled before, it compiles with our rules,
// after OX wrote it anew, and with our rules taken out again.
func TestPigeonhole(t *testing.T) {
	sievec := servertest.Need(t, "sievec")
	dir := t.TempDir()
	conf := filepath.Join(dir, "dovecot.conf")
	text := "mail_uid = nobody\nmail_gid = nogroup\nfirst_valid_uid = 0\nfirst_valid_gid = 0\nmail_location = maildir:" + dir +
		"/mail\nmail_home = " + dir + "\nssl = no\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	file := filepath.Join(dir, "script.sieve")
	compiles := func(src string) error {
		if err := os.WriteFile(file, []byte(src), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(ctx, sievec, "-c", conf, file, filepath.Join(dir, "out.svbin")).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s\n%s", err, out, src)
		}
		return nil
	}
	g := generator{rand.New(rand.NewPCG(*seed, 5))}
	// What lint has nothing against for a generation, in one script each, and
	// what OX makes of it.
	frame := func(rules string) string { return strings.Replace(oxFrame(rules), ` , "editheader"`, "", 1) } // it is off there
	for _, gen := range generations {
		var rules strings.Builder
		for i, list := range [][]read{readTests, readActions} {
			for _, c := range list {
				effect := map[mailfilter.Generation]string{mailfilter.OlderOX: c.older, mailfilter.OX8: c.ox8}[gen]
				if effect != "" || strings.Contains(c.construct, "text:") || strings.HasSuffix(c.construct, `\\"`) {
					continue // the last two are read only where nothing of the kind follows
				}
				rule := []func(string) string{inIf, inBlock}[i](c.construct) + "\r\n"
				if _, err := sieve.ParseFor("", []byte(frame(rule)), sieve.Debian12); err == nil {
					rules.WriteString(rule)
				}
			}
		}
		src := frame(rules.String())
		if n := strings.Count(rules.String(), "if "); n < 40 || worst(t, src, gen) != "" {
			t.Errorf("generation %q: %d rules: %q:\n%s", gen, n, worst(t, src, gen), src)
		}
		if err := compiles(src); err != nil {
			t.Error(err)
		}
		if err := compiles(reread(t, src, gen).write(g.Rand)); err != nil {
			t.Errorf("generation %q: after OX's save: %v", gen, err)
		}
	}
	checked := 0
	for range 25 {
		src, _ := g.script()
		if compiles(src) != nil {
			continue
		}
		checked++
		d := parse(t, src)
		upsert(t, d, released("Released"), spam("Spam"))
		if err := compiles(string(d.Format())); err != nil {
			t.Fatal(err)
		}
		if gen := generations[checked%2]; keeps(t, src, gen) {
			d = parse(t, reread(t, string(d.Format()), gen).write(g.Rand))
		}
		if err := compiles(string(d.Format())); err != nil {
			t.Fatal(err)
		}
		if n, err := d.Remove(); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		if err := compiles(string(d.Format())); err != nil {
			t.Fatal(err)
		}
	}
	if checked < 15 {
		t.Errorf("sievec took only %d of 25 scripts to begin with", checked)
	}
}
