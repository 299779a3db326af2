package relay_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// otherServer is a server with mailboxes of example.com, whose Postfix relays
// everything to the re-entry listener of the outbound relay.
const otherServer = `compatibility_level = 3.6
myhostname = store.example.com
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.1.9
inet_protocols = ipv4
alias_maps =
queue_directory = /var/spool/postfix-store
data_directory = /var/lib/postfix-store
virtual_mailbox_domains = example.com
virtual_mailbox_maps = static:x
virtual_transport = lmtp:inet:127.0.0.1:24
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [127.0.1.3]:25
`

// otherCases are messages for a mailbox of that server, or through it, by what
// the relay must do with what comes of them.
var otherCases = []struct {
	name, script string // no script: the address itself is the recipient
	from, header string // of the message
	want         string
	stripped     string // want where markers of everything are removed
}{
	{name: "vacation", script: vacation(forged + "X-Conbool-Example-Com: true\r\n"), from: "$A", want: "smarthost"},
	{name: "notify from the user", script: notify(":from \"$U\"", notifyMarkers), want: "smarthost"},
	{name: "notify", script: notify("", notifyMarkers), want: "smarthost"},
	{name: "reject", script: "require \"reject\";\nreject \"X-Conbool-Released: yes\r\n\r\nX-Conbool-Released: yes\";\n", from: "$A",
		want: "mx"},
	{name: "redirect of released mail", script: "redirect \"$A\";\n", from: "alice@example.com", header: "X-Conbool-Released: yes\n",
		want: "mx", stripped: "smarthost"},
	{name: "redirect of marked mail", script: "redirect \"$A\";\n", from: "alice@example.com", header: "X-Conbool-Example-Com: true\n",
		want: "mx", stripped: "smarthost"},
	{name: "redirect of redirected mail", script: "redirect \"$A\";\n", from: "alice@example.com",
		header: redirectedHead + "X-Conbool-Released: yes\n", want: "mx", stripped: "smarthost"},
	{name: "redirect", script: "redirect \"$A\";\n", from: "alice@example.com", want: "smarthost"},
	{name: "relayed, marked", from: "alice@example.com", header: "X-Conbool-Released: yes\n", want: "mx"},
	{name: "relayed, redirected before", from: "alice@example.com", header: "-\n" + redirectedHead + "X-Conbool-Released: yes\n", want: "mx"},
	{name: "relayed", from: "alice@example.com", want: "smarthost"},
	// Marked by the gateway after it went through a Sieve.
	{name: "relayed, marked above X-Sieve", from: "alice@example.com",
		header: "-\nX-Conbool-Released: yes\nReceived: from a by b; Mon, 01 Jun 2026 00:00:00 +0000\nX-Sieve: Pigeonhole Sieve 0.5.19\n", want: "mx"},
	// It can't be told from what Sieve makes: it counts as made, and is neither lost nor sent round.
	{name: "relayed, marked below its own fields", from: "alice@example.com",
		header: "Received: from a by b; Mon, 01 Jun 2026 00:00:00 +0000\nX-Conbool-Released: yes\nX-Sieve: Pigeonhole Sieve 0.5.19\n", want: "smarthost"},
	{name: "relayed, marked, redirected at another place", from: "z@remote3.test",
		header: "Received: from a by b; Mon, 01 Jun 2026 00:00:00 +0000\n" + redirectedHead + "X-Conbool-Released: yes\n", want: "mx"},
	{name: "relayed, X-Sieve", from: "alice@example.com", header: "X-Sieve: Pigeonhole Sieve 0.5.19\nX-Conbool-Released: yes\n",
		want: "smarthost"},
}

