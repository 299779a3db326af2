package mta_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
)

// perLab is the number of instances in one run of the lab.
const perLab = 8

// refereeWorld is what surrounds the instances: some hosts that take mail, by SMTP
// and LMTP, and no TLS.
func refereeWorld(root string) maillab.World {
	w := maillab.World{
		Host: "mx.own.test", Root: root, Listener: "127.0.1.1:25", Client: "127.0.1.20", Resolver: "127.0.0.53", Password: "secret",
		Names: map[string]maillab.Name{
			"hopa.test": {A: []string{"127.0.4.11"}}, "hopb.test": {A: []string{"127.0.4.12"}}, "lm.test": {A: []string{"127.0.4.20"}},
			"remote1.test": {MX: []maillab.MX{{Preference: 10, Host: "mx.remote1.test"}}}, "mx.remote1.test": {A: []string{"127.0.3.1"}},
			"remote2.test": {MX: []maillab.MX{{Preference: 10, Host: "mx.remote2.test"}}}, "mx.remote2.test": {A: []string{"127.0.3.2"}},
			"*.test": {MX: []maillab.MX{{Preference: 10, Host: "mx.other.test"}}}, "mx.other.test": {A: []string{"127.0.3.254"}},
			"client.inside.test": {A: []string{"127.0.1.20"}}, "stranger.test": {A: []string{"127.0.66.6"}},
		},
		Pointers:     map[string]string{"127.0.1.20": "client.inside.test", "127.0.66.6": "stranger.test"},
		Certificates: map[string]maillab.Certificate{"ca": {CommonName: "Lab Root CA", Authority: true}},
		Senders:      6,
		Settle:       12 * time.Second, Reply: 10 * time.Second, Timeout: 90 * time.Second,
	}
	for _, a := range []string{"127.0.3.1:25", "127.0.3.2:25", "127.0.3.254:25", "127.0.4.11:25", "127.0.4.12:25", "127.0.4.12:2525",
		"127.0.4.20:24"} {
		w.Sinks = append(w.Sinks, maillab.Sink{Address: a, Kind: maillab.KindRelay, Name: a})
	}
	for i := 1; i <= perLab; i++ {
		w.Interfaces = append(w.Interfaces, fmt.Sprintf("127.0.1.%d", i))
	}
	return w
}

// refereeMaster is master.cf, but for the port that the draw has.
const refereeMaster = `smtp inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
pcat unix - n n - - pipe
  flags=R user=nobody argv=/bin/sh -c {cat >/dev/null}
`

// refereeMain is main.cf where the draw says nothing.
var refereeMain = []setting{
	{"compatibility_level", "3.6"}, {"myhostname", "mx.own.test"}, {"mydomain", "own.test"}, {"mynetworks", "127.0.1.0/24"},
	{"inet_interfaces", "@IP@"}, {"inet_protocols", "ipv4"},
	{"queue_directory", "/var/spool/postfix-@I@"}, {"data_directory", "/var/lib/postfix/@I@"}, {"mail_spool_directory",
		"/var/spool/spool-@I@/"},
	{"virtual_mailbox_base", "/var/spool/maillab"}, {"virtual_uid_maps", "static:8"}, {"virtual_gid_maps", "static:8"},
	{"virtual_minimum_uid", "1"},
	{"in_flow_delay", "0"}, {"alias_maps", "hash:/etc/aliases"}, {"smtp_connection_cache_on_demand", "no"},
	{"lmtp_connection_cache_on_demand", "no"}, {"biff", "no"},
	{"proxy_read_maps",
		"$virtual_alias_maps $virtual_mailbox_maps $relay_recipient_maps $relay_domains $canonical_maps " +
			"$sender_canonical_maps $recipient_canonical_maps $relocated_maps $transport_maps $mynetworks $sender_bcc_maps " +
			"$recipient_bcc_maps $smtp_generic_maps $lmtp_generic_maps $alias_maps $smtpd_client_restrictions " +
			"$smtpd_helo_restrictions $smtpd_sender_restrictions $smtpd_relay_restrictions $smtpd_recipient_restrictions " +
			"$smtpd_data_restrictions $smtpd_end_of_data_restrictions $class_a $class_b $sender_dependent_default_transport_maps " +
			"$sender_dependent_relayhost_maps $local_recipient_maps $mailbox_transport_maps $fallback_transport_maps " +
			"$smtpd_sender_login_maps $mailbox_command_maps"},
}

// place is a draw in a lab.
type seat struct{ name, dir, ip string }

func seatOf(i int) seat {
	s := seat{name: fmt.Sprintf("d%d", i+1), ip: fmt.Sprintf("127.0.1.%d", i+1)}
	s.dir = "postfix-" + s.name
	if i == 0 {
		s.dir = "postfix"
	}
	return s
}

