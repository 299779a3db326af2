package sieve

import (
	"fmt"
	"slices"
	"sync"
)

// Parse reads a script in source form, for a server that has all extensions on
// that this package knows. The name stands in the errors, which come all at
// once as an [Errors]: those of the grammar, or where the grammar is right,
// those of the commands. Parse refuses what Pigeonhole refuses to compile.
//
// Like Pigeonhole, Parse doesn't look into a branch that can never run ("if false
// { ... }", what follows a true test in anyof, the branches after "if true"), and
// keeps what it can't read there as [Unread] and [UnreadTest]. What sievec prints
// as an error and compiles all the same is taken (a variable of an unknown
// namespace in a string, deleteheader with :last alone, an odd attribute in
// specialuse_exists). These differences are left:
//
//   - regular expressions are those of headers.CompileERE, which has the list
//     of what it doesn't take, back-references above all
//   - a list of names in deleteheader is refused, of which the server compiles a
//     program that is corrupt; so is a third argument of addflag, setflag,
//     removeflag and specialuse_exists, which it compiles and doesn't use
//   - whether an included script exists isn't looked at, as when a script is
//     uploaded
//   - settings that change limits (sieve_max_script_size,
//     sieve_variables_max_scope_size, sieve_editheader_max_header_size) have their
//     defaults: 1 MiB, 255 variables, 2048 octets
//
// The limits are the server's: 32 levels of blocks and of tests (the script
// itself is the first), 4 of foreverypart, 32 arguments, 32 octets in an
// identifier.
func Parse(name string, src []byte) (*Script, error) {
	return ParseFor(name, src, AllExtensions)
}

// ParseFor is [Parse] for a server with the given extensions on, such as
// [Debian12].
func ParseFor(name string, src []byte, on Extensions) (*Script, error) {
	if len(src) > maxScriptSize {
		err := fmt.Errorf("the script has %d octets; %d is the limit", len(src), maxScriptSize)
		return nil, Errors{{Position: Position{File: name, Line: 1, Column: 1}, Err: err}}
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
func (r *reader) errorList(name string, errs []sourceError) Errors {
	slices.SortStableFunc(errs, func(a, b sourceError) int { return int(a.off - b.off) })
	var out Errors
	for _, e := range errs {
		line, column := position(r.src, int(e.off))
		if len(out) == maxErrors {
			e.err = fmt.Errorf("too many errors")
		}
		out = append(out, &Error{Position: Position{File: name, Line: line, Column: column}, Err: e.err})
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
