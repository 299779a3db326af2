package sieve

import (
	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve/internal/field"
)

// target is the Target of a headers.NotExpressibleError from this package.
const target = "sieve"

// FromPredicate returns the test that holds exactly where the predicate does
// for a reader of the view headers.Sieve. What no test can say is a
// *headers.NotExpressibleError: MatchPrefix, because a test names its fields
// whole, and a ContentType with Param, because two tests on one field may be
// true of two different parts.
func FromPredicate(p headers.Predicate) (Test, error) {
	switch p := p.(type) {
	case headers.Exists:
		if err := expressibleName(p, p.Name); err != nil {
			return nil, err
		}
		return Exists{Names: []string{p.Name}}, nil
	case headers.Match:
		return fromMatch(p)
	case headers.MatchPrefix:
		return nil, notExpressible(p, "name each field", "a test names its header fields whole")
	case headers.ContentType:
		return fromContentType(p)
	case headers.Not:
		t, err := FromPredicate(p.Predicate)
		if err != nil {
			return nil, err
		}
		return Not{t}, nil
	case headers.All:
		tests, err := fromPredicates(p)
		if err != nil || len(tests) == 0 {
			return True{}, err
		}
		return AllOf(tests), nil
	case headers.Any:
		tests, err := fromPredicates(p)
		if err != nil || len(tests) == 0 {
			return False{}, err
		}
		return AnyOf(tests), nil
	case headers.Condition:
		return FromPredicate(p.Predicate)
	}
	return nil, notExpressible(p, "use the values of package headers", "it is not a predicate value")
}

func notExpressible(p headers.Predicate, fix, reason string) error {
	return &headers.NotExpressibleError{Predicate: p, Target: target, Reason: reason, Fix: fix}
}

// expressibleName reports a name that no header field can have; the server
// would only warn, and never find it.
func expressibleName(p headers.Predicate, name string) error {
	if !field.IsName(name) {
		return notExpressible(p, "write a header's name", "the field name is empty or holds white space, a colon or a control character")
	}
	return nil
}

func fromPredicates(list []headers.Predicate) ([]Test, error) {
	var out []Test
	for _, p := range list {
		t, err := FromPredicate(p)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func fromMatch(p headers.Match) (Test, error) {
	if err := expressibleName(p, p.Name); err != nil {
		return nil, err
	}
	t := Header{Names: []string{p.Name}, Keys: append([]string(nil), p.Values...)}
	switch p.Op {
	case headers.Is:
		t.Match = Is
	case headers.Contains:
		t.Match = Contains
	case headers.Matches:
		t.Match = Matches
	case headers.Regex:
		t.Match = Regex
		for _, v := range p.Values {
			if _, err := headers.CompileERE(v, p.Comparator != headers.Octet); err != nil {
				return nil, notExpressible(p, "write it as POSIX has it", "the regular expression is broken: "+err.Error())
			}
		}
	default:
		return nil, notExpressible(p, "use one of the constants of package headers", "the comparison is unknown")
	}
	switch p.Comparator {
	case "", headers.ASCIICasemap:
	case headers.Octet:
		t.Comparator = Octet
	default:
		return nil, notExpressible(p, "use one of the constants of package headers", "the comparator is unknown")
	}
	if len(p.Values) == 0 {
		// Nothing compares true with none of no values.
		return False{}, nil
	}
	return t, nil
}

func fromContentType(p headers.ContentType) (Test, error) {
	if p.Param != "" {
		return nil, notExpressible(p, "leave Param out", "type and parameter can't be tied to one field")
	}
	if len(p.Types) == 0 {
		return False{}, nil
	}
	if err := headers.Validate(p); err != nil {
		return nil, notExpressible(p, "write media types without parameters", err.Error())
	}
	return Header{
		Names: []string{"Content-Type"}, Match: Is, Keys: append([]string(nil), p.Types...),
		MIME: true, AnyChild: !p.Top, MIMEPart: MIMEContentType,
	}, nil
}
