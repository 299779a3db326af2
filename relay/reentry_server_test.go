package relay_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// sieveCase is a script of a mailbox and a message for it: what Sieve sends to
// an address of the case's own must end as said. In scripts and messages $A is
// that address, which is at Domain.
type sieveCase struct {
	name   string
	domain string // of the address that is watched
	script string
	from   string // of the message; "$A" is the watched address
	header string // of the message
	way    string // of waysIn, "gateway" by default
	want   string
	// inScope is want where vacation's sender is the user, who is in scope.
	inScope string
	// editheader: only where users may use it.
	editheader bool
	// full: only where dovecot-lda delivers, which says itself that a mailbox is full.
	full bool
}

// redirectedHead begins a message that Sieve redirects.
const redirectedHead = "X-Sieve: Pigeonhole Sieve 0.5.19 (4eae2f79)\nX-Sieve-Redirected-From: bob@example.com\n"

// mark is what the gateway writes and the global script leaves to the user's.
const mark = "X-Conbool-Example-Net: true\n"

// forged are fields by which a script would have its mail taken for another.
const forged = "X-Sieve: Pigeonhole Sieve 0.5.19\r\nX-Sieve-Redirected-From: bob@example.com\r\n" +
	"Received: from ox.example.com\r\n\tby ox.example.com with LMTP\r\n\tid abc\r\n\tfor <bob@example.com>; Mon, 01 Jun 2026 00:00:00 +0000\r\n" +
	"Return-Path: <z@remote1.test>\r\nDelivered-To: bob@example.com\r\nAuto-Submitted: no\r\nX-OXMailroute-Origin: gateway\r\nX-Conbool-Released: yes\r\n"

const mimeText = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\naway\r\n"

func vacation(fields string) string {
	return "require \"vacation\";\nvacation :days 1 :addresses [\"$U\"] :mime text:\r\n" + fields + mimeText + ".\r\n;\n"
}

func notify(more, query string) string {
	return "require \"enotify\";\nnotify :message \"new mail\" " + more + " \"mailto:$A?" + query + "\";\n"
}

const notifyMarkers = "X-Conbool-Released=yes&X-OXMailroute-Origin=gateway&X-Sieve=x&X-Sieve-Redirected-From=bob@example.com&Received=from%20a%20by%20b%20with%20LMTP%20id%20c&X-Conbool-Flag=YES&body=free"

