package interp_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
)

// hostileGenerator draws scripts and messages that are as much work as they can
// be: each piece aims at something whose cost isn't that of its length.
type hostileGenerator struct {
	*rand.Rand
	max int // octets of a message, and a tenth of it those of a script
}

// size draws a size, of each magnitude as often, up to n.
func (g *hostileGenerator) size(n int) int {
	return 1 + g.IntN(1+g.IntN(1+g.IntN(max(n, 1))))
}

func (g *hostileGenerator) of(list ...string) string { return list[g.IntN(len(list))] }

// text draws n octets or so of something that is slow to look at.
func (g *hostileGenerator) text(n int) string {
	piece := g.of("a", "A", "aB", "ab", "0", "9", "?", "*", "=?", "=?utf-8?q?a?= ", "=?utf-8?b?w6TDpA==?=",
		"=?iso-2022-jp?b?GyRCJCIkJBsoQg==?= ",
		"=?x?q?a?=", "=?utf-7?q?+AOQ-?=", "=?gb18030?q?=81=30=81=30?= ", "\u00e4", "\ufdfa", "\uac00",
		"\u0390", "\xff", "a\xff", "(", "()", "\"", "\\", "<", "@", "a@b, ", "a@b,", "<@a,@b:c@d>,",
		"g:;", "a.", ".a@b ", "; a=b", "; a*1=b", "; a*0=b; a*1=c", "; boundary=b", "&amp;", "&a;", "<a>",
		"<!--", "<script>", "<b", "<![CDATA[", "-- ", " ", "\t", "\n ", "\n x", "mailto:a@b", "%41", "+")
	if g.IntN(3) == 0 {
		piece += g.of("a", "b", "A", " ", "(", "\"", "=?", "\u00c4", "<", ";", ",")
	}
	return strings.Repeat(piece, max(1, n/len(piece)))
}

// line is a text on one logical line.
func (g *hostileGenerator) line(n int) string {
	return strings.ReplaceAll(g.text(n), "\n", "\r\n ")
}

var hostileFields = []string{"Subject", "To", "From", "X", "Content-Type", "Date", "Message-ID"}

// fields draws header fields.
func (g *hostileGenerator) fields(b *bytes.Buffer, n int) {
	switch g.IntN(4) {
	case 0:
		name := g.of(hostileFields...)
		for range min(n/4, 300000) {
			b.WriteString(name + ": \n")
		}
	case 1:
		for i := range min(n/8, 100000) {
			fmt.Fprintf(b, "X%d: a\n", i)
		}
	default:
		for used := 0; used < n; {
			part := g.size(n)
			b.WriteString(g.of(hostileFields...) + ": " + strings.ReplaceAll(g.line(part), "\r\n", "\n") + "\n")
			used += part
		}
	}
}

// body draws a body and the fields that describe it.
func (g *hostileGenerator) body(n, depth int) (fields, body string) {
	switch g.IntN(9) {
	case 0:
		return "Content-Type: text/html\n", g.text(n)
	case 1:
		charset := g.of("utf-8", "windows-1252", "iso-2022-jp", "gb18030", "utf-16", "euc-kr", "big5",
			"shift_jis", "utf-7", "koi8-r", "x-unknown")
		return "Content-Type: text/" + g.of("plain", "html") + "; charset=" + charset + "\n", g.text(n)
	case 2:
		return "Content-Type: text/" + g.of("plain", "html") + "\nContent-Transfer-Encoding: base64\n",
			base64.StdEncoding.EncodeToString([]byte(g.text(n * 3 / 4)))
	case 3:
		return "Content-Type: text/" + g.of("plain", "html") + "\nContent-Transfer-Encoding: quoted-printable\n",
			g.of(g.text(n), strings.Repeat("=C3=A4", n/6), strings.Repeat(" \n", n/2), strings.Repeat("= ",
				n/2))
	case 4, 5:
		var b strings.Builder
		name := g.of("b", "bb", strings.Repeat("-", 1+g.IntN(60)))
		parts := g.size(min(n/4, 12000))
		for range parts {
			b.WriteString("--" + name + "\n")
			if depth < 3 && g.IntN(4) == 0 {
				f, in := g.body(g.size(max(1, n/parts)), depth+1)
				b.WriteString(f + "\n" + in + "\n")
			} else {
				b.WriteString(g.of("", "\n", "\nx\n", "Content-Type: text/plain\n\nx\n", "Content-Type: message/rfc822\n\nSubject: x\n\nx\n",
					"X: y\n\n"))
			}
		}
		return "Content-Type: multipart/" + g.of("mixed", "digest") + "; boundary=\"" + name + "\"\n", b.String()
	case 6:
		// Parts in parts, and then lines that begin as boundaries do.
		var b strings.Builder
		kind := g.of("multipart/mixed; boundary=b%d", "message/rfc822")
		levels := min(120, max(1, n/60))
		head := func(i int) string {
			if strings.Contains(kind, "%") {
				return fmt.Sprintf("Content-Type: "+kind+"\n", i)
			}
			return "Content-Type: " + kind + "\n"
		}
		for i := 1; i < levels; i++ {
			if strings.Contains(kind, "%") {
				fmt.Fprintf(&b, "--b%d\n", i-1)
			}
			b.WriteString(head(i) + "\n")
		}
		b.WriteString(g.of(g.text(n), strings.Repeat("--\n", n/3), strings.Repeat("--b\n", n/4)))
		return head(0), b.String()
	case 7:
		return "", g.of(strings.Repeat("a", n)+"b", strings.Repeat("\ufdfa", n/3), strings.Repeat("\n--",
			n/3), strings.Repeat("\r\n", n/2), strings.Repeat("A\xff", n/2))
	}
	return "", g.text(n)
}

