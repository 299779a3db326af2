package sieve

import "strings"

// InEffect returns the extensions of the script that change what its strings
// and flags mean: ExtVariables, ExtIMAP4Flags and ExtDovecotEnvironment where a
// command or test is of them, besides those of s.Extensions.
func (s *Script) InEffect() Extensions {
	if s == nil {
		s = new(Script)
	}
	u := uses{ext: s.Extensions}
	u.commands(s.Commands)
	return u.ext
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
		default: // has no block, no flags, and sets no variable
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
	case Environment:
		if strings.HasPrefix(t.Item, dovecotItem) {
			u.ext |= ExtDovecotEnvironment
		}
	case HasFlag:
		u.ext |= ExtIMAP4Flags
		if t.Variables != nil {
			u.ext |= ExtVariables
		}
	default: // holds no test, and is of no extension that the compiler asks for
	}
}
