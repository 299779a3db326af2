package headers

import "bytes"

// Class says which of Postfix's tables looks at a field (header_checks(5)).
type Class uint8

// The classes.
const (
	Primary Class = iota // header_checks: the message's own header, MIME fields apart
	MIME                 // mime_header_checks: MIME fields anywhere, all fields of a part
	Nested               // nested_header_checks: the header of an attached message, MIME fields apart
)

// String names the parameter of postconf(5).
func (c Class) String() string {
	switch c {
	case Primary:
		return "header_checks"
	case MIME:
		return "mime_header_checks"
	}
	return "nested_header_checks"
}

// IsMIME reports whether cleanup(8) shows a field of that name to
// mime_header_checks instead of header_checks, at the top level too:
// MIME-Version and five of RFC 2045's and RFC 2183's Content- fields.
// Content-Language, Content-Location, Content-MD5 and Content-Length aren't
// among them.
func IsMIME(name []byte) bool {
	if len(name) < len("content-id") {
		return false
	}
	switch name[0] | 0x20 {
	case 'm':
		return equalFold(name, "mime-version")
	case 'c':
		return equalFold(name, "content-type") ||
			equalFold(name, "content-transfer-encoding") ||
			equalFold(name, "content-disposition") ||
			equalFold(name, "content-id") ||
			equalFold(name, "content-description")
	}
	return false
}

// Postfix's limits on MIME, as they are by default (postconf(5)).
const (
	mimeNestingLimit  = 102  // mime_nesting_limit is 100 but counts from the third
	mimeBoundaryLimit = 2048 // mime_boundary_length_limit
)

// Walk visits the fields of a message in the order in which cleanup(8) of
// Postfix 3.7.11 looks them up: those of the header section, then those of
// every part's header at any depth, attached messages included. fields and
// body are what [Scan] returns for [HeaderChecks]. Walk ends early where yield
// returns false.
//
// It follows Postfix and not RFC 2046 where they differ, because a program
// that asks for a part Postfix doesn't see, or misses one that it does, says
// the wrong thing of its rules: MIME-Version isn't needed, transfer encodings
// aren't decoded, a multipart needs no end, an inner boundary may be missing,
// anything may follow a boundary on its line, several boundaries in one field
// all count, and message/partial and message/external-body aren't entered.
// go-message, for one, stops with an error at a field without a colon and at a
// multipart without its boundary, where Postfix goes on.
//
// Postfix refuses a message with more than 102 multiparts in one another (550
// 5.6.0 "MIME nesting exceeds safety limit") while any of the three tables is
// set; Walk doesn't tell, and sees no parts below the 102nd.
func Walk(fields Section, body []byte, yield func(c Class, f Field) bool) {
	if yield == nil {
		return
	}
	w := walker{kind: kindText}
	for _, f := range fields {
		if !yield(w.field(f, Primary), f) {
			return
		}
	}
	in, inHeader := w.endHeader()
	// torn: the header begins in the middle of a line, behind a boundary that
	// fills a record of 2048 octets.
	torn := false
	for pos := 0; pos < len(body); {
		line := body[pos:]
		if inHeader {
			if f, n := readField(line); n > 0 {
				pos, torn = pos+n, false
				if !yield(w.field(f, in), f) {
					return
				}
				continue
			}
			inHeader = false
			if n := blankLine(line); n > 0 {
				in, inHeader = w.endHeader()
				pos, torn = pos+n, false
				// The empty line may be one that begins a nested message.
				continue
			}
		}
		if len(w.stack) == 0 {
			return // nothing can begin a header any more
		}
		if !torn && bytes.HasPrefix(line, []byte("--")) {
			record, n, whole := nextRecord(line, lineLengthLimit)
			// With an empty boundary "--" alone is none yet.
			if len(record) > 2 && w.boundary(record[2:]) {
				in, inHeader, torn = MIME, true, !whole
				pos += n
			} else {
				pos += lineEnd(line)
			}
			continue
		}
		torn = false
		// On to the next line that can be a boundary.
		i := bytes.Index(line, []byte("\n--"))
		if i < 0 {
			return
		}
		pos += i + 1
	}
}

