package relay

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/sieve/dovecot"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// evaluator is the emitted configuration in the form that Route walks: the same
// tables and the same settings, read back from the files as they were written.
type evaluator struct {
	hostname    string
	rewriting   rewriting
	remote      *rewriting                  // of other clients' headers; nil: they stay
	canonical   func(address string) string // rewriting's, made once
	listeners   []*listener
	pickup      *listener
	share       *cleanup  // cleanup of the listener behind a shared port 25
	passages    []passage // by gateway
	shareGate   string
	router      router
	addresses   postfix.Search // mail_addr_find(3)
	access      postfix.Search // access(5)
	aliases     *tableList     // virtual_alias_maps where no Directory answers
	expand      bool           // propagate_unmatched_extensions has virtual
	delimiter   string
	directory   Directory // nil: lists
	lists       *tables
	scripts     Scripts          // nil: none
	leaves      map[string]*leaf // by transport, where it changes something
	global      *interp.Program
	redirects   int       // hop limit
	reinjects   *listener // where mail comes back from a content filter
	connections connections
	agent       localAgent
	forwarding  *listener // where local(8) brings mail back in
	untrusted   bool      // allow_untrusted_routing
	// asciiDovecot reads no addresses beyond ASCII: Dovecot 2.3.
	asciiDovecot bool
	dovecot      dovecotUsers
	globalFile   string
	globalRules  map[int]string // policy paths by line of the global script
	// tenants are the files of the global script by domain, where it is not
	// everybody's.
	tenants map[string]string
	// reEntry is the name of the listener for Dovecot, where there is one.
	reEntry string
	// sorting and generated are the listeners by which what Sieve sends passes, and
	// sortGate is the transport to them.
	sorting, generated *listener
	sortGate           string
	// submits are the transports of filters that hand mail back to sendmail(1).
	submits map[string]bool
}

// listener is where a message enters.
type listener struct {
	name    string
	role    Role
	gateway int // whose listener it is, for RoleGateway
	at      place
	bound   netip.AddrPort // invalid: not known
	rules   *smtpd         // nil for pickup
	cleanup *cleanup
	filter  string // content_filter
	// maps says that addresses are mapped: no no_address_mappings.
	maps    bool
	milters string // the parameter that names some
	limit   int64  // message_size_limit, 0: none
	// local are the clients whose headers are rewritten
	// (local_header_rewrite_clients), own the server's addresses among them;
	// ownOpen: there are more.
	local     []rewriteClient
	own       []netip.Addr
	ownOpen   bool
	forwarded bool // smtpd_authorized_xforward_hosts has this machine
	utf8      detection
}

// cleanup is one cleanup(8) service with its checks and mappings.
type cleanup struct {
	at                   place
	header, mime, nested []checkFile
	body                 []checkFile // body_checks
	bodyLimit            int         // body_checks_size_limit, 0: none
	unread               []string    // tables of these that can't be read here
	mapping              *mapping    // nil: none
	rules                headerRules // for the header beside the checks
	noAliases            bool        // virtual_alias_maps is empty here
	milters              string      // non_smtpd_milters
}

// leaf is what a transport does to mail that it sends.
type leaf struct {
	checks   []checkFile // smtp_header_checks
	generic  *generic    // smtp_generic_maps
	forwards bool        // smtp_send_xforward_command
	ascii    bool        // smtp_discard_ehlo_keywords has smtputf8
	fresh    bool        // no smtp_connection_cache_on_demand
}

// smtpd is what a listener asks of a session.
type smtpd struct {
	at            place
	hostname      string
	encrypt       bool
	offersTLS     bool
	sasl          bool
	networks      []netip.Prefix
	plaintextCode string
	unlisted      bool // recipients
	unlistedFrom  bool // senders
	logins        *tableList
	classes       map[string]restrictions
	listings      listings
	parents       bool            // access tables answer for subdomains
	lists         [5]restrictions // client, helo, sender, then relay and recipient in their order
	atData        [2]restrictions // at DATA and at its end
}

// hop is a transport and next hop with how it ends.
type hop struct {
	transport, nexthop string
	command            string // of the transport's service: smtp, lmtp, virtual, local, discard, error ...
	at                 place
}

