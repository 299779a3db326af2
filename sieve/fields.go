package sieve

import (
	"slices"

	"github.com/oxmailroute/oxmailroute/headers"
)

// fieldTable numbers the field names that a program asks for, so that one pass
// over a header finds the fields of all its tests.
type fieldTable struct {
	names []string // lower case; the index is the slot
	// bySize lists the slots whose name has a length; longer names share the
	// last entry.
	bySize [maxNameSize + 1][]int32
}

const maxNameSize = 40

func (t *fieldTable) slot(name string) int {
	name = lowerASCII(name)
	if i := slices.Index(t.names, name); i >= 0 {
		return i
	}
	t.names = append(t.names, name)
	return len(t.names) - 1
}

func (t *fieldTable) finish() {
	for i, name := range t.names {
		n := min(len(name), maxNameSize)
		t.bySize[n] = append(t.bySize[n], int32(i))
	}
}

// find returns the slot of a field name, or -1.
func (t *fieldTable) find(name []byte) int32 {
	for _, slot := range t.bySize[min(len(name), maxNameSize)] {
		if equalFold(name, t.names[slot]) {
			return slot
		}
	}
	return -1
}

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

// index finds the fields of every slot.
func (r *run) index(t *fieldTable) {
	r.first = slices.Grow(r.first[:0], len(t.names))[:len(t.names)]
	r.last = slices.Grow(r.last[:0], len(t.names))[:len(t.names)]
	for i := range r.first {
		r.first[i], r.last[i] = -1, -1
	}
	n := len(r.in.Header)
	r.next = slices.Grow(r.next[:0], n)[:n]
	r.values = slices.Grow(r.values[:0], n)[:n]
	clear(r.values)
	for i := range r.in.Header {
		slot := t.find(r.in.Header[i].Name)
		if slot < 0 {
			continue
		}
		if r.last[slot] < 0 {
			r.first[slot] = int32(i)
		} else {
			r.next[r.last[slot]] = int32(i)
		}
		r.last[slot] = int32(i)
		r.next[i] = -1
	}
}

// value returns the value of field i as the header test sees it.
func (r *run) value(i int32) []byte {
	if v := r.values[i]; v != nil {
		return v
	}
	v := r.decode(r.in.Header[i])
	r.values[i] = v
	return v
}

// decode returns the value of a field as the header test sees it; it is never
// nil.
func (r *run) decode(f headers.Field) []byte {
	if v, ok := plainValue(f.Body); ok {
		return v
	}
	start := len(r.arena)
	r.arena = headers.Value(r.arena, f)
	return r.arena[start:len(r.arena):len(r.arena)]
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
