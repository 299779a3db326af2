package postfix

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// CheckRule is one rule of a header_checks(5) table. Exactly one of When and
// Regexp is set.
type CheckRule struct {
	// When is the condition on the header line. It must be one that a single
	// line can answer, see [PatternsFor].
	When headers.Predicate
	// Regexp is the pattern as it is: a POSIX extended regular expression that
	// is found in the logical line, "Name: value", without regard to case.
	Regexp string
	// Flags are the letters behind the pattern in a table that was read
	// (regexp_table(5), pcre_table(5)): each one switches something off that is
	// on, or on. With "i" case counts.
	Flags string
	// PCRE says that Regexp is one of pcre_table(5). Such rules are read and
	// evaluated, but never written.
	PCRE bool
	// Negate: the rule applies to lines that don't match.
	Negate bool
	// Guards are conditions outside Guard, the outermost first, as tables that
	// were read may have them.
	Guards []CheckGuard
	// Guard is the regular expression of an if...endif block around the rule;
	// consecutive rules with equal Guards and Guard share the blocks.
	Guard  string
	Action CheckAction
	// Rule says where it comes from, for traces. It is not printed.
	Rule string
	// Comment is written above the rule as comment lines.
	Comment string
	// Line is the first physical line where it was read from a file, else 0.
	Line int
}

// CheckGuard is the condition of an if...endif block.
type CheckGuard struct {
	Regexp string
	Flags  string
	PCRE   bool
	Negate bool
}

// CheckTable is a header_checks(5) table: for each header line the first rule
// that matches counts.
type CheckTable []CheckRule

// Format returns the text of the regexp: table (regexp_table(5)). A predicate
// becomes one pattern for each header name. Where two or more rules in a row
// are about names that begin alike, they stand in an "if /^Prefix-/" block,
// which changes nothing but the time that other lines take.
//
// The error is [Errors], all at once, and names rules as "[3].When":
// [headers.ErrNotExpressible] for predicates, ErrIllegal for what the table
// would read differently.
func (t CheckTable) Format() ([]byte, error) {
	l, errs := t.layout()
	if len(errs) > 0 {
		return nil, errs
	}
	return l.text, nil
}

// Lines returns, for each rule, the line where its first pattern stands in what
// [CheckTable.Format] returns. The error is Format's.
func (t CheckTable) Lines() ([]int, error) {
	l, errs := t.layout()
	if len(errs) > 0 {
		return nil, errs
	}
	lines := make([]int, len(t))
	for i := len(l.units) - 1; i >= 0; i-- {
		lines[l.units[i].rule] = l.units[i].line
	}
	return lines, nil
}

// unit is one pattern of a rule.
type unit struct {
	rule    int
	line    int
	when    headers.Predicate // nil: the rule's Regexp
	pattern string            // "/.../flags"
	name    string            // the pattern begins with it; empty: not known
}

// layout is a table on paper.
type layout struct {
	text  []byte
	units []unit
}

func (t CheckTable) layout() (layout, Errors) {
	var errs Errors
	fail := func(i int, field string, err error) {
		errs = append(errs, &Error{Position: Position{Path: fmt.Sprintf("[%d]%s", i, field)}, Err: err})
	}
	illegal := func(i int, field, format string, args ...any) {
		fail(i, field, fault.New(ErrIllegal, fmt.Sprintf(format, args...)))
	}
	l := layout{units: make([]unit, 0, len(t))}
	actions := make([]string, len(t))
	guards := make([][]string, len(t))
	for i := range t {
		r := &t[i]
		units, err := t.unitsOf(i)
		if err != nil {
			field := ".When"
			if r.When == nil {
				field = ".Regexp"
			}
			fail(i, field, err)
		}
		l.units = append(l.units, units...)
		if actions[i], err = formatAction(r.Action); err != nil {
			fail(i, ".Action", err)
		}
		if why := badComment(r.Comment); why != "" {
			illegal(i, ".Comment", "%q: %s", r.Comment, why)
		}
		for j, g := range r.Guards {
			text, err := guardLine(g)
			if err != nil {
				fail(i, fmt.Sprintf(".Guards[%d]", j), err)
			}
			guards[i] = append(guards[i], text)
		}
		if r.Guard != "" {
			text, err := guardLine(CheckGuard{Regexp: r.Guard})
			if err != nil {
				fail(i, ".Guard", err)
			}
			guards[i] = append(guards[i], text)
		}
	}
	if len(errs) > 0 {
		return layout{}, errs
	}
	auto := t.autoGuards(l.units)
	var b bytes.Buffer
	var open []string
	line := 1
	write := func(text string) {
		b.WriteString(text)
		b.WriteByte('\n')
		line++
	}
	setGuards := func(want []string) {
		common := 0
		for common < len(open) && common < len(want) && open[common] == want[common] {
			common++
		}
		for range open[common:] {
			write("endif")
		}
		for _, g := range want[common:] {
			write(g)
		}
		open = want
	}
	last := -1
	for i := range l.units {
		u := &l.units[i]
		want := guards[u.rule]
		if auto[i] != "" {
			want = []string{"if /^" + quoteERE(auto[i]) + "/"}
		}
		setGuards(want)
		if u.rule != last {
			writeComment(&b, t[u.rule].Comment)
			line += commentLines(t[u.rule].Comment)
			last = u.rule
		}
		u.line = line
		negate := ""
		if t[u.rule].Negate {
			negate = "!"
		}
		write(negate + u.pattern + " " + actions[u.rule])
	}
	setGuards(nil)
	l.text = b.Bytes()
	return l, nil
}

