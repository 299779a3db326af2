// Package release knows the versions of Postfix and Dovecot that emitted files
// are for.
package release

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// version reads the first two numbers of a version.
func version(s string) (major, minor int, ok bool) {
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == '.' || r == '-' || r == '+' || r == ' ' })
	if len(parts) < 2 {
		return 0, 0, false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return major, minor, err1 == nil && err2 == nil
}

// FirstPostfix and LastPostfix are the releases of Postfix whose defaults and language are known.
var FirstPostfix, LastPostfix = Release{3, 7}, Release{3, 10}

// FirstDovecot and lastDovecot are those of Dovecot.
var FirstDovecot, lastDovecot = Release{2, 3}, Release{2, 4}

// Release is the first two numbers of a program's version.
type Release struct{ Major, Minor int }

// String is "major.minor", as a policy writes it.
func (r Release) String() string { return fmt.Sprintf("%d.%d", r.Major, r.Minor) }

// Before reports whether a release is older than another.
func (r Release) Before(other Release) bool {
	return r.Major < other.Major || r.Major == other.Major && r.Minor < other.Minor
}

// Parse reads a version as a policy has it or as a program prints it:
// "3.7", "3.7.11", "mail_version = 3.7.11", "2.4.1-4 (7d8c0e5759)".
func Parse(s string) (Release, bool) {
	s = strings.TrimSpace(s)
	if name, value, ok := strings.Cut(s, "="); ok {
		if strings.TrimSpace(name) != "mail_version" {
			return Release{}, false
		}
		s = strings.TrimSpace(value)
	}
	s, _, _ = strings.Cut(s, " ")
	major, minor, ok := version(s)
	return Release{major, minor}, ok
}

// program is one of the two whose version matters.
type program struct {
	name        string // "Postfix"
	Ask         string // what tells the version
	first, last Release
}

// Postfix is Postfix.
var Postfix = program{"Postfix", "postconf -h mail_version", FirstPostfix, LastPostfix}

// Dovecot is Dovecot.
var Dovecot = program{"Dovecot", "dovecot --version", FirstDovecot, lastDovecot}

// Read reports what is wrong with a version, or returns its release.
func (p program) Read(errs reporter, at, text string) (Release, bool) {
	r, ok := Parse(text)
	switch {
	case !ok:
		errs.Add(at, fault.ErrInvalid, "what `"+p.Ask+"` prints", "%q is not a version", text)
	case r.Before(p.first):
		errs.Add(at, fault.ErrUnsupported, fmt.Sprintf("use %s %s to %s", p.name, p.first, p.last), "%s %s is too old", p.name, r)
	case p.last.Before(r):
		errs.Add(at, fault.ErrUnsupported, fmt.Sprintf("use %s %s to %s, or a release of this module that knows %s", p.name, p.first, p.last, r),
			"%s %s is not known, and a new release may bring settings that break the emitted guarantees", p.name, r)
	default:
		return r, true
	}
	return Release{}, false
}

// Patch reads the third number of a version, -1 where there is none.
func Patch(text string) int {
	m := patchNumber.FindStringSubmatch(text)
	if m == nil {
		return -1
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return -1
	}
	return n
}

var patchNumber = regexp.MustCompile(`^\s*(?:mail_version\s*=\s*)?[0-9]+\.[0-9]+\.([0-9]{1,4})\b`)

// Resolve finds the version of a program in the policy and in the
// installation, which must not contradict each other.
func (p program) Resolve(errs reporter, policy string, installation []Found) Release {
	at := "Server." + p.name
	var have Release
	var where string
	if policy != "" {
		if r, ok := Parse(policy); ok {
			have, where = r, at // Validate has judged it
		}
	}
	bad := false
	for _, f := range installation {
		if strings.TrimSpace(f.Text) == "" {
			continue
		}
		r, ok := p.Read(errs, f.At, f.Text)
		switch {
		case !ok:
			bad = true
		case where == "":
			have, where = r, f.At
		case r != have:
			errs.Add(at, fault.ErrConflict, fmt.Sprintf("write %s, or leave it out", r), "%s says %s, %s says %s", where, have, f.At, r)
		}
	}
	if where == "" && !bad {
		errs.Required(at, fmt.Sprintf("what `%s` prints, here or as Installation.%sVersion", p.Ask, p.name))
	}
	return have
}

// Found is a version that a file or a program's output names.
type Found struct{ At, Text string }

// reporter takes what is wrong: relay's Errors.
type reporter interface {
	Add(path string, kind error, fix, format string, args ...any)
	Required(path, fix string)
}
