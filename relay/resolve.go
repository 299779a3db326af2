package relay

import (
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
)

// class finds the class of a domain, in trivial-rewrite(8)'s order. Where the
// installation keeps its domains in tables that can't be read, the policy's
// hosted domains are taken for mailbox domains.
func (r *router) class(domain string) addressClass {
	switch {
	case r.local.has(domain):
		return localClass
	case r.aliasDomains.has(domain):
		return aliasClass
	case r.mailboxDomains.has(domain):
		return mailboxClass
	case r.opaque && r.hosted[domain]:
		return mailboxClass
	case r.relayDomains.has(domain):
		return relayClass
	}
	return defaultClass
}

// authDestination is what permit_auth_destination asks: mail for us, or for a
// domain that we relay to.
func (w *walk) authDestination() bool {
	_, domain := splitAddress(w.m.To)
	return domain == "" || w.e.router.class(fold(domain)) != defaultClass
}

// parse reads a transport:nexthop value; those of our own tables are known.
func (r *router) parse(value string, at place) hop {
	if h, ok := r.hops[value]; ok {
		h.at = at
		return h
	}
	transport, nexthop, _ := strings.Cut(value, ":")
	return hop{transport: transport, nexthop: nexthop, command: r.commands[transport], at: at}
}

// resolve is trivial-rewrite(8): transport_maps for every recipient, else the
// transport of its class; for what leaves by default, the sender's.
func (w *walk) resolve(to string) (hop, addressClass, bool) {
	r := &w.e.router
	_, domain := splitAddress(to)
	domain = fold(domain)
	class := r.class(domain)
	if len(r.transport) > 0 {
		if hit, ok := r.transportSearch.Transport(r.transport, to); ok && hit.Entry.Value != "" && hit.Entry.Value != ":" {
			at := place{where(r.transport, r.transportFiles, hit.Key), hit.Line}
			h := r.parse(hit.Entry.Value, at)
			if h.transport == "" {
				h.transport, h.command = r.byDefault.transport, r.byDefault.command
			}
			w.rule = hit.Entry.Rule
			w.step("route", hit.Entry.Rule, at, hit.Key, "transport_maps")
			return h, class, true
		}
	}
	switch class {
	case localClass:
		w.step("route", "", r.toLocal.at, domain, "local")
		return r.toLocal, class, true
	case aliasClass:
		w.step("route", "", place{"virtual_alias_domains", 0}, domain, "no such alias")
		w.end(Bounce, "550", to, "5.1.1 User unknown in virtual alias table")
		return hop{}, class, false
	case mailboxClass:
		w.step("route", "", r.toMailbox.at, domain, "hosted here")
		return r.toMailbox, class, true
	case relayClass:
		w.step("route", "", r.toRelay.at, domain, "relayed to another host")
		return r.toRelay, class, true
	}
	h := r.byDefault
	if hit, ok := r.search.Sender(r.senders, w.m.From); ok && !strings.EqualFold(hit.Entry.Value, "DUNNO") {
		at := place{where(r.senders, r.senderFiles, hit.Key), hit.Line}
		h = r.parse(hit.Entry.Value, at)
		w.rule = hit.Entry.Rule
		w.step("route", hit.Entry.Rule, at, w.m.From, "sender in scope")
	} else if ok {
		at := place{where(r.senders, r.senderFiles, hit.Key), hit.Line}
		w.rule = hit.Entry.Rule
		w.step("route", hit.Entry.Rule, at, w.m.From, "sender taken out of scope")
	} else {
		w.step("route", "", h.at, w.m.From, "sender not in scope")
	}
	if h.nexthop == "" {
		if hit, ok := r.search.Sender(r.relayhosts, w.m.From); ok && !strings.EqualFold(hit.Entry.Value, "DUNNO") {
			h.nexthop = hit.Entry.Value
		} else if r.relayhost != "" {
			h.nexthop = r.relayhost
		}
	}
	return h, class, true
}

// where finds which of several tables has a key.
func where(maps postfix.Maps, files []string, key string) string {
	if len(maps) == 1 {
		return files[0]
	}
	for i, m := range maps {
		if _, _, ok := m.Lookup(key); ok {
			return files[i]
		}
	}
	return ""
}

func (t *tables) where(maps []source, key string, otherwise place) place {
	for _, m := range maps {
		if _, line, ok := m.table.Lookup(key); ok {
			return place{m.file, line}
		}
	}
	return otherwise
}

// unlistedRecipient is smtpd(8)'s check of the recipient against the tables of
// its class; an empty code means that it exists.
func (w *walk) unlistedRecipient() (code, text string) {
	to := w.m.To
	_, domain := splitAddress(to)
	if domain == "" {
		return "", ""
	}
	aliases := directory{d: w.e.directory, alias: true}
	if _, ok := w.e.aliases.Address(&aliases, to); ok {
		return "", ""
	}
	table := ""
	failed := aliases.err
	switch w.e.router.class(fold(domain)) {
	case aliasClass:
		table = "virtual alias"
	case mailboxClass:
		boxes := directory{d: w.e.directory}
		if _, ok := w.e.router.search.Mailbox(&boxes, to); ok {
			return "", ""
		}
		if boxes.err != nil {
			failed = boxes.err
		}
		table = "virtual mailbox"
	default:
		// local(8) users and relay_recipient_maps are the installation's
		// matter; without them every recipient exists.
		if failed == nil {
			return "", ""
		}
	}
	if failed != nil {
		return "451", "4.3.0 <" + to + ">: Temporary lookup failure"
	}
	return "550", "5.1.1 <" + to + ">: Recipient address rejected: User unknown in " + table + " table"
}

// directory makes a Directory a table and keeps its error.
type directory struct {
	d     Directory
	alias bool
	err   error
}

// Lookup asks the Directory. After an error it finds nothing more, as Postfix
// ends a search then.
func (d *directory) Lookup(key string) (postfix.Entry, int, bool) {
	if d.err != nil {
		return postfix.Entry{}, 0, false
	}
	key = fold(key)
	if d.alias {
		members, err := d.d.Alias(key)
		if err != nil || len(members) == 0 {
			d.err = err
			return postfix.Entry{}, 0, false
		}
		return postfix.Entry{Key: key, Value: strings.Join(members, ", ")}, 0, true
	}
	ok, err := d.d.Mailbox(key)
	d.err = err
	return postfix.Entry{Key: key}, 0, ok && err == nil
}
