package postfix

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const smtpdLine = "127.0.1.1:25 inet  n       -       n       -       -       smtpd\n"

// masterTexts are master.cf files that Postfix reads in interesting ways.
var masterTexts = map[string]string{
	"empty":               "",
	"plain":               smtpdLine + "pickup unix n - n 60 1 pickup\n",
	"no final newline":    "pickup unix n - n 60 1 pickup",
	"crlf":                "smtp inet n - n - - smtpd\r\n  -o a=b\r\n",
	"options":             smtpdLine + "  -o syslog_name=postfix/submission\n  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n",
	"comments within":     smtpdLine + "# c\n  -o a=b\n  # d\n\n  -o c=d\n# e\n",
	"braces":              smtpdLine + "  -o { mynetworks = 1.2.3.4, 5.6.7.8 } -o {relayhost=}\n",
	"nested braces":       smtpdLine + "  -o { a = {b} c {d} } -o e=f{g h}i\n",
	"joined option":       "smtp unix - - n - - smtp -oa=b -v -D\n",
	"option in a bundle":  "smtp unix - - n - - smtp -vo a=b\n",
	"pipe":                "maildrop unix - n n - - pipe\n  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}\n",
	"braced arguments":    "x unix - n n - - pipe flags=R {user=a b} {} {#c} a{b c}d -o e=f\n",
	"end of options":      "smtp unix - - n - - smtp -- -o a=b\n",
	"indented first":      " smtp unix - - n - - smtp\n  -o a=b\npickup unix n - n 60 1 pickup\n",
	"twice":               "smtp unix - - n - - smtp -o a=b\nsmtp unix - - y - - smtp\n",
	"wakeup":              "flush unix n - n 1000? 0 flush\n",
	"datagram":            "postlog unix-dgram n - n - 1 postlogd\n",
	"option without name": "smtp unix - - n - - smtp -o a -o =b -o {c} -o { = d } -o\n",
	"vertical tab":        "smtp unix - - n - - smtp a\vb\n",
	"nul":                 "smtp unix - - n - - smtp\x00 -o a=b\npickup unix n - n 60 1 pickup\n",
	"equals in value":     "smtp unix - - n - - smtp -o a=b=c -o { d = e = f }\n",
	"commented service":   "#smtp inet n - n - - smtpd\n#  -o a=b\npickup unix n - n 60 1 pickup\n",
}

// masterErrors are texts that Postfix refuses.
var masterErrors = map[string]struct {
	text  string
	lines []int
}{
	"too few fields":    {"a b c\n", []int{1}},
	"type":              {"x tcp n - n - - smtp\n", []int{1}},
	"private":           {"x unix q - n - - smtp\n", []int{1}},
	"wakeup":            {"x unix n - n 5x - smtp\n", []int{1}},
	"process limit":     {"x unix n - n - 3? smtp\n", []int{1}},
	"several":           {"x unix q - q - - smtp\n\n# c\ny unix n -\n", []int{1, 1, 4}},
	"unbalanced braces": {"{x unix n - n - - smtp\n", []int{1}},
}

// master prints what it holds as postconf -M does.
func postconfM(services []Service) string {
	var b strings.Builder
	for _, s := range services {
		var args []string
		leading, rest := splitArgs(s.Args)
		args = append(args, leading...)
		for _, p := range s.Options {
			v := p.Name + "=" + p.Value
			if strings.ContainsAny(v, " \t") {
				v = "{" + v + "}"
			}
			args = append(args, "-o", v)
		}
		for i, a := range rest {
			// postconf forgets the braces around the first one.
			if i > 0 && strings.ContainsAny(a, " \t") {
				a = "{" + a + "}"
			}
			args = append(args, a)
		}
		fields := append([]string{s.Name, s.Type, s.Private, s.Unprivileged, s.Chroot, s.Wakeup, s.MaxProcesses, s.Command}, args...)
		b.WriteString(strings.Join(fields, " ") + "\n")
	}
	return b.String()
}

