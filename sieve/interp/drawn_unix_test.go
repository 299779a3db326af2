//go:build unix

package interp_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/dovecot"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// drawnUser is a user of a server with what he has delivered to him.
type drawnUser struct {
	name               string
	lmtp               bool
	before, own, after string
	personal           map[string]string // to include
	mails              []sievetest.Mail
}

// drawnWorld is a server with settings and users.
type drawnWorld struct {
	dovecot24 bool
	settings  []string
	global    map[string]string
	users     []drawnUser
}

// drawWorld draws it.
func drawWorld(g *sievetest.Generator, dovecot24 bool, users, mails int) *drawnWorld {
	w := &drawnWorld{dovecot24: dovecot24, settings: sievetest.DrawSettings(g, dovecot24), global: map[string]string{}}
	d := sievetest.NewDeliverable(g, dovecot24)
	text := func() string { return string(d.Script().Format()) }
	includes := []string{"i0", "i1", "i2"}
	d.Size = 3
	for i := range includes {
		d.Included = includes[:i]
		if g.Chance(5) {
			d.Included = includes
		}
		w.global[includes[i]] = text()
	}
	delimiter := byte('+')
	for _, line := range w.settings {
		if v, ok := strings.CutPrefix(line, "recipient_delimiter = "); ok {
			delimiter = v[0]
		}
	}
	var pool []string
	for i := range users {
		u := drawnUser{name: fmt.Sprintf("u%d@example.com", i), lmtp: g.Chance(70), personal: map[string]string{}}
		d.Size = 2
		d.Included = nil
		if g.Chance(50) {
			u.personal["i0"], u.personal["i1"] = text(), text()
			d.Included = includes
		}
		if g.Chance(25) {
			u.before = text()
		}
		if g.Chance(25) {
			u.after = text()
		}
		d.Size = sievetest.ScriptSize
		if u.own = text(); g.Chance(5) {
			u.own = g.Broken(u.own)
		}
		for range mails {
			m := sievetest.Mail{User: u.name, To: u.name, From: "joe@example.net"}
			if len(pool) < 4*mails || g.Chance(40) {
				pool = append(pool, d.Message(u.name))
				m.Text = pool[len(pool)-1]
			} else {
				m.Text = sievetest.Pick(g, pool...)
			}
			if len(u.mails) > 0 && g.Chance(30) {
				m.Text = u.mails[g.IntN(len(u.mails))].Text // once more
			}
			if g.Chance(40) {
				m.From = sievetest.Pick(g, "", "a@b", "JOE@Example.net", "me@example.com", u.name, "mailer-daemon@x", "owner-l@x", "x-request@x",
					"\"a b\"@c.example", "joe+d@example.net", "c@d.org")
			}
			if g.Chance(30) {
				m.To = fmt.Sprintf("u%d%c%s@example.com", i, delimiter, sievetest.Pick(g, "d", "d+e", "d-e", "x_y", ""))
			}
			if !u.lmtp && g.Chance(25) {
				m.Original = sievetest.Pick(g, "o@example.com", "o+x@example.com", "me@example.com", u.name)
			}
			u.mails = append(u.mails, m)
		}
		w.users = append(w.users, u)
	}
	return w
}

// fileScripts finds scripts to include in directories.
type fileScripts struct {
	personal, global string
	on               sieve.Extensions
}

func (f fileScripts) Script(where sieve.Location, name string) (*sieve.Script, error) {
	dir := f.personal
	if where == sieve.GlobalScript {
		dir = f.global
	}
	text, err := os.ReadFile(filepath.Join(dir, name+".sieve"))
	if err != nil {
		return nil, err
	}
	return sieve.ParseFor(name, text, f.on)
}

