package relay_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/relay/deploy"
	"github.com/oxmailroute/oxmailroute/sieve"
)

// field is one of the policy's text values.
type field struct {
	ordinary string // a value that is accepted
	set      func(*relay.Policy, string)
	names    bool // it names what is emitted
}

// spoil puts a string into one of them.
var spoil = []field{
	{"conbool", func(p *relay.Policy, s string) { p.Gateway.Name = s }, true},
	{"mail.conbool.com", func(p *relay.Policy, s string) { p.Gateway.SmartHost.Host = s }, false},
	{"mail.conbool.com", func(p *relay.Policy, s string) { p.Gateway.SmartHost.TLSName = s }, false},
	{"/a", func(p *relay.Policy, s string) { p.Gateway.SmartHost.CAFile = s }, false},
	{"/a", func(p *relay.Policy, s string) { p.Gateway.SmartHost.CertFile = s }, false},
	{"/a", func(p *relay.Policy, s string) { p.Gateway.SmartHost.KeyFile = s }, false},
	{"a.test", func(p *relay.Policy, s string) { p.Gateway.Client.Names = []string{s} }, false},
	{"/a", func(p *relay.Policy, s string) { p.Gateway.Client.CAFile = s }, false},
	{strings.Repeat("AA:", 31) + "AA", func(p *relay.Policy, s string) {
		p.Gateway.Client = relay.ClientCertificate{Fingerprints: []string{s}}
	}, false},
	{"X-Conbool-", func(p *relay.Policy, s string) { p.Gateway.Markers.Domain.Prefix = s }, false},
	{"true", func(p *relay.Policy, s string) { p.Gateway.Markers.Domain.Value = s }, false},
	{"X-Conbool-Released", func(p *relay.Policy, s string) {
		p.Gateway.Markers.Released = headers.When(headers.Match{Name: s, Op: headers.Is, Values: []string{"yes"}})
	}, false},
	{"yes", func(p *relay.Policy, s string) {
		p.Gateway.Markers.Released = headers.When(headers.Match{Name: "X-Conbool-Released", Op: headers.Is, Values: []string{s}})
	}, false},
	{"YES", func(p *relay.Policy, s string) {
		p.Gateway.Markers.Spam = headers.When(headers.Match{Name: "X-Conbool-Flag", Op: headers.Contains, Values: []string{s}})
	}, false},
	{"YES", func(p *relay.Policy, s string) {
		p.Gateway.Markers.Spam = headers.When(headers.Match{Name: "X-Conbool-Flag", Op: headers.Matches, Values: []string{s}})
	}, false},
	{"YES", func(p *relay.Policy, s string) {
		p.Gateway.Markers.Spam = headers.When(headers.Match{Name: "X-Conbool-Flag", Op: headers.Regex, Values: []string{s}})
	}, false},
	{"x", func(p *relay.Policy, s string) {
		p.Gateway.Markers.Loop = []headers.Condition{headers.When(headers.Match{Name: "X-Loop-Mark", Op: headers.Is, Values: []string{s},
			Comparator: headers.Octet})}
	}, false},
	{"X-Other-", func(p *relay.Policy, s string) { p.Gateway.Markers.Reserved = []string{"X-Conbool-", s} }, false},
	{"t", func(p *relay.Policy, s string) { p.Tenants[0].Name = s }, false},
	{"hosted.test", func(p *relay.Policy, s string) { p.Tenants[0].Domains = append(p.Tenants[0].Domains, s) }, false},
	{"a@example.net", func(p *relay.Policy, s string) {
		p.Tenants[1].Scope = relay.Scope{Use: relay.ScopeSenders, Senders: []string{s}}
	}, false},
	{"a", func(p *relay.Policy, s string) {
		p.Tenants[1].Scope = relay.Scope{Use: relay.ScopeSenders, Senders: []string{s + "@example.net"}}
		p.Inbound.Return = true
	}, false},
	{"a", func(p *relay.Policy, s string) { p.Tenants[0].Scope.Except = []string{s + "@example.com"} }, false},
	{"a.test", func(p *relay.Policy, s string) { p.Direct = []string{s} }, false},
	{"[a.test]:25", func(p *relay.Policy, s string) { p.DirectVia = s }, false},
	{"a.test", func(p *relay.Policy, s string) { p.Inbound.Host = s }, false},
	{"X-Own-Origin", func(p *relay.Policy, s string) { p.Loop.OriginHeader = s }, false},
	{"Spam", func(p *relay.Policy, s string) { p.Spam.Folder = s }, false},
	{"/a", func(p *relay.Policy, s string) { p.Sieve.Directory = s }, false},
	{"/etc/postfix", func(p *relay.Policy, s string) { p.Server.ConfigDirectory = s }, false},
	{"[a.test]:25", func(p *relay.Policy, s string) { p.Tenants[2].Store = s }, false},
	{"/a", func(p *relay.Policy, s string) { p.Gateway.SmartHost.Auth.PasswordFile = s }, false},
	{"LOGIN", func(p *relay.Policy, s string) {
		p.Gateway.SmartHost.Auth = relay.Auth{PasswordFile: "/a", Mechanisms: []string{"PLAIN", s}}
	}, false},
	{"a.test", func(p *relay.Policy, s string) {
		p.Gateway.SmartHost.Auth.PasswordFile = "/a"
		p.Gateway.SmartHost.Fallback = []relay.FallbackHost{{Host: s, Port: 25}}
	}, false},
	{"a.test", func(p *relay.Policy, s string) {
		p.Gateway.SmartHost.Fallback = []relay.FallbackHost{{Host: "b.test", Port: 25, TLSName: s}}
	}, false},
	{strings.Repeat("AA:", 31) + "AA", func(p *relay.Policy, s string) {
		h := &p.Gateway.SmartHost
		h.Level, h.TLSName, h.Fingerprints = relay.LevelFingerprint, "", []string{s}
		h.Fallback = []relay.FallbackHost{{Host: "b.test", Port: 25, Fingerprints: []string{s}}}
	}, false},
	{"secure", func(p *relay.Policy, s string) { p.Gateway.SmartHost.Level = relay.TLSLevel(s) }, false},
	{"other", func(p *relay.Policy, s string) {
		further(p).Name = s
		p.Tenants[1].Gateway, p.Listeners[3].Gateway = s, s
	}, true},
	{"a.test", func(p *relay.Policy, s string) { further(p).Inbound.Host = s }, false},
	{"X-Other-", func(p *relay.Policy, s string) { further(p).Markers.Reserved = []string{s} }, false},
	{"mx.a.test", func(p *relay.Policy, s string) { inFront(p).Inbound.Host = s }, false},
	{"conbool", func(p *relay.Policy, s string) { inFront(p).Gateway.Name = s }, true},
	{"/etc/nftables", func(p *relay.Policy, s string) { inFront(p).Firewall.Directory = s }, false},
	{"", func(p *relay.Policy, s string) {
		f := &inFront(p).Firewall
		f.Addresses = append(f.Addresses, netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("fe80::1").WithZone(s))
	}, false},
	{"", func(p *relay.Policy, s string) {
		b := &inFront(p).Balancer
		b.Bind = append(b.Bind, netip.AddrPortFrom(netip.MustParseAddr("fe80::1").WithZone(s), 25))
	}, false},
	{"", func(p *relay.Policy, s string) {
		b := &inFront(p).Balancer
		b.Servers = append(b.Servers, netip.AddrPortFrom(netip.MustParseAddr("fe80::1").WithZone(s), 25))
	}, false},
	{"127.0.1.1:25", func(p *relay.Policy, s string) { inFront(p).Listeners[0].Service = s }, false},
}

