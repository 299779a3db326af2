package postfix

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/oxmailroute/oxmailroute/headers"
)

// PatternTable is a regexp: or pcre: table as a look-up table (regexp_table(5),
// pcre_table(5)): each pattern is tried on the whole key, the first that
// matches counts, and $number in its result is what the group of that number
// matched. It is immutable and safe for concurrent use.
type PatternTable struct {
	rules []patternRule
	kind  string
}

type patternRule struct {
	guards  []patternGuard
	pattern patternGuard
	result  string
	parts   []patternPart // nil: the result has no "$" in it
	line    int
}

type patternGuard struct {
	re     *headers.ERE
	negate bool
}

// patternPart is literal text, or a group's number.
type patternPart struct {
	text  string
	group int
}

// ParsePatternTable reads a table of the kind "regexp" or "pcre" as Postfix
// does. Rules that Postfix skips are warnings; rules that Postfix obeys and
// this package can't are left out, with a warning whose Unevaluated is set.
func ParsePatternTable(name, kind string, src []byte) (*PatternTable, []Warning) {
	t := &PatternTable{kind: kind}
	if kind != "regexp" && kind != "pcre" {
		return t, []Warning{{Position: Position{File: name, Line: 1}, Text: fmt.Sprintf("tables of kind %q can't be evaluated", kind),
			Unevaluated: true}}
	}
	p := checkParser{name: name, pcre: kind == "pcre"}
	p.s.src = src
	p.lookup = func(r CheckRule, result string) {
		rule := patternRule{result: result, line: r.Line}
		var err error
		// All have been compiled once to see whether they can be.
		if rule.pattern, err = compilePattern(CheckGuard{r.Regexp, r.Flags, r.PCRE, r.Negate}); err != nil {
			return
		}
		for _, g := range r.Guards {
			guard, err := compilePattern(g)
			if err != nil {
				return
			}
			rule.guards = append(rule.guards, guard)
		}
		rule.parts = resultParts(result)
		t.rules = append(t.rules, rule)
	}
	for p.s.next() {
		p.line()
	}
	for i := len(p.open) - 1; i >= 0; i-- {
		p.warnings = append(p.warnings, Warning{Position: Position{File: name, Line: p.open[i].line}, Text: "IF has no matching ENDIF"})
	}
	return t, p.warnings
}

func compilePattern(g CheckGuard) (patternGuard, error) {
	re, err := compileCheck(g)
	return patternGuard{re, g.Negate}, err
}

// resultParts takes a result apart that badResult has found sound.
func resultParts(result string) []patternPart {
	if !strings.Contains(result, "$") {
		return nil
	}
	var parts []patternPart
	text := ""
	for i := 0; i < len(result); i++ {
		if result[i] != '$' {
			text += result[i : i+1]
			continue
		}
		i++
		switch c := result[i]; {
		case c == '$':
			text += "$"
			continue
		case c == '{' || c == '(':
			n := closing(result[i:])
			parts = append(parts, patternPart{text: text}, patternPart{group: number(result[i+1 : i+n])})
			i += n
		default:
			from := i
			for i < len(result) && isNameByte(result[i]) {
				i++
			}
			parts = append(parts, patternPart{text: text}, patternPart{group: number(result[from:i])})
			i--
		}
		text = ""
	}
	return append(parts, patternPart{text: text})
}

// number reads digits; what is larger than any group's number stays so.
func number(digits string) int {
	n := 0
	for i := 0; i < len(digits); i++ {
		n = min(n*10+int(digits[i]-'0'), 1<<20)
	}
	return n
}

// WithoutSubstitution returns the table as Postfix opens it where text from the
// key must not get into a result (transport_maps, the sender-dependent tables
// of trivial-rewrite(8), alias_maps and the other tables of local(8)): rules
// with $number are skipped; skipped has their lines.
func (t *PatternTable) WithoutSubstitution() (plain *PatternTable, skipped []int) {
	if t == nil {
		t = new(PatternTable)
	}
	plain = &PatternTable{kind: t.kind}
	for _, r := range t.rules {
		if slices.ContainsFunc(r.parts, func(p patternPart) bool { return p.group > 0 }) {
			skipped = append(skipped, r.line)
			continue
		}
		plain.rules = append(plain.rules, r)
	}
	return plain, skipped
}

// Results returns what the rules answer, in their order: Value is the result as
// it is written, with its $numbers, Line the rule's; Key is empty.
func (t *PatternTable) Results() []Entry {
	if t == nil {
		t = new(PatternTable)
	}
	out := make([]Entry, len(t.rules))
	for i, r := range t.rules {
		out[i] = Entry{Value: r.result, Line: r.line}
	}
	return out
}

// Patterns reports true: such a table is asked for whole keys only.
func (t *PatternTable) Patterns() bool { return true }

// Lookup returns the result of the first rule whose pattern matches the key,
// with the rule's line. The case of the key is kept. There is no error.
func (t *PatternTable) Lookup(key string) (row Row, ok bool, err error) {
	if t == nil {
		t = new(PatternTable)
	}
	if i := strings.IndexByte(key, 0); i >= 0 {
		key = key[:i]
	}
	text := []byte(key)
next:
	for i := range t.rules {
		r := &t.rules[i]
		for _, g := range r.guards {
			if headers.MatchERE(g.re, text) == g.negate {
				continue next
			}
		}
		if r.parts == nil || r.pattern.negate {
			if headers.MatchERE(r.pattern.re, text) == r.pattern.negate {
				continue
			}
			result := r.result
			if r.parts != nil {
				result = r.expand(nil)
			}
			return Row{Entry: Entry{Key: key, Value: result, Line: r.line}}, true, nil
		}
		groups := headers.FindERE(r.pattern.re, text)
		if groups == nil {
			continue
		}
		return Row{Entry: Entry{Key: key, Value: r.expand(groups), Line: r.line}}, true, nil
	}
	return Row{}, false, nil
}

// expand replaces the $numbers. A group that took no part is empty.
func (r *patternRule) expand(groups [][]byte) string {
	var b strings.Builder
	for _, p := range r.parts {
		if p.group == 0 {
			b.WriteString(p.text)
		} else if p.group < len(groups) {
			b.Write(groups[p.group])
		}
	}
	return b.String()
}

// widen makes every octet a character, as the expressions are compiled for
// ([headers.MatchERE]); narrow takes that back.
func widen(s string) string {
	b := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		b = utf8.AppendRune(b, rune(s[i]))
	}
	return string(b)
}

func narrow(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}