// sieveCases hold for every layout. "markers" lists the fields of the gateway's
// that arrive.
var sieveCases = []sieveCase{
	{name: "notify out", domain: "remote1.test", script: notify("", notifyMarkers), want: "smarthost"},
	{name: "notify out from a user", domain: "remote1.test", script: notify(":from \"$U\"", notifyMarkers), want: "smarthost"},
	{name: "notify a user", domain: "example.com", script: notify("", notifyMarkers), want: "mailbox:INBOX"},
	{name: "vacation out", domain: "remote1.test", from: "$A", script: vacation(forged + "X-Conbool-Flag: YES\r\n"), want: "mx:remote1.test",
		inScope: "smarthost"},
	{name: "vacation for a user", domain: "example.com", from: "$A", way: "internal", script: vacation(forged + "X-Conbool-Flag: YES\r\n"),
		want: "mailbox:INBOX"},
	{name: "vacation, markers alone", domain: "example.com", from: "$A", way: "internal", script: vacation("X-Conbool-Flag: YES\r\n"),
		want: "mailbox:INBOX"},
	{name: "reject", domain: "example.com", from: "$A", way: "internal",
		script: "require \"reject\";\nreject \"X-Conbool-Flag: YES\r\n\r\nX-Conbool-Flag: YES\";\n", header: "Subject: x\n", want: "mailbox:INBOX"},
	{name: "report", domain: "example.com", script: "require \"vnd.dovecot.report\";\nreport \"abuse\" \"X-Conbool-Flag: YES\" \"$A\";\n",
		header: mark, want: "mailbox:INBOX"},
	{name: "report out", domain: "remote1.test", script: "require \"vnd.dovecot.report\";\nreport \"abuse\" \"X\" \"$A\";\n", header: mark,
		want: "mx:remote1.test"},

	{name: "redirect out", domain: "remote1.test", script: "redirect \"$A\";\n", want: "mx:remote1.test"},
	{name: "redirect out, in scope", domain: "remote1.test", script: "redirect \"$A\";\n", from: "alice@example.com", want: "mx:remote1.test"},
	{name: "redirect out, auto-replied", domain: "remote1.test", script: "redirect \"$A\";\n", from: "alice@example.com",
		header: "Auto-Submitted: auto-replied (vacation)\n", want: "mx:remote1.test"},
	{name: "redirect out, auto-notified", domain: "remote1.test", script: "redirect \"$A\";\n", from: "alice@example.com",
		header: "Auto-Submitted: auto-notified; owner-email=\"a@b\"\n", want: "mx:remote1.test"},
	{name: "redirect out, null sender", domain: "remote1.test", script: "redirect \"$A\";\n", from: "<>", want: "mx:remote1.test"},
	{name: "redirect to a user", domain: "example.net", script: "redirect \"$A\";\n", header: mark, want: "mailbox:INBOX marked"},
	{name: "redirect to a user, null sender", domain: "example.net", script: "redirect \"$A\";\n", from: "<>", header: mark,
		want: "mailbox:INBOX marked"},
	{name: "redirect to a user, auto-replied", domain: "example.net", script: "redirect \"$A\";\n", from: "<>",
		header: "Auto-Submitted: auto-replied (vacation)\n" + mark, want: "mailbox:INBOX marked"},
	{name: "redirect of what was redirected", domain: "example.net", script: "redirect \"$A\";\n",
		header: "X-Sieve-Redirected-From: x@remote3.test\n" + mark, want: "mailbox:INBOX marked"},
	{name: "redirect without Message-ID", domain: "example.net", script: "redirect \"$A\";\n", header: "-\n" + mark,
		want: "mailbox:INBOX marked"},
	{name: "forged by a user, then redirected", domain: "remote1.test", script: "redirect \"$A\";\n", way: "submission",
		from:   "alice@example.com",
		header: strings.ReplaceAll(forged, "\r\n", "\n"), want: "smarthost"},
	{name: "forged by sendmail, then redirected", domain: "example.net", script: "redirect \"$A\";\n", way: "pickup",
		from:   "alice@example.com",
		header: "X-Sieve-Redirected-From: b@example.com\nX-Conbool-Flag: YES\n", want: "mailbox:INBOX"},
	{name: "added, then redirected", domain: "remote1.test", editheader: true, way: "internal", from: "alice@example.com",
		script: "require \"editheader\";\naddheader \"X-Conbool-Released\" \"yes\"; addheader \"X-OXMailroute-Origin\" \"gateway\"; addheader \"X-Mine\" \"yes\";\nredirect \"$A\";\n", want: "smarthost"},
	{name: "the gateway's, with something added", domain: "example.net", editheader: true, header: mark,
		script: "require \"editheader\";\naddheader \"X-Mine\" \"yes\"; addheader \"Subject\" \"mine\";\nredirect \"$A\";\n", want: "mailbox:INBOX marked"},

	// What a script writes where it has no business, and what strangers begin a message with.
	{name: "notify, fields in everything", domain: "remote1.test",
		script: "require \"enotify\";\nnotify :from \"\\\"X-Sieve-Redirected-From: a\\\" <$U>\" :importance \"1\" " +
			":message \"a\\r\\nX-Sieve-Redirected-From: b\\r\\nX-Conbool-Released: yes\" \"mailto:$A?subject=a%20X-Sieve-Redirected-From:%20b" +
			"&X-SIEVE-Redirected-From=b&message-id=%3Ca@b%3E&date=x&X-CONBOOL-RELEASED=yes&from=c@d\";\n", want: "smarthost"},
	{name: "vacation, first line folded", domain: "example.com", from: "$A", way: "internal",
		script: "require \"vacation\";\nvacation :days 1 :handle \"X-Sieve-Redirected-From: b\" " +
			":subject \"a\\r\\nX-Sieve-Redirected-From: b\" :addresses [\"$U\"] :mime text:\r\n folded\r\nX-Sieve-Redirected-From: b\r\nX-Conbool-Flag: YES\r\n" + mimeText + ".\r\n;\n", want: "mailbox:INBOX"},
	{name: "vacation, subject and from", domain: "example.com", from: "$A", way: "internal",
		script: "require [\"vacation\", \"variables\", \"encoded-character\"];\nset \"n\" \"${hex:0d 0a}\";\n" +
			"vacation :days 1 :from \"$U\" :addresses [\"$U\"] :subject \"a${n}X-Sieve-Redirected-From: b${n}X-Conbool-Flag: YES\" \"X-Conbool-Flag: YES\";\n", want: "mailbox:INBOX"},
	{name: "redirect and vacation", domain: "example.net", from: "$A", way: "internal",
		script: "require [\"vacation\", \"copy\"];\nredirect :copy \"$A\";\n" +
			"vacation :addresses [\"$U\"] :mime text:\r\nX-Sieve-Redirected-From: b\r\nX-Conbool-Flag: YES\r\n" + mimeText +
			".\r\n;\n", want: "mailbox:INBOX"},
	{name: "redirect, folded and long", domain: "example.net", script: "redirect \"$A\";\n",
		header: "X-Long: " + strings.Repeat("a", 3000) + "\nX-Fold:\n\tx\n " + strings.Repeat("b",
			1500) + "\n" + mark, want: "mailbox:INBOX marked"},
	{name: "redirect, begun as a redirect", domain: "remote1.test", way: "internal", from: "alice@example.com", script: "redirect \"$A\";\n",
		header: "-\n" + redirectedHead + strings.ReplaceAll(forged, "\r\n", "\n"), want: "smarthost"},
	{name: "redirect, NUL", domain: "example.net", script: "redirect \"$A\";\n", header: "X-Nul: a\x00b\n" + mark,
		want: "mailbox:INBOX marked"},
	{name: "redirect, no header line", domain: "example.net", script: "redirect \"$A\";\n",
		header: mark + "this is none\nX-Conbool-Flag: YES\n", want: "mailbox:INBOX marked"},
	{name: "redirect, huge", domain: "example.net", script: "redirect \"$A\";\n", header: mark + "X-Huge:" + strings.Repeat(" aaaaaaaaa\n",
		15000), want: "mailbox:INBOX marked"},
	{name: "deleted, then redirected", domain: "remote1.test", editheader: true, from: "alice@example.com",
		script: "require [\"editheader\",\"variables\"];\nset \"x\" \"X-OXMailroute-Origin\";\ndeleteheader \"${x}\"; deleteheader \"x-oxmailroute-origin\"; deleteheader \"Received\";\nredirect \"$A\";\n", want: "mx:remote1.test"},
	{name: "added by variable, then redirected", domain: "remote1.test", editheader: true, way: "internal", from: "alice@example.com",
		script: "require [\"editheader\",\"variables\"];\nset \"x\" \"X-Conbool-\";\naddheader \"${x}Released\" \"yes\"; addheader \"${x}Example-Com\" \"true\"; addheader :last \"x-conbool-example-org\" \"true\"; addheader \"X-Sieve-Redirected-From\" \"x\"; addheader \"Date\" \"x\";\nredirect \"$A\";\n", want: "smarthost"},

	// Notices that Dovecot makes without X-Sieve, of messages of the gateway's.
	{name: "reject of marked mail", domain: "example.com", from: "$A",
		script: "require \"reject\";\nreject \"X-Conbool-Flag: YES\r\n\r\nX-Conbool-Released: yes\";\n",
		header: mark + hostileSubject, want: "mailbox:INBOX"},
	{name: "full", full: true, domain: "example.com", from: "$A", header: mark + hostileSubject, want: "mailbox:INBOX"},
	{name: "full, to the outside", full: true, domain: "remote1.test", from: "$A", header: redirectedHead + mark, want: "mx:remote1.test"},
	{name: "full, Sieve keeps", full: true, domain: "example.com", from: "$A", header: mark,
		script: "require \"fileinto\";\nfileinto \"Other\";\n", want: "mailbox:INBOX"},
	{name: "full, redirected too", full: true, domain: "remote1.test", from: "alice@example.com", header: mark,
		script: "require \"copy\";\nredirect :copy \"$A\";\n", want: "mx:remote1.test"},
}

