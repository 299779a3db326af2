//go:build unix

package interp_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	gosieve "git.sr.ht/~emersion/go-sieve"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// cpu runs a benchmark and reports the processor time of one round besides the
// time on the wall, which other work on the machine changes.
func cpu(b *testing.B, f func()) {
	b.Helper()
	b.ReportAllocs()
	f()
	start := processorTime(b)
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(processorTime(b)-start)/float64(b.N), "cpu-ns/op")
}

func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// mixedScript has n rules of the kinds that users have: four in ten ask for a
// text in the subject, three for a sender, two for a list, one for several
// things.
func mixedScript(n int) *sieve.Script {
	s := &sieve.Script{}
	for i := range n {
		var t sieve.Test
		switch i % 10 {
		case 0, 1, 2, 3:
			t = sieve.Header{Names: []string{"Subject"}, Match: sieve.Contains, Keys: []string{fmt.Sprint("[ticket ", i, "]")}}
		case 4, 5, 6:
			t = sieve.Address{Names: []string{"From"}, Match: sieve.Is, Keys: []string{fmt.Sprintf("person%d@example.com", i)}}
		case 7, 8:
			t = sieve.Header{Names: []string{"List-Id"}, Match: sieve.Contains, Keys: []string{fmt.Sprintf("<list%d.example.org>", i)}}
		default:
			t = sieve.AllOf{sieve.Header{Names: []string{"X-Spam-Flag"}, Match: sieve.Is, Keys: []string{"YES"}},
				sieve.Size{Over: true, Limit: uint64(i)}}
		}
		s.Commands = append(s.Commands, sieve.If{Test: t, Then: []sieve.Command{sieve.FileInto{Mailbox: fmt.Sprint("Folder ", i)}, sieve.Stop{}}})
	}
	return s
}

// sized is the benchmark's message with a body of so many octets more.
func sized(body int) []byte {
	return append(sievetest.BenchMessage(), bytes.Repeat([]byte("A line of text as people write it to each other.\n"), body/49)...)
}

// wideHeader is a message with so many fields more.
func wideHeader(fields int) []byte {
	var b bytes.Buffer
	for i := range fields {
		fmt.Fprintf(&b, "X-Trace-%d: passed through relay %d of the network\n", i, i)
	}
	return append(b.Bytes(), sievetest.BenchMessage()...)
}

// BenchmarkDecide is from the octets of a message to the decision.
func BenchmarkDecide(b *testing.B) {
	decide := func(name string, s *sieve.Script, raw []byte) {
		p := compiled(b, s)
		in := &interp.Input{Raw: raw, From: "alice@example.net", To: "user@example.org"}
		b.Run(name, func(b *testing.B) { cpu(b, func() { p.Run(in) }) })
	}
	for _, body := range []int{0, 28 << 10, 1 << 20} {
		decide(fmt.Sprintf("gateway/message=%dKB", 2+body>>10), sievetest.GatewayScript(), sized(body))
	}
	for _, n := range []int{1, 10, 25, 100, 500, 1000, 10000} {
		decide(fmt.Sprintf("mixed/rules=%d", n), mixedScript(n), sievetest.BenchMessage())
	}
	for _, n := range []int{0, 100, 1000, 10000} {
		decide(fmt.Sprintf("gateway/fields=%d", n), sievetest.GatewayScript(), wideHeader(n))
	}
}

// BenchmarkRunInto is a run over a header that is parsed, with a result that is
// used again.
func BenchmarkRunInto(b *testing.B) {
	in := sievetest.Input(sievetest.BenchMessage(), "alice@example.net", "user@example.org")
	for _, tt := range []struct {
		name string
		s    *sieve.Script
	}{{"gateway", sievetest.GatewayScript()}, {"mixed/rules=25", mixedScript(25)}, {"mixed/rules=500", mixedScript(500)}} {
		p := compiled(b, tt.s)
		var r interp.Result
		b.Run(tt.name, func(b *testing.B) { cpu(b, func() { p.RunInto(in, &r) }) })
	}
}

