package postfix

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// targetChecks names header_checks(5) in errors.
const targetChecks = "header_checks"

// PatternsFor returns the patterns of a regexp: table that say what the
// predicate says of one header line, each as it stands in the table, "/.../"
// or, where case counts, "/.../i". A line matches one of them exactly where
// [headers.Matcher.MatchField] of the predicate holds for the field in the
// [headers.HeaderChecks] view.
//
// One line can answer [headers.Exists], [headers.Match],
// [headers.MatchPrefix], [headers.ContentType] unless Top is set, and
// [headers.Any] of these. For anything else the error is
// [headers.ErrNotExpressible]; so it is where a value can't be put into one
// line, or where a pattern would match more than was asked.
func PatternsFor(p headers.Predicate) ([]string, error) {
	leaves, err := leavesOf(nil, p)
	if err != nil {
		return nil, err
	}
	patterns := make([]string, 0, len(leaves))
	for _, leaf := range leaves {
		text, err := patternFor(leaf)
		if err != nil {
			return nil, err
		}
		patterns = append(patterns, text)
	}
	return patterns, nil
}

func notExpressible(p headers.Predicate, fix, format string, args ...any) error {
	return &headers.NotExpressibleError{Predicate: p, Target: targetChecks, Reason: fmt.Sprintf(format, args...), Fix: fix}
}

// leavesOf appends the predicates that take one pattern each.
func leavesOf(list []headers.Predicate, p headers.Predicate) ([]headers.Predicate, error) {
	switch p := p.(type) {
	case nil:
		return nil, fault.New(ErrIllegal, "the predicate is missing")
	case headers.Condition:
		return leavesOf(list, p.Predicate)
	case headers.Exists, headers.Match, headers.MatchPrefix:
		return append(list, p), nil
	case headers.ContentType:
		if p.Top {
			return nil, notExpressible(p, "leave Top unset", "mime_header_checks see every part alike")
		}
		return append(list, p), nil
	case headers.Any:
		if len(p) == 0 {
			return nil, notExpressible(p, "leave the rule out", "no line matches")
		}
		for _, one := range p {
			var err error
			if list, err = leavesOf(list, one); err != nil {
				return nil, err
			}
		}
		return list, nil
	case headers.Not:
		return nil, notExpressible(p, "ask for what is there", "the rules look at one line at a time, and no line tells that there is none")
	case headers.All:
		return nil, notExpressible(p, "name one header field, or several with Any",
			"the rules look at one line at a time and don't remember the others")
	}
	return nil, fault.New(ErrIllegal, fmt.Sprintf("unknown predicate %T", p))
}

// nameOf returns what the names of matching fields begin with, and whether that
// is the whole name.
func nameOf(p headers.Predicate) (name string, exact bool) {
	switch p := p.(type) {
	case headers.Exists:
		return p.Name, true
	case headers.Match:
		return p.Name, true
	case headers.ContentType:
		return "Content-Type", true
	case headers.MatchPrefix:
		return p.Prefix, false
	default: // leavesOf leaves no other
		return "", false
	}
}

// patternFor returns the pattern of a leaf, delimiters and flags included.
func patternFor(p headers.Predicate) (string, error) {
	if err := headers.Validate(p); err != nil {
		return "", err
	}
	name, exact := nameOf(p)
	if _, media := p.(headers.ContentType); exact && !media && headers.IsMIME([]byte(name)) {
		return "", notExpressible(p, "ask ContentType, which is for mime_header_checks", "header_checks never see the MIME field %s", name)
	}
	var op headers.Op
	var values []string
	var comparator headers.Comparator
	switch p := p.(type) {
	case headers.Exists:
		return slashed("^"+quoteERE(name)+":", "")
	case headers.Match:
		op, values, comparator = p.Op, p.Values, p.Comparator
	case headers.MatchPrefix:
		op, values, comparator = p.Op, p.Values, p.Comparator
	case headers.ContentType:
		return contentTypePattern(p)
	default: // leavesOf leaves no other
	}
	flags := ""
	quotedName := quoteERE(name)
	if comparator == headers.Octet {
		// Case counts in the value only.
		flags = "i"
		quotedName = eitherCase(name)
	}
	if !exact {
		quotedName += "[^:]*"
	}
	var alternatives []string
	for _, v := range values {
		var text string
		var err error
		switch op {
		case headers.Is:
			text, err = isPattern(p, v)
		case headers.Contains:
			text, err = containsPattern(p, v)
		case headers.Matches:
			text, err = globPattern(p, v)
		case headers.Regex:
			text, err = regexPattern(p, v, flags == "")
		}
		if err != nil {
			return "", err
		}
		alternatives = append(alternatives, text)
	}
	return slashed("^"+quotedName+":"+eitherOf(alternatives), flags)
}

// eitherOf joins alternatives; the empty one matches whatever the others do.
func eitherOf(list []string) string {
	switch {
	case slices.Contains(list, ""):
		return ""
	case len(list) == 1:
		return list[0]
	}
	return "(" + strings.Join(list, "|") + ")"
}

