package sievetest

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// The generator of scripts over the whole language, and of messages for them.

// Wide makes scripts with every extension.
type Wide struct {
	*Generator
	loops int // how many foreverypart are around
	Size  int // bounds the scripts
	// edits tells the scripts that change the header: in those no test reads the
	// body, because the server aborts then.
	Edits bool
	// envelope asks for tests of the envelope.
	Envelope bool
	// NoHost leaves out the item "host" of the environment, which in a delivery of
	// 2.3 is the machine's name.
	NoHost bool

	// These come first where they are set and have something.
	extraCommand func(depth int) (sieve.Command, bool)
	extraTest    func() (sieve.Test, bool)
}

func (g *Wide) str(words ...string) string {
	s := Pick(g.Generator, words...)
	if g.Chance(30) {
		s += Pick(g.Generator, "${1}", "${0}", "${a}", "${B}", "-${a}", "${2}x", "${c}", "${", "$", "${1x}", "${_u}")
	}
	return s
}

func (g *Wide) list(words ...string) []string {
	list := []string{g.str(words...)}
	for g.Chance(25) {
		list = append(list, g.str(words...))
	}
	return list
}

// plainKeys are keys with variables in them, for match types without patterns.
func (g *Wide) match(keys func() []string) (sieve.MatchType, sieve.Relation, sieve.Comparator, []string) {
	m, r, c, list := g.Matching()
	if (m == sieve.Is || m == "" || m == sieve.Contains || m == sieve.Value) && keys != nil && g.Chance(60) {
		list = keys()
	}
	if g.Chance(15) && m != sieve.Regex && m != sieve.Matches {
		list[0] += Pick(g.Generator, "${a}", "${1}", "${b}")
	}
	return m, r, c, list
}

func (g *Wide) mailbox() string {
	return Pick(g.Generator, "A", "B", "x${1}", "y${a}", "z-${b}-${2}", "INBOX", "Spam", "k${c}")
}

func (g *Wide) index() (uint64, bool) {
	if g.Chance(75) {
		return 0, false
	}
	return uint64(1 + g.IntN(3)), g.Chance(40)
}

var genMIMENames = []string{"Content-Type", "Content-Disposition", "Subject", "X-A", "Content-Transfer-Encoding", "X-Part"}

