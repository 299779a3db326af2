package sieve

import (
	"strings"
)

// test writes a test.
func (w *writer) test(t Test) *node {
	switch t := t.(type) {
	case True:
		return newNode("true")
	case False:
		return newNode("false")
	case Not:
		return &node{name: "not", tests: []*node{w.test(t.Test)}}
	case AllOf:
		return w.tests("allof", t)
	case AnyOf:
		return w.tests("anyof", t)
	case Size:
		n := newNode("size").tag("under")
		if t.Over {
			n.args[0].tag = "over"
		}
		n.args = append(n.args, numberArg(t.Limit))
		return n
	case Exists:
		return newNode("exists").mime(w, t.MIME, t.AnyChild).strList(t.Names)
	case MailboxExists:
		w.use(ExtMailbox)
		return newNode("mailboxexists").strList(t.Mailboxes)
	case MetadataExists:
		w.use(ExtMboxMetadata)
		return newNode("metadataexists").str(t.Mailbox).strList(t.Annotations)
	case ServerMetadataExists:
		w.use(ExtServerMetadata)
		return newNode("servermetadataexists").strList(t.Annotations)
	case SpecialUseExists:
		w.use(ExtSpecialUse)
		n := newNode("specialuse_exists")
		if t.Mailbox != nil {
			n.str(*t.Mailbox)
		}
		return n.strList(t.Attributes)
	case Duplicate:
		return w.duplicate(t)
	case ValidNotifyMethod:
		w.use(ExtENotify)
		return newNode("valid_notify_method").strList(t.URIs)
	case IHave:
		return w.ihave(t)
	case UnreadTest:
		if grammatical(string(t), true) {
			return &node{raw: string(t)}
		}
		return newNode(invalid)
	default:
		return w.comparing(t)
	}
}

// comparing writes the tests that compare values with keys.
func (w *writer) comparing(t Test) *node {
	switch t := t.(type) {
	case Header:
		n := newNode("header").position(w, ExtIndex, t.Index, t.Last).mime(w, t.MIME, t.AnyChild)
		if t.MIMEPart != "" {
			w.use(ExtMIME)
			n.tag(word(string(t.MIMEPart)))
			if t.MIMEPart == MIMEParam || t.MIMEParams != nil {
				n.strList(t.MIMEParams)
			}
		}
		return w.matching(n, matching{match: t.Match, relation: t.Relation, comparator: t.Comparator}).strList(t.Names).strList(t.Keys)
	case Address:
		n := newNode("address").position(w, ExtIndex, t.Index, t.Last).mime(w, t.MIME, t.AnyChild)
		return w.matching(n, matching{match: t.Match, relation: t.Relation, comparator: t.Comparator, part: t.Part}).
			strList(t.Names).strList(t.Keys)
	case Envelope:
		w.use(ExtEnvelope)
		n := w.matching(newNode("envelope"), matching{match: t.Match, relation: t.Relation, comparator: t.Comparator, part: t.Part})
		return n.strList(t.Fields).strList(t.Keys)
	case HasFlag:
		w.use(ExtIMAP4Flags)
		n := w.matching(newNode("hasflag"), matching{match: t.Match, relation: t.Relation, comparator: t.Comparator})
		if t.Variables != nil {
			w.use(ExtVariables)
			n.strList(t.Variables)
		}
		return n.strList(t.Flags)
	case Body:
		w.use(ExtBody)
		n := newNode("body")
		if t.Transform != "" {
			n.tag(word(string(t.Transform)))
			if t.Transform == BodyContent {
				n.strList(t.Content)
			}
		}
		return w.matching(n, matching{match: t.Match, relation: t.Relation, comparator: t.Comparator}).strList(t.Keys)
	case Date:
		w.use(ExtDate)
		// The index stands last: Pigeonhole 0.5 forgets one that is before a zone.
		n := newNode("date").zone(t.Zone)
		if t.OriginalZone {
			n.tag("originalzone")
		}
		n.position(w, ExtIndex, t.Index, t.Last)
		w.matching(n, matching{match: t.Match, relation: t.Relation, comparator: t.Comparator})
		return n.str(t.Name).str(string(t.Part)).strList(t.Keys)
	case CurrentDate:
		w.use(ExtDate)
		n := newNode("currentdate").zone(t.Zone)
		w.matching(n, matching{match: t.Match, relation: t.Relation, comparator: t.Comparator})
		return n.str(string(t.Part)).strList(t.Keys)
	case Environment:
		w.use(ExtEnvironment)
		if strings.HasPrefix(t.Item, dovecotItem) {
			w.use(ExtDovecotEnvironment)
		}
		n := w.matching(newNode("environment"), matching{match: t.Match, relation: t.Relation, comparator: t.Comparator})
		return n.str(t.Item).strList(t.Keys)
	case String:
		w.use(ExtVariables)
		n := w.matching(newNode("string"), matching{match: t.Match, relation: t.Relation, comparator: t.Comparator})
		return n.strList(t.Sources).strList(t.Keys)
	case Metadata:
		w.use(ExtMboxMetadata)
		n := w.matching(newNode("metadata"), matching{match: t.Match, relation: t.Relation, comparator: t.Comparator})
		return n.str(t.Mailbox).str(t.Annotation).strList(t.Keys)
	case ServerMetadata:
		w.use(ExtServerMetadata)
		n := w.matching(newNode("servermetadata"), matching{match: t.Match, relation: t.Relation, comparator: t.Comparator})
		return n.str(t.Annotation).strList(t.Keys)
	case SpamTest:
		n := newNode("spamtest")
		if t.Percent {
			w.use(ExtSpamTestPlus)
			n.tag("percent")
		} else {
			w.use(ExtSpamTest)
		}
		return w.matching(n, matching{match: t.Match, relation: t.Relation, comparator: t.Comparator}).str(t.Value)
	case VirusTest:
		w.use(ExtVirusTest)
		return w.matching(newNode("virustest"), matching{match: t.Match, relation: t.Relation, comparator: t.Comparator}).str(t.Value)
	case NotifyMethodCapability:
		w.use(ExtENotify)
		n := w.matching(newNode("notify_method_capability"), matching{match: t.Match, relation: t.Relation, comparator: t.Comparator})
		return n.str(t.URI).str(t.Capability).strList(t.Keys)
	default: // nil, or a type that embeds a test; test writes the others
		return newNode(invalid)
	}
}

func (w *writer) tests(name string, tests []Test) *node {
	n := &node{name: name, list: true}
	for _, t := range tests {
		n.tests = append(n.tests, w.test(t))
	}
	return n
}

// matching writes the tags of a comparing test.
func (w *writer) matching(n *node, m matching) *node {
	if m.part != "" {
		if m.part == User || m.part == Detail {
			w.use(ExtSubaddress)
		}
		n.tag(word(string(m.part)))
	}
	if m.match != "" {
		n.tag(word(string(m.match)))
		switch m.match {
		case Count, Value:
			w.use(ExtRelational)
			n.str(string(m.relation))
		case Regex:
			w.use(ExtRegex)
		}
	}
	if m.comparator != "" {
		switch m.comparator {
		case ASCIINumeric:
			w.use(ExtASCIINumeric)
		case UnicodeCasemap:
			w.use(ExtUnicodeCasemap)
		}
		n.tag("comparator").str(string(m.comparator))
	}
	return n
}
