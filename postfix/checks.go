package postfix

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/oxmailroute/oxmailroute/headers"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// Checks is a [CheckTable] compiled for look-ups. It is immutable and safe for
// concurrent use.
type Checks struct {
	rules  []check
	guards []guard
	// byName has, for header names in lower case, the rules that only that name
	// can match; other are the rules that any name may match. Both in order.
	byName map[string][]int32
	other  []int32
	lines  sync.Pool // *lineScratch
}

// check is one pattern of a rule.
type check struct {
	matcher *headers.Matcher // or
	pattern *headers.ERE
	negate  bool
	guards  []int32
	hit     CheckHit
	parts   []patternPart // of an Unknown action
}

type guard struct {
	pattern *headers.ERE
	negate  bool
}

// CheckHit is the rule that decides about a header line.
type CheckHit struct {
	Action CheckAction
	Rule   string // the rule's
	Line   int    // of the pattern that matched, in the table's text
}

// Compile prepares the table for look-ups. The error is that of
// [CheckTable.Format], and ErrSyntax for patterns that can't be compiled.
func (t CheckTable) Compile() (*Checks, error) {
	l, errs := t.units()
	c := &Checks{byName: make(map[string][]int32)}
	known := make(map[CheckGuard]int32)
	for _, u := range l {
		r := &t[u.rule]
		one := check{negate: r.Negate, hit: CheckHit{r.Action, r.Rule, u.line}}
		if a, ok := r.Action.(Unknown); ok && u.when == nil {
			one.parts = resultParts(a.Text)
		}
		fail := func(field string, err error) {
			errs = append(errs, &Error{Position: Position{Path: fmt.Sprintf("[%d]%s", u.rule, field)}, Err: err})
		}
		name, exact := "", false
		var err error
		if u.when != nil {
			if one.matcher, err = headers.Compile(u.when, headers.HeaderChecks); err != nil {
				fail(".When", err)
				continue
			}
			name, exact = nameOf(u.when)
		} else {
			if one.pattern, err = compileCheck(CheckGuard{r.Regexp, r.Flags, r.PCRE, false}); err != nil {
				fail(".Regexp", err)
				continue
			}
			name, exact = nameInPattern(r.Regexp, r.Flags)
		}
		guards := r.Guards
		if r.Guard != "" {
			guards = append(guards[:len(guards):len(guards)], CheckGuard{Regexp: r.Guard})
		}
		for _, g := range guards {
			n, ok := known[g]
			if !ok {
				compiled, err := compileCheck(g)
				if err != nil {
					fail(".Guard", err)
					continue
				}
				n = int32(len(c.guards))
				known[g] = n
				c.guards = append(c.guards, guard{compiled, g.Negate})
			}
			one.guards = append(one.guards, n)
		}
		exact = exact && !r.Negate
		for _, g := range guards {
			// What an if lets through bounds what its rules can match.
			if guarded, ok := nameInPattern(g.Regexp, g.Flags); ok && !exact && !g.Negate {
				name, exact = guarded, true
			}
		}
		n := int32(len(c.rules))
		c.rules = append(c.rules, one)
		if exact {
			key := string(lowerASCII(nil, name))
			c.byName[key] = append(c.byName[key], n)
		} else {
			c.other = append(c.other, n)
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	guards := len(c.guards)
	c.lines.New = func() any { return &lineScratch{line: make([]byte, 0, 1024), guards: make([]guardState, guards)} }
	return c, nil
}

// units returns the table's patterns with their lines. A table that was read
// has them already, and may hold what can't be written.
func (t CheckTable) units() ([]unit, Errors) {
	read := len(t) > 0
	for i := range t {
		read = read && t[i].Line > 0 && t[i].When == nil
	}
	if !read {
		l, errs := t.layout()
		return l.units, errs
	}
	var errs Errors
	list := make([]unit, len(t))
	for i := range t {
		list[i] = unit{rule: i, line: t[i].Line}
		if t[i].Action == nil {
			errs = append(errs, &Error{Position: Position{Path: fmt.Sprintf("[%d].Action", i)}, Err: fault.New(ErrIllegal, "the action is missing")})
		}
	}
	return list, errs
}

// Lookup returns what cleanup(8) finds in the table for a header line: the
// first rule that matches. Rules about one exact header name cost other
// headers nothing.
func (c *Checks) Lookup(f headers.Field) (hit CheckHit, ok bool) {
	if c == nil {
		c = new(Checks)
	}
	var buf [128]byte
	name := buf[:0]
	for _, b := range f.Name {
		name = append(name, lowerByte(b))
	}
	exact := c.byName[string(name)]
	if len(exact)+len(c.other) == 0 {
		return CheckHit{}, false
	}
	s := lineState{c: c, f: f}
	i := c.search(&s, exact)
	if i >= 0 {
		if hit = c.rules[i].hit; c.rules[i].parts != nil {
			hit.Action = c.rules[i].action(s.line(), false)
		}
	}
	s.free()
	return hit, i >= 0
}

// action is what the rule does to a line: each $number of its text is what that
// group of the pattern has matched.
func (r *check) action(line []byte, body bool) CheckAction {
	groups := headers.FindERE(r.pattern, line)
	var b strings.Builder
	for _, p := range r.parts {
		if p.group == 0 {
			b.WriteString(p.text)
		} else if p.group < len(groups) {
			b.Write(groups[p.group])
		}
	}
	a, _ := literalAction(b.String(), b.String(), body)
	return a
}

// LookupLine returns what cleanup(8) finds in the table for a line of the body
// (body_checks): the first rule whose pattern matches it. Rules with conditions
// on header fields match none.
func (c *Checks) LookupLine(line []byte) (hit CheckHit, ok bool) {
	if c == nil || len(c.rules) == 0 {
		return CheckHit{}, false
	}
	s := lineState{c: c}
	defer s.free()
	l := s.get()
	l.line, l.filled = append(l.line[:0], line...), true
next:
	for i := range c.rules {
		r := &c.rules[i]
		if r.pattern == nil {
			continue
		}
		for _, g := range r.guards {
			if !s.passes(g) {
				continue next
			}
		}
		if s.found(r.pattern) != r.negate {
			hit = r.hit
			if r.parts != nil {
				hit.Action = r.action(line, true)
			}
			return hit, true
		}
	}
	return CheckHit{}, false
}

// search tries the rules of both lists in order.
func (c *Checks) search(s *lineState, exact []int32) int32 {
	other := c.other
	for len(exact)+len(other) > 0 {
		var n int32
		if len(other) == 0 || len(exact) > 0 && exact[0] < other[0] {
			n, exact = exact[0], exact[1:]
		} else {
			n, other = other[0], other[1:]
		}
		if c.matches(n, s) {
			return n
		}
	}
	return -1
}

func (c *Checks) matches(n int32, s *lineState) bool {
	r := &c.rules[n]
	for _, g := range r.guards {
		if !s.passes(g) {
			return false
		}
	}
	if r.matcher != nil {
		return r.matcher.MatchField(s.f) != r.negate
	}
	return s.found(r.pattern) != r.negate
}

// lineState makes the logical line when the first pattern needs it, and asks
// each guard once, however many rules stand behind it.
type lineState struct {
	c       *Checks
	f       headers.Field
	scratch *lineScratch
}

type lineScratch struct {
	line   []byte
	filled bool
	guards []guardState
	// grams are those of the line, where counted is set.
	grams   headers.Grams
	counted bool
}

type guardState uint8

const (
	guardUnasked guardState = iota
	guardPasses
	guardFails
)

func (s *lineState) get() *lineScratch {
	if s.scratch == nil {
		s.scratch = s.c.lines.Get().(*lineScratch)
		s.scratch.filled, s.scratch.counted = false, false
		clear(s.scratch.guards)
	}
	return s.scratch
}

func (s *lineState) line() []byte {
	l := s.get()
	if !l.filled {
		l.line, l.filled = headers.Line(l.line[:0], s.f), true
	}
	return l.line
}

// passes reports whether the line passes a guard.
func (s *lineState) passes(g int32) bool {
	known := &s.get().guards[g]
	if *known == guardUnasked {
		*known = guardFails
		if s.found(s.c.guards[g].pattern) != s.c.guards[g].negate {
			*known = guardPasses
		}
	}
	return *known == guardPasses
}

// found reports whether the line has a match of the pattern. Of many patterns
// the pairs and triples of octets in the line say that it doesn't.
func (s *lineState) found(pattern *headers.ERE) bool {
	line := s.line()
	if l := s.scratch; !l.counted {
		l.grams.Reset(line)
		l.counted = true
	}
	return pattern.MayMatch(&s.scratch.grams) && headers.MatchERE(pattern, line)
}

func (s *lineState) free() {
	if s.scratch != nil {
		s.c.lines.Put(s.scratch)
	}
}

// compileCheck compiles a pattern with its flags.
func compileCheck(g CheckGuard) (*headers.ERE, error) {
	if g.PCRE {
		re, err := compilePCRE(g.Regexp, g.Flags)
		if err != nil {
			return nil, err
		}
		return headers.OctetRegexp(re), nil
	}
	fold, lines := true, false
	for _, f := range g.Flags {
		switch f {
		case 'i':
			fold = !fold
		case 'm':
			lines = !lines
		case 'x':
			return nil, fault.New(ErrSyntax, fmt.Sprintf("flag %q can't be evaluated: write the pattern without it", f))
		default:
			return nil, fault.New(ErrSyntax, fmt.Sprintf("unknown flag %q", f))
		}
	}
	if lines {
		return headers.CompileERELines(g.Regexp, fold)
	}
	return headers.CompileERE(g.Regexp, fold)
}

// nameInPattern returns the header name that all lines begin with which a
// pattern "^Name:..." matches.
func nameInPattern(pattern, flags string) (name string, exact bool) {
	rest, ok := strings.CutPrefix(pattern, "^")
	if !ok || strings.ContainsAny(flags, "m") {
		return "", false
	}
	var b []byte
	for i := 0; i < len(rest); i++ {
		c := rest[i]
		// What follows may be an octet, or an anchor of regcomp(3)'s.
		if c == '\\' && i+1 < len(rest) && !isAlnum(rest[i+1]) && strings.IndexByte("<>`'", rest[i+1]) < 0 {
			i++
			c = rest[i]
		} else if !isAlnum(c) && strings.IndexByte("-_:", c) < 0 {
			return "", false
		}
		if i+1 < len(rest) && strings.IndexByte("*+?{", rest[i+1]) >= 0 {
			return "", false
		}
		if c == ':' {
			return string(b), len(b) > 0 && !topLevelBar(rest)
		}
		b = append(b, c)
	}
	return "", false
}

// topLevelBar reports whether a pattern may have alternatives outside of
// groups.
func topLevelBar(pattern string) bool {
	branches, err := splitBranches(pattern)
	return err != nil || len(branches) != 1
}

// trimBlanks takes white space off the end, as the tables' readers do.
func trimBlanks(text []byte) []byte { return bytes.TrimRight(text, spaces) }
