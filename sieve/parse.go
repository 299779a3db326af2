package sieve

import (
	"fmt"
	"slices"
	"sync"
)

// Parse reads a script in source form, for a server that has all extensions on
// that this package knows. The name stands in the errors, which come all at
// once as an [ErrorList]: those of the grammar, or where the grammar is right,
// those of the commands. Parse refuses what Pigeonhole refuses to compile; see
// the package comment for the differences that are left.
func Parse(name string, src []byte) (*Script, error) {
	return ParseFor(name, src, AllExtensions)
}

// ParseFor is [Parse] for a server with the given extensions on, such as
// [Debian12].
func ParseFor(name string, src []byte, on Extensions) (*Script, error) {
	if len(src) > maxScriptSize {
		err := fmt.Errorf("the script has %d octets; %d is the limit", len(src), maxScriptSize)
		return nil, ErrorList{{Name: name, Line: 1, Column: 1, Err: err}}
	}
	p := parsers.Get().(*parser)
	defer p.free()
	r := p.read(string(src), on)
	if len(r.errs) > 0 {
		return nil, r.errorList(name, r.errs)
	}
	s := &Script{Commands: r.top, Extensions: r.unseen(), Lines: r.lines()}
	return s, nil
}

var parsers = sync.Pool{New: func() any { return new(parser) }}

// free gives a parser back. What it made keeps none of its slices, but may be
// part of its source.
func (p *parser) free() {
	const keep = 1 << 14 // nodes
	if cap(p.nodes) > keep || cap(p.strs) > keep || cap(p.decoded) > keep {
		return
	}
	clear(p.decoded)
	p.src, p.lex, p.tok = "", lexer{}, token{}
	r := p.reader
	p.reader = reader{found: r.found[:0], loops: r.loops[:0], places: r.places[:0]}
	parsers.Put(p)
}

// read reads a whole script.
func (p *parser) read(src string, on Extensions) *reader {
	r := &p.reader
	r.syntax, r.available = &p.syntax, on
	p.parse(src, func(off int, err error) { r.errorf(int32(off), "%w", err) })
	if len(r.errs) == 0 {
		r.top = r.script()
	}
	return r
}

// errorList places errors in the source.
func (r *reader) errorList(name string, errs []sourceError) ErrorList {
	slices.SortStableFunc(errs, func(a, b sourceError) int { return int(a.off - b.off) })
	var out ErrorList
	for _, e := range errs {
		line, column := position(r.src, int(e.off))
		if len(out) == maxErrors {
			e.err = fmt.Errorf("too many errors")
		}
		out = append(out, &Error{Name: name, Line: line, Column: column, Err: e.err})
		if len(out) > maxErrors {
			break
		}
	}
	return out
}

// lines are the lines of what the script holds, as Script.Lines has them.
func (r *reader) lines() []int {
	if len(r.places) == 0 {
		return nil
	}
	out := make([]int, len(r.places))
	for i, p := range r.places {
		out[i] = int(p.line) + 1
	}
	return out
}

// unseen are the extensions that change what the script means and don't show in
// its values.
func (r *reader) unseen() Extensions {
	var out Extensions
	if r.references {
		out |= ExtVariables
	}
	if r.globals {
		out |= r.on & ExtInclude
	}
	if r.environment {
		out |= r.on & ExtDovecotEnvironment
	}
	return out &^ r.shown
}
