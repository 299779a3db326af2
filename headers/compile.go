package headers

import "fmt"

// compile builds the node of a predicate that [Validate] found right.
func compile(p Predicate, v View) (node, error) {
	switch p := p.(type) {
	case Exists:
		if err := visible(p, p.Name, v); err != nil {
			return nil, err
		}
		return &fieldNode{name: lowerString(p.Name)}, nil
	case Match:
		if err := visible(p, p.Name, v); err != nil {
			return nil, err
		}
		test, err := newValueTest(p, p.Op, p.Values, p.Comparator, v)
		if err != nil {
			return nil, err
		}
		return &fieldNode{name: lowerString(p.Name), test: test}, nil
	case MatchPrefix:
		if v == Sieve {
			return nil, &NotExpressibleError{p, string(v), "Sieve can't test header fields by the beginning of their name", "name each field"}
		}
		test, err := newValueTest(p, p.Op, p.Values, p.Comparator, v)
		if err != nil {
			return nil, err
		}
		return &fieldNode{name: lowerString(p.Prefix), prefix: true, test: test}, nil
	case ContentType:
		if v == HeaderChecks && p.Top {
			return nil, &NotExpressibleError{p, string(v), "mime_header_checks sees the parts at every depth alike", "leave Top out"}
		}
		n := &contentTypeNode{top: p.Top, param: lowerString(p.Param)}
		for _, t := range p.Types {
			n.types = append(n.types, lowerString(t))
		}
		return n, nil
	case Not:
		of, err := compile(p.Predicate, v)
		if err != nil {
			return nil, err
		}
		return notNode{of}, nil
	case All:
		list := make(allNode, 0, len(p))
		for _, q := range p {
			of, err := compile(q, v)
			if err != nil {
				return nil, err
			}
			list = append(list, of)
		}
		return list, nil
	case Any:
		n := &anyNode{byName: make(map[string][]*fieldNode, len(p))}
		for _, q := range p {
			of, err := compile(q, v)
			if err != nil {
				return nil, err
			}
			n.add(of)
		}
		return n, nil
	default:
		return nil, fmt.Errorf("headers: %T is not a predicate of this package", p)
	}
}

func (n *anyNode) add(of node) {
	switch of := of.(type) {
	case *fieldNode:
		if of.prefix {
			n.rest = append(n.rest, of)
		} else {
			n.index(of)
		}
	case *anyNode:
		for _, list := range of.byName {
			// The order of names doesn't show: each has its own list.
			for _, f := range list {
				n.index(f)
			}
		}
		n.rest = append(n.rest, of.rest...)
	default:
		n.rest = append(n.rest, of)
	}
}

func (n *anyNode) index(of *fieldNode) {
	if len(n.byName) == 0 {
		n.prefix = of.name
	}
	same := 0
	for same < len(n.prefix) && same < len(of.name) && n.prefix[same] == of.name[same] {
		same++
	}
	n.prefix = n.prefix[:same]
	n.byName[of.name] = append(n.byName[of.name], of)
}

// visible refuses a field that the view's tests of the header never see.
func visible(p Predicate, name string, v View) error {
	if v == HeaderChecks && IsMIME([]byte(name)) {
		return &NotExpressibleError{p, string(v), "header_checks never sees the MIME field " + name, "for a media type ask ContentType"}
	}
	return nil
}
