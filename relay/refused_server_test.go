package relay_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// optionByHand adds an option behind those of an emitted service, where it wins
// over the ones before.
func optionByHand(tb testing.TB, site maillab.Site, service, option string) {
	tb.Helper()
	lines := strings.SplitAfter(string(site.Files["postfix/master.cf"]), "\n")
	at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, service+" ") })
	if at < 0 {
		tb.Fatalf("no service %s", service)
	}
	for at++; at < len(lines) && (strings.HasPrefix(lines[at], " ") || strings.HasPrefix(lines[at], "#")); at++ {
	}
	for lines[at-1][0] == '#' { // a comment that belongs to the next
		at--
	}
	site.Files["postfix/master.cf"] = []byte(strings.Join(slices.Insert(lines, at, "  -o "+option+"\n"), ""))
}

// serviceByHand adds a copy of an emitted service under another name, with an
// option more.
func serviceByHand(tb testing.TB, site maillab.Site, service, name string, options ...string) {
	tb.Helper()
	text := string(site.Files["postfix/master.cf"])
	_, rest, ok := strings.Cut("\n"+text, "\n"+service+" ")
	if !ok {
		tb.Fatalf("no service %s", service)
	}
	_, rest, _ = strings.Cut(strings.TrimLeft(rest, " "), " ") // the type is in the name
	out := name + " "
	for i, line := range strings.SplitAfter(rest, "\n") {
		if i > 0 && line[0] == '#' {
			continue
		}
		if i > 0 && line[0] != ' ' {
			break
		}
		out += line
	}
	for _, o := range options {
		out += "  -o " + o + "\n"
	}
	site.Files["postfix/master.cf"] = []byte(strings.TrimSuffix(text, "\n") + "\n" + out)
}

