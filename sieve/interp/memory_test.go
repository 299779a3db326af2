package interp_test

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// peakHeap returns how far the heap grew at most while f ran, in octets, what is
// garbage but not collected yet included.
func peakHeap(f func()) uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	read := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	runtime.GC()
	base := read()
	done, peak := make(chan struct{}), make(chan uint64)
	go func() {
		most := read()
		for {
			select {
			case <-done:
				peak <- max(most, read())
				return
			case <-time.After(200 * time.Microsecond):
				most = max(most, read())
			}
		}
	}()
	f()
	close(done)
	return max(<-peak, base) - base
}

// many is a script with the test so many times, %d in it being its number.
func many(tb testing.TB, n int, test string) *sieve.Script {
	tb.Helper()
	var b strings.Builder
	b.WriteString(hostileRequire + `set "f" "Subject"; set "k" "nothing";` + "\n")
	for i := range n {
		b.WriteString("if " + strings.ReplaceAll(test, "%d", fmt.Sprint(i)) + " { discard; }\n")
	}
	s, err := sieve.Parse("", []byte(b.String()))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// large is a message with n octets of text in one place.
func large(where string, n int) []byte {
	text := strings.Repeat("Some Text, as PEOPLE write it. ", n/31)
	switch where {
	case "header":
		return []byte("From: a@b\nSubject: " + text + "\n\nbody\n")
	case "wide header":
		return []byte("From: a@b\nSubject: " + strings.ReplaceAll(text, "P", "\u00c4") + "\n\nbody\n")
	case "fields":
		return append(bytes.Repeat([]byte("Subject: Some Text, as PEOPLE write it, in a short field\n"), n/57), "\nbody\n"...)
	case "addresses":
		return append(bytes.Repeat([]byte("To: A@B.example, C@D.example, E@F.example, G@H.example, I@J.example\n"), n/67), "\nbody\n"...)
	case "html":
		return []byte("Content-Type: text/html\n\n" + strings.ReplaceAll(text, ",", "<b>,</b>"))
	case "part":
		return []byte("Content-Type: multipart/mixed; boundary=b\n\n--b\nSubject: " + text + "\n\nbody\n--b--\n")
	case "latin":
		return []byte("Content-Type: text/plain; charset=iso-8859-15\n\n" + strings.ReplaceAll(text, "P", "\xc4"))
	}
	return []byte("From: a@b\nSubject: hello\n\n" + strings.ReplaceAll(text, "it. ", "it.\n"))
}

// memoryCases are tests that had a copy of the message each.
var memoryCases = []struct{ where, test string }{
	{"body", `body :text :contains "nothing %d"`},
	{"body", `body :raw :contains "nothing %d"`},
	{"body", `body :content "text" :contains "nothing %d"`},
	{"body", `body :text :contains "${k} %d"`},
	{"body", `body :text :is "nothing %d"`},
	{"body", `body :text :matches "*nothing %d"`},
	{"body", `body :text :contains :comparator "i;unicode-casemap" "nothing %d"`},
	{"html", `body :text :contains "nothing %d"`},
	{"latin", `body :text :contains "nothing %d"`},
	{"header", `header :contains "Subject" "nothing %d"`},
	{"header", `header :contains "Subject" "${k} %d"`},
	{"header", `header :contains "${f}" "nothing %d"`},
	{"header", `header :contains :index 1 "Subject" "nothing %d"`},
	{"header", `header :mime :anychild :contains "Subject" "nothing %d"`},
	{"wide header", `header :mime :anychild :contains "Subject" "nothing %d"`},
	{"wide header", `header :contains "${f}" "nothing %d"`},
	{"part", `header :mime :anychild :contains "Subject" "nothing %d"`},
	{"part", `header :mime :anychild :contains "${f}" "nothing %d"`},
	{"fields", `header :mime :anychild :contains "Subject" "nothing %d"`},
	{"fields", `header :contains "Subject" "nothing %d"`},
	{"addresses", `address :contains "To" "nothing%d"`},
	{"addresses", `address :mime :anychild :contains "To" "nothing%d"`},
}

// TestRunMemory: the memory of a run is bounded by the message and the script,
// not by the number of tests times the message; with a trace too.
func TestRunMemory(t *testing.T) {
	const limit = 32 << 20
	for _, tt := range servertest.Part(t, memoryCases, (len(memoryCases)+1)/2) {
		raw := large(tt.where, 1<<20)
		for _, trace := range []bool{false, true} {
			p, err := interp.Compile(many(t, memoryTests, tt.test), interp.Options{Trace: trace})
			if err != nil {
				t.Fatal(err)
			}
			var r interp.Result
			peak := peakHeap(func() { r = p.Run(&interp.Input{Raw: raw, From: "a@b", To: "c@d"}) })
			if t.Logf("%s in the %s, trace %v: %.1f MB, %v", tt.test, tt.where, trace, float64(peak)/(1<<20), r.Err); peak > limit {
				t.Errorf("%s in the %s, trace %v: %d MB", tt.test, tt.where, trace, peak>>20)
			}
		}
	}
}

// TestRunMemoryLarge: a hundred tests on 10 MB end within the default MaxSteps.
func TestRunMemoryLarge(t *testing.T) {
	for _, tt := range memoryCases[:3] {
		raw := large(tt.where, 10<<20)
		p := compiled(t, many(t, memoryTests/4, tt.test))
		var r interp.Result
		peak := peakHeap(func() { r = p.Run(&interp.Input{Raw: raw}) })
		if t.Logf("%s: %.1f MB", tt.test, float64(peak)/(1<<20)); r.Err != nil || peak > 100<<20 {
			t.Errorf("%s: %d MB, %v", tt.test, peak>>20, r.Err)
		}
	}
}
