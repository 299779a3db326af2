//go:build unix

package interp_test

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
)

// drawnKind is what TestDrawnDeliveries found, in small: scripts before and of
// the user, the field To, the sender, the original recipient, and fields.
type drawnKind struct {
	before, own              string
	to, from, original, more string
}

// joe is the sender.
const joe = "joe@example.net"

var drawnKinds = []drawnKind{
	// The answer to the null sender is the postmaster's, whatever the user's address.
	{"", `require "enotify"; notify "mailto:a@b";`, "", "", "", ""},
	{"", `require "enotify"; notify :from "n@example.com" "mailto:a@b";`, "", "", "", ""},
	{"", `require "enotify"; notify "mailto:a@b";`, "", "joe@example.net", "", ""},
	// A script that fails takes back what scripts before it have changed in the
	// header, and what they have had remembered, but not what they have sent.
	{`require ["editheader", "duplicate", "vacation", "enotify"]; addheader "X-New" "1"; if duplicate { notify "mailto:a@b"; } vacation "gone"; redirect "r@b"; keep;`,
		`require "fileinto"; fileinto "missing";`, "me@example.com", "joe@example.net", "", ""},
	{`require ["editheader", "fileinto", "mailbox"]; addheader "X-New" "1"; fileinto :create "A"; keep;`,
		`require "fileinto"; fileinto "missing";`, "", "joe@example.net", "", ""},
	// A rejection names the original recipient.
	{"", `require "reject"; reject "no";`, "", "joe@example.net", "o@example.com", ""},
	// Without a check of the recipient an answer is from the address that is named all the same.
	{"", `require "vacation"; vacation :addresses "all@example.com" "gone";`, "all@example.com", "joe@example.net", "", ""},
	{"", `require "vacation"; vacation :addresses "all@example.com" "gone";`, "nobody@example.com", "joe@example.net", "", ""},
	{"", `require "vacation"; vacation "gone";`, "", "joe@example.net", "", ""},
	{"", `require "vacation"; vacation :addresses "ME@Example.com" "gone";`, "me@example.com", "joe@example.net", "", ""},
	// Whose script it is has logged in.
	{"", `require ["envelope", "relational"]; if envelope :count "eq" ["auth", "from"] "2" { discard; }`, "", joe, "", ""},
	{"", `require ["envelope", "variables", "fileinto", "mailbox"]; if envelope :matches "auth" "*" { fileinto :create "${1}"; }`, "", joe, "",
		""},
	// No message has a field of an empty name.
	{"", `require ["duplicate", "variables"]; if duplicate :header "${a}" { discard; }`, "", joe, "", ""},
	{"", `require "duplicate"; if duplicate :header "" { discard; }`, "", joe, "", ""},
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
	// A Message-ID is what stands between the angle brackets without its blanks, or where
	// that has a quoted string or a comment, an address without a domain literal.
	{"", `require "vacation"; vacation "gone";`, "me@example.com", joe, "", "Message-ID: <a b@x>\n"},
	{"", `require "vacation"; vacation "gone";`, "me@example.com", joe, "", "Message-ID: <a\n\t b@ x>\n"},
	{"", `require "vacation"; vacation "gone";`, "me@example.com", joe, "", "Message-ID: <a@[b c]>\n"},
	{"", `require "vacation"; vacation "gone";`, "me@example.com", joe, "", "Message-ID: <a@[b>\n"},
	{"", `require "vacation"; vacation "gone";`, "me@example.com", joe, "", "Message-ID: <a@[b(c)]>\n"},
	{"", `require "vacation"; vacation "gone";`, "me@example.com", joe, "", "Message-ID: <\"a b\"@[c]>\n"},
	{"", `require "vacation"; vacation "gone";`, "me@example.com", joe, "", "Message-ID: <\"a b\"@c . d>\n"},
	{"", `redirect "a@b";`, "", joe, "", "Message-ID: <a b@x>\n"},
	// A rejection names an empty Message-ID too.
	{"", `require "reject"; reject "no";`, "", joe, "", "Message-ID: \n"},
	// A domain literal that is folded is unfolded.
	{"", `if address "cc" "a@[b c]" { discard; }`, "", joe, "", "Cc: a@[b\n c]\n"},
	// Of a fileinto of the inbox and a keep the message has the flags and the header
	// of the fileinto; "" stores beside both.
	{"", `require ["fileinto", "copy", "imap4flags"]; fileinto :copy :flags "x" "INBOX"; setflag "y";`, "", joe, "", ""},
	{"", `require ["fileinto", "imap4flags", "editheader"]; keep :flags "y"; addheader "X-N" "1"; fileinto :flags "x" "inbox"; addheader "X-M" "1";`, "", joe, "", ""},
	{"", `require ["fileinto", "imap4flags"]; fileinto "INBOX"; keep :flags "y";`, "", joe, "", ""},
	{`require ["fileinto", "copy", "imap4flags"]; fileinto :copy :flags "x" "INBOX";`, "keep;", "", joe, "", ""},
	{`require ["fileinto", "copy", "imap4flags"]; fileinto :copy :flags "x" "INBOX";`, `require "fileinto"; fileinto "missing";`, "", joe, "",
		""},
	{"", `require ["fileinto", "imap4flags"]; fileinto :flags "z" ""; keep :flags "y";`, "", joe, "", ""},
	{"", `require ["fileinto", "imap4flags"]; fileinto :flags "z" ""; fileinto :flags "q" "INBOX"; keep :flags "y";`, "", joe, "", ""},
	// A variable holds several flags.
	{"", `require ["imap4flags", "variables"]; set "a" "x y"; keep :flags "${a}";`, "", joe, "", ""},
	// Names that the store refuses.
	{"", `require ["fileinto", "mailbox"]; fileinto :create ".x";`, "", joe, "", ""},
	{"", `require ["fileinto", "mailbox"]; fileinto :create "` + strings.Repeat("x", 254) + `";`, "", joe, "", ""},
	{"", `require ["fileinto", "mailbox"]; fileinto :create "` + strings.Repeat("x", 255) + `";`, "", joe, "", ""},
	{"", `require ["fileinto", "mailbox"]; fileinto :create "` + strings.Repeat("é", 128) + `";`, "", joe, "", ""},
	// A report is sent, and metadata that are not there don't match.
	{"", `require "vnd.dovecot.report"; report "abuse" "text" "A <a@B>"; report :headers_only "x" "" "a@B";`, "", joe, "", ""},
	{"", `require ["vnd.dovecot.report", "variables"]; set "a" "x y"; report "${a}" "text" "a@b";`, "", joe, "", ""},
	{"", `require "vnd.dovecot.report"; report "(c) x (d)" "text" "a@b"; discard;`, "", joe, "", ""},
	// What a script before has stored in is there.
	{`require ["fileinto", "mailbox", "copy"]; fileinto :copy :create "Q";`, `require "mailbox"; if mailboxexists "Q" { discard; }`, "", joe,
		"", ""},
	{`require ["fileinto", "mailbox", "copy"]; fileinto :copy :create "Q";`, `require "fileinto"; fileinto "Q"; fileinto "R";`, "", joe, "",
		""},
	{"", `require "mboxmetadata"; if metadata :contains "INBOX" "/private/comment" "" { discard; }`, "", joe, "", ""},
}

