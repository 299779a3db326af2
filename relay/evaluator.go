package relay

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/sieve"
)

// evaluator is the emitted configuration in the form that Route walks: the same
// tables and the same settings, read back from the files as they were written.
type evaluator struct {
	hostname    string
	origin      string // myorigin
	listeners   []*listener
	pickup      *listener
	share       *cleanup // cleanup of the listener behind a shared port 25
	second      *cleanup // cleanup of the second pass
	secondHop   hop      // content_filter of the second pass
	gate        string   // transport into the second pass
	shareGate   string
	smartHost   string // transport to the smart host
	router      router
	aliases     postfix.Search
	access      postfix.Search // access(5)
	expand      bool           // propagate_unmatched_extensions has virtual
	delimiter   string
	directory   Directory
	leaves      map[string][]checkFile // smtp_header_checks by transport
	global      *sieve.Program
	redirects   int  // hop limit
	reinjects   bool // a content filter has a listener to come back to
	connections connections
	// certNames are the client certificate names that certAt's rule lets in.
	certNames     []string
	gatewayOrigin Origin
	certAt        place
	certText      string
	globalFile    string
	proof         string         // path of what the smart host is verified by
	login         bool           // the smart host is logged in to
	globalRules   map[int]string // policy paths by line of the global script
}

// listener is where a message enters.
type listener struct {
	name    string
	role    Role
	at      place
	bound   netip.AddrPort // invalid: not known
	rules   *smtpd         // nil for pickup
	cleanup *cleanup
	filter  string // content_filter
}

// cleanup is one cleanup(8) service with its header checks.
type cleanup struct {
	at                   place
	header, mime, nested []checkFile
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
	unlisted      bool
	parents       bool            // access tables answer for subdomains
	lists         [5]restrictions // client, helo, sender, then relay and recipient in their order
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
	transport                                         postfix.Maps
	transportFiles                                    []string
	transportSearch                                   postfix.Search
	senders                                           postfix.Maps
	senderFiles                                       []string
	relayhosts                                        postfix.Maps
	search                                            postfix.Search
	byDefault, toLocal, toMailbox, toRelay            hop
	relayhost                                         string
	hops                                              map[string]hop // parsed values of the tables
	commands                                          map[string]string
}

func (c *compiler) buildEvaluator() {
	main := settings{main: c.main}
	e := &c.cfg.eval
	e.hostname = main.get("myhostname")
	e.origin = main.get("myorigin")
	e.delimiter = main.get("recipient_delimiter")
	e.expand = slices.Contains(list(main.get("propagate_unmatched_extensions")), "virtual")
	e.gate, e.shareGate, e.smartHost = c.names.gate, c.names.stripGate, c.names.smartHost
	e.redirects = 10
	e.aliases = postfix.Search{Delimiter: e.delimiter}
	e.access = postfix.Search{Delimiter: e.delimiter}
	c.buildRouter(main)
	c.buildDirectory(main)
	c.buildCertificate()
	c.buildSmartHost()
	for _, l := range c.policy.Listeners {
		name, kind := l.split()
		sv, _ := c.master.Lookup(name, kind)
		built := c.buildListener(l.Role, sv, main)
		built.bound, _ = l.bound()
		e.listeners = append(e.listeners, built)
	}
	c.buildConnections()
	e.reinjects = slices.ContainsFunc(c.policy.Listeners, func(l Listener) bool { return l.Role == RoleReinjection })
	if c.policy.Topology == Mailboxes {
		sv, _ := c.master.Lookup(c.policy.reEntry().String(), "inet")
		e.listeners = append(e.listeners, c.buildListener(RoleReEntry, sv, main))
	}
	for _, kind := range []string{"unix", "fifo"} {
		if sv, ok := c.master.Lookup("pickup", kind); ok {
			e.pickup = c.buildListener(FromPickup, sv, main)
			e.pickup.rules = nil
			break
		}
	}
	if c.policy.Topology != Outbound {
		sv, _ := c.master.Lookup(c.policy.secondPass().String(), "inet")
		e.second = c.buildCleanup(main.service(sv).get("cleanup_service_name"), main)
		e.secondHop = c.hop(main.service(sv).get("content_filter"), place{masterFile, sv.Line})
		if c.policy.Inbound.Shared {
			sv, _ := c.master.Lookup(c.policy.strip().String(), "inet")
			e.share = c.buildCleanup(main.service(sv).get("cleanup_service_name"), main)
		}
	}
	e.leaves = map[string][]checkFile{}
	for _, sv := range c.master.Services() {
		if sv.Type == "unix" && sv.Command == "smtp" {
			if checks := c.checkList(main.service(sv).get("smtp_header_checks")); len(checks) > 0 {
				e.leaves[sv.Name] = checks
			}
		}
	}
	if c.cfg.global != nil {
		p, err := sieve.Compile(c.cfg.global, sieve.Options{Name: c.globalName(), Trace: true, AutoCreate: true})
		if err != nil {
			c.errs.wrap("Sieve", err, "")
		}
		e.global, e.globalFile = p, c.globalName()
	}
}

