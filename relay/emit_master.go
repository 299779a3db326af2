package relay

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
)

func opt(name string, values ...string) postfix.Param {
	values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
	return postfix.Param{Name: name, Value: strings.Join(values, ",")}
}

// option adds -o lines to a service of the installation's.
func (c *masterWriter) option(name, kind string, options ...postfix.Param) {
	c.options = append(c.options, postfix.ServiceOptions{Name: name, Type: kind, Options: options, Override: merged})
}

// add adds a generated service.
func (c *masterWriter) add(name, kind, maxProcesses, command, comment string, options ...postfix.Param) {
	sv := postfix.Service{
		Name: name, Type: kind, Private: "-", Unprivileged: "-", Chroot: "n", Wakeup: "-", MaxProcesses: maxProcesses,
		Command: command, Comment: comment, Options: options,
	}
	if command == "smtpd" || command == "cleanup" {
		sv.Private = "n"
	}
	c.services = append(c.services, sv)
}

// masterWriter adds services and options for master.cf, which name the files of an
// output.
type masterWriter struct {
	task
	*output
	services []postfix.Service
	options  []postfix.ServiceOptions
}

// emitMaster returns the generated services, and the options of the installation's.
func emitMaster(t task, o *output) ([]postfix.Service, []postfix.ServiceOptions) {
	c := &masterWriter{task: t, output: o}
	for _, l := range c.policy.Listeners {
		name, kind := l.Split()
		switch l.Role {
		case RoleGateway:
			i, _ := c.policy.GatewayNamed(l.Gateway)
			g := c.gateways[i]
			c.within(g, func() { c.gatewayListener(g, name, kind) })
		case RoleSubmission, RoleInternal:
			c.stripped(name, kind)
		case RoleReEntry:
			sv, _ := c.master.Lookup(name, kind)
			c.option(name, kind, c.cleaned(sv, RoleReEntry, nil)...)
		case RoleReinjection:
		}
	}
	// Every service that takes sendmail(1)'s mail looks into the same directory.
	// Mail by QMQP comes from other machines, too, and knows no roles.
	for _, sv := range c.master.Services() {
		if sv.Command == "pickup" || sv.Command == "qmqpd" {
			c.stripped(sv.Name, sv.Type)
		}
	}
	if c.policy.Topology == TopologyMailboxes {
		c.reEntry()
	}
	c.emitCleanups()
	if c.policy.Inbound.Shared {
		c.sharedListener()
	}
	if derived.Sorts(c.policy) {
		c.sorters()
	}
	for _, g := range c.gateways {
		c.within(g, func() { c.secondPass(g) })
	}
	for _, g := range c.gateways {
		c.within(g, func() { c.smartHost(g) })
	}
	if slices.ContainsFunc(c.policy.Tenants, func(t Tenant) bool { return t.Store != "" }) {
		c.add(c.names.store, "unix", "-", "smtp", "to the hosts that have the mailboxes: markers stay")
	}
	return c.services, c.options
}

// stripped takes the markers off a listener's mail.
func (c *masterWriter) stripped(name, kind string) {
	sv, _ := c.master.Lookup(name, kind)
	c.option(name, kind, c.cleaned(sv, RoleInternal, nil)...)
}

// inside are the options of a generated listener on loopback: nothing that the
// installation's main.cf asks of strangers is asked again.
func (c *site) inside(networks netip.Addr) []postfix.Param {
	return append([]postfix.Param{
		opt("mynetworks", networks.String()+"/32"),
		opt("smtpd_authorized_xforward_hosts", networks.String()+"/32"),
		opt("smtpd_proxy_filter"),
		opt("smtpd_upstream_proxy_protocol"),
		opt("smtpd_tls_security_level", "none"),
		opt("smtpd_sasl_auth_enable", "no"),
		opt("smtpd_reject_unlisted_sender", "no"),
		opt("smtpd_discard_ehlo_keywords", c.notNeededInside()...),
		opt("smtpd_discard_ehlo_keyword_address_maps"),
		opt("smtpd_client_restrictions", "permit_mynetworks", "reject"),
		opt("smtpd_helo_restrictions"),
		opt("smtpd_sender_restrictions"),
		opt("smtpd_relay_restrictions", "permit_mynetworks", "reject"),
		opt("smtpd_recipient_restrictions", "permit_mynetworks", "reject"),
		opt("smtpd_data_restrictions"),
		opt("smtpd_end_of_data_restrictions"),
		opt("smtpd_client_event_limit_exceptions", networks.String()+"/32"),
		opt("smtpd_client_connection_count_limit", "0"),
		opt("smtpd_client_connection_rate_limit", "0"),
	}, c.neutral(postfix.InsideListener)...)
}