// sequenceOf reads the scripts of a user as the server does, up to the first one
// that doesn't compile.
func sequenceOf(t *testing.T, s *sievetest.Server, c *dovecot.Config, protocol, user string) (list interp.Sequence, why error) {
	t.Helper()
	o, err := c.Options(protocol)
	if err != nil && c.Is24() { // 2.3 warns, and goes on with the default, as the options do
		t.Fatal(err)
	}
	home := filepath.Join(s.Dir, user)
	o.Scripts = fileScripts{home + "/sieve", s.Dir + "/global", o.Extensions}
	scripts, err := c.Scripts(protocol, dovecot.User{Name: user, Home: home})
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range scripts {
		src, err := os.ReadFile(place.Path)
		if os.IsNotExist(err) {
			continue
		}
		script, err := sieve.ParseFor(string(place.Kind), src, o.Extensions)
		if err != nil {
			return list, err
		}
		o.Name = string(place.Kind)
		p, err := interp.Compile(script, o)
		if err != nil {
			return list, err
		}
		list = append(list, p)
	}
	return list, nil
}

// reported stands for the text of a report, which the package doesn't make.
const reported = "REPORT"

// specialUses are the mailboxes of the settings that have a special use.
type specialUses map[string]string

func (s specialUses) SpecialUse(mailbox, attribute string) (string, bool) {
	name, ok := s[strings.ToLower(attribute)]
	return name, ok && (mailbox == "" || mailbox == name)
}

func (specialUses) Metadata(string, string) (string, bool) { return "", false }

// specialUseLine is a special use in the settings.
var specialUseLine = regexp.MustCompile(`mailbox (\w+) \{\s+special_use = (\S+)`)

func newSpecialUses(settings []string) specialUses {
	s := specialUses{}
	for _, m := range specialUseLine.FindAllStringSubmatch(strings.Join(settings, "\n"), -1) {
		s[strings.ToLower(m[2])] = m[1]
	}
	return s
}

// drawnOutcome is what a result comes to in the words of sievetest.Outcome.
func drawnOutcome(r interp.Result, raw string, m sievetest.Mail, email string, lmtp, is24 bool) (out sievetest.Outcome) {
	if out.Reply = "0"; lmtp {
		out.Reply = "250"
	}
	implementation := "Pigeonhole Sieve 0.5.19 (4eae2f79)"
	if is24 {
		implementation = "Pigeonhole Sieve 2.4.1-4 (0a86619f)"
	}
	text := newEdited(raw)
	store := func(box string, flags []string) {
		if strings.EqualFold(box, sieve.Inbox) {
			box = sieve.Inbox
		}
		words := make([]string, 0, len(flags))
		for _, f := range flags {
			words = append(words, strings.ToLower(f))
		}
		slices.Sort(words)
		out.Stored = append(out.Stored, sievetest.Stored{Mailbox: box, Flags: strings.Join(slices.Compact(words), " "), Text: text.String()})
	}
	// With a fileinto of the inbox by its name, the message is there when it comes to the keep.
	inbox := slices.ContainsFunc(r.Actions, func(a interp.Action) bool {
		f, ok := a.(interp.ActionFileInto)
		return ok && !f.Unnamed && strings.EqualFold(f.Mailbox, sieve.Inbox)
	})
	keep := func(flags []string) {
		if !inbox {
			store(sieve.Inbox, flags)
		}
	}
	send := func(m *interp.Outgoing) {
		if m != nil {
			out.Sent = append(out.Sent, stripped(*m))
		}
	}
	for _, a := range r.Actions {
		switch a := a.(type) {
		case interp.ActionKeep:
			keep(a.Flags)
		case interp.ActionFileInto:
			store(a.Mailbox, a.Flags)
		case interp.ActionAddHeader:
			text.add(interp.EncodedField(a.Name, a.Value), a.Last)
		case interp.ActionDeleteHeader:
			text.remove(a.Name, a.Index)
		case interp.ActionRedirect:
			if a.Why == "" {
				from := m.From
				if a.From != "" {
					from = a.From
				}
				out.Sent = append(out.Sent, stripped(interp.Outgoing{From: from, To: []string{a.Address},
					Raw: []byte(text.redirected(m, implementation, email, is24))}))
			}
		case interp.ActionReject:
			send(a.Message)
		case interp.ActionVacation:
			send(a.Reply)
		case interp.ActionNotify:
			send(a.Mail)
		case interp.ActionReport:
			out.Sent = append(out.Sent, interp.Outgoing{To: []string{a.Address}, Raw: []byte(reported)})
		}
	}
	switch r.Keep {
	case interp.KeepImplicit:
		keep(r.KeepFlags)
	case interp.KeepFailure:
		text = newEdited(raw)
		keep(r.KeepFlags)
	default: // stores nothing
	}
	slices.SortStableFunc(out.Stored, sievetest.Stored.Compare)
	return out
}

