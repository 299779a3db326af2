package dovecot_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/oxmailroute/oxmailroute/sieve/dovecot"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// TestSequence reads a user's scripts in both languages: which there are, what
// they include, and where a broken one ends them.
func TestSequence(t *testing.T) {
	const old = "# 2.3.19.1 (x): /etc/dovecot/dovecot.conf\nplugin {\n  sieve_before = /g/before\n  sieve = file:~/sieve;active=~/.dovecot.sieve\n" +
		"  sieve_default = /g/default.sieve\n  sieve_after = /g/after.sieve\n  sieve_global = /g/lib\n}\n"
	const new24 = "# 2.4.1-4 (x): /etc/dovecot/dovecot.conf\nsieve_script one {\n  type = before\n  path = /g/before\n}\nsieve_script me {\n" +
		"  path = ~/sieve\n  active_path = ~/.dovecot.sieve\n}\nsieve_script d {\n  type = default\n  path = /g/default.sieve\n}\n" +
		"sieve_script z {\n  type = after\n  path = /g/after.sieve\n}\nsieve_script lib {\n  type = global\n  path = /g/lib\n}\n"
	const flag = "require \"imap4flags\"; addflag \"%\"; keep;"
	script := func(flags string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(strings.ReplaceAll(flag, "%", flags))}
	}
	root := fstest.MapFS{
		"g/before/b.sieve": script("b"), "g/before/a.sieve": script("a"), "g/before/not": script("x"),
		"g/default.sieve": script("default"), "g/after.sieve": script("after"), "g/lib/l.sieve": script("lib"),
		"h/own/.dovecot.sieve":      {Data: []byte("require \"include\"; include :personal \"p\"; include :global \"l\"; keep;")},
		"h/own/sieve/p.sieve":       script("mine"),
		"h/broken/.dovecot.sieve":   {Data: []byte("keep")},
		"h/nothing/sieve/other.txt": {},
	}
	for _, c := range []struct {
		home, want string
		err        error
	}{
		{"/h/own", "a b mine lib after", nil},
		{"/h/nothing", "a b default after", nil},
		{"/h/broken", "a b", dovecot.ErrScript},
		{"", "", dovecot.ErrHome},
	} {
		for name, text := range map[string]string{"2.3": old, "2.4": new24} {
			list, err := dovecot.Read([]byte(text)).Sequence("lmtp", dovecot.User{Name: "u@example.com", Home: c.home}, root,
				func(o *interp.Options) { o.Trace = true })
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("%s, home %q: %v, want %v", name, c.home, err, c.err)
			}
			r := list.Run(&interp.Input{Raw: []byte("Subject: x\n\nx\n"), To: "u@example.com"})
			var ran []string
			for _, s := range r.Steps {
				if _, f, ok := strings.Cut(s.Text, "addflag \""); ok {
					ran = append(ran, strings.TrimSuffix(strings.TrimSuffix(f, ";"), "\""))
				}
			}
			if got := strings.Join(ran, " "); got != c.want {
				t.Errorf("%s, home %q: ran %q, want %q", name, c.home, got, c.want)
			}
		}
	}
}

// TestHome: a home directory is that of a static user database or of mail_home.
func TestHome(t *testing.T) {
	for text, want := range map[string]string{
		"mail_home = /m/%d/%n\n": "/m/example.com/u",
		"mail_home = /m/%d\nuserdb {\n  args = uid=mail home=/s/%u\n  driver = static\n}\n":                                        "/s/u@example.com",
		"dovecot_config_version = 2.4.0\nuserdb static {\n  fields {\n    home = /f/%{user | domain}/%{user | username}\n  }\n}\n": "/f/example.com/u",
		"": "",
	} {
		got, err := dovecot.Read([]byte(text)).Home("u@example.com")
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
}