// hostileSubject would be fields of its own, if it got out of the subject.
const hostileSubject = "Subject: a\n X-Conbool-Released: yes\n\tX-Conbool-Flag: YES =?utf-8?q?a=0D=0AX-Conbool-Released:_yes=0AX-Conbool-Flag:_YES?=\n"

// sieveLayout is an installation in which they hold.
type sieveLayout struct {
	name               string
	transport          string // virtual_transport
	main, master       string
	files              map[string]string
	dovecot, dovecot24 string
	policy             func(p *relay.Policy)
	world              func(w *maillab.World)
	editheader         bool
	vacationSender     bool // sieve_vacation_send_from_recipient
	lda                bool // what it does, Route does not follow
	// other: the Dovecot is another server's, which sends to a listener of the
	// policy's.
	other bool
	// spoil breaks the emitted files: the control.
	spoil *strings.Replacer
}

const ldaMaster = `dovecot unix - n n - - pipe
  flags=DRhu user=mail:mail argv=/usr/lib/dovecot/dovecot-lda -f ${sender} -a ${original_recipient} -d ${user}@${nexthop}
`

// ldaDovecot has mailboxes that fullBody is too big for.
const (
	ldaDovecot = "protocol lda {\n  mail_plugins = $mail_plugins quota sieve\n}\nplugin {\n  quota = maildir:User\n  quota_rule = *:storage=500K\n  quota_grace = 0\n}\n" +
		"service auth {\n  unix_listener auth-userdb {\n    mode = 0666\n  }\n}\n"
	ldaDovecot24 = "protocol lda {\n  mail_plugins {\n    sieve = yes\n    quota = yes\n  }\n}\nquota User {\n  storage_size = 500K\n}\nquota_storage_grace = 0\n" +
		"service auth {\n  unix_listener auth-userdb {\n    mode = 0666\n  }\n}\n"
)

