package interp

type sizeTest struct {
	step  int
	over  bool
	limit uint64
}

func (c *sizeTest) eval(r *run) bool {
	size := r.size()
	if c.over {
		return r.note(c.step, size > c.limit, nil)
	}
	return r.note(c.step, size < c.limit, nil)
}