func (c *compiler) buildListener(role Role, sv postfix.Service, main settings) *listener {
	s := main.service(sv)
	at := place{masterFile, sv.Line}
	l := &listener{name: serviceSpec(sv), role: role, at: at, filter: s.get("content_filter")}
	l.cleanup = c.buildCleanup(s.get("cleanup_service_name"), main)
	if slices.Contains(list(s.get("receive_override_options")), "no_header_body_checks") {
		l.cleanup = &cleanup{at: at}
	}
	r := &smtpd{
		at: at, hostname: s.get("myhostname"),
		sasl:          s.yes("smtpd_sasl_auth_enable"),
		plaintextCode: s.get("plaintext_reject_code"),
		parents:       slices.Contains(list(s.get(parentDomains)), accessMaps),
		unlisted:      !slices.Contains(list(s.get("receive_override_options")), "no_unknown_recipient_checks") && s.yes("smtpd_reject_unlisted_recipient"),
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
	if role == RoleInternal || role == RoleSubmission {
		for _, o := range opaque {
			c.warn(c.at("mynetworks"), "%s can't be known here; Route takes its clients for strangers", o)
		}
	}
	names := []string{"smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions", "smtpd_relay_restrictions", "smtpd_recipient_restrictions"}
	if !s.yes("smtpd_relay_before_recipient_restrictions") {
		names[3], names[4] = names[4], names[3]
	}
	for i, name := range names {
		r.lists[i] = c.restrictions(s, s.get(name), name, at, 0)
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
	return &cleanup{
		at:     place{masterFile, sv.Line},
		header: c.checkList(s.get("header_checks")),
		mime:   c.checkList(s.get("mime_header_checks")),
		nested: c.checkList(s.get("nested_header_checks")),
	}
}

// checkList reads the tables of a header_checks value. A table that can't be
// read here is reported and left out.
func (c *compiler) checkList(value string) []checkFile {
	specs, err := postfix.ParseMaps(value)
	if err != nil {
		return nil
	}
	var l []checkFile
	for _, spec := range specs {
		if c.markerMap != "" && spec.Type+":"+spec.Name == c.markerMap {
			l = append(l, checkFile{file: "postfix/" + c.names.markers, checks: c.markers})
			continue
		}
		file, inside := c.fileName(spec.Name)
		if f, ok := c.checks[file]; inside && ok {
			l = append(l, f)
			continue
		}
		text, ok := c.in.Postfix[file]
		if !inside || !ok || spec.Type != "regexp" && spec.Type != "pcre" {
			c.warn("main.cf", "%s:%s can't be read here; Route leaves these header checks out", spec.Type, spec.Name)
			continue
		}
		t, warnings := postfix.ParseCheckTable(file, spec.Type, text)
		c.tableWarnings(warnings)
		checks, err := t.Compile()
		if err != nil {
			c.warn(file, "%v; Route leaves these header checks out", err)
			continue
		}
		f := checkFile{file: "postfix/" + file, checks: checks}
		c.checks[file] = f
		l = append(l, f)
	}
	return l
}

// installationChecks reads the installation's tables, so that what can't be
// evaluated is a warning of Compile.
func (c *compiler) installationChecks(value string) { c.checkList(value) }

// hop reads a transport:nexthop value and finds the program behind it.
func (c *compiler) hop(value string, at place) hop {
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
	at := func(name string) place {
		if line := c.main.Line(name); line > 0 {
			return place{mainFile, line}
		}
		return place{name, 0}
	}
	r.byDefault = c.hop(main.get("default_transport"), at("default_transport"))
	r.toLocal = c.hop(main.get("local_transport"), at("local_transport"))
	if v := main.get("mailbox_transport"); v != "" && r.toLocal.command == "local" {
		r.toLocal = c.hop(v, at("mailbox_transport"))
	}
	r.toMailbox = c.hop(main.get("virtual_transport"), at("virtual_transport"))
	r.toRelay = c.hop(main.get("relay_transport"), at("relay_transport"))
	r.relayhost = main.get("relayhost")
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
	add := func(name string) (maps postfix.Maps, files []string) {
		known, opaque := c.maps(main.get(name))
		for _, s := range known {
			maps = append(maps, s.table)
			files = append(files, s.file)
		}
		for _, o := range opaque {
			c.warn(at(name).String(), "%s can't be read here; Route leaves it out", o)
		}
		return maps, files
	}
	r.transport, r.transportFiles = add("transport_maps")
	r.senders, r.senderFiles = add("sender_dependent_default_transport_maps")
	r.relayhosts, _ = add("sender_dependent_relayhost_maps")
	gate := c.hop(c.gateHop(), place{})
	r.hops[c.gateHop()] = gate
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
	if c.in.Directory != nil {
		e.directory = c.in.Directory
		return
	}
	t := &tables{mailboxes: map[string]bool{}, aliases: map[string][]string{}, scripts: map[string]*sieve.Program{}}
	e.directory = t
	for k, p := range c.in.Scripts {
		t.scripts[fold(k)] = p
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
	if len(aliases) == 0 || len(opaqueAliases) > 0 {
		for _, a := range c.policy.Aliases {
			for _, k := range addressKeys(a.Address) {
				t.aliases[k] = a.Members
			}
		}
	}
}

// buildCertificate takes over the rule on the Received: line. Route compares
// names instead of running the expression over a line that it would have to
// make up; the tests hold the two together with real certificates.
func (c *compiler) buildCertificate() {
	g := c.policy.Gateway
	o := Origin{Role: RoleGateway, Client: g.Networks[0].Addr(), TLS: Encrypted}
	if o.Client == g.Networks[0].Masked().Addr() && g.Networks[0].Bits() < o.Client.BitLen()-1 {
		o.Client = o.Client.Next() // the first host, not the network itself
	}
	switch {
	case len(g.Client.Names) > 0:
		o.Certificate = Certificate{Name: g.Client.Names[0], Verified: true}
	case len(g.Client.Fingerprints) > 0:
		o.Certificate = Certificate{Fingerprint: strings.ToUpper(g.Client.Fingerprints[0])}
	}
	c.cfg.eval.gatewayOrigin = o
	if c.policy.Topology == Outbound || len(c.policy.Gateway.Client.Names) == 0 {
		return
	}
	e := &c.cfg.eval
	t := c.certNameTable()
	e.certNames = c.policy.Gateway.Client.Names
	e.certAt = place{"postfix/" + c.names.certName, 0}
	if lines, err := t.Lines(); err == nil && len(lines) > 0 {
		e.certAt.line = lines[0] + 1 // behind the managed-file comment
	}
	if r, ok := t[0].Action.(postfix.Reject); ok {
		e.certText = r.Text
	}
}
