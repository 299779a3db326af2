package interp_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

var addressCases = []struct {
	name, value            string
	all, localpart, domain []string
}{
	{"plain", "a@b", one("a@b"), one("a"), one("b")},
	{"case is kept", "A@B.Org", one("A@B.Org"), one("A"), one("B.Org")},
	{"display name", "A B <a@b>", one("a@b"), one("a"), one("b")},
	{"quoted display name", `"A, B" <a@b>`, one("a@b"), one("a"), one("b")},
	{"encoded word", "=?utf-8?q?J=C3=B6?= <jo@b>", one("jo@b"), one("jo"), one("b")},
	{"angle brackets only", "<a@b>", one("a@b"), one("a"), one("b")},
	{"comments", "(c) a (d) @ (e) b (f)", one("a@b"), one("a"), one("b")},
	{"nested comments", `(c(d)\)) a@b`, one("a@b"), one("a"), one("b")},
	{"source route", "<@r,@s:a@b>", one("a@b"), one("a"), one("b")},
	{"domain literal", "a@[1.2.3.4]", one("a@[1.2.3.4]"), one("a"), one("[1.2.3.4]")},
	{"quoted local part", `"a b"@c`, one(`"a b"@c`), one("a b"), one("c")},
	{"local part quoted for nothing", `"ab"@c`, one("ab@c"), one("ab"), one("c")},
	{"quotes in a local part", `"a\"\\b"@c`, one(`"a\"\\b"@c`), one(`a"\b`), one("c")},
	{"list", "a@b, C <c@d>", []string{"a@b", "c@d"}, []string{"a", "c"}, []string{"b", "d"}},
	{"empty places of a list", ",a@b,,c@d,", []string{"a@b", "c@d"}, []string{"a", "c"}, []string{"b", "d"}},
	{"group", "g: a@b, <c@d>; , e@f", []string{"a@b", "c@d", "e@f"}, []string{"a", "c", "e"}, []string{"b", "d", "f"}},
	{"open group", "g: a@b", one("a@b"), one("a"), one("b")},
	{"empty group", "undisclosed-recipients:;", one("undisclosed-recipients:;"), nil, nil},
	{"empty group among addresses", "a@b, g:;, c@d", []string{"a@b", "c@d"}, []string{"a", "c"}, []string{"b", "d"}},
	{"broken address among others", "x@y, <>, z", one("x@y"), one("x"), one("y")},
	{"dots", ".a..b.@c", one(`".a..b."@c`), one(".a..b."), one("c")},
	{"two dots in a domain", "a@b..c", one("a@b..c"), nil, nil},
	{"dot at the end of a domain", "a@b.", one("a@b."), nil, nil},
	{"white space around the dot of a local part", "a . b@c", one("a . b@c"), nil, nil},
	{"white space around the dot of a domain", "a@c . d", one("a@c.d"), one("a"), one("c.d")},
	{"no domain", "a", one("a"), nil, nil},
	{"empty domain", "a@", one("a@"), nil, nil},
	{"no local part", "@b", one("@b"), nil, nil},
	{"empty local part", `""@b`, nil, nil, nil},
	{"null address", "<>", one("<>"), nil, nil},
	{"words", "a b@c", one("a b@c"), nil, nil},
	{"not ASCII", "jö@b.org", one("jö@b.org"), nil, nil},
	{"open quote", `"a <a@b>`, one(`"a <a@b>`), nil, nil},
	{"open comment", "a@b (c", one("a@b (c"), nil, nil},
	{"comment only", "(c)", nil, nil, nil},
	{"empty", "", one(""), one(""), one("")},
	{"text behind", "A <a@b> x", one("a@b"), one("a"), one("b")},
}

func one(s string) []string { return []string{s} }

func TestAddressValues(t *testing.T) {
	for _, tt := range addressCases {
		t.Run(tt.name, func(t *testing.T) {
			for part, want := range map[sieve.AddressPart][]string{sieve.All: tt.all, sieve.LocalPart: tt.localpart, sieve.Domain: tt.domain} {
				got, _ := interp.AddressValues([]byte(" "+tt.value+"\n"), part)
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s (-want +got):\n%s", part, diff)
				}
			}
		})
	}
}

