package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// param adds a parameter of main.cf.
func (c *compiler) param(name, comment string, values ...string) {
	values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
	c.params = append(c.params, postfix.Param{Name: name, Value: strings.Join(values, ", "), Comment: comment})
}

// own returns the installation's value of a parameter as main.cf has it, so
// that what it refers to stays a reference.
func (c *compiler) own(name string) string {
	v, _ := c.main.Get(name)
	return strings.TrimSpace(v)
}

func (c *compiler) regexpMap(file string) string {
	if _, ok := c.emitted["postfix/"+file]; !ok {
		return ""
	}
	return "regexp:" + c.path(file)
}

func (c *compiler) hashMap(file string) string {
	if _, ok := c.emitted["postfix/"+file]; !ok {
		return ""
	}
	return "hash:" + c.path(file)
}

func (c *compiler) emitMain() {
	n := c.names
	if m := c.hashMap(n.scope); m != "" {
		c.param("sender_dependent_default_transport_maps", "senders in scope; everybody else, and the null sender, keeps the normal route",
			m, c.own("sender_dependent_default_transport_maps"))
	}
	if m := c.hashMap(n.transport); m != "" {
		c.param("transport_maps", "recipients with a fixed route", m, c.own("transport_maps"))
	}
	c.emitRelayDomains()
	c.emitPace()
	c.param(n.leaveHeader, "markers leave with nothing", c.regexpMap(n.leave), c.leaveOwn)
	if c.usesRelay {
		c.param(n.leaveOrigin, "nor does our own header to hosts that we relay to", c.regexpMap(n.leaveOriginFile), c.leaveOriginOwn)
	}
	c.emitVariants()
	c.eachGateway(func() {
		if c.markerMap[c.current] != "" {
			c.param(c.names.outHeader, "marked mail goes direct; the domains' markers are looked up in lower case", c.bypassMaps())
		}
		if c.policy.Topology != Outbound {
			c.emitClientRestrictions()
		}
	})
	c.emitPostscreen()
}

// ref names a parameter of ours where it has a value.
func (c *compiler) ref(name, value string) string {
	if value == "" {
		return ""
	}
	return "$" + name
}

// emitRelayDomains makes Postfix accept mail for tenants with a store.
func (c *compiler) emitRelayDomains() {
	have := c.domains(c.base, "relay_domains")
	var missing []string
	for _, t := range c.policy.tenants() {
		if t.Store == "" {
			continue
		}
		for _, d := range ordered(t.Domains) {
			ascii, _ := headers.ASCIIDomain(d)
			if !have.has(ascii) {
				missing = append(missing, ascii)
			}
		}
	}
	if len(missing) > 0 {
		c.param("relay_domains", "tenants whose mailboxes are on another host", append([]string{c.own("relay_domains")}, missing...)...)
	}
}

// emitClientRestrictions writes who may use the gateway's listener. They stand
// in main.cf, where lists may have spaces, and the listener names them.
func (c *compiler) emitClientRestrictions() {
	n := c.names
	prepend := ""
	if c.origin() {
		// Before anything can permit: what the gateway sends carries our header.
		prepend = "check_client_access cidr:" + c.path(n.origin)
	}
	certs, after := "", ""
	if m := c.hashMap(n.certs); m != "" {
		certs, after = "check_ccert_access "+m, "reject"
	}
	clients := "check_client_access cidr:" + c.path(n.clients)
	if !c.policy.Inbound.Shared {
		c.param(n.clientRestrictions, "the gateway's addresses, with TLS, and nobody else", clients, "reject_plaintext_session", prepend, certs, after)
		c.param(n.recipientRestrictions, "", c.recipientRules(), "reject_unlisted_recipient")
		return
	}
	for _, list := range sharedLists {
		own := ""
		if v, ok := c.gatewayOwn[c.current].lookup(list.parameter); ok {
			own = strings.TrimSpace(v)
		}
		if c.gatewayOwn[c.current].get(list.parameter) == "" {
			if !list.always {
				continue
			}
			own = ""
		}
		file := n.pass
		if list.recipients {
			file = n.hosted
		}
		c.param(n.smartHost+list.suffix, "", "check_client_access cidr:"+c.path(file), own)
	}
	permit := ""
	if certs == "" {
		permit = "permit"
	}
	c.param("smtpd_restriction_classes", "what the gateway must fulfil on a shared listener", c.own("smtpd_restriction_classes"), n.class)
	c.param(n.class, "", "reject_plaintext_session", prepend, certs, after, permit)
	c.param(n.clientRestrictions, "the gateway; others' mail is stripped of markers, then judged as before", clients, c.own("smtpd_client_restrictions"))
}

// recipientRules are the installation's rules about recipients that hold for
// mail of the gateway, too. What judges the client, the sender or the greeting
// would judge the gateway for other people's mail, and is left out with a
// warning.
func (c *compiler) recipientRules() string {
	value := c.gatewayOwn[c.current].get("smtpd_recipient_restrictions")
	rules, err := postfix.ParseRestrictions(value)
	if err != nil {
		return ""
	}
	var keep []string
	for _, r := range rules {
		name := strings.ToLower(r.Name)
		switch {
		case name == "reject_unlisted_recipient" || strings.HasPrefix(name, "permit"):
		case name == "reject_unauth_destination" && c.policy.Inbound.Return:
		case strings.Contains(name, "recipient") || name == "reject_unauth_destination":
			keep = append(keep, strings.TrimSpace(r.Name+" "+r.Arg))
		default:
			c.warn(c.at("smtpd_recipient_restrictions"), "%s is not asked about mail of the gateway, which it would take for the sender's own server", strings.TrimSpace(r.Name+" "+r.Arg))
		}
	}
	return strings.Join(keep, ", ")
}
