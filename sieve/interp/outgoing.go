package interp

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
)

// Outgoing is a message that the server sends because a script said so, octet
// for octet as dovecot-lda and LMTP hand it to the submission server, except
// for what no two messages have in common: the Message-ID and the boundary of a
// rejection are of the package's own making, and the Date is [Input].Now. It
// shows the message as it came, without the changes of editheader. "host" and "postmaster" of
// [Input].Environment stand for the settings hostname and postmaster_address;
// octets that iconv would decode otherwise than go-message show in subjects.
//
// It has the server's oddities: who has no domain is written as a
// group ("To: postmaster: "); a :from that variables make is written as it
// stands, an address or not; a reject of a message from the null sender goes to
// the address in its Return-Path; notify and reject heed Auto-Submitted, but
// reject only the first; the URI's header field "data" is left out, where "date"
// was meant.
type Outgoing struct {
	// From is the sender of the envelope; it is empty for the null sender.
	From string
	// To are the recipients of the envelope.
	To []string
	// Raw is the message; its lines end with CRLF.
	Raw []byte
}

// outgoing makes the message of a text in which lines may end with a bare LF,
// as the server's SMTP client does.
func outgoing(from string, to []string, text string) *Outgoing {
	raw := make([]byte, 0, len(text)+32)
	for i := 0; i < len(text); i++ {
		if text[i] == '\n' && (i == 0 || text[i-1] != '\r') {
			raw = append(raw, '\r')
		}
		raw = append(raw, text[i])
	}
	if !bytes.HasSuffix(raw, []byte("\r\n")) {
		raw = append(raw, "\r\n"...)
	}
	return &Outgoing{From: from, To: to, Raw: raw}
}

// mailWriter writes a message.
type mailWriter struct{ strings.Builder }

// maxLine is where the lines of the server's header fields are folded.
const maxLine = 80

// field writes a header field. A line that has reached maxLine octets is cut at
// the white space before, and goes on behind a TAB; so does what follows a line
// break of the value.
func (w *mailWriter) field(name, value string) {
	w.WriteString(name + ": ")
	used := len(name) + 2 // octets of the line
	start, lines := 0, 0
	for i := start; i < len(value); {
		space, gap, cut := -1, false, -1
	line:
		for ; i < len(value) && (space < 0 || used < maxLine); i++ {
			switch value[i] {
			case ' ', '\t':
				if !gap {
					space, gap = i, true
				}
			case '\r', '\n':
				if cut = i; gap {
					cut = space
				}
				break line
			default:
				gap = false
			}
			used++
		}
		switch {
		case i == len(value):
			continue
		case cut >= 0:
			i = skip(value, i, " \t\r\n")
			w.WriteString(value[start:cut] + "\r\n")
			if i < len(value) {
				w.WriteByte('\t')
			}
			start = i
		default:
			w.WriteString(value[start:space] + "\r\n\t")
			start = skip(value, space, " \t")
			i = max(i, start)
		}
		lines++
		used = i - start
	}
	if start < len(value) || lines == 0 {
		w.WriteString(value[start:] + "\r\n")
	}
}

// skip returns the first index from i on at which none of the octets stands.
func skip(s string, i int, octets string) int {
	for i < len(s) && strings.IndexByte(octets, s[i]) >= 0 {
		i++
	}
	return i
}

// encoded writes a header field whose value can be any text (RFC 2047).
func (w *mailWriter) encoded(name, value string) {
	w.field(name, encodeWords(value))
}

// addressField writes a header field with an address that a script gives.
func (w *mailWriter) addressField(name, value string) {
	if has8bit(value) {
		value = encodeWords(value)
	}
	w.field(name, value)
}

func has8bit(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return true
		}
	}
	return false
}

// wordLine is how long a line with encoded words gets, and wordFrame what of it
// is the frame of a word.
const (
	wordLine  = 76
	wordFrame = len("=?utf-8?q?") + len("?=")
)

