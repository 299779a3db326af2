package pack

import "github.com/oxmailroute/oxmailroute/sieve"

// writeCommand packs a command. Each type has a number.
func (c *codec) writeCommand(x sieve.Command) {
	switch t := x.(type) {
	case nil:
		c.kind(0)
	case sieve.If:
		c.kind(1)
		c.ifThen(&t)
	case sieve.Stop:
		c.kind(2)
	case sieve.Redirect:
		c.kind(3)
		c.redirect(&t)
	case sieve.Keep:
		c.kind(4)
		c.strs(&t.Flags)
	case sieve.Discard:
		c.kind(5)
	case sieve.Comment:
		c.kind(6)
		c.comment(&t)
	case sieve.Unread:
		c.kind(7)
		c.str((*string)(&t))
	case sieve.DebugLog:
		c.kind(8)
		c.str(&t.Text)
	case sieve.Report:
		c.kind(9)
		c.report(&t)
	case sieve.DraftNotify:
		c.kind(10)
		c.draftNotify(&t)
	case sieve.Denotify:
		c.kind(11)
		c.denotify(&t)
	case sieve.AddHeader:
		c.kind(12)
		c.addHeader(&t)
	case sieve.DeleteHeader:
		c.kind(13)
		c.deleteHeader(&t)
	case sieve.Notify:
		c.kind(14)
		c.notify(&t)
	case sieve.FileInto:
		c.kind(15)
		c.fileInto(&t)
	case sieve.ForEveryPart:
		c.kind(16)
		c.forEveryPart(&t)
	case sieve.Break:
		c.kind(17)
		c.optional(&t.Name)
	case sieve.ExtractText:
		c.kind(18)
		c.extractText(&t)
	case sieve.Fail:
		c.kind(19)
		c.str(&t.Text)
	case sieve.AddFlag:
		c.kind(20)
		c.addFlag(&t)
	case sieve.SetFlag:
		c.kind(21)
		c.setFlag(&t)
	case sieve.RemoveFlag:
		c.kind(22)
		c.removeFlag(&t)
	case sieve.Mark:
		c.kind(23)
	case sieve.Unmark:
		c.kind(24)
	case sieve.Include:
		c.kind(25)
		c.include(&t)
	case sieve.Return:
		c.kind(26)
	case sieve.Global:
		c.kind(27)
		c.strs(&t.Names)
	case sieve.Import:
		c.kind(28)
		c.strs(&t.Names)
	case sieve.Export:
		c.kind(29)
		c.strs(&t.Names)
	case sieve.Reject:
		c.kind(30)
		c.str(&t.Reason)
	case sieve.EReject:
		c.kind(31)
		c.str(&t.Reason)
	case sieve.Vacation:
		c.kind(32)
		c.vacation(&t)
	case sieve.Set:
		c.kind(33)
		c.set(&t)
	default:
		c.failed = true
	}
}

// readCommand unpacks a command.
func (c *codec) readCommand() sieve.Command {
	switch c.next() {
	case 0:
		return nil
	case 1:
		var t sieve.If
		c.ifThen(&t)
		return t
	case 2:
		return sieve.Stop{}
	case 3:
		var t sieve.Redirect
		c.redirect(&t)
		return t
	case 4:
		var t sieve.Keep
		c.strs(&t.Flags)
		return t
	case 5:
		return sieve.Discard{}
	case 6:
		var t sieve.Comment
		c.comment(&t)
		return t
	case 7:
		var t sieve.Unread
		c.str((*string)(&t))
		return t
	case 8:
		var t sieve.DebugLog
		c.str(&t.Text)
		return t
	case 9:
		var t sieve.Report
		c.report(&t)
		return t
	case 10:
		var t sieve.DraftNotify
		c.draftNotify(&t)
		return t
	case 11:
		var t sieve.Denotify
		c.denotify(&t)
		return t
	case 12:
		var t sieve.AddHeader
		c.addHeader(&t)
		return t
	case 13:
		var t sieve.DeleteHeader
		c.deleteHeader(&t)
		return t
	case 14:
		var t sieve.Notify
		c.notify(&t)
		return t
	case 15:
		var t sieve.FileInto
		c.fileInto(&t)
		return t
	case 16:
		var t sieve.ForEveryPart
		c.forEveryPart(&t)
		return t
	case 17:
		var t sieve.Break
		c.optional(&t.Name)
		return t
	case 18:
		var t sieve.ExtractText
		c.extractText(&t)
		return t
	case 19:
		var t sieve.Fail
		c.str(&t.Text)
		return t
	case 20:
		var t sieve.AddFlag
		c.addFlag(&t)
		return t
	case 21:
		var t sieve.SetFlag
		c.setFlag(&t)
		return t
	case 22:
		var t sieve.RemoveFlag
		c.removeFlag(&t)
		return t
	case 23:
		return sieve.Mark{}
	case 24:
		return sieve.Unmark{}
	case 25:
		var t sieve.Include
		c.include(&t)
		return t
	case 26:
		return sieve.Return{}
	case 27:
		var t sieve.Global
		c.strs(&t.Names)
		return t
	case 28:
		var t sieve.Import
		c.strs(&t.Names)
		return t
	case 29:
		var t sieve.Export
		c.strs(&t.Names)
		return t
	case 30:
		var t sieve.Reject
		c.str(&t.Reason)
		return t
	case 31:
		var t sieve.EReject
		c.str(&t.Reason)
		return t
	case 32:
		var t sieve.Vacation
		c.vacation(&t)
		return t
	case 33:
		var t sieve.Set
		c.set(&t)
		return t
	}
	c.failed = true
	return nil
}