// message draws a message.
func (g *hostileGenerator) message() []byte {
	n := g.size(g.max)
	var b bytes.Buffer
	if g.IntN(4) > 0 {
		g.fields(&b, g.size(n))
	}
	fields, body := g.body(n, 0)
	b.WriteString(fields + "\n" + body)
	return b.Bytes()
}

// quote makes a string of a script.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", "\r\n", "\x00", "").Replace(s) + `"`
}

// keys draws a list of keys.
func (g *hostileGenerator) keys(n int, match string) string {
	one := func(n int) string {
		switch match {
		case ":regex":
			piece := g.of("a", "a?", "a*", ".*", "(a|b)", "(a*)*", "[ab]", "(a?)", "a{1,9}", "(.*)", "(a|aa)",
				"((a)?b?)*", ".", "(a{2,9}){2,9}")
			return strings.Repeat(piece, 1+g.IntN(min(1+n/len(piece), 60))) + g.of("b", "c", "", "$", "a")
		case ":matches":
			piece := g.of("*", "*a", "?", "*?", "a", "?a", "*a?", "*aaaaaaab", "??", "\\\\a")
			return strings.Repeat(piece, max(1, n/len(piece))) + g.of("b", "", "*", "*b", "?")
		case ":count", ":value":
			return g.of("0", "1", "9", strings.Repeat("0", n), strings.Repeat("a", n))
		}
		return g.of("zzz", strings.Repeat("a", n)+"b", strings.Repeat("a", n), "b"+strings.Repeat("a",
			n), "\u00e4", "", strings.Repeat("\ufdfa", n/3)+"x", g.text(n))
	}
	if g.IntN(6) == 0 {
		return quote(g.of("${v}", "${v}${v}", "*${v}*", "a${v}b"))
	}
	if g.IntN(2) == 0 {
		return quote(one(n))
	}
	var list []string
	each := g.size(n)
	for used := 0; used < n && len(list) < 50000; used += each + 4 {
		list = append(list, quote(one(each)+fmt.Sprint(g.IntN(100000))))
	}
	return "[" + strings.Join(list, ",") + "]"
}

// match draws a match type, with its comparator and keys.
func (g *hostileGenerator) match(n int) string {
	m := g.of(":is", ":contains", ":contains", ":contains", ":matches", ":matches", ":regex", ":count", ":value")
	tag := m
	if m == ":count" || m == ":value" {
		tag += " " + g.of(`"eq"`, `"gt"`, `"ne"`)
	}
	c := g.of("", "", "", ` :comparator "i;octet"`)
	if m != ":regex" && g.IntN(5) == 0 {
		c = ` :comparator "i;unicode-casemap"`
	}
	if m == ":value" || m == ":is" || m == ":count" {
		c = g.of(c, ` :comparator "i;ascii-numeric"`)
	}
	return tag + c + " \x00" + g.keys(n, m)
}

