package interp

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
	"github.com/oxmailroute/oxmailroute/sieve/internal/varname"
)

// manyKeys is from how many keys on a matcher has an index of them.
const manyKeys = 8

// matcher compares values with keys (RFC 5228 section 2.7).
type matcher struct {
	kind       sieve.MatchType
	relation   sieve.Relation
	comparator sieve.Comparator
	// dynamic says that the keys are texts, and the rest is made of them in the
	// run.
	dynamic bool
	// captures says that a match sets the match variables.
	captures bool
	fold     bool     // for Is and Contains: both sides are compared in lower case
	keys     []string // folded as the comparator wants it
	needles  [][]byte // for Contains, the same
	*patterns
}

// patterns are what most matchers have none of.
type patterns struct {
	texts   []text // of a dynamic matcher
	globs   []*headers.Glob
	regexps []*headers.ERE
	// costs are what one octet of a value costs with each of globs or regexps.
	costs []int
	// The indexes of many keys: for Is, and for Contains.
	set  map[string]struct{}
	find *automaton
}

// noPatterns are those of most matchers.
var noPatterns patterns

// rare returns the patterns to be changed.
func (m *matcher) rare() *patterns {
	if m.patterns == &noPatterns {
		m.patterns = new(patterns)
	}
	return m.patterns
}

// bind returns the matcher with the keys as they are now, or nil where the
// script fails. A regular expression that is broken is an error in the server's
// log, and matches nothing; one that is right, but not for this package, is a
// run-time error, since what it matches isn't known.
func (r *run) bind(m *matcher) *matcher {
	if !m.dynamic {
		return m
	}
	out := &matcher{kind: m.kind, relation: m.relation, comparator: m.comparator, captures: m.captures, patterns: new(patterns)}
	for _, k := range r.strs(m.texts) {
		r.spend(bindCost(m.kind, k))
		if r.failed != nil {
			return nil
		}
		if err := out.add(k); err != nil {
			if out.kind == sieve.Regex && !errors.Is(err, headers.ErrUnsupported) {
				continue
			}
			r.failed = err
			return nil
		}
	}
	if out.index(nil); out.find != nil || out.set != nil {
		for _, k := range out.keys {
			r.spend(128 + costAlloc*8*len(k))
		}
	}
	return out
}

// bindCost is what a key costs that is made of variables.
func bindCost(kind sieve.MatchType, key string) int {
	switch kind {
	case sieve.Matches:
		return 128 + costPattern*len(key)
	case sieve.Regex:
		return 8192 + 8*costPattern*repeated(key)
	}
	return 128 + 2*costAlloc*len(key)
}

// repeated is how long a regular expression is where repetitions are written
// out; for a hostile one it is a very large number.
func repeated(pattern string) int {
	// size holds the sizes of the open groups, last that of the last piece.
	size, last := []int{0}, 0
	add := func(n int) {
		size[len(size)-1] = min(size[len(size)-1]+n, 1<<30)
		last = n
	}
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\':
			i++
			add(1)
		case c == '[':
			end := strings.IndexByte(pattern[min(i+2, len(pattern)):], ']')
			add(max(end, 0) + 2)
			i += max(end, 0) + 1
		case c == '(':
			size = append(size, 1)
		case c == ')' && len(size) > 1:
			n := size[len(size)-1]
			size = size[:len(size)-1]
			add(n)
		case c == '{':
			n, most := 0, 0
			for i++; i < len(pattern) && pattern[i] != '}'; i++ {
				if ascii.IsDigit(int(pattern[i])) {
					n = min(10*n+int(pattern[i]-'0'), 1<<15)
				} else {
					n = 0
				}
				most = max(most, n)
			}
			add(min(last*most, 1<<30))
		default:
			add(1)
		}
	}
	total := 0
	for _, n := range size {
		total = min(total+n, 1<<30)
	}
	return total
}

// add adds a key.
func (m *matcher) add(key string) error {
	fold := m.comparator != sieve.Octet
	switch {
	case m.kind == sieve.Regex:
		// regcomp takes what comes before a NUL.
		key, _, _ = strings.Cut(key, "\x00")
		re, err := headers.CompileERE(key, fold)
		if err != nil {
			return err
		}
		x := m.rare()
		x.regexps = append(x.regexps, re)
		x.costs = append(x.costs, regexCost(re))
	case m.comparator == sieve.UnicodeCasemap:
		m.keys = append(m.keys, string(unicodeFold(nil, []byte(key))))
		if m.kind == sieve.Matches {
			x := m.rare()
			x.globs = append(x.globs, headers.CompileGlob(m.keys[len(m.keys)-1], false))
			x.costs = append(x.costs, globCost(m.keys[len(m.keys)-1]))
		}
	case m.kind == sieve.Matches:
		x := m.rare()
		x.globs = append(x.globs, headers.CompileGlob(key, fold))
		x.costs = append(x.costs, globCost(key))
	case m.comparator == sieve.ASCIICasemap:
		m.keys = append(m.keys, ascii.Lower(key))
	default:
		m.keys = append(m.keys, key)
	}
	return nil
}

