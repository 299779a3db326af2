package mta

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// hop reads a transport:nexthop value and finds the program behind it.
func (c *builder) hop(value string, at place) hop {
	transport, nexthop, _ := strings.Cut(value, ":")
	h := hop{transport: transport, nexthop: nexthop, at: at}
	if sv, ok := c.Master.Lookup(transport, "unix"); ok {
		h.command = sv.Command
	}
	return h
}

func (c *builder) buildRouter(main Settings) {
	r := &c.e.router
	r.local = c.Domains(main, "mydestination")
	r.own, r.ownOpen = c.interfaceAddresses(main)
	for _, word := range list(main.Value("proxy_interfaces")) {
		if a, err := netip.ParseAddr(strings.Trim(word, "[]")); err == nil {
			r.own = append(r.own, a)
		} else {
			r.ownOpen = true
		}
	}
	r.aliasDomains = c.Domains(main, "virtual_alias_domains")
	r.mailboxDomains = c.Domains(main, "virtual_mailbox_domains")
	r.relayDomains = c.Domains(main, "relay_domains")
	r.hosted = c.o.Hosted
	for _, l := range []*DomainList{r.local, r.aliasDomains, r.mailboxDomains} {
		r.opaque = r.opaque || len(l.Opaque) > 0
	}
	at := func(name string) place { return c.placeOf(main, name) }
	r.byDefault = c.hop(main.Value("default_transport"), at("default_transport"))
	r.toLocal = c.hop(main.Value("local_transport"), at("local_transport"))
	r.toMailbox = c.hop(main.Value("virtual_transport"), at("virtual_transport"))
	r.toRelay = c.hop(main.Value("relay_transport"), at("relay_transport"))
	r.relayhost, r.relayhostAt = main.Value("relayhost"), at("relayhost")
	r.commands = map[string]string{}
	for _, sv := range c.Master.Services() {
		if sv.Type == "unix" {
			r.commands[sv.Name] = sv.Command
		}
	}
	delimiter := main.Value("recipient_delimiter")
	parents := list(main.Value("parent_domain_matches_subdomains"))
	owners := !main.Yes("owner_request_special")
	r.search = postfix.Search{Delimiter: delimiter, OwnersSplit: owners}
	r.nullRelayhost, r.nullTransport = main.Value("empty_address_relayhost_maps_lookup_key"),
		main.Value("empty_address_default_transport_maps_lookup_key")
	r.transportSearch = postfix.Search{Delimiter: delimiter, OwnersSplit: owners, MatchParents: slices.Contains(parents, "transport_maps")}
	r.transport = c.tables(main, "transport_maps")
	r.senders = c.tables(main, "sender_dependent_default_transport_maps")
	r.relayhosts = c.tables(main, "sender_dependent_relayhost_maps")
	r.relocated = c.tables(main, "relocated_maps")
}

// buildDirectory chooses who knows the local addresses: the caller's Directory,
// else the installation's own tables, else the caller's lists.
func (c *builder) buildDirectory(main Settings) {
	e := c.e
	t := &tables{}
	e.lists = t
	if c.o.Directory != nil {
		e.directory = c.o.Directory
		return
	}
	boxes, opaqueBoxes := c.Maps(main.Value("virtual_mailbox_maps"))
	aliases, opaqueAliases := c.Maps(main.Value("virtual_alias_maps"))
	t.boxMaps = boxes
	if len(boxes) == 0 || len(opaqueBoxes) > 0 {
		t.mailboxes = c.o.Mailboxes
		if c.o.Mailboxes == nil {
			t.opaque = opaqueBoxes
		}
	}
	e.aliases = &tableList{name: "virtual_alias_maps", at: c.placeOf(main, "virtual_alias_maps"), opaque: opaqueAliases}
	for _, a := range aliases {
		e.aliases.maps = append(e.aliases.maps, postfix.Named{Name: a.File, Map: a.Table})
	}
	if len(c.o.Aliases) > 0 && (len(aliases) == 0 || len(opaqueAliases) > 0) {
		e.aliases.maps = append(e.aliases.maps, postfix.Named{Name: "virtual_alias_maps", Map: Unplaced{c.o.Aliases.Index()}})
		e.aliases.opaque = nil // the caller says what is in them
	}
	e.aliases.seal()
}