// inFront puts a firewall and a balancer before the gateway's listener.
func inFront(p *relay.Policy) *relay.Policy {
	p.Firewall = relay.Firewall{Ports: []uint16{25}}
	p.Balancer = relay.Balancer{
		Bind:    []netip.AddrPort{netip.MustParseAddrPort("192.0.2.10:25")},
		Servers: []netip.AddrPort{netip.MustParseAddrPort("127.0.1.1:25")},
	}
	return p
}

// further adds a second gateway.
func further(p *relay.Policy) *relay.FurtherGateway {
	p.Further = []relay.FurtherGateway{acmeWith(acmeFingerprint)}
	p.Tenants[1].Gateway = "acme"
	p.Listeners = append(p.Listeners, relay.Listener{Service: "127.0.1.1:2525", Role: relay.RoleGateway, Gateway: "acme"})
	return &p.Further[0]
}

// breakOuts are strings that mean something to one of the readers.
var breakOuts = []string{
	"", "x", "conbool", "a.test", "/etc/a", "X-A", "\n", "a\nrelayhost = [evil.test]", "a\r\nb", "a\x00b", "a b", "a,b", "$myhostname", "${x}", "{ a }",
	"a;b", "\"; stop; #", "\\", "a\"b", "/", "a/ FILTER smtp:[evil.test]\n/b", "(", ")", "[", "a|b", ".*", "^$", "a\n  -o x=y", "#", "# x",
	"=", "a = b", "@", "*", "?", "é", "bücher.test", "xn--bcher-kva.test", "\xff", "..", "../../etc", "/a/../b", "INBOX.Spam", "Spam/Ünder", "%d",
	strings.Repeat("a", 300), strings.Repeat("a.", 200) + "test", "-o", "--", "endif", "if /x/", "!", "text:\nx\n.\n", "END oxmailroute-conbool",
	"\n# END oxmailroute-conbool\n", "a\v", "a\u2028b", "<!--", "[a]:25", "[a.test]:25\n", "a\\", "\\n", "'", "`id`", "$(id)", "\t", " a ", "a.",
}