// unitsOf returns a rule's patterns.
func (t CheckTable) unitsOf(i int) ([]unit, error) {
	r := &t[i]
	switch {
	case r.When != nil && (r.Regexp != "" || r.Flags != "" || r.PCRE):
		return nil, fault.New(ErrIllegal, "both When and Regexp are set")
	case r.When == nil && r.Regexp == "":
		return nil, fault.New(ErrIllegal, "neither When nor Regexp is set")
	case r.When == nil:
		text, err := delimited(CheckGuard{r.Regexp, r.Flags, r.PCRE, false})
		if err != nil {
			return nil, err
		}
		return []unit{{rule: i, pattern: text}}, nil
	}
	leaves, err := leavesOf(nil, r.When)
	if err != nil {
		return nil, err
	}
	if r.Negate && len(leaves) != 1 {
		return nil, &headers.NotExpressibleError{Predicate: r.When, Target: targetChecks,
			Reason: "a negated rule has one pattern, and this takes several", Fix: "write a rule for each"}
	}
	units := make([]unit, 0, len(leaves))
	for _, leaf := range leaves {
		text, err := patternFor(leaf)
		if err != nil {
			return nil, err
		}
		u := unit{rule: i, when: leaf, pattern: text}
		u.name, _ = nameOf(leaf)
		units = append(units, u)
	}
	return units, nil
}

// autoGuards returns, for each unit, the name prefix of the block that it
// stands in.
func (t CheckTable) autoGuards(units []unit) []string {
	auto := make([]string, len(units))
	usable := func(i int) bool {
		r := &t[units[i].rule]
		return units[i].name != "" && !r.Negate && r.Guard == "" && len(r.Guards) == 0
	}
	for i := 0; i < len(units); {
		prefix, j := units[i].name, i+1
		for usable(i) && j < len(units) && usable(j) {
			p := commonPrefix(prefix, units[j].name)
			if len(p) < minGuard {
				break
			}
			prefix = p
			j++
		}
		if j-i > 1 {
			for k := i; k < j; k++ {
				auto[k] = prefix
			}
		}
		i = j
	}
	return auto
}

// minGuard is the shortest name prefix worth a block; "X-" isn't.
const minGuard = 4

// commonPrefix is what two header names have in common, without regard to case,
// up to a dash.
func commonPrefix(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && lowerByte(a[n]) == lowerByte(b[n]) {
		n++
	}
	if n == len(a) && n == len(b) {
		return a
	}
	return a[:1+strings.LastIndexByte(a[:n], '-')]
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func guardLine(g CheckGuard) (string, error) {
	text, err := delimited(g)
	if g.Negate {
		text = "!" + text
	}
	return "if " + text, err
}

// delimited writes "/pattern/flags", with another delimiter where the pattern
// has a "/" in it.
func delimited(g CheckGuard) (string, error) {
	if g.PCRE {
		return "", fault.New(ErrIllegal, "a pcre: pattern can't stand in a regexp: table")
	}
	if _, err := compileCheck(g); err != nil {
		return "", err
	}
	if why := badComment(g.Regexp); why != "" || strings.Contains(g.Regexp, "\n") {
		return "", fault.New(ErrIllegal, fmt.Sprintf("pattern %q: holds a line end, a control character or text that isn't UTF-8", g.Regexp))
	}
	return slashed(g.Regexp, g.Flags)
}
