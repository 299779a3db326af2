package interp_test

import (
	"testing"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// TestHasFlagAgain: keys that are made in the run change nothing of the program.
func TestHasFlagAgain(t *testing.T) {
	s, err := sieve.Parse("x", []byte(`require ["imap4flags", "variables"]; set "a" "y x"; setflag "x"; if hasflag "${a}" { discard; }`))
	if err != nil {
		t.Fatal(err)
	}
	p, err := interp.Compile(s, interp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if r := p.Run(sievetest.Input([]byte("\n\n"), "", "")); r.Keep != interp.KeepCancelled || r.Err != nil {
			t.Errorf("run %d: %+v", i, r)
		}
	}
}
