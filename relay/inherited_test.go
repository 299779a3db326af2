package relay_test

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay"
)

// placeOf is what kind of generated service it is; "" for one of the
// installation's.
func servicePlace(sv postfix.Service, gateway []string) postfix.Place {
	switch {
	case slices.Contains(gateway, sv.Name+"/"+sv.Type):
		return postfix.GatewayListener
	case sv.Command == "smtpd" && strings.HasPrefix(sv.Name, "127.0.0.1:1003"):
		return postfix.InsideListener
	case sv.Name == "conbool-cleanup-out" || sv.Name == "conbool-cleanup-share":
		return postfix.PassCleanup
	case sv.Name == "conbool-gate" || sv.Name == "conbool-strip":
		return postfix.HopTransport
	case sv.Name == "conbool":
		return postfix.SmartHostTransport
	}
	return ""
}

// TestTreatments: every option of a generated service has its row and its
// reason in the table of parameters, and what the table says is always there
// is there.
func TestTreatments(t *testing.T) {
	tests := map[string]func(*relay.Policy){
		"as it is": func(*relay.Policy) {},
		"3.10":     func(p *relay.Policy) { p.Server.Postfix = "3.10" },
		"shared":   func(p *relay.Policy) { p.Inbound.Shared, p.Gateway.Client.Names = true, nil },
		"login": func(p *relay.Policy) {
			p.Gateway.SmartHost.Auth = relay.Auth{PasswordFile: "/etc/postfix/secret", Mechanisms: []string{"plain"}}
		},
		"DANE": func(p *relay.Policy) { p.Gateway.SmartHost.Level, p.Gateway.SmartHost.TLSName = relay.LevelDANE, "" },
		"fingerprint": func(p *relay.Policy) {
			p.Gateway.Client = relay.ClientCertificate{Fingerprints: []string{strings.Repeat("AB:", 31) + "AB"}}
		},
	}
	for name, alter := range tests {
		t.Run(name, func(t *testing.T) {
			p := labPolicy(t, "lab.json")
			alter(&p)
			c := compile(t, p, labBase(t))
			master, err := postfix.ParseMaster("master.cf", []byte(emitted(t, c, "postfix/master.cf")))
			if err != nil {
				t.Fatal(err)
			}
			old, err := postfix.ParseMaster("master.cf", labBase(t).Files["/etc/postfix/master.cf"])
			if err != nil {
				t.Fatal(err)
			}
			seen := map[postfix.Place]bool{}
			for _, sv := range master.Services() {
				place := servicePlace(sv, []string{"127.0.1.1:25/inet"})
				if place == "" {
					continue
				}
				seen[place] = true
				before, _ := old.Lookup(sv.Name, sv.Type)
				written := map[string]bool{}
				for _, o := range sv.Options {
					written[o.Name] = true
					if _, own := before.Option(o.Name); own {
						continue
					}
					row, ok := postfix.LookupParameter(o.Name)
					how := row.On(place)
					switch {
					case !ok || how.Action == postfix.Kept || how.Action == postfix.Refused || how.Why == "":
						t.Errorf("%s has -o %s=%s, and the table has no reason for it at %q", sv.Name, o.Name, o.Value, place)
					case how.Action != postfix.Own && how.Value != o.Value:
						t.Errorf("%s has -o %s=%s, in the table it is %q", sv.Name, o.Name, o.Value, how.Value)
					}
					if !row.ReadBy(sv.Command) {
						t.Errorf("%s(8) does not read %s", sv.Command, o.Name)
					}
				}
				for _, row := range postfix.Parameters() {
					_, has := row.Default(p.Server.Postfix)
					late := row.Name() == "smtp_tls_per_site" && p.Server.Postfix == "3.10" // warned of
					if row.On(place).Action == postfix.Always && has && !late && !written[row.Name()] {
						t.Errorf("%s has no -o %s=%s", sv.Name, row.Name(), row.On(place).Value)
					}
				}
			}
			if len(seen) != 5 {
				t.Errorf("services at %v", slices.Sorted(maps.Keys(seen)))
			}
		})
	}
}

