package relay

import (
	"strings"
	"sync"

	"github.com/oxmailroute/oxmailroute/internal/clone"
	"github.com/oxmailroute/oxmailroute/relay/internal/delivery"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/sieve"
)

// script is the delivery rules as a script.
func (c fileWriter) script(form delivery.Form) []sieve.Command {
	var out []sieve.Command
	for _, r := range derived.Delivery(c.policy).Rules(&c.errs, form) {
		out = append(out, sieve.Comment(r.Comment), r.Command)
	}
	return out
}

// globalName is the global script's file.
func (c *site) globalName() string { return "sieve/before/10-" + c.policy.Gateway.Name + ".sieve" }

// deliveryScripts are the policy's rules for delivery in their forms.
type deliveryScripts struct {
	own     func() *MailboxRules // nil where they can't be read
	mailbox *sieve.Script        // the rules for a mailbox's own script
	global  *sieve.Script        // the rules of the global script, where there is one
	rules   map[int]string       // policy paths by its lines
	// tenants are its files by domain, for [SievePerTenant].
	tenants map[string]string
}

func (c fileWriter) emitSieve() (d deliveryScripts) {
	p := c.policy
	d.own = sync.OnceValue(func() *MailboxRules {
		m, _ := p.MailboxRules() // of a valid policy: the error is told below
		return m
	})
	var unreadable Errors
	derived.Delivery(p).Managed(&unreadable, p.Gateway.Name, p.Sieve.OX)
	if len(unreadable) > 0 && p.SieveForm() == SievePerMailbox {
		c.errs = append(c.errs, unreadable...)
		return d
	}
	if c.policy.Topology != TopologyMailboxes {
		return d
	}
	own := c.script(delivery.InMailbox)
	if len(own) == 0 {
		return d
	}
	d.mailbox = &sieve.Script{Commands: own}
	if err := d.mailbox.Validate(); err != nil {
		c.errs.Wrap("Spam.Folder", err, "choose another folder")
		return d
	}
	if c.policy.SieveForm() == SievePerMailbox {
		return d
	}
	before := len(c.errs)
	d.global = &sieve.Script{Commands: append([]sieve.Command{sieve.Comment(c.names.managed())}, c.script(delivery.InGlobal)...)}
	if len(c.errs) > before {
		return d
	}
	text := d.global.Format()
	if m, ok := cutMark(text); ok {
		d.global.Commands[0] = sieve.Comment(strings.TrimPrefix(m.text(), "# "))
		text = d.global.Format()
	}
	if c.policy.SieveForm() != SievePerTenant {
		c.emit(c.globalName(), text)
	} else if d.tenants = c.emitTenants(text); len(d.tenants) == 0 {
		d.global = nil
	}
	d.rules = map[int]string{}
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case strings.HasSuffix(line, delivery.ReleaseComment):
			d.rules[i+2] = "Gateway.Markers.Released"
		case strings.HasSuffix(line, delivery.SpamComment):
			d.rules[i+2] = "Spam.Folder"
		}
	}
	return d
}

// GlobalScript is the script that runs before the mailboxes' own, every one's or
// those of the domains that use the gateway (see [SieveForm]); nil where the
// policy has none.
func (c *Config) GlobalScript() *sieve.Script {
	if c == nil {
		c = new(Config)
	}
	return clone.Of(c.global)
}

// MailboxScript holds the same rules in the form for a mailbox's own script:
// they go before the user's rules. It uses nothing that OX App Suite's
// mailfilter can't read. Nil where the policy has no rules for delivery. To put
// them into a script that is there already, see [Config.MailboxRules].
func (c *Config) MailboxScript() *sieve.Script {
	if c == nil {
		c = new(Config)
	}
	return c.mailbox
}
