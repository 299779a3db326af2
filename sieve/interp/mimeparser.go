package interp

import (
	"bytes"
	"slices"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
)

// The limits of Dovecot's parser.
const (
	maxMIMEDepth = 100
	maxMIMEParts = 10000
)

// mimePart is the message or a part of it. The parts are found by a walk of this
// package's own: go-message gives up at a line that is no field and at a broken
// parameter, and doesn't look into attached messages, where the server goes on
// (TestStructure has the cases); it serves for charsets.
type mimePart struct {
	parent   *mimePart
	header   headers.Section
	rawHead  []byte // the header as it stands
	body     []byte // as it stands; of a multipart what is before its parts
	hasBody  bool   // there is an empty line behind the header
	epilogue bool   // what is behind the parts of a multipart
	children int
	depth    int

	kept []entry // what tests have read of the header

	nested      bool   // the body is a message
	mediaType   string // as written; "" where it is broken
	charset     string
	encoding    string
	decodedText *value
	plainText   *value
}

// mimeParser splits a message into its parts, in one pass.
type mimeParser struct {
	raw        []byte
	pos        int
	boundaries [][]byte
	parts      []*mimePart // in the order of the message
	// spend says what was looked at besides the octets; it reports false where
	// that is too much.
	spend func(n int) bool
}

// mimeParts returns the parts of the message, the message itself first.
func (r *run) mimeParts() []*mimePart {
	if r.parts == nil {
		p := mimeParser{raw: r.body(), spend: func(n int) bool {
			r.spend(n)
			return r.failed == nil
		}}
		root := &mimePart{header: r.header(), hasBody: r.in.Raw == nil || r.hasBody()}
		r.spend(costMIME * len(p.raw))
		p.body(root)
		r.parts = p.parts
	}
	return r.parts
}

// hasBody reports whether an empty line ends the header of the message.
func (r *run) hasBody() bool {
	head := r.in.Raw[:len(r.in.Raw)-len(r.in.Body)]
	return bytes.HasSuffix(head, []byte("\n\n")) || bytes.HasSuffix(head, []byte("\n\r\n")) ||
		string(head) == "\n" || string(head) == "\r\n"
}

// describe reads the fields that say how to read the body.
func (p *mimePart) describe(digest bool, spend func(n int) bool) (boundary []byte) {
	// The tests take a part without a type for text, in a digest too.
	p.mediaType, p.nested = "text/plain", digest
	typed, multipart := false, false
	for _, f := range p.header {
		switch {
		case equalFold(f.Name, "content-type"):
			if !p.afford(spend, f) {
				return nil
			}
			v := headers.Value(nil, f)
			p.mediaType = mediaType(v)
			list := parameters(v)
			for _, param := range list {
				if foldEqual(param.name, "charset") {
					p.charset = param.value
				}
			}
			if typed {
				continue
			}
			// The first field and the first boundary in it say what parts
			// there are.
			typed = true
			p.nested = foldEqual(p.mediaType, "message/rfc822")
			multipart = hasPrefixFold(p.mediaType, "multipart/")
			if i := slices.IndexFunc(list, func(param parameter) bool { return foldEqual(param.name, "boundary") }); i >= 0 {
				boundary = []byte(list[i].value)
			}
		case equalFold(f.Name, "content-transfer-encoding"):
			if !p.afford(spend, f) {
				return nil
			}
			if p.encoding = ascii.Lower(encodingToken(headers.Value(nil, f))); p.encoding == "" {
				p.encoding = "?"
			}
		}
	}
	if !multipart {
		return nil
	}
	return boundary
}

// afford reports whether there are steps left to read a field.
func (p *mimePart) afford(spend func(n int) bool, f headers.Field) bool {
	return spend((costDecode + costAlloc) * len(f.Body))
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && foldEqual(s[:len(prefix)], prefix)
}

// hit is the boundary that ended a piece of text.
type hit struct {
	level int // in boundaries; -1 at the end of the message
	last  bool
}

