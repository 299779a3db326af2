package sieve

import (
	"fmt"
	"slices"
	"sync"

	"github.com/oxmailroute/oxmailroute/headers"
)

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
	pool         sync.Pool // of *run
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
		flagged: slices.Contains(requires, extIMAP4Flags),
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
	p.fields.finish()
	p.pool.New = func() any { return new(run) }
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
		if _, ok := cmd.(Comment); ok {
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
		c.errorf(where, "%T is not a command value", cmd)
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

func (c *compiler) test(t Test, where string) condition {
	step := c.step()
	switch t := t.(type) {
	case True:
		return constant{step, true}
	case False:
		return constant{step, false}
	case Not:
		return negation{step, c.test(t.Test, where+".Test")}
	case AllOf:
		return junction{step, c.tests(t, where), false}
	case AnyOf:
		return junction{step, c.tests(t, where), true}
	case Size:
		return sizeTest{step, t.Over, t.Limit}
	case Exists:
		return existsTest{step, c.slots(t.Names, where+".Names")}
	case MailboxExists:
		return mailboxTest{step, append([]string(nil), t.Mailboxes...)}
	case Header:
		c.nonEmpty(t.Keys, where+".Keys")
		if err := t.checkMIME(); err != nil {
			c.errorf(where, "%w", err)
			return constant{step, false}
		}
		if t.MIME && len(t.Keys) > 0 {
			m, err := headers.Compile(headers.ContentType{Types: t.Keys, Top: !t.AnyChild}, headers.Sieve)
			if err != nil {
				c.errorf(where+".Keys", "%w", err)
			}
			return contentTypeTest{step, m}
		}
		return headerTest{step, c.slots(t.Names, where+".Names"), c.matcher(t.Match, t.Relation, t.Comparator, t.Keys, where)}
	case Address:
		c.nonEmpty(t.Keys, where+".Keys")
		return addressTest{step, c.slots(t.Names, where+".Names"), c.part(t.Part, where),
			c.matcher(t.Match, t.Relation, t.Comparator, t.Keys, where)}
	case Envelope:
		c.nonEmpty(t.Keys, where+".Keys")
		c.nonEmpty(t.Fields, where+".Fields")
		e := envelopeTest{step: step, part: c.part(t.Part, where),
			match: c.matcher(t.Match, t.Relation, t.Comparator, t.Keys, where)}
		for i, name := range t.Fields {
			if !isEnvelopeField(name) {
				c.errorf(fmt.Sprintf("%s.Fields[%d]", where, i), `envelope field %q is %w: use "from" or "to"`, name, ErrUnsupported)
			}
			e.to = append(e.to, len(name) == len("to"))
		}
		return e
	case HasFlag:
		c.nonEmpty(t.Flags, where+".Flags")
		flags := t.Flags
		if t.Match == "" || t.Match == Is || t.Match == Contains {
			// Only these take a string for several flags.
			flags = splitFlags(flags)
		}
		return flagTest{step, c.matcher(t.Match, t.Relation, t.Comparator, flags, where)}
	default:
		c.errorf(where, "%T is not a test value", t)
		return constant{step, false}
	}
}

func (c *compiler) tests(list []Test, where string) []condition {
	if len(list) == 0 {
		c.errorf(where, "is empty: use True or False")
	}
	out := make([]condition, len(list))
	for i, t := range list {
		out[i] = c.test(t, fmt.Sprintf("%s[%d]", where, i))
	}
	return out
}

func (c *compiler) part(p AddressPart, where string) AddressPart {
	switch p {
	case "":
		return All
	case All, LocalPart, Domain:
	default:
		c.errorf(where+".Part", "unknown address part %q", string(p))
	}
	return p
}

func (c *compiler) nonEmpty(list []string, where string) {
	if len(list) == 0 {
		c.errorf(where, "is empty")
	}
}

// slots returns the slots of the field names.
func (c *compiler) slots(names []string, where string) []int {
	c.nonEmpty(names, where)
	out := make([]int, len(names))
	for i, name := range names {
		out[i] = c.program.fields.slot(name)
	}
	return out
}

func (c *compiler) matcher(m MatchType, r Relation, cmp Comparator, keys []string, where string) *matcher {
	out := &matcher{kind: m, relation: r, comparator: cmp}
	if m == "" {
		out.kind = Is
	}
	switch cmp {
	case "":
		out.comparator = ASCIICasemap
	case ASCIICasemap, Octet, ASCIINumeric:
	default:
		c.errorf(where+".Comparator", "unknown comparator %q", string(cmp))
	}
	if err := checkComparator(m, cmp); err != nil {
		c.errorf(where+".Comparator", "%w", err)
	}
	fold := out.comparator == ASCIICasemap
	switch out.kind {
	case Is, Contains:
		if r != "" {
			c.errorf(where+".Relation", "belongs to Count and Value only")
		}
	case Matches:
		for _, k := range keys {
			out.globs = append(out.globs, headers.CompileGlob(k, fold))
		}
	case Regex:
		for i, k := range keys {
			re, err := headers.CompileERE(k, fold)
			if err != nil {
				c.errorf(fmt.Sprintf("%s.Keys[%d]", where, i), "regular expression %q: %w", k, err)
				continue
			}
			out.regexps = append(out.regexps, re)
		}
	case Count, Value:
		if !r.valid() {
			c.errorf(where+".Relation", `relation %q is none of "gt", "ge", "lt", "le", "eq", "ne"`, string(r))
		}
	default:
		c.errorf(where+".Match", "unknown match type %q", string(m))
	}
	out.keys = make([]string, len(keys))
	for i, k := range keys {
		if fold {
			k = lowerASCII(k)
		}
		out.keys[i] = k
	}
	return out
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
