package relay_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// followed is an installation whose own settings decide where mail goes, run
// under real servers: each end must have the envelope that Route says.
type followed struct {
	name   string
	main   string            // more of main.cf
	master string            // more of master.cf
	edit   *strings.Replacer // of the base's main.cf
	files  map[string]string
	// hidden are files that the servers have and Compile doesn't see, as it
	// doesn't see a database; given is what it has in place of them.
	hidden   map[string]string
	given    func(in *relay.Installation)
	pickup   string // options of pickup
	scripts  map[string]string
	policy   func(p *relay.Policy)
	senders  []string
	rcpts    []string
	raws     []string
	entries  []string // of the ways in below; none: all but the gateway's
	messages int
	exec     []string
	world    func(w *maillab.World)
	header   bool // the fields of headerNames are compared, too
	// declared: every other message declares SMTPUTF8; nextHops is what the sinks
	// offer.
	declared bool
	nextHops relay.SMTPUTF8
}

// ways in by name.
var waysIn = map[string]entry{
	"submission": {"submission", relay.Origin{Role: relay.RoleSubmission, Client: netip.MustParseAddr("127.0.66.6"), TLS: relay.TLSEncrypted,
		Authenticated: true, Login: "alice@example.com"},
		maillab.Message{To: "127.0.1.1:587", Source: "127.0.66.6", TLS: "tls", Auth: &[2]string{"alice@example.com", "secret"}}},
	"internal": {"internal", relay.Origin{Role: relay.RoleInternal, Client: netip.MustParseAddr("127.0.1.20")},
		maillab.Message{To: "127.0.1.2:25", Source: "127.0.1.20"}},
	"own host": {"own host", relay.Origin{Role: relay.RoleInternal, Client: netip.MustParseAddr("127.0.1.1")},
		maillab.Message{To: "127.0.1.2:25", Source: "127.0.1.1"}},
	"pickup": {"pickup", relay.Origin{Role: relay.FromPickup}, maillab.Message{To: "sendmail"}},
	"gateway": {"gateway", relay.Origin{Role: relay.RoleGateway, Client: netip.MustParseAddr("127.0.2.1"), TLS: relay.TLSEncrypted,
		Certificate: relay.Certificate{Name: "mail.conbool.com", Verified: true}},
		maillab.Message{To: "127.0.1.1:25", Source: "127.0.2.1", TLS: "tls", Certificate: "conbool"}},
}

