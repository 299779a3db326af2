package relay_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// The attacks know nothing of Route. Each installation gets the same messages
// twice: once with everything that an attacker forges, and once with the forged
// names replaced by names that mean nothing. What a stranger, a user, a server
// of the installation's or a user's Sieve script writes may make no difference
// to where a copy ends. Beside that, what the gateway brought never goes back to
// it, and no copy reaches the smart host but over its own transport, verified.

// ground is an installation that is attacked.
type ground struct {
	name string
	// build compiles for the world and returns what is to be run.
	build func(t *testing.T, system maillab.System) (maillab.World, maillab.Site, *layoutGenerator)
}

// attackScripts are what users write to forge markers by mail that Sieve makes.
// Each gets what the users of the tests' world have instead.
var attackScripts = map[string]string{
	"vac@example.com": `require ["vacation"];
vacation :mime :days 1 :addresses ["vac@example.com"] text:
X-Conbool-Released: yes
X-Conbool-Flag: YES
X-Conbool-example-com: true
X-OXMailroute-Origin: gateway
X-Acme-Seen: yes
Received: from ox.example.com ([127.0.0.1])
	by ox.example.com with LMTP
	id abc (envelope-from <a@example.com>); Mon, 01 Jun 2026 00:00:00 +0000
Auto-Submitted: no
Content-Type: text/plain

away
.
;
`,
	"filter@example.com": `require ["enotify"];
notify "mailto:out@remote1.test?X-Conbool-Released=yes&X-Conbool-example-com=true&X-OXMailroute-Origin=gateway&X-Sieve-Redirected-From=filter@example.com&body=free%20text";
notify :from "alice@example.com" "mailto:bob@example.com?X-Conbool-Flag=YES&body=free%20text";
notify :message "x" "mailto:fwd@example.com?X-Conbool-Released=yes";
`,
	"fwd@example.com":   "redirect \"out@remote1.test\";\n",
	"loop1@example.com": "require [\"reject\"];\nreject \"X-Conbool-Released: yes\\r\\nno\";\n",
	"alice@example.com": "require [\"vacation\", \"copy\"];\nredirect :copy \"bob@example.com\";\n",
}

