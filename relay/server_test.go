package relay_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

func TestMain(m *testing.M) { maillab.Main(m) }

// seed draws other messages than the ones of every run.
var seed = servertest.Seed

// drawn is how many of something a test draws: all from TEST_SCALE=10 on, of
// large numbers a twentieth in the plain run.
func drawn(tb testing.TB, all int) int {
	tb.Helper()
	return max(min(all, 12), servertest.Deep(tb, (all+19)/20, (all*3+19)/20))
}

const testdata = "../examples/oxmailroute/testdata/"

// labBase is the customer's configuration of the tests' world.
func labBase(tb testing.TB) relay.Installation {
	tb.Helper()
	in, err := relay.ReadInstallation(os.DirFS(testdata+"base"), "")
	if err != nil {
		tb.Fatal(err)
	}
	return in
}

func labPolicy(tb testing.TB, name string) relay.Policy {
	tb.Helper()
	data, err := os.ReadFile(testdata + name)
	if err != nil {
		tb.Fatal(err)
	}
	p, err := relay.ParsePolicy(name, data)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// users are the mailboxes of the tests' world.
var users = []string{
	"alice@example.com", "bob@example.com", "carol@example.net", "dave@example.org", "fwd@example.com", "filter@example.com",
	"vac@example.com", "postmaster@example.com", "loop1@example.com", "loop2@example.net", "nowhere@example.org",
}

// userScripts are mailboxes' own scripts of the tests' world.
var userScripts = map[string]string{
	"loop1@example.com":   "redirect \"loop2@example.net\";\n",
	"loop2@example.net":   "redirect \"loop1@example.com\";\n",
	"nowhere@example.org": "redirect \"nobody@example.com\";\n",
	"fwd@example.com":     "redirect \"out@remote1.test\";\n",
	"filter@example.com":  "require [\"fileinto\", \"copy\"];\n# a user's own rules\nif header :contains \"subject\" \"invoice\" { fileinto \"Invoices\"; stop; }\nif address :domain :is \"from\" \"remote2.test\" { redirect :copy \"out@remote2.test\"; }\nif header :is \"X-Conbool-Released\" \"yes\" { fileinto \"Never\"; }\nif size :over 100K { discard; }\n",
	"vac@example.com":     "require [\"vacation\"];\nvacation :addresses [\"vac@example.com\"] \"away\";\n",
}

// scenario is a policy in an installation, brought up under the real servers.
type scenario struct {
	name     string
	policy   func(tb testing.TB, w *maillab.World) relay.Policy
	base     func(tb testing.TB) relay.Installation
	world    func(w *maillab.World)
	messages int
	// dovecot and dovecot24 are the customer's settings for the mail store, in
	// both languages.
	dovecot, dovecot24 string
}

// run has the scenario on the systems: each gets the files for its versions.
func (s scenario) run(t *testing.T) {
	for _, system := range maillab.DrawnSystems(t, s.name) {
		t.Run(system.Name, func(t *testing.T) {
			maillab.NeedSystem(t, system)
			t.Parallel() // much of a run is waiting
			s.runOn(t, system)
		})
	}
}

// runOn compiles, sends, and compares every end with what Route says.
func (s scenario) runOn(t *testing.T, system maillab.System) {
	w := maillab.DefaultWorld()
	w.Root = system.Root
	if s.world != nil {
		s.world(&w)
	}
	p := s.policy(t, &w)
	in := relay.Installation{}
	if s.base != nil {
		in = s.base(t)
	}
	p.Server.Postfix, p.Server.Dovecot = "", ""
	in.PostfixVersion, in.DovecotVersion = system.Postfix, system.Dovecot
	scripts := relay.ScriptMap{}
	in.Scripts = scripts
	site := maillab.Site{Files: map[string][]byte{}, Dovecot: s.dovecot, Dovecot24: s.dovecot24, Users: users}
	for user, text := range userScripts {
		script, err := sieve.Parse(user, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if scripts[user], err = interp.Compile(script, interp.Options{Name: user, AutoCreate: true, Trace: true}); err != nil {
			t.Fatal(err)
		}
		site.Files["sieve/users/"+user+".sieve"] = []byte(text)
	}
	c, err := relay.Compile(p, in)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range configured(in) {
		site.Files["postfix/"+name] = data
	}
	for _, f := range c.Files() {
		site.Files[f.Name] = f.Data
	}
	site.NoDovecot = p.Topology == relay.TopologyOutbound // else it has at least the users' passwords
	g := generator{rand: rand.New(rand.NewPCG(*seed, 2)), policy: p, world: w}
	var sent []generated
	for i := range drawn(t, s.messages) {
		sent = append(sent, g.message(i))
	}
	msgs := make([]maillab.Message, len(sent))
	for i, m := range sent {
		msgs[i] = m.lab
	}
	result := maillab.Run(t, w, site, msgs)
	again(t, w, site, msgs, &result)
	for _, c := range result.Complaints {
		if !deprecated(in, c) {
			t.Errorf("complaint: %s", c)
		}
	}
	if !result.Drained {
		t.Error("the queues did not drain")
	}
	differ := 0
	kinds := map[string]int{}
	judge := func(m generated, o maillab.Outcome) (want, got []string) {
		for _, to := range m.lab.Recipients {
			q := m.query
			q.To = to
			d := c.Route(t.Context(), &q)
			want, got = append(want, expected(d, p, m.lab.Raw)...), append(got, observed(o, to, d, p)...)
		}
		return want, got
	}
	for _, m := range sent {
		for _, to := range m.lab.Recipients {
			q := m.query
			q.To = to
			d := c.Route(t.Context(), &q)
			want := expected(d, p, m.lab.Raw)
			got := observed(result.Messages[m.lab.ID], to, d, p)
			for _, k := range want {
				kinds[strings.Fields(k)[0]]++
			}
			if !slices.Equal(want, got) {
				if differ++; differ == 1 {
					defer smallest(t, w, site, "policy.json", m, judge)
				}
				if differ <= 10 {
					t.Errorf("%s %s\nRoute:\n  %s\nservers:\n  %s\n%s%s", m.what, to, strings.Join(want, "\n  "), strings.Join(got, "\n  "),
						m.lab.Raw[:min(len(m.lab.Raw), 600)], traces(d))
				}
			}
		}
	}
	if differ > 10 {
		t.Errorf("%d recipients differ in all", differ)
	}
	for _, m := range sent {
		for _, places := range result.Messages[m.lab.ID].Recipients {
			for _, pl := range places {
				if pl.Kind == maillab.KindSmartHost && pl.ClientCert != "" && (pl.ClientCert != "ox.example.com" || !pl.Verified) {
					t.Errorf("%s the smart host was shown the certificate of %s", m.what, pl.ClientCert)
				}
			}
		}
	}
	t.Logf("%d messages in %.1f s (set-up %.1f s, sending %.1f s), ends: %v", len(sent), result.Seconds, result.Setup, result.Sending, kinds)
	if t.Failed() {
		for _, l := range result.Warnings[:min(len(result.Warnings), 20)] {
			t.Log(l)
		}
	}
}

// deprecated reports a complaint that Postfix will give up a parameter which the
// customer has set, so that we must, too.
func deprecated(in relay.Installation, complaint string) bool {
	_, after, _ := strings.Cut(complaint, `support for parameter "`)
	name, _, ok := strings.Cut(after, `" will be removed`)
	return ok && bytes.Contains(in.Files["/etc/postfix/main.cf"], []byte("\n"+name+" = "))
}

// transient reports a delivery that failed for the machine's reasons: a
// connection that timed out under load says nothing of the policy.
func transient(pl maillab.Place) bool {
	return pl.Kind == maillab.KindDeferred && !strings.Contains(pl.Text, "TLS") && !strings.Contains(pl.Text, "not verified")
}

// again sends once more what failed so.
func again(t *testing.T, w maillab.World, site maillab.Site, msgs []maillab.Message, result *maillab.Result) {
	var retry []maillab.Message
	for _, m := range msgs {
		o := result.Messages[m.ID]
		places := slices.Concat(slices.Collect(maps.Values(o.Recipients))...)
		if slices.ContainsFunc(append(places, o.Redirected...), transient) {
			retry = append(retry, m)
		}
	}
	if len(retry) == 0 {
		return
	}
	t.Logf("%d messages deferred by the machine are sent again", len(retry))
	second := maillab.Run(t, w, site, retry)
	maps.Copy(result.Messages, second.Messages)
}

func traces(d relay.Decision) string {
	var b strings.Builder
	for _, o := range d.Outcomes {
		fmt.Fprintf(&b, "%s <%s>\n%s", o, o.To, o.Trace)
	}
	return b.String()
}

// watched are the headers whose fate is compared.
func watched(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "x-conbool-") || strings.HasPrefix(name, "x-acme-") || name == "x-oxmailroute-origin" ||
		name == "x-spam-flag" || name == "x-customer"
}

func fieldLine(name, value string) string {
	return strings.ToLower(name) + "=" + strings.Join(strings.Fields(value), " ")
}

// watchedFields are the watched fields of a message with the changes to it.
func watchedFields(raw []byte, edits []relay.Edit) []string {
	var fields []string
	section, _ := headers.Scan(nil, raw, headers.HeaderChecks)
	for _, f := range section {
		if watched(string(f.Name)) {
			fields = append(fields, fieldLine(string(f.Name), string(f.Body)))
		}
	}
	for _, e := range edits {
		if !watched(e.Name) {
			continue
		}
		if line := fieldLine(e.Name, e.Value); !e.Removed {
			fields = append(fields, line)
		} else if i := slices.Index(fields, line); i >= 0 {
			fields = slices.Delete(fields, i, i+1)
		}
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

// arrivedWatched are the watched fields of a copy.
func arrivedWatched(pl maillab.Place) []string {
	var fields []string
	for line := range strings.SplitSeq(string(unfold(pl.Header)), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && watched(strings.TrimSpace(name)) {
			fields = append(fields, fieldLine(strings.TrimSpace(name), value))
		}
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

// expected renders what Route says: one line for each end, with the watched
// headers that arrive there.
func expected(d relay.Decision, p relay.Policy, raw []byte) []string {
	var out []string
	for _, o := range d.Outcomes {
		if o.BCC != "" {
			continue // a recipient of its own, which the lab lists apart
		}
		target := o.Target.String()
		switch o.Action {
		case relay.ActionRelay, relay.ActionMX, relay.ActionMailbox:
			target += " <" + strings.ToLower(o.To) + ">"
		case relay.ActionBounce, relay.ActionDefer, relay.ActionDiscard:
			target = ""
		}
		var fields []string
		if o.Action == relay.ActionRelay || o.Action == relay.ActionMX || o.Action == relay.ActionMailbox {
			fields = watchedFields(raw, o.Edits)
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", o.Action, target, strings.Join(fields, " "))))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// observed renders what the servers did in the same way.
func observed(o maillab.Outcome, to string, d relay.Decision, p relay.Policy) []string {
	var out []string
	add := func(pl maillab.Place) {
		line := ""
		switch pl.Kind {
		case maillab.KindSmartHost:
			if pl.ClientCert == "" && pl.Login == "" {
				// Only our transport to the smart host shows the certificate or logs in; this
				// copy came by the MX record, which names the gateway too.
				line = fmt.Sprintf("mx %s <%s>", strings.ToLower(domain(pl.Address)), strings.ToLower(pl.Address))
				break
			}
			s := p.Gateway.SmartHost
			for _, f := range p.Further {
				if f.SmartHost.Host == pl.Name {
					s = f.SmartHost
				}
			}
			line = fmt.Sprintf("relay [%s]:%d <%s>", s.Host, s.Port, strings.ToLower(pl.Address))
		case maillab.KindMX:
			line = fmt.Sprintf("mx %s <%s>", pl.Name, strings.ToLower(pl.Address))
		case maillab.KindRelay:
			line = fmt.Sprintf("relay [%s]:25 <%s>", pl.Name, strings.ToLower(pl.Address))
		case maillab.KindMailbox:
			line = fmt.Sprintf("mailbox %s <%s>", pl.Name, strings.ToLower(pl.Address))
		case maillab.KindRejected:
			out = append(out, fmt.Sprintf("reject %d", pl.Code))
			return
		case maillab.KindUnreachable: // no session came about
			out = append(out, "reject")
			return
		case maillab.KindBounced:
			if strings.Contains(pl.Text, "nxdomain") || strings.Contains(pl.Text, "Host or domain name not found") {
				// The domain does not exist, which only DNS can say.
				line = fmt.Sprintf("mx %s <%s>", strings.ToLower(domain(pl.Address)), strings.ToLower(pl.Address))
				break
			}
			out = append(out, "bounce")
			return
		case maillab.KindDeferred:
			if transient(pl) {
				out = append(out, "defer: "+pl.Text)
				return
			}
			out = append(out, "defer")
			return
		case maillab.KindDiscarded:
			out = append(out, "discard")
			return
		default:
			out = append(out, pl.String())
			return
		}
		out = append(out, strings.TrimSpace(line+" "+strings.Join(arrivedWatched(pl), " ")))
	}
	consumed := false
	for _, pl := range o.Recipients[to] {
		if pl.Kind == maillab.KindConsumed {
			consumed = true
			continue
		}
		add(pl)
	}
	// A redirected copy belongs to the recipient whose way led to that mailbox.
	ways := map[string]bool{}
	for _, e := range d.Outcomes {
		for _, s := range e.Trace {
			if s.Stage == "sieve" && strings.HasPrefix(s.Note, "redirected to ") {
				ways[strings.ToLower(s.Input)] = true
			}
		}
	}
	redirected := 0
	for _, pl := range o.Redirected {
		if ways[strings.ToLower(pl.By)] || ways[strings.ToLower(to)] {
			redirected++
			if pl.Kind != maillab.KindConsumed { // else it was redirected once more
				add(pl)
			}
		}
	}
	if consumed && redirected == 0 && len(out) == 0 {
		out = append(out, "discard")
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func domain(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

func unfold(header []byte) []byte {
	return []byte(strings.NewReplacer("\n ", " ", "\n\t", " ").Replace(string(header)))
}

// generated is a message as it is sent and as Route is asked.
type generated struct {
	what  string
	lab   maillab.Message
	query relay.Message
}

type generator struct {
	rand   *rand.Rand
	policy relay.Policy
	world  maillab.World
}

func pick[T any](g *generator, choices []T) T { return choices[g.rand.IntN(len(choices))] }

// configured are the files of the configuration directory by their names there.
func configured(in relay.Installation) map[string][]byte {
	out := map[string][]byte{}
	for name, data := range in.Files {
		if base, ok := strings.CutPrefix(name, confDir(in)+"/"); ok {
			out[base] = data
		}
	}
	return out
}

// confDir is where an installation's main.cf is.
func confDir(in relay.Installation) string { return cmp.Or(in.ConfigDirectory, "/etc/postfix") }

// whole is the output of `doveconf -n` with these settings.
func whole(version, settings string) []byte {
	return []byte("# " + version + ": /etc/dovecot/dovecot.conf\n# Pigeonhole version 0.5.19 (4eae2f79)\n# OS: Linux 6.1.0 x86_64 Debian 12.11 \n# Hostname: ox\n" + settings)
}
