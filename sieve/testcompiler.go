package sieve

import (
	"fmt"

	"github.com/oxmailroute/oxmailroute/headers"
)

func (c *compiler) test(t Test, where string) condition {
	step := c.step()
	switch t := t.(type) {
	case True:
		return constant{step, true}
	case False, UnreadTest:
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
		return &headerTest{step, c.slots(t.Names, where+".Names"), c.matcher(t.Match, t.Relation, t.Comparator, t.Keys, where)}
	case Address:
		c.nonEmpty(t.Keys, where+".Keys")
		return &addressTest{step, c.slots(t.Names, where+".Names"), c.part(t.Part, where),
			c.matcher(t.Match, t.Relation, t.Comparator, t.Keys, where)}
	case Envelope:
		c.nonEmpty(t.Keys, where+".Keys")
		c.nonEmpty(t.Fields, where+".Fields")
		e := &envelopeTest{step: step, part: c.part(t.Part, where),
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
		return &flagTest{step, c.matcher(t.Match, t.Relation, t.Comparator, flags, where)}
	default:
		c.errorf(where, "a test of type %T is %w", t, ErrUnsupported)
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
	out.index()
	return out
}
