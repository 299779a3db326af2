package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
)

// leaving is how markers are removed where mail leaves: the header checks that
// transports had, those of direct first, and what they have now.
type leaving struct {
	own      []string
	relays   bool // the transport "relay" leaves the origin header out
	relayOwn string
	options  []postfix.ServiceOptions
}

func (l *leaving) set(transport, checks string) {
	l.options = append(l.options, postfix.ServiceOptions{Name: transport, Type: "unix",
		Options: []postfix.Param{opt("smtp_header_checks", checks)}, Override: merged})
}

// leaving removes markers where mail leaves: on each transport by which mail
// goes to MX hosts. Not in main.cf, because a content filter is reached by smtp(8)
// too, and mail must come back from it as it went. Hosts that mail is relayed to are
// the installation's own and may want the markers; the origin header is not for them.
func (c task) leaving() leaving {
	var l leaving
	own := func(sv postfix.Service) string {
		if _, ok := sv.Option("smtp_header_checks"); ok {
			return c.base.service(sv).get("smtp_header_checks")
		}
		return c.own("smtp_header_checks")
	}
	direct, _ := c.master.Lookup(c.direct, "unix")
	for _, sv := range append([]postfix.Service{direct}, c.outward()...) {
		i := slices.Index(l.own, own(sv))
		if i < 0 {
			i = len(l.own)
			l.own = append(l.own, own(sv))
		}
		l.set(sv.Name, "$"+c.numbered(c.names.leaveHeader, "_", i))
	}
	if sv, ok := c.master.Lookup("relay", "unix"); ok && sv.Command == "smtp" && c.direct != "relay" && c.origin() &&
		!slices.Contains(c.filterTransports(), "relay") {
		l.relays, l.relayOwn = true, own(sv)
		l.set("relay", "$"+c.names.leaveOrigin)
	}
	return l
}

// outward are the further transports with smtp(8) that the installation's maps
// send mail for other people's domains by ("gmail.com slow:"). One that leads to
// its own hosts, or to content filters, too can't do both.
func (c task) outward() []postfix.Service {
	type use struct{ in, out string } // where each is said
	uses := map[string]use{}
	note := func(value, at string, in bool) {
		name, _, _ := strings.Cut(value, ":")
		u := uses[name]
		if in && u.in == "" {
			u.in = at
		} else if !in && u.out == "" {
			u.out = at
		}
		uses[name] = u
	}
	for _, name := range []string{"virtual_transport", "local_transport", "relay_transport", "mailbox_transport", "fallback_transport"} {
		note(c.base.get(name), c.at(name), true)
	}
	for _, t := range c.filterTransports() {
		note(t+":", c.at("content_filter"), true)
	}
	for _, f := range c.trustedFilters() {
		note(f.transport+":", f.at, true)
	}
	for _, name := range []string{"transport_maps", "sender_dependent_default_transport_maps"} {
		specs, _ := postfix.ParseMaps(c.base.get(name))
		for _, spec := range specs {
			for _, e := range c.tables.Rows(spec, c.at(name)) {
				note(e.Text, e.At, name == "transport_maps" && e.Key != "" && c.hostedKey(e.Key))
			}
		}
	}
	var out []postfix.Service
	for _, sv := range c.master.Services() {
		u := uses[sv.Name]
		if sv.Type != "unix" || sv.Command != "smtp" || u.out == "" || sv.Name == c.direct || sv.Name == "relay" {
			continue
		}
		if u.in != "" {
			c.warn(u.out, "%s leads to other people's servers here and to the installation's own at %s: markers stay on both ways; "+
				"give one of them a transport of its own", sv.Name, u.in)
			continue
		}
		out = append(out, sv)
	}
	return out
}

// hostedKey reports whether a key of transport_maps is a domain, or an address in
// one, that this server delivers itself or relays to.
func (c *site) hostedKey(key string) bool {
	_, domain := mailaddr.Split(mailaddr.Fold(key))
	if domain == "" {
		domain = strings.TrimPrefix(mailaddr.Fold(key), ".")
	}
	for _, name := range []string{"mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains"} {
		if c.conf.Domains(c.base.Settings, name).Has(domain) {
			return true
		}
	}
	for _, t := range c.policy.Tenants {
		if slices.ContainsFunc(t.Domains, func(d string) bool { return slices.Contains(mailaddr.DomainKeys(d), domain) }) {
			return true
		}
	}
	return false
}
