package sieve_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// coldPools empties every sync.Pool of the process: what a pool holds outlives
// one collection. A buffer that an earlier script made long enough hides an
// index that is out of range.
func coldPools() {
	runtime.GC()
	runtime.GC()
}

// readings is all that is read of a source.
func readings(src []byte) (out [3]string) {
	tree, err := sieve.ParseTree("x", src)
	text, _ := json.Marshal(tree)
	out[0] = fmt.Sprintf("%s %v", text, err)
	s, err := sieve.Parse("x", src)
	if err != nil {
		out[1] = err.Error()
		return out
	}
	out[1] = string(s.Format())
	p, err := interp.Compile(s, interp.Options{})
	if err != nil {
		out[2] = err.Error()
		return out
	}
	in := &interp.Input{Raw: []byte("Subject: a\r\nTo: a@example.com\r\n\r\nbody\r\n"), Now: time.Unix(0, 0)}
	r := p.Run(in)
	text, _ = json.Marshal(r.Actions)
	out[2] = fmt.Sprintf("%s %v %v", text, r.Keep, r.Err)
	return out
}

// TestColdPool reads and runs scripts with empty pools: nothing panics, and the
// answer is that of a pool that long scripts have used.
func TestColdPool(t *testing.T) {
	cases := [][]byte{
		[]byte("if size :over 1 { discard; }\nif size :under 2 { discard; }"),
		[]byte("if size :over 1 { discard; }\nif size :under 2 { keep; } elsif size :over 3 { stop; }\nif size :over 4 { keep; }"),
		[]byte("if anyof (size :over 1, size :over 2, size :over 3, size :over 4) { keep; }"),
		[]byte("require \"x\"; if size :over 1 { discard; } if size 2 3 4 { stop; }"),
		[]byte("stop;"), []byte("#"), nil, []byte("keep :a 1 2 3 4 5 \"x\" [\"y\"];"),
	}
	for _, tt := range servertest.Part(t, parseCases, 80) {
		if len(tt.src) < 4096 {
			cases = append(cases, []byte(tt.src))
		}
	}
	g := &grammar{Generator: sievetest.NewGenerator(91), wrong: 2}
	for range servertest.Deep(t, 20, 90) {
		g.requires(true)
		cases = append(cases, []byte(g.header()+g.commandText(2)))
	}
	w := &sievetest.Wide{Generator: sievetest.NewGenerator(92)}
	var long []byte
	for i := range servertest.Deep(t, 15, 60) {
		cases = append(cases, w.Script().Format())
		long = fmt.Appendf(long, "if header :contains [\"a\", \"b\", \"c\", \"\\d%d\"] [\"e\", \"f\"] { stop; }\r\n", i)
	}
	for _, src := range cases {
		coldPools()
		cold := readings(src)
		readings(long)
		if warm := readings(src); warm != cold {
			t.Errorf("%s\n(-with an empty pool +with a used one):\n%s", src, cmp.Diff(cold, warm))
		}
	}
}
