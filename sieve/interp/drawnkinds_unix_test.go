//go:build unix

package interp_test

import (
	"fmt"
	"testing"

	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
)

// drawnKinds are what TestDrawnDeliveries found, in small: scripts before and of
// the user, the field To, the sender, and the original recipient.
var drawnKinds = []struct {
	before, own              string
	to, from, original, more string
}{
	// The answer to the null sender is the postmaster's, whatever the user's address.
	{"", `require "enotify"; notify "mailto:a@b";`, "", "", "", ""},
	{"", `require "enotify"; notify :from "n@example.com" "mailto:a@b";`, "", "", "", ""},
	{"", `require "enotify"; notify "mailto:a@b";`, "", "joe@example.net", "", ""},
	// A script that fails takes back what scripts before it have changed in the
	// header, and what they have had remembered, but not what they have sent.
	{`require ["editheader", "duplicate", "vacation", "enotify"]; addheader "X-New" "1"; if duplicate { notify "mailto:a@b"; } vacation "gone"; redirect "r@b"; keep;`,
		`require "fileinto"; fileinto "missing";`, "me@example.com", "joe@example.net", "", ""},
	{`require ["editheader", "fileinto", "mailbox"]; addheader "X-New" "1"; fileinto :create "A"; keep;`, `require "fileinto"; fileinto "missing";`, "", "joe@example.net", "", ""},
	// A rejection names the original recipient.
	{"", `require "reject"; reject "no";`, "", "joe@example.net", "o@example.com", ""},
	// Without a check of the recipient an answer is from the address that is named all the same.
	{"", `require "vacation"; vacation :addresses "all@example.com" "gone";`, "all@example.com", "joe@example.net", "", ""},
	{"", `require "vacation"; vacation :addresses "all@example.com" "gone";`, "nobody@example.com", "joe@example.net", "", ""},
	{"", `require "vacation"; vacation "gone";`, "", "joe@example.net", "", ""},
	{"", `require "vacation"; vacation :addresses "ME@Example.com" "gone";`, "me@example.com", "joe@example.net", "", ""},
	// What is never run is not compiled; the depth counts for a script that is missing.
	{"", `require ["include", "ihave"]; if ihave "variables" { include "none"; } elsif false { redirect "no address"; } elsif true { discard; } else { include "none"; }`, "", "joe@example.net", "", ""},
	{"", `require "include"; if true { discard; } elsif true { include "none"; } else { include "none"; }`, "", "joe@example.net", "", ""},
	{"", `require "include"; discard; include :optional "none";`, "", "joe@example.net", "", ""},
	// "" is the inbox, but another mailbox than INBOX.
	{"", `require ["fileinto", "copy"]; fileinto :copy ""; fileinto "";`, "", "joe@example.net", "", ""},
	{"", `require ["fileinto", "copy"]; fileinto :copy "";`, "", "joe@example.net", "", ""},
	// A message that is sent on gets a Message-ID where the server finds none.
	{"", `redirect "a@b";`, "", "joe@example.net", "", "Message-ID: 1\n"},
	{"", `redirect "a@b";`, "", "joe@example.net", "", "Message-ID: \n"},
	{"", `redirect "a@b";`, "", "", "", ""},
	// The item "domain" is that of the user.
	{"", `require "environment"; if environment "domain" "example.com" { discard; }`, "", "joe@example.net", "", ""},
}

// TestDrawnKinds delivers each of the kinds twice on both releases.
func TestDrawnKinds(t *testing.T) {
	for _, rel := range drawnReleases(t) {
		t.Run(rel.name, func(t *testing.T) {
			w := &drawnWorld{dovecot24: rel.is24, settings: []string{"sieve_user_email = me@example.com", "sieve_include_max_nesting_depth = 0",
				"sieve_extensions = +editheader", "sieve_vacation_dont_check_recipient = yes", "sieve_redirect_duplicate_period = 2days"}}
			if rel.is24 {
				w.settings = []string{"sieve_user_email = me@example.com", "sieve_include_max_nesting_depth = 0",
					"sieve_extensions {\n  editheader = yes\n}", "sieve_vacation_check_recipient = no"}
			}
			for i, k := range drawnKinds {
				for _, lmtp := range []bool{false, true} {
					if !lmtp && k.original == "" && i%6 != int(*sievetest.Seed%6) {
						continue
					}
					u := drawnUser{name: fmt.Sprintf("u%d%v@example.com", i, lmtp), lmtp: lmtp, before: k.before, own: k.own}
					to := k.to
					if to == "" {
						to = u.name
					}
					m := sievetest.Mail{User: u.name, To: u.name, From: k.from, Original: k.original}
					if lmtp {
						m.Original = ""
					}
					m.Text = k.more + "From: joe@example.net\nTo: " + to + "\nSubject: s\n\nbody\n"
					if k.more == "" {
						m.Text = "Message-ID: <1@x>\n" + m.Text
					}
					u.mails = []sievetest.Mail{m, m}
					w.users = append(w.users, u)
				}
			}
			runWorld(t, w, func(u drawnUser, i int, diff string) bool {
				one := drawnWorld{users: []drawnUser{u}}
				t.Errorf("mail %d\n%s\n%s", i, diff, &one)
				return true
			})
		})
	}
}
