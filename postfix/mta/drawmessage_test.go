package mta_test

import (
	"fmt"
	"slices"
	"strings"
)

// message draws one that hits what the tables have.
func (g *drawer) message() drawnMessage {
	m := drawnMessage{Origin: pick(g, "inside", "inside", "outside", "outside", "sendmail", "reentry"), From: g.envelope(true)}
	m.To = []string{g.envelope(false)}
	// With several recipients some restrictions have another answer.
	several := !slices.ContainsFunc(g.d.Settings, func(s setting) bool {
		return s.Name == "smtpd_data_restrictions" || s.Name == "smtpd_end_of_data_restrictions"
	})
	if g.IntN(6) == 0 && m.From != "" && several {
		if second := g.envelope(false); !strings.EqualFold(second, m.To[0]) {
			m.To = append(m.To, second)
		}
	}
	m.Raw = g.raw()
	return m
}

// envelope is an address as a client may write it.
func (g *drawer) envelope(sender bool) string {
	if sender && g.IntN(8) == 0 {
		return ""
	}
	a := g.user() + "@" + g.domain()
	switch g.IntN(24) {
	case 0:
		return g.user()
	case 1:
		return strings.ToUpper(a)
	case 2:
		return g.one(users) + "%" + g.domain() + "@" + g.domain()
	case 3:
		return strings.ToLower(g.domain()) + "!" + g.one(users)
	case 4:
		return `"` + g.one(users) + ` x"@` + g.domain()
	case 5:
		return g.one(users) + "@[" + pick(g, "@IP@", "127.0.4.11", "127.0.0.1") + "]"
	case 6:
		return g.one(users) + "%" + g.domain()
	case 7:
		return a + "."
	case 8:
		return `"` + g.one(users) + "@" + g.domain() + `"`
	case 9:
		return pick(g, "postmaster", "Postmaster@own.test", "double-bounce@own.test", "mailer-daemon@own.test", "abuse@own.test", "@own.test",
			"a..b@vm.test", "x@-bad-.test", "alice@localhost", "bob@own", `a\@b@remote1.test`,
			"x@127.0.0.1", "alice@own.test@remote1.test", "@remote1.test:bob@vm.test", "alice@", "", "<alice@vm.test", "alice smith@vm.test",
			"(c) bob@vm.test")
	}
	return a
}

func (g *drawer) raw() []string {
	var out []string
	add := func(s string) { out = append(out, s) }
	if g.IntN(5) > 0 {
		add("Message-ID: <" + fmt.Sprint(g.Uint32()) + "@lab.invalid>")
	}
	if g.IntN(5) > 0 {
		add("Date: Mon, 01 Jun 2026 00:00:00 +0000")
	}
	if g.IntN(6) > 0 {
		add("From: " + pick(g, g.address(), "Some One <"+g.address()+">", g.address()+" (comment)", `"Q, x" <`+g.address()+">"))
	}
	if g.IntN(5) > 0 {
		add("To: " + pick(g, g.address(), g.address()+", "+g.address(), "Group: "+g.address()+", "+g.address()+";", "<"+g.address()+">"))
	}
	if g.IntN(4) == 0 {
		add(pick(g, "Cc: ", "Reply-To: ", "Sender: ", "Bcc: ", "Resent-To: ", "Resent-From: ", "Errors-To: ", "Return-Path: ") + g.address())
	}
	if g.IntN(6) > 0 {
		add("Subject: " + pick(g, "hello", "urgent matter", "an offer for you", "re: hello"))
	}
	if g.IntN(3) == 0 {
		add("X-Tag: " + pick(g, "one", "two", "smtp:[hopa.test]"))
	}
	if g.IntN(5) == 0 {
		add("X-Two: a" + pick(g, "", "\n b", "\n\tc: d"))
	}
	if g.IntN(12) == 0 {
		add("Delivered-To: " + g.address())
	}
	if g.IntN(16) == 0 {
		for range g.IntN(6) + 1 {
			add("Received: from a by b id c; Mon, 01 Jun 2026 00:00:00 +0000")
		}
	}
	switch g.IntN(6) {
	case 0:
		add("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b\"\n\npreamble word\n--b\n" +
			"Content-Type: text/plain\nX-Tag: inner\n\ninner text\nsecret\n--b\n" +
			pick(g, "Content-Type: text/calendar\n\nBEGIN", "Content-Type: message/rfc822\n\nSubject: urgent inside\nX-Tag: nested\n\n>quoted",
				"Content-Type: text/html\n\n<p>word") + "\n--b--\n")
	case 1:
		add("Content-Type: text/plain; charset=us-ascii\n\nhello world\nsecret word")
	case 2:
		add("\n" + strings.Repeat("a line of text\n", pick(g, 1, 10, 400)))
	default:
		add("\n" + pick(g, "hello world", "secret", "text", "> quoted", "a word here"))
	}
	return strings.Split(strings.Join(out, "\n"), "\n")
}
