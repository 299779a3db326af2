package relaytest_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

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