// Test draws a test.
func (g *Wide) Test(depth int) sieve.Test {
	if depth > 0 && g.Chance(30) {
		switch g.IntN(3) {
		case 0:
			return sieve.Not{Test: g.Test(depth - 1)}
		case 1:
			t := sieve.AllOf{g.Test(depth - 1)}
			for g.Chance(50) {
				t = append(t, g.Test(depth-1))
			}
			return t
		default:
			t := sieve.AnyOf{g.Test(depth - 1)}
			for g.Chance(50) {
				t = append(t, g.Test(depth-1))
			}
			return t
		}
	}
	p := g.Generator
	if g.extraTest != nil {
		if t, ok := g.extraTest(); ok {
			return t
		}
	}
	if g.Envelope && g.Chance(60) && (g.extraTest == nil || g.Chance(15)) {
		return g.envelopeTest()
	}
	if g.Edits && g.Chance(30) {
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
		if g.Edits {
			return sieve.True{}
		}
		m, r, c, keys := g.match(func() []string {
			return []string{Pick(p, "text", "html", "line", "Hello", "é", "bold", "x", "", "line\r\nline", "inner", "X-Part", "preamble", "epilogue",
				"caf")}
		})
		if m == sieve.Is || m == "" {
			m = sieve.Contains
			r = ""
			if c == sieve.ASCIINumeric {
				c = ""
			}
		}
		t := sieve.Body{Transform: Pick(p, "", sieve.BodyRaw, sieve.BodyText, sieve.BodyContent), Match: m, Relation: r, Comparator: c,
			Keys: keys}
		if t.Transform == sieve.BodyContent {
			t.Content = Pick(p, []string{"text"}, []string{"text/html"}, []string{""}, []string{"multipart"}, []string{"message/rfc822"},
				[]string{"application", "text/plain"}, []string{"image"})
		}
		return t
	case 9, 10:
		part, keys := g.datePart()
		m, r, c := Pick(p, sieve.Is, sieve.Contains, sieve.Value, ""), sieve.Relation(""), Pick(p, "", sieve.Octet)
		if m == sieve.Value {
			r, c = g.relation(), Pick(p, c, sieve.ASCIINumeric)
		}
		i, last := g.index()
		t := sieve.Date{Name: Pick(p, "Date", "X-Date", "Received", "date", "X-Missing"), Part: part, Match: m, Relation: r, Comparator: c,
			Keys: keys, Index: i, Last: last}
		switch g.IntN(3) {
		case 0:
			t.Zone = Pick(p, "+0000", "+0100", "-0330", "bad", "+1300")
		case 1:
			t.OriginalZone = true
		}
		return t
	case 11:
		t := sieve.CurrentDate{Part: Pick(p, sieve.Year, sieve.Month, sieve.Day, sieve.FullDate, sieve.JulianDay, sieve.DayOfTheWeek,
			sieve.ZoneOffset), Match: sieve.Value, Relation: g.relation(),
			Comparator: Pick(p, "", sieve.Octet, sieve.ASCIINumeric), Keys: []string{Pick(p, "2026", "11", "22", "61000", "0", "+0000", "2026-01-01",
				"3")}}
		if g.Chance(40) {
			t.Zone = Pick(p, "+0000", "+1300", "-1200")
		}
		return t
	case 12:
		m, r, c, keys := g.match(func() []string { return []string{Pick(p, "MS", "post", "Pigeonhole Sieve", "", "0.5")} })
		return sieve.Environment{Item: g.item("location", "phase", "name", "version", "domain", "host", "vnd.dovecot.default-mailbox", "nothing",
			"LOCATION"),
			Match: m, Relation: r, Comparator: c, Keys: keys}
	case 13:
		m, r, c, keys := g.match(nil)
		return sieve.SpamTest{Percent: g.Chance(50), Match: m, Relation: r, Comparator: c, Value: Pick(p, keys[0], "1", "5", "0", "10", "50")}
	case 14:
		m, r, c, keys := g.match(nil)
		return sieve.VirusTest{Match: m, Relation: r, Comparator: c, Value: Pick(p, keys[0], "1", "5", "0", "3")}
	case 15:
		m, r, c, keys := g.Matching()
		if m != sieve.Regex && m != sieve.Matches {
			keys = []string{Pick(p, "\\Seen", "x", "\\flagged", "X y", "", "1", "2", "${a}", "${b}")}
		}
		return sieve.HasFlag{Match: m, Relation: r, Comparator: c, Flags: keys, Variables: Pick(p, nil, nil, []string{"a"}, []string{"b", "c"})}
	case 16:
		t := sieve.Duplicate{Header: Pick(p, nil, Ptr("Subject"), Ptr("X-Missing"), Ptr("")), Last: g.Chance(30)}
		if g.Chance(40) {
			t.Handle = Ptr(Pick(p, "h", "h2"))
		}
		if t.Header == nil && g.Chance(40) {
			t.UniqueID = Ptr(g.str("u", "v", ""))
		}
		return t
	case 17, 18, 19:
		if g.Edits {
			return sieve.False{}
		}
		m, r, c, keys := g.match(func() []string {
			return []string{Pick(p, "text", "plain", "text/plain", "text/html", "attachment", "inline", "a.txt", "utf-8", "", "yes", "b", "mixed",
				"message/rfc822")}
		})
		t := sieve.Header{Names: []string{Pick(p, genMIMENames...)}, Match: m, Relation: r, Comparator: c, Keys: keys, MIME: true,
			AnyChild: g.Chance(50),
			MIMEPart: Pick(p, "", "", sieve.MIMEType, sieve.MIMESubtype, sieve.MIMEContentType, sieve.MIMEParam)}
		if t.MIMEPart == sieve.MIMEParam {
			t.MIMEParams = Pick(p, []string{"charset"}, []string{"filename"}, []string{"boundary", "name"}, []string{"FILENAME", "charset"})
		}
		return t
	case 20:
		if g.Edits {
			return sieve.False{}
		}
		return sieve.Exists{Names: []string{Pick(p, genMIMENames...)}, MIME: true, AnyChild: g.Chance(50)}
	case 21:
		return Pick[sieve.Test](p, sieve.ValidNotifyMethod{URIs: []string{"mailto:a@b"}}, sieve.ValidNotifyMethod{URIs: []string{"mailto:a@b",
			"xmpp:a@b"}}, sieve.ValidNotifyMethod{URIs: []string{"mailto:${a}@b"}},
			sieve.NotifyMethodCapability{URI: "mailto:a@b", Capability: "online", Match: sieve.Is, Keys: []string{Pick(p, "maybe", "yes")}},
			sieve.NotifyMethodCapability{URI: "mailto:a@b", Capability: "Online", Match: sieve.Value, Relation: g.relation(),
				Comparator: Pick(p, "", sieve.Octet), Keys: []string{g.word()}},
			sieve.NotifyMethodCapability{URI: "mailto:a@b", Capability: "Online", Match: sieve.Contains, Keys: []string{"A"}})
	case 22:
		return sieve.IHave{Extensions: []string{Pick(p, "envelope", "ereject", "unknown", "variables")}}
	}
	t := g.Generator.test(0)
	if h, ok := t.(sieve.Header); ok && h.MIME && g.Edits {
		return sieve.False{}
	}
	return t
}

