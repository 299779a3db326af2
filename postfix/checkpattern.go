package postfix

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
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

func notExpressible(p headers.Predicate, format string, args ...any) error {
	return &headers.NotExpressibleError{Predicate: p, Target: targetChecks, Reason: fmt.Sprintf(format, args...)}
}

// leavesOf appends the predicates that take one pattern each.
func leavesOf(list []headers.Predicate, p headers.Predicate) ([]headers.Predicate, error) {
	switch p := p.(type) {
	case nil:
		return nil, &detail{ErrIllegal, "the predicate is missing"}
	case headers.Condition:
		return leavesOf(list, p.Predicate)
	case headers.Exists, headers.Match, headers.MatchPrefix:
		return append(list, p), nil
	case headers.ContentType:
		if p.Top {
			return nil, notExpressible(p, "mime_header_checks see every part alike; leave Top unset")
		}
		return append(list, p), nil
	case headers.Any:
		if len(p) == 0 {
			return nil, notExpressible(p, "no line matches; leave the rule out")
		}
		for _, one := range p {
			var err error
			if list, err = leavesOf(list, one); err != nil {
				return nil, err
			}
		}
		return list, nil
	case headers.Not:
		return nil, notExpressible(p, "the rules look at one line at a time, and no line tells that there is none")
	case headers.All:
		return nil, notExpressible(p, "the rules look at one line at a time and don't remember the others")
	}
	return nil, &detail{ErrIllegal, fmt.Sprintf("unknown predicate %T", p)}
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
	}
	return "", false
}

// patternFor returns the pattern of a leaf, delimiters and flags included.
func patternFor(p headers.Predicate) (string, error) {
	if err := headers.Validate(p); err != nil {
		return "", err
	}
	name, exact := nameOf(p)
	if _, media := p.(headers.ContentType); exact && !media && headers.IsMIME([]byte(name)) {
		return "", notExpressible(p, "header_checks never see the MIME field %s; ask ContentType, which is for mime_header_checks", name)
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
				return "", &detail{ErrIllegal, fmt.Sprintf("pattern %q: holds every character that could stand around it", pattern)}
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
		return "", notExpressible(p, "no value begins or ends with white space as %q does", v)
	}
	return ws + quoteERE(v) + wsToEnd, nil
}

