package sieve

import (
	"strconv"

	"github.com/oxmailroute/oxmailroute/sieve/internal/imapflag"
)

// test looks at a test and returns why it can't be true; "" where it can.
func (l *linter) test(t Test) string {
	off := l.next()
	switch t := t.(type) {
	case False, UnreadTest:
		return "it is false"
	case Not:
		l.test(t.Test)
		if _, always := t.Test.(True); always {
			return "it is not true"
		}
		return ""
	case AllOf:
		return l.allOf(t)
	case AnyOf:
		reason, all := "", true
		for _, u := range t {
			why := l.test(u)
			all = all && why != ""
			reason = why
		}
		if all {
			return reason
		}
		return ""
	case IHave:
		for _, name := range t.Extensions {
			if x := ExtensionNamed(name); x == 0 || !l.available.Has(x) {
				return "the server doesn't have the extension " + strconv.Quote(name)
			} else if x&(ExtVariables|ExtEncodedCharacter) != 0 {
				return strconv.Quote(name) + " can be had by require only"
			}
		}
		return ""
	case Exists:
		for _, name := range t.Names {
			if l.fieldNames(off, []string{name}) {
				return "no message has the field"
			}
		}
		return ""
	case Header:
		if l.fieldNames(off, t.Names) {
			return "no message has the field"
		}
		if !t.MIME && t.exact() && everyKey(t.Keys, endsBlank) {
			return "the server takes white space off the end of a field"
		}
		return l.relation(t.Match, t.Relation, t.Keys)
	case Address:
		if t.Part == Domain && (t.Match == "" || t.Match == Is || t.Match == Contains) && everyKey(t.Keys, hasAt) {
			return "a domain holds no @"
		}
		return l.relation(t.Match, t.Relation, t.Keys)
	case Envelope:
		if t.Part == Domain && (t.Match == "" || t.Match == Is || t.Match == Contains) && everyKey(t.Keys, hasAt) {
			return "a domain holds no @"
		}
		return l.relation(t.Match, t.Relation, t.Keys)
	case HasFlag:
		bad := func(s string) bool {
			for _, f := range imapflag.Split([]string{s}) {
				if imapflag.Valid(f) {
					return false
				}
			}
			return true
		}
		if (t.Match == "" || t.Match == Is) && t.Variables == nil && everyKey(t.Flags, bad) {
			return "a message has no such flag"
		}
		return ""
	case Date:
		l.fieldNames(off, []string{t.Name})
		return l.date(off, t.Part, t.Zone, t.Match, t.Comparator, t.Keys)
	case CurrentDate:
		return l.date(off, t.Part, t.Zone, t.Match, t.Comparator, t.Keys)
	case String:
		return l.relation(t.Match, t.Relation, t.Keys)
	default: // may be true, for all that a script tells
		return ""
	}
}

// exact reports whether a value must be the same as a key.
func (t Header) exact() bool {
	return (t.Match == "" || t.Match == Is) && t.Comparator != ASCIINumeric
}

// allOf looks at tests of which all must hold.
func (l *linter) allOf(list AllOf) string {
	reason := ""
	over, under := uint64(0), ^uint64(0)
	sized := 0
	for _, t := range list {
		if why := l.test(t); reason == "" {
			reason = why
		}
		if t, ok := t.(Size); ok {
			if t.Over {
				over, sized = max(over, t.Limit), sized|1
			} else {
				under, sized = min(under, t.Limit), sized|2
			}
		}
	}
	if reason == "" && sized == 3 && (under <= over || under-over == 1) {
		return "no message is that large and that small"
	}
	return reason
}

// relation looks for a count below nothing.
func (l *linter) relation(m MatchType, r Relation, keys []string) string {
	if m == Count && r == Less && everyKey(keys, func(k string) bool { return k == "0" }) {
		return "nothing is fewer than 0"
	}
	return ""
}
