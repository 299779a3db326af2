package sieve

import (
	"github.com/oxmailroute/oxmailroute/sieve/internal/varname"
)

// This file checks the commands and tests of extensions, as far as the text
// that they print to doesn't show what is wrong.

func (v *validator) extension(c Command, where string) {
	switch c := c.(type) {
	case EReject:
		v.text(c.Reason, where+".Reason")
	case Set:
		v.line(c.Name, where+".Name")
		v.text(c.Value, where+".Value")
	case AddHeader:
		v.fieldName(c.Name, where+".Name")
		v.text(c.Value, where+".Value")
	case DeleteHeader:
		v.fieldName(c.Name, where+".Name")
		if c.Last && c.Index == 0 {
			v.errorf(where+".Last", "needs Index")
		}
		if c.Values != nil {
			v.strings(c.Values, where+".Values", v.text)
		} else if c.Match != "" || c.Relation != "" || c.Comparator != "" {
			v.errorf(where+".Match", "needs Values")
		}
	case Include:
		v.line(c.Script, where+".Script")
	case Global:
		v.strings(c.Names, where+".Names", v.line)
	case Import:
		v.strings(c.Names, where+".Names", v.line)
	case Export:
		v.strings(c.Names, where+".Names", v.line)
	case Notify:
		v.line(c.Method, where+".Method")
		v.list(c.Options, where+".Options")
		v.optional(c.Message, where+".Message")
	case DraftNotify:
		v.optional(c.Method, where+".Method")
		v.optional(c.ID, where+".ID")
		v.list(c.Options, where+".Options")
		v.optional(c.Message, where+".Message")
	case Denotify:
		v.text(c.Key, where+".Key")
		if c.Match == "" && (c.Key != "" || c.Relation != "") {
			v.errorf(where+".Match", "is empty: the key is compared with nothing")
		}
	case Break:
		v.optional(c.Name, where+".Name")
	case ExtractText:
		v.line(c.Variable, where+".Variable")
	case Fail:
		v.text(c.Text, where+".Text")
	case DebugLog:
		v.text(c.Text, where+".Text")
	case Report:
		v.line(c.Type, where+".Type")
		v.text(c.Text, where+".Text")
		v.line(c.Address, where+".Address")
	case Return, Mark, Unmark:
	case Unread:
		if !grammatical(string(c), false) {
			v.errorf(where, "is not the text of a command")
		}
	default:
		v.errorf(where, "%T is not a command value", c)
	}
}

// optional checks a string that may be absent.
func (v *validator) optional(s *string, where string) {
	if s != nil {
		v.text(*s, where)
	}
}

// list checks a list that may be absent.
func (v *validator) list(list []string, where string) {
	if list != nil {
		v.strings(list, where, v.text)
	}
}

func (v *validator) testExtension(t Test, where string) {
	keys := func(keys []string) { v.strings(keys, where+".Keys", v.text) }
	switch t := t.(type) {
	case Body:
		if t.Transform == BodyContent {
			v.strings(t.Content, where+".Content", v.text)
		} else if t.Content != nil {
			v.errorf(where+".Content", "needs the transform BodyContent")
		}
		keys(t.Keys)
	case Date:
		v.fieldName(t.Name, where+".Name")
		if t.Zone != "" && t.OriginalZone {
			v.errorf(where+".Zone", "excludes OriginalZone")
		}
		v.datePart(t.Part, t.Zone, where)
		keys(t.Keys)
	case CurrentDate:
		v.datePart(t.Part, t.Zone, where)
		keys(t.Keys)
	case Environment:
		v.line(t.Item, where+".Item")
		keys(t.Keys)
	case String:
		v.strings(t.Sources, where+".Sources", v.text)
		keys(t.Keys)
	case Metadata:
		v.mailbox(t.Mailbox, where+".Mailbox")
		v.line(t.Annotation, where+".Annotation")
		keys(t.Keys)
	case ServerMetadata:
		v.line(t.Annotation, where+".Annotation")
		keys(t.Keys)
	case MetadataExists:
		v.mailbox(t.Mailbox, where+".Mailbox")
		v.strings(t.Annotations, where+".Annotations", v.line)
	case ServerMetadataExists:
		v.strings(t.Annotations, where+".Annotations", v.line)
	case SpecialUseExists:
		if t.Mailbox != nil {
			v.mailbox(*t.Mailbox, where+".Mailbox")
		}
		v.strings(t.Attributes, where+".Attributes", v.line)
	case Duplicate:
		v.optional(t.Handle, where+".Handle")
		v.optional(t.Header, where+".Header")
		v.optional(t.UniqueID, where+".UniqueID")
		if t.Header != nil && t.UniqueID != nil {
			v.errorf(where+".UniqueID", "excludes Header")
		}
	case SpamTest:
		v.text(t.Value, where+".Value")
	case VirusTest:
		v.text(t.Value, where+".Value")
	case ValidNotifyMethod:
		v.strings(t.URIs, where+".URIs", v.text)
	case NotifyMethodCapability:
		v.text(t.URI, where+".URI")
		v.text(t.Capability, where+".Capability")
		keys(t.Keys)
	case IHave:
		v.strings(t.Extensions, where+".Extensions", v.text)
	case UnreadTest:
		if !grammatical(string(t), true) {
			v.errorf(where, "is not the text of a test")
		}
	default:
		v.errorf(where, "%T is not a test value", t)
	}
}

// variableText reports whether a string refers to variables, so that what it
// comes to is seen at run time only.
func variableText(s string) bool {
	_, ok := varname.Next(s, 0)
	return ok
}
