package relay

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// skeleton makes the installation for a server that has none: the smallest
// main.cf and master.cf that serve the policy's domains.
func (c *reader) skeleton() {
	if c.needed(); len(c.errs) > 0 {
		return
	}
	c.stock["main.cf"] = []byte(c.skeletonMain())
	c.stock["master.cf"] = []byte(c.skeletonMaster())
}

// needed are the values that a server without a configuration needs.
func (c *reader) needed() {
	p := c.policy
	if p.Server.Hostname == "" {
		c.errs.Required("Server.Hostname", "the server's name; or give the existing configuration as Installation.Files")
	}
	if p.Topology != TopologyOutbound && (p.Server.CertFile == "" || p.Server.KeyFile == "") {
		c.errs.Required("Server.CertFile", "CertFile and KeyFile for inbound TLS; or give the existing configuration as Installation.Files")
	}
	if p.Topology == TopologyMailboxes && len(p.Mailboxes) == 0 {
		c.errs.Required("Mailboxes", "the mailboxes; or give the existing configuration as Installation.Files")
	}
	if len(p.Listeners) == 0 {
		c.errs.Required("Listeners", "at least one")
	}
}

func (c *reader) skeletonMain() string {
	p := c.policy
	var b strings.Builder
	set := func(name string, values ...string) {
		values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
		b.WriteString(strings.TrimSuffix(name+" = "+strings.Join(values, ", "), " ") + "\n")
	}
	b.WriteString("# Written for " + p.Server.Hostname + "; parameters not named here have their defaults.\n")
	set("compatibility_level", "3.6")
	set("myhostname", p.Server.Hostname)
	set("mydestination")
	set("mynetworks", append([]string{"127.0.0.1/32"}, prefixes(p.Server.Networks)...)...)
	set("inet_interfaces", c.interfaces())
	set("recipient_delimiter", "+")
	if c.indexType != defaultDatabaseType { // a second run makes the same
		set(databaseType, c.indexType)
	}
	set("alias_maps")
	set("local_recipient_maps")
	set("local_transport", "error:5.1.1 no local users here")
	if p.Topology == TopologyMailboxes {
		var domains []string
		for _, t := range p.OrderedTenants() {
			if t.Store != "" {
				continue
			}
			for _, d := range paths.Ordered(t.Domains) {
				domains = append(domains, mailaddr.DomainKeys(d)...)
			}
		}
		set("virtual_mailbox_domains", domains...)
		set("virtual_mailbox_maps", c.indexedSpec(c.names.mailboxes).String())
		set("virtual_alias_maps", c.indexedSpec(c.names.aliases).String())
		set("virtual_transport", "lmtp:unix:private/dovecot-lmtp")
	}
	if p.Server.CertFile != "" {
		set("smtpd_tls_cert_file", p.Server.CertFile)
		set("smtpd_tls_key_file", p.Server.KeyFile)
		set("smtpd_tls_security_level", "may")
	}
	if p.Topology == TopologyMailboxes {
		set("smtpd_sasl_type", "dovecot")
		set("smtpd_sasl_path", "private/auth")
	}
	set("smtp_tls_security_level", "may")
	set("smtp_tls_CAfile", p.Gateway.SmartHost.CAFile)
	if p.Topology == TopologyOutbound {
		set("smtpd_relay_restrictions", "permit_mynetworks", "permit_sasl_authenticated", "reject")
	} else {
		set("smtpd_relay_restrictions", "permit_mynetworks", "permit_sasl_authenticated", "reject_unauth_destination")
	}
	return b.String()
}

// interfaces are the addresses of the listeners, and loopback for our own.
func (c *site) interfaces() string {
	addresses := []string{}
	for _, l := range c.policy.Listeners {
		name, _ := l.Split()
		host, _, ok := postfix.ServicePort(name)
		if !ok || host == "" {
			return "all"
		}
		if !slices.Contains(addresses, host) {
			addresses = append(addresses, host)
		}
	}
	if !slices.Contains(addresses, "127.0.0.1") {
		addresses = append(addresses, "127.0.0.1")
	}
	return strings.Join(addresses, ", ")
}

func prefixes(nets []netip.Prefix) []string {
	out := make([]string, len(nets))
	for i, n := range nets {
		out[i] = n.String()
		if n.Addr().Is6() {
			out[i] = fmt.Sprintf("[%s]/%d", n.Addr(), n.Bits())
		}
	}
	return out
}