// TestOthersSieve: what another server's Sieve sends through an outbound relay
// has the markers of what it redirects and none of a script's, by whatever way it
// comes; the control shows that the case without sorting fails.
func TestOthersSieve(t *testing.T) {
	t.Parallel() // much of a run is waiting
	type way struct{ name, dovecot, spoil string }
	const sorting = "/^X-Sieve:/ FILTER conbool-sort:[127.0.0.1]:10033"
	for i, tt := range servertest.Part(t, []way{
		{name: "submission_host", dovecot: "submission_host = 127.0.1.3:25\n"},
		{name: "its own Postfix", dovecot: "submission_host = 127.0.1.9:25\n"},
		{name: "sendmail", dovecot: "sendmail_path = /etc/store-sendmail\n"},
		{name: "a listener for servers", dovecot: "submission_host = 127.0.1.2:25\n"},
		{name: "control", dovecot: "submission_host = 127.0.1.3:25\n", spoil: sorting},
	}, 1) {
		for _, system := range maillab.FixedSystems(t, fmt.Sprint(tt.name, i)) {
			t.Run(tt.name+"/"+system.Name, func(t *testing.T) {
				maillab.NeedSystem(t, system)
				t.Parallel()
				want, got, r := runOthers(t, system, tt.dovecot, tt.spoil)
				diff := gocmp.Diff(want, got)
				if tt.spoil != "" {
					if !strings.Contains(got["vacation"], "mx") || !strings.Contains(got["notify from the user"], "mx") {
						t.Errorf("without the sorting nothing is forged: %v", got)
					}
					return
				}
				if diff != "" {
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

func runOthers(t *testing.T, system maillab.System, dovecot, spoil string) (want, got map[string]string, r maillab.Result) {
	w := maillab.DefaultWorld()
	w.Root = system.Root
	issue(t, &w)
	p := labPolicy(t, "relay.json")
	p.Server.Postfix = system.Postfix
	p.Listeners = []relay.Listener{{Service: otherListener, Role: relay.RoleReEntry}, {Service: "127.0.1.2:25", Role: relay.RoleInternal}}
	site := maillab.Site{Files: map[string][]byte{"postfix-store/main.cf": []byte(otherServer)}}
	for _, f := range compile(t, p, relay.Installation{}).Files() {
		if spoil != "" {
			f.Data = []byte(strings.ReplaceAll(string(f.Data), spoil, "/^X-Sieve:/ DUNNO"))
		}
		site.Files[f.Name] = f.Data
	}
	// postdrop(1) asks the default instance which others there are.
	site.Files["postfix/main.cf"] = append(site.Files["postfix/main.cf"], "alternate_config_directories = /etc/postfix-store\n"...)
	site.Files["etc/store-sendmail"] = []byte("#!/bin/sh\nexec /usr/sbin/sendmail -C /etc/postfix-store \"$@\"\n")
	site.Exec = []string{"chmod 755 /etc/store-sendmail"}
	const settings = "postmaster_address = postmaster@example.com\n"
	site.Dovecot = settings + "plugin {\n  sieve_vacation_send_from_recipient = yes\n}\nprotocol lmtp {\n  " + dovecot + "}\n"
	site.Dovecot24 = settings + "sieve_vacation_send_from_recipient = yes\nprotocol lmtp {\n  " + dovecot + "}\n"
	watched := map[string]string{}
	want, got = map[string]string{}, map[string]string{}
	var msgs []maillab.Message
	for i, c := range otherCases {
		user, address := fmt.Sprintf("u%d@example.com", i), fmt.Sprintf("a%d@remote1.test", i)
		fill := strings.NewReplacer("$A", address, "$U", user).Replace
		to := address
		if c.script != "" {
			to = user
			site.Users = append(site.Users, user)
			site.Files["sieve/users/"+user+".sieve"] = []byte(fill(c.script))
		}
		want[c.name], watched[address] = c.want, c.name
		if c.stripped != "" && strings.Contains(dovecot, "127.0.1.2") {
			want[c.name] = c.stripped
		}
		from := fill(c.from)
		if from == "" {
			from = "z@remote3.test"
		}
		head := fmt.Sprintf("Message-ID: <o%d@lab.invalid>\n", i)
		rest, bare := strings.CutPrefix(c.header, "-\n")
		if bare {
			rest, head = "", rest+head
		}
		msgs = append(msgs, maillab.Message{ID: fmt.Sprintf("o%d", i), To: "127.0.1.9:25", Source: "127.0.0.1", From: from,
			Recipients: []string{to},
			Raw:        []byte(fmt.Sprintf("%sDate: Mon, 01 Jun 2026 00:00:00 +0000\nFrom: <%s>\nTo: <%s>\n%s\nhello\n", head, from, to, rest))})
	}
	r = maillab.Run(t, w, site, msgs)
	add := func(places []maillab.Place) {
		for _, p := range places {
			name, ok := watched[p.Address]
			if !ok || p.Kind == maillab.KindConsumed {
				continue
			}
			end := string(p.Kind)
			if slices.ContainsFunc([]string{"X-Conbool-Released", "X-Conbool-Example-Com", "X-Conbool-Flag"},
				func(f string) bool { return len(p.Fields(f)) > 0 }) {
				end += " marked"
			}
			if p.Kind != maillab.KindSmartHost && p.Kind != maillab.KindMX {
				end += ": " + p.Text
			}
			got[name] = strings.TrimPrefix(got[name]+", "+end, ", ")
		}
	}
	for _, o := range r.Messages {
		for _, places := range o.Recipients {
			add(places)
		}
		add(o.Redirected)
		add(o.Notices)
	}
	add(r.Stray)
	return want, got, r
}
