package interp

import (
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailto"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mboxname"
)

// Action is something the server does with a message. It is a closed sum of
// plain values: [ActionKeep], [ActionFileInto], [ActionRedirect],
// [ActionDiscard], [ActionReject], [ActionVacation], [ActionNotify],
// [ActionAddHeader], [ActionDeleteHeader], [ActionReport].
//
//sumtype:decl
type Action interface{ action() }

// ActionKeep stores the message in the default mailbox, because the script
// said keep.
type ActionKeep struct {
	// Flags are the IMAP flags set on it, each once, system flags as in
	// RFC 3501 section 2.3.2.
	Flags []string
}

// ActionFileInto stores the message in a mailbox.
type ActionFileInto struct {
	Mailbox string
	// Unnamed says that the script has "" for the inbox: what is kept or stored in
	// the inbox by its name is there once more.
	Unnamed bool
	Create  bool     // the mailbox is made where it is missing
	Copy    bool     // the implicit keep isn't cancelled
	Flags   []string // as in ActionKeep
}

// ActionRedirect sends the message to another address.
type ActionRedirect struct {
	// Address is the bare address, with the domain in lower case.
	Address string
	Copy    bool // the implicit keep isn't cancelled
	// Why says why the message isn't sent; "" where it is. That is so where
	// X-Sieve-Redirected-From says that the user has redirected it before, and
	// where Input.Memory does. The implicit keep isn't cancelled then.
	Why string
	// From is the sender of the envelope, where Settings.RedirectFrom says another
	// than the message's own.
	From string
}

// ActionDiscard cancels the implicit keep; it undoes no other action.
type ActionDiscard struct{}

// ActionReject refuses the message. Pigeonhole sends the text to the sender in
// a message of its own.
type ActionReject struct {
	Text string
	// Early asks to refuse it in the SMTP dialogue (ereject).
	Early bool
	// Silent says that no answer goes out, because an earlier script has sent
	// one (vacation) already.
	Silent bool
	// Message is the answer; nil where none goes out.
	Message *Outgoing
}

// ActionVacation answers the sender, where the rules of RFC 5230 section 4 allow
// it.
type ActionVacation struct {
	sieve.Vacation // as the script says it
	// Reply is the answer; nil where none goes out.
	Reply *Outgoing
	// Why says why no answer goes out.
	Why string
}

// ActionNotify sends a notification (RFC 5435).
type ActionNotify struct {
	Method     string
	From       string
	Importance sieve.Importance
	Options    []string
	Message    *string
	// Recipients are those that have had no other notification of the message.
	Recipients []string
	// Mail is the message of the method mailto; nil where none goes out.
	Mail *Outgoing
	// Why says why none goes out.
	Why string

	uri *mailto.URI
}

// ActionAddHeader adds a header field. The actions behind it see the message
// with the field, those before it without. In the message the server encodes
// (RFC 2047) and folds the value where it must.
type ActionAddHeader struct {
	Name, Value string
	Last        bool // below all others, not above
}

// ActionDeleteHeader removes one header field. The actions behind it see the
// message without the field.
type ActionDeleteHeader struct {
	Name string
	// Index is its place among those of its name as they are then, from 1.
	Index int
	// Value is its value as tests see it.
	Value string
}

// ActionReport sends a report (vnd.dovecot.report).
type ActionReport struct {
	Type, Text, Address string
	HeadersOnly         bool
}

func (ActionKeep) action() {}

func (ActionFileInto) action() {}

func (ActionRedirect) action() {}

func (ActionDiscard) action() {}

func (ActionReject) action() {}

func (ActionVacation) action() {}

func (ActionNotify) action() {}

func (ActionAddHeader) action() {}

func (ActionDeleteHeader) action() {}

func (ActionReport) action() {}

// ImplicitKeep says what became of the implicit keep (RFC 5228 section 2.10.2).
type ImplicitKeep string

const (
	// KeepCancelled: an action took its place, or an explicit keep did.
	KeepCancelled ImplicitKeep = "cancelled"
	// KeepImplicit: the message is stored in the default mailbox besides what
	// the actions do.
	KeepImplicit ImplicitKeep = "implicit"
	// KeepFailure: the script failed at run time, so the message is stored in
	// the default mailbox; the actions of the failed script were not done
	// (RFC 5228 section 2.10.6). It is the message as it came, without what
	// earlier scripts have changed in its header.
	KeepFailure ImplicitKeep = "failure"
	// KeepLost: the script failed because a mailbox is missing, and the message
	// is stored nowhere. Pigeonhole 0.5 does that where the script had stored
	// it in the inbox before ("fileinto "INBOX"; fileinto "missing";"): it
	// takes that back, and then believes that the keep is done. With :create
	// no mailbox is missing.
	KeepLost ImplicitKeep = "lost"
)

// Result is what a run comes to.
type Result struct {
	// Actions are what the server does, in order and each once.
	Actions []Action
	Keep    ImplicitKeep
	// KeepFlags are the IMAP flags of the implicit keep. Where a fileinto names
	// the inbox too, the message is there once, with the flags of that one; the
	// flags of an explicit keep are then the same.
	KeepFlags []string
	// Err is the run-time error where Keep is KeepFailure or KeepLost, else nil.
	Err error
	// Steps are the tests and commands that ran, where Options.Trace asked for
	// them.
	Steps []Step
}

// Mailboxes returns the mailboxes in which the message is stored, each once.
// What is kept, explicitly or not, is in [sieve.Inbox].
func (r *Result) Mailboxes() []string {
	if r == nil {
		r = new(Result)
	}
	var out []string
	add := func(name string) {
		for _, have := range out {
			if mboxname.Same(have, name) {
				return
			}
		}
		out = append(out, name)
	}
	for _, a := range r.Actions {
		switch a := a.(type) {
		case ActionKeep:
			add(sieve.Inbox)
		case ActionFileInto:
			add(a.Mailbox)
		default: // stores nothing here
		}
	}
	if r.Keep == KeepImplicit || r.Keep == KeepFailure {
		add(sieve.Inbox)
	}
	return out
}

// Step is a test that was decided or a command that ran.
type Step struct {
	// Script is the name of the script (Options.Name).
	Script string
	// Line is its line in the source, or where the script was built in Go, in
	// what Format prints.
	Line int
	// Text is the test or command on one line, cut where it is long.
	Text string
	// Matched is the answer of a test, and true for a command.
	Matched bool
	// Input is the value that matched, or where none did, the last one that was
	// compared.
	Input string
}
