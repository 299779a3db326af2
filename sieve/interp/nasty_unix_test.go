//go:build unix

package interp_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/dovecot"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
)

// nastySettings turn on what nastyRequire has, with a mailbox \Junk and a store of
// annotations.
func nastySettings(is24 bool) []string {
	const inbox = "namespace inbox {\n  inbox = yes\n  separator = .\n  mailbox Junk {\n    special_use = \\Junk\n  }\n}"
	if is24 {
		return []string{"sieve_extensions {\n  editheader = yes\n  vacation-seconds = yes\n  special-use = yes\n  mboxmetadata = yes\n  servermetadata = yes\n  spamtest = yes\n" +
			"  virustest = yes\n  vnd.dovecot.environment = yes\n}", "mail_attribute {\n  dict file {\n    path = %{home}/attributes\n  }\n}", inbox,
			"sieve_spamtest_status_type = score", "sieve_spamtest_status_header = X-Spam-Score: ([0-9.]+)", "sieve_spamtest_score_max_value = 10",
			"sieve_virustest_status_type = score", "sieve_virustest_status_header = X-Virus-Score: ([0-9.]+)", "sieve_virustest_score_max_value = 5"}
	}
	return []string{"sieve_extensions = +editheader +vacation-seconds +special-use +mboxmetadata +servermetadata +spamtest +virustest +vnd.dovecot.environment",
		"mail_attribute_dict = file:%h/attributes", inbox,
		"sieve_spamtest_status_type = score", "sieve_spamtest_status_header = X-Spam-Score: ([0-9.]+)", "sieve_spamtest_max_value = 10",
		"sieve_virustest_status_type = score", "sieve_virustest_status_header = X-Virus-Score: ([0-9.]+)", "sieve_virustest_max_value = 5"}
}

// nastyBoxes is what the mailboxes of those settings have.
type nastyBoxes struct{}

func (nastyBoxes) SpecialUse(mailbox, attribute string) (string, bool) {
	if !strings.EqualFold(attribute, `\Junk`) || mailbox != "" && mailbox != "Junk" {
		return "", false
	}
	return "Junk", true
}

func (nastyBoxes) Metadata(string, string) (string, bool) { return "", false }

// nastyPair is a value in an argument.
type nastyPair struct{ argument, value string }

// TestNastyArguments delivers a message under scripts that give values of a variable
// to everything that takes a string. From TEST_SCALE=25 on they are 2,000 pairs for both releases.
func TestNastyArguments(t *testing.T) {
	for _, rel := range drawnReleases(t) {
		t.Run(rel.name, func(t *testing.T) {
			s := sievetest.NewServer(t, rel.is24, nastySettings(rel.is24))
			c := dovecot.Read(s.Doveconf(t, "-n"))
			g := sievetest.NewGenerator(*sievetest.Seed)
			var pairs []nastyPair
			for range servertest.Deep(t, 15, 60) {
				pairs = append(pairs, nastyPair{sievetest.Pick(g, nastyArguments...), sievetest.Pick(g, nastyValues...)})
			}
			compareNasty(t, s, c, pairs)
		})
	}
}

func compareNasty(t *testing.T, s *sievetest.Server, c *dovecot.Config, pairs []nastyPair) {
	t.Helper()
	for i, pair := range pairs {
		user := fmt.Sprintf("n%d@example.com", i)
		src := nastyScript(pair.argument, pair.value)
		s.User(t, user, "", src, "", nil)
		for _, box := range []string{"A", "Sent", "Junk"} {
			s.MakeMailbox(t, user, box)
		}
		m := sievetest.Mail{User: user, From: "joe@example.net", To: user, Text: fmt.Sprintf(nastyMessage, user)}
		raw := "Return-Path: <" + m.From + ">\r\n" + strings.ReplaceAll(m.Text, "\n", "\r\n")
		boxes := s.Mailboxes(t, user)
		list, why := sequenceOf(t, s, c, "lmtp", user)
		in := sievetest.Scored([]byte(raw))
		in.From, in.To, in.Memory, in.Mailboxes = m.From, m.To, &store{seen: map[string]time.Time{}}, nastyBoxes{}
		in.MailboxExists = func(name string) bool {
			return strings.EqualFold(name, sieve.Inbox) || name == "" || slices.Contains(boxes, name)
		}
		in.Environment = map[string]string{"host": "mail.example.org", "postmaster": "postmaster@example.org", "username": user}
		want := s.LMTP(t, m)
		r := list.Run(in)
		got := drawnOutcome(r, raw, m, "", true, c.Is24())
		for j := range want.Sent {
			want.Sent[j] = stripped(want.Sent[j])
			if strings.Contains(string(want.Sent[j].Raw), "X-Sieve-Redirected-From") && j < len(got.Sent) && got.Sent[j].Raw == nil {
				want.Sent[j].Raw = nil
			}
		}
		if want.Reply == "crash" || errors.Is(r.Err, headers.ErrUnsupported) {
			continue // see PIGEONHOLE.md
		}
		if shown := nastyOutcome(got, m.Text); shown != nastyOutcome(want, m.Text) {
			log, _ := os.ReadFile(filepath.Join(s.Dir, user, ".active.sieve.log"))
			t.Errorf("%s with %q (%v, %v):\n%s\nDovecot:\n%s\n%s", pair.argument, pair.value, r.Err, why, shown, nastyOutcome(want, m.Text), log)
		}
	}
}

// nastyOutcome is what a delivery did, as text; of the header that is stored, only
// what a script changed.
func nastyOutcome(o sievetest.Outcome, text string) string {
	var b strings.Builder
	fmt.Fprintln(&b, " ", o.Reply)
	for _, s := range o.Stored {
		fmt.Fprintf(&b, "  %q %q", s.Mailbox, s.Flags)
		_, head, _ := strings.Cut(s.Text, "\n") // without Return-Path
		if head != text {
			head, _, _ = strings.Cut(s.Text, "MIME-Version")
			fmt.Fprintf(&b, " %q", head)
		}
		b.WriteString("\n")
	}
	for _, m := range o.Sent {
		fmt.Fprintf(&b, "  from %q to %q %q\n", m.From, m.To, m.Raw)
	}
	return b.String()
}
