package postfix

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// Entry is one row of a look-up table.
type Entry struct {
	Key   string
	Value string
	// Comment is written above the row as comment lines, one for each line.
	Comment string
	// Rule says where the row comes from, for traces. It is not printed.
	Rule string
	// Line is the first physical line of the row where it was read from a
	// file, 0 in a table that was built. It is not printed.
	Line int
}

// Table is the source text of a hash:, btree:, lmdb:, cdb: or texthash: table,
// in the order of its file (postmap(1)). Its look-ups are those of
// [Table.Index].
type Table []Entry

// Format returns the text that postmap(1) makes the table of: a row is the
// key, a tab and the value. Everything that postmap would read differently, or
// warn of, is an error; the error is [Errors], all at once, and names rows as
// "[3].Key": keys or values that are empty, that hold control characters or
// text that isn't UTF-8, keys with white space outside double quotes, keys that
// start with "#" or end in ":" (taken for aliases(5) by postmap), values with
// white space around them, and a key that is there already in any case.
func (t Table) Format() ([]byte, error) {
	var errs Errors
	fail := func(i int, field string, kind error, format string, args ...any) {
		errs = append(errs, &Error{
			Position: Position{Path: fmt.Sprintf("[%d].%s", i, field)},
			Err:      fault.New(kind, fmt.Sprintf(format, args...)),
		})
	}
	size := 0
	for i := range t {
		e := &t[i]
		size += len(e.Key) + len(e.Value) + 2
		if e.Comment != "" {
			size += len(e.Comment) + 8
			if why := badComment(e.Comment); why != "" {
				fail(i, "Comment", ErrIllegal, "%q: %s", e.Comment, why)
			}
		}
		if why := badKey(e.Key); why != "" {
			fail(i, "Key", ErrIllegal, "%q: %s", e.Key, why)
		}
		if why := badText(e.Value); why != "" {
			fail(i, "Value", ErrIllegal, "%q: %s", e.Value, why)
		}
	}
	if len(errs) == 0 {
		h := newHashed(t)
		for i := range t {
			if first, dup := h.insert(i); dup {
				fail(i, "Key", ErrDuplicate, "%q is the key of [%d] already, and postmap keeps the first", t[i].Key, first)
			}
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	var b bytes.Buffer
	b.Grow(size)
	for i := range t {
		writeComment(&b, t[i].Comment)
		b.WriteString(t[i].Key)
		b.WriteByte('\t')
		b.WriteString(t[i].Value)
		b.WriteByte('\n')
	}
	return b.Bytes(), nil
}

// writeComment writes each line of text as a comment line.
func writeComment(b *bytes.Buffer, text string) {
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteByte('#')
		if line != "" {
			b.WriteByte(' ')
			b.WriteString(line)
		}
		b.WriteByte('\n')
	}
}

// commentLines is the number of lines that writeComment writes.
func commentLines(text string) int {
	if text == "" {
		return 0
	}
	return 1 + strings.Count(text, "\n")
}

// badComment says why text can't be written as comment lines.
func badComment(text string) string {
	if !utf8.ValidString(text) {
		return "is not UTF-8"
	}
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
			return "holds a control character"
		}
	}
	return ""
}

// badText says why text can't stand as a value that reaches to the end of a
// line.
func badText(text string) string {
	if text == "" {
		return "is empty"
	}
	ascii := true
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c < ' ' && c != '\t' || c == 0x7f:
			return "holds a control character"
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	if !ascii && !utf8.ValidString(text) {
		return "is not UTF-8"
	}
	if isSpace(text[0]) || isSpace(text[len(text)-1]) {
		return "begins or ends with white space, which is lost"
	}
	return ""
}

// badKey says why text can't be a key.
func badKey(key string) string {
	if why := badText(key); why != "" {
		return why
	}
	if key[0] == '#' {
		return "starts a comment"
	}
	if key[len(key)-1] == ':' {
		return `ends in ":", which postmap takes for an aliases(5) file`
	}
	switch n, balanced := keyLength(key); {
	case !balanced:
		return "has a double quote that isn't closed"
	case n != len(key):
		return "holds white space outside double quotes"
	}
	// A backslash at the end would take the separator into the key.
	if (len(key)-len(strings.TrimRight(key, `\`)))%2 == 1 {
		return "ends in a backslash, which quotes what follows"
	}
	return ""
}

// keyLength is the length of the key that text begins with: up to the first
// white space that neither double quotes nor a backslash protect.
func keyLength[T string | []byte](text T) (n int, balanced bool) {
	quoted := false
	for n = 0; n < len(text); n++ {
		switch c := text[n]; {
		case c == '\\':
			n++
			if n == len(text) {
				return n, !quoted
			}
		case c == '"':
			quoted = !quoted
		case isSpace(c) && !quoted:
			return n, true
		}
	}
	return n, !quoted
}

// ParseTable reads the source text of a hash:, lmdb: or texthash: table the way
// postmap(1) of Postfix 3.7 does with smtputf8_enable = yes: the rows it would
// store, duplicates included (the first one counts, see [Table.Index]), and
// what it would warn of. It never fails, as postmap doesn't. Keys are as
// written; look-ups fold them to lower case.
func ParseTable(name string, src []byte) (Table, []Warning) {
	var t Table
	var warnings []Warning
	s := lineScanner{src: src}
	for s.next() {
		warn := func(text string) {
			warnings = append(warnings, Warning{Position: Position{File: name, Line: s.first()}, Text: text})
		}
		if s.indented() {
			warn(indentedText)
			continue
		}
		text := cstring(s.text)
		// The check looks at the whole line, what follows a NUL included.
		if !utf8.Valid(s.text) && !isASCII(text) {
			warn("not UTF-8: the line is ignored")
			continue
		}
		n, balanced := keyLength(text)
		if !balanced {
			warn("unbalanced '\"': the line is ignored")
			continue
		}
		key, value := text[:n], bytes.Trim(text[n:], " \t\n\v\f\r")
		if len(key) == 0 || len(value) == 0 {
			warn("expected format: key whitespace value: the line is ignored")
			continue
		}
		if key[len(key)-1] == ':' {
			warn(`record is in "key: value" format; is this an alias file?`)
		}
		t = append(t, Entry{Key: string(key), Value: string(value), Line: s.first()})
	}
	h := newHashed(t)
	for i := range t {
		if first, dup := h.insert(i); dup {
			warnings = append(warnings, Warning{Position: Position{File: name, Line: t[i].Line},
				Text: fmt.Sprintf("duplicate entry %q: the one in line %d counts", t[i].Key, t[first].Line)})
		}
	}
	slices.SortStableFunc(warnings, func(a, b Warning) int { return a.Line - b.Line })
	return t, warnings
}

func isASCII(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
