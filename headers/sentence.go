package headers

import (
	"fmt"
	"strconv"
	"strings"
)

// Sentence says a predicate in plain English, for documentation and for the
// rules of products that a person types in:
//
//	the header X-Conbool-Flag is "YES" (ignoring case)
//
// Values and patterns are quoted as in Go. Parts of All, Any and Not stand in
// parentheses, so that a sentence has one meaning only. A predicate that
// [Validate] refuses gives a sentence too, with no promise what it says.
func Sentence(p Predicate) string {
	var b strings.Builder
	sentence(&b, p, 0)
	return b.String()
}

func sentence(b *strings.Builder, p Predicate, depth int) {
	if depth > maxDepth {
		b.WriteString("...")
		return
	}
	list := func(parts []Predicate, word, none string) {
		if len(parts) == 0 {
			b.WriteString(none)
		}
		for i, q := range parts {
			if i > 0 {
				b.WriteString(word)
			}
			if len(parts) == 1 {
				sentence(b, q, depth+1)
				continue
			}
			b.WriteByte('(')
			sentence(b, q, depth+1)
			b.WriteByte(')')
		}
	}
	switch p := p.(type) {
	case nil:
		b.WriteString("nothing is asked")
	case Exists:
		fmt.Fprintf(b, "there is a header %s", nameWord(p.Name))
	case Match:
		fmt.Fprintf(b, "the header %s %s", nameWord(p.Name), comparison(p.Op, p.Values, p.Comparator))
	case MatchPrefix:
		fmt.Fprintf(b, "a header whose name begins with %s %s", nameWord(p.Prefix), comparison(p.Op, p.Values, p.Comparator))
	case ContentType:
		if p.Top {
			b.WriteString("the message as a whole")
		} else {
			b.WriteString("the message or a part of it, at any depth,")
		}
		b.WriteString(" has the content type " + strings.Join(p.Types, " or "))
		if p.Param != "" {
			b.WriteString(" with the parameter " + p.Param)
		}
	case Not:
		b.WriteString("it is not so that (")
		sentence(b, p.Predicate, depth+1)
		b.WriteByte(')')
	case All:
		list(p, " and ", "always")
	case Any:
		list(p, " or ", "never")
	default:
		fmt.Fprintf(b, "%T", p)
	}
}

// nameWord is a header's name as it is, or quoted where it isn't legal.
func nameWord(name string) string {
	if name == "" || checkName(name) != nil {
		return strconv.Quote(name)
	}
	return name
}

func comparison(op Op, values []string, c Comparator) string {
	verb := string(op)
	switch op {
	case Matches:
		verb = "matches the pattern"
	case Regex:
		verb = "matches the regular expression"
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	text := verb + " " + strings.Join(quoted, " or ")
	switch c {
	case "", ASCIICasemap:
		return text + " (ignoring case)"
	case Octet:
		return text + " (upper and lower case differ)"
	}
	return text + " (" + string(c) + ")"
}