var fullBody = strings.Repeat("abcdefghijklmnopqrstuvwxyz\n", 600<<10/27)

var sieveLayouts = []sieveLayout{
	{name: "plain"},
	{name: "TCP, sender of vacation, no trace line", transport: "lmtp:inet:127.0.0.1:24", editheader: true, vacationSender: true,
		dovecot:   "lmtp_add_received_header = no\nplugin {\n  sieve_vacation_send_from_recipient = yes\n}\n",
		dovecot24: "lmtp_add_received_header = no\nsieve_vacation_send_from_recipient = yes\n",
		policy:    func(p *relay.Policy) { p.Sieve.UserEditheader = true }},
	{name: "tenants' scripts, own checks and milters",
		main: "non_smtpd_milters = $smtpd_milters\nsmtpd_milters = { inet:127.0.0.1:8891, connect_timeout=5s }\nheader_size_limit = 400\n" +
			"header_checks = regexp:/etc/postfix/own\n",
		files:  map[string]string{"own": "/^X-Sieve/ IGNORE\n/^Received:/ PREPEND X-Own: yes\n/^Subject: refuse/ REJECT\n"},
		policy: func(p *relay.Policy) { p.Sieve.Form = relay.SievePerTenant },
		world:  func(w *maillab.World) { w.Milters = []maillab.Milter{{Name: "dkim", Address: "127.0.0.1:8891"}} }},
	{name: "LDA", lda: true, transport: "dovecot", main: "dovecot_destination_recipient_limit = 1\n", master: ldaMaster, dovecot: ldaDovecot,
		dovecot24: ldaDovecot24},
	{name: "another server's LDA", other: true, lda: true, transport: "dovecot", main: "dovecot_destination_recipient_limit = 1\n",
		master:  ldaMaster,
		dovecot: ldaDovecot, dovecot24: ldaDovecot24},
	{name: "another server's", other: true, editheader: true, vacationSender: true,
		dovecot:   "plugin {\n  sieve_vacation_send_from_recipient = yes\n}\n",
		dovecot24: "sieve_vacation_send_from_recipient = yes\n",
		policy:    func(p *relay.Policy) { p.Sieve.UserEditheader = true },
		main:      "header_checks = regexp:/etc/postfix/own\n",
		files:     map[string]string{"own": "/^X-Sieve/ IGNORE\n/^Received:/ PREPEND X-Own: yes\n"}},
}

