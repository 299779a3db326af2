package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// cleanedBy is how the installation has a listener's mail cleaned: by which
// service, and whether with header checks at all.
type cleanedBy struct {
	service string
	off     bool // receive_override_options has no_header_body_checks
}

// variant is a cleanup service of the installation's beside which generated ones do its
// work: one that removes markers, one for the gateway's mail, or both. The
// first is that of the distributed master.cf, its names are without numbers.
type variant struct {
	by                   cleanedBy
	strip                bool
	reEntry              bool // for what Sieve sends, among other mail that was accepted before
	in                   []*gateway
	header, mime, nested string // the installation's checks, expanded
}

// numbered adds the variant's number to a name.
func (c *site) numbered(name, separator string, i int) string {
	if i == 0 {
		return name
	}
	return name + separator + paths.Itoa(i+1)
}

// readVariants finds the variants for all listeners.
func (c *reader) readVariants() {
	c.variant(cleanedBy{service: "cleanup"}) // the one without numbers
	by := func(sv postfix.Service) *variant { return &c.variants[c.variant(c.cleanedBy(sv))] }
	for _, l := range c.policy.Listeners {
		sv, _ := c.master.Lookup(l.Split())
		switch l.Role {
		case RoleGateway:
			i, _ := c.policy.GatewayNamed(l.Gateway)
			if g := c.gateways[i]; g.cleans() {
				v := by(sv)
				v.in = append(v.in, g)
			}
		case RoleSubmission, RoleInternal:
			by(sv).strip = true
		case RoleReEntry:
			by(sv).reEntry = true
		case RoleReinjection:
		}
	}
	for _, sv := range c.master.Services() {
		if sv.Command == "pickup" || sv.Command == "qmqpd" {
			by(sv).strip = true
		}
	}
	if c.policy.Topology == TopologyMailboxes {
		by(c.pickup()).reEntry = true
	}
}

// variant finds the variant for a way of cleaning, or makes it.
func (c *reader) variant(by cleanedBy) int {
	if i := slices.IndexFunc(c.variants, func(v variant) bool { return v.by == by }); i >= 0 {
		return i
	}
	v := variant{by: by}
	if !by.off {
		s := c.cleanupSettings(by.service)
		v.header, v.mime, v.nested = s.get("header_checks"), s.get("mime_header_checks"), s.get("nested_header_checks")
	}
	c.variants = append(c.variants, v)
	return len(c.variants) - 1
}

// cleanedBy is how a listener's mail is cleaned.
func (c *site) cleanedBy(sv postfix.Service) cleanedBy {
	s := c.base.service(sv)
	return cleanedBy{s.get("cleanup_service_name"), slices.Contains(list(s.get("receive_override_options")), noChecks)}
}

// cleanupSettings are the settings of a cleanup service of the installation's.
func (c *site) cleanupSettings(service string) settings {
	sv, _ := c.master.Lookup(service, "unix")
	return c.base.service(sv)
}

// cleaned adds the options by which a generated one does the work of the listener's own
// cleanup service. The header checks are on in any case; where the installation
// has them off for the listener, only the generated ones run.
func (c *site) cleaned(sv postfix.Service, role Role, g *gateway) []postfix.Param {
	by := c.cleanedBy(sv)
	name := c.names.cleanupStrip
	switch role {
	case RoleGateway:
		name = g.names.cleanupIn
	case RoleReEntry:
		name = c.names.cleanupReEntry
	default:
	}
	i := slices.IndexFunc(c.variants, func(v variant) bool { return v.by == by })
	o := []postfix.Param{opt("cleanup_service_name", c.numbered(name, "-", i))}
	if by.off {
		words := list(c.base.service(sv).get("receive_override_options"))
		o = append(o, opt("receive_override_options", slices.DeleteFunc(words, func(w string) bool { return w == noChecks })...))
	}
	return o
}

const noChecks = "no_header_body_checks"

// merged are options that a service of the installation's may have with other
// values: the generated ones do what they say, too.
var merged = []string{"cleanup_service_name", "receive_override_options", "smtp_header_checks"}

