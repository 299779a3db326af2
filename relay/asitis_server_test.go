package relay_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/relay/mailstore"
	"github.com/oxmailroute/oxmailroute/sieve/dovecot"
)

// TestAsItIs loads every layout as it is, without a policy and before anything
// was compiled, and asks it beside the servers that run the same files: replies,
// destinations, folders, envelopes and headers must agree. TEST_SCALE=5 draws 200
// messages a layout on both systems:
//
//	TEST_SCALE=5 REQUIRE_SERVERS=1 go test ./relay -run TestAsItIs -timeout 60m
func TestAsItIs(t *testing.T) {
	t.Parallel() // much of a run is waiting
	for _, l := range servertest.Part(t, layouts(t), 1) {
		for _, system := range maillab.DrawnSystems(t, l.name) {
			t.Run(system.Name+"/"+l.name, func(t *testing.T) {
				maillab.NeedSystem(t, system)
				t.Parallel() // much of a run is waiting
				l.asItIs(t, system)
			})
		}
	}
}

// tree is the server's file system: the layout's files, and what the tests' world
// has in /etc. Tables are there compiled, too.
func (l layout) tree(site maillab.Site, host string) fstest.MapFS {
	root := fstest.MapFS{
		"etc/mailname": {Data: []byte(host + "\n")},
		"etc/aliases":  {Data: []byte("postmaster: root\nroot: /dev/null\n")}, "etc/aliases.db": {},
	}
	for name, data := range site.Files {
		if rest, ok := strings.CutPrefix(name, "sieve/"); ok {
			name = "dovecot/sieve/" + rest
		}
		name = "etc/" + strings.TrimPrefix(name, "etc/")
		root[name] = &fstest.MapFile{Data: data}
		if strings.HasPrefix(name, "etc/postfix") && !strings.HasSuffix(name, ".cf") {
			root[name+".db"] = &fstest.MapFile{}
		}
	}
	return root
}

// load loads the layout's instance: with what the server's own programs say of
// themselves, and Dovecot behind it.
func (l layout) load(t *testing.T, system maillab.System, site maillab.Site, host string, defaults, doveconf []byte,
	passwd map[string]bool) *mta.Instance {
	t.Helper()
	root := l.tree(site, host)
	o := mta.Options{ConfigDirectory: "/etc/" + l.directory(), Hostname: host, Release: system.Postfix, Defaults: defaults, Users: passwd}
	store := mailstore.Store{Config: dovecot.Read(doveconf), Root: root, Users: map[string]bool{}}
	for _, u := range l.test.Users {
		store.Users[u] = true
	}
	if l.directory() != "postfix" {
		store.Sendmail = "127.0.1.2:25" // where the first instance hands everything over
	}
	store.Options(&o)
	for _, listener := range l.policy.Listeners {
		if listener.Role == relay.RoleReinjection && o.Returns == "" {
			o.Returns = listener.Service
		}
	}
	instance, err := mta.Load(root, o)
	if err != nil {
		t.Fatal(err)
	}
	return instance
}