// otherListener is where another server's Dovecot sends.
const otherListener = "127.0.1.3:25"

// TestSieveSends: what Sieve makes carries no marker, what it redirects keeps
// its own, in every layout; in a plain run each case is in one of some layouts.
func TestSieveSends(t *testing.T) {
	t.Parallel() // much of a run is waiting
	for _, l := range servertest.Part(t, sieveLayouts, 1) {
		for _, system := range maillab.FixedSystems(t, l.name) {
			t.Run(l.name+"/"+system.Name, func(t *testing.T) {
				maillab.NeedSystem(t, system)
				t.Parallel()
				want, got, r := l.run(t, system)
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				for _, c := range r.Complaints {
					t.Errorf("complaint: %s", c)
				}
				if t.Failed() {
					for _, l := range r.Warnings[:min(len(r.Warnings), 20)] {
						t.Log(l)
					}
				}
			})
		}
	}
}

// TestSieveSendsControl: without the removal of markers behind the sorting, and
// with everything taken for generated, the cases of TestSieveSends do fail.
func TestSieveSendsControl(t *testing.T) {
	t.Parallel() // much of a run is waiting
	type spoiling struct {
		name  string
		spoil []string // old and new, in pairs
		// leaks reports whether an end is one that the emitted files prevent.
		leaks func(want, got string) bool
	}
	for i, tt := range servertest.Part(t, []spoiling{
		{"generated mail keeps markers", []string{" FILTER conbool-sort:[127.0.0.1]:10034", " DUNNO"},
			func(want, got string) bool {
				return !strings.Contains(want, "marked") && (strings.Contains(got, "marked") || want == "smarthost" && strings.HasPrefix(got, "mx"))
			}},
		{"redirected mail loses markers", []string{"/^X-Sieve-Redirected-From:/ PASS", "/^X-Sieve-Redirected-From:/ DUNNO",
			"/^X-Conbool-[^:]*:/ PASS", "/^X-Conbool-[^:]*:/ DUNNO", "/^X-OXMailroute-Origin:/ PASS", "/^X-OXMailroute-Origin:/ DUNNO"},
			func(want, got string) bool {
				return strings.Contains(want, "marked") && !strings.Contains(got, "marked")
			}},
		{"this server's is not sorted", []string{"/^X-Sieve:/ FILTER conbool-sort:[127.0.0.1]:10033", "/^X-Sieve:/ DUNNO"},
			func(want, got string) bool {
				return !strings.Contains(want, "marked") && (strings.Contains(got, "marked") || want == "smarthost" && strings.HasPrefix(got, "mx"))
			}},
		{"another server's is not sorted", []string{"/^X-Sieve:/ FILTER conbool-sort:[127.0.0.1]:10033", "/^X-Sieve:/ DUNNO"},
			func(want, got string) bool {
				return !strings.Contains(want, "marked") && (strings.Contains(got, "marked") || want == "smarthost" && strings.HasPrefix(got, "mx"))
			}},
	}, 1) {
		t.Run(tt.name, func(t *testing.T) {
			system := maillab.Systems()[i%len(maillab.Systems())]
			maillab.NeedSystem(t, system)
			t.Parallel()
			l := sieveLayout{other: strings.HasPrefix(tt.name, "another"), spoil: strings.NewReplacer(tt.spoil...)}
			want, got, _ := l.run(t, system)
			var leaked []string
			for name, end := range want {
				if tt.leaks(end, got[name]) {
					leaked = append(leaked, fmt.Sprintf("%s: %s, without spoiling %s", name, got[name], end))
				}
			}
			if len(leaked) < 3 {
				t.Errorf("the spoiled files change too little: %q", leaked)
			}
		})
	}
}