// readField reads the field at the start of b, or returns 0.
func readField(b []byte) (f Field, n int) {
	name := 0
	for name < len(b) && nameOctet(b[name]) {
		name++
	}
	colon := name
	for colon < len(b) && (b[colon] == ' ' || b[colon] == '\t' || b[colon] == '\r') {
		colon++
	}
	if name == 0 || colon == len(b) || b[colon] != ':' || colon >= lineLengthLimit {
		return f, 0
	}
	n = fieldEnd(b, colon+1)
	return Field{Name: b[:name], Body: trimLineEnd(b[colon+1 : n])}, n
}

// kind is a media type, as far as it decides how a body is read.
type kind uint8

const (
	kindText kind = iota
	kindMultipart
	kindMessage // message/rfc822, message/global
	kindOther
)

// walker is Postfix's state between two lines.
type walker struct {
	kind  kind // of the header being read
	stack []boundary
	buf   []byte
}

type boundary struct {
	text   []byte
	digest bool // its parts are message/rfc822 unless they say otherwise
}

// field takes notice of a field and returns its class; in is the header's.
func (w *walker) field(f Field, in Class) Class {
	if !IsMIME(f.Name) {
		return in
	}
	if equalFold(f.Name, "content-type") {
		w.contentType(f)
	}
	return MIME
}

// endHeader ends a header at an empty line, and returns whether another one
// begins.
func (w *walker) endHeader() (in Class, inHeader bool) {
	if w.kind != kindMessage {
		return Primary, false
	}
	w.kind = kindText
	return Nested, true
}

// boundary reads the rest of a line that begins with "--", and reports whether
// a part begins.
func (w *walker) boundary(line []byte) bool {
	for i := len(w.stack) - 1; i >= 0; i-- {
		b := w.stack[i]
		rest, ok := cutRecordPrefix(line, b.text)
		if !ok {
			continue
		}
		if bytes.HasPrefix(rest, []byte("--")) {
			w.stack = w.stack[:i]
			return false
		}
		w.stack = w.stack[:i+1]
		w.kind = kindText
		if b.digest {
			w.kind = kindMessage
		}
		return true
	}
	return false
}

// cutRecordPrefix is bytes.CutPrefix on a record as cleanup sees it, with
// spaces for CRs. A NUL matches nothing.
func cutRecordPrefix(record, prefix []byte) (rest []byte, ok bool) {
	if len(record) < len(prefix) {
		return nil, false
	}
	for i, c := range prefix {
		r := record[i]
		if r == '\r' {
			r = ' '
		}
		if r != c {
			return nil, false
		}
	}
	return record[len(prefix):], true
}

// contentType reads a Content-Type field. A type it doesn't know leaves the
// kind as it was, which shows in a digest: there the part stays a message.
func (w *walker) contentType(f Field) {
	w.buf = appendRecords(w.buf[:0], f.Body, len(f.Name)+1)
	t := tokenizer{rest: w.buf}
	tokens, n := t.next()
	if n <= 0 {
		w.kind = kindOther
		return
	}
	subtype := func(name string) bool {
		return n >= 3 && tokens[1].kind == '/' && tokens[2].is(name)
	}
	switch {
	case tokens[0].is("text"):
		w.kind = kindText
	case tokens[0].is("message"):
		w.kind = kindOther
		if subtype("rfc822") || subtype("global") {
			w.kind = kindMessage
		}
	case tokens[0].is("multipart"):
		w.kind = kindMultipart
		digest := subtype("digest")
		for {
			tokens, n = t.next()
			if n < 0 {
				break
			}
			if n >= 3 && tokens[0].is("boundary") && tokens[1].kind == '=' && len(w.stack) < mimeNestingLimit {
				text := tokens[2].text
				if len(text) > mimeBoundaryLimit {
					text = text[:mimeBoundaryLimit]
				}
				w.stack = append(w.stack, boundary{bytes.Clone(text), digest})
			}
		}
	}
}
