package mta_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
)

const masterCF = `smtp inet n - y - - smtpd
127.0.0.1:10026 inet n - y - - smtpd
  -o content_filter= -o smtpd_recipient_restrictions=permit_mynetworks,reject -o header_checks=regexp:/etc/postfix/again
  -o cleanup_service_name=again
pickup unix n - y 60 1 pickup
cleanup unix n - y - 0 cleanup
again unix n - y - 0 cleanup
  -o header_checks=regexp:/etc/postfix/again
qmgr unix n - n 300 1 qmgr
rewrite unix - - y - - trivial-rewrite
smtp unix - - y - - smtp
relay unix - - y - - smtp
lmtp unix - - y - - lmtp
local unix - n n - - local
virtual unix - n n - - virtual
error unix - - y - - error
retry unix - - y - - error
discard unix - - y - - discard
10025 inet n - y - 1 postscreen
smtpd pass - - y - - smtpd
dovecot unix - n n - - pipe flags=DRh user=vmail
  argv=/usr/lib/dovecot/dovecot-lda -f ${sender} -d ${user}@${domain} ${extension?-m} ${extension}
`

// localMain delivers by local(8).
const localMain = "mydestination = host.test\nalias_maps =\nlocal_recipient_maps =\n"

// lda says with which words dovecot-lda is started, in the place of a folder.
func lda(w *mta.Way, _ mta.Hop, to string, argv []string) bool {
	if !mta.IsDeliveryAgent(argv) {
		return false
	}
	w.End(mta.ActionMailbox, mta.TargetFolder(strings.Join(argv[1:], " ")), to, "")
	return true
}

