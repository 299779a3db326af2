package sievetest

import (
	"fmt"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// Deliverable makes scripts whose results tell deliveries apart: what
// is sent, remembered, included and stored, with every argument.
type Deliverable struct {
	*Wide
	Dovecot24 bool
	Included  []string // the names of scripts to include
}

// NewDeliverable returns a generator for one of the releases.
func NewDeliverable(g *Generator, dovecot24 bool) *Deliverable {
	d := &Deliverable{Wide: &Wide{Generator: g, Size: ScriptSize, Envelope: true, NoHost: !dovecot24}, Dovecot24: dovecot24}
	d.extraCommand, d.extraTest = d.command, d.test
	return d
}

// drawnBoxes are names of mailboxes.
var drawnBoxes = []string{"A", "A", "B", "C.D", "INBOX", "inbox", "Inbox", "", "x${1}", "y${a}", "é", "a b", "A.B", "Spam"}

// oddBoxes are refused by stores.
var oddBoxes = []string{"a..b", ".x", "x.", "~x", "a\x07b", strings.Repeat("x", 254), strings.Repeat("x", 255), strings.Repeat("é", 127),
	strings.Repeat("é", 128), "INBOX.a", "a\tb", "%*", "&", "a\x7fb"}

func (g *Deliverable) box() string {
	if g.Chance(6) {
		return Pick(g.Generator, oddBoxes...)
	}
	return Pick(g.Generator, drawnBoxes...)
}

var drawnAddresses = []string{"a@b", "c@D.org", "X <c@d.org>", "joe@example.net", "me@example.com", "\"a b\"@c.example", "${a}@c.example",
	"${1}", "x${2}@b.org", "a.b@c.example", "(c) a@b", "a@b"}

func (g *Deliverable) text() string {
	return g.str("gone", "hello world", "é ü", "", "a\r\nb", strings.Repeat("long word ", 12), "x", "Subject: y")
}

func (g *Deliverable) number(list ...uint64) *uint64 {
	if g.Chance(50) {
		return nil
	}
	return Ptr(Pick(g.Generator, list...))
}

func (g *Deliverable) maybe(percent int, f func() string) *string {
	if !g.Chance(percent) {
		return nil
	}
	return Ptr(f())
}

func (g *Deliverable) command(int) (sieve.Command, bool) {
	p := g.Generator
	if !g.Chance(50) {
		return nil, false
	}
	switch g.IntN(20) {
	case 0, 1, 2, 3:
		f := sieve.FileInto{Mailbox: g.box(), Copy: g.Chance(40), Create: g.Chance(80)}
		if g.Chance(20) {
			f.Flags = append(g.flags(), Pick(p, "${a}", "x"))
		}
		if g.Chance(8) {
			f.SpecialUse = g.specialUse()
		}
		return f, true
	case 4, 5, 6:
		return sieve.Redirect{Address: Pick(p, drawnAddresses...), Copy: g.Chance(40)}, true
	case 7, 8, 9:
		v := sieve.Vacation{Reason: g.text(), Subject: g.maybe(40, g.text), Handle: g.maybe(30, func() string { return g.str("h", "h2", "") })}
		if g.Chance(30) {
			v.From = Pick(p, "me@example.com", "Me M. <me@example.com>", "é <me@example.com>", "a@b", "\"x, y\" <a@b>", "${a}", "${1}")
		}
		for g.Chance(40) {
			v.Addresses = append(v.Addresses, Pick(p, "me@example.com", "joe@example.net", "JOE@Example.net", "all@example.com", "a@b", "${a}",
				"joe@example.org"))
		}
		switch g.IntN(4) {
		case 0:
			v.Days = g.number(0, 1, 3, 400)
		case 1:
			v.Seconds = g.number(0, 3600, 90000)
		}
		if g.Chance(10) {
			v.MIME = true
			v.Reason = Pick(p, "Content-Type: text/plain\r\n\r\nx", "Content-Type: text/html; charset=utf-8\r\n\r\n<p>é</p>", "\r\nx")
		}
		return v, true
	case 10, 11, 12:
		n := sieve.Notify{Method: Pick(p, "mailto:a@b", "mailto:a@b?cc=c@d&bcc=e@f", "mailto:?to=e@f&subject=hey",
			"mailto:x@y?body=text%20here&x-h=v", "mailto:a@b%2Cc@d", "mailto:${a}@b", "mailto:a@b?header=x", "mailto:%22a%20b%22@c"),
			Importance: Pick(p, "", "", sieve.Importance("1"), sieve.Importance("2"), sieve.Importance("3")), Message: g.maybe(50, g.text)}
		if g.Chance(30) {
			n.From = Pick(p, "me@example.com", "N <n@example.com>", "${a}", "${1}")
		}
		if g.Chance(10) {
			n.Options = []string{Pick(p, "x=y", "${a}=b")}
		}
		return n, true
	case 13:
		if g.Chance(30) {
			return sieve.EReject{Reason: g.text()}, true
		}
		if g.Chance(20) {
			return sieve.Report{HeadersOnly: g.Chance(50), Type: Pick(p, "abuse", "fraud", "virus", "x${1}", "other"), Text: g.text(),
				Address: Pick(p, drawnAddresses...)}, true
		}
		return sieve.Reject{Reason: g.text()}, true
	case 14, 15:
		if len(g.Included) == 0 {
			return nil, false
		}
		return sieve.Include{Script: Pick(p, append([]string{"none"}, g.Included...)...), Location: Pick(p, "", sieve.PersonalScript,
			sieve.GlobalScript), Once: g.Chance(30), Optional: g.Chance(70)}, true
	case 16:
		if len(g.Included) == 0 {
			return nil, false
		}
		if g.Chance(50) {
			return sieve.Set{Name: "gl", Value: g.text()}, true
		}
		return sieve.FileInto{Mailbox: "g-${gl}", Create: true, Copy: g.Chance(50)}, true
	case 17:
		return sieve.Keep{Flags: Pick(p, nil, g.flags())}, true
	case 18:
		long := strings.Repeat(Pick(p, "v", "word ", "é"), 300+g.IntN(600))
		if g.Chance(50) {
			return sieve.Set{Name: "a", Value: "${a}" + long}, true
		}
		if g.Edits {
			return sieve.AddHeader{Name: Pick(p, "X-A", "X-New"), Value: long, Last: g.Chance(50)}, true
		}
		return sieve.DebugLog{Text: "x"}, true
	}
	return sieve.If{Test: g.Test(1), Then: []sieve.Command{sieve.FileInto{Mailbox: fmt.Sprintf("t%d", g.IntN(5)), Create: true,
		Copy: g.Chance(70)}}}, true
}

func (g *Deliverable) test() (sieve.Test, bool) {
	p := g.Generator
	if !g.Chance(30) {
		return nil, false
	}
	switch g.IntN(9) {
	case 8:
		return g.storeTest(), true
	case 0, 1, 2:
		t := sieve.Duplicate{Last: g.Chance(40), Handle: g.maybe(50, func() string { return g.str("h", "h2", "") }),
			Seconds: g.number(3600, 1000000)}
		switch g.IntN(3) {
		case 0:
			t.Header = Ptr(Pick(p, "Subject", "X-A", "X-Missing", "Message-ID", "x-b", "x-b", "${a}", ""))
		case 1:
			t.UniqueID = Ptr(g.str("u", "v", "", strings.Repeat("w", 300)))
		}
		return t, true
	case 3, 4:
		list := []string{g.box()}
		for g.Chance(30) {
			list = append(list, g.box())
		}
		return sieve.MailboxExists{Mailboxes: list}, true
	case 5:
		m, r, c, keys := g.match(nil)
		return sieve.Environment{Item: g.item("location", "phase", "name", "domain", "host", "vnd.dovecot.default-mailbox",
			"vnd.dovecot.username", "vnd.dovecot.config.x"), Match: m, Relation: r, Comparator: c, Keys: keys}, true
	case 6:
		return g.envelopeTest(), true
	}
	return sieve.Size{Over: g.Chance(50), Limit: uint64(g.IntN(600))}, true
}

// storeTest draws a test of what a store knows of mailboxes besides their names; tests of
// metadata fail a script where the server has no attributes.
func (g *Deliverable) storeTest() sieve.Test {
	p := g.Generator
	t := sieve.SpecialUseExists{Attributes: []string{g.specialUse()}}
	if g.Chance(40) {
		t.Mailbox = Ptr(Pick(p, "A", "B", "Spam", "INBOX", "none"))
	}
	if g.Chance(20) {
		t.Attributes = append(t.Attributes, g.specialUse())
	}
	return t
}

func (g *Deliverable) specialUse() string {
	return Pick(g.Generator, `\Junk`, `\Sent`, `\junk`, `\Drafts`)
}

// Script draws a script.
func (g *Deliverable) Script() *sieve.Script {
	s := g.Wide.Script()
	switch {
	case len(g.Included) == 0:
	case g.Chance(6) && !g.Dovecot24:
		s.Commands = append([]sieve.Command{sieve.Export{Names: []string{"gl"}}}, s.Commands...)
	case g.Chance(6) && !g.Dovecot24:
		s.Commands = append([]sieve.Command{sieve.Import{Names: []string{"gl"}}}, s.Commands...)
	case g.Chance(60):
		s.Commands = append([]sieve.Command{sieve.Global{Names: []string{"gl"}}}, s.Commands...)
	}
	return s
}

// Message draws a message to a user, with the fields that vacation and redirect
// look at.
func (g *Deliverable) Message(user string) string {
	p := g.Generator
	text := strings.ReplaceAll(string(g.Mail()), "\r\n", "\n")
	var b strings.Builder
	add := func(percent int, format string, list ...string) {
		if g.Chance(percent) {
			fmt.Fprintf(&b, format+"\n", Pick(p, list...))
		}
	}
	add(70, "To: %s", user, "me@example.com", "Joe <"+strings.ToUpper(user)+">", "all@example.com, "+user, "joe@example.org", "g: "+user+";")
	add(40, "From: %s", "joe@example.net", "Joe <joe@example.net>", "=?utf-8?q?J=C3=B6?= <joe@example.net>", "\"J. D\" <JOE@example.net>")
	add(60, "Subject: %s", "hello", "=?utf-8?q?h=C3=A9llo?=", strings.Repeat("long subject ", 12), "", "a\n b", "=?iso-8859-1?q?=E9?=", "x\ty")
	add(4, "Auto-Submitted: %s", "no", "auto-replied", "NO", "auto-generated; x=y")
	add(4, "Precedence: %s", "bulk", "list", "first-class", "junk")
	add(3, "List-Id: %s", "<l.example>")
	add(3, "X-Auto-Response-Suppress: %s", "All", "DR, OOF", "none")
	add(6, "X-Sieve-Redirected-From: %s", user, "me@example.com", "other@example.com", strings.ToUpper(user))
	add(8, "References: %s", "<r@x>", "<r@x>\n <s@x>")
	add(5, "Sender: %s", "S <joe@example.net>", "s@x")
	add(4, "Resent-From: %s", "R <joe@example.net>", "r@x")
	add(4, "Return-Path: %s", "<rp@example.net>", "rp")
	add(3, "Original-Recipient: %s", "rfc822;o@x")
	add(5, "Resent-Message-ID: %s", "<r1@x>", "<r2@x>")
	if g.Chance(10) {
		_, text, _ = strings.Cut(text, "\n") // the Message-ID
		add(60, "Message-ID: %s", "1", "", "(c) <c@x>", "<a b@x>", "< sp@x >")
	}
	return b.String() + text
}

// Broken changes the text of a script so that it may not compile.
func (g *Generator) Broken(src string) string {
	words := strings.SplitAfter(src, " ")
	i := g.IntN(len(words))
	switch g.IntN(6) {
	case 0:
		words = append(words[:i], words[i+1:]...)
	case 1:
		words[i] += words[i]
	case 2:
		words[i] = Pick(g, ":copy ", ":is ", ":contains ", ":create ", ":flags ", "stop; ", "keep; ", "\"x\" ", "; ", "[\"x\"] ", "10 ", "not ",
			"{ ", "} ", ":count \"gt\" ", ":mime ")
	case 3:
		words[i] = Pick(g, ":copy ", ":days 3 ", ":seconds 3 ", ":index 1 ", ":last ", ":all ", ":handle \"h\" ", ":matches ", ":regex ",
			":comparator \"i;octet\" ", ":anychild ", ":user ") + words[i]
	case 4:
		j := g.IntN(len(src))
		return src[:j] + src[j+1:]
	default:
		j := g.IntN(len(words))
		words[i], words[j] = words[j], words[i]
	}
	return strings.Join(words, "")
}
