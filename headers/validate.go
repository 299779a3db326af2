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
	v.predicate("", p, 0)
	return v.found.Err()
}

type validator struct{ found Errors }

func (v *validator) add(path string, sentinel error, format string, args ...any) {
	v.found = append(v.found, &Error{path, wrapError{sentinel, fmt.Sprintf(format, args...)}})
}

// wrapError is a text with a sentinel that it need not repeat.
type wrapError struct {
	sentinel error
	text     string
}

func (e wrapError) Error() string { return e.text }
func (e wrapError) Unwrap() error { return e.sentinel }

// join puts a field's name behind a path.
func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

func (v *validator) predicate(path string, p Predicate, depth int) {
	if depth > maxDepth {
		v.add(path, ErrInvalid, "nested more than %d deep", maxDepth)
		return
	}
	switch p := p.(type) {
	case nil:
		v.add(path, ErrRequired, "there is no predicate: give one, such as Exists{Name: ...}")
	case Exists:
		v.name(join(path, "Name"), p.Name)
	case Match:
		v.name(join(path, "Name"), p.Name)
		v.comparison(path, p.Op, p.Values, p.Comparator)
	case MatchPrefix:
		v.name(join(path, "Prefix"), p.Prefix)
		v.comparison(path, p.Op, p.Values, p.Comparator)
	case ContentType:
		if len(p.Types) == 0 {
			v.add(join(path, "Types"), ErrRequired, "there is no media type: give one, such as \"text/calendar\"")
		}
		for i, t := range p.Types {
			typ, subtype, ok := strings.Cut(t, "/")
			if !ok || !isToken(typ) || !isToken(subtype) {
				v.add(fmt.Sprintf("%s[%d]", join(path, "Types"), i), ErrInvalid, "%q is no media type: write type/subtype, without parameters", t)
			}
		}
		if p.Param != "" && !isToken(p.Param) {
			v.add(join(path, "Param"), ErrInvalid, "%q is no parameter's name: write its name alone, such as \"method\"", p.Param)
		}
	case Not:
		v.predicate(join(path, "Not"), p.Predicate, depth+1)
	case All:
		for i, q := range p {
			v.predicate(fmt.Sprintf("%s[%d]", join(path, "All"), i), q, depth+1)
		}
	case Any:
		for i, q := range p {
			v.predicate(fmt.Sprintf("%s[%d]", join(path, "Any"), i), q, depth+1)
		}
	default:
		v.add(path, ErrInvalid, "%T is none of the predicates: use the values of this package, not pointers to them or types around them", p)
	}
}

// name checks a header's name or its beginning.
func (v *validator) name(path, name string) {
	if name == "" {
		v.add(path, ErrRequired, "it is empty: give a header's name")
		return
	}
	if err := checkName(name); err != nil {
		v.found = append(v.found, &Error{path, err})
	}
}

// checkName says what is wrong with a header's name.
func checkName(name string) error {
	for i := range len(name) {
		if !nameOctet(name[i]) {
			return wrapError{ErrInvalid, fmt.Sprintf("%q is not a legal header name: %q may not stand in it, only printable ASCII without space and colon may", name, name[i])}
		}
	}
	if len(name) > 997 {
		return wrapError{ErrInvalid, fmt.Sprintf("a header name of %d octets doesn't fit a line: at most 997", len(name))}
	}
	return nil
}

func (v *validator) comparison(path string, op Op, values []string, c Comparator) {
	switch op {
	case Is, Contains, Matches, Regex:
	case "":
		v.add(join(path, "Op"), ErrRequired, "it is empty: give %q, %q, %q or %q", Is, Contains, Matches, Regex)
	default:
		v.add(join(path, "Op"), ErrInvalid, "%q is not known: give %q, %q, %q or %q", op, Is, Contains, Matches, Regex)
	}
	if len(values) == 0 {
		v.add(join(path, "Values"), ErrRequired, "there is no value to compare with: give one, or ask Exists")
	}
	for i, value := range values {
		at := fmt.Sprintf("%s[%d]", join(path, "Values"), i)
		if j := strings.IndexAny(value, "\r\n\x00"); j >= 0 {
			v.add(at, ErrInvalid, "%q has the control character %q: remove it", value, value[j])
			continue
		}
		if !utf8.ValidString(value) {
			v.add(at, ErrInvalid, "%q isn't UTF-8", value)
			continue
		}
		if op != Regex {
			continue
		}
		if value == "" {
			v.add(at, ErrInvalid, "an empty regular expression holds for every value: ask Exists")
		} else if _, err := CompileERE(value, c != Octet); err != nil {
			v.found = append(v.found, &Error{at, err})
		}
	}
	switch c {
	case "", ASCIICasemap, Octet:
	default:
		v.add(join(path, "Comparator"), ErrInvalid, "%q is not known: give %q or %q", c, ASCIICasemap, Octet)
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
