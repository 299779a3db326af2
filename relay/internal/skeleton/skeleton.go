// Package skeleton writes the smallest main.cf and master.cf that serve a policy's
// domains, for a server that has none.
package skeleton

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
	"github.com/oxmailroute/oxmailroute/relay/policy"
)

// Main is main.cf. It names generated tables of a type: those of the mailboxes and
// aliases by their names.
func Main(p policy.Policy, tables string, mailboxes, aliases postfix.MapSpec) string {
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
	set("inet_interfaces", interfaces(p))
	set("recipient_delimiter", "+")
	if tables != "hash" { // a second run makes the same
		set("default_database_type", tables)
	}
	set("alias_maps")
	set("local_recipient_maps")
	set("local_transport", "error:5.1.1 no local users here")
	if p.Topology == policy.TopologyMailboxes {
		var domains []string
		for _, t := range derived.Tenants(p) {
			if t.Store != "" {
				continue
			}
			for _, d := range paths.Ordered(t.Domains) {
				domains = append(domains, mailaddr.DomainKeys(d)...)
			}
		}
		set("virtual_mailbox_domains", domains...)
		set("virtual_mailbox_maps", mailboxes.String())
		set("virtual_alias_maps", aliases.String())
		set("virtual_transport", "lmtp:unix:private/dovecot-lmtp")
	}
	if p.Server.CertFile != "" {
		set("smtpd_tls_cert_file", p.Server.CertFile)
		set("smtpd_tls_key_file", p.Server.KeyFile)
		set("smtpd_tls_security_level", "may")
	}
	if p.Topology == policy.TopologyMailboxes {
		set("smtpd_sasl_type", "dovecot")
		set("smtpd_sasl_path", "private/auth")
	}
	set("smtp_tls_security_level", "may")
	set("smtp_tls_CAfile", p.Gateway.SmartHost.CAFile)
	if p.Topology == policy.TopologyOutbound {
		set("smtpd_relay_restrictions", "permit_mynetworks", "permit_sasl_authenticated", "reject")
	} else {
		set("smtpd_relay_restrictions", "permit_mynetworks", "permit_sasl_authenticated", "reject_unauth_destination")
	}
	return b.String()
}

// interfaces are the addresses of the listeners, and loopback for the generated ones.
func interfaces(p policy.Policy) string {
	addresses := []string{}
	for _, l := range p.Listeners {
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

// Master is master.cf: the services that every Postfix has, and the listeners.
func Master(p policy.Policy) string {
	var b strings.Builder
	b.WriteString("# service type  private unpriv  chroot  wakeup  maxproc command + args\n")
	for _, l := range p.Listeners {
		name, kind := l.Split()
		fmt.Fprintf(&b, "%s %s n - n - - smtpd\n", name, kind)
		switch l.Role {
		case policy.RoleSubmission:
			b.WriteString("  -o syslog_name=postfix/submission\n  -o smtpd_tls_security_level=encrypt\n  -o smtpd_sasl_auth_enable=yes\n" +
				"  -o mynetworks=127.0.0.1/32\n  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n")
		case policy.RoleInternal, policy.RoleReEntry, policy.RoleReinjection:
			b.WriteString("  -o smtpd_relay_restrictions=permit_mynetworks,reject\n")
		case policy.RoleGateway:
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