// otherKinds are kinds without a sieve_user_email, with one script that can be
// included, and with a mailbox Spam that has a special use.
var otherKinds = []drawnKind{
	// A missing script counts among those included.
	{"", `require "include"; include :optional "n1"; include :optional "n2"; discard;`, "", joe, "", ""},
	{"", `require "include"; include :global "g"; include :optional "n1"; discard;`, "", joe, "", ""},
	{"", `require "include"; include :optional "n1"; include :global "g"; discard;`, "", joe, "", ""},
	{"", `require "include"; include :global "g"; include :global "g"; discard;`, "", joe, "", ""},
	{"", `require "include"; if false { include :optional "n1"; } include :global "g"; discard;`, "", joe, "", ""},
	// An extension that is off is on where another one brings it; 2.4 has no imapflags.
	{"", `require "vacation"; discard;`, "", joe, "", ""},
	{"", `require "environment"; discard;`, "", joe, "", ""},
	{"", `require "imapflags"; discard;`, "", joe, "", ""},
	// dovecot-lda takes the null sender for none, and Return-Path in its place.
	{"", `redirect "a@b";`, "", "", "o@example.com", "Return-Path: <rp@x>\n"},
	{"", `redirect "a@b";`, "", "", "o@example.com", "Return-Path: rp\n"},
	{"", `require "envelope"; if envelope "from" "rp@x" { discard; }`, "", "", "o@example.com", "Return-Path: rp@x\n"},
	{"", `require "vacation"; vacation "gone";`, "", "", "o@example.com", "Return-Path: <rp@x>\n"},
	{"", `require "enotify"; notify "mailto:a@b";`, "", "", "o@example.com", "Return-Path: <rp@x>\n"},
	// 2.4 takes local parts beyond ASCII in a message.
	{"", `redirect "a@b";`, "", "", "o@example.com", "Return-Path: <jö@x>\n"},
	{"", `require "vacation"; vacation "gone";`, "", "", "o@example.com", "Return-Path: <jö@x>\n"},
	// The user's name stands for his address, but not in what is written.
	{"", `redirect "a@b";`, "", joe, "", "X-Sieve-Redirected-From: USER\n"},
	{"", `redirect "a@b";`, "", joe, "", "X-Sieve-Redirected-From: DETAIL\n"},
	{"", `redirect "a@b";`, "", joe, "", "X-Sieve-Redirected-From: other@example.com\n"},
	// A special use counts once the mailbox is there, which then isn't the one of the name.
	{"", `require ["special-use", "fileinto", "mailbox"]; fileinto :create "Spam"; fileinto :specialuse "\\Junk" "A";`, "", joe, "", ""},
	{"", `require ["special-use", "fileinto", "mailbox", "imap4flags"];
		fileinto :create "Spam"; fileinto :specialuse "\\Junk" "A"; fileinto :flags "x" :specialuse "\\junk" "B"; fileinto :flags "y" :specialuse "\\Junk" "A";`, "", joe, "", ""},
	{"", `require ["special-use", "fileinto", "mailbox"]; fileinto :create :specialuse "\\Junk" "A";`, "", joe, "", ""},
	{`require ["fileinto", "mailbox", "copy"]; fileinto :copy :create "Spam";`,
		`require ["special-use", "fileinto", "mailbox"]; if specialuse_exists "\\junk" { fileinto :create :specialuse "\\Junk" "A"; }`, "", joe, "", ""},
}

