package sieve

// Script is a Sieve script.
type Script struct {
	Commands []Command
	// Extensions are required besides those that follow from the commands. It
	// tells whether "${x}" in a string is a variable: it is where ExtVariables
	// is here, or where a command or test of RFC 5229 stands in the script.
	// [Parse] sets what the commands don't show and what changes how they run:
	// ExtVariables, ExtInclude (for "${global.x}") and ExtDovecotEnvironment.
	Extensions Extensions
	// Lines holds, for a script that [Parse] read, the source line of every
	// command and test in the order they stand (a command, its tests, its
	// block, then its elsif). It is nil for a script built in Go; the lines are
	// those of Format then. It only serves the trace of a run, and is
	// ignored where its length doesn't fit the commands.
	Lines []int
}

// Requires returns the extensions that the script uses, sorted, as its require
// command lists them.
func (s *Script) Requires() []string {
	if s == nil {
		s = new(Script)
	}
	_, requires := s.nodes()
	return requires.Names()
}

// Format prints the script in its canonical form: LF line ends, one command a
// line, the require command first. Parsing the result gives an equal script,
// and printing that the same text.
//
// Format does not check: where [Script.Validate] reports an error the result
// may be a text that no Sieve compiler accepts. What is in a string, a name or
// a comment stays there, whatever it holds.
func (s *Script) Format() []byte {
	if s == nil {
		s = new(Script)
	}
	nodes, requires := s.nodes()
	var p printer
	p.script(nodes, requires)
	return p.out
}

// nodes returns the script as a generic syntax tree, and its extensions.
func (s *Script) nodes() ([]*node, Extensions) {
	var w writer
	nodes := w.commands(s.Commands)
	return nodes, w.requires(nodes) | s.Extensions
}