// TestAddressValuesServer compares what the address test sees, for the table
// and for generated text, with sieve-test's trace.
func TestAddressValuesServer(t *testing.T) {
	o := sievetest.NewOracle(t)
	var values []string
	for _, tt := range addressCases {
		values = append(values, tt.value)
	}
	g := sievetest.NewGenerator(7)
	for range servertest.Scaled(t, 150) {
		var b strings.Builder
		for range 1 + g.IntN(9) {
			b.WriteString(sievetest.Pick(g, "a", "b", "@", "@", ".", "<", ">", `"`, "(", ")", "[", "]", `\`, " ", ":", ";", ",", "ö", "c@d",
				"<e@f>", `"g h"`, "i.j", "k@", "{", "="))
		}
		values = append(values, strings.TrimSpace(b.String()))
	}
	script := o.Script(t, []byte("if address :all \"from\" \"none\" {}\nif address :localpart \"from\" \"none\" {}\nif address :domain \"from\" \"none\" {}\n"))
	const batch = 100
	bad := 0
	for start := 0; start < len(values); start += batch {
		chunk := values[start:min(start+batch, len(values))]
		var msg strings.Builder
		for i, v := range chunk {
			fmt.Fprintf(&msg, "From: mark@%d\nFrom: %s\n", i, v)
		}
		msg.WriteString("From: mark@end\n\n")
		path := filepath.Join(o.Dir, "addresses.eml")
		if err := os.WriteFile(path, []byte(msg.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		stdout, stderr, err := o.Run(t, o.Test, "-C", "-t", "-", "-Tlevel=matching", script, path)
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		seen := traced(stdout)
		for i, v := range chunk {
			for line, part := range []sieve.AddressPart{sieve.All, sieve.LocalPart, sieve.Domain} {
				got, _ := interp.AddressValues([]byte(" "+v+"\n"), part)
				want := seen[fmt.Sprintf("%d %d", line+1, i)]
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s of %q (-Pigeonhole +ours):\n%s", part, v, diff)
					if bad++; bad > 20 {
						t.Fatal("stopped")
					}
				}
			}
		}
	}
}

// traced reads the values that were matched from a trace, by line of the test
// and number of the mark.
func traced(trace string) map[string][]string {
	out := make(map[string][]string)
	mark := ""
	for _, m := range traceLine.FindAllStringSubmatch(trace, -1) {
		switch {
		case strings.HasPrefix(m[3], "mark@"):
			if m[2] == "parsing address header" {
				mark = strings.TrimPrefix(m[3], "mark@")
			}
			continue
		case m[2] == "matching":
			key := m[1] + " " + mark
			// The marks' own values.
			if m[3] == "mark" || m[3] == mark {
				continue
			}
			out[key] = append(out[key], m[3])
		}
	}
	return out
}

var traceLine = regexp.MustCompile("(?m)^ *([123]):   (parsing address header|matching) value `(.*)'$")

// TestRedirectServer compares which addresses redirect takes, and what it makes
// of them.
func TestRedirectServer(t *testing.T) {
	o := sievetest.NewOracle(t)
	var values []string
	for _, tt := range addressCases {
		values = append(values, tt.value)
	}
	g := sievetest.NewGenerator(8)
	for range servertest.Scaled(t, 150) {
		var b strings.Builder
		for range 1 + g.IntN(8) {
			b.WriteString(sievetest.Pick(g, "a", "B", "@", "@", ".", "<", ">", `"`, "(", ")", "[", "]", `\`, " ", ":", ";", ",", "ö", "c@D",
				"<e@f>", `"g h"`, "i.j", "k@", "{", "="))
		}
		values = append(values, b.String())
	}
	// sievec reports a hundred errors at most.
	const batch = 90
	var good []string
	for start := 0; start < len(values); start += batch {
		chunk := values[start:min(start+batch, len(values))]
		var src []byte
		for _, v := range chunk {
			src = append(append(src, "redirect "+sievetest.QuoteText(v)...), ";\n"...)
		}
		verdict, text, lines := o.Compile(t, src)
		if verdict == sievetest.Crashed {
			t.Fatal(text)
		}
		refused := make(map[int]bool)
		for _, n := range lines {
			refused[n] = true
		}
		for i, v := range chunk {
			_, err := mailaddr.Parse(v)
			if (err != nil) != refused[i+1] {
				t.Errorf("redirect %q: refused by Pigeonhole: %v, by us: %v", v, refused[i+1], err)
			} else if err == nil {
				good = append(good, v)
			}
		}
	}
	for _, v := range good {
		src := []byte("redirect " + sievetest.QuoteText(v) + ";")
		target, err := mailaddr.Target(v)
		if err != nil {
			t.Fatal(err)
		}
		want := o.DecideOne(t, "", "", src, []byte("\n"))
		if diff := cmp.Diff(want, sievetest.Decision{Actions: []string{"redirect " + target}}, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("redirect %q (-Pigeonhole +ours):\n%s", v, diff)
		}
	}
	t.Logf("%d addresses, %d good", len(values), len(good))
}
