package mta_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// drawable are the parameters that are drawn, in order.
func drawable() []string { return slices.Sorted(maps.Keys(generators)) }

func word(l ...string) func(g *drawer) string { return func(g *drawer) string { return g.one(l) } }

func yes(*drawer) string { return "yes" }
func no(*drawer) string  { return "no" }

func addresses(g *drawer) string { return g.addressTable(g.target) }

// deliveries are transports of local(8)'s: to itself there is no end to it.
func deliveries(g *drawer) string {
	for {
		if t := g.transport(); !strings.HasPrefix(t, "local") {
			return t
		}
	}
}

func transports(g *drawer) string { return g.transport() }

// generators draw a value, other than the default, of each parameter that is
// drawn. testdata/undrawn.txt says of the others that the engine follows why they
// are not.
var generators = map[string]func(g *drawer) string{
	"mydestination": func(g *drawer) string {
		return g.domainList("$myhostname", "$mydomain", "local2.test", "localhost", "sub.own.test")
	},
	"relay_domains":           func(g *drawer) string { return g.domainList("rl.test", "far.test", ".rl.test", "sub.rl.test") },
	"virtual_alias_domains":   func(g *drawer) string { return g.domainList("va.test", "va2.test", "sub.vm.test") },
	"virtual_mailbox_domains": func(g *drawer) string { return g.domainList("vm.test", "vm2.test", "VM.test") },
	"virtual_alias_maps":      func(g *drawer) string { return g.addressTable(g.targets) },
	"virtual_mailbox_maps": func(g *drawer) string {
		rows := g.rows(6, func() string {
			if g.IntN(5) == 0 {
				return "@" + pick(g, "vm.test", "vm2.test")
			}
			return g.user() + "@" + pick(g, "vm.test", "vm2.test")
		}, func() string { return "x/" })
		for i, r := range rows {
			user, domain, _ := strings.Cut(r.key, "@")
			if user == "" {
				user = "all"
			}
			rows[i].value = domain + "/" + user + "/Maildir/"
		}
		return g.table(rows, "hash", "texthash", "inline", "regexp", "pcre", "lmdb", "proxy")
	},
	"virtual_transport":  transports,
	"local_transport":    transports,
	"relay_transport":    transports,
	"default_transport":  transports,
	"mailbox_transport":  deliveries,
	"fallback_transport": deliveries,
	"mailbox_transport_maps": func(g *drawer) string {
		return g.table(g.rows(4, func() string { return g.one(users) }, func() string { return deliveries(g) }))
	},
	"fallback_transport_maps": func(g *drawer) string {
		return g.table(g.rows(4, func() string { return g.one(users) }, func() string { return deliveries(g) }))
	},
	"luser_relay": func(g *drawer) string {
		return pick(g, g.address(), "$user@remote1.test", "lost+$local@far.test", "$recipient_x$extension@vm.test", "carol@own.test")
	},
	"recipient_delimiter": word("+", "-", "+-", "=", "-+"),
	"propagate_unmatched_extensions": func(g *drawer) string {
		return strings.Join(g.some(4, "canonical", "virtual", "alias", "forward", "include", "generic"), ", ")
	},
	"owner_request_special": no,
	"expand_owner_alias":    yes,
	"reset_owner_alias":     yes,
	"alias_maps": func(g *drawer) string {
		member := func() string {
			return pick(g, g.address(), g.address(), g.user(), `\`+g.one(users), "/dev/null", `"|/bin/cat >/dev/null"`, "/var/spool/spool-@I@/mbox")
		}
		rows := g.rows(6, func() string { return strings.ToLower(g.user()) }, func() string { return strings.Join(g.list(3, member), ", ") })
		seen := map[string]bool{}
		var lines []string
		for _, r := range rows {
			if !seen[r.key] {
				lines = append(lines, r.key+": "+r.value)
			}
			seen[r.key] = true
		}
		if g.IntN(4) == 0 {
			return g.table(rows, "texthash", "regexp")
		}
		g.n++
		name := fmt.Sprintf("aliases%d", g.n)
		g.d.Files[name] = lines
		return "hash:@DIR@/" + name
	},
	"canonical_maps":              addresses,
	"sender_canonical_maps":       addresses,
	"recipient_canonical_maps":    addresses,
	"canonical_classes":           (*drawer).classNames,
	"sender_canonical_classes":    word("envelope_sender", "header_sender"),
	"recipient_canonical_classes": word("envelope_recipient", "header_recipient"),
	"masquerade_domains": func(g *drawer) string {
		return strings.Join(g.some(3, "own.test", "!sub.own.test", "$mydomain", "rl.test", "vm.test", "test"), " ")
	},
	"masquerade_classes":    (*drawer).classNames,
	"masquerade_exceptions": func(g *drawer) string { return strings.Join(g.some(3, "root", "alice", "bob"), ", ") },
	"smtp_generic_maps":     addresses,
	"lmtp_generic_maps":     addresses,
	"sender_bcc_maps":       func(g *drawer) string { return g.addressTable(g.address) },
	"recipient_bcc_maps":    func(g *drawer) string { return g.addressTable(g.address) },
	"always_bcc":            (*drawer).address,
	"relayhost":             (*drawer).nextHop,
	"sender_dependent_relayhost_maps": func(g *drawer) string {
		return g.addressTable(func() string {
			return pick(g, g.nextHop(),
				"DUNNO")
		})
	},
	"sender_dependent_default_transport_maps": func(g *drawer) string {
		return g.addressTable(func() string { return pick(g, g.transport(), "DUNNO") })
	},
	"relocated_maps": func(g *drawer) string { return g.addressTable(g.address) },
	"transport_maps": func(g *drawer) string {
		key := func() string {
			switch g.IntN(6) {
			case 0:
				return strings.ToLower(g.domain())
			case 1:
				return "." + strings.ToLower(g.domain())
			case 2:
				return pick(g, "*", "<>", "test")
			}
			return strings.ToLower(g.user() + "@" + g.domain())
		}
		return g.table(g.rows(5, key, func() string { return pick(g, g.transport(), g.transport(), ":", ":"+g.nextHop()) }))
	},
	"empty_address_recipient":                         word("root", "alice"),
	"empty_address_relayhost_maps_lookup_key":         word("alice@own.test", "null"),
	"empty_address_default_transport_maps_lookup_key": word("alice@own.test", "null"),
	"smtpd_null_access_lookup_key":                    word("alice@vm.test", "null"),
	"smtpd_client_restrictions":                       (*drawer).restrictions,
	"smtpd_helo_restrictions":                         (*drawer).restrictions,
	"smtpd_sender_restrictions":                       (*drawer).restrictions,
	"smtpd_relay_restrictions":                        (*drawer).relayRestrictions,
	"smtpd_recipient_restrictions":                    (*drawer).relayRestrictions,
	"smtpd_data_restrictions":                         (*drawer).restrictions,
	"smtpd_end_of_data_restrictions":                  (*drawer).restrictions,
	"smtpd_relay_before_recipient_restrictions":       no,
	"smtpd_restriction_classes":                       word("class_a, class_b"),
	"smtpd_reject_unlisted_recipient":                 no,
	"smtpd_reject_unlisted_sender":                    yes,
	"smtpd_delay_reject":                              no,
	"smtpd_helo_required":                             yes,
	"access_map_reject_code":                          word("550", "521", "450"),
	"access_map_defer_code":                           word("451", "452"),
	"reject_code":                                     word("550", "450"),
	"defer_code":                                      word("451", "452"),
	"relay_domains_reject_code":                       word("550", "454"),
	"non_fqdn_reject_code":                            word("550", "450"),
	"invalid_hostname_reject_code":                    word("550", "450"),
	"multi_recipient_bounce_reject_code":              word("551", "450"),
	"plaintext_reject_code":                           word("550", "451"),
	"unknown_local_recipient_reject_code":             word("450", "553"),
	"unknown_relay_recipient_reject_code":             word("450", "553"),
	"unknown_virtual_alias_reject_code":               word("450", "553"),
	"unknown_virtual_mailbox_reject_code":             word("450", "553"),
	"soft_bounce":                                     yes,
	"strict_rfc821_envelopes":                         yes,
	"disable_vrfy_command":                            yes,
	"header_checks":                                   func(g *drawer) string { return g.checks(false) },
	"mime_header_checks":                              func(g *drawer) string { return g.checks(false) },
	"nested_header_checks":                            func(g *drawer) string { return g.checks(false) },
	"body_checks":                                     func(g *drawer) string { return g.checks(true) },
	"body_checks_size_limit":                          word("20", "200"),
	"disable_mime_input_processing":                   yes,
	"smtp_header_checks":                              (*drawer).leavingChecks,
	"smtp_mime_header_checks":                         (*drawer).leavingChecks,
	"smtp_nested_header_checks":                       (*drawer).leavingChecks,
	"smtp_body_checks":                                (*drawer).leavingChecks,
	"lmtp_header_checks":                              (*drawer).leavingChecks,
	"content_filter": word("smtp:[@IP@]:10026", "smtp:[@IP@]:10026", "smtp:[hopa.test]", "out:",
		"lmtp:inet:[lm.test]:24", "pcat:"),
	"default_filter_nexthop": word("[hopa.test]", "remote2.test"),
	"receive_override_options": func(g *drawer) string {
		return strings.Join(g.some(3, "no_unknown_recipient_checks", "no_address_mappings", "no_header_body_checks", "no_milters"), ", ")
	},
	"append_dot_mydomain":      yes,
	"append_at_myorigin":       no,
	"myorigin":                 word("$mydomain", "vm.test", "local2.test", "remote1.test"),
	"allow_percent_hack":       no,
	"swap_bangpath":            no,
	"allow_untrusted_routing":  yes,
	"resolve_dequoted_address": no,
	"resolve_null_domain":      yes,
	"resolve_numeric_domain":   yes,
	"local_header_rewrite_clients": func(g *drawer) string {
		return pick(g, "permit_mynetworks", "static:all", "permit_inet_interfaces, permit_mynetworks",
			"check_address_map "+g.table([]row{{"127.0.1.20", "x"}}, "hash", "texthash", "inline"), "")
	},
	"remote_header_rewrite_domain":  word("domain.invalid", "remote1.test"),
	"message_size_limit":            word("2500", "3000"),
	"hopcount_limit":                word("3", "2"),
	"always_add_missing_headers":    yes,
	"undisclosed_recipients_header": word("To: undisclosed-recipients:;", "Cc: nobody: ;"),
	"message_drop_headers": func(g *drawer) string {
		return strings.Join(g.some(3, "bcc", "x-tag", "x-two", "return-path", "subject"), ", ")
	},
	"enable_long_queue_ids":              yes,
	"double_bounce_sender":               word("bouncer", "alice"),
	"notify_classes":                     word("bounce, 2bounce, resource, software", "policy, protocol"),
	"virtual_alias_expansion_limit":      word("2", "3"),
	"virtual_alias_recursion_limit":      word("2", "1"),
	"virtual_alias_address_length_limit": word("12", "14"),
	"parent_domain_matches_subdomains": func(g *drawer) string {
		return strings.Join(g.some(3, "smtpd_access_maps", "transport_maps", "relay_domains", "mydestination"), ", ")
	},
	"mynetworks": word("127.0.1.20/32", "127.0.66.0/24", "!127.0.1.20, 127.0.1.0/24", "127.0.0.0/8", "inline:{127.0.66.6=x}",
		"cidr:{{127.0.1.0/24 x}}"),
	"defer_transports": word("smtp", "relay, virtual", "local"),
	"local_recipient_maps": func(g *drawer) string {
		return pick(g, "", g.table(g.rows(5, g.key, func() string { return "x" })), "$alias_maps")
	},
	"relay_recipient_maps":         func(g *drawer) string { return g.table(g.rows(5, g.key, func() string { return "x" })) },
	"compatibility_level":          word("0", "1", "2"),
	"smtpd_reject_footer":          word("see postmaster"),
	"internal_mail_filter_classes": word("bounce, notify"),
	"smtpd_sender_login_maps":      func(g *drawer) string { return g.addressTable(func() string { return "alice" }) },
	"prepend_delivered_header":     word("command, file", "command"),
	"enable_original_recipient":    no,
	"allow_mail_to_commands":       word("alias, forward, include", "forward"),
	"allow_mail_to_files":          word("alias", "include"),
	"smtputf8_enable":              no,
	"smtpd_peername_lookup":        no,
	"forward_path": word("", "@DIR@/forward/$user",
		"@DIR@/forward/$user${recipient_delimiter}${extension}, @DIR@/forward/$user"),
	"mailbox_command": word("/bin/cat >/dev/null #box"),
	"mailbox_command_maps": func(g *drawer) string {
		return g.table(g.rows(3, func() string { return g.one(users) }, func() string { return "/bin/cat >/dev/null #box" }), "hash", "texthash")
	},
	"frozen_delivered_to": no,
}
