package relay_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// layout is a customer's mail server: an archive in testdata/layouts with its
// files, the policy for it, and test.json.
type layout struct {
	name   string
	policy relay.Policy
	in     relay.Installation
	others map[string][]byte // of other instances, and of /etc
	test   layoutTest
}

// layoutTest says what of the layout's messages touch, and what must be seen of
// its features.
type layoutTest struct {
	Users      []string          // mailboxes; nil: those of the tests' world
	Scripts    map[string]string // users' scripts beside those of the tests' world
	Senders    []string          // beside the generator's own
	Recipients [][]string        // beside the generator's own
	Headers    []string          // header lines that touch features
	Milters    []maillab.Milter
	Filters    []maillab.Filter
	Sinks      []maillab.Sink
	Names      map[string]maillab.Name
	// Addresses are the addresses of the listeners whose names don't say them.
	Addresses map[string]string
	Once      []once
	Copies    []copies
	// Dovecot and Dovecot24 are settings of the customer's.
	Dovecot, Dovecot24 string
	// Complaints are what the programs say of the customer's own files.
	Complaints []string
	// Refused are messages that a milter refuses, which Route can't know.
	Refused []refused
	// PutOff: postscreen puts strangers off with 450 where they would be refused
	// with 554, which Route doesn't follow.
	PutOff bool
	// BeyondASCII are the recipients of messages whose sender is. The sinks take
	// them then; Dovecot doesn't.
	BeyondASCII [][]string
}

// once is the mark of a feature: a header field that each copy must have as
// often as the customer's configuration alone would put it there.
type once struct {
	Field, Value string
	Header       string       // only messages with this line
	Entries      []relay.Role // only messages that enter so
	Ends         []maillab.Kind
	Times        *int // 1
}

// copies is an address that gets a copy of each message.
type copies struct {
	Address string
	Sender  string // only messages from senders that end in this
	Entries []relay.Role
}

// refused are messages that a milter refuses.
type refused struct {
	Header  string // with this line
	Entries []relay.Role
	Code    int
}

// stockServices are the lines of the distributed master.cf that layouts have in
// common, for "@stock" (Postfix's own) and "@stock-chroot" (Debian's).
const stockServices = `cleanup   unix  n       -       C       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       C       1000?   1       tlsmgr
rewrite   unix  -       -       C       -       -       trivial-rewrite
bounce    unix  -       -       C       -       0       bounce
defer     unix  -       -       C       -       0       bounce
trace     unix  -       -       C       -       0       bounce
verify    unix  -       -       C       -       1       verify
flush     unix  n       -       C       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
proxywrite unix -       -       n       -       1       proxymap
smtp      unix  -       -       C       -       -       smtp
relay     unix  -       -       C       -       -       smtp
        -o syslog_name=postfix/$service_name
showq     unix  n       -       C       -       -       showq
error     unix  -       -       C       -       -       error
retry     unix  -       -       C       -       -       error
discard   unix  -       -       C       -       -       discard
local     unix  -       n       n       -       -       local
virtual   unix  -       n       n       -       -       virtual
lmtp      unix  -       -       C       -       -       lmtp
anvil     unix  -       -       C       -       1       anvil
scache    unix  -       -       C       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
`

// stocked fills in what layouts have in common: the services of master.cf, and
// the mailboxes and aliases of the tests' world.
func stocked(text []byte) []byte {
	return []byte(strings.NewReplacer(
		"@mailboxes\n", strings.Join(users, "\tOK\n")+"\tOK\n",
		"@aliases\n", "team@example.com\tbob@example.com, ext@remote1.test\nall@example.net\tteam@example.com, carol@example.net, fwd@example.com\noutside@example.org\text@remote2.test\n",
		"@stock-chroot\n", strings.ReplaceAll(stockServices, " C ", " y "),
		"@stock\n", strings.ReplaceAll(stockServices, " C ", " n "),
	).Replace(string(text)))
}

// layouts reads all archives.
func layouts(tb testing.TB) []layout {
	tb.Helper()
	names, err := filepath.Glob("testdata/layouts/*.txtar")
	if err != nil || len(names) == 0 {
		tb.Fatal("no layouts: ", err)
	}
	var out []layout
	for _, file := range names {
		a, err := txtar.ParseFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		l := layout{name: strings.TrimSuffix(filepath.Base(file), ".txtar"), in: relay.Installation{Files: map[string][]byte{}},
			others: map[string][]byte{}}
		for _, f := range a.Files {
			switch base, ours := strings.CutPrefix(f.Name, "postfix/"); {
			case f.Name == "policy.json":
				l.policy = overLab(tb, file, f.Data)
				l.in.ConfigDirectory = l.policy.Server.ConfigDirectory
			case f.Name == "test.json":
				d := json.NewDecoder(strings.NewReader(string(f.Data)))
				d.DisallowUnknownFields()
				if err := d.Decode(&l.test); err != nil {
					tb.Fatal(file, ": ", err)
				}
			case ours:
				l.in.Files["/etc/"+l.directory()+"/"+base] = stocked(f.Data)
			default:
				l.others[f.Name] = stocked(f.Data)
			}
		}
		if l.test.Users == nil {
			l.test.Users = users
		}
		out = append(out, l)
	}
	return out
}

