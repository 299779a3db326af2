package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
	"github.com/oxmailroute/oxmailroute/relay/internal/skeleton"
)

// skeleton makes the installation for a server that has none: the smallest
// main.cf and master.cf that serve the policy's domains.
func (c *reader) skeleton() {
	if c.needed(); len(c.errs) > 0 {
		return
	}
	c.stock["main.cf"] = []byte(skeleton.Main(c.policy, c.indexType, c.indexedSpec(c.names.mailboxes), c.indexedSpec(c.names.aliases)))
	c.stock["master.cf"] = []byte(skeleton.Master(c.policy))
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
