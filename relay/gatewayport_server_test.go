package relay_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// portCase is a message to a gateway's listener, and where it must end.
type portCase struct {
	from, tls, cert string // who connects, and how
	to              string // the listener
	rcpt            string // recipients, by spaces
	want            string // the ends of all its recipients, sorted
	helo            string
	before          []string
	bdat            bool
	header          string
}

// portBase is an installation with rules of its own at DATA and behind it, hosts
// that may use XCLIENT, a header size that cuts every line of Postfix's own, and
// an alias of postmaster's with a member outside.
func portBase(lines string) func(tb testing.TB) relay.Installation {
	return func(tb testing.TB) relay.Installation {
		in := withMain(lines+`smtpd_authorized_xclient_hosts = 127.0.66.0/24
smtpd_authorized_xforward_hosts = 127.0.66.0/24
header_size_limit = 60
smtpd_end_of_data_restrictions = $smtpd_data_restrictions
`, nil)(tb)
		in.Files["/etc/postfix/aliases"] = append(in.Files["/etc/postfix/aliases"], "postmaster\tout@remote1.test, bob@example.com\n"...)
		return in
	}
}

// nada is a gateway that its addresses alone identify.
func nada() relay.FurtherGateway {
	f := acmeWith("")
	f.Name, f.SmartHost.Host, f.Client = "nada", "mail.nada.test", relay.ClientCertificate{}
	f.Networks, f.Inbound.Host = []netip.Prefix{netip.MustParsePrefix("127.0.7.0/28")}, "mx3.ox.example.com"
	return f
}

const marked = "X-Conbool-Released: yes\nX-OXMailroute-Origin: gateway\n"

// postmasters are the spellings of the recipient that smtpd(8) asks nothing of.
var postmasters = []string{"postmaster", "PostMaster", `"postmaster"`}

// TestGatewayPort: whoever is not the gateway gets nothing past its listener, to
// no recipient and in no session, and all that the gateway sends carries our
// header once.
func TestGatewayPort(t *testing.T) { onSystems(t, testGatewayPort) }

