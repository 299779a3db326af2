package postfix

import (
	"hash/maphash"
	"math/bits"
	"strings"
)

// Index is a [Table] compiled for look-ups. It is immutable and safe for
// concurrent use.
//
// A table of a million rows is a few large allocations without a pointer in
// them, so that the garbage collector has nothing to follow, whatever else the
// program does.
type Index struct {
	slots []uint64 // as hashed.slots
	seed  maphash.Seed
	rows  []packed
	// text holds the keys and rules, one behind the other.
	text string
	// values are the distinct right-hand sides, of which a table has few.
	values   []string
	comments map[int]string
}

// packed is a row. Its key, folded key and rule stand at text[start:], in this
// order; a folded key of no length is the key itself.
type packed struct {
	start             uint64
	key, folded, rule uint32
	value             uint32
	line              int32
	read              bool // the line is the one it was read from
}

// Index compiles the table. Rows with a key that is there already, compared
// without regard to case, are never found, as in the table that postmap makes;
// so are keys that are not UTF-8. The table may change afterwards, the index
// doesn't.
func (t Table) Index() *Index {
	h := newHashed(t)
	size := 0
	for i := range t {
		h.insert(i)
		size += len(t[i].Key) + len(t[i].Rule)
		if folded := h.key(i); folded != t[i].Key {
			size += len(folded)
		}
	}
	ix := &Index{slots: h.slots, seed: h.seed, rows: make([]packed, len(t))}
	var text strings.Builder
	text.Grow(size)
	values := map[string]uint32{}
	line := 1
	for i := range t {
		e := &t[i]
		p := packed{start: uint64(text.Len()), key: uint32(len(e.Key)), rule: uint32(len(e.Rule))}
		text.WriteString(e.Key)
		if folded := h.key(i); folded != e.Key {
			p.folded = uint32(len(folded))
			text.WriteString(folded)
		}
		text.WriteString(e.Rule)
		v, ok := values[e.Value]
		if !ok {
			v = uint32(len(ix.values))
			values[e.Value] = v
			ix.values = append(ix.values, strings.Clone(e.Value))
		}
		p.value = v
		line += commentLines(e.Comment)
		p.line = int32(line)
		if e.Line > 0 {
			p.line, p.read = int32(e.Line), true
		}
		line++
		if e.Comment != "" {
			if ix.comments == nil {
				ix.comments = map[int]string{}
			}
			ix.comments[i] = e.Comment
		}
		ix.rows[i] = p
	}
	ix.text = text.String()
	return ix
}

// entry unpacks row i.
func (ix *Index) entry(i int) (e Entry, line int) {
	p := &ix.rows[i]
	key := p.start + uint64(p.key)
	rule := key + uint64(p.folded)
	e = Entry{Key: ix.text[p.start:key], Value: ix.values[p.value], Rule: ix.text[rule : rule+uint64(p.rule)]}
	if ix.comments != nil {
		e.Comment = ix.comments[i]
	}
	if p.read {
		e.Line = int(p.line)
	}
	return e, int(p.line)
}

// key is the folded key of row i.
func (ix *Index) key(i int) string {
	p := &ix.rows[i]
	if p.folded == 0 {
		return ix.text[p.start : p.start+uint64(p.key)]
	}
	start := p.start + uint64(p.key)
	return ix.text[start : start+uint64(p.folded)]
}

// hashed is a table with its keys hashed, to find duplicates.
type hashed struct {
	entries []Entry
	// keys are the folded keys, nil while every key is its own folded form.
	keys []string
	// slots is an open-addressing hash table: the upper half of the hash, and
	// the entry's number plus one. It has no pointers for the garbage
	// collector to follow.
	slots []uint64
	seed  maphash.Seed
}

// newHashed returns the table with no entry inserted.
func newHashed(t Table) *hashed {
	// At most half full.
	n := len(t)
	size := 8
	if n > 4 {
		size = 1 << bits.Len(uint(2*n-1))
	}
	return &hashed{
		entries: t,
		slots:   make([]uint64, size),
		seed:    maphash.MakeSeed(),
	}
}

// insert hashes entry i; they come in order. A duplicate is left out.
func (h *hashed) insert(i int) (first int, duplicate bool) {
	key := h.entries[i].Key
	folded, ok := foldKey(key)
	if h.keys != nil {
		h.keys = append(h.keys, folded)
	} else if !ok || folded != key {
		h.keys = make([]string, 0, len(h.entries))
		for j := range i {
			h.keys = append(h.keys, h.entries[j].Key)
		}
		h.keys = append(h.keys, folded)
	}
	if !ok {
		return 0, false
	}
	sum := maphash.String(h.seed, folded)
	mask := uint64(len(h.slots) - 1)
	for s := sum & mask; ; s = (s + 1) & mask {
		slot := h.slots[s]
		if slot == 0 {
			h.slots[s] = sum&^(1<<32-1) | uint64(i+1)
			return 0, false
		}
		if slot>>32 == sum>>32 {
			if j := int(slot&(1<<32-1)) - 1; h.key(j) == folded {
				return j, true
			}
		}
	}
}

func (h *hashed) key(i int) string {
	if h.keys != nil {
		return h.keys[i]
	}
	return h.entries[i].Key
}

// Lookup returns the row whose key is key, compared without regard to case,
// with the line it has in the file: the one it was read from, or the one that
// [Table.Format] writes. It is one query of postmap -q: no part of the key is
// tried. There is no error. Keys of ASCII up to 256 bytes are looked up without allocating.
func (ix *Index) Lookup(key string) (row Row, ok bool, err error) {
	if ix == nil || len(ix.slots) == 0 {
		return Row{}, false, nil
	}
	i := -1
	switch foldingOf(key) {
	case foldNone:
		i = ix.find(maphash.String(ix.seed, key), key)
	case foldASCII:
		var buf [256]byte
		b := lowerASCII(buf[:0], key)
		i = ix.findBytes(maphash.Bytes(ix.seed, b), b)
	default:
		if folded, valid := foldKey(key); valid {
			i = ix.find(maphash.String(ix.seed, folded), folded)
		}
	}
	if i < 0 {
		return Row{}, false, nil
	}
	row.Entry, row.Line = ix.entry(i)
	return row, true, nil
}

func (ix *Index) find(h uint64, key string) int {
	mask := uint64(len(ix.slots) - 1)
	for s := h & mask; ix.slots[s] != 0; s = (s + 1) & mask {
		if slot := ix.slots[s]; slot>>32 == h>>32 {
			if i := int(slot&(1<<32-1)) - 1; ix.key(i) == key {
				return i
			}
		}
	}
	return -1
}

func (ix *Index) findBytes(h uint64, key []byte) int {
	mask := uint64(len(ix.slots) - 1)
	for s := h & mask; ix.slots[s] != 0; s = (s + 1) & mask {
		if slot := ix.slots[s]; slot>>32 == h>>32 {
			if i := int(slot&(1<<32-1)) - 1; ix.key(i) == string(key) {
				return i
			}
		}
	}
	return -1
}

// Len is the number of rows, those that are never found included.
func (ix *Index) Len() int {
	if ix == nil {
		ix = new(Index)
	}
	return len(ix.rows)
}