func (c *reader) skeletonMaster() string {
	var b strings.Builder
	b.WriteString("# service type  private unpriv  chroot  wakeup  maxproc command + args\n")
	for _, l := range c.policy.Listeners {
		name, kind := l.Split()
		fmt.Fprintf(&b, "%s %s n - n - - smtpd\n", name, kind)
		switch l.Role {
		case RoleSubmission:
			b.WriteString("  -o syslog_name=postfix/submission\n  -o smtpd_tls_security_level=encrypt\n  -o smtpd_sasl_auth_enable=yes\n" +
				"  -o mynetworks=127.0.0.1/32\n  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n")
		case RoleInternal, RoleReEntry, RoleReinjection:
			b.WriteString("  -o smtpd_relay_restrictions=permit_mynetworks,reject\n")
		case RoleGateway:
		}
	}
	// The services that every Postfix has, as in the distributed master.cf.
	for _, s := range []string{
		"pickup unix n - n 60 1 pickup", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
		"tlsmgr unix - - n 1000? 1 tlsmgr", "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce",
		"defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce", "verify unix - - n - 1 verify",
		"flush unix n - n 1000? 0 flush", "proxymap unix - - n - - proxymap", "proxywrite unix - - n - 1 proxymap",
		"smtp unix - - n - - smtp", "relay unix - - n - - smtp", "showq unix n - n - - showq",
		"error unix - - n - - error", "retry unix - - n - - error", "discard unix - - n - - discard",
		"local unix - n n - - local", "virtual unix - n n - - virtual", "lmtp unix - - n - - lmtp",
		"anvil unix - - n - 1 anvil", "scache unix - - n - 1 scache", "postlog unix-dgram n - n - 1 postlogd",
	} {
		b.WriteString(s + "\n")
	}
	return b.String()
}

// mailboxTables writes the policy's mailboxes and aliases where the configuration
// has them from the policy: the one that is written from nothing, then and later.
func (c *reader) mailboxTables() {
	p, out := c.policy, fileWriter{task: c.task, out: c.lists}
	if spec, ok := c.fromPolicy("virtual_mailbox_maps", c.names.mailboxes); ok {
		c.typed(c.names.mailboxes, spec)
		if len(p.Mailboxes) == 0 {
			c.errs.Required("Mailboxes", "the mailboxes, which "+c.names.mailboxes+
				" is written from; or name other tables in virtual_mailbox_maps ("+c.at("virtual_mailbox_maps")+")")
			return
		}
		var boxes postfix.Table
		for i, m := range paths.Ordered(p.Mailboxes) {
			for _, k := range mailaddr.AddressKeys(m) {
				boxes = append(boxes, postfix.Entry{Key: k, Value: "1", Rule: paths.Index("Mailboxes", i)})
			}
		}
		out.hashTable(c.names.mailboxes, boxes)
	}
	if spec, ok := c.fromPolicy("virtual_alias_maps", c.names.aliases); ok {
		c.typed(c.names.aliases, spec)
		addresses := make([]string, len(p.Aliases))
		for i, a := range p.Aliases {
			addresses[i] = a.Address
		}
		var aliases postfix.Table
		for i, address := range paths.Ordered(addresses) {
			members := slices.Sorted(slices.Values(p.Aliases[i].Members))
			for _, k := range mailaddr.AddressKeys(address) {
				aliases = append(aliases, postfix.Entry{Key: k, Value: strings.Join(members, ", "), Rule: paths.Index("Aliases", i)})
			}
		}
		if len(aliases) == 0 { // the setting names it all the same
			out.emit(postfixDir+c.names.aliases, []byte("# "+c.names.managed()+"\n"))
			c.lists.indexes = append(c.lists.indexes, c.names.aliases)
			return
		}
		out.hashTable(c.names.aliases, aliases)
	}
}

// typed keeps a table's type, which is the installation's by now.
func (c *reader) typed(file string, spec postfix.MapSpec) {
	if indexSuffixes[spec.Type] != "" {
		c.indexTypes[file] = spec.Type
	}
}

// fromPolicy finds the table, written from the policy, that a setting names.
func (c *site) fromPolicy(name, file string) (postfix.MapSpec, bool) {
	specs, err := postfix.ParseMaps(c.base.get(name))
	if err != nil {
		return postfix.MapSpec{}, false
	}
	for _, s := range specs {
		for _, l := range s.Leaves() {
			if l.Name == c.path(file) {
				return l, true
			}
		}
	}
	return postfix.MapSpec{}, false
}
