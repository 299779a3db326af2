package policy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/relay/policy"
)

func TestParsePolicy(t *testing.T) {
	whole, err := os.ReadFile(testdata + "lab.json")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, text string
		want       []string
	}{
		{"unknown field", "{\n  \"Gatway\": {}\n}", []string{
			`p.json:2:3: Gatway: invalid: there is no such field; write Gateway, or remove it`}},
		{"unknown field that is no word", `{"a\nb\u001b[31m": 1, "ü": 2}`, []string{
			`p.json:1:2: "a\nb\x1b[31m": invalid: there is no such field; remove it, or write one of Gateway, Further, Server, Topology, Tenants, Direct, DirectVia, Inbound, Firewall, Balancer, Listeners, Loop, Calendar, Spam, Sieve, Mailboxes, Aliases`,
			`p.json:1:23: "\u00fc": invalid: there is no such field; remove it, or write one of Gateway, Further, Server, Topology, Tenants, Direct, DirectVia, Inbound, Firewall, Balancer, Listeners, Loop, Calendar, Spam, Sieve, Mailboxes, Aliases`}},
		{"something behind", "{},", []string{"p.json:1:3: invalid: something stands behind the policy; remove it"}},
		{"something behind null", "null :", []string{"p.json:1:6: invalid: something stands behind the policy; remove it"}},
		{"unknown field deep", `{"Tenants": [{"Name": "a"}, {"Domain": ["a.test"], "Quota": {"a": [1, {}]}}]}`, []string{
			`p.json:1:30: Tenants[1].Domain: invalid: there is no such field; write Domains, or remove it`,
			`p.json:1:52: Tenants[1].Quota: invalid: there is no such field; remove it, or write one of Name, Domains, Gateway, Scope, Store`}},
		{"a field of the gateway within a further one", `{"Further": [{"Networks": [], "Gateway": {}, "SecondPas": "127.0.0.1:1"}]}`, []string{
			`p.json:1:31: Further[0].Gateway: invalid: there is no such field; remove it, or write one of Preset, Name, SmartHost, Networks, Client, Markers, Inbound, SecondPass`,
			`p.json:1:46: Further[0].SecondPas: invalid: there is no such field; write SecondPass, or remove it`}},
		{"twice", `{"Direct": [], "Topology": "store", "Direct": ["a.test"]}`, []string{
			`p.json:1:37: Direct: duplicate: the field stands there already; remove one`}},
		{"in another case", `{"Spam": {"folder": "Spam"}, "direct": [], "Server": {"REENTRY": "127.0.0.1:1"}}`, []string{
			`p.json:1:11: Spam.folder: invalid: there is no such field; write Folder, or remove it`,
			`p.json:1:30: direct: invalid: there is no such field; write Direct, or remove it`,
			`p.json:1:55: Server.REENTRY: invalid: there is no such field; write ReEntry, or remove it`}},
		{"a preset that isn't there", `{"Gateway": {"Networks": [], "Preset": "Conbol"}, "Further": [{"Preset": "mimecast"}, {"Preset": 5}]}`,
			[]string{
				`p.json:1:40: Gateway.Preset: invalid: there is no preset "Conbol"; write conbool, or remove it`,
				`p.json:1:74: Further[0].Preset: invalid: there is no preset "mimecast"; remove it, or write one of conbool, proofpoint`,
				`p.json:1:98: Further[1].Preset: invalid: a number, not a text; write it in quotes`}},
		{"a preset in another case, twice, elsewhere", `{"Gateway": {"preset": "conbool"}, "Further": [{"Preset": "conbool", "Preset": "conbool"}], "Server": {"Preset": "conbool"}}`, []string{
			`p.json:1:14: Gateway.preset: invalid: there is no such field; write Preset, or remove it`,
			`p.json:1:70: Further[0].Preset: duplicate: the field stands there already; remove one`,
			`p.json:1:104: Server.Preset: invalid: there is no such field; remove it, or write one of Hostname, Postfix, Dovecot, ConfigDirectory, CertFile, KeyFile, Networks, SecondPass, ReEntry, Strip, Sorting, Generated, SMTPFilters`}},
		{"a marker beside a preset", `{"Gateway": {"Preset": "conbool", "Markers": {"Spam": {"Match": {"Name": "X-Conbol-Flag", "Op": "is", "Values": ["YES"]}}}}}`, []string{
			`p.json:1:13: Gateway.Markers: invalid: "X-Conbol-Flag" is no header of conbool's; write X-Conbool-Flag, or give the gateway another Name`}},
		{"wrong kinds", "{\n\"Gateway\": {\"SmartHost\": {\"Port\": \"25\", \"Host\": 7, \"LookupMX\": \"true\"}},\n \"Tenants\": {\"Name\": \"a\"}, \"Direct\": \"a.test\",\n" +
			" \"Listeners\": [\"smtp\", {\"Service\": [\"smtp\"]}], \"Sieve\": {\"Slot\": 1.5}, \"Server\": true, \"Firewall\": {\"Ports\": [25, 70000]}}", []string{
			`p.json:2:35: Gateway.SmartHost.Port: invalid: a text, not a whole number from 0 to 65535; write 25, without quotes`,
			`p.json:2:49: Gateway.SmartHost.Host: invalid: a number, not a text; write it in quotes`,
			`p.json:2:64: Gateway.SmartHost.LookupMX: invalid: a text, not true or false; write true, without quotes`,
			`p.json:3:13: Tenants: invalid: an object, not a list; write [ and ], and the values between them`,
			`p.json:3:38: Direct: invalid: a text, not a list; put [ and ] around it, also where it is one`,
			`p.json:4:16: Listeners[0]: invalid: a text, not an object; write { and }, and in it any of Service, Role, Gateway`,
			`p.json:4:36: Listeners[1].Service: invalid: a list, not a text; write one, in quotes and without [ and ]`,
			`p.json:4:66: Sieve.Slot: invalid: a number, not a whole number; write the number alone, such as 1`,
			`p.json:4:82: Server: invalid: true or false, not an object; write { and }, and in it any of Hostname, Postfix, Dovecot, ConfigDirectory, CertFile, KeyFile, Networks, SecondPass, ReEntry, Strip, Sorting, Generated, SMTPFilters`,
			`p.json:4:115: Firewall.Ports[1]: invalid: a number, not a whole number from 0 to 65535; write the number alone, such as 25`}},
		{"networks and addresses", `{"Gateway": {"Networks": ["192.0.2.1", 5, "192.0.2.0/24"]}, "Server": {"ReEntry": "10032"}, "Firewall": {"Addresses": ["ox.test"]}}`, []string{
			`p.json:1:27: Gateway.Networks[0]: invalid: "192.0.2.1" is not a network; write address/length in quotes, such as "192.0.2.0/24"`,
			`p.json:1:40: Gateway.Networks[1]: invalid: a number, not a network; write address/length in quotes, such as "192.0.2.0/24"`,
			`p.json:1:83: Server.ReEntry: invalid: "10032" is not an address with a port; write both in quotes, such as "127.0.0.1:10030"`,
			`p.json:1:120: Firewall.Addresses[0]: invalid: "ox.test" is not an address; write it in quotes, such as "192.0.2.10"`}},
		{"conditions", `{"Gateway": {"Markers": {"Spam": {"Mtch": {}}, "Loop": [{"Any": [{"Match": {"Name": "A", "Op": "equals"}}]}], "Released": "yes"}}}`, []string{
			`p.json:1:34: Gateway.Markers.Spam: unknown word "Mtch"; write one of Exists, Match, MatchPrefix, ContentType, Not, All, Any`,
			`p.json:1:57: Gateway.Markers.Loop[0].Any[0].Match.Op: unknown word "equals"; give "is", "contains", "matches" or "regex"`,
			`p.json:1:123: Gateway.Markers.Released: not an object; write an object with one key, one of Exists, Match, MatchPrefix, ContentType, Not, All, Any`}},
		{"not a policy", `[]`, []string{
			`p.json:1:1: invalid: a list, not an object; write { and }, and in it any of Gateway, Further, Server, Topology, Tenants, Direct, DirectVia, Inbound, Firewall, Balancer, Listeners, Loop, Calendar, Spam, Sieve, Mailboxes, Aliases`}},
		{"no JSON", `{,}`, []string{`p.json:1:2: invalid: invalid character ',' looking for beginning of object key string; mend the JSON there`}},
		{"a comma too many", "{\"Topology\": 5,\n \"Tenants\": [{\"Name\": \"a\",\n }]}", []string{
			`p.json:1:14: Topology: invalid: a number, not a text; write it in quotes`,
			`p.json:3:2: Tenants[0]: invalid: invalid character '}' looking for beginning of object key string; remove the comma before it`}},
		{"a comma too few", "{\"Direct\": [\"a.test\" \"b.test\"]}", []string{
			`p.json:1:22: Direct[1]: invalid: invalid character '"' after array element; put a comma before it, or close what is open`}},
		{"a comment", "{\n  // ours\n  \"Direct\": []}", []string{
			`p.json:2:3: invalid: invalid character '/' looking for beginning of object key string; JSON has no comments: remove it`}},
		{"cut off", string(whole[:100]), []string{`p.json:6:8: Gateway.SmartHost: invalid: the text ends inside the policy; give the whole text`}},
		{"empty", "", []string{`p.json:1:1: invalid: the text ends inside the policy; give the whole text`}},
		{"two policies", "{}\n{}", []string{`p.json:2:1: invalid: something stands behind the policy; remove it`}},
		{"null", "null", nil},
		{"nulls", `{"Gateway": null, "Tenants": [null], "Direct": null, "Server": {"ReEntry": null}, "Spam": {"Create": null}}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := policy.ParsePolicy("p.json", []byte(tt.text))
			remedied(t, err)
			var got []string
			if err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if err != nil && !errors.Is(err, policy.ErrInvalid) && !errors.Is(err, policy.ErrDuplicate) {
				t.Error("the error has no sentinel")
			}
			if diff := cmp.Diff(policy.Policy{}.Topology, p.Topology); diff != "" {
				t.Errorf("half a policy: %s", diff)
			}
		})
	}
}

// TestParsePolicyPaths: the paths are those of Validate, so that both kinds of
// error are looked up alike.
func TestParsePolicyPaths(t *testing.T) {
	_, err := policy.ParsePolicy("p.json", []byte("{\"Tenants\": [{\"Domains\": [\"a.test\", 5]}]}"))
	var e *policy.Error
	if !errors.As(err, &e) || e.Path != "Tenants[0].Domains[1]" || e.Position.String() != "p.json:1:37: Tenants[0].Domains[1]" {
		t.Errorf("%+v", e)
	}
	_, err = policy.ParsePolicy("p.json", []byte(`{"Gateway": {"Markers": {"Spam": {"Match": 5}}}}`))
	if !errors.Is(err, headers.ErrInvalid) {
		t.Errorf("%v: not an error of package headers", err)
	}
}

// FuzzParsePolicy: what is read is what encoding/json reads, which takes all that
// is taken here but for presets and, but for fields that stand twice or in another
// case, no more; every error has a place and a remedy.
func FuzzParsePolicy(f *testing.F) {
	for _, name := range []string{"lab.json", "relay.json"} {
		whole, err := os.ReadFile(testdata + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(whole)
	}
	for _, text := range []string{
		`{"Further": [{"Name": "a", "SmartHost": {"Port": 65535}, "SecondPass": "127.0.0.1:1", "Inbound": {"Allow": ["::1/128"]}}]}`,
		`{"tenants": [{"NAME": "\ud800", "Domains": [null, ""]}], "Firewall": {"Ports": [1e2], "Addresses": [""]}}`,
		`{"Gateway": {"Markers": {"Loop": [{"Not": {"Exists": {"Name": "A"}}}, null]}}, "Sieve": {"Slot": -1}}`,
		`{"Mailbo\u0078es": ["a"], "Direct": {}, "Direct": []}`, `{"Mailboxe\u017f": []}`, `[]`, `{"a":`, `{"Sieve": {"Slot": 1}}}`, "\xff",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := policy.ParsePolicy("p.json", data)
		remedied(t, err)
		var want policy.Policy
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		wantErr := d.Decode(&want)
		if wantErr == nil {
			if _, end := d.Token(); end != io.EOF {
				wantErr = errors.New("data behind it")
			}
		}
		preset := bytes.Contains(data, []byte("Pr")) || bytes.Contains(data, []byte(`\u00`))
		stricter := errors.Is(err, policy.ErrDuplicate) || err != nil && strings.Contains(err.Error(), "there is no such field") ||
			err != nil && strings.Contains(err.Error(), "is no header of")
		if err == nil && wantErr != nil && !preset || err != nil && wantErr == nil && !stricter {
			t.Fatalf("%v, encoding/json says %v", err, wantErr)
		}
		if err != nil || preset {
			return
		}
		one, err1 := json.Marshal(got)
		two, err2 := json.Marshal(want)
		if err1 != nil || err2 != nil || !bytes.Equal(one, two) {
			t.Errorf("got %s, %v\nencoding/json has %s, %v", one, err1, two, err2)
		}
	})
}

// TestPreset: the fields beside a preset override its own, wherever it stands.
func TestPreset(t *testing.T) {
	want := policy.Conbool(netip.MustParsePrefix("198.51.100.0/28"))
	want.SmartHost.CertFile, want.SmartHost.KeyFile, want.SmartHost.Port = "/c", "/k", 587
	want.Client = policy.ClientCertificate{Names: []string{"a.test"}}
	want.Markers.Spam = headers.When(headers.Exists{Name: "X-Other"})
	for name, text := range map[string]string{
		"first": `{"Preset": "conbool", "Networks": ["198.51.100.0/28"], "SmartHost": {"CertFile": "/c", "KeyFile": "/k", "Port": 587},
			"Client": {"Names": ["a.test"]}, "Markers": {"Spam": {"Exists": {"Name": "X-Other"}}}}`,
		"last": `{"Networks": ["198.51.100.0/28"], "SmartHost": {"CertFile": "/c", "KeyFile": "/k", "Port": 587},
			"Client": {"Names": ["a.test"]}, "Markers": {"Spam": {"Exists": {"Name": "X-Other"}}}, "Preset": "conbool"}`,
	} {
		p, err := policy.ParsePolicy("p.json", []byte(`{"Gateway": `+text+`, "Further": [`+text+`]}`))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, got := range []policy.Gateway{p.Gateway, p.Further[0].Gateway} {
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
	p, err := policy.ParsePolicy("p.json", []byte(`{"Gateway": {"Preset": "proofpoint", "SmartHost": {"Host": "outbound-eu1.ppe-hosted.com", "Auth": {"PasswordFile": "/etc/p"}}}}`))
	if diff := cmp.Diff(policy.ProofpointEssentials(policy.ProofpointEU, "/etc/p"), p.Gateway); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}
