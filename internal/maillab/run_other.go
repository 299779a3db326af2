//go:build !linux

package maillab

import (
	"errors"
	"runtime"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// errPlatform is the answer of systems without Linux namespaces.
var errPlatform = errors.New("needs Linux, this is " + runtime.GOOS)

// IsChild reports whether this process is the inner part of a run.
func IsChild() bool { return false }

// Child does the inner part of a run and returns the exit status.
func Child() int { return 2 }

// Need skips the test, or fails it under REQUIRE_SERVERS=1: the runs need Linux.
func Need(tb testing.TB) {
	tb.Helper()
	servertest.Missing(tb, "maillab: "+errPlatform.Error())
}

func run(World, Site, []Message, float64) (Result, error) { return Result{}, errPlatform }

func versions(string) defaults { return defaults{} }
