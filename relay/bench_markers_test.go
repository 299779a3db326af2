package relay_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// BenchmarkBypassTable is what the emitted domain markers cost Postfix: 20
// ordinary header lines and a marker, over and over, through postmap -q. One
// line is one look-up. MB is the largest memory of the process; postmap with a
// table of one pattern takes 6.
func BenchmarkBypassTable(b *testing.B) {
	postmap := servertest.Need(b, "postmap")
	for _, tt := range []struct {
		domains int
		any     bool
	}{{10, false}, {100, false}, {101, false}, {1_000, false}, {10_000, false}, {100_000, false}, {1_000, true}} {
		name := fmt.Sprintf("domains=%d", tt.domains)
		if tt.any {
			name += ",AnyDomain"
		}
		p := manyDomains(b, tt.domains)
		p.Loop.AnyDomain = tt.any
		c, err := relay.Compile(p, relay.Installation{})
		if err != nil {
			b.Fatal(err)
		}
		maps, dir := outHeaderChecks(b, c)
		empty := emptyConfig(b)
		if len(maps) > 1 {
			if out, err := exec.Command(postmap, "-c", empty, "hash:"+filepath.Join(dir, "postfix/conbool_markers")).CombinedOutput(); err != nil {
				b.Fatalf("postmap: %v %s", err, out)
			}
		}
		for _, kind := range []struct{ name, line string }{
			{"known", "X-Conbool-d%06d-example: true\n"}, {"capitals", "X-CONBOOL-D%06d-EXAMPLE: TRUE\n"}, {"unknown",
				"X-Conbool-e%06d-example: true\n"},
		} {
			b.Run(name+"/"+kind.name, func(b *testing.B) {
				const lines = 21_000
				var input strings.Builder
				for n := range lines / 21 {
					for i := range 20 {
						fmt.Fprintf(&input, "X-Ordinary-%d: a value of some length\n", i)
					}
					fmt.Fprintf(&input, kind.line, n*7919%tt.domains)
				}
				memory := 0
				for b.Loop() {
					cmd := exec.Command(postmap, "-c", empty, "-f", "-q", "-", maps[0])
					var stdout, stderr bytes.Buffer
					cmd.Stdout, cmd.Stderr = &stdout, &stderr
					stdin, err := cmd.StdinPipe()
					if err != nil {
						b.Fatal(err)
					}
					if err := cmd.Start(); err != nil {
						b.Fatal(err)
					}
					_, err = io.WriteString(stdin, input.String())
					memory = max(memory, peakMemory(cmd.Process.Pid))
					stdin.Close()
					_ = cmd.Wait() // its status is 1 where nothing was found
					if err != nil || stdout.Len() == 0 && kind.name != "unknown" || stderr.Len() > 0 {
						b.Fatalf("postmap: %v %s", err, stderr.Bytes())
					}
				}
				b.ReportMetric(lines*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
				b.ReportMetric(float64(memory)/1024, "MB")
			})
		}
	}
}

// peakMemory is the largest resident memory of a process so far, in KB, as Linux
// tells it; 0 elsewhere. What wait(2) tells includes the test's own from before
// the program was started.
func peakMemory(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	n := 0
	fmt.Sscan(rest, &n)
	return n
}
