//go:build unix

package dovecot_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/dovecot"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// periods are settings of periods, and a script that has something remembered.
// broken are those without min < default < max, with which 2.4 doesn't start.
var periods = []struct {
	settings, script string
	broken           bool
}{
	{"", `vacation "x";`, false},
	{"sieve_vacation_default_period = 3d", `vacation "x";`, false},
	{"sieve_vacation_default_period = 2h\nsieve_vacation_min_period = 3h", `vacation "x";`, true},
	{"sieve_vacation_default_period = 0\nsieve_vacation_min_period = 0\nsieve_vacation_max_period = 0", `vacation :seconds 500 "x";`, true},
	{"sieve_vacation_min_period = 2d", `vacation :days 1 "x";`, false},
	{"sieve_vacation_min_period = 0", `vacation :seconds 90 "x";`, false},
	{"sieve_vacation_min_period = 90m", `vacation :seconds 90 "x";`, false},
	{"sieve_vacation_max_period = 3d", `vacation :days 30 "x";`, true},
	{"sieve_vacation_max_period = 3d", `vacation "x";`, true},
	{"sieve_vacation_max_period = 100d", `vacation :days 90 "x";`, false},
	{"", `vacation :days 90 "x";`, false},
	{"sieve_vacation_min_period = 5d\nsieve_vacation_max_period = 4d", `vacation :days 1 "x";`, true},
	{"", `if duplicate { discard; }`, false},
	{"sieve_duplicate_default_period = 1h", `if duplicate { discard; }`, false},
	{"sieve_duplicate_default_period = 3d", `if duplicate { discard; }`, false},
	{"sieve_duplicate_max_period = 1h", `if duplicate :seconds 7200 { discard; }`, false},
	{"sieve_duplicate_max_period = 3d", `if duplicate :seconds 200000 { discard; }`, false},
	{"", `if duplicate :seconds 200000 { discard; }`, false},
	{"sieve_duplicate_max_period = 0", `if duplicate :seconds 60 { discard; }`, false},
	{"sieve_duplicate_default_period = 3d\nsieve_duplicate_max_period = 5d", `if duplicate { discard; }`, false},
	{"", `redirect "r@e.example";`, false},
	{"sieve_redirect_duplicate_period = 172800", `redirect "r@e.example";`, false},
}

// remembered is a Memory that has seen nothing.
type remembered map[string]time.Time

func (m remembered) Seen(string, time.Time) bool         { return false }
func (m remembered) Remember(id string, until time.Time) { m[id] = until }

