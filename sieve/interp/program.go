package interp

import (
	"fmt"
	"io/fs"
	"sync/atomic"
	"unique"
	"weak"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/pack"
)

// Program is a compiled script. It is immutable and safe for concurrent use.
//
// Between runs it takes about as much memory as the source of the script without
// its comments, and some 150 octets. The form that runs takes some 15 times as
// much: it stays until the next garbage collection, or where the program is one
// of the last four that ran on a processor, as long as it runs between two
// collections, and is made anew when it is gone: that takes as long as Compile.
type Program struct {
	name, userEmail string
	shared          *circumstances
	packed          string
	included        packedScripts
	// kept is the form that runs where the script can't be packed.
	kept *program
	// first is the form that Compile made of a script that isn't small, form the
	// one that was made last, once the first was gone.
	first weak.Pointer[program]
	form  atomic.Pointer[weak.Pointer[program]]
}

// includedSource is a script that is included.
type includedSource struct {
	where  sieve.Location
	name   string
	script *sieve.Script
}

// includedPack is the same, packed. Programs that include the same share it.
type includedPack struct {
	where  sieve.Location
	name   string
	packed unique.Handle[string]
}

// Compile compiles a script. It reports what can't run, as a [sieve.Errors]: nil
// tests, unknown match types, broken regular expressions and addresses. The
// program may share strings and slices with the script: its values must not be
// changed afterwards.
func Compile(s *sieve.Script, o Options) (*Program, error) {
	if s == nil {
		return nil, fmt.Errorf("interp: there is no script: an empty one is new(sieve.Script)")
	}
	shared := sharedCircumstances(&o)
	form, sources, err := compile(s, &own{o.Name, o.UserEmail, o.Scripts}, shared)
	if err != nil {
		return nil, err
	}
	p := &Program{name: o.Name, userEmail: o.UserEmail, shared: shared}
	packed, ok := pack.Script(s)
	p.packed = packed
	for _, source := range sources {
		text, whole := pack.Script(source.script)
		p.included = append(p.included, includedPack{source.where, source.name, unique.Make(text)})
		ok = ok && whole
	}
	if !ok {
		*p = Program{kept: form}
		return p, nil
	}
	if form.main.count <= smallForm {
		r := runs.Get().(*run)
		r.retain(p, form)
		runs.Put(r)
	} else {
		p.first = weak.Make(form)
	}
	return p, nil
}

// smallForm is up to how many commands and tests a form is made anew as quickly
// as a weak pointer is made and cleared.
const smallForm = 12

// hold notes the form that runs, for as long as it is there.
func (p *Program) hold(form *program) {
	w := weak.Make(form)
	p.form.Store(&w)
}

// held returns the form that runs, or nil where it is gone.
func (p *Program) held() *program {
	if later := p.form.Load(); later != nil {
		return later.Value()
	}
	return p.first.Value()
}

// running returns the form that runs.
func (p *Program) running() *program {
	if form := p.held(); form != nil {
		return form
	}
	if p.kept != nil {
		return p.kept
	}
	if p.shared == nil {
		return &program{circumstances: new(circumstances)} // a Program that Compile didn't make
	}
	s, _ := pack.Unpack(p.packed)
	form, _, err := compile(s, &own{p.name, p.userEmail, p.included}, p.shared)
	if err != nil {
		// It was compiled before: this can't be. A run keeps the message.
		code := []instruction{{kind: opRun, op: brokenProgram{err}}}
		return &program{circumstances: &circumstances{maxSteps: 1 << 30}, main: &script{code: block{code: code}}}
	}
	p.hold(form)
	return form
}

// brokenProgram fails.
type brokenProgram struct{ err error }

func (b brokenProgram) perform(*run, *instruction) error { return b.err }

// packedScripts are the scripts that a program includes.
type packedScripts []includedPack

// Script unpacks one of them.
func (list packedScripts) Script(where sieve.Location, name string) (*sieve.Script, error) {
	for i := range list {
		if x := &list[i]; x.where == where && x.name == name {
			s, _ := pack.Unpack(x.packed.Value())
			return s, nil
		}
	}
	return nil, fs.ErrNotExist
}

// loaded is a program and the form of it that runs.
type loaded struct {
	source *Program
	form   *program
}

// load returns the form of a program that runs; those of the last few stay.
func (r *run) load(p *Program) *program {
	for i := range r.recent {
		if x := r.recent[i]; x.source == p {
			if i > 0 {
				copy(r.recent[1:i+1], r.recent[:i])
				r.recent[0] = x
			}
			return x.form
		}
	}
	form := p.running()
	r.retain(p, form)
	return form
}

// retain lets a form stay.
func (r *run) retain(p *Program, form *program) {
	copy(r.recent[1:], r.recent[:])
	r.recent[0] = loaded{p, form}
}