func (l layout) asItIs(t *testing.T, system maillab.System) {
	w := l.world(system)
	g := &layoutGenerator{generator: generator{rand: rand.New(rand.NewPCG(*seed, 7)), policy: l.policy, world: w}, layout: l}
	site := l.site(nil)
	site.After = []string{"postconf -d", "doveconf -n", "cut -d: -f1 /etc/passwd"}
	there := map[string]bool{"sendmail": true}
	for _, listener := range l.policy.Listeners {
		there[l.address(listener.Service)] = true
	}
	var sent []generated
	var msgs []maillab.Message
	for i := 0; len(sent) < min(servertest.Deep(t, 10, 40), 200); i++ {
		m := g.message(i)
		if !there[m.lab.To] && !strings.HasPrefix(m.lab.To, "sendmail:") {
			continue // a listener that Compile adds
		}
		sent, msgs = append(sent, m), append(msgs, m.lab)
	}
	// In one run after the other: redirects by sendmail(1) take a busy machine long.
	var result maillab.Result
	for batch := range slices.Chunk(msgs, 40) {
		r := maillab.Run(t, w, site, batch)
		if !r.Drained {
			t.Logf("%d messages are sent again: the queues did not drain in %.0f s", len(batch), r.Seconds)
			if r = maillab.Run(t, w, site, batch); !r.Drained {
				t.Error("the queues did not drain")
				return
			}
		}
		again(t, w, site, batch, &r)
		if result.Messages == nil {
			result = r
			continue
		}
		maps.Copy(result.Messages, r.Messages)
		result.Seconds += r.Seconds
		result.Warnings = append(result.Warnings, r.Warnings...)
	}
	passwd := map[string]bool{}
	for name := range strings.FieldsSeq(result.After[2]) {
		passwd[name] = true
	}
	e := l.load(t, system, site, w.Host, []byte(result.After[0]), []byte(result.After[1]), passwd)
	differ, asked, screened, ends, assumed := 0, 0, 0, map[string]int{}, map[string]bool{}
	for _, m := range sent {
		own := map[string]bool{}
		want, trace := l.asked(t, e, m, own)
		got := portless(l.seen(result.Messages[m.lab.ID]))
		maps.Copy(assumed, own)
		if l.test.PutOff && own["postscreen"] && len(got) == 1 && (got[0] == "reject 450" || got[0] == "reject 554") {
			screened++ // it was not handed over
			continue
		}
		for _, k := range want {
			ends[strings.Fields(k)[0]]++
		}
		if !slices.Equal(want, got) && asked < 5 {
			// Alone it has new connections, and a machine that has time for it.
			asked++
			t.Logf("%s ended at %q and is sent again", m.lab.ID, got)
			got = portless(l.seen(maillab.Run(t, w, site, []maillab.Message{m.lab}).Messages[m.lab.ID]))
		}
		if !slices.Equal(want, got) {
			if differ++; differ <= 10 {
				t.Errorf("%s %s\nRoute:\n  %s\nservers:\n  %s\n%s%s", m.what, m.lab.Recipients,
					strings.Join(want, "\n  "), strings.Join(got, "\n  "), m.lab.Raw[:min(len(m.lab.Raw), 600)], trace)
			}
		}
	}
	if differ > 10 {
		t.Errorf("%d messages differ in all", differ)
	}
	t.Logf("%d messages in %.0f s, %d put off by postscreen, ends: %v, assumed: %q", len(sent), result.Seconds, screened, ends,
		slices.Sorted(maps.Keys(assumed)))
	if t.Failed() {
		for _, line := range result.Warnings[:min(len(result.Warnings), 20)] {
			t.Log(line)
		}
	}
}

// asked is what an instance says of a message, for all its recipients.
func (l layout) asked(t *testing.T, e *mta.Instance, m generated, assumed map[string]bool) (ends []string, trace string) {
	o := m.query.Origin
	q := mta.Message{
		Origin: mta.Origin{Service: o.Service, Client: o.Client, TLS: o.TLS, Certificate: o.Certificate, Authenticated: o.Authenticated,
			Login: o.Login},
		From: m.query.From, Raw: m.query.Raw, SMTPUTF8: m.query.SMTPUTF8, NextHops: m.query.NextHops,
	}
	if o.Role == relay.FromPickup {
		q.Origin.Service = mta.Pickup
	}
	if len(l.test.BeyondASCII) == 0 {
		q.NextHops = mta.SMTPUTF8Missing // the sinks don't offer it
	}
	role := o.Role
	if role == relay.FromInternet {
		role = relay.RoleGateway // the same listener
	}
	for _, r := range l.test.Refused {
		if strings.Contains(string(m.lab.Raw), r.Header) && slices.Contains(r.Entries, role) {
			if q.Milters = mta.MilterReject; r.Code/100 == 4 {
				q.Milters = mta.MilterTempfail
			}
		}
	}
	for _, q.To = range m.lab.Recipients {
		d := e.Route(t.Context(), &q)
		for _, u := range d.Assumptions {
			assumed[u.Setting] = true
		}
		for _, o := range d.Outcomes {
			line := routeEnd(o)
			if o.Action == relay.ActionRelay || o.Action == relay.ActionMX || o.Action == relay.ActionMailbox {
				line += " " + strings.Join(watchedFields(m.lab.Raw, o.Edits), " ") + arriving(m.query.Raw, o.Edits)
			}
			ends = append(ends, line)
		}
		trace += traces(d)
	}
	return portless(ends), trace
}

// seen is what the servers did with it.
func (l layout) seen(o maillab.Outcome) []string {
	var out []string
	consumed := false
	add := func(pl maillab.Place) {
		switch pl.Kind {
		case maillab.KindConsumed:
			consumed = true
		case maillab.KindUnreachable:
			out = append(out, "reject")
		case maillab.KindSmartHost, maillab.KindMX, maillab.KindRelay, maillab.KindMailbox:
			ends := serverEnds(maillab.Outcome{Redirected: []maillab.Place{pl}}, true)
			line, fields, found := strings.Cut(ends[0], " | ")
			if found {
				fields = " | " + fields
			}
			out = append(out, line+" "+strings.Join(arrivedWatched(pl), " ")+fields)
		default:
			out = append(out, serverEnds(maillab.Outcome{Redirected: []maillab.Place{pl}}, true)...)
		}
	}
	for _, places := range o.Recipients {
		for _, pl := range places {
			add(pl)
		}
	}
	for _, pl := range o.Redirected {
		add(pl)
	}
	if consumed && len(o.Redirected) == 0 {
		out = append(out, "discard")
	}
	return out
}
