package sieve_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// The generator of scripts over the whole language, and of messages for them.

// wide makes scripts with every extension.
type wide struct {
	*generator
	loops int // how many foreverypart are around
	size  int // bounds the scripts
	// edits tells the scripts that change the header: in those no test reads the
	// body, because the server aborts then.
	edits bool
	// envelope asks for tests of the envelope.
	envelope bool
}

func (g *wide) str(words ...string) string {
	s := pick(g.generator, words...)
	if g.chance(30) {
		s += pick(g.generator, "${1}", "${0}", "${a}", "${B}", "-${a}", "${2}x", "${c}", "${", "$", "${1x}", "${_u}")
	}
	return s
}

func (g *wide) list(words ...string) []string {
	list := []string{g.str(words...)}
	for g.chance(25) {
		list = append(list, g.str(words...))
	}
	return list
}

// plainKeys are keys with variables in them, for match types without patterns.
func (g *wide) match(keys func() []string) (sieve.MatchType, sieve.Relation, sieve.Comparator, []string) {
	m, r, c, list := g.matching()
	if (m == sieve.Is || m == "" || m == sieve.Contains || m == sieve.Value) && keys != nil && g.chance(60) {
		list = keys()
	}
	if g.chance(15) && m != sieve.Regex && m != sieve.Matches {
		list[0] += pick(g.generator, "${a}", "${1}", "${b}")
	}
	return m, r, c, list
}

func (g *wide) mailbox() string {
	return pick(g.generator, "A", "B", "x${1}", "y${a}", "z-${b}-${2}", "INBOX", "Spam", "k${c}")
}

func (g *wide) index() (uint64, bool) {
	if g.chance(75) {
		return 0, false
	}
	return uint64(1 + g.IntN(3)), g.chance(40)
}

var genMIMENames = []string{"Content-Type", "Content-Disposition", "Subject", "X-A", "Content-Transfer-Encoding", "X-Part"}

