package pack

import "github.com/oxmailroute/oxmailroute/sieve"

// writeTest packs a test. Each type has a number.
func (c *codec) writeTest(x sieve.Test) {
	switch t := x.(type) {
	case nil:
		c.kind(0)
	case sieve.Body:
		c.kind(1)
		c.body(&t)
	case sieve.Date:
		c.kind(2)
		c.date(&t)
	case sieve.CurrentDate:
		c.kind(3)
		c.currentDate(&t)
	case sieve.UnreadTest:
		c.kind(4)
		c.str((*string)(&t))
	case sieve.Duplicate:
		c.kind(5)
		c.duplicate(&t)
	case sieve.ValidNotifyMethod:
		c.kind(6)
		c.strs(&t.URIs)
	case sieve.NotifyMethodCapability:
		c.kind(7)
		c.notifyMethodCapability(&t)
	case sieve.Envelope:
		c.kind(8)
		c.envelope(&t)
	case sieve.Environment:
		c.kind(9)
		c.environment(&t)
	case sieve.IHave:
		c.kind(10)
		c.strs(&t.Extensions)
	case sieve.HasFlag:
		c.kind(11)
		c.hasFlag(&t)
	case sieve.MailboxExists:
		c.kind(12)
		c.strs(&t.Mailboxes)
	case sieve.Metadata:
		c.kind(13)
		c.metadata(&t)
	case sieve.ServerMetadata:
		c.kind(14)
		c.serverMetadata(&t)
	case sieve.MetadataExists:
		c.kind(15)
		c.metadataExists(&t)
	case sieve.ServerMetadataExists:
		c.kind(16)
		c.strs(&t.Annotations)
	case sieve.SpecialUseExists:
		c.kind(17)
		c.specialUseExists(&t)
	case sieve.SpamTest:
		c.kind(18)
		c.spamTest(&t)
	case sieve.VirusTest:
		c.kind(19)
		c.virusTest(&t)
	case sieve.Header:
		c.kind(20)
		c.header(&t)
	case sieve.Address:
		c.kind(21)
		c.address(&t)
	case sieve.Exists:
		c.kind(22)
		c.exists(&t)
	case sieve.Size:
		c.kind(23)
		c.size(&t)
	case sieve.True:
		c.kind(24)
	case sieve.False:
		c.kind(25)
	case sieve.Not:
		c.kind(26)
		c.test(&t.Test)
	case sieve.AllOf:
		c.kind(27)
		c.tests((*[]sieve.Test)(&t))
	case sieve.AnyOf:
		c.kind(28)
		c.tests((*[]sieve.Test)(&t))
	case sieve.String:
		c.kind(29)
		c.string(&t)
	default:
		c.failed = true
	}
}

// readTest unpacks a test.
func (c *codec) readTest() sieve.Test {
	switch c.next() {
	case 0:
		return nil
	case 1:
		var t sieve.Body
		c.body(&t)
		return t
	case 2:
		var t sieve.Date
		c.date(&t)
		return t
	case 3:
		var t sieve.CurrentDate
		c.currentDate(&t)
		return t
	case 4:
		var t sieve.UnreadTest
		c.str((*string)(&t))
		return t
	case 5:
		var t sieve.Duplicate
		c.duplicate(&t)
		return t
	case 6:
		var t sieve.ValidNotifyMethod
		c.strs(&t.URIs)
		return t
	case 7:
		var t sieve.NotifyMethodCapability
		c.notifyMethodCapability(&t)
		return t
	case 8:
		var t sieve.Envelope
		c.envelope(&t)
		return t
	case 9:
		var t sieve.Environment
		c.environment(&t)
		return t
	case 10:
		var t sieve.IHave
		c.strs(&t.Extensions)
		return t
	case 11:
		var t sieve.HasFlag
		c.hasFlag(&t)
		return t
	case 12:
		var t sieve.MailboxExists
		c.strs(&t.Mailboxes)
		return t
	case 13:
		var t sieve.Metadata
		c.metadata(&t)
		return t
	case 14:
		var t sieve.ServerMetadata
		c.serverMetadata(&t)
		return t
	case 15:
		var t sieve.MetadataExists
		c.metadataExists(&t)
		return t
	case 16:
		var t sieve.ServerMetadataExists
		c.strs(&t.Annotations)
		return t
	case 17:
		var t sieve.SpecialUseExists
		c.specialUseExists(&t)
		return t
	case 18:
		var t sieve.SpamTest
		c.spamTest(&t)
		return t
	case 19:
		var t sieve.VirusTest
		c.virusTest(&t)
		return t
	case 20:
		var t sieve.Header
		c.header(&t)
		return t
	case 21:
		var t sieve.Address
		c.address(&t)
		return t
	case 22:
		var t sieve.Exists
		c.exists(&t)
		return t
	case 23:
		var t sieve.Size
		c.size(&t)
		return t
	case 24:
		return sieve.True{}
	case 25:
		return sieve.False{}
	case 26:
		var t sieve.Not
		c.test(&t.Test)
		return t
	case 27:
		var t sieve.AllOf
		c.tests((*[]sieve.Test)(&t))
		return t
	case 28:
		var t sieve.AnyOf
		c.tests((*[]sieve.Test)(&t))
		return t
	case 29:
		var t sieve.String
		c.string(&t)
		return t
	}
	c.failed = true
	return nil
}

