// Package relaytest holds a compiled policy to what is wanted of it: fixtures
// name a message and where it must go, [Check] compares, and [Run] makes a test
// of it.
//
// # Fixtures
//
// A fixture is one text file in txtar form. It opens with settings, one a line:
//
//	policy: lab.json                  (JSON policy, relative to the fixture)
//	base: base/postfix                (configuration directory; optional)
//	origin: gateway                   (a role, internet or pickup)
//	service: 127.0.1.1:2525           (optional: which listener of the role)
//	client: 127.0.2.1                 (optional: an ordinary client of the role)
//	tls: name=mail.conbool.com        (optional; see relay.Origin.SetTLS)
//	auth: false                       (optional)
//	smarthost: unverified             (optional; see relay.Peer)
//	assume: local users               (optional: an assumption that may be made)
//	from: z@remote.example            (empty: the null sender)
//	to: bob@example.com
//
// A decision that hangs on something that only another program can know
// (relay.Decision.Assumptions) fails the fixture, unless a line "assume" names
// it: by its setting, its file and line ("postfix/main.cf:12") or a part of what
// it says. There may be several such lines, and one that allows nothing fails,
// too. So does a decision with an error of the Directory.
//
// Lines that begin with # are comments. Then come the files: "message", the
// mail as it is sent; "want", one outcome a line; and any number of
// "script MAILBOX", that mailbox's own Sieve script. An outcome is the action,
// its target, and where it differs from the envelope's the recipient:
//
//	-- want --
//	mailbox INBOX
//	relay [mail.conbool.com]:25 <ext@remote.example>
//
// A "trace" file, where there is one, has one line for each step that must
// occur, in order: the policy path or the file and line that decided.
package relaytest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// Fixture is one message and where it must go.
type Fixture struct {
	Name    string
	Message relay.Message
	Want    []Outcome
	// Trace are places or policy paths that the way must touch, in order;
	// empty: not compared.
	Trace []string
	// Assume are the assumptions that the decision may make, each by the setting,
	// the place or a part of the text of its relay.Assumption. What isn't named
	// fails the fixture, and so does a name that nothing bears.
	Assume []string
}

// Outcome is the part of a relay.Outcome that a fixture states.
type Outcome struct {
	Action relay.Action
	Target string
	To     string
}