func (g *Wide) item(list ...string) string {
	item := Pick(g.Generator, list...)
	if item == "host" && g.NoHost {
		return "name"
	}
	return item
}

// genAddressNames are fields of addresses that messages have and scripts change.
var genAddressNames = []string{"From", "To", "Cc", "Reply-To"}

func (g *Wide) addressTest() sieve.Test {
	p := g.Generator
	m, r, c, keys := g.match(func() []string { return []string{Pick(p, "a@b", "b", "a", "example.org", "joe", "x y", "z@z")} })
	i, last := g.index()
	t := sieve.Address{Names: Pick(p, []string{"From"}, []string{"to"}, []string{"from", "To"}, []string{"cc"}, []string{"reply-to"},
		[]string{"Cc", "TO", "From"}),
		Part: Pick(p, "", sieve.All, sieve.LocalPart, sieve.Domain, sieve.User,
			sieve.Detail), Match: m, Relation: r, Comparator: c, Keys: keys, Index: i, Last: last}
	if !g.Edits && g.Chance(15) {
		t.MIME, t.AnyChild = true, g.Chance(60)
	}
	return t
}

// GenMailboxes are senders and recipients of envelopes.
var GenMailboxes = []string{"s@x.org", "S@X.Org", "a@b", "A@B.org", "a.b@c", "\"a b\"@c.example", "joe+detail@example.org",
	"user+d+e@Example.org", "u-d@example.org",
	"a@[192.0.2.1]", "x@sub.example.org", "\"q\\\"r\"@c", "10@9", "abc@abc", "\"a+b\"@c", "+x@b", "a+@b", "yes@no"}

func (g *Wide) envelopeTest() sieve.Test {
	p := g.Generator
	m, r, c, keys := g.match(func() []string {
		return []string{Pick(p, append([]string{"s", "x.org", "a", "b", "org", "a b", "joe", "detail", "d+e", "", "@", "example.org", "10", "9",
			"X.ORG"}, GenMailboxes...)...)}
	})
	t := sieve.Envelope{Fields: Pick(p, []string{"from"}, []string{"to"}, []string{"FROM"}, []string{"from", "To"}, []string{"to", "from"}),
		Part: Pick(p, "", "", sieve.All, sieve.LocalPart, sieve.Domain, sieve.User,
			sieve.Detail), Match: m, Relation: r, Comparator: c, Keys: keys}
	if t.Part == "" && g.Chance(30) {
		t.Fields = append(t.Fields, "auth") // which has no parts
	}
	return t
}

