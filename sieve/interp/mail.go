package interp

import (
	"bytes"
	"slices"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
)

// fieldTable numbers the field names that a program asks for, so that one pass
// over a header finds the fields of all its tests.
type fieldTable struct {
	names []string // lower case; the index is the slot
	// head is the first slot of each hash of a name, plus one, next the one
	// after a slot.
	head [64]int32
	next []int32
	// first tells the octets that names begin with, in both cases.
	first [256]bool
	odd   bool // one of the names is empty or begins with white space
	// few is room for as many names as most scripts have.
	few struct {
		names [4]string
		next  [4]int32
	}
}

// hash mixes the length and both ends of a name, whatever its case.
func (t *fieldTable) hash(first, last byte, size int) int {
	return (int(first|0x20) + 7*int(last|0x20) + 29*size) & (len(t.head) - 1)
}

// slot returns the slot of a name, which it adds.
func (t *fieldTable) slot(name string) int {
	if i := t.find([]byte(name)); i >= 0 {
		return int(i)
	}
	name = ascii.Lower(name)
	t.names = append(t.names, name)
	h := 0
	if n := len(name); n > 0 {
		h = t.hash(name[0], name[n-1], n)
		t.first[name[0]] = true
		t.first[ascii.Upper(name[:1])[0]] = true
	}
	t.odd = t.odd || name == "" || name[0] <= ' '
	t.next = append(t.next, t.head[h])
	t.head[h] = int32(len(t.names))
	return len(t.names) - 1
}

// find returns the slot of a field name, or -1.
func (t *fieldTable) find(name []byte) int32 {
	h := 0
	if n := len(name); n > 0 {
		h = t.hash(name[0], name[n-1], n)
	}
	for i := t.head[h]; i > 0; i = t.next[i-1] {
		if equalFold(name, t.names[i-1]) {
			return i - 1
		}
	}
	return -1
}

// foldEqual compares a string with one in lower case, folding A to Z.
func foldEqual(s, lower string) bool { return len(s) == len(lower) && ascii.Lower(s) == lower }

// equalFold compares octets with a lower-case string, folding A to Z.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := 0; i < len(b); i++ {
		c := b[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// value is a text of the message as the tests compare it.
type value struct {
	text   []byte
	folded []byte // text in lower case, once it was asked for
	// once marks a value that is made anew for each test: nothing of it is kept.
	once bool
	// own marks a value that outlives the header as it stands: the body's.
	own bool
}

// entry is a field of the header that a test may ask for.
type entry struct {
	field   headers.Field
	value   value
	next    int32 // the next field of the slot, or -1
	parsed  int32 // the place of its addresses in run.parsed, plus one
	decoded bool
	once    bool // made for one test: what is decoded stands in run.brief
}

// addressList is the addresses of a field: as how many the field counts, and
// for each address part the values.
type addressList struct {
	count int
	parts [5][]value
}

// index finds the fields of every slot.
func (r *run) index(t *fieldTable) {
	r.first = slices.Grow(r.first[:0], len(t.names))[:len(t.names)]
	r.last = slices.Grow(r.last[:0], len(t.names))[:len(t.names)]
	for i := range r.first {
		r.first[i], r.last[i] = -1, -1
	}
	r.entries, r.parsed, r.keptAddresses = r.entries[:0], r.parsed[:0], 0
	if r.edits > 0 {
		// What stands in the arena belongs to the header of before.
		r.arena, r.byName = r.arena[:0], nil
		r.forgetEnvelope()
	}
	if r.in.Header == nil {
		rest, lines := r.scan(t)
		r.spend(16*lines + 2*(len(r.in.Raw)-len(rest)))
		return
	}
	r.spend(128 * len(r.in.Header))
	for i := range r.in.Header {
		if name := r.in.Header[i].Name; len(name) > 0 && !t.first[name[0]] && !t.odd {
			continue
		}
		if slot := t.find(r.in.Header[i].Name); slot >= 0 {
			if r.enter(slot, r.in.Header[i]); r.failed != nil {
				return
			}
		}
	}
}

// scan finds the fields in a message that is there as a whole. A line that
// doesn't begin like one of the names is skipped without a look at it.
// It returns what is left, and how many lines and fields it has looked at.
func (r *run) scan(t *fieldTable) (rest []byte, lines int) {
	rest = r.in.Raw
	for ; len(rest) > 0; lines++ {
		if c := rest[0]; t.first[c] || t.odd {
			reader := headers.NewReader(rest)
			f, ok := reader.Next()
			if !ok {
				return rest, lines
			}
			if slot := t.find(f.Name); slot >= 0 {
				if r.enter(slot, f); r.failed != nil {
					return nil, lines
				}
			}
			rest = reader.Rest()
			continue
		} else if c == '\n' || c == '\r' && len(rest) > 1 && rest[1] == '\n' {
			return rest, lines
		}
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return rest, lines
		}
		rest = rest[i+1:]
	}
	return rest, lines
}

func (r *run) forgetEnvelope() {
	if r.enveloped {
		*r.envelope, r.enveloped = [2][5]value{}, false
	}
}

// enter adds a field to its slot.
func (r *run) enter(slot int32, f headers.Field) {
	r.spend(costEntry)
	n := len(r.entries)
	if n == cap(r.entries) {
		// Twice as many: append adds a quarter, and with a million fields most of
		// the time went into copying them from place to place.
		r.entries = slices.Grow(r.entries, max(n, 16))
	}
	r.entries = append(r.entries, entry{field: f, next: -1})
	if r.last[slot] < 0 {
		r.first[slot] = int32(n)
	} else {
		r.entries[r.last[slot]].next = int32(n)
	}
	r.last[slot] = int32(n)
}