func testGatewayPort(t *testing.T, p relay.Policy, w maillab.World) {
	acmeWorld(&w)
	keys, err := maillab.Issue(w.Certificates, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Keys = keys
	p.Further = []relay.FurtherGateway{acme(t, &w), nada()}
	p.Tenants[1].Gateway, p.Tenants[2].Gateway, p.Tenants[2].Scope.Use = "acme", "nada", relay.ScopeAll
	p.Listeners = append(p.Listeners, relay.Listener{Service: "127.0.1.1:2525", Role: relay.RoleGateway, Gateway: "acme"},
		relay.Listener{Service: "127.0.1.1:2626", Role: relay.RoleGateway, Gateway: "nada"})
	in := portBase("smtpd_data_restrictions = permit_mynetworks, reject_multi_recipient_bounce, permit\n")(t)
	in.Files["/etc/postfix/master.cf"] = append(in.Files["/etc/postfix/master.cf"],
		"127.0.1.1:2525 inet n - n - - smtpd\n127.0.1.1:2626 inet n - n - - smtpd\n  -o smtpd_data_restrictions=reject_multi_recipient_bounce\n"...)
	const both, gone, byName, byPrint, byAddress = "mailbox INBOX, mx remote1.test", "rejected 554", "127.0.1.1:25", "127.0.1.1:2525",
		"127.0.1.1:2626"
	var cases []portCase
	for _, rcpt := range append(postmasters, "postmaster@example.com", "bob@example.com bob@example.com team@example.com") {
		want := both
		if rcpt == "postmaster@example.com" {
			want = "mailbox INBOX"
		}
		cases = append(cases,
			portCase{from: "127.0.2.1", tls: "tls", cert: "conbool", to: byName, rcpt: rcpt, want: want},
			portCase{from: "127.0.2.1", tls: "tls", cert: "stranger", to: byName, rcpt: rcpt, want: "rejected 550"},
			portCase{from: "127.0.2.1", tls: "tls", cert: "evilissuer", to: byName, rcpt: rcpt, want: "rejected 550"},
			portCase{from: "127.0.2.1", to: byName, rcpt: rcpt, want: "rejected 550"},
			portCase{from: "127.0.66.6", tls: "tls", cert: "conbool", to: byName, rcpt: rcpt, want: gone},
			portCase{from: "127.0.66.6", to: byName, rcpt: rcpt, want: gone},
			portCase{from: "127.0.5.1", tls: "tls", cert: "acme", to: byPrint, rcpt: rcpt, want: want},
			portCase{from: "127.0.5.1", tls: "tls", cert: "conbool", to: byPrint, rcpt: rcpt, want: gone},
			portCase{from: "127.0.5.1", tls: "tls", to: byPrint, rcpt: rcpt, want: gone},
			portCase{from: "127.0.5.1", to: byPrint, rcpt: rcpt, want: "rejected 550"},
			portCase{from: "127.0.66.6", tls: "tls", cert: "acme", to: byPrint, rcpt: rcpt, want: gone},
			portCase{from: "127.0.7.1", tls: "tls", to: byAddress, rcpt: rcpt, want: want},
			portCase{from: "127.0.7.1", to: byAddress, rcpt: rcpt, want: "rejected 550"},
			portCase{from: "127.0.66.6", tls: "tls", to: byAddress, rcpt: rcpt, want: gone},
		)
	}
	xclient := []string{"XCLIENT ADDR=127.0.2.1 NAME=mail.conbool.com", "XFORWARD ADDR=127.0.2.1 NAME=mail.conbool.com"}
	cases = append(cases,
		portCase{from: "127.0.66.7", tls: "tls", cert: "conbool", to: byName, rcpt: "bob@example.com", want: gone, before: xclient},
		portCase{from: "127.0.66.7", tls: "tls", cert: "conbool", to: byName, rcpt: "postmaster", want: gone, before: xclient},
		portCase{from: "127.0.66.7", tls: "tls", to: byAddress, rcpt: "postmaster", want: gone, before: []string{"XCLIENT ADDR=127.0.7.1"}},
		portCase{from: "127.0.2.1", tls: "tls", cert: "conbool", to: byName, rcpt: "postmaster", want: "rejected 521", bdat: true},
		portCase{from: "127.0.2.1", tls: "tls", cert: "", to: byName, rcpt: "bob@example.com", want: "rejected 550", helo: `a(b[127.0.2.1])`},
	)
	runPort(t, p, w, in, cases, smuggling("127.0.2.1", byName))
}

// TestSharedPort: the same on a listener that others use, too: a tenant that
// stays as it is gets its mail there, without markers, and the others' comes by
// the gateway, with its certificate checked.
func TestSharedPort(t *testing.T) {
	for _, by := range []string{"name", "fingerprint", "address"} {
		t.Run(by, func(t *testing.T) {
			onSystems(t, func(t *testing.T, p relay.Policy, w maillab.World) {
				testSharedPort(t, p, w, by)
			})
		})
	}
}

func testSharedPort(t *testing.T, p relay.Policy, w maillab.World, by string) {
	keys, err := maillab.Issue(w.Certificates, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Keys = keys
	p.Inbound.Shared = true
	wrong := "rejected 550" // what the gateway's network gets without its certificate
	switch by {
	case "fingerprint":
		f, err := keys["conbool"].Fingerprint()
		if err != nil {
			t.Fatal(err)
		}
		p.Gateway.Client, wrong = relay.ClientCertificate{Fingerprints: []string{f}}, "rejected 554"
	case "address":
		p.Gateway.Client, wrong = relay.ClientCertificate{}, ""
	}
	const stays, gone = "mailbox INBOX", "rejected 554"
	const both = "mailbox INBOX, mx remote1.test"
	in := portBase("smtpd_data_restrictions = permit_mynetworks, reject_multi_recipient_bounce, permit\nsmtpd_sender_restrictions = permit_mynetworks, permit\n")(t)
	var cases []portCase
	for _, rcpt := range append(postmasters, "dave@example.org", "bob@example.com", "bob@example.com team@example.com") {
		right, stranger := both, gone
		switch {
		case slices.Contains(postmasters, rcpt):
			stranger = "mailbox INBOX, smarthost mail.conbool.com" // as any alias
		case rcpt == "dave@example.org":
			right, stranger = stays, stays
		case rcpt == "bob@example.com":
			right = stays
		}
		cases = append(cases,
			portCase{from: "127.0.2.1", tls: "tls", cert: "conbool", rcpt: rcpt, want: right},
			portCase{from: "127.0.2.1", rcpt: rcpt, want: "rejected 550"},
			portCase{from: "127.0.66.6", rcpt: rcpt, want: stranger},
			portCase{from: "127.0.66.6", tls: "tls", cert: "conbool", rcpt: rcpt, want: stranger},
		)
		for _, cert := range []string{"", "stranger", "selfsigned", "evilcn", "evilissuer", "otherca-leaf", "expired"} {
			want := wrong
			if want == "" {
				want = right
			}
			cases = append(cases, portCase{from: "127.0.2.1", tls: "tls", cert: cert, rcpt: rcpt, want: want})
		}
	}
	for _, rcpt := range []string{"bob%example.com@ox.example.com", "example.com!bob", "@remote2.test:bob@example.com",
		`"bob"@example.com`, "BOB@EXAMPLE.COM", "bob+x@example.com", "bob@sub.example.com"} {
		cases = append(cases, portCase{from: "127.0.66.6", rcpt: rcpt, want: gone})
	}
	// A local user's, who is none of the domain's.
	cases = append(cases, portCase{from: "127.0.66.6", rcpt: "bob@[127.0.1.1]", want: "bounced"})
	forged := "Received: from mail.conbool.com (mail.conbool.com [127.0.2.1])\n\tby ox.example.com (ConboolIn) with ESMTPS id 4Xyz\n"
	old := "Received: from x (unknown [127.0.66.6])\n\tby ox.example.com (ConboolIn) with ESMTP id 4Xyz\n"
	refused := "rejected 550"
	if by != "name" {
		refused = stays
	}
	for _, helo := range []string{`a(b[9.9.9.9])`, `"x (y [127.0.66.6])"`, "x\t(y"} {
		want := wrong
		if want == "" {
			want = stays
		}
		cases = append(cases, portCase{from: "127.0.2.1", tls: "tls", rcpt: "dave@example.org", want: want, helo: helo},
			portCase{from: "127.0.66.6", rcpt: "dave@example.org", want: stays, helo: helo})
	}
	cases = append(cases,
		portCase{from: "127.0.66.6", rcpt: "dave@example.org", want: refused, header: forged},
		portCase{from: "127.0.66.6", rcpt: "dave@example.org", want: stays, header: old},
		portCase{from: "127.0.66.7", rcpt: "bob@example.com", want: gone, before: []string{"XCLIENT ADDR=127.0.2.1",
			"XFORWARD ADDR=127.0.2.1"}},
		portCase{from: "127.0.1.20", rcpt: "bob@example.com", want: "mailbox INBOX"}, // mynetworks
		portCase{from: "127.0.66.6", rcpt: "postmaster", want: "rejected 521", bdat: true},
	)
	for i := range cases {
		cases[i].to = "127.0.1.1:25"
	}
	runPort(t, p, w, in, cases, smuggling("127.0.2.1", "127.0.1.1:25")[:4])
}

// smuggling are sessions of the gateway in which the one message is written so
// that other servers may take it for two.
func smuggling(source, to string) []maillab.Message {
	const second = "MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nX-Conbool-Released: yes\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
	var msgs []maillab.Message
	for i, end := range []string{"\n.\n", "\n.\r\n", "\r\n.\n", "\r\n.\r\r\n", "\r.\r", "\r\n.\r", "\n\n.\r\n", "\r.\r\n", "\n.\r"} {
		head := fmt.Sprintf("%s: s%d\r\nSubject: first\r\n\r\nfirst", maillab.IDHeader, i)
		stream := [][]byte{[]byte(head + end + second)}
		msgs = append(msgs, maillab.Message{ID: fmt.Sprintf("s%d", i), Stream: stream})
		parts := [][]byte{[]byte(strings.Replace(head, fmt.Sprintf(" s%d", i), fmt.Sprintf(" t%d", i), 1) + end)}
		for line := range strings.SplitAfterSeq(second, "\r\n") {
			parts = append(parts, []byte(line))
		}
		msgs = append(msgs, maillab.Message{ID: fmt.Sprintf("t%d", i), Stream: parts, Pause: 300 * time.Millisecond})
	}
	// A second message in its own right, and one with lines that end in LF.
	msgs = append(msgs,
		maillab.Message{ID: "again", Pause: 300 * time.Millisecond, Stream: [][]byte{
			[]byte(maillab.IDHeader + ": again\r\n\r\nx\r\n.\r\n"), []byte(strings.Replace(strings.Split(second, "DATA")[0], "bob@", "team@", 1)),
			[]byte("DATA\r\n"), []byte("Subject: the second\r\n\r\nx\r\n.\r\n")}},
		maillab.Message{ID: "lf", Stream: [][]byte{[]byte(maillab.IDHeader + ": lf\r\nSubject: first\r\n\r\none\ntwo\n..\nthree\r\n.\r\n")}})
	for i := range msgs {
		m := &msgs[i]
		m.Source, m.TLS, m.Certificate, m.To = source, "tls", "conbool", to
		m.From, m.Recipients = "alice@example.com", []string{"bob@example.com"}
	}
	slices.SortStableFunc(msgs, func(a, b maillab.Message) int { return strings.Compare(b.ID[:1], a.ID[:1]) })
	return msgs
}

// runPort sends the cases and the sessions, and compares the ends with those
// wanted and with what Route says.
func runPort(t *testing.T, p relay.Policy, w maillab.World, in relay.Installation, cases []portCase, sessions []maillab.Message) {
	c, site := labSite(t, p, in)
	cases = servertest.Part(t, cases, 2)
	msgs := slices.Clone(sessions)
	for i, tt := range cases {
		from := "alice@example.com"
		raw := fmt.Sprintf("%s%sMessage-ID: <p%d@lab.invalid>\nFrom: <a@b.test>\n\nx\n", tt.header, marked, i)
		msgs = append(msgs, maillab.Message{ID: fmt.Sprintf("p%d", i), Source: tt.from, TLS: tt.tls, Certificate: tt.cert, To: tt.to,
			Helo:   tt.helo,
			Before: tt.before, BDAT: tt.bdat, From: from, Recipients: strings.Fields(tt.rcpt), Raw: []byte(raw)})
	}
	w.Senders = 16
	result := maillab.Run(t, w, site, msgs)
	again(t, w, site, msgs, &result)
	for _, complaint := range result.Complaints {
		if !deprecated(in, complaint) {
			t.Errorf("complaint: %s", complaint)
		}
	}
	for i, tt := range cases {
		m := &msgs[len(sessions)+i]
		o := result.Messages[m.ID]
		title := fmt.Sprintf("%s %s %q at %s to %s %v %q", tt.from, tt.tls, tt.cert, tt.to, tt.rcpt, tt.before, tt.helo)
		got := portEnds(o)
		if got != tt.want {
			t.Errorf("%s: %s, want %s (%d %s)", title, got, tt.want, o.SMTP.Code, o.SMTP.Text)
		}
		gateway := !strings.HasPrefix(tt.from, "127.0.66.") && !strings.HasPrefix(tt.from, "127.0.1.")
		for _, places := range o.Recipients {
			for _, pl := range places {
				want, markers := 0, 0
				if gateway && pl.Kind == maillab.KindMailbox {
					want = 2 // ours, and the one that the gateway has itself
					if strings.HasPrefix(tt.from, "127.0.2.") {
						markers = 1
					}
				}
				if n := len(pl.Fields("X-OXMailroute-Origin")); pl.Kind == maillab.KindMailbox && n != want {
					t.Errorf("%s: %s has %d origin headers, want %d:\n%s", title, pl, n, want, pl.Header)
				}
				if len(pl.Fields("X-Conbool-Released")) != markers && pl.Kind != maillab.KindRejected {
					t.Errorf("%s: %s has the wrong markers:\n%s", title, pl, pl.Header)
				}
			}
		}
		if tt.bdat || len(tt.before) > 0 || len(m.Recipients) > 1 || strings.ContainsAny(tt.header, "(") || strings.ContainsAny(tt.rcpt,
			"!%:[") {
			continue
		}
		origin := relay.Origin{Role: relay.RoleGateway, Service: tt.to, Client: netip.MustParseAddr(tt.from)}
		if tt.tls != "" {
			origin.TLS = relay.TLSEncrypted
			if tt.cert != "" {
				f, err := w.Keys[tt.cert].Fingerprint()
				if err != nil {
					t.Fatal(err)
				}
				origin.Certificate = relay.Certificate{Fingerprint: f, Name: w.Certificates[tt.cert].CommonName,
					Verified: slices.Contains([]string{"conbool", "stranger", "acme"}, tt.cert)}
			}
		}
		d := c.Route(t.Context(), &relay.Message{Origin: origin, From: m.From, To: tt.rcpt, Raw: m.Raw})
		if said := routeEnds(d); said != tt.want {
			t.Errorf("%s: Route says %s, want %s\n%s", title, said, tt.want, traces(d))
		}
	}
	second := 0
	for _, m := range sessions {
		if got := portEnds(result.Messages[m.ID]); got != "mailbox INBOX" {
			t.Errorf("session %s %q: %s", m.ID, m.Stream[0], got)
		}
	}
	for _, s := range result.Stray {
		if bytes.Contains(s.Header, []byte("smuggled")) {
			t.Errorf("smuggled: %s\n%s", s, s.Header)
		} else if bytes.Contains(s.Header, []byte("the second")) {
			second++
			if s.Kind == maillab.KindMailbox && len(s.Fields("X-OXMailroute-Origin")) != 1 {
				t.Errorf("the second message of a session has no origin header:\n%s", s.Header)
			}
		}
	}
	if len(sessions) > 10 && second != 2 {
		t.Errorf("the second message of a session has %d copies of 2: %v", second, result.Stray)
	}
}

// portEnds are the ends of a message, each once.
func portEnds(o maillab.Outcome) string {
	var ends []string
	for _, places := range o.Recipients {
		for _, pl := range places {
			if pl.Kind == maillab.KindRejected {
				ends = append(ends, fmt.Sprintf("rejected %d", pl.Code))
			} else if pl.Kind != maillab.KindConsumed {
				ends = append(ends, strings.TrimSpace(fmt.Sprintf("%s %s", pl.Kind, pl.Name)))
			}
		}
	}
	slices.Sort(ends)
	return strings.Join(slices.Compact(ends), ", ")
}

// routeEnds are those that Route says.
func routeEnds(d relay.Decision) string {
	var ends []string
	for _, o := range d.Outcomes {
		switch {
		case o.Action == relay.ActionReject:
			ends = append(ends, "rejected "+o.Target.String())
		case o.Action == relay.ActionRelay && strings.HasPrefix(o.Target.String(), "[mail."):
			ends = append(ends, "smarthost "+strings.TrimPrefix(strings.Split(o.Target.String(), "]")[0], "["))
		default:
			ends = append(ends, fmt.Sprintf("%s %s", o.Action, o.Target.String()))
		}
	}
	slices.Sort(ends)
	return strings.Join(slices.Compact(ends), ", ")
}
