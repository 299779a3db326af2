package sieve

import "fmt"

// Options are the circumstances in which a script runs. The zero value has the
// server's defaults.
type Options struct {
	// Name stands in steps and errors.
	Name string
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
	name         string
	maxRedirects int
	maxActions   int // < 0: none
	autoCreate   bool
	trace        bool
	flagged      bool // the script uses imap4flags
	code         []instruction
	steps        []Step // the steps that can be recorded, without their outcome
	fields       fieldTable
	maxSteps     int64
}

// instruction is a compiled command.
type instruction struct {
	kind     instructionKind
	step     int
	branches []branch      // opIf
	els      []instruction // opIf
	act      Action        // the actions, as they are without flags
	key      string        // what makes two actions the same: mailbox, address
	flag     []string      // the flags of the command
	own      bool          // the command has :flags
}

// branch is a test and what it leads to.
type branch struct {
	test condition
	then []instruction
}

type instructionKind uint8

const (
	opIf instructionKind = iota
	opStop
	opKeep
	opFileInto
	opRedirect
	opDiscard
	opReject
	opVacation
	opAddFlag
	opSetFlag
	opRemoveFlag
)

// Compile compiles a script. It reports what can't run, as an [ErrorList]: nil
// tests, unknown match types, broken regular expressions and addresses. The
// script may be changed afterwards.
func Compile(s *Script, o Options) (*Program, error) {
	nodes, requires := s.nodes()
	var pr printer
	pr.script(nodes, requires)
	lines := pr.lines
	if len(s.Lines) == len(lines) {
		lines = s.Lines
	}
	p := &Program{
		name: o.Name, autoCreate: o.AutoCreate, trace: o.Trace,
		maxRedirects: o.MaxRedirects, maxActions: o.MaxActions,
		flagged: requires.Has(ExtIMAP4Flags),
	}
	if p.maxSteps = o.MaxSteps; p.maxSteps <= 0 {
		p.maxSteps = 1 << 30
	}
	if p.maxRedirects == 0 {
		p.maxRedirects = 4
	}
	if p.maxActions == 0 {
		p.maxActions = 32
	}
	c := compiler{program: p, nodes: flatten(nil, nodes), lines: lines}
	p.code = c.commands(s.Commands, "Commands")
	if err := c.errs.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// compiler walks the commands and, beside them, their nodes.
type compiler struct {
	program *Program
	nodes   []*node // in the order of the lines
	lines   []int
	at      int // the current one
	errs    ErrorList
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

func (c *compiler) errorf(where, format string, args ...any) {
	if len(c.errs) < maxErrors {
		e := &Error{Name: c.program.name, Where: where, Err: fmt.Errorf(format, args...)}
		c.errs = append(c.errs, e)
	}
}

// step moves to the next command or test and returns the index of its step.
func (c *compiler) step() int {
	i := c.at
	c.at++
	text := ""
	if c.program.trace {
		text = oneLine(c.nodes[i])
	}
	c.program.steps = append(c.program.steps, Step{Script: c.program.name, Line: c.lines[i], Text: text})
	return i
}

// commands compiles a block.
func (c *compiler) commands(list []Command, where string) []instruction {
	out := make([]instruction, 0, len(list))
	for i, cmd := range list {
		at := fmt.Sprintf("%s[%d]", where, i)
		step := c.step()
		switch cmd.(type) {
		case Comment, Unread:
			continue
		}
		out = append(out, c.command(cmd, step, at))
	}
	return out
}

func (c *compiler) command(cmd Command, step int, where string) instruction {
	in := instruction{step: step}
	switch cmd := cmd.(type) {
	case If:
		return c.chain(cmd, where)
	case Stop:
		in.kind = opStop
	case Discard:
		in.kind, in.act = opDiscard, ActionDiscard{}
	case Keep:
		in.kind, in.act, in.key = opKeep, ActionKeep{}, Inbox
		in.flag, in.own = validFlags(cmd.Flags), cmd.Flags != nil
	case FileInto:
		in.kind, in.key = opFileInto, cmd.Mailbox
		in.flag, in.own = validFlags(cmd.Flags), cmd.Flags != nil
		in.act = ActionFileInto{Mailbox: cmd.Mailbox, Create: cmd.Create, Copy: cmd.Copy}
	case Redirect:
		target, err := redirectTarget(cmd.Address)
		if err != nil {
			c.errorf(where+".Address", "address %q: %w", cmd.Address, err)
		}
		in.kind, in.key = opRedirect, target
		in.act = ActionRedirect{Address: target, Copy: cmd.Copy}
		if c.program.maxRedirects < 0 {
			c.errorf(where, "redirect is forbidden (MaxRedirects)")
		}
	case Reject:
		in.kind, in.act = opReject, ActionReject{Text: cmd.Reason}
	case Vacation:
		in.kind, in.act = opVacation, ActionVacation(cmd.clone())
		if cmd.From != "" {
			if _, err := parseMailbox(cmd.From); err != nil {
				c.errorf(where+".From", "address %q: %w", cmd.From, err)
			}
		}
	case AddFlag:
		in.kind, in.flag = opAddFlag, validFlags(cmd.Flags)
	case SetFlag:
		in.kind, in.flag = opSetFlag, validFlags(cmd.Flags)
	case RemoveFlag:
		in.kind, in.flag = opRemoveFlag, validFlags(cmd.Flags)
	case Comment:
		// Skipped by commands.
	default:
		c.errorf(where, "a command of type %T is %w", cmd, ErrUnsupported)
	}
	return in
}

// chain compiles an If with its elsif and else.
func (c *compiler) chain(cmd If, where string) instruction {
	in := instruction{kind: opIf}
	add := func(test Test, then []Command, where string) {
		b := branch{test: c.test(test, where+".Test")}
		b.then = c.commands(then, where+".Then")
		in.branches = append(in.branches, b)
	}
	add(cmd.Test, cmd.Then, where)
	for i, e := range cmd.ElsIf {
		c.step()
		add(e.Test, e.Then, fmt.Sprintf("%s.ElsIf[%d]", where, i))
	}
	in.els = c.commands(cmd.Else, where+".Else")
	return in
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