// header returns all fields of the message.
func (r *run) header() headers.Section {
	r.split()
	return r.in.Header
}

// body returns the body of the message as it stands.
func (r *run) body() []byte {
	r.split()
	return r.in.Body
}

// split reads the header of a message that was given as a whole.
func (r *run) split() {
	if r.in.Header != nil || r.in.Raw == nil {
		return
	}
	r.in.Header, r.in.Body = headers.Scan(make(headers.Section, 0, 16), r.in.Raw, headers.Sieve)
	r.spend(costField*len(r.in.Header) + 2*(len(r.in.Raw)-len(r.in.Body)))
}

// size returns the size of the message.
func (r *run) size() uint64 {
	if r.in.Size == 0 {
		return uint64(len(r.in.Raw))
	}
	return uint64(max(r.in.Size, 0))
}

// decode returns the value of a field as the header test sees it.
func (r *run) decode(e *entry) *value {
	if !e.decoded {
		e.decoded = true
		switch {
		case e.once:
			e.value.once = true
			e.value.text = r.decodeField(e.field, &r.brief)
		case e.value.own:
			var own []byte
			e.value.text = r.decodeField(e.field, &own)
		default:
			e.value.text = r.decodeField(e.field, &r.arena)
		}
	}
	return &e.value
}

// decodeField returns the value of a field as the header test sees it.
func (r *run) decodeField(f headers.Field, arena *[]byte) []byte {
	r.spend(2*len(f.Body) + 2*len(r.added))
	if len(r.added) > 0 {
		if v, ok := r.addedValue(f); ok {
			return v
		}
	}
	if v, ok := plainValue(f.Body); ok {
		return v
	}
	r.spend(costDecode * len(f.Body))
	if r.failed != nil {
		return nil
	}
	start := len(*arena)
	*arena = headers.Value(*arena, f)
	return (*arena)[start:len(*arena):len(*arena)]
}

// partIndex is the place of an address part in entry.parts.
func partIndex(p sieve.AddressPart) int {
	switch p {
	case sieve.LocalPart:
		return 1
	case sieve.Domain:
		return 2
	case sieve.User:
		return 3
	case sieve.Detail:
		return 4
	}
	return 0
}

// addresses returns what the address test compares of a field, and as how many
// addresses the field counts.
func (r *run) addresses(e *entry, part sieve.AddressPart) ([]value, int) {
	if e.parsed == 0 && (e.once || e.value.own || r.keptAddresses >= maxKeptAddresses) {
		if r.spare == nil {
			r.spare = new(addressList)
		}
		list := r.spare
		for i := range list.parts {
			list.parts[i] = list.parts[i][:0]
		}
		list.count = r.parse(e.field.Body, &list.parts, &r.brief)
		values := list.parts[partIndex(part)]
		for i := range values {
			values[i].once = true
		}
		return values, list.count
	}
	if e.parsed == 0 {
		n := len(r.parsed)
		if n < cap(r.parsed) {
			r.parsed = r.parsed[:n+1]
		} else {
			r.parsed = append(r.parsed, addressList{})
		}
		list := &r.parsed[n]
		for i := range list.parts {
			list.parts[i] = list.parts[i][:0]
		}
		list.count = r.parse(e.field.Body, &list.parts, &r.arena)
		r.keptAddresses += 1 + len(list.parts[0])
		e.parsed = int32(n + 1)
	}
	list := &r.parsed[e.parsed-1]
	return list.parts[partIndex(part)], list.count
}

// parse reads the addresses of a field body. Where there is none in it, the
// text counts as it stands.
func (r *run) parse(body []byte, parts *[5][]value, arena *[]byte) int {
	r.spend(costParse * len(body))
	if r.failed != nil {
		return 0
	}
	raw := rawValue(body)
	if len(raw) == 0 {
		for i := range parts {
			parts[i] = append(parts[i], value{text: raw})
		}
		return 1
	}
	p := mailaddr.Parser{S: raw, Buf: *arena, UTF8: r.program.pigeonhole24}
	list, ok := p.Addresses(r.found[:0])
	r.found = list
	*arena = p.Buf
	if !ok {
		parts[0] = append(parts[0], value{text: raw})
		return 1
	}
	for _, a := range list {
		// An empty local part counts, and is nothing to compare.
		if len(a.Local) == 0 {
			continue
		}
		start := len(*arena)
		*arena = mailaddr.Append(*arena, a.Local, a.Domain)
		parts[0] = append(parts[0], value{text: (*arena)[start:len(*arena):len(*arena)]})
		parts[1] = append(parts[1], value{text: a.Local})
		parts[2] = append(parts[2], value{text: a.Domain})
		user, _ := r.local(a.Local, sieve.User)
		parts[3] = append(parts[3], value{text: user})
		if detail, ok := r.local(a.Local, sieve.Detail); ok {
			parts[4] = append(parts[4], value{text: detail})
		}
	}
	return len(list)
}

// rawValue is the value as the address test sees it: not decoded.
func rawValue(body []byte) []byte {
	return bytes.Trim(bytes.TrimRight(body, "\r\n"), " \t")
}

// plainValue returns the value of a field body in which there is nothing to
// unfold or decode.
func plainValue(body []byte) ([]byte, bool) {
	start, end := 0, len(body)
	if end > 0 && body[end-1] == '\n' {
		end--
		if end > 0 && body[end-1] == '\r' {
			end--
		}
	}
	for start < end && body[start] == ' ' {
		start++
	}
	for start < end && body[end-1] == ' ' {
		end--
	}
	v := body[start:end:end]
	for i, c := range v {
		if c < ' ' || c > '~' || c == '=' && i+1 < len(v) && v[i+1] == '?' {
			return nil, false
		}
	}
	if v == nil {
		v = []byte{}
	}
	return v, true
}
