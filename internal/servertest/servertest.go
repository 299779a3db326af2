// Package servertest finds the real programs that referee the tests.
package servertest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"testing"
)

// Variable is the environment variable that turns every skip for a missing
// program into a failure: "1" requires, "" and "0" do not.
const Variable = "REQUIRE_SERVERS"

// Overlap has four times as many parallel tests run at once as there are
// processors, unless -parallel says otherwise. It is for TestMain, where tests
// wait for other programs most of the time: Postfix's sleep for a second before
// they end on an error.
func Overlap() {
	if err := flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0))); err != nil {
		panic(err) // the flag is testing's own
	}
}

// Required reports whether missing programs are failures. Any value but "",
// "0" and "1" fails the test, so that a misspelt setting can't hide skips.
func Required(tb testing.TB) bool {
	tb.Helper()
	switch v := os.Getenv(Variable); v {
	case "1":
		return true
	case "", "0":
		return false
	default:
		tb.Fatalf("%s=%q: want 0 or 1", Variable, v)
		return false
	}
}

// Need returns the path of the program. Where it isn't installed the test is
// skipped, or fails under REQUIRE_SERVERS=1.
func Need(tb testing.TB, program string) string {
	tb.Helper()
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	// Debian keeps most of these out of an ordinary user's PATH.
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/lib/dovecot"} {
		path := dir + "/" + program
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	Missing(tb, program+" is not installed")
	return ""
}

// Missing skips the test for the reason, or fails it under REQUIRE_SERVERS=1.
func Missing(tb testing.TB, reason string) {
	tb.Helper()
	if Required(tb) {
		tb.Fatal(reason)
	}
	tb.Skip(reason)
}

// ScaleVariable is the environment variable that scales how much the tests draw
// and how long they run: a positive number, "1" where it is not set. Numbers
// below 1 draw less.
const ScaleVariable = "TEST_SCALE"

// Scale is the number in TEST_SCALE. A value that is no positive number fails
// the test.
func Scale(tb testing.TB) float64 {
	tb.Helper()
	v := os.Getenv(ScaleVariable)
	if v == "" {
		return 1
	}
	scale, err := strconv.ParseFloat(v, 64)
	if err != nil || !(scale > 0) || scale > 1e6 {
		tb.Fatalf("%s=%q: want a number from above 0 to 1000000", ScaleVariable, v)
	}
	return scale
}

// Scaled returns n times the number in TEST_SCALE, and at least 1, so that a
// small scale skips nothing. Where the test fails it says how to draw the same
// again.
func Scaled(tb testing.TB, n int) int {
	tb.Helper()
	scale := Scale(tb)
	drawn(tb)
	return max(1, int(float64(n)*scale+0.5))
}

// OneIn says which part of all cases is tried: one in n divided by the number in
// TEST_SCALE, and all of them from TEST_SCALE=n on.
func OneIn(tb testing.TB, n int) int {
	tb.Helper()
	scale := Scale(tb)
	drawn(tb)
	return max(1, int(float64(n)/scale+0.5))
}

// DeepScale is the TEST_SCALE from which on Deep and Part cut nothing. CI's
// second run has it.
const DeepScale = 1.5

// Deep returns few in a plain run, all at TEST_SCALE=1.5, in proportion between
// and beyond, and at least 1: for what is too slow to be drawn often in a plain
// run.
func Deep(tb testing.TB, few, all int) int {
	tb.Helper()
	scale := Scale(tb)
	drawn(tb)
	n := float64(few) * scale
	switch {
	case scale >= DeepScale:
		n = float64(all) * scale / DeepScale
	case scale > 1:
		n = float64(few) + (scale-1)/(DeepScale-1)*float64(all-few)
	}
	return max(1, int(n+0.5))
}

// Part returns about n of the cases in a plain run, spread evenly over the list
// and others for another seed, and all of them from TEST_SCALE=1.5 on: for fixed
// cases each of which costs a process or more.
func Part[T any](tb testing.TB, cases []T, n int) []T {
	tb.Helper()
	n = Deep(tb, n, len(cases))
	if n >= len(cases) {
		return cases
	}
	step := (len(cases) + n - 1) / n
	var part []T
	for i := int(*Seed % uint64(step)); i < len(cases); i += step {
		part = append(part, cases[i])
	}
	return part
}

// SeedVariable is the environment variable with the seed of what the tests draw,
// "1" where it is not set.
const SeedVariable = "TEST_SEED"

// Seed is the seed of what the tests draw: the flag -seed, else TEST_SEED.
var Seed = flag.Uint64("seed", seedDefault(), "seed of what the tests draw; the default is in "+SeedVariable)

func seedDefault() uint64 {
	v := os.Getenv(SeedVariable)
	if v == "" {
		return 1
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s=%q: want a whole number\n", SeedVariable, v)
		os.Exit(2)
	}
	return n
}

// told are the tests that say how they drew where they fail.
var told sync.Map

func drawn(tb testing.TB) {
	if _, done := told.LoadOrStore(tb, true); done {
		return
	}
	tb.Cleanup(func() {
		told.Delete(tb)
		if tb.Failed() {
			tb.Logf("drawn with %s=%d %s=%v", SeedVariable, *Seed, ScaleVariable, Scale(tb))
		}
	})
}
