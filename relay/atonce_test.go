package relay_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/relay"
)

// TestBrokenDoveconf: what a failed `doveconf -n` leaves is refused, since it has
// no sieve_before of the customer's.
func TestBrokenDoveconf(t *testing.T) {
	sound := string(whole("2.3.19.1 (9b53102964)", "mail_location = maildir:~/m\nplugin {\n  sieve_before = /srv/global.sieve\n}\nprotocol lmtp {\n  mail_plugins = sieve\n}\n"))
	for name, text := range map[string]string{
		"nothing":          "",
		"a blank line":     "\n",
		"no such program":  "bash: line 1: doveconf: command not found\n",
		"comments alone":   "# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf\n# Pigeonhole version 0.5.19 (4eae2f79)\n",
		"with its message": "# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf\n# Pigeonhole version 0.5.19 (4eae2f79)\ndoveconf: Fatal: Error in configuration file /etc/dovecot/a.conf line 2: No matches\n",
		"message alone":    "doveconf: Fatal: Error in configuration file /etc/dovecot/dovecot.conf: ssl_cert: Can't open file\n",
		"no settings":      string(whole("2.3.19.1 (9b53102964)", "")),
		"inside a block":   sound[:strings.Index(sound, "  sieve_before")],
		"inside a line":    sound[:strings.Index(sound, "/srv")],
		"a file's text":    "plugin {\n  sieve_before = /srv/a.sieve\n}\n",
		"dovecot.conf":     "# 2.3.19.1 of the package\nplugin {\n  sieve_before = /srv/a.sieve\n}\n",
		"HTML":             "<html>\n<a href=\"x\">404</a>\n</html>\n",
	} {
		for _, slot := range []int{0, 1} {
			p := labPolicy(t, "lab.json")
			p.Sieve.Slot = slot
			in := labBase(t)
			in.Doveconf = []byte(text)
			_, err := tryCompile(t, p, in)
			var list relay.Errors
			if !errors.As(err, &list) || len(list) != 1 || list[0].Position.String() != "Installation.Doveconf" ||
				!errors.Is(err, relay.ErrInvalid) || !strings.Contains(list[0].Fix, "doveconf -n") {
				t.Errorf("%s, slot %d: %v", name, slot, err)
			}
		}
	}
	p := labPolicy(t, "lab.json")
	p.Sieve.Slot = 0
	in := labBase(t)
	in.Doveconf = []byte(sound)
	if got := fragment(t, p, in); !strings.Contains(got, "sieve_before2 = ") {
		t.Errorf("the customer's script is replaced:\n%s", got)
	}
}

// TestRealDoveconf: what the programs of both systems print for the smallest
// configuration is whole, and for a broken one is not.
func TestRealDoveconf(t *testing.T) {
	t.Parallel() // much of a run is waiting
	for _, system := range maillab.Systems() {
		t.Run(system.Name, func(t *testing.T) {
			maillab.NeedSystem(t, system)
			testRealDoveconf(t, system)
		})
	}
}

