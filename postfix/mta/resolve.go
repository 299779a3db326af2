package mta

import (
	"cmp"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// addressClass is ADDRESS_CLASS_README's.
type addressClass uint8

const (
	defaultClass addressClass = iota
	localClass
	aliasClass
	mailboxClass
	relayClass
	failedClass // the Directory, or a table, could not say it
)

// class finds the class of a domain, in trivial-rewrite(8)'s order, as far as
// lists can be read.
func (r *router) class(domain string) addressClass {
	switch {
	case r.isLocal(domain):
		return localClass
	case r.aliasDomains.Has(domain):
		return aliasClass
	case r.mailboxDomains.Has(domain):
		return mailboxClass
	case r.relayDomains.Has(domain):
		return relayClass
	}
	return defaultClass
}

// destination is the class of the recipient's domain for permit_auth_destination:
// mail for this server, or for a domain that it relays to. An address with routing
// operators left in it is for neither (allow_untrusted_routing).
func (w *Way) destination() addressClass {
	to := w.e.reachable(w.m.To)
	if !w.e.untrusted && routed(to) {
		return defaultClass
	}
	return w.classOf(domainOf(to))
}

// classOf is the class of a domain. Where lists that can't be read might change
// it, the Directory says it. Without one, a domain that the policy has is taken
// for listed, any other for not, which is noted.
func (w *Way) classOf(domain string) addressClass {
	r := &w.e.router
	domain = fold(domain)
	lists := [...]*DomainList{r.local, r.aliasDomains, r.mailboxDomains, r.relayDomains}
	for _, d := range lists {
		if err := d.fails(domain); err != nil {
			w.down(err)
			return failedClass
		}
	}
	class := r.class(domain)
	if r.ownOpen && class == defaultClass && validLiteral(domain) {
		w.depends("inet_interfaces", place{"inet_interfaces", 0}, domain, "no address of this server")
	}
	if class != defaultClass && (class != relayClass || !r.opaque) {
		return class
	}
	if class == relayClass {
		lists[3] = new(DomainList)
	}
	if domain == "" || !slices.ContainsFunc(lists[:], func(d *DomainList) bool { return len(d.Opaque) > 0 }) {
		return class
	}
	if w.e.directory != nil {
		listed, err := w.q.domain(domain)
		if err != nil {
			return failedClass
		}
		if known, ok := listedClasses[listed]; ok {
			return known
		}
		return class
	}
	assumed := r.assumed(domain)
	for i, d := range lists {
		for _, o := range d.Opaque {
			answer := "not in it"
			if assumed == classOrder[i] {
				answer = "in it"
			}
			w.depends(d.name+" "+o, place{d.name, 0}, domain, answer)
		}
	}
	if assumed != defaultClass {
		class = assumed
	}
	return class
}

// classOrder are the classes in the order of their lists, and listedClasses those of a
// Directory.
var (
	classOrder    = [...]addressClass{localClass, aliasClass, mailboxClass, relayClass}
	listedClasses = map[Class]addressClass{ClassLocal: localClass, ClassAlias: aliasClass, ClassMailbox: mailboxClass, ClassRelay: relayClass}
)

// assumed is the class that a domain of the policy has where nobody says in which
// of the lists that can't be read it is: that which makes its mail go where the
// policy says.
func (r *router) assumed(domain string) addressClass {
	here, ours := r.hosted[domain]
	switch {
	case !ours:
	case !here && len(r.relayDomains.Opaque) > 0:
		return relayClass
	case here && len(r.mailboxDomains.Opaque) > 0:
		return mailboxClass
	case here && len(r.local.Opaque) > 0:
		return localClass
	}
	return defaultClass
}

// parse reads a transport:nexthop value.
func (r *router) parse(value string, at place) hop {
	transport, nexthop, _ := strings.Cut(value, ":")
	return hop{transport: transport, nexthop: nexthop, command: r.commands[transport], at: at}
}

// resolve is trivial-rewrite(8): the transport of the recipient's class, for
// what leaves by default the sender's, then relayhost for all that leaves;
// transport_maps override it for every class but that of virtual aliases. The
// recipient it returns has local domains stripped off the front of others.
func (w *Way) resolve(to string) (h hop, class addressClass, rcpt string, ok bool) {
	r := &w.e.router
	to, valid := w.e.unroute(to)
	if !valid {
		w.step("route", "", place{}, to, "bad address syntax")
		w.end(ActionBounce, "550", to, "5.1.3 bad address syntax")
		return hop{}, defaultClass, to, false
	}
	_, domain := splitAddress(to)
	domain = fold(domain)
	class = w.classOf(domain)
	switch class {
	case failedClass:
		w.step("route", "", place{"virtual_mailbox_domains", 0}, domain, w.q.err().Error())
		w.end(ActionDefer, "451", to, "4.3.0 address resolver failure")
		return hop{}, class, to, false
	case localClass:
		h = r.toLocal
		w.rule = ""
	case aliasClass:
		w.step("route", "", place{"virtual_alias_domains", 0}, domain, "no such alias")
		h = r.errorHop("5.1.1 User unknown in virtual alias table", place{"virtual_alias_domains", 0})
		w.relocated(&h, to)
		return h, class, to, true
	case mailboxClass:
		h = r.toMailbox
		w.rule = ""
	case relayClass:
		h = r.toRelay
		w.rule = ""
	}
	if t := r.transport; t != nil {
		t.unknown(w, to)
		if hit, found := w.took(r.transportSearch.Transport(t.asked, to)); found && hit.Entry.Value != "" {
			if done := w.transport(&h, class, hit, t, domain); done {
				w.relocated(&h, to)
				return h, class, to, true
			}
		}
	}
	switch class {
	case localClass:
		w.step("route", "", h.at, domain, "local")
	case mailboxClass:
		w.step("route", "", h.at, domain, "hosted here")
	case relayClass:
		w.step("route", "", h.at, domain, "relayed to another host")
		w.relayhost(&h)
	default:
		h = w.defaultRoute()
		w.relayhost(&h)
	}
	w.relocated(&h, to)
	return h, class, to, true
}

// errorHop is the error(8) transport with a text.
func (r *router) errorHop(text string, at place) hop {
	return hop{transport: "error", nexthop: text, command: r.commands["error"], at: at}
}

// routeOf is resolve without a trace, for smtpd(8)'s look at an address.
func (e *Instance) routeOf(w *Way, to string, sender bool) (hop, bool) {
	f := w.fork()
	f.out, f.assumed = new([]Outcome), new([]Assumption)
	if m := *w.m; sender {
		m.From = ""
		f.m = &m
	}
	h, _, _, ok := f.resolve(to)
	return h, ok
}

// notNamed says of a sender that no table names: with generated files, that no
// tenant has it.
func (w *Way) notNamed() string {
	if w.e.follow {
		return "by " + w.e.router.byDefault.transport + ", the default transport"
	}
	return "sender not in scope"
}

// defaultRoute is the sender's transport, else default_transport.
func (w *Way) defaultRoute() hop {
	r := &w.e.router
	h := r.byDefault
	if r.senders == nil {
		w.step("route", "", h.at, w.m.From, w.notNamed())
		return h
	}
	r.senders.unknown(w, w.m.From)
	hit, ok := w.took(w.e.addresses.Address(r.senders.asked, cmp.Or(w.m.From, r.nullTransport)))
	if !ok {
		w.step("route", "", h.at, w.m.From, w.notNamed())
		return h
	}
	at := placeOfRow(hit.Row)
	w.rule = hit.Entry.Rule
	if hit.Entry.Value == "" || strings.EqualFold(hit.Entry.Value, "DUNNO") {
		w.step("route", hit.Entry.Rule, at, w.m.From, "sender taken out of scope")
		return h
	}
	w.step("route", hit.Entry.Rule, at, w.m.From, "sender in scope")
	return r.parse(hit.Entry.Value, at)
}

// relayhost gives a route without a next hop the sender's relay host, or
// everybody's.
func (w *Way) relayhost(h *hop) {
	r := &w.e.router
	if h.nexthop != "" {
		return
	}
	if r.relayhosts != nil {
		r.relayhosts.unknown(w, w.m.From)
		if hit, ok := w.took(w.e.addresses.Address(r.relayhosts.asked, cmp.Or(w.m.From, r.nullRelayhost))); ok && hit.Entry.Value != "" &&
			!strings.EqualFold(hit.Entry.Value, "DUNNO") {
			h.nexthop = hit.Entry.Value
			w.step("route", "", placeOfRow(hit.Row), hit.Key, "by the sender's relay host")
			return
		}
	}
	if r.relayhost != "" {
		h.nexthop = r.relayhost
		w.step("route", "", r.relayhostAt, r.relayhost, "by the relay host")
	}
}

// transport applies a row of transport_maps: "transport:nexthop" replaces both,
// ":nexthop" the next hop alone, and ":" nothing, which reports false.
func (w *Way) transport(h *hop, class addressClass, hit postfix.Hit, t *tableList, domain string) bool {
	at := placeOfRow(hit.Row)
	transport, nexthop, _ := strings.Cut(hit.Entry.Value, ":")
	w.step("route", hit.Entry.Rule, at, hit.Key, "transport_maps")
	switch {
	case transport != "":
		*h = w.e.router.parse(hit.Entry.Value, at)
	case nexthop == "":
		return false
	default:
		if class == defaultClass {
			*h = w.defaultRoute()
		}
		h.nexthop, h.at = nexthop, at
	}
	w.rule = hit.Entry.Rule
	return true
}

// relocated makes the route of a recipient that relocated_maps has moved one to
// error(8).
func (w *Way) relocated(h *hop, to string) {
	l := w.e.router.relocated
	if l == nil {
		return
	}
	hit, ok := w.find(l, to)
	if !ok {
		return
	}
	text := "5.1.6 User has moved to " + hit.Entry.Value
	w.step("route", "", placeOfRow(hit.Row), hit.Key, text)
	*h = w.e.router.errorHop(text, placeOfRow(hit.Row))
}