// slashed puts a pattern between slashes, or, as a slash within brackets can't
// be escaped, between others.
func slashed(pattern, flags string) (string, error) {
	delimiter := "/"
	for i := 0; i < len(pattern); i++ {
		if pattern[i] == '\\' {
			i++
		} else if pattern[i] == '/' {
			i := strings.IndexFunc("~%@,;=&<>_", func(c rune) bool { return !strings.ContainsRune(pattern, c) })
			if i < 0 {
				return "", fault.New(ErrIllegal, fmt.Sprintf("pattern %q: holds every character that could stand around it", pattern))
			}
			delimiter = "~%@,;=&<>_"[i : i+1]
			break
		}
	}
	return delimiter + pattern + delimiter + flags, nil
}

const (
	ws      = "[[:space:]]*"
	solid   = "[^[:space:]]"
	wsToEnd = ws + "$"
)

// edges reports white space at both ends of v. The value of a header has none
// there, as far as the comparisons go, but its line has.
func edges(v string) (before, after bool) {
	return v != "" && isSpace(v[0]), v != "" && isSpace(v[len(v)-1])
}

func isPattern(p headers.Predicate, v string) (string, error) {
	if before, after := edges(v); before || after {
		return "", notExpressible(p, "remove the white space", "no value begins or ends with white space as %q does", v)
	}
	return ws + quoteERE(v) + wsToEnd, nil
}

func containsPattern(p headers.Predicate, v string) (string, error) {
	if v == "" {
		return "", nil // every value contains it
	}
	if before, after := edges(v); before || after {
		return "", notExpressible(p, "remove the white space",
			"%q begins or ends with white space, and a pattern can't tell that from the white space around the value", v)
	}
	return ".*" + quoteERE(v), nil
}

// globPattern translates a glob on the value without the white space at its
// ends, which the line has and wildcards must not take.
func globPattern(p headers.Predicate, glob string) (string, error) {
	// Runs of wildcards, and the text between them.
	type piece struct {
		text string
		any  int  // "?"
		star bool // "*"
	}
	var pieces []piece
	var text []byte
	for i := 0; i < len(glob); i++ {
		c := glob[i]
		if c == '*' || c == '?' {
			if n := len(pieces); n == 0 || len(text) > 0 {
				pieces = append(pieces, piece{text: string(text)})
				text = nil
			}
			last := &pieces[len(pieces)-1]
			if c == '*' {
				last.star = true
			} else {
				last.any++
			}
			continue
		}
		if c == '\\' && i+1 < len(glob) {
			i++
			c = glob[i]
		}
		text = append(text, c)
	}
	tail := string(text)
	if len(pieces) == 0 {
		return isPattern(p, tail)
	}
	if _, after := edges(tail); after {
		return "", notExpressible(p, "remove the white space", "no value ends with white space as %q does", glob)
	}
	var b strings.Builder
	b.WriteString(ws)
	for i, w := range pieces {
		first := i == 0 && w.text == ""           // nothing before the run
		final := i == len(pieces)-1 && tail == "" // nothing behind it
		next := tail                              // the text behind it
		if i < len(pieces)-1 {
			next = pieces[i+1].text
		}
		if i == 0 {
			if before, _ := edges(w.text); before {
				return "", notExpressible(p, "remove the white space", "no value begins with white space as %q does", glob)
			}
		}
		b.WriteString(quoteERE(w.text))
		nextSpace, _ := edges(next)
		_, textSpace := edges(w.text)
		writeWild(&b, w.any, w.star, first, final, first && nextSpace, final && textSpace)
	}
	b.WriteString(quoteERE(tail))
	b.WriteString(wsToEnd)
	return b.String(), nil
}

// writeWild writes n "?" and perhaps a "*". first and final say that the run
// begins or ends the value, which isn't white space there; needFirst and
// needFinal, that what the run stands for can't be empty therefore.
func writeWild(b *strings.Builder, n int, star, first, final, needFirst, needFinal bool) {
	head, end := "", ""
	if first && (n > 0 || needFirst) {
		head = solid
		n = max(0, n-1)
	}
	if final && (n > 0 || needFinal && head == "") {
		end = solid
		n = max(0, n-1)
	}
	b.WriteString(head)
	b.WriteString(strings.Repeat(".", n))
	if star {
		b.WriteString(".*")
	}
	b.WriteString(end)
}

// contentTypePattern is for Content-Type lines: the media type at the start,
// then a ";" or the end, and where a parameter is asked, its name after a ";"
// or white space.
func contentTypePattern(p headers.ContentType) (string, error) {
	var types []string
	for _, t := range p.Types {
		types = append(types, quoteERE(t))
	}
	text := "^Content-Type:" + ws + eitherOf(types) + ws
	if p.Param == "" {
		return slashed(text+"(;|$)", "")
	}
	return slashed(text+";(.*[;[:space:]])?"+quoteERE(p.Param)+ws+"=", "")
}

// quoteERE makes text literal in a pattern between slashes.
func quoteERE(text string) string {
	if !strings.ContainsAny(text, `/.[]()*+?{}|^$\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if strings.IndexByte(`/.[]()*+?{}|^$\`, text[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// eitherCase makes a header name match in any case where case counts.
func eitherCase(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case isAlnum(c) && c >= 'A':
			b.WriteByte('[')
			b.WriteByte(lowerByte(c) - ('a' - 'A'))
			b.WriteByte(lowerByte(c))
			b.WriteByte(']')
		default:
			b.WriteString(quoteERE(name[i : i+1]))
		}
	}
	return b.String()
}