// Check reports where the decisions on the fixtures' messages are not what is
// wanted, all of them at once; nil where all are.
func Check(c *relay.Config, fixtures ...Fixture) error {
	var errs []error
	for _, f := range fixtures {
		if err := check(c, f); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func check(c *relay.Config, f Fixture) error {
	if err := c.Enters(f.Message.Origin); err != nil {
		return fmt.Errorf("%s: origin: %w", f.Name, err)
	}
	d := c.Route(context.Background(), &f.Message)
	got := make([]Outcome, len(d.Outcomes))
	for i, o := range d.Outcomes {
		got[i] = Outcome{o.Action, o.Target.String(), o.To}
	}
	if diff := cmp.Diff(f.Want, got); diff != "" {
		var trace strings.Builder
		for _, o := range d.Outcomes {
			fmt.Fprintf(&trace, "%s:\n%s", o, o.Trace)
		}
		return fmt.Errorf("%s: outcomes differ (-want +got):\n%s%s", f.Name, diff, trace.String())
	}
	if d.Err != nil {
		return fmt.Errorf("%s: the decision has an error: %w", f.Name, d.Err)
	}
	if err := f.assumptions(d); err != nil {
		return err
	}
	if len(f.Trace) == 0 {
		return nil
	}
	next := 0
	var places []string
	for _, o := range d.Outcomes {
		for _, s := range o.Trace {
			places = append(places, strings.TrimSpace(s.At()+" "+s.Rule))
			if next < len(f.Trace) && (s.At() == f.Trace[next] || s.Rule == f.Trace[next]) {
				next++
			}
		}
	}
	if next < len(f.Trace) {
		return fmt.Errorf("%s: the way does not touch %q in this order; it is:\n%s", f.Name, f.Trace[next], strings.Join(places, "\n"))
	}
	return nil
}

// assumptions holds what the decision assumes to what the fixture allows.
func (f Fixture) assumptions(d relay.Decision) error {
	var errs []error
	used := make([]bool, len(f.Assume))
	for _, u := range d.Assumptions {
		allowed := false
		for i, a := range f.Assume {
			at := u.File
			if u.Line > 0 {
				at = fmt.Sprintf("%s:%d", u.File, u.Line)
			}
			if a == u.Setting || a == at || a != "" && strings.Contains(u.String(), a) {
				used[i], allowed = true, true
			}
		}
		if !allowed {
			errs = append(errs, fmt.Errorf("%s: it hangs on %s: allow that by a line \"assume: %s\", or give what it asks for", f.Name, u,
				u.Setting))
		}
	}
	for i, a := range f.Assume {
		if !used[i] {
			errs = append(errs, fmt.Errorf("%s: assume %q: the decision assumes nothing of the kind", f.Name, a))
		}
	}
	return errors.Join(errs...)
}

// Run checks each fixture in a subtest.
func Run(t *testing.T, c *relay.Config, fixtures ...Fixture) {
	t.Helper()
	for _, f := range fixtures {
		t.Run(f.Name, func(t *testing.T) {
			if err := Check(c, f); err != nil {
				t.Error(err)
			}
		})
	}
}

// Load reads a fixture file and compiles the policy that it names. Paths in it
// are relative to the file and stay below fsys.
func Load(fsys fs.FS, name string) (*relay.Config, Fixture, error) {
	if fsys == nil {
		return nil, Fixture{}, errors.New("relaytest: Load needs a file system")
	}
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, Fixture{}, err
	}
	p, err := parse(name, data)
	if err != nil {
		return nil, Fixture{}, err
	}
	dir := path.Dir(name)
	file := path.Join(dir, p.policy)
	text, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, Fixture{}, fmt.Errorf("%s: policy: %w", name, err)
	}
	policy, err := relay.ParsePolicy(file, text)
	if err != nil {
		return nil, Fixture{}, err
	}
	in := relay.Installation{}
	if p.base != "" {
		sub, err := fs.Sub(fsys, path.Join(dir, p.base))
		if err == nil {
			in, err = relay.ReadInstallation(sub, policy.Server.ConfigDirectory)
		}
		if err != nil {
			return nil, Fixture{}, fmt.Errorf("%s: base: %w", name, err)
		}
	}
	in.Scripts = relay.ScriptMap(p.scripts)
	c, err := relay.Compile(policy, in)
	if err != nil {
		return nil, Fixture{}, fmt.Errorf("%s: %w", file, err)
	}
	f, err := p.fixture(c)
	return c, f, err
}

// parsed is a fixture file before its policy is compiled.
type parsed struct {
	name         string
	policy, base string
	settings     map[string]string
	assume       []string
	message      []byte
	want         []Outcome
	trace        []string
	scripts      map[string]*interp.Program
}

var known = map[string]bool{
	"policy": true, "base": true, "origin": true, "service": true, "client": true, "tls": true, "auth": true,
	"smarthost": true, "from": true, "to": true,
}

func parse(name string, data []byte) (*parsed, error) {
	a := txtar.Parse(data)
	p := &parsed{name: name, settings: map[string]string{}, scripts: map[string]*interp.Program{}}
	var errs []error
	fail := func(line int, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s:%d: %s", name, line, fmt.Sprintf(format, args...)))
	}
	for i, line := range strings.Split(string(a.Comment), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if value = strings.TrimSpace(value); ok && key == "assume" {
			if value == "" {
				fail(i+1, "assume says nothing: name a setting, or leave the line out")
			}
			p.assume = append(p.assume, value)
			continue
		}
		if _, dup := p.settings[key]; !ok || !known[key] {
			fail(i+1, "unknown setting %q", line)
		} else if dup {
			fail(i+1, "%s stands twice", key)
		}
		p.settings[key] = strings.TrimSpace(value)
	}
	for _, key := range []string{"policy", "origin", "to"} {
		if p.settings[key] == "" {
			errs = append(errs, fmt.Errorf("%s: %s is missing", name, key))
		}
	}
	if _, ok := p.settings["from"]; !ok {
		errs = append(errs, fmt.Errorf("%s: from is missing; leave its value empty for the null sender", name))
	}
	p.policy, p.base = p.settings["policy"], p.settings["base"]
	seen := map[string]bool{}
	for _, f := range a.Files {
		if seen[f.Name] {
			errs = append(errs, fmt.Errorf("%s: -- %s -- stands twice", name, f.Name))
		}
		seen[f.Name] = true
		mailbox, isScript := strings.CutPrefix(f.Name, "script ")
		switch {
		case f.Name == "message":
			p.message = f.Data
		case f.Name == "want":
			for _, line := range lines(f.Data) {
				o, err := parseOutcome(line, p.settings["to"])
				if err != nil {
					errs = append(errs, fmt.Errorf("%s: want: %w", name, err))
				}
				p.want = append(p.want, o)
			}
		case f.Name == "trace":
			p.trace = lines(f.Data)
		case isScript:
			s, err := sieve.Parse(f.Name, f.Data)
			if err == nil {
				p.scripts[mailbox], err = interp.Compile(s, interp.Options{Name: f.Name, Trace: true, AutoCreate: true})
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
			}
		default:
			errs = append(errs, fmt.Errorf("%s: unknown file %q", name, f.Name))
		}
	}
	if !seen["message"] || !seen["want"] {
		errs = append(errs, fmt.Errorf("%s: it needs -- message -- and -- want --", name))
	}
	return p, errors.Join(errs...)
}