func (g *wide) test(depth int) sieve.Test {
	if depth > 0 && g.chance(30) {
		switch g.IntN(3) {
		case 0:
			return sieve.Not{Test: g.test(depth - 1)}
		case 1:
			t := sieve.AllOf{g.test(depth - 1)}
			for g.chance(50) {
				t = append(t, g.test(depth-1))
			}
			return t
		default:
			t := sieve.AnyOf{g.test(depth - 1)}
			for g.chance(50) {
				t = append(t, g.test(depth-1))
			}
			return t
		}
	}
	p := g.generator
	if g.envelope && g.chance(60) {
		return g.envelopeTest()
	}
	if g.edits && g.chance(30) {
		return g.addressTest()
	}
	switch g.IntN(24) {
	case 0, 1, 2:
		m, r, c, keys := g.match(nil)
		return sieve.String{Sources: g.list("yes", "a", "abc", "", "10", "AbC", "a b"), Match: m, Relation: r, Comparator: c, Keys: keys}
	case 3, 4:
		m, r, c, keys := g.match(nil)
		i, last := g.index()
		return sieve.Header{Names: g.names(), Match: m, Relation: r, Comparator: c, Keys: keys, Index: i, Last: last}
	case 5:
		return g.addressTest()
	case 6, 7, 8:
		if g.edits {
			return sieve.True{}
		}
		m, r, c, keys := g.match(func() []string {
			return []string{pick(p, "text", "html", "line", "Hello", "é", "bold", "x", "", "line\r\nline", "inner", "X-Part", "preamble", "epilogue", "caf")}
		})
		if m == sieve.Is || m == "" {
			m = sieve.Contains
			r = ""
			if c == sieve.ASCIINumeric {
				c = ""
			}
		}
		t := sieve.Body{Transform: pick(p, "", sieve.BodyRaw, sieve.BodyText, sieve.BodyContent), Match: m, Relation: r, Comparator: c, Keys: keys}
		if t.Transform == sieve.BodyContent {
			t.Content = pick(p, []string{"text"}, []string{"text/html"}, []string{""}, []string{"multipart"}, []string{"message/rfc822"}, []string{"application", "text/plain"}, []string{"image"})
		}
		return t
	case 9, 10:
		part, keys := g.datePart()
		m, r, c := pick(p, sieve.Is, sieve.Contains, sieve.Value, ""), sieve.Relation(""), pick(p, "", sieve.Octet)
		if m == sieve.Value {
			r, c = g.relation(), pick(p, c, sieve.ASCIINumeric)
		}
		i, last := g.index()
		t := sieve.Date{Name: pick(p, "Date", "X-Date", "Received", "date", "X-Missing"), Part: part, Match: m, Relation: r, Comparator: c, Keys: keys, Index: i, Last: last}
		switch g.IntN(3) {
		case 0:
			t.Zone = pick(p, "+0000", "+0100", "-0330", "bad", "+1300")
		case 1:
			t.OriginalZone = true
		}
		return t
	case 11:
		t := sieve.CurrentDate{Part: pick(p, sieve.Year, sieve.Month, sieve.Day, sieve.FullDate, sieve.JulianDay, sieve.DayOfTheWeek, sieve.ZoneOffset), Match: sieve.Value, Relation: g.relation(),
			Comparator: pick(p, "", sieve.Octet, sieve.ASCIINumeric), Keys: []string{pick(p, "2026", "11", "22", "61000", "0", "+0000", "2026-01-01", "3")}}
		if g.chance(40) {
			t.Zone = pick(p, "+0000", "+1300", "-1200")
		}
		return t
	case 12:
		m, r, c, keys := g.match(func() []string { return []string{pick(p, "MS", "post", "Pigeonhole Sieve", "", "0.5")} })
		return sieve.Environment{Item: pick(p, "location", "phase", "name", "version", "domain", "host", "vnd.dovecot.default-mailbox", "nothing", "LOCATION"),
			Match: m, Relation: r, Comparator: c, Keys: keys}
	case 13:
		m, r, c, keys := g.match(nil)
		return sieve.SpamTest{Percent: g.chance(50), Match: m, Relation: r, Comparator: c, Value: pick(p, keys[0], "1", "5", "0", "10", "50")}
	case 14:
		m, r, c, keys := g.match(nil)
		return sieve.VirusTest{Match: m, Relation: r, Comparator: c, Value: pick(p, keys[0], "1", "5", "0", "3")}
	case 15:
		m, r, c, keys := g.matching()
		if m != sieve.Regex && m != sieve.Matches {
			keys = []string{pick(p, "\\Seen", "x", "\\flagged", "X y", "", "1", "2", "${a}", "${b}")}
		}
		return sieve.HasFlag{Match: m, Relation: r, Comparator: c, Flags: keys, Variables: pick(p, nil, nil, []string{"a"}, []string{"b", "c"})}
	case 16:
		t := sieve.Duplicate{Header: pick(p, "", "Subject", "X-Missing"), Last: g.chance(30)}
		if g.chance(40) {
			t.Handle = ptr(pick(p, "h", "h2"))
		}
		if t.Header == "" && g.chance(40) {
			t.UniqueID = ptr(g.str("u", "v", ""))
		}
		return t
	case 17, 18, 19:
		if g.edits {
			return sieve.False{}
		}
		m, r, c, keys := g.match(func() []string {
			return []string{pick(p, "text", "plain", "text/plain", "text/html", "attachment", "inline", "a.txt", "utf-8", "", "yes", "b", "mixed", "message/rfc822")}
		})
		t := sieve.Header{Names: []string{pick(p, genMIMENames...)}, Match: m, Relation: r, Comparator: c, Keys: keys, MIME: true, AnyChild: g.chance(50),
			MIMEPart: pick(p, "", "", sieve.MIMEType, sieve.MIMESubtype, sieve.MIMEContentType, sieve.MIMEParam)}
		if t.MIMEPart == sieve.MIMEParam {
			t.MIMEParams = pick(p, []string{"charset"}, []string{"filename"}, []string{"boundary", "name"}, []string{"FILENAME", "charset"})
		}
		return t
	case 20:
		if g.edits {
			return sieve.False{}
		}
		return sieve.Exists{Names: []string{pick(p, genMIMENames...)}, MIME: true, AnyChild: g.chance(50)}
	case 21:
		return pick[sieve.Test](p, sieve.ValidNotifyMethod{URIs: []string{"mailto:a@b"}}, sieve.ValidNotifyMethod{URIs: []string{"mailto:a@b", "xmpp:a@b"}}, sieve.ValidNotifyMethod{URIs: []string{"mailto:${a}@b"}},
			sieve.NotifyMethodCapability{URI: "mailto:a@b", Capability: "online", Match: sieve.Is, Keys: []string{pick(p, "maybe", "yes")}},
			sieve.NotifyMethodCapability{URI: "mailto:a@b", Capability: "Online", Match: sieve.Contains, Keys: []string{"A"}})
	case 22:
		return sieve.IHave{Extensions: []string{pick(p, "envelope", "ereject", "unknown", "variables")}}
	}
	t := g.generator.test(0)
	if h, ok := t.(sieve.Header); ok && h.MIME && g.edits {
		return sieve.False{}
	}
	return t
}

