package interp

import (
	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
)

// source is where a test takes its fields from.
type source struct {
	names    []text
	slots    []int // of the names, where all are known
	index    uint64
	last     bool
	mime     bool
	anyChild bool
}

// simple reports whether the fields are those of the slots.
func (s *source) simple() bool { return s.slots != nil && s.index == 0 && !s.mime }

// source compiles the names of header fields.
func (c *compiler) source(names []string, index uint64, last, mime, anyChild bool) source {
	return c.sourceIn(nil, names, index, last, mime, anyChild)
}

// sourceIn is the same with room for slots.
func (c *compiler) sourceIn(slots []int, names []string, index uint64, last, mime, anyChild bool) source {
	c.nonEmpty(names, "Names")
	s := source{index: index, last: last, mime: mime, anyChild: anyChild}
	if last && index == 0 {
		c.errorf("", "Last needs Index")
	}
	if anyChild && !mime {
		c.errorf("", "AnyChild needs MIME")
	}
	if c.anyVariables(names) {
		if list := c.texts(names, "Names"); !constants(list) {
			s.names = list
			return s
		}
	}
	if s.slots = slots; slots == nil || cap(slots) < len(names) {
		s.slots = make([]int, 0, len(names))
	}
	for _, name := range names {
		s.slots = append(s.slots, c.program.fields.slot(name))
	}
	return s
}

// count is how many names there are.
func (s *source) count() int { return max(len(s.names), len(s.slots)) }

// only returns the source with one of the names.
func (s *source) only(i int) source {
	one := *s
	if s.slots != nil {
		one.slots = s.slots[i : i+1]
	} else {
		one.names = s.names[i : i+1]
	}
	return one
}

// name returns a name as it is now.
func (r *run) name(s *source, i int) string {
	if s.slots != nil {
		return r.program.fields.names[s.slots[i]]
	}
	return r.str(&s.names[i])
}

// entriesOf returns the fields of a source that is not simple.
func (r *run) entriesOf(s *source) []*entry {
	r.picked, r.fresh, r.brief = r.picked[:0], r.fresh[:0], r.brief[:0]
	switch {
	case s.mime && (r.part != nil || s.anyChild):
		r.partEntries(s)
	case s.slots != nil:
		for _, slot := range s.slots {
			for i := r.first[slot]; i >= 0; i = r.entries[i].next {
				r.picked = append(r.picked, &r.entries[i])
			}
		}
	default:
		for i := range s.names {
			r.named(r.header(), r.str(&s.names[i]), &r.byName)
		}
	}
	for i := range r.fresh {
		r.picked = append(r.picked, &r.fresh[i])
	}
	out := r.picked
	if s.index == 0 {
		return out
	}
	n := uint64(len(out))
	if s.index > n {
		return nil
	}
	at := s.index - 1
	if s.last {
		at = n - s.index
	}
	return out[at : at+1]
}

// manyFields is from how many fields on a header's are read anew by each test
// that doesn't ask for slots, so that what is kept stays small.
const manyFields = 2048

// named appends the fields of a name to r.picked, and where the header is a
// long one, to r.fresh. What is kept of the fields stands in kept.
func (r *run) named(list headers.Section, name string, kept *[]entry) {
	r.spend(8*len(list) + len(name))
	name = ascii.Lower(name)
	for i := range list {
		if equalFold(list[i].Name, name) {
			r.spend(costField)
			if len(list) < manyFields {
				if *kept == nil {
					*kept = make([]entry, len(list))
				}
				e := &(*kept)[i]
				if e.field.Name == nil {
					*e = entry{field: list[i], next: -1, value: value{own: true}}
				}
				r.picked = append(r.picked, e)
				continue
			}
			r.fresh = append(r.fresh, entry{field: list[i], next: -1, once: true})
		}
		if r.failed != nil {
			return
		}
	}
}
