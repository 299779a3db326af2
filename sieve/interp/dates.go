package interp

import (
	"bytes"
	"fmt"
	"time"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
)

// dateTest is the test date, or where the source has no names, currentdate (RFC
// 5260 sections 4 and 5).
type dateTest struct {
	step     int
	source   *source
	zone     *text
	original bool
	part     text
	match    *matcher
}

func (c *compiler) date(t sieve.Date, step int) condition {
	s := c.source([]string{t.Name}, t.Index, t.Last, false, false)
	d := &dateTest{step: step, source: &s, original: t.OriginalZone, part: c.text(string(t.Part), "Part"),
		match: c.matcher(t.Match, t.Relation, t.Comparator, t.Keys)}
	if t.Zone != "" {
		d.zone = c.optional(&t.Zone, "Zone")
		if t.OriginalZone {
			c.errorf("Zone", "excludes OriginalZone")
		}
	}
	return d
}

func (c *compiler) currentDate(t sieve.CurrentDate, step int) condition {
	d := &dateTest{step: step, part: c.text(string(t.Part), "Part"), match: c.matcher(t.Match, t.Relation, t.Comparator, t.Keys)}
	if t.Zone != "" {
		d.zone = c.optional(&t.Zone, "Zone")
	}
	return d
}

func (c *dateTest) eval(r *run) bool {
	now := r.now()
	_, offset := now.Zone()
	local := offset / 60
	when, zone := now.Unix(), local
	part := sieve.DatePart(ascii.Lower(r.str(&c.part)))
	ok := part.Valid()
	if c.source != nil && ok {
		// Of several fields the server looks at the first one.
		list := r.entriesOf(c.source)
		if ok = len(list) > 0; ok {
			v := r.decode(list[0]).text
			if r.spend(costParse * len(v)); r.failed != nil {
				return false
			}
			if i := bytes.LastIndexByte(v, ';'); i >= 0 {
				v = v[i+1:]
			}
			when, zone, ok = parseDate(v)
		}
	}
	values := r.list[:0]
	if ok {
		want := local
		if c.original {
			want = zone
		} else if c.zone != nil {
			if z, ok := parseZone(r.str(c.zone)); ok {
				want = z
			}
		}
		values = append(values, value{text: []byte(formatPart(part, time.Unix(when+int64(want)*60, 0).UTC(), want))})
	} else if !part.Valid() {
		return r.note(c.step, false, nil)
	}
	r.list = values
	return r.compare(c.step, c.match, values)
}

// parseZone reads "+hhmm" or "-hhmm" as minutes.
func parseZone(s string) (int, bool) {
	if len(s) != 5 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	for i := 1; i < 5; i++ {
		if !ascii.IsDigit(int(s[i])) {
			return 0, false
		}
	}
	n := (int(s[1]-'0')*10+int(s[2]-'0'))*60 + int(s[3]-'0')*10 + int(s[4]-'0')
	if s[0] == '-' {
		n = -n
	}
	return n, true
}

// formatPart returns the part of a date, which is shown in UTC and shifted by the
// zone.
func formatPart(p sieve.DatePart, t time.Time, zone int) string {
	switch p {
	case sieve.Year:
		return fmt.Sprintf("%04d", t.Year())
	case sieve.Month:
		return fmt.Sprintf("%02d", int(t.Month()))
	case sieve.Day:
		return fmt.Sprintf("%02d", t.Day())
	case sieve.FullDate:
		return fmt.Sprintf("%04d-%02d-%02d", t.Year(), int(t.Month()), t.Day())
	case sieve.JulianDay:
		// Day 0 is 1858-11-17; 1970-01-01 is day 40587.
		seconds := t.Unix()
		day := seconds / 86400
		if seconds%86400 < 0 {
			day--
		}
		return fmt.Sprint(day + 40587)
	case sieve.Hour:
		return fmt.Sprintf("%02d", t.Hour())
	case sieve.Minute:
		return fmt.Sprintf("%02d", t.Minute())
	case sieve.Second:
		return fmt.Sprintf("%02d", t.Second())
	case sieve.TimeOfDay:
		return fmt.Sprintf("%02d:%02d:%02d", t.Hour(), t.Minute(), t.Second())
	case sieve.ISO8601:
		shown := "Z"
		if zone != 0 {
			sign, n := '+', zone
			if n < 0 {
				sign, n = '-', -n
			}
			shown = fmt.Sprintf("%c%02d:%02d", sign, n/60, n%60)
		}
		return fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02d%s", t.Year(), int(t.Month()), t.Day(), t.Hour(), t.Minute(), t.Second(), shown)
	case sieve.RFC2822Date:
		return t.Format("Mon, 02 Jan ") + fmt.Sprintf("%04d ", t.Year()) + t.Format("15:04:05 ") + formatZone(zone)
	case sieve.ZoneOffset:
		return formatZone(zone)
	case sieve.DayOfTheWeek:
		return fmt.Sprint(int(t.Weekday()))
	}
	return ""
}

