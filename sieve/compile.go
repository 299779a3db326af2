package sieve

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Options are the circumstances in which a script runs. The zero value has the
// server's defaults.
type Options struct {
	// Name stands in steps and errors.
	Name string
	// Extensions are those that the server has, which is what ihave asks for
	// (RFC 5463); 0 means [Debian12].
	Extensions Extensions
	// Scripts finds the scripts that Include names; without it none is there.
	Scripts Scripts
	// Delimiter are the characters that separate user and detail of a local
	// part (recipient_delimiter, RFC 5233); "" means "+".
	Delimiter string
	// MaxRedirects is the number of redirects that a message may have
	// (sieve_max_redirects); 0 means 4, a negative number none.
	MaxRedirects int
	// MaxActions is the number of actions that a message may have
	// (sieve_max_actions); 0 means 32, a negative number no limit.
	MaxActions int
	// AutoCreate says that a missing mailbox is made without :create
	// (lda_mailbox_autocreate). Without it, storing in a mailbox of which
	// Input.MailboxExists says no is a run-time error.
	AutoCreate bool
	// MaxSteps bounds the work of each script on one message, so that a
	// decision never depends on how busy the machine is: one step is about what
	// it takes to look at one octet once. The script that needs more has a
	// run-time error, and the message is kept. 0 means 1 << 30, about a second.
	MaxSteps int64
	// Trace records steps.
	Trace bool
}

// Program is a compiled script. It is immutable and safe for concurrent use.
type Program struct {
	main         *script
	scripts      int // with those it includes
	delimiter    string
	maxRedirects int
	maxActions   int // < 0: none
	maxSteps     int64
	autoCreate   bool
	trace        bool
	flagged      bool // the script uses imap4flags
	globals      int
	extensions   Extensions
	fields       fieldTable
}

// instruction is a compiled command.
type instruction struct {
	kind    instructionKind
	own     bool // the command has :flags
	step    int
	*choice           // opIf
	op      operation // opRun
	act     Action    // the actions, as they are without flags
	key     string    // what makes two actions the same: mailbox, address
	flag    []string  // the flags of the command
}

// choice is what an opIf chooses from.
type choice struct {
	branches []branch
	els      *block
	chain    *lazyIndex // where there are many branches
}

// operation is a command that isn't an action, or one whose arguments must be
// worked out first.
type operation interface {
	perform(r *run, in *instruction) error
}

// branch is a test and what it leads to.
type branch struct {
	test condition
	then block
}

// block is a list of commands.
type block struct {
	code  []instruction
	index *lazyIndex // where there are many rules
}

type instructionKind uint8

const (
	opIf instructionKind = iota
	opRun
	opStop
	opKeep
	opFileInto
	opRedirect
	opDiscard
	opReject
	opVacation
	opNotify
	opEdit
	opRemember
	opReport
)

// script is a compiled script: the main one, or one that is included.
type script struct {
	name   string
	code   block
	locals int    // how many variables it has
	steps  []Step // with trace, the steps that can be recorded, without their outcome
	count  int    // of steps
	lines  func() []int
}

// line returns the line of a step.
func (s *script) line(step int) int {
	if lines := s.lines(); step < len(lines) {
		return lines[step]
	}
	return 0
}

// Compile compiles a script. It reports what can't run, as an [ErrorList]: nil
// tests, unknown match types, broken regular expressions and addresses. The
// program shares strings and slices with the script: its values must not be
// changed afterwards.
func Compile(s *Script, o Options) (*Program, error) {
	p := &Program{
		autoCreate: o.AutoCreate, trace: o.Trace, delimiter: o.Delimiter, extensions: o.Extensions,
		maxRedirects: o.MaxRedirects, maxActions: o.MaxActions, maxSteps: o.MaxSteps,
	}
	if p.delimiter == "" {
		p.delimiter = "+"
	}
	if p.extensions == 0 {
		p.extensions = Debian12
	}
	if p.maxSteps <= 0 {
		p.maxSteps = 1 << 30
	}
	if p.maxRedirects == 0 {
		p.maxRedirects = 4
	}
	if p.maxActions == 0 {
		p.maxActions = 32
	}
	c := compiler{program: p, options: &o}
	p.main = c.script(s, o.Name, "")
	if err := c.errs.Err(); err != nil {
		return nil, err
	}
	p.globals = len(c.globals)
	return p, nil
}

// compiler walks the commands.
type compiler struct {
	program   *Program
	options   *Options
	current   *script
	name      string // of the script
	path      []place
	errs      ErrorList
	scope     scope
	variables bool // the script has them
	env       bool // and those of the environment
	parts     int  // how many foreverypart are around
	labels    []string
	globals   map[string]int
	included  map[string]*script
	depth     int  // of includes
	plus      bool // the script has spamtestplus
}

// place is a step of the way to a value.
type place struct {
	name  string
	index int // -1: none
}

func (c *compiler) enter(name string, index int) { c.path = append(c.path, place{name, index}) }
func (c *compiler) leave()                       { c.path = c.path[:len(c.path)-1] }

