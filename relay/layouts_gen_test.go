package relay_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/relay"
)

// layoutGenerator draws messages that touch a layout's features.
type layoutGenerator struct {
	generator
	layout layout
}

// address is where a listener of the layout is in the tests' world; "" where it
// can't be used, because it speaks TLS from the first octet.
func (l layout) address(service string) string {
	if a, ok := l.test.Addresses[service]; ok {
		return a
	}
	name, _, _ := strings.Cut(service, "/")
	switch name {
	case "smtp", "smtpd", "25":
		return "127.0.1.1:25"
	case "submission", "587":
		return "127.0.1.1:587"
	case "smtps", "submissions", "465":
		return ""
	}
	if !strings.Contains(name, ":") {
		return "127.0.1.1:" + name
	}
	return name
}

// entries are the ways into the layout.
func (g *layoutGenerator) entries() []entry {
	back := map[string]string{}
	at := g.generator
	at.policy.Listeners = nil
	for _, l := range g.policy.Listeners {
		if a := g.layout.address(l.Service); a != "" && l.Role != relay.RoleReinjection {
			back[a] = l.Service
			at.policy.Listeners = append(at.policy.Listeners, relay.Listener{Service: a, Role: l.Role})
		}
	}
	out := at.entries()
	reEntry := "127.0.0.1:10032"
	if a := g.policy.Server.ReEntry; a.IsValid() {
		reEntry = a.String()
	}
	for i := range out {
		if out[i].origin.Authenticated {
			out[i].origin.Login = out[i].lab.Auth[0]
		}
		if service, ok := back[out[i].lab.To]; ok {
			out[i].origin.Service = service
		}
		if out[i].lab.To == "127.0.0.1:10032" {
			out[i].lab.To = reEntry
		}
		if out[i].lab.To == "sendmail" && g.layout.directory() != "postfix" {
			out[i].lab.To = "sendmail:" + strings.TrimPrefix(g.layout.directory(), "postfix-")
		}
	}
	return out
}

func (g *layoutGenerator) message(i int) generated {
	e := pick(&g.generator, g.entries())
	claim := [2]string{"none", ""}
	if g.rand.IntN(2) == 0 {
		claim = pick(&g.generator, g.claims())
	}
	body := bodies[0]
	if g.rand.IntN(3) == 0 {
		body = pick(&g.generator, bodies)
	}
	from := pick(&g.generator, senders)
	if own := g.layout.test.Senders; len(own) > 0 && g.rand.IntN(3) == 0 {
		from = pick(&g.generator, own)
	}
	to := pick(&g.generator, recipients)
	if e.origin.Role != relay.RoleGateway || g.rand.IntN(5) == 0 {
		to = pick(&g.generator, everywhere)
	}
	if own := g.layout.test.Recipients; len(own) > 0 && g.rand.IntN(3) == 0 {
		to = pick(&g.generator, own)
	}
	if !isASCII(from) {
		to = pick(&g.generator, g.layout.test.BeyondASCII)
	}
	header := fmt.Sprintf("Message-ID: <l%d@lab.invalid>\nFrom: <%s>\nTo: someone@example.com\nDate: Mon, 01 Jun 2026 00:00:00 +0000\n", i,
		from)
	own := ""
	if lines := g.layout.test.Headers; len(lines) > 0 && g.rand.IntN(2) == 0 {
		if own = pick(&g.generator, lines) + "\n"; strings.HasPrefix(own, "Subject:") && strings.HasPrefix(claim[1], "Subject:") {
			own = ""
		}
	}
	if !strings.HasPrefix(claim[1], "Subject:") && !strings.HasPrefix(own, "Subject:") {
		header += fmt.Sprintf("Subject: number %d\n", i)
	}
	raw := header + own + claim[1] + body[1]
	if g.rand.IntN(2) == 0 && !strings.HasPrefix(claim[0], "junk") {
		raw = claim[1] + header + own + body[1]
	}
	m := generated{
		what:  fmt.Sprintf("#%d %s, from <%s>, %s, %s%s:", i, e.name, from, claim[0], body[0], strings.TrimSuffix(", "+own, "\n")),
		lab:   e.lab,
		query: relay.Message{Origin: e.origin, From: from},
	}
	if len(g.layout.test.BeyondASCII) > 0 {
		m.query.NextHops = relay.SMTPUTF8Offered
	}
	for _, a := range append([]string{from}, to...) {
		if !isASCII(a) && m.lab.To != "sendmail" {
			m.lab.Options, m.query.SMTPUTF8 = []string{"SMTPUTF8"}, true
		}
	}
	m.lab.ID, m.lab.From, m.lab.Recipients, m.lab.Raw = fmt.Sprintf("l%d", i), from, to, []byte(raw)
	m.query.Raw = append([]byte(maillab.IDHeader+": "+m.lab.ID+"\n"), m.lab.Raw...)
	return m
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 126 }) < 0
}

// untouched reports whether a message has nothing to do with the gateway: by
// the customer's own listeners, without a marker, and no copy of it has left or
// would leave through us.
func (g *layoutGenerator) untouched(c *relay.Config, m generated) bool {
	switch m.query.Origin.Role {
	case relay.RoleSubmission, relay.RoleInternal, relay.FromPickup:
	default:
		return false
	}
	if strings.Contains(strings.ToLower(string(m.lab.Raw)), "x-conbool") || strings.Contains(strings.ToLower(string(m.lab.Raw)),
		"x-oxmailroute") {
		return false
	}
	for _, to := range m.lab.Recipients {
		q := m.query
		q.To = to
		for _, o := range c.Route(context.Background(), &q).Outcomes {
			for _, s := range o.Trace {
				if strings.Contains(s.Input, "conbool") || strings.Contains(s.Note, "conbool") || strings.HasPrefix(s.File, "postfix/conbool") ||
					strings.Contains(s.Note, "second pass") {
					return false
				}
			}
			if strings.Contains(o.Target.String(), "conbool.com") {
				return false
			}
		}
	}
	return true
}
