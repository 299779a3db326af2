package mta

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// mapping is what a cleanup(8) service makes of addresses: canonical(5) tables,
// masquerading and BCC copies.
type mapping struct {
	maps       [3]canonicalMaps // sender's, recipient's, then everybody's
	masquerade []masquerade
	hides      classes
	except     *DomainList // masquerade_exceptions, a list of user names
	propagate  bool        // propagate_unmatched_extensions has canonical

	always       string
	alwaysAt     place
	senderBCC    *tableList
	recipientBCC *tableList
}

// canonicalMaps are tables with the addresses that they apply to.
type canonicalMaps struct {
	*tableList
	classes
}

// classes says which addresses are rewritten (canonical_classes and others).
type classes struct{ envelopeSender, envelopeRecipient, headerSender, headerRecipient bool }

// masquerade is one of masquerade_domains.
type masquerade struct {
	domain string
	keep   bool // "!": its subdomains stay
}

// buildMapping reads the settings of a cleanup service; nil where none of them
// is used.
func (c *builder) buildMapping(s Settings) *mapping {
	m := &mapping{propagate: hasWord(list(s.Value("propagate_unmatched_extensions")), "canonical")}
	used := false
	for i, p := range [3][3]string{
		{"sender_canonical_maps", "sender_canonical_classes", "envelope_sender, header_sender"},
		{"recipient_canonical_maps", "recipient_canonical_classes", "envelope_recipient, header_recipient"},
		{"canonical_maps", "canonical_classes", "envelope_sender, envelope_recipient, header_sender, header_recipient"},
	} {
		m.maps[i] = canonicalMaps{c.tables(s, p[0]), classesOf(s, p[1], p[2])}
		used = used || m.maps[i].tableList != nil
	}
	for _, d := range list(s.Value("masquerade_domains")) {
		e := masquerade{}
		for strings.HasPrefix(d, "!") {
			e.keep, d = !e.keep, d[1:]
		}
		e.domain = d
		m.masquerade = append(m.masquerade, e)
	}
	m.hides = classesOf(s, "masquerade_classes", "envelope_sender, header_sender, header_recipient")
	if s.Value("masquerade_exceptions") != "" {
		m.except = c.Domains(s, "masquerade_exceptions")
	}
	m.always, m.alwaysAt = s.Value("always_bcc"), c.placeOf(s, "always_bcc")
	m.senderBCC, m.recipientBCC = c.tables(s, "sender_bcc_maps"), c.tables(s, "recipient_bcc_maps")
	if !used && len(m.masquerade) == 0 && m.always == "" && m.senderBCC == nil && m.recipientBCC == nil {
		return nil
	}
	return m
}

func classesOf(s Settings, name, otherwise string) (c classes) {
	value := otherwise
	if s.Set(name) {
		value = s.Value(name)
	}
	for _, w := range list(value) {
		switch strings.ToLower(w) {
		case "envelope_sender":
			c.envelopeSender = true
		case "envelope_recipient":
			c.envelopeRecipient = true
		case "header_sender":
			c.headerSender = true
		case "header_recipient":
			c.headerRecipient = true
		}
	}
	return c
}

// maxCanonical is the number of look-ups after which cleanup(8) gives up on an
// address that never maps to itself.
const maxCanonical = 10

// canonicalAddress rewrites one address by the tables: each result is looked up
// again, until it is its own.
func (w *Way) canonicalAddress(l *tableList, address string, propagate bool) string {
	if l == nil {
		return address
	}
	a := postfix.Aliases{Rewrite: w.e.canonical, Split: addressesOf, Propagate: propagate}
	for range maxCanonical {
		// The null sender is looked up, too: patterns may match it.
		l.unknown(w, address)
		hit, ok := w.took(w.e.addresses.Address(l.asked, address))
		if !ok {
			break
		}
		results := a.Results(address, hit)
		if len(results) == 0 {
			break
		}
		w.step("cleanup", "", placeOfRow(hit.Row), address, "rewritten to "+results[0]+" ("+l.name+")")
		same := strings.EqualFold(results[0], address)
		if address = results[0]; same {
			break
		}
	}
	return address
}

