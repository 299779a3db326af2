package sieve

// blockOf reads the commands of a block.
func (r *reader) blockOf(of *synNode, top bool) []Command {
	count := int(of.count)
	if count == 0 {
		return nil
	}
	// The place for this block; the blocks inside lie behind it.
	start := len(r.block)
	if cap(r.block)-start < count {
		r.block, start = make([]Command, 0, count), 0
	}
	r.block = r.block[:start+count]
	out := r.block[start : start : start+count]
	var previous nameID
	for i := of.block; i != 0; {
		n := &r.nodes[i]
		switch {
		case n.comment:
			r.places = append(r.places, sourcePlace{n.off, n.line})
			text, _ := r.ownLine(synComment{off: n.off, end: n.end})
			out = append(out, Comment(text))
			i = n.next
			continue
		case n.id == nameRequire:
			if top && (previous == nameUnknown || previous == nameRequire) {
				r.require(n)
			} else {
				r.errorf(n.off, "require must stand at the top of the script, before all other commands")
			}
			previous, i = nameRequire, n.next
			continue
		}
		if top && !r.requires {
			r.begin(n.off)
		}
		if n.id == nameIf {
			var c Command
			previous = nameIf
			c, i = r.chain(n)
			out = append(out, c)
			continue
		}
		r.places = append(r.places, sourcePlace{n.off, n.line})
		if c := r.command(n, previous, top); c != nil {
			out = append(out, c)
		}
		previous, i = n.id, n.next
		if n.id == nameUnknown {
			previous = numNames
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// nextPart returns the elsif or else behind a node, or 0.
func (r *reader) nextPart(n *synNode) int32 {
	for i := n.next; i != 0; i = r.nodes[i].next {
		if m := &r.nodes[i]; !m.comment {
			if m.id == nameElsIf || m.id == nameElse {
				return i
			}
			break
		}
	}
	return 0
}

// chain reads an if with its elsif and else, and returns what follows it.
// Comments between them are dropped.
func (r *reader) chain(n *synNode) (Command, int32) {
	var out If
	decided := false // a branch before is always taken
	for part := n; ; {
		if part.id == nameElse {
			if r.arguments(part, specs[nameElse]) {
				out.Else = r.branch(part, decided)
			}
			return out, part.next
		}
		r.places = append(r.places, sourcePlace{part.off, part.line})
		var test Test = False{}
		value := unknown
		if r.arguments(part, specs[nameIf]) {
			t := &r.nodes[part.tests]
			if decided {
				test = r.deadTest(t)
				value = never
			} else {
				test, value = r.test(t)
			}
		}
		then := r.branch(part, value == never)
		if part == n {
			out.Test, out.Then = test, then
		} else {
			out.ElsIf = append(out.ElsIf, ElsIf{test, then})
		}
		decided = decided || value == always
		next := r.nextPart(part)
		if next == 0 {
			return out, part.next
		}
		part = &r.nodes[next]
	}
}

// branch reads the block of a command.
func (r *reader) branch(n *synNode, dead bool) []Command {
	if dead {
		return r.deadBlock(n.block)
	}
	return r.blockOf(n, false)
}

// command reads a command that isn't part of an if; it returns nil where there
// was an error.
func (r *reader) command(n *synNode, previous nameID, top bool) Command {
	sp := specs[n.id]
	switch {
	case n.id == nameElsIf || n.id == nameElse:
		r.errorf(n.off, "%s must follow an if or elsif", r.name(n))
		return nil
	case sp == nil:
		r.errorf(n.off, "unknown command %q, or of an extension that is %w", r.name(n), ErrUnsupported)
		r.blockOf(n, false)
		return nil
	case sp.isTest:
		r.errorf(n.off, "%s is a test, not a command", r.name(n))
		return nil
	}
	if n.id == nameNotify && r.on.Has(ExtNotify) {
		sp = draftNotify
	}
	if !r.need(n, sp) || !r.arguments(n, sp) {
		return nil
	}
	r.show(sp.ext)
	args := r.positional(n)
	switch n.id {
	case nameStop:
		return Stop{}
	case nameDiscard:
		return Discard{}
	case nameKeep:
		return Keep{Flags: r.flags()}
	case nameFileInto:
		return r.fileInto(args)
	case nameRedirect:
		return Redirect{Copy: r.shows(nameCopy, ExtCopy), Address: r.address(&args[0])}
	case nameReject:
		return Reject{r.str(&args[0])}
	case nameEReject:
		return EReject{r.str(&args[0])}
	case nameVacation:
		return r.vacation(args)
	case nameAddFlag, nameSetFlag, nameRemoveFlag:
		return r.flagCommand(n, args)
	case nameMark:
		return Mark{}
	case nameUnmark:
		return Unmark{}
	case nameSet:
		c := Set{Modifiers: r.modifiers(), Name: r.variable(r.string1(&args[0]), true)}
		c.Value = r.str(&args[1])
		return c
	case nameAddHeader:
		return r.addHeader(args)
	case nameDeleteHeader:
		return r.deleteHeader(n, args)
	case nameInclude:
		return r.include(args)
	case nameReturn:
		return Return{}
	case nameGlobal, nameImport, nameExport:
		return r.global(n, args, previous, top)
	case nameNotify:
		if sp == draftNotify {
			return r.draftNotify(n)
		}
		return r.notify(args)
	case nameDenotify:
		return r.denotify(n)
	case nameForEveryPart:
		return r.forEveryPart(n)
	case nameBreak:
		return r.breakLoop(n)
	case nameExtractText:
		c := ExtractText{Modifiers: r.modifiers(), First: r.number(nameFirst)}
		c.Variable = r.variable(r.string1(&args[0]), true)
		r.show(ExtVariables)
		if len(r.loops) == 0 {
			r.errorf(n.off, "extracttext must stand inside of a foreverypart")
		}
		return c
	case nameError:
		return Fail{r.str(&args[0])}
	case nameDebugLog:
		return DebugLog{r.str(&args[0])}
	case nameReport:
		return r.report(args)
	}
	return nil
}

// show notes that a value needs one of the extensions.
func (r *reader) show(any Extensions) {
	if one := any & r.on; one&(one-1) == 0 {
		r.shown |= one
	}
}

// shows reports whether the current command has a tag of an extension.
func (r *reader) shows(id nameID, x Extensions) bool {
	if r.tagged(id) == nil {
		return false
	}
	r.shown |= x
	return true
}

// number returns the number of a tag, or nil.
func (r *reader) number(id nameID) *uint64 {
	f := r.tagged(id)
	if f == nil {
		return nil
	}
	n := r.num(f.param)
	return &n
}

// optionalText returns the string of a tag, or nil.
func (r *reader) optionalText(id nameID) *string {
	f := r.tagged(id)
	if f == nil {
		return nil
	}
	s := r.str(f.param)
	return &s
}

// optionalList returns the strings of a tag, or nil.
func (r *reader) optionalList(id nameID) []string {
	f := r.tagged(id)
	if f == nil {
		return nil
	}
	return r.strList(f.param)
}
