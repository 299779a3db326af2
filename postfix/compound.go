package postfix

import "strings"

// Union is a unionmap: table: every table is asked, and the results are joined
// by commas (DATABASE_README).
type Union []Map

// Lookup asks all tables. Line and Source are those of the first that answered.
func (u Union) Lookup(key string) (row Row, ok bool, err error) {
	for _, m := range u {
		one, found, err := lookup(m, key)
		if err != nil {
			return Row{}, false, err
		}
		switch {
		case !found:
		case !ok:
			row, ok = one, true
		default:
			row.Value += "," + one.Value
		}
	}
	return row, ok, nil
}

// Patterns reports whether all tables are of patterns: a table with one
// indexed member is asked for parts of a key as well.
func (u Union) Patterns() bool { return allPatterns(u) }

// Pipe is a pipemap: table: the result of each table is the key for the next,
// and the last one's is the result.
type Pipe []Map

// Lookup asks the tables one after the other. The row is the last one's.
func (p Pipe) Lookup(key string) (row Row, ok bool, err error) {
	for i, m := range p {
		if i > 0 {
			key = row.Value
		}
		if row, ok, err = lookup(m, key); !ok {
			return Row{}, false, err
		}
	}
	return row, ok, nil
}

// Patterns reports whether all tables are of patterns, as for [Union].
func (p Pipe) Patterns() bool { return allPatterns(p) }

func allPatterns(list []Map) bool {
	for _, m := range list {
		if p, ok := m.(Patterns); !ok || !p.Patterns() {
			return false
		}
	}
	return len(list) > 0
}

// Static is a static: table: it has its value for every key.
type Static string

// Lookup returns the value.
func (s Static) Lookup(key string) (row Row, ok bool, err error) {
	return Row{Entry: Entry{Key: key, Value: string(s)}}, true, nil
}

// Members returns the tables that a unionmap: or pipemap: consists of, and the
// one behind proxy:; none for a table of another type. The error is ErrSyntax:
// Postfix then has no such table.
func (s MapSpec) Members() ([]MapSpec, error) {
	switch s.Type {
	case "proxy":
		typ, name, ok := strings.Cut(s.Name, ":")
		if !ok {
			return nil, syntaxError("proxy:%s: write proxy:type:name", s.Name)
		}
		return []MapSpec{{typ, name}}, nil
	case "unionmap", "pipemap":
		if !strings.HasPrefix(strings.TrimSpace(s.Name), "{") {
			return nil, syntaxError("%s: write %s:{type:name, type:name}", s, s.Type)
		}
		inner, err := unbrace(strings.TrimSpace(s.Name))
		if err != nil {
			return nil, err
		}
		words, err := splitList(inner)
		if err != nil {
			return nil, err
		}
		if len(words) == 0 {
			return nil, syntaxError("%s: empty table", s)
		}
		members := make([]MapSpec, 0, len(words))
		for _, w := range words {
			typ, name, ok := strings.Cut(w, ":")
			if !ok {
				return nil, syntaxError("%s: %q is no type:name", s, w)
			}
			members = append(members, MapSpec{typ, name})
		}
		return members, nil
	}
	return nil, nil
}

// Leaves returns the tables that hold something: the members of unionmap: and
// pipemap: and what stands behind proxy:, at any depth, else the table itself.
// A table that can't be taken apart is its own leaf.
func (s MapSpec) Leaves() []MapSpec {
	members, err := s.Members()
	if err != nil || len(members) == 0 {
		return []MapSpec{s}
	}
	var out []MapSpec
	for _, m := range members {
		out = append(out, m.Leaves()...)
	}
	return out
}
