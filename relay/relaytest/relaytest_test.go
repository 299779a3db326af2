package relaytest_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/relay/relaytest"
)

const good = `policy: p.json
origin: internal
from: a@example.com
to: x@remote.test
-- message --
Subject: x

-- want --
relay [mail.conbool.com]:25
`

// policyJSON is the shipped policy of an outbound relay.
func policyJSON(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("../../examples/oxmailroute/testdata/relay.json")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestLoad(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"as it is", "", "", ""},
		{"unknown setting", "origin:", "orgin:", "f.txtar:2: unknown setting"},
		{"setting twice", "from:", "origin: pickup\nfrom:", "f.txtar:3: origin stands twice"},
		{"no recipient", "to: x@remote.test\n", "", "to is missing"},
		{"no sender", "from: a@example.com\n", "", "from is missing"},
		{"no message", "-- message --", "-- mesage --", "unknown file \"mesage\""},
		{"file twice", "-- want --", "-- message --\n-- want --", "-- message -- stands twice"},
		{"unknown outcome", "relay [", "relays [", "an outcome is relay, mx"},
		{"bad script", "-- want --", "-- script a@example.com --\nkeeep;\n-- want --", "script a@example.com:1:"},
		{"no such policy", "p.json", "q.json", "f.txtar: policy:"},
		{"no such base", "origin:", "base: nowhere\norigin:", "f.txtar: base:"},
		{"no such listener", "from:", "service: 26\nfrom:", "service:"},
		{"unknown role", "origin: internal", "origin: intenet", "f.txtar: origin: "},
		{"role without a listener", "origin: internal", "origin: gateway", "no listener has the role \"gateway\""},
		{"empty assumption", "from:", "assume:\nfrom:", "f.txtar:3: assume says nothing"},
		{"bad client", "from:", "client: x\nfrom:", "client:"},
		{"bad TLS", "from:", "tls: x\nfrom:", "tls:"},
		{"bad login", "from:", "auth: maybe\nfrom:", "auth:"},
		{"bad smart host", "from:", "smarthost: green\nfrom:", "smarthost:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(good, tt.old, tt.new, 1)
			fsys := fstest.MapFS{"p.json": {Data: policyJSON(t)}, "f.txtar": {Data: []byte(text)}}
			c, f, err := relaytest.Load(fsys, "f.txtar")
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			relaytest.Run(t, c, f)
		})
	}
}

func TestCheck(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"other action", "relay [mail.conbool.com]:25", "mx remote.test", "outcomes differ"},
		{"other recipient", "relay [mail.conbool.com]:25", "relay [mail.conbool.com]:25 <y@remote.test>", "outcomes differ"},
		{"an assumption that isn't made", "from:", "assume: smtpd_milters\nfrom:", "assumes nothing of the kind"},
		{"one too many", "-- want --", "-- want --\nmx remote.test", "outcomes differ"},
		{"trace", "-- want --", "-- trace --\npostfix/conbool_scope:3\nTenants[0].Domains[0]\n-- want --", ""},
		{"trace in another order", "-- want --", "-- trace --\nTenants[0].Domains[0]\nListeners\n-- want --", "does not touch \"Listeners\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(good, tt.old, tt.new, 1)
			fsys := fstest.MapFS{"p.json": {Data: policyJSON(t)}, "f.txtar": {Data: []byte(text)}}
			c, f, err := relaytest.Load(fsys, "f.txtar")
			if err != nil {
				t.Fatal(err)
			}
			err = relaytest.Check(c, f)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Check: %v, want %q", err, tt.want)
			}
		})
	}
}

// TestAssumptions: what hangs on another program fails, unless it is allowed by
// name; an unreadable Directory and an origin that nothing enters by always do.
func TestAssumptions(t *testing.T) {
	policy, err := relay.ParsePolicy("p.json", policyJSON(t))
	if err != nil {
		t.Fatal(err)
	}
	c, err := relay.Compile(policy, relay.Installation{})
	if err != nil {
		t.Fatal(err)
	}
	f := relaytest.Fixture{
		Name: "f", Message: relay.Message{Origin: c.Origin(relay.RoleInternal), From: "a@example.com", To: "x@remote.test",
			Raw: []byte("Subject: x\n\n")},
		Want: []relaytest.Outcome{{Action: relay.ActionRelay, Target: "[mail.conbool.com]:25", To: "x@remote.test"}},
	}
	if err := relaytest.Check(c, f); err != nil {
		t.Error(err)
	}
	for _, o := range []relay.Origin{{}, {Role: "intenet"}, {Role: relay.RoleGateway}, {Role: relay.RoleInternal, Service: "nowhere"}} {
		g := f
		g.Message.Origin, g.Want = o, []relaytest.Outcome{{Action: relay.ActionReject, To: "x@remote.test"}}
		if err := relaytest.Check(c, g); err == nil || !strings.Contains(err.Error(), "f: origin: ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	in, err := relay.ReadInstallation(os.DirFS("../../examples/oxmailroute/testdata/base"), "")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("../../examples/oxmailroute/testdata/lab.json")
	if err != nil {
		t.Fatal(err)
	}
	lab, err := relay.ParsePolicy("lab.json", data)
	if err != nil {
		t.Fatal(err)
	}
	for name, main := range in.Files {
		if strings.HasSuffix(name, "main.cf") {
			in.Files[name] = append(main, "\nsender_canonical_maps = pgsql:/etc/postfix/x.cf\n"...)
		}
	}
	in.Tables = map[string]relay.Table{"pgsql:/etc/postfix/x.cf": {Harmless: true}}
	if c, err = relay.Compile(lab, in); err != nil {
		t.Fatal(err)
	}
	f.Message.Origin = c.Origin(relay.RoleInternal)
	f.Message.From = "alice@example.com"
	d := c.Route(t.Context(), &f.Message)
	if len(d.Assumptions) == 0 {
		t.Fatal("the decision assumes nothing: the test shows nothing")
	}
	f.Want = nil
	for _, o := range d.Outcomes {
		f.Want = append(f.Want, relaytest.Outcome{Action: o.Action, Target: o.Target.String(), To: o.To})
	}
	if err := relaytest.Check(c, f); err == nil || !strings.Contains(err.Error(), "it hangs on ") {
		t.Errorf("not allowed: %v", err)
	}
	f.Assume = []string{"sender_canonical_maps"}
	if err := relaytest.Check(c, f); err != nil {
		t.Errorf("allowed: %v", err)
	}
}
