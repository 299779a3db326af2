package interp

import (
	"slices"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mboxname"
)

// commands compiles a block.
func (c *compiler) commands(list []sieve.Command) block {
	out := make([]instruction, 0, len(list))
	top := len(c.path) - 1
	for i, cmd := range list {
		c.path[top].index = i
		step := c.step()
		switch cmd.(type) {
		case sieve.Comment, sieve.Unread:
			continue
		}
		out = append(out, c.command(cmd, step))
	}
	b := block{code: out}
	b.index = c.indexRules(out)
	return b
}

// in compiles a block that is a field of the current value.
func (c *compiler) in(field string, list []sieve.Command) block {
	c.enter(field, -1)
	defer c.leave()
	return c.commands(list)
}

func (c *compiler) command(cmd sieve.Command, step int) instruction {
	in := instruction{step: step}
	switch cmd := cmd.(type) {
	case sieve.If:
		return c.chain(cmd, step)
	case sieve.Stop:
		in.kind = opStop
	case sieve.Discard:
		in.kind, in.act = opDiscard, ActionDiscard{}
	case sieve.Keep:
		in.kind, in.act, in.key = opKeep, ActionKeep{}, sieve.Inbox
		c.flagsTag(&in, cmd.Flags)
	case sieve.FileInto:
		c.fileInto(&in, cmd)
	case sieve.Redirect:
		c.redirect(&in, cmd)
	case sieve.Reject:
		c.reject(&in, cmd.Reason, false)
	case sieve.EReject:
		c.reject(&in, cmd.Reason, true)
	case sieve.Vacation:
		c.vacation(&in, cmd)
	case sieve.AddFlag:
		c.flagCommand(&in, addingFlags, cmd.Flags, cmd.Variable)
	case sieve.SetFlag:
		c.flagCommand(&in, settingFlags, cmd.Flags, cmd.Variable)
	case sieve.RemoveFlag:
		c.flagCommand(&in, removingFlags, cmd.Flags, cmd.Variable)
	case sieve.Mark:
		c.flagCommand(&in, addingFlags, []string{`\flagged`}, "")
	case sieve.Unmark:
		c.flagCommand(&in, removingFlags, []string{`\flagged`}, "")
	case nil:
		c.errorf("", "is nil: give it a command value")
	default:
		in.kind = opRun
		if in.op = c.operation(cmd); in.op == nil {
			c.errorf("", "a command of type %T is %w", cmd, sieve.ErrUnsupported)
		}
	}
	return in
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
	}
	return nil
}

// noBlock stands for an else that isn't there.
var noBlock block

