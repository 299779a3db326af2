package relay_test

import (
	"fmt"
	"testing"

	"github.com/oxmailroute/oxmailroute/relay"
)

// BenchmarkValidate is a policy of single senders with excepted ones and excepted
// domains, which is a tenth of them.
func BenchmarkValidate(b *testing.B) {
	for _, n := range []int{10, 1_000, 20_000, 200_000} {
		b.Run(fmt.Sprintf("senders=%d", n), func(b *testing.B) {
			p := labPolicy(b, "lab.json")
			t := &p.Tenants[0]
			domains := max(n/10, 1)
			scope := relay.Scope{Use: relay.ScopeSenders}
			for i := range domains {
				t.Domains = append(t.Domains, fmt.Sprintf("d%06d.example", i))
			}
			for i := range n {
				scope.Senders = append(scope.Senders, fmt.Sprintf("user%07d@%s", i, t.Domains[len(t.Domains)-1-i%domains]))
			}
			for i := range domains / 2 {
				scope.Except = append(scope.Except, t.Domains[len(t.Domains)-1-i])
			}
			t.Scope = scope
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Validate(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
