package headers

// token is a piece of a structured field body as Postfix reads it.
type token struct {
	kind byte // tokenWord, tokenQuoted, or a special or control character
	text []byte
}

const (
	tokenWord   byte = 'w'
	tokenQuoted byte = 'q'
)

// is reports whether the token is the word, which is in lower case.
func (t token) is(word string) bool { return t.kind == tokenWord && equalFold(t.text, word) }

// tokenizer reads a Content-Type body, parameter by parameter: RFC 822 white
// space, comments and quoted strings, RFC 2045 tspecials. It forgives
// everything, as Postfix does.
type tokenizer struct{ rest []byte }

// next returns the first tokens up to the next semicolon, and how many there
// are (of which the fourth stands for all further ones), or -1 where nothing
// is left.
func (t *tokenizer) next() (tokens [4]token, n int) {
	b := t.rest
	i := 0
	add := func(k token) {
		if n < len(tokens) {
			tokens[n] = k
			n++
		}
	}
	for i < len(b) {
		c := b[i]
		i++
		switch {
		case isBlank(c):
		case c == ';':
			t.rest = b[i:]
			return tokens, n
		case c == '(':
			i = skipComment(b, i)
		case c == '"':
			var text []byte
			text, i = quoted(b, i)
			add(token{tokenQuoted, text})
		case isSpecial(c):
			add(token{c, b[i-1 : i]})
		default:
			start := i - 1
			for i < len(b) && !isBlank(b[i]) && !isSpecial(b[i]) {
				i++
			}
			add(token{tokenWord, b[start:i]})
		}
	}
	t.rest = nil
	if n == 0 {
		return tokens, -1
	}
	return tokens, n
}

// skipComment returns where the comment that began before b[i] ends.
func skipComment(b []byte, i int) int {
	depth := 1
	for i < len(b) {
		c := b[i]
		i++
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		case '\\':
			i = min(i+1, len(b))
		}
	}
	return i
}

// quoted returns the text of the quoted string that began before b[i], without
// folds, and where it ends.
func quoted(b []byte, i int) (text []byte, end int) {
	for i < len(b) {
		c := b[i]
		i++
		if c == '"' {
			break
		}
		if c == '\n' {
			for len(text) > 0 && isBlank(text[len(text)-1]) {
				text = text[:len(text)-1]
			}
			continue
		}
		if c == '\\' {
			if i == len(b) {
				break
			}
			c = b[i]
			i++
		}
		text = append(text, c)
	}
	return text, i
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// isSpecial reports whether the octet is one of RFC 2045's tspecials or a
// control character.
func isSpecial(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '@', ',', ';', ':', '\\', '"', '/', '[', ']', '?', '=':
		return true
	}
	return c < ' ' || c == 0x7f
}