func squeezeLines(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(strings.Join(strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\n' }), " ") + "\n")
	}
	return b.String()
}

func TestParseMaster(t *testing.T) {
	t.Parallel()
	for name, text := range masterTexts {
		t.Run(name, func(t *testing.T) {
			m, err := ParseMaster("master.cf", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(m.Format()); got != text {
				t.Errorf("Format: %q", got)
			}
			dir := confDir(t, minimalMain, text)
			stdout, stderr := run(t, nil, "postconf", dir, "-M")
			warned := strings.Contains(stderr, "missing") || strings.Contains(stderr, "white")
			if name == "option without name" {
				// Postfix keeps the broken options, and they stop the service.
				if len(m.Warnings()) != 5 || len(m.Services()[0].Options) != 0 {
					t.Errorf("%v %v", m.Warnings(), m.Services())
				}
				return
			}
			services := m.Services()
			for i := range services {
				// postconf prints -v and -o in the order of the file.
				if name == "joined option" && services[i].Args != nil {
					stdout = strings.Replace(stdout, "-o a=b -v -D", "-v -D -o a=b", 1)
				}
			}
			if diff := cmp.Diff(squeezeLines(stdout), squeezeLines(postconfM(services))); diff != "" {
				t.Errorf("(-postconf +Services):\n%s%s", diff, stderr)
			}
			if warned != (len(m.Warnings()) > 0) {
				t.Errorf("postconf warns %q, here %v", stderr, m.Warnings())
			}
			// -P: name/type/parameter = value; for a service that is there
			// twice postconf shows both.
			stdout, _ = run(t, nil, "postconf", dir, "-P")
			got := make(map[string]bool)
			for line := range strings.Lines(stdout) {
				got[strings.TrimSuffix(strings.TrimSuffix(line, "\n"), " ")] = true
			}
			for _, s := range services {
				for _, p := range s.Options {
					key := strings.TrimSuffix(fmt.Sprintf("%s/%s/%s = %s", s.Name, s.Type, p.Name, p.Value), " ")
					if !got[key] {
						t.Errorf("postconf -P has no %q:\n%s", key, stdout)
					}
				}
			}
		})
	}
	for name, c := range masterErrors {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // postconf sleeps before it stops on an error
			_, err := ParseMaster("master.cf", []byte(c.text))
			var list Errors
			errors.As(err, &list)
			var lines []int
			for _, e := range list {
				lines = append(lines, e.Line)
			}
			if diff := cmp.Diff(c.lines, lines); diff != "" || !errors.Is(err, ErrSyntax) {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			dir := confDir(t, minimalMain, c.text)
			if _, stderr := run(t, nil, "postconf", dir, "-M"); !strings.Contains(stderr, "fatal") {
				t.Errorf("postconf: %s", stderr)
			}
		})
	}
}

func TestMasterLookup(t *testing.T) {
	m, err := ParseMaster("master.cf", []byte("smtp inet n - n - - smtpd\nsmtp unix - - n - - smtp -o a=1\n25 inet n - n - - smtpd\nsmtp unix - - n - - smtp -o a=2 -o a=3\n"))
	if err != nil {
		t.Fatal(err)
	}
	s, ok := m.Lookup("smtp", "unix")
	if !ok || s.Line != 4 {
		t.Errorf("%v %v", s, ok)
	}
	if v, ok := s.Option("a"); !ok || v != "3" {
		t.Errorf("option %q, %v", v, ok)
	}
	if _, ok := s.Option("b"); ok {
		t.Error("option b")
	}
	if s, ok := m.Lookup("25", "inet"); !ok || s.Line != 3 {
		t.Errorf("%v %v", s, ok)
	}
	if _, ok := m.Lookup("smtp", "pass"); ok {
		t.Error("smtp pass")
	}
}

func TestServicePort(t *testing.T) {
	type result struct {
		Host string
		Port uint16
		OK   bool
	}
	for name, want := range map[string]result{
		"smtp": {"", 25, true}, "25": {"", 25, true}, "127.0.0.1:25": {"127.0.0.1", 25, true}, "[::1]:25": {"::1", 25, true}, "::1:smtp": {"::1",
			25, true},
		"submission": {"", 587, true}, "localhost:smtps": {"localhost", 465, true}, "submissions": {"", 465, true}, "lmtp": {"", 24,
			true}, "qmqp": {"", 628, true}, "0": {}, "70000": {}, "other": {}, "": {}, "a:": {},
	} {
		var got result
		got.Host, got.Port, got.OK = ServicePort(name)
		if got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}
