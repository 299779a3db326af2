package sieve_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
)

// mutate makes small changes to a script.
func mutate(g *sievetest.Generator, src []byte) []byte {
	out := bytes.Clone(src)
	for range 1 + g.IntN(3) {
		i := g.IntN(len(out) + 1)
		switch g.IntN(5) {
		case 0: // leave something out
			end := min(len(out), i+1+g.IntN(4))
			out = append(out[:i:i], out[end:]...)
		case 1: // add something
			add := sievetest.Pick(g, ";", ",", "(", ")", "[", "]", "{", "}", `"`, ":", "#", "/*", "*/", `\`, " ", "\n", "\r", "1", "9k", "x",
				":copy", `"s"`, "text:\nx\n.\n", "not ", "true", "keep;", "\x00", "$", ".", "é", "_")
			out = append(out[:i:i], append([]byte(add), out[i:]...)...)
		case 2: // say something twice
			end := min(len(out), i+1+g.IntN(12))
			out = append(out[:end:end], append(bytes.Clone(out[i:end]), out[end:]...)...)
		case 3: // change the case
			end := min(len(out), i+1+g.IntN(8))
			out = append(out[:i:i], append(bytes.ToUpper(out[i:end]), out[end:]...)...)
		default: // other line ends
			if g.Chance(20) {
				out = bytes.ReplaceAll(out, []byte("\n"), []byte("\r\n"))
			}
		}
	}
	return out
}

// TestMutationServer compares what Parse and sievec think of scripts with small
// errors.
func TestMutationServer(t *testing.T) {
	o := sievetest.NewOracle(t)
	g := sievetest.NewGenerator(*sievetest.Seed + 81)
	bad := 0
	for range servertest.Deep(t, 15, 60) {
		src := g.Script().Format()
		if g.Chance(30) {
			src = []byte(sievetest.Pick(g, parseCases...).src)
		}
		if src = mutate(g, src); len(src) > 4096 {
			continue
		}
		_, err := sieve.Parse("", src)
		v, text, _ := o.Compile(t, src)
		switch {
		case err == nil && v == sievetest.Accepted, err != nil && v == sievetest.Rejected:
			continue
		case err != nil && v == sievetest.Crashed:
			continue
		case err != nil && v == sievetest.Accepted:
			// The differences that Parse names.
			if errors.Is(err, sieve.ErrUnsupported) || errors.Is(err, headers.ErrInvalid) ||
				bytes.Contains(bytes.ToLower(src), []byte("true")) || bytes.Contains(bytes.ToLower(src), []byte("false")) {
				continue
			}
		}
		t.Errorf("Parse: %v\nsievec: %s %s\n%s\n%q", err, v, text, src, src)
		if bad++; bad >= 5 {
			t.Fatal("stopped after 5 disagreements")
		}
	}
}
