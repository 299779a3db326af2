//go:build unix

package interp_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

const outgoingHost = "mail.example.org"

// sends hands a message to dovecot-lda with a script, and returns what the
// server sends because of it.
func sends(o *sievetest.Oracle, tb testing.TB, s *sievetest.Submission, script, message, from, to string) ([]interp.Outgoing, string) {
	tb.Helper()
	lda := servertest.Need(tb, "dovecot-lda")
	uid, gid, name := sievetest.Owner(tb)
	o.Scripts++
	home := o.Home
	if home == "" {
		home = fmt.Sprintf("out%d", o.Scripts)
		defer os.RemoveAll(filepath.Join(o.Dir, home))
	}
	dir := o.Mailbox(tb, home, nil)
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			tb.Fatal(err)
		}
		if err := os.Chown(path, uid, gid); err != nil {
			tb.Fatal(err)
		}
		return path
	}
	src, msg := file("script.sieve", script), file("message.eml", message)
	conf := file("dovecot.conf", fmt.Sprintf("log_path = /dev/stderr\nmail_uid = %s\nmail_gid = %d\nfirst_valid_uid = 0\nfirst_valid_gid = 0\n"+
		"mail_location = maildir:%s\nmail_home = %s\nssl = no\nhostname = %s\npostmaster_address = postmaster@example.org\nsubmission_host = %s\n"+
		"protocol lda {\n  mail_plugins = sieve\n}\nplugin {\n  sieve = file:%s\n  sieve_extensions = %s\n}\n",
		name, gid, dir, dir, outgoingHost, s.Addr, src, sievetest.ServerExtensions))
	logged := runLDA(tb, lda, dir, []string{"-c", conf, "-e", "-f", from, "-a", to, "-r", to, "-p", msg}, name, uid, gid)
	o.Dupes, _ = os.ReadFile(filepath.Join(dir, ".dovecot.lda-dupes"))
	return s.Take(), logged
}

var (
	ownID       = regexp.MustCompile(`(?m)^Message-ID: <[^>]*>`)
	ownDate     = regexp.MustCompile(`(?m)^Date: [^\r]*`)
	ownBoundary = regexp.MustCompile(`boundary="([^"]*)"`)
)

// stripped takes out of a message what no two have in common: the Message-ID,
// the Date and the boundary.
func stripped(m interp.Outgoing) interp.Outgoing {
	head, body, _ := strings.Cut(string(m.Raw), "\r\n\r\n")
	head = ownID.ReplaceAllString(head, "Message-ID: ID")
	head = ownDate.ReplaceAllString(head, "Date: DATE")
	if b := ownBoundary.FindStringSubmatch(head); b != nil {
		head = strings.Replace(head, b[0], `boundary="BOUNDARY"`, 1)
		body = strings.ReplaceAll(body, "--"+b[1], "--BOUNDARY")
	}
	m.Raw = []byte(head + "\r\n\r\n" + body)
	return m
}

// shownOutgoing is the message in a form whose differences can be read.
func shownOutgoing(list []interp.Outgoing) []string {
	var out []string
	for _, m := range list {
		m = stripped(m)
		out = append(out, fmt.Sprintf("MAIL FROM %q RCPT TO %q\n%s", m.From, m.To,
			strings.ReplaceAll(strings.ReplaceAll(string(m.Raw), "\r", "\\r"), "\t", "\\t")))
	}
	return out
}

// outgoingInput is the delivery of dovecot-lda as the package is told of it.
func outgoingInput(message, from, to string) *interp.Input {
	return &interp.Input{Raw: []byte(message), From: from, To: to, Environment: map[string]string{
		"host": outgoingHost, "postmaster": "postmaster@example.org"}}
}

// sentOf lists what the actions of a result send.
func sentOf(r interp.Result) []interp.Outgoing {
	var out []interp.Outgoing
	for _, a := range r.Actions {
		var m *interp.Outgoing
		switch a := a.(type) {
		case interp.ActionVacation:
			m = a.Reply
		case interp.ActionReject:
			m = a.Message
		case interp.ActionNotify:
			m = a.Mail
		}
		if m != nil {
			out = append(out, *m)
		}
	}
	return out
}

// TestOutgoingServer compares the messages that scripts send with those that
// dovecot-lda hands to the submission server: the envelope and every octet but
// the Message-ID, the Date and the boundary.
func TestOutgoingServer(t *testing.T) {
	servertest.Need(t, "dovecot-lda")
	o := sievetest.NewOracle(t)
	s := sievetest.NewSubmission(t)
	sent := 0
	for _, tt := range servertest.Part(t, outgoingCases(), 7) {
		t.Run(tt.name, func(t *testing.T) {
			want, logged := sends(o, t, s, tt.script, tt.message, tt.from, tt.to)
			p := compileSequence(t, [][]byte{[]byte(tt.script)})
			r := p.Run(outgoingInput(tt.message, tt.from, tt.to))
			sent += len(want)
			if (len(want) > 0) != tt.sends {
				t.Errorf("the server sends %d messages: %s", len(want), logged)
			}
			if diff := cmp.Diff(shownOutgoing(want), shownOutgoing(sentOf(r)), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-Pigeonhole +ours):\n%s\n%v %s\n%s", diff, r.Err, tt.script, tt.message)
			}
		})
	}
	t.Logf("%d messages", sent)
}