// genAddressNames are fields of addresses that messages have and scripts change.
var genAddressNames = []string{"From", "To", "Cc", "Reply-To"}

func (g *wide) addressTest() sieve.Test {
	p := g.generator
	m, r, c, keys := g.match(func() []string { return []string{pick(p, "a@b", "b", "a", "example.org", "joe", "x y", "z@z")} })
	i, last := g.index()
	return sieve.Address{Names: pick(p, []string{"From"}, []string{"to"}, []string{"from", "To"}, []string{"cc"}, []string{"reply-to"}, []string{"Cc", "TO", "From"}),
		Part: pick(p, "", sieve.All, sieve.LocalPart, sieve.Domain, sieve.User, sieve.Detail), Match: m, Relation: r, Comparator: c, Keys: keys, Index: i, Last: last}
}

// genMailboxes are senders and recipients of envelopes.
var genMailboxes = []string{"s@x.org", "S@X.Org", "a@b", "A@B.org", "a.b@c", "\"a b\"@c.example", "joe+detail@example.org", "user+d+e@Example.org", "u-d@example.org",
	"a@[192.0.2.1]", "x@sub.example.org", "\"q\\\"r\"@c", "10@9", "abc@abc", "\"a+b\"@c", "+x@b", "a+@b", "yes@no"}

func (g *wide) envelopeTest() sieve.Test {
	p := g.generator
	m, r, c, keys := g.match(func() []string {
		return []string{pick(p, append([]string{"s", "x.org", "a", "b", "org", "a b", "joe", "detail", "d+e", "", "@", "example.org", "10", "9", "X.ORG"}, genMailboxes...)...)}
	})
	t := sieve.Envelope{Fields: pick(p, []string{"from"}, []string{"to"}, []string{"FROM"}, []string{"from", "To"}, []string{"to", "from"}),
		Part: pick(p, "", "", sieve.All, sieve.LocalPart, sieve.Domain, sieve.User, sieve.Detail), Match: m, Relation: r, Comparator: c, Keys: keys}
	if t.Part == "" && g.chance(30) {
		t.Fields = append(t.Fields, "auth") // which has no parts
	}
	return t
}

func (g *wide) datePart() (sieve.DatePart, []string) {
	p := g.generator
	switch g.IntN(13) {
	case 0:
		return sieve.Year, []string{pick(p, "2026", "2025", "1999", "2068", "1970")}
	case 1:
		return sieve.Month, []string{pick(p, "11", "01", "02")}
	case 2:
		return sieve.Day, []string{pick(p, "22", "01", "31", "23")}
	case 3:
		return sieve.FullDate, []string{pick(p, "2026-11-22", "2026-11-23", "2025-02-28")}
	case 4:
		return sieve.JulianDay, []string{pick(p, "61366", "61367", "60734")}
	case 5:
		return sieve.Hour, []string{pick(p, "17", "00", "23", "18")}
	case 6:
		return sieve.Minute, []string{pick(p, "00", "30", "59")}
	case 7:
		return sieve.Second, []string{pick(p, "00", "05", "60")}
	case 8:
		return sieve.TimeOfDay, []string{pick(p, "17:00:05", "00:00:00", "18:00:05")}
	case 9:
		return sieve.ISO8601, []string{pick(p, "2026-11-22T17:00:05Z", "2026-11-22T18:00:05+01:00", "T")}
	case 10:
		return sieve.RFC2822Date, []string{pick(p, "Sun, 22 Nov 2026 17:00:05 +0000", "Nov", "Sun")}
	case 11:
		return sieve.ZoneOffset, []string{pick(p, "+0000", "+0100", "-0330")}
	}
	return sieve.DatePart(pick(p, "weekday", "WEEKDAY", "nothing")), []string{pick(p, "0", "1", "6")}
}

