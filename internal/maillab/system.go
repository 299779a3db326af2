package maillab

import (
	"hash/fnv"
	"os"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// RootVariable is the environment variable with the directory of the Debian 13
// file system; without it, it is DefaultRoot.
const (
	RootVariable = "DEBIAN13_ROOT"
	DefaultRoot  = "/var/cache/oxmailroute/debian13"
)

// System is an installation of Postfix and Dovecot that runs are possible with.
type System struct {
	// Name is "host" or "debian13".
	Name string
	// Root is what World.Root must be.
	Root string
	// Postfix and Dovecot are the versions as the programs print them
	// ("3.10.13", "2.4.1 (7d8c0e5759)"); "" where the system isn't there.
	Postfix, Dovecot string
}

// defaults are what the programs of a root say of themselves. It is the same for
// every run, so they are asked once in a process.
type defaults struct {
	Postfix, Dovecot string // versions; "" where there are none
	// Settings are Postfix's defaults of some parameters.
	Settings map[string]string
}

// Host is the machine itself. What it runs is in the versions: Debian 12 has
// Postfix 3.7 and Dovecot 2.3.
func Host() System {
	s := System{Name: "host"}
	d := versions(s.Root)
	s.Postfix, s.Dovecot = d.Postfix, d.Dovecot
	return s
}

// Debian13 is a Debian 13 (Postfix 3.10, Dovecot 2.4) in a directory:
// $DEBIAN13_ROOT or DefaultRoot, as .ci/debian13 makes it.
func Debian13() System {
	s := System{Name: "debian13", Root: os.Getenv(RootVariable)}
	if s.Root == "" {
		s.Root = DefaultRoot
	}
	d := versions(s.Root)
	s.Postfix, s.Dovecot = d.Postfix, d.Dovecot
	return s
}

// Systems are Host and Debian13, whether they are there or not.
func Systems() []System { return []System{Host(), Debian13()} }

// DrawnSystems are the systems on which a case runs whose messages are drawn:
// both from TEST_SCALE=2 on, and below it one of them, by the case's name and the
// seed.
func DrawnSystems(tb testing.TB, name string) []System {
	tb.Helper()
	return oneSystem(servertest.Scale(tb) < 2, name)
}

// FixedSystems are the systems on which a case runs whose messages are always the
// same: both from TEST_SCALE=1.5 on, and in the plain run one of them, by the
// case's name and the seed.
func FixedSystems(tb testing.TB, name string) []System {
	tb.Helper()
	return oneSystem(servertest.Scale(tb) < servertest.DeepScale, name)
}

func oneSystem(one bool, name string) []System {
	all := Systems()
	if !one {
		return all
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	i := (uint64(h.Sum32()) + *servertest.Seed) % uint64(len(all))
	return all[i : i+1]
}

// NeedSystem skips the test where a run on the system isn't possible, or fails
// it under REQUIRE_SERVERS=1.
func NeedSystem(tb testing.TB, s System) {
	tb.Helper()
	Need(tb)
	if s.Postfix == "" || s.Dovecot == "" {
		servertest.Missing(tb, "maillab: no "+s.Name+" in "+s.Root+"/; .ci/debian13 makes one, "+RootVariable+" says where it is")
	}
}
