package interp

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
)

// bodyTest is the test body (RFC 5173).
type bodyTest struct {
	step      int
	transform sieve.Transform
	content   []text
	match     *matcher
}

func (c *compiler) body(t sieve.Body, step int) condition {
	c.nonEmpty(t.Keys, "Keys")
	b := &bodyTest{step: step, transform: t.Transform, content: c.texts(t.Content, "Content"),
		match: c.matcher(t.Match, t.Relation, t.Comparator, t.Keys)}
	switch t.Transform {
	case "":
		b.transform = sieve.BodyText
	case sieve.BodyRaw, sieve.BodyText, sieve.BodyContent:
	default:
		c.errorf("Transform", "unknown transform %q", string(t.Transform))
	}
	if (t.Content != nil) != (t.Transform == sieve.BodyContent) {
		c.errorf("Content", "belongs to BodyContent, and that needs it")
	}
	return b
}

func (c *bodyTest) eval(r *run) bool {
	values := r.refs[:0]
	switch c.transform {
	case sieve.BodyRaw:
		if b := r.body(); len(b) > 0 {
			if len(r.raw.text) != len(b) || &r.raw.text[0] != &b[0] {
				r.raw = value{text: b, own: true}
			}
			values = append(values, &r.raw)
		}
	case sieve.BodyText:
		r.spend(64 * len(r.mimeParts()))
		for _, p := range r.mimeParts() {
			if p.hasBody && wantedType([]string{"application/xhtml+xml", "text"}, p.mediaType) {
				values = append(values, r.partText(p, true))
			}
		}
	default:
		wanted := r.strs(c.content)
		r.spend((32 + 24*len(wanted)) * len(r.mimeParts()))
		for _, p := range r.mimeParts() {
			if p.hasBody && wantedType(wanted, p.mediaType) {
				values = append(values, r.partText(p, false))
			}
		}
	}
	r.refs = values
	// The test sets no match variables (RFC 5173 section 6).
	quiet := r.quiet
	r.quiet = true
	ok := r.compareRefs(c.step, c.match, values)
	r.quiet = quiet
	return ok
}

// wantedType reports whether a media type is one of those wanted: "" is all,
// "text" is all its subtypes.
func wantedType(wanted []string, mediaType string) bool {
	t, _, _ := strings.Cut(mediaType, "/")
	for _, w := range wanted {
		if w == "" {
			return true
		}
		if strings.IndexByte(w, '/') < 0 {
			if strings.EqualFold(w, t) {
				return true
			}
		} else if strings.EqualFold(w, mediaType) {
			return true
		}
	}
	return false
}

// partText returns the decoded body of a part in UTF-8, or where plain is set,
// the text in it.
func (r *run) partText(p *mimePart, plain bool) *value {
	if p.decodedText == nil {
		r.spend(costTest + p.decodeCost()*len(p.body))
		if foldEqual(p.mediaType, "message/rfc822") {
			r.spend(len(r.parts))
		}
		if r.failed != nil {
			return &value{}
		}
		p.decodedText = &value{text: p.decode(r), own: true}
	}
	if !plain {
		return p.decodedText
	}
	if p.plainText == nil {
		p.plainText = p.decodedText
		if strings.EqualFold(p.mediaType, "text/html") || strings.EqualFold(p.mediaType, "application/xhtml+xml") {
			r.spend(costHTML * len(p.decodedText.text))
			if r.failed != nil {
				return &value{}
			}
			p.plainText = &value{text: htmlText(p.decodedText.text), own: true}
		}
	}
	return p.plainText
}

// decodeCost is what one octet of the body costs to decode.
func (p *mimePart) decodeCost() int {
	switch ascii.Lower(p.charset) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return costTransfer
	}
	return costTransfer + costCharset
}

// decode decodes the body.
func (p *mimePart) decode(r *run) []byte {
	if foldEqual(p.mediaType, "message/rfc822") {
		// The header of the message inside counts as the content.
		for _, child := range r.parts {
			if child.parent == p {
				var out []byte
				r.spend(costTransfer * len(child.rawHead))
				for line := range bytes.Lines(child.rawHead) {
					line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
					out = append(append(out, line...), "\r\n"...)
				}
				return out
			}
		}
		return nil
	}
	body := p.body
	switch p.encoding {
	case "", "7bit", "8bit", "binary":
	case "quoted-printable":
		body = decodeQP(body)
	case "base64":
		body = decodeBase64(body)
	default:
		return nil
	}
	return toUTF8(body, p.charset)
}

// toUTF8 converts text; an unknown charset counts as UTF-8, and what is no
// UTF-8 becomes U+FFFD.
func toUTF8(text []byte, name string) []byte {
	switch name = ascii.Lower(name); name {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
	default:
		if reader, err := charset.Reader(name, bytes.NewReader(text)); err == nil {
			out := bytes.NewBuffer(make([]byte, 0, len(text)+len(text)/8+bytes.MinRead))
			if _, err := out.ReadFrom(reader); err == nil {
				return out.Bytes()
			}
		}
	}
	if utf8.Valid(text) {
		return text
	}
	out := make([]byte, 0, len(text)+len(text)/8)
	bad := false
	for len(text) > 0 {
		c, n := utf8.DecodeRune(text)
		if c == utf8.RuneError && n == 1 {
			if !bad {
				out = append(out, "\uFFFD"...)
			}
			bad = true
		} else {
			out = append(out, text[:n]...)
			bad = false
		}
		text = text[n:]
	}
	return out
}

// decodeQP decodes quoted-printable (RFC 2045 section 6.7); an "=" without two
// hexadecimal digits stays. White space at the end of a line goes.
func decodeQP(b []byte) []byte {
	out := make([]byte, 0, len(b))
	space := 0 // how much white space stands at the end of out, from the line itself
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '\n':
			out = append(out[:len(out)-space], "\r\n"...)
			space = 0
		case c == '\r' && i+1 < len(b) && b[i+1] == '\n':
		case c == ' ' || c == '\t':
			out = append(out, c)
			space++
		case c == '=':
			j := i + 1
			for j < len(b) && (b[j] == ' ' || b[j] == '\t' || b[j] == '\r') {
				j++
			}
			switch {
			case j == len(b):
				i = j
			case b[j] == '\n':
				i = j
				space = 0
			case i+2 < len(b) && isHex(b[i+1]) && isHex(b[i+2]):
				out = append(out, hexValue(b[i+1])<<4|hexValue(b[i+2]))
				i += 2
				space = 0
			default:
				out = append(out, c)
				space = 0
			}
		default:
			out = append(out, c)
			space = 0
		}
	}
	return out[:len(out)-space]
}

// decodeBase64 decodes base64 (RFC 2045 section 6.8) as far as it goes.
func decodeBase64(b []byte) []byte {
	out := make([]byte, 0, len(b)/4*3+3)
	var bits uint32
	n := 0
	for _, c := range b {
		v := base64Value(c)
		if v < 0 {
			if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
				continue
			}
			break
		}
		bits = bits<<6 | uint32(v)
		if n += 6; n >= 8 {
			n -= 8
			out = append(out, byte(bits>>n))
		}
	}
	return out
}

func base64Value(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return -1
}
