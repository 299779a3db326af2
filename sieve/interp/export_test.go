package interp

import (
	"fmt"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve"
)

// PlainValue is the short way to a value.
var PlainValue = plainValue

// AddressValues returns what the address test compares of a field, and as how
// many addresses the field counts.
func AddressValues(body []byte, part sieve.AddressPart) (list []string, count int) {
	var parts [5][]value
	r := &run{state: state{steps: 1 << 20, program: &program{circumstances: &circumstances{delimiter: "+"}}}}
	count = r.parse(body, &parts, &r.arena)
	for _, v := range parts[partIndex(part)] {
		list = append(list, string(v.text))
	}
	return list, count
}

// FieldsFound shows the fields that a run finds for a program that asks for the
// names.
func FieldsFound(names []string, in Input) string {
	var table fieldTable
	for _, name := range names {
		table.slot(name)
	}
	r := &run{state: state{in: in, steps: 1 << 40, program: &program{circumstances: new(circumstances)}}}
	r.index(&table)
	s := fmt.Sprint(r.first, r.last)
	for _, e := range r.entries {
		s += fmt.Sprintf(" %q: %q %d", e.field.Name, e.field.Body, e.next)
	}
	return s
}

// RunSteps runs a program by itself and returns the steps that it took; more
// than Options.MaxSteps where it was stopped.
func RunSteps(p *Program, in *Input) (out Result, steps int64) {
	r := runs.Get().(*run)
	r.in, r.active = *in, true
	r.script(p)
	steps = r.program.maxSteps - r.steps
	r.finish(&out)
	r.reset()
	runs.Put(r)
	return out, steps
}

// WithoutIndex returns a program without the indexes of rules. It takes them from
// the one that is given, too.
func WithoutIndex(p *Program) *Program {
	var strip func(b *block)
	strip = func(b *block) {
		b.index = nil
		for i := range b.code {
			in := &b.code[i]
			if in.kind != opIf {
				continue
			}
			in.chain = nil
			for j := range in.branches {
				strip(&in.branches[j].then)
			}
			strip(in.els)
		}
	}
	form := p.running()
	strip(&form.main.code)
	return &Program{kept: form}
}

// MessageID is the Message-ID that the server finds in a header.
func MessageID(raw string) string {
	h, _ := headers.Scan(nil, []byte(raw), headers.Sieve)
	return messageID(h)
}

// EncodedField is a field as addheader writes it into the message.
func EncodedField(name, value string) string {
	var w mailWriter
	w.encoded(name, value)
	return w.String()
}

// Cold returns the program as it is when the form that runs is gone.
func Cold(p *Program) *Program {
	return &Program{name: p.name, userEmail: p.userEmail, shared: p.shared, packed: p.packed, included: p.included, kept: p.kept}
}

// IsPacked reports whether the form that runs can go.
func IsPacked(p *Program) bool { return p.kept == nil }

// IsCold reports whether the form that runs is gone.
func IsCold(p *Program) bool {
	return p.held() == nil
}

// SameOptions reports whether programs share their options.
func SameOptions(a, b Options) bool { return a.same(&b) }