// single reports whether there is one key, to be searched for by octets.
func (m *matcher) single() bool {
	return len(m.keys) == 1 && (m.kind == sieve.Is || m.kind == sieve.Contains) &&
		(m.comparator == sieve.ASCIICasemap || m.comparator == sieve.Octet)
}

// regexCost is what one octet of a value can cost: an expression looks at each
// as often as it has states.
func regexCost(re *headers.ERE) int {
	if re.Regexp() == nil {
		return 2 * costRegex * re.Size()
	}
	return costRegex * re.Size()
}

// globCost is what one octet of a value can cost: where a part of the pattern
// has a "?", it is compared with as many words as that part is long.
func globCost(pattern string) int {
	longest := 0
	for part := range strings.SplitSeq(pattern, "*") {
		if strings.IndexByte(part, '?') >= 0 {
			longest = max(longest, len(part))
		}
	}
	return 4 + (longest+63)/64*2
}

// indexGlobs makes one search of many patterns "*text*".
func (m *matcher) indexGlobs(patterns []string) {
	if len(patterns) < manyKeys || m.captures || m.comparator == sieve.UnicodeCasemap {
		return
	}
	texts := make([]string, len(patterns))
	for i, p := range patterns {
		if len(p) < 2 || p[0] != '*' || p[len(p)-1] != '*' || strings.ContainsAny(p[1:len(p)-1], `*?\`) {
			return
		}
		texts[i] = p[1 : len(p)-1]
		if m.comparator == sieve.ASCIICasemap {
			texts[i] = ascii.Lower(texts[i])
		}
	}
	m.kind, m.keys, m.patterns = sieve.Contains, texts, &noPatterns
}

// index prepares the keys for the search, in the compiler's memory where there
// is one.
func (m *matcher) index(c *compiler) {
	m.fold = m.comparator == sieve.ASCIICasemap
	if m.kind == sieve.Contains {
		if cap(m.needles) < len(m.keys) {
			m.needles = make([][]byte, 0, len(m.keys))
		}
		for _, k := range m.keys {
			if c == nil {
				m.needles = append(m.needles, []byte(k))
				continue
			}
			needle := c.slabs.octets.take(len(k), c.ahead)
			copy(needle, k)
			m.needles = append(m.needles, needle)
		}
	}
	if len(m.keys) < manyKeys || m.comparator == sieve.ASCIINumeric {
		return
	}
	switch m.kind {
	case sieve.Is:
		set := make(map[string]struct{}, len(m.keys))
		for _, k := range m.keys {
			set[k] = struct{}{}
		}
		m.rare().set = set
	case sieve.Contains:
		m.rare().find = newAutomaton(m.keys)
	}
}

// match reports whether the value compares true with one of the keys. It is
// not for Count.
func (r *run) match(m *matcher, v *value) bool {
	r.spend(32)
	if m.comparator == sieve.UnicodeCasemap {
		r.spend(8 * len(v.text))
		r.wide = r.unicodeFold(r.wide[:0], v.text)
		if r.failed != nil {
			return false
		}
		v = &value{text: r.wide, once: true}
	}
	switch m.kind {
	case sieve.Is, sieve.Contains:
		if m.comparator == sieve.ASCIINumeric {
			return r.order(m, v.text)
		}
		return r.search(m, v)
	case sieve.Matches:
		for i, g := range m.globs {
			r.spend(16 + m.costs[i]*len(v.text))
			if r.failed != nil {
				return false
			}
			if m.captures && !r.quiet {
				r.spend(m.costs[i] * len(v.text))
				if list, ok := g.Captures(v.text); ok {
					r.capture(list)
					return true
				}
			} else if g.Match(v.text) {
				return true
			}
		}
		return false
	case sieve.Regex:
		for i, re := range m.regexps {
			// A regular expression with match variables takes half as long again.
			cost := m.costs[i]
			if m.captures && !r.quiet {
				cost += cost / 2
			}
			r.spend(costTest + cost*(len(v.text)+1))
			if r.failed != nil {
				return false
			}
			if m.captures && !r.quiet {
				if list := headers.FindERE(re, v.text); list != nil {
					r.capture(list)
					return true
				}
			} else if headers.MatchERE(re, v.text) {
				return true
			}
		}
		return false
	}
	return r.order(m, v.text)
}

// capture sets the match variables.
func (r *run) capture(list [][]byte) {
	if r.quiet {
		return
	}
	r.spend(128 * len(list))
	list = list[:min(len(list), varname.MaxMatchValue+1)]
	matched := make([]string, len(list))
	for i := range list {
		r.spend(costAlloc * len(list[i]))
	}
	if r.failed != nil {
		return
	}
	for i, b := range list {
		matched[i] = string(b)
	}
	r.frame.matched = matched
}

// search is Is and Contains by octets, folded or not.
func (r *run) search(m *matcher, v *value) bool {
	text := v.text
	if m.kind == sieve.Is && m.set == nil {
		for _, k := range m.keys {
			if len(k) != len(text) {
				continue
			}
			r.spend(2 * len(text))
			if string(text) == k || m.fold && equalFold(text, k) {
				return true
			}
		}
		return false
	}
	if len(m.keys) == 1 && len(m.keys[0]) > len(text) {
		return false
	}
	if m.fold {
		text = r.fold(v)
	}
	switch {
	case m.set != nil:
		r.spend(len(text))
		_, ok := m.set[string(text)]
		return ok
	case m.find != nil:
		r.spend(costFind * len(text))
		return r.failed == nil && m.find.any(text)
	}
	for _, k := range m.needles {
		if r.spend(containsCost(text, k)); r.failed != nil {
			return false
		}
		if bytes.Contains(text, k) {
			return true
		}
	}
	return false
}

// containsCost is what it costs to look for a text in another one: for a short
// one the processor has instructions.
func containsCost(text, key []byte) int {
	if len(key) < 64 {
		return 16 + len(text)/2
	}
	return 16 + 2*len(text)
}

// order is Value, and Is with i;ascii-numeric.
func (r *run) order(m *matcher, text []byte) bool {
	if r.failed != nil {
		return false
	}
	for _, k := range m.keys {
		r.spend(16 + 2*min(len(text), len(k)))
		if m.comparator == sieve.ASCIINumeric {
			r.spend(2 * (len(text) + len(k)))
		}
		if m.kind == sieve.Value {
			if holds(m.relation, compare(m.comparator, text, k)) {
				return true
			}
			continue
		}
		// The empty value is only the empty key, whatever its number.
		if len(text) == 0 && k == "" || len(text) > 0 && compareNumeric(text, k) == 0 {
			return true
		}
	}
	return false
}

// count reports whether the number of values compares true with one of the
// keys (RFC 5231 section 4.2).
func (m *matcher) count(n int) bool {
	var buf [20]byte
	v := strconv.AppendInt(buf[:0], int64(n), 10)
	for _, k := range m.keys {
		if holds(m.relation, compare(m.comparator, v, k)) {
			return true
		}
	}
	return false
}

// holds reports whether the relation holds of an order.
func holds(r sieve.Relation, order int) bool {
	switch r {
	case sieve.Greater:
		return order > 0
	case sieve.GreaterOrEqual:
		return order >= 0
	case sieve.Less:
		return order < 0
	case sieve.LessOrEqual:
		return order <= 0
	case sieve.Equal:
		return order == 0
	case sieve.NotEqual:
		return order != 0
	}
	return false
}

// compare orders a value and a key; the key is lower case for ASCIICasemap.
func compare(c sieve.Comparator, v []byte, key string) int {
	switch c {
	case sieve.ASCIINumeric:
		return compareNumeric(v, key)
	case sieve.Octet, sieve.UnicodeCasemap:
		return compareOctets(v, key)
	}
	for i := 0; i < len(v) && i < len(key); i++ {
		a := v[i]
		if 'A' <= a && a <= 'Z' {
			a += 'a' - 'A'
		}
		if a != key[i] {
			if a < key[i] {
				return -1
			}
			return 1
		}
	}
	return len(v) - len(key)
}

// compareNumeric is i;ascii-numeric (RFC 4790 section 9.1): the digits at the
// beginning are the number; without any the number is infinite.
func compareNumeric(v []byte, key string) int {
	a, b := leadingDigits(v), leadingDigits(key)
	switch {
	case len(a) == 0 && b == "":
		return 0
	case len(a) == 0:
		return 1
	case b == "":
		return -1
	}
	a, b = bytes.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return compareOctets(a, b)
}

func compareOctets(v []byte, key string) int {
	for i := 0; i < len(v) && i < len(key); i++ {
		if v[i] != key[i] {
			return int(v[i]) - int(key[i])
		}
	}
	return len(v) - len(key)
}

func leadingDigits[T string | []byte](s T) T {
	i := 0
	for i < len(s) && ascii.IsDigit(int(s[i])) {
		i++
	}
	return s[:i]
}