// router is trivial-rewrite(8).
type router struct {
	local, aliasDomains, mailboxDomains, relayDomains *domainList
	hosted                                            map[string]bool // the policy's, for lists that can't be read
	opaque                                            bool
	own                                               []netip.Addr // the server's addresses
	ownOpen                                           bool         // there are more
	transport                                         *tableList
	transportSearch                                   postfix.Search
	senders, relayhosts, relocated                    *tableList
	search                                            postfix.Search
	byDefault, toLocal, toMailbox, toRelay            hop
	relayhost                                         string
	relayhostAt                                       place
	hops                                              map[string]hop // parsed values of the tables
	commands                                          map[string]string
}

func (c *compiler) buildEvaluator() {
	main := c.settingsOf(c.main)
	e := &c.cfg.eval
	e.hostname = main.get("myhostname")
	e.untrusted = main.yes("allow_untrusted_routing")
	e.asciiDovecot = c.dovecot.before(dovecotBlocks)
	e.rewriting = buildRewriting(main)
	if _, err := main.Get("myorigin"); err != nil && main.yes("append_at_myorigin") {
		e.rewriting.openOrigin = c.placeOf(main, "myorigin")
	}
	e.canonical = e.rewriting.canonical
	if domain := main.get("remote_header_rewrite_domain"); domain != "" {
		remote := e.rewriting
		if remote.origin != "" {
			remote.origin = domain
		}
		if remote.domain != "" {
			remote.domain = domain
		}
		e.remote = &remote
	}
	e.delimiter = main.get("recipient_delimiter")
	e.expand = slices.Contains(list(main.get("propagate_unmatched_extensions")), "virtual")
	e.shareGate = c.names.stripGate
	e.redirects = 10
	origin := main.get("myorigin")
	e.addresses = postfix.Search{Delimiter: e.delimiter, Local: func(domain string) bool {
		return strings.EqualFold(domain, origin) || e.router.isLocal(fold(domain))
	}}
	e.access = postfix.Search{Delimiter: e.delimiter}
	c.buildRouter(main)
	e.agent = c.buildLocal(main)
	e.forwarding = &listener{name: "cleanup", maps: true, utf8: buildDetection(main, "forward"),
		cleanup: c.buildCleanup(main.get("cleanup_service_name"), main)}
	c.buildDirectory(main)
	for _, l := range c.policy.Listeners {
		name, kind := l.split()
		sv, _ := c.master.Lookup(name, kind)
		built := c.buildListener(l.Role, sv, main)
		built.bound, _ = l.bound()
		built.gateway, _ = c.policy.gatewayNamed(l.Gateway)
		e.listeners = append(e.listeners, built)
	}
	c.buildConnections()
	for _, l := range e.listeners {
		if l.role == RoleReinjection {
			e.reinjects = l
			break
		}
	}
	if c.policy.Topology == Mailboxes {
		sv, _ := c.master.Lookup(c.policy.reEntry().String(), "inet")
		e.reEntry = sv.Name
		e.listeners = append(e.listeners, c.buildListener(RoleReEntry, sv, main))
	}
	if c.policy.sorts() {
		behind := func(a netip.AddrPort) *listener {
			sv, _ := c.master.Lookup(a.String(), "inet")
			l := c.buildListener(RoleReEntry, sv, main)
			l.rules = nil // every recipient was judged at re-entry
			return l
		}
		e.sorting, e.generated, e.sortGate = behind(c.policy.sorting()), behind(c.policy.generated()), c.names.sortGate
	}
	for _, kind := range []string{"unix", "fifo"} {
		if sv, ok := c.master.Lookup("pickup", kind); ok {
			e.pickup = c.buildListener(FromPickup, sv, main)
			e.pickup.rules = nil
			break
		}
	}
	if c.policy.Inbound.Shared {
		sv, _ := c.master.Lookup(c.policy.strip().String(), "inet")
		e.share = c.buildCleanup(main.service(sv).get("cleanup_service_name"), main)
	}
	e.submits = map[string]bool{}
	for _, sv := range c.master.Services() {
		if yes, _ := submits(sv); yes && sv.Command == "pipe" {
			e.submits[sv.Name] = true
		}
	}
	c.eachGateway(func() { e.passages = append(e.passages, c.buildPassage(main)) })
	e.leaves = map[string]*leaf{}
	for _, sv := range c.master.Services() {
		if sv.Type == "unix" && (sv.Command == "smtp" || sv.Command == "lmtp") {
			s := main.service(sv)
			l := leaf{checks: c.checkList(s.get(sv.Command + "_header_checks")), forwards: s.yes(sv.Command + "_send_xforward_command"),
				ascii: hasWord(list(s.get(sv.Command+"_discard_ehlo_keywords")), "smtputf8")}
			l.fresh = !s.yes(sv.Command+"_connection_cache_on_demand") && s.get(sv.Command+"_connection_cache_destinations") == ""
			if maps := c.tables(s, sv.Command+"_generic_maps"); maps != nil {
				l.generic = &generic{maps, hasWord(list(s.get("propagate_unmatched_extensions")), "generic")}
			}
			if len(l.checks) > 0 || l.generic != nil || l.forwards || l.ascii || l.fresh {
				e.leaves[sv.Name] = &l
			}
		}
	}
	if c.in.Doveconf != nil {
		e.dovecot.Config = dovecot.Read(c.in.Doveconf)
	}
	if c.cfg.global != nil {
		o := c.sieveOptions()
		o.Name, o.Trace, o.AutoCreate = c.globalName(), true, true
		p, err := interp.Compile(c.cfg.global, o)
		if err != nil {
			c.errs.wrap("Sieve", err, "use other markers or another folder")
		}
		e.global, e.globalFile, e.tenants = p, c.globalName(), c.tenantFiles
	}
}