// test draws a test.
func (g *hostileGenerator) test(n int) string {
	with := func(before, behind string) string {
		tags, keys, _ := strings.Cut(g.match(n), "\x00")
		return before + " " + tags + " " + behind + " " + keys
	}
	names := g.of(`"Subject"`, `"To"`, `"X"`, `"${f}"`, `["Subject","To","From","X"]`, `["${f}","${f}x","X"]`, `"Content-Type"`)
	addresses := g.of(`"To"`, `["To","From"]`, `"${f}"`)
	switch g.IntN(16) {
	case 0, 1:
		return with("header", names)
	case 2:
		return with("header :index 1 "+g.of("", ":last"), names)
	case 3:
		return with("header :mime "+g.of("", ":anychild"), names)
	case 4:
		return with("header :mime "+g.of("", ":anychild ")+g.of(":type", ":subtype", ":contenttype", `:param ["a","b","boundary"]`),
			g.of(`"Content-Type"`, `"Content-Disposition"`))
	case 5:
		return with("address "+g.of("", ":localpart", ":domain", ":user", ":detail"), addresses)
	case 6:
		return with("address :mime :anychild", addresses)
	case 7:
		return with("body :raw", "")
	case 8:
		return with("body :text", "")
	case 9:
		return with("body :content "+g.of(`"text"`, `""`, `["a","b","c/d","message","multipart"]`, `"text/html"`), "")
	case 10:
		return with("string", g.of(`"${v}"`, `"${1}"`, `["${v}${v}","${w}","${0}"]`))
	case 11:
		return with("hasflag", g.of(`"v"`, ""))
	case 12:
		return "exists " + g.of("", ":mime :anychild ") + names
	case 13:
		return with("date", g.of(`"Date"`, `"To"`, `"${f}"`)+` "year"`)
	case 14:
		return g.of(`duplicate :header "Subject"`, `duplicate :uniqueid "${v}"`, `duplicate`, `valid_notify_method "mailto:${v}"`,
			`mailboxexists "${v}"`, `size :over 1`)
	}
	return "anyof (" + with("header", names) + ", " + with("body :text", "") + ", not " + with("address", `"To"`) + ")"
}

// command draws a command.
func (g *hostileGenerator) command(n int) string {
	switch g.IntN(16) {
	case 0:
		return "set " + g.of("", ":lower ", ":encodeurl ", ":quotewildcard ", ":upper :quoteregex ") + `"` + g.of("v",
			"w") + `" ` + quote(strings.Repeat(g.of("${v}", "${w}x", "${0}", "${1}${2}", "a"), 1+g.IntN(max(1,
			n/5)))) + ";\n"
	case 1:
		return `addheader "X" ` + g.of(`"${v}"`, `"a"`, quote(strings.Repeat("\u00e4", min(n/2, 900)))) + ";\n"
	case 2:
		return g.of(`deleteheader "X";`, `deleteheader :index 1 "X";`, `deleteheader :contains "X" "zz";`,
			`deleteheader "Subject";`) + "\n"
	case 3:
		return g.of(`addflag "v" "${w} ${v} a b c";`, `setflag ["${v}","a","b"];`, `addflag "${w}";`, `removeflag "v" "${v}";`) + "\n"
	case 4:
		return `if header :matches "Subject" ` + quote(strings.Repeat("*", 1+g.IntN(40))) + " { set \"v\" \"${1}\"; set \"w\" \"${v}${2}\"; }\n"
	case 5:
		return g.of("keep;", `notify "mailto:a@b?subject=${v}";`, `fileinto :copy "${v}";`, "stop;") + "\n"
	}
	return "if " + g.test(n) + " { " + g.of("keep;", `set "v" "${v}a";`, "", `addflag "x";`) + " }\n"
}

const hostileRequire = `require ["body","variables","relational","regex","mime","foreverypart","extracttext","editheader","imap4flags",
"date","index","subaddress",
"duplicate","enotify","envelope","fileinto","copy","mailbox","comparator-i;ascii-numeric","comparator-i;unicode-casemap"];
`

// script draws a script.
func (g *hostileGenerator) script() string {
	var b strings.Builder
	b.WriteString(hostileRequire + "set \"f\" \"Subject\"; set \"v\" " + quote(g.text(g.size(5000))) + "; set \"w\" \"${v}x${v}\";\n")
	n := g.size(g.max / 10)
	each := g.size(n)
	loops := g.IntN(3)
	for range loops {
		b.WriteString("foreverypart {\n")
		if g.IntN(2) == 0 {
			b.WriteString(`extracttext "v";` + "\n")
		}
	}
	same := ""
	for start := b.Len(); b.Len()-start < n; {
		if same == "" || g.IntN(4) == 0 {
			same = g.command(each)
		}
		b.WriteString(same)
	}
	for range loops {
		b.WriteString("}\n")
	}
	return b.String()
}
