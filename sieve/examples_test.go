package sieve_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
)

// exampleScripts are the scripts of testdata, and whether the server refuses
// each.
func exampleScripts(tb testing.TB) []parseCase {
	tb.Helper()
	var out []parseCase
	for _, file := range []string{"testdata/rfc.txtar", "testdata/rfcexamples.txtar", "testdata/clients.txtar"} {
		data, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		for _, f := range txtar.Parse(data).Files {
			c := parseCase{name: f.Name, src: string(f.Data)}
			if strings.HasSuffix(f.Name, "refused.sieve") {
				c.errs = []string{"any"}
			}
			out = append(out, c)
		}
	}
	return out
}

func TestExampleScripts(t *testing.T) {
	for _, tt := range exampleScripts(t) {
		t.Run(tt.name, func(t *testing.T) {
			for _, src := range []string{tt.src, strings.ReplaceAll(tt.src, "\n", "\r\n")} {
				s, err := sieve.ParseFor("test", []byte(src), sievetest.ServerExtensions)
				if (err != nil) != (tt.errs != nil) {
					t.Fatal(err)
				}
				if err == nil {
					checkRoundTrip(t, s)
				}
			}
		})
	}
}

// TestExampleScriptsServer asks sievec about each.
func TestExampleScriptsServer(t *testing.T) {
	o := sievetest.NewOracle(t)
	var taken [][]byte
	var refused []parseCase
	all := exampleScripts(t)
	for _, tt := range all {
		if tt.errs == nil {
			taken = append(taken, []byte(tt.src))
		} else {
			refused = append(refused, tt)
		}
	}
	if o.AcceptsAll(t, taken...) {
		all = refused
	}
	for _, tt := range all {
		v, text, _ := o.Compile(t, []byte(tt.src))
		if (v == sievetest.Accepted) != (tt.errs == nil) {
			t.Errorf("%s: %s\n%s", tt.name, v, text)
		}
	}
}