func (s seat) fill(text string) string {
	return strings.NewReplacer("@DIR@", "/etc/"+s.dir, "@IP@", s.ip, "@I@", s.name).Replace(text)
}

// files are the draw's files in its seat, and commands to run before.
func (d *draw) files(s seat) (files map[string][]byte, exec []string) {
	files = map[string][]byte{}
	var main strings.Builder
	set := map[string]bool{}
	for _, p := range d.Settings {
		set[p.Name] = true
		fmt.Fprintf(&main, "%s = %s\n", p.Name, p.Value)
	}
	for _, p := range refereeMain {
		if !set[p.Name] {
			fmt.Fprintf(&main, "%s = %s\n", p.Name, p.Value)
		}
	}
	if s.dir == "postfix" {
		main.WriteString("alternate_config_directories =")
		for i := range perLab {
			main.WriteString(" /etc/" + seatOf(i).dir)
		}
		main.WriteString("\n")
	}
	files[s.dir+"/main.cf"] = []byte(s.fill(main.String()))
	files[s.dir+"/master.cf"] = []byte(s.fill(refereeMaster + strings.Join(d.Services, "\n") + "\n"))
	for name, lines := range d.Files {
		files[s.dir+"/"+name] = []byte(s.fill(strings.Join(lines, "\n") + "\n"))
		if strings.HasPrefix(name, "aliases") {
			exec = append(exec, "postalias -c /etc/"+s.dir+" hash:/etc/"+s.dir+"/"+name)
		}
	}
	exec = append(exec, "mkdir -p -m 1777 /var/spool/spool-"+s.name)
	return files, exec
}

// heard is what the servers did with the messages of a draw, and load what is
// needed to ask the engine.
type heard struct {
	draw     *draw
	seat     seat
	files    map[string][]byte
	outcomes []maillab.Outcome
	defaults []byte
	passwd   map[string]bool
	trouble  []string
	settled  bool
	notes    []string // of the message that was looked at last
}

// hear runs up to perLab draws in one lab.
func hear(t *testing.T, system maillab.System, draws []*draw) []heard {
	w := refereeWorld(system.Root)
	site := maillab.Site{Files: map[string][]byte{}, NoDovecot: true, Direct: true, After: []string{"postconf -d", "cut -d: -f1 /etc/passwd"},
		Exec: []string{"postalias hash:/etc/aliases", "mkdir -p /var/spool/maillab && chown mail:mail /var/spool/maillab"}}
	var msgs []maillab.Message
	out := make([]heard, len(draws))
	for i, d := range draws {
		s := seatOf(i)
		files, exec := d.files(s)
		out[i] = heard{draw: d, seat: s, files: files}
		maps.Copy(site.Files, files)
		site.Exec = append(site.Exec, exec...)
		for j, m := range d.Messages {
			msgs = append(msgs, m.lab(s, fmt.Sprintf("%s-%d", s.name, j)))
		}
	}
	r := maillab.Run(t, w, site, msgs)
	if !r.Drained {
		t.Logf("the queues did not drain in %.0f s", r.Seconds)
	}
	passwd := map[string]bool{}
	for name := range strings.FieldsSeq(r.After[1]) {
		passwd[name] = true
	}
	t.Logf("%s: %d draws, %d messages: %.1f s set-up, %.1f s sending, %.1f s in all", system.Name, len(draws), len(msgs), r.Setup,
		r.Sending, r.Seconds)
	for i := range out {
		h := &out[i]
		h.defaults, h.passwd, h.settled = []byte(r.After[0]), passwd, r.Drained
		for j := range h.draw.Messages {
			h.outcomes = append(h.outcomes, r.Messages[fmt.Sprintf("%s-%d", h.seat.name, j)])
		}
		for _, line := range append(r.Complaints, r.Warnings...) {
			if strings.Contains(line, "/etc/"+h.seat.dir+"/") || strings.Contains(line, "fatal") {
				h.trouble = append(h.trouble, line)
			}
		}
	}
	return out
}

// lab is the message as it is sent.
func (m drawnMessage) lab(s seat, id string) maillab.Message {
	l := maillab.Message{ID: id, From: s.fill(m.From), Raw: []byte(strings.Join(m.Raw, "\n") + "\n"), To: s.ip + ":25"}
	for _, to := range m.To {
		l.Recipients = append(l.Recipients, s.fill(to))
	}
	l.Raw = []byte(s.fill(string(l.Raw)))
	switch m.Origin {
	case "outside":
		l.Source = "127.0.66.6"
	case "reentry":
		l.To = s.ip + ":10026"
	case "sendmail":
		l.To = "sendmail"
		if s.dir != "postfix" {
			l.To += ":" + s.name
		}
	}
	return l
}