func (c *compiler) buildListener(role Role, sv postfix.Service, main settings) *listener {
	s := main.service(sv)
	at := place{masterFile, sv.Line}
	l := &listener{name: serviceSpec(sv), role: role, at: at, filter: s.get("content_filter")}
	l.cleanup = c.buildCleanup(s.get("cleanup_service_name"), main)
	override := list(s.get("receive_override_options"))
	if hasWord(override, "no_header_body_checks") {
		bare := *l.cleanup
		bare.header, bare.mime, bare.nested, bare.body, bare.unread = nil, nil, nil, nil, nil
		l.cleanup = &bare
	}
	l.maps = !hasWord(override, "no_address_mappings")
	if !hasWord(override, "no_milters") {
		if role == FromPickup {
			l.milters = l.cleanup.milters
		} else if v := s.get("smtpd_milters"); v != "" {
			l.milters = "smtpd_milters = " + v
		}
	}
	l.limit, _ = strconv.ParseInt(s.get("message_size_limit"), 10, 64)
	r := &smtpd{
		at: at, hostname: s.get("myhostname"),
		sasl:          s.yes("smtpd_sasl_auth_enable"),
		plaintextCode: s.get("plaintext_reject_code"),
		parents:       slices.Contains(list(s.get(parentDomains)), accessMaps),
		unlisted:      !hasWord(override, "no_unknown_recipient_checks") && s.yes("smtpd_reject_unlisted_recipient"),
		unlistedFrom:  s.yes("smtpd_reject_unlisted_sender"),
		logins:        c.tables(s, "smtpd_sender_login_maps"),
		listings:      c.buildListings(s),
	}
	switch level := s.get("smtpd_tls_security_level"); level {
	case "encrypt":
		r.encrypt, r.offersTLS = true, true
	case "may":
		r.offersTLS = true
	case "", "none":
		r.encrypt = s.yes("smtpd_enforce_tls")
		r.offersTLS = r.encrypt || s.yes("smtpd_use_tls")
	}
	if s.yes("smtpd_tls_wrappermode") {
		r.encrypt, r.offersTLS = true, true
	}
	var opaque []string
	r.networks, opaque = c.networks(s)
	l.utf8 = buildDetection(s, map[bool]string{true: "sendmail", false: "smtpd"}[role == FromPickup])
	l.local = c.rewriteClients(s)
	l.own, l.ownOpen = interfaceAddresses(s)
	l.forwarded = authorizes(s.get("smtpd_authorized_xforward_hosts"))
	if role == RoleInternal || role == RoleSubmission {
		for _, o := range opaque {
			c.warn(c.at("mynetworks"), "%s can't be known here; Route takes its clients for strangers", o)
		}
	}
	names := []string{"smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions", "smtpd_relay_restrictions",
		"smtpd_recipient_restrictions"}
	if !s.yes("smtpd_relay_before_recipient_restrictions") {
		names[3], names[4] = names[4], names[3]
	}
	for i, name := range names {
		r.lists[i] = c.restrictions(s, s.get(name), name, at, 0)
	}
	for i, name := range []string{dataRestrictions, endOfData} {
		r.atData[i] = c.restrictions(s, s.get(name), name, at, 0)
	}
	r.classes = map[string]restrictions{}
	for _, name := range list(s.get("smtpd_restriction_classes")) {
		r.classes[strings.ToLower(name)] = c.restrictions(s, s.get(name), name, at, 1)
	}
	l.rules = r
	return l
}