// encodeWords puts encoded words where a text needs them, as the server does:
// from the first word of a line that needs it to the last one, in Q, or in B
// where that is much shorter.
func encodeWords(s string) string {
	var b strings.Builder
	for {
		first := 0
		for first < len(s) && !needsWord(s, first) {
			first++
		}
		if first == len(s) {
			b.WriteString(s)
			return b.String()
		}
		if s[first] != '\r' && s[first] != '\n' {
			for first > 0 && !blankOctet(s[first-1]) {
				first--
			}
		}
		b.WriteString(s[:first])
		used := first
		if i := strings.LastIndexByte(s[:first], '\n'); i >= 0 {
			used = i + 1
		}
		s = s[first:]
		rest := ""
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			if i > 0 && s[i-1] == '\r' {
				i--
			}
			s, rest = s[:i], s[i:]
		}
		last, count := 0, 0
		for i := range len(s) {
			if needsWord(s, i) {
				last = i + 1
				count++
			}
		}
		for last < len(s) && !blankOctet(s[last]) {
			last++
		}
		if last > 0 {
			if (last+3*count)*2/3 <= base64.StdEncoding.EncodedLen(last) {
				encodeQ(&b, s[:last], used)
			} else {
				encodeB(&b, s[:last], used)
			}
		}
		b.WriteString(s[last:])
		if rest == "" {
			return b.String()
		}
		end := 1
		if rest[0] == '\r' {
			end = 2
		}
		if end == len(rest) {
			return b.String()
		}
		b.WriteString(rest[:end])
		if c := rest[end]; c == ' ' || c == '\t' {
			b.WriteByte(c)
			end++
		} else {
			b.WriteByte('\t')
		}
		s = rest[end:]
	}
}

func blankOctet(c byte) bool { return c == ' ' || c == '\t' || c == '\n' }

// needsWord reports whether the octet can't stand for itself.
func needsWord(s string, i int) bool {
	switch c := s[i]; {
	case c == '\r' && (i+1 == len(s) || s[i+1] != '\n'):
		return true
	case c == '\r' || c == '\n':
		next := i + 1
		if c == '\r' {
			next++
		}
		return next == len(s) || s[next] != ' ' && s[next] != '\t'
	case c == '=':
		return (i == 0 || blankOctet(s[i-1])) && strings.HasPrefix(s[i:], "=?")
	default:
		return c >= 0x80 || c < ' ' && c != '\t'
	}
}

// wordBegin begins an encoded word and returns the room for its text.
func wordBegin(b *strings.Builder, kind string, used int) int {
	room := wordLine - wordFrame
	if used >= room-3 {
		b.WriteString("\n\t")
		room--
	} else {
		room -= used
	}
	b.WriteString("=?utf-8?" + kind + "?")
	return room
}

// wordNext begins the next encoded word.
func wordNext(b *strings.Builder, kind string) int {
	b.WriteString("?=\n\t=?utf-8?" + kind + "?")
	return wordLine - wordFrame - 1
}

func encodeQ(b *strings.Builder, s string, used int) {
	room := wordBegin(b, "q", used)
	bad := false
	for s != "" {
		c, n := utf8.DecodeRuneInString(s)
		text := s[:n]
		s = s[n:]
		if c == utf8.RuneError && n == 1 {
			// One for each run of octets that aren't UTF-8.
			if bad {
				continue
			}
			bad, text = true, "\ufffd"
		} else {
			bad = false
		}
		escape := text[0] < ' ' || text[0] > '~' || strings.IndexByte("=?_", text[0]) >= 0
		size := len(text)
		if escape {
			size *= 3
		}
		if room < size {
			room = wordNext(b, "q")
		}
		room -= size
		switch {
		case text == " ":
			b.WriteByte('_')
		case escape:
			for i := range len(text) {
				fmt.Fprintf(b, "=%02X", text[i])
			}
		default:
			b.WriteString(text)
		}
	}
	b.WriteString("?=")
}

func encodeB(b *strings.Builder, s string, used int) {
	room := wordBegin(b, "b", used)
	s = strings.ToValidUTF8(s, "\ufffd")
	for {
		n := 0
		for n < len(s) {
			_, size := utf8.DecodeRuneInString(s[n:])
			if n+size > room/4*3 {
				break
			}
			n += size
		}
		b.WriteString(base64.StdEncoding.EncodeToString([]byte(s[:n])))
		if s = s[n:]; s == "" {
			break
		}
		room = wordNext(b, "b")
	}
	b.WriteString("?=")
}