// root is the server's file system as the engine reads it.
func (h *heard) root() fstest.MapFS {
	root := fstest.MapFS{"etc/mailname": {Data: []byte("mx.own.test\n")},
		"etc/aliases": {Data: []byte("postmaster: root\nroot: /dev/null\n")}, "etc/aliases.db": {}}
	for name, data := range h.files {
		root["etc/"+name] = &fstest.MapFile{Data: data}
		if !strings.HasSuffix(name, ".cf") {
			root["etc/"+name+".db"], root["etc/"+name+".lmdb"] = &fstest.MapFile{}, &fstest.MapFile{}
		}
	}
	return root
}

func (h *heard) load(system maillab.System) (*mta.Instance, error) {
	return mta.Load(h.root(), mta.Options{ConfigDirectory: "/etc/" + h.seat.dir, Hostname: "mx.own.test", Release: system.Postfix,
		Defaults: h.defaults, Users: h.passwd, Deliver: func(w *mta.Way, hop mta.Hop, to string) {
			w.End(mta.ActionRelay, mta.TargetNextHop(hop.NextHop), to, "")
		}})
}

// judged is what came of comparing one draw.
type judged struct {
	wrong      []int // messages
	text       map[int]string
	assumed    map[string]int
	unknown    int // messages whose answer names something
	unknownBad int
	ends       map[string]int
}

func (h *heard) judge(t *testing.T, system maillab.System) (judged, error) {
	j := judged{text: map[int]string{}, assumed: map[string]int{}, ends: map[string]int{}}
	e, err := h.load(system)
	if err != nil {
		return j, err
	}
	for i, m := range h.draw.Messages {
		want, trace, assumed := h.asked(t, e, m, fmt.Sprintf("%s-%d", h.seat.name, i))
		got := h.seen(m, h.outcomes[i])
		if len(m.To) > 1 {
			want, got = slices.Compact(want), slices.Compact(got)
		}
		for _, u := range assumed {
			j.assumed[u]++
		}
		for _, g := range got {
			j.ends[strings.Fields(g)[0]]++
		}
		if len(assumed) > 0 {
			j.unknown++
		}
		if slices.Equal(want, got) {
			continue
		}
		if len(assumed) > 0 {
			j.unknownBad++
		}
		j.wrong = append(j.wrong, i)
		j.text[i] = fmt.Sprintf("%s <%s> to %q, assumes %q\nRoute:\n  %s\nservers:\n  %s\n%s\n%s%s", m.Origin, m.From, m.To, assumed,
			strings.Join(want, "\n  "), strings.Join(got, "\n  "), strings.Join(h.notes, "\n"),
			strings.Join(m.Raw[:min(len(m.Raw), 12)], "\n"), "\n--\n"+trace)
	}
	return j, nil
}

// asked is what the engine says of a message.
func (h *heard) asked(t *testing.T, e *mta.Instance, m drawnMessage, id string) (ends []string, trace string, assumed []string) {
	l := m.lab(h.seat, id)
	q := mta.Message{From: l.From, Raw: append([]byte(maillab.IDHeader+": "+id+"\n"), l.Raw...), NextHops: mta.SMTPUTF8Missing}
	q.Origin = mta.Origin{Service: "smtp", Client: netip.MustParseAddr("127.0.1.20"), Name: "client.inside.test", Helo: "client.lab.test"}
	switch m.Origin {
	case "outside":
		q.Origin.Client, q.Origin.Name = netip.MustParseAddr("127.0.66.6"), "stranger.test"
	case "reentry":
		q.Origin.Service = "10026"
	case "sendmail":
		q.Origin = mta.Origin{Service: mta.Pickup}
	}
	if slices.ContainsFunc(h.draw.Settings, func(s setting) bool { return s.Name == "smtpd_peername_lookup" }) && q.Origin.Name != "" {
		q.Origin.Name = "unknown"
	}
	discarded := false
	for _, q.To = range l.Recipients {
		if discarded { // DISCARD is for the whole message, and nothing is asked about further recipients
			ends = append(ends, "discard")
			continue
		}
		d := e.Route(t.Context(), &q)
		for _, a := range d.Assumptions {
			if !strings.HasSuffix(a.Setting, "/.forward") && !slices.Contains(assumed, a.Setting) {
				assumed = append(assumed, a.Setting)
			}
		}
		for _, o := range d.Outcomes {
			ends = append(ends, wantedEnd(o, &q))
			discarded = discarded || slices.ContainsFunc(o.Trace, func(s mta.Step) bool { return s.Stage == "smtpd" && s.Note == "discarded" })
			trace += fmt.Sprintf("%s <%s> %s\n%s", o, o.To, o.Text, o.Trace)
		}
	}
	for i := range ends {
		if discarded && !strings.HasPrefix(ends[i], "reject") {
			ends[i] = "discard"
		}
	}
	slices.Sort(ends)
	slices.Sort(assumed)
	return ends, trace, assumed
}