func (c *codec) ifThen(t *sieve.If) {
	c.test(&t.Test)
	c.commands(&t.Then)
	c.elsIfs(&t.ElsIf)
	c.commands(&t.Else)
}

func (c *codec) redirect(t *sieve.Redirect) {
	c.str(&t.Address)
	c.flag(&t.Copy)
}

func (c *codec) report(t *sieve.Report) {
	c.flag(&t.HeadersOnly)
	c.str(&t.Type)
	c.str(&t.Text)
	c.str(&t.Address)
}

func (c *codec) draftNotify(t *sieve.DraftNotify) {
	c.optional(&t.Method)
	c.optional(&t.ID)
	word(c, &t.Priority)
	c.strs(&t.Options)
	c.optional(&t.Message)
}

func (c *codec) denotify(t *sieve.Denotify) {
	word(c, &t.Match)
	word(c, &t.Relation)
	c.str(&t.Key)
	word(c, &t.Priority)
}

func (c *codec) addHeader(t *sieve.AddHeader) {
	c.str(&t.Name)
	c.str(&t.Value)
	c.flag(&t.Last)
}

func (c *codec) deleteHeader(t *sieve.DeleteHeader) {
	c.str(&t.Name)
	c.strs(&t.Values)
	c.matching(&t.Match, &t.Relation, &t.Comparator)
	c.num(&t.Index)
	c.flag(&t.Last)
}

func (c *codec) notify(t *sieve.Notify) {
	c.str(&t.Method)
	c.str(&t.From)
	word(c, &t.Importance)
	c.strs(&t.Options)
	c.optional(&t.Message)
}

func (c *codec) fileInto(t *sieve.FileInto) {
	c.str(&t.Mailbox)
	if !c.reading && !t.Copy && !t.Create && t.SpecialUse == "" && t.Flags == nil {
		c.out = append(c.out, 0, 0, 1, 0) // as most are
		return
	}
	c.flag(&t.Copy)
	c.flag(&t.Create)
	c.str(&t.SpecialUse)
	c.strs(&t.Flags)
}

func (c *codec) forEveryPart(t *sieve.ForEveryPart) {
	c.optional(&t.Name)
	c.commands(&t.Block)
}

func (c *codec) extractText(t *sieve.ExtractText) {
	c.modifiers(&t.Modifiers)
	c.optionalNum(&t.First)
	c.str(&t.Variable)
}

func (c *codec) addFlag(t *sieve.AddFlag) {
	c.strs(&t.Flags)
	c.str(&t.Variable)
}

func (c *codec) setFlag(t *sieve.SetFlag) {
	c.strs(&t.Flags)
	c.str(&t.Variable)
}

func (c *codec) removeFlag(t *sieve.RemoveFlag) {
	c.strs(&t.Flags)
	c.str(&t.Variable)
}

func (c *codec) include(t *sieve.Include) {
	c.str(&t.Script)
	word(c, &t.Location)
	c.flag(&t.Once)
	c.flag(&t.Optional)
}

func (c *codec) vacation(t *sieve.Vacation) {
	c.optionalNum(&t.Days)
	c.optionalNum(&t.Seconds)
	c.optional(&t.Subject)
	c.str(&t.From)
	c.strs(&t.Addresses)
	c.flag(&t.MIME)
	c.optional(&t.Handle)
	c.str(&t.Reason)
}

func (c *codec) set(t *sieve.Set) {
	c.str(&t.Name)
	c.modifiers(&t.Modifiers)
	c.str(&t.Value)
}
