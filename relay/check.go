package relay

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// checker compares a policy with the installation. Its checks are independent of
// each other; their order is that of what they report.
type checker struct{ task }

// check reports what in the installation contradicts the policy.
func check(s *site, r *report) { checker{task{s, r}}.all() }

func (c checker) all() {
	b := c.base
	transport, nexthop, _ := strings.Cut(b.get("default_transport"), ":")
	if sv, ok := c.master.Lookup(transport, "unix"); !ok || sv.Command != "smtp" {
		c.conflict("default_transport", "make it a transport that runs smtp(8)", "%q is not one, so there is no way past the gateway", transport)
	}
	if (nexthop != "" || b.get("relayhost") != "") && c.policy.DirectVia == "" {
		c.warn("DirectVia", "the installation has a relayhost (%s); mail kept off the gateway goes to the MX directly unless DirectVia names it",
			strings.TrimPrefix(b.get("relayhost")+" "+nexthop, " "))
	}
	c.checkPast()
	if v := b.get("smtp_tls_mandatory_ciphers"); strings.EqualFold(v,
		"null") { // others that hide nothing smtp(8) doesn't offer whom it verifies
		c.conflict("smtp_tls_mandatory_ciphers", "set it to medium or high", "with %q no mail could go to the gateway by TLS 1.2", v)
	}
	if v := b.get("empty_address_default_transport_maps_lookup_key"); v != "" && v != "<>" {
		c.conflict("empty_address_default_transport_maps_lookup_key", "remove it", "%q puts the null sender into somebody's scope", v)
	}
	if v := b.get("default_filter_nexthop"); v != "" {
		c.conflict("default_filter_nexthop", "remove it", "%q would take the mail that bypasses the gateway", v)
	}
	if v := b.get("smtpd_proxy_filter"); v != "" {
		c.conflict("smtpd_proxy_filter", "use content_filter, or set it on single listeners of role \"reinjection\"",
			"%q takes messages past the cleanup service that removes forged markers", v)
	}
	if v := b.get("cleanup_service_name"); v != "cleanup" {
		if sv, ok := c.master.Lookup(v, "unix"); !ok || sv.Command != "cleanup" {
			c.conflict("cleanup_service_name", "name one that is there, or remove it", "%q is no cleanup service of master.cf", v)
		}
	}
	if slices.Contains(c.filterTransports(), transport) {
		c.conflict("content_filter", "give the filter a transport of its own in master.cf",
			"%q reaches the filter by the transport of all outgoing mail, where markers are removed", transport)
	}
	if c.policy.Topology == TopologyOutbound {
		c.checkOutbound()
	} else {
		c.checkHosted()
	}
	c.checkTransportMaps()
	c.checkSenderMaps()
	c.checkFolded(c.scopeTable())
	c.checkBeside()
	c.checkNetworks()
	c.checkServices()
	c.checkRouting()
	c.checkProxy()
	c.checkBehind()
	c.ownChecks()
	c.checkReEntry()
	c.checkFilters()
	c.unfollowed()
	if c.policy.Topology != TopologyOutbound && b.get("smtpd_tls_cert_file") == "" && b.get("smtpd_tls_chain_files") == "" &&
		b.get("smtpd_tls_eccert_file") == "" {
		c.conflict("smtpd_tls_cert_file", "set it and smtpd_tls_key_file", "there is none, so the gateway can't use TLS")
	}
}

// namesGateway reports whether a value, or a table that it names and that can
// be read, has the smart host in it.
func (c *site) namesGateway(value string) bool {
	return c.namesAddress(value) || slices.ContainsFunc(c.policy.Gateways(), func(g Gateway) bool {
		return slices.ContainsFunc(g.SmartHost.Hosts(), func(h FallbackHost) bool {
			return c.namesHost(value, strings.ToLower(h.Host))
		})
	})
}

func (c *site) namesHost(value, host string) bool {
	if strings.Contains(strings.ToLower(value), host) {
		return true
	}
	for _, word := range list(value) {
		if _, path, ok := strings.Cut(word, ":"); ok {
			if name, inside := c.conf.FileName(path); inside {
				if text := strings.ToLower(string(c.stock[name])); strings.Contains(text, host) || c.namesAddress(text) {
					return true
				}
			}
		}
	}
	return false
}

// unknownName is the remedy for a domain that isn't local, which it may be by the
// server's name where nobody says that: adding it to another list would put it
// into two classes.
func (c *site) unknownName(fix string) string {
	if c.base.get("myhostname") != "" {
		return fix
	}
	return "main.cf has no myhostname: give Installation.Nodename (uname -n), or set it; where the domain isn't the server's own, " + fix
}