func lines(data []byte) []string {
	var out []string
	for _, l := range strings.Split(string(data), "\n") {
		if l = strings.TrimSpace(l); l != "" && l[0] != '#' {
			out = append(out, l)
		}
	}
	return out
}

var actions = map[relay.Action]bool{
	relay.ActionRelay: true, relay.ActionMX: true, relay.ActionMailbox: true, relay.ActionDiscard: true, relay.ActionReject: true, relay.ActionBounce: true, relay.ActionDefer: true,
}

func parseOutcome(line, to string) (Outcome, error) {
	o := Outcome{To: to}
	if i := strings.LastIndex(line, " <"); i > 0 && strings.HasSuffix(line, ">") {
		o.To = line[i+2 : len(line)-1]
		line = strings.TrimSpace(line[:i])
	}
	action, target, _ := strings.Cut(line, " ")
	o.Action, o.Target = relay.Action(action), strings.TrimSpace(target)
	if !actions[o.Action] {
		return o, fmt.Errorf("%q: an outcome is relay, mx, mailbox, discard, reject, bounce or defer", line)
	}
	return o, nil
}

func (p *parsed) fixture(c *relay.Config) (Fixture, error) {
	m := relay.Message{
		Origin: c.Origin(relay.Role(p.settings["origin"])), From: p.settings["from"], To: p.settings["to"],
		Raw: p.message, SmartHost: relay.Peer(p.settings["smarthost"]),
	}
	var errs []error
	if _, ok := p.settings["service"]; !ok {
		if err := c.Enters(m.Origin); err != nil {
			errs = append(errs, fmt.Errorf("%s: origin: %w", p.name, err))
		}
	}
	if s, ok := p.settings["service"]; ok {
		o, there := c.OriginAt(s)
		switch {
		case !there:
			errs = append(errs, fmt.Errorf("%s: service: no listener %q", p.name, s))
		case o.Role == m.Origin.Role:
			m.Origin = o
		default: // a stranger there
			m.Origin.Service = s
		}
	}
	if s, ok := p.settings["client"]; ok {
		a, err := netip.ParseAddr(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: client: %w", p.name, err))
		}
		m.Origin.Client = a
	}
	if s, ok := p.settings["tls"]; ok {
		if err := m.Origin.SetTLS(s); err != nil {
			errs = append(errs, fmt.Errorf("%s: tls: %w", p.name, err))
		}
	}
	if s, ok := p.settings["auth"]; ok {
		b, err := strconv.ParseBool(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: auth: %w", p.name, err))
		}
		m.Origin.Authenticated = b
	}
	switch m.SmartHost {
	case relay.PeerVerified, relay.PeerUnverified, relay.PeerPlaintext, relay.PeerNoLogin, relay.PeerDown:
	default:
		errs = append(errs, fmt.Errorf("%s: smarthost: %q is unverified, plaintext, nologin, down or left out", p.name, m.SmartHost))
	}
	return Fixture{Name: p.name, Message: m, Want: p.want, Trace: p.trace, Assume: p.assume}, errors.Join(errs...)
}