// run sends each case's message and returns where what Sieve sent ended.
func (l sieveLayout) run(t *testing.T, system maillab.System) (want, got map[string]string, r maillab.Result) {
	w := maillab.DefaultWorld()
	w.Root = system.Root
	if l.world != nil {
		l.world(&w)
	}
	p := fromLab(t, &w)
	p.Server.Postfix, p.Server.Dovecot = system.Postfix, system.Dovecot
	if l.policy != nil {
		l.policy(&p)
	}
	in := withMain(l.main, l.files)(t)
	if l.transport != "" {
		in.Files["/etc/postfix/main.cf"] = []byte(strings.Replace(string(in.Files["/etc/postfix/main.cf"]), "lmtp:unix:private/dovecot-lmtp",
			l.transport, 1))
	}
	in.Files["/etc/postfix/master.cf"] = append(in.Files["/etc/postfix/master.cf"], l.master...)
	if l.other {
		p.Listeners = append(p.Listeners, relay.Listener{Service: otherListener, Role: relay.RoleReEntry})
		in.Files["/etc/postfix/master.cf"] = append(in.Files["/etc/postfix/master.cf"], otherListener+" inet n - n - - smtpd\n"+
			"  -o smtpd_client_restrictions=permit_mynetworks,reject\n"...)
	}
	boxes := in.Files["/etc/postfix/mailboxes"]
	scripts, watched := map[string]string{}, map[string]string{}
	want = map[string]string{}
	part := servertest.Part(t, sieveLayouts, 1)
	at := slices.IndexFunc(part, func(o sieveLayout) bool { return o.name == l.name })
	once := at >= 0 && servertest.Scale(t) < servertest.DeepScale
	asked, programs := map[string]relay.Message{}, relay.ScriptMap{}
	var msgs []maillab.Message
	var names []string
	for i, c := range sieveCases {
		if c.editheader && !l.editheader || c.full && !l.lda {
			continue
		}
		if once && !c.editheader && !c.full && (i+int(*seed%1000))%len(part) != at {
			continue
		}
		user, address := fmt.Sprintf("u%d@example.com", i), fmt.Sprintf("a%d@%s", i, c.domain)
		fill := strings.NewReplacer("$A", address, "$U", user).Replace
		scripts[user], watched[address], want[c.name] = fill(c.script), c.name, c.want
		if l.vacationSender && c.inScope != "" {
			want[c.name] = c.inScope
		}
		names = append(names, user, address)
		if c.domain != "remote1.test" {
			boxes = append(boxes, address+" x\n"...)
		}
		boxes = append(boxes, user+" x\n"...)
		way := waysIn[cmp.Or(c.way, "gateway")]
		m := way.lab
		m.ID, m.Recipients = fmt.Sprintf("m%d", i), []string{user}
		if m.From = fill(c.from); c.from == "" {
			m.From = "z@remote3.test"
		} else if c.from == "<>" {
			m.From = ""
		}
		head := fmt.Sprintf("Message-ID: <m%d@lab.invalid>\n", i)
		if rest, ok := strings.CutPrefix(c.header, "-\n"); ok {
			head, c.header = "", rest
		}
		m.Raw = []byte(fmt.Sprintf("%sDate: Mon, 01 Jun 2026 00:00:00 +0000\nFrom: <%s>\nTo: <%s>\n%s\nhello\n", head, m.From, user, c.header))
		if c.full {
			m.Raw = append(m.Raw, fullBody...)
		}
		msgs = append(msgs, m)
		if strings.Contains(c.script, "redirect") {
			asked[c.name] = relay.Message{Origin: way.origin, From: m.From, To: user, Raw: m.Raw}
			programs[user] = program(t, user, scripts[user])
		}
	}
	in.Files["/etc/postfix/mailboxes"] = boxes
	in.Scripts = programs
	config, site := labSite(t, p, in)
	for name, m := range asked {
		if !l.lda && !l.other {
			l.route(t, config, name, m, watched, want[name])
		}
	}
	site.Users = append(slices.Clone(users), names...)
	site.Dovecot = "postmaster_address = postmaster@example.com\n" + l.dovecot
	site.Dovecot24 = "postmaster_address = postmaster@example.com\n" + l.dovecot24 + "sieve_extensions {\n  vnd.dovecot.report = yes\n"
	extensions := "+vnd.dovecot.report"
	if l.editheader {
		extensions += " +editheader"
		site.Dovecot24 += "  editheader = yes\n"
	}
	site.Dovecot += "plugin {\n  sieve_extensions = " + extensions + "\n}\n"
	site.Dovecot24 += "}\n"
	for user, text := range scripts {
		site.Files["sieve/users/"+user+".sieve"] = []byte(text)
	}
	for name, text := range site.Files {
		if l.other && strings.HasPrefix(name, "dovecot") {
			text = bytes.ReplaceAll(text, []byte("submission_host = 127.0.0.1:10032"), []byte("submission_host = "+otherListener))
		}
		if l.spoil != nil {
			text = []byte(l.spoil.Replace(string(text)))
		}
		site.Files[name] = text
	}
	r = maillab.Run(t, w, site, msgs)
	got = map[string]string{}
	add := func(places []maillab.Place) {
		for _, p := range places {
			name, ok := watched[strings.ToLower(p.Address)]
			if !ok || p.Kind == maillab.KindConsumed {
				continue
			}
			end := string(p.Kind)
			if p.Name != "" && p.Kind != maillab.KindSmartHost {
				end += ":" + p.Name
			}
			if p.Kind == maillab.KindMailbox && slices.ContainsFunc([]string{"X-Conbool-Flag", "X-Conbool-Released", "X-Conbool-Example-Net"},
				func(f string) bool { return len(p.Fields(f)) > 0 }) {
				end += " marked"
			}
			if p.Kind == maillab.KindBounced || p.Kind == maillab.KindDeferred || p.Kind == maillab.KindRejected {
				end += ": " + p.Text
			}
			if got[name] != "" && got[name] != end {
				end = got[name] + ", " + end
			}
			got[name] = end
		}
	}
	for _, id := range slices.Sorted(maps.Keys(r.Messages)) {
		o := r.Messages[id]
		for _, places := range o.Recipients {
			add(places)
		}
		add(o.Redirected)
		add(o.Notices)
	}
	add(r.Stray)
	return want, got, r
}

// route holds Route to the end of what a script redirects.
func (l sieveLayout) route(t *testing.T, c *relay.Config, name string, m relay.Message, watched map[string]string, want string) {
	t.Helper()
	d := c.Route(t.Context(), &m)
	got := ""
	for _, o := range d.Outcomes {
		if watched[o.To] != name {
			continue
		}
		switch o.Action {
		case relay.ActionRelay:
			got += "smarthost"
		default:
			got += fmt.Sprintf("%s:%s", o.Action, o.Target.String())
		}
		taken := slices.ContainsFunc(o.Edits, func(e relay.Edit) bool { return e.Removed && strings.HasPrefix(e.Name, "X-Conbool-") })
		if strings.Contains(string(m.Raw), "\nX-Conbool-") && !taken {
			got += " marked"
		}
		if !strings.Contains(o.Trace.String(), "Sieve has redirected it") {
			t.Errorf("%s: the trace does not say why:\n%s", name, o.Trace)
		}
	}
	if got != want {
		t.Errorf("%s: Route says %q, want %q\n%s", name, got, want, traces(d))
	}
}