// sanitized is a text of at most n octets without control characters; what is
// cut off shows as "...".
func sanitized(s string, n int) string {
	var b []byte
	i := 0
	for i < len(s) && i < n {
		c, size := utf8.DecodeRuneInString(s[i:])
		if i+size > n || !utf8.FullRuneInString(s[i:]) {
			break // the last character isn't whole
		}
		if c == utf8.RuneError && size == 1 || c < ' ' {
			b = append(b, '?')
		} else {
			b = append(b, s[i:i+size]...)
		}
		i += size
	}
	if i == len(s) {
		return string(b)
	}
	return cutUTF8(string(b), n-3) + "..."
}

// cString is what the server sees of a text that it takes for a string of C.
func cString(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	return s
}

// sanitizedRunes is a text of at most n characters without control characters;
// what is cut off shows as an ellipsis.
func (r *run) sanitizedRunes(s string, n int) string {
	var b []byte
	count, last := 0, 0
	for s != "" && count < n && utf8.FullRuneInString(s) {
		c, size := utf8.DecodeRuneInString(s)
		bad := c == utf8.RuneError && size == 1
		last = len(b)
		if bad || c < ' ' || c == 0x7f && r.program.pigeonhole24 {
			c = utf8.RuneError
		}
		b = utf8.AppendRune(b, c)
		s = s[size:]
		if !bad {
			count++
		}
	}
	if s != "" {
		b = append(b[:last], "…"...)
	}
	return string(b)
}

// blanks takes out what is blank.
var blanks = strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "")

// messageID returns the Message-ID with its angle brackets, or "" where the
// field holds none among its first hundred "<".
func messageID(section headers.Section) string {
	i := slices.IndexFunc(section, func(f headers.Field) bool { return equalFold(f.Name, "message-id") })
	if i < 0 {
		return ""
	}
	s := unread(section[i])
	for range 100 {
		_, rest, ok := strings.Cut(s, "<")
		if !ok {
			return ""
		}
		end := strings.IndexAny(rest, `>"(`)
		if end < 0 {
			return ""
		}
		if rest[end] == '>' {
			// Whatever stands there, without its blanks.
			if id := blanks.Replace(rest[:end]); strings.Contains(id, "@") {
				return "<" + id + ">"
			}
			s = rest[end:]
			continue
		}
		p := mailaddr.Parser{S: []byte(rest)}
		p.Blank()
		local, r := p.LocalPart()
		if r == mailaddr.More && p.At('@') {
			if domain, r := p.Domain(); r == mailaddr.More && p.At('>') && domain[0] != '[' {
				return "<" + string(local) + "@" + string(domain) + ">"
			}
		}
		s = rest
	}
	return ""
}

// postmaster is the sender of what the server sends in its own name.
func (r *run) postmaster() mailaddr.Address {
	if s := r.in.Environment["postmaster"]; s != "" {
		if a, err := mailaddr.Parse(s); err == nil {
			return a
		}
	}
	if _, domain, ok := strings.Cut(r.in.To, "@"); ok {
		return mailaddr.Address{Local: "postmaster", Domain: domain}
	}
	return mailaddr.Address{Local: "postmaster", Domain: r.host()}
}

// quotePhrase puts a display name or a local part (dots) in quotes where it
// needs them.
func quotePhrase(s string, dots bool) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = mailaddr.Atext[s[i]] || dots && s[i] == '.'
	}
	if plain {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `'`, `\'`).Replace(s) + `"`
}

// mailboxText is an address as the server writes it in a header field. One
// without a domain comes out as if it were the name of a group.
func mailboxText(name, local, domain string) string {
	if domain == "" {
		return quotePhrase(local, false) + ": "
	}
	s := ""
	if strings.Contains(name, "=?") {
		s = name
	} else {
		s = quotePhrase(name, false)
	}
	if s != "" {
		s += " "
	}
	return s + "<" + quotePhrase(local, true) + "@" + domain + ">"
}