// shownOutcome is an outcome in a form whose differences can be read.
func shownOutcome(o sievetest.Outcome) []string {
	out := []string{"reply " + o.Reply}
	for _, m := range o.Stored {
		out = append(out, fmt.Sprintf("stored in %s with %q", m.Mailbox, m.Flags))
		out = append(out, strings.SplitAfter(m.Text, "\n")...)
	}
	for _, m := range o.Sent {
		out = append(out, fmt.Sprintf("sent from %q to %q", m.From, m.To))
		out = append(out, strings.SplitAfter(string(m.Raw), "\n")...)
	}
	return out
}

// edited is a message with the changes of a script.
type edited struct {
	fields []string
	rest   string
}

func newEdited(raw string) *edited {
	raw = strings.ReplaceAll(raw, "\r\n", "\n")
	e := new(edited)
	for raw != "" && raw[0] != '\n' {
		line, rest, _ := strings.Cut(raw, "\n")
		if raw = rest; len(e.fields) > 0 && (line[0] == ' ' || line[0] == '\t') {
			e.fields[len(e.fields)-1] += line + "\n"
		} else {
			e.fields = append(e.fields, line+"\n")
		}
	}
	e.rest = raw
	return e
}

func (e *edited) String() string { return strings.Join(e.fields, "") + e.rest }

// redirected is the message as it is sent on.
func (e *edited) redirected(m sievetest.Mail, implementation, email string, is24 bool) string {
	fields := slices.DeleteFunc(slices.Clone(e.fields), func(f string) bool {
		name, _, _ := strings.Cut(f, ":")
		return strings.EqualFold(name, "return-path")
	})
	text := strings.Join(fields, "") + e.rest
	has := interp.MessageID(text) != ""
	if is24 {
		has = has || slices.ContainsFunc(fields, func(f string) bool { return strings.HasPrefix(strings.ToLower(f), "message-id:") })
	}
	if !has {
		text = "Message-ID: ID\n" + text
	}
	who := m.To
	if _, _, ok := strings.Cut(email, "@"); ok {
		who = email
	}
	text = "X-Sieve: " + implementation + "\nX-Sieve-Redirected-From: " + who + "\n" + text
	return strings.ReplaceAll(strings.TrimSuffix(text, "\n")+"\n", "\n", "\r\n")
}

func (e *edited) add(field string, last bool) {
	field = strings.ReplaceAll(field, "\r\n", "\n")
	if last {
		e.fields = append(e.fields, field)
	} else {
		e.fields = append([]string{field}, e.fields...)
	}
}

func (e *edited) remove(name string, index int) {
	for i, f := range e.fields {
		if n, _, _ := strings.Cut(f, ":"); strings.EqualFold(strings.TrimRight(n, " \t"), name) {
			if index--; index == 0 {
				e.fields = slices.Delete(slices.Clone(e.fields), i, i+1)
				return
			}
		}
	}
}

