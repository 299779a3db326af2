package sieve

import (
	"fmt"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve/internal/field"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
)

// valueChecker reports the values that no program can be made of, in the order
// in which they stand: what package interp refuses to compile whatever its
// options are.
type valueChecker struct {
	errs      Errors
	variables bool // the script has them
	env       bool // and those of the environment
	local     map[string]bool
	global    map[string]bool // those that the script has declared
	shared    map[string]bool // the variables of all scripts
	loops     []string        // the names of the foreverypart commands around
}

// checkValues checks the values of a whole script.
func checkValues(s *Script) error {
	on := s.InEffect()
	c := &valueChecker{variables: on.Has(ExtVariables), env: on.Has(ExtVariables | ExtDovecotEnvironment),
		local: map[string]bool{}, global: map[string]bool{}, shared: map[string]bool{}}
	c.commands(s.Commands, "Commands")
	return c.errs.Err()
}

func (c *valueChecker) errorf(where, format string, args ...any) {
	if len(c.errs) < maxErrors {
		c.errs = append(c.errs, &Error{Position: Position{Path: where}, Err: fmt.Errorf(format, args...)})
	}
}

func (c *valueChecker) commands(list []Command, where string) {
	for i, cmd := range list {
		c.command(cmd, fmt.Sprintf("%s[%d]", where, i))
	}
}

// command checks a command.
func (c *valueChecker) command(cmd Command, where string) {
	switch cmd := cmd.(type) {
	case If:
		c.test(cmd.Test, where+".Test")
		c.commands(cmd.Then, where+".Then")
		for i, e := range cmd.ElsIf {
			at := fmt.Sprintf("%s.ElsIf[%d]", where, i)
			c.test(e.Test, at+".Test")
			c.commands(e.Then, at+".Then")
		}
		c.commands(cmd.Else, where+".Else")
	case Keep:
		c.texts(cmd.Flags, where+".Flags")
	case FileInto:
		c.fileInto(cmd, where)
	case Redirect:
		c.address(cmd.Address, where+".Address")
	case Reject:
		c.text(cmd.Reason, where+".Reason")
	case EReject:
		c.text(cmd.Reason, where+".Reason")
	case Vacation:
		c.vacation(cmd, where)
	case AddFlag:
		c.flags(cmd.Flags, cmd.Variable, where)
	case SetFlag:
		c.flags(cmd.Flags, cmd.Variable, where)
	case RemoveFlag:
		c.flags(cmd.Flags, cmd.Variable, where)
	case Set:
		c.named(cmd.Name, where+".Name")
		c.text(cmd.Value, where+".Value")
		c.modifiers(cmd.Modifiers, where+".Modifiers")
	case AddHeader:
		name, value := c.text(cmd.Name, where+".Name"), c.text(cmd.Value, where+".Value")
		c.fieldName(name, cmd.Name, where+".Name")
		if value {
			if err := field.CheckValue(cmd.Value, field.MaxValue); err != nil {
				c.errorf(where+".Value", "%w", err)
			}
		}
	case DeleteHeader:
		c.fieldName(c.text(cmd.Name, where+".Name"), cmd.Name, where+".Name")
		if cmd.Values != nil {
			c.matching(cmd.Match, cmd.Relation, cmd.Comparator, cmd.Values, where)
		}
	case Global:
		c.declare(cmd.Names, where+".Names")
	case Import:
		c.declare(cmd.Names, where+".Names")
	case Export:
		c.declare(cmd.Names, where+".Names")
	case Notify:
		c.notify(cmd, where)
	case ForEveryPart:
		c.loops = append(c.loops, optionalName(cmd.Name))
		c.commands(cmd.Block, where+".Block")
		c.loops = c.loops[:len(c.loops)-1]
	case Break:
		c.breakLoop(cmd, where)
	case ExtractText:
		if len(c.loops) == 0 {
			c.errorf(where, "extracttext stands outside of foreverypart")
		}
		c.named(cmd.Variable, where+".Variable")
		c.modifiers(cmd.Modifiers, where+".Modifiers")
	case Fail:
		c.text(cmd.Text, where+".Text")
	case DebugLog:
		c.text(cmd.Text, where+".Text")
	case Report:
		c.text(cmd.Type, where+".Type")
		c.text(cmd.Text, where+".Text")
		c.text(cmd.Address, where+".Address")
	case Stop, Discard, Comment, Unread, Include, Return, Mark, Unmark:
	case nil:
		c.errorf(where, "is nil: give it a command value")
	default:
		c.errorf(where, "a command of type %T is %w", cmd, ErrUnsupported)
	}
}

