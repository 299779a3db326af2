package sieve

import "fmt"

// Parse reads a script in source form. The name stands in the errors, which
// come all at once as an [ErrorList]: those of the grammar, or where the
// grammar is right, those of the commands. A script that Parse takes, sievec
// takes too; see the package comment for the other direction.
func Parse(name string, src []byte) (*Script, error) {
	var errs ErrorList
	report := func(at pos, err error) {
		switch {
		case len(errs) < maxErrors:
			errs = append(errs, &Error{Name: name, Line: at.line, Column: at.column, Err: err})
		case len(errs) == maxErrors:
			errs = append(errs, &Error{Name: name, Line: at.line, Column: at.column, Err: fmt.Errorf("too many errors")})
		}
	}
	if len(src) > maxScriptSize {
		report(pos{1, 1}, fmt.Errorf("the script has %d octets; %d is the limit", len(src), maxScriptSize))
		return nil, errs
	}
	p := parser{lex: newLexer(string(src), report), report: report}
	nodes := p.script()
	if len(errs) > 0 {
		return nil, errs
	}
	r := reader{report: report}
	s := &Script{Commands: r.script(nodes)}
	if len(errs) > 0 {
		return nil, errs
	}
	s.setLines(r.lines)
	return s, nil
}
