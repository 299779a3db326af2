package interp

import (
	"strconv"
)

// scoreTest is spamtest or virustest (RFC 5235).
type scoreTest struct {
	step    int
	match   *matcher
	virus   bool
	percent bool
}

func (c *scoreTest) eval(r *run) bool {
	score := r.in.Spam
	if c.virus {
		score = r.in.Virus
	}
	text := "0"
	if ratio := min(max(score.Ratio, 0), 1); score.Scanned {
		switch {
		case c.virus:
			text = strconv.Itoa(int(4*ratio) + 1)
		case c.percent:
			text = strconv.Itoa(int(ratio*100 + 0.001))
		default:
			text = strconv.Itoa(int(9*ratio) + 1)
		}
	}
	values := append(r.list[:0], value{text: []byte(text)})
	r.list = values
	return r.compare(c.step, c.match, values)
}
