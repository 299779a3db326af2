package mta

import (
	"cmp"
	"strings"
)

// listings are the tables by which smtpd(8) knows which addresses exist.
type listings struct {
	canonical [3]*tableList // sender's, recipient's, everybody's
	local     *tableList    // local_recipient_maps, nil: everybody exists
	relay     *tableList    // relay_recipient_maps, nil: everybody exists
	codes     map[addressClass]string
	anybody   bool // virtual_mailbox_maps is empty: everybody exists
	noAliases bool // virtual_alias_maps is empty, at this listener
}

func (c *builder) buildListings(s Settings) listings {
	l := listings{local: c.tables(s, "local_recipient_maps"), relay: c.tables(s, "relay_recipient_maps")}
	for i, name := range [...]string{"sender_canonical_maps", "recipient_canonical_maps", "canonical_maps"} {
		l.canonical[i] = c.tables(s, name)
	}
	l.anybody = s.Value("virtual_mailbox_maps") == ""
	l.noAliases = s.Value("virtual_alias_maps") == "" && c.Settings().Value("virtual_alias_maps") != ""
	l.codes = map[addressClass]string{
		localClass:   s.Value("unknown_local_recipient_reject_code"),
		aliasClass:   s.Value("unknown_virtual_alias_reject_code"),
		mailboxClass: s.Value("unknown_virtual_mailbox_reject_code"),
		relayClass:   s.Value("unknown_relay_recipient_reject_code"),
	}
	return l
}

// unlisted is reject_unlisted_recipient, and the check that smtpd_reject_unlisted_recipient
// adds behind all lists.
func (s *session) unlisted(at place) verdict {
	code, text := s.exists(s.w.m.To, false)
	return s.verdictOf(at, "reject_unlisted_recipient", code, text)
}

// unlistedSender is the same for the sender (reject_unlisted_sender,
// smtpd_reject_unlisted_sender).
func (s *session) unlistedSender(at place) verdict {
	if s.w.m.From == "" {
		return dunno
	}
	code, text := s.exists(s.w.m.From, true)
	return s.verdictOf(at, "reject_unlisted_sender", code, text)
}

func (s *session) verdictOf(at place, name, code, text string) verdict {
	if code == "" {
		return dunno
	}
	return s.deny(at, name, code, text)
}

// exists is smtpd(8)'s check of an address against the tables of its class; an
// empty code means that it exists.
func (s *session) exists(address string, sender bool) (code, text string) {
	w, l := s.w, &s.l.rules.listings
	to := fold(w.e.reachable(address))
	local, domain := splitAddress(to)
	from := 1
	if sender {
		from = 0
	}
	for _, t := range l.canonical[from:] {
		if _, ok := w.find(t, to); ok {
			return "", ""
		}
	}
	var failed error
	switch {
	case l.noAliases:
	case w.e.aliases != nil:
		if _, ok := w.find(w.e.aliases, to); ok {
			return "", ""
		}
	default:
		aliases := directory{q: w.q, alias: true}
		_, ok, err := w.e.addresses.Address(&aliases, to)
		if ok {
			return "", ""
		}
		failed = err
	}
	class, status, what := w.classOf(domain), "5.1.1", "Recipient address"
	if sender {
		status, what = "5.1.0", "Sender address"
	}
	unknown := func(table string) (string, string) {
		return l.codes[class], status + " <" + address + ">: " + what + " rejected: User unknown in " + table + " table"
	}
	if class == failedClass {
		failed = w.q.err()
	} else if h, ok := w.e.routeOf(w, to, sender); ok && failed == nil && (h.transport == "error" || h.transport == "retry") {
		code, reason := "550", h.nexthop
		if class == aliasClass {
			code = l.codes[class]
		}
		if h.transport == "retry" {
			code, status = "450", "4"+status[1:]
		}
		if own, rest, ok := cutStatus(reason); ok {
			status, reason = own, rest
		}
		return code, fixStatus(status, what) + " <" + address + ">: " + what + " rejected: " + cmp.Or(reason, "Address is undeliverable")
	}
	switch class {
	case localClass:
		if l.local == nil || local == "postmaster" || local == "mailer-daemon" || local == w.e.doubleBounce {
			break
		}
		if _, ok := w.took(w.e.addresses.Address(l.local.asked, to)); ok {
			break
		}
		if len(l.local.opaque) > 0 {
			for _, o := range l.local.opaque {
				w.depends(l.local.name+" "+o, l.local.at, to, "listed")
			}
			break
		}
		return unknown("local recipient")
	case mailboxClass:
		if l.anybody {
			break
		}
		boxes := directory{q: w.q}
		_, ok, err := w.e.addresses.Address(&boxes, to)
		if ok {
			return "", ""
		}
		if err != nil {
			failed = err
		}
		if failed == nil && !w.assumeMailbox(to) {
			return unknown("virtual mailbox")
		}
	case relayClass:
		if l.relay == nil {
			break
		}
		if _, ok := w.took(w.e.addresses.Address(l.relay.asked, to)); ok {
			break
		}
		if len(l.relay.opaque) > 0 {
			for _, o := range l.relay.opaque {
				w.depends(l.relay.name+" "+o, l.relay.at, to, "listed")
			}
			break
		}
		return unknown("relay recipient")
	}
	if failed != nil {
		return "451", "4.3.0 <" + address + ">: Temporary lookup failure"
	}
	return "", ""
}

// cutStatus cuts an enhanced status code (RFC 3463) off the front of a text.
func cutStatus(text string) (status, rest string, ok bool) {
	status, rest, _ = strings.Cut(text, " ")
	if len(status) < 5 || (status[0] != '2' && status[0] != '4' && status[0] != '5') || status[1] != '.' || strings.Count(status, ".") != 2 {
		return "", text, false
	}
	if strings.Trim(status, "0123456789.") != "" {
		return "", text, false
	}
	return status, rest, true
}
