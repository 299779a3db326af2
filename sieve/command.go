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

// FileInto stores the message in a mailbox (RFC 5228 section 4.1) and cancels
// the implicit keep.
type FileInto struct {
	// Mailbox is the name in UTF-8, with the server's hierarchy separator.
	Mailbox string
	// Copy leaves the implicit keep as it is (RFC 3894).
	Copy bool
	// Create makes the mailbox where it is missing (RFC 5490 section 3.2).
	Create bool
	// SpecialUse is a special-use attribute (RFC 8579 section 4), such as
	// `\Junk`: the mailbox that carries it is taken before Mailbox is. Empty
	// leaves the tag out.
	SpecialUse string
	// Flags are the IMAP flags to set in place of the script's own (RFC 5232
	// section 5): flags separated by spaces in each string, "" for none. Nil
	// leaves the tag out.
	Flags []string
}

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

// Reject refuses the message and tells its sender why (RFC 5429 section 2.2);
// it cancels the implicit keep.
type Reject struct {
	Reason string
}

// Vacation answers the sender (RFC 5230); it leaves the implicit keep as it is.
// The pointers are nil where the tag is absent, which is not the same as a tag
// with 0 or "".
type Vacation struct {
	// Days between two answers to one sender; the server bounds it, and has a
	// default (7).
	Days *uint64
	// Seconds is the same in seconds (RFC 6131); it excludes Days.
	Seconds *uint64
	Subject *string
	// From is the address to answer from; empty leaves the tag out.
	From string
	// Addresses are the user's other addresses; nil leaves the tag out.
	Addresses []string
	// MIME says that Reason is a MIME entity with its header.
	MIME bool
	// Handle identifies the answer for the counting of days.
	Handle *string
	Reason string
}

// AddFlag adds IMAP flags to the script's flags (RFC 5232 section 3.2): flags
// separated by spaces in each string.
type AddFlag struct {
	Flags []string
	// Variable is the variable that holds the flags in place of the script's
	// own; empty leaves it out.
	Variable string
}

// SetFlag replaces the script's flags (RFC 5232 section 3.1); the fields are
// those of [AddFlag].
type SetFlag struct {
	Flags    []string
	Variable string
}

// RemoveFlag takes flags away from the script's flags (RFC 5232 section 3.3);
// the fields are those of [AddFlag].
type RemoveFlag struct {
	Flags    []string
	Variable string
}

// Comment is a line "# text". It can't hold a line break or NUL. A text that
// begins with "#" is printed without the space: Comment("# x") is "## x".
type Comment string

func (If) command() {}

func (Stop) command() {}

func (FileInto) command() {}

func (Redirect) command() {}

func (Keep) command() {}

func (Discard) command() {}

func (Reject) command() {}

func (Vacation) command() {}

func (AddFlag) command() {}

func (SetFlag) command() {}

func (RemoveFlag) command() {}

func (Comment) command() {}
