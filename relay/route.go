package relay

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// Route says where a message goes for one recipient. It walks the emitted
// configuration in the order of the servers: connection and recipient checks,
// removal of forged markers, aliases and routing, the header checks of the
// second pass, and for local mail the Sieve scripts; redirects come back in at
// the re-entry listener. The installation's own settings are followed, too:
// rewrites of envelope and header, copies, aliases, tables that are evaluated
// (regexp:, pcre:, inline:, static:, unionmap:, pipemap:), relay hosts, listings,
// logins, checks, and content filters that come back at a listener of role
// reinjection. A header is read as each server reads it: Pigeonhole decodes RFC
// 2047 words and does not match a value that was folded to the next line; header
// checks see the raw line and match a folded value. It never fails: where a server would refuse or defer,
// the decision says so. It makes no look-ups outside of the configuration, the
// Directory, Scripts and Tables, and is safe for concurrent use. The context is
// for Directory and Scripts: what they don't answer because it is done is an
// error of theirs, which [Decision].Err has.
func (c *Config) Route(ctx context.Context, m *Message) Decision {
	if c == nil {
		c = new(Config)
	}
	if m == nil {
		m = new(Message)
	}
	o := &m.Origin
	n := mta.Message{
		Origin: mta.Origin{Client: o.Client, TLS: o.TLS, Certificate: o.Certificate, Authenticated: o.Authenticated, Login: o.Login},
		From:   m.From, To: m.To, Raw: m.Raw, Milters: m.Milters, SMTPUTF8: m.SMTPUTF8, NextHops: m.NextHops, Value: &passing{c: c, m: m},
	}
	if d := c.door(*o); d == nil {
		n.Before = Trace{{Stage: "smtpd", Rule: "Listeners", Input: string(o.Role), Note: "no such listener"}}
		n.Refused = "no listener has this role"
	} else {
		n.Origin.Service = d.service
		c.connections.connect(&n, o, d)
	}
	return c.eval.Route(ctx, &n)
}

// passing is a message for which Route was asked, with what was found out for
// it. Everything else about it is in mta's Way.
type passing struct {
	c        *Config
	m        *Message
	programs map[string]*interp.Program
	failed   map[string]error // by mailbox
	// redirects are those that mailboxes' scripts have made of the message, on
	// all its ways.
	redirects []redirect
}

// redirect is what a mailbox's script did with the message.
type redirect struct{ mailbox, address string }

// passingBy is the message of a way.
func passingBy(w *mta.Way) *passing {
	p, _ := w.Value().(*passing)
	return p
}

// script asks for a mailbox's script, once for a decision.
func (p *passing) script(w *mta.Way, mailbox string) (*interp.Program, error) {
	var err error
	switch s := p.c.scripts.(type) {
	case nil:
		return nil, nil
	case ScriptMap:
		return s[mailbox], nil
	default:
		if err := p.failed[mailbox]; err != nil {
			return nil, err
		}
		if known, ok := p.programs[mailbox]; ok {
			return known, nil
		}
		var program *interp.Program
		if err = w.Context().Err(); err == nil {
			program, err = s.Script(w.Context(), mailbox)
		}
		if err != nil {
			err = fmt.Errorf("script of %s: %w", mailbox, err)
			if p.failed == nil {
				p.failed = map[string]error{}
			}
			p.failed[mailbox] = err
			w.Fail(err)
			return nil, err
		}
		if p.programs == nil {
			p.programs = map[string]*interp.Program{}
		}
		p.programs[mailbox] = program
		return program, nil
	}
}

// door is a listener of the policy.
type door struct {
	role    Role
	service string         // as mta names it
	gateway int            // whose listener it is, for RoleGateway
	line    int            // in master.cf
	bound   netip.AddrPort // invalid: not known
}

// door finds where a message of that origin enters; nil: nowhere.
func (c *Config) door(o Origin) *door {
	role := o.Role
	switch role {
	case FromPickup:
		return c.pickup
	case FromInternet:
		role = RoleGateway
		if o.Service == "" && c.withRole(RoleGateway) == nil && len(c.doors) > 0 {
			return c.doors[0]
		}
	}
	if o.Service == "" {
		return c.withRole(role)
	}
	return c.named(o.Service)
}

func (c *Config) withRole(role Role) *door {
	for _, d := range c.doors {
		if d.role == role {
			return d
		}
	}
	return nil
}

func (c *Config) named(service string) *door {
	for _, d := range c.doors {
		if d.service == service {
			return d
		}
	}
	return nil
}
