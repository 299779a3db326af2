package postfix

import (
	"net/netip"
	"strings"
)

// Map is a table that Postfix asks with a key. [Index] is one; so are [Maps],
// and whatever a caller makes of a table that isn't a file.
type Map interface {
	Lookup(key string) (e Entry, line int, ok bool)
}

// Patterns is implemented by a [Map] of patterns (regexp:, pcre:, cidr:). Where
// Patterns returns true the searches ask it for the full key only and never
// for a part of it, as Postfix does with such tables.
type Patterns interface{ Patterns() bool }

// Maps is a list of tables, as transport_maps may name several. Each key of a
// search is asked of all of them before the next key is tried.
type Maps []Map

// Lookup asks the tables in order and returns the first answer.
func (l Maps) Lookup(key string) (e Entry, line int, ok bool) {
	for _, m := range l {
		if e, line, ok = lookup(m, key); ok {
			return e, line, ok
		}
	}
	return Entry{}, 0, false
}

// lookup asks a table; where there is none, nothing is found.
func lookup(m Map, key string) (e Entry, line int, ok bool) {
	if m == nil {
		return Entry{}, 0, false
	}
	return m.Lookup(key)
}

// lookupPart asks for a key that is a part of what is searched.
func lookupPart(m Map, key string) (e Entry, line int, ok bool) {
	switch m := m.(type) {
	case *Index:
		return lookup(m, key)
	case Maps:
		for _, one := range m {
			if e, line, ok = lookupPart(one, key); ok {
				return e, line, ok
			}
		}
		return Entry{}, 0, false
	case Patterns:
		if m.Patterns() {
			return Entry{}, 0, false
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
}

// Hit is the row that a search found.
type Hit struct {
	Entry Entry
	Line  int
	// Key is the key that found it, in the address's case.
	Key string
	// Extension is the address extension with its delimiter where Key is the
	// address without it.
	Extension string
}

// NullSender is the key for the empty sender in access(5) tables and in
// sender_dependent_default_transport_maps, as smtpd_null_access_lookup_key and
// empty_address_default_transport_maps_lookup_key have it by default.
const NullSender = "<>"

// Address searches a table of addresses (mail_addr_find(3)): user+ext@domain,
// user@domain, then for local domains user+ext and user, then @domain. It is
// the order of virtual(5) and canonical(5).
func (s *Search) Address(m Map, addr string) (Hit, bool) {
	if s == nil {
		s = new(Search)
	}
	if e, line, ok := lookup(m, addr); ok {
		return Hit{Entry: e, Line: line, Key: addr}, true
	}
	bare, ext := s.strip(addr)
	if ext != "" {
		if e, line, ok := lookupPart(m, bare); ok {
			return Hit{Entry: e, Line: line, Key: bare, Extension: ext}, true
		}
	}
	at := strings.LastIndexByte(addr, '@')
	if at < 0 {
		return Hit{}, false
	}
	if s.Local != nil && s.Local(addr[at+1:]) {
		if e, line, ok := lookupPart(m, addr[:at]); ok {
			return Hit{Entry: e, Line: line, Key: addr[:at]}, true
		}
		if ext != "" {
			user := bare[:strings.LastIndexByte(bare, '@')]
			if e, line, ok := lookupPart(m, user); ok {
				return Hit{Entry: e, Line: line, Key: user, Extension: ext}, true
			}
		}
	}
	if e, line, ok := lookupPart(m, addr[at:]); ok {
		return Hit{Entry: e, Line: line, Key: addr[at:]}, true
	}
	return Hit{}, false
}

// Sender searches sender_dependent_default_transport_maps and
// sender_dependent_relayhost_maps: as [Search.Address], with the empty sender
// as [NullSender]. A value of "DUNNO" means that there is no row.
func (s *Search) Sender(m Map, sender string) (Hit, bool) {
	if s == nil {
		s = new(Search)
	}
	if sender == "" {
		sender = NullSender
	}
	return s.Address(m, sender)
}

// Mailbox searches virtual_mailbox_maps: user+ext@domain, user@domain, @domain
// (virtual(8)).
func (s *Search) Mailbox(m Map, addr string) (Hit, bool) {
	if s == nil {
		s = new(Search)
	}
	one := Search{Delimiter: s.Delimiter}
	return one.Address(m, addr)
}

// Transport searches transport_maps: user+ext@domain, user@domain, domain, its
// parents, "*" (transport(5)). The null recipient is looked up by Postfix as
// $empty_address_recipient@$myhostname; that is for the caller to say. An
// address without a domain has no transport.
func (s *Search) Transport(m Map, addr string) (Hit, bool) {
	if s == nil {
		s = new(Search)
	}
	at := strings.LastIndexByte(addr, '@')
	if at < 0 || at == len(addr)-1 {
		return Hit{}, false
	}
	if e, line, ok := lookup(m, addr); ok {
		return Hit{Entry: e, Line: line, Key: addr}, true
	}
	if bare, ext := s.strip(addr); ext != "" {
		if e, line, ok := lookupPart(m, bare); ok {
			return Hit{Entry: e, Line: line, Key: bare, Extension: ext}, true
		}
	}
	if hit, ok := s.domain(m, addr[at+1:], lookupPart); ok {
		return hit, true
	}
	// A full key to Postfix, so that patterns see it too.
	if e, line, ok := lookup(m, "*"); ok {
		return Hit{Entry: e, Line: line, Key: "*"}, true
	}
	return Hit{}, false
}

// Access searches an smtpd access table for a sender or recipient:
// user+ext@domain, user@domain, domain, its parents, user+ext@, user@ (access(5),
// EMAIL ADDRESS PATTERNS). The empty address is looked up as [NullSender].
func (s *Search) Access(m Map, addr string) (Hit, bool) {
	if s == nil {
		s = new(Search)
	}
	if addr == "" {
		addr = NullSender
	}
	if e, line, ok := lookup(m, addr); ok {
		return Hit{Entry: e, Line: line, Key: addr}, true
	}
	bare, ext := s.strip(addr)
	if ext != "" {
		if e, line, ok := lookupPart(m, bare); ok {
			return Hit{Entry: e, Line: line, Key: bare, Extension: ext}, true
		}
	}
	at := strings.LastIndexByte(addr, '@')
	if at < 0 {
		return Hit{}, false
	}
	if hit, ok := s.domain(m, addr[at+1:], lookupPart); ok {
		return hit, true
	}
	if e, line, ok := lookupPart(m, addr[:at+1]); ok {
		return Hit{Entry: e, Line: line, Key: addr[:at+1]}, true
	}
	if ext != "" {
		user := bare[:strings.LastIndexByte(bare, '@')+1]
		if e, line, ok := lookupPart(m, user); ok {
			return Hit{Entry: e, Line: line, Key: user, Extension: ext}, true
		}
	}
	return Hit{}, false
}

// Client searches an smtpd access table for an SMTP client (check_client_access
// in access(5)): its name, the name's parents, its address, and the networks
// that begin like the address. The name of a client without one is "unknown";
// an empty name is not looked up. An IPv4 address in IPv6 form counts as IPv4,
// as smtpd(8) has it.
func (s *Search) Client(m Map, name string, addr netip.Addr) (Hit, bool) {
	if s == nil {
		s = new(Search)
	}
	if hit, ok := s.Domain(m, name); ok {
		return hit, true
	}
	if !addr.IsValid() {
		return Hit{}, false
	}
	addr = addr.Unmap().WithZone("")
	separator := byte(':')
	if addr.Is4() {
		separator = '.'
	}
	key := addr.String()
	e, line, ok := lookup(m, key)
	for !ok {
		end := strings.LastIndexByte(key, separator)
		if end < 0 {
			return Hit{}, false
		}
		key = key[:end]
		if key != "" {
			e, line, ok = lookupPart(m, key)
		}
	}
	return Hit{Entry: e, Line: line, Key: key}, true
}

// Domain searches for a name and its parents, as lists of domains such as
// relay_domains ask their tables (match_list(3)).
func (s *Search) Domain(m Map, name string) (Hit, bool) {
	if s == nil {
		s = new(Search)
	}
	return s.domain(m, name, func(m Map, key string) (Entry, int, bool) {
		if len(key) == len(name) {
			return lookup(m, key)
		}
		return lookupPart(m, key)
	})
}

// domain asks for a domain and its parents.
func (s *Search) domain(m Map, domain string, lookup func(Map, string) (Entry, int, bool)) (Hit, bool) {
	for name := domain; name != ""; {
		if e, line, ok := lookup(m, name); ok {
			return Hit{Entry: e, Line: line, Key: name}, true
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
	return Hit{}, false
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
	n := extension(user, s.Delimiter)
	if n < 0 {
		return addr, ""
	}
	return user[:n] + domain, user[n:]
}

// extension returns where the extension of the user part begins, delimiter
// included, or -1 (split_addr(3)).
func extension(user, delimiter string) int {
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
	if strings.Contains(delimiter, "-") {
		if len(user) >= 6 && strings.EqualFold(user[:6], "owner-") {
			return -1
		}
		if n := len(user) - 8; n > 0 && strings.EqualFold(user[n:], "-request") {
			return -1
		}
	}
	return strings.IndexAny(user, delimiter)
}
