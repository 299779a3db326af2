package interp

import (
	"bytes"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
)

// protectedField reports the fields that editheader leaves as they are: a change
// of one is skipped (RFC 5293 section 6). Received and Auto-Submitted can be
// added, but not removed; the mark of the loop guard of redirect neither.
func protectedField(name string, remove bool) bool {
	switch ascii.Lower(name) {
	case "received", "auto-submitted":
		return remove
	case "x-sieve-redirected-from":
		return true
	}
	return false
}

// addedField is a field that a script has added. The tests of its value see the
// text that the script gave, not what decoding the field would give.
type addedField struct {
	field headers.Field
	value []byte
}

// newField makes a field as the server writes it into the message: encoded and
// folded.
func (r *run) newField(name, value string) headers.Field {
	var w mailWriter
	w.encoded(name, value)
	body := []byte(strings.TrimSuffix(w.String()[len(name)+1:], "\r\n"))
	f := headers.Field{Name: []byte(name), Body: body}
	r.added = append(r.added, addedField{f, unfoldedText(value)})
	return f
}

// unfoldedText is a text of a script on one line. Where a line doesn't begin
// with white space, the server loses its first octet.
func unfoldedText(s string) []byte {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\r':
		case '\n':
			if i++; i == len(s) {
				break
			}
			if s[i] == ' ' {
				b = append(b, ' ')
			} else {
				b = append(b, '\t')
			}
		default:
			b = append(b, s[i])
		}
	}
	return bytes.Trim(b, " \t")
}

// addedValue returns the value of a field that a script has added.
func (r *run) addedValue(f headers.Field) ([]byte, bool) {
	if len(f.Body) == 0 {
		return nil, false
	}
	first := &f.Body[0]
	for i := range r.added {
		if a := &r.added[i]; first == &a.field.Body[0] {
			return a.value, true
		}
	}
	return nil, false
}

// canonicalName is a field's name as Pigeonhole writes it.
func canonicalName(name string) string {
	b := []byte(ascii.Lower(name))
	for i := range b {
		if (i == 0 || b[i-1] == '-') && 'a' <= b[i] && b[i] <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}

// resize adds to the size of the message what a new header has more than the
// one that is there, or less. The server adds fields with the line ends of the
// message, and holds it with CRLF where the size counts more than the octets do.
func (r *run) resize(added, removed headers.Section) {
	// measure returns the octets of a header with LF, and its lines.
	measure := func(list headers.Section) (octets, lines int64) {
		for _, f := range list {
			octets += int64(len(f.Name) + len(":\n") + len(f.Body) - bytes.Count(f.Body, []byte("\r\n")))
			lines += int64(1 + bytes.Count(f.Body, []byte("\n")))
		}
		return octets, lines
	}
	size := int64(r.size())
	if r.edits == 0 {
		r.headOctets, r.headLines = measure(r.in.Header)
	}
	more, moreLines := measure(added)
	less, lessLines := measure(removed)
	if rest := size - r.headOctets - int64(len(r.in.Body)); rest > 1 && rest >= r.headLines {
		size += moreLines - lessLines
	}
	r.in.Size = size + more - less
	r.headOctets += more - less
	r.headLines += moreLines - lessLines
}

// edit replaces the header by one with some fields added and removed, and
// records the actions.
func (r *run) edit(in *instruction, next, added, removed headers.Section, acts ...Action) {
	r.spend(costHeader * len(next))
	if r.failed != nil {
		return
	}
	body := r.body()
	if r.edits == 0 {
		r.original = r.header()
	}
	r.resize(added, removed)
	r.in.Header, r.in.Body = next, body
	r.edits++
	r.parts, r.raw = nil, value{}
	for _, act := range acts {
		r.actions = append(r.actions, performed{instruction: &instruction{kind: opEdit, step: in.step, act: act}})
	}
	r.index(&r.program.fields)
}
