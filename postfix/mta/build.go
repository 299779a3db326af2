package mta

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// builder makes an instance of a configuration.
type builder struct {
	*Configuration
	o    Options
	main Settings
	e    *Instance
	errs postfix.Errors
}

// New is the instance that a configuration makes. Its error is a
// [postfix.Errors] with the services that are missing. It keeps no reference to
// c but to the tables.
func New(c *Configuration, o Options) (*Instance, error) {
	if c == nil {
		c = new(Configuration)
	}
	if c.Main == nil || c.Master == nil {
		return nil, postfix.Errors{{Position: postfix.Position{File: "main.cf"}, Err: fmt.Errorf("%w: there is no main.cf or no master.cf",
			postfix.ErrConflict)}}
	}
	b := &builder{Configuration: c, o: o, main: c.Settings(), e: &Instance{}}
	b.build()
	if len(b.errs) > 0 {
		return nil, b.errs
	}
	return b.e, nil
}

func (c *builder) missing(service string) {
	c.fail("there is no cleanup service %q", service)
}

func (c *builder) fail(format string, args ...any) {
	err := &postfix.Error{Position: postfix.Position{File: "master.cf"}, Err: fmt.Errorf(format, args...)}
	if !slices.ContainsFunc(c.errs, func(e *postfix.Error) bool { return e.Err.Error() == err.Err.Error() }) {
		c.errs = append(c.errs, err)
	}
}

// serviceName is a service as [Listener] names it.
func serviceName(sv postfix.Service) string {
	if sv.Type == "inet" {
		return sv.Name
	}
	return sv.Name + "/" + sv.Type
}

// service finds a service by such a name.
func (c *builder) service(spec string) (postfix.Service, bool) {
	name, kind, ok := strings.Cut(spec, "/")
	if !ok {
		kind = "inet"
	}
	return c.Master.Lookup(name, kind)
}

func (c *builder) build() {
	main, e := c.main, c.e
	e.hostname = main.Value("myhostname")
	e.untrusted = main.Yes("allow_untrusted_routing")
	e.rewriting = buildRewriting(main)
	if _, err := main.Get("myorigin"); err != nil && main.Yes("append_at_myorigin") {
		e.rewriting.openOrigin = c.placeOf(main, "myorigin")
	}
	e.canonical = e.rewriting.canonical
	if domain := main.Value("remote_header_rewrite_domain"); domain != "" {
		remote := e.rewriting
		if remote.origin != "" {
			remote.origin = domain
		}
		if remote.domain != "" {
			remote.domain = domain
		}
		e.remote = &remote
	}
	delimiter, owners := main.Value("recipient_delimiter"), !main.Yes("owner_request_special")
	e.limits = [3]int{main.Int("virtual_alias_recursion_limit"), main.Int("virtual_alias_expansion_limit"),
		main.Int("virtual_alias_address_length_limit")}
	e.soft = main.Yes("soft_bounce")
	e.mailName = main.Value("mail_name")
	e.oneCopy = !main.Yes("enable_original_recipient")
	e.filterHop = main.Value("default_filter_nexthop")
	e.putOff = list(main.Value("defer_transports"))
	e.doubleBounce = fold(main.Value("double_bounce_sender"))
	e.expand = slices.Contains(list(main.Value("propagate_unmatched_extensions")), "virtual")
	origin := main.Value("myorigin")
	e.addresses = postfix.Search{Delimiter: delimiter, OwnersSplit: owners, Local: func(domain string) bool {
		return strings.EqualFold(domain, origin) || e.router.isLocal(fold(domain))
	}}
	e.access = postfix.Search{Delimiter: delimiter, OwnersSplit: owners}
	c.buildRouter(main)
	for _, sv := range c.Master.Services() {
		if why := oversized(sv.Command, main.Of(sv)); why != "" && sv.Type == "unix" {
			if e.dead == nil {
				e.dead = map[string]string{}
			}
			e.dead[sv.Name] = why
		}
	}
	agent := main
	if sv, ok := c.Master.Lookup(e.router.toLocal.transport, "unix"); ok && sv.Command == "local" {
		agent = main.Of(sv)
	}
	e.agent = c.buildLocal(agent)
	e.forwarding = &listener{name: "cleanup", maps: true, utf8: buildDetection(agent, "forward"),
		cleanup: c.buildCleanup(agent.Value("cleanup_service_name"), main)}
	c.buildDirectory(main)
	c.buildListeners()
	for _, p := range c.o.Passes {
		c.buildPass(p)
	}
	e.submits, e.pipes = map[string]bool{}, map[string]postfix.Service{}
	for _, sv := range c.Master.Services() {
		if sv.Type == "unix" && sv.Command == "pipe" {
			e.pipes[sv.Name] = sv
		}
		if yes, _ := Submits(sv); yes && sv.Command == "pipe" {
			e.submits[sv.Name] = true
		}
	}
	c.buildLeaves()
	e.run = c.o.Run
	e.agents, e.deliver, e.received, e.source, e.users = c.o.Agents, c.o.Deliver, c.o.Received, c.o.Source, c.o.Users
	e.own = e.router.own
}