// overLab is the policy of the tests' world with some of its values replaced,
// and without versions, which the system says.
func overLab(tb testing.TB, file string, values []byte) relay.Policy {
	tb.Helper()
	base, err := os.ReadFile(testdata + "lab.json")
	if err != nil {
		tb.Fatal(err)
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(base, &all); err != nil {
		tb.Fatal(err)
	}
	all["Server"] = []byte("{}")
	if err := json.Unmarshal(values, &all); err != nil {
		tb.Fatal(file, ": ", err)
	}
	text, err := json.Marshal(all)
	if err != nil {
		tb.Fatal(err)
	}
	p, err := relay.ParsePolicy("policy.json", text)
	if err != nil {
		tb.Fatal(file, ": ", err)
	}
	return p
}

// directory is where the layout's instance has its files: "postfix", or another
// instance's.
func (l layout) directory() string {
	if d := l.policy.Server.ConfigDirectory; d != "" {
		return strings.TrimPrefix(d, "/etc/")
	}
	return "postfix"
}

// compile compiles the policy for a system.
func (l *layout) compile(t *testing.T, s maillab.System) *relay.Config {
	t.Helper()
	l.in.PostfixVersion, l.in.DovecotVersion = s.Postfix, s.Dovecot
	scripts := relay.ScriptMap{}
	l.in.Scripts = scripts
	for user, text := range l.scripts() {
		script, err := sieve.Parse(user, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if scripts[user], err = interp.Compile(script, interp.Options{Name: user, AutoCreate: true, Trace: true}); err != nil {
			t.Fatal(err)
		}
	}
	return compile(t, l.policy, l.in)
}

// scripts are the users' scripts.
func (l layout) scripts() map[string]string {
	all := maps.Clone(l.test.Scripts)
	if all == nil {
		all = map[string]string{}
	}
	for user, text := range userScripts {
		if _, own := all[user]; !own && slices.Contains(l.test.Users, user) {
			all[user] = text
		}
	}
	return all
}

// world is the default world with what the layout needs.
func (l layout) world(s maillab.System) maillab.World {
	w := maillab.DefaultWorld()
	w.Root = s.Root
	w.Milters, w.Filters = l.test.Milters, l.test.Filters
	w.Sinks = append(w.Sinks, l.test.Sinks...)
	for name, n := range l.test.Names {
		w.Names[name] = n
	}
	if len(l.test.BeyondASCII) > 0 {
		for i := range w.Sinks {
			w.Sinks[i].Extensions = maillab.DefaultExtensions("SMTPUTF8")
		}
	}
	if !slices.ContainsFunc(l.policy.Tenants, func(t relay.Tenant) bool { return slices.Contains(t.Domains, "example.org") }) ||
		l.policy.Topology == relay.TopologyOutbound {
		// Its MX is this host in the default world, which would find itself there.
		w.Names["example.org"] = maillab.Name{MX: []maillab.MX{{Preference: 10, Host: "mx.other.test"}}}
	}
	return w
}

// site is the customer's configuration, with our files or without.
func (l layout) site(c *relay.Config) maillab.Site {
	site := maillab.Site{Files: map[string][]byte{}, Dovecot: l.test.Dovecot, Dovecot24: l.test.Dovecot24, Users: l.test.Users,
		NoDovecot: l.policy.Topology == relay.TopologyOutbound}
	for name, data := range configured(l.in) {
		site.Files[l.directory()+"/"+name] = data
	}
	for name, data := range l.others {
		if rest, ok := strings.CutPrefix(name, "default/"); ok { // the first of several instances
			name = "postfix/" + rest
		}
		site.Files[name] = data
	}
	for user, text := range l.scripts() {
		site.Files["sieve/users/"+user+".sieve"] = []byte(text)
	}
	if c == nil {
		return site
	}
	for _, f := range c.Files() {
		name := f.Name
		if rest, ok := strings.CutPrefix(name, "postfix/"); ok {
			name = l.directory() + "/" + rest
		}
		site.Files[name] = f.Data
	}
	return site
}

// layoutMessages is how many messages each layout gets on each system, and
// untouchedMessages how many more that have nothing to do with the gateway.
const (
	layoutMessages    = 200
	untouchedMessages = 60
)

// someLayouts are a third of the layouts in a plain run, else all.
func someLayouts(t *testing.T) []layout {
	all := layouts(t)
	return servertest.Part(t, all, (len(all)+2)/3)
}

// TestLayouts brings customers' mail servers up with the compiled files. Route must agree with the servers on every recipient, every
// feature
// of the customer's must show as often as without us, and mail that has nothing
// to do with the gateway must end where it ends without our files.
func TestLayouts(t *testing.T) {
	t.Parallel() // much of a run is waiting
	all := layouts(t)
	for _, l := range servertest.Part(t, all, 2) {
		for _, system := range maillab.DrawnSystems(t, l.name) {
			t.Run(system.Name+"/"+l.name, func(t *testing.T) {
				maillab.NeedSystem(t, system)
				t.Parallel() // much of a run is waiting
				l.run(t, system)
			})
		}
	}
}

func (l layout) run(t *testing.T, system maillab.System) {
	w := l.world(system)
	c := l.compile(t, system)
	g := &layoutGenerator{generator: generator{rand: rand.New(rand.NewPCG(*seed, 3)), policy: l.policy, world: w}, layout: l}
	var all []generated
	for i := range max(layoutMessages, drawn(t, layoutMessages)) {
		all = append(all, g.message(i))
	}
	sent := l.telling(t, c, all, drawn(t, layoutMessages))
	var untouched []maillab.Message
	for i := len(all); len(untouched) < drawn(t, untouchedMessages); i++ {
		if m := g.message(i); g.untouched(c, m) {
			sent, untouched = append(sent, m), append(untouched, m.lab)
		}
	}
	msgs := make([]maillab.Message, len(sent))
	for i, m := range sent {
		msgs[i] = m.lab
	}
	site := l.site(c)
	result := maillab.Run(t, w, site, msgs)
	again(t, w, site, msgs, &result)
	for _, c := range result.Complaints {
		if !slices.ContainsFunc(l.test.Complaints, func(s string) bool { return strings.Contains(c, s) }) {
			t.Errorf("complaint: %s", c)
		}
	}
	if !result.Drained {
		t.Error("the queues did not drain")
	}
	for _, p := range result.Stray {
		t.Errorf("a copy of no message: %s <%s> from <%s>\n%s", p, p.Address, p.Sender, p.Header)
	}
	differ := 0
	ends := map[string]int{}
	var trace strings.Builder
	judge := func(m generated, o maillab.Outcome) (want, got []string) {
		trace.Reset()
		for _, to := range m.lab.Recipients {
			q := m.query
			q.To = to
			d := c.Route(t.Context(), &q)
			want = append(want, l.expected(d, m)...)
			got = append(got, observed(o, to, d, l.policy)...)
			trace.WriteString(traces(d))
		}
		for to := range o.Recipients { // copies that the customer's settings make
			if !slices.Contains(m.lab.Recipients, to) {
				got = append(got, observed(o, to, relay.Decision{}, l.policy)...)
			}
		}
		return portless(want), l.known(portless(got), m)
	}
	for _, m := range sent {
		want, got := judge(m, result.Messages[m.lab.ID])
		for _, k := range want {
			ends[strings.Fields(k)[0]]++
		}
		if !slices.Equal(want, got) {
			if differ++; differ == 1 {
				defer smallest(t, w, site, l.name+"/policy.json", m, judge)
			}
			if differ <= 10 {
				t.Errorf("%s %s\nRoute:\n  %s\nservers:\n  %s\n%s%s", m.what, m.lab.Recipients,
					strings.Join(want, "\n  "), strings.Join(got, "\n  "), m.lab.Raw[:min(len(m.lab.Raw), 600)], trace.String())
			}
		}
	}
	if differ > 10 {
		t.Errorf("%d messages differ in all", differ)
	}
	l.count(t, sent, result)
	l.untouched(t, w, untouched, result)
	t.Logf("%d messages in %.0f s, ends: %v", len(sent), result.Seconds, ends)
	if t.Failed() {
		for _, line := range result.Warnings[:min(len(result.Warnings), 20)] {
			t.Log(line)
		}
	}
}

// telling chooses n messages, those first that have something to say that none
// before them has: a way in, an end, a feature's mark or copy.
func (l layout) telling(t *testing.T, c *relay.Config, all []generated, n int) []generated {
	seen := map[string]int{}
	says := func(m generated) (out []string) {
		role := m.query.Origin.Role
		out = append(out, "in by "+string(role))
		ends := map[relay.Action]bool{}
		for _, to := range m.lab.Recipients {
			q := m.query
			q.To = to
			for _, o := range c.Route(t.Context(), &q).Outcomes {
				ends[o.Action] = true
				out = append(out, "ends by "+string(o.Action), "ends by "+string(o.Action)+" from "+string(role))
			}
		}
		arrives := ends[relay.ActionRelay] || ends[relay.ActionMX] || ends[relay.ActionMailbox]
		for i, o := range l.test.Once {
			if arrives && (o.Header == "" || strings.Contains(string(m.lab.Raw), o.Header)) && (len(o.Entries) == 0 ||
				slices.Contains(o.Entries, role)) {
				for a := range ends {
					out = append(out, fmt.Sprintf("mark %d at %s", i, a))
				}
			}
		}
		for i, o := range l.test.Copies {
			if arrives && strings.HasSuffix(strings.ToLower(m.lab.From), o.Sender) && (len(o.Entries) == 0 || slices.Contains(o.Entries, role)) {
				out = append(out, fmt.Sprintf("copy %d", i))
			}
		}
		return out
	}
	var first, rest []generated
	for _, m := range all {
		fresh := false
		for _, s := range says(m) {
			seen[s]++
			fresh = fresh || seen[s] == 1
		}
		if fresh {
			first = append(first, m)
		} else {
			rest = append(rest, m)
		}
	}
	out := append(first, rest...)
	return out[:min(len(out), max(n, len(first)))]
}