// where is the path of a value.
func (c *compiler) where(field string) string {
	var b strings.Builder
	for _, p := range c.path {
		if b.Len() > 0 && p.name != "" {
			b.WriteByte('.')
		}
		b.WriteString(p.name)
		if p.index >= 0 {
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(p.index))
			b.WriteByte(']')
		}
	}
	if field != "" {
		if b.Len() > 0 && field[0] != '[' {
			b.WriteByte('.')
		}
		b.WriteString(field)
	}
	return b.String()
}

// errorf reports an error of a field of the current value.
func (c *compiler) errorf(field, format string, args ...any) {
	if len(c.errs) < maxErrors {
		e := &Error{Name: c.name, Where: c.where(field), Err: fmt.Errorf(format, args...)}
		c.errs = append(c.errs, e)
	}
}

// script compiles a script; key is the one of an included script.
func (c *compiler) script(s *Script, name, key string) *script {
	out := &script{name: name}
	if c.program.scripts++; key != "" {
		if c.included == nil {
			c.included = make(map[string]*script)
		}
		c.included[key] = out
	}
	out.lines = sync.OnceValue(func() []int {
		if len(s.Lines) == out.count {
			return s.Lines
		}
		nodes, requires := s.nodes()
		var p printer
		p.script(nodes, requires)
		return p.lines
	})
	outer := *c
	c.current, c.name, c.path, c.scope, c.parts, c.labels = out, name, nil, scope{}, 0, nil
	u := uses{ext: s.Extensions}
	u.commands(s.Commands)
	c.variables, c.env = u.ext.Has(ExtVariables), u.ext.Has(ExtVariables|ExtDovecotEnvironment)
	c.plus = u.ext.Has(ExtSpamTestPlus)
	c.program.flagged = c.program.flagged || u.ext.Has(ExtIMAP4Flags)
	c.enter("Commands", -1)
	out.code = c.commands(s.Commands)
	out.locals = len(c.scope.local)
	if c.program.trace {
		out.describe(s)
	}
	errs, globals, included := c.errs, c.globals, c.included
	*c = outer
	c.errs, c.globals, c.included = errs, globals, included
	return out
}

// step moves to the next command or test and returns the index of its step.
func (c *compiler) step() int {
	c.current.count++
	return c.current.count - 1
}

// describe makes the steps for the trace.
func (s *script) describe(src *Script) {
	nodes, _ := src.nodes()
	list := flatten(nil, nodes)
	s.steps = make([]Step, max(s.count, len(list)))
	for i := range s.steps {
		s.steps[i] = Step{Script: s.name, Line: s.line(i)}
		if i < len(list) {
			s.steps[i].Text = oneLine(list[i])
		}
	}
}

// uses finds out what a script uses, as far as the compiler must know before.
type uses struct{ ext Extensions }

func (u *uses) commands(list []Command) {
	for _, c := range list {
		switch c := c.(type) {
		case If:
			u.test(c.Test)
			u.commands(c.Then)
			for i := range c.ElsIf {
				u.test(c.ElsIf[i].Test)
				u.commands(c.ElsIf[i].Then)
			}
			u.commands(c.Else)
		case ForEveryPart:
			u.commands(c.Block)
		case Set, ExtractText, Global, Import, Export:
			u.ext |= ExtVariables
		case FileInto:
			u.flags(c.Flags)
		case Keep:
			u.flags(c.Flags)
		case AddFlag:
			u.flagCommand(c.Variable)
		case SetFlag:
			u.flagCommand(c.Variable)
		case RemoveFlag:
			u.flagCommand(c.Variable)
		case Mark, Unmark:
			u.ext |= ExtIMAP4Flags
		}
	}
}

func (u *uses) flags(list []string) {
	if list != nil {
		u.ext |= ExtIMAP4Flags
	}
}

func (u *uses) flagCommand(variable string) {
	u.ext |= ExtIMAP4Flags
	if variable != "" {
		u.ext |= ExtVariables
	}
}

func (u *uses) test(t Test) {
	switch t := t.(type) {
	case Not:
		u.test(t.Test)
	case AllOf:
		for _, t := range t {
			u.test(t)
		}
	case AnyOf:
		for _, t := range t {
			u.test(t)
		}
	case String:
		u.ext |= ExtVariables
	case HasFlag:
		u.ext |= ExtIMAP4Flags
		if t.Variables != nil {
			u.ext |= ExtVariables
		}
	}
}

// flatten lists the nodes in the order of Script.Lines.
func flatten(dst, nodes []*node) []*node {
	for _, n := range nodes {
		if !n.silent {
			dst = append(dst, n)
		}
		dst = flatten(dst, n.tests)
		dst = flatten(dst, n.block)
	}
	return dst
}

// stepWidth bounds the text of a step.
const stepWidth = 160

// oneLine prints a command without its block, or a test, on one line.
func oneLine(n *node) string {
	var p printer
	p.str(n.name)
	head := *n
	if n.hasBlock || n.list {
		head.tests = nil
		head.list = false
	}
	p.arguments(&head)
	out := make([]byte, 0, min(len(p.out), stepWidth))
	space := false
	for _, c := range p.out {
		if c == '\n' || c == ' ' {
			if !space {
				out = append(out, ' ')
			}
			space = true
			continue
		}
		space = false
		out = append(out, c)
		if len(out) >= stepWidth {
			return string(out) + "..."
		}
	}
	return string(out)
}
