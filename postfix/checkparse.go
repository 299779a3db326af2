package postfix

import (
	"fmt"
	"strings"
)

// ParseCheckTable reads a header_checks table of the kind "regexp"
// (regexp_table(5)) or "pcre" (pcre_table(5)) as Postfix does. Rules that
// Postfix skips, or whose action has no effect, are warnings. So are, with
// Unevaluated set, rules that Postfix obeys and this package can't: they are
// left out, and what [Checks.Lookup] says is right only for lines that they
// don't match.
func ParseCheckTable(name, kind string, src []byte) (CheckTable, []Warning) {
	return parseChecks(checkParser{name: name, pcre: kind == "pcre"}, name, kind, src)
}

// ParseBodyTable is [ParseCheckTable] for body_checks, where the text of
// PREPEND and REPLACE is any line. Ask it with [Checks.LookupLine].
func ParseBodyTable(name, kind string, src []byte) (CheckTable, []Warning) {
	return parseChecks(checkParser{name: name, pcre: kind == "pcre", body: true}, name, kind, src)
}

func parseChecks(p checkParser, name, kind string, src []byte) (CheckTable, []Warning) {
	p.s.src = src
	if kind != "regexp" && kind != "pcre" {
		return nil, []Warning{{Position: Position{File: name, Line: 1}, Text: fmt.Sprintf("tables of kind %q can't be evaluated", kind),
			Unevaluated: true}}
	}
	for p.s.next() {
		p.line()
	}
	for i := len(p.open) - 1; i >= 0; i-- {
		p.warnings = append(p.warnings, Warning{Position: Position{File: name, Line: p.open[i].line}, Text: "IF has no matching ENDIF"})
	}
	return p.table, p.warnings
}

type checkParser struct {
	name     string
	pcre     bool
	s        lineScanner
	open     []checkBlock
	table    CheckTable
	warnings []Warning
	// lookup collects the rules of a look-up table instead, whose results
	// are no actions.
	lookup func(r CheckRule, result string)
	// results collects the results alone, whatever the patterns are.
	results func(line int, pattern, result string)
	body    bool // body_checks
}

type checkBlock struct {
	line    int
	guard   CheckGuard
	unknown bool // can't be evaluated
}

func (p *checkParser) warn(unevaluated bool, format string, args ...any) {
	p.warnings = append(p.warnings, Warning{Position: Position{File: p.name, Line: p.s.first()}, Text: fmt.Sprintf(format, args...),
		Unevaluated: unevaluated})
}

// line reads one logical line.
func (p *checkParser) line() {
	if p.s.indented() {
		p.warn(false, indentedText)
		return
	}
	text := string(trimBlanks(cstring(p.s.text)))
	if text == "" {
		return
	}
	switch word := leadingWord(text); {
	case word == "":
		p.rule(text)
	case strings.EqualFold(word, "if"):
		p.condition(strings.TrimLeft(text[2:], spaces))
	case strings.EqualFold(word, "endif"):
		if len(p.open) == 0 {
			p.warn(false, "ENDIF without IF is ignored")
			return
		}
		if text[len("endif"):] != "" {
			p.warn(false, "text after ENDIF is ignored")
		}
		p.open = p.open[:len(p.open)-1]
	default:
		p.warn(false, "%q: neither a pattern nor IF nor ENDIF: the line is ignored", text)
	}
}

// condition reads what stands behind IF.
func (p *checkParser) condition(text string) {
	g, rest, ok := p.pattern(text)
	if !ok {
		return
	}
	if strings.Trim(rest, spaces) != "" {
		p.warn(false, "text after the pattern of IF is ignored: do not indent what stands between IF and ENDIF")
	}
	block := checkBlock{line: p.s.first(), guard: g}
	if _, err := compileCheck(g); err != nil {
		block.unknown = true
		p.warn(true, "if: %v: the rules up to its endif are left out", err)
	}
	p.open = append(p.open, block)
}