func (c *codec) body(t *sieve.Body) {
	word(c, &t.Transform)
	c.strs(&t.Content)
	c.matching(&t.Match, &t.Relation, &t.Comparator)
	c.strs(&t.Keys)
}

func (c *codec) date(t *sieve.Date) {
	c.str(&t.Name)
	c.str(&t.Zone)
	c.flag(&t.OriginalZone)
	word(c, &t.Part)
	c.matching(&t.Match, &t.Relation, &t.Comparator)
	c.strs(&t.Keys)
	c.num(&t.Index)
	c.flag(&t.Last)
}

func (c *codec) currentDate(t *sieve.CurrentDate) {
	c.str(&t.Zone)
	word(c, &t.Part)
	c.matching(&t.Match, &t.Relation, &t.Comparator)
	c.strs(&t.Keys)
}

func (c *codec) duplicate(t *sieve.Duplicate) {
	c.optional(&t.Handle)
	c.optional(&t.Header)
	c.optional(&t.UniqueID)
	c.optionalNum(&t.Seconds)
	c.flag(&t.Last)
}

func (c *codec) notifyMethodCapability(t *sieve.NotifyMethodCapability) {
	c.str(&t.URI)
	c.str(&t.Capability)
	c.matching(&t.Match, &t.Relation, &t.Comparator)
	c.strs(&t.Keys)
}

func (c *codec) envelope(t *sieve.Envelope) {
	c.strs(&t.Fields)
	word(c, &t.Part)
	c.matching(&t.Match, &t.Relation, &t.Comparator)
	c.strs(&t.Keys)
}

func (c *codec) environment(t *sieve.Environment) {
	c.str(&t.Item)
	c.matching(&t.Match, &t.Relation, &t.Comparator)
	c.strs(&t.Keys)
}

func (c *codec) hasFlag(t *sieve.HasFlag) {
	c.matching(&t.Match, &t.Relation, &t.Comparator)
	c.strs(&t.Flags)
	c.strs(&t.Variables)
}

func (c *codec) metadata(t *sieve.Metadata) {
	c.str(&t.Mailbox)
	c.str(&t.Annotation)
	c.matching(&t.Match, &t.Relation, &t.Comparator)
	c.strs(&t.Keys)
}

func (c *codec) serverMetadata(t *sieve.ServerMetadata) {
	c.str(&t.Annotation)
	c.matching(&t.Match, &t.Relation, &t.Comparator)
	c.strs(&t.Keys)
}

func (c *codec) metadataExists(t *sieve.MetadataExists) {
	c.str(&t.Mailbox)
	c.strs(&t.Annotations)
}

func (c *codec) specialUseExists(t *sieve.SpecialUseExists) {
	c.optional(&t.Mailbox)
	c.strs(&t.Attributes)
}

func (c *codec) spamTest(t *sieve.SpamTest) {
	c.flag(&t.Percent)
	c.matching(&t.Match, &t.Relation, &t.Comparator)
	c.str(&t.Value)
}

func (c *codec) virusTest(t *sieve.VirusTest) {
	c.matching(&t.Match, &t.Relation, &t.Comparator)
	c.str(&t.Value)
}

func (c *codec) header(t *sieve.Header) {
	c.strs(&t.Names)
	c.matching(&t.Match, &t.Relation, &t.Comparator)
	c.strs(&t.Keys)
	if !c.reading && t.Index == 0 && !t.Last && !t.MIME && !t.AnyChild && t.MIMEPart == "" && t.MIMEParams == nil {
		c.out = append(c.out, 0, 0, 0, 0, 0, 0) // as most are
		return
	}
	c.num(&t.Index)
	c.flag(&t.Last)
	c.flag(&t.MIME)
	c.flag(&t.AnyChild)
	word(c, &t.MIMEPart)
	c.strs(&t.MIMEParams)
}

func (c *codec) address(t *sieve.Address) {
	c.strs(&t.Names)
	word(c, &t.Part)
	c.matching(&t.Match, &t.Relation, &t.Comparator)
	c.strs(&t.Keys)
	if !c.reading && t.Index == 0 && !t.Last && !t.MIME && !t.AnyChild {
		c.out = append(c.out, 0, 0, 0, 0) // as most are
		return
	}
	c.num(&t.Index)
	c.flag(&t.Last)
	c.flag(&t.MIME)
	c.flag(&t.AnyChild)
}

func (c *codec) exists(t *sieve.Exists) {
	c.strs(&t.Names)
	c.flag(&t.MIME)
	c.flag(&t.AnyChild)
}

func (c *codec) size(t *sieve.Size) {
	c.flag(&t.Over)
	c.num(&t.Limit)
}

func (c *codec) string(t *sieve.String) {
	c.strs(&t.Sources)
	c.matching(&t.Match, &t.Relation, &t.Comparator)
	c.strs(&t.Keys)
}
