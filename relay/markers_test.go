package relay_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/relay/deploy"
)

// outHeaderChecks are the tables of the second pass, as its cleanup service
// reads them, with the directory of the files.
func outHeaderChecks(tb testing.TB, c *relay.Config) (maps []string, dir string) {
	tb.Helper()
	dir = tb.TempDir()
	if _, err := deploy.Write(context.Background(), deploy.Local{Dir: dir}, c.Files(), deploy.Options{}); err != nil {
		tb.Fatal(err)
	}
	main, err := os.ReadFile(filepath.Join(dir, "postfix/main.cf"))
	if err != nil {
		tb.Fatal(err)
	}
	value := "regexp:/etc/postfix/conbool_bypass"
	_, rest, ok := strings.Cut(string(main), "\nconbool_out_header_checks = ")
	if ok {
		value = ""
		for i, line := range strings.Split(rest, "\n") {
			if i > 0 && !strings.HasPrefix(line, " ") {
				break
			}
			value += line
		}
	}
	value = strings.ReplaceAll(value, "/etc/postfix/", filepath.Join(dir, "postfix")+"/")
	return strings.Split(value, ", "), dir
}

// emptyConfig is a configuration directory for postmap, which needs none of
// ours, and waits for a main.cf that was just written.
func emptyConfig(tb testing.TB) string {
	dir := tb.TempDir()
	main := filepath.Join(dir, "main.cf")
	if err := os.WriteFile(main, nil, 0o644); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chtimes(main, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// spelling returns a name with some letters in the other case.
func spelling(r *rand.Rand, name string) string {
	b := []byte(name)
	mode := r.IntN(4)
	for i, c := range b {
		if c >= 'a' && c <= 'z' && (mode == 1 || mode > 1 && r.IntN(mode) == 0) || c >= 'A' && c <= 'Z' && mode > 1 && r.IntN(2) == 0 {
			b[i] ^= 0x20
		}
	}
	return string(b)
}

// domainsOf are names as people register them, and some that are hard on the
// table that folds case: one letter many times, all letters, no letter.
func domainsOf(r *rand.Rand, n int) []string {
	syllables := []string{"ba", "ko", "mer", "stadt", "werk", "hof", "mueller", "bau", "tech", "haus", "see", "net", "x", "q9", "-y-"}
	list := []string{
		"aaaaaaaaaaaaaaaaaaaaaaaaa.example", "zzzzzzzz.zzzzzzzzz.zzzzzzzzzzz.test", "the-quick-brown-fox-jumps-over-the-lazy-dog.example",
		"1.2.example", "xn--bcher-kva.example", "a.b", "a-b.c",
	}
	for i := len(list); i < n; i++ {
		var b strings.Builder
		for range 1 + r.IntN(4) {
			b.WriteString(syllables[r.IntN(len(syllables))])
		}
		fmt.Fprintf(&b, "%d.%s", i, []string{"de", "com", "co.uk", "example"}[r.IntN(4)])
		list = append(list, strings.TrimPrefix(b.String(), "-"))
	}
	return list[:n]
}

// TestDomainMarkers puts marker lines to the emitted tables as cleanup(8) reads
// them, without folding the key (postmap -f), for few and for many domains.
// Route must say the same.
func TestDomainMarkers(t *testing.T) {
	postmap := servertest.Need(t, "postmap")
	for _, n := range []int{8, 100, 101, 3_000, min(100_000, servertest.Deep(t, 10_000, 100_000))} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := rand.New(rand.NewPCG(*seed, uint64(n)))
			p := manyDomains(t, 1)
			domains := domainsOf(r, n)
			p.Tenants[0].Domains = append(domains, "d000000.example")[1:]
			domains = p.Tenants[0].Domains
			c, err := tryCompile(t, p, relay.Installation{})
			if err != nil {
				t.Fatal(err)
			}
			maps, dir := outHeaderChecks(t, c)
			if many := strings.HasPrefix(maps[0], "pipemap:"); many != (n > 100) {
				t.Fatalf("%d domains: %v", n, maps)
			}
			empty := emptyConfig(t)
			if len(maps) > 1 {
				if out, err := exec.Command(postmap, "-c", empty, "hash:"+filepath.Join(dir, "postfix/conbool_markers")).CombinedOutput(); err != nil ||
					len(out) > 0 {
					t.Fatalf("postmap: %v %s", err, out)
				}
			}
			var lines []string
			for range 600 {
				name := "X-Conbool-" + strings.ReplaceAll(domains[r.IntN(len(domains))], ".", "-")
				switch r.IntN(8) {
				case 0:
					name += "x"
				case 1:
					name = strings.Replace(name, "e", "ee", 1)
				case 2:
					name = strings.Replace(name, "a", "q", 1)
				}
				name = spelling(r, name)
				value := []string{"true", "true", "TRUE", "tRue", " true ", "\ttrue", "truely", "false", "", "true true"}[r.IntN(10)]
				lines = append(lines, name+": "+value)
			}
			lines = append(lines, "X-Conbool-: true", "X-Conbool-Released: yes", "x-conbool-RELEASED: Yes", "X-Conbool-k\u212a: true",
				"X-Conbool-\u00e4: true", "Subject: true",
				"X-Conbool-"+strings.Repeat("A", 300)+": true", "X-Conboo-d000000-example: true", "Not-X-Conbool-d000000-example: true",
				"X-Conbool-"+strings.ToUpper(strings.ReplaceAll(domains[0], ".", "-"))+":true")
			slices.Sort(lines)
			lines = slices.Compact(lines)
			want := map[string]string{}
			for _, m := range maps {
				cmd := exec.Command(postmap, "-c", empty, "-f", "-q", "-", m)
				cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				out, _ := cmd.Output() // its status is 1 where nothing was found
				if stderr.Len() > 0 {
					t.Errorf("postmap: %s", stderr.Bytes())
				}
				for _, l := range lines {
					if want[l] == "" && strings.Contains("\n"+string(out), "\n"+l+"\tFILTER smtp:\n") {
						want[l] = "mx"
					}
				}
			}
			// Where the gateway's own listener adds no header of ours, the marker
			// alone decides.
			hits := 0
			for _, l := range lines {
				d := c.Route(t.Context(), &relay.Message{Origin: c.Origin(relay.RoleReEntry), From: "a@d000000.example", To: "x@remote1.test",
					Raw: []byte(redirectedHead + l + "\n\nhi\n")})
				got := ""
				if d.Outcomes[0].Action == relay.ActionMX {
					got = "mx"
					hits++
				}
				if got != want[l] {
					t.Errorf("%q: Route %s, postmap %q\n%s", l, d, want[l], d.Outcomes[0].Trace)
				}
			}
			if hits < len(lines)/4 || hits > len(lines)*3/4 {
				t.Errorf("%d of %d lines are markers: the test says little", hits, len(lines))
			}
		})
	}
}
