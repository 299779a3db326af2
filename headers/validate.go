package headers

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep predicates may nest.
const maxDepth = 100

// Validate returns [Errors] with everything that is wrong with a predicate, or
// nil. The paths are Go's words from the predicate on, with the type's name
// where there is no field's ("Any[1].Name", "Not.Values[0]"). What is wrong:
//
//   - no predicate, no name, no values, no operation, no media types
//     ([ErrRequired]);
//   - a name or prefix that isn't legal in a header (RFC 5322 section 3.6.8)
//     or leaves no room in a line (998 octets, section 2.1.1), an operation or
//     comparator that isn't one of the constants, a value that has a CR, LF or
//     NUL or isn't UTF-8, an expression that [CompileERE] doesn't take or that
//     is empty, something that is no media type or parameter name (RFC 2045
//     section 5.1), more than 100 levels ([ErrInvalid]).
func Validate(p Predicate) error {
	var v validator
	v.predicate(nil, p, 0)
	return v.found.Err()
}

type validator struct{ found Errors }

const (
	lessDeep  = "leave out Not, All and Any that say nothing"
	ownValues = "use the values of this package, not pointers to them or types around them"
)

func (v *validator) add(at *place, sentinel error, fix, format string, args ...any) {
	v.found = append(v.found, under(at.String(), mistake(sentinel, fix, format, args...)))
}

// place is a path, which is written only if there is something to say of it.
type place struct {
	parent *place
	word   string
	index  int // -1: none
}

// String writes the path as Go does: "Any[1].Name".
func (p *place) String() string {
	if p == nil {
		return ""
	}
	path := join(p.parent.String(), p.word)
	if p.index >= 0 {
		path = fmt.Sprintf("%s[%d]", path, p.index)
	}
	return path
}

// join puts a field's name behind a path.
func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

func (v *validator) predicate(at *place, p Predicate, depth int) {
	if depth > maxDepth {
		v.add(at, ErrInvalid, lessDeep, "nested more than %d deep", maxDepth)
		return
	}
	switch p := p.(type) {
	case nil:
		v.add(at, ErrRequired, "give one, such as Exists{Name: ...}", "there is no predicate")
	case Exists:
		v.name(&place{at, "Name", -1}, p.Name)
	case Match:
		v.name(&place{at, "Name", -1}, p.Name)
		v.comparison(at, p.Op, p.Values, p.Comparator)
	case MatchPrefix:
		v.name(&place{at, "Prefix", -1}, p.Prefix)
		v.comparison(at, p.Op, p.Values, p.Comparator)
	case ContentType:
		if len(p.Types) == 0 {
			v.add(&place{at, "Types", -1}, ErrRequired, "give one, such as \"text/calendar\"", "there is no media type")
		}
		for i, t := range p.Types {
			typ, subtype, ok := strings.Cut(t, "/")
			if !ok || !isToken(typ) || !isToken(subtype) {
				v.add(&place{at, "Types", i}, ErrInvalid, "write type/subtype, without parameters", "%q is no media type", t)
			}
		}
		if p.Param != "" && !isToken(p.Param) {
			v.add(&place{at, "Param", -1}, ErrInvalid, "write its name alone, such as \"method\"", "%q is no parameter's name", p.Param)
		}
	case Not:
		v.predicate(&place{at, "Not", -1}, p.Predicate, depth+1)
	case All:
		for i, q := range p {
			v.predicate(&place{at, "All", i}, q, depth+1)
		}
	case Any:
		for i, q := range p {
			v.predicate(&place{at, "Any", i}, q, depth+1)
		}
	default:
		v.add(at, ErrInvalid, ownValues, "%T is none of the predicates", p)
	}
}

// name checks a header's name or its beginning.
func (v *validator) name(at *place, name string) {
	if name == "" {
		v.add(at, ErrRequired, "give a header's name", "it is empty")
		return
	}
	if err := checkName(name); err != nil {
		v.found = append(v.found, under(at.String(), err))
	}
}

// checkName says what is wrong with a header's name.
func checkName(name string) error {
	for i := range len(name) {
		if !nameOctet(name[i]) {
			return mistake(ErrInvalid, "write printable ASCII without space and colon", "%q is not a legal header name: %q may not stand in it",
				name, name[i])
		}
	}
	if len(name) > 997 {
		return mistake(ErrInvalid, "at most 997", "a header name of %d octets doesn't fit a line", len(name))
	}
	return nil
}

var (
	giveOp         = fmt.Sprintf("give %q, %q, %q or %q", Is, Contains, Matches, Regex)
	giveComparator = fmt.Sprintf("give %q or %q", ASCIICasemap, Octet)
)

func (v *validator) comparison(at *place, op Op, values []string, c Comparator) {
	switch op {
	case Is, Contains, Matches, Regex:
	case "":
		v.add(&place{at, "Op", -1}, ErrRequired, giveOp, "it is empty")
	default:
		v.add(&place{at, "Op", -1}, ErrInvalid, giveOp, "%q is not known", op)
	}
	if len(values) == 0 {
		v.add(&place{at, "Values", -1}, ErrRequired, "give one, or ask Exists", "there is no value to compare with")
	}
	for i, value := range values {
		at := &place{at, "Values", i}
		if j := strings.IndexAny(value, "\r\n\x00"); j >= 0 {
			v.add(at, ErrInvalid, "remove it", "%q has the control character %q", value, value[j])
			continue
		}
		if !utf8.ValidString(value) {
			v.add(at, ErrInvalid, "write it in UTF-8", "%q isn't UTF-8", value)
			continue
		}
		if op != Regex {
			continue
		}
		if value == "" {
			v.add(at, ErrInvalid, "ask Exists", "an empty regular expression holds for every value")
		} else if _, err := CompileERE(value, c != Octet); err != nil {
			v.found = append(v.found, under(at.String(), err))
		}
	}
	switch c {
	case "", ASCIICasemap, Octet:
	default:
		v.add(&place{at, "Comparator", -1}, ErrInvalid, giveComparator, "%q is not known", c)
	}
}

// isToken reports whether s is a token of RFC 2045 section 5.1.
func isToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || isSpecial(s[i]) {
			return false
		}
	}
	return s != ""
}
