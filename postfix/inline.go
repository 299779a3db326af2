package postfix

import (
	"regexp"
	"strings"
)

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
// with the first physical line of each rule as Entry.Line. A $number at its
// beginning whose group begins with a text of its own ("(Received: from)", or is
// nothing else) is that text. Rules that Postfix
// skips are left out; those whose patterns can't be evaluated here
// ([ParseCheckTable]) are not.
func RuleResults(kind string, src []byte) []Entry {
	var out []Entry
	p := checkParser{pcre: kind == "pcre"}
	p.s.src = src
	p.results = func(line int, pattern, result string) {
		if i := strings.IndexAny(result, " \t"); i >= 0 {
			result = result[:i+1] + literalGroup(pattern, strings.TrimLeft(result[i:], spaces))
		}
		out = append(out, Entry{Value: result, Line: line})
	}
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

// leadingGroup is a $number at the beginning of a result.
var leadingGroup = regexp.MustCompile(`^\$(?:([1-9])|\{([1-9])\}|\(([1-9])\))`)

// literalGroup writes the text of a group that the result begins with, as far as
// the pattern has it.
func literalGroup(pattern, result string) string {
	m := leadingGroup.FindStringSubmatch(result)
	if m == nil {
		return result
	}
	group, ok := groupText(pattern, int((m[1] + m[2] + m[3])[0]-'0'))
	if !ok {
		return result
	}
	n := 0
	for n < len(group) && (isAlnum(group[n]) || strings.IndexByte("-_: ", group[n]) >= 0) {
		n++
	}
	if n < len(group) {
		if strings.IndexByte("*+?{", group[n]) >= 0 {
			n--
		}
		if n <= 0 || !strings.Contains(group[:n], ":") {
			return result
		}
	}
	return strings.ReplaceAll(group[:n], "$", "$$") + result[len(m[0]):]
}

// groupText is what stands between the parentheses of a pattern's group; ok is
// false where it has alternatives, may be missing, or isn't found.
func groupText(pattern string, number int) (text string, ok bool) {
	count, from, depth := 0, -1, 0
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '[':
			i++
			if i < len(pattern) && pattern[i] == '^' {
				i++
			}
			for i++; i < len(pattern) && pattern[i] != ']'; i++ {
				if pattern[i] == '\\' || pattern[i] == '[' && i+1 < len(pattern) && strings.IndexByte(":.=", pattern[i+1]) >= 0 {
					return "", false // a class in a class, or an escape: not followed
				}
			}
		case '|':
			if depth > 0 || from < 0 {
				return "", false
			}
		case '(':
			if from >= 0 {
				depth++
			}
			if i+1 < len(pattern) && (pattern[i+1] == '?' || pattern[i+1] == '*') {
				continue
			}
			if count++; count == number {
				from, depth = i+1, 1
			}
		case ')':
			if from < 0 {
				continue
			}
			if depth--; depth == 0 {
				return pattern[from:i], i+1 == len(pattern) || strings.IndexByte("*+?{", pattern[i+1]) < 0
			}
		}
	}
	return "", false
}
