package interp

type existsTest struct {
	step int
	source
}

func (c *existsTest) eval(r *run) bool {
	if c.simple() {
		for _, s := range c.slots {
			if r.first[s] < 0 {
				return r.note(c.step, false, nil)
			}
		}
		return r.note(c.step, true, nil)
	}
	for i := range c.count() {
		one := c.only(i)
		if len(r.entriesOf(&one)) == 0 {
			return r.note(c.step, false, nil)
		}
	}
	return r.note(c.step, true, nil)
}
