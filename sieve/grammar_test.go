package sieve_test

import (
	"fmt"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
)

// grammar makes scripts of the whole language from the table that the reader
// reads, most of them right, and some wrong in one place.
type grammar struct {
	*sievetest.Generator
	on      sieve.Extensions
	wrong   int // per cent of the choices that break a rule
	once    map[string]bool
	unknown int
}

// requires chooses the extensions of a script.
func (g *grammar) requires(all bool) {
	g.on = sievetest.ServerExtensions
	if !all {
		for range 1 + g.IntN(30) {
			g.on &^= 1 << g.IntN(sieve.ExtCount)
		}
		if g.Chance(50) {
			// What a tag or command needs may well be missing.
			for range g.IntN(20) {
				g.on &^= 1 << g.IntN(sieve.ExtCount)
			}
		}
	}
	for _, c := range sieve.Conflicts {
		if all || g.Chance(95) {
			if g.Chance(70) {
				g.on &^= c[0]
			} else {
				g.on &^= c[1]
			}
		}
	}
	if !g.on.Has(sieve.ExtVariables|sieve.ExtForEveryPart) && g.Chance(90) {
		g.on &^= sieve.ExtExtractText
	}
}

// header is the require line.
func (g *grammar) header() string {
	if g.on == 0 {
		return "\n"
	}
	return `require ["` + strings.Join(g.on.Names(), `", "`) + "\"];\n"
}

func (g *grammar) has(sp *sieve.Spec) bool { return sp.Ext == 0 || sieve.Implied(g.on)&sp.Ext != 0 }

