package relay

import "strings"

// rewriting is the form that trivial-rewrite(8) gives addresses, in the local
// context, which is that of all envelope addresses.
type rewriting struct {
	origin       string // appended to addresses without a domain; empty: append_at_myorigin = no
	domain       string // appended to domains without a dot; empty: append_dot_mydomain = no
	bang         bool   // swap_bangpath
	percent      bool   // allow_percent_hack
	host         string // myhostname
	emptyAddress string // empty_address_recipient
}

// plain reports whether canonical has nothing to do.
func (r *rewriting) plain(a string) bool {
	at := strings.LastIndexByte(a, '@')
	if at <= 0 || at == len(a)-1 || a[0] == '"' || a[0] == '@' || a[len(a)-1] == '.' {
		return false
	}
	return r.domain == "" || strings.IndexByte(a[at+1:], '.') >= 0 || a[at+1] == '['
}

// canonical is an address as trivial-rewrite(8) hands it on: no quotes that are
// not needed, no source route, for addresses without a domain swap_bangpath,
// allow_percent_hack and append_at_myorigin, append_dot_mydomain, and no dot at
// the end of the domain.
func (r *rewriting) canonical(address string) string {
	if address == "" || r.plain(address) {
		return address
	}
	if address == "@" {
		return ""
	}
	if address[0] == '@' {
		if i := strings.IndexByte(address, ':'); i >= 0 && i < len(address)-1 {
			address = address[i+1:]
		}
	}
	local, domain := splitAddress(address)
	at := len(local) < len(address)
	if n := len(local); n > 2 && local[0] == '"' && local[n-1] == '"' && checkLocalPart(local[1:n-1]) == nil {
		local = local[1 : n-1]
	}
	if !at {
		if site, user, ok := strings.Cut(local, "!"); r.bang && ok && site != "" && user != "" {
			local, domain = user, site
		} else if i := strings.LastIndexByte(local, '%'); r.percent && i > 0 && i < len(local)-1 {
			local, domain = local[:i], local[i+1:]
		} else {
			domain = r.origin
		}
	}
	if r.domain != "" && domain != "" && domain[0] != '[' && strings.IndexByte(domain, '.') < 0 {
		domain += "." + r.domain
	}
	if n := len(domain); n > 1 && domain[n-1] == '.' && domain[n-2] != '.' {
		domain = domain[:n-1]
	}
	if domain == "" {
		return local
	}
	return local + "@" + domain
}

// unroute strips local domains from an address while what is left of it names
// another one (user%remote@here, remote!user@here), as trivial-rewrite(8) does
// before it looks for a route. An address without a domain gets myhostname.
func (e *evaluator) unroute(to string) string {
	for range len(to) + 100 {
		local, domain := splitAddress(to)
		if domain == "" {
			if local == "" {
				local = e.rewriting.emptyAddress
			}
			return local + "@" + e.rewriting.host
		}
		if !e.router.local.has(fold(domain)) {
			return to
		}
		switch {
		case local == "":
			return e.rewriting.emptyAddress + "@" + domain
		case strings.IndexByte(local, '@') >= 0 && local[0] != '"',
			e.rewriting.bang && strings.IndexByte(local, '!') > 0 && !strings.HasSuffix(local, "!"),
			e.rewriting.percent && strings.IndexByte(local, '%') > 0 && !strings.HasSuffix(local, "%"):
			next := e.rewriting.canonical(local)
			if next == to {
				return to
			}
			to = next
		default:
			return to
		}
	}
	return to
}

// reachable is unroute for addresses that may be empty.
func (e *evaluator) reachable(address string) string {
	if address == "" {
		return ""
	}
	return e.unroute(address)
}

// routed reports whether an address has routing operators left in its local
// part, with which another host might relay (RESOLVE_FLAG_ROUTED).
func routed(to string) bool {
	i := strings.IndexAny(to, "@!%")
	return i >= 0 && i != strings.LastIndexByte(to, '@')
}
