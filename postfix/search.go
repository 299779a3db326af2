package postfix

import (
	"net/netip"
	"strings"
)

// Map is a table that Postfix asks with a key. [Index] is one; so are [Maps],
// and whatever a caller makes of a table that isn't a file.
type Map interface {
	// Lookup returns the row that the key finds; ok is false where there is none. An
	// error says that the table can't be asked now, such as a database that is down:
	// it ends a search, and Postfix then refuses or defers the message for now.
	Lookup(key string) (row Row, ok bool, err error)
}

// Row is what a table answers.
type Row struct {
	// Entry is the row. Its Line is the one it was read from, or the one that
	// [Table.Format] writes.
	Entry
	// Source is the table's name, where it has one ([Named]).
	Source string
}

// Named is a table with the name that answers give: "/etc/postfix/transport".
type Named struct {
	Name string
	Map
}

// Lookup asks the table.
func (n Named) Lookup(key string) (row Row, ok bool, err error) {
	if n.Map == nil {
		return Row{}, false, nil
	}
	if row, ok, err = n.Map.Lookup(key); ok && row.Source == "" {
		row.Source = n.Name
	}
	return row, ok, err
}

// Patterns is the table's.
func (n Named) Patterns() bool {
	p, ok := n.Map.(Patterns)
	return ok && p.Patterns()
}

// Patterns is implemented by a [Map] of patterns (regexp:, pcre:, cidr:). Where
// Patterns returns true the searches ask it for the full key only and never
// for a part of it, as Postfix does with such tables.
type Patterns interface{ Patterns() bool }

// Maps is a list of tables, as transport_maps may name several. Each key of a
// search is asked of all of them before the next key is tried.
type Maps []Map

// Lookup asks the tables in order and returns the first answer, or the first error.
func (l Maps) Lookup(key string) (row Row, ok bool, err error) {
	for _, m := range l {
		if row, ok, err = lookup(m, key); ok || err != nil {
			return row, ok, err
		}
	}
	return Row{}, false, nil
}

// lookup asks a table; where there is none, nothing is found.
func lookup(m Map, key string) (row Row, ok bool, err error) {
	if m == nil {
		return Row{}, false, nil
	}
	return m.Lookup(key)
}

// lookupPart asks for a key that is a part of what is searched.
func lookupPart(m Map, key string) (row Row, ok bool, err error) {
	switch m := m.(type) {
	case *Index:
		return lookup(m, key)
	case Named:
		if row, ok, err = lookupPart(m.Map, key); ok && row.Source == "" {
			row.Source = m.Name
		}
		return row, ok, err
	case Maps:
		for _, one := range m {
			if row, ok, err = lookupPart(one, key); ok || err != nil {
				return row, ok, err
			}
		}
		return Row{}, false, nil
	case Patterns:
		if m.Patterns() {
			return Row{}, false, nil
		}
	}
	return lookup(m, key)
}

// Search holds what the search order of address tables depends on. The zero
// value has no address extensions, no local domains, and asks for parent
// domains as ".example.com".
//
// Addresses are given as they stand in the SMTP dialogue, without the angle
// brackets; in any case, as the tables fold what they are asked. The searches
// don't allocate for addresses without an extension.
type Search struct {
	// Delimiter is recipient_delimiter: each of its characters ends the user
	// part, the first one in the address counts.
	Delimiter string
	// Local reports whether mail for the domain belongs to this machine's
	// UNIX-style users: it is $myorigin, in $mydestination, or an address
	// literal of an own interface. nil: no domain is.
	Local func(domain string) bool
	// MatchParents says that the table's feature is listed in
	// parent_domain_matches_subdomains: a key "example.com" matches
	// sub.example.com too, and ".example.com" is never asked for. By default
	// access tables are listed (smtpd_access_maps), and transport_maps isn't.
	MatchParents bool
	// OwnersSplit is owner_request_special = no: owner-list and list-request have
	// extensions where "-" is a delimiter.
	OwnersSplit bool
}

