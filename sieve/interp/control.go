package interp

type constant struct {
	step  int
	value bool
}

func (c constant) eval(r *run) bool { return r.note(c.step, c.value, nil) }

type negation struct {
	step int
	test condition
}

func (c *negation) eval(r *run) bool {
	at := r.begin(c.step)
	return r.end(at, !c.test.eval(r))
}

// junction is anyof, or where any is false, allof.
type junction struct {
	step  int
	tests []condition
	any   bool
}

func (c *junction) eval(r *run) bool {
	at := r.begin(c.step)
	for _, t := range c.tests {
		if t.eval(r) == c.any {
			return r.end(at, c.any)
		}
		if r.failed != nil {
			return r.end(at, false)
		}
	}
	return r.end(at, !c.any)
}

// junction compiles anyof or allof. Where one of the tests is constant and
// decides it, the server tries none of them.
func (c *compiler) junction(step int, tests []condition, anyOf bool) condition {
	for i, t := range tests {
		if v, ok := constantOf(t); ok && v == anyOf && i > 0 {
			return constant{step, anyOf}
		}
	}
	return &junction{step, tests, anyOf}
}

// constantOf returns the outcome of a test that has only one.
func constantOf(t condition) (value, ok bool) {
	switch t := t.(type) {
	case constant:
		return t.value, true
	case *negation:
		value, ok = constantOf(t.test)
		return !value, ok
	case *junction:
		for _, sub := range t.tests {
			v, known := constantOf(sub)
			if !known {
				return false, false
			}
			if v == t.any {
				return t.any, true
			}
		}
		return !t.any, true
	}
	return false, false
}