// anyText are strings for which some argument has a use of its own.
var anyText = []string{
	"", "a", "a@b", "A B <c@d.example>", "a@", "from", "To", "auth", "subject", "X-Y", "a b", "a:b", "gt", "ge", "ne", "GE", "foo",
	"i;octet", "i;ascii-casemap", "I;OCTET", "i;ascii-numeric", "i;unicode-casemap", "i;nosuch", "1", "2", "3", "4", "10", "01",
	`\Junk`, `\`, `\a b`, "Junk", `\Seen`, `\Seen x`, "mailto:a@b", "MAILTO:a@b?subject=x", "mailto:", "mailto:?", "mailto:a",
	"mailto:a@b?to=c@d&cc=e",
	"mailto:a@b?body=%0D%0Ax", "mailto:a@b?x=%0D", "mailto:%61@b", "mailto:%4", "mailto:a@b,c@d", "mailto:a@b%2Cc@d", "xmpp:a@b",
	"http://x/", ":", "mailto", "mailto:a@b?=x", "mailto:a@b?x y=z", "mailto:a@b?a=b=c", "mailto:a@b?a?b=c",
	"year", "weekday", "nosuch", "+0100", "-0530", "CET", "x/y", "text", "text/plain", "INBOX", "/private/x", "/x", "*", "a*b", "\\*", "(",
	"a(b)", "[a-z]+", "*a", "a{1,2}", "\\1",
	"abuse", "not-spam", " abuse ", "ab/use", "o=v", "o", "=v", "o.p-q_r=v", "_o=v", "", "${x}", "${X}y", "a${y}@b", "${1}", "${33}",
	"${32}", "${99999999999}", "${global.g}", "${global.g.h}", "${global.1}",
	"${env.name}", "${env.vnd.dovecot.username}", "${env.1}", "${foo.bar}", "${}", "${a b}", "$${x}", "${x",
	"${" + "v123456789012345678901234567890123456789012345678901234567890123" + "}", "${x.}", "${.x}", "$x", "$", "${a-b}", "${_a1}",
	"${hex:41}", "${hex:40}", "a${hex:40}b", "${unicode:d800}", "${unicode:40}", "${hex:}", "${hex: 24}{x}", "fileinto", "copy", "variables",
	"x", "y1", "1x", "x.y", "global.z", "env.z", "g", "ab c", "é", "übung", "vnd.dovecot.config", "name", "vnd.dovecot.username",
	"part", "outer", "a/b", "include", strings.Repeat("n", 257), strings.Repeat("v", 63), strings.Repeat("v", 64), strings.Repeat("v", 65),
	"x\u0080",
}

func (g *grammar) text() string { return sievetest.QuoteText(sievetest.Pick(g.Generator, anyText...)) }

// good are strings that a place takes.
var good = map[string][]string{
	"redirect":                 {"a@b", "A <a@b>", "${x}", "a${1}@b", "  a@b "},
	"fileinto":                 {"INBOX", "a/b", "ü", "${x}"},
	":comparator":              {"i;octet", "i;ascii-casemap", "I;Octet", "i;ascii-numeric"},
	":count":                   {"gt", "ge", "lt", "le", "eq", "ne"},
	":value":                   {"gt", "ge", "lt", "le", "eq", "ne"},
	":specialuse":              {`\Junk`, `\Sent`, "${x}"},
	":from":                    {"a@b", "A <a@b>", "${x}"},
	":importance":              {"1", "2", "3"},
	":options":                 {"a@b", "a=b", "${x}"},
	":method":                  {"mailto", "MAILTO"},
	"set":                      {"x", "X", "y_1", "a", "global.z"},
	"addflag":                  {`\Seen`, "x"},
	"setflag":                  {`\Seen`, "x"},
	"removeflag":               {"y", "x"},
	"hasflag":                  {"y", "x"},
	"addheader":                {"X-Y", "Subject", "${x}"},
	"deleteheader":             {"X-Y", "Received"},
	"include":                  {"a", "übung", "A b"},
	"global":                   {"g", "g2"},
	"import":                   {"g3", "g4"},
	"export":                   {"g", "g5"},
	"notify":                   {"mailto:a@b", "mailto:a@b?subject=x%20y", "${x}"},
	"extracttext":              {"x", "z9"},
	"report":                   {"abuse", "a@b"},
	"address":                  {"From", "to", "cc"},
	"envelope":                 {"from", "TO"},
	"date":                     {"date", "received", "year", "month"},
	"currentdate":              {"year", "weekday"},
	"specialuse_exists":        {`\Junk`, `\Sent`},
	"valid_notify_method":      {"mailto:a@b", "x"},
	"ihave":                    {"copy", "fileinto", "envelope", "nosuch", "variables", "regex"},
	"foreverypart":             {"part", "outer"},
	"break":                    {"part", "outer"},
	":name":                    {"part", "outer"},
	":regex":                   {"a.*", "^x$", "[a-z]+"},
	"mailboxexists":            {"INBOX", "x"},
	"metadata":                 {"INBOX", "/private/x"},
	"metadataexists":           {"INBOX", "/private/x"},
	"servermetadata":           {"/private/x"},
	"servermetadataexists":     {"/private/x", "/shared/y"},
	"notify_method_capability": {"mailto:a@b", "online"},
}

// argument makes an argument of a kind for a place.
func (g *grammar) argument(kind sieve.ArgKind, place string) string {
	if g.Chance(g.wrong) {
		kind = sievetest.Pick(g.Generator, sieve.ArgString, sieve.ArgList, sieve.ArgNumber)
	}
	str := func() string {
		if list := good[place]; list != nil && !g.Chance(g.wrong) && !g.Chance(8) {
			return sievetest.QuoteText(sievetest.Pick(g.Generator, list...))
		}
		if g.Chance(12) || g.Chance(g.wrong) {
			return g.text()
		}
		return sievetest.QuoteText(sievetest.Pick(g.Generator, "a", "x", "a@b", "text", "1", "Subject", "${x}"))
	}
	switch kind {
	case sieve.ArgNumber:
		return sievetest.Pick(g.Generator, "0", "1", "7", "30", "1K", "2147483648", "5M", "18446744073709551615")
	case sieve.ArgList:
		if g.Chance(40) {
			return str()
		}
		list := []string{str()}
		for g.Chance(40) {
			list = append(list, str())
		}
		return "[" + strings.Join(list, ", ") + "]"
	}
	return str()
}

// tag makes a tag with its argument.
func (g *grammar) tag(t *sieve.TagSpec) string {
	name := sieve.Spellings[t.ID]
	if g.Chance(5) {
		name = strings.ToUpper(name)
	}
	s := ":" + name
	if t.Param != sieve.ArgNone && !g.Chance(g.wrong) {
		s += " " + g.argument(t.Param, ":"+sieve.Spellings[t.ID])
	}
	return s
}

// arguments makes what follows the name of a command or test.
func (g *grammar) arguments(id sieve.NameID, sp *sieve.Spec) string {
	var out []string
	seen := map[uint8]bool{}
	for range g.IntN(4) {
		if len(sp.Tags) == 0 {
			break
		}
		t := &sp.Tags[g.IntN(len(sp.Tags))]
		switch {
		case t.Ext != 0 && g.on&t.Ext == 0 && !g.use(sieve.Spellings[id]+":"+sieve.Spellings[t.ID]):
			continue
		case (t.Group != 0 && seen[t.Group]) && !g.Chance(g.wrong):
			continue
		case (t.ID == sieve.NameAnyChild || t.Group == 4 && t.Ext == sieve.ExtMIME) && g.on.Has(sieve.ExtMIME) && g.Chance(60):
			out = append(out, ":mime")
		case t.ID == sieve.NameLast && t.Ext == sieve.ExtIndex && g.on.Has(sieve.ExtIndex) && g.Chance(60):
			out = append(out, ":index 1")
		}
		seen[t.Group] = true
		out = append(out, g.tag(t))
		if id == sieve.NameDenotify && t.Group == sieve.GroupMatch && !g.Chance(g.wrong) {
			out = append(out, g.argument(sieve.ArgString, ":id"))
		}
	}
	if g.Chance(g.wrong) {
		// A tag that this command may not have.
		t := sieve.NameIs + sieve.NameID(g.IntN(int(sieve.NumNames-sieve.NameIs)))
		if g.use(sieve.Spellings[id] + ":" + sieve.Spellings[t]) {
			out = append(out, ":"+sieve.Spellings[t])
		}
	}
	args := sp.Args
	if sp.Optional > 0 && g.Chance(60) {
		args = args[sp.Optional:]
	}
	if g.Chance(g.wrong) && len(args) > 0 {
		args = args[1:]
	}
	for _, kind := range args {
		out = append(out, g.argument(kind, sieve.Spellings[id]))
	}
	if g.Chance(g.wrong) {
		out = append(out, g.argument(sieve.ArgString, ""))
	}
	if g.Chance(g.wrong) && len(out) > 1 {
		i := g.IntN(len(out) - 1)
		out[i], out[i+1] = out[i+1], out[i]
	}
	if id == sieve.NameSize && len(out) > 0 && !strings.HasPrefix(out[0], ":") && !g.Chance(g.wrong) {
		out = append([]string{sievetest.Pick(g.Generator, ":over", ":under")}, out...)
	}
	if len(out) == 0 {
		return ""
	}
	return " " + strings.Join(out, " ")
}

// use reports whether a word that the server reports only once can be used.
func (g *grammar) use(word string) bool {
	word = strings.ToLower(word)
	if g.once == nil || g.once[word] {
		return g.once == nil
	}
	g.once[word] = true
	return true
}

// word chooses a command or a test.
func (g *grammar) word(isTest bool) (sieve.NameID, *sieve.Spec) {
	for range 200 {
		id := sieve.NameID(g.IntN(int(sieve.NameIs)))
		sp := sieve.Specs[id]
		switch {
		case sp == nil || id == sieve.NameRequire || id == sieve.NameElsIf || id == sieve.NameElse:
			continue
		case sp.IsTest != isTest:
			continue
		case !g.has(sp) && (!g.Chance(max(g.wrong, 10)) || !g.use(sieve.Spellings[id])):
			continue
		case id == sieve.NameHasFlag && !g.on.Has(sieve.ExtIMAP4Flags):
			continue
		case id == sieve.NameNotify && g.on.Has(sieve.ExtNotify):
			return id, sieve.DraftNotifySpec
		}
		return id, sp
	}
	if isTest {
		return sieve.NameTrue, sieve.Specs[sieve.NameTrue]
	}
	return sieve.NameKeep, sieve.Specs[sieve.NameKeep]
}

func (g *grammar) name(id sieve.NameID) string {
	if g.Chance(3) {
		return strings.ToUpper(sieve.Spellings[id])
	}
	return sieve.Spellings[id]
}

// unknownWord makes a word that nobody knows, and no one twice.
func (g *grammar) unknownWord() string {
	g.unknown++
	return fmt.Sprintf("nosuch%d", g.unknown)
}

func (g *grammar) testText(depth int) string {
	if g.Chance(g.wrong) {
		return g.unknownWord()
	}
	if g.Chance(g.wrong) && g.Chance(30) {
		return sievetest.Pick(g.Generator, "keep", "stop", "if")
	}
	id, sp := g.word(true)
	for depth <= 0 && sp.Subtests != sieve.NoTest {
		id, sp = g.word(true)
	}
	s := g.name(id) + g.arguments(id, sp)
	subtests := sp.Subtests
	if g.Chance(g.wrong) && g.Chance(30) {
		subtests = sievetest.Pick(g.Generator, sieve.NoTest, sieve.OneTest, sieve.TestList)
	}
	switch subtests {
	case sieve.OneTest:
		return s + " " + g.testText(depth-1)
	case sieve.TestList:
		list := []string{g.testText(depth - 1)}
		for g.Chance(50) {
			list = append(list, g.testText(depth-1))
		}
		return s + " (" + strings.Join(list, ", ") + ")"
	}
	return s
}

func (g *grammar) blockText(depth int) string {
	s := "{ "
	for range g.IntN(3) {
		s += g.commandText(depth) + " "
	}
	return s + "}"
}

// commandText makes a command on one line.
func (g *grammar) commandText(depth int) string {
	if g.Chance(g.wrong) {
		return g.unknownWord() + ";"
	}
	if g.Chance(g.wrong) && g.Chance(30) {
		return sievetest.Pick(g.Generator, "true;", "else {}", "elsif true {}", `require "copy";`, "header \"a\" \"b\";", "keep {}",
			"stop true;", "if true;", "if {}", "if (true) {}")
	}
	id, sp := g.word(false)
	for depth <= 0 && sp.Block {
		id, sp = g.word(false)
	}
	s := g.name(id) + g.arguments(id, sp)
	switch {
	case id == sieve.NameIf:
		s += " " + g.testText(3) + " " + g.blockText(depth-1)
		for g.Chance(25) {
			s += " elsif " + g.testText(2) + " " + g.blockText(depth-1)
		}
		if g.Chance(25) {
			s += " else " + g.blockText(depth-1)
		}
		return s
	case id == sieve.NameForEveryPart:
		return s + " " + g.blockText(depth-1)
	}
	return s + ";"
}