// Hit is the row that a search found.
type Hit struct {
	Row
	// Key is the key that found it, in the address's case.
	Key string
	// Extension is the address extension with its delimiter where Key is the
	// address without it.
	Extension string
}

// query asks one table for one key after another, until something is found or the
// table can't be asked.
type query struct {
	m   Map
	hit Hit
	ok  bool
	err error
}

// full asks for a whole key, part for a part of what is searched.
func (q *query) full(key string) bool {
	q.hit.Row, q.ok, q.err = lookup(q.m, key)
	q.hit.Key = key
	return q.ok || q.err != nil
}

func (q *query) part(key, extension string) bool {
	q.hit.Row, q.ok, q.err = lookupPart(q.m, key)
	q.hit.Key, q.hit.Extension = key, extension
	return q.ok || q.err != nil
}

// answer is what came of it.
func (q *query) answer() (Hit, bool, error) {
	if !q.ok {
		return Hit{}, false, q.err
	}
	return q.hit, true, nil
}

// NullSender is the key for the empty sender in access(5) tables and in
// sender_dependent_default_transport_maps, as smtpd_null_access_lookup_key and
// empty_address_default_transport_maps_lookup_key have it by default.
const NullSender = "<>"

// Address searches a table of addresses (mail_addr_find(3)): user+ext@domain,
// user@domain, then for local domains user+ext and user, then @domain. It is
// the order of virtual(5) and canonical(5). The error is the table's.
func (s *Search) Address(m Map, addr string) (hit Hit, ok bool, err error) {
	if s == nil {
		s = new(Search)
	}
	q := query{m: m}
	s.address(&q, addr)
	return q.answer()
}

func (s *Search) address(q *query, addr string) bool {
	if q.full(addr) {
		return true
	}
	bare, ext := s.strip(addr)
	if ext != "" && q.part(bare, ext) {
		return true
	}
	at := strings.LastIndexByte(addr, '@')
	if at < 0 {
		return false
	}
	if s.Local != nil && s.Local(addr[at+1:]) {
		if q.part(addr[:at], "") || ext != "" && q.part(bare[:strings.LastIndexByte(bare, '@')], ext) {
			return true
		}
	}
	return q.part(addr[at:], "")
}

// Sender searches sender_dependent_default_transport_maps and
// sender_dependent_relayhost_maps: as [Search.Address], with the empty sender
// as [NullSender]. A value of "DUNNO" means that there is no row.
func (s *Search) Sender(m Map, sender string) (hit Hit, ok bool, err error) {
	if sender == "" {
		sender = NullSender
	}
	return s.Address(m, sender)
}

// Mailbox searches virtual_mailbox_maps: user+ext@domain, user@domain, @domain
// (virtual(8)).
func (s *Search) Mailbox(m Map, addr string) (hit Hit, ok bool, err error) {
	if s == nil {
		s = new(Search)
	}
	one := Search{Delimiter: s.Delimiter, OwnersSplit: s.OwnersSplit}
	return one.Address(m, addr)
}

// Transport searches transport_maps: user+ext@domain, user@domain, domain, its
// parents, "*" (transport(5)). The null recipient is looked up by Postfix as
// $empty_address_recipient@$myhostname; that is for the caller to say. An
// address without a domain has no transport.
func (s *Search) Transport(m Map, addr string) (hit Hit, ok bool, err error) {
	if s == nil {
		s = new(Search)
	}
	at := strings.LastIndexByte(addr, '@')
	if at < 0 || at == len(addr)-1 {
		return Hit{}, false, nil
	}
	q := query{m: m}
	bare, ext := s.strip(addr)
	// "*" is a full key to Postfix, so that patterns see it too.
	_ = q.full(addr) || ext != "" && q.part(bare, ext) || s.domain(&q, addr[at+1:], false) || q.full("*")
	return q.answer()
}