// boundary reports which boundary line stands at the position.
func (p *mimeParser) boundary(pos int) (hit, bool) {
	line := p.raw[pos:]
	if len(line) < 3 || line[0] != '-' || line[1] != '-' {
		return hit{}, false
	}
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	if !p.spend(costBoundary * len(p.boundaries)) {
		return hit{}, false
	}
	for i := len(p.boundaries) - 1; i >= 0; i-- {
		if bytes.HasPrefix(line[2:], p.boundaries[i]) {
			return hit{i, bytes.HasPrefix(line[2+len(p.boundaries[i]):], []byte("--"))}, true
		}
	}
	return hit{}, false
}

// text returns the text up to the next boundary, and moves behind that.
func (p *mimeParser) text() ([]byte, hit) {
	start := p.pos
	at := start
	if len(p.boundaries) == 0 {
		p.pos = len(p.raw)
		return p.raw[start:], hit{level: -1}
	}
	for {
		if h, ok := p.boundary(at); ok {
			end := at
			if end > start && p.raw[end-1] == '\n' {
				end--
				if end > start && p.raw[end-1] == '\r' {
					end--
				}
			}
			p.skipLine(at)
			return p.raw[start:end], h
		}
		i := bytes.Index(p.raw[at:], []byte("\n--"))
		if i < 0 {
			p.pos = len(p.raw)
			return p.raw[start:], hit{level: -1}
		}
		at += i + 1
	}
}

func (p *mimeParser) skipLine(at int) {
	if i := bytes.IndexByte(p.raw[at:], '\n'); i >= 0 {
		p.pos = at + i + 1
	} else {
		p.pos = len(p.raw)
	}
}

// head reads the header of a part. It can end at a boundary.
func (p *mimeParser) head(part *mimePart) (hit, bool) {
	start := p.pos
	end := func() { part.rawHead = p.raw[start:p.pos] }
	for p.pos < len(p.raw) {
		if h, ok := p.boundary(p.pos); ok {
			end()
			part.header, _ = headers.Scan(nil, part.rawHead, headers.Sieve)
			p.skipLine(p.pos)
			return h, true
		}
		line := p.raw[p.pos:]
		if line[0] == '\n' || line[0] == '\r' && len(line) > 1 && line[1] == '\n' {
			end()
			p.skipLine(p.pos)
			part.hasBody = true
			part.header, _ = headers.Scan(nil, part.rawHead, headers.Sieve)
			return hit{}, false
		}
		p.skipLine(p.pos)
	}
	end()
	part.header, _ = headers.Scan(nil, part.rawHead, headers.Sieve)
	return hit{level: -1}, false
}

// entity reads a part with its header.
func (p *mimeParser) entity(parent *mimePart, digest bool) hit {
	part := &mimePart{parent: parent, depth: parent.depth + 1}
	p.spend(costPart)
	parent.children++
	if h, ended := p.head(part); ended {
		part.describe(digest, p.spend)
		p.parts = append(p.parts, part)
		return h
	}
	return p.read(part, digest)
}

func (p *mimeParser) body(root *mimePart) { p.read(root, false) }

// read reads the body of a part.
func (p *mimeParser) read(part *mimePart, digest bool) hit {
	boundary := part.describe(digest, p.spend)
	p.parts = append(p.parts, part)
	deep := part.depth >= maxMIMEDepth || len(p.parts) >= maxMIMEParts
	if part.nested && !deep {
		return p.entity(part, false)
	}
	if boundary == nil || deep {
		var h hit
		part.body, h = p.text()
		return h
	}
	p.boundaries = append(p.boundaries, boundary)
	level := len(p.boundaries) - 1
	var h hit
	part.body, h = p.text()
	digest = foldEqual(part.mediaType, "multipart/digest")
	for h.level == level && !h.last && len(p.parts) < maxMIMEParts {
		h = p.entity(part, digest)
	}
	p.boundaries = p.boundaries[:level]
	if h.level != level {
		return h
	}
	if !h.last {
		// Too many parts: the rest is text.
		_, h = p.text()
		return h
	}
	rest, h := p.text()
	if len(rest) > 0 {
		p.parts = append(p.parts, &mimePart{parent: part.parent, body: rest, hasBody: true, epilogue: true,
			mediaType: part.mediaType, depth: part.depth})
	}
	return h
}
