package postfix_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// eachPostfix runs a test on each Postfix whose programs can be asked.
func eachPostfix(t *testing.T, f func(t *testing.T, s maillab.System)) {
	for _, s := range maillab.Systems() {
		t.Run(s.Name, func(t *testing.T) {
			if s.Root != "" && os.Getuid() != 0 {
				servertest.Missing(t, "only root can change to "+s.Root)
			}
			if s.Postfix == "" {
				servertest.Missing(t, "no Postfix in "+s.Root+"/")
			}
			f(t, s)
		})
	}
}

// ask runs postconf with a configuration of its own.
func ask(t *testing.T, s maillab.System, mainCf, masterCf string, args ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp(filepath.Join(s.Root, "/tmp"), "params")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"main.cf": mainCf, "master.cf": masterCf} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		// Postfix reads a file that has just changed again and again.
		past := time.Now().Add(-time.Hour)
		if err := os.Chtimes(filepath.Join(dir, name), past, past); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/usr/sbin/postconf", append([]string{"-c", strings.TrimPrefix(dir, s.Root)}, args...)...)
	cmd.Dir = "/"
	if s.Root != "" {
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: s.Root}
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("postconf %q: %v\n%s", args, err, errs.String())
	}
	return strings.ReplaceAll(string(out), strings.TrimPrefix(dir, s.Root), "DIR")
}

// TestParameters holds the table complete and right against postconf -d: with
// an empty master.cf, where it prints what is built in, and with the
// installation's, where it prints what transports bring.
func TestParameters(t *testing.T) {
	t.Parallel()
	eachPostfix(t, func(t *testing.T, s maillab.System) {
		printed := map[string]string{}
		master := "uucp unix - n n - - pipe\nany.name-x unix - n n - - smtp\nlocal unix - n n - - local\nrun unix - n n - - spawn\n"
		for _, masterCf := range []string{"", master} {
			for line := range strings.Lines(ask(t, s, "", masterCf, "-d")) {
				name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " =")
				if !ok {
					t.Fatalf("postconf prints %q", line)
				}
				value = strings.TrimPrefix(value, " ")
				if masterCf == "" {
					printed[name] = value
				}
				p, ok := postfix.LookupParameter(name)
				if !ok {
					t.Errorf("%s is not in the table", name)
					continue
				}
				got, ok := p.Default(s.Postfix)
				if !ok {
					t.Errorf("%s is from %s on, and %s has it", name, p.Since(), s.Postfix)
				}
				if o := p.Origin(); o != postfix.Fixed && o != postfix.Build {
					if got != "" {
						t.Errorf("%s has the value %q, and the %s decides", name, got, o)
					}
				} else if name != "config_directory" && got != value {
					t.Errorf("%s is %q in the table, postconf has %q", name, got, value)
				}
			}
		}
		if len(printed) < 800 {
			t.Errorf("postconf prints %d parameters", len(printed))
		}
		for _, p := range postfix.Parameters() {
			_, has := p.Default(s.Postfix)
			if _, ok := printed[p.Name()]; ok != has && !strings.HasPrefix(p.Name(), "<") {
				t.Errorf("%s: the table says %v, postconf %v", p.Name(), has, ok)
			}
		}
	})
}

// manuals are the programs whose manual pages list what they read, with the
// programs that the list is about.
var manuals = map[string][]string{
	"anvil": nil, "bounce": nil, "cleanup": nil, "discard": nil, "dnsblog": nil, "error": nil, "flush": nil, "local": nil, "master": nil, "oqmgr": {"qmgr"},
	"pickup": nil, "pipe": nil, "postlogd": nil, "postscreen": nil, "proxymap": nil, "qmgr": nil, "qmqpd": nil, "scache": nil, "showq": nil, "smtp": {"smtp", "lmtp"}, "smtpd": nil,
	"spawn": nil, "tlsmgr": nil, "tlsproxy": nil, "trivial-rewrite": nil, "verify": nil, "virtual": nil,
}

var manualEntry = regexp.MustCompile(`(?m)^\.IP "?\\fB([A-Za-z0-9_]+)(?:\\fR)? ?\(`)

// TestParameterReaders compares the readers with the lists of the manual pages.
func TestParameterReaders(t *testing.T) {
	eachPostfix(t, func(t *testing.T, s maillab.System) {
		total := 0
		rows := map[string]bool{}
		for _, p := range postfix.Parameters() {
			rows[p.Name()] = true
		}
		for _, page := range slices.Sorted(maps.Keys(manuals)) {
			found, _ := filepath.Glob(filepath.Join(s.Root, "/usr/share/man/man8", page+".8*.gz"))
			if len(found) == 0 {
				servertest.Missing(t, "no manual pages of Postfix")
			}
			file, err := os.Open(found[0])
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			z, err := gzip.NewReader(bufio.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			programs := manuals[page]
			if programs == nil {
				programs = []string{page}
			}
			for _, m := range manualEntry.FindAllStringSubmatch(string(text), -1) {
				p, ok := postfix.LookupParameter(m[1])
				if _, has := p.Default(s.Postfix); !ok || !has || !rows[m[1]] {
					continue // a former name, or one with a transport's name, which qmgr(8) obeys
				}
				total++
				for _, program := range programs {
					other := program == "smtp" && strings.HasPrefix(m[1], "lmtp_") || program == "lmtp" && strings.HasPrefix(m[1], "smtp_")
					if p.ReadBy(program) == other {
						t.Errorf("%s(8) lists %s, and ReadBy(%q) is %v", page, m[1], program, p.ReadBy(program))
					}
				}
			}
		}
		if total < 1000 {
			t.Errorf("%d entries in the manual pages", total)
		}
	})
}

// TestSettingsDefaults compares every default as it is expanded, on each
// compatibility level that changes one.
func TestSettingsDefaults(t *testing.T) {
	t.Parallel()
	eachPostfix(t, func(t *testing.T, s maillab.System) {
		for _, level := range []string{"0", "1", "2", "3.6", "3.7"} {
			text := "compatibility_level = " + level + "\nmyhostname = ox.example.com\nmynetworks = 127.0.0.1\nvirtual_maps = inline:{a=b}\nstress = yes\n"
			m, err := postfix.ParseMain("main.cf", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			set := postfix.Settings{Main: m, Release: s.Postfix, ConfigDirectory: "DIR"}
			for line := range strings.Lines(ask(t, s, text, "", "-x")) {
				name, want, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " =")
				p, _ := postfix.LookupParameter(name)
				if o := p.Origin(); name == "config_directory" || o != postfix.Fixed && o != postfix.Build && name != "mydomain" &&
					name != "myhostname" {
					continue
				}
				// postconf knows every default in every value, Get what a
				// program knows.
				got, _ := set.Lookup(name)
				var err error
				if !p.Raw() {
					got, err = set.Expand(got)
				}
				if err != nil || !slices.Equal(strings.Fields(got), strings.Fields(want)) {
					t.Errorf("level %s: %s is %q, %v; postconf has %q", level, name, got, err, want)
				}
			}
		}
	})
}