// Access searches an smtpd access table for a sender or recipient:
// user+ext@domain, user@domain, domain, its parents, user+ext@, user@ (access(5),
// EMAIL ADDRESS PATTERNS). The empty address is looked up as [NullSender].
func (s *Search) Access(m Map, addr string) (hit Hit, ok bool, err error) {
	if s == nil {
		s = new(Search)
	}
	if addr == "" {
		addr = NullSender
	}
	q := query{m: m}
	bare, ext := s.strip(addr)
	if q.full(addr) || ext != "" && q.part(bare, ext) {
		return q.answer()
	}
	at := strings.LastIndexByte(addr, '@')
	if at < 0 {
		return Hit{}, false, nil
	}
	_ = s.domain(&q, addr[at+1:], false) || q.part(addr[:at+1], "") || ext != "" && q.part(bare[:strings.LastIndexByte(bare, '@')+1], ext)
	return q.answer()
}

// Client searches an smtpd access table for an SMTP client (check_client_access
// in access(5)): its name, the name's parents, its address, and the networks
// that begin like the address. The name of a client without one is "unknown";
// an empty name is not looked up. An IPv4 address in IPv6 form counts as IPv4,
// as smtpd(8) has it.
func (s *Search) Client(m Map, name string, addr netip.Addr) (hit Hit, ok bool, err error) {
	if s == nil {
		s = new(Search)
	}
	q := query{m: m}
	if s.domain(&q, name, true) || !addr.IsValid() {
		return q.answer()
	}
	addr = addr.Unmap().WithZone("")
	separator := byte(':')
	if addr.Is4() {
		separator = '.'
	}
	key := addr.String()
	for found := q.full(key); !found; {
		end := strings.LastIndexByte(key, separator)
		if end < 0 {
			break
		}
		if key = key[:end]; key != "" {
			found = q.part(key, "")
		}
	}
	return q.answer()
}

// Domain searches for a name and its parents, as lists of domains such as
// relay_domains ask their tables (match_list(3)).
func (s *Search) Domain(m Map, name string) (hit Hit, ok bool, err error) {
	if s == nil {
		s = new(Search)
	}
	q := query{m: m}
	s.domain(&q, name, true)
	return q.answer()
}

// domain asks for a domain and its parents; whole says that the domain is all that
// is searched for, and not a part of an address.
func (s *Search) domain(q *query, domain string, whole bool) bool {
	for name := domain; name != ""; whole = false {
		if whole && q.full(name) || !whole && q.part(name, "") {
			return true
		}
		dot := strings.IndexByte(name[1:], '.')
		if dot < 0 {
			break
		}
		name = name[1+dot:]
		if s.MatchParents {
			name = name[1:]
		}
	}
	return false
}

// Bare takes the extension off an address, or off a user part.
func (s *Search) Bare(address string) string {
	if s == nil {
		s = new(Search)
	}
	bare, _ := s.strip(address)
	return bare
}

// strip takes the extension off the address (strip_addr(3)); ext is empty where
// it has none.
func (s *Search) strip(addr string) (bare, ext string) {
	if s.Delimiter == "" {
		return addr, ""
	}
	user, domain := addr, ""
	if at := strings.LastIndexByte(addr, '@'); at >= 0 {
		user, domain = addr[:at], addr[at:]
	}
	n := extension(user, s.Delimiter, s.OwnersSplit)
	if n < 0 {
		return addr, ""
	}
	return user[:n] + domain, user[n:]
}

// extension returns where the extension of the user part begins, delimiter
// included, or -1 (split_addr(3)).
func extension(user, delimiter string, owners bool) int {
	if n := strings.IndexAny(user, delimiter); n <= 0 {
		return -1
	}
	for _, name := range [...]string{"postmaster", "mailer-daemon", "double-bounce"} {
		if strings.EqualFold(user, name) {
			return -1
		}
	}
	// owner-list and list-request are not extensions where "-" is a delimiter
	// (owner_request_special, on by default).
	if !owners && strings.Contains(delimiter, "-") {
		if len(user) >= 6 && strings.EqualFold(user[:6], "owner-") {
			return -1
		}
		if n := len(user) - 8; n > 0 && strings.EqualFold(user[n:], "-request") {
			return -1
		}
	}
	return strings.IndexAny(user, delimiter)
}
