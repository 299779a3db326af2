package relay

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// checkIdle warns of what is written and never asked: rules for delivery where no
// Sieve script runs, and mailboxes of the policy beside the installation's own
// maps. (Route says of each message where it ends.)
func (c checker) checkIdle() {
	if c.policy.Topology != TopologyMailboxes {
		return
	}
	c.checkLists()
	ways := c.deliveries()
	var order []string
	domains := map[string][]string{}
	for _, t := range derived.Tenants(c.policy) {
		if t.Store != "" {
			continue
		}
		for _, d := range paths.Ordered(t.Domains) {
			ascii, _ := headers.ASCIIDomain(d)
			if at, why := ways(ascii); why != "" {
				key := at + "\x00" + why
				if domains[key] == nil {
					order = append(order, key)
				}
				domains[key] = append(domains[key], ascii)
			}
		}
	}
	for _, key := range order {
		at, why, _ := strings.Cut(key, "\x00")
		list := domains[key]
		who := list[0]
		if len(list) > 1 {
			who += fmt.Sprintf(" and %d more domains", len(list)-1)
		}
		c.warn(at, "mail for %s is %s: the delivery rules (Sieve) don't run there; deliver by LMTP to Dovecot, or by dovecot-lda", who, why)
	}
}

// deliveries says why no Sieve script runs at the delivery of a domain's mail;
// empty: one does, or it isn't known.
func (c *site) deliveries() func(domain string) (at, why string) {
	search := postfix.Search{Delimiter: c.base.get("recipient_delimiter"),
		MatchParents: slices.Contains(list(c.base.get(parentDomains)), "transport_maps")}
	known, _ := c.conf.Maps(c.base.get("transport_maps"))
	local, aliases, mailboxes := c.conf.Domains(c.base.Settings, "mydestination"), c.conf.Domains(c.base.Settings, "virtual_alias_domains"),
		c.conf.Domains(c.base.Settings, "virtual_mailbox_domains")
	transports := map[string]string{}
	for _, name := range []string{"local_transport", "virtual_transport"} {
		transports[name] = c.withoutSieve(c.base.get(name), name+" = "+c.base.get(name))
	}
	return func(domain string) (at, why string) {
		for _, m := range known {
			if hit, ok, _ := search.Transport(m.Table, "postmaster@"+domain); ok && hit.Entry.Value != "" && hit.Entry.Value[0] != ':' {
				return c.at("transport_maps"), c.withoutSieve(hit.Entry.Value, "transport_maps has "+hit.Key+" "+hit.Entry.Value)
			}
		}
		switch {
		case local.Has(domain):
			return c.at("local_transport"), transports["local_transport"]
		case aliases.Has(domain):
			return "", ""
		case mailboxes.Has(domain):
			return c.at("virtual_transport"), transports["virtual_transport"]
		}
		return "", ""
	}
}

// withoutSieve says of a transport that it runs no Sieve script.
func (c *site) withoutSieve(value, setting string) string {
	transport, _, _ := strings.Cut(value, ":")
	sv, ok := c.master.Lookup(transport, "unix")
	if !ok {
		return ""
	}
	s := c.base.service(sv)
	switch sv.Command {
	case "lmtp", "error", "discard":
		return ""
	case "pipe":
		if slices.ContainsFunc(sv.Args, isLDA) {
			return ""
		}
		return "handed to a program (" + setting + ")"
	case "local":
		for _, name := range []string{"mailbox_transport_maps", "mailbox_command_maps"} {
			if s.get(name) != "" {
				return "" // each user may have another
			}
		}
		if t := s.get("mailbox_transport"); t != "" {
			return c.withoutSieve(t, "mailbox_transport = "+t)
		}
		if command := s.get("mailbox_command"); command != "" {
			if slices.ContainsFunc(strings.Fields(command), isLDA) {
				return ""
			}
			return "handed to a program (mailbox_command = " + command + ")"
		}
		return "written by local(8) (" + setting + ")"
	case "virtual":
		return "written by virtual(8) (" + setting + ")"
	case "smtp":
		return "handed to another host (" + setting + ")"
	}
	return ""
}

// isLDA reports whether a word of a command is Dovecot's delivery agent, which
// runs Sieve scripts.
func isLDA(word string) bool {
	word = strings.TrimPrefix(word, "argv=")
	return strings.HasSuffix(word, "dovecot-lda") || strings.HasSuffix(word, "dovecot/deliver")
}

// checkLists warns of mailboxes and aliases that are in the policy and not in the
// installation's own maps, beside which nobody reads the policy's.
func (c checker) checkLists() {
	search := postfix.Search{Delimiter: c.base.get("recipient_delimiter")}
	missing := func(parameter, address string) bool {
		known, opaque := c.conf.Maps(c.base.get(parameter))
		if len(known) == 0 || len(opaque) > 0 {
			return false
		}
		return !slices.ContainsFunc(mailaddr.AddressKeys(address), func(k string) bool {
			return slices.ContainsFunc(known, func(s mta.Source) bool { _, ok, _ := search.Address(s.Table, k); return ok })
		})
	}
	const text = "%s is in none of the tables of %s, which are read in the place of the policy's list: mail for it is refused; add it " +
		"there, or correct its name"
	if _, ok := c.fromPolicy("virtual_mailbox_maps", c.names.mailboxes); !ok {
		for i, m := range c.policy.Mailboxes {
			if missing("virtual_mailbox_maps", m) && missing("virtual_alias_maps", m) {
				c.warn(paths.Index("Mailboxes", i), text, m, "virtual_mailbox_maps")
			}
		}
	}
	if _, ok := c.fromPolicy("virtual_alias_maps", c.names.aliases); !ok {
		for i, a := range c.policy.Aliases {
			if missing("virtual_alias_maps", a.Address) {
				c.warn(paths.Index("Aliases", i), text, a.Address, "virtual_alias_maps")
			}
		}
	}
}
