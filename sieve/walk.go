package sieve

// walk calls visit for every command of the list and test for every test, in
// the order of Script.Lines; either can be nil.
func walk(list []Command, visit func(Command), test func(Test)) {
	var each func(Test)
	each = func(t Test) {
		test(t)
		switch t := t.(type) {
		case Not:
			each(t.Test)
		case AllOf:
			for _, u := range t {
				each(u)
			}
		case AnyOf:
			for _, u := range t {
				each(u)
			}
		default: // holds no test
		}
	}
	if test == nil {
		each = func(Test) {}
	}
	for _, c := range list {
		if visit != nil {
			visit(c)
		}
		switch c := c.(type) {
		case If:
			each(c.Test)
			walk(c.Then, visit, test)
			for _, e := range c.ElsIf {
				each(e.Test)
				walk(e.Then, visit, test)
			}
			walk(c.Else, visit, test)
		case ForEveryPart:
			walk(c.Block, visit, test)
		default: // has no block
		}
	}
}
