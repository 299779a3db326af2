//go:build unix

package interp_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

const includeRequire = `require ["fileinto", "foreverypart", "include", "mailbox", "mime", "variables"]; global "o"; `

// includes are the scripts that the tests include.
var includes = map[string]string{
	"test":    `if header :mime :matches "X-Test" "*" { set "o" "${o}-${1}"; }`,
	"child":   `if header :mime :anychild :matches "X-Test" "*2" { set "o" "${o}-${1}"; }`,
	"loop":    `foreverypart { if header :mime :matches "X-Test" "*" { set "o" "${o}_${1}"; } }`,
	"through": `include :global "loop"; include :global "test";`,
	"self":    `include :global "self";`,
	"once":    `include :once :global "once";`,
	"a":       `include :global "b";`,
	"b":       `include :global "a";`,
	"c":       `include :once :global "d";`,
	"d":       `include :global "c";`,
}

const nested = "From: a@b\nX-Test: top\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nX-Test: p1\n\none\n" +
	"--b\nX-Test: p2\nContent-Type: multipart/mixed; boundary=c\n\n--c\nX-Test: p21\n\ntwo\n--c\nX-Test: p22\n\nthree\n--c--\n--b--\n"

// TestIncludeServer includes scripts, inside of foreverypart and in circles.
func TestIncludeServer(t *testing.T) {
	servertest.Need(t, "dovecot-lda")
	sievec := servertest.Need(t, "sievec")
	o := sievetest.NewOracle(t)
	dir := filepath.Join(o.Dir, "included")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	st := &store{scripts: make(map[string]string)}
	for name, src := range includes {
		st.scripts["global "+name] = includeRequire + src
		if err := os.WriteFile(filepath.Join(dir, name+".sieve"), []byte(includeRequire+src), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		src   string
		wrong bool
	}{
		{`foreverypart { include :global "test"; }`, false},
		{`foreverypart { include :global "child"; }`, false},
		{`foreverypart { include :global "loop"; }`, false},
		{`foreverypart { include :global "through"; include :global "test"; }`, false},
		{`include :global "through";`, false},
		{`include :global "once";`, false},
		{`include :global "d";`, false},
		{`include :global "self";`, true},
		{`include :global "a";`, true},
		{`include :global "c";`, true},
		{`include :once :global "b";`, true},
		{`include :once :global "loop"; foreverypart { include :once :global "loop"; }`, false},
	} {
		src := []byte(includeRequire + tt.src + ` fileinto :create "o${o}";`)
		s, err := sieve.Parse("main", src)
		if err != nil {
			t.Fatal(err)
		}
		p, err := interp.Compile(s, interp.Options{Scripts: st})
		if (err != nil) != tt.wrong {
			t.Errorf("%s\n%v", src, err)
			continue
		}
		if path := o.Script(t, src); tt.wrong {
			_, text, err := o.Run(t, sievec, "-o", "plugin/sieve_global="+dir, path, path+".bin")
			if err == nil || !strings.Contains(text, "circular include") {
				t.Errorf("sievec says %s of\n%s", text, src)
			}
			continue
		}
		want := deliver(o, t, []byte(nested), "a@b", "c@d", src)
		got := executedOf(interp.Sequence{p}.Run(sievetest.Input([]byte(nested), "a@b", "c@d")))
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s\n(-Pigeonhole +ours):\n%s", src, diff)
		}
	}
}