// readers are the programs that read what is emitted.
type readers struct {
	postconf, postmap, sievec, haproxy, dir string
	nft                                     []string
}

func newReaders(tb testing.TB) readers {
	r := readers{servertest.Need(tb, "postconf"), servertest.Need(tb, "postmap"), servertest.Need(tb, "sievec"),
		servertest.Need(tb, "haproxy"), tb.TempDir(), nftables(tb)}
	conf := "mail_location = maildir:" + r.dir + "/mail\nssl = no\n"
	// postmap wants the addresses of inet_interfaces to exist, and reads nothing
	// of main.cf that these tables depend on.
	if err := os.WriteFile(filepath.Join(r.dir, "main.cf"), nil, 0o644); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(r.dir, "main.cf"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "dovecot.conf"), []byte(conf), 0o644); err != nil {
		tb.Fatal(err)
	}
	return r
}

// nftables is how nft(8) is run. It asks the kernel even for a check, which an
// ordinary user may in a network of his own only.
func nftables(tb testing.TB) []string {
	nft := servertest.Need(tb, "nft")
	if os.Geteuid() == 0 {
		return []string{nft}
	}
	own := []string{servertest.Need(tb, "unshare"), "--user", "--map-root-user", "--net", nft}
	if out, err := exec.Command(own[0], append(own[1:], "list", "ruleset")...).CombinedOutput(); err != nil {
		servertest.Missing(tb, fmt.Sprintf("nft needs root's rights or user namespaces: %v %s", err, out))
	}
	return own
}