// root is a server with files beside main.cf and master.cf.
func root(main string, files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{
		"etc/postfix/main.cf":   {Data: []byte("compatibility_level = 3.6\nmyhostname = mx.host.test\nmynetworks = 127.0.0.0/8\nmyorigin = /etc/mailname\n" + main)},
		"etc/postfix/master.cf": {Data: []byte(masterCF)},
		"etc/mailname":          {Data: []byte("host.test\n")},
	}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// TestLoad asks configurations that nothing compiled.
func TestLoad(t *testing.T) {
	local := netip.MustParseAddr("127.0.0.1")
	for _, c := range []struct {
		name, main string
		files      map[string]string
		o          mta.Options
		origin     mta.Origin
		to, want   string
		assumed    string // a part of each assumption, separated by "; "
	}{
		{name: "to the MX", origin: mta.Origin{Client: local}, to: "a@remote.test", want: "mx remote.test"},
		{name: "strangers don't relay", origin: mta.Origin{Client: netip.MustParseAddr("192.0.2.1")}, to: "a@remote.test", want: "reject 454"},
		{name: "the origin is that of a file", main: "mydestination = host.test\nalias_maps =\n", origin: mta.Origin{Service: mta.Pickup},
			to:   "root",
			want: "mailbox INBOX <root@host.test>", assumed: "~root/.forward", o: mta.Options{Users: map[string]bool{"root": true}}},
		{name: "no such user", main: "mydestination = host.test\nalias_maps =\nlocal_recipient_maps =\n", origin: mta.Origin{Client: local},
			to:   "x@host.test",
			want: "bounce 550", o: mta.Options{Users: map[string]bool{"root": true}}},
		{name: "aliases", main: "mydestination = host.test\nalias_maps = hash:/etc/aliases\nlocal_recipient_maps =\n",
			files: map[string]string{"etc/aliases": "root: a@remote.test\n", "etc/aliases.db": "x"}, origin: mta.Origin{Client: local},
			to: "root@host.test", want: "mx remote.test <a@remote.test>"},
		{name: "a table that is not compiled", main: "transport_maps = hash:/etc/postfix/transport\n",
			files:  map[string]string{"etc/postfix/transport": "remote.test smtp:[next.test]\n"},
			origin: mta.Origin{Client: local}, to: "a@remote.test", want: "relay [next.test]", assumed: "/etc/postfix/transport.db"},
		{name: "a database", main: "virtual_mailbox_domains = box.test\nvirtual_mailbox_maps = mysql:/etc/postfix/boxes.cf\n",
			origin: mta.Origin{Client: local}, to: "a@box.test", want: "mailbox INBOX", assumed: "virtual_mailbox_maps mysql:/etc/postfix/boxes.cf"},
		{name: "a database that is answered for",
			main: "virtual_mailbox_domains = box.test\nvirtual_mailbox_maps = mysql:/etc/postfix/boxes.cf\n",
			o: mta.Options{Tables: map[string]postfix.Map{
				"mysql:/etc/postfix/boxes.cf": postfix.Table{{Key: "a@box.test", Value: "a"}}.Index(),
			}}, origin: mta.Origin{Client: local}, to: "b@box.test", want: "reject 550"},
		{name: "a listener of this server", main: "content_filter = smtp:[127.0.0.1]:10026\n",
			files: map[string]string{"etc/postfix/again": "/^Subject: x/ FILTER smtp:[filtered.test]:25\n"}, origin: mta.Origin{Client: local},
			to: "a@remote.test", want: "relay [filtered.test]:25"},
		{name: "local(8) doesn't start", main: localMain + "mailbox_size_limit = 5000000\n", origin: mta.Origin{Client: local},
			to: "root@host.test", want: "defer 451"},
		{name: "local(8) starts", main: localMain + "mailbox_size_limit = 5000000\nmessage_size_limit = 5000000\nforward_path =\n",
			origin: mta.Origin{Client: local},
			to:     "root@host.test", want: "mailbox INBOX"},
		{name: "local(8) knows no unlimited message", main: localMain + "message_size_limit = 0\n", origin: mta.Origin{Client: local},
			to:   "root@host.test",
			want: "defer 451"},
		{name: "virtual(8) doesn't start", main: "virtual_mailbox_domains = box.test\nvirtual_mailbox_maps = static:x\nvirtual_mailbox_limit = 1\n",
			origin: mta.Origin{Client: local}, to: "a@box.test", want: "defer 451"},
		{name: "in a circle", main: "default_transport = smtp:[127.0.0.1]:25\n", origin: mta.Origin{Client: local}, to: "a@remote.test",
			want: "bounce 554"},
		{name: "a compiled table without its text", main: "transport_maps = hash:/etc/transport\n",
			files:  map[string]string{"etc/transport.db": "x"},
			origin: mta.Origin{Client: local}, to: "a@remote.test", want: "mx remote.test",
			assumed: "hash:/etc/transport at /etc/transport.db (/etc/transport)"},
		{name: "what is not followed", main: "smtp_fallback_relay = [x.test]\n", origin: mta.Origin{Client: local}, to: "a@remote.test",
			want:    "mx remote.test",
			assumed: "smtp_fallback_relay at /etc/postfix/main.cf:5: taken for its default, $fallback_relay"},
		{name: "what is not followed has its default", main: "smtp_fallback_relay = $fallback_relay\n", origin: mta.Origin{Client: local},
			to: "a@remote.test", want: "mx remote.test"},
		{name: "compatibility level 0",
			main:   "compatibility_level = 0\nsmtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination\n",
			origin: mta.Origin{Client: local}, to: "a@sub", want: "mx sub.host.test <a@sub.host.test>"},
		{name: "nothing keeps strangers from relaying", main: "smtpd_relay_restrictions =\n", origin: mta.Origin{Client: local},
			to: "a@remote.test", want: "reject"},
		{name: "local(8) to itself", main: localMain + "mailbox_transport = local:\nforward_path =\n", origin: mta.Origin{Client: local},
			to: "al@host.test", want: "defer 451"},
		{name: "compatibility level 1", main: "compatibility_level = 1\n", origin: mta.Origin{Client: local}, to: "a@sub", want: "mx sub"},
		{name: "dovecot-lda by pipe", main: "virtual_mailbox_domains = box.test\nvirtual_transport = dovecot\nrecipient_delimiter = +\n",
			o: mta.Options{Run: lda}, origin: mta.Origin{Client: local}, to: "Al+x@Box.test", want: "mailbox -f s@sender.test -d Al@box.test -m x"},
		{name: "pipe without it", main: "virtual_mailbox_domains = box.test\nvirtual_transport = dovecot\n", origin: mta.Origin{Client: local},
			to: "a@box.test", want: "relay dovecot:"},
		{name: "mailbox_command", main: localMain + "mailbox_command = /usr/lib/dovecot/deliver -a \"$RECIPIENT\" -m '$x'\n",
			o:      mta.Options{Run: lda},
			origin: mta.Origin{Client: local}, to: "al@host.test", want: "mailbox -a al@host.test -m $x", assumed: "~al/.forward"},
		{name: "another mailbox_command", main: localMain + "mailbox_command = /usr/bin/procmail\nforward_path =\n", o: mta.Options{Run: lda},
			origin: mta.Origin{Client: local}, to: "al@host.test", want: "mailbox INBOX", assumed: "mailbox_command /usr/bin/procmail"},
		{name: "luser_relay", main: localMain + "luser_relay = lost+$user@remote.test\n", o: mta.Options{Users: map[string]bool{"root": true}},
			origin: mta.Origin{Client: local}, to: "al@host.test", want: "mx remote.test <lost+al@remote.test>"},
		{name: ".forward goes before mailbox_transport", main: localMain + "mailbox_transport = smtp:[box.test]\n",
			origin: mta.Origin{Client: local},
			to:     "al@host.test", want: "relay [box.test]", assumed: "~al/.forward"},
		{name: "postscreen hands over", origin: mta.Origin{Service: "10025", Client: netip.MustParseAddr("192.0.2.1")}, to: "a@remote.test",
			want: "reject 454", assumed: "postscreen at /etc/postfix/master.cf:19 (192.0.2.1)"},
		{name: "postscreen tests no client of mynetworks", origin: mta.Origin{Service: "10025", Client: local}, to: "a@remote.test",
			want: "mx remote.test"},
		{name: "an old release", o: mta.Options{Release: "3.5.6"}, origin: mta.Origin{Client: local}, to: "a@remote.test", want: "mx remote.test",
			assumed: "mail_version (3.5.6)"},
		{name: "an old release with its defaults", o: mta.Options{Defaults: []byte("mail_version = 3.5.6\nrelayhost = [smart.test]\n")},
			origin: mta.Origin{Client: local}, to: "a@remote.test", want: "relay [smart.test]", assumed: "mail_version (3.5.6)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.o.Release == "" && c.o.Defaults == nil {
				c.o.Release = "3.10"
			}
			c.o.Addresses = []netip.Addr{netip.MustParseAddr("198.51.100.1")}
			e, err := mta.Load(root(c.main, c.files), c.o)
			if err != nil {
				t.Fatal(err)
			}
			d := e.Route(context.Background(), &mta.Message{Origin: c.origin, From: "s@sender.test", To: c.to, Raw: []byte("Subject: x\n\nx\n")})
			if d.String() != c.want {
				t.Errorf("%s, want %s\n%s", d, c.want, d.Outcomes[0].Trace)
			}
			var said []string
			for _, a := range d.Assumptions {
				said = append(said, a.String())
			}
			if len(said) > 0 != (c.assumed != "") || !strings.Contains(strings.Join(said, "\n"), c.assumed) {
				t.Errorf("assumes %q, want %q", said, c.assumed)
			}
		})
	}
}