// chain compiles an If with its elsif and else.
func (c *compiler) chain(cmd sieve.If, step int) instruction {
	// Most have one branch: it lies beside the rest.
	x := &struct {
		choice
		one [1]branch
	}{}
	in := instruction{kind: opIf, step: step, choice: &x.choice}
	in.branches = x.one[:0]
	if n := 1 + len(cmd.ElsIf); n > 1 {
		in.branches = make([]branch, 0, n)
	}
	b := branch{test: c.field("Test", -1, cmd.Test)}
	b.then = c.in("Then", cmd.Then)
	in.branches = append(in.branches, b)
	for i := range cmd.ElsIf {
		c.step()
		c.enter("ElsIf", i)
		b := branch{test: c.field("Test", -1, cmd.ElsIf[i].Test)}
		b.then = c.in("Then", cmd.ElsIf[i].Then)
		c.leave()
		in.branches = append(in.branches, b)
	}
	if in.els = &noBlock; len(cmd.Else) > 0 {
		els := c.in("Else", cmd.Else)
		in.els = &els
	}
	in.chain = c.indexChain(in.branches)
	return in
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

// flagsTag compiles :flags.
func (c *compiler) flagsTag(in *instruction, flags []string) {
	in.own = flags != nil
	if !c.anyVariables(flags) {
		in.flag = validFlags(flags)
		return
	}
	list := c.texts(flags, "Flags")
	c.before(in, func(r *run, in instruction) (instruction, error) {
		in.flag = validFlags(r.strs(list))
		return in, nil
	})
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

func (c *compiler) fileInto(in *instruction, cmd sieve.FileInto) {
	in.kind, in.key = opFileInto, cmd.Mailbox
	in.act = ActionFileInto{Mailbox: cmd.Mailbox, Create: cmd.Create, Copy: cmd.Copy}
	c.flagsTag(in, cmd.Flags)
	if !c.hasVariables(cmd.Mailbox) && cmd.SpecialUse == "" {
		if err := mboxname.Check(cmd.Mailbox); err != nil {
			c.errorf("Mailbox", "%w", err)
		}
		return
	}
	mailbox, use := c.text(cmd.Mailbox, "Mailbox"), c.text(cmd.SpecialUse, "SpecialUse")
	c.before(in, func(r *run, in instruction) (instruction, error) {
		name := r.str(&mailbox)
		if err := mboxname.Check(name); err != nil {
			return in, r.errorf(&in, "%w", err)
		}
		if attr := r.str(&use); attr != "" {
			if !mboxname.ValidSpecialUse(attr) {
				return in, r.errorf(&in, "%q is not a special-use attribute", attr)
			}
			if found, ok := r.specialUse("", attr); ok {
				name = found
			}
		}
		act := in.act.(ActionFileInto)
		act.Mailbox = name
		in.act, in.key = act, name
		return in, nil
	})
}

func (c *compiler) redirect(in *instruction, cmd sieve.Redirect) {
	in.kind = opRedirect
	if c.program.maxRedirects < 0 {
		c.errorf("", "redirect is forbidden (MaxRedirects)")
	}
	if !c.hasVariables(cmd.Address) {
		target, err := mailaddr.Target(cmd.Address)
		if err != nil {
			c.errorf("Address", "address %q: %w", cmd.Address, err)
		}
		in.key, in.act = target, ActionRedirect{Address: target, Copy: cmd.Copy}
		return
	}
	address, keeps := c.text(cmd.Address, "Address"), cmd.Copy
	c.before(in, func(r *run, in instruction) (instruction, error) {
		s := r.str(&address)
		target, err := mailaddr.Target(s)
		if err != nil {
			return in, r.errorf(&in, "address %q: %w", s, err)
		}
		in.key, in.act = target, ActionRedirect{Address: target, Copy: keeps}
		return in, nil
	})
}

func (c *compiler) reject(in *instruction, reason string, early bool) {
	in.kind, in.act = opReject, ActionReject{Text: reason, Early: early}
	if !c.hasVariables(reason) {
		return
	}
	text := c.text(reason, "Reason")
	c.before(in, func(r *run, in instruction) (instruction, error) {
		in.act = ActionReject{Text: r.str(&text), Early: early}
		return in, nil
	})
}

func (c *compiler) vacation(in *instruction, cmd sieve.Vacation) {
	cmd = cloneVacation(cmd)
	in.kind, in.act = opVacation, ActionVacation{Vacation: cmd}
	if cmd.Days != nil && cmd.Seconds != nil {
		c.errorf("Seconds", "excludes Days")
	}
	from := c.text(cmd.From, "From")
	if cmd.From != "" && from.constant() {
		if _, err := mailaddr.Parse(cmd.From); err != nil {
			c.errorf("From", "address %q: %w", cmd.From, err)
		}
	}
	subject, handle := c.optional(cmd.Subject, "Subject"), c.optional(cmd.Handle, "Handle")
	addresses, reason := c.texts(cmd.Addresses, "Addresses"), c.text(cmd.Reason, "Reason")
	if from.constant() && reason.constant() && constants(addresses) &&
		(subject == nil || subject.constant()) && (handle == nil || handle.constant()) {
		return
	}
	c.before(in, func(r *run, in instruction) (instruction, error) {
		v := cloneVacation(cmd)
		// The server takes here what it wouldn't compile.
		v.From = r.str(&from)
		v.Reason = r.str(&reason)
		if subject != nil {
			s := r.str(subject)
			v.Subject = &s
		}
		if handle != nil {
			s := r.str(handle)
			v.Handle = &s
		}
		if addresses != nil && cmd.Addresses != nil {
			v.Addresses = slices.Clone(r.strs(addresses))
		}
		in.act = ActionVacation{Vacation: v}
		return in, nil
	})
}

// failCommand is the command error (RFC 5463 section 5).
type failCommand struct{ text text }

func (f *failCommand) perform(r *run, in *instruction) error {
	return r.errorf(in, "error: %s", r.str(&f.text))
}

// debugCommand is debug_log: it shows in the trace alone.
type debugCommand struct{ text text }

func (d *debugCommand) perform(*run, *instruction) error { return nil }
