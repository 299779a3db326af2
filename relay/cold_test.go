package relay_test

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// TestColdPool routes messages with an empty pool of header fields: nothing
// panics, and the decision is that of a pool that other messages have used. What a
// pool holds outlives one collection.
func TestColdPool(t *testing.T) {
	c := manySenders(t, 10)
	var messages []relay.Message
	for _, role := range []relay.Role{relay.RoleGateway, relay.RoleSubmission, relay.RoleInternal, relay.RoleReEntry} {
		for _, fields := range []int{64, 65, 0, 1, 63, 62, 200}[:servertest.Deep(t, 2, 7)] {
			for _, marks := range []string{"", "X-Conbool-example-com: true\r\n", "X-Conbool-example-com: true\r\nX-Conbool-Flag: YES\r\n"} {
				raw := bytes.Buffer{}
				for i := range fields {
					fmt.Fprintf(&raw, "X-Field-%d: %d\r\n", i, i)
				}
				raw.WriteString(marks + "\r\nbody\r\n")
				for _, to := range []string{"bob@example.com", "x@remote1.test"} {
					messages = append(messages, relay.Message{Origin: c.Origin(role), From: "user0000001@example.com", To: to, Raw: raw.Bytes()})
				}
			}
		}
	}
	routed := func(m relay.Message) string {
		d := c.Route(t.Context(), &m)
		return fmt.Sprintf("%v\n%v\n%v %v", d, d.Outcomes, d.Assumptions, d.Err)
	}
	for i, m := range messages {
		runtime.GC()
		runtime.GC()
		cold := routed(m)
		for j := range 3 {
			routed(messages[(i+j*17+1)%len(messages)])
		}
		if warm := routed(m); warm != cold {
			t.Errorf("%.200q (-with an empty pool +with a used one):\n%s", m.Raw, cmp.Diff(cold, warm))
		}
	}
}