func (g *Wide) datePart() (sieve.DatePart, []string) {
	p := g.Generator
	switch g.IntN(13) {
	case 0:
		return sieve.Year, []string{Pick(p, "2026", "2025", "1999", "2068", "1970")}
	case 1:
		return sieve.Month, []string{Pick(p, "11", "01", "02")}
	case 2:
		return sieve.Day, []string{Pick(p, "22", "01", "31", "23")}
	case 3:
		return sieve.FullDate, []string{Pick(p, "2026-11-22", "2026-11-23", "2025-02-28")}
	case 4:
		return sieve.JulianDay, []string{Pick(p, "61366", "61367", "60734")}
	case 5:
		return sieve.Hour, []string{Pick(p, "17", "00", "23", "18")}
	case 6:
		return sieve.Minute, []string{Pick(p, "00", "30", "59")}
	case 7:
		return sieve.Second, []string{Pick(p, "00", "05", "60")}
	case 8:
		return sieve.TimeOfDay, []string{Pick(p, "17:00:05", "00:00:00", "18:00:05")}
	case 9:
		return sieve.ISO8601, []string{Pick(p, "2026-11-22T17:00:05Z", "2026-11-22T18:00:05+01:00", "T")}
	case 10:
		return sieve.RFC2822Date, []string{Pick(p, "Sun, 22 Nov 2026 17:00:05 +0000", "Nov", "Sun")}
	case 11:
		return sieve.ZoneOffset, []string{Pick(p, "+0000", "+0100", "-0330")}
	}
	return sieve.DatePart(Pick(p, "weekday", "WEEKDAY", "nothing")), []string{Pick(p, "0", "1", "6")}
}

func (g *Wide) block(depth int) []sieve.Command {
	var list []sieve.Command
	for range 1 + g.IntN(3) {
		list = append(list, g.command(depth))
	}
	return list
}

