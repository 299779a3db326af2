package interp

import (
	"github.com/oxmailroute/oxmailroute/sieve"
)

// field compiles a test that is a field of the current value.
func (c *compiler) field(name string, index int, t sieve.Test) condition {
	c.enter(name, index)
	out := c.test(t)
	c.leave()
	return out
}

func (c *compiler) test(t sieve.Test) condition {
	step := c.step()
	switch t := t.(type) {
	case sieve.True:
		return constant{step, true}
	case sieve.False, sieve.UnreadTest:
		return constant{step, false}
	case sieve.Not:
		return &negation{step, c.field("Test", -1, t.Test)}
	case sieve.AllOf:
		return c.junction(step, c.tests(t), false)
	case sieve.AnyOf:
		return c.junction(step, c.tests(t), true)
	case sieve.Size:
		return &sizeTest{step, t.Over, t.Limit}
	case sieve.Exists:
		return &existsTest{step, c.source(t.Names, 0, false, t.MIME, t.AnyChild)}
	case sieve.Header:
		c.nonEmpty(t.Keys, "Keys")
		if len(t.Names) == 1 && t.Index == 0 && !t.Last && !t.MIME && !t.AnyChild && t.MIMEPart == "" && !c.hasVariables(t.Names[0]) {
			x := c.slabs.plain.one(c.ahead)
			m := x.in(&x.match)
			c.setMatcher(m, t.Match, t.Relation, t.Comparator, t.Keys)
			if m.single() && !m.dynamic {
				x.plainTest = plainTest{step: step, slot: int32(c.program.fields.slot(t.Names[0])), match: m}
				return &x.plainTest
			}
			return &headerTest{step: step, plain: !m.dynamic, source: c.source(t.Names, 0, false, false, false), match: m}
		}
		h := &headerTest{step: step, source: c.source(t.Names, t.Index, t.Last, t.MIME, t.AnyChild), part: t.MIMEPart,
			match: c.matcher(t.Match, t.Relation, t.Comparator, t.Keys), params: c.texts(t.MIMEParams, "MIMEParams")}
		switch t.MIMEPart {
		case "", sieve.MIMEType, sieve.MIMESubtype, sieve.MIMEContentType, sieve.MIMEParam:
			if t.MIMEPart != "" && !t.MIME {
				c.errorf("MIMEPart", "needs MIME")
			}
		default:
			c.errorf("MIMEPart", "unknown MIME part %q", string(t.MIMEPart))
		}
		h.plain = h.simple() && !h.match.dynamic && t.MIMEPart == ""
		return h
	case sieve.Address:
		c.nonEmpty(t.Keys, "Keys")
		x := c.slabs.addresses.one(c.ahead)
		x.addressTest = addressTest{step: step, source: c.sourceIn(x.slots[:0], t.Names, t.Index, t.Last, t.MIME, t.AnyChild),
			part: c.part(t.Part), match: x.in(&x.match)}
		c.setMatcher(x.addressTest.match, t.Match, t.Relation, t.Comparator, t.Keys)
		return &x.addressTest
	case sieve.Envelope:
		c.nonEmpty(t.Keys, "Keys")
		c.nonEmpty(t.Fields, "Fields")
		fields := c.texts(t.Fields, "Fields")
		for i, name := range t.Fields {
			c.enter("Fields", i)
			switch {
			case !fields[i].constant() || foldEqual(name, "from") || foldEqual(name, "to"):
			case !foldEqual(name, "auth"):
				c.errorf("", `envelope field %q is %w: use "from", "to" or "auth"`, name, sieve.ErrUnsupported)
			case t.Part != "":
				c.errorf("", `envelope field "auth" is no address: leave Part empty`)
			}
			c.leave()
		}
		return &envelopeTest{step: step, part: c.part(t.Part), parts: fields,
			match: c.matcher(t.Match, t.Relation, t.Comparator, t.Keys)}
	case sieve.HasFlag:
		return c.hasFlag(t, step)
	case nil:
		c.errorf("", "is nil: give it a test value")
		return constant{step, false}
	default:
		if out := c.extensionTest(t, step); out != nil {
			return out
		}
		c.errorf("", "a test of type %T is %w", t, sieve.ErrUnsupported)
		return constant{step, false}
	}
}