// harmDone renders where a message went, and whether the smart host took it from
// somebody who had not verified it.
func harmDone(o maillab.Outcome, to string) string {
	var out []string
	for _, pl := range o.Recipients[to] {
		s := string(pl.Kind)
		if pl.Kind == maillab.KindSmartHost && pl.ClientCert == "" {
			s += " unverified"
		}
		if pl.Kind == maillab.KindMX {
			s += " from " + pl.Sender
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		out = append(out, fmt.Sprintf("%d at %s: %s", o.SMTP.Code, o.SMTP.Stage, o.SMTP.Text))
	}
	return strings.Join(out, ", ")
}

// past are ways to the gateway that are not the generated one. Rows of one lab
// are tried together, with what is refused added by hand to the files that the
// clean installation gets: the message of each, from outside the scope, shows what
// the refusal is for.
var past = []struct {
	service, setting, want string
	lab                    int
	way, to, harm          string
}{
	{"smtp", "smtp_fallback_relay=[mail.conbool.com]:25", "smtp_fallback_relay", 1, "submission", "x@down.test", "smarthost unverified"},
	{"relay", "smtp_fallback_relay=[Mail.Conbool.COM]", "smtp_fallback_relay", 1, "submission", "x@relayed.test", "smarthost unverified"},
	{"relay", "smtp_fallback_relay=[127.0.2.1]:25", "smtp_fallback_relay", 2, "submission", "x@relayed.test", "smarthost unverified"},
	{"lmtp", "lmtp_fallback_relay=mail.conbool.com", "lmtp_fallback_relay", 1, "submission", "bob@example.com",
		"mailbox"}, // of whoever answers there
	{"pickup", "content_filter=relay:[mail.conbool.com]:25", "content_filter", 1, "pickup", "x@remote1.test", "smarthost unverified"},
	{"127.0.1.2:25", "content_filter=relay:[127.0.2.1]:25", "content_filter", 1, "internal", "x@remote1.test", "smarthost unverified"},
	{"local", "fallback_transport=relay:[mail.conbool.com]", "fallback_transport", 1, "submission", "nobody-here@localhost",
		"smarthost unverified"},
	{"smtp", "smtp_generic_maps=static:alice@example.com", "smtp_generic_maps", 1, "submission", "x@remote1.test",
		"mx from alice@example.com"},
	{"", "content_filter = relay:[mail.conbool.com]:25", "content_filter", 3, "internal", "x@remote1.test", "smarthost unverified"},
	{"", "relayhost = [127.0.2.2]", "relayhost", 2, "submission", "x@remote1.test", "smarthost unverified"},
	{"", "relayhost = [::ffff:127.0.2.2]:25", "relayhost", 3, "submission", "x@remote1.test", "smarthost unverified"},
	{"", "mailbox_transport = relay:[mail.conbool.com]", "mailbox_transport", 2, "submission", "nobody@localhost", "smarthost unverified"},
	{"", "transport_maps = inline:{remote3.test=relay:[127.0.2.1]}", "transport_maps", 2, "submission", "x@remote3.test",
		"smarthost unverified"},
}

// TestPastServers: each way of TestPast that is refused leads to the gateway past
// its certificate, or past the gateway, on the real servers.
func TestPastServers(t *testing.T) { onSystems(t, testPastServers) }

func testPastServers(t *testing.T, p relay.Policy, w maillab.World) {
	w.Names["down.test"] = maillab.Name{MX: []maillab.MX{{Preference: 10, Host: "mx.down.test"}}}
	w.Names["mx.down.test"] = maillab.Name{A: []string{"127.0.3.77"}} // nobody listens there
	second := w.Sinks[0]
	second.Address = "127.0.2.2:25"
	w.Sinks = append(w.Sinks, second)
	const elsewhere = "{relayed.test=relay:[127.0.3.77]},{bob@example.com=lmtp:inet:127.0.3.77}"
	const someone = "service lmtp {\n  inet_listener impostor {\n    %s = 127.0.2.1\n    port = 24\n  }\n}\n"
	for _, lab := range servertest.Part(t, []int{1, 2, 3}, 1) {
		in := withMain("transport_maps = inline:{"+elsewhere+"}\n", nil)(t)
		_, site := labSite(t, p, in)
		site.Dovecot, site.Dovecot24 = fmt.Sprintf(someone, "address"), fmt.Sprintf(someone, "listen")
		var msgs []maillab.Message
		for i, row := range past {
			if row.lab != lab {
				continue
			}
			if row.service != "" {
				optionByHand(t, site, row.service, row.setting)
			} else {
				setting := strings.Replace(row.setting, "inline:{", "inline:{"+elsewhere+",", 1)
				site.Files["postfix/main.cf"] = append(site.Files["postfix/main.cf"], "\n"+setting+"\n"...)
			}
			m := waysIn[row.way].lab
			m.ID, m.From, m.Recipients, m.Raw = fmt.Sprintf("row%d", i), "z@remote3.test", []string{row.to}, hello
			msgs = append(msgs, m)
		}
		if lab == 3 {
			optionByHand(t, site, "127.0.1.1:587", "content_filter=")
			site.Files["postfix/main.cf"] = append(site.Files["postfix/main.cf"], "inet_protocols = all\n"...)
		}
		r := maillab.Run(t, w, site, msgs)
		for i, row := range past {
			if row.lab != lab {
				continue
			}
			if got := harmDone(r.Messages[fmt.Sprintf("row%d", i)], row.to); !strings.HasPrefix(got, row.harm) {
				t.Errorf("%s %s: %s, want %s", row.service, row.setting, got, row.harm)
				for _, pl := range r.Messages[fmt.Sprintf("row%d", i)].Recipients[row.to] {
					t.Log(pl, pl.Text)
				}
			}
		}
	}
}

// sessions are settings of the gateway's listener, each on a listener of its own,
// and what the gateway finds there by TLS 1.2: what TestBesideRefused refuses keeps
// its mail out or lets it come in the clear ("null"), and what is like it and
// does no harm isn't refused.
var sessions = []struct {
	setting, want string
	refused       bool
}{
	{"", "mailbox", false},
	{"smtpd_noop_commands=NOOP,EHLO", "no TLS", true},
	{"smtpd_noop_commands=starttls", "no TLS", true},
	{"smtpd_tls_security_level=none", "no TLS", true},
	{"smtpd_tls_security_level= smtpd_use_tls=no", "no TLS", true},
	{"smtpd_tls_security_level= smtpd_use_tls=yes", "mailbox", false},
	{"smtpd_noop_commands=mail", "rejected", true},
	{"smtpd_noop_commands=RCPT", "rejected", true},
	{"smtpd_noop_commands=data", "lost", true},
	{"smtpd_noop_commands=rset,quit,xclient", "mailbox", false},
	// smtpd(8) asks for them only where it doesn't know the command.
	{"smtpd_forbidden_commands=CONNECT,ehlo,starttls,MAIL,rcpt,data", "mailbox", false},
	{"smtpd_tls_ciphers=null", "null", true},
	{"smtpd_tls_ciphers=high tls_high_cipherlist=HIGH:eNULL:!aNULL", "mailbox, null", true},
	{"smtpd_tls_mandatory_ciphers=null", "mailbox", false}, // the level is may
	{"smtpd_tls_security_level=encrypt smtpd_tls_mandatory_ciphers=null", "null", true},
	{"smtpd_tls_security_level=encrypt smtpd_tls_ciphers=null", "mailbox", false},
}

// dialogue says EHLO and STARTTLS at a port and prints the replies; then it prints
// the cipher that a client gets which offers none but those that hide nothing.
const dialogue = `p=%d; { sleep 0.5; printf 'EHLO x\r\n'; sleep 0.5; printf 'STARTTLS\r\n'; sleep 0.5; } |
timeout 5 bash -c "exec 3<>/dev/tcp/127.0.1.1/$p; (timeout 2 cat <&3) & cat >&3; wait"
echo quit | timeout 5 openssl s_client -connect 127.0.1.1:$p -tls1_2 -cipher eNULL:@SECLEVEL=0 -starttls smtp 2>&1 | grep -a 'Cipher is'; true`

// TestSessionServers: what is refused for the gateway's session does harm on the
// real servers, what is like it and taken does none. The smart host's transport
// never offers ciphers that hide nothing: with no others it can't use TLS 1.2.
func TestSessionServers(t *testing.T) { onSystems(t, testSessionServers) }

func testSessionServers(t *testing.T, p relay.Policy, w maillab.World) {
	// The smart host's transport with such ciphers, to a server that has others, and
	// to one that has no others.
	_, site := labSite(t, p, withMain("transport_maps = inline:{{fails.test=fails:[127.0.1.1]:2598},{mixed.test=mixed:[127.0.1.1]:2598},"+
		"{bare.test=mixed:[127.0.1.1]:2599}}\n", nil)(t))
	for i, ciphers := range []string{"medium", "null"} {
		serviceByHand(t, site, "127.0.1.2:25", fmt.Sprintf("127.0.1.1:%d inet", 2598+i), "smtpd_tls_ciphers="+ciphers,
			"smtpd_tls_cert_file=/etc/ssl/lab/conbool.pem",
			"smtpd_tls_key_file=/etc/ssl/lab/conbool.key", "smtpd_tls_protocols=TLSv1.2", "smtpd_relay_restrictions=reject")
	}
	serviceByHand(t, site, "conbool", "fails unix", "smtp_tls_mandatory_ciphers=null")
	serviceByHand(t, site, "conbool", "mixed unix", "smtp_tls_mandatory_ciphers=high", "tls_high_cipherlist=HIGH:eNULL:!aNULL")
	out := waysIn["internal"].lab
	ways := map[string]string{"x@fails.test": "deferred", "x@mixed.test": "bounced", "x@bare.test": "deferred"} // bounced is past TLS
	out.ID, out.From, out.Recipients, out.Raw = "out", "z@remote3.test", slices.Sorted(maps.Keys(ways)), hello
	msgs := []maillab.Message{out}
	for i, row := range sessions {
		serviceByHand(t, site, "127.0.1.1:25", fmt.Sprintf("127.0.1.1:%d inet", 2600+i), strings.Fields(row.setting)...)
		site.After = append(site.After, fmt.Sprintf(dialogue, 2600+i))
		if row.want == "no TLS" {
			continue // the client would wait for long
		}
		m := waysIn["gateway"].lab
		m.ID, m.From, m.Recipients, m.Raw = fmt.Sprint("row", i), "z@remote3.test", []string{"bob@example.com"}, hello
		m.To, m.TLS = fmt.Sprintf("127.0.1.1:%d", 2600+i), "1.2"
		msgs = append(msgs, m)
	}
	// One after the other they take two seconds each.
	site.After = []string{"{ " + strings.Join(site.After, "; } >/tmp/said.$((n=n+1)) & { ") +
		"; } >/tmp/said.$((n=n+1)) & wait; for i in $(seq " +
		fmt.Sprint(len(sessions)) + "); do echo \"== $i\"; cat /tmp/said.$i; done"}
	r := maillab.Run(t, w, site, msgs)
	said := strings.Split(r.After[0], "== ")
	for i, row := range sessions {
		var got []string
		if strings.Contains(said[i+1], "-NULL-") {
			got = append(got, "null")
		}
		switch sent := harmDone(r.Messages[fmt.Sprint("row", i)], "bob@example.com"); {
		case row.want == "no TLS" && (!strings.Contains(said[i+1], "250-STARTTLS") || !strings.Contains(said[i+1], "220 2.0.0 Ready")):
			got = append(got, "no TLS")
		case len(got) == 0 || sent != "rejected":
			got = append(got, sent)
		}
		slices.Sort(got)
		if s := strings.Join(got, ", "); s != row.want {
			t.Errorf("%s: %s, want %s\n%s", row.setting, s, row.want, said[i+1])
		}
		base := labBase(t)
		for _, o := range strings.Fields(row.setting) {
			base = withOption(t, base, "127.0.1.1:25", o)
		}
		if _, err := tryCompile(t, p, base); (err != nil) != row.refused {
			t.Errorf("%s: refused: %v, want %v", row.setting, err, row.refused)
		}
	}
	for to, want := range ways {
		if got := harmDone(r.Messages["out"], to); got != want {
			t.Errorf("%s: %s, want %s", to, got, want)
		}
	}
}
