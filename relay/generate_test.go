package relay_test

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/relay"
)

// The generated messages are drawn from the product of where a message enters,
// who sends, what the header claims, what the body is, and who receives.

// entry is a way in.
type entry struct {
	name   string
	origin relay.Origin
	lab    maillab.Message
}

func (g *generator) entries() []entry {
	var out []entry
	certificate := func(name string) relay.Certificate {
		c := g.world.Certificates[name]
		f, err := g.world.Keys[name].Fingerprint()
		if err != nil {
			f = ""
		}
		return relay.Certificate{Name: c.CommonName, Verified: c.Issuer == "ca" && !c.Expired, Fingerprint: f}
	}
	for _, l := range g.policy.Listeners {
		switch l.Role {
		case relay.RoleGateway:
			if l.Gateway != "" {
				out = append(out, g.furtherEntries(l, certificate)...)
				break
			}
			if len(g.policy.Further) > 0 { // the other gateway has nothing to say here
				out = append(out, entry{"gateway cert=acme", relay.Origin{Role: relay.RoleGateway, Client: netip.MustParseAddr("127.0.2.1"),
					TLS: relay.TLSEncrypted, Certificate: certificate("acme")},
					maillab.Message{To: l.Service, Source: "127.0.2.1", TLS: "tls", Certificate: "acme"}})
			}
			for _, cert := range []string{"conbool", "conbool", "conbool", "conbool", "conbool", "conbool", "conbool", "conbool", "conbool",
				"conbool", "conbool", "conbool", "cnonly", "", "stranger", "selfsigned", "expired", "evilcn", "evilissuer"} {
				o := relay.Origin{Role: relay.RoleGateway, Client: netip.MustParseAddr("127.0.2.1"), TLS: relay.TLSEncrypted}
				if cert != "" {
					o.Certificate = certificate(cert)
				}
				out = append(out, entry{"gateway cert=" + cert, o, maillab.Message{To: l.Service, Source: "127.0.2.1", TLS: "tls", Certificate: cert}})
			}
			out = append(out,
				entry{"gateway tls1.2", relay.Origin{Role: relay.RoleGateway, Client: netip.MustParseAddr("127.0.2.1"), TLS: relay.TLSEncrypted,
					Certificate: certificate("conbool")},
					maillab.Message{To: l.Service, Source: "127.0.2.1", TLS: "1.2", Certificate: "conbool"}},
				entry{"gateway in the clear", relay.Origin{Role: relay.RoleGateway, Client: netip.MustParseAddr("127.0.2.1")},
					maillab.Message{To: l.Service, Source: "127.0.2.1"}},
				entry{"stranger", relay.Origin{Role: relay.FromInternet, Client: netip.MustParseAddr("127.0.66.6")},
					maillab.Message{To: l.Service, Source: "127.0.66.6"}},
				entry{"stranger tls", relay.Origin{Role: relay.FromInternet, Client: netip.MustParseAddr("127.0.66.6"), TLS: relay.TLSEncrypted,
					Certificate: certificate("stranger")},
					maillab.Message{To: l.Service, Source: "127.0.66.6", TLS: "tls", Certificate: "stranger"}})
		case relay.RoleSubmission:
			user := &[2]string{"alice@example.com", g.world.Password}
			in := relay.Origin{Role: relay.RoleSubmission, Client: netip.MustParseAddr("127.0.66.6"), TLS: relay.TLSEncrypted, Authenticated: true}
			no := in
			no.Authenticated = false
			clear := relay.Origin{Role: relay.RoleSubmission, Client: netip.MustParseAddr("127.0.66.6")}
			e := entry{"submission", in, maillab.Message{To: l.Service, Source: "127.0.66.6", TLS: "tls", Auth: user}}
			out = append(out, e, e, e, e, e, e,
				entry{"submission without login", no, maillab.Message{To: l.Service, Source: "127.0.66.6", TLS: "tls"}},
				entry{"submission in the clear", clear, maillab.Message{To: l.Service, Source: "127.0.66.6"}})
		case relay.RoleInternal:
			e := entry{"internal", relay.Origin{Role: relay.RoleInternal, Client: netip.MustParseAddr("127.0.1.20")},
				maillab.Message{To: l.Service, Source: "127.0.1.20"}}
			out = append(out, e, e, e, e, e, e,
				entry{"internal stranger", relay.Origin{Role: relay.RoleInternal, Client: netip.MustParseAddr("127.0.66.6")},
					maillab.Message{To: l.Service, Source: "127.0.66.6"}})
		case relay.RoleReEntry:
			e := entry{"trusted", relay.Origin{Role: relay.RoleReEntry, Client: netip.MustParseAddr("127.0.1.20")},
				maillab.Message{To: l.Service, Source: "127.0.1.20"}}
			out = append(out, e, e, e)
		}
	}
	if g.policy.Topology == relay.TopologyMailboxes {
		e := entry{"reentry", relay.Origin{Role: relay.RoleReEntry, Client: netip.MustParseAddr("127.0.0.1")},
			maillab.Message{To: "127.0.0.1:10032", Source: "127.0.0.1"}}
		out = append(out, e, entry{redirectedEntry, e.origin, e.lab},
			entry{"reentry stranger", relay.Origin{Role: relay.RoleReEntry, Client: netip.MustParseAddr("127.0.66.6")},
				maillab.Message{To: "127.0.0.1:10032", Source: "127.0.66.6"}})
	}
	e := entry{"pickup", relay.Origin{Role: relay.FromPickup}, maillab.Message{To: "sendmail"}}
	return append(out, e, e, e)
}

