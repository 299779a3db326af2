package relay

import (
	"reflect"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve"
)

// The comments of the emitted scripts, by which traces find the policy's value.
const (
	releaseComment = "Released from the gateway's quarantine (Gateway.Markers.Released)"
	spamComment    = "Held for spam by the gateway (Gateway.Markers.Spam, Spam.Folder)"
)

// rules are the delivery rules: release first, so that nothing after it runs,
// then spam. fileinto "INBOX" ends the whole sequence of scripts, which keep
// would not: after keep, Pigeonhole goes on with the next script.
func (c *compiler) rules(create bool) []sieve.Command {
	var released, spam headers.Any
	for _, g := range c.policy.gateways() {
		released, spam = addTo(released, g.Markers.Released), addTo(spam, g.Markers.Spam)
	}
	var out []sieve.Command
	if len(released) > 0 {
		test, err := sieve.FromPredicate(one(released))
		if err != nil {
			c.errs.wrap("Gateway.Markers.Released", err, "name a header and its value")
		}
		out = append(out, sieve.Comment(releaseComment), sieve.If{Test: test, Then: []sieve.Command{sieve.FileInto{Mailbox: "INBOX"}, sieve.Stop{}}})
	}
	if len(spam) > 0 && c.policy.Spam.Folder != "" {
		test, err := sieve.FromPredicate(one(spam))
		if err != nil {
			c.errs.wrap("Gateway.Markers.Spam", err, "name a header and its value")
		}
		out = append(out, sieve.Comment(spamComment), sieve.If{Test: test, Then: []sieve.Command{sieve.FileInto{Mailbox: c.policy.Spam.Folder, Create: create}, sieve.Stop{}}})
	}
	return out
}

// addTo adds a gateway's condition, where it has one that the others have not.
func addTo(list headers.Any, c headers.Condition) headers.Any {
	if c.Predicate == nil || slices.ContainsFunc(list, func(p headers.Predicate) bool { return reflect.DeepEqual(p, c.Predicate) }) {
		return list
	}
	return append(list, c.Predicate)
}

// one is the only predicate of a list as it is.
func one(list headers.Any) headers.Predicate {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

// globalName is the global script's file.
func (c *compiler) globalName() string { return "sieve/before/10-" + c.policy.Gateway.Name + ".sieve" }

func (c *compiler) emitSieve() {
	if c.policy.Topology != Mailboxes {
		return
	}
	own := c.rules(false)
	if len(own) == 0 {
		return
	}
	c.cfg.mailbox = &sieve.Script{Commands: own}
	if err := c.cfg.mailbox.Validate(); err != nil {
		c.errs.wrap("Spam.Folder", err, "")
		return
	}
	if c.policy.sieveForm() == PerMailbox {
		return
	}
	before := len(c.errs)
	c.cfg.global = &sieve.Script{Commands: append([]sieve.Command{sieve.Comment(c.names.managed())}, c.rules(c.policy.Spam.Create)...)}
	if len(c.errs) > before {
		return
	}
	text := c.cfg.global.Format()
	c.emit(c.globalName(), text, false)
	c.cfg.eval.globalRules = map[int]string{}
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case strings.HasSuffix(line, releaseComment):
			c.cfg.eval.globalRules[i+2] = "Gateway.Markers.Released"
		case strings.HasSuffix(line, spamComment):
			c.cfg.eval.globalRules[i+2] = "Spam.Folder"
		}
	}
}

// GlobalScript is the script that runs before every mailbox's own, nil where
// the policy has none.
func (c *Config) GlobalScript() *sieve.Script { return c.global }

// MailboxScript holds the same rules in the form for a mailbox's own script:
// they go before the user's rules. It uses nothing that OX App Suite's
// mailfilter can't read. Nil where the policy has no rules for delivery.
func (c *Config) MailboxScript() *sieve.Script { return c.mailbox }
