package mta_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
)

// dead is a table that can't be asked.
type dead struct{}

var errDead = errors.New("no connection")

func (dead) Lookup(string) (postfix.Row, bool, error) { return postfix.Row{}, false, errDead }

// TestTableDown: where a table can't be asked the message is refused or deferred for
// now, whatever another table would have said. What is wanted is what Postfix 3.7 does
// with socketmap: tables whose server isn't there.
func TestTableDown(t *testing.T) {
	for name, c := range map[string]struct{ main, to, want string }{
		"access": {"smtpd_recipient_restrictions = check_recipient_access mysql:/x, permit_mynetworks, reject\n", "a@remote.test",
			"reject 451 4.3.5 <a@remote.test>: Recipient address rejected: Server configuration error"},
		"access of a client": {"smtpd_client_restrictions = check_client_access mysql:/x\n", "a@remote.test",
			"reject 451 4.3.5 <unknown[127.0.0.1]>: Client host rejected: Server configuration error"},
		"transport": {"transport_maps = mysql:/x\n", "a@remote.test", "reject 451 4.3.0 <a@remote.test>: Temporary lookup failure"},
		"second of two": {"transport_maps = inline:{{other.test=smtp:[a]}}, mysql:/x\n", "a@remote.test",
			"reject 451 4.3.0 <a@remote.test>: Temporary lookup failure"},
		"found before": {"transport_maps = inline:{{a@remote.test=smtp:[a]}}, mysql:/x\n", "a@remote.test", "relay [a]"},
		"canonical": {"recipient_canonical_maps = mysql:/x\n", "a@remote.test",
			"reject 451 4.3.0 <a@remote.test>: Temporary lookup failure"},
		"relocated": {"relocated_maps = mysql:/x\nsmtpd_reject_unlisted_recipient = no\n", "a@remote.test",
			"defer 451 4.3.0 address resolver failure"},
		"virtual aliases": {"virtual_alias_maps = mysql:/x\nsmtpd_reject_unlisted_recipient = no\n", "a@remote.test",
			"reject 451 4.3.0 Error: queue file write error"},
		"unlisted recipients": {"virtual_mailbox_domains = box.test\nvirtual_mailbox_maps = mysql:/x\n", "a@box.test",
			"reject 451 4.3.0 <a@box.test>: Temporary lookup failure"},
		"domains": {"virtual_mailbox_domains = mysql:/x\nsmtpd_reject_unlisted_recipient = no\n", "a@box.test",
			"defer 451 4.3.0 address resolver failure"},
		"senders": {"sender_dependent_default_transport_maps = mysql:/x\n", "a@remote.test",
			"reject 451 4.3.0 <a@remote.test>: Temporary lookup failure"},
		"a copy's recipient": {"recipient_bcc_maps = mysql:/x\n", "a@remote.test", "reject 451 4.3.0 Error: queue file write error"},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := mta.Load(root(c.main, nil), mta.Options{Release: "3.10", Tables: map[string]postfix.Map{"mysql:/x": dead{}},
				Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.1")}})
			if err != nil {
				t.Fatal(err)
			}
			d := e.Route(context.Background(), &mta.Message{
				Origin: mta.Origin{Client: netip.MustParseAddr("127.0.0.1")}, From: "s@sender.test", To: c.to, Raw: []byte("Subject: x\n\n"),
			})
			failed := !strings.HasPrefix(c.want, "relay")
			if len(d.Outcomes) != 1 || strings.TrimSpace(d.Outcomes[0].String()+" "+d.Outcomes[0].Text) != c.want ||
				d.Outcomes[0].Temporary() != failed || errors.Is(d.Err, errDead) != failed {
				t.Errorf("%v: %v, want %s", d.Err, d, c.want)
			}
		})
	}
}
