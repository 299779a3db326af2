package sieve

// This file holds the commands of extensions.

// EReject refuses the message in the SMTP dialogue where the server can (RFC
// 5429 section 2.1); it cancels the implicit keep. Pigeonhole as Debian builds
// it doesn't have it.
type EReject struct {
	Reason string
}

// Set gives a variable a value (RFC 5229 section 4).
type Set struct {
	Name string
	// Modifiers are applied to the value in the order of their precedence,
	// whichever order they have here.
	Modifiers []Modifier
	Value     string
}

// Modifier changes the value of a [Set] or an [ExtractText], as the tag is
// spelt.
type Modifier string

// The modifiers (RFC 5229 section 4.1), those of one precedence together: of
// those only one can be used at a time. Higher ones come first.
const (
	Lower Modifier = "lower" // 40
	Upper Modifier = "upper" // 40

	LowerFirst Modifier = "lowerfirst" // 30
	UpperFirst Modifier = "upperfirst" // 30

	QuoteWildcard Modifier = "quotewildcard" // 20
	QuoteRegex    Modifier = "quoteregex"    // 20, draft-ietf-sieve-regex

	EncodeURL Modifier = "encodeurl" // 15, RFC 5435 section 6

	Length Modifier = "length" // 10
)

// AddHeader adds a header field (RFC 5293 section 4): above all others, or
// below them where Last is set.
type AddHeader struct {
	Name  string
	Value string
	Last  bool
}

// DeleteHeader removes header fields (RFC 5293 section 5): those of the name
// with a value that compares true with one of the Values.
type DeleteHeader struct {
	Name string
	// Values is nil where every field of the name goes.
	Values     []string
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	// Index and Last are as in [Header].
	Index uint64
	Last  bool
}

// Include runs another script (RFC 6609 section 3.2).
type Include struct {
	// Script is the name of the script. It is not subject to variables.
	Script   string
	Location Location
	// Once skips a script that was included before.
	Once bool
	// Optional skips a script that is missing.
	Optional bool
}

// Location is where the script of an [Include] is found.
type Location string

// The locations. The zero Location means PersonalScript.
const (
	PersonalScript Location = "personal" // among the user's own
	GlobalScript   Location = "global"   // among those that all users share
)

// Return ends an included script, or the script itself (RFC 6609 section 3.3).
type Return struct{}

// Global makes variables those of all scripts that name them so (RFC 6609
// section 3.4.1).
type Global struct{ Names []string }

// Import and Export are what Global was in drafts of RFC 6609.
type (
	Import struct{ Names []string }
	Export struct{ Names []string }
)

// Notify sends a notification (RFC 5435 section 3). The pointer is nil where
// the tag is absent.
type Notify struct {
	// Method is the URI of whom to notify.
	Method string
	// From is the address to notify from; empty leaves the tag out.
	From       string
	Importance Importance
	// Options are of the method, "name=value"; nil leaves the tag out.
	Options []string
	Message *string
}

// Importance is that of a notification (RFC 5435 section 3.4).
type Importance string

// The importances. The zero Importance leaves the tag out; the server's default
// is NormalImportance.
const (
	HighImportance   Importance = "1"
	NormalImportance Importance = "2"
	LowImportance    Importance = "3"
)

// DraftNotify is the notify of draft-martin-sieve-notify-01, the extension
// "notify". The pointers are nil where the tag is absent.
type DraftNotify struct {
	Method   *string
	ID       *string
	Priority Priority
	Options  []string
	Message  *string
}

// Denotify takes back notifications of [DraftNotify]. Match is empty where all
// go, whatever their ID is.
type Denotify struct {
	Match MatchType
	// Relation belongs to Count and Value.
	Relation Relation
	// Key is what the ID is compared with.
	Key      string
	Priority Priority
}

// Priority is that of a [DraftNotify], as the tag is spelt.
type Priority string

// The priorities. The zero Priority leaves the tag out.
const (
	HighPriority   Priority = "high"
	NormalPriority Priority = "normal"
	LowPriority    Priority = "low"
)

// Mark and Unmark add and remove the flag \Flagged: the extension "imapflags",
// a draft of RFC 5232.
type (
	Mark   struct{}
	Unmark struct{}
)

// ForEveryPart runs its block for each MIME part of the message, at every depth
// and in order (RFC 5703 section 3).
type ForEveryPart struct {
	// Name is what a [Break] inside can name; nil leaves the tag out.
	Name  *string
	Block []Command
}

// Break ends the innermost [ForEveryPart], or the one with the name (RFC 5703
// section 3.2).
type Break struct{ Name *string }

// ExtractText puts the text of the current MIME part into a variable (RFC 5703
// section 7). It stands inside of a [ForEveryPart].
type ExtractText struct {
	// Modifiers are as in [Set].
	Modifiers []Modifier
	// First is the number of characters to take; nil for all.
	First    *uint64
	Variable string
}

// Fail is the command error: it ends the script with a run-time error (RFC 5463
// section 5).
type Fail struct{ Text string }

// DebugLog writes a line to the server's log: the extension
// "vnd.dovecot.debug".
type DebugLog struct{ Text string }

// Report sends a report in the form of RFC 5965: the extension
// "vnd.dovecot.report".
type Report struct {
	// HeadersOnly leaves the body out of the report.
	HeadersOnly bool
	// Type is the type of feedback, such as "abuse".
	Type    string
	Text    string
	Address string
}

func (EReject) command() {}

func (Set) command() {}

func (AddHeader) command() {}

func (DeleteHeader) command() {}

func (Include) command() {}

func (Return) command() {}

func (Global) command() {}

func (Import) command() {}

func (Export) command() {}

func (Notify) command() {}

func (DraftNotify) command() {}

func (Denotify) command() {}

func (Mark) command() {}

func (Unmark) command() {}

func (ForEveryPart) command() {}

func (Break) command() {}

func (ExtractText) command() {}

func (Fail) command() {}

func (DebugLog) command() {}

func (Report) command() {}

// Precedence is the order in which modifiers are applied, highest first; it is 0
// for what is no modifier.
func (m Modifier) Precedence() int {
	switch m {
	case Lower, Upper:
		return 40
	case LowerFirst, UpperFirst:
		return 30
	case QuoteWildcard, QuoteRegex:
		return 20
	case EncodeURL:
		return 15
	case Length:
		return 10
	}
	return 0
}
