package sievetest

import (
	"fmt"
	"slices"
	"strings"
)

// Mail makes a message with MIME parts, dates and scores.
func (g *Wide) Mail() []byte {
	g.n++
	p := g.Generator
	var b strings.Builder
	fmt.Fprintf(&b, "Message-ID: <%d@generated>\n", g.n)
	for range g.IntN(6) {
		name := Pick(p, "Subject", "X-A", "x-b", "From", "To", "X-Num", "X-A", "Cc", "Reply-To")
		body := g.Value()
		if slices.Contains(genAddressNames, name) {
			body = g.addressValue()
			if g.Chance(20) {
				body = " " + Pick(p, "joe+detail@example.org", "a+@b", "+x@b", "u+d+e@c")
			}
		}
		b.WriteString(name + ":" + body + "\n")
	}
	for range g.IntN(3) {
		b.WriteString(Pick(p, "Date", "X-Date", "Received") + ": " + Pick(p, "", "", "from a by b; ", "x; y; ") +
			Pick(p, "Sun, 22 Nov 2026 17:00:05 +0000", "22 Nov 2026 18:00:05 +0100", "Sun, 22 Nov 2026 23:30:59 -0330", "Mon, 1 Jan 99 00:00:00 GMT",
				"Sun, 22 Nov 2026 17:00:60 EST", "Sun,22 Nov 2026 17:00 +0000", "31 Feb 2025 17:00:05 +0000", "28 Feb 2025 7:30:05 Z", "junk", "",
				"Sun, 22 Nov 2026 17:00:05", "Sun (c), 22 (d) Nov 2026 17 : 00 : 05 (e) +0100", "Sat, 31 Dec 68 24:00:00 +0000", "22 Foo 2026 17:00:05 +0000") + "\n")
	}
	if g.Chance(40) {
		b.WriteString("X-Spam-Score: " + Pick(p, "0", "3", "5", "10", "12", "4.5", "x", "-1") + "\n")
	}
	if g.Chance(40) {
		b.WriteString("X-Virus-Score: " + Pick(p, "0", "1", "2", "4", "5") + "\n")
	}
	g.entity(&b, 0)
	text := b.String()
	if g.Chance(30) {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return []byte(text)
}

// entity writes MIME fields and a body.
func (g *Wide) entity(b *strings.Builder, depth int) {
	p := g.Generator
	if depth > 0 && g.Chance(30) {
		b.WriteString("X-Part: " + Pick(p, "yes", "b", "x") + "\n")
	}
	if depth > 0 && g.Chance(30) {
		b.WriteString("Content-Disposition: " + Pick(p, "attachment; filename=a.txt", "inline", "attachment; filename*=utf-8''a%2Etxt",
			"attachment; filename*0=a.; filename*1=txt",
			"attachment; filename=\"a.txt\"; x=y", "in line", "attachment;filename=a.txt") + "\n")
	}
	switch kind := g.IntN(10); {
	case kind < 3 && depth < 3:
		mark := fmt.Sprintf("b%d", depth)
		fmt.Fprintf(b, "Content-Type: multipart/%s; boundary=%s\n\n", Pick(p, "mixed", "alternative", "digest"), Pick(p, mark, "\""+mark+"\""))
		if g.Chance(40) {
			b.WriteString("preamble\n")
		}
		for range 1 + g.IntN(3) {
			b.WriteString("--" + mark + "\n")
			g.entity(b, depth+1)
			if g.Chance(80) {
				b.WriteString("\n")
			}
		}
		if g.Chance(85) {
			b.WriteString("--" + mark + "--\n")
			if g.Chance(30) {
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
		b.WriteString("Content-Type: " + Pick(p, "text/plain", "application/octet-stream",
			"image/png") + "\nContent-Transfer-Encoding: base64\n\nSGVsbG8gdGV4dCBsaW5l\nCmxpbmU=\n")
	case kind == 7:
		b.WriteString("Content-Type: " + Pick(p, "text/plain; charset=\"utf-8\"", "TEXT/Plain; Charset=UTF-8; name=x", "text", "text/plain (c)",
			"text / plain", "image/png; name=\"b c\"") + "\n\nline\nline text\n")
	case kind == 8 && depth > 0:
		// No MIME fields.
		b.WriteString("\ntext\n")
	default:
		b.WriteString("\n" + strings.Repeat("line\n", g.IntN(10)) + Pick(p, "", "text", "Hello\n", "é\n"))
	}
}
