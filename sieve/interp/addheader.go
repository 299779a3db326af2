package interp

import (
	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/field"
)

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
		if err := field.CheckValue(cmd.Value, c.program.settings.EditHeader.MaxSize); err != nil {
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
	if protectedField(name, false) || r.program.settings.EditHeader.forbids(name, false) {
		return nil
	}
	if r.spend(costEdit * (len(name) + len(value))); r.failed != nil {
		return nil
	}
	if err := field.CheckValue(value, r.program.settings.EditHeader.MaxSize); err != nil {
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
	r.edit(in, next, headers.Section{field}, nil, act)
	return nil
}
