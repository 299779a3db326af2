package managesieve

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// syntaxError is the reason of a ProtocolError.
type syntaxError string

// Error is the reason itself.
func (e syntaxError) Error() string { return string(e) }

func syntaxf(format string, args ...any) error { return syntaxError(fmt.Sprintf(format, args...)) }

// reader reads answers. Its errors are syntaxErrors or those of the connection.
type reader struct {
	br     *bufio.Reader
	limits Limits
	line   int // bytes that the line may still have
	text   int // bytes that the strings of the line may still have
}

func newReader(r io.Reader, limits Limits) *reader {
	return &reader{br: bufio.NewReaderSize(r, 4096), limits: limits}
}

// response is an answer's last line.
type response struct {
	status Status
	code   Code
	arg    string
	text   string
	bare   bool // the text was no string: the connection can't be trusted further
}

func (r response) err(command string) error {
	if r.status == OK {
		return nil
	}
	answer := &ResponseError{Command: command, Status: r.status, Code: r.code, Arg: r.arg, Text: r.text}
	if r.bare {
		return finalError{answer}
	}
	return answer
}

// data is a line before the last one: a string, and perhaps a second one or an
// atom.
type data struct {
	first  []byte
	second string
	kind   dataKind
}

type dataKind int

const (
	oneString dataKind = iota
	twoStrings
	stringAtom
)

// answer reads data lines, whose first strings have at most the given size, up
// to the response.
func (r *reader) answer(most int, each func(data) error) (response, error) {
	for {
		r.line, r.text = r.limits.Line, r.limits.Text
		b, err := r.peek()
		if err != nil {
			return response{}, err
		}
		if b != '"' && b != '{' {
			return r.status()
		}
		d, err := r.data(most)
		if err != nil {
			return response{}, err
		}
		if each == nil {
			return response{}, syntaxError("a string where OK, NO or BYE must come")
		}
		if err := each(d); err != nil {
			return response{}, err
		}
	}
}

func (r *reader) data(most int) (data, error) {
	var d data
	var err error
	if d.first, err = r.str(most); err != nil {
		return d, err
	}
	b, err := r.peek()
	if err != nil {
		return d, err
	}
	if b == ' ' {
		if _, err := r.next(); err != nil {
			return d, err
		}
		if b, err = r.peek(); err != nil {
			return d, err
		}
		if b == '"' || b == '{' {
			s, err := r.textString()
			if err != nil {
				return d, err
			}
			d.second, d.kind = s, twoStrings
		} else {
			if d.second, err = r.atom(); err != nil {
				return d, err
			}
			d.kind = stringAtom
		}
	}
	return d, r.crlf()
}

// status reads an OK, NO or BYE with its line end.
func (r *reader) status() (response, error) {
	var resp response
	word, err := r.atom()
	if err != nil {
		return resp, err
	}
	switch s := Status(strings.ToUpper(word)); s {
	case OK, No, Bye:
		resp.status = s
	default:
		return resp, syntaxError("a word where OK, NO or BYE must come")
	}
	seen := false // the text
	for {
		b, err := r.next()
		if err != nil {
			return resp, err
		}
		if b == '\r' {
			return resp, r.want('\n')
		}
		if b != ' ' {
			return resp, syntaxf("byte %#02x after %s", b, resp.status)
		}
		if b, err = r.peek(); err != nil {
			return resp, err
		}
		switch {
		case b == '(' && resp.code == "" && !seen:
			err = r.code(&resp)
		case (b == '"' || b == '{') && !seen:
			seen = true
			resp.text, err = r.textString()
		case !seen && resp.status != OK && b != '(':
			resp.text, err = r.bare()
			resp.bare = true
			return resp, err
		default:
			err = syntaxf("byte %#02x after %s", b, resp.status)
		}
		if err != nil {
			return resp, err
		}
	}
}

// code reads a response code in its parentheses.
func (r *reader) code(resp *response) error {
	if err := r.want('('); err != nil {
		return err
	}
	name, err := r.atom()
	if err != nil {
		return err
	}
	resp.code = Code(strings.ToUpper(name))
	first := true
	return r.items(0, func(s string) {
		if first {
			resp.arg = s
		}
		first = false
	})
}

// items reads the rest of a parenthesis: the extension-data of RFC 5804 section
// 4, strings, numbers and parentheses.
func (r *reader) items(depth int, each func(string)) error {
	if depth > r.limits.Nesting {
		return syntaxf("response code nested deeper than %d", r.limits.Nesting)
	}
	for {
		b, err := r.next()
		if err != nil {
			return err
		}
		if b == ')' {
			return nil
		}
		if b != ' ' {
			return syntaxf("byte %#02x in a response code", b)
		}
		if b, err = r.peek(); err != nil {
			return err
		}
		if err := r.item(b, depth, each); err != nil {
			return err
		}
	}
}