// emitCleanups adds the cleanup services of all variants.
func (c *masterWriter) emitCleanups() {
	for i, v := range c.variants {
		if v.strip {
			c.add(c.numbered(c.names.cleanupStrip, "-", i), "unix", "0", "cleanup",
				"cleanup for mail that is not the gateway's: markers are removed", c.variantOptions(i, c.names.stripHeader)...)
		}
		if v.reEntry {
			c.add(c.numbered(c.names.cleanupReEntry, "-", i), "unix", "0", "cleanup",
				"cleanup for mail that comes in again: markers stay, but for what Sieve sends, which is sorted",
				c.variantOptions(i, c.names.reEntryHeader)...)
		}
	}
	for _, g := range c.gateways {
		c.within(g, func() { c.emitCleanupsIn(g) })
	}
}

// emitCleanupsIn adds those for the mail of one gateway.
func (c *masterWriter) emitCleanupsIn(g *gateway) {
	for i, v := range c.variants {
		if slices.Contains(v.in, g) {
			c.add(c.numbered(g.names.cleanupIn, "-", i), "unix", "0", "cleanup", "cleanup for mail of the gateway",
				c.variantOptions(i, g.names.inHeader, c.traceable(g, v.by.service)...)...)
		}
	}
}

// variantOptions are the options of one of the generated cleanup services: their header
// checks with the installation's behind them, and what its own service has
// besides.
func (c *site) variantOptions(i int, header string, more ...postfix.Param) []postfix.Param {
	v := c.variants[i]
	o := []postfix.Param{
		opt("header_checks", "$"+c.numbered(header, "_", i)),
		opt("mime_header_checks", c.ref(c.numbered(c.names.ownMIME, "_", i), v.mime)),
		opt("nested_header_checks", c.ref(c.numbered(c.names.ownNested, "_", i), v.nested)),
	}
	o = append(o, more...)
	if v.by.off {
		o = append(o, opt("body_checks"))
	}
	sv, _ := c.master.Lookup(v.by.service, "unix")
	for _, own := range sv.Options {
		if own.Name != "syslog_name" && !slices.ContainsFunc(o, func(p postfix.Param) bool { return p.Name == own.Name }) {
			o = append(o, own)
		}
	}
	return o
}

// emitVariants writes the parameters that the cleanup services name.
func (c *mainWriter) emitVariants() {
	n := c.names
	comment := "the installation's own checks, copied so that they run beside the generated ones"
	for i, v := range c.variants {
		if !v.strip && !v.reEntry && len(v.in) == 0 {
			continue // no service and no parameter names them, of which postconf warns
		}
		for _, p := range []struct{ name, value string }{{n.ownHeader, v.header}, {n.ownMIME, v.mime}, {n.ownNested, v.nested}} {
			if p.value != "" {
				// The value was expanded, and is again where the parameter is named.
				c.param(c.numbered(p.name, "_", i), comment, strings.ReplaceAll(p.value, "$", "$$"))
				comment = ""
			}
		}
	}
	comment = "mail that is not the gateway's loses every marker"
	for i, v := range c.variants {
		if v.strip {
			c.param(c.numbered(n.stripHeader, "_", i), comment, c.regexpMap(n.strip), c.ref(c.numbered(n.ownHeader, "_", i), v.header))
			comment = ""
		}
	}
	comment = "mail that comes in again; what Sieve sends is sorted"
	for i, v := range c.variants {
		if v.reEntry {
			c.param(c.numbered(n.reEntryHeader, "_", i), comment, c.regexpMap(n.reEntry), c.ref(c.numbered(n.ownHeader, "_", i), v.header))
			comment = ""
		}
	}
	for _, g := range c.gateways {
		n, comment := g.names, "mail of the gateway"
		for i, v := range c.variants {
			if slices.Contains(v.in, g) {
				c.param(c.numbered(n.inHeader, "_", i), comment, c.regexpMap(n.others), c.regexpMap(n.certName), c.regexpMap(n.spam),
					c.ref(c.numbered(n.ownHeader, "_", i), v.header))
				comment = ""
			}
		}
	}
}

// checkCleanup reports a listener whose cleanup service is not there.
func (c checker) checkCleanup(at string, sv postfix.Service) {
	name := c.base.service(sv).get("cleanup_service_name")
	if s, ok := c.master.Lookup(name, "unix"); !ok || s.Command != "cleanup" {
		c.errs.Add(at, ErrConflict, "name one that is there, or remove it", "cleanup_service_name=%s of %s is no cleanup service of master.cf",
			name, strings.TrimSpace(sv.Name))
	}
}