// optionsOf are the options that doveconf comes to.
func optionsOf(t *testing.T, l *sievetest.LDA, scripts []string) interp.Options {
	t.Helper()
	o, err := dovecot.Read(l.Doveconf(t, l.Config(t, scripts), "-n")).Options("lda")
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestPeriodsServer looks for how long the server remembers.
func TestPeriodsServer(t *testing.T) {
	for i, tt := range servertest.Part(t, periods, 3) {
		for _, is24 := range []bool{false, true} {
			if servertest.Scale(t) < 1.5 && is24 != (i%2 == 0) {
				continue
			}
			if is24 && tt.broken {
				continue
			}
			l := sievetest.NewLDA(t, is24)
			if tt.settings != "" {
				l.Settings = strings.Split(tt.settings, "\n")
			}
			src := `require ["duplicate", "vacation", "vacation-seconds"]; ` + tt.script
			d := sievetest.Delivery{Message: message(plain), Scripts: []string{src}, From: "joe@example.net", To: "bob@example.com"}
			start := time.Now()
			l.Deliver(t, d)
			took := time.Since(start)
			o, err := dovecot.Read(l.Doveconf(t, l.Config(t, d.Scripts), "-n")).Options("lda")
			if err != nil && !tt.broken {
				t.Fatal(err)
			}
			s, err := sieve.ParseFor("", []byte(src), o.Extensions)
			if err != nil {
				t.Fatal(err)
			}
			p, err := interp.Compile(s, o)
			if err != nil {
				t.Fatal(err)
			}
			m := remembered{}
			interp.Sequence{p}.Run(&interp.Input{Raw: []byte(d.Message), From: d.From, To: d.To, Now: start, Memory: m})
			found := false
			for _, until := range m {
				for stamp := until.Unix(); stamp <= until.Add(took+time.Second).Unix(); stamp++ {
					found = found || bytes.Contains(l.Dupes, binary.NativeEndian.AppendUint32(nil, uint32(stamp)))
				}
			}
			if found != (len(m) > 0) || len(m) > 1 || len(m) == 0 && len(l.Dupes) > 8 {
				t.Errorf("%t %q %s: the server's database has no %v (from %d):\n%x", is24, tt.settings, tt.script, m, start.Unix(), l.Dupes)
			}
		}
	}
}

// globals finds scripts by name.
type globals struct {
	text map[string]string
	on   sieve.Extensions
}

func (g globals) Script(_ sieve.Location, name string) (*sieve.Script, error) {
	src, ok := g.text[name]
	if !ok {
		return nil, errors.New("no script " + name)
	}
	return sieve.ParseFor(name, []byte(src), g.on)
}

// TestIncludeLimitsServer includes scripts as deep and as often as the settings
// allow, and once more.
func TestIncludeLimitsServer(t *testing.T) {
	const require = `require ["include", "fileinto", "mailbox", "foreverypart", "mime"]; `
	text := map[string]string{"leaf": require + `fileinto :create :copy "leaf";`}
	for i := range 12 {
		next := "leaf"
		if i > 0 {
			next = fmt.Sprintf("c%d", i-1)
		}
		text[fmt.Sprintf("c%d", i)] = require + fmt.Sprintf(`include :global "%s";`, next)
		text[fmt.Sprintf("w%d", i)] = require + fmt.Sprintf(`fileinto :create :copy "w%d";`, i)
	}
	wide := func(n int) (s string) {
		for i := range n {
			s += fmt.Sprintf(`include :global "w%d"; `, i)
		}
		return s
	}
	cases := []struct {
		settings, script string
	}{
		{"", `include :global "c7";`}, {"", `include :global "c8";`}, {"", `include :global "c9";`},
		{"sieve_include_max_nesting_depth = 2", `include :global "leaf";`}, {"sieve_include_max_nesting_depth = 2", `include :global "c0";`},
		{"sieve_include_max_nesting_depth = 2", `include :global "c1";`}, {"sieve_include_max_nesting_depth = 2", `include :global "c2";`},
		{"sieve_include_max_nesting_depth = 2", `include :global "c0"; include :global "c0"; include :once :global "leaf";`},
		{"sieve_include_max_nesting_depth = 12", `include :global "c10";`}, {"sieve_include_max_nesting_depth = 0", `include :global "leaf";`},
		{"sieve_include_max_includes = 2", wide(2)}, {"sieve_include_max_includes = 2", wide(3)},
		{"sieve_include_max_includes = 2", `include :global "c1";`},
		{"sieve_include_max_includes = 2", `include :global "w1"; include :global "w1"; include :global "w1";`},
		{"sieve_include_max_includes = 2", `include :global "c0";`},
		{"sieve_include_max_nesting_depth = 2", `foreverypart { include :global "c0"; }`},
	}
	for i, tt := range servertest.Part(t, cases, 2) {
		for _, is24 := range []bool{false, true} {
			if servertest.Scale(t) < 1.5 && is24 != (i%2 == 0) {
				continue
			}
			l := sievetest.NewLDA(t, is24)
			for name, src := range text {
				l.Settings = l.Global(t, name, src)
			}
			if tt.settings != "" {
				l.Settings = append(l.Settings, tt.settings)
			}
			d := sievetest.Delivery{Message: message(plain), Scripts: []string{require + tt.script}, From: "joe@example.net",
				To: "bob@example.com", Refusable: true}
			want := l.Deliver(t, d)
			o := optionsOf(t, l, d.Scripts)
			o.Scripts = globals{text, o.Extensions}
			s, err := sieve.ParseFor("", []byte(d.Scripts[0]), o.Extensions)
			if err != nil {
				t.Fatal(err)
			}
			p, err := interp.Compile(s, o)
			if (err != nil) != want.Refused {
				t.Errorf("%t %q %s: %v; the server says\n%s", is24, tt.settings, tt.script, err, want.Log)
				continue
			}
			got := []string{sieve.Inbox}
			if err == nil {
				r := interp.Sequence{p}.Run(&interp.Input{Raw: []byte(d.Message), From: d.From, To: d.To})
				got = r.Mailboxes()
				slices.Sort(got)
			}
			if !slices.Equal(got, want.Stored) {
				t.Errorf("%t %q %s: %q, the server %q\n%s", is24, tt.settings, tt.script, got, want.Stored, want.Log)
			}
		}
	}
}