// item reads one of the items, which begins with b.
func (r *reader) item(b byte, depth int, each func(string)) error {
	switch b {
	case '"', '{':
		s, err := r.textString()
		if err != nil {
			return err
		}
		each(s)
	case '(':
		if err := r.want('('); err != nil {
			return err
		}
		return r.nested(depth+1, each)
	default:
		s, err := r.atom()
		if err != nil {
			return err
		}
		each(s)
	}
	return nil
}

// nested reads an inner parenthesis, which starts without a space and may be
// empty.
func (r *reader) nested(depth int, each func(string)) error {
	if depth > r.limits.Nesting {
		return syntaxf("response code nested deeper than %d", r.limits.Nesting)
	}
	b, err := r.peek()
	if err != nil {
		return err
	}
	if b != ')' {
		if err := r.item(b, depth, each); err != nil {
			return err
		}
	}
	return r.items(depth, each)
}

// bare reads the rest of a line as text: Cyrus says "NO Fatal error: ...", without
// quotes, before it closes the connection.
func (r *reader) bare() (string, error) {
	var s []byte
	for {
		b, err := r.next()
		if err != nil {
			return "", err
		}
		if b == '\n' {
			return strings.ToValidUTF8(strings.TrimSuffix(string(s), "\r"), "\ufffd"), nil
		}
		if len(s) == r.text {
			return "", syntaxf("a text longer than %d bytes", r.limits.Text)
		}
		s = append(s, b)
	}
}

// textString reads a string that is text for people or for a response code. It
// should be UTF-8; what isn't (Cyrus repeats octets of a script) must not hide
// the answer.
func (r *reader) textString() (string, error) {
	s, err := r.str(r.text)
	if err != nil {
		return "", err
	}
	r.text -= len(s)
	return strings.ToValidUTF8(string(s), "\ufffd"), nil
}

// str reads a quoted string or a literal of at most the given size. A literal may
// have the "+" of the other direction, which means nothing here.
func (r *reader) str(most int) ([]byte, error) {
	b, err := r.next()
	if err != nil {
		return nil, err
	}
	switch b {
	case '"':
		return r.quoted(most)
	case '{':
		return r.literal(most)
	}
	return nil, syntaxf("byte %#02x where a string must come", b)
}

func (r *reader) quoted(most int) ([]byte, error) {
	s := []byte{}
	for {
		b, err := r.next()
		if err != nil {
			return nil, err
		}
		switch b {
		case '"':
			return s, nil
		case '\\':
			if b, err = r.next(); err != nil {
				return nil, err
			}
			if b != '"' && b != '\\' {
				return nil, syntaxf("byte %#02x behind a backslash", b)
			}
		case 0, '\r', '\n':
			return nil, syntaxf("byte %#02x in a quoted string", b)
		}
		if len(s) == most {
			return nil, syntaxf("a string longer than %d bytes", most)
		}
		s = append(s, b)
	}
}

func (r *reader) literal(most int) ([]byte, error) {
	size, digits := int64(0), 0
	for {
		b, err := r.next()
		if err != nil {
			return nil, err
		}
		if b >= '0' && b <= '9' && digits < 10 {
			size = size*10 + int64(b-'0')
			digits++
			continue
		}
		if b == '+' && digits > 0 {
			if b, err = r.next(); err != nil {
				return nil, err
			}
		}
		if b != '}' || digits == 0 {
			return nil, syntaxf("byte %#02x in the size of a literal", b)
		}
		break
	}
	if err := r.crlf(); err != nil {
		return nil, err
	}
	if size > int64(most) {
		return nil, syntaxf("a literal of %d bytes, more than %d", size, most)
	}
	// The buffer grows with what comes, not with what was announced.
	var s bytes.Buffer
	if _, err := io.CopyN(&s, r.br, size); err != nil {
		return nil, unexpected(err)
	}
	if size == 0 {
		return []byte{}, nil
	}
	return s.Bytes(), nil
}

// atom reads a word (RFC 5804 section 4, ATOM-CHAR).
func (r *reader) atom() (string, error) {
	var s []byte
	for {
		b, err := r.peek()
		if err != nil {
			return "", err
		}
		if b <= ' ' || b >= 0x7f || strings.IndexByte(`(){"\`, b) >= 0 {
			if len(s) == 0 {
				return "", syntaxf("byte %#02x where a word must come", b)
			}
			return string(s), nil
		}
		if _, err := r.next(); err != nil {
			return "", err
		}
		s = append(s, b)
	}
}

func (r *reader) crlf() error {
	if err := r.want('\r'); err != nil {
		return err
	}
	return r.want('\n')
}

func (r *reader) want(w byte) error {
	b, err := r.next()
	if err != nil {
		return err
	}
	if b != w {
		return syntaxf("byte %#02x where %#02x must come", b, w)
	}
	return nil
}

func (r *reader) peek() (byte, error) {
	b, err := r.br.Peek(1)
	if err != nil {
		return 0, unexpected(err)
	}
	return b[0], nil
}

func (r *reader) next() (byte, error) {
	if r.line == 0 {
		return 0, syntaxf("a line longer than %d bytes", r.limits.Line)
	}
	r.line--
	b, err := r.br.ReadByte()
	return b, unexpected(err)
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