func containsPattern(p headers.Predicate, v string) (string, error) {
	if v == "" {
		return "", nil // every value contains it
	}
	if before, after := edges(v); before || after {
		return "", notExpressible(p, "%q begins or ends with white space, and a pattern can't tell that from the white space around the value", v)
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
		return "", notExpressible(p, "no value ends with white space as %q does", glob)
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
				return "", notExpressible(p, "no value begins with white space as %q does", glob)
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

// regexPattern puts a regular expression on the value into one on the line.
// The value has no white space at its ends and the line has, so an expression
// that could begin or end with some would match more there.
func regexPattern(p headers.Predicate, re string, fold bool) (string, error) {
	branches, err := splitBranches(re)
	if err != nil {
		return "", notExpressible(p, "%v", err)
	}
	var list []string
	for _, branch := range branches {
		text, err := branchPattern(branch, fold)
		if err != nil {
			return "", notExpressible(p, "%v", err)
		}
		list = append(list, text)
	}
	return eitherOf(list), nil
}

// branchPattern does it for one alternative.
func branchPattern(branch string, fold bool) (string, error) {
	core, start, end := branch, false, false
	for strings.HasPrefix(core, "^") {
		core, start = core[1:], true
	}
	for strings.HasSuffix(core, "$") && !escapedAt(core, len(core)-1) {
		core, end = core[:len(core)-1], true
	}
	// ".*" at an end is no anchor at all.
	for strings.HasPrefix(core, ".*") && (len(core) == 2 || strings.IndexByte("*+?{", core[2]) < 0) {
		core, start = core[2:], false
	}
	for strings.HasSuffix(core, ".*") && !escapedAt(core, len(core)-2) {
		core, end = core[:len(core)-2], false
	}
	if core == "" && !(start && end) {
		return "", nil // every value matches
	}
	shape, err := shapeOf(core, fold)
	if err != nil {
		return "", err
	}
	switch {
	case shape.anchor:
		return "", fmt.Errorf("an anchor within %q: put anchors at the ends of the alternatives", branch)
	case shape.empty && !(start && end):
		return "", nil
	case shape.first || shape.last:
		return "", fmt.Errorf("%q could begin or end with the white space around the value: begin and end with what isn't white space", branch)
	}
	text := core
	if core != "" && core != branch {
		text = "(" + text + ")"
	}
	if start {
		text = ws + text
	} else {
		text = ".*" + text
	}
	if end {
		text += wsToEnd
	}
	return text, nil
}

// splitBranches splits an expression at its outermost "|".
func splitBranches(re string) ([]string, error) {
	var list []string
	level, from := 0, 0
	for i := 0; i < len(re); i++ {
		switch re[i] {
		case '\\':
			i++
		case '[':
			end := bracketEnd(re, i)
			if end < 0 {
				return nil, fmt.Errorf("\"[\" without \"]\" in %q", re)
			}
			i = end
		case '(':
			level++
		case ')':
			level--
		case '|':
			if level == 0 {
				list = append(list, re[from:i])
				from = i + 1
			}
		}
	}
	return append(list, re[from:]), nil
}

// bracketEnd returns where the bracket expression at re[i] ends, or -1.
func bracketEnd(re string, i int) int {
	i++
	if i < len(re) && re[i] == '^' {
		i++
	}
	for first := true; i < len(re); first = false {
		switch {
		case re[i] == ']' && !first:
			return i
		case re[i] == '[' && i+1 < len(re) && strings.IndexByte(":.=", re[i+1]) >= 0:
			n := strings.Index(re[i+2:], re[i+1:i+2]+"]")
			if n < 0 {
				return -1
			}
			i += n + 4
		default:
			i++
		}
	}
	return -1
}

// escapedAt reports whether a backslash escapes text[i].
func escapedAt(text string, i int) bool {
	n := 0
	for i-n > 0 && text[i-n-1] == '\\' {
		n++
	}
	return n%2 == 1
}

// shape is what branchPattern has to know of an expression.
type shape struct {
	empty       bool // may match nothing
	first, last bool // may begin, end with white space
	anchor      bool // has anchors
}

func shapeOf(re string, fold bool) (shape, error) {
	compiled, err := headers.CompileERE(re, fold)
	if err != nil {
		return shape{}, err
	}
	parsed, err := syntax.Parse(compiled.String(), syntax.Perl)
	if err != nil {
		return shape{}, err
	}
	return shapeOfNode(parsed), nil
}

func shapeOfNode(n *syntax.Regexp) shape {
	switch n.Op {
	case syntax.OpNoMatch:
		return shape{}
	case syntax.OpEmptyMatch:
		return shape{empty: true}
	case syntax.OpLiteral:
		isWhite := func(r rune) bool { return r < 0x80 && isSpace(byte(r)) }
		return shape{first: isWhite(n.Rune[0]), last: isWhite(n.Rune[len(n.Rune)-1])}
	case syntax.OpCharClass:
		for i := 0; i < len(n.Rune); i += 2 {
			if n.Rune[i] <= ' ' && n.Rune[i+1] >= ' ' || n.Rune[i] <= '\r' && n.Rune[i+1] >= '\t' {
				return shape{first: true, last: true}
			}
		}
		return shape{}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return shape{first: true, last: true}
	case syntax.OpCapture:
		return shapeOfNode(n.Sub[0])
	case syntax.OpStar, syntax.OpQuest:
		s := shapeOfNode(n.Sub[0])
		s.empty = true
		return s
	case syntax.OpPlus:
		return shapeOfNode(n.Sub[0])
	case syntax.OpRepeat:
		s := shapeOfNode(n.Sub[0])
		s.empty = s.empty || n.Min == 0
		return s
	case syntax.OpAlternate:
		var s shape
		for _, sub := range n.Sub {
			one := shapeOfNode(sub)
			s = shape{s.empty || one.empty, s.first || one.first, s.last || one.last, s.anchor || one.anchor}
		}
		return s
	case syntax.OpConcat:
		s := shape{empty: true}
		for _, sub := range n.Sub {
			one := shapeOfNode(sub)
			s.first = s.first || s.empty && one.first
			s.last = one.last || one.empty && s.last
			s.empty = s.empty && one.empty
			s.anchor = s.anchor || one.anchor
		}
		return s
	}
	return shape{anchor: true}
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
