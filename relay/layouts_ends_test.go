package relay_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/relay"
)

// expected is what Route says, but for what it can't know.
func (l layout) expected(d relay.Decision, m generated) []string {
	d.Outcomes = slices.Clone(d.Outcomes)
	for i := range d.Outcomes {
		d.Outcomes[i].BCC = "" // copies are ends like any other here
	}
	want := expected(d, l.policy, m.lab.Raw)
	role := m.query.Origin.Role
	for _, r := range l.test.Refused {
		if strings.Contains(string(m.lab.Raw), r.Header) && slices.Contains(r.Entries, role) && !strings.HasPrefix(want[0], "reject") {
			return []string{fmt.Sprintf("reject %d", r.Code)}
		}
	}
	return want
}

// known leaves out what Route can't know of the servers' answers: whether
// postscreen has seen a stranger before.
func (l layout) known(ends []string, m generated) []string {
	if l.test.PutOff && m.query.Origin.Role == relay.FromInternet {
		for i, e := range ends {
			if e == "reject 450" {
				ends[i] = "reject 554"
			}
		}
	}
	return slices.Compact(ends)
}

// portless leaves the ports of relays out: sinks are known by their names.
func portless(ends []string) []string {
	out := make([]string, len(ends))
	for i, e := range ends {
		out[i] = relayPort.ReplaceAllString(e, "$1 <")
	}
	slices.Sort(out)
	return slices.Compact(out)
}

var relayPort = regexp.MustCompile(`^(relay \[[^\]]*\])(:\d+)? <`)

// count holds each mark to its number on every copy that has it to have.
func (l layout) count(t *testing.T, sent []generated, result maillab.Result) {
	for i, o := range l.test.Once {
		counted := 0
		for _, m := range sent {
			if o.Header != "" && !strings.Contains(string(m.lab.Raw), o.Header) || len(o.Entries) > 0 &&
				!slices.Contains(o.Entries, m.query.Origin.Role) {
				continue
			}
			for to, places := range result.Messages[m.lab.ID].Recipients {
				for _, p := range places {
					if p.By != "" || p.Mail != maillab.MailMessage || !o.at(p.Kind) {
						continue
					}
					counted++
					n := 0
					for _, v := range p.Fields(o.Field) {
						if strings.TrimSpace(v) == o.Value {
							n++
						}
					}
					times := 1
					if o.Times != nil {
						times = *o.Times
					}
					if n != times {
						t.Errorf("%s %s: %s has %q %d times in %s, want %d", m.what, to, o.Field, o.Value, n, p, times)
					}
				}
			}
		}
		if counted == 0 {
			t.Errorf("Once[%d]: no message has the mark %s to have", i, o.Field)
		}
		t.Logf("%s: %s counted on %d copies", o.Field, o.Value, counted)
	}
	for i, c := range l.test.Copies {
		counted := 0
		for _, m := range sent {
			o := result.Messages[m.lab.ID]
			if !strings.HasSuffix(strings.ToLower(m.lab.From), c.Sender) || len(c.Entries) > 0 && !slices.Contains(c.Entries, m.query.Origin.Role) ||
				o.SMTP.Code/100 != 2 {
				continue
			}
			counted++
			if n := len(o.Recipients[c.Address]); n != 1 {
				t.Errorf("%s %d copies for %s: %v", m.what, n, c.Address, o.Recipients[c.Address])
			}
		}
		if counted == 0 {
			t.Errorf("Copies[%d]: no message is to be copied to %s", i, c.Address)
		}
		t.Logf("%d messages copied to %s", counted, c.Address)
	}
}

// at reports whether copies at such a place have the mark.
func (o once) at(k maillab.Kind) bool {
	if len(o.Ends) > 0 {
		return slices.Contains(o.Ends, k)
	}
	return k == maillab.KindSmartHost || k == maillab.KindMX || k == maillab.KindMailbox || k == maillab.KindRelay
}

