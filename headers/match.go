package headers

import "fmt"

// Matcher is a predicate compiled for one view. It is immutable and safe for
// concurrent use.
type Matcher struct {
	root      node
	view      View
	fieldwise bool
}

// Compile binds a predicate to a view. It fails with [Errors] where [Validate]
// does, with an error that wraps [ErrInvalid] for an unknown view, and with a [NotExpressibleError] where the view's server has no such
// test:
//
//   - in [Sieve], a [MatchPrefix];
//   - in [HeaderChecks], [Exists] and [Match] of a name for which [IsMIME]
//     holds, since header_checks never sees these fields; a [ContentType] with
//     Top, since mime_header_checks doesn't know the level of what it sees; a
//     value of Is, Contains or Matches that begins or ends with white space,
//     since the "[[:space:]]*" at both ends of the pattern takes that.
func Compile(p Predicate, v View) (*Matcher, error) {
	if v != HeaderChecks && v != Sieve {
		return nil, mistake(ErrInvalid, fmt.Sprintf("give %q or %q", HeaderChecks, Sieve), "the view %q is not known", v)
	}
	if err := Validate(p); err != nil {
		return nil, err
	}
	root, err := compile(p, v)
	if err != nil {
		return nil, err
	}
	return &Matcher{root, v, v == HeaderChecks && root.fieldwise()}, nil
}

// Match reports whether the predicate holds for a message, given what [Scan]
// returns for the same view. The body is read only if the predicate has a
// [ContentType].
//
// In [HeaderChecks] the predicate is asked as header_checks patterns ask it:
// the value is the logical line ([Line]) behind the colon without the white
// space (POSIX [[:space:]]) at both ends, folds and RFC 2047 words inside stay;
// names never differ by case, and values don't unless the comparator is
// [Octet]. Fields for which [IsMIME] holds aren't seen but by [ContentType],
// which asks every Content-Type that [Walk] visits for
//
//	^Content-Type:[[:space:]]*text/calendar[[:space:]]*(;|$)
//
// or with a Param for
//
//	^Content-Type:[[:space:]]*text/calendar[[:space:]]*;(.*[;[:space:]])?method[[:space:]]*=
//
// In [Sieve] it is asked as Pigeonhole's tests ask it: the value is that of
// [Value], and a ContentType is "header :mime :anychild :contenttype :is" of
// RFC 5703, or without ":anychild" for Top. Its MIME structure is that of
// go-message, as far as that can read the message.
func (m *Matcher) Match(fields Section, body []byte) bool {
	if m == nil || m.root == nil {
		return false
	}
	return m.root.match(mail{m.view, fields, body})
}

// MatchField reports whether the predicate holds because of this one field:
// what a pattern of header_checks (or mime_header_checks for a [ContentType])
// made of the predicate says to the line. It answers for [Exists], [Match],
// [MatchPrefix], [ContentType] and any [Any] of those, compiled for
// [HeaderChecks]; where [Matcher.Fieldwise] is false it is false.
//
// The caller decides which table sees which field (see [Walk]); MatchField
// doesn't look at that. It allocates nothing but for Regex.
func (m *Matcher) MatchField(f Field) bool {
	if m == nil {
		m = new(Matcher)
	}
	return m.fieldwise && m.root.matchField(f)
}

// Fieldwise reports whether [Matcher.MatchField] can answer.
func (m *Matcher) Fieldwise() bool {
	if m == nil {
		m = new(Matcher)
	}
	return m.fieldwise
}

// mail is what a Matcher looks at.
type mail struct {
	view   View
	fields Section
	body   []byte
}

// sees reports whether the view's tests of the message's own header see the
// field.
func (m mail) sees(f Field) bool { return m.view == Sieve || !IsMIME(f.Name) }

// node is a compiled predicate.
type node interface {
	match(m mail) bool
	matchField(f Field) bool
	// fieldwise reports whether matchField can answer.
	fieldwise() bool
	// cost orders the parts of a conjunction or disjunction: 1 where the body
	// must be read.
	cost() int
}

// fieldNode is Exists, Match or MatchPrefix.
type fieldNode struct {
	name   string // in lower case
	prefix bool
	test   *valueTest // nil: any value
}

func (n *fieldNode) named(f Field) bool {
	if n.prefix {
		return hasPrefixFold(f.Name, n.name)
	}
	return equalFold(f.Name, n.name)
}

func (n *fieldNode) match(m mail) bool {
	for _, f := range m.fields {
		if n.named(f) && m.sees(f) && n.value(m.view, f) {
			return true
		}
	}
	return false
}

func (n *fieldNode) matchField(f Field) bool { return n.named(f) && n.value(HeaderChecks, f) }

func (n *fieldNode) value(v View, f Field) bool {
	if n.test == nil {
		return true
	}
	var buf [512]byte
	if v == Sieve {
		return n.test.match(sieveValue(buf[:0], f))
	}
	return n.test.match(checkValue(buf[:0], f))
}

func (n *fieldNode) fieldwise() bool { return true }
func (n *fieldNode) cost() int       { return 0 }

type notNode struct{ of node }

func (n notNode) match(m mail) bool     { return !n.of.match(m) }
func (n notNode) matchField(Field) bool { return false }
func (n notNode) fieldwise() bool       { return false }
func (n notNode) cost() int             { return n.of.cost() }

type allNode []node

func (n allNode) match(m mail) bool {
	for cost := range 2 {
		for _, of := range n {
			if of.cost() == cost && !of.match(m) {
				return false
			}
		}
	}
	return true
}

func (n allNode) matchField(Field) bool { return false }
func (n allNode) fieldwise() bool       { return false }
func (n allNode) cost() int             { return maxCost(n) }

// anyNode is Any, with those within it dissolved. What has an exact name is
// found by that, so that a million markers cost as much as one.
type anyNode struct {
	byName map[string][]*fieldNode
	// prefix is what all those names begin with; most fields differ there.
	prefix string
	rest   []node
}

func (n *anyNode) match(m mail) bool {
	if len(n.byName) > 0 {
		for _, f := range m.fields {
			if m.sees(f) && n.named(m.view, f) {
				return true
			}
		}
	}
	for cost := range 2 {
		for _, of := range n.rest {
			if of.cost() == cost && of.match(m) {
				return true
			}
		}
	}
	return false
}

func (n *anyNode) named(v View, f Field) bool {
	if !hasPrefixFold(f.Name, n.prefix) {
		return false
	}
	var buf [128]byte
	key := buf[:0]
	if len(f.Name) > len(buf) {
		key = make([]byte, 0, len(f.Name))
	}
	for _, c := range f.Name {
		key = append(key, lower(c))
	}
	for _, of := range n.byName[string(key)] {
		if of.value(v, f) {
			return true
		}
	}
	return false
}

func (n *anyNode) matchField(f Field) bool {
	if len(n.byName) > 0 && n.named(HeaderChecks, f) {
		return true
	}
	for _, of := range n.rest {
		if of.matchField(f) {
			return true
		}
	}
	return false
}

func (n *anyNode) fieldwise() bool {
	for _, of := range n.rest {
		if !of.fieldwise() {
			return false
		}
	}
	return true
}

func (n *anyNode) cost() int { return maxCost(n.rest) }

func maxCost(list []node) int {
	cost := 0
	for _, of := range list {
		cost = max(cost, of.cost())
	}
	return cost
}
