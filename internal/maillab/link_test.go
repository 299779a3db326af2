package maillab

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// external gives the machine an eth0 with an address of each family.
func external(w *World) {
	w.Interfaces = append(w.Interfaces, "192.0.2.10", "2001:db8::10")
	w.Names["v4.test"] = Name{MX: []MX{{10, "mx.v4.test"}}}
	w.Names["mx.v4.test"] = Name{A: []string{"198.51.100.25"}}
	w.Names["v6.test"] = Name{MX: []MX{{10, "mx.v6.test"}}}
	w.Names["mx.v6.test"] = Name{AAAA: []string{"2001:db8:6::25"}}
	w.Pointers["2001:db8:1::7"] = "six.stranger.test"
	w.Sinks = append(w.Sinks,
		Sink{Address: "198.51.100.25:25", Kind: KindMX, Name: "v4"},
		Sink{Address: "[2001:db8:6::25]:25", Kind: KindMX, Name: "v6"},
	)
}

// from is a message from an address to a listener.
func from(id, source, to string, recipients ...string) Message {
	m := simple(id, "x", recipients...)
	m.Source, m.To = source, to
	return m
}

func TestOutside(t *testing.T) { onSystems(t, testOutside) }

func testOutside(t *testing.T, system System) {
	w, site := plainSite("").set("inet_interfaces", "127.0.1.1, 127.0.0.1, 192.0.2.10, 2001:db8::10").set("inet_protocols", "all").on(system)
	external(&w)
	site.NFTables = []byte(`table inet lab {
	set friends4 { type ipv4_addr; flags interval; elements = { 203.0.113.0/28 } }
	set friends6 { type ipv6_addr; flags interval; elements = { 2001:db8:2::/48 } }
	chain input {
		type filter hook input priority 0; policy accept;
		iifname "lo" accept
		tcp dport 25 ip saddr @friends4 accept
		tcp dport 25 ip6 saddr @friends6 accept
		tcp dport 25 ip saddr 203.0.113.99 reject with tcp reset
		tcp dport 25 drop
	}
}
`)
	r := Run(t, w, site, []Message{
		from("inside", "", "", "x@v4.test", "x@v6.test", "x@remote1.test"),
		from("friend4", "203.0.113.5", "192.0.2.10:25", "bob@example.com"),
		from("friend6", "2001:db8:2::5", "[2001:db8::10]:25", "bob@example.com"),
		from("stranger4", "203.0.113.55", "192.0.2.10:25", "bob@example.com"),
		from("stranger6", "2001:db8:1::7", "[2001:db8::10]:25", "bob@example.com"),
		from("reset", "203.0.113.99", "192.0.2.10:25", "bob@example.com"),
		from("other-port", "203.0.113.55", "192.0.2.10:26", "bob@example.com"),
	})
	got := map[string]string{}
	for id, o := range r.Messages {
		for to := range o.Recipients {
			got[id+" "+to] = ends(r, id, to)
		}
	}
	want := map[string]string{
		"inside x@v4.test":           "mx:v4.test <x@v4.test>",
		"inside x@v6.test":           "mx:v6.test <x@v6.test>",
		"inside x@remote1.test":      "mx:remote1.test <x@remote1.test>",
		"friend4 bob@example.com":    "mailbox:INBOX <bob@example.com>",
		"friend6 bob@example.com":    "mailbox:INBOX <bob@example.com>",
		"stranger4 bob@example.com":  "unreachable <bob@example.com>",
		"stranger6 bob@example.com":  "unreachable <bob@example.com>",
		"reset bob@example.com":      "unreachable <bob@example.com>",
		"other-port bob@example.com": "unreachable <bob@example.com>",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	peers := []string{}
	for _, to := range []string{"x@v4.test", "x@v6.test", "x@remote1.test"} {
		peers = append(peers, r.Messages["inside"].Recipients[to][0].Peer)
	}
	if diff := cmp.Diff([]string{"192.0.2.10", "2001:db8::10", "127.0.0.1"}, peers); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
	if log := strings.Join(r.Log, "\n"); !strings.Contains(log, "connect from unknown[2001:db8:2::5]") ||
		strings.Contains(log, "2001:db8:1::7") {
		t.Errorf("log:\n%s", log)
	}
	if text := r.Messages["stranger4"].SMTP.Text; !strings.Contains(text, "timeout") {
		t.Errorf("stranger4: %q", text)
	}
	if text := r.Messages["reset"].SMTP.Text; !strings.Contains(text, "refused") {
		t.Errorf("reset: %q", text)
	}
	sound(t, r)
}

func TestHAProxy(t *testing.T) { onSystems(t, testHAProxy) }

func testHAProxy(t *testing.T, system System) {
	w, site := plainSite("").set("inet_protocols", "all").on(system)
	external(&w)
	site.Exec = []string{
		"postconf -M '127.0.1.5:2525/inet=127.0.1.5:2525 inet n - n - - smtpd -o smtpd_upstream_proxy_protocol=haproxy -o smtpd_recipient_restrictions='",
	}
	site.HAProxy = []byte(`global
	log /dev/log local0
	user haproxy
	group haproxy
defaults
	mode tcp
	log global
	option tcplog
	timeout connect 5s
	timeout client 60s
	timeout server 60s
frontend smtp
	bind 192.0.2.10:25
	bind [2001:db8::10]:25
	acl gateway src -f /etc/haproxy/gateway.lst
	tcp-request connection reject if !gateway
	default_backend postfix
backend postfix
	server ox 127.0.1.5:2525 send-proxy
`)
	site.Files["haproxy/gateway.lst"] = []byte("203.0.113.0/28\n2001:db8:2::/48\n")
	r := Run(t, w, site, []Message{
		from("friend4", "203.0.113.5", "192.0.2.10:25", "bob@example.com"),
		from("friend6", "2001:db8:2::5", "[2001:db8::10]:25", "bob@example.com"),
		from("stranger", "203.0.113.55", "192.0.2.10:25", "bob@example.com"),
		from("relay", "203.0.113.5", "192.0.2.10:25", "x@remote1.test"),
	})
	got := map[string]string{}
	for _, id := range []string{"friend4", "friend6", "stranger"} {
		got[id] = ends(r, id, "bob@example.com")
	}
	got["relay"] = ends(r, "relay", "x@remote1.test")
	want := map[string]string{
		"friend4": "mailbox:INBOX <bob@example.com>", "friend6": "mailbox:INBOX <bob@example.com>",
		"stranger": "unreachable <bob@example.com>", "relay": "rejected:554 <x@remote1.test>",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Postfix knows the client, not the balancer.
	log := strings.Join(r.Log, "\n")
	for _, want := range []string{"unknown[203.0.113.5]", "unknown[2001:db8:2::5]", "haproxy["} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in the log", want)
		}
	}
	sound(t, r)
}