// buildListeners makes those that mail comes in by.
func (c *builder) buildListeners() {
	e := c.e
	names := c.o.Listeners
	if names == nil {
		for _, sv := range c.Master.Services() {
			if sv.Command == "smtpd" {
				names = append(names, Listener{Service: serviceName(sv)})
			}
		}
		defer func() { // behind the others
			for _, sv := range c.Master.Services() {
				if sv.Command == "postscreen" {
					c.buildScreen(sv)
				}
			}
		}()
	}
	for _, n := range names {
		sv, ok := c.service(n.Service)
		if !ok {
			c.fail("there is no service %q", n.Service)
			continue
		}
		l := c.buildListener(sv, true)
		l.rule, l.label = n.Rule, cmp.Or(n.Label, l.name)
		if sv.Type == "pass" {
			l.screen = c.screen(c.main)
		}
		e.listeners = append(e.listeners, l)
		if n.Service == c.o.Returns && e.reinjects == nil {
			e.reinjects = l
		}
	}
	for _, kind := range []string{"unix", "fifo"} {
		if sv, ok := c.Master.Lookup("pickup", kind); ok {
			e.pickup = c.buildListener(sv, true)
			e.pickup.name = Pickup
			break
		}
	}
}

// buildScreen makes a listener of a postscreen(8) service: it is that of the
// smtpd(8) to which it hands clients over, with its own name.
func (c *builder) buildScreen(sv postfix.Service) {
	s := c.main.Of(sv)
	behind, ok := c.Master.Lookup(s.Value("smtpd_service_name"), "pass")
	if !ok || behind.Command != "smtpd" {
		return // every client is put off, and there is no such listener
	}
	l := c.buildListener(behind, true)
	l.name, l.at = serviceName(sv), place{c.label() + "master.cf", sv.Line}
	l.label, l.screen = l.name, c.screen(s)
	c.e.listeners = append(c.e.listeners, l)
}

// screen are the clients that postscreen(8) hands over without a test.
func (c *builder) screen(s Settings) *screen {
	first, _, _ := strings.Cut(strings.Join(list(s.Value("postscreen_access_list")), " "), " ")
	if first != "permit_mynetworks" {
		return &screen{}
	}
	return &screen{c.networks(s)}
}

// buildPass makes the listeners of a pass.
func (c *builder) buildPass(p Pass) {
	built := &pass{Pass: p}
	for i, name := range []string{p.Service, p.Filtered} {
		if name == "" {
			continue
		}
		sv, ok := c.service(name)
		if !ok {
			c.fail("there is no service %q", name)
			continue
		}
		l := c.buildListener(sv, p.Kind == PassExpanded)
		l.rules = nil // every recipient was judged before
		if i == 0 {
			built.first, built.next = l, c.hop(l.filter, l.at)
		} else {
			built.filtered = l
		}
	}
	if built.first != nil {
		c.e.passes = append(c.e.passes, built)
	}
}

// buildLeaves reads what each transport does to mail that it sends.
func (c *builder) buildLeaves() {
	c.e.leaves = map[string]*leaf{}
	for _, sv := range c.Master.Services() {
		if sv.Type == "unix" && (sv.Command == "smtp" || sv.Command == "lmtp") {
			s := c.main.Of(sv)
			keywords := "smtp_discard_ehlo_keywords"
			if sv.Command == "lmtp" {
				keywords = "lmtp_discard_lhlo_keywords"
			}
			l := leaf{checks: c.HeaderChecks(s.Value(sv.Command + "_header_checks")),
				mime: c.HeaderChecks(s.Value(sv.Command + "_mime_header_checks")), forwards: s.Yes(sv.Command + "_send_xforward_command"),
				ascii: hasWord(list(s.Value(keywords)), "smtputf8")}
			l.fresh = !s.Yes(sv.Command+"_connection_cache_on_demand") && s.Value(sv.Command+"_connection_cache_destinations") == ""
			if maps := c.tables(s, sv.Command+"_generic_maps"); maps != nil {
				l.generic = &generic{maps, hasWord(list(s.Value("propagate_unmatched_extensions")), "generic")}
			}
			if len(l.checks) > 0 || len(l.mime) > 0 || l.generic != nil || l.forwards || l.ascii || l.fresh {
				c.e.leaves[sv.Name] = &l
			}
		}
	}
}
