package relay

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/internal/clone"

	"github.com/oxmailroute/oxmailroute/relay/policy"
	"github.com/oxmailroute/oxmailroute/sieve"
)

// script is the delivery rules as a script.
func (c *compiler) script(form policy.RuleForm) []sieve.Command {
	var out []sieve.Command
	for _, r := range c.policy.DeliveryRules(&c.errs, form) {
		out = append(out, sieve.Comment(r.Comment), r.Command)
	}
	return out
}

// globalName is the global script's file.
func (c *compiler) globalName() string { return "sieve/before/10-" + c.policy.Gateway.Name + ".sieve" }

func (c *compiler) emitSieve() {
	var unreadable Errors
	c.cfg.own = c.policy.RulesInto(&unreadable)
	if len(unreadable) > 0 {
		c.cfg.own = nil
		if c.policy.SieveForm() == SievePerMailbox {
			c.errs = append(c.errs, unreadable...)
			return
		}
	}
	if c.policy.Topology != TopologyMailboxes {
		return
	}
	own := c.script(policy.InMailbox)
	if len(own) == 0 {
		return
	}
	c.cfg.mailbox = &sieve.Script{Commands: own}
	if err := c.cfg.mailbox.Validate(); err != nil {
		c.errs.Wrap("Spam.Folder", err, "choose another folder")
		return
	}
	if c.policy.SieveForm() == SievePerMailbox {
		return
	}
	before := len(c.errs)
	c.cfg.global = &sieve.Script{Commands: append([]sieve.Command{sieve.Comment(c.names.managed())}, c.script(policy.InGlobal)...)}
	if len(c.errs) > before {
		return
	}
	text := c.cfg.global.Format()
	if m, ok := cutMark(text); ok {
		c.cfg.global.Commands[0] = sieve.Comment(strings.TrimPrefix(m.text(), "# "))
		text = c.cfg.global.Format()
	}
	if c.policy.SieveForm() == SievePerTenant {
		c.emitTenants(text)
	} else {
		c.emit(c.globalName(), text, true)
	}
	c.cfg.globalRules = map[int]string{}
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case strings.HasSuffix(line, policy.ReleaseComment):
			c.cfg.globalRules[i+2] = "Gateway.Markers.Released"
		case strings.HasSuffix(line, policy.SpamComment):
			c.cfg.globalRules[i+2] = "Spam.Folder"
		}
	}
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