// TestOutgoingGenerated compares the header fields of generated texts: how they
// are folded and encoded.
func TestOutgoingGenerated(t *testing.T) {
	servertest.Need(t, "dovecot-lda")
	o := sievetest.NewOracle(t)
	s := sievetest.NewSubmission(t)
	g := sievetest.NewGenerator(*sievetest.Seed)
	text := func() string {
		var b strings.Builder
		for range 1 + g.IntN(40) {
			b.WriteString(sievetest.Pick(g, "a", "word", "longer-word", " ", " ", " ", "  ", "\t", "ü", "привет", "日本語", "=?x?=", "=", "?", "_",
				"=?", "\U0001f600", "é ",
				"\r\n", "\r\n ", strings.Repeat("x", g.IntN(90)), strings.Repeat("ü", g.IntN(50)), "1.5", "'", "<", "\x7f"))
		}
		return b.String()
	}
	percent := func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			fmt.Fprintf(&b, "%%%02x", s[i])
		}
		return b.String()
	}
	ascii := func(s string) string {
		return strings.Map(func(c rune) rune {
			if c > 0x7f || c == '\r' || c == '\n' {
				return -1
			}
			return c
		}, s)
	}
	for round := range servertest.Scaled(t, 1) {
		script := &sieve.Script{}
		for i := range 30 {
			n := sieve.Notify{Method: fmt.Sprintf("mailto:a%d@b?x-h=%s&body=%s", i, percent(ascii(text())), percent(text()))}
			if g.Chance(80) {
				s := text()
				n.Message = &s
			}
			script.Commands = append(script.Commands, n)
		}
		subject := strings.ReplaceAll(strings.ReplaceAll(text(), "\r\n ", " "), "\r\n", " ")
		name := strings.NewReplacer("<", "", "\r\n ", "", "\r\n", "").Replace(text())
		script.Commands = append(script.Commands, sieve.Vacation{Reason: text()})
		message := "From: " + name + " <joe@example.net>\nTo: user@example.org\nSubject: " + subject + "\nReferences: " + ascii(text()) +
			"\n\nbody\n"
		src := string(script.Format())
		want, logged := sends(o, t, s, src, message, "joe@example.net", "user@example.org")
		if len(want) < 31 {
			t.Fatalf("%d messages: %s", len(want), logged)
		}
		got := sentOf(compileSequence(t, [][]byte{[]byte(src)}).Run(outgoingInput(message, "joe@example.net", "user@example.org")))
		for i, m := range want {
			if i >= len(got) {
				t.Fatalf("round %d: %d messages, not %d", round, len(got), len(want))
			}
			if diff := cmp.Diff(shownOutgoing([]interp.Outgoing{m}), shownOutgoing(got[i:i+1])); diff != "" {
				t.Fatalf("round %d, message %d (-Pigeonhole +ours):\n%s\n%s\n%q", round, i, diff, message, script.Commands[i])
			}
		}
	}
}

// TestVacationPeriodServer compares for how long an answer is remembered with
// the time in the server's database of duplicates.
func TestVacationPeriodServer(t *testing.T) {
	servertest.Need(t, "dovecot-lda")
	o := sievetest.NewOracle(t)
	s := sievetest.NewSubmission(t)
	for _, args := range servertest.Part(t, []string{"", ":days 0", ":days 1", ":days 3", ":days 365", ":days 5000", ":seconds 0",
		":seconds 60", ":seconds 90000", ":seconds 864000"}, 4) {
		script := `require ["vacation", "vacation-seconds"]; vacation ` + args + ` "x";`
		start := time.Now()
		sends(o, t, s, script, plainOutgoing, "joe@example.net", "user@example.org")
		end := time.Now()
		in := outgoingInput(plainOutgoing, "joe@example.net", "user@example.org")
		memory := &store{seen: map[string]time.Time{}}
		in.Memory, in.Now = memory, start
		compileSequence(t, [][]byte{[]byte(script)}).Run(in)
		found := false
		for _, until := range memory.seen {
			for stamp := until.Unix(); stamp <= until.Add(end.Sub(start)).Unix(); stamp++ {
				found = found || bytes.Contains(o.Dupes, binary.NativeEndian.AppendUint32(nil, uint32(stamp)))
			}
		}
		if !found || len(memory.seen) != 1 {
			t.Errorf("vacation %s: the server's database has no %v:\n%x", args, memory.seen, o.Dupes)
		}
	}
}