// buildCleanup reads the header checks of a cleanup service.
func (c *compiler) buildCleanup(name string, main settings) *cleanup {
	sv, ok := c.master.Lookup(name, "unix")
	if !ok {
		c.errs.add("master.cf", ErrConflict, "add it", "there is no cleanup service %q", name)
		return &cleanup{}
	}
	s := main.service(sv)
	cl := &cleanup{
		at:     place{masterFile, sv.Line},
		header: c.checkList(s.get("header_checks")),
		mime:   c.checkList(s.get("mime_header_checks")),
		nested: c.checkList(s.get("nested_header_checks")),
		body:   c.bodyList(s.get("body_checks")),

		mapping:   c.buildMapping(s),
		rules:     buildHeaderRules(s),
		noAliases: main.get("virtual_alias_maps") != "" && s.get("virtual_alias_maps") == "",
	}
	for _, name := range []string{"header_checks", "mime_header_checks", "nested_header_checks", "body_checks"} {
		for _, u := range c.unread(s.get(name)) {
			if u = name + " " + u; !slices.Contains(cl.unread, u) {
				cl.unread = append(cl.unread, u)
			}
		}
	}
	cl.bodyLimit, _ = strconv.Atoi(s.get("body_checks_size_limit"))
	if v := s.get("non_smtpd_milters"); v != "" {
		cl.milters = "non_smtpd_milters = " + v
	}
	return cl
}

// installationChecks reads the installation's tables, so that what can't be
// evaluated is a warning of Compile.
func (c *compiler) installationChecks(value string) { c.checkList(value) }

// hop reads a transport:nexthop value and finds the program behind it.
func (c *conf) hop(value string, at place) hop {
	transport, nexthop, _ := strings.Cut(value, ":")
	h := hop{transport: transport, nexthop: nexthop, at: at}
	if sv, ok := c.master.Lookup(transport, "unix"); ok {
		h.command = sv.Command
	}
	return h
}

