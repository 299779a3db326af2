package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
)

const (
	parentDomains = "parent_domain_matches_subdomains"
	accessMaps    = "smtpd_access_maps"
)

// returnTable are the senders whose mail the gateway may hand back: those in
// scope. The keys are those of access(5); exceptions end the search there too.
func (c fileWriter) returnTable(g *gateway) postfix.Table {
	if !g.policy.Inbound.Return {
		return nil
	}
	scope, errs := c.scopeOf(func(gateway int) bool { return gateway == g.index })
	c.once(errs)
	var t postfix.Table
	for _, e := range scope {
		if e.Value != "DUNNO" {
			e.Value = "OK"
		}
		e.Key = strings.TrimPrefix(e.Key, "@")
		t = append(t, e)
	}
	return t
}

// returnRule lets them through to every recipient.
func (c *masterWriter) returnRule(g *gateway) string {
	m := c.hashMap(g.names.back)
	if m == "" {
		return ""
	}
	return "check_sender_access," + m
}

// returnOptions keep the table from answering for subdomains, which are not in
// scope.
func (c *masterWriter) returnOptions(g *gateway, own settings) []postfix.Param {
	names := list(own.get(parentDomains))
	if c.returnRule(g) == "" || !slices.Contains(names, accessMaps) {
		return nil
	}
	for _, r := range strings.Split(c.recipientRules(g), ", ") {
		if strings.Contains(r, "_access ") {
			c.errs.Add("Inbound.Return", headers.ErrNotExpressible, "take "+accessMaps+" out of "+parentDomains+
				" and give subdomains entries of their own, beginning with a dot",
				"%s answers for subdomains, which the list of the senders in scope must not do on the same listener", r)
		}
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == accessMaps })
	return []postfix.Param{opt(parentDomains, names...)}
}