// extensionTest compiles the tests of extensions.
func (c *compiler) extensionTest(t sieve.Test, step int) condition {
	switch t := t.(type) {
	case sieve.String:
		// The default of this test alone is i;octet in Pigeonhole 0.5.
		comparator := t.Comparator
		if comparator == "" && !c.program.pigeonhole24 {
			comparator = sieve.Octet
		}
		return &stringTest{step, c.texts(t.Sources, "Sources"), c.matcher(t.Match, t.Relation, comparator, t.Keys)}
	case sieve.Body:
		return c.body(t, step)
	case sieve.Date:
		return c.date(t, step)
	case sieve.CurrentDate:
		return c.currentDate(t, step)
	case sieve.Environment:
		return &environmentTest{step, c.text(t.Item, "Item"), c.matcher(t.Match, t.Relation, t.Comparator, t.Keys)}
	case sieve.MailboxExists:
		return &mailboxTest{step, c.texts(t.Mailboxes, "Mailboxes")}
	case sieve.Metadata:
		return &metadataTest{step, c.text(t.Mailbox, "Mailbox"), c.text(t.Annotation, "Annotation"),
			c.matcher(t.Match, t.Relation, t.Comparator, t.Keys), false}
	case sieve.ServerMetadata:
		return &metadataTest{step, text{}, c.text(t.Annotation, "Annotation"), c.matcher(t.Match, t.Relation, t.Comparator, t.Keys), true}
	case sieve.MetadataExists:
		return &metadataExistsTest{step, c.text(t.Mailbox, "Mailbox"), c.texts(t.Annotations, "Annotations"), false}
	case sieve.ServerMetadataExists:
		return &metadataExistsTest{step, text{}, c.texts(t.Annotations, "Annotations"), true}
	case sieve.SpecialUseExists:
		return &specialUseTest{step, c.optional(t.Mailbox, "Mailbox"), c.texts(t.Attributes, "Attributes")}
	case sieve.Duplicate:
		return c.duplicate(t, step)
	case sieve.SpamTest:
		return &scoreTest{step, c.matcher(t.Match, t.Relation, t.Comparator, []string{t.Value}), false, t.Percent}
	case sieve.VirusTest:
		return &scoreTest{step, c.matcher(t.Match, t.Relation, t.Comparator, []string{t.Value}), true, false}
	case sieve.ValidNotifyMethod:
		return &notifyMethodTest{step, c.texts(t.URIs, "URIs")}
	case sieve.NotifyMethodCapability:
		return &notifyCapabilityTest{step, c.text(t.URI, "URI"), c.text(t.Capability, "Capability"),
			c.matcher(t.Match, t.Relation, t.Comparator, t.Keys)}
	case sieve.IHave:
		return c.ihave(t, step)
	default: // a type that embeds a test; test compiles the others
		return nil
	}
}

func (c *compiler) tests(list []sieve.Test) []condition {
	if len(list) == 0 {
		c.errorf("", "is empty: use True or False")
	}
	out := make([]condition, len(list))
	for i, t := range list {
		out[i] = c.field("", i, t)
	}
	return out
}

func (c *compiler) part(p sieve.AddressPart) sieve.AddressPart {
	switch p {
	case "":
		return sieve.All
	case sieve.All, sieve.LocalPart, sieve.Domain, sieve.User, sieve.Detail:
	default:
		c.errorf("Part", "unknown address part %q", string(p))
	}
	return p
}

func (c *compiler) nonEmpty(list []string, field string) {
	if len(list) == 0 {
		c.errorf(field, "is empty")
	}
}

func (c *compiler) matcher(m sieve.MatchType, r sieve.Relation, cmp sieve.Comparator, keys []string) *matcher {
	out := new(matcher)
	c.setMatcher(out, m, r, cmp, keys)
	return out
}

// setMatcher makes a matcher, in the room for keys that it has.
func (c *compiler) setMatcher(out *matcher, m sieve.MatchType, r sieve.Relation, cmp sieve.Comparator, keys []string) {
	out.kind, out.relation, out.comparator, out.captures, out.patterns = m, r, cmp, c.variables, &noPatterns
	if m == "" {
		out.kind = sieve.Is
	}
	switch cmp {
	case "":
		out.comparator = sieve.ASCIICasemap
	case sieve.ASCIICasemap, sieve.Octet, sieve.ASCIINumeric, sieve.UnicodeCasemap:
	default:
		c.errorf("Comparator", "unknown comparator %q", string(cmp))
	}
	if err := cmp.Supports(m); err != nil {
		c.errorf("Comparator", "%w", err)
	}
	switch out.kind {
	case sieve.Is, sieve.Contains, sieve.Matches, sieve.Regex:
		if r != "" {
			c.errorf("Relation", "belongs to Count and Value only")
		}
	case sieve.Count, sieve.Value:
		if !r.Valid() {
			c.errorf("Relation", `relation %q is none of "gt", "ge", "lt", "le", "eq", "ne"`, string(r))
		}
	default:
		c.errorf("Match", "unknown match type %q", string(m))
	}
	if c.anyVariables(keys) {
		if list := c.texts(keys, "Keys"); !constants(list) {
			out.dynamic, out.rare().texts = true, list
			return
		}
	}
	if out.kind != sieve.Regex && cap(out.keys) < len(keys) {
		out.keys = make([]string, 0, len(keys))
	}
	for i, k := range keys {
		if err := out.add(k); err != nil {
			c.enter("Keys", i)
			c.errorf("", "regular expression %q: %w", k, err)
			c.leave()
		}
	}
	if out.kind == sieve.Matches {
		out.indexGlobs(keys)
	}
	out.index(c)
}
