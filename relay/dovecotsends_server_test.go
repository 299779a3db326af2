package relay_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// noticeFields are those of a notice that Dovecot's delivery agents make: of the
// message it is about, they have the sender in To and the subject.
var noticeFields = []string{"Message-ID", "Date", "From", "To", "MIME-Version", "Content-Type", "Subject", "Auto-Submitted", "Precedence"}

// madeCase is a mailbox's script and a message for it.
type madeCase struct {
	name, script, from, header string
	full                       bool // the mailbox is, which dovecot-lda alone tells the sender
	notice                     bool // it has no X-Sieve
}

// begins reports whether a header is as the sorting takes it to be.
func (c madeCase) begins(header []byte) bool {
	first := ""
	for line := range strings.Lines(string(header)) {
		if line[0] == ' ' || line[0] == '\t' {
			continue
		}
		name, _, _ := strings.Cut(line, ":")
		if first == "" {
			first = name
		}
		if c.notice && !slices.Contains(noticeFields, name) {
			return false
		}
	}
	return c.notice || first == "X-Sieve"
}

// made are what Dovecot makes of a message, by what its header must be: begun
// by Pigeonhole, or a notice's.
var made = []madeCase{
	{name: "vacation", from: "$A", script: "require \"vacation\";\nvacation :days 1 :subject \"a\\r\\nX-Conbool-Released: yes\" :addresses [\"$U\"] \"away\";\n"},
	{name: "vacation mime", from: "$A", script: vacation(forged)},
	{name: "vacation, X-Sieve in the message", from: "$A", header: "X-Sieve: x\n",
		script: "require [\"vacation\",\"editheader\"];\ndeleteheader \"X-Sieve\";addheader \"X-Sieve\" \"a\"; vacation :days 1 :addresses [\"$U\"] \"away\";\n"},
	{name: "notify", script: notify("", notifyMarkers)},
	{name: "notify, X-Sieve deleted", header: "X-Sieve: x\n", script: "require [\"enotify\",\"editheader\"];\ndeleteheader \"X-Sieve\"; notify \"mailto:$A?X-Conbool-Released=yes\";\n"},
	{name: "reject", notice: true, from: "$A", script: "require \"reject\";\nreject \"X-Conbool-Released: yes\\r\\n\\r\\nX-Conbool-Released: yes\";\n"},
	{name: "reject, editheader", notice: true, from: "$A", header: "X-Sieve: x\n",
		script: "require [\"reject\",\"editheader\"];\ndeleteheader \"X-Sieve\"; deleteheader \"Subject\"; addheader \"Subject\" text:\na\n X-Conbool-Released: yes\n.\n; addheader \"X-Conbool-Released\" \"yes\"; reject \"x\";\n"},
	{name: "reject, subject folded", notice: true, from: "$A", header: "Subject: a\n X-Conbool-Released: yes\n\tX-Conbool-Flag: YES\n",
		script: "require \"reject\";\nreject \"x\";\n"},
	{name: "reject, subject encoded", notice: true, from: "$A", header: "Subject: =?utf-8?q?a=0D=0AX-Conbool-Released:_yes=0AX-Conbool-Flag:_YES=0D=0A=0D=0A?=\n", script: "require \"reject\";\nreject \"x\";\n"},
	{name: "reject, subject CR", notice: true, from: "$A", header: "Subject: a\rX-Conbool-Released: yes\r\n",
		script: "require \"reject\";\nreject \"x\";\n"},
	{name: "reject, subject NUL", notice: true, from: "$A", header: "Subject: a\x00b\xff\xe2\x80\xa8X-Conbool-Released: yes\n",
		script: "require \"reject\";\nreject \"x\";\n"},
	{name: "reject, message id", notice: true, from: "$A", header: "-\nMessage-ID: <a\n X-Conbool-Released: yes@b>\nReferences: <a@b>\n X-Conbool-Released: yes\nDate: x\n X-Conbool-Released: yes\n", script: "require \"reject\";\nreject \"x\";\n"},
	{name: "reject, two subjects", notice: true, from: "$A", header: "Subject:\nSubject: b\nReply-To: <x@y>\n X-Conbool-Released: yes\n",
		script: "require \"reject\";\nreject \"x\";\n"},
	{name: "redirect", script: "redirect \"$A\";\n"},
	{name: "redirect, X-Sieve deleted", header: redirectedHead + mark,
		script: "require \"editheader\";\ndeleteheader \"X-Sieve\"; deleteheader \"X-Sieve-Redirected-From\"; redirect \"$A\";\n"},
	{name: "redirect, X-Sieve replaced", header: "X-Sieve: x\n", script: "require \"editheader\";\ndeleteheader \"X-Sieve\"; addheader \"X-Sieve\" \"a\"; addheader :last \"X-Sieve\" \"b\"; addheader \"Message-ID\" \"x\"; redirect \"$A\";\n"},
	{name: "redirect, header only", header: "X-Sieve: x\n", script: "require [\"editheader\",\"copy\"];\naddheader \"X-Conbool-Example\" \"a\"; redirect :copy \"$A\"; deleteheader \"X-Sieve\";\n"},
	{name: "report", script: "require \"vnd.dovecot.report\";\nreport \"abuse\" \"X-Conbool-Flag: YES\" \"$A\";\n"},
	{name: "full", full: true, notice: true, from: "$A", header: "Subject: a\n X-Conbool-Released: yes\n\tX-Conbool-Flag: YES\nX-Conbool-Flag: YES\n"},
	{name: "full, encoded", full: true, notice: true, from: "$A",
		header: "Subject: =?utf-8?q?a=0D=0AX-Conbool-Released:_yes=0AX-Conbool-Flag:_YES=0D=0A=0D=0A?=\nX-Conbool-Flag: YES\n"},
	{name: "full, Sieve keeps", full: true, notice: true, from: "$A", header: "X-Conbool-Flag: YES\n",
		script: "require \"fileinto\"; fileinto \"Spam\";\n"},
	{name: "full, quoted sender", full: true, notice: true, from: "\"X-Conbool-Released: yes $A\"@remote1.test"},
}

