package sieve

import "strings"

// commands reads a block.
func (r *reader) commands(nodes []*node) []Command {
	var out []Command
	for i := 0; i < len(nodes); {
		n := nodes[i]
		if n.isComment {
			r.lines = append(r.lines, n.pos.line)
			out = append(out, Comment(n.comment))
			i++
			continue
		}
		if strings.EqualFold(n.name, "if") {
			end := i + 1
			for j := end; j < len(nodes); j++ {
				if nodes[j].isComment {
					continue
				}
				if !strings.EqualFold(nodes[j].name, "elsif") && !strings.EqualFold(nodes[j].name, "else") {
					break
				}
				end = j + 1
				if strings.EqualFold(nodes[j].name, "else") {
					break
				}
			}
			out = append(out, r.chain(nodes[i:end]))
			i = end
			continue
		}
		r.lines = append(r.lines, n.pos.line)
		if c := r.command(n); c != nil {
			out = append(out, c)
		}
		i++
	}
	return out
}

// chain reads an if with its elsif and else. Comments between them are dropped.
func (r *reader) chain(nodes []*node) Command {
	var out If
	for _, n := range nodes {
		if n.isComment {
			continue
		}
		if strings.EqualFold(n.name, "else") {
			r.arguments(n, shape{block: true}, nil)
			out.Else = r.commands(n.block)
			continue
		}
		r.lines = append(r.lines, n.pos.line)
		var test Test = False{}
		if _, ok := r.arguments(n, shape{tests: oneTest, block: true}, nil); ok {
			test = r.test(n.tests[0])
		}
		then := r.commands(n.block)
		if strings.EqualFold(n.name, "if") {
			out.Test, out.Then = test, then
		} else {
			out.ElsIf = append(out.ElsIf, ElsIf{test, then})
		}
	}
	return out
}

// command reads a command that isn't part of an if; it returns nil where there
// was an error.
func (r *reader) command(n *node) Command {
	switch name := strings.ToLower(n.name); name {
	case "require":
		r.errorf(n.pos, "require must stand at the top of the script, before all other commands")
		return nil
	case "elsif", "else":
		r.errorf(n.pos, "%s must follow an if or elsif", name)
		return nil
	case "stop":
		r.arguments(n, shape{}, nil)
		return Stop{}
	case "discard":
		r.arguments(n, shape{}, nil)
		return Discard{}
	case "keep":
		var c Keep
		r.arguments(n, shape{}, func(tag string, take func(argKind) (argument, bool)) (string, bool) {
			return r.flagsTag(tag, take, &c.Flags)
		})
		return c
	case "fileinto":
		if !r.need(n.pos, n.name, extFileInto) {
			return nil
		}
		return r.fileInto(n)
	case "redirect":
		return r.redirect(n)
	case "reject":
		if !r.need(n.pos, n.name, extReject) {
			return nil
		}
		args, ok := r.arguments(n, shape{positional: []argKind{argString}}, nil)
		if !ok {
			return nil
		}
		return Reject{r.str(args[0])}
	case "vacation":
		if !r.need(n.pos, n.name, extVacation) {
			return nil
		}
		return r.vacation(n)
	case "addflag", "setflag", "removeflag":
		if !r.need(n.pos, n.name, extIMAP4Flags) {
			return nil
		}
		args, ok := r.arguments(n, shape{positional: []argKind{argList}}, nil)
		if !ok {
			return nil
		}
		flags := r.list(args[0])
		switch name {
		case "addflag":
			return AddFlag{Flags: flags}
		case "setflag":
			return SetFlag{Flags: flags}
		default:
			return RemoveFlag{Flags: flags}
		}
	}
	if isTestName(n.name) {
		r.errorf(n.pos, "%s is a test, not a command", n.name)
		return nil
	}
	r.errorf(n.pos, "unknown command %q, or of an extension that is %w", n.name, ErrUnsupported)
	r.commands(n.block)
	return nil
}

// flagsTag takes :flags (RFC 5232 section 5).
func (r *reader) flagsTag(tag string, take func(argKind) (argument, bool), dst *[]string) (string, bool) {
	if tag != "flags" || !r.requires[extIMAP4Flags] {
		return "", false
	}
	a, ok := take(argList)
	if ok {
		*dst = r.list(a)
	}
	return tag, ok
}

func (r *reader) fileInto(n *node) Command {
	var c FileInto
	args, ok := r.arguments(n, shape{positional: []argKind{argString}}, func(tag string, take func(argKind) (argument, bool)) (string, bool) {
		switch {
		case tag == "copy" && r.requires[extCopy]:
			c.Copy = true
			return tag, true
		case tag == "create" && r.requires[extMailbox]:
			c.Create = true
			return tag, true
		}
		return r.flagsTag(tag, take, &c.Flags)
	})
	if !ok {
		return nil
	}
	c.Mailbox = r.str(args[0])
	if err := checkMailbox(c.Mailbox); err != nil {
		r.report(args[0].pos, err)
	}
	return c
}

func (r *reader) redirect(n *node) Command {
	var c Redirect
	args, ok := r.arguments(n, shape{positional: []argKind{argString}}, func(tag string, _ func(argKind) (argument, bool)) (string, bool) {
		if tag == "copy" && r.requires[extCopy] {
			c.Copy = true
			return tag, true
		}
		return "", false
	})
	if !ok {
		return nil
	}
	c.Address = r.str(args[0])
	if _, err := parseMailbox(c.Address); err != nil {
		r.errorf(args[0].pos, "address %q: %w", c.Address, err)
	}
	return c
}

func (r *reader) vacation(n *node) Command {
	var c Vacation
	args, ok := r.arguments(n, shape{positional: []argKind{argString}}, func(tag string, take func(argKind) (argument, bool)) (string, bool) {
		var a argument
		ok := true
		switch tag {
		case "days":
			if a, ok = take(argNumber); ok {
				c.Days = &a.num
			}
		case "subject", "handle":
			if a, ok = take(argString); ok {
				s := r.str(a)
				if tag == "subject" {
					c.Subject = &s
				} else {
					c.Handle = &s
				}
			}
		case "from":
			if a, ok = take(argString); ok {
				c.From = r.str(a)
				if _, err := parseMailbox(c.From); err != nil {
					r.errorf(a.pos, "address %q: %w", c.From, err)
				}
			}
		case "addresses":
			if a, ok = take(argList); ok {
				c.Addresses = r.list(a)
			}
		case "mime":
			c.MIME = true
		default:
			return "", false
		}
		return tag, ok
	})
	if !ok {
		return nil
	}
	c.Reason = r.str(args[0])
	return c
}
