package relay_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/relay"
)

// exceptionPolicies are policies whose exceptions differ.
func exceptionPolicies(t *testing.T) map[string]relay.Policy {
	plain := labPolicy(t, "lab.json")
	all := labPolicy(t, "lab.json")
	all.Direct = []string{"remote2.test", "b\u00fccher.test"}
	all.Calendar = relay.Calendar{ICS: true, RequireMethod: true}
	all.Gateway.Markers.Loop = []headers.Condition{
		headers.When(headers.Match{Name: "X-Seen-By", Op: headers.Contains, Values: []string{"conbool", "gw\""}}),
		headers.When(headers.Any{headers.Exists{Name: "X-Conbool-Done"}, headers.Match{Name: "X-Seen", Op: headers.Matches, Values: []string{"*gate*"}, Comparator: headers.Octet}}),
	}
	some := labPolicy(t, "lab.json")
	some.Loop = relay.Loop{AnyDomain: true, NoOrigin: true}
	some.Calendar.Off = true
	return map[string]relay.Policy{"the page's": plain, "all of them": all, "any domain, no origin, no calendar": some}
}

// TestExceptionsMatch: for mail that would go to the gateway but for an
// exception, the exceptions say what Route does; and so they do when they have
// been through JSON.
func TestExceptionsMatch(t *testing.T) {
	for name, p := range exceptionPolicies(t) {
		t.Run(name, func(t *testing.T) {
			c := compile(t, p, labBase(t))
			e := c.Exceptions()[0]
			text, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			var back relay.Exceptions
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatal(err)
			}
			m, err := back.Matcher()
			if err != nil {
				t.Fatal(err)
			}
			g := generator{rand: rand.New(rand.NewPCG(*seed, 9)), policy: p, world: maillab.DefaultWorld()}
			senders := []string{"alice@example.com", "Alice+tag@Example.COM", "carol@example.net", ""}
			recipients := []string{"x@remote1.test", "y@remote2.test", "Y@REMOTE2.Test", "z@sub.remote2.test", "u@xn--bcher-kva.test"}
			extra := []string{"", "", "X-Seen-By: some conbool host\n", "X-Conbool-Done:\n", "X-Seen: a gate b\n", "X-Seen: a Gate b\n"}
			origins := []relay.Origin{c.Origin(relay.RoleReEntry), c.Origin(relay.RoleReEntry), c.Origin(relay.RoleSubmission), c.Origin(relay.RoleInternal), c.Origin(relay.FromPickup)}
			kinds := map[bool]int{}
			n := drawn(t, 4000)
			for i := range n {
				made := g.message(i)
				msg := relay.Message{Origin: pick(&g, origins), From: pick(&g, senders), To: pick(&g, recipients), Raw: append([]byte(pick(&g, extra)), made.query.Raw...)}
				if msg.Origin.Role == relay.RoleReEntry {
					msg.Raw = append([]byte(redirectedHead), msg.Raw...)
				}
				d := c.Route(t.Context(), &msg)
				o := d.Outcomes[0]
				if o.Action != relay.ActionRelay && o.Action != relay.ActionMX {
					t.Fatalf("%s: %s", made.what, d)
				}
				past := o.Action == relay.ActionMX
				kinds[past]++
				if got := m.Match(&msg); got != past {
					t.Errorf("%s from <%s> to <%s> by %s: Match says %v, Route %s\n%s\n%s", made.what, msg.From, msg.To, msg.Origin.Role, got, d, msg.Raw[:min(len(msg.Raw), 500)], o.Trace)
				}
			}
			if kinds[true] < n/8 || kinds[false] < n/8 {
				t.Errorf("%v: the test says little", kinds)
			}
			// What the gateway itself delivered, on its way to somewhere else.
			msg := relay.Message{Origin: c.Origin(relay.RoleGateway), From: "alice@example.com", To: "outside@example.org", Raw: []byte("Subject: x\n\nx\n")}
			if past := c.Route(t.Context(), &msg).Outcomes[0].Action == relay.ActionMX; m.Match(&msg) != past {
				t.Errorf("from the gateway: Match says %v, Route %v", m.Match(&msg), past)
			}
		})
	}
}

