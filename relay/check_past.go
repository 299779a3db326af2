package relay

import (
	"net/netip"
	"regexp"
	"slices"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
)

// nextHops are the parameters whose value is a way for mail, or has one in it.
var nextHops = []string{"relayhost", "default_transport", "smtp_fallback_relay", "lmtp_fallback_relay", "fallback_relay",
	"sender_dependent_relayhost_maps", "sender_dependent_default_transport_maps", "transport_maps", "relay_transport", "local_transport",
	"virtual_transport", "mailbox_transport", "mailbox_transport_maps", "fallback_transport", "fallback_transport_maps", "best_mx_transport",
	"content_filter"}

// checkPast refuses ways to the gateway that are not the generated one, where its
// certificate would be looked at by nobody: in main.cf, and in what master.cf says
// for single services.
func (c checker) checkPast() {
	const fix, says = "remove it: the sender map takes its place",
		"%s: %q sends mail to the gateway without verifying it, the null sender's and foreign senders' too"
	for _, name := range nextHops {
		if v := c.base.get(name); c.namesGateway(v) {
			c.errs.Add(c.at(name), ErrConflict, fix, says, name, v)
		}
	}
	// The sender map is made with what main.cf says.
	const generic = "smtp_generic_maps"
	for _, sv := range c.master.Services() {
		if len(sv.Options) == 0 {
			continue
		}
		at, own := place{"master.cf", sv.Line}.String(), c.base.service(sv)
		for _, name := range nextHops {
			if row, ok := postfix.LookupParameter(name); ok && !row.ReadBy(sv.Command) {
				continue
			}
			if v := own.get(name); v != c.base.get(name) && c.namesGateway(v) {
				c.errs.Add(at, ErrConflict, fix, says, name, v)
			}
		}
		if sv.Command == "smtp" && sv.Name == c.direct {
			if v, main := own.get(generic), c.base.get(generic); v != "" && v != main {
				c.errs.Add(at, ErrConflict, "set it in main.cf, where the sender map is made with it",
					"%s is %q for %s and %q in main.cf: a sender that it turns into one in scope would leave past the gateway", generic, v, sv.Name,
					main)
			}
		}
	}
}

// literal is an address as a next hop has it.
var literal = regexp.MustCompile(`\[(?:IPv6:|ipv6:)?([0-9a-fA-F:.]+)\]`)

// namesAddress reports whether a text has a next hop that is an address from which
// a gateway delivers.
func (c *site) namesAddress(text string) bool {
	for _, m := range literal.FindAllStringSubmatch(text, -1) {
		a, err := netip.ParseAddr(m[1])
		if err == nil && slices.ContainsFunc(c.policy.Gateways(), func(g Gateway) bool { return mailaddr.InNetworks(g.Networks, a) }) {
			return true
		}
	}
	return false
}
