package headers

import (
	"bytes"
	"regexp"

	"github.com/oxmailroute/oxmailroute/internal/ere"
	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// ERE is a POSIX extended regular expression, made by [CompileERE]. It is
// immutable and safe for concurrent use. The zero value is found nowhere.
type ERE struct {
	pattern string
	expr    *ere.Expr      // or
	octets  *regexp.Regexp // of OctetRegexp
	need    *need          // for MayMatch
}

// CompileERE compiles a POSIX extended regular expression (POSIX.1-2017, XBD
// 9.4) as glibc's regcomp(3) reads it without REG_NEWLINE and in the POSIX
// locale, which is how Postfix's regexp: tables and Pigeonhole's :regex use it,
// whatever the locale of their environment: "." is any octet, a line end too,
// "^" and "$" stand for the ends of the text only, and of several matches the
// leftmost longest counts. foldCase ignores the case of ASCII letters
// (REG_ICASE).
//
// All that regcomp takes is taken, what POSIX leaves undefined with glibc's
// meaning: "\<", "\>", "\b", "\B", "\w", "\W", "\s", "\S", "\`", "\'", a lone ")"
// or "}" for itself, "a{,3}", "a**", empty groups and alternatives. The match and
// its groups are those of regexec(3), its slips too: letters behind a backslash
// ("\d") are found nowhere with REG_ICASE, an anchor in the second copy of
// something that is repeated may not hold it ("(^a)+" finds "aa"), and "\n^" finds
// the beginning of a line. The differences are
//
//   - back-references ("\1"), more than 250 nested groups, and NUL, at which
//     regcomp stops reading, are errors
//   - so is what needs more than some 140,000 states, such as several
//     repetitions in the manner of a{1,32767}
//   - regcomp and regexec never end, or run out of memory, on some nested
//     repetitions of what may be empty ("((^|a)+)**"); this package answers in time
//     proportional to the text, [MatchERE] whether there is a match, [FindERE] that
//     there is none
//   - a group that may be empty and is repeated twice or more without a limit,
//     inside of another one that is repeated, can be filled with another of its
//     places: "(|(a*){2,}){2}*"; the match is the same
//   - where regexec finds the groups of one match after another impossible,
//     which takes one of its slips, this package tries 50 of them
//
// An error names the construct. It wraps [ErrInvalid], and where regcomp takes
// the pattern, [ErrUnsupported].
func CompileERE(pattern string, foldCase bool) (*ERE, error) {
	return compileERE(pattern, ere.Flags{FoldCase: foldCase})
}

// CompileERELines is [CompileERE] with REG_NEWLINE, the flag m of regexp_table(5):
// "^" and "$" stand for the ends of lines too, and "." and "[^x]" don't match a
// line end.
func CompileERELines(pattern string, foldCase bool) (*ERE, error) {
	return compileERE(pattern, ere.Flags{FoldCase: foldCase, Newline: true})
}

func compileERE(pattern string, flags ere.Flags) (*ERE, error) {
	expr, err := ere.Compile(pattern, flags)
	if err == nil {
		return &ERE{pattern: pattern, expr: expr, need: newNeed(expr.Need())}, nil
	}
	wrong := mistake(ErrInvalid, err.Fix, "regular expression %q: %v", pattern, err)
	if err.Taken {
		wrong.Err = fault.Both(wrong.Err, ErrUnsupported)
	}
	return nil, wrong
}

// OctetRegexp makes an expression of Go's into one for [MatchERE] and [FindERE]:
// each octet that isn't ASCII is a character of its own, U+0080 to U+00FF.
func OctetRegexp(re *regexp.Regexp) *ERE {
	if re == nil {
		return new(ERE)
	}
	return &ERE{pattern: re.String(), octets: re, need: newNeed(ere.NeedGo(re.String()))}
}

// String returns the pattern.
func (e *ERE) String() string {
	if e == nil {
		return ""
	}
	return e.pattern
}

// NumSubexp returns the number of groups.
func (e *ERE) NumSubexp() int {
	switch {
	case e == nil:
	case e.octets != nil:
		return e.octets.NumSubexp()
	case e.expr != nil:
		return e.expr.Groups()
	}
	return 0
}

// Size returns how many states there are that an octet of the text may be
// compared with.
func (e *ERE) Size() int {
	if e == nil || e.expr == nil {
		return 0
	}
	return e.expr.Size()
}

// Regexp returns the expression for Go's regexp, in which each octet is a
// character, or nil where that would match other texts. The groups of a match
// may be others.
func (e *ERE) Regexp() *regexp.Regexp {
	switch {
	case e == nil:
	case e.octets != nil:
		return e.octets
	case e.expr != nil:
		return e.expr.Regexp()
	}
	return nil
}

// MatchERE reports whether re is found in the value, as regexec(3) does where
// no groups are asked for. What follows a NUL isn't seen.
func MatchERE(re *ERE, value []byte) bool {
	if re == nil || re.expr == nil && re.octets == nil {
		return false
	}
	value = untilNUL(value)
	if re.octets != nil {
		text, _ := ere.Widen(value)
		return re.octets.Match(text)
	}
	return re.expr.Match(value)
}

// FindERE returns where re is found in the value: the match and each of its
// groups, nil for a group that has no part in it. Where it isn't found, that is
// nil. What follows a NUL isn't seen.
func FindERE(re *ERE, value []byte) [][]byte {
	if re == nil || re.expr == nil && re.octets == nil {
		return nil
	}
	value = untilNUL(value)
	var offsets []int
	if re.octets != nil {
		offsets = ere.FindGo(re.octets, value)
	} else {
		offsets = re.expr.Find(value)
	}
	if offsets == nil {
		return nil
	}
	list := make([][]byte, len(offsets)/2)
	for i := range list {
		if from, to := offsets[2*i], offsets[2*i+1]; from >= 0 && to >= 0 {
			list[i] = value[from:to:to]
		}
	}
	return list
}

func untilNUL(value []byte) []byte {
	if i := bytes.IndexByte(value, 0); i >= 0 {
		return value[:i]
	}
	return value
}
