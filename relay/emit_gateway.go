package relay

import (
	"slices"
	"strconv"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

const (
	dataRestrictions = "smtpd_data_restrictions"
	endOfData        = "smtpd_end_of_data_restrictions"
	ehloKeywords     = "smtpd_discard_ehlo_keywords"
	ehloAddressMaps  = "smtpd_discard_ehlo_keyword_address_maps"
	restrictClasses  = "smtpd_restriction_classes"
	sslOptions       = "tls_ssl_options"
)

// kept are options that a listener of the installation's may have itself: what
// they say is in the generated ones.
var kept = append([]string{
	dataRestrictions, endOfData, ehloKeywords, ehloAddressMaps, restrictClasses, sslOptions,
	bareNewline, bareNewline + "_exclusions", // exceptions from it are made for nobody
}, merged...)

// gatewayListener makes a listener of the installation's the gateway's. Beside
// each value that is fixed, or empty, stands why it may be; the rest is the
// installation's, from main.cf or from the listener's own options.
func (c *masterWriter) gatewayListener(g *gateway, name, kind string) {
	gate := g.policy.Gateway
	sv, _ := c.master.Lookup(name, kind)
	own := g.own
	o := []postfix.Param{
		// Asked at RCPT and again at DATA: a recipient "postmaster" without a
		// domain is asked nothing at RCPT (smtpd(8), RFC 5321 section 4.5.1), and
		// the lists at DATA are asked once for each message.
		opt("smtpd_client_restrictions", "$"+g.names.clientRestrictions),
		opt(dataRestrictions, "$"+g.names.dataRestrictions),
		opt("plaintext_reject_code", "550"), // for good: the gateway must be told
		opt("smtpd_delay_reject", "yes"),    // before STARTTLS there is no TLS to ask for
	}
	o = append(o, c.lineEnds(g, sv, own)...)
	// A host that may use XCLIENT may say that it is the gateway (XCLIENT_README),
	// and be believed as if it had its address. XFORWARD is for the log alone. It
	// is written where nobody may, too: the setting could be made later.
	o = append(o, opt("smtpd_authorized_xclient_hosts"))
	if own.get("smtpd_authorized_xclient_hosts") != "" {
		c.warn(c.at("smtpd_authorized_xclient_hosts"),
			"nobody may use XCLIENT on the gateway's listener %s: it could claim the gateway's address", name)
	}
	if len(gate.Client.Names) > 0 || len(gate.Client.Fingerprints) > 0 {
		// The authorities are the policy's: another one's certificate could have the
		// same name.
		o = append(o, opt("smtpd_tls_ask_ccert", "yes"), opt("smtpd_tls_CAfile", gate.ClientCAFile()), opt("smtpd_tls_CApath"),
			opt("tls_append_default_CA", "no"))
	}
	if len(gate.Client.Names) > 0 {
		// The line that cleanup(8) reads the name in, and how it knows that line.
		o = append(o, opt("smtpd_tls_received_header", "yes"), opt("mail_name", g.names.mailName))
		o = append(o, c.sessionShown()...)
		// All listeners take each other's session tickets: a session that another
		// one has verified, by its authorities, would count here as verified.
		o = append(o, opt(sslOptions, append(list(own.get(sslOptions)), "NO_TICKET")...))
	}
	if len(gate.Client.Fingerprints) > 0 {
		o = append(o, opt("smtpd_tls_fingerprint_digest", "sha256")) // the policy's are
	}
	if g.cleans() {
		o = append(o, c.cleaned(sv, RoleGateway, g)...)
	}
	if level := c.base.get("smtpd_tls_security_level"); level == "" || level == "none" {
		o = append(o, opt("smtpd_tls_security_level", "may"))
	}
	o = append(o, c.proxied()...)
	nets := make([]string, len(gate.Networks))
	for i, n := range gate.Networks {
		nets[i] = n.String()
		if n.Addr().Is6() {
			nets[i] = "[" + n.Addr().String() + "]/" + paths.Itoa(n.Bits())
		}
	}
	// The gateway is one client with everybody's mail.
	o = append(o, opt("smtpd_client_event_limit_exceptions", nets...))
	override := kept
	if g.policy.Inbound.Shared {
		for _, list := range sharedLists {
			if own.get(list.parameter) != "" || list.always {
				o = append(o, opt(list.parameter, "$"+g.names.smartHost+list.suffix))
				override = append(slices.Clip(override), list.parameter)
			}
		}
		override = append(override, "smtpd_client_restrictions")
	} else {
		// Hosted recipients only, whatever mynetworks and SASL allow elsewhere:
		// nobody is believed here but the gateway. Rules about clients, senders and
		// greetings are not for the gateway, which hands on other people's mail;
		// rules about recipients stay, and so do those at DATA and behind it.
		o = append(o,
			opt("mynetworks", "127.0.0.1/32"),
			opt("smtpd_sasl_auth_enable", "no"),
			opt("smtpd_helo_restrictions"),
			opt("smtpd_sender_restrictions"),
			opt("smtpd_relay_restrictions", c.returnRule(g), "reject_unauth_destination"),
			opt("smtpd_recipient_restrictions", "$"+g.names.recipientRestrictions),
		)
		o = append(o, c.returnOptions(g, own)...)
	}
	if raw, _ := own.Lookup(endOfData); strings.Contains(raw, "$") {
		// It could lead back into a generated list, where PREPEND has no place.
		o = append(o, opt(endOfData, "$"+g.names.endOfData))
	}
	if _, ok := sv.Option(restrictClasses); ok {
		o = append(o, opt(restrictClasses, append(list(own.get(restrictClasses)), g.gatewayClasses()...)...))
	}
	c.options = append(c.options, postfix.ServiceOptions{Name: name, Type: kind, Options: o, Override: override})
}

// sharedLists are the restriction lists of a shared listener, in each of which
// the gateway is let through before the installation's rules judge others.
// Those at DATA and behind it are asked of all.
var sharedLists = []struct {
	parameter, suffix string
	always            bool // also where the installation has no such rules
	recipients        bool // the gateway is held to hosted recipients
}{
	{"smtpd_helo_restrictions", "_helo_restrictions", false, false},
	{"smtpd_sender_restrictions", "_sender_restrictions", false, false},
	{"smtpd_relay_restrictions", "_relay_restrictions", true, true},
	{"smtpd_recipient_restrictions", "_recipient_restrictions", false, true},
}

// gatewayClasses are the restriction classes of the current gateway.
func (g *gateway) gatewayClasses() []string {
	var out []string
	if g.policy.Inbound.Shared {
		out = append(out, g.names.earlyClass, g.names.class)
	}
	if g.certifiedData() {
		out = append(out, g.names.ownData)
	}
	return out
}

// certifiedData reports whether the installation's rules at DATA stand in a
// class: the answer to a certificate that is known would end the list before
// them, and an answer of theirs before the certificate would end it, too.
func (g *gateway) certifiedData() bool {
	return len(g.policy.Gateway.Client.Fingerprints) > 0 && g.own.get(dataRestrictions) != ""
}

// certifiedTable is the table of fingerprints for that class.
func (c fileWriter) certifiedTable(g *gateway) {
	if !g.certifiedData() {
		return
	}
	var t postfix.Table
	for i, f := range g.policy.Gateway.Client.Fingerprints {
		t = append(t, postfix.Entry{Key: strings.ToUpper(f), Value: g.names.ownData, Rule: paths.Index("Gateway.Client.Fingerprints", i)})
	}
	c.hashTable(g.names.certsData, t)
}

// emitRestrictions writes who may use the gateway's listener. The lists stand in
// main.cf, where they may have spaces, and the listener names them.
func (c *mainWriter) emitRestrictions(g *gateway) {
	n, own := g.names, g.own
	clients, plaintext := "check_client_access cidr:"+c.path(n.clients), "reject_plaintext_session"
	certs, after := "", ""
	if m := c.hashMap(n.certs); m != "" {
		certs, after = "check_ccert_access "+m, "reject"
	}
	// At DATA: the origin header before anything that can permit, so that all mail of the
	// gateway carries it, and once. A client that does not wait for the answer to
	// DATA is no mail server's (SMTP smuggling).
	prepend, pipelining := "", "reject_unauth_pipelining"
	if c.origin() {
		prepend = "check_client_access cidr:" + c.path(n.origin)
	}
	ownData := c.copied(own, dataRestrictions)
	certsData, dataLast := certs, ownData
	if g.certifiedData() {
		certsData, dataLast = "check_ccert_access "+c.hashMap(n.certsData), ""
		c.param(n.ownData, "the installation's own rules at DATA, copied, for a certificate that is known", ownData, "permit")
	}
	if g.ehloTable() {
		c.param(n.ehloMaps, "", "cidr:"+c.path(n.ehlo), c.copied(own, ehloAddressMaps))
	}
	if raw, _ := own.Lookup(endOfData); strings.Contains(raw, "$") {
		c.param(n.endOfData, "", c.copied(own, endOfData))
	}
	if !g.policy.Inbound.Shared {
		c.param(n.clientRestrictions, "the gateway's addresses, with TLS, and nobody else", clients, plaintext, certs, after)
		c.param(n.dataRestrictions, "", clients, plaintext, prepend, pipelining, certsData, after, dataLast)
		c.param(n.recipientRestrictions, "", c.recipientRules(g), "reject_unlisted_recipient")
		return
	}
	for _, list := range sharedLists {
		if own.get(list.parameter) == "" && !list.always {
			continue
		}
		file := n.pass
		if list.recipients {
			file = n.hosted
		}
		c.param(n.smartHost+list.suffix, "", "check_client_access cidr:"+c.path(file), c.strangersRules(g, list.parameter))
	}
	permit := "permit"
	if certs != "" {
		permit = "" // it is the certificate's table that permits
	}
	c.param(n.earlyClass, "what the gateway must fulfil on a shared listener, at RCPT and at DATA", plaintext, certs, after, permit)
	c.param(n.class, "", plaintext, prepend, pipelining, certsData, after, dataLast, permit)
	c.param(n.clientRestrictions, "the gateway; others are judged as before", "check_client_access cidr:"+c.path(n.early), c.copied(own,
		"smtpd_client_restrictions"))
	c.param(n.dataRestrictions, "and their mail is stripped of markers", clients, pipelining, ownData)
}

// emitClasses declares the restriction classes of all gateways.
func (c *mainWriter) emitClasses() {
	if c.policy.Topology == TopologyOutbound {
		return
	}
	var classes []string
	for _, g := range c.gateways {
		classes = append(classes, g.gatewayClasses()...)
	}
	if len(classes) > 0 {
		c.param(restrictClasses, "", append([]string{c.own(restrictClasses)}, classes...)...)
	}
}

// copied is a value of the listener's, main.cf's or its own, as text that stands
// for itself: a $name in it could be one of those that are generated for this
// listener, or become one, and a parameter that leads to itself is fatal.
func (c task) copied(own settings, name string) string {
	raw, _ := own.Lookup(name)
	if strings.TrimSpace(raw) == "" {
		return ""
	}
	// A name that is not known here is one of Postfix's own, and stays a reference.
	const mark = "\x00"
	v, err := c.main.Expand(raw, func(name string) (string, bool) {
		if v, ok := own.Lookup(name); ok {
			return v, true
		}
		return mark + name + mark, true
	})
	if err != nil {
		c.errs.Wrap(c.at(name), err, "mend it: Postfix does not start so")
		return ""
	}
	parts := strings.Split(strings.ReplaceAll(v, "$", "$$"), mark)
	for i := 1; i < len(parts); i += 2 {
		parts[i] = "${" + parts[i] + "}"
	}
	return strings.TrimSpace(strings.Join(parts, ""))
}

// recipientRules are the installation's rules about recipients that hold for
// mail of the gateway, too. What judges the client, the sender or the greeting
// would judge the gateway for other people's mail, and is left out with a
// warning.
func (c task) recipientRules(g *gateway) string {
	value := g.own.get("smtpd_recipient_restrictions")
	rules, err := postfix.ParseRestrictions(value)
	if err != nil {
		return ""
	}
	var keep []string
	for _, r := range rules {
		name := strings.ToLower(r.Name)
		switch {
		case name == "reject_unlisted_recipient" || strings.HasPrefix(name, "permit"):
		case name == "reject_unauth_destination" && g.policy.Inbound.Return:
		case strings.Contains(name, "recipient") || name == "reject_unauth_destination":
			keep = append(keep, strings.TrimSpace(r.Name+" "+r.Arg))
		default:
			c.warn(c.at("smtpd_recipient_restrictions"),
				"%s is not asked about mail of the gateway, which it would take for the sender's own server", strings.TrimSpace(r.Name+" "+r.Arg))
		}
	}
	return strings.Join(keep, ", ")
}

// traceable are the options of the gateway's cleanup service that keep the line
// whole in which the certificate's name is looked for, and refuses what would
// break it.
func (c task) traceable(g *gateway, service string) []postfix.Param {
	if len(g.policy.Gateway.Client.Names) == 0 {
		return nil
	}
	s := c.cleanupSettings(service)
	for _, name := range []string{"message_strip_characters", "message_reject_characters"} {
		if v := s.get(name); slices.ContainsFunc([]byte(paths.Unescape(v)),
			func(b byte) bool { return b >= ' ' && b <= '~' || b == '\t' || b == '\n' }) {
			c.conflict(name, "take what can be printed out of it, or use Gateway.Client.Fingerprints",
				"%q has characters of the line in which the certificate's name is looked for", v)
		}
	}
	// Of a longer line the rest is thrown away, the name with it, and what is not
	// there can't be refused.
	const enough = 102400 // header_size_limit of postconf -d
	if n, err := strconv.Atoi(s.get("header_size_limit")); err == nil && n < enough {
		return []postfix.Param{opt("header_size_limit", paths.Itoa(enough))}
	}
	return nil
}
