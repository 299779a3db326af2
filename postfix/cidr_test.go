package postfix

import (
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

func TestCIDRLookup(t *testing.T) {
	table := CIDRTable{
		{Prefix: netip.MustParsePrefix("127.0.2.0/28"), Value: "conbool_in", Rule: "Gateway.Networks[0]", Comment: "the gateway"},
		{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Guards: []CIDRGuard{{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Negate: true}},
			Value: "ten"},
		{Prefix: netip.MustParsePrefix("10.2.0.0/16"), Guards: []CIDRGuard{{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Negate: true}},
			Value: "never"},
		{Prefix: netip.MustParsePrefix("2001:db8::/32"), Value: "six", Negate: true},
		{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Value: "REJECT not a permitted mail gateway"},
	}
	text, err := table.Format()
	if err != nil {
		t.Fatal(err)
	}
	want := "# the gateway\n127.0.2.0/28\tconbool_in\nif !10.1.0.0/16\n10.0.0.0/8\tten\n10.2.0.0/16\tnever\nendif\n!2001:db8::/32\tsix\n0.0.0.0/0\tREJECT not a permitted mail gateway\n"
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for addr, want := range map[string]string{
		"127.0.2.5": "conbool_in", "127.0.2.16": "REJECT not a permitted mail gateway", "10.1.2.3": "REJECT not a permitted mail gateway", "10.2.2.3": "ten", "2001:db8::1": "", "::1": "six", "::ffff:127.0.2.5": "conbool_in", "fe80::1%eth0": "six",
	} {
		e, ok := table.Lookup(netip.MustParseAddr(addr))
		if ok != (want != "") || e.Value != want {
			t.Errorf("%s: %q, %v; want %q", addr, e.Value, ok, want)
		}
	}
	if _, ok := table.Lookup(netip.Addr{}); ok {
		t.Error("the zero address is found")
	}
	for name, e := range map[string]CIDREntry{
		"host bits":   {Prefix: netip.MustParsePrefix("10.0.0.1/8"), Value: "x"},
		"no prefix":   {Value: "x"},
		"mapped":      {Prefix: netip.MustParsePrefix("::ffff:10.0.0.0/104"), Value: "x"},
		"empty value": {Prefix: netip.MustParsePrefix("10.0.0.0/8")},
		"newline":     {Prefix: netip.MustParsePrefix("10.0.0.0/8"), Value: "x\n0.0.0.0/0 OK"},
		"bad guard":   {Prefix: netip.MustParsePrefix("10.0.0.0/8"), Value: "x", Guards: []CIDRGuard{{}}},
		"bad comment": {Prefix: netip.MustParsePrefix("10.0.0.0/8"), Value: "x", Comment: "\x00"},
	} {
		if _, err := (CIDRTable{e}).Format(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// cidrTexts are tables that cidr_table(5) reads in interesting ways.
var cidrTexts = []string{
	"10.0.0.0/8 a\n2001:db8::/32 b\n0.0.0.0/0 c\n",
	"10.0.0.1/8 a\n10.0.0.0/8 b\n",
	"10.0.0.0/33 a\n10.0.0.0/-1 b\n10.0.0.0/x c\n10.0.0.0/ d\n10.1.2.3 e\n",
	"010.0.0.0/8 a\n10.0.0.0/08 b\n",
	"[10.0.0.0]/8 a\n[10.1.2.3] b\n[2001:db8::1] c\n[10.0.0.0/8] d\n[10.0.0.0 e\n",
	"10.0.0.0/8\n10.1.2.3 x\n",
	"!10.0.0.0/8 a\n! 10.0.0.0/8 b\n!!10.0.0.0/8 c\n",
	"if 10.0.0.0/8\n10.1.0.0/16 a\nendif\n0.0.0.0/0 b\n",
	"if !10.0.0.0/8\n2001:db8::/32 a\nendif\n10.1.2.3 b\n",
	"if 10.0.0.0/8\n10.1.0.0/16 a\n0.0.0.0/0 b\n",
	"if 10.0.0.1/8\n10.1.0.0/16 a\nendif\n0.0.0.0/0 b\n",
	"if 10.0.0.0/8 10.1.0.0/16 a\nendif x\n0.0.0.0/0 b\n",
	"if 10.0.0.0/8\nif !10.1.0.0/16\n0.0.0.0/0 a\nendif\n10.1.2.3 b\nendif\n",
	"IF 10.0.0.0/8\n10.1.2.3 a\nENDIF\nendif\n",
	"if\n10.1.2.3 a\n", "if !\n10.1.2.3 a\n", "!\n10.1.2.3 a\n", "!10.1.2.3\n",
	" 10.0.0.0/8 a\n10.1.2.3\n  b\n  # c\n  c\n", "10.1.2.3 \xff\n10.1.2.3 b\n", "10.1.2.3 a\x00b\n",
	"::ffff:10.0.0.0/104 a\n", "::/0 a\n", "fe80::1%lo a\nfe80::1 b\n", "1.2.3 a\n", "host.example a\n", "endifx a\nif10.0.0.0/8 b\n", "2001:DB8::1 a\n",
}

func TestParseCIDRAsPostmap(t *testing.T) {
	t.Parallel()
	dir := confDir(t, minimalMain, "")
	queries := []string{"10.1.2.3", "10.9.9.9", "192.0.2.1", "2001:db8::1", "::1", "fe80::1"}
	check := func(text string, postmap found) {
		t.Helper()
		table, warnings := ParseCIDR("t", []byte(text))
		for _, w := range warnings {
			if w.Unevaluated {
				return
			}
		}
		want := make(map[string]string)
		for _, q := range queries {
			if e, ok := table.Lookup(netip.MustParseAddr(q)); ok {
				want[q] = e.Value
			}
		}
		if diff := cmp.Diff(postmap.values, want); diff != "" {
			t.Errorf("%q (-postmap +Lookup):\n%s%s%v", text, diff, postmap.stderr, warnings)
		}
		if (postmap.stderr == "") != (len(warnings) == 0) {
			t.Errorf("%q: postmap warns %q, here %v", text, postmap.stderr, warnings)
		}
		for _, e := range table {
			e.Comment, e.Line = "", 0
			if _, err := (CIDRTable{e}).Format(); err != nil && !e.Prefix.Addr().Is4In6() {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
	var texts []string
	for _, text := range cidrTexts {
		if utf8.ValidString(text) {
			texts = append(texts, text)
			continue
		}
		alone := found{values: make(map[string]string)}
		write(t, filepath.Join(dir, "t"), text)
		stdout, stderr := run(t, []byte(strings.Join(queries, "\n")+"\n"), "postmap", dir, "-q", "-", "cidr:t")
		for line := range strings.Lines(stdout) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			alone.values[key] = value
		}
		alone.stderr = stderr
		check(text, alone)
	}
	r := rand.New(rand.NewPCG(15, 16))
	pieces := []string{"10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "0.0.0.0/0", "!", "if ", "if ", "endif\n", "endif\n", " a", " b\n", " c\n",
		"\n", "\n ", "#", "[", "]", "/", "::", "1", ".", " "}
	for range servertest.Deep(t, 100, 450) {
		texts = append(texts, randomText(r, pieces, 20))
	}
	for part := range slices.Chunk(texts, 100) {
		for i, postmap := range lookUpAll(t, dir, "cidr", part, queries) {
			check(part[i], postmap)
		}
	}
}