func TestBrokenGates(t *testing.T) {
	Need(t)
	tests := []struct {
		name string
		edit func(w *World, s *Site)
		want string
	}{
		{"source", func(*World, *Site) {}, `client "192.0.2.1"`},
		{"ruleset", func(_ *World, s *Site) { s.NFTables = []byte("table inet lab { chain }\n") }, "nft -f"},
		{"haproxy", func(_ *World, s *Site) {
			s.HAProxy = []byte("defaults\n\tmode tcp\nfrontend f\n\tbind 127.0.1.1:25\n\tdefault_backend none\n")
		}, "haproxy"},
		{"interface", func(w *World, _ *Site) { w.Interfaces = []string{"fe80::1%lo"} }, `"fe80::1%lo"`},
		{"root", func(w *World, _ *Site) { w.Root = "/nonexistent" }, "/nonexistent"},
		{"implicit", func(w *World, _ *Site) {
			w.Sinks = append(w.Sinks, Sink{Address: "127.0.9.9:465", ImplicitTLS: true})
		}, "without certificate"},
		{"milter", func(w *World, _ *Site) { w.Milters = []Milter{{Address: "nowhere"}} }, "milter"},
		{"filter", func(w *World, _ *Site) { w.Filters = []Filter{{Listen: "nowhere"}} }, "filter"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w, site := plainSite("").on(Host())
			message := from("m", "", "", "bob@example.com")
			if test.name == "source" {
				message.Source = "192.0.2.1"
			}
			test.edit(&w, &site)
			if _, err := run(w, site, []Message{message}, 1); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
