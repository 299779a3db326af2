package sieve

// Valid reports whether it is one of the date parts, in lower case.
func (p DatePart) Valid() bool {
	switch p {
	case Year, Month, Day, FullDate, JulianDay, Hour, Minute, Second, TimeOfDay, ISO8601, RFC2822Date, ZoneOffset, DayOfTheWeek:
		return true
	}
	return false
}

// This file holds the tests of extensions.

// Body holds where the body compares true with one of the Keys (RFC 5173
// section 4).
type Body struct {
	Transform Transform
	// Content are the media types that BodyContent looks at: "text" for all
	// subtypes, "text/html" for one, "" for all.
	Content    []string
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Keys       []string
}

// Transform says which text of the body is compared (RFC 5173 section 5).
type Transform string

// The transforms. The zero Transform means BodyText.
const (
	BodyRaw     Transform = "raw"     // the body as it stands
	BodyContent Transform = "content" // the decoded parts of some types
	BodyText    Transform = "text"    // the text of the message
)

// Date holds where the date in the field compares true with one of the Keys
// (RFC 5260 section 4).
type Date struct {
	Name string
	// Zone is the offset to show the date in, "+hhmm" or "-hhmm"; empty means
	// the server's own zone.
	Zone string
	// OriginalZone shows the date in the zone that it was written in; it
	// excludes Zone.
	OriginalZone bool
	Part         DatePart
	Match        MatchType
	Relation     Relation
	Comparator   Comparator
	Keys         []string
	// Index and Last are as in [Header].
	Index uint64
	Last  bool
}

// CurrentDate holds where the present time compares true with one of the Keys
// (RFC 5260 section 5). The fields are those of [Date].
type CurrentDate struct {
	Zone       string
	Part       DatePart
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Keys       []string
}

// DatePart is the piece of a date that is compared (RFC 5260 section 4.2), in
// any case.
type DatePart string

// The date parts.
const (
	Year         DatePart = "year"    // 0000 to 9999
	Month        DatePart = "month"   // 01 to 12
	Day          DatePart = "day"     // 01 to 31
	FullDate     DatePart = "date"    // yyyy-mm-dd
	JulianDay    DatePart = "julian"  // the Modified Julian Day
	Hour         DatePart = "hour"    // 00 to 23
	Minute       DatePart = "minute"  // 00 to 59
	Second       DatePart = "second"  // 00 to 60
	TimeOfDay    DatePart = "time"    // hh:mm:ss
	ISO8601      DatePart = "iso8601" // RFC 3339 section 5.6
	RFC2822Date  DatePart = "std11"   // RFC 2822 section 3.3
	ZoneOffset   DatePart = "zone"    // +hhmm or -hhmm
	DayOfTheWeek DatePart = "weekday" // 0 for Sunday to 6
)

// Environment holds where an item of the environment compares true with one of
// the Keys (RFC 5183 section 4).
type Environment struct {
	Item       string
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Keys       []string
}

// String holds where one of the Sources compares true with one of the Keys (RFC
// 5229 section 5).
type String struct {
	Sources    []string
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Keys       []string
}

// Metadata holds where the annotation of the mailbox compares true with one of
// the Keys (RFC 5490 section 4).
type Metadata struct {
	Mailbox    string
	Annotation string
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Keys       []string
}

// ServerMetadata is [Metadata] with an annotation of the server (RFC 5490
// section 5).
type ServerMetadata struct {
	Annotation string
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Keys       []string
}

// MetadataExists holds where the mailbox has every one of the annotations (RFC
// 5490 section 4).
type MetadataExists struct {
	Mailbox     string
	Annotations []string
}

// ServerMetadataExists holds where the server has every one of the annotations
// (RFC 5490 section 5).
type ServerMetadataExists struct{ Annotations []string }

// SpecialUseExists holds where every one of the special-use attributes is on a
// mailbox of the user, or where Mailbox is given, on that one (RFC 8579 section
// 3).
type SpecialUseExists struct {
	Mailbox    *string
	Attributes []string
}

// Duplicate holds where the message was seen before (RFC 7352 section 3). The
// pointers are nil where the tag is absent.
type Duplicate struct {
	// Handle keeps apart what tests with another handle saw.
	Handle *string
	// Header is the field that tells messages apart; empty leaves the tag out,
	// which means Message-ID.
	Header string
	// UniqueID is what tells messages apart; it excludes Header.
	UniqueID *string
	// Seconds is how long a message is remembered.
	Seconds *uint64
	// Last counts the time from the last time it was seen, not from the first.
	Last bool
}

// SpamTest compares the spam score of the message with Value: "0" for not
// tested, "1" to "10", or with Percent "0" to "100" (RFC 5235 section 2).
type SpamTest struct {
	// Percent needs the extension "spamtestplus".
	Percent    bool
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Value      string
}

// VirusTest compares what a virus scanner found with Value, "0" to "5" (RFC
// 5235 section 3).
type VirusTest struct {
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Value      string
}

// ValidNotifyMethod holds where every one of the URIs can be notified (RFC 5435
// section 4).
type ValidNotifyMethod struct{ URIs []string }

// NotifyMethodCapability holds where the capability of the method compares true
// with one of the Keys (RFC 5435 section 5).
type NotifyMethodCapability struct {
	URI        string
	Capability string
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Keys       []string
}

// IHave holds where the server has every one of the extensions (RFC 5463
// section 4). They are required by it: what stands behind it can use them.
type IHave struct{ Extensions []string }

func (Body) test() {}

func (Date) test() {}

func (CurrentDate) test() {}

func (Environment) test() {}

func (String) test() {}

func (Metadata) test() {}

func (ServerMetadata) test() {}

func (MetadataExists) test() {}

func (ServerMetadataExists) test() {}

func (SpecialUseExists) test() {}

func (Duplicate) test() {}

func (SpamTest) test() {}

func (VirusTest) test() {}

func (ValidNotifyMethod) test() {}

func (NotifyMethodCapability) test() {}

func (IHave) test() {}