// masked is the address with its host hidden (masquerade_domains).
func (w *Way) masked(m *mapping, address string) string {
	at := strings.LastIndexByte(address, '@')
	if len(m.masquerade) == 0 || at < 0 {
		return address
	}
	if m.except != nil && m.except.Has(fold(address[:at])) {
		return address
	}
	domain := address[at+1:]
	for _, d := range m.masquerade {
		n := len(domain) - len(d.domain)
		switch {
		case d.domain == "":
		case n == 0 && strings.EqualFold(d.domain, domain):
			return address
		case n > 0 && domain[n-1] == '.' && strings.EqualFold(d.domain, domain[n:]):
			if d.keep {
				return address
			}
			masked := address[:at+1] + fold(d.domain)
			w.step("cleanup", "", place{"masquerade_domains", 0}, address, "rewritten to "+masked+" (masquerade_domains)")
			return masked
		}
	}
	return address
}

// envelopeSender and envelopeRecipient are cleanup(8)'s rewriting of envelope
// addresses.
func (w *Way) envelopeSender(m *mapping, address string) string {
	for _, i := range [2]int{0, 2} {
		if m.maps[i].envelopeSender {
			address = w.canonicalAddress(m.maps[i].tableList, address, m.propagate)
		}
	}
	if m.hides.envelopeSender {
		address = w.masked(m, address)
	}
	return address
}

func (w *Way) envelopeRecipient(m *mapping, address string) string {
	for _, i := range [2]int{1, 2} {
		if m.maps[i].envelopeRecipient {
			address = w.canonicalAddress(m.maps[i].tableList, address, m.propagate)
		}
	}
	if m.hides.envelopeRecipient {
		address = w.masked(m, address)
	}
	return address
}

// bcc is a copy that the configuration asks for.
type bcc struct {
	setting, to, key string
	at               place
}

// envelope rewrites the message's envelope, and returns the copies to be made.
func (w *Way) envelope(m *mapping) (copies []bcc) {
	from, to := w.envelopeSender(m, w.m.From), w.envelopeRecipient(m, w.m.To)
	if from != w.m.From || to != w.m.To {
		n := *w.m
		n.From, n.To = from, to
		w.m = &n
	}
	add := func(setting, to, key string, at place) {
		to = w.e.canonical(to)
		copies = append(copies, bcc{setting, w.envelopeRecipient(m, to), key, at})
	}
	if hit, ok := w.find(m.senderBCC, from); ok && from != "" {
		add("sender_bcc_maps", hit.Entry.Value, hit.Key, placeOfRow(hit.Row))
	}
	if hit, ok := w.find(m.recipientBCC, to); ok && to != "" {
		add("recipient_bcc_maps", hit.Entry.Value, hit.Key, placeOfRow(hit.Row))
	}
	if m.always != "" {
		add("always_bcc", m.always, "", m.alwaysAt)
	}
	return copies
}

// copyTo is the way of a copy.
func (w *Way) copyTo(c bcc) *Way {
	f := w.fork()
	m := *f.m
	m.To = c.to
	f.m, f.bcc = &m, c.setting
	f.step("cleanup", "", c.at, c.key, "a copy to "+c.to+" ("+c.setting+")")
	return f
}

// generic is smtp_generic_maps of a transport.
type generic struct {
	*tableList
	propagate bool
}

// genericAddress rewrites an address once, as smtp(8) does when mail leaves.
func (w *Way) genericAddress(g *generic, address string) string {
	result, _ := w.genericResult(g, address)
	return result
}

// genericResult is genericAddress that says whether the table has the address.
func (w *Way) genericResult(g *generic, address string) (string, bool) {
	hit, ok := w.find(g.tableList, address)
	if !ok {
		return address, false
	}
	a := postfix.Aliases{Rewrite: w.e.canonical, Split: addressesOf, Propagate: g.propagate}
	results := a.Results(address, hit)
	if len(results) == 0 {
		return address, false
	}
	w.step("smtp", "", placeOfRow(hit.Row), address, "rewritten to "+results[0]+" (smtp_generic_maps)")
	return results[0], true
}