func (g *Wide) command(depth int) sieve.Command {
	p := g.Generator
	if depth > 0 && g.Chance(50) {
		c := sieve.If{Test: g.Test(2), Then: g.block(depth - 1)}
		for g.Chance(25) {
			c.ElsIf = append(c.ElsIf, sieve.ElsIf{Test: g.Test(2), Then: g.block(depth - 1)})
		}
		if g.Chance(35) {
			c.Else = g.block(depth - 1)
		}
		return c
	}
	if g.extraCommand != nil {
		if c, ok := g.extraCommand(depth); ok {
			return c
		}
	}
	var flags []string
	if g.Chance(15) {
		flags = append(g.flags(), Pick(p, "${a}", "${1}", "x"))
	}
	switch g.IntN(26) {
	case 0, 1, 2, 3, 4:
		var mods []sieve.Modifier
		for _, m := range [][]sieve.Modifier{{sieve.Lower, sieve.Upper}, {sieve.LowerFirst, sieve.UpperFirst}, {sieve.QuoteWildcard},
			{sieve.EncodeURL}, {sieve.Length}} {
			if g.Chance(15) {
				mods = append(mods, Pick(p, m...))
			}
		}
		return sieve.Set{Name: Pick(p, "a", "b", "c", "A"), Modifiers: mods, Value: g.str("yes", "a*b", "é X", "", "${1}${2}", "${a}${b}", "a.b?",
			"\\Seen x")}
	case 5:
		if g.loops == 0 && g.Chance(70) {
			return sieve.Set{Name: "b", Value: "${a}"}
		}
		fallthrough
	case 6, 7:
		if g.loops > 0 || depth == 0 || g.Edits {
			return sieve.FileInto{Mailbox: g.mailbox()}
		}
		c := sieve.ForEveryPart{}
		if g.Chance(30) {
			c.Name = Ptr("loop")
		}
		g.loops++
		c.Block = g.block(depth - 1)
		if g.Chance(30) {
			c.Block = append(c.Block, sieve.If{Test: g.Test(0), Then: []sieve.Command{sieve.Break{Name: Pick(p, nil, c.Name)}}})
		}
		text := sieve.ExtractText{Variable: Pick(p, "a", "b", "c"), First: Pick(p, nil, Ptr(uint64(5)), Ptr(uint64(20)))}
		if g.Chance(25) {
			text.Modifiers = Pick(p, []sieve.Modifier{sieve.Upper}, []sieve.Modifier{sieve.Length}, []sieve.Modifier{sieve.Lower,
				sieve.QuoteWildcard}, []sieve.Modifier{sieve.UpperFirst})
		}
		c.Block = append(c.Block, text)
		if g.Chance(50) {
			c.Block = append(c.Block, sieve.If{Test: sieve.String{Sources: []string{"${a}"}, Match: sieve.Contains,
				Keys: []string{Pick(p, "text", "Hello", "bold", "line")}}, Then: []sieve.Command{sieve.FileInto{Mailbox: Pick(p, "P", "Q")}}})
		}
		g.loops--
		return c
	case 8, 9:
		if !g.Edits {
			return sieve.Keep{}
		}
		c := sieve.AddHeader{Name: Pick(p, "X-A", "x-b", "X-New", "Subject", "From", "Date"), Value: g.str("yes", "a", "v w", "10", "é", "", " ",
			"a\r\nbcd", "a\r\n b\r\n", "=?utf-8?q?yes?=", "a=?utf-8?q?b?="), Last: g.Chance(40)}
		if g.Chance(50) {
			c.Name = Pick(p, genAddressNames...)
			c.Value = strings.ReplaceAll(strings.TrimSpace(g.addressValue()), "\n", "\r\n")
			if g.Chance(15) {
				c.Value += Pick(p, "\r\nx, a@b", "\r\n\ta@b", " =?utf-8?q?x?=", " x=?utf-8?q?y?=", ", ${1}", ", ${a}@b", "\r\n", " ,",
					", "+strings.Repeat("long.local.part@example.org, ", 5)+"z@z")
			}
		}
		return c
	case 10, 11:
		if !g.Edits {
			return sieve.FileInto{Mailbox: g.mailbox()}
		}
		c := sieve.DeleteHeader{Name: Pick(p, append([]string{"X-A", "x-b", "X-New", "Subject", "Date"}, genAddressNames...)...)}
		c.Index, c.Last = g.index()
		if g.Chance(50) {
			var keys []string
			c.Match, c.Relation, c.Comparator, keys = g.match(nil)
			if c.Match == sieve.Count {
				c.Match, c.Relation, c.Comparator = sieve.Contains, "", ""
			}
			if c.Match == sieve.Regex {
				c.Match, keys = sieve.Contains, []string{"y"} // the server aborts
			}
			c.Values = keys
			if g.Chance(30) && (c.Match == sieve.Contains || c.Match == sieve.Is || c.Match == "") {
				c.Values = []string{Pick(p, "a@b", "joe", "@", "", "example", ",", "<")}
			}
		}
		return c
	case 12:
		return sieve.AddFlag{Flags: append(g.flags(), Pick(p, "${a}", "y")), Variable: Pick(p, "", "", "a", "b")}
	case 13:
		return sieve.SetFlag{Flags: g.flags(), Variable: Pick(p, "", "a", "b")}
	case 14:
		// With "${a}" of the variable a itself the server loses its place in it.
		return sieve.RemoveFlag{Flags: append(g.flags(), Pick(p, "${c}", "y")), Variable: Pick(p, "", "", "a", "b")}
	case 15:
		n := sieve.Notify{Method: Pick(p, "mailto:a@b", "mailto:a@b?cc=c@d", "mailto:?to=e@f&subject=hey", "mailto:x@y?body=text%20here",
			"mailto:a@b%2Cc@d")}
		if g.Chance(40) {
			n.Message = Ptr(g.str("hello", "note"))
		}
		return n
	case 16:
		return Pick[sieve.Command](p, sieve.Keep{Flags: flags}, sieve.Discard{}, sieve.Stop{}, sieve.Return{})
	case 17:
		return sieve.Redirect{Address: Pick(p, "a@b", "c@D.org", "x${1}@b.org", "${a}@c", "${2}"), Copy: g.Chance(40)}
	case 18:
		if g.Chance(30) {
			return sieve.Fail{Text: "no ${a}"}
		}
		return sieve.Reject{Reason: "no ${1}"}
	case 19:
		v := sieve.Vacation{Reason: "gone ${a}"}
		if g.Chance(50) {
			v.Subject = Ptr("s ${1}")
		}
		return v
	}
	return sieve.FileInto{Mailbox: g.mailbox(), Copy: g.Chance(25), Flags: flags}
}

// Script draws a script of the whole language.
func (g *Wide) Script() *sieve.Script {
	s := &sieve.Script{Extensions: sieve.ExtVariables}
	g.Edits = g.Chance(40)
	for range 1 + g.IntN(max(g.Size, 1)) {
		s.Commands = append(s.Commands, g.command(min(g.Size, 2)))
	}
	return s
}
