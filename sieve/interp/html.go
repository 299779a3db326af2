package interp

import (
	"bytes"
	"html"
	"strings"
	"unicode/utf8"

	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
)

// htmlText returns the text of an HTML document as Dovecot takes it out: tags
// are spaces, scripts, styles and comments are gone, entities are characters.
func htmlText(b []byte) []byte {
	out := make([]byte, 0, len(b))
	space := func() {
		if len(out) > 0 && out[len(out)-1] != ' ' {
			out = append(out, ' ')
		}
	}
	for i := 0; i < len(b); {
		switch c := b[i]; c {
		case '<':
			rest := b[i+1:]
			switch {
			case bytes.HasPrefix(rest, []byte("!--")):
				i = skipComment(b, i+4)
			case tagNamed(rest, "script"):
				i = skipElement(b, i+8, "</script>")
				space()
			case tagNamed(rest, "style"):
				i = skipElement(b, i+7, "</style>")
				space()
			case len(rest) >= 8 && strings.EqualFold(string(rest[:8]), "![CDATA["):
				end := bytes.Index(b[i+9:], []byte("]]>"))
				if end < 0 {
					return append(out, b[i+9:]...)
				}
				out = append(out, b[i+9:i+9+end]...)
				i += 9 + end + 3
			default:
				n := skipTag(b, i+1)
				if n < 0 {
					return out
				}
				space()
				i = n
			}
		case '&':
			n := entityEnd(b[i+1:])
			if n < 0 {
				return out
			}
			if n > 0 {
				out = append(out, entity(b[i+1:i+n])...)
				i += n + 1
				continue
			}
			// A broken one loses its ampersand only.
			i++
		default:
			out = append(out, c)
			i++
		}
	}
	return out
}

func isHTMLSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// tagNamed reports whether a tag has the name.
func tagNamed(b []byte, name string) bool {
	return len(b) > len(name) && strings.EqualFold(string(b[:len(name)]), name) && (isHTMLSpace(b[len(name)]) || b[len(name)] == '>')
}

// skipComment returns where the comment ends whose text begins at i.
func skipComment(b []byte, i int) int {
	for ; i+1 < len(b); i++ {
		if b[i] != '-' || b[i+1] != '-' {
			continue
		}
		j := i + 2
		for j < len(b) && isHTMLSpace(b[j]) {
			j++
		}
		if j < len(b) && b[j] == '>' {
			return j + 1
		}
		i = j
	}
	return len(b)
}

// skipElement returns where an element ends.
func skipElement(b []byte, i int, end string) int {
	for ; i < len(b); i++ {
		if b[i] == '<' && len(b)-i >= len(end) && strings.EqualFold(string(b[i:i+len(end)]), end) {
			return i + len(end)
		}
	}
	return len(b)
}

// skipTag returns where the tag ends whose name begins at i, or -1.
func skipTag(b []byte, i int) int {
	quote := byte(0)
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case quote != 0:
			if c == '\\' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return -1
}

// entityEnd returns how many octets, with the ampersand, stand before the
// semicolon: 0 where there is no entity, -1 where the text ends in it.
func entityEnd(b []byte) int {
	for i, c := range b {
		if isHTMLSpace(c) || i >= 10 {
			return 0
		}
		if c == ';' {
			return i + 1
		}
	}
	return -1
}

// entity returns the character that an entity stands for.
func entity(name []byte) string {
	s := "&" + string(name) + ";"
	out := html.UnescapeString(s)
	if out == s {
		out = html.UnescapeString(ascii.Lower(s))
	}
	if strings.HasPrefix(out, "&") && out != "&" || !utf8.ValidString(out) {
		return ""
	}
	return out
}