// untouched holds mail that has nothing to do with the gateway to where it ends
// without our files, with the same marks; after is where it went with them.
func (l layout) untouched(t *testing.T, w maillab.World, msgs []maillab.Message, after maillab.Result) {
	before := maillab.Run(t, w, l.site(nil), msgs)
	again(t, w, l.site(nil), msgs, &before)
	for _, m := range msgs {
		b, a := l.ends(before.Messages[m.ID]), l.ends(after.Messages[m.ID])
		if !slices.Equal(b, a) {
			t.Errorf("%s to %s, from <%s> to %s\nbefore:\n  %s\nwith our files:\n  %s\n%s", m.ID, m.To, m.From, m.Recipients,
				strings.Join(b, "\n  "), strings.Join(a, "\n  "), m.Raw[:min(len(m.Raw), 400)])
		}
	}
}

// ends renders where all copies of a message ended, with the marks that the
// customer's features left there.
func (l layout) ends(o maillab.Outcome) []string {
	var out []string
	add := func(prefix string, p maillab.Place) {
		line := fmt.Sprintf("%s%s <%s> %d", prefix, p.Kind, strings.ToLower(p.Address), p.Code)
		if p.Kind == maillab.KindMX || p.Kind == maillab.KindMailbox || p.Kind == maillab.KindRelay || p.Kind == maillab.KindSmartHost {
			line = fmt.Sprintf("%s%s %s <%s> from <%s>", prefix, p.Kind, p.Name, strings.ToLower(p.Address), p.Sender)
			for _, mark := range l.test.Once {
				line += fmt.Sprintf(" %s=%s", mark.Field, strings.Join(p.Fields(mark.Field), ","))
			}
			if p.Login != "" {
				line += " as " + p.Login
			}
		}
		out = append(out, line)
	}
	for to, places := range o.Recipients {
		for _, p := range places {
			add(strings.ToLower(to)+": ", p)
		}
	}
	for _, p := range o.Redirected {
		add("redirected: ", p)
	}
	slices.Sort(out)
	return out
}

// TestLayoutsCompile: every layout compiles for both versions without a server,
// twice the same, and removing brings the customer's bytes back.
func TestLayoutsCompile(t *testing.T) {
	list := layouts(t)
	if len(list) < 15 {
		t.Errorf("%d layouts", len(list))
	}
	for _, l := range list {
		for _, s := range []maillab.System{{Name: "old", Postfix: "3.7.11", Dovecot: "2.3.19.1 (9b53102964)"},
			{Name: "new", Postfix: "3.10.13", Dovecot: "2.4.1-4 (7d8c0e5759)"}} {
			t.Run(s.Name+"/"+l.name, func(t *testing.T) {
				c := l.compile(t, s)
				once := result(l.in, c.Files(), c.Obsolete())
				once.PostfixVersion, once.DovecotVersion, once.Scripts = s.Postfix, s.Dovecot, l.in.Scripts
				c2 := compile(t, l.policy, once)
				twice := result(once, c2.Files(), c2.Obsolete())
				r, err := relay.Remove(l.policy.Gateway.Name, twice)
				if err != nil {
					t.Fatal(err)
				}
				back := result(twice, r.Files, r.Obsolete)
				for name, data := range configured(twice) {
					if string(once.Files[confDir(once)+"/"+name]) != string(data) {
						t.Errorf("%s: compiled twice, other bytes", name)
					}
				}
				for name, data := range configured(l.in) {
					if string(back.Files[confDir(back)+"/"+name]) != string(data) {
						t.Errorf("%s: removed, not the bytes from before", name)
					}
				}
				if len(back.Files) != len(l.in.Files) {
					t.Errorf("removed: %d files, before %d", len(back.Files), len(l.in.Files))
				}
				for _, w := range c.Warnings() {
					t.Log(w)
				}
			})
		}
	}
}
