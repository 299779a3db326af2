package mta

import (
	"slices"
	"strconv"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// buildListener reads a smtpd(8) or pickup(8) service.
func (c *builder) buildListener(sv postfix.Service, judged bool) *listener {
	main := c.main
	s := main.Of(sv)
	at := place{c.label() + "master.cf", sv.Line}
	l := &listener{name: serviceName(sv), pickup: sv.Command == "pickup", at: at, filter: s.Value("content_filter")}
	l.label = l.name
	l.cleanup = c.buildCleanup(s.Value("cleanup_service_name"), main)
	override := list(s.Value("receive_override_options"))
	if hasWord(override, "no_header_body_checks") {
		bare := *l.cleanup
		bare.header, bare.mime, bare.nested, bare.body, bare.unread = nil, nil, nil, nil, nil
		l.cleanup = &bare
	}
	l.maps = !hasWord(override, "no_address_mappings")
	if !hasWord(override, "no_milters") {
		if l.pickup {
			l.milters = l.cleanup.milters
		} else if v := s.Value("smtpd_milters"); v != "" {
			l.milters = "smtpd_milters = " + v
		}
	}
	l.utf8 = buildDetection(s, map[bool]string{true: "sendmail", false: "smtpd"}[l.pickup])
	l.local = c.rewriteClients(s)
	l.own, l.ownOpen = c.interfaceAddresses(s)
	l.forwarded = authorizes(s.Value("smtpd_authorized_xforward_hosts"))
	l.soft = s.Yes("soft_bounce")
	l.limit, _ = strconv.ParseInt(s.Value("message_size_limit"), 10, 64)
	if judged {
		l.rules = c.buildRules(s, at, override) // tells what can't be judged
	}
	if l.pickup {
		l.rules = nil
	}
	return l
}

// buildRules reads what a smtpd(8) service asks of a session.
func (c *builder) buildRules(s Settings, at place, override []string) *smtpd {
	r := &smtpd{
		at: at, hostname: s.Value("myhostname"),
		sasl:          s.Yes("smtpd_sasl_auth_enable"),
		plaintextCode: s.Value("plaintext_reject_code"), codes: map[string]string{},
		nullKey: s.Value("smtpd_null_access_lookup_key"), delayed: s.Yes("smtpd_delay_reject"), strict: s.Yes("strict_rfc821_envelopes"),
		parents:      slices.Contains(list(s.Value("parent_domain_matches_subdomains")), "smtpd_access_maps"),
		unlisted:     !hasWord(override, "no_unknown_recipient_checks") && s.Yes("smtpd_reject_unlisted_recipient"),
		unlistedFrom: s.Yes("smtpd_reject_unlisted_sender"),
		logins:       c.tables(s, "smtpd_sender_login_maps"),
		listings:     c.buildListings(s),
	}
	for _, name := range []string{"access_map_reject_code", "access_map_defer_code", "reject_code", "defer_code", "relay_domains_reject_code",
		"non_fqdn_reject_code", "invalid_hostname_reject_code"} {
		r.codes[name] = s.Value(name)
	}
	for _, name := range []string{"virtual_alias_maps", "virtual_mailbox_maps", "relocated_maps", "recipient_delimiter"} {
		here, main := s.Value(name), c.Settings().Value(name)
		if here != main && (name != "virtual_alias_maps" || here != "") { // see listings
			c.warn(at.String(), "%s is %q for this listener and %q in main.cf; what it refuses Route judges by main.cf", name, here, main)
		}
	}
	switch level := s.Value("smtpd_tls_security_level"); level {
	case "encrypt":
		r.encrypt, r.offersTLS = true, true
	case "may":
		r.offersTLS = true
	case "", "none":
		r.encrypt = s.Yes("smtpd_enforce_tls")
		r.offersTLS = r.encrypt || s.Yes("smtpd_use_tls")
	}
	if s.Yes("smtpd_tls_wrappermode") {
		r.encrypt, r.offersTLS = true, true
	}
	r.networks = c.networks(s)
	names := []string{"smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions", "smtpd_relay_restrictions",
		"smtpd_recipient_restrictions"}
	if !s.Yes("smtpd_relay_before_recipient_restrictions") {
		names[3], names[4] = names[4], names[3]
	}
	for i, name := range names {
		r.lists[i] = c.restrictions(s, s.Value(name), name, c.said(s, name, at), 0)
	}
	for i, name := range []string{"smtpd_data_restrictions", "smtpd_end_of_data_restrictions"} {
		r.atData[i] = c.restrictions(s, s.Value(name), name, c.said(s, name, at), 0)
	}
	r.classes = map[string]restrictions{}
	for _, name := range list(s.Value("smtpd_restriction_classes")) {
		r.classes[strings.ToLower(name)] = c.restrictions(s, s.Value(name), name, c.said(s, name, at), 1)
	}
	return r
}

// said is where a list of restrictions stands. Generated files have theirs at the
// service.
func (c *builder) said(s Settings, name string, service place) place {
	if c.compiled == nil {
		return service
	}
	return c.placeOf(s, name)
}

// buildCleanup reads the header checks of a cleanup service.
func (c *builder) buildCleanup(name string, main Settings) *cleanup {
	sv, ok := c.Master.Lookup(name, "unix")
	if !ok {
		c.missing(name)
		return &cleanup{}
	}
	s := main.Of(sv)
	cl := &cleanup{
		at:     place{c.label() + "master.cf", sv.Line},
		header: c.HeaderChecks(s.Value("header_checks")),
		mime:   c.HeaderChecks(s.Value("mime_header_checks")),
		nested: c.HeaderChecks(s.Value("nested_header_checks")),
		body:   c.bodyList(s.Value("body_checks")),

		mapping:   c.buildMapping(s),
		rules:     buildHeaderRules(s),
		hopLimit:  s.Int("hopcount_limit"),
		flat:      s.Yes("disable_mime_input_processing"),
		noAliases: main.Value("virtual_alias_maps") != "" && s.Value("virtual_alias_maps") == "",
	}
	for _, name := range []string{"header_checks", "mime_header_checks", "nested_header_checks", "body_checks"} {
		for _, u := range c.unread(s.Value(name)) {
			if u = name + " " + u; !slices.Contains(cl.unread, u) {
				cl.unread = append(cl.unread, u)
			}
		}
	}
	cl.bodyLimit, _ = strconv.Atoi(s.Value("body_checks_size_limit"))
	if v := s.Value("non_smtpd_milters"); v != "" {
		cl.milters = "non_smtpd_milters = " + v
	}
	return cl
}