func (g *wide) block(depth int) []sieve.Command {
	var list []sieve.Command
	for range 1 + g.IntN(3) {
		list = append(list, g.command(depth))
	}
	return list
}

func (g *wide) command(depth int) sieve.Command {
	p := g.generator
	if depth > 0 && g.chance(50) {
		c := sieve.If{Test: g.test(2), Then: g.block(depth - 1)}
		for g.chance(25) {
			c.ElsIf = append(c.ElsIf, sieve.ElsIf{Test: g.test(2), Then: g.block(depth - 1)})
		}
		if g.chance(35) {
			c.Else = g.block(depth - 1)
		}
		return c
	}
	var flags []string
	if g.chance(15) {
		flags = append(g.flags(), pick(p, "${a}", "${1}", "x"))
	}
	switch g.IntN(26) {
	case 0, 1, 2, 3, 4:
		var mods []sieve.Modifier
		for _, m := range [][]sieve.Modifier{{sieve.Lower, sieve.Upper}, {sieve.LowerFirst, sieve.UpperFirst}, {sieve.QuoteWildcard}, {sieve.EncodeURL}, {sieve.Length}} {
			if g.chance(15) {
				mods = append(mods, pick(p, m...))
			}
		}
		return sieve.Set{Name: pick(p, "a", "b", "c", "A"), Modifiers: mods, Value: g.str("yes", "a*b", "é X", "", "${1}${2}", "${a}${b}", "a.b?", "\\Seen x")}
	case 5:
		if g.loops == 0 && g.chance(70) {
			return sieve.Set{Name: "b", Value: "${a}"}
		}
		fallthrough
	case 6, 7:
		if g.loops > 0 || depth == 0 || g.edits {
			return sieve.FileInto{Mailbox: g.mailbox()}
		}
		c := sieve.ForEveryPart{}
		if g.chance(30) {
			c.Name = ptr("loop")
		}
		g.loops++
		c.Block = g.block(depth - 1)
		if g.chance(30) {
			c.Block = append(c.Block, sieve.If{Test: g.test(0), Then: []sieve.Command{sieve.Break{}}})
		}
		c.Block = append(c.Block, sieve.ExtractText{Variable: pick(p, "a", "b", "c"), First: pick(p, nil, ptr(uint64(5)), ptr(uint64(20)))})
		if g.chance(50) {
			c.Block = append(c.Block, sieve.If{Test: sieve.String{Sources: []string{"${a}"}, Match: sieve.Contains, Keys: []string{pick(p, "text", "Hello", "bold", "line")}}, Then: []sieve.Command{sieve.FileInto{Mailbox: pick(p, "P", "Q")}}})
		}
		g.loops--
		return c
	case 8, 9:
		if !g.edits {
			return sieve.Keep{}
		}
		c := sieve.AddHeader{Name: pick(p, "X-A", "x-b", "X-New", "Subject", "From", "Date"), Value: g.str("yes", "a", "v w", "10", "é", "", " ", "a\r\nbcd", "a\r\n b\r\n", "=?utf-8?q?yes?=", "a=?utf-8?q?b?="), Last: g.chance(40)}
		if g.chance(50) {
			c.Name = pick(p, genAddressNames...)
			c.Value = strings.ReplaceAll(strings.TrimSpace(g.addressValue()), "\n", "\r\n")
			if g.chance(15) {
				c.Value += pick(p, "\r\nx, a@b", "\r\n\ta@b", " =?utf-8?q?x?=", " x=?utf-8?q?y?=", ", ${1}", ", ${a}@b", "\r\n", " ,", ", "+strings.Repeat("long.local.part@example.org, ", 5)+"z@z")
			}
		}
		return c
	case 10, 11:
		if !g.edits {
			return sieve.FileInto{Mailbox: g.mailbox()}
		}
		c := sieve.DeleteHeader{Name: pick(p, append([]string{"X-A", "x-b", "X-New", "Subject", "Date"}, genAddressNames...)...)}
		c.Index, c.Last = g.index()
		if g.chance(50) {
			var keys []string
			c.Match, c.Relation, c.Comparator, keys = g.match(nil)
			if c.Match == sieve.Count {
				c.Match, c.Relation, c.Comparator = sieve.Contains, "", ""
			}
			if c.Match == sieve.Regex {
				c.Match, keys = sieve.Contains, []string{"y"} // the server aborts
			}
			c.Values = keys
			if g.chance(30) && (c.Match == sieve.Contains || c.Match == sieve.Is || c.Match == "") {
				c.Values = []string{pick(p, "a@b", "joe", "@", "", "example", ",", "<")}
			}
		}
		return c
	case 12:
		return sieve.AddFlag{Flags: append(g.flags(), pick(p, "${a}", "y")), Variable: pick(p, "", "", "a", "b")}
	case 13:
		return sieve.SetFlag{Flags: g.flags(), Variable: pick(p, "", "a", "b")}
	case 14:
		// With "${a}" of the variable a itself the server loses its place in it.
		return sieve.RemoveFlag{Flags: append(g.flags(), pick(p, "${c}", "y")), Variable: pick(p, "", "", "a", "b")}
	case 15:
		n := sieve.Notify{Method: pick(p, "mailto:a@b", "mailto:a@b?cc=c@d", "mailto:?to=e@f&subject=hey", "mailto:x@y?body=text%20here", "mailto:a@b%2Cc@d")}
		if g.chance(40) {
			n.Message = ptr(g.str("hello", "note"))
		}
		return n
	case 16:
		return pick[sieve.Command](p, sieve.Keep{Flags: flags}, sieve.Discard{}, sieve.Stop{}, sieve.Return{})
	case 17:
		return sieve.Redirect{Address: pick(p, "a@b", "c@D.org", "x${1}@b.org", "${a}@c", "${2}"), Copy: g.chance(40)}
	case 18:
		if g.chance(30) {
			return sieve.Fail{Text: "no ${a}"}
		}
		return sieve.Reject{Reason: "no ${1}"}
	case 19:
		v := sieve.Vacation{Reason: "gone ${a}"}
		if g.chance(50) {
			v.Subject = ptr("s ${1}")
		}
		return v
	}
	return sieve.FileInto{Mailbox: g.mailbox(), Copy: g.chance(25), Flags: flags}
}