// TestLoadOld: a compiled table that is older than its text is named with it.
func TestLoadOld(t *testing.T) {
	fsys := root("transport_maps = hash:/etc/postfix/transport\n", map[string]string{
		"etc/postfix/transport": "remote.test smtp:[next.test]\n", "etc/postfix/transport.db": "x",
	})
	ask := func() []mta.Assumption {
		e, err := mta.Load(fsys, mta.Options{Release: "3.7"})
		if err != nil {
			t.Fatal(err)
		}
		return e.Route(context.Background(), &mta.Message{Origin: mta.Origin{Client: netip.IPv6Loopback()}, To: "a@remote.test"}).Assumptions
	}
	if a := ask(); len(a) > 0 {
		t.Errorf("as old as the text: assumes %v", a)
	}
	fsys["etc/postfix/transport"].ModTime = time.Unix(10, 0)
	fsys["etc/postfix/transport.db"].ModTime = time.Unix(5, 0)
	if a := ask(); len(a) != 1 || !strings.Contains(a[0].String(), "/etc/postfix/transport.db") {
		t.Errorf("older: assumes %v", a)
	}
}

// TestLoadErrors: what keeps Postfix from starting is told at once.
func TestLoadErrors(t *testing.T) {
	if _, err := mta.Load(fstest.MapFS{}, mta.Options{}); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("an empty server: %v", err)
	}
	fsys := root("relayhost = $relayhost\n", nil)
	if _, err := mta.Load(fsys, mta.Options{}); err == nil || !strings.Contains(err.Error(), "relayhost") {
		t.Errorf("a value that refers to itself: %v", err)
	}
}

// TestSource: the caller says what is behind a line.
func TestSource(t *testing.T) {
	e, err := mta.Load(root("relayhost = [smart.test]\n", nil), mta.Options{Release: "3.7", Source: func(file string, line int) string {
		if file == "/etc/postfix/main.cf" && line == 5 {
			return "the smart host"
		}
		return ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	d := e.Route(context.Background(), &mta.Message{Origin: mta.Origin{Client: netip.MustParseAddr("127.0.0.1")}, To: "a@remote.test"})
	if trace := d.Outcomes[0].Trace.String(); !strings.Contains(trace, "for the smart host") {
		t.Errorf("%s\n%s", d, trace)
	}
}