// checkOutbound refuses tenants whose mail is delivered here: what the gateway
// brings back would have no listener.
func (c checker) checkOutbound() {
	for _, name := range []string{"mydestination", "virtual_alias_domains", "virtual_mailbox_domains"} {
		l := c.conf.Domains(c.base.Settings, name)
		for i, t := range c.policy.Tenants {
			for j, d := range t.Domains {
				ascii, _ := headers.ASCIIDomain(d)
				if slices.ContainsFunc(mailaddr.DomainKeys(ascii), l.Has) {
					c.errs.Add(paths.Index(paths.Index("Tenants", i)+".Domains", j), ErrConflict,
						`use topology "mailboxes" or "store", or take it out of `+name,
						"%s is local to the installation (%s, %s), but topology \"outbound\" has no hosted recipients", ascii, name, c.at(name))
				}
			}
		}
	}
}

// checkHosted compares the policy's domains with the installation's.
func (c checker) checkHosted() {
	local := []*mta.DomainList{c.conf.Domains(c.base.Settings, "mydestination"), c.conf.Domains(c.base.Settings, "virtual_alias_domains"),
		c.conf.Domains(c.base.Settings, "virtual_mailbox_domains")}
	opaque := false
	for _, l := range local {
		opaque = opaque || len(l.Opaque) > 0
	}
	for i, t := range c.policy.Tenants {
		for j, d := range t.Domains {
			ascii, _ := headers.ASCIIDomain(d)
			if t.Store != "" {
				if slices.ContainsFunc(local, func(l *mta.DomainList) bool { return slices.ContainsFunc(mailaddr.DomainKeys(ascii), l.Has) }) {
					c.errs.Add(paths.Index(paths.Index("Tenants", i)+".Domains", j), ErrConflict,
						"take it out of mydestination, virtual_alias_domains and virtual_mailbox_domains, or leave Store out",
						"%s is local to the installation, but its mailboxes are at %s", ascii, t.Store)
				}
				continue
			}
			if !opaque && !slices.ContainsFunc(local, func(l *mta.DomainList) bool {
				return slices.ContainsFunc(mailaddr.DomainKeys(ascii), l.Has)
			}) {
				c.errs.Add(paths.Index(paths.Index("Tenants", i)+".Domains", j), ErrConflict,
					c.unknownName("add it to virtual_mailbox_domains, give the tenant a Store, or remove it"), "%s is not local to the installation",
					ascii)
			}
		}
	}
}

// checkSenderMaps: an exception is DUNNO in the generated map and would hide what the
// installation's own map says of that sender.
func (c checker) checkSenderMaps() {
	const name = "sender_dependent_default_transport_maps"
	value := c.base.get(name)
	if value == "" {
		return
	}
	known, opaque := c.conf.Maps(value)
	c.checkSenderRows(name)
	for i, t := range c.policy.Tenants {
		for j, e := range t.Scope.Except {
			if !strings.Contains(e, "@") {
				continue
			}
			at := paths.Index(paths.Index("Tenants", i)+".Scope.Except", j)
			if len(opaque) > 0 {
				c.errs.Add(at, ErrConflict, "take the sender's domain out of scope, or give the map as a file",
					"%s (%s) can't be read here and may route this sender", name, strings.Join(opaque, ", "))
				continue
			}
			_, d := mailaddr.Split(e)
			for _, k := range append(mailaddr.AddressKeys(e), atAll(mailaddr.DomainKeys(d))...) {
				for _, m := range known {
					if have, ok, _ := m.Table.Lookup(k); ok {
						c.errs.Add(at, ErrConflict, "remove one of the two", "%s routes %s already: %q at %s:%d", name, k, have.Value, m.File, have.Line)
					}
				}
			}
		}
	}
}

func atAll(domains []string) []string {
	for i := range domains {
		domains[i] = "@" + domains[i]
	}
	return domains
}

func (c checker) checkNetworks() {
	if c.policy.Topology == TopologyOutbound {
		return
	}
	nets, _ := c.conf.Networks(c.base.Settings)
	for _, g := range c.gateways {
		for i, own := range g.policy.Gateway.Networks {
			for _, n := range nets {
				if n.Overlaps(own) {
					c.errs.Add(g.rule(paths.Index("Gateway.Networks", i)), ErrConflict, "take the gateway's addresses out of mynetworks",
						"%s is in mynetworks (%s, %s): the gateway could relay to anywhere", own, n, c.at("mynetworks"))
				}
			}
		}
	}
}