// BenchmarkCompileMixed compiles the rules of a user.
func BenchmarkCompileMixed(b *testing.B) {
	for _, n := range []int{25, 500} {
		s := mixedScript(n)
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			cpu(b, func() {
				if _, err := interp.Compile(s, interp.Options{}); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// hostile are scripts and messages that are slow where a program is careless.
func hostile() map[string]struct {
	s   *sieve.Script
	raw []byte
} {
	type pair = struct {
		s   *sieve.Script
		raw []byte
	}
	long := strings.Repeat("a", 1<<20)
	subject := []byte("Subject: " + long + "\n\n")
	header := func(m sieve.MatchType, keys ...string) *sieve.Script {
		return &sieve.Script{Commands: []sieve.Command{sieve.If{Test: sieve.Header{Names: []string{"Subject"}, Match: m, Keys: keys},
			Then: []sieve.Command{sieve.Discard{}}}}}
	}
	var keys, globs []string
	for i := range 20000 {
		keys = append(keys, fmt.Sprintf("a%dkey", i))
		globs = append(globs, fmt.Sprintf("*a%dkey*", i))
	}
	var parts bytes.Buffer
	parts.WriteString("Content-Type: multipart/mixed; boundary=b\n\n")
	for range 10000 {
		parts.WriteString("--b\nContent-Type: text/plain\n\ntext\n")
	}
	return map[string]pair{
		"glob of 1000 stars":  {header(sieve.Matches, strings.Repeat("*a", 1000)+"b"), subject},
		"a? 200 times":        {header(sieve.Regex, strings.Repeat("a?", 200)+strings.Repeat("a", 200)+"b"), subject},
		"20000 keys is":       {header(sieve.Is, keys...), subject},
		"20000 keys contains": {header(sieve.Contains, keys...), subject},
		"20000 keys matches":  {header(sieve.Matches, globs...), subject},
		"20000 addresses": {&sieve.Script{Commands: []sieve.Command{sieve.If{Test: sieve.Address{Names: []string{"To"},
			Keys: []string{"x@y"}}, Then: []sieve.Command{sieve.Discard{}}}}},
			[]byte("To: " + strings.Repeat("person@example.org, ", 20000) + "z@z\n\n")},
		"5000 encoded words": {header(sieve.Contains, "zzz"), []byte("Subject:" + strings.Repeat(" =?utf-8?q?=C3=A4bc?=", 5000) + "\n\n")},
		"10000 parts, the body": {&sieve.Script{Commands: []sieve.Command{sieve.If{Test: sieve.Body{Match: sieve.Contains,
			Keys: []string{"zzz"}}, Then: []sieve.Command{sieve.Discard{}}}}}, parts.Bytes()},
		"10000 parts, each part": {&sieve.Script{Commands: []sieve.Command{sieve.ForEveryPart{Block: []sieve.Command{sieve.If{Test: sieve.Header{Names: []string{"Content-Type"}, MIME: true, MIMEPart: sieve.MIMESubtype, Keys: []string{"html"}}, Then: []sieve.Command{sieve.Discard{}}}}}}}, parts.Bytes()},
		"10000 parts, any child": {&sieve.Script{Commands: []sieve.Command{sieve.ForEveryPart{Block: []sieve.Command{sieve.If{Test: sieve.Header{Names: []string{"Content-Type"}, MIME: true, AnyChild: true, MIMEPart: sieve.MIMESubtype, Keys: []string{"html"}}, Then: []sieve.Command{sieve.Discard{}}}}}}}, parts.Bytes()},
		"a million fields":       {header(sieve.Is, "x"), bytes.Repeat([]byte("Subject: y\n"), 1<<20)},
		"nested comments": {&sieve.Script{Commands: []sieve.Command{sieve.If{Test: sieve.Address{Names: []string{"To"},
			Keys: []string{"x@y"}}, Then: []sieve.Command{sieve.Discard{}}}}}, []byte("To: " + strings.Repeat("(", 1<<20) + "\n\n")},
	}
}

func BenchmarkHostile(b *testing.B) {
	for name, h := range hostile() {
		p := compiled(b, h.s)
		in := &interp.Input{Raw: h.raw}
		b.Run(name, func(b *testing.B) { cpu(b, func() { p.Run(in) }) })
	}
}

// TestHostile checks that none of them takes more than a few seconds of the
// processor, and that the message is kept where the steps are used up.
func TestHostile(t *testing.T) {
	for name, h := range hostile() {
		t.Run(name, func(t *testing.T) {
			p := compiled(t, h.s)
			start := processorTime(t)
			r := p.Run(&interp.Input{Raw: h.raw})
			took := processorTime(t) - start
			if r.Keep != interp.KeepImplicit && r.Keep != interp.KeepFailure {
				t.Errorf("%+v", r)
			}
			t.Logf("%v of processor time, error %v", took, r.Err)
			if took > 8*time.Second {
				t.Errorf("took %v of processor time", took)
			}
		})
	}
}

// TestSteps is about Options.MaxSteps: the decision is the same on every run,
// and a run that fails keeps the message.
func TestStepLimit(t *testing.T) {
	s := &sieve.Script{Commands: []sieve.Command{
		sieve.Discard{},
		sieve.If{Test: sieve.Header{Names: []string{"Subject"}, Match: sieve.Matches, Keys: []string{"*a*b"}},
			Then: []sieve.Command{sieve.Stop{}}},
	}}
	raw := []byte("Subject: " + strings.Repeat("a", 5000) + "\n\n")
	for _, tt := range []struct {
		steps int64
		keep  interp.ImplicitKeep
	}{{17000, interp.KeepFailure}, {30000, interp.KeepFailure}, {80000, interp.KeepCancelled}, {0, interp.KeepCancelled}} {
		p, err := interp.Compile(s, interp.Options{MaxSteps: tt.steps, Name: "s"})
		if err != nil {
			t.Fatal(err)
		}
		r := p.Run(&interp.Input{Raw: raw})
		if r.Keep != tt.keep || (r.Err != nil) != (tt.keep == interp.KeepFailure) {
			t.Errorf("%d steps: %+v", tt.steps, r)
		}
		if r.Err != nil && !strings.Contains(r.Err.Error(), "s:2:1: ") {
			t.Errorf("%d steps: %v names no line", tt.steps, r.Err)
		}
	}
}

// TestNoAllocations: a compiled script without variables runs over a parsed
// header without them, where the result is used again.
func TestNoAllocations(t *testing.T) {
	in := sievetest.Input(sievetest.BenchMessage(), "alice@example.net", "user@example.org")
	for name, s := range map[string]*sieve.Script{"gateway": sievetest.GatewayScript(), "mixed": mixedScript(500)} {
		p := compiled(t, s)
		var r interp.Result
		p.RunInto(in, &r) // the index of rules is made in the first run
		if n := testing.AllocsPerRun(100, func() { p.RunInto(in, &r) }); n > poolAllocations {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestMailboxMemory: what a mailbox costs that shares its script with all.
func TestMailboxMemory(t *testing.T) {
	const n = 1 << 20
	p := compiled(t, sievetest.GatewayScript())
	memory := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := memory()
	scripts := make([]interp.Sequence, n)
	for i := range scripts {
		scripts[i] = interp.Sequence{p, p}
	}
	in := &interp.Input{Raw: sievetest.BenchMessage()}
	for i := range scripts {
		if i%1024 == 0 {
			scripts[i].Run(in)
		}
	}
	each := float64(memory()-before) / n
	runtime.KeepAlive(scripts)
	if t.Logf("%.0f bytes for a mailbox", each); each > 200 {
		t.Errorf("%.0f bytes for a mailbox", each)
	}
}

// BenchmarkBeside is the gateway script over 2,000 messages, here and in
// Pigeonhole's sieve-filter, one after the other in each round; and the parse
// of 25 rules beside go-sieve's, which drops the positions and the comments.
func BenchmarkBeside(b *testing.B) {
	o := sievetest.NewOracle(b)
	const count = 2000
	messages := make([][]byte, count)
	for i := range messages {
		messages[i] = append([]byte(fmt.Sprintf("Message-ID: <%d@bench>\n", i)), sievetest.BenchMessage()...)
	}
	mailbox := o.Mailbox(b, "bench", messages)
	src := sievetest.GatewayScript().Format()
	rules := mixedScript(25).Format()
	p := compiled(b, sievetest.GatewayScript())
	var server, here, parse, other time.Duration
	for b.Loop() {
		start := time.Now()
		if list, ok := o.Decide(b, src, mailbox); !ok || len(list) != count {
			b.Fatal("sieve-filter")
		}
		server += time.Since(start)
		start = time.Now()
		for _, m := range messages {
			p.Run(&interp.Input{Raw: m})
		}
		here += time.Since(start)
		start = time.Now()
		for range 100 {
			if _, err := sieve.Parse("", rules); err != nil {
				b.Fatal(err)
			}
		}
		parse += time.Since(start)
		start = time.Now()
		for range 100 {
			if _, err := gosieve.Parse(bytes.NewReader(rules)); err != nil {
				b.Fatal(err)
			}
		}
		other += time.Since(start)
	}
	n := float64(b.N)
	b.ReportMetric(float64(server.Nanoseconds())/n/count, "sieve-filter-ns/message")
	b.ReportMetric(float64(here.Nanoseconds())/n/count, "ns/message")
	b.ReportMetric(float64(parse.Nanoseconds())/n/100, "parse-ns")
	b.ReportMetric(float64(other.Nanoseconds())/n/100, "go-sieve-parse-ns")
}
