package maillab

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
		for name, want := range map[string]string{"mail.conbool.com": "127.0.2.1", "mx.other.test": "127.0.3.254", "middleware.ox.example.com": "127.0.1.20"} {
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