// noRedirects are kinds where redirects are forbidden: they fail once they are
// to be done.
var noRedirects = []drawnKind{
	{"", `if exists "x-none" { redirect "a@b"; } discard;`, "", joe, "", ""},
	{"", `discard; redirect "a@b";`, "", joe, "", ""},
	{"discard;", `require "copy"; redirect :copy "a@b"; discard;`, "", joe, "", ""},
}

// TestDrawnKinds delivers each of the kinds twice on both releases.
func TestDrawnKinds(t *testing.T) {
	for _, rel := range drawnReleases(t) {
		t.Run(rel.name, func(t *testing.T) {
			w := &drawnWorld{dovecot24: rel.is24, settings: []string{"sieve_user_email = me@example.com", "sieve_include_max_nesting_depth = 0",
				"sieve_extensions = +editheader +vnd.dovecot.report +mboxmetadata", "sieve_vacation_dont_check_recipient = yes", "sieve_redirect_duplicate_period = 2days"}}
			if rel.is24 {
				w.settings = []string{"sieve_user_email = me@example.com", "sieve_include_max_nesting_depth = 0",
					"sieve_extensions {\n  editheader = yes\n  vnd.dovecot.report = yes\n  mboxmetadata = yes\n}", "sieve_vacation_check_recipient = no"}
			}
			runKinds(t, w, drawnKinds, false)
			junk := "namespace inbox {\n  inbox = yes\n  mailbox Spam {\n    special_use = \\Junk\n  }\n}"
			w = &drawnWorld{dovecot24: rel.is24, global: map[string]string{"g": "keep;\n"},
				settings: []string{"sieve_include_max_includes = 1", junk,
					"sieve_extensions = +special-use +vacation-seconds -vacation +vnd.dovecot.environment -environment +imapflags"}}
			if rel.is24 {
				w.settings[2] = "sieve_extensions {\n  special-use = yes\n  vacation-seconds = yes\n  vacation = no\n  vnd.dovecot.environment = yes\n  environment = no\n  imapflags = yes\n}"
			}
			runKinds(t, w, otherKinds, true)
			w = &drawnWorld{dovecot24: rel.is24, settings: []string{"sieve_max_redirects = 0"}}
			runKinds(t, w, noRedirects, false)
		})
	}
}

// runKinds delivers kinds to users of a world, or to an address with a detail.
func runKinds(t *testing.T, w *drawnWorld, kinds []drawnKind, detail bool) {
	t.Helper()
	for i, k := range kinds {
		for _, lmtp := range []bool{false, true} {
			if !lmtp && k.original == "" && i%6 != int(*sievetest.Seed%6) {
				continue
			}
			u := drawnUser{name: fmt.Sprintf("u%d%v@example.com", i, lmtp), lmtp: lmtp, before: k.before, own: k.own}
			m := sievetest.Mail{User: u.name, To: u.name, From: k.from, Original: k.original}
			if lmtp {
				m.Original = ""
			}
			address := strings.Replace(u.name, "@", "+d@", 1)
			if detail {
				m.To = address
			}
			m.Text = strings.NewReplacer("USER", u.name, "DETAIL", address).Replace(k.more) +
				"From: joe@example.net\nTo: " + cmp.Or(k.to, u.name) + "\nSubject: s\n\nbody\n"
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
}