// ends are what a message came to: for each end the kind, place, sender and
// recipient, and the address fields that arrive. Copies are those of the
// message and not of one recipient.
func (f followed) run(t *testing.T, system maillab.System) {
	maillab.NeedSystem(t, system)
	w := maillab.DefaultWorld()
	w.Root = system.Root
	if f.nextHops == relay.SMTPUTF8Offered {
		for i := range w.Sinks {
			w.Sinks[i].Extensions = maillab.DefaultExtensions("SMTPUTF8")
		}
	}
	if f.world != nil {
		f.world(&w)
	}
	p := fromLab(t, &w)
	p.Server.Postfix, p.Server.Dovecot = system.Postfix, system.Dovecot
	if f.policy != nil {
		f.policy(&p)
	}
	in := labBase(t)
	main := string(in.Files["/etc/postfix/main.cf"])
	if f.edit != nil {
		main = f.edit.Replace(main)
	}
	in.Files["/etc/postfix/main.cf"] = []byte(main + "\n" + f.main)
	master := string(in.Files["/etc/postfix/master.cf"]) + f.master
	in.Files["/etc/postfix/master.cf"] = []byte(strings.Replace(master, "1       pickup\n", "1       pickup\n"+f.pickup, 1))
	for name, text := range f.files {
		in.Files["/etc/postfix/"+name] = []byte(text)
	}
	site := maillab.Site{Files: map[string][]byte{}, Users: users}
	site.Exec = f.exec
	scripts := relay.ScriptMap{}
	in.Scripts = scripts
	for user, text := range f.scripts {
		scripts[user] = program(t, user, text)
		site.Files["sieve/users/"+user+".sieve"] = []byte(text)
	}
	if f.given != nil {
		f.given(&in)
	}
	c := compile(t, p, in)
	for name, text := range f.hidden {
		site.Files["postfix/"+name] = []byte(text)
	}
	for name, data := range configured(in) {
		site.Files["postfix/"+name] = data
	}
	for _, file := range c.Files() {
		site.Files[file.Name] = file.Data
	}
	entries := f.entries
	if entries == nil {
		entries = []string{"submission", "internal", "own host", "pickup"}
	}
	raws := f.raws
	if raws == nil {
		raws = []string{"From: z@remote3.test\nSubject: x\n\nhello\n"}
	}
	r := rand.New(rand.NewPCG(*seed, 3))
	type question struct {
		what string
		lab  maillab.Message
		ask  relay.Message
	}
	var asked []question
	var msgs []maillab.Message
	for i := range drawn(t, f.messages) {
		e := waysIn[entries[r.IntN(len(entries))]]
		from, raw := f.senders[r.IntN(len(f.senders))], raws[r.IntN(len(raws))]
		rcpts := []string{f.rcpts[r.IntN(len(f.rcpts))]}
		// A redirected message has one recipient for all, and Received: of smtpd(8)
		// names the recipient of a message for one.
		if r.IntN(4) == 0 && !f.declared && !strings.Contains(raw, "redirect me") {
			if more := f.rcpts[r.IntN(len(f.rcpts))]; more != rcpts[0] {
				rcpts = append(rcpts, more)
			}
		}
		id := fmt.Sprintf("f%d", i)
		q := question{fmt.Sprintf("#%d %s <%s> to %s: %.60q, %d bytes", i, e.name, from, strings.Join(rcpts, " "), raw, len(raw)), e.lab,
			relay.Message{Origin: e.origin, From: from}}
		q.lab.ID, q.lab.From, q.lab.Recipients = id, from, rcpts
		q.lab.Raw = []byte(fmt.Sprintf("Message-ID: <%s@lab.invalid>\nDate: Mon, 01 Jun 2026 00:00:00 +0000\n%s", id, raw))
		q.ask.Raw = append([]byte(maillab.IDHeader+": "+id+"\n"), q.lab.Raw...)
		q.ask.NextHops = f.nextHops
		if f.declared && i%2 == 0 && e.lab.To != "sendmail" {
			q.lab.Options, q.ask.SMTPUTF8 = []string{"SMTPUTF8"}, true
			q.what += ", declared"
		}
		asked, msgs = append(asked, q), append(msgs, q.lab)
	}
	result := maillab.Run(t, w, site, msgs)
	again(t, w, site, msgs, &result)
	for _, c := range result.Complaints {
		t.Errorf("complaint: %s", c)
	}
	differ, unknown, kinds := 0, 0, map[string]int{}
	for _, q := range asked {
		var want, trace []string
		cached := false
		for _, to := range q.lab.Recipients {
			m := q.ask
			m.To = to
			d := c.Route(t.Context(), &m)
			for _, u := range d.Assumptions {
				if strings.HasPrefix(u.Setting, "lmtp_connection_cache_on_demand") || strings.HasPrefix(u.Setting, "smtp_connection_cache_on_demand") {
					cached = true // a connection of another message's may be used again
					continue
				}
				if strings.HasSuffix(u.Setting, "/.forward") {
					continue // nobody has one here
				}
				t.Errorf("%s: hangs on %s", q.what, u)
			}
			for _, o := range d.Outcomes {
				line := routeEnd(o)
				if f.header && (o.Action == relay.ActionRelay || o.Action == relay.ActionMX || o.Action == relay.ActionMailbox) {
					line += arriving(m.Raw, o.Edits)
				}
				kinds[strings.Fields(line)[0]]++
				if o.BCC != "" {
					kinds[o.BCC]++
				}
				want = append(want, line)
				trace = append(trace, fmt.Sprintf("%s <%s>\n%s", o, o.To, o.Trace))
			}
		}
		if cached {
			unknown++
			continue
		}
		got := serverEnds(result.Messages[q.lab.ID], f.header)
		slices.Sort(want)
		want = slices.Compact(want)
		if !slices.Equal(want, got) {
			if differ++; differ <= 8 {
				for to, reply := range result.Messages[q.lab.ID].RCPT {
					trace = append(trace, fmt.Sprintf("reply to %s: %v\n", to, reply))
				}
				t.Errorf("%s\nRoute:\n  %s\nservers:\n  %s\n%s", q.what, strings.Join(want, "\n  "), strings.Join(got, "\n  "), strings.Join(trace, ""))
			}
		}
	}
	if differ > 8 {
		t.Errorf("%d messages differ in all", differ)
	}
	if unknown > len(asked)/10 {
		t.Errorf("%d of %d messages hang on a connection that may be kept", unknown, len(asked))
	}
	t.Logf("%d messages in %.0f s, %d of them hang on a connection that may be kept, ends: %v", len(asked), result.Seconds, unknown, kinds)
	if t.Failed() {
		for _, l := range result.Warnings[:min(len(result.Warnings), 20)] {
			t.Log(l)
		}
	}
}

