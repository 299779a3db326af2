package sieve

// Test is one test of a script. It is a closed sum of plain values:
//
//   - [Header], [Exists] (RFC 5228 sections 5.7, 5.5; RFC 5703 section 4)
//   - [Address] (RFC 5228 section 5.1), [Envelope] (section 5.4)
//   - [Size] (section 5.9)
//   - [True], [False], [Not], [AllOf], [AnyOf] (sections 5.2 to 5.10)
//   - [MailboxExists] (RFC 5490 section 3.1)
//   - [HasFlag] (RFC 5232 section 4)
//
// In the tests that compare, the zero Match, Comparator and Part are the
// defaults of RFC 5228 (:is, "i;ascii-casemap", :all) left unsaid; a default
// that is spelt out is printed, and is what Parse returns.
//
//sumtype:decl
type Test interface{ test() }

// Header holds where a field with one of the Names has a value that compares
// true with one of the Keys (RFC 5228 section 5.7).
type Header struct {
	Names      []string
	Match      MatchType
	Relation   Relation // with Count and Value only
	Comparator Comparator
	Keys       []string
	// MIME makes it the header test of RFC 5703 section 4, of which one form is
	// supported: is the media type of a part one of the Keys? Names is
	// "Content-Type" alone, MIMEPart is MIMEContentType, Match Is and Comparator
	// the default.
	MIME bool
	// AnyChild looks at every MIME part at any depth and not at the message's
	// own header alone; it needs MIME.
	AnyChild bool
	// MIMEPart is the piece of the value that is compared; it needs MIME.
	MIMEPart MIMEPart
}

// Address holds where an address in a field with one of the Names compares
// true with one of the Keys (RFC 5228 section 5.1). Only address fields are
// allowed: From, To, Cc, Bcc, Sender and so on.
type Address struct {
	Names      []string
	Part       AddressPart
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Keys       []string
}

// Envelope holds where an address of the SMTP envelope compares true with one
// of the Keys (RFC 5228 section 5.4). Fields are "from" and "to", in any case.
type Envelope struct {
	Fields     []string
	Part       AddressPart
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Keys       []string
}

// Exists holds where every one of the Names is there (RFC 5228 section 5.5).
type Exists struct{ Names []string }

// Size holds where the message is larger than Limit octets (Over), or smaller
// (RFC 5228 section 5.9).
type Size struct {
	Over  bool
	Limit uint64
}

// True always holds, False never.
type (
	True  struct{}
	False struct{}
)

// Not holds where its test does not.
type Not struct{ Test Test }

// AllOf holds where each of its tests holds, AnyOf where one of them does. They
// are tried in order until the answer is known. Neither can be empty.
type (
	AllOf []Test
	AnyOf []Test
)

// MailboxExists holds where every one of the mailboxes is there and messages
// can be stored in it (RFC 5490 section 3.1).
type MailboxExists struct{ Mailboxes []string }

// HasFlag holds where one of the script's IMAP flags compares true with one of
// the flags given (RFC 5232 section 4).
type HasFlag struct {
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Flags      []string
}

func (Header) test()        {}
func (Address) test()       {}
func (Envelope) test()      {}
func (Exists) test()        {}
func (Size) test()          {}
func (True) test()          {}
func (False) test()         {}
func (Not) test()           {}
func (AllOf) test()         {}
func (AnyOf) test()         {}
func (MailboxExists) test() {}
func (HasFlag) test()       {}

// MatchType is how a value is compared with a key (RFC 5228 section 2.7.1),
// as the tag is spelt.
type MatchType string

// The match types. The zero MatchType means Is.
const (
	Is       MatchType = "is"
	Contains MatchType = "contains"
	Matches  MatchType = "matches" // * any octets, ? one octet, \ makes the next one plain
	Regex    MatchType = "regex"   // POSIX extended regular expression, found anywhere
	Count    MatchType = "count"   // the number of values (RFC 5231 section 4.2)
	Value    MatchType = "value"   // by order (RFC 5231 section 4.1)
)

// Relation is the relation of Count and Value (RFC 5231 section 4).
type Relation string

// The relations, written as they stand between value and key.
const (
	Greater        Relation = "gt"
	GreaterOrEqual Relation = "ge"
	Less           Relation = "lt"
	LessOrEqual    Relation = "le"
	Equal          Relation = "eq"
	NotEqual       Relation = "ne"
)

// Comparator is the name of a collation (RFC 4790).
type Comparator string

// The comparators. The zero Comparator means ASCIICasemap.
const (
	ASCIICasemap Comparator = "i;ascii-casemap"
	Octet        Comparator = "i;octet"
	ASCIINumeric Comparator = "i;ascii-numeric" // for Is, Count and Value
)

// AddressPart is the piece of an address that is compared (RFC 5228 section
// 2.7.4).
type AddressPart string

// The address parts. The zero AddressPart means All.
const (
	All       AddressPart = "all"
	LocalPart AddressPart = "localpart"
	Domain    AddressPart = "domain"
)

// MIMEPart is the piece of a MIME field that is compared (RFC 5703 section
// 4.2).
type MIMEPart string

// MIMEContentType is type "/" subtype.
const MIMEContentType MIMEPart = "contenttype"
