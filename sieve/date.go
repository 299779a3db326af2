package sieve

import (
	"strconv"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
)

// date looks at a test of a date.
func (l *linter) date(off int32, part DatePart, zone string, m MatchType, c Comparator, keys []string) string {
	if zone != "" && !validZone(zone) {
		l.warn(off, `zone %q is not of the form "+hhmm" or "-hhmm"`, zone)
	}
	if variableText(string(part)) {
		return ""
	}
	part = DatePart(ascii.Lower(string(part)))
	if !part.Valid() {
		return strconv.Quote(string(part)) + " is no part of a date"
	}
	if m != "" && m != Is || c == ASCIINumeric || !everyKey(keys, func(k string) bool { return !part.possible(k) }) {
		return ""
	}
	return strconv.Quote(string(part)) + " never looks like that"
}

// possible reports whether a part of a date can be the string.
func (p DatePart) possible(s string) bool {
	between := func(digits, low, high int) bool {
		n, err := strconv.Atoi(s)
		return err == nil && len(s) == digits && strings.TrimLeft(s, "0123456789") == "" && low <= n && n <= high
	}
	switch p {
	case Year:
		return between(4, 0, 9999)
	case Month:
		return between(2, 1, 12)
	case Day:
		return between(2, 1, 31)
	case Hour:
		return between(2, 0, 23)
	case Minute:
		return between(2, 0, 59)
	case Second:
		return between(2, 0, 60)
	case DayOfTheWeek:
		return between(1, 0, 6)
	case ZoneOffset:
		return validZone(s)
	case FullDate:
		return len(s) == len("2006-01-02")
	case TimeOfDay:
		return len(s) == len("15:04:05")
	}
	return true
}

func (n *node) zone(zone string) *node {
	if zone == "" {
		return n
	}
	return n.tag("zone").str(zone)
}

// Valid reports whether it is one of the date parts, in lower case.
func (p DatePart) Valid() bool {
	switch p {
	case Year, Month, Day, FullDate, JulianDay, Hour, Minute, Second, TimeOfDay, ISO8601, RFC2822Date, ZoneOffset, DayOfTheWeek:
		return true
	}
	return false
}

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

func (Date) test() {}

func (CurrentDate) test() {}

// zone reads :zone (RFC 5260 section 4.1).
func (r *reader) zone() string {
	if f := r.tagged(nameZone); f != nil {
		return r.str(f.param)
	}
	return ""
}

// datePart checks the parts of a date test.
func (v *validator) datePart(part DatePart, zone, where string) {
	if !DatePart(ascii.Lower(string(part))).Valid() && !variableText(string(part)) {
		v.errorf(where+".Part", "%q is no part of a date", string(part))
	}
	if zone != "" && !validZone(zone) {
		v.errorf(where+".Zone", `%q is not of the form "+hhmm" or "-hhmm"`, zone)
	}
}

// validZone reports whether s is an offset from UTC (RFC 5260 section 4.1), or
// one that is known at run time only.
func validZone(s string) bool {
	if variableText(s) {
		return true
	}
	if len(s) != 5 || s[0] != '+' && s[0] != '-' {
		return false
	}
	for _, c := range s[1:] {
		if !ascii.IsDigit(int(c)) {
			return false
		}
	}
	return true
}
