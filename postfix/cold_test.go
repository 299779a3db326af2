package postfix_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// TestColdPool looks fields up with an empty pool of lines: nothing panics, and
// the answer is that of a pool that longer fields have used. What a pool holds
// outlives one collection.
func TestColdPool(t *testing.T) {
	table, warnings := postfix.ParseCheckTable("x", "regexp", []byte(`if /^X-/
!/^X-Known:/ PREPEND X-Was: known
endif
/^Subject:(.*)end$/ WARN saw ${1}
/^(To|Cc): .*x{3}/ REJECT
/^Received: from ([^ ]+)/ FILTER smtp:[$1]
`))
	if len(warnings) > 0 {
		t.Fatal(warnings)
	}
	checks, err := table.Compile()
	if err != nil {
		t.Fatal(err)
	}
	lengths := []int{0, 1, 2, 900, 1015, 1024, 1025, 5000}
	random := rand.New(rand.NewPCG(*servertest.Seed, 7))
	for range servertest.Scaled(t, 4) {
		lengths = append(lengths, random.IntN(3000))
	}
	var fields []headers.Field
	for _, name := range []string{"X-Known", "X-Other", "Subject", "To", "Cc", "Received", "A", ""} {
		for _, n := range lengths {
			for _, body := range []string{strings.Repeat("x", n), strings.Repeat("from a ", n/7) + "end",
				"from " + strings.Repeat("y", n) + "\r\n\tb"} {
				fields = append(fields, headers.Field{Name: []byte(name), Body: []byte(" " + body)})
			}
		}
	}
	found := func(f headers.Field) string {
		hit, ok := checks.Lookup(f)
		return fmt.Sprintf("%#v %v", hit, ok)
	}
	random.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	longest := headers.Field{Name: []byte("Subject"), Body: bytes.Repeat([]byte("z"), 5000)}
	for _, f := range fields[:min(len(fields), servertest.Scaled(t, 40))] {
		runtime.GC()
		runtime.GC()
		cold := found(f)
		found(longest)
		if warm := found(f); warm != cold {
			t.Errorf("%s: %.60q, %d octets (-with an empty pool +with a used one):\n%s", f.Name, f.Body, len(f.Body), cmp.Diff(cold, warm))
		}
	}
}
