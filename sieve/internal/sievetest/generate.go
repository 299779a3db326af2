// Package sievetest has what the tests of packages sieve and interp share:
// generators of scripts and messages, and Pigeonhole to ask.
package sievetest

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// Generator makes scripts and messages that have much to do with each other.
type Generator struct {
	*rand.Rand
	n int
}

// NewGenerator returns a generator that draws the same for the same seed.
func NewGenerator(seed uint64) *Generator {
	return &Generator{Rand: rand.New(rand.NewPCG(seed, 1))}
}

// Pick draws one of a list.
func Pick[T any](g *Generator, list ...T) T { return list[g.IntN(len(list))] }

// Chance holds in so many of a hundred cases.
func (g *Generator) Chance(percent int) bool { return g.IntN(100) < percent }

var genNames = []string{"Subject", "X-A", "x-b", "From", "To", "X-Num", "X-Conbool-Flag", "X-Missing"}

// Name draws the name of a header field.
func (g *Generator) Name() string { return Pick(g, genNames...) }

// genWords are values and keys that are near each other.
var genWords = []string{
	"yes", "YES", "Yes", "no", "", "true", "yes no", "  yes", "a", "ab", "abc", "AbC", "b", "aab", "abab",
	"x*y", "x?y", "*", "?", "a.b", "a b c", "10", "9", "010", "9x", "x9", "0", "2", "1", "-1",
	"[", "\\", "z_z", "Z^Z", "\"q\"", "é", "É", "yes ", "ye\ts",
}

func (g *Generator) word() string { return Pick(g, genWords...) }

// Value is a field body, from the colon on.
func (g *Generator) Value() string {
	w := strings.NewReplacer("\n", " ").Replace(g.word())
	switch g.IntN(14) {
	case 0:
		return " " + w + " "
	case 1:
		return w
	case 2:
		return "\n " + w
	case 3:
		return " " + w + "\n\t" + g.word()
	case 4:
		return " =?utf-8?q?" + strings.NewReplacer(" ", "_", "?", "=3F", "\t", "=09").Replace(w) + "?="
	case 5:
		return " =?UTF-8?B?" + Pick(g, "eWVz", "WUVT", "YWI=") + "?="
	case 6:
		return " " + w + " " + g.word()
	case 7:
		return "\t" + w + "\t"
	case 8:
		return " " + w + "\n   " + g.word() + "\n "
	}
	return " " + w
}

func (g *Generator) addressValue() string {
	one := func() string {
		return Pick(g, "a@b", "A@B.org", "joe <joe@example.org>", "\"J. Doe\" <j.doe@Example.org>", "<x@y>", "a@b (comment)",
			"(c) a (d) @ (e) b (f)", "\"a b\"@c", "a..b@c", ".a@c", "a.@c", "a@[1.2.3.4]", "<@r,@s:a@b>", "g: a@b, c@d;", "g:;",
			"undisclosed-recipients:;", "a", "<>", "a@", "@b", "a b@c", "=?utf-8?q?J=C3=B6?= <jo@b>", "=?utf-8?q?a?=@b", "jö@b.org",
			"a@b c", "a@b>", "<a@b", "a@b;", "\"a\\\"b\"@c", "\"a\\\\b\"@c", "A <a@b> x", "a @ b . c", "a@b.", "a@.b", "a@b..c", "\"\"@b",
			"a\n @b", "\"a\n b\"@c", "g: \"x y\" <a@b>, <c@d>, e@f;", "g: a@b", "a@b, ", ", a@b", "a@b,,c@d", "a;b@c", "ab.cd@ef", "a@b-c_d")
	}
	s := one()
	for g.Chance(30) {
		s += Pick(g, ",", ", ", ",\n ") + one()
	}
	return " " + s
}

