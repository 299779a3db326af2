package interp

import (
	"github.com/oxmailroute/oxmailroute/sieve"
)

// stringTest is the test string (RFC 5229 section 5).
type stringTest struct {
	step    int
	sources []text
	match   *matcher
}

func (c *stringTest) eval(r *run) bool {
	values := r.list[:0]
	for i := range c.sources {
		s := r.str(&c.sources[i])
		if r.spend(16 + 2*len(s)); r.failed != nil {
			return false
		}
		if c.match.kind == sieve.Count && s == "" {
			continue
		}
		values = append(values, value{text: []byte(s)})
	}
	r.list = values
	return r.compare(c.step, c.match, values)
}