// redirectedEntry is the re-entry listener's for what begins as Sieve redirects.
const redirectedEntry = "redirected"

var senders = []string{
	"alice@example.com", "alice@example.com", "Alice+tag@Example.COM", "bob@example.com", "carol@example.net", "dave@example.org",
	"", "z@remote2.test", "a@sub.example.com", "alice@example.com.", "\"alice\"@example.com", "example.com!alice", "alice%example.net",
}

// recipients come as many to a message: local ones first, as the gateway sends to
// nobody else in earnest.
var recipients = [][]string{
	{"bob@example.com"}, {"bob@example.com"}, {"dave@example.org"}, {"fwd@example.com"}, {"filter@example.com"}, {"team@example.com"},
	{"all@example.net"}, {"carol@example.net", "fwd@example.com"}, {"outside@example.org"}, {"nobody+x@example.net"},
	{"loop1@example.com"}, {"loop2+x@example.net"}, {"nowhere@example.org"},
}

var everywhere = [][]string{
	{"x@remote1.test"}, {"x@remote1.test"}, {"y@remote2.test"}, {"bob@example.com"}, {"Bob+ext@EXAMPLE.com"}, {"team@example.com"}, {"all@example.net"},
	{"fwd@example.com"}, {"filter@example.com"}, {"vac@example.com"}, {"nobody@example.com"}, {"dave@example.org"}, {"outside@example.org"},
	{"bob@example.com", "x@remote1.test"}, {"team@example.com", "y@remote2.test",
		"fwd@example.com"}, {"u@partner.test"}, {"v@elsewhere.test"}, {"loop1@example.com"},
	{"bob@example.com."}, {"\"bob\"@example.com"}, {"remote1.test!x"}, {"x%remote1.test"},
}

