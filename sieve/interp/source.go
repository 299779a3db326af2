package interp

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
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
	s.slots = make([]int, len(names))
	for i, name := range names {
		s.slots[i] = c.program.fields.slot(name)
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
	var out []*entry
	switch {
	case s.mime && (r.part != nil || s.anyChild):
		out = r.partEntries(s)
	case s.slots != nil:
		for _, slot := range s.slots {
			for i := r.first[slot]; i >= 0; i = r.entries[i].next {
				out = append(out, &r.entries[i])
			}
		}
	default:
		for i := range s.names {
			out = r.named(out, r.header(), r.str(&s.names[i]))
		}
	}
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

// named appends the fields of a name.
func (r *run) named(out []*entry, list headers.Section, name string) []*entry {
	r.spend(4 * len(list))
	for _, f := range list {
		if len(f.Name) == len(name) && strings.EqualFold(string(f.Name), name) {
			out = append(out, &entry{field: f, next: -1})
		}
	}
	return out
}