func (c *valueChecker) address(s, where string) {
	if c.hasVariables(s) {
		c.text(s, where)
	} else if _, err := mailaddr.Parse(s); err != nil {
		c.errorf(where, "address %q: %w", s, err)
	}
}

// test checks a test.
func (c *valueChecker) test(t Test, where string) {
	switch t := t.(type) {
	case Not:
		c.test(t.Test, where+".Test")
	case AllOf:
		c.tests(t, where)
	case AnyOf:
		c.tests(t, where)
	case Exists:
		c.source(t.Names, 0, false, t.MIME, t.AnyChild, where)
	case Header:
		c.header(t, where)
	case Address:
		c.nonEmpty(t.Keys, where+".Keys")
		c.source(t.Names, t.Index, t.Last, t.MIME, t.AnyChild, where)
		c.part(t.Part, where)
		c.matching(t.Match, t.Relation, t.Comparator, t.Keys, where)
	case Envelope:
		c.envelope(t, where)
	case HasFlag:
		c.nonEmpty(t.Flags, where+".Flags")
		c.matching(t.Match, t.Relation, t.Comparator, t.Flags, where)
		for _, name := range t.Variables {
			c.read(name, where+".Variables")
		}
	case String:
		c.texts(t.Sources, where+".Sources")
		comparator := t.Comparator
		if comparator == "" {
			comparator = Octet
		}
		c.matching(t.Match, t.Relation, comparator, t.Keys, where)
	case Body:
		c.body(t, where)
	case Date:
		c.source([]string{t.Name}, t.Index, t.Last, false, false, where)
		c.text(string(t.Part), where+".Part")
		c.matching(t.Match, t.Relation, t.Comparator, t.Keys, where)
		c.text(t.Zone, where+".Zone")
		if t.Zone != "" && t.OriginalZone {
			c.errorf(where+".Zone", "excludes OriginalZone")
		}
	case CurrentDate:
		c.text(string(t.Part), where+".Part")
		c.matching(t.Match, t.Relation, t.Comparator, t.Keys, where)
		c.text(t.Zone, where+".Zone")
	default:
		c.extensionTest(t, where)
	}
}

func (c *valueChecker) extensionTest(t Test, where string) {
	switch t := t.(type) {
	case Environment:
		c.text(t.Item, where+".Item")
		c.matching(t.Match, t.Relation, t.Comparator, t.Keys, where)
	case MailboxExists:
		c.texts(t.Mailboxes, where+".Mailboxes")
	case Metadata:
		c.text(t.Mailbox, where+".Mailbox")
		c.text(t.Annotation, where+".Annotation")
		c.matching(t.Match, t.Relation, t.Comparator, t.Keys, where)
	case ServerMetadata:
		c.text(t.Annotation, where+".Annotation")
		c.matching(t.Match, t.Relation, t.Comparator, t.Keys, where)
	case MetadataExists:
		c.text(t.Mailbox, where+".Mailbox")
		c.texts(t.Annotations, where+".Annotations")
	case ServerMetadataExists:
		c.texts(t.Annotations, where+".Annotations")
	case SpecialUseExists:
		c.optional(t.Mailbox, where+".Mailbox")
		c.texts(t.Attributes, where+".Attributes")
	case Duplicate:
		c.optional(t.Handle, where+".Handle")
		c.optional(t.Header, where+".Header")
		c.optional(t.UniqueID, where+".UniqueID")
		if t.UniqueID != nil && t.Header != nil {
			c.errorf(where+".UniqueID", "excludes Header")
		}
	case SpamTest:
		c.matching(t.Match, t.Relation, t.Comparator, []string{t.Value}, where)
	case VirusTest:
		c.matching(t.Match, t.Relation, t.Comparator, []string{t.Value}, where)
	case ValidNotifyMethod:
		c.texts(t.URIs, where+".URIs")
	case NotifyMethodCapability:
		c.text(t.URI, where+".URI")
		c.text(t.Capability, where+".Capability")
		c.matching(t.Match, t.Relation, t.Comparator, t.Keys, where)
	case True, False, UnreadTest, Size, IHave:
	case nil:
		c.errorf(where, "is nil: give it a test value")
	default:
		c.errorf(where, "a test of type %T is %w", t, ErrUnsupported)
	}
}