// claims are header lines, by what they are called.
func (g *generator) claims() [][2]string {
	m := g.policy.Gateway.Markers
	p := m.Domain.Prefix
	claims := [][2]string{
		{"none", ""}, {"none", ""}, {"none", ""},
		{"right", p + "example-com: true\n"},
		{"other hosted domain", p + "example-org: true\n"},
		{"case", strings.ToLower(p) + "EXAMPLE-com: TRUE\n"},
		{"folded", p + "example-com:\n true\n"},
		{"folded behind", p + "example-com: true\n  \n"},
		{"folded inside", p + "example-com: tr\n ue\n"},
		{"space before the colon", p + "example-com : true\n"},
		{"tab", p + "example-com:\ttrue\t\n"},
		{"repeated", p + "example-com: false\n" + p + "example-com: true\n"},
		{"repeated, both right", p + "example-com: true\n" + p + "example-net: true\n"},
		{"wrong value", p + "example-com: truely\n"},
		{"two values", p + "example-com: true, true\n"},
		{"unknown domain", p + "remote9-test: true\n"},
		{"rfc2047", p + "example-com: =?utf-8?q?true?=\n"},
		{"released", "X-Conbool-Released: yes\n"},
		{"released case", "x-conbool-RELEASED: YES\n"},
		{"released rfc2047", "X-Conbool-Released: =?utf-8?q?yes?=\n"},
		{"released folded", "X-Conbool-Released:\n yes\n"},
		{"released twice", "X-Conbool-Released: no\nX-Conbool-Released: yes\n"},
		{"flag", "X-Conbool-Flag: YES\n"},
		{"flag case", "X-CONBOOL-FLAG: yes\n"},
		{"flag rfc2047", "X-Conbool-Flag: =?us-ascii?Q?YES?=\n"},
		{"flag base64", "X-Conbool-Flag: =?utf-8?B?WUVT?=\n"},
		{"flag folded", "X-Conbool-Flag:\n YES\n"},
		{"flag folded behind", "X-Conbool-Flag: YES\n \n"},
		{"flag with score", "X-Conbool-Flag: YES, score=9\n"},
		{"flag and marker", "X-Conbool-Flag: YES\n" + p + "example-com: true\n"},
		{"flag and released", "X-Conbool-Flag: YES\nX-Conbool-Released: yes\n"},
		{"released and flag", "X-Conbool-Released: yes\nX-Conbool-Flag: YES\n"},
		{"forged origin", "X-OXMailroute-Origin: gateway\n"},
		{"forged origin, other value", "X-OXMailroute-Origin: nobody\n"},
		{"forged origin, folded", "X-OXMailroute-Origin:\n  gateway\n"},
		{"unknown marker", "X-Conbool-Score: 4\n"},
		{"name with a prefix", "Not-X-Conbool-Released: yes\n"},
		{"8-bit", "X-Conbool-Flag: YES\xe4\n"},
		{"own rule of the customer", "X-Customer: secret\n"},
		{"subject of a filter", "Subject: Your invoice 7\n"},
		{"spam flag of others", "X-Spam-Flag: YES\n"},
		{"junk line", "this is no header\nX-Conbool-Released: yes\n"},
		{"received of the listener", "Received: from a (a [192.0.2.9])\n\tby b (ConboolIn) with ESMTP id 1; Mon, 1 Jun 2026 00:00:00 +0000\n"},
	}
	if len(g.policy.Further) > 0 {
		for _, c := range [][2]string{
			{"acme", "X-Acme-Seen: yes\n"}, {"acme case", "x-ACME-seen: YES\n"}, {"acme wrong", "X-Acme-Seen: no\n"}, {"acme spam",
				"X-Acme-Spam: high\n"},
			{"acme released", "X-Acme-Released: 1\n"}, {"acme unknown", "X-Acme-Score: 3\n"}, {"both gateways",
				p + "example-com: true\nX-Acme-Seen: yes\n"},
			{"both spam", "X-Conbool-Flag: YES\nX-Acme-Spam: high\n"}, {"one spam, other released", "X-Conbool-Released: yes\nX-Acme-Spam: high\n"},
			{"received of the acme listener", "Received: from a (a [192.0.2.9])\n\tby b (AcmeIn) with ESMTP id 1; Mon, 1 Jun 2026 00:00:00 +0000\n"},
		} {
			claims = append(claims, c, c)
		}
	}
	return claims
}

// furtherEntries are clients at the listener of a second gateway.
func (g *generator) furtherEntries(l relay.Listener, certificate func(string) relay.Certificate) []entry {
	var out []entry
	for _, c := range []struct{ source, cert string }{
		{"127.0.5.1", "acme"}, {"127.0.5.1", "acme"}, {"127.0.5.1", "acme"}, {"127.0.5.1", "acme"}, {"127.0.5.1", "acme"}, {"127.0.5.1",
			"acme"}, {"127.0.5.1", "acme"},
		{"127.0.5.1", "acme"}, {"127.0.5.1", "acme"}, {"127.0.5.1", "acme"}, {"127.0.5.1", "conbool"}, {"127.0.5.1", ""}, {"127.0.2.1",
			"conbool"}, {"127.0.2.1", "acme"}, {"127.0.66.6", "acme"},
	} {
		o := relay.Origin{Role: relay.RoleGateway, Service: l.Service, Client: netip.MustParseAddr(c.source), TLS: relay.TLSEncrypted}
		if c.cert != "" {
			o.Certificate = certificate(c.cert)
		}
		out = append(out, entry{"acme's listener from " + c.source + " cert=" + c.cert, o, maillab.Message{To: l.Service, Source: c.source,
			TLS: "tls", Certificate: c.cert}})
	}
	return append(out, entry{"acme in the clear", relay.Origin{Role: relay.RoleGateway, Service: l.Service,
		Client: netip.MustParseAddr("127.0.5.1")},
		maillab.Message{To: l.Service, Source: "127.0.5.1"}})
}

