package mta

import "fmt"

// Target is what a message ends at; its text is what [Outcome.String] writes
// behind the action.
//
//sumtype:decl
type Target interface {
	fmt.Stringer
	target()
}

type (
	// TargetNextHop is a fixed next hop as transport(5) writes it:
	// "[mail.example.com]:25", "example.com:587".
	TargetNextHop string
	// TargetDomain is a domain whose MX hosts are asked.
	TargetDomain string
	// TargetFolder is a mailbox of the recipient's: "INBOX", "Spam".
	TargetFolder string
	// TargetFile is a file that local(8) appends to, or with "/" at its end a
	// maildir.
	TargetFile string
	// TargetCommand is a command that local(8) runs (aliases(5)).
	TargetCommand string
	// TargetService is another program behind a transport of master.cf, such as
	// one of pipe(8), with the next hop that it is given.
	TargetService struct{ Transport, NextHop string }
	// TargetReply is an SMTP reply code: "550".
	TargetReply string
	// TargetNone is for mail that is discarded or held, and for a session that
	// doesn't come about.
	TargetNone struct{}
)

func (TargetNextHop) target() {}
func (TargetDomain) target()  {}
func (TargetFolder) target()  {}
func (TargetFile) target()    {}
func (TargetCommand) target() {}
func (TargetService) target() {}
func (TargetReply) target()   {}
func (TargetNone) target()    {}

// String is the next hop.
func (t TargetNextHop) String() string { return string(t) }

// String is the domain.
func (t TargetDomain) String() string { return string(t) }

// String is the folder's name.
func (t TargetFolder) String() string { return string(t) }

// String is the file's name.
func (t TargetFile) String() string { return string(t) }

// String is the command behind "|", as aliases(5) has it.
func (t TargetCommand) String() string { return "|" + string(t) }

// String is "transport:nexthop".
func (t TargetService) String() string { return t.Transport + ":" + t.NextHop }

// String is the code.
func (t TargetReply) String() string { return string(t) }

// String is empty.
func (TargetNone) String() string { return "" }

// Permanent reports whether an outcome is a refusal for good: a reply that begins
// with 5 (RFC 5321 section 4.2.1).
func (o Outcome) Permanent() bool { return o.reply('5') }

// Temporary reports whether an outcome is a refusal for now: a reply that begins
// with 4.
func (o Outcome) Temporary() bool { return o.reply('4') }

func (o Outcome) reply(first byte) bool {
	r, ok := o.Target.(TargetReply)
	return ok && r != "" && r[0] == first
}

// targetOf is the usual target of an action.
func targetOf(a Action, text string) Target {
	switch {
	case text == "":
		return TargetNone{}
	case a == ActionMX:
		return TargetDomain(text)
	case a == ActionMailbox:
		return TargetFolder(text)
	case a == ActionRelay:
		return TargetNextHop(text)
	}
	return TargetReply(text)
}
