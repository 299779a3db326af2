package interp

import (
	"bytes"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/field"
)

// deleteCommand is deleteheader (RFC 5293 section 5).
type deleteCommand struct {
	name  text
	match *matcher // nil: whatever the value is
	index uint64
	last  bool
}

func (c *compiler) deleteHeader(cmd sieve.DeleteHeader) operation {
	d := &deleteCommand{name: c.text(cmd.Name, "Name"), index: cmd.Index, last: cmd.Last}
	if d.name.constant() {
		if err := field.CheckName(cmd.Name); err != nil {
			c.errorf("Name", "%w", err)
		}
	}
	if cmd.Values != nil {
		d.match = c.matcher(cmd.Match, cmd.Relation, cmd.Comparator, cmd.Values)
	}
	return d
}

func (d *deleteCommand) perform(r *run, in *instruction) error {
	name := r.str(&d.name)
	if err := field.CheckName(name); err != nil {
		return r.errorf(in, "%w", err)
	}
	if protectedField(name, true) || r.program.settings.EditHeader.forbids(name, true) {
		return nil
	}
	var m *matcher
	if d.match != nil {
		if m = r.bind(d.match); m == nil {
			return nil
		}
	}
	list := r.header()
	r.spend(64 * len(list))
	total := uint64(0)
	for i := range list {
		if bytes.EqualFold(list[i].Name, []byte(name)) {
			total++
		}
	}
	var acts []Action
	var removed headers.Section
	at, gone := uint64(0), 0
	var next headers.Section // from the first field that goes
	for i := range list {
		if !bytes.EqualFold(list[i].Name, []byte(name)) {
			if gone > 0 {
				next = append(next, list[i])
			}
			continue
		}
		f := list[i]
		at++
		pos := at
		if d.last {
			pos = total - at + 1
		}
		remove := d.index == 0 || pos == d.index
		if remove && m != nil {
			r.brief = r.brief[:0]
			e := entry{field: f, once: true}
			remove = m.kind != sieve.Count && r.match(m, r.decode(&e))
			if r.failed != nil {
				return nil
			}
		}
		if !remove {
			if gone > 0 {
				next = append(next, f)
			}
			continue
		}
		if gone == 0 {
			next = append(make(headers.Section, 0, len(list)), list[:i]...)
		}
		r.brief = r.brief[:0]
		shown := r.decodeField(f, &r.brief)
		r.spend(costAlloc * len(shown))
		if r.failed != nil {
			return nil
		}
		acts = append(acts, ActionDeleteHeader{Name: name, Index: int(at) - gone, Value: string(shown)})
		removed = append(removed, f)
		gone++
	}
	if gone > 0 {
		r.edit(in, next, nil, removed, acts...)
	}
	return nil
}
