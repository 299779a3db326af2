package maillab

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// simple is a message from the internal network.
func simple(id, subject string, recipients ...string) Message {
	return Message{ID: id, From: "alice@example.com", Recipients: recipients, Raw: []byte("Subject: " + subject + "\n\nbody\n")}
}

// ends are the places of one recipient, in short.
func ends(r Result, id, recipient string) string {
	return strings.Join(briefs(r.Messages[id].Recipients[recipient]), ", ")
}

// counted are the values of a field of a recipient's first copy.
func counted(r Result, id, recipient, field string) string {
	places := r.Messages[id].Recipients[recipient]
	if len(places) == 0 {
		return "no copy"
	}
	return strings.TrimSpace(strings.Join(places[0].Fields(field), ","))
}

func TestMilters(t *testing.T) { onSystems(t, testMilters) }

func testMilters(t *testing.T, system System) {
	w, site := plainSite(`smtpd_milters = inet:127.0.0.1:8891, unix:/run/milters/second
non_smtpd_milters = unix:/run/milters/second, { inet:127.0.0.1:8893, default_action=accept }
milter_default_action = tempfail
`).on(system)
	w.Milters = []Milter{
		{Name: "first", Address: "127.0.0.1:8891", Reject: "refuse", TempFail: "wait"},
		{Name: "second", Address: "/run/milters/second"},
		{Name: "down", Address: "127.0.0.1:8893", Down: true},
	}
	// The milters' sockets must be outside the chroot that the stock master.cf has.
	site.Exec = []string{"postconf -F '*/*/chroot = n'"}
	sendmail := simple("sendmail", "x", "x@remote1.test")
	sendmail.To = "sendmail"
	r := Run(t, w, site, []Message{
		simple("plain", "x", "x@remote1.test"), sendmail,
		simple("refused", "please refuse me", "x@remote1.test"),
		simple("waits", "wait", "x@remote1.test"),
	})
	got := map[string]string{}
	for _, id := range []string{"plain", "sendmail", "refused", "waits"} {
		got[id] = ends(r, id, "x@remote1.test") + " " + counted(r, id, "x@remote1.test", FieldMilter)
	}
	want := map[string]string{
		"plain":    "mx:remote1.test <x@remote1.test> first, second",
		"sendmail": "mx:remote1.test <x@remote1.test> second",
		"refused":  "rejected:550 <x@remote1.test> ",
		"waits":    "rejected:451 <x@remote1.test> ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if all := strings.Join(r.Warnings, "\n"); !strings.Contains(all, "127.0.0.1:8893") || len(r.Warnings) > 3 || len(r.Complaints) > 0 {
		t.Errorf("complaints %q, warnings:\n%s", r.Complaints, all)
	}
}

func TestFilters(t *testing.T) { onSystems(t, testFilters) }

