package interp

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
)

// Options are the circumstances in which a script runs. The zero value has the
// server's defaults.
type Options struct {
	// Name stands in steps and errors.
	Name string
	// Extensions are those that the server has, which is what ihave asks for
	// (RFC 5463); 0 means [sieve.Debian12]. They say of which release it is too
	// ([sieve.Pigeonhole24]).
	Extensions sieve.Extensions
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
	// Store says which names of mailboxes are taken.
	Store Store
	// UserEmail is the user's own address (sieve_user_email): redirect's guard
	// against loops knows it besides the recipient. "" means none; what isn't an
	// address is none.
	UserEmail string
	// RedirectPeriod is for how long a redirect of a message is remembered
	// (sieve_redirect_duplicate_period); 0 means 12 hours, a negative duration
	// that it isn't, as with a period of 0 seconds (with which the server knows it
	// to the end of the second).
	RedirectPeriod time.Duration
	// Settings are those of extensions.
	Settings Settings
	// MaxSteps bounds the work of each script on one message, so that a
	// decision never depends on how busy the machine is: one step is about a
	// nanosecond. Octets that are folded, copied, decoded or matched are
	// charged, and so is memory that the message and the script don't bound.
	// The script that needs more has a run-time error, and the message is kept:
	// each run of a program takes the same steps for a message. With Trace they
	// are more where there are many rules, since each is tried.
	// 0 means 1 << 30, about a second of processor time at most.
	MaxSteps int64
	// Trace records steps.
	Trace bool
}

// program is a script in the form that runs.
type program struct {
	*circumstances
	main      *script
	scripts   int    // with those it includes
	userEmail string // as SMTP spells it
	flagged   bool   // the script uses imap4flags
	globals   int
	fields    fieldTable
}

// instruction is a compiled command.
type instruction struct {
	kind    instructionKind
	own     bool // the command has :flags
	step    int32
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
	source *sieve.Script

	once  sync.Once
	lines []int // of the steps, once one was asked for
}

// line returns the line of a step.
func (s *script) line(step int) int {
	s.once.Do(func() {
		switch {
		case s.source == nil:
		case len(s.source.Lines) == s.count:
			s.lines = s.source.Lines
		default:
			s.lines = s.source.PrintedLines()
		}
	})
	if step < len(s.lines) {
		return s.lines[step]
	}
	return 0
}

// compile makes the form that runs, and says what of it is included.
func compile(s *sieve.Script, o *own, shared *circumstances) (*program, []includedSource, error) {
	x := &struct { // in one piece
		program
		main script
	}{}
	p := &x.program
	p.circumstances, p.main = shared, &x.main
	p.fields.names, p.fields.next = p.fields.few.names[:0], p.fields.few.next[:0]
	if o.userEmail != "" {
		if a, err := mailaddr.Parse(o.userEmail); err == nil {
			p.userEmail = a.String()
		}
	}
	c := compiler{program: p, provider: o.scripts, slabs: workshops.Get().(*slabs)}
	c.script(p.main, s, o.name, "")
	*c.slabs = slabs{}
	workshops.Put(c.slabs)
	if err := c.errs.Err(); err != nil {
		return nil, nil, err
	}
	p.globals = len(c.globals)
	return p, c.sources, nil
}

// compiler walks the commands.
type compiler struct {
	program   *program
	provider  Scripts
	current   *script
	name      string // of the script
	path      []place
	errs      sieve.Errors
	scope     scope
	variables bool // the script has them
	env       bool // and those of the environment
	parts     int  // how many foreverypart are around
	labels    []string
	globals   map[string]int
	included  map[string]*script
	sources   []includedSource
	open      map[string]bool // the included scripts that are being compiled
	missing   map[string]bool // those that were asked for and are not there
	depth     int             // of includes
	plus      bool            // the script has spamtestplus
	dead      int             // how many blocks are around that are never run: nothing in them is an error
	slabs     *slabs
	blocks    int // how many are around
	ahead     int // about how many rules are still to come
}

// place is a step of the way to a value.
type place struct {
	name  string
	index int // -1: none
}

func (c *compiler) enter(name string, index int) { c.path = append(c.path, place{name, index}) }

func (c *compiler) leave() { c.path = c.path[:len(c.path)-1] }

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

// maxCompileErrors bounds the errors reported for one script.
const maxCompileErrors = 100

// errorf reports an error of a field of the current value.
func (c *compiler) errorf(field, format string, args ...any) {
	if c.dead == 0 && len(c.errs) < maxCompileErrors {
		e := &sieve.Error{Position: sieve.Position{File: c.name, Path: c.where(field)}, Err: fmt.Errorf(format, args...)}
		e.Line = -c.current.count // until the script is known to have lines
		c.errs = append(c.errs, e)
	}
}

// place gives the errors of a script that was read from source the line of their
// command or test.
func (out *script) place(errs sieve.Errors, s *sieve.Script) {
	for _, e := range errs {
		if e.Line >= 0 {
			continue // no command yet, or of an included script
		}
		step := -e.Line - 1
		if e.Line = 0; len(s.Lines) == out.count {
			e.Line, e.Column, e.Path = s.Lines[step], 1, ""
		}
	}
}

// script compiles a script; key is the one of an included script.
func (c *compiler) script(out *script, s *sieve.Script, name, key string) {
	out.name, out.source = name, s
	if c.program.scripts++; key != "" {
		if c.included == nil {
			c.included = make(map[string]*script)
		}
		c.included[key] = out
	}
	outer := *c
	c.current, c.name, c.scope, c.parts, c.labels = out, name, scope{}, 0, nil
	if c.path, c.blocks = nil, 0; key == "" {
		c.path = c.slabs.path[:0]
	}
	on := s.InEffect()
	c.variables, c.env = on.Has(sieve.ExtVariables), on.Has(sieve.ExtVariables|sieve.ExtDovecotEnvironment)
	c.plus = on.Has(sieve.ExtSpamTestPlus)
	c.program.flagged = c.program.flagged || on.Has(sieve.ExtIMAP4Flags)
	c.enter("Commands", -1)
	before := len(c.errs)
	out.code = c.commands(s.Commands)
	out.place(c.errs[before:], s)
	out.locals = len(c.scope.local)
	if limit := c.program.settings.MaxVariables; out.locals > limit {
		c.errorf("", "the script has %d variables, more than %d", out.locals, limit)
	}
	if c.program.trace {
		out.describe(s)
	}
	errs, globals, included, sources := c.errs, c.globals, c.included, c.sources
	*c = outer
	c.errs, c.globals, c.included, c.sources = errs, globals, included, sources
}

// step moves to the next command or test and returns the index of its step.
func (c *compiler) step() int {
	c.current.count++
	return c.current.count - 1
}

// describe makes the steps for the trace.
func (s *script) describe(src *sieve.Script) {
	list := src.Texts()
	s.steps = make([]Step, max(s.count, len(list)))
	for i := range s.steps {
		s.steps[i] = Step{Script: s.name, Line: s.line(i)}
		if i < len(list) {
			s.steps[i].Text = list[i]
		}
	}
}