func (c *compiler) buildRouter(main settings) {
	r := &c.cfg.eval.router
	r.local = c.domains(main, "mydestination")
	r.own, r.ownOpen = interfaceAddresses(main)
	for _, word := range list(main.get("proxy_interfaces")) {
		if a, err := netip.ParseAddr(strings.Trim(word, "[]")); err == nil {
			r.own = append(r.own, a)
		} else {
			r.ownOpen = true
		}
	}
	r.aliasDomains = c.domains(main, "virtual_alias_domains")
	r.mailboxDomains = c.domains(main, "virtual_mailbox_domains")
	r.relayDomains = c.domains(main, "relay_domains")
	r.hosted = map[string]bool{}
	for _, t := range c.policy.Tenants {
		for _, d := range t.Domains {
			for _, k := range domainKeys(d) {
				r.hosted[k] = t.Store == ""
			}
		}
	}
	for _, l := range []*domainList{r.local, r.aliasDomains, r.mailboxDomains} {
		r.opaque = r.opaque || len(l.opaque) > 0
	}
	at := func(name string) place { return c.placeOf(main, name) }
	r.byDefault = c.hop(main.get("default_transport"), at("default_transport"))
	r.toLocal = c.hop(main.get("local_transport"), at("local_transport"))
	r.toMailbox = c.hop(main.get("virtual_transport"), at("virtual_transport"))
	r.toRelay = c.hop(main.get("relay_transport"), at("relay_transport"))
	r.relayhost, r.relayhostAt = main.get("relayhost"), at("relayhost")
	r.hops = map[string]hop{}
	r.commands = map[string]string{}
	for _, sv := range c.master.Services() {
		if sv.Type == "unix" {
			r.commands[sv.Name] = sv.Command
		}
	}
	delimiter := main.get("recipient_delimiter")
	parents := list(main.get("parent_domain_matches_subdomains"))
	r.search = postfix.Search{Delimiter: delimiter}
	r.transportSearch = postfix.Search{Delimiter: delimiter, MatchParents: slices.Contains(parents, "transport_maps")}
	r.transport = c.tables(main, "transport_maps")
	r.senders = c.tables(main, "sender_dependent_default_transport_maps")
	r.relayhosts = c.tables(main, "sender_dependent_relayhost_maps")
	r.relocated = c.tables(main, "relocated_maps")
	for _, gate := range c.gateHops {
		r.hops[gate] = c.hop(gate, place{})
	}
	for _, e := range c.transportTable() {
		r.hops[e.Value] = c.hop(e.Value, place{})
	}
	if c.policy.DirectVia != "" {
		r.hops[c.direct+":"+c.policy.DirectVia] = c.hop(c.direct+":"+c.policy.DirectVia, place{})
	}
	r.hops[c.direct+":"] = c.hop(c.direct+":", place{})
}

// buildDirectory chooses who knows the local addresses: the caller, else the
// installation's own tables, else the policy.
func (c *compiler) buildDirectory(main settings) {
	e := &c.cfg.eval
	e.scripts = c.in.Scripts
	if m, ok := e.scripts.(ScriptMap); ok {
		folded := ScriptMap{}
		for k, p := range m {
			folded[fold(k)] = p
		}
		e.scripts = folded
	}
	t := &tables{mailboxes: map[string]bool{}, aliases: map[string][]string{}}
	e.lists = t
	if c.in.Directory != nil {
		e.directory = c.in.Directory
		return
	}
	boxes, opaqueBoxes := c.maps(main.get("virtual_mailbox_maps"))
	aliases, opaqueAliases := c.maps(main.get("virtual_alias_maps"))
	if c.policy.Topology == Mailboxes && len(opaqueBoxes)+len(opaqueAliases) > 0 {
		c.warn("Installation.Directory", "%s can't be read here; without a Directory, Route knows only the policy's Mailboxes and Aliases",
			strings.Join(append(opaqueBoxes, opaqueAliases...), ", "))
	}
	t.boxMaps, t.aliasMaps = boxes, aliases
	if len(boxes) == 0 || len(opaqueBoxes) > 0 {
		for _, m := range c.policy.Mailboxes {
			for _, k := range addressKeys(m) {
				t.mailboxes[k] = true
			}
		}
	}
	e.aliases = &tableList{name: "virtual_alias_maps", at: c.placeOf(main, "virtual_alias_maps"), opaque: opaqueAliases}
	for _, a := range aliases {
		e.aliases.maps, e.aliases.files = append(e.aliases.maps, a.table), append(e.aliases.files, a.file)
	}
	if len(aliases) == 0 || len(opaqueAliases) > 0 {
		var own postfix.Table
		for _, a := range c.policy.Aliases {
			for _, k := range addressKeys(a.Address) {
				t.aliases[k] = a.Members
				own = append(own, postfix.Entry{Key: k, Value: strings.Join(a.Members, ", ")})
			}
		}
		if len(own) > 0 {
			e.aliases.maps, e.aliases.files = append(e.aliases.maps, unplaced{own.Index()}), append(e.aliases.files, "virtual_alias_maps")
			e.aliases.opaque = nil // the policy says what is in them
		}
	}
	e.aliases.seal()
}