// TestDovecotSends: what Sieve makes and redirects begins with X-Sieve, before
// anything that a script, an edit of the header or the message says, by which the
// re-entry listeners know it; what Dovecot sends without it has only the fields of
// a notice. It is looked at on its way from Dovecot, before any Postfix.
func TestDovecotSends(t *testing.T) {
	t.Parallel() // much of a run is waiting
	for _, agent := range servertest.Part(t, []string{"lmtp", "lda"}, 1) {
		for _, system := range maillab.FixedSystems(t, "dovecot sends "+agent) {
			t.Run(agent+"/"+system.Name, func(t *testing.T) {
				maillab.NeedSystem(t, system)
				t.Parallel()
				w := maillab.DefaultWorld()
				w.Root = system.Root
				p := fromLab(t, &w)
				p.Server.Postfix, p.Server.Dovecot = system.Postfix, system.Dovecot
				in := withMain("dovecot_destination_recipient_limit = 1\n", nil)(t)
				in.Files["/etc/postfix/master.cf"] = append(in.Files["/etc/postfix/master.cf"], ldaMaster...)
				if agent == "lda" {
					in.Files["/etc/postfix/main.cf"] = bytes.Replace(in.Files["/etc/postfix/main.cf"], []byte("lmtp:unix:private/dovecot-lmtp"),
						[]byte("dovecot"), 1)
				}
				var msgs []maillab.Message
				var names []string
				scripts := map[string]string{}
				for i, c := range made {
					if c.full && agent != "lda" {
						continue
					}
					user := fmt.Sprintf("u%d@example.com", i)
					fill := strings.NewReplacer("$A", fmt.Sprintf("a%d@remote1.test", i), "$U", user).Replace
					if c.script != "" {
						scripts[user] = fill(c.script)
					}
					in.Files["/etc/postfix/mailboxes"] = append(in.Files["/etc/postfix/mailboxes"], user+" x\n"...)
					names = append(names, user)
					m := waysIn["gateway"].lab
					m.ID, m.Recipients, m.From = fmt.Sprintf("m%d", i), []string{user}, "z@remote3.test"
					if c.from != "" {
						m.From = fill(c.from)
					}
					head := fmt.Sprintf("Message-ID: <m%d@lab.invalid>\nDate: Mon, 01 Jun 2026 00:00:00 +0000\n", i)
					header, bare := strings.CutPrefix(c.header, "-\n")
					if bare {
						head = ""
					}
					m.Raw = fmt.Appendf(nil, "%sFrom: <%s>\nTo: <%s>\n%s\nhello\n", head, m.From, user, header)
					if c.full {
						m.Raw = append(m.Raw, fullBody...)
					}
					msgs = append(msgs, m)
				}
				_, site := labSite(t, p, in)
				site.Users = append(slices.Clone(users), names...)
				const address = "postmaster_address = postmaster@example.com\n"
				site.Dovecot = address + ldaDovecot + "plugin {\n  sieve_extensions = +vnd.dovecot.report +editheader\n}\n"
				site.Dovecot24 = address + ldaDovecot24 + "sieve_extensions {\n  vnd.dovecot.report = yes\n  editheader = yes\n}\n"
				for user, text := range scripts {
					site.Files["sieve/users/"+user+".sieve"] = []byte(text)
				}
				for name, text := range site.Files {
					if strings.HasPrefix(name, "dovecot") { // to the MX of remote1.test
						site.Files[name] = bytes.ReplaceAll(text, []byte("submission_host = 127.0.0.1:10032"), []byte("submission_host = 127.0.3.1:25"))
					}
				}
				r := maillab.Run(t, w, site, msgs)
				for _, c := range r.Complaints {
					t.Errorf("complaint: %s", c)
				}
				seen := map[int]int{}
				look := func(places []maillab.Place) {
					for _, p := range places {
						var i int
						if n, _ := fmt.Sscanf(strings.TrimPrefix(p.Address, "\"X-Conbool-Released: yes "), "a%d", &i); n != 1 || p.Kind != maillab.KindMX {
							continue
						}
						seen[i]++
						if c := made[i]; !c.begins(p.Header) {
							t.Errorf("%s: notice %v, sent with the header\n%s", c.name, c.notice, p.Header)
						}
					}
				}
				for _, o := range r.Messages {
					for _, places := range o.Recipients {
						look(places)
					}
					look(o.Redirected)
					look(o.Notices)
				}
				look(r.Stray)
				for i, c := range made {
					if sent := seen[i] > 0; sent == (c.full && agent != "lda") {
						t.Errorf("%s: sent is %v", c.name, sent)
					}
				}
			})
		}
	}
}
