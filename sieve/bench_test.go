package sieve_test

import (
	"bytes"
	"fmt"
	"testing"

	gosieve "git.sr.ht/~emersion/go-sieve"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
)

func BenchmarkParse(b *testing.B) {
	for _, n := range sievetest.BenchSizes {
		src := sievetest.BenchScript(n).Format()
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			sievetest.Fastest(b, len(src), func() {
				if _, err := sieve.Parse("", src); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// BenchmarkParseGoSieve is what go-sieve needs for the same scripts; its tree
// has no positions, comments or meaning.
func BenchmarkParseGoSieve(b *testing.B) {
	for _, n := range sievetest.BenchSizes {
		src := sievetest.BenchScript(n).Format()
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			sievetest.Fastest(b, len(src), func() {
				if _, err := gosieve.Parse(bytes.NewReader(src)); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

func BenchmarkFormat(b *testing.B) {
	for _, n := range sievetest.BenchSizes {
		s := sievetest.BenchScript(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Format()
			}
		})
	}
}
