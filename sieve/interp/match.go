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
	texts   []text
	// captures says that a match sets the match variables.
	captures bool

	fold    bool     // for Is and Contains: both sides are compared in lower case
	keys    []string // folded as the comparator wants it
	needles [][]byte // for Contains, the same
	globs   []*headers.Glob
	regexps []*headers.ERE
	// cost is what one octet of a value costs with Regex.
	cost int
	// The indexes of many keys: for Is, and for Contains.
	set  map[string]struct{}
	find *automaton
}

// bind returns the matcher with the keys as they are now, or nil where the
// script fails. A regular expression that is broken is an error in the server's
// log, and matches nothing; one that is right, but not for this package, is a
// run-time error, since what it matches isn't known.
func (r *run) bind(m *matcher) *matcher {
	if !m.dynamic {
		return m
	}
	out := &matcher{kind: m.kind, relation: m.relation, comparator: m.comparator, captures: m.captures}
	for _, k := range r.strs(m.texts) {
		r.spend(8 * len(k))
		if err := out.add(k); err != nil {
			if out.kind == sieve.Regex && !errors.Is(err, headers.ErrUnsupported) {
				continue
			}
			r.failed = err
			return nil
		}
	}
	out.index()
	return out
}

// add adds a key.
func (m *matcher) add(key string) error {
	fold := m.comparator != sieve.Octet
	switch {
	case m.kind == sieve.Regex:
		re, err := headers.CompileERE(key, fold)
		if err != nil {
			return err
		}
		m.regexps = append(m.regexps, re)
		m.cost += m.regexCost(re)
	case m.comparator == sieve.UnicodeCasemap:
		m.keys = append(m.keys, string(unicodeFold(nil, []byte(key))))
		if m.kind == sieve.Matches {
			m.globs = append(m.globs, headers.CompileGlob(m.keys[len(m.keys)-1], false))
		}
	case m.kind == sieve.Matches:
		m.globs = append(m.globs, headers.CompileGlob(key, fold))
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
// as often as it has states, and twice more for the groups.
func (m *matcher) regexCost(re *headers.ERE) int {
	switch {
	case re.Regexp() == nil:
		return 16 * re.Size()
	case m.captures:
		return 12 * re.Size()
	}
	return 4 * re.Size()
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
	m.kind, m.keys, m.globs = sieve.Contains, texts, nil
}

// index prepares the keys for the search.
func (m *matcher) index() {
	m.fold = m.comparator == sieve.ASCIICasemap
	if m.kind == sieve.Contains {
		m.needles = make([][]byte, 0, len(m.keys))
		for _, k := range m.keys {
			m.needles = append(m.needles, []byte(k))
		}
	}
	if len(m.keys) < manyKeys || m.comparator == sieve.ASCIINumeric {
		return
	}
	switch m.kind {
	case sieve.Is:
		m.set = make(map[string]struct{}, len(m.keys))
		for _, k := range m.keys {
			m.set[k] = struct{}{}
		}
	case sieve.Contains:
		m.find = newAutomaton(m.keys)
	}
}

// match reports whether the value compares true with one of the keys. It is
// not for Count.
func (r *run) match(m *matcher, v *value) bool {
	if m.comparator == sieve.UnicodeCasemap {
		r.spend(4 * len(v.text))
		folded := value{text: unicodeFold(nil, v.text)}
		v = &folded
	}
	switch m.kind {
	case sieve.Is, sieve.Contains:
		if m.comparator == sieve.ASCIINumeric {
			return r.order(m, v.text)
		}
		return r.search(m, v)
	case sieve.Matches:
		for _, g := range m.globs {
			r.spend(4 * len(v.text))
			if r.failed != nil {
				return false
			}
			if m.captures {
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
		for _, re := range m.regexps {
			r.spend(m.cost * len(v.text))
			if r.failed != nil {
				return false
			}
			if m.captures {
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
	list = list[:min(len(list), varname.MaxMatchValue+1)]
	matched := make([]string, len(list))
	for i, b := range list {
		matched[i] = string(b)
	}
	r.frame.matched = matched
}

// search is Is and Contains by octets, folded or not.
func (r *run) search(m *matcher, v *value) bool {
	text := v.text
	if len(m.keys) == 1 && len(m.keys[0]) > len(text) {
		return false
	}
	if m.fold {
		text = r.fold(v)
	}
	switch {
	case m.set != nil:
		_, ok := m.set[string(text)]
		return ok
	case m.find != nil:
		r.spend(8 * len(text))
		return m.find.any(text)
	case m.kind == sieve.Is:
		for _, k := range m.keys {
			if string(text) == k {
				return true
			}
		}
		return false
	}
	for _, k := range m.needles {
		r.spend(len(text) / 4)
		if bytes.Contains(text, k) {
			return true
		}
	}
	return false
}

// order is Value, and Is with i;ascii-numeric.
func (r *run) order(m *matcher, text []byte) bool {
	r.spend(8 * len(m.keys))
	for _, k := range m.keys {
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