func (c *valueChecker) tests(list []Test, where string) {
	if len(list) == 0 {
		c.errorf(where, "is empty: use True or False")
	}
	for i, t := range list {
		c.test(t, fmt.Sprintf("%s[%d]", where, i))
	}
}

func (c *valueChecker) header(t Header, where string) {
	c.nonEmpty(t.Keys, where+".Keys")
	c.source(t.Names, t.Index, t.Last, t.MIME, t.AnyChild, where)
	c.matching(t.Match, t.Relation, t.Comparator, t.Keys, where)
	c.texts(t.MIMEParams, where+".MIMEParams")
	switch t.MIMEPart {
	case "":
	case MIMEType, MIMESubtype, MIMEContentType, MIMEParam:
		if !t.MIME {
			c.errorf(where+".MIMEPart", "needs MIME")
		}
	default:
		c.errorf(where+".MIMEPart", "unknown MIME part %q", string(t.MIMEPart))
	}
}

func (c *valueChecker) source(names []string, index uint64, last, mime, anyChild bool, where string) {
	c.nonEmpty(names, where+".Names")
	if last && index == 0 {
		c.errorf(where, "Last needs Index")
	}
	if anyChild && !mime {
		c.errorf(where, "AnyChild needs MIME")
	}
	c.texts(names, where+".Names")
}

func (c *valueChecker) part(p AddressPart, where string) {
	switch p {
	case "", All, LocalPart, Domain, User, Detail:
	default:
		c.errorf(where+".Part", "unknown address part %q", string(p))
	}
}

func (c *valueChecker) nonEmpty(list []string, where string) {
	if len(list) == 0 {
		c.errorf(where, "is empty")
	}
}

// matching checks what values are compared by and with.
func (c *valueChecker) matching(m MatchType, r Relation, cmp Comparator, keys []string, where string) {
	switch cmp {
	case "", ASCIICasemap, Octet, ASCIINumeric, UnicodeCasemap:
	default:
		c.errorf(where+".Comparator", "unknown comparator %q", string(cmp))
	}
	if err := cmp.Supports(m); err != nil {
		c.errorf(where+".Comparator", "%w", err)
	}
	switch m {
	case "", Is, Contains, Matches, Regex:
		if r != "" {
			c.errorf(where+".Relation", "belongs to Count and Value only")
		}
	case Count, Value:
		if !r.Valid() {
			c.errorf(where+".Relation", `relation %q is none of "gt", "ge", "lt", "le", "eq", "ne"`, string(r))
		}
	default:
		c.errorf(where+".Match", "unknown match type %q", string(m))
	}
	if !c.texts(keys, where+".Keys") || m != Regex {
		return
	}
	for i, k := range keys {
		if _, err := headers.CompileERE(k, cmp != Octet); err != nil {
			c.errorf(fmt.Sprintf("%s.Keys[%d]", where, i), "regular expression %q: %w", k, err)
		}
	}
}