// checkServices wants a role for every listener.
func (c checker) checkServices() {
	roles := map[string]bool{}
	for i, l := range c.policy.Listeners {
		name, kind := l.Split()
		roles[name+" "+kind] = true
		sv, ok := c.master.Lookup(name, kind)
		switch {
		case !ok:
			c.errs.Add(paths.Index("Listeners", i)+".Service", ErrConflict, "write the name as master.cf has it",
				"master.cf has no service %q of type %s",
				name, kind)
		case sv.Command != "smtpd":
			c.errs.Add(paths.Index("Listeners", i)+".Service", ErrConflict, "name the service that runs smtpd(8)", "%q runs %s (master.cf:%d)", name,
				sv.Command, sv.Line)
		default:
			c.checkListener(paths.Index("Listeners", i), l.Role, sv)
		}
	}
	ours := map[string]bool{}
	for _, n := range []string{c.policy.ReEntry().String(), c.policy.Strip().String(), c.policy.Sorting().String(),
		c.policy.Generated().String()} {
		ours[n] = true
	}
	for _, g := range c.gateways {
		ours[g.policy.SecondPass().String()] = true
	}
	for _, sv := range c.master.Services() {
		at := fmt.Sprintf("master.cf:%d", sv.Line)
		if sv.Command == "pickup" || sv.Command == "qmqpd" {
			c.checkListener(sv.Name, RoleInternal, sv)
		}
		if sv.Command == "smtpd" && !roles[sv.Name+" "+sv.Type] && !ours[sv.Name] {
			c.errs.Add(at, ErrRequired, fmt.Sprintf("add {Service: %q, Role: ...} to Listeners", serviceSpec(sv)), "service %q has no role", sv.Name)
		}
		if sv.Type == "inet" && ours[sv.Name] {
			c.errs.Add(at, ErrConflict, "choose other ports in Server", "%s is one of the policy's own listeners", sv.Name)
		}
	}
}

// filterTransports are the transports by which mail goes to content filters.
func (c *site) filterTransports() []string {
	var out []string
	add := func(value string) {
		if transport, _, ok := strings.Cut(value, ":"); ok {
			out = append(out, transport)
		}
	}
	add(c.base.get("content_filter"))
	for _, sv := range c.master.Services() {
		add(c.base.service(sv).get("content_filter"))
	}
	return out
}

func serviceSpec(sv postfix.Service) string {
	if sv.Type == "inet" {
		return sv.Name
	}
	return sv.Name + "/" + sv.Type
}

// checkListener looks for options of a listener that switch the generated checks off.
func (c checker) checkListener(path string, role Role, sv postfix.Service) {
	at := fmt.Sprintf("master.cf:%d", sv.Line)
	if role == RoleReinjection {
		return
	}
	if v := c.base.service(sv).get("smtpd_proxy_filter"); v != "" && c.base.get("smtpd_proxy_filter") == "" {
		c.errs.Add(at, ErrConflict, "use content_filter", "smtpd_proxy_filter=%s takes the messages of %s past the check for forged markers (%s)",
			v, sv.Name, path)
	}
	c.checkCleanup(at, sv)
}

// ownChecks keeps the installation's header checks for use beside the generated ones. They
// are copied expanded: $header_checks inside -o header_checks= is a fatal
// recursion.
func (c checker) ownChecks() {
	all := []string{c.base.get("header_checks"), c.base.get("mime_header_checks"), c.base.get("nested_header_checks")}
	for _, sv := range c.master.Services() {
		if s := c.base.service(sv); sv.Command == "cleanup" {
			all = append(all, s.get("header_checks"), s.get("mime_header_checks"), s.get("nested_header_checks"))
		}
	}
	for _, v := range all {
		c.conf.HeaderChecks(v) // what can't be evaluated is a warning
	}
	c.checkActions()
	c.checkAccess()
	c.checkNullSender()
	c.checkIdle()
}

// unfollowed are settings of the installation that stay in force, and that Route
// doesn't follow.
func (c checker) unfollowed() {
	for _, name := range []string{"smtpd_milters", "non_smtpd_milters"} {
		if v := c.base.get(name); v != "" {
			c.warn(c.at(name), "%s stays in force; Route takes the answer from Message.Milters and can't know what they change", name)
		}
	}
	for _, name := range []string{"strict_7bit_headers", "strict_8bitmime", "strict_mime_encoding_domain"} {
		if c.base.yes(name) {
			c.warn(c.at(name), "%s stays in force, but Route does not follow it", name)
		}
	}
}
