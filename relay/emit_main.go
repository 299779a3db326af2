package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// param adds a parameter of main.cf.
func (c *compiler) param(name, comment string, values ...string) {
	values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
	c.params = append(c.params, postfix.Param{Name: name, Value: strings.Join(values, ", "), Comment: comment})
}

// own returns the installation's value of a parameter as main.cf has it, so
// that what it refers to stays a reference.
func (c *compiler) own(name string) string {
	v, _ := c.main.Get(name)
	return strings.TrimSpace(v)
}

func (c *compiler) regexpMap(file string) string {
	if _, ok := c.emitted["postfix/"+file]; !ok {
		return ""
	}
	return "regexp:" + c.path(file)
}

func (c *compiler) hashMap(file string) string {
	if _, ok := c.emitted["postfix/"+file]; !ok {
		return ""
	}
	return c.indexedSpec(file).String()
}

func (c *compiler) emitMain() {
	n := c.names
	if m := c.hashMap(n.scope); m != "" {
		c.param("sender_dependent_default_transport_maps", "senders in scope; everybody else, and the null sender, keeps the normal route",
			m, c.own("sender_dependent_default_transport_maps"))
		c.emitProbes()
	}
	if m := c.hashMap(n.transport); m != "" {
		c.param("transport_maps", "recipients with a fixed route", m, c.own("transport_maps"))
	}
	c.emitRelayDomains()
	c.emitPace()
	comment := "markers leave with nothing"
	for i, own := range c.leaveOwn {
		c.param(c.numbered(n.leaveHeader, "_", i), comment, c.regexpMap(n.leave), own)
		comment = ""
	}
	if c.usesRelay {
		c.param(n.leaveOrigin, "nor does the origin header to hosts that this server relays to", c.regexpMap(n.leaveOriginFile), c.leaveOriginOwn)
	}
	c.emitVariants()
	c.emitSieveMilters()
	c.eachGateway(func() {
		if c.markerMap[c.current] != "" {
			c.param(c.names.outHeader, "marked mail goes direct; the domains' markers are looked up in lower case", c.bypassMaps())
		}
		if c.policy.Topology != TopologyOutbound {
			c.emitRestrictions()
		}
	})
	c.emitClasses()
	c.emitPostscreen()
}

// emitProbes keeps the installation's address verification as it was where its
// probes have a sender in scope: the second pass takes every recipient, and
// nothing would be found out (ADDRESS_VERIFICATION_README).
func (c *compiler) emitProbes() {
	const name, of = "address_verify_sender_dependent_default_transport_maps", "sender_dependent_default_transport_maps"
	if !c.probesInScope() {
		return
	}
	const comment = "probes of address verification are no mail of a sender in scope"
	switch raw, _ := c.main.Get(name); {
	case !c.base.set(name):
		c.param(name, comment, c.own(of))
	case strings.Contains(raw, "$"): // it may lead to the generated value
		c.param(name, comment, postfix.Quote(c.base.get(name)))
	}
}

// probesInScope reports whether the sender of probes has a domain in scope, or
// one that isn't known, by main.cf or by what master.cf says for verify(8).
func (c *compiler) probesInScope() bool {
	return c.probeInScope(c.base) || slices.ContainsFunc(c.master.Services(), func(sv postfix.Service) bool {
		return sv.Command == "verify" && c.probeInScope(c.base.service(sv))
	})
}

func (c *compiler) probeInScope(s settings) bool {
	sender := s.get("address_verify_sender")
	if sender == "" || sender == "<>" {
		return false
	}
	local, domain := mailaddr.Split(mailaddr.Fold(sender))
	if domain == "" {
		local, domain = mailaddr.Fold(sender), mailaddr.Fold(s.get("myorigin"))
	}
	scope, ok := c.table(c.indexedSpec(c.names.scope))
	if !ok || domain == "" {
		return true
	}
	for _, key := range []string{local + "@" + domain, "@" + domain} {
		if _, _, ok := scope.table.Lookup(key); ok {
			return true
		}
	}
	return false
}

// ref names a generated parameter where it has a value.
func (c *compiler) ref(name, value string) string {
	if value == "" {
		return ""
	}
	return "$" + name
}

// emitRelayDomains makes Postfix accept mail for tenants with a store.
func (c *compiler) emitRelayDomains() {
	have := c.domains(c.base, "relay_domains")
	var missing []string
	for _, t := range c.policy.OrderedTenants() {
		if t.Store == "" {
			continue
		}
		for _, d := range paths.Ordered(t.Domains) {
			ascii, _ := headers.ASCIIDomain(d)
			if !have.Has(ascii) {
				missing = append(missing, ascii)
			}
		}
	}
	if len(missing) > 0 {
		c.param("relay_domains", "tenants whose mailboxes are on another host", append([]string{c.own("relay_domains")}, missing...)...)
	}
}