// notNeededInside are the words of main.cf's that EHLO keeps quiet about on the
// listeners on loopback too: not those by which smtp(8) hands on what the first
// pass was told.
func (c *site) notNeededInside() []string {
	return slices.DeleteFunc(list(c.base.get("smtpd_discard_ehlo_keywords")), func(word string) bool {
		switch strings.ToLower(word) {
		case "size", "8bitmime", "dsn", "smtputf8", "xforward", "enhancedstatuscodes":
			return true
		}
		return false
	})
}

// sharedListener takes what others sent to the gateway's listener through a
// cleanup of its own, which removes markers. The installation's checks and
// address mappings have run already.
func (c *masterWriter) sharedListener() {
	n := c.names
	a := c.policy.Strip()
	c.add(a.String(), "inet", "-", "smtpd", "mail of others on the gateway's listener",
		append([]postfix.Param{
			opt("syslog_name", "postfix/"+n.smartHost+"-share"),
			opt("cleanup_service_name", n.cleanupShare),
			opt("receive_override_options", "no_unknown_recipient_checks", "no_address_mappings", "no_milters"),
			opt("message_size_limit", "0"),
		}, c.inside(a.Addr())...)...)
	c.add(n.cleanupShare, "unix", "0", "cleanup", "", append([]postfix.Param{
		opt("header_checks", c.regexpMap(n.strip)), opt("mime_header_checks"), opt("nested_header_checks"), opt("body_checks"),
		opt("message_size_limit", "0"),
	}, c.neutral(postfix.PassCleanup)...)...)
	c.loopbackTransport(n.stripGate, "")
}

// secondPass decides, for mail that is already known to leave, between the
// gateway and the recipient's MX.
func (c *masterWriter) secondPass(g *gateway) {
	n := g.names
	a := g.policy.SecondPass()
	c.add(a.String(), "inet", "-", "smtpd", "second pass: the gateway, or for marked mail and calendaring the MX",
		append([]postfix.Param{
			opt("syslog_name", "postfix/"+n.smartHost+"-out"),
			opt("content_filter", n.smartHost+":"+g.policy.Gateway.SmartHost.NextHop()),
			opt("cleanup_service_name", n.cleanupOut),
			opt("receive_override_options", "no_unknown_recipient_checks", "no_address_mappings", "no_milters"),
			opt("message_size_limit", "0"),
		}, c.inside(a.Addr())...)...)
	c.add(n.cleanupOut, "unix", "0", "cleanup", "", append([]postfix.Param{
		opt("header_checks", c.bypassOption(g)),
		opt("mime_header_checks", c.regexpMap(n.bypassMIME)),
		opt("nested_header_checks"),
		opt("body_checks"),
		opt("disable_mime_input_processing", "no"),
		opt("message_size_limit", "0"),
	}, c.neutral(postfix.PassCleanup)...)...)
	c.loopbackTransport(n.gate, "into the second pass")
}

// loopbackTransport delivers to a generated listener and changes nothing.
func (c *masterWriter) loopbackTransport(name, comment string) {
	c.add(name, "unix", "-", "smtp", comment, slices.Concat([]postfix.Param{
		opt("smtp_tls_security_level", "none"),
		opt("smtp_tls_policy_maps"),
	}, c.noPerSite(), []postfix.Param{
		opt("smtp_tls_wrappermode", "no"),
		opt("smtp_sasl_auth_enable", "no"),
		opt("smtp_send_xforward_command", "yes"),
		opt("smtp_bind_address", "127.0.0.1"),
		opt("smtp_fallback_relay"),
		opt("smtp_generic_maps"),
		opt("smtp_header_checks"),
		opt("smtp_mime_header_checks"),
		opt("smtp_nested_header_checks"),
		opt("smtp_body_checks"),
		opt("smtp_discard_ehlo_keywords"),
		opt("smtp_discard_ehlo_keyword_address_maps"),
	}, c.neutral(postfix.HopTransport))...)
}
