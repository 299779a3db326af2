package postfix

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Parameter is one row of the table of Postfix's parameters: what postconf(1)
// -d prints in Postfix 3.7 to 3.10, which programs read it, and what generated
// services do with a value that they would inherit from main.cf.
type Parameter struct {
	name     string
	since    release
	origin   ValueOrigin
	defaults []releaseValue // in the order of releases
	readers  []string
	order    int // at start of every program, from 1; config_directory and the like have 0; -1: read later
	raw      bool
	// evaluated is what package mta does with it.
	evaluated Evaluation
	on        map[Place]Treatment
}

// releaseValue is a default from a release on.
type releaseValue struct {
	from  release
	value string
}

// release is the first two numbers of Postfix's version.
type release struct{ major, minor int }

// firstRelease is the oldest in the table.
var firstRelease = release{3, 7}

// parseRelease reads "3.7" or "3.10.13"; the first release of the table where
// there is none.
func parseRelease(s string) release {
	major, rest, _ := strings.Cut(s, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, err := strconv.Atoi(major)
	b, err2 := strconv.Atoi(minor)
	if err != nil || err2 != nil {
		return firstRelease
	}
	return release{a, b}
}

func (r release) before(other release) bool {
	return r.major < other.major || r.major == other.major && r.minor < other.minor
}

// ValueOrigin says where the default of a parameter comes from.
type ValueOrigin string

// Where defaults come from.
const (
	// Fixed: the release alone decides.
	Fixed ValueOrigin = ""
	// Build: whoever built Postfix chose it; the table has Debian's.
	Build ValueOrigin = "build"
	// Host: Postfix finds it out from the host, as myhostname.
	Host ValueOrigin = "host"
	// Version: it is the release, as mail_version.
	Version ValueOrigin = "release"
	// Process: the running program sets it, as process_id.
	Process ValueOrigin = "process"
)

//go:embed parameters.txt
var parametersText string

// table is parameters.txt, read once.
var table = sync.OnceValue(func() *parameterTable { return parseParameters(parametersText) })

type parameterTable struct {
	rows   []Parameter
	byName map[string]*Parameter
	// perTransport are the rows of parameters that are named after a transport
	// of master.cf, by the rest of the name.
	perTransport map[string]*Parameter
}

// transportName is how the table spells the name of any transport.
const transportName = "<transport>"

// Parameters returns all rows, by name. What has the name of a transport in
// front, as smtp_destination_rate_delay, is there once as
// "<transport>_destination_rate_delay", beside names that are built in.
func Parameters() []Parameter { return slices.Clone(table().rows) }

// LookupParameter returns the row of a parameter. ok is false where no release
// has it. What begins with the name of a transport has the row of its rule.
func LookupParameter(name string) (p Parameter, ok bool) {
	t := table()
	if row, ok := t.byName[name]; ok {
		return *row, true
	}
	for i := 1; i < len(name); i++ {
		if name[i] == '_' {
			if row, ok := t.perTransport[name[i:]]; ok {
				p := *row
				p.name = name
				return p, true
			}
		}
	}
	return Parameter{}, false
}

// Name is the parameter's name.
func (p Parameter) Name() string { return p.name }

// Origin says where the default comes from.
func (p Parameter) Origin() ValueOrigin { return p.origin }

// Since is the first release from 3.7 on that has the parameter, as "3.8".
func (p Parameter) Since() string { return fmt.Sprintf("%d.%d", p.since.major, p.since.minor) }

// Raw reports whether programs keep the value as it is written, and expand
// $name in it when they use it, with names of their own: luser_relay has $user.
func (p Parameter) Raw() bool { return p.raw }

// Default returns the default in a release ("3.7", "3.10.13") as postconf -d
// prints it, $name unexpanded; empty where the host, the release or the process
// decides. ok is false where the release doesn't have the parameter.
func (p Parameter) Default(release string) (value string, ok bool) {
	return p.defaultIn(parseRelease(release))
}

func (p Parameter) defaultIn(r release) (value string, ok bool) {
	if r.before(p.since) {
		return "", false
	}
	for _, d := range p.defaults {
		if r.before(d.from) {
			break
		}
		value, ok = d.value, true
	}
	return value, ok
}

// ReadBy reports whether a program ("smtpd", "trivial-rewrite") reads the
// parameter: all do that are asked for at start ([Parameter.ReadByAll]), the
// others as their manual page or their own table says.
func (p Parameter) ReadBy(program string) bool { return p.ReadByAll() || p.NamedBy(program) }

// ReadByAll reports whether every program reads the parameter when it starts.
func (p Parameter) ReadByAll() bool { return p.order >= 0 && p.name != "" }

// NamedBy reports whether a program asks for the parameter itself or lists it
// in its manual page.
func (p Parameter) NamedBy(program string) bool { return slices.Contains(p.readers, program) }

// Readers returns the programs of NamedBy, by name.
func (p Parameter) Readers() []string { return slices.Clone(p.readers) }

// seenBy reports whether the default of p is known when a program expands a
// value of other's: a default is defined when it has been read.
func (p Parameter) seenBy(program string, other Parameter) bool {
	if p.order >= 0 {
		return other.order < 0 || p.order < other.order
	}
	if other.order >= 0 {
		return false
	}
	if program != "" {
		return p.NamedBy(program)
	}
	return other.readers == nil || slices.ContainsFunc(other.readers, p.NamedBy)
}

func parseParameters(text string) *parameterTable {
	t := &parameterTable{byName: map[string]*Parameter{}, perTransport: map[string]*Parameter{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '\t':
			t.rows[len(t.rows)-1].attribute(line[1:])
		default:
			name, value := definitionOf(line)
			t.rows = append(t.rows, Parameter{name: name, since: firstRelease, order: -1, defaults: []releaseValue{{firstRelease, value}}})
		}
	}
	for i := range t.rows {
		p := &t.rows[i]
		t.byName[p.name] = p
		if suffix, ok := strings.CutPrefix(p.name, transportName); ok {
			t.perTransport[suffix] = p
		}
	}
	return t
}

// definitionOf splits "name = value" of the table.
func definitionOf(line string) (name, value string) {
	name, value, _ = strings.Cut(line, " =")
	return name, strings.TrimPrefix(value, " ")
}

// attribute reads a line below a row.
func (p *Parameter) attribute(line string) {
	if line[0] >= '0' && line[0] <= '9' {
		from, value := definitionOf(line)
		p.defaults = append(p.defaults, releaseValue{parseRelease(from), value})
		return
	}
	key, rest, _ := strings.Cut(line, " ")
	switch key {
	case "from":
		p.since = parseRelease(rest)
	case "raw":
		p.raw = true
	case "route":
		p.evaluated = Evaluation(rest)
	case "value":
		p.origin = ValueOrigin(rest)
	case "read":
		for _, word := range strings.Fields(rest) {
			if n, ok := strings.CutPrefix(word, "*"); ok {
				p.order, _ = strconv.Atoi(n)
				continue
			}
			p.readers = append(p.readers, word)
		}
	default:
		if p.on == nil {
			p.on = map[Place]Treatment{}
		}
		p.on[Place(key)] = parseTreatment(rest)
	}
}