// TestNeutral: a value that would break a generated service is not inherited;
// where main.cf has none, nothing is written.
func TestNeutral(t *testing.T) {
	services := map[postfix.Place]string{
		postfix.InsideListener: "127.0.0.1:10030 inet", postfix.PassCleanup: "conbool-cleanup-out unix",
		postfix.HopTransport: "conbool-gate unix", postfix.SmartHostTransport: "conbool unix",
	}
	plain := compile(t, labPolicy(t, "lab.json"), labBase(t))
	n := 0
	for _, row := range postfix.Parameters() {
		for place, service := range services {
			how := row.On(place)
			if how.Action != postfix.Neutral {
				continue
			}
			n++
			other := map[string]string{"no": "yes", "yes": "no", "": "regexp:/etc/postfix/x", "1000": "7", "998": "70", "102400": "60"}[how.Value]
			name, kind, _ := strings.Cut(service, " ")
			p := labPolicy(t, "lab.json")
			if row.Since() != "3.7" {
				p.Server.Postfix = "3.10"
			}
			c := compile(t, p, withMain(row.Name()+" = "+other+"\n", nil)(t))
			if got := effective(t, c, name, kind, row.Name())[row.Name()]; got != how.Value {
				t.Errorf("%s = %s: %s has %q, want %q", row.Name(), other, service, got, how.Value)
			}
			if got := effective(t, plain, name, kind, row.Name())[row.Name()]; got != "-" {
				t.Errorf("without %s %s has %q", row.Name(), service, got)
			}
		}
	}
	if n < 15 {
		t.Errorf("%d neutral values", n)
	}
	c := compile(t, labPolicy(t, "lab.json"), withMain("smtpd_discard_ehlo_keywords = chunking, dsn silent-discard 8BITMIME\n", nil)(t))
	if got := effective(t, c, "127.0.0.1:10030", "inet", "smtpd_discard_ehlo_keywords")["smtpd_discard_ehlo_keywords"]; got != "chunking silent-discard" {
		t.Errorf("smtpd_discard_ehlo_keywords is %q", got)
	}
}

// TestExpansionRefused: what Postfix would stop on, and values by which the
// installation and the generated configuration lead in a circle.
func TestExpansionRefused(t *testing.T) {
	for _, tt := range []struct{ lines, path, says string }{
		{"relayhost = ${relayhost}\n", "main.cf:33", "nesting"},
		{"mine = $other\nother = ${mine}\ntransport_maps = $mine\n", "main.cf:35", "nesting"},
		{"smtpd_banner = ${x\n", "main.cf:33", "no closing bracket"},
		{"smtputf8_enable = ${{x} <level {3.6} ? {yes} : {no}}\n", "main.cf:33", "compatibility level"},
		{"smtpd_helo_restrictions = $conbool_client_restrictions\n", "main.cf:33", "set for the gateway"},
		{"transport_maps = hash:$config_directory/star\n", "main.cf:33", "route for everybody"},
		{"transport_maps = ${default_database_type}:${config_directory}/star\n", "main.cf:33", "route for everybody"},
		{"transport_maps = $(default_database_type):$(meta_directory)/star\n", "main.cf:33", "route for everybody"},
	} {
		in := withMain(tt.lines, map[string]string{"star": "* smtp:[mail.conbool.com]:25\n"})(t)
		_, err := tryCompile(t, labPolicy(t, "lab.json"), in)
		var list relay.Errors
		errors.As(err, &list)
		if !slices.ContainsFunc(list, func(e *relay.Error) bool {
			return e.Position.String() == tt.path && errors.Is(e, relay.ErrConflict) && strings.Contains(e.Error(), tt.says)
		}) {
			t.Errorf("%q: no conflict at %s that says %q:\n%v", tt.lines, tt.path, tt.says, err)
		}
	}
}

// TestProbes: what address verification is given where its sender is in scope.
func TestProbes(t *testing.T) {
	const name = "address_verify_sender_dependent_default_transport_maps"
	for _, tt := range []struct{ lines, want string }{
		{"", "-"},
		{"myorigin = example.com\n", ""},
		{"myorigin = $mydomain\n", ""},
		{"address_verify_sender = probe@example.net\n", ""},
		{"myorigin = example.com\naddress_verify_sender = <>\n", "-"},
		{"myorigin = example.com\nsender_dependent_default_transport_maps = inline:{x@y=smtp:z}\n", "inline:{x@y=smtp:z}"},
		{"myorigin = example.com\n" + name + " = inline:{x@y=smtp:z}\n", "inline:{x@y=smtp:z}"},
		{"myorigin = example.com\n" + name + " = $sender_dependent_default_transport_maps\nsender_dependent_default_transport_maps = inline:{a@y=smtp:z}\n", "inline:{a@y=smtp:z}"},
		{"myorigin = /etc/unknown\n", "-"},
	} {
		c := compile(t, labPolicy(t, "lab.json"), withMain(tt.lines, nil)(t))
		want := tt.want
		if strings.Contains(tt.lines, "unknown") {
			want = ""
		}
		if got := effective(t, c, "smtp", "unix", name)[name]; got != want {
			t.Errorf("%q: %q, want %q", tt.lines, got, want)
		}
	}
}

// TestOrigin: myorigin's file, and what Route says where nobody gave it.
func TestOrigin(t *testing.T) {
	m := &relay.Message{Origin: relay.Origin{Role: relay.FromPickup}, From: "alice", To: "x@remote1.test", Raw: hello}
	for file, want := range map[string]relay.Action{"": relay.ActionMX, "example.com\n": relay.ActionRelay} {
		in := withMain("myorigin = /etc/mailname\n", nil)(t)
		if file != "" {
			in.Files["/etc/mailname"] = []byte(file)
		}
		c := compile(t, labPolicy(t, "lab.json"), in)
		d := c.Route(t.Context(), m)
		open := slices.ContainsFunc(d.Assumptions, func(u relay.Assumption) bool { return u.Setting == "myorigin" && u.Asked == "alice" })
		if open != (file == "") || len(d.Outcomes) != 1 || d.Outcomes[0].Action != want {
			t.Errorf("with %q: %+v", file, d)
		}
	}
}

