package sieve

// Test is one test of a script. It is a closed sum of plain values:
//
//   - [Header], [Exists] (RFC 5228 sections 5.7, 5.5; RFC 5703 section 4)
//   - [Address] (RFC 5228 section 5.1), [Envelope] (section 5.4)
//   - [Size] (section 5.9)
//   - [True], [False], [Not], [AllOf], [AnyOf] (sections 5.2 to 5.10)
//   - [Body] (RFC 5173), [Date], [CurrentDate] (RFC 5260 sections 4 and 5)
//   - [Environment] (RFC 5183), [String] (RFC 5229 section 5)
//   - [MailboxExists], [Metadata], [MetadataExists], [ServerMetadata],
//     [ServerMetadataExists] (RFC 5490), [SpecialUseExists] (RFC 8579)
//   - [HasFlag] (RFC 5232 section 4), [Duplicate] (RFC 7352 section 3)
//   - [SpamTest], [VirusTest] (RFC 5235)
//   - [ValidNotifyMethod], [NotifyMethodCapability] (RFC 5435 sections 4, 5)
//   - [IHave] (RFC 5463 section 4)
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
	// Index counts the fields of one name, from 1: only that one is looked at
	// (RFC 5260 section 6). 0 leaves the tag out.
	Index uint64
	// Last counts from the end; it needs Index.
	Last bool
	// MIME looks at the MIME part that a [ForEveryPart] is at, or outside of
	// one at the message itself (RFC 5703 section 4).
	MIME bool
	// AnyChild looks at every MIME part below it as well; it needs MIME.
	AnyChild bool
	// MIMEPart is the piece of the value that is compared; it needs MIME. Empty
	// is the whole value.
	MIMEPart MIMEPart
	// MIMEParams are the parameters that MIMEParam compares.
	MIMEParams []string
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
	// Index, Last, MIME and AnyChild are as in [Header].
	Index          uint64
	Last           bool
	MIME, AnyChild bool
}

// Exists holds where every one of the Names is there (RFC 5228 section 5.5).
type Exists struct {
	Names []string
	// MIME and AnyChild are as in [Header].
	MIME, AnyChild bool
}

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

func (Header) test() {}

func (Address) test() {}

func (Exists) test() {}

func (Size) test() {}

func (True) test() {}

func (False) test() {}

func (Not) test() {}

func (AllOf) test() {}

func (AnyOf) test() {}
