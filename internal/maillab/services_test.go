package maillab

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestServices has the services of master(8) that a plain site doesn't use:
// postscreen with dnsblog and tlsproxy, and verify; all in the chroot that
// Debian's master.cf gives them.
func TestServices(t *testing.T) { onSystems(t, testServices) }

func testServices(t *testing.T, system System) {
	// postscreen's timers go by whole seconds: of one second nothing may be left
	// for the answer of dnsblog.
	w, site := plainSite(`postscreen_greet_wait = 2s
postscreen_greet_action = enforce
postscreen_dnsbl_sites = bl.test
postscreen_dnsbl_action = enforce
postscreen_access_list = permit_mynetworks
`).on(system)
	w.Names["6.66.0.127.bl.test"] = Name{A: []string{"127.0.0.2"}}
	site.Exec = []string{
		"postconf -M '127.0.1.6:25/inet=127.0.1.6:25 inet n - y - 1 postscreen'",
		"postconf -M 'smtpd/pass=smtpd pass - - y - - smtpd'",
		"postconf -M 'dnsblog/unix=dnsblog unix - - y - 0 dnsblog'",
		"postconf -M 'tlsproxy/unix=tlsproxy unix - - y - 0 tlsproxy'",
		"postconf -M '127.0.1.7:25/inet=127.0.1.7:25 inet n - y - - smtpd -o smtpd_recipient_restrictions=reject_unverified_recipient -o address_verify_poll_count=30 -o address_verify_poll_delay=1'",
	}
	site.After = []string{"postconf -F smtp/unix/chroot"}
	listed := from("listed", "127.0.66.6", "127.0.1.6:25", "bob@example.com")
	listed.TLS = "tls"
	r := Run(t, w, site, []Message{
		from("friend", "127.0.1.20", "127.0.1.6:25", "bob@example.com"),
		from("other", "127.0.66.7", "127.0.1.6:25", "bob@example.com"),
		listed,
		from("verified", "", "127.0.1.7:25", "bob@example.com", "x@nxdomain.invalid"),
		from("out", "", "", "x@remote1.test"),
	})
	got := map[string]string{}
	for id, o := range r.Messages {
		for to := range o.Recipients {
			got[id+" "+to] = ends(r, id, to)
		}
	}
	want := map[string]string{
		"friend bob@example.com":      "mailbox:INBOX <bob@example.com>",
		"other bob@example.com":       "mailbox:INBOX <bob@example.com>",
		"listed bob@example.com":      "rejected:550 <bob@example.com>",
		"verified bob@example.com":    "mailbox:INBOX <bob@example.com>",
		"verified x@nxdomain.invalid": "rejected:450 <x@nxdomain.invalid>",
		"out x@remote1.test":          "mx:remote1.test <x@remote1.test>",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"smtp/unix/chroot = y\n"}, r.After); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
	if text := r.Messages["listed"].SMTP.Text; !strings.Contains(text, "bl.test") {
		t.Errorf("listed: %q", text)
	}
	sound(t, r)
}

// TestWrappedInstances has two instances, the first of which hands its mail to the
// second, under postmulti(1).
func TestWrappedInstances(t *testing.T) { onSystems(t, testInstances) }

func testInstances(t *testing.T, system System) {
	w, site := plainSite("relayhost = [127.0.1.7]:25\nmulti_instance_wrapper = ${command_directory}/postmulti -p --\nmulti_instance_enable = yes\nmulti_instance_directories = /etc/postfix-out\n").on(system)
	site.Files["postfix-out/main.cf"] = []byte(`compatibility_level = 3.6
myhostname = out.example.com
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.1.7
inet_protocols = ipv4
queue_directory = /var/spool/postfix-out
data_directory = /var/lib/postfix-out
multi_instance_name = postfix-out
multi_instance_enable = yes
alias_maps =
local_recipient_maps =
authorized_submit_users = static:anyone
header_checks = regexp:/etc/postfix-out/checks
smtp_tls_security_level = may
`)
	site.Files["postfix-out/checks"] = []byte("/^Subject:/ PREPEND X-Second: yes\n/^X-Do: hold/ HOLD\n")
	sendmail := simple("sendmail", "x", "x@remote2.test")
	sendmail.To = "sendmail:out"
	held := simple("held", "x", "x@remote1.test")
	held.Raw = append([]byte("X-Do: hold\n"), held.Raw...)
	r := Run(t, w, site, []Message{simple("two", "x", "x@remote1.test", "bob@example.com"), sendmail, held})
	got := map[string]string{}
	for id, o := range r.Messages {
		for to := range o.Recipients {
			got[id+" "+to] = ends(r, id, to) + " " + counted(r, id, to, "X-Second")
		}
	}
	want := map[string]string{
		"two x@remote1.test":      "mx:remote1.test <x@remote1.test> yes",
		"two bob@example.com":     "mailbox:INBOX <bob@example.com> ",
		"sendmail x@remote2.test": "mx:remote2.test <x@remote2.test> yes",
		"held x@remote1.test":     "held <x@remote1.test> yes",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	sound(t, r)
}
