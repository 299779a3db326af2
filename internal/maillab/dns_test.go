package maillab

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

func TestNameServer(t *testing.T) {
	w := DefaultWorld()
	s, err := listenDNS(&w, nil, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, network := range []string{"udp", "tcp"} {
		resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, s.udp.LocalAddr().String())
		}}
		mx := func(name string) string {
			records, err := resolver.LookupMX(t.Context(), name+".")
			if err != nil {
				return err.(*net.DNSError).Err
			}
			var hosts []string
			for _, r := range records {
				hosts = append(hosts, r.Host)
			}
			return strings.Join(hosts, " ")
		}
		got := map[string]string{}
		for _, name := range []string{
			"remote1.test", "REMOTE2.test", "any.test", "a.b.test", "mail.conbool.com", "example.com",
			"nxdomain.invalid", "ox.example.com", "sub.example.net",
		} {
			got[name] = mx(name)
		}
		want := map[string]string{
			"remote1.test":     "mx.remote1.test.",
			"REMOTE2.test":     "mx.remote2.test.",
			"any.test":         "mx.other.test.",
			"a.b.test":         "mx.other.test.",
			"mail.conbool.com": "decoy.conbool.com.",
			"example.com":      "mail.conbool.com.",
			"nxdomain.invalid": "no such host",
			"ox.example.com":   "no such host", // it exists, without MX
			"sub.example.net":  "no such host",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s MX (-want +got):\n%s", network, diff)
		}
		for name, want := range map[string]string{"mail.conbool.com": "127.0.2.1", "mx.other.test": "127.0.3.254",
			"middleware.ox.example.com": "127.0.1.20"} {
			if got, err := resolver.LookupHost(t.Context(), name+"."); err != nil || strings.Join(got, " ") != want {
				t.Errorf("%s A %s: %v, %v", network, name, got, err)
			}
		}
		if got, err := resolver.LookupAddr(t.Context(), "127.0.2.1"); err != nil || strings.Join(got, " ") != "mail.conbool.com." {
			t.Errorf("%s PTR: %v, %v", network, got, err)
		}
	}
}

func TestExchanges(t *testing.T) {
	w := DefaultWorld()
	for _, test := range []struct {
		domain, ip string
		want       bool
	}{
		{"remote1.test", "127.0.3.1", true},
		{"Remote1.TEST", "127.0.3.1", true},
		{"remote1.test", "127.0.3.2", false},
		{"other.test", "127.0.3.254", true},
		{"mail.conbool.com", "127.0.2.9", true},
		{"mail.conbool.com", "127.0.2.1", false},
		{"ox.example.com", "127.0.1.1", true},
		{"nxdomain.invalid", "127.0.3.254", false},
	} {
		if got := w.exchanges(test.domain, test.ip); got != test.want {
			t.Errorf("exchanges(%s, %s) = %v", test.domain, test.ip, got)
		}
	}
}

func TestRecords(t *testing.T) {
	w := DefaultWorld()
	external(&w)
	w.Names["_25._tcp.mail.conbool.com"] = Name{TLSA: []string{"conbool", "missing"}, Secure: true}
	keys, err := Issue(w.Certificates, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{world: &w, keys: keys}
	type found struct {
		Records        int
		Exists, Secure bool
	}
	got := map[string]found{}
	ask := func(name string, typ dnsmessage.Type) {
		records, exists, secure := s.lookup(name, typ)
		got[fmt.Sprintf("%s %d", name, typ)] = found{len(records), exists, secure}
	}
	ask("mx.v6.test", dnsmessage.TypeAAAA)
	ask("mx.v6.test", dnsmessage.TypeA)
	ask("_25._tcp.mail.conbool.com", typeTLSA)
	ask("_25._tcp.mail.conbool.com", dnsmessage.TypeA)
	ask("_587._tcp.mail.conbool.com", typeTLSA)
	six := "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
	ask(six, dnsmessage.TypePTR)
	ask("8"+six[1:], dnsmessage.TypePTR)
	ask("1.2.0.127.in-addr.arpa", dnsmessage.TypePTR)
	ask("six.stranger.test", dnsmessage.TypeAAAA)
	want := map[string]found{
		"mx.v6.test 28":                 {1, true, false},
		"mx.v6.test 1":                  {0, true, false},
		"_25._tcp.mail.conbool.com 52":  {1, true, true},
		"_25._tcp.mail.conbool.com 1":   {0, true, true},
		"_587._tcp.mail.conbool.com 52": {0, false, false},
		six + " 12":                     {1, true, true},
		"8" + six[1:] + " 12":           {0, false, true},
		"1.2.0.127.in-addr.arpa 12":     {1, true, true},
		"six.stranger.test 28":          {1, true, false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