func formatZone(minutes int) string {
	sign := '+'
	if minutes < 0 {
		sign, minutes = '-', -minutes
	}
	return fmt.Sprintf("%c%02d%02d", sign, minutes/60, minutes%60)
}

// dateReader reads a date as Dovecot does (RFC 2822 section 3.3, with the
// obsolete forms).
type dateReader struct {
	mailaddr.Parser
	broken bool // a comment behind a token has no end
}

// token reads an atom; its octets stand in s.
func (d *dateReader) token() []byte {
	start := d.I
	for d.I < len(d.S) && mailaddr.Atext[d.S[d.I]] {
		d.I++
	}
	out := d.S[start:d.I]
	d.broken = d.Blank() == mailaddr.Broken || d.broken
	return out
}

func (d *dateReader) skip(c byte) bool {
	if !d.At(c) {
		return false
	}
	d.I++
	return d.Blank() != mailaddr.Broken
}

// number reads a token of digits of a length between lo and hi.
func number(b []byte, lo, hi int) (int, bool) {
	if len(b) < lo || len(b) > hi {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if !ascii.IsDigit(int(c)) {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

var monthNames = [...]string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}

// parseDate reads a date: its seconds since 1970 and the zone in minutes.
func parseDate(b []byte) (unix int64, zone int, ok bool) {
	d := dateReader{Parser: mailaddr.Parser{S: b}}
	if d.Blank() != mailaddr.More {
		return 0, 0, false
	}
	t := d.token()
	if len(t) == 3 {
		// The day of the week, which isn't looked at.
		if !d.skip(',') {
			return 0, 0, false
		}
		t = d.token()
	}
	day, ok := number(t, 1, 2)
	if !ok {
		return 0, 0, false
	}
	month := 0
	t = d.token()
	for i, name := range monthNames {
		if len(t) >= 3 && equalFold(t[:3], name) {
			month = i + 1
		}
	}
	if month == 0 {
		return 0, 0, false
	}
	t = d.token()
	year, ok := number(t, 2, 4)
	if !ok {
		return 0, 0, false
	}
	switch len(t) {
	case 2:
		if year < 70 {
			year += 100
		}
		year += 1900
	default:
		if year < 1900 {
			return 0, 0, false
		}
	}
	hour, ok := number(d.token(), 1, 2)
	if !ok || !d.At(':') && !d.At('.') {
		return 0, 0, false
	}
	d.skip(d.S[d.I])
	minute, ok := number(d.token(), 2, 2)
	if !ok {
		return 0, 0, false
	}
	second := 0
	if d.At(':') || d.At('.') {
		d.skip(d.S[d.I])
		if second, ok = number(d.token(), 2, 2); !ok {
			return 0, 0, false
		}
	}
	if hour > 23 || minute > 59 || second > 60 || day < 1 || day > daysIn(year, month) {
		return 0, 0, false
	}
	second = min(second, 59) // a leap second
	if d.I < len(d.S) {
		if !mailaddr.Atext[d.S[d.I]] {
			return 0, 0, false
		}
		zone = dateZone(d.token())
	}
	if d.broken {
		return 0, 0, false
	}
	when := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return when.Unix() - int64(zone)*60, zone, true
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// dateZone reads a zone in its present and obsolete forms (RFC 2822 section
// 4.3); an unknown one is 0. The server counts military zones from the capital
// letters, whatever octet stands there.
func dateZone(b []byte) int {
	if len(b) == 5 {
		z, _ := parseZone(string(b))
		return z
	}
	if len(b) == 1 {
		c := int(b[0])
		upper := c
		if 'a' <= c && c <= 'z' {
			upper = c - 'a' + 'A'
		}
		switch {
		case upper < 'J':
			return (c - 'A' + 1) * 60
		case upper == 'J':
			return 0
		case upper <= 'M':
			return (c - 'A') * 60
		case upper < 'Z':
			return ('M' - c) * 60
		}
		return 0
	}
	switch string(b) {
	case "EDT":
		return -4 * 60
	case "EST", "CDT":
		return -5 * 60
	case "CST", "MDT":
		return -6 * 60
	case "MST", "PDT":
		return -7 * 60
	case "PST":
		return -8 * 60
	}
	return 0
}
