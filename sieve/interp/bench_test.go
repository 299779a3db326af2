package interp_test

import (
	"fmt"
	"testing"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

func BenchmarkCompile(b *testing.B) {
	for _, n := range sievetest.BenchSizes {
		s := sievetest.BenchScript(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := interp.Compile(s, interp.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRun(b *testing.B) {
	in := sievetest.Input(sievetest.BenchMessage(), "alice@example.net", "user@example.org")
	run := func(name string, s *sieve.Script, o interp.Options) {
		p, err := interp.Compile(s, o)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Run(in)
			}
		})
	}
	run("gateway", sievetest.GatewayScript(), interp.Options{})
	run("gateway traced", sievetest.GatewayScript(), interp.Options{Trace: true})
	for _, n := range sievetest.BenchSizes {
		run(fmt.Sprint(n), sievetest.BenchScript(n), interp.Options{})
	}
}
