package relay

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/release"
)

// bareNewline is the setting by which a line that ends in LF alone does not end
// the data. Without it, what the gateway takes for one message can be two here,
// and the second has whatever markers its author wanted (SMTP smuggling).
const bareNewline = "smtpd_forbid_bare_newline"

// bareNewlinePatches are, by the minor release of Postfix 3, the first patch
// release that has the setting with "yes" and "no", and the first that has
// "normalize" and "reject". A word that it doesn't know is fatal to smtpd(8);
// "yes" is known wherever the setting is, and from the second one on another
// word for "normalize" (postconf(5)).
var bareNewlinePatches = map[int][2]int{7: {9, 10}, 8: {4, 5}}

// checkBareNewline refuses a release without the setting, unless the policy
// vouches for another defence.
func (c *reader) checkBareNewline() {
	first, old := bareNewlinePatches[c.postfix.Minor]
	if !old || c.policy.Topology == TopologyOutbound {
		return
	}
	for i := range c.policy.Gateways() {
		switch {
		case c.policy.View(i).Inbound.NoBareNewline || c.patch >= first[0]:
		case c.patch >= 0:
			c.errs.Add("Server.Postfix", ErrUnsupported,
				fmt.Sprintf("update to %s.%d or later, "+
					"or set Inbound.NoBareNewline where something else "+
					"keeps lines that end in LF alone away from this server", c.postfix, first[0]),
				"Postfix %s.%d can't tell the end of a message from a line of it that ends in LF alone (it lacks %s), "+
					"so that others could put messages with markers of their own into the gateway's", c.postfix, c.patch, bareNewline)
		default:
			c.warn("Server.Postfix",
				"only %s is known: give what `%s` prints; before %s.%d there is no %s, and messages could be smuggled into the gateway's",
				c.postfix, release.Postfix.Ask, c.postfix, first[0], bareNewline)
		}
	}
}

// bareNewlineValue is what the gateway's listener has; empty where the release
// has no such setting.
func (c *site) bareNewlineValue(own settings) string {
	first, old := bareNewlinePatches[c.postfix.Minor]
	switch {
	case old && c.patch >= 0 && c.patch < first[0]:
		return ""
	case strings.EqualFold(own.get(bareNewline), "reject"):
		return "reject" // stricter
	case old && c.patch < first[1]:
		return "yes" // also where the patch release is not known
	}
	return "normalize"
}

// lineEnds are the options by which nothing but <CR><LF>.<CR><LF> ends the data
// on the gateway's listener, for the gateway too, which mynetworks may have.
func (c *masterWriter) lineEnds(g *gateway, sv postfix.Service, own settings) []postfix.Param {
	c.checkSession(sv, own)
	var o []postfix.Param
	if v := c.bareNewlineValue(own); v != "" {
		o = append(o, opt(bareNewline, v), opt(bareNewline+"_exclusions"))
	}
	if slices.Contains(list(own.get(ehloKeywords)), "starttls") {
		c.errs.Add(place{"master.cf", sv.Line}.String(), ErrConflict, "take starttls out of it for this listener",
			"%s = %s: the gateway could not use TLS", ehloKeywords, own.get(ehloKeywords))
	}
	o = append(o, opt(ehloKeywords, g.quiet()...))
	if g.ehloTable() { // for a client that they have, they take the place of the list
		o = append(o, opt(ehloAddressMaps, "$"+g.names.ehloMaps))
	}
	return o
}

// quiet are the words that EHLO keeps from the gateway.
func (g *gateway) quiet() []string {
	words := list(g.own.get(ehloKeywords))
	// BDAT has no end that could be forged, but servers before this one may
	// disagree with it on what it is.
	if !slices.Contains(words, "chunking") {
		words = append(words, "chunking")
	}
	return words
}

// ehloTable reports whether the gateway needs a row in front of the
// installation's own smtpd_discard_ehlo_keyword_address_maps.
func (g *gateway) ehloTable() bool { return g.own.get(ehloAddressMaps) != "" }

// patchRelease finds Postfix's patch release in the policy and the
// installation.
func (c *reader) patchRelease() {
	c.patch = release.Patch(c.policy.Server.Postfix)
	if n := release.Patch(c.in.PostfixVersion); n >= 0 {
		if c.patch >= 0 && n != c.patch {
			c.errs.Add("Server.Postfix", ErrConflict, "leave it out", "Server.Postfix says %s, Installation.PostfixVersion says %s",
				strings.TrimSpace(c.policy.Server.Postfix), strings.TrimSpace(c.in.PostfixVersion))
		}
		c.patch = n
	}
	c.checkBareNewline()
}
