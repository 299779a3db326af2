package mta_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/postfix/mta"
)

// TestTargets: each kind of end has its own type, whose text is what is printed.
func TestTargets(t *testing.T) {
	e, err := mta.Load(root(localMain+`alias_maps = inline:{{cmd="|/bin/prog -x"} {file=/var/mail/list} {gone=/dev/null}}
virtual_mailbox_domains = piped.test fixed.test closed.test dropped.test box.test
virtual_mailbox_maps = static:all
transport_maps = inline:{{piped.test=dovecot:there} {fixed.test=smtp:[next.test]:26} {closed.test=error:no} {dropped.test=discard:}}
luser_relay = |/bin/lost
`, nil), mta.Options{Release: "3.10", Users: map[string]bool{"root": true}, Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.1")}})
	if err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]struct {
		target mta.Target
		text   string
	}{
		"cmd@host.test":     {mta.TargetCommand("/bin/prog -x"), "relay |/bin/prog -x"},
		"file@host.test":    {mta.TargetFile("/var/mail/list"), "mailbox /var/mail/list"},
		"nobody@host.test":  {mta.TargetCommand("/bin/lost"), "mailbox |/bin/lost"},
		"a@piped.test":      {mta.TargetService{Transport: "dovecot", NextHop: "there"}, "relay dovecot:there"},
		"a@fixed.test":      {mta.TargetNextHop("[next.test]:26"), "relay [next.test]:26"},
		"a@remote.test":     {mta.TargetDomain("remote.test"), "mx remote.test"},
		"a@box.test":        {mta.TargetFolder("INBOX"), "mailbox INBOX"},
		"a@closed.test":     {mta.TargetReply("550"), "reject 550"},
		"a@dropped.test":    {mta.TargetNone{}, "discard"},
		"root@[192.0.2.77]": {mta.TargetDomain("[192.0.2.77]"), "mx [192.0.2.77]"},
	} {
		d := e.Route(context.Background(), &mta.Message{
			Origin: mta.Origin{Client: netip.MustParseAddr("127.0.0.1")}, From: "s@sender.test", To: to, Raw: []byte("Subject: x\n\n"),
		})
		if len(d.Outcomes) != 1 {
			t.Errorf("%s: %v", to, d)
			continue
		}
		o := d.Outcomes[0]
		if diff := cmp.Diff(want.target, o.Target); diff != "" {
			t.Errorf("%s: %s(-want +got)\n%s", to, o, diff)
		}
		if o.String() != want.text || o.Permanent() != (o.Action == mta.ActionReject) || o.Temporary() {
			t.Errorf("%s: %s, permanent %v, temporary %v", to, o, o.Permanent(), o.Temporary())
		}
	}
	if got := (mta.Outcome{Action: mta.ActionReject}).String(); got != "reject" {
		t.Errorf("an outcome without a target: %q", got)
	}
}