// TestDuplicateServer delivers message after message to one user; the script's
// notifications tell which tests hold.
func TestDuplicateServer(t *testing.T) {
	servertest.Need(t, "dovecot-lda")
	o := sievetest.NewOracle(t)
	s := sievetest.NewSubmission(t)
	const a, b, c = `if duplicate { notify "mailto:a@b"; } `, `if duplicate { notify "mailto:b@b"; } `, `notify "mailto:c@b"; `
	const one, two = "Message-ID: <1@x>\nSubject: hello\n\n", "Message-ID: <2@x>\nSubject: hello\n\n"
	type delivery struct{ script, message string }
	type deliveries struct {
		name string
		list []delivery
	}
	for _, tt := range servertest.Part(t, []deliveries{
		{"same", []delivery{{a + c, one}, {a + c, one}, {a + c, two}, {a + c, two}}},
		{"twice", []delivery{{a + b + c, one}, {a + b + c, one}}},
		{"twice when seen", []delivery{{a + c, one}, {a + b + c, one}}},
		{"by handles", []delivery{{`if duplicate :handle "h" { stop; } ` + a + c, one},
			{`if duplicate :handle "h" { notify "mailto:h@b"; } ` + a + c, one}, {`if duplicate :handle "i" { notify "mailto:h@b"; } ` + c, one}}},
		{"by the last", []delivery{{`if duplicate :last { notify "mailto:l@b"; } ` + a + c, one},
			{`if duplicate :last { notify "mailto:l@b"; } ` + a + c, one}, {a + c, one}}},
		{"seen by the last", []delivery{{a + c, one}, {`if duplicate :last { notify "mailto:l@b"; } ` + c, one},
			{`if duplicate :last { notify "mailto:l@b"; } ` + c, one}}},
		{"header", []delivery{{`if duplicate :header "Subject" { notify "mailto:s@b"; } ` + c, one},
			{`if duplicate :header "Subject" { notify "mailto:s@b"; } ` + c, two}}},
		{"header and id", []delivery{{`if duplicate :header "Subject" { notify "mailto:s@b"; } ` + c, one},
			{`if duplicate :uniqueid "hello" { notify "mailto:u@b"; } ` + c, one}}},
		{"empty header", []delivery{{`if duplicate :header "subject" { notify "mailto:s@b"; } ` + c, "Subject:\n\n"},
			{`if duplicate :header "subject" { notify "mailto:s@b"; } ` + c, "Subject:\n\n"}}},
		{"empty id", []delivery{{`if duplicate :uniqueid "" { notify "mailto:s@b"; } ` + c, one},
			{`if duplicate :uniqueid "" { notify "mailto:s@b"; } ` + c, two}}},
		{"Message-ID in another form", []delivery{{a + c, one}, {a + c, "Message-ID: (c) <1@x> <2@x>\n\n"}, {a + c, "Message-ID: < 1@x >\n\n"}}},
		{"no Message-ID", []delivery{{a + c, "\n"}, {a + c, "\n"}, {a + c, "Message-ID: 1\n\n"}, {a + c, "Message-ID: 1\n\n"},
			{a + b + c, "\n"}}},
		{"changed Message-ID", []delivery{{a + c, one}, {`deleteheader "message-id"; addheader "Message-ID" "<3@x>"; ` + a + c, one},
			{a + c, "Message-ID: <3@x>\n\n"}}},
		{"changed header", []delivery{{`if duplicate :header "subject" { notify "mailto:s@b"; } ` + c, one},
			{`deleteheader "subject"; addheader "subject" "x"; if duplicate :header "subject" { notify "mailto:s@b"; } ` + c, one}}},
		{"white space behind", []delivery{{`if duplicate :header "subject" { notify "mailto:s@b"; } ` + c, one},
			{`if duplicate :header "subject" { notify "mailto:s@b"; } ` + c, "Subject: hello  \n\n"}}},
		{"failed", []delivery{{a + `error "no";`, one}, {a + c, one}}},
	}, 6) {
		t.Run(tt.name, func(t *testing.T) {
			o.Home = "home" + strings.ReplaceAll(tt.name, " ", "")
			defer func() { o.Home = "" }()
			memory := &store{seen: map[string]time.Time{}}
			for i, d := range tt.list {
				script := `require ["duplicate", "enotify", "editheader", "ihave"]; ` + d.script
				want, logged := sends(o, t, s, script, d.message, "joe@example.net", "user@example.org")
				in := outgoingInput(d.message, "joe@example.net", "user@example.org")
				in.Memory = memory
				r := compileSequence(t, [][]byte{[]byte(script)}).Run(in)
				if diff := cmp.Diff(shownOutgoing(want), shownOutgoing(sentOf(r)), cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("delivery %d (-Pigeonhole +ours, %v):\n%s\n%s", i+1, r.Err, diff, logged)
				}
			}
		})
	}
}