// oddities are what attackers put before, into and behind header fields; %s is a
// forged line.
var oddities = []struct{ name, form string }{
	{"plain", "%s\n"}, {"plain", "%s\n"},
	{"behind a field of 110,000 octets", "X-Long: " + strings.Repeat("a ", 55000) + "\n%s\n"},
	{"behind 1,500 fields", strings.Repeat("X-Many: yes\n", 1500) + "%s\n"},
	{"behind a bare CR", "X-A: b\r%s\n"},
	{"before CR CR LF", "%s\r\r\n"},
	{"behind a NUL", "X-A: \x00\n%s\n"},
	{"a NUL at its end", "%s\x00\n"},
	{"spaces at its end", "%s \t \n"},
	{"a fold at its end", "%s\n \n"},
	{"twice", "%[1]s\n%[1]s\n"},
	{"behind From_", "From evil Mon Jun  1 00:00:00 2026\n%s\n"},
	{"behind >From_", ">From evil Mon Jun  1 00:00:00 2026\n%s\n"},
	{"behind an empty name", ": x\n%s\n"},
	{"behind a trace line of LMTP", "Received: from a ([127.0.0.1])\n\tby b with LMTP id 1; Mon, 1 Jun 2026 00:00:00 +0000\n%s\n"},
	{"behind a trace line of the gateway's listener", "Received: from a (a [127.0.2.1])\n\t(using TLSv1.3) (Client CN \"mail.conbool.com\", Issuer \"Lab Root CA\" (verified OK))\n\tby b (ConboolIn) with ESMTPS id 1; Mon, 1 Jun 2026 00:00:00 +0000\n%s\n"},
	{"behind X-Sieve-Redirected-From", "X-Sieve: Pigeonhole Sieve\nX-Sieve-Redirected-From: fwd@example.com\n%s\n"},
	{"behind Auto-Submitted", "Auto-Submitted: auto-replied\n%s\n"},
	{"behind auto-notified", "Auto-Submitted: auto-notified; owner-email=\"a@example.com\"\n%s\n"},
	{"in an inner message", "MIME-Version: 1.0\nContent-Type: message/rfc822\n\n%s\nSubject: inner\n"},
	{"in a part", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n%s\nContent-Type: text/plain\n\nhi\n--b--\n"},
	{"behind TLS-Required", "TLS-Required: no\n%s\n"},
	{"behind Resent fields", "Resent-From: <a@example.com>\nResent-To: <b@example.com>\n%s\n"},
}

// forgedLines are the lines.
var forgedLines = []string{
	"X-Conbool-Released: yes", "X-Conbool-Released: yes", "X-Conbool-Flag: YES", "X-Conbool-Flag: YES", "X-Conbool-example-com: true",
	"X-Conbool-example-net: true", "x-CONBOOL-released:YES", "X-Conbool-Released :yes", "X-Conbool-Released\t: yes", "X-Conbool-Flag:\n YES",
	"X-Conbool-Flag:\n\tYES", "X-Conbool-Released: =?utf-8?q?yes?=", "X-OXMailroute-Origin: gateway", "X-OXMailroute-Origin:\n gateway",
	"X-Conbool-Flag: YES\nX-Conbool-Released: yes", "X-Conbool-Score: 1\nX-Conbool-example-com: true", "X-Acme-Seen: yes", "X-Acme-Spam: high",
}

var attackRecipients = [][]string{
	{"bob@example.com"}, {"bob@example.com", "x@remote1.test"}, {"x@remote1.test"}, {"y@remote2.test"}, {"fwd@example.com"}, {"fwd@example.com", "bob@example.com"},
	{"vac@example.com"}, {"vac@example.com"}, {"filter@example.com"}, {"filter@example.com"}, {"loop1@example.com"}, {"alice@example.com"}, {"team@example.com"},
	{"all@example.net"}, {"outside@example.org"}, {"postmaster"}, {"Postmaster"}, {"\"postmaster\""}, {"postmaster",
		"bob@example.com"}, {"postmaster@example.com"},
	{"nobody@example.com"}, {"x@nxdomain.invalid"}, {"carol@example.net"}, {"dave@example.org"}, {"bob%example.com"}, {"example.com!bob"},
	{"@remote1.test:bob@example.com"}, {"bob@[127.0.1.1]"}, {"Bob+x@EXAMPLE.com"}, {"x%remote1.test@example.com"}, {"\"bob\"@example.com"},
}

// attackSenders are envelope senders; %d makes each of its own, because Dovecot
// answers each sender once.
var attackSenders = []string{
	"alice+s%d@example.com", "alice+s%d@example.com", "bob+s%d@example.com", "carol+s%d@example.net", "dave+s%d@example.org", "z%d@remote2.test", "z%d@remote2.test", "",
}

var helos = []string{"", "", "", "mail.conbool.com", "[127.0.2.1]", "a(b[127.0.2.1])", "x by y (ConboolIn) with ESMTPS", "localhost",
	"127.0.0.1"}

// neutral replaces forged names by such as mean nothing.
func neutral(text []byte) []byte {
	for _, n := range []struct {
		name *regexp.Regexp
		with string
	}{{conboolName, "X-Harmles-"}, {originName, "X-OXHarmless0-Origin"}, {acmeName, "X-Acne-"}} {
		text = n.name.ReplaceAll(text, []byte(n.with))
	}
	return text
}

var (
	conboolName = regexp.MustCompile(`(?i)x-conbool-`)
	originName  = regexp.MustCompile(`(?i)x-oxmailroute-origin`)
	acmeName    = regexp.MustCompile(`(?i)x-acme-`)
)

// attempt is one message: as it is forged, and whether the gateway itself brings
// it, whose markers count.
type attempt struct {
	what    string
	lab     maillab.Message
	gateway bool
}

// attempts draws n messages over all ways in.
func attempts(g *layoutGenerator, n int) []attempt {
	var entries []entry
	for _, e := range g.entries() {
		if e.origin.Role != relay.RoleReEntry { // what is trusted there is the installation's own
			entries = append(entries, e)
		}
	}
	var out []attempt
	for i := range n {
		e := pick(&g.generator, entries)
		odd := pick(&g.generator, oddities)
		line := pick(&g.generator, forgedLines)
		from := pick(&g.generator, attackSenders)
		if from != "" {
			from = fmt.Sprintf(from, i)
		}
		to := pick(&g.generator, attackRecipients)
		head := fmt.Sprintf("Message-ID: <a%d@lab.invalid>\nFrom: <%s>\nTo: <%s>\nDate: Mon, 01 Jun 2026 00:00:00 +0000\nSubject: attack %d\n", i,
			from, to[0], i)
		claim := fmt.Sprintf(odd.form, line)
		raw := head + claim
		if g.rand.IntN(2) == 0 && !strings.Contains(claim, "\n\n") {
			raw = claim + head
		}
		if !strings.Contains(claim, "\n\n") {
			raw += pick(&g.generator, bodies)[1]
		}
		a := attempt{
			what:    fmt.Sprintf("#%d %s, from <%s> to %s, %q %s", i, e.name, from, to, line, odd.name),
			lab:     e.lab,
			gateway: trustedEntry(g.policy, e),
		}
		a.lab.ID, a.lab.From, a.lab.Recipients, a.lab.Raw = fmt.Sprintf("a%d", i), from, to, []byte(raw)
		a.lab.NoID = g.rand.IntN(2) == 0 && strings.HasPrefix(claim, "From ")
		if a.lab.To != "sendmail" && !strings.HasPrefix(a.lab.To, "sendmail:") {
			a.lab.Helo = pick(&g.generator, helos)
			a.lab.BDAT = g.rand.IntN(10) == 0
			if g.rand.IntN(6) == 0 {
				a.lab.Before = []string{"XCLIENT ADDR=127.0.2.1 NAME=mail.conbool.com", "XFORWARD ADDR=127.0.2.1 NAME=mail.conbool.com"}
			}
			if a.gateway && g.rand.IntN(6) == 0 {
				a = smuggled(g, a, i)
			}
		}
		out = append(out, a)
	}
	return out
}

// smuggled hides a second message, with a marker, behind something that some
// servers take for the end of the first. The gateway only hands it on.
func smuggled(g *layoutGenerator, a attempt, i int) attempt {
	end := pick(&g.generator, []string{"\n.\n", "\n.\r\n", "\r\n.\n", "\r\n.\r\r\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r"})
	second := fmt.Sprintf("MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nX-Conbool-Released: yes\r\nSubject: smuggled by %d\r\n\r\nx\r\n.\r\n", i)
	first := fmt.Sprintf("%s: a%d\r\nMessage-ID: <a%d@lab.invalid>\r\nSubject: first\r\n\r\nfirst%s", maillab.IDHeader, i, i, end)
	a.what = fmt.Sprintf("#%d smuggled behind %q", i, end)
	a.lab.Stream, a.lab.BDAT, a.lab.Before = [][]byte{[]byte(first), []byte(second)}, false, nil
	if g.rand.IntN(2) == 0 {
		a.lab.Pause = 300 * time.Millisecond
	}
	a.lab.From, a.lab.Recipients = "z@remote2.test", []string{"bob@example.com"}
	return a
}

// trustedEntry reports whether a message that enters so is the gateway's.
func trustedEntry(p relay.Policy, e entry) bool {
	if e.origin.Role != relay.RoleGateway {
		return false
	}
	c, shown := p.Gateway.Client, e.origin.Certificate
	return len(c.Names) == 0 && len(c.Fingerprints) == 0 || e.lab.Certificate == "conbool" || e.lab.Certificate == "acme" ||
		shown.Verified && slices.Contains(c.Names, shown.Name) // by name any certificate of that name will do
}

// endsOf renders where everything went that a message gave rise to, but for
// header fields.
func endsOf(w maillab.World, o maillab.Outcome) []string {
	var out []string
	add := func(what string, places ...maillab.Place) {
		for _, p := range places {
			if p.Kind == maillab.KindRejected { // by which of its checks is postscreen(8)'s timing
				out = append(out, what+" rejected")
				continue
			}
			line := fmt.Sprintf("%s %s <%s>", what, p, strings.ToLower(p.Address))
			if p.Kind == maillab.KindSmartHost && p.ClientCert == "" {
				line += " by MX"
			}
			if p.Code != 0 {
				line += fmt.Sprintf(" %d", p.Code)
			}
			out = append(out, line)
		}
	}
	for to, places := range o.Recipients {
		add(to, places...)
	}
	add("redirected", o.Redirected...)
	add("notice", o.Notices...)
	slices.Sort(out)
	return out
}

// copiesOf are all places of copies, those of notices apart.
func copiesOf(o maillab.Outcome) (own, notices []maillab.Place) {
	for _, places := range o.Recipients {
		own = append(own, places...)
	}
	return append(own, o.Redirected...), o.Notices
}

// toGatewayByMX reports whether the world's MX records name the gateway.
func toGatewayByMX(w maillab.World, address string) bool {
	n, ok := w.Names[strings.ToLower(domain(address))]
	return ok && slices.ContainsFunc(n.MX, func(m maillab.MX) bool { return m.Host == "mail.conbool.com" || m.Host == "mail.acme.test" })
}

// attackOn runs n attempts against the ground.
func attackOn(t *testing.T, system maillab.System, gr ground, n int) {
	w, site, g := gr.build(t, system)
	for user := range attackScripts {
		if _, there := site.Files["sieve/users/"+user+".sieve"]; there || slices.Contains(site.Users, user) {
			site.Files["sieve/users/"+user+".sieve"] = []byte(attackScripts[user])
		}
	}
	all := attempts(g, n)
	run := func(change func([]byte) []byte) maillab.Result {
		s := site
		s.Files = map[string][]byte{}
		for name, data := range site.Files {
			if strings.HasPrefix(name, "sieve/users/") {
				data = change(bytes.Clone(data))
			}
			s.Files[name] = data
		}
		msgs := make([]maillab.Message, len(all))
		for i, a := range all {
			msgs[i] = a.lab
			if !a.gateway {
				msgs[i].Raw = change(bytes.Clone(a.lab.Raw))
			}
		}
		result := maillab.Run(t, w, s, msgs)
		again(t, w, s, msgs, &result)
		if !result.Drained {
			t.Error("the queues did not drain")
		}
		return result
	}
	with := run(func(b []byte) []byte { return b })
	for _, p := range with.Stray {
		if bytes.Contains(p.Header, []byte("smuggled")) {
			t.Errorf("smuggled: %s <%s>\n%s", p, p.Address, p.Header)
		}
	}
	without := run(neutral)
	broken := 0
	fail := func(a attempt, format string, args ...any) {
		t.Helper()
		if broken++; broken <= 8 {
			t.Errorf("%s\n%s\n%s", a.what, fmt.Sprintf(format, args...), a.lab.Raw[:min(len(a.lab.Raw), 500)])
		}
	}
	ends := map[maillab.Kind]int{}
	for _, a := range all {
		attacked, plain := with.Messages[a.lab.ID], without.Messages[a.lab.ID]
		if got, want := endsOf(w, attacked), endsOf(w, plain); !slices.Equal(got, want) {
			fail(a, "forged:\n  %s\nwith names that mean nothing:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
		}
		own, notices := copiesOf(attacked)
		for _, p := range append(slices.Clone(own), notices...) {
			ends[p.Kind]++
			if p.Kind == maillab.KindLost && !strings.HasPrefix(p.Address, "@") { // a route's copy is under the address behind it
				fail(a, "lost: %s <%s>", p, p.Address)
			}
			if p.Kind == maillab.KindSmartHost && !toGatewayByMX(w, p.Address) && (p.ClientCert != "ox.example.com" || !p.Verified || p.TLS == "") {
				fail(a, "reached the smart host unverified: <%s>", p.Address)
			}
		}
		for _, p := range own {
			// Without the origin header only the gateway's own markers keep its mail off.
			if a.gateway && !g.policy.Loop.NoOrigin && p.Kind == maillab.KindSmartHost && p.ClientCert != "" {
				fail(a, "the gateway's mail went back to it: <%s> from <%s>", p.Address, p.Sender)
			}
		}
		for _, p := range notices {
			if p.Mail == maillab.MailReply && carriesMarker(p.Header, g.policy) {
				fail(a, "mail that Sieve made has a marker: %s <%s>\n%s", p, p.Address, p.Header)
			}
		}
	}
	if broken > 8 {
		t.Errorf("%d attempts broke something", broken)
	}
	t.Logf("%d attempts, ends: %v", len(all), ends)
	if t.Failed() {
		t.Logf("seed %d", *seed)
	}
}

// carriesMarker reports whether a header section has a marker of a gateway that
// is there, or the origin header where it is in use.
func carriesMarker(header []byte, p relay.Policy) bool {
	prefixes := []string{"x-conbool-"}
	if len(p.Further) > 0 {
		prefixes = append(prefixes, "x-acme-")
	}
	if !p.Loop.NoOrigin {
		prefixes = append(prefixes, "x-oxmailroute-origin")
	}
	for line := range strings.SplitSeq(strings.ToLower(string(header)), "\n") {
		if slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(line, prefix) }) {
			return true
		}
	}
	return false
}