// runWorld delivers all mail of a world and says where the server and the
// package disagree. It returns how many deliveries there were.
func runWorld(t *testing.T, w *drawnWorld, report func(u drawnUser, i int, diff string) (more bool)) int {
	t.Helper()
	s := sievetest.NewServer(t, w.dovecot24, w.settings)
	for name, text := range w.global {
		s.Global(t, name, text)
	}
	c := dovecot.Read(s.Doveconf(t, "-n"))
	email, _ := c.Get("lmtp", "sieve_user_email")
	n := 0
users:
	for _, u := range w.users {
		s.User(t, u.name, u.before, u.own, u.after, u.personal)
		protocol, deliver := "lda", s.LDA
		if u.lmtp {
			protocol, deliver = "lmtp", s.LMTP
		}
		list, why := sequenceOf(t, s, c, protocol, u.name)
		memory := &store{seen: map[string]time.Time{}}
		for i, m := range u.mails {
			n++
			raw := m.Text
			if u.lmtp {
				raw = strings.TrimSuffix("Return-Path: <"+m.From+">\n"+raw, "\n") + "\n"
				raw = strings.ReplaceAll(raw, "\n", "\r\n")
			}
			boxes := s.Mailboxes(t, u.name)
			in := sievetest.Scored([]byte(raw))
			in.From, in.To, in.OriginalTo, in.Memory = m.From, m.To, m.Original, memory
			in.MailboxExists = func(name string) bool {
				return strings.EqualFold(name, sieve.Inbox) || name == "" || slices.Contains(boxes, name)
			}
			in.Mailboxes = newSpecialUses(w.settings)
			in.Environment = map[string]string{"host": "mail.example.org", "postmaster": "postmaster@example.org", "username": u.name}
			want := deliver(t, m)
			if want.Reply == sievetest.Crash {
				t.Logf("%s crashed: %s", protocol, want.Log)
				continue users
			}
			r := list.Run(in)
			got := drawnOutcome(r, raw, m, email, u.lmtp, w.dovecot24)
			for j := range want.Sent {
				if want.Sent[j] = stripped(want.Sent[j]); bytes.Contains(want.Sent[j].Raw, []byte("report-type=feedback-report")) {
					want.Sent[j].Raw = []byte(reported)
				}
			}
			if diff := cmp.Diff(shownOutcome(want), shownOutcome(got), cmpopts.EquateEmpty()); diff != "" {
				more := report(u, i, fmt.Sprintf("(-Dovecot +ours, %v, %v) by %s\n%s\n%s", r.Err, why, protocol, diff, want.Log))
				if !more {
					return n
				}
				continue users
			}
		}
	}
	return n
}

// TestDrawnDeliveries draws settings, scripts and messages, delivers them by LMTP
// and dovecot-lda of both releases, and compares what is stored, with which flags
// and changes, and what is sent.
func TestDrawnDeliveries(t *testing.T) {
	for _, rel := range drawnReleases(t) {
		t.Run(rel.name, func(t *testing.T) {
			n, shrinks := 0, 0
			users, mails := min(servertest.Deep(t, 6, 20), 20), min(servertest.Deep(t, 4, 8), 8)
			for i := range servertest.Deep(t, 1, 4) {
				seed := *sievetest.Seed<<20 + uint64(i)
				w := drawWorld(sievetest.NewGenerator(seed), rel.is24, users, mails)
				type failure struct {
					user drawnUser
					mail int
					diff string
				}
				var failures []failure
				n += runWorld(t, w, func(u drawnUser, j int, diff string) bool {
					failures = append(failures, failure{u, j, diff})
					return len(failures) < 8
				})
				for j, f := range failures {
					diff := f.diff
					small := *w
					small.users = []drawnUser{f.user}
					if j == 0 && shrinks < 5 {
						if s, d := shrink(t, w, f.user, f.mail); d != "" {
							small, diff = *s, d
						}
						shrinks++
					}
					t.Errorf("world %d, mail %d\n%s\n%s", i, f.mail, diff, &small)
				}
			}
			t.Logf("%d deliveries", n)
		})
	}
}
