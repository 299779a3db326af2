package provision_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/oxmailroute/oxmailroute/sieve/provision"
)

// toggle puts the block in and takes it out again, so that each run stores every
// script.
func toggle(mailbox string, script []byte) ([]byte, error) {
	before, rest, ok := bytes.Cut(script, []byte(blockBegin))
	if !ok {
		return manage(mailbox, script)
	}
	_, after, _ := bytes.Cut(rest, []byte(blockEnd))
	return bytes.Join([][]byte{before, after}, nil), nil
}

// BenchmarkSync is the cost per mailbox by the number of mailboxes, against the
// server in memory: every script is changed.
func BenchmarkSync(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("mailboxes=%d", n), func(b *testing.B) {
			s := memoryServer()
			mailboxes := make([]string, n)
			for i := range mailboxes {
				mailboxes[i] = fmt.Sprintf("user%d@example.com", i)
				s.Put(mailboxes[i], provision.OpenXchange, oxScript(i), true)
			}
			o := options(s)
			o.Edit = toggle
			b.ReportAllocs()
			for b.Loop() {
				reports, err := provision.Sync(context.Background(), mailboxes, o)
				if err != nil || provision.Count(reports, provision.Updated) != n {
					b.Fatalf("error %v, %d updated", err, provision.Count(reports, provision.Updated))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/mailbox")
		})
	}
}