func testFilters(t *testing.T, system System) {
	w, site := plainSite("").on(system)
	w.Filters = []Filter{
		{Name: "after", Listen: "127.0.0.1:10024", Next: "127.0.0.1:10025"},
		{Name: "before", Listen: "127.0.0.1:10026", Next: "127.0.0.1:10025", Reject: "virus"},
		{Name: "down", Listen: "127.0.0.1:10028", Next: "127.0.0.1:10025", Down: true},
	}
	back := "smtpd -o content_filter= -o smtpd_proxy_filter= -o mynetworks=127.0.0.0/8 -o smtpd_authorized_xforward_hosts=127.0.0.0/8 -o receive_override_options=no_unknown_recipient_checks"
	site.Exec = []string{
		"postconf -M 'scan/unix=scan unix - - n - 2 smtp -o smtp_send_xforward_command=yes'",
		"postconf -M '127.0.0.1:10025/inet=127.0.0.1:10025 inet n - n - - " + back + "'",
		"postconf -M '127.0.1.2:25/inet=127.0.1.2:25 inet n - n - - smtpd -o content_filter=scan:[127.0.0.1]:10024'",
		"postconf -M '127.0.1.3:25/inet=127.0.1.3:25 inet n - n - - smtpd -o smtpd_proxy_filter=127.0.0.1:10026'",
		"postconf -M '127.0.1.4:25/inet=127.0.1.4:25 inet n - n - - smtpd -o content_filter=scan:[127.0.0.1]:10028'",
	}
	var msgs []Message
	for _, to := range []string{"127.0.1.2:25", "127.0.1.3:25", "127.0.1.4:25"} {
		m := simple("", "x", "x@remote1.test", "bob@example.com")
		m.To, m.ID = to, "at"+to[8:9]
		msgs = append(msgs, m)
	}
	virus := simple("virus", "a virus", "x@remote1.test")
	virus.To = "127.0.1.3:25"
	r := Run(t, w, site, append(msgs, virus))
	got := map[string]string{}
	for _, id := range []string{"at2", "at3", "at4", "virus"} {
		got[id] = ends(r, id, "x@remote1.test") + " " + counted(r, id, "x@remote1.test", FieldFilter)
	}
	want := map[string]string{
		"at2":   "mx:remote1.test <x@remote1.test> after",
		"at3":   "mx:remote1.test <x@remote1.test> before",
		"at4":   "deferred <x@remote1.test> ",
		"virus": "rejected:554 <x@remote1.test> ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// The listener behind the filter is told who the client was.
	if log := strings.Join(r.Log, "\n"); !strings.Contains(log, "orig_client=middleware.ox.example.com[127.0.1.20]") || len(r.Stray) > 0 ||
		len(r.Complaints) > 0 {
		t.Errorf("stray %q, complaints %q, log:\n%s", briefs(r.Stray), r.Complaints, log)
	}
}

func TestSmartHosts(t *testing.T) { onSystems(t, testSmartHosts) }

func testSmartHosts(t *testing.T, system System) {
	type row struct {
		id, target, options, want string
		login                     string // expected in the copy
	}
	rows := []row{
		{"implicit", "[mail.conbool.com]:465", "smtp_tls_wrappermode=yes smtp_tls_security_level=secure", "smarthost:implicit", ""},
		{"implicit-missed", "[mail.conbool.com]:465", "smtp_tls_security_level=secure smtp_helo_timeout=2", "deferred", ""},
		{"login", "[mail.conbool.com]:587", "smtp_tls_security_level=secure smtp_sasl_auth_enable=yes smtp_sasl_security_options=noanonymous smtp_sasl_password_maps=inline:{{[mail.conbool.com]:587=ox:right}}", "smarthost:login", "ox"},
		{"no-login", "[mail.conbool.com]:587", "smtp_tls_security_level=secure", "bounced:530", ""},
		{"wrong-password", "[mail.conbool.com]:587", "smtp_tls_security_level=secure smtp_sasl_auth_enable=yes smtp_sasl_security_options=noanonymous smtp_sasl_password_maps=inline:{{[mail.conbool.com]:587=ox:wrong}}", "deferred:535", ""},
		{"login-in-clear", "[mail.conbool.com]:588", "smtp_tls_security_level=none smtp_sasl_auth_enable=yes smtp_sasl_security_options=noanonymous smtp_sasl_password_maps=inline:{{[mail.conbool.com]:588=ox:right}}", "smarthost:clear", "ox"},
		{"dane-right", "[right.conbool.com]", "smtp_tls_security_level=dane-only smtp_dns_support_level=dnssec", "smarthost:right", ""},
		{"dane-wrong", "[wrong.conbool.com]", "smtp_tls_security_level=dane-only smtp_dns_support_level=dnssec", "deferred", ""},
		{"dane-absent", "[absent.conbool.com]", "smtp_tls_security_level=dane-only smtp_dns_support_level=dnssec", "deferred", ""},
		{"second", "[down.conbool.com], [right.conbool.com]", "smtp_tls_security_level=may", "smarthost:right", ""},
		{"utf8-refused", "[right.conbool.com]", "smtp_tls_security_level=may", "bounced", ""},
		{"utf8", "[absent.conbool.com]", "smtp_tls_security_level=may", "smarthost:absent", ""},
	}
	var maps strings.Builder
	extra := "smtputf8_enable = yes\n"
	w, site := plainSite("").on(system)
	var msgs []Message
	for _, row := range rows {
		domain := row.id + ".example"
		fmt.Fprintf(&maps, "%s %s:%s\n", domain, row.id, row.target)
		entry := fmt.Sprintf("%s/unix=%[1]s unix - - n - - smtp", row.id)
		for option := range strings.FieldsSeq(row.options) {
			entry += " -o " + option
		}
		site.Exec = append(site.Exec, "postconf -M '"+entry+"'")
		m := simple(row.id, "x", "x@"+domain)
		if strings.HasPrefix(row.id, "utf8") {
			m.From, m.Options = "älice@example.com", []string{"SMTPUTF8"}
		}
		msgs = append(msgs, m)
	}
	site.Files["postfix/transport"] = []byte(maps.String())
	site.Files["postfix/main.cf"] = append(site.Files["postfix/main.cf"], extra+"transport_maps = hash:/etc/postfix/transport\n"...)
	users := map[string]string{"ox": "right"}
	w.Sinks = append(w.Sinks,
		Sink{Address: "127.0.2.1:465", Kind: KindSmartHost, Name: "implicit", Banner: "mail.conbool.com", Certificate: "conbool",
			ImplicitTLS: true},
		Sink{Address: "127.0.2.1:587", Kind: KindSmartHost, Name: "login", Banner: "mail.conbool.com", Certificate: "conbool",
			Login: &Login{Users: users, Mechanisms: []string{"LOGIN"}}},
		Sink{Address: "127.0.2.1:588", Kind: KindSmartHost, Name: "clear", Banner: "mail.conbool.com",
			Login: &Login{Users: users, InClear: true}},
		Sink{Address: "127.0.2.2:25", Kind: KindSmartHost, Name: "right", Certificate: "conbool"},
		Sink{Address: "127.0.2.3:25", Kind: KindSmartHost, Name: "wrong", Certificate: "conbool"},
		Sink{Address: "127.0.2.4:25", Kind: KindSmartHost, Name: "absent", Certificate: "conbool", Extensions: DefaultExtensions("SMTPUTF8")},
		Sink{Address: "127.0.2.5:25", Kind: KindSmartHost, Name: "down", Mode: Down},
	)
	for i, name := range []string{"right", "wrong", "absent", "down"} {
		w.Names[name+".conbool.com"] = Name{A: []string{fmt.Sprintf("127.0.2.%d", i+2)}, Secure: true}
	}
	w.Names["_25._tcp.right.conbool.com"] = Name{TLSA: []string{"stranger", "conbool"}, Secure: true}
	w.Names["_25._tcp.wrong.conbool.com"] = Name{TLSA: []string{"stranger"}, Secure: true}
	r := Run(t, w, site, msgs)
	for _, row := range rows {
		places := r.Messages[row.id].Recipients["x@"+row.id+".example"]
		if len(places) != 1 || places[0].String() != row.want || places[0].Login != row.login {
			t.Errorf("%s: %+v, want %s with login %q", row.id, places, row.want, row.login)
		}
	}
	if len(r.Complaints) > 0 || len(r.Stray) > 0 {
		t.Errorf("complaints %q, stray %q", r.Complaints, briefs(r.Stray))
	}
	if t.Failed() {
		t.Log(strings.Join(r.Log, "\n"))
	}
}

func TestCopies(t *testing.T) {
	Need(t)
	w, site := plainSite(`always_bcc = archive@remote2.test
sender_bcc_maps = inline:{ alice@example.com=bob@example.com }
`).on(Host())
	r := Run(t, w, site, []Message{simple("m", "x", "x@remote1.test")})
	want := map[string][]string{
		"x@remote1.test":       {"mx:remote1.test <x@remote1.test>"},
		"archive@remote2.test": {"mx:remote2.test <archive@remote2.test>"},
		"bob@example.com":      {"mailbox:INBOX <bob@example.com>"},
	}
	if diff := cmp.Diff(want, short(r.Messages["m"]).Recipients); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	sound(t, r)
}

// TestCopiesBehind: a copy that is made behind a content filter is known by the
// message, though nobody handed it on.
func TestCopiesBehind(t *testing.T) {
	Need(t)
	w, site := plainSite(`sender_bcc_maps = inline:{ alice@example.com=bob@example.com }
receive_override_options = no_address_mappings
content_filter = scan:[127.0.0.1]:10024
`).on(Host())
	w.Filters = []Filter{{Name: "scan", Listen: "127.0.0.1:10024", Next: "127.0.0.1:10025"}}
	site.Exec = []string{
		"postconf -M 'scan/unix=scan unix - - n - 2 smtp'",
		"postconf -M '127.0.0.1:10025/inet=127.0.0.1:10025 inet n - n - - smtpd -o content_filter= -o mynetworks=127.0.0.0/8 -o receive_override_options=no_unknown_recipient_checks'",
	}
	r := Run(t, w, site, []Message{simple("m", "x", "x@remote1.test")})
	want := map[string][]string{
		"x@remote1.test":  {"mx:remote1.test <x@remote1.test>"},
		"bob@example.com": {"mailbox:INBOX <bob@example.com>"},
	}
	if diff := cmp.Diff(want, short(r.Messages["m"]).Recipients); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	sound(t, r)
}
