package sieve

// Inbox is the name of the mailbox that the keep stores in.
const Inbox = "INBOX"

// Command is one command of a script. It is a closed sum of plain values that
// compare with go-cmp as they are:
//
//   - [If]: if, elsif, else (RFC 5228 section 3.1)
//   - [Stop] (RFC 5228 section 3.3)
//   - [FileInto], [Redirect], [Keep], [Discard] (RFC 5228 section 4)
//   - [Reject], [EReject] (RFC 5429 sections 2.2 and 2.1)
//   - [Vacation] (RFC 5230 section 4, RFC 6131)
//   - [AddFlag], [SetFlag], [RemoveFlag] (RFC 5232 section 3)
//   - [Set] (RFC 5229 section 4)
//   - [AddHeader], [DeleteHeader] (RFC 5293 sections 4 and 5)
//   - [Include], [Return], [Global] (RFC 6609 section 3)
//   - [Notify] (RFC 5435 section 3)
//   - [ForEveryPart], [Break], [ExtractText] (RFC 5703 sections 3 and 7)
//   - [Fail], the command error (RFC 5463 section 5)
//   - [DebugLog], [Report] (Dovecot's own)
//   - [Mark], [Unmark], [DraftNotify], [Denotify], [Import], [Export]: what
//     drafts had, and Pigeonhole still reads
//   - [Comment]: a line that does nothing
//
// There is no require: it follows from what the script uses
// ([Script.Requires]).
//
//sumtype:decl
type Command interface{ command() }

// If runs Then where Test holds, else the block of the first ElsIf whose test
// holds, else Else (RFC 5228 section 3.1).
type If struct {
	Test  Test
	Then  []Command
	ElsIf []ElsIf
	Else  []Command
}

// ElsIf is one elsif of an [If].
type ElsIf struct {
	Test Test
	Then []Command
}

// Stop ends the script. In a sequence the next script still runs where the
// message is kept.
type Stop struct{}

// Redirect sends the message on (RFC 5228 section 4.2) and cancels the
// implicit keep.
type Redirect struct {
	// Address is one address, with or without a display name.
	Address string
	// Copy leaves the implicit keep as it is (RFC 3894).
	Copy bool
}

// Keep stores the message in the default mailbox (RFC 5228 section 4.3).
type Keep struct {
	// Flags is as in [FileInto].
	Flags []string
}

// Discard cancels the implicit keep (RFC 5228 section 4.4).
type Discard struct{}

// Comment is a line "# text". It can't hold a line break or NUL. A text that
// begins with "#" is printed without the space: Comment("# x") is "## x".
//
// Among the commands it is printed as a line of its own. Parse keeps the "#"
// comments that stand alone on their line where a command could begin; it drops
// bracketed comments, comments after a command on the same line, those inside a
// command and those between a block and its elsif or else.
type Comment string

func (If) command() {}

func (Stop) command() {}

func (Redirect) command() {}

func (Keep) command() {}

func (Discard) command() {}

func (Comment) command() {}