// Message makes a message with a Message-ID of its own.
func (g *Generator) Message() []byte {
	g.n++
	var b strings.Builder
	fmt.Fprintf(&b, "Message-ID: <%d@generated>\n", g.n)
	for range g.IntN(7) {
		name := g.Name()
		if name == "X-Missing" {
			continue
		}
		if g.Chance(20) {
			name = strings.ToUpper(name)
		}
		body := g.Value()
		if strings.EqualFold(name, "From") || strings.EqualFold(name, "To") {
			body = g.addressValue()
		}
		sep := ":"
		if g.Chance(5) {
			sep = " :"
		}
		b.WriteString(name + sep + body + "\n")
	}
	switch g.IntN(6) {
	case 0:
		b.WriteString("Content-Type: text/calendar; method=REQUEST\n\nbody\n")
	case 1:
		b.WriteString("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\ntext\n--x\nContent-Type: " +
			Pick(g, "text/calendar", "Text/Calendar; a=b", "text/plain", "application/ics", "text / calendar",
				"text/calendarx") + "\n\ntext\n--x--\n")
	default:
		b.WriteString("\n" + strings.Repeat("line\n", g.IntN(40)))
	}
	text := b.String()
	if g.Chance(30) {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return []byte(text)
}

func (g *Generator) keys() []string {
	keys := []string{g.word()}
	for g.Chance(30) {
		keys = append(keys, g.word())
	}
	return keys
}

func (g *Generator) names() []string {
	names := []string{g.Name()}
	for g.Chance(25) {
		names = append(names, g.Name())
	}
	return names
}

// Matching makes a match type and keys that Pigeonhole doesn't crash on.
func (g *Generator) Matching() (sieve.MatchType, sieve.Relation, sieve.Comparator, []string) {
	c := Pick(g, "", "", "", sieve.Octet, sieve.ASCIICasemap)
	keys := g.keys()
	switch g.IntN(10) {
	case 0, 1, 2:
		return Pick(g, sieve.Is, ""), "", Pick(g, c, c, c, sieve.ASCIINumeric), keys
	case 3, 4:
		return sieve.Contains, "", c, keys
	case 5, 6:
		// See glob_test.go of package headers for the patterns that 0.5.19
		// gets wrong; a star at each end of a plain word is safe.
		for i, k := range keys {
			k = strings.NewReplacer("*", "", "?", "", "\\", "").Replace(k)
			keys[i] = Pick(g, k, k+"*", "*"+k, "*"+k+"*", "*", "\\*", "x\\?y")
			if k != "" && k[0] < 0x80 && g.Chance(30) {
				keys[i] = k[:1] + "*" + k[1:]
			}
		}
		return sieve.Matches, "", c, keys
	case 7:
		for i := range keys {
			keys[i] = Pick(g, "yes", "^yes$", "^a.*b$", "[[:digit:]]+", "^$", "a|b", "(ab)+", "^[^a]", "x\\*y", "y{1,2}", ".")
		}
		return sieve.Regex, "", c, keys
	case 8:
		for i := range keys {
			keys[i] = Pick(g, "0", "1", "2", "3", "x", "", "01")
		}
		return sieve.Count, g.relation(), Pick(g, c, sieve.ASCIINumeric, sieve.ASCIINumeric), keys
	default:
		return sieve.Value, g.relation(), Pick(g, c, sieve.ASCIINumeric), keys
	}
}

func (g *Generator) relation() sieve.Relation {
	return Pick(g, sieve.Greater, sieve.GreaterOrEqual, sieve.Less, sieve.LessOrEqual, sieve.Equal, sieve.NotEqual)
}

func (g *Generator) test(depth int) sieve.Test {
	if depth > 0 && g.Chance(35) {
		switch g.IntN(3) {
		case 0:
			return sieve.Not{Test: g.test(depth - 1)}
		case 1:
			t := sieve.AllOf{g.test(depth - 1)}
			for g.Chance(50) {
				t = append(t, g.test(depth-1))
			}
			return t
		default:
			t := sieve.AnyOf{g.test(depth - 1)}
			for g.Chance(50) {
				t = append(t, g.test(depth-1))
			}
			return t
		}
	}
	switch g.IntN(12) {
	case 0:
		return sieve.Exists{Names: g.names()}
	case 1:
		return sieve.Size{Over: g.Chance(50), Limit: uint64(g.IntN(400))}
	case 2:
		return Pick[sieve.Test](g, sieve.True{}, sieve.False{})
	case 3, 4, 5:
		m, r, c, keys := g.Matching()
		if m != sieve.Regex && m != sieve.Count && g.Chance(70) {
			for i := range keys {
				keys[i] = Pick(g, "a@b", "b", "a", "example.org", "joe", "j.doe@example.org", "", "a b", "\"a b\"@c", "@", "a..b", "A@B.org", "c",
					"x y")
			}
		}
		return sieve.Address{
			Names: Pick(g, []string{"From"}, []string{"to"}, []string{"from", "To"}), Part: Pick(g, "", sieve.All, sieve.LocalPart, sieve.Domain),
			Match: m, Relation: r, Comparator: c, Keys: keys,
		}
	case 6:
		return sieve.Header{
			Names: []string{"Content-Type"}, Match: sieve.Is, MIME: true, AnyChild: g.Chance(60), MIMEPart: sieve.MIMEContentType,
			Keys: Pick(g, []string{"text/calendar"}, []string{"application/ics", "text/calendar"}, []string{"text/plain"}),
		}
	case 7:
		m, r, c, keys := g.Matching()
		if m != sieve.Regex && m != sieve.Matches {
			keys = []string{Pick(g, "\\Seen", "x", "\\flagged", "X y", "", "1", "2")}
		}
		return sieve.HasFlag{Match: m, Relation: r, Comparator: c, Flags: keys}
	}
	m, r, c, keys := g.Matching()
	return sieve.Header{Names: g.names(), Match: m, Relation: r, Comparator: c, Keys: keys}
}

func (g *Generator) flags() []string {
	list := []string{Pick(g, "\\Seen", "\\FLAGGED", "x", "X y", "", "\\Answered x", "junk")}
	if g.Chance(20) {
		list = append(list, "\\deleted")
	}
	return list
}

// Command draws a command.
func (g *Generator) Command(depth int) sieve.Command {
	if depth > 0 && g.Chance(45) {
		c := sieve.If{Test: g.test(3), Then: g.block(depth - 1)}
		for g.Chance(30) {
			c.ElsIf = append(c.ElsIf, sieve.ElsIf{Test: g.test(2), Then: g.block(depth - 1)})
		}
		if g.Chance(40) {
			c.Else = g.block(depth - 1)
		}
		return c
	}
	var flags []string
	if g.Chance(15) {
		flags = g.flags()
	}
	switch g.IntN(20) {
	case 0, 1:
		return sieve.Keep{Flags: flags}
	case 2:
		return sieve.Discard{}
	case 3, 4:
		return sieve.Stop{}
	case 5, 6, 7, 8:
		return sieve.FileInto{Mailbox: Pick(g, "A", "B", "a", "INBOX", "inbox", "Spam"), Copy: g.Chance(25), Create: g.Chance(10), Flags: flags}
	case 9, 10, 11:
		return sieve.Redirect{Address: Pick(g, "a@b", "A@b", "c@D.org", "X <c@d.org>", "e@f", "g@h", "i@j", "\"a b\"@c"), Copy: g.Chance(30)}
	case 12:
		return sieve.Reject{Reason: "no"}
	case 13:
		return sieve.Vacation{Reason: "gone"}
	case 14, 15:
		return sieve.AddFlag{Flags: g.flags()}
	case 16:
		return sieve.SetFlag{Flags: g.flags()}
	case 17:
		return sieve.RemoveFlag{Flags: g.flags()}
	case 18:
		return sieve.Comment(Pick(g, "x", "", "# y", "keep;"))
	}
	return sieve.FileInto{Mailbox: Pick(g, "A", "B")}
}

func (g *Generator) block(depth int) []sieve.Command {
	var list []sieve.Command
	for range 1 + g.IntN(3) {
		list = append(list, g.Command(depth))
	}
	return list
}

// Script draws a script.
func (g *Generator) Script() *sieve.Script {
	s := &sieve.Script{}
	for range 1 + g.IntN(5) {
		s.Commands = append(s.Commands, g.Command(2))
	}
	return s
}