// grounds are the scenarios and the layouts.
func grounds(t *testing.T) []ground {
	var out []ground
	for _, s := range scenarios {
		if strings.Contains(s.name, "settings that would break") && strings.Contains(s.name, "another name") {
			continue // the same with a smart host in another mode
		}
		out = append(out, ground{s.name, func(t *testing.T, system maillab.System) (maillab.World, maillab.Site, *layoutGenerator) {
			w := maillab.DefaultWorld()
			w.Root = system.Root
			if s.world != nil {
				s.world(&w)
			}
			l := layout{name: s.name, policy: s.policy(t, &w), others: map[string][]byte{}}
			if s.base != nil {
				l.in = s.base(t)
			}
			l.policy.Server.Postfix, l.policy.Server.Dovecot = "", ""
			l.test.Users, l.test.Dovecot, l.test.Dovecot24 = users, s.dovecot, s.dovecot24
			return w, l.site(l.compile(t, system)), attackGenerator(l, w)
		}})
	}
	for _, l := range layouts(t) {
		out = append(out, ground{l.name, func(t *testing.T, system maillab.System) (maillab.World, maillab.Site, *layoutGenerator) {
			l := l // compile writes into it, on both systems beside each other
			// With a larger message than mailbox local(8) never starts, and what an
			// attacker sends to it stays in the queue: no attack, and no end.
			files := maps.Clone(l.in.Files)
			const main = "/etc/postfix/main.cf"
			if text := string(files[main]); strings.Contains(text, "\nmessage_size_limit = 52428800\n") &&
				!strings.Contains(text, "\nmailbox_size_limit") {
				files[main] = []byte(strings.Replace(text, "\nmessage_size_limit = ", "\nmailbox_size_limit = 0\nmessage_size_limit = ", 1))
			}
			l.in.Files = files
			w := l.world(system)
			return w, l.site(l.compile(t, system)), attackGenerator(l, w)
		}})
	}
	return out
}

