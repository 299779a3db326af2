package sieve

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

	// UnicodeCasemap is RFC 5051; Pigeonhole has it from 2.4 on.
	UnicodeCasemap Comparator = "i;unicode-casemap"
)

// AddressPart is the piece of an address that is compared (RFC 5228 section
// 2.7.4).
type AddressPart string

// The address parts. The zero AddressPart means All.
const (
	All       AddressPart = "all"
	LocalPart AddressPart = "localpart"
	Domain    AddressPart = "domain"
	User      AddressPart = "user"   // of the local part, before the separator (RFC 5233)
	Detail    AddressPart = "detail" // of the local part, behind the separator (RFC 5233)
)
