package relay_test

import (
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// TestSMTPUTF8: mail with addresses and headers beyond ASCII, declared or not,
// to servers that take it and to those that don't, Dovecot among them.
func TestSMTPUTF8(t *testing.T) {
	t.Parallel() // much of a run is waiting
	raws := []string{
		"From: z@remote3.test\nSubject: x\n\nhello\n", "From: z@remote3.test\nSubject: x\n\ngr\u00fcn\n",
		"From: z@remote3.test\nSubject: gr\u00fcn\n\nhello\n", "From: \u00e4lice@example.com\nSubject: x\n\nhello\n", "From: z@remote3.test\nSubject: \xff\n\nhello\n",
		"From: z@remote3.test\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Description: gr\u00fcn\n\nx\n--b--\n",
		"From: z@remote3.test\nMIME-Version: 1.0\nContent-Type: message/rfc822\n\nSubject: gr\u00fcn\n\nx\n",
	}
	aliases := "virtual_alias_maps = hash:/etc/postfix/aliases, inline:{{j\u00fcrgen@example.com=bob@example.com},{other@example.com=\u00f6ther@remote1.test}}\n"
	for _, f := range servertest.Part(t, []followed{
		{name: "no next hop", main: "smtputf8_enable = yes\n", nextHops: relay.SMTPUTF8Missing},
		{name: "next hops, all detected", main: "smtputf8_enable = yes\nsmtputf8_autodetect_classes = all\nstrict_smtputf8 = yes\nsmtp_generic_maps = inline:{{\u00e4lice@example.com=alice@example.com}}\n", nextHops: relay.SMTPUTF8Offered},
		{name: "off", main: "smtputf8_enable = no\n", nextHops: relay.SMTPUTF8Missing},
		{name: "not on the way", main: "smtputf8_enable = yes\nsmtp_discard_ehlo_keywords = smtputf8\n", nextHops: relay.SMTPUTF8Offered},
	}, 1) {
		f.main += aliases + "smtp_destination_recipient_limit = 1\nconbool_destination_recipient_limit = 1\nlmtp_destination_recipient_limit = 1\nsmtp_connection_cache_on_demand = no\nlmtp_connection_cache_on_demand = no\n"
		f.edit = strings.NewReplacer("virtual_alias_maps = hash:/etc/postfix/aliases\n", "")
		f.messages, f.declared, f.raws = 120, true, raws
		f.entries = []string{"submission", "internal", "pickup", "gateway"}
		f.senders = []string{"alice@example.com", "\u00e4lice@example.com", "z@remote3.test", "\u00f6ther@remote3.test", "z@b\u00fccher.test", ""}
		f.rcpts = []string{"bob@example.com", "j\u00fcrgen@example.com", "x@remote1.test", "\u00fc@remote2.test", "x@b\u00fccher.test",
			"fwd@example.com", "other@example.com", "bob+\u00fc@example.com", "bob+\u00fc@example.com"}
		if f.name == "off" { // the log doesn't show such addresses then
			f.senders, f.rcpts = []string{"alice@example.com", "z@remote3.test", ""}, []string{"bob@example.com", "x@remote1.test",
				"fwd@example.com"}
		}
		f.scripts = map[string]string{"fwd@example.com": "redirect \"out@remote1.test\";\n",
			"bob@example.com": "require [\"envelope\", \"fileinto\"]; if envelope :is \"from\" \"\" { fileinto \"Null\"; } elsif envelope :contains \"from\" \"lice@\" { fileinto \"Alice\"; } elsif envelope :is \"from\" \"öther@remote3.test\" { fileinto \"Other\"; }\n"}
		for _, system := range maillab.DrawnSystems(t, f.name) {
			t.Run(f.name+"/"+system.Name, func(t *testing.T) {
				t.Parallel()
				f.run(t, system)
			})
		}
	}
}
