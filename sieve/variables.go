package sieve

// Set gives a variable a value (RFC 5229 section 4).
type Set struct {
	Name string
	// Modifiers are applied to the value in the order of their precedence,
	// whichever order they have here.
	Modifiers []Modifier
	Value     string
}

// Modifier changes the value of a [Set] or an [ExtractText], as the tag is
// spelt.
type Modifier string

// The modifiers (RFC 5229 section 4.1), those of one precedence together: of
// those only one can be used at a time. Higher ones come first.
const (
	Lower Modifier = "lower" // 40
	Upper Modifier = "upper" // 40

	LowerFirst Modifier = "lowerfirst" // 30
	UpperFirst Modifier = "upperfirst" // 30

	QuoteWildcard Modifier = "quotewildcard" // 20
	QuoteRegex    Modifier = "quoteregex"    // 20, draft-ietf-sieve-regex

	EncodeURL Modifier = "encodeurl" // 15, RFC 5435 section 6

	Length Modifier = "length" // 10
)

func (Set) command() {}

// Precedence is the order in which modifiers are applied, highest first; it is 0
// for what is no modifier.
func (m Modifier) Precedence() int {
	switch m {
	case Lower, Upper:
		return 40
	case LowerFirst, UpperFirst:
		return 30
	case QuoteWildcard, QuoteRegex:
		return 20
	case EncodeURL:
		return 15
	case Length:
		return 10
	}
	return 0
}

// modifiers returns the modifiers of set and extracttext in their order.
func (r *reader) modifiers() []Modifier {
	var out []Modifier
	for _, t := range modifierTags {
		if r.has(t.id) {
			if r.shown |= t.ext; t.id == nameQuoteRegex {
				r.shown |= ExtRegex
			}
			out = append(out, Modifier(spellings[t.id]))
		}
	}
	return out
}

// modifierTags are those of set and extracttext.
var modifierTags = []tagSpec{
	{id: nameLower, group: 40}, {id: nameUpper, group: 40},
	{id: nameLowerFirst, group: 41}, {id: nameUpperFirst, group: 41},
	{id: nameQuoteWildcard, group: 42}, {id: nameQuoteRegex, group: 42, ext: QuoteRegexModifier},
	{id: nameEncodeURL, group: 43, ext: ExtENotify}, {id: nameLength, group: 44},
}

// String holds where one of the Sources compares true with one of the Keys (RFC
// 5229 section 5).
type String struct {
	Sources    []string
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Keys       []string
}

func (String) test() {}

func (c *valueChecker) modifiers(list []Modifier, where string) {
	seen := map[int]Modifier{}
	for _, m := range list {
		p := m.Precedence()
		if p == 0 {
			c.errorf(where, "unknown modifier %q", string(m))
			continue
		}
		if other, ok := seen[p]; ok {
			c.errorf(where, "modifiers %q and %q have the same precedence: take one of them", string(other), string(m))
			continue
		}
		seen[p] = m
	}
}

// modifiers writes the modifiers of set and extracttext.
func (w *writer) modifiers(n *node, list []Modifier) *node {
	for _, m := range list {
		switch m {
		case QuoteRegex:
			w.use(ExtRegex)
		case EncodeURL:
			w.use(ExtENotify)
		}
		n.tag(word(string(m)))
	}
	return n
}
