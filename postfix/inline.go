package postfix

import "strings"

// InlineRules returns the text of a regexp:, pcre: or cidr: table whose rules
// stand in the setting itself, "regexp:{ {rule}, {rule} }" (regexp_table(5),
// since Postfix 3.7), with a rule on each line. Where Name is a file's, inline is
// false. The error is ErrSyntax: Postfix then has no such table.
func (s MapSpec) InlineRules() (text []byte, inline bool, err error) {
	name := strings.TrimSpace(s.Name)
	switch s.Type {
	case "regexp", "pcre", "cidr":
	default:
		return nil, false, nil
	}
	if !strings.HasPrefix(name, "{") {
		return nil, false, nil
	}
	inner, err := unbrace(name)
	if err != nil {
		return nil, true, err
	}
	rules, err := splitList(inner)
	if err != nil {
		return nil, true, err
	}
	for _, r := range rules {
		if !strings.HasPrefix(r, "{") {
			return nil, true, syntaxError("%s: write each rule in braces", s)
		}
		rule, err := unbrace(r)
		if err != nil {
			return nil, true, err
		}
		text = append(append(text, strings.Trim(rule, spaces)...), '\n')
	}
	return text, true, nil
}

// RuleResults returns what stands behind the patterns of a regexp: or pcre: table,
// with the first physical line of each rule as Entry.Line. Rules that Postfix
// skips are left out; those whose patterns can't be evaluated here
// ([ParseCheckTable]) are not.
func RuleResults(kind string, src []byte) []Entry {
	var out []Entry
	p := checkParser{pcre: kind == "pcre"}
	p.s.src = src
	p.results = func(line int, result string) { out = append(out, Entry{Value: result, Line: line}) }
	for p.s.next() {
		p.line()
	}
	return out
}

// ParseCheckAction reads the right-hand side of a rule of header_checks(5). Where
// cleanup(8) would log a warning and do nothing, the action is Dunno and warning
// says so.
func ParseCheckAction(text string) (a CheckAction, warning string) { return parseAction(text, false) }

// Results returns what a randmap: table may answer, "{ text, text }"
// (DATABASE_README). The error is ErrSyntax.
func (s MapSpec) Results() ([]string, error) {
	name := strings.TrimSpace(s.Name)
	if s.Type != "randmap" || !strings.HasPrefix(name, "{") {
		return nil, syntaxError("%s: write randmap:{text, text}", s)
	}
	inner, err := unbrace(name)
	if err != nil {
		return nil, err
	}
	words, err := splitList(inner)
	if err != nil {
		return nil, err
	}
	for i := range words {
		if words[i], err = unbrace(words[i]); err != nil {
			return nil, err
		}
	}
	return words, nil
}