func testRealDoveconf(t *testing.T, system maillab.System) {
	file, err := os.CreateTemp(filepath.Join(system.Root, "/tmp"), "oxmailroute-doveconf")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(file.Name())
	file.Close()
	run := func(text string) []byte {
		if err := os.WriteFile(file.Name(), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		args := []string{"doveconf", "-n", "-c", "/tmp/" + filepath.Base(file.Name())}
		if system.Root != "" {
			args = append([]string{"chroot", system.Root}, args...)
		}
		out, err := exec.Command(args[0], args[1:]...).Output()
		var failed *exec.ExitError
		if err != nil && !errors.As(err, &failed) {
			t.Fatal(err)
		}
		return append([]byte{}, out...)
	}
	head := ""
	if strings.HasPrefix(system.Dovecot, "2.4") {
		head = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n"
	}
	for text, sound := range map[string]bool{head: true, head + "protocols = lmtp\n": true, head + "!include nope.conf\n": false,
		head + "no_such_setting = 1\n": false} {
		p := labPolicy(t, "lab.json")
		p.Server.Postfix, p.Server.Dovecot, p.Sieve.Slot = system.Postfix, system.Dovecot, 0
		in := labBase(t)
		in.Doveconf = run(text)
		if _, err := tryCompile(t, p, in); (err == nil) != sound {
			t.Errorf("%q printed\n%s: %v", text, in.Doveconf, err)
		}
	}
}

// TestProblemsAtOnce: values, versions, the slot and files in one round.
func TestProblemsAtOnce(t *testing.T) {
	p := labPolicy(t, "lab.json")
	p.Spam.Folder = "a\nb"
	p.Tenants[0].Domains[0] = "nodot"
	p.Server.Postfix, p.Server.Dovecot, p.Sieve.Slot = "", "2.3", 0
	in := labBase(t)
	in.Files["/etc/postfix/master.cf"] = append(in.Files["/etc/postfix/master.cf"], "smtp inet n\n"...)
	paths := func(err error) (out []string) {
		var list relay.Errors
		errors.As(err, &list)
		for _, e := range list {
			out = append(out, e.Position.String())
		}
		return out
	}
	_, err := relay.Compile(p, in)
	got := paths(err)
	for _, want := range []string{"Spam.Folder", "Tenants[0].Domains[0]", "Server.Postfix", "Sieve.Slot"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is missing:\n%v", want, err)
		}
	}
	if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "master.cf:") }) {
		t.Errorf("master.cf is missing:\n%v", err)
	}
	p.Spam.Folder, p.Tenants[0].Domains[0] = "Spam", "example.com"
	p.Tenants = append(p.Tenants, relay.Tenant{Name: "Elsewhere", Domains: []string{"not-here.test"}, Scope: relay.Scope{Use: relay.ScopeAll}})
	_, err = relay.Compile(p, labBase(t))
	got = paths(err)
	for _, want := range []string{"Server.Postfix", "Sieve.Slot", "Tenants[3].Domains[0]"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is missing:\n%v", want, err)
		}
	}
	_, err = relay.Compile(relay.Policy{Topology: relay.TopologyMailboxes}, relay.Installation{})
	got = paths(err)
	for _, want := range []string{"Gateway.Name", "Tenants", "Server.Postfix", "Server.Dovecot", "Server.Hostname", "Mailboxes",
		"Sieve.Slot"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is missing:\n%v", want, err)
		}
	}
	if dup := len(got) - len(slices.Compact(slices.Sorted(slices.Values(got)))); dup > 0 {
		t.Errorf("%d paths stand twice:\n%v", dup, err)
	}
}

// TestTenantsAreNamed: an error says whose value it is, by name, or by the first
// domain.
func TestTenantsAreNamed(t *testing.T) {
	p := labPolicy(t, "lab.json")
	p.Tenants[1].Domains = append(p.Tenants[1].Domains, "nodot", p.Tenants[0].Domains[0])
	name := p.Tenants[1].Name
	p.Tenants[0].Name = ""
	p.Tenants[0].Scope.Use = "everybody"
	err := p.Validate()
	var list relay.Errors
	if !errors.As(err, &list) {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		"Tenants[0].Name":       "Tenants[0] (" + p.Tenants[0].Domains[0] + ").Name: ",
		"Tenants[0].Scope.Use":  "Tenants[0] (" + p.Tenants[0].Domains[0] + ").Scope.Use: ",
		"Tenants[1].Domains[1]": "Tenants[1] (" + name + ").Domains[1]: ",
		"Tenants[1].Domains[2]": "is Tenants[0] (" + p.Tenants[0].Domains[0] + ").Domains[0] already",
	} {
		if !slices.ContainsFunc(list, func(e *relay.Error) bool { return e.Position.String() == path && strings.Contains(e.Error(), text) }) {
			t.Errorf("no error at %s with %q:\n%v", path, text, err)
		}
	}
	p = labPolicy(t, "lab.json")
	p.Tenants[1].Domains[0], p.Tenants[1].Name = "not-here.test", "Example Ltd"
	if _, err := tryCompile(t, p, labBase(t)); err == nil || !strings.Contains(err.Error(), "Tenants[1] (Example Ltd).Domains[0]: ") {
		t.Errorf("Compile: %v", err)
	}
}
