package interp

import (
	"bytes"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
	"github.com/oxmailroute/oxmailroute/sieve/internal/field"
)

// protected reports the fields that editheader leaves as they are: a change of
// one is skipped (RFC 5293 section 6).
func protectedField(name string, remove bool) bool {
	switch ascii.Lower(name) {
	case "received", "auto-submitted":
		return true
	case "subject":
		return false
	}
	return false
}

// addCommand is addheader (RFC 5293 section 4).
type addCommand struct {
	name, value text
	last        bool
}

func (c *compiler) addHeader(cmd sieve.AddHeader) operation {
	a := &addCommand{c.text(cmd.Name, "Name"), c.text(cmd.Value, "Value"), cmd.Last}
	if a.name.constant() {
		if err := field.CheckName(cmd.Name); err != nil {
			c.errorf("Name", "%w", err)
		}
	}
	if a.value.constant() {
		if err := field.CheckValue(cmd.Value); err != nil {
			c.errorf("Value", "%w", err)
		}
	}
	return a
}

func (a *addCommand) perform(r *run, in *instruction) error {
	name, value := r.str(&a.name), r.str(&a.value)
	if err := field.CheckName(name); err != nil {
		return r.errorf(in, "%w", err)
	}
	if protectedField(name, false) {
		return nil
	}
	if err := field.CheckValue(value); err != nil {
		return r.errorf(in, "%w", err)
	}
	act := ActionAddHeader{Name: canonicalName(name), Value: value, Last: a.last}
	field := r.newField(act.Name, value)
	list := r.header()
	next := make(headers.Section, 0, len(list)+1)
	if a.last {
		next = append(append(next, list...), field)
	} else {
		next = append(append(next, field), list...)
	}
	r.edit(in, next, act)
	return nil
}

// addedField is a field that a script has added. The tests of its value see the
// text that the script gave, not what decoding the field would give.
type addedField struct {
	field headers.Field
	value []byte
}

// newField makes a field as the server writes it into the message: encoded and
// folded.
func (r *run) newField(name, value string) headers.Field {
	var w mailWriter
	w.encoded(name, value)
	body := []byte(strings.TrimSuffix(w.String()[len(name)+1:], "\r\n"))
	f := headers.Field{Name: []byte(name), Body: body}
	r.added = append(r.added, addedField{f, unfoldedText(value)})
	return f
}

// unfoldedText is a text of a script on one line. Where a line doesn't begin
// with white space, the server loses its first octet.
func unfoldedText(s string) []byte {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\r':
		case '\n':
			if i++; i == len(s) {
				break
			}
			if s[i] == ' ' {
				b = append(b, ' ')
			} else {
				b = append(b, '\t')
			}
		default:
			b = append(b, s[i])
		}
	}
	return bytes.Trim(b, " \t")
}

// addedValue returns the value of a field that a script has added.
func (r *run) addedValue(f headers.Field) ([]byte, bool) {
	for _, a := range r.added {
		if len(f.Body) > 0 && &f.Body[0] == &a.field.Body[0] {
			return a.value, true
		}
	}
	return nil, false
}

// canonicalName is a field's name as Pigeonhole writes it.
func canonicalName(name string) string {
	b := []byte(ascii.Lower(name))
	for i := range b {
		if (i == 0 || b[i-1] == '-') && 'a' <= b[i] && b[i] <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}

// edit replaces the header, and records the action.
func (r *run) edit(in *instruction, next headers.Section, acts ...Action) {
	r.spend(16 * len(next))
	body := r.body()
	if r.edits == 0 {
		r.original = r.header()
	}
	r.in.Header, r.in.Body = next, body
	r.edits++
	r.parts = nil
	for _, act := range acts {
		r.actions = append(r.actions, performed{instruction: &instruction{kind: opEdit, step: in.step, act: act}})
	}
	r.index(&r.program.fields)
}

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
	if protectedField(name, true) {
		return nil
	}
	var m *matcher
	if d.match != nil {
		if m = r.bind(d.match); m == nil {
			return nil
		}
	}
	list := r.header()
	r.spend(4 * len(list))
	total := uint64(0)
	for i := range list {
		if bytes.EqualFold(list[i].Name, []byte(name)) {
			total++
		}
	}
	next := make(headers.Section, 0, len(list))
	var acts []Action
	at, gone := uint64(0), 0
	for _, f := range list {
		if !bytes.EqualFold(f.Name, []byte(name)) {
			next = append(next, f)
			continue
		}
		at++
		pos := at
		if d.last {
			pos = total - at + 1
		}
		remove := d.index == 0 || pos == d.index
		if remove && m != nil {
			e := entry{field: f}
			remove = m.kind != sieve.Count && r.match(m, r.decode(&e))
			if r.failed != nil {
				return nil
			}
		}
		if !remove {
			next = append(next, f)
			continue
		}
		acts = append(acts, ActionDeleteHeader{Name: name, Index: int(at) - gone, Value: string(r.decodeField(f))})
		gone++
	}
	if gone > 0 {
		r.edit(in, next, acts...)
	}
	return nil
}