func (g *wide) script() *sieve.Script {
	s := &sieve.Script{Extensions: sieve.ExtVariables}
	g.edits = g.chance(40)
	for range 1 + g.IntN(max(g.size, 1)) {
		s.Commands = append(s.Commands, g.command(min(g.size, 2)))
	}
	return s
}

// mail makes a message with MIME parts, dates and scores.
func (g *wide) mail() []byte {
	g.n++
	p := g.generator
	var b strings.Builder
	fmt.Fprintf(&b, "Message-ID: <%d@generated>\n", g.n)
	for range g.IntN(6) {
		name := pick(p, "Subject", "X-A", "x-b", "From", "To", "X-Num", "X-A", "Cc", "Reply-To")
		body := g.value()
		if slices.Contains(genAddressNames, name) {
			body = g.addressValue()
			if g.chance(20) {
				body = " " + pick(p, "joe+detail@example.org", "a+@b", "+x@b", "u+d+e@c")
			}
		}
		b.WriteString(name + ":" + body + "\n")
	}
	for range g.IntN(3) {
		b.WriteString(pick(p, "Date", "X-Date", "Received") + ": " + pick(p, "", "", "from a by b; ", "x; y; ") +
			pick(p, "Sun, 22 Nov 2026 17:00:05 +0000", "22 Nov 2026 18:00:05 +0100", "Sun, 22 Nov 2026 23:30:59 -0330", "Mon, 1 Jan 99 00:00:00 GMT",
				"Sun, 22 Nov 2026 17:00:60 EST", "Sun,22 Nov 2026 17:00 +0000", "31 Feb 2025 17:00:05 +0000", "28 Feb 2025 7:30:05 Z", "junk", "",
				"Sun, 22 Nov 2026 17:00:05", "Sun (c), 22 (d) Nov 2026 17 : 00 : 05 (e) +0100", "Sat, 31 Dec 68 24:00:00 +0000", "22 Foo 2026 17:00:05 +0000") + "\n")
	}
	if g.chance(40) {
		b.WriteString("X-Spam-Score: " + pick(p, "0", "3", "5", "10", "12", "4.5", "x", "-1") + "\n")
	}
	if g.chance(40) {
		b.WriteString("X-Virus-Score: " + pick(p, "0", "1", "2", "4", "5") + "\n")
	}
	g.entity(&b, 0)
	text := b.String()
	if g.chance(30) {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return []byte(text)
}

// entity writes MIME fields and a body.
func (g *wide) entity(b *strings.Builder, depth int) {
	p := g.generator
	if depth > 0 && g.chance(30) {
		b.WriteString("X-Part: " + pick(p, "yes", "b", "x") + "\n")
	}
	if depth > 0 && g.chance(30) {
		b.WriteString("Content-Disposition: " + pick(p, "attachment; filename=a.txt", "inline", "attachment; filename*=utf-8''a%2Etxt", "attachment; filename*0=a.; filename*1=txt",
			"attachment; filename=\"a.txt\"; x=y", "in line", "attachment;filename=a.txt") + "\n")
	}
	switch kind := g.IntN(10); {
	case kind < 3 && depth < 3:
		mark := fmt.Sprintf("b%d", depth)
		fmt.Fprintf(b, "Content-Type: multipart/%s; boundary=%s\n\n", pick(p, "mixed", "alternative", "digest"), pick(p, mark, "\""+mark+"\""))
		if g.chance(40) {
			b.WriteString("preamble\n")
		}
		for range 1 + g.IntN(3) {
			b.WriteString("--" + mark + "\n")
			g.entity(b, depth+1)
			if g.chance(80) {
				b.WriteString("\n")
			}
		}
		if g.chance(85) {
			b.WriteString("--" + mark + "--\n")
			if g.chance(30) {
				b.WriteString("epilogue\n")
			}
		}
	case kind == 3 && depth < 3:
		b.WriteString("Content-Type: message/rfc822\n\nSubject: inner\nX-A: yes\n")
		g.entity(b, depth+1)
	case kind == 4:
		b.WriteString("Content-Type: text/html; charset=utf-8\n\n<html><style>x{}</style><p class=\"a>b\">Hello <b>bold</b> &amp; text</p><!-- line --></html>\n")
	case kind == 5:
		b.WriteString("Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ncaf=E9 line=\nline text \nx=3Dy\n")
	case kind == 6:
		b.WriteString("Content-Type: " + pick(p, "text/plain", "application/octet-stream", "image/png") + "\nContent-Transfer-Encoding: base64\n\nSGVsbG8gdGV4dCBsaW5l\nCmxpbmU=\n")
	case kind == 7:
		b.WriteString("Content-Type: " + pick(p, "text/plain; charset=\"utf-8\"", "TEXT/Plain; Charset=UTF-8; name=x", "text", "text/plain (c)", "text / plain", "image/png; name=\"b c\"") + "\n\nline\nline text\n")
	case kind == 8 && depth > 0:
		// No MIME fields.
		b.WriteString("\ntext\n")
	default:
		b.WriteString("\n" + strings.Repeat("line\n", g.IntN(10)) + pick(p, "", "text", "Hello\n", "é\n"))
	}
}
