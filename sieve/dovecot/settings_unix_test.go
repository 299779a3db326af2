//go:build unix

package dovecot_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/dovecot"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// bothReleases are one of them in the plain run.
func bothReleases(t *testing.T, f func(t *testing.T, is24 bool)) {
	t.Helper()
	for i, is24 := range []bool{false, true} {
		if servertest.Scale(t) < 1.5 && uint64(i) != (uint64(len(t.Name()))+*servertest.Seed)%2 {
			continue
		}
		t.Run(map[bool]string{false: "2.3", true: "2.4"}[is24], func(t *testing.T) { f(t, is24) })
	}
}

// memory is a Memory that keeps what it is told.
type memory map[string]time.Time

func (m memory) Seen(id string, now time.Time) bool  { return m[id].After(now) }
func (m memory) Remember(id string, until time.Time) { m[id] = until }

// TestRedirectAgainServer delivers a message twice to a script that redirects it.
func TestRedirectAgainServer(t *testing.T) {
	bothReleases(t, func(t *testing.T, is24 bool) {
		type again struct {
			setting string
			sent    int
		}
		cases := []again{{"sieve_redirect_duplicate_period = 0", 2}, {"", 1}, {"sieve_redirect_duplicate_period = 3600", 1}}
		for _, tt := range servertest.Part(t, cases, 1) {
			l := sievetest.NewLDA(t, is24)
			if tt.setting != "" {
				l.Settings = []string{tt.setting}
			}
			d := sievetest.Delivery{Message: message(plain), Scripts: []string{`redirect "r@e.example";`}, From: "joe@example.net",
				To: "bob@example.com"}
			p := compiledFile(t, d.Scripts[0], optionsOf(t, l, d.Scripts))
			m, server, here := memory{}, 0, 0
			for range 2 {
				server += len(l.Deliver(t, d).Sent)
				// With a period of 0 it is remembered to the end of this second.
				time.Sleep(1100 * time.Millisecond)
				r := interp.Sequence{p}.Run(&interp.Input{Raw: []byte(d.Message), From: d.From, To: d.To, Now: time.Now(), Memory: m})
				here += len(r.Actions)
				for _, a := range r.Actions {
					if redirect, ok := a.(interp.ActionRedirect); ok && redirect.Why != "" {
						here--
					}
				}
			}
			if server != tt.sent || here != server {
				t.Errorf("%q: sent %d times, by the server %d times, want %d", tt.setting, here, server, tt.sent)
			}
		}
	})
}

func compiledFile(t *testing.T, src string, o interp.Options) *interp.Program {
	t.Helper()
	s, err := sieve.ParseFor("", []byte(src), o.Extensions)
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	p, err := interp.Compile(s, o)
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	return p
}

// TestNumberedScriptsServer has several scripts before and after the user's, with
// a gap in the numbers of 2.3, and one that doesn't exist.
func TestNumberedScriptsServer(t *testing.T) {
	bothReleases(t, func(t *testing.T, is24 bool) {
		for _, list := range servertest.Part(t, [][]string{
			{"before", "before2", "before3", "after", "after2"},
			{"before", "before3", "after", "after3"}, // 2.3 ends at a gap
			{"before2", "after2"},
			{"before", "before2!", "before3", "after!", "after2"},
			{"after2", "after", "before2", "before"},
		}, 2) {
			l := sievetest.NewLDA(t, is24)
			for _, name := range list {
				name, missing := strings.CutSuffix(name, "!")
				where := l.Global(t, name, fmt.Sprintf(`require ["fileinto", "mailbox"]; fileinto :create "%s"; keep;`, name))
				path := ""
				for _, line := range where {
					if _, dir, ok := strings.Cut(line, "= /"); ok {
						path = "/" + dir + "/" + name + ".sieve"
					}
				}
				if missing {
					if err := os.Remove(path); err != nil {
						t.Fatal(err)
					}
				}
				if is24 {
					l.Settings = append(l.Settings, "sieve_script "+name+" {", "  type = "+strings.TrimRight(name, "0123456789"), "  path = "+path, "}")
				} else {
					l.Settings = append(l.Settings, "sieve_"+name+" = "+path)
				}
			}
			d := sievetest.Delivery{Message: message(plain), Scripts: []string{"keep;"}, From: "joe@example.net", To: "bob@example.com"}
			want := l.Deliver(t, d)
			c := dovecot.Read(l.Doveconf(t, l.Config(t, d.Scripts), "-n"))
			found, err := c.Scripts("lda", dovecot.User{Name: "bob@example.com", Home: "/home/bob"})
			if err != nil {
				t.Fatal(err)
			}
			o := optionsOf(t, l, d.Scripts)
			var run interp.Sequence
			for _, s := range found {
				src, err := os.ReadFile(s.Path)
				if os.IsNotExist(err) {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				run = append(run, compiledFile(t, string(src), o))
			}
			r := run.Run(&interp.Input{Raw: []byte(d.Message), From: d.From, To: d.To})
			got := r.Mailboxes()
			slices.Sort(got)
			if !slices.Equal(got, want.Stored) {
				t.Errorf("%q: %q, the server %q\n%s", list, got, want.Stored, want.Log)
			}
		}
	})
}

// TestQuotaSettingsServer has the settings of quotas, of which ManageSieve knows
// and nothing that runs a script does.
func TestQuotaSettingsServer(t *testing.T) {
	bothReleases(t, func(t *testing.T, is24 bool) {
		o := sievetest.NewOracleOf(t, is24)
		settings := "sieve_quota_script_count = 2\nsieve_quota_storage_size = 2k\nsieve_max_script_size = 1k\n"
		if !is24 {
			settings = "sieve_quota_max_scripts = 2\nsieve_quota_max_storage = 2k\nsieve_max_script_size = 1k\n"
		}
		put := func(name string, size int) string {
			return fmt.Sprintf("PUTSCRIPT %q {%d+}\r\nkeep;%s\r\n", name, size, strings.Repeat(" ", size-5))
		}
		said := o.ManageSieve(t, settings, put("a", 900)+put("a", 1100)+put("b", 900)+put("c", 5)+
			"HAVESPACE \"c\" 5\r\nHAVESPACE \"b\" 1000\r\nHAVESPACE \"b\" 1100\r\n"+
			"DELETESCRIPT \"b\"\r\nHAVESPACE \"c\" 1000\r\nRENAMESCRIPT \"a\" \"c\"\r\nLOGOUT\r\n")
		got := regexp.MustCompile(`(?m)^(OK|NO|BYE)( \([A-Z/]*\))?`).FindAllString(said, -1)
		want := []string{"OK", "NO (QUOTA/MAXSIZE)", "OK", "NO (QUOTA/MAXSCRIPTS)", "NO (QUOTA/MAXSCRIPTS)", "OK", "NO (QUOTA/MAXSIZE)",
			"OK", "OK", "OK", "OK"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s\n%s", diff, said)
		}
		c := dovecot.Read(o.Doveconf(t))
		with, err := c.Options("lda")
		if err != nil {
			t.Errorf("with quotas: %v", err)
		}
		if s := with.Settings; s.MaxIncludes == 2 || with.MaxActions == 2 {
			t.Errorf("a quota became a limit of running: %+v", with)
		}
	})
}
