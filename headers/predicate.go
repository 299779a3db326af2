package headers

// Predicate is a condition on the header section of a message. It is a closed
// sum of plain values that compare with go-cmp as they are:
//
//   - [Exists]: a field of that name is there
//   - [Match]: a field of that name has a value that compares true
//   - [MatchPrefix]: the same for every field whose name begins so
//   - [ContentType]: a MIME part has that media type
//   - [Not], [All], [Any]
//
// A Predicate says nothing about who reads the header. [Compile] binds it to a
// [View]; packages sieve and postfix translate it, or refuse with
// [ErrNotExpressible].
//
//sumtype:decl
type Predicate interface{ predicate() }

// Exists holds where at least one field has the name, whatever its value
// (RFC 5228 section 5.5).
type Exists struct{ Name string }

// Match holds where at least one field of the name has a value that compares
// true with at least one of Values (RFC 5228 section 5.7).
type Match struct {
	Name       string
	Op         Op
	Values     []string
	Comparator Comparator // zero: ASCIICasemap
}

// MatchPrefix is [Match] for every field whose name begins with Prefix,
// whatever follows; it is how "the marker of any domain" is said. Sieve has no
// such test.
type MatchPrefix struct {
	Prefix     string
	Op         Op
	Values     []string
	Comparator Comparator // zero: ASCIICasemap
}

// ContentType holds where a MIME part has one of the media types (RFC 2045
// section 5), compared without regard to case.
type ContentType struct {
	Types []string // "text/calendar"
	// Top restricts the test to the top level of the message; otherwise every
	// part at any depth counts, those of attached messages included.
	Top bool
	// Param, where not empty, is the name of a parameter that the same
	// Content-Type field must have ("method", RFC 6047 section 2.4).
	Param string
}

// Not holds where its predicate does not.
type Not struct{ Predicate Predicate }

// All holds where each of its predicates holds; empty, it holds.
type All []Predicate

// Any holds where one of its predicates holds; empty, it does not.
type Any []Predicate

func (Exists) predicate()      {}
func (Match) predicate()       {}
func (MatchPrefix) predicate() {}
func (ContentType) predicate() {}
func (Not) predicate()         {}
func (All) predicate()         {}
func (Any) predicate()         {}

// Op is how a value is compared (RFC 5228 section 2.7.1; Regex: the regex
// extension, POSIX extended regular expressions).
type Op string

// The comparisons.
const (
	Is       Op = "is"
	Contains Op = "contains"
	Matches  Op = "matches" // glob: * any octets, ? one
	Regex    Op = "regex"   // POSIX extended regular expression, found anywhere in the value
)

// Comparator names how octets compare (RFC 4790).
type Comparator string

// The comparators. The zero value of a Comparator field means ASCIICasemap,
// which is Sieve's default (RFC 5228 section 2.7.3).
const (
	ASCIICasemap Comparator = "i;ascii-casemap"
	Octet        Comparator = "i;octet"
)

// View is a reader of a header section. The servers do not read one header
// section alike, so a predicate is compiled for one of them.
type View string

const (
	// HeaderChecks is Postfix's cleanup(8) with header_checks(5): the logical
	// line as it stands, folds and RFC 2047 words included.
	HeaderChecks View = "header_checks"
	// Sieve is Pigeonhole: unfolded, white space at both ends removed, RFC 2047
	// words decoded.
	Sieve View = "sieve"
)

// Condition wraps a Predicate so that it can stand in a struct that is read
// from JSON. The zero Condition holds no predicate.
type Condition struct{ Predicate }

// When returns p as a Condition.
func When(p Predicate) Condition { return Condition{p} }