// TestInherited: what main.cf says for everybody, on real servers: a TLS session
// that is to be reused in tlsproxy(8), which isn't there, and which could not
// read the key; address verification with a sender in scope; an alias table by
// $config_directory.
func TestInherited(t *testing.T) { onSystems(t, testInherited) }

func testInherited(t *testing.T, p relay.Policy, w maillab.World) {
	w.Sinks = slices.Clone(w.Sinks)
	for i := range w.Sinks {
		if w.Sinks[i].Name == "remote1.test" {
			w.Sinks[i].Mode = maillab.Reject
		}
	}
	in := withMaster(map[string]string{"extra": "by-name@example.com bob@example.com\n"},
		"smtpd_relay_restrictions=permit_mynetworks,reject\n    -o smtpd_recipient_restrictions=", "smtpd_relay_restrictions=permit_mynetworks,reject\n    -o smtpd_recipient_restrictions=reject_unverified_recipient",
		"-       smtp\nrelay", "-       smtp\n  -o smtp_tls_connection_reuse=no\nrelay",
		"relayhost =", "relayhost =\nmyorigin = example.com\nsmtp_tls_connection_reuse = yes\naddress_verify_poll_count = 6\naddress_verify_poll_delay = 1\n",
		"virtual_alias_maps = hash:/etc/postfix/aliases", "virtual_alias_maps = texthash:$config_directory/aliases, texthash:$(config_directory)/extra",
	)(t)
	c, site := labSite(t, p, in)
	msgs := []maillab.Message{
		{ID: "good", To: "127.0.1.2:25", From: "alice@example.com", Recipients: []string{"x@remote2.test"}, Raw: hello},
		{ID: "unknown", To: "127.0.1.2:25", From: "alice@example.com", Recipients: []string{"x@remote1.test"}, Raw: hello},
		{ID: "alias", To: "127.0.1.2:25", From: "alice@example.com", Recipients: []string{"by-name@example.com"}, Raw: hello},
	}
	r := maillab.Run(t, w, site, msgs)
	again(t, w, site, msgs, &r)
	got := map[string]string{}
	for _, m := range msgs {
		got[m.ID] = kinds(r.Messages[m.ID], m.Recipients[0])
		for _, p := range r.Messages[m.ID].Recipients[m.Recipients[0]] {
			t.Log(m.ID, p, p.Text)
		}
	}
	for _, c := range r.Complaints {
		t.Logf("complaint: %s", c)
	}
	if diff := cmp.Diff(map[string]string{"good": "smarthost", "unknown": "rejected", "alias": "mailbox"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	d := c.Route(t.Context(), &relay.Message{Origin: relay.Origin{Role: relay.FromPickup}, From: "alice@example.com",
		To: "by-name@example.com", Raw: hello})
	if len(d.Outcomes) != 1 || d.Outcomes[0].Action != relay.ActionMailbox || d.Outcomes[0].To != "bob@example.com" {
		t.Errorf("Route: %+v", d)
	}
}

// TestEmittedExpands: postconf reads what is emitted beside every layout (in a plain
// run beside a third of them), on both systems.
func TestEmittedExpands(t *testing.T) {
	t.Parallel() // much of a run is waiting
	for _, s := range maillab.Systems() {
		t.Run(s.Name, func(t *testing.T) {
			maillab.NeedSystem(t, s)
			t.Parallel()
			for _, l := range someLayouts(t) {
				c := l.compile(t, s)
				dir, err := os.MkdirTemp(filepath.Join(s.Root, "/tmp"), "emitted")
				if err != nil {
					t.Fatal(err)
				}
				defer os.RemoveAll(dir)
				past := time.Now().Add(-time.Hour)
				for _, name := range []string{"main.cf", "master.cf"} {
					path := filepath.Join(dir, name)
					if err := os.WriteFile(path, []byte(emitted(t, c, "postfix/"+name)), 0o644); err != nil {
						t.Fatal(err)
					}
					if err := os.Chtimes(path, past, past); err != nil {
						t.Fatal(err)
					}
				}
				for _, option := range []string{"-nx", "-Mf"} {
					cmd := exec.Command("/usr/sbin/postconf", "-c", strings.TrimPrefix(dir, s.Root), option)
					cmd.Dir = "/"
					if s.Root != "" {
						cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: s.Root}
					}
					if out, err := cmd.CombinedOutput(); err != nil {
						t.Errorf("%s: postconf %s: %v\n%s", l.name, option, err, out)
					}
				}
			}
		})
	}
}