// TestExceptionsSchema: what is written is valid by the published schema and by
// nothing less; what either refuses, the other does too.
func TestExceptionsSchema(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(relay.ExceptionsSchema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("urn:oxmailroute:exceptions", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("urn:oxmailroute:exceptions")
	if err != nil {
		t.Fatal(err)
	}
	validate := func(text string) error {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			return err
		}
		return schema.Validate(value)
	}
	for name, p := range exceptionPolicies(t) {
		for _, e := range compile(t, p, labBase(t)).Exceptions() {
			text, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(string(text)); err != nil {
				t.Errorf("%s: %v\n%s", name, err, text)
			}
			var back relay.Exceptions
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(e, back, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b fmt.Stringer) bool { return a.String() == b.String() })); diff != "" {
				t.Errorf("%s (-written +read):\n%s", name, diff)
			}
		}
	}
	const head = `{"Gateway": "g", "SmartHost": "[h]:25", "NullSender": true`
	tests := []struct {
		text string
		good bool
	}{
		{head + `}`, true},
		{head + `, "Domains": ["a.test"], "Networks": ["192.0.2.0/24", "2001:db8::/32"], "Reserved": [{"Prefix": "X-G-"}, {"Name": "X-H"}]}`, true},
		{head + `, "Markers": [{"Any": [{"Exists": {"Name": "X-A"}}, {"Match": {"Name": "X-B", "Op": "is", "Values": ["y"], "Comparator": "i;octet"}}]}]}`, true},
		{head + `, "Content": [{"ContentType": {"Types": ["text/calendar"], "Param": "method"}}]}`, true},
		{head + `, "Markers": [{"Match": {"Name": "X-B", "Op": "like", "Values": ["y"]}}]}`, false},
		{head + `, "Markers": [{"Match": {"Name": "X B", "Op": "is", "Values": ["y"]}}]}`, false},
		{head + `, "Markers": [{"Match": {"Name": "X-B", "Op": "is", "Values": []}}]}`, false},
		{head + `, "Markers": [{"Exists": {"Name": "X-A"}, "Not": null}]}`, false},
		{head + `, "Markers": [{"Exist": {"Name": "X-A"}}]}`, false},
		{head + `, "Markers": [{"Exists": {}}]}`, false},
		{head + `, "Markers": [{}]}`, false},
		{head + `, "Content": [{"ContentType": {"Types": ["calendar"]}}]}`, false},
		{head + `, "Networks": ["everybody"]}`, false},
		{head + `, "Reserved": ["X-G-"]}`, false},
		{head + `, "Reserved": [{}]}`, false},
		{head + `, "Reserved": [{"Name": "X-A", "Prefix": "X-B"}]}`, false},
		{head + `, "Reserved": [{"Name": "X A"}]}`, false},
		{head + `, "Domains": [""]}`, false},
		{`{}`, false},
		{`{"Gateway": "g", "NullSender": true}`, false},
		{head + `, "Marker": []}`, false},
		{head + `, "NullSenders": true}`, false},
		{`[]`, false},
		{`{"Gateway": 1, "SmartHost": "", "NullSender": true}`, false},
		{head, false},
		{head + `}{}`, false},
	}
	for _, tt := range tests {
		var e relay.Exceptions
		err := json.Unmarshal([]byte(tt.text), &e)
		if byType, bySchema := err == nil, validate(tt.text) == nil; byType != tt.good || bySchema != tt.good {
			t.Errorf("%s: read %v (%v), by the schema %v, want %v", tt.text, byType, err, bySchema, tt.good)
		}
		var syntax *json.SyntaxError
		if err != nil && !errors.Is(err, relay.ErrInvalid) && !errors.As(err, &syntax) {
			t.Errorf("%s: %v", tt.text, err)
		}
	}
}

// TestExceptionsRole: the role of the gateway's listener alone is no proof where
// the gateway's addresses are known: on a shared port strangers have it, too.
func TestExceptionsRole(t *testing.T) {
	for _, noOrigin := range []bool{false, true} {
		p := labPolicy(t, "lab.json")
		p.Inbound.Shared, p.Loop.NoOrigin = true, noOrigin
		p.Tenants[1].Scope = relay.Scope{Use: relay.ScopeNone}
		c := compile(t, p, labBase(t))
		m, err := c.Exceptions()[0].Matcher()
		if err != nil {
			t.Fatal(err)
		}
		for client, want := range map[string]bool{"127.0.2.1": true, "::ffff:127.0.2.1": true, "192.0.2.1": noOrigin, "": noOrigin} {
			msg := relay.Message{Origin: relay.Origin{Role: relay.RoleGateway}, From: "alice@example.com", To: "x@remote1.test", Raw: []byte(marked + "\nx\n")}
			if client != "" {
				msg.Origin.Client = netip.MustParseAddr(client)
			}
			if got := m.Match(&msg); got != want {
				t.Errorf("no origin header %v, from %q: %v", noOrigin, client, got)
			}
		}
	}
}
