package headers

import (
	"bytes"
	"io"
	"strings"

	"github.com/emersion/go-message/textproto"
)

// sieveMaxDepth ends the walk into nested parts, as Dovecot's parser does.
const sieveMaxDepth = 100

// matchSieve is "header :mime :contenttype :is" (RFC 5703 section 4.1), with
// ":anychild" unless top is set, as Pigeonhole 0.5.19 evaluates it.
func (n *contentTypeNode) matchSieve(m mail) bool {
	w := sieveWalker{want: n}
	if n.top {
		w.own(m.fields)
	} else {
		w.entity(m.fields, m.body, false, 0)
	}
	return w.found
}

// sieveWalker walks over the parts of a message. Their boundaries are
// go-message's, which reads well-formed multiparts as Dovecot does; from a
// part with a line in its header that is no field on, it sees nothing, while
// Dovecot goes on.
type sieveWalker struct {
	want  *contentTypeNode
	found bool
}

// own looks at the Content-Type fields of one header.
func (w *sieveWalker) own(fields Section) {
	for _, f := range fields {
		if equalFold(f.Name, "content-type") && w.want.isSieve(f) {
			w.found = true
		}
	}
}

// entity looks at a message or part and, if that didn't match, into it. It
// reports whether to go on: Pigeonhole ends its search at a part whose header
// is empty, whatever comes after it.
func (w *sieveWalker) entity(fields Section, body []byte, digest bool, depth int) bool {
	w.own(fields)
	if w.found || len(fields) == 0 && depth > 0 || depth > sieveMaxDepth {
		return false
	}
	var mediaType, boundary string
	for _, f := range fields {
		if equalFold(f.Name, "content-type") {
			value := Value(nil, f)
			mediaType = sieveMediaType(value)
			boundary, _ = sieveParam(value, "boundary")
			break
		}
	}
	if mediaType == "" && digest {
		mediaType = "message/rfc822"
	}
	if mediaType == "message/rfc822" {
		// The body is read as it stands, a transfer encoding hides it.
		inner, rest := Scan(nil, body, Sieve)
		return w.entity(inner, rest, false, depth+1)
	}
	if !strings.HasPrefix(mediaType, "multipart/") || boundary == "" {
		return true
	}
	parts := textproto.NewMultipartReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextPart()
		if err != nil {
			return true
		}
		var header Section
		for f := part.Header.Fields(); f.Next(); {
			if raw, err := f.Raw(); err == nil {
				header, _ = Scan(header, raw, Sieve)
			}
		}
		// A part without an end is read as far as it goes.
		inner, _ := io.ReadAll(part)
		if !w.entity(header, inner, mediaType == "multipart/digest", depth+1) {
			return false
		}
	}
}

// isSieve reports whether the Content-Type field has one of the types, and the
// parameter if one is asked for.
func (n *contentTypeNode) isSieve(f Field) bool {
	value := Value(nil, f)
	mediaType := sieveMediaType(value)
	for _, t := range n.types {
		if mediaType != t {
			continue
		}
		if n.param == "" {
			return true
		}
		if _, ok := sieveParam(value, n.param); ok {
			return true
		}
	}
	return false
}

// sieveMediaType returns the type and subtype in lower case. Comments may
// stand anywhere; anything but a semicolon behind the subtype spoils it.
func sieveMediaType(value []byte) string {
	t := tokenizer{rest: value}
	tokens, n := t.next()
	if n != 3 || tokens[0].kind != tokenWord || tokens[1].kind != '/' || tokens[2].kind != tokenWord {
		return ""
	}
	return lowerString(string(tokens[0].text) + "/" + string(tokens[2].text))
}

// sieveParam returns the value of the first parameter of that name, which is
// in lower case.
func sieveParam(value []byte, name string) (string, bool) {
	t := tokenizer{rest: value}
	for tokens, n := t.next(); n >= 0; tokens, n = t.next() {
		if n >= 2 && tokens[0].is(name) && tokens[1].kind == '=' {
			return string(tokens[2].text), true
		}
	}
	return "", false
}
