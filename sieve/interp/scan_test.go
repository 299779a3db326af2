package interp_test

import (
	"testing"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// TestScan checks that a run finds the same fields in a whole message and in a
// header that headers.Scan has read.
func TestScan(t *testing.T) {
	names := []string{"X-A", "subject", "", " a", "From ", "x"}
	raws := []string{"", "\n", "X-A: 1\n", "x-a:1\r\nX-B: 2\r\n c\r\n\r\nX-A: body\n", " X-A: 1\nX-A: 2\n\nX-A: 3", "junk\nX-A: 1\n\n",
		"X-A junk\n X-A: 2\nX-A: 1\n\n",
		"X-A : 1\nX-A\t:2\n", ": empty\nX-A: 1\n", "X-A\x00b: 1\n", "\r\nX-A: 1\n", "\rX-A: 1\nX-A: 2\n",
		"Subject: a\n\tX-A: 1\nX-A: 2\n \n\nX-A: 3\n", "X-A: 1", "X-A", "From x: y\nX-A: 1\n\n", " a: x\n\n", "x: 1\nX:2\n"}
	g := sievetest.NewGenerator(99)
	for range 300 {
		raws = append(raws, string(g.Message()))
	}
	for _, raw := range raws {
		for i := range names {
			whole := interp.Input{Raw: []byte(raw)}
			var parsed interp.Input
			parsed.Header, _ = headers.Scan(headers.Section{}, []byte(raw), headers.Sieve)
			if a, b := interp.FieldsFound(names[:i+1], whole), interp.FieldsFound(names[:i+1], parsed); a != b {
				t.Errorf("%q, names %q:\n%s\n%s", raw, names[:i+1], a, b)
			}
		}
	}
}