// rule reads a pattern and its result.
func (p *checkParser) rule(text string) {
	g, rest, ok := p.pattern(text)
	if !ok {
		return
	}
	var except *CheckGuard
	if !p.pcre && strings.HasPrefix(rest, "!") {
		second, after, ok := p.pattern(rest)
		if !ok {
			return
		}
		except, rest = &second, after
	}
	result := strings.TrimLeft(rest, spaces)
	groups := -1
	compiled, err := compileCheck(g)
	if err == nil {
		groups = compiled.NumSubexp()
	}
	if why := badResult(result, g.Negate, groups); why != "" {
		p.warn(false, "%s: the rule is skipped", why)
		return
	}
	if p.results != nil {
		p.results(p.s.first(), g.Regexp, result)
		return
	}
	if err == nil && except != nil {
		_, err = compileCheck(*except)
	}
	if err != nil {
		p.warn(true, "%v", err)
		return
	}
	var action CheckAction = Dunno{}
	if p.lookup != nil {
		if result == "" {
			p.warn(false, "no replacement text: using empty string")
		}
	} else if result == "" {
		p.warn(false, "no replacement text: the rule has no effect but that later ones aren't tried")
	} else {
		var why string
		if action, why = parseAction(result, p.body); why != "" {
			p.warn(false, "%s", why)
		}
	}
	r := CheckRule{Regexp: g.Regexp, Flags: g.Flags, PCRE: g.PCRE, Negate: g.Negate, Action: action, Line: p.s.first()}
	for _, b := range p.open {
		if b.unknown {
			p.warn(true, "stands in the if of line %d", b.line)
			return
		}
		r.Guards = append(r.Guards, b.guard)
	}
	if except != nil {
		r.Guards = append(r.Guards, *except)
	}
	if p.lookup != nil {
		p.lookup(r, result)
		return
	}
	if len(r.Guards) == 1 && r.Guards[0] == (CheckGuard{Regexp: r.Guards[0].Regexp}) {
		r.Guard, r.Guards = r.Guards[0].Regexp, nil
	}
	p.table = append(p.table, r)
}

// pattern reads "!/pattern/flags".
func (p *checkParser) pattern(text string) (g CheckGuard, rest string, ok bool) {
	text, g.Negate = cutNegation(text)
	g.PCRE = p.pcre
	if text == "" {
		p.warn(false, "no regexp: the rule is skipped")
		return g, "", false
	}
	delimiter, n := text[0], 1
	for n < len(text) && text[n] != delimiter {
		if text[n] == '\\' {
			n++
		}
		n++
	}
	if n > len(text) && !p.pcre {
		// regexp_table(5)'s reader takes a backslash at the end of the line
		// for the closing delimiter.
		g.Regexp = text[1 : len(text)-1]
		return g, "", true
	}
	if n >= len(text) {
		p.warn(false, "no closing delimiter %q: the rule is skipped", delimiter)
		return g, "", false
	}
	g.Regexp = text[1:n]
	flags := n + 1
	for n = flags; n < len(text) && !isSpace(text[n]) && (p.pcre || text[n] != '!'); n++ {
		known := "imx"
		if p.pcre {
			known = "imsxAEUX"
		}
		if strings.IndexByte(known, text[n]) < 0 {
			p.warn(false, "unknown flag %q: the rule is skipped", text[n])
			return g, "", false
		}
	}
	g.Flags = text[flags:n]
	return g, text[n:], true
}

// badResult says why Postfix skips a rule for its result. groups is the number
// of parentheses in the pattern, -1 where it isn't known.
func badResult(result string, negate bool, groups int) string {
	for i := 0; i < len(result); i++ {
		if result[i] != '$' {
			continue
		}
		i++
		if i == len(result) {
			return `nothing after "$": write "$$" for a dollar`
		}
		if result[i] == '$' {
			continue
		}
		name := ""
		if result[i] == '{' || result[i] == '(' {
			n := closing(result[i:])
			if n < 0 {
				return `no closing bracket after "$"`
			}
			name = result[i+1 : i+n]
			i += n
		} else {
			from := i
			for i < len(result) && isNameByte(result[i]) {
				i++
			}
			name = result[from:i]
			i--
		}
		number := 0
		for _, c := range name {
			if c < '0' || c > '9' {
				return fmt.Sprintf("%q is no number after \"$\"", name)
			}
			number = min(number*10+int(c-'0'), 1<<20)
		}
		switch {
		case number == 0:
			return fmt.Sprintf("%q is out of range after \"$\"", name)
		case negate:
			return "$number in a negated rule"
		case groups >= 0 && number > groups:
			return fmt.Sprintf("$%d, and the pattern has %d groups", number, groups)
		}
	}
	return ""
}