// bodies are MIME headers and body, by what they are called.
var bodies = [][2]string{
	{"plain", "\nhello\n"}, {"plain", "\nhello\n"}, {"plain", "\nhello\n"}, {"plain", "\nhello\n"},
	{"empty", "\n"},
	{"calendar at the top", "MIME-Version: 1.0\nContent-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\n"},
	{"calendar without method", "MIME-Version: 1.0\nContent-Type: text/calendar; charset=utf-8\n\nBEGIN:VCALENDAR\n"},
	{"calendar without version", "Content-Type: text/calendar\n\nBEGIN:VCALENDAR\n"},
	{"calendar in capitals", "CONTENT-TYPE: TEXT/CALENDAR;METHOD=REPLY\n\nBEGIN:VCALENDAR\n"},
	{"calendar folded", "Content-Type:\n text/calendar;\n\tmethod=REQUEST\n\nBEGIN:VCALENDAR\n"},
	{"calendar in a part", "MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nhi\n--b\nContent-Type: text/calendar;\n charset=utf-8; method=REQUEST\n\nBEGIN:VCALENDAR\n--b--\n"},
	{"calendar nested", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"o\"\n\n--o\nContent-Type: multipart/alternative; boundary=i\n\n--i\n\nhi\n--i\nContent-Type: text/calendar; method=CANCEL\n\nX\n--i--\n--o--\n"},
	{"calendar in an attached message", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nSubject: inner\nContent-Type: text/calendar; method=REQUEST\n\nX\n--b--\n"},
	{"calendarx", "Content-Type: text/calendarx\n\nX\n"},
	{"calendar as a name", "Content-Type: text/plain; name=\"text/calendar\"\n\nX\n"},
	{"calendar in the body", "\nContent-Type: text/calendar; method=REQUEST\n"},
	{"calendar behind a comment", "Content-Type: (x) text/calendar\n\nX\n"},
	{"calendar behind the end", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhi\n--b--\n--b\nContent-Type: text/calendar\n\nX\n"},
	{"unterminated", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/calendar\n"},
	{"ics", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhi\n--b\nContent-Type: application/ics; name=a.ics\n\nX\n--b--\n"},
	{"marker in an attached message", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nSubject: inner\nX-Conbool-Released: yes\nX-Conbool-example-com: true\n\nold\n--b--\n"},
	{"marker in the body", "\nX-Conbool-Released: yes\n"},
	{"marker in a part", "Content-Type: multipart/mixed; boundary=b\n\n--b\nX-Conbool-Released: yes\nContent-Type: text/plain\n\nhi\n--b--\n"},
}

func (g *generator) message(i int) generated {
	e := pick(g, g.entries())
	claim := pick(g, g.claims())
	body := pick(g, bodies)
	from := pick(g, senders)
	to := pick(g, recipients)
	if e.origin.Role != relay.RoleGateway || g.rand.IntN(5) == 0 {
		to = pick(g, everywhere)
	}
	header := fmt.Sprintf("Message-ID: <g%d@lab.invalid>\nFrom: <%s>\nTo: someone@example.com\nDate: Mon, 01 Jun 2026 00:00:00 +0000\n", i,
		from)
	if !strings.HasPrefix(claim[1], "Subject:") {
		header += fmt.Sprintf("Subject: number %d\n", i)
	}
	// A claim before the rest of the header, or behind it.
	raw := header + claim[1] + body[1]
	if g.rand.IntN(2) == 0 && !strings.HasPrefix(claim[0], "junk") {
		raw = claim[1] + header + body[1]
	}
	if e.name == redirectedEntry {
		raw = redirectedHead + raw
	}
	m := generated{
		what:  fmt.Sprintf("#%d %s, from <%s>, %s, %s:", i, e.name, from, claim[0], body[0]),
		lab:   e.lab,
		query: relay.Message{Origin: e.origin, From: from},
	}
	switch g.world.SmartHost {
	case maillab.WrongName:
		m.query.SmartHost = relay.PeerUnverified
	case maillab.NoTLS:
		m.query.SmartHost = relay.PeerPlaintext
	}
	m.lab.ID = fmt.Sprintf("g%d", i)
	m.lab.From = from
	m.lab.Recipients = to
	m.lab.Raw = []byte(raw)
	m.query.Raw = append([]byte(maillab.IDHeader+": "+m.lab.ID+"\n"), m.lab.Raw...)
	return m
}
