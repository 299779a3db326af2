package interp

import (
	"github.com/oxmailroute/oxmailroute/sieve"
)

// commands compiles a block.
func (c *compiler) commands(list []sieve.Command) block {
	if c.blocks == 0 {
		c.ahead = 1
	}
	out := c.slabs.code.take(len(list), c.ahead)[:0]
	top := len(c.path) - 1
	c.blocks++
	for i, cmd := range list {
		c.path[top].index = i
		step := c.step()
		if c.blocks == 1 {
			c.ahead = len(list) - i
		}
		switch cmd.(type) {
		case sieve.Comment, sieve.Unread:
			continue
		default: // runs
			out = out[:len(out)+1]
			c.command(&out[len(out)-1], cmd, step)
		}
	}
	c.blocks--
	b := block{code: out}
	b.index = c.indexRules(out)
	return b
}

// in compiles a block that is a field of the current value.
func (c *compiler) in(field string, list []sieve.Command) block {
	c.enter(field, -1)
	b := c.commands(list)
	c.leave()
	return b
}

// command compiles a command to an empty instruction.
func (c *compiler) command(in *instruction, cmd sieve.Command, step int) {
	in.step = int32(step)
	switch cmd := cmd.(type) {
	case sieve.If:
		c.chain(in, &cmd)
	case sieve.Stop:
		in.kind = opStop
	case sieve.Discard:
		in.kind, in.act = opDiscard, ActionDiscard{}
	case sieve.Keep:
		in.kind, in.act, in.key = opKeep, ActionKeep{}, sieve.Inbox
		c.flagsTag(in, cmd.Flags)
	case sieve.FileInto:
		c.fileInto(in, cmd)
	case sieve.Redirect:
		c.redirect(in, cmd)
	case sieve.Reject:
		c.reject(in, cmd.Reason, false)
	case sieve.EReject:
		c.reject(in, cmd.Reason, true)
	case sieve.Vacation:
		c.vacation(in, cmd)
	case sieve.AddFlag:
		c.flagCommand(in, addingFlags, cmd.Flags, cmd.Variable)
	case sieve.SetFlag:
		c.flagCommand(in, settingFlags, cmd.Flags, cmd.Variable)
	case sieve.RemoveFlag:
		c.flagCommand(in, removingFlags, cmd.Flags, cmd.Variable)
	case sieve.Mark:
		c.flagCommand(in, addingFlags, []string{`\flagged`}, "")
	case sieve.Unmark:
		c.flagCommand(in, removingFlags, []string{`\flagged`}, "")
	case nil:
		c.errorf("", "is nil: give it a command value")
	default:
		in.kind = opRun
		if in.op = c.operation(cmd); in.op == nil {
			c.errorf("", "a command of type %T is %w", cmd, sieve.ErrUnsupported)
		}
	}
}

// operation compiles the commands that are no actions.
func (c *compiler) operation(cmd sieve.Command) operation {
	switch cmd := cmd.(type) {
	case sieve.Set:
		return &setCommand{c.named(cmd.Name, "Name"), c.text(cmd.Value, "Value"), c.modifiers(cmd.Modifiers, "Modifiers")}
	case sieve.AddHeader:
		return c.addHeader(cmd)
	case sieve.DeleteHeader:
		return c.deleteHeader(cmd)
	case sieve.Include:
		return c.include(cmd)
	case sieve.Return:
		return returnCommand{}
	case sieve.Global:
		return c.declare(cmd.Names)
	case sieve.Import:
		return c.declare(cmd.Names)
	case sieve.Export:
		return c.declare(cmd.Names)
	case sieve.Notify:
		return c.notify(cmd)
	case sieve.ForEveryPart:
		return c.forEveryPart(cmd)
	case sieve.Break:
		return c.breakLoop(cmd)
	case sieve.ExtractText:
		return c.extractText(cmd)
	case sieve.Fail:
		return &failCommand{c.text(cmd.Text, "Text")}
	case sieve.DebugLog:
		return &debugCommand{c.text(cmd.Text, "Text")}
	case sieve.Report:
		return c.report(cmd)
	default: // DraftNotify and Denotify, which Pigeonhole alone runs, and types that embed a command
		return nil
	}
}

// noBlock stands for an else that isn't there.
var noBlock block

// chain compiles an If with its elsif and else.
func (c *compiler) chain(in *instruction, cmd *sieve.If) {
	x := c.slabs.choices.one(c.ahead)
	in.kind, in.choice, x.branches = opIf, &x.choice, x.one[:]
	if n := 1 + len(cmd.ElsIf); n > 1 {
		x.branches = make([]branch, n)
	}
	over := c.branch(&x.branches[0], cmd.Test, cmd.Then, false)
	for i := range cmd.ElsIf {
		c.step()
		c.enter("ElsIf", i)
		over = c.branch(&x.branches[i+1], cmd.ElsIf[i].Test, cmd.ElsIf[i].Then, over)
		c.leave()
	}
	if x.els = &noBlock; len(cmd.Else) > 0 {
		if over {
			c.dead++
		}
		els := c.in("Else", cmd.Else)
		if x.els = &els; over {
			c.dead--
		}
	}
	x.chain = c.indexChain(x.branches)
}

// branch compiles a branch. It is told, and reports, whether none behind is
// tried.
func (c *compiler) branch(b *branch, test sieve.Test, then []sieve.Command, over bool) bool {
	dead := c.dead
	if over {
		c.dead++
	}
	b.test = c.field("Test", -1, test)
	value, constant := constantOf(b.test)
	if constant && !value {
		c.dead++
	}
	b.then = c.in("Then", then)
	c.dead = dead
	return over || constant && value
}

// dynamic is a command whose arguments are worked out when it runs.
type dynamic struct {
	// make returns the instruction as it is now.
	make func(r *run, in instruction) (instruction, error)
}

func (d *dynamic) perform(r *run, in *instruction) error {
	now, err := d.make(r, *in)
	if err != nil || r.failed != nil {
		return err
	}
	return r.add(&now)
}

// before adds something that is worked out before the action is added.
func (c *compiler) before(in *instruction, f func(r *run, in instruction) (instruction, error)) {
	kind := in.kind
	if d, ok := in.op.(*dynamic); ok {
		first := d.make
		d.make = func(r *run, in instruction) (instruction, error) {
			in, err := first(r, in)
			if err != nil {
				return in, err
			}
			return f(r, in)
		}
		return
	}
	in.kind = opRun
	in.op = &dynamic{make: func(r *run, in instruction) (instruction, error) {
		in.kind, in.op = kind, nil
		return f(r, in)
	}}
}
