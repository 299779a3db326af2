package relay_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/relay"
)

// TestUndeclaredBalancer: a listener that speaks the PROXY protocol believes
// whoever connects, so it has to be described.
func TestUndeclaredBalancer(t *testing.T) {
	for _, where := range []string{"main.cf", "master.cf"} {
		p, in := labPolicy(t, "lab.json"), labBase(t)
		if where == "main.cf" {
			in.Files["/etc/postfix/"+where] = append(in.Files["/etc/postfix/"+where], "\nsmtpd_upstream_proxy_protocol = haproxy\n"...)
		} else {
			in.Files["/etc/postfix/"+where] = []byte(strings.Replace(string(in.Files["/etc/postfix/"+where]), "smtpd\n",
				"smtpd\n -o smtpd_upstream_proxy_protocol=haproxy\n", 1))
		}
		_, err := tryCompile(t, p, in)
		if !errors.Is(err, relay.ErrConflict) || !strings.Contains(fmt.Sprint(err), "Balancer") {
			t.Errorf("%s: %v", where, err)
		}
	}
}

// TestOpenAddresses: a listener that believes the PROXY protocol may not be
// reached at an address that the ruleset leaves open.
func TestOpenAddresses(t *testing.T) {
	for _, tt := range []struct {
		service, interfaces string
		elsewhere           bool   // the balancer
		refused, warned     string // paths
	}{
		{"10025", "all", true, "Listeners[0].Service", ""},
		{"10025", here4 + ", " + here6 + ", 127.0.0.1", true, "", ""},
		{"10025", here4 + ", 192.0.2.11", true, "Listeners[0].Service", ""},
		{"10025", "$myhostname", true, "Listeners[0].Service", ""},
		{"10025", "", true, "Listeners[0].Service", ""},
		{"0.0.0.0:10025", here4, true, "Listeners[0].Service", ""},
		{here4 + ":10025", "all", true, "", ""},
		{"10025", "all", false, "", "Firewall.Addresses"},
		{"10025", here4, false, "", ""},
	} {
		p, in := labPolicy(t, "lab.json"), labBase(t)
		p.Listeners[0].Service = tt.service
		p.Firewall = relay.Firewall{Ports: []uint16{10025}, Addresses: []netip.Addr{netip.MustParseAddr(here4), netip.MustParseAddr(here6)}}
		if tt.elsewhere {
			p.Balancer.Addresses = []netip.Prefix{netip.MustParsePrefix("192.0.2.20/32")}
		}
		in.Files["/etc/postfix/master.cf"] = []byte(strings.Replace(string(in.Files["/etc/postfix/master.cf"]), "127.0.1.1:25 ", tt.service+" ",
			1))
		var main []string
		for line := range strings.Lines(string(in.Files["/etc/postfix/main.cf"])) {
			if !strings.HasPrefix(line, "inet_interfaces") {
				main = append(main, line)
			}
		}
		if tt.interfaces != "" {
			main = append(main, "\ninet_interfaces = "+tt.interfaces+"\n")
		}
		in.Files["/etc/postfix/main.cf"] = []byte(strings.Join(main, ""))
		c, err := tryCompile(t, p, in)
		var paths []string
		var list relay.Errors
		if errors.As(err, &list) {
			for _, e := range list {
				paths = append(paths, e.Position.String())
			}
		}
		if got := strings.Join(paths, " "); got != tt.refused {
			t.Errorf("%+v: refused %q: %v", tt, got, err)
		}
		if err != nil {
			continue
		}
		if got := slices.ContainsFunc(c.Warnings(), func(w relay.Warning) bool { return w.Position.String() == "Firewall.Addresses" }); got != (tt.warned != "") {
			t.Errorf("%+v: warnings %v", tt, c.Warnings())
		}
	}
}

// TestUndeclaredBalancerFurther: the second gateway's listener, too, and
// postscreen(8) before one.
func TestUndeclaredBalancerFurther(t *testing.T) {
	p, in := labPolicy(t, "lab.json"), withListener(labBase)(t)
	further(&p)
	in.Files["/etc/postfix/master.cf"] = append(in.Files["/etc/postfix/master.cf"], " -o smtpd_upstream_proxy_protocol=haproxy\n"...)
	if _, err := tryCompile(t, p, in); !strings.Contains(fmt.Sprint(err), "Listeners[3]: conflict: smtpd_upstream_proxy_protocol=haproxy") {
		t.Errorf("the second gateway's: %v", err)
	}
	for _, l := range layouts(t) {
		if l.name != "postscreen" {
			continue
		}
		l.in.Files["/etc/postfix/main.cf"] = append(l.in.Files["/etc/postfix/main.cf"], "\npostscreen_upstream_proxy_protocol = haproxy\n"...)
		l.in.PostfixVersion, l.in.DovecotVersion = "3.7.11", "2.3.19.1 (9b53102964)"
		if _, err := tryCompile(t, l.policy, l.in); !strings.Contains(fmt.Sprint(err), "postscreen_upstream_proxy_protocol=haproxy") {
			t.Errorf("postscreen: %v", err)
		}
	}
}
