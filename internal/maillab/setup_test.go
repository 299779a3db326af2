package maillab

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestComplaints(t *testing.T) { onSystems(t, testComplaints) }

func testComplaints(t *testing.T, system System) {
	w, site := plainSite("no_such_parameter = 1\nsmtp_tls_ciphers = $no_such_thing\n").on(system)
	site.Files["postfix/mailboxes"] = []byte("bob@example.com 1\nbob@example.com 2\n")
	site.Files["sieve/before/20-bad.sieve"] = []byte("keep\n")
	site.Exec = []string{"echo careful >&2", "exit 4", "true"}
	site.Dovecot += "ssl_protocols = TLSv1.2\n"
	r := Run(t, w, site, nil)
	all := strings.Join(r.Complaints, "\n")
	wants := []string{
		"echo careful >&2: careful",
		"exit 4: exit status 4",
		"postconf -c /etc/postfix -n: postconf: warning: /etc/postfix/main.cf: unused parameter: no_such_parameter=1",
		"postmap: postmap: warning: /etc/postfix/mailboxes.db: duplicate entry: \"bob@example.com\"",
		"sievec /etc/dovecot/sieve/before/20-bad.sieve: ",
	}
	if !strings.HasPrefix(system.Dovecot, "2.4") { // which refuses obsolete settings
		wants = append(wants, "dovecot -F: doveconf: Warning: Obsolete setting")
	}
	for _, want := range wants {
		if !strings.Contains(all, want) {
			t.Errorf("no complaint %q in\n%s", want, all)
		}
	}
}

func TestBrokenSetUp(t *testing.T) {
	Need(t)
	message := Message{ID: "m", Recipients: []string{"bob@example.com"}}
	tests := []struct {
		name string
		edit func(w *World, s *Site, m *[]Message)
		want string
	}{
		{"no main.cf", func(_ *World, s *Site, _ *[]Message) { delete(s.Files, "postfix/main.cf") }, "no postfix/main.cf"},
		{"no place", func(_ *World, s *Site, _ *[]Message) { s.Files["exim/exim.conf"] = nil }, `"exim/exim.conf": no place`},
		{"climbing", func(_ *World, s *Site, _ *[]Message) { s.Files["etc/../../x"] = nil }, "clean relative slash path"},
		{"no id", func(_ *World, _ *Site, m *[]Message) { (*m)[0].ID = "a b" }, `ID "a b"`},
		{"same id", func(_ *World, _ *Site, m *[]Message) { *m = append(*m, (*m)[0]) }, "there twice"},
		{"no recipient", func(_ *World, _ *Site, m *[]Message) { (*m)[0].Recipients = nil }, "no recipients"},
		{"issuer", func(w *World, _ *Site, _ *[]Message) { delete(w.Certificates, "otherca") }, `"otherca" isn't described`},
		{"fatal", func(_ *World, s *Site, _ *[]Message) {
			s.Files["postfix/main.cf"] = append(s.Files["postfix/main.cf"], "inet_interfaces = 192.0.2.1\n"...)
		}, "192.0.2.1"},
		{"address in use", func(_ *World, s *Site, _ *[]Message) {
			s.Files["postfix/main.cf"] = append(s.Files["postfix/main.cf"], "inet_interfaces = all\n"...)
		}, "Address already in use"},
		{"dovecot", func(_ *World, s *Site, _ *[]Message) { s.Dovecot = "no_such_setting = 1\n" }, "no_such_setting"},
		{"time", func(w *World, s *Site, _ *[]Message) {
			w.Timeout = time.Second
			s.Exec = []string{"sleep 100"}
		}, "out of time"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, s, m := DefaultWorld(), plainSite(""), []Message{message}
			test.edit(&w, &s, &m)
			start := time.Now()
			_, err := run(w, s, m, 1)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestNothingEscapes checks that a run leaves the machine, and the other
// system's root, as they are.
func TestNothingEscapes(t *testing.T) { onSystems(t, testNothingEscapes) }

func testNothingEscapes(t *testing.T, system System) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	w, site := plainSite("").on(system)
	site.Exec = []string{"touch /etc/maillab-escape /var/lib/maillab-escape /run/maillab-escape", "touch /usr/maillab-escape"}
	site.After = []string{"hostname; ls /etc/maillab-escape"}
	r := Run(t, w, site, nil)
	if diff := cmp.Diff([]string{"touch /usr/maillab-escape: touch: cannot touch '/usr/maillab-escape': Read-only file system",
		"touch /usr/maillab-escape: exit status 1"}, r.Complaints); diff != "" {
		t.Errorf("complaints (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ox.example.com\n/etc/maillab-escape\n"}, r.After); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
	for _, root := range []string{"", system.Root} {
		for _, dir := range []string{"/etc", "/var/lib", "/run", "/usr"} {
			if _, err := os.Stat(root + dir + "/maillab-escape"); err == nil {
				t.Errorf("%s was written to", root+dir)
			}
		}
	}
	if now, _ := os.Hostname(); now != host {
		t.Errorf("the host name is %s now, was %s", now, host)
	}
}