// output runs a reader; anything on standard error is what it complains about.
func (r readers) output(tb testing.TB, name string, args ...string) []string {
	tb.Helper()
	cmd := exec.Command(name, args...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err := cmd.Run()
	if complaints.Len() > 0 {
		tb.Errorf("%s %v: %s", filepath.Base(name), args, complaints.String())
	}
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && filepath.Base(name) == "postmap") {
		tb.Errorf("%s %v: %v", filepath.Base(name), args, err)
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

// shape is what the readers found: names, and how many of each; what a value
// may not change.
type shape struct {
	Params, Services, Options []string
	Commands, Requires        int
	Firewall, Balancer        int // words and signs outside of comments
	files                     map[string]string
}

// beyond is what of the shape the other doesn't have.
func (s shape) beyond(other shape) (out []string) {
	for _, names := range [][2][]string{{s.Params, other.Params}, {s.Services, other.Services}, {s.Options, other.Options}} {
		for _, n := range names[0] {
			if !slices.Contains(names[1], n) {
				out = append(out, n)
			}
		}
	}
	if s.Commands > other.Commands || s.Requires > other.Requires || s.Firewall > other.Firewall || s.Balancer > other.Balancer {
		out = append(out, fmt.Sprintf("%d commands, %d requires, %d words for nft and %d for HAProxy", s.Commands, s.Requires, s.Firewall,
			s.Balancer))
	}
	return out
}

// sealsLine is a line of the file with the sums of managed blocks.
var sealsLine = regexp.MustCompile(`^(# [ -~]*|[A-Za-z0-9_-]{8} [A-Za-z0-9_-]+)$`)

// shape asks the readers about every file that is not as it was before.
func (r readers) shape(tb testing.TB, c *relay.Config, before shape) shape {
	tb.Helper()
	s := before
	s.files = map[string]string{}
	changed := map[string]bool{}
	for _, f := range c.Files() {
		s.files[f.Name] = string(f.Data)
		changed[f.Name] = before.files[f.Name] != string(f.Data)
	}
	dir, err := os.MkdirTemp(r.dir, "emit")
	if err != nil {
		tb.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if _, err := deploy.Write(context.Background(), deploy.Local{Dir: dir}, c.Files(), deploy.Options{}); err != nil {
		tb.Fatal(err)
	}
	// Postfix waits for files that were changed in this second.
	old := time.Now().Add(-time.Hour)
	for _, f := range c.Files() {
		if err := os.Chtimes(filepath.Join(dir, f.Name), old, old); err != nil {
			tb.Fatal(err)
		}
	}
	conf := filepath.Join(dir, "postfix")
	name := func(line string) string { return strings.TrimSpace(strings.SplitN(line, "=", 2)[0]) }
	if changed["postfix/main.cf"] || changed["postfix/master.cf"] {
		s.Params, s.Services, s.Options = nil, nil, nil
		for _, l := range r.output(tb, r.postconf, "-c", conf, "-n") {
			s.Params = append(s.Params, name(l))
		}
		for _, l := range r.output(tb, r.postconf, "-c", conf, "-M") {
			s.Services = append(s.Services, strings.Join(strings.Fields(l)[:2], " "))
		}
		for _, l := range r.output(tb, r.postconf, "-c", conf, "-P") {
			s.Options = append(s.Options, name(l))
		}
		slices.Sort(s.Services)
	}
	for _, f := range c.Files() {
		path := filepath.Join(dir, f.Name)
		switch {
		case !changed[f.Name]:
		case strings.HasSuffix(f.Name, ".cidr"):
			r.output(tb, r.postmap, "-c", r.dir, "-q", "192.0.2.77", "cidr:"+path)
		case strings.HasSuffix(f.Name, "_scope"), strings.HasSuffix(f.Name, "_transport"), strings.HasSuffix(f.Name,
			"_tls_policy"), strings.HasSuffix(f.Name, "_return"), strings.HasSuffix(f.Name, "_certs"):
			r.output(tb, r.postmap, "-c", r.dir, "hash:"+path)
			rows, _ := postfix.ParseTable(f.Name, f.Data)
			if n := len(r.output(tb, r.postmap, "-c", r.dir, "-s", "hash:"+path)); n != len(rows) {
				tb.Errorf("%s: postmap has %d rows, we wrote %d:\n%s", f.Name, n, len(rows), f.Data)
			}
		case strings.HasSuffix(f.Name, ".nft"):
			r.output(tb, r.nft[0], slices.Concat(r.nft[1:], []string{"-c", "-f", path})...)
			s.Firewall = tokens(f.Data)
		case strings.HasSuffix(f.Name, ".cfg"):
			r.output(tb, r.haproxy, "-c", "-q", "-f", path)
			s.Balancer = tokens(f.Data)
		case strings.HasSuffix(f.Name, "_seals"): // no server reads it
			for i, line := range strings.Split(strings.TrimSuffix(string(f.Data), "\n"), "\n") {
				if !sealsLine.MatchString(line) {
					tb.Errorf("%s:%d: %q", f.Name, i+1, line)
				}
			}
		case strings.HasPrefix(f.Name, "postfix/") && !strings.HasSuffix(f.Name, ".cf"):
			r.output(tb, r.postmap, "-c", r.dir, "-q", "X-Nothing: of the kind", "regexp:"+path)
		case strings.HasSuffix(f.Name, ".sieve"):
			r.output(tb, r.sievec, "-c", filepath.Join(r.dir, "dovecot.conf"), path)
			script, err := sieve.Parse(f.Name, f.Data)
			if err != nil {
				tb.Fatal(err)
			}
			s.Commands, s.Requires = len(script.Commands), len(script.Requires())
		}
	}
	return s
}

// tokens counts what nft(8) and HAProxy see of a file.
func tokens(data []byte) (n int) {
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		n += len(strings.Fields(line)) + strings.Count(line, ";") + strings.Count(line, "{") + strings.Count(line, "}")
	}
	return n
}

// breakOutBase hosts one domain more, and not those of a store.
func breakOutBase(tb testing.TB, p relay.Policy) relay.Installation {
	in := labBase(tb)
	if len(p.Further) > 0 {
		in = withListener(labBase)(tb)
	}
	domains := "example.org, hosted.test\n"
	if p.Tenants[2].Store != "" {
		domains = "hosted.test\n"
	}
	in.Files["/etc/postfix/main.cf"] = []byte(strings.Replace(string(in.Files["/etc/postfix/main.cf"]), "example.org\n", domains, 1))
	return in
}

// emits checks one string in one place: refused, or everything that the
// readers find has the shape it has with an ordinary value.
func (r readers) emits(tb testing.TB, want *ordinaries, field int, s string) (accepted bool) {
	tb.Helper()
	p := labPolicy(tb, "lab.json")
	p.Topology = relay.TopologyMailboxes
	spoil[field].set(&p, s)
	in := breakOutBase(tb, p)
	c, err := tryCompile(tb, p, in)
	if err != nil {
		var list relay.Errors
		if !errors.As(err, &list) || len(list) == 0 || list[0].Position.String() == "" {
			tb.Errorf("an error without a place: %v", err)
		}
		return false
	}
	ordinary := want.of(tb, r, field)
	got := r.shape(tb, c, ordinary)
	if s == "" {
		// The value is left out: what hangs on it is, too, and nothing comes instead.
		for _, more := range got.beyond(ordinary) {
			tb.Errorf("field %d, empty: the readers find %s, which an ordinary value doesn't give", field, more)
		}
		return true
	}
	if diff := cmp.Diff(ordinary, got, cmpopts.IgnoreUnexported(shape{})); diff != "" && !spoil[field].names {
		tb.Errorf("field %d, %q: what the readers find (-ordinary +this):\n%s", field, s, diff)
	}
	return true
}

// ordinaries are the shapes that the ordinary values of the fields give, of those
// that were asked for.
type ordinaries struct {
	none   shape
	fields map[int]shape
}

func newOrdinaries(tb testing.TB, r readers) *ordinaries {
	tb.Helper()
	p := labPolicy(tb, "lab.json")
	return &ordinaries{r.shape(tb, compile(tb, p, breakOutBase(tb, p)), shape{}), map[int]shape{}}
}

// of is the shape of a field's ordinary value, which it accepts.
func (o *ordinaries) of(tb testing.TB, r readers, field int) shape {
	tb.Helper()
	if s, ok := o.fields[field]; ok {
		return s
	}
	p := labPolicy(tb, "lab.json")
	spoil[field].set(&p, spoil[field].ordinary)
	c, err := tryCompile(tb, p, breakOutBase(tb, p))
	if err != nil {
		tb.Fatalf("field %d: %v", field, err)
	}
	s := r.shape(tb, c, o.none)
	o.fields[field] = s
	return s
}

// TestBreakOut puts strings into places, in a plain run into a third of them: each
// into each from TEST_SCALE=32 on.
func TestBreakOut(t *testing.T) {
	t.Parallel()
	r := newReaders(t)
	want := newOrdinaries(t, r)
	draw := rand.New(rand.NewPCG(*seed, 17))
	var fields []int
	for field := range spoil {
		fields = append(fields, field)
	}
	tried, accepted := 0, 0
	for _, field := range servertest.Part(t, fields, len(fields)/6) {
		for _, i := range draw.Perm(len(breakOuts))[:min(len(breakOuts), servertest.Scaled(t, 2))] {
			if tried++; r.emits(t, want, field, breakOuts[i]) {
				accepted++
			}
		}
	}
	if accepted < tried/50 {
		t.Errorf("only %d of %d were accepted: the test looks at little", accepted, tried)
	}
	t.Logf("%d accepted, %d refused", accepted, tried-accepted)
}

// FuzzBreakOut looks for more of them.
func FuzzBreakOut(f *testing.F) {
	r := newReaders(f)
	want := newOrdinaries(f, r)
	// TestBreakOut has all pairs; here each place and each string once, but for the
	// plain run, which has a sixth of them.
	var seeds []int
	for i := range max(len(spoil), len(breakOuts)) {
		seeds = append(seeds, i)
	}
	if v := flag.Lookup("test.fuzz").Value.String(); v == "" {
		seeds = servertest.Part(f, seeds, len(seeds)/6)
	}
	for _, i := range seeds {
		f.Add(uint8(i%len(spoil)), breakOuts[i%len(breakOuts)])
	}
	f.Fuzz(func(t *testing.T, field uint8, s string) {
		r.emits(t, want, int(field)%len(spoil), s)
	})
}