// routeEnd renders an end as Route has it.
func routeEnd(o relay.Outcome) string {
	// The lab's exchangers are sinks of their domain, however they are reached.
	if host, ok := strings.CutPrefix(o.Target.String(), "[mx."); ok && o.Action == relay.ActionRelay {
		o.Action, o.Target = relay.ActionMX, relay.TargetDomain(strings.TrimSuffix(host, "]:25"))
	}
	switch o.Action {
	case relay.ActionRelay, relay.ActionMX, relay.ActionMailbox:
		return strings.ToLower(fmt.Sprintf("%s %s <%s> <%s>", o.Action, o.Target.String(), o.MailFrom, o.RcptTo))
	case relay.ActionReject:
		return "reject " + o.Target.String()
	}
	return string(o.Action)
}

// serverEnds renders all ends that the servers brought a message to.
func serverEnds(o maillab.Outcome, header bool) []string {
	var out []string
	add := func(pl maillab.Place) {
		kind := ""
		switch pl.Kind {
		case maillab.KindSmartHost:
			kind = "relay [mail.conbool.com]:25"
			if pl.ClientCert == "" {
				kind = "mx " + domain(pl.Address)
			}
		case maillab.KindMX:
			kind = "mx " + pl.Name
		case maillab.KindRelay:
			kind = "relay [" + pl.Name + "]:25"
		case maillab.KindMailbox:
			kind = "mailbox " + pl.Name
		case maillab.KindRejected:
			out = append(out, fmt.Sprintf("reject %d", pl.Code))
			return
		case maillab.KindBounced:
			if strings.Contains(pl.Text, "Host or domain name not found") {
				out = append(out, strings.ToLower(fmt.Sprintf("mx %s <%s> <%s>", domain(pl.Address), pl.Sender, pl.Address)))
				return
			}
			out = append(out, "bounce")
			return
		case maillab.KindHeld, maillab.KindDeferred:
			out = append(out, "defer")
			return
		case maillab.KindDiscarded:
			out = append(out, "discard")
			return
		case maillab.KindConsumed:
			return
		default:
			out = append(out, pl.String())
			return
		}
		line := strings.ToLower(fmt.Sprintf("%s <%s> <%s>", kind, pl.Sender, arrived(pl)))
		if header {
			line += arrivedFields(pl)
		}
		out = append(out, line)
	}
	for _, places := range o.Recipients {
		for _, pl := range places {
			add(pl)
		}
	}
	for _, pl := range o.Redirected {
		add(pl)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// arrived is the recipient as it arrived; sinks get one at a time.
func arrived(pl maillab.Place) string {
	if len(pl.Recipients) == 1 {
		return pl.Recipients[0]
	}
	return pl.Address
}

// filterMaster is a content filter that is a wire, and the listener behind it
// with its receive_override_options.
func filterMaster(override string) string {
	return `scan unix - - n - - smtp
  -o smtp_send_xforward_command=yes
  -o smtp_tls_security_level=none
  -o smtp_generic_maps=
127.0.0.1:10025 inet n - n - - smtpd
  -o content_filter=
  -o receive_override_options=` + override + `
  -o mynetworks=127.0.0.0/8
  -o smtpd_authorized_xforward_hosts=127.0.0.0/8
  -o smtpd_client_restrictions=permit_mynetworks,reject
  -o smtpd_relay_restrictions=permit_mynetworks,reject
  -o smtpd_recipient_restrictions=permit_mynetworks,reject
`
}

const rewritingMain = `sender_canonical_maps = hash:/etc/postfix/senders
recipient_canonical_maps = hash:/etc/postfix/rcpts
canonical_maps = regexp:/etc/postfix/both, inline:{{old@example.net=carol@example.net},{twice@example.org=@example.com}}
masquerade_domains = !keep.example.com example.com, remote1.test
masquerade_exceptions = root, hash:/etc/postfix/unmasked
smtp_generic_maps = hash:/etc/postfix/generic
sender_bcc_maps = hash:/etc/postfix/sbcc
recipient_bcc_maps = pcre:/etc/postfix/rbcc
always_bcc = archive@remote2.test
append_dot_mydomain = yes
smtp_destination_recipient_limit = 1
conbool_destination_recipient_limit = 1
virtual_alias_maps = hash:/etc/postfix/aliases, regexp:/etc/postfix/vregexp, unionmap:{inline:{union@example.com=bob@example.com},inline:{union@example.com=y@remote2.test}}
`

var rewritingFiles = map[string]string{
	"senders":  "carl@example.com\tcarol@example.net\nloop1@example.org loop2@example.org\nloop2@example.org loop1@example.org\n@internal.test\t@example.com\nboth@example.com one@internal.test, two@internal.test\nshort bob\n",
	"rcpts":    "info@example.com\tbob@example.com\nsales@example.com team@example.com\n@old.test @example.net\nuser%remote9 x@remote1.test\next@example.com\tnew@remote1.test\n",
	"both":     "/^first\\.(.*)@example\\.com$/ $1@example.net\n/^upper@(.*)$/i lower@$1\n",
	"unmasked": "nobody x\n",
	"generic":  "alice@example.net a.generic@provider.test\n@ox.example.com @example.com\nx@remote1.test xx@remote1.test\ngen+tag@example.com tagged@provider.test\n",
	"sbcc":     "alice@example.com\tsent@remote1.test\n@example.net netarchive@example.org\n",
	"rbcc":     "/^bob(\\+.*)?@example\\.com$/ bobcopy@remote1.test\n/^(.*)@remote2\\.test$/ $1-copy@example.com\n",
	"vregexp":  "/^any-(.*)@example\\.com$/ $1@remote1.test, bob@example.com\n/^self@example\\.com$/ self@example.com, bob@example.com\n",
}

const bodyTable = `/^reject me/ REJECT not this
/^discard me/ DISCARD
/^hold me/ HOLD
/^filter me/ FILTER smtp:[mailstore.example.com]:25
/^redirect me/ REDIRECT bob@example.com
/^copy me/ BCC copy@remote1.test
/^vanish/ IGNORE
/^replace me/ REPLACE NEW TEXT
/^prepend me/ PREPEND NEW TEXT
/deep inside/ REJECT found
/^$/ REJECT empty
/^a b$/ REJECT carriage return
`

// bodies2 are messages whose bodies the table above has something to say of.
var bodies2 = []string{
	"Subject: x\n\nhello\n", "Subject: x\n\nhello\nreject me\n", "Subject: reject me\n\nnot here\n", "Subject: x\n\ndiscard me\n", "Subject: x\n\nhold me\n", "Subject: x\n\nfilter me\n",
	"Subject: x\n\nredirect me\n", "Subject: x\n\ncopy me\n", "Subject: x\n\nvanish\nrest\n", "Subject: x\n\nreplace me\nrest\n", "Subject: x\n\nprepend me\nrest\n", "Subject: x\n\nvanishing point stays as vanish\n vanish\n", "Subject: x\n\na\rb\n",
	"Subject: x\n\n" + strings.Repeat("a", 2040) + "deep inside\n", "Subject: x\n\n" + strings.Repeat("a",
		2100) + "deep inside\n", "Subject: x\n\n" + strings.Repeat("a", 2048) + "reject me\n",
	"Subject: x\n\n" + strings.Repeat("filler line\n", 400) + "reject me\n", "Subject: x\n\n" + strings.Repeat("filler line\n",
		420) + "reject me\n",
	"Subject: x\n\n" + strings.Repeat("filler line\n", 416) + "reject me\n", "Subject: x\n\n" + strings.Repeat("filler line\n",
		416) + "123456\nreject me\n", "Subject: x\n\n" + strings.Repeat("filler line\n", 416) + "1234567\nreject me\n",
	"Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("filler line\n", 420) + "--b\n\nreject me\n--b--\n",
	"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nSubject: x\nreject me: no\n\nreject me\n--b--\n",
	"Content-Type: multipart/mixed; boundary=b\n\n--b\nreject me: header\n\nhi\n--b--\n", "Content-Type: multipart/mixed; boundary=b\n\n--b\nreject me\n--b--\n",
	"Subject: x\nreject me\n\nhi\n", "Subject: x\n", "Subject: x\n\nfilter me\ncopy me\n",
}

const routesMain = `relay_domains = relayed.test, static.test, t4.test
relay_recipient_maps = regexp:/etc/postfix/relayed
virtual_alias_domains = alias.test
virtual_alias_maps = hash:/etc/postfix/aliases, inline:{user@alias.test=x@remote1.test}
relayhost = [mailstore.example.com]:25
sender_dependent_relayhost_maps = regexp:/etc/postfix/psender, hash:/etc/postfix/bysender
transport_maps = regexp:/etc/postfix/ptrans, hash:/etc/postfix/trans
relocated_maps = hash:/etc/postfix/relocated
local_recipient_maps = hash:/etc/postfix/locals, $alias_maps
alias_maps = hash:/etc/postfix/local-aliases
mailbox_transport = smtp:[mailstore.example.com]:25
smtpd_sender_login_maps = unionmap:{hash:/etc/postfix/logins, inline:{bob@example.com=alice@example.com}}
smtpd_sender_restrictions = check_sender_access hash:/etc/postfix/senderaccess, reject_sender_login_mismatch
smtpd_reject_unlisted_sender = yes
smtpd_restriction_classes = strict
strict = check_recipient_access inline:{{class@example.com = 554 5.7.9 strictly not}}
smtp_destination_recipient_limit = 1
conbool_destination_recipient_limit = 1
`

var routesFiles = map[string]string{
	"relayed":       "/^known(\\+.*)?@relayed\\.test$/ x\n/@sub\\./ x\n/@t4\\.test$/ x\n",
	"bysender":      "bob@example.com [mx.remote2.test]:25\nspecial@remote3.test [mx.remote1.test]:25\ndave@example.org DUNNO\n",
	"ptrans":        "/^x([0-9]+)@(t3\\.test)$/ smtp:[mx.remote2.test]:25\n/@never\\.test$/ error:5.1.2 $1\n",
	"trans":         "t1.test smtp:[mx.remote1.test]:25\nt2.test error:5.7.0 go away\nt4.test :[mx.remote2.test]:25\n",
	"psender":       "/^two@(.*)$/ [mx.$1]:25\n",
	"relocated":     "moved@remote1.test elsewhere\nmoved@example.com elsewhere@new.test\ngone@ nowhere\n",
	"locals":        "plain x\n",
	"local-aliases": "list: x@remote1.test, bob@example.com\nnested: list, plain\npostmaster: bob@example.com\nowned: y@remote2.test\nowner-owned: carol@example.net\n",
	"logins":        "alice@example.com alice@example.com, bob@example.com\n@example.net carol@example.net\nowner-less@local.test nobody\n",
	"senderaccess":  "bcced@remote3.test BCC copy@remote1.test\nheld@remote3.test HOLD\nother@remote3.test strict, permit\n",
}

func TestFollow(t *testing.T) {
	t.Parallel() // much of a run is waiting
	for _, f := range servertest.Part(t, []followed{
		{
			name: "rewriting and copies", main: rewritingMain, files: rewritingFiles, messages: 300,
			edit: strings.NewReplacer("virtual_alias_maps = hash:/etc/postfix/aliases\n", ""),
			senders: []string{
				"alice@example.com", "Alice+x@Example.com", "carl@example.com", "loop1@example.org", "a@internal.test", "b+ext@internal.test", "both@example.com",
				"first.alice@example.com", "FIRST.Bob+q@example.com", "UPPER@example.net", "a@host.example.com", "a@keep.example.com", "a@sub.keep.example.com", "root@host.example.com",
				"nobody@host.example.com", "old@example.net", "twice+e@example.org", "alice@example.net", "bob@ox", "", "z@remote3.test", "z@h.remote1.test", "gen+tag@example.com", "gen@example.com",
			},
			rcpts: []string{
				"info@example.com", "info+x@example.com", "sales@example.com", "carol@old.test", "first.x@example.com", "bob@example.com", "bob+y@example.com", "x@remote1.test", "y@remote2.test",
				"ext+1@example.com", "any-x@example.com", "any-q+w@example.com", "union@example.com", "self@example.com", "nobody@example.com", "old@example.net", "carol@host.example.net",
				"v@elsewhere.test", "team@example.com", "twice@example.org", "user%remote1.test@localhost", "remote1.test!q@localhost",
			},
		},
		{
			name: "routes, listings and logins", main: routesMain, files: routesFiles, messages: 300, exec: []string{"postalias hash:/etc/postfix/local-aliases"},
			edit: strings.NewReplacer(
				"\nrelayhost =", "", "virtual_alias_maps = hash:/etc/postfix/aliases\n", "", "mydestination = localhost\n", "mydestination = localhost, local.test\n", "local_recipient_maps =\nalias_maps =\n", "",
			),
			senders: []string{
				"alice@example.com", "Alice+x@Example.com", "bob@example.com", "nobody@example.com", "carol@example.net", "dave@example.org", "x@remote3.test", "", "a@relayed.test", "known@relayed.test",
				"special@remote3.test", "owner-less@local.test", "two@remote2.test", "bcced@remote3.test", "held@remote3.test", "other@remote3.test",
			},
			rcpts: []string{
				"bob@example.com", "known@relayed.test", "Known+x@relayed.test", "unknown@relayed.test", "any@sub.relayed.test", "x@remote1.test", "x@remote3.test", "x@t1.test", "x@t2.test", "X7@t3.test", "y@t4.test",
				"moved@example.com", "moved@remote1.test", "gone@example.com", "list@local.test", "list+e@local.test", "cmd@local.test", "file@local.test", "nested@local.test", "postmaster@local.test", "unlisted@local.test", "plain@local.test",
				"owned@local.test", "redirected@example.com", "class@example.com", "x%remote1.test@localhost", "x@alias.test", "user@alias.test", "z@never.test",
			},
		},
		{
			name: "body checks", main: "body_checks = regexp:/etc/postfix/body\nbody_checks_size_limit = 5000\nsmtp_destination_recipient_limit = 1\nconbool_destination_recipient_limit = 1\n", messages: 150,
			files: map[string]string{"body": bodyTable, "plain": strings.Replace(bodyTable, "/^filter me/ FILTER", "#", 1)},
			// What Sieve sends is checked as pickup's mail, and must not be led past the
			// removal of markers.
			pickup: "  -o cleanup_service_name=plain\n", master: "plain unix n - n - 0 cleanup\n  -o body_checks=regexp:/etc/postfix/plain\n",
			senders: []string{"alice@example.com", "x@remote3.test", ""}, rcpts: []string{"bob@example.com", "x@remote1.test",
				"y@remote2.test"}, raws: bodies2,
			scripts: map[string]string{"bob@example.com": "require [\"body\",\"fileinto\"]; if body :raw :contains \"NEW TEXT\" { fileinto \"Replaced\"; } elsif body :raw :contains \"vanish\" { fileinto \"Still there\"; }\n"},
		},
		{
			// As with amavis: addresses are mapped once, behind the filter. The lab
			// does not follow copies that are made there.
			name: "content filter with mappings behind it", messages: 200, files: rewritingFiles,
			main: regexp.MustCompile("(?m)^.*_bcc.*\n").ReplaceAllString(rewritingMain,
				"") + "receive_override_options = no_address_mappings\ncontent_filter = scan:[127.0.0.1]:10025\n", edit: strings.NewReplacer("virtual_alias_maps = hash:/etc/postfix/aliases\n", ""),
			master: filterMaster("no_header_body_checks,no_unknown_recipient_checks"),
			policy: func(p *relay.Policy) {
				p.Listeners = append(p.Listeners, relay.Listener{Service: "127.0.0.1:10025", Role: relay.RoleReinjection})
			},
			senders: []string{"alice@example.com", "carl@example.com", "first.x@example.com", "a@host.example.com", "a@internal.test", "",
				"z@remote3.test", "alice@example.net"},
			rcpts: []string{"info+x@example.com", "sales@example.com", "bob@example.com", "x@remote1.test", "y@remote2.test", "any-q@example.com",
				"union@example.com", "team@example.com", "first.q@example.com"},
		},
		{
			// And the other way: before it.
			name: "content filter with mappings before it", messages: 200, files: rewritingFiles,
			main: rewritingMain + "content_filter = scan:[127.0.0.1]:10025\n", edit: strings.NewReplacer("virtual_alias_maps = hash:/etc/postfix/aliases\n", ""),
			master: filterMaster("no_header_body_checks,no_unknown_recipient_checks,no_address_mappings"),
			policy: func(p *relay.Policy) {
				p.Listeners = append(p.Listeners, relay.Listener{Service: "127.0.0.1:10025", Role: relay.RoleReinjection})
			},
			senders: []string{"alice@example.com", "carl@example.com", "first.x@example.com", "a@host.example.com", "a@internal.test", "",
				"z@remote3.test", "alice@example.net"},
			rcpts: []string{"info+x@example.com", "sales@example.com", "bob@example.com", "x@remote1.test", "y@remote2.test", "any-q@example.com",
				"union@example.com", "team@example.com", "first.q@example.com"},
		},
	}, 2) {
		for _, system := range maillab.DrawnSystems(t, f.name) {
			t.Run(f.name+"/"+system.Name, func(t *testing.T) {
				t.Parallel()
				f.run(t, system)
			})
		}
	}
}
