package postfix

import (
	"hash/maphash"
	"math/bits"
	"slices"
)

// Index is a [Table] compiled for look-ups. It is immutable and safe for
// concurrent use.
type Index struct {
	entries []Entry
	// keys are the folded keys, nil while every key is its own folded form.
	keys  []string
	lines []int32
	// slots is an open-addressing hash table: the upper half of the hash, and
	// the entry's number plus one. It has no pointers for the garbage
	// collector to follow, and one look-up touches one slot, one key and its
	// text.
	slots []uint64
	seed  maphash.Seed
}

// Index compiles the table. Rows with a key that is there already, compared
// without regard to case, are never found, as in the table that postmap makes;
// so are keys that are not UTF-8. The table may change afterwards, the index
// doesn't.
func (t Table) Index() *Index {
	ix := newIndex(slices.Clone(t))
	ix.lines = make([]int32, 0, len(t))
	line := 1
	for i := range ix.entries {
		e := &ix.entries[i]
		line += commentLines(e.Comment)
		if e.Line > 0 {
			ix.lines = append(ix.lines, int32(e.Line))
		} else {
			ix.lines = append(ix.lines, int32(line))
		}
		line++
		ix.insert(i)
	}
	return ix
}

// newIndex returns an index of the table with no entry inserted.
func newIndex(t Table) *Index {
	// At most half full.
	n := len(t)
	size := 8
	if n > 4 {
		size = 1 << bits.Len(uint(2*n-1))
	}
	return &Index{
		entries: t,
		slots:   make([]uint64, size),
		seed:    maphash.MakeSeed(),
	}
}

// insert hashes entry i; they come in order. A duplicate is left out.
func (ix *Index) insert(i int) (first int, duplicate bool) {
	key := ix.entries[i].Key
	folded, ok := foldKey(key)
	if ix.keys != nil {
		ix.keys = append(ix.keys, folded)
	} else if !ok || folded != key {
		ix.keys = make([]string, 0, len(ix.entries))
		for j := range i {
			ix.keys = append(ix.keys, ix.entries[j].Key)
		}
		ix.keys = append(ix.keys, folded)
	}
	if !ok {
		return 0, false
	}
	h := maphash.String(ix.seed, folded)
	mask := uint64(len(ix.slots) - 1)
	for s := h & mask; ; s = (s + 1) & mask {
		slot := ix.slots[s]
		if slot == 0 {
			ix.slots[s] = h&^(1<<32-1) | uint64(i+1)
			return 0, false
		}
		if slot>>32 == h>>32 {
			if j := int(slot&(1<<32-1)) - 1; ix.key(j) == folded {
				return j, true
			}
		}
	}
}

func (ix *Index) key(i int) string {
	if ix.keys != nil {
		return ix.keys[i]
	}
	return ix.entries[i].Key
}

// Lookup returns the row whose key is key, compared without regard to case,
// and the line it has in the file: the one it was read from, or the one that
// [Table.Format] writes. It is one query of postmap -q: no part of the key is
// tried. Keys of ASCII up to 256 bytes are looked up without allocating.
func (ix *Index) Lookup(key string) (e Entry, line int, ok bool) {
	if ix == nil || len(ix.slots) == 0 {
		return Entry{}, 0, false
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
		return Entry{}, 0, false
	}
	return ix.entries[i], int(ix.lines[i]), true
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
func (ix *Index) Len() int { return len(ix.entries) }
