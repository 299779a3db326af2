package relay_test

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/relay/relaytest"
)

// fixture is a shipped fixture with its file's settings.
type fixture struct {
	relaytest.Fixture
	config *relay.Config
	policy string
}

func fixtures(tb testing.TB) []fixture {
	tb.Helper()
	names, err := filepath.Glob(testdata + "fixtures/*.txtar")
	if err != nil || len(names) < 50 {
		tb.Fatalf("%d fixtures, %v", len(names), err)
	}
	var out []fixture
	for _, name := range names {
		c, f, err := relaytest.Load(os.DirFS(testdata), path.Join("fixtures", filepath.Base(name)))
		if err != nil {
			tb.Fatal(err)
		}
		f.Name = strings.TrimSuffix(filepath.Base(name), ".txtar")
		text, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		x := fixture{Fixture: f, config: c, policy: "lab.json"}
		if strings.Contains(string(text), "policy: ../relay.json") {
			x.policy = "relay.json"
		}
		out = append(out, x)
	}
	return out
}

// TestFixtures holds Route to the shipped fixtures.
func TestFixtures(t *testing.T) {
	for _, f := range fixtures(t) {
		relaytest.Run(t, f.config, f.Fixture)
	}
}

// labCertificates are the world's certificates by what smtpd sees of them.
var labCertificates = map[relay.Certificate]string{
	{}: "",
	{Name: "mail.conbool.com", Verified: true}:             "conbool",
	{Name: "stranger.test", Verified: true}:                "stranger",
	{Name: "mail.conbool.com"}:                             "selfsigned",
	{Name: `mail.conbool.com", Issuer "(" (verified OK))`}: "evilcn",
	{Name: "x"}: "evilissuer",
}

// TestFixturesServers holds the real servers to the same fixtures.
func TestFixturesServers(t *testing.T) {
	t.Parallel() // much of a run is waiting
	maillab.Need(t)
	services := map[string]map[relay.Role]string{
		"lab.json": {
			relay.RoleGateway: "127.0.1.1:25", relay.FromInternet: "127.0.1.1:25", relay.RoleSubmission: "127.0.1.1:587",
			relay.RoleInternal: "127.0.1.2:25", relay.RoleReEntry: "127.0.0.1:10032", relay.FromPickup: "sendmail",
		},
		"relay.json": {relay.RoleReEntry: "127.0.1.1:25", relay.RoleInternal: "127.0.1.2:25"},
	}
	all := fixtures(t)
	all = servertest.Part(t, all, (len(all)+3)/4)
	for policy, roles := range services {
		t.Run(policy, func(t *testing.T) {
			p := labPolicy(t, policy)
			site := maillab.Site{Files: map[string][]byte{}, Users: users, NoDovecot: p.Topology == relay.TopologyOutbound}
			if p.Topology != relay.TopologyOutbound {
				for name, data := range configured(labBase(t)) {
					site.Files["postfix/"+name] = data
				}
			}
			for user, text := range userScripts {
				site.Files["sieve/users/"+user+".sieve"] = []byte(text)
			}
			var msgs []maillab.Message
			var sent []fixture
			for i, f := range all {
				if f.policy != policy {
					continue
				}
				for _, file := range f.config.Files() {
					site.Files[file.Name] = file.Data
				}
				o := f.Message.Origin
				m := maillab.Message{
					ID: fmt.Sprintf("f%d", i), To: roles[o.Role], From: f.Message.From, Recipients: []string{f.Message.To}, Raw: f.Message.Raw,
				}
				if o.Role != relay.FromPickup {
					m.Source = o.Client.String()
				}
				if o.TLS == relay.TLSEncrypted {
					cert, ok := labCertificates[o.Certificate]
					if !ok {
						t.Fatalf("%s: no certificate for %+v", f.Name, o.Certificate)
					}
					m.TLS, m.Certificate = "tls", cert
				}
				if o.Authenticated {
					m.Auth = &[2]string{"alice@example.com", maillab.DefaultWorld().Password}
				}
				msgs = append(msgs, m)
				sent = append(sent, f)
			}
			result := maillab.Run(t, maillab.DefaultWorld(), site, msgs)
			for _, c := range result.Complaints {
				t.Errorf("complaint: %s", c)
			}
			for i, f := range sent {
				m := f.Message
				m.Raw = append([]byte(maillab.IDHeader+": "+msgs[i].ID+"\n"), m.Raw...)
				d := f.config.Route(t.Context(), &m)
				want, got := expected(d, p, m.Raw), observed(result.Messages[msgs[i].ID], f.Message.To, d, p)
				if !slices.Equal(want, got) {
					t.Errorf("%s\nfixture and Route:\n  %s\nservers:\n  %s", f.Name, strings.Join(want, "\n  "), strings.Join(got, "\n  "))
				}
			}
		})
	}
}
