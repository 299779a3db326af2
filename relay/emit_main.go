package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// param adds a parameter of main.cf.
func (c *mainWriter) param(name, comment string, values ...string) {
	values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
	c.params = append(c.params, postfix.Param{Name: name, Value: strings.Join(values, ", "), Comment: comment})
}

// own returns the installation's value of a parameter as main.cf has it, so
// that what it refers to stays a reference.
func (c *site) own(name string) string {
	v, _ := c.main.Get(name)
	return strings.TrimSpace(v)
}

// mainWriter adds parameters of main.cf, which name the files of an output.
type mainWriter struct {
	task
	*output
	params []postfix.Param
}

// emitMain returns the generated parameters.
func emitMain(t task, o *output, l leaving) []postfix.Param {
	c := &mainWriter{task: t, output: o}
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
	for i, own := range l.own {
		c.param(c.numbered(n.leaveHeader, "_", i), comment, c.regexpMap(n.leave), own)
		comment = ""
	}
	if l.relays {
		c.param(n.leaveOrigin, "nor does the origin header to hosts that this server relays to", c.regexpMap(n.leaveOriginFile), l.relayOwn)
	}
	c.emitVariants()
	c.emitSieveMilters()
	for _, g := range c.gateways {
		if g.markerMap != "" {
			c.param(g.names.outHeader, "marked mail goes direct; the domains' markers are looked up in lower case", c.bypassMaps(g))
		}
		if c.policy.Topology != TopologyOutbound {
			c.within(g, func() { c.emitRestrictions(g) })
		}
	}
	c.emitClasses()
	c.emitPostscreen()
	return c.params
}

// emitProbes keeps the installation's address verification as it was where its
// probes have a sender in scope: the second pass takes every recipient, and
// nothing would be found out (ADDRESS_VERIFICATION_README).
func (c *mainWriter) emitProbes() {
	const name, of = "address_verify_sender_dependent_default_transport_maps", "sender_dependent_default_transport_maps"
	if !c.probesInScope() {
		return
	}
	const comment = "probes of address verification are no mail of a sender in scope"
	switch raw, _ := c.main.Get(name); {
	case !c.base.Set(name):
		c.param(name, comment, c.own(of))
	case strings.Contains(raw, "$"): // it may lead to the generated value
		c.param(name, comment, postfix.Quote(c.base.get(name)))
	}
}

// probesInScope reports whether the sender of probes has a domain in scope, or
// one that isn't known, by main.cf or by what master.cf says for verify(8).
func (c *mainWriter) probesInScope() bool {
	return c.probeInScope(c.base) || slices.ContainsFunc(c.master.Services(), func(sv postfix.Service) bool {
		return sv.Command == "verify" && c.probeInScope(c.base.service(sv))
	})
}

func (c *mainWriter) probeInScope(s settings) bool {
	sender := s.get("address_verify_sender")
	if sender == "" || sender == "<>" {
		return false
	}
	local, domain := mailaddr.Split(mailaddr.Fold(sender))
	if domain == "" {
		local, domain = mailaddr.Fold(sender), mailaddr.Fold(s.get("myorigin"))
	}
	return domain == "" || slices.ContainsFunc(c.scopeTable(), func(e postfix.Entry) bool {
		key := mailaddr.Fold(e.Key)
		return key == local+"@"+domain || key == "@"+domain
	})
}

// ref names a generated parameter where it has a value.
func (c *site) ref(name, value string) string {
	if value == "" {
		return ""
	}
	return "$" + name
}

// emitRelayDomains makes Postfix accept mail for tenants with a store.
func (c *mainWriter) emitRelayDomains() {
	have := c.conf.Domains(c.base.Settings, "relay_domains")
	var missing []string
	for _, t := range derived.Tenants(c.policy) {
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