func attackGenerator(l layout, w maillab.World) *layoutGenerator {
	return &layoutGenerator{generator: generator{rand: rand.New(rand.NewPCG(*seed, 7)), policy: l.policy, world: w}, layout: l}
}

// attacksAtOnce is how many attempts a ground gets in one run.
const attacksAtOnce = 60

// TestAttacks attacks installations on both systems: TEST_SCALE=45 all of them,
// with more than 5,000 attempts. Recorded with TEST_SEED=20261130: 5,394 attempts
// on 31 installations and two systems; nothing forged changed an end.
func TestAttacks(t *testing.T) {
	t.Parallel() // much of a run is waiting
	all := grounds(t)
	total := servertest.Scaled(t, 2*attacksAtOnce)
	r := rand.New(rand.NewPCG(*seed, 8))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	each := max(attacksAtOnce, total/2/len(all))
	all = all[:min(len(all), max(1, total/2/each))]
	each = min(each, servertest.Deep(t, attacksAtOnce/2, each)) // fewer in a plain run
	for _, system := range maillab.FixedSystems(t, all[0].name) {
		for _, gr := range all {
			t.Run(system.Name+"/"+gr.name, func(t *testing.T) {
				maillab.NeedSystem(t, system)
				t.Parallel() // much of a run is waiting
				attackOn(t, system, gr, each)
			})
		}
	}
}
