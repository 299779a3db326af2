package mta

import (
	"net/netip"
	"slices"
	"strings"
)

// rewriting is the form that trivial-rewrite(8) gives addresses in a context:
// that of all envelope addresses is the local one.
type rewriting struct {
	origin       string // appended to addresses without a domain; empty: append_at_myorigin = no
	domain       string // appended to domains without a dot; empty: append_dot_mydomain = no
	bang         bool   // swap_bangpath
	percent      bool   // allow_percent_hack
	dequoted     bool   // resolve_dequoted_address
	nullDomain   bool   // resolve_null_domain
	numeric      bool   // resolve_numeric_domain
	utf8         bool   // smtputf8_enable
	host         string // myhostname
	emptyAddress string // empty_address_recipient
	openOrigin   place  // where myorigin names a file that can't be read here
}

// origin notes addresses without a domain where nobody here knows which one
// they are given.
func (w *Way) origin() {
	r := &w.e.rewriting
	if r.openOrigin == (place{}) {
		return
	}
	for _, a := range w.written {
		if a != "" && !strings.Contains(a, "@") {
			w.depends("myorigin", r.openOrigin, a, "no domain")
		}
	}
}

func buildRewriting(s Settings) rewriting {
	r := rewriting{
		bang: s.Yes("swap_bangpath"), percent: s.Yes("allow_percent_hack"),
		dequoted: s.Yes("resolve_dequoted_address"), nullDomain: s.Yes("resolve_null_domain"), numeric: s.Yes("resolve_numeric_domain"),
		utf8: s.Yes("smtputf8_enable"), host: s.Value("myhostname"), emptyAddress: s.Value("empty_address_recipient"),
	}
	if s.Yes("append_at_myorigin") {
		r.origin = s.Value("myorigin")
	}
	if s.Yes("append_dot_mydomain") {
		r.domain = s.Value("mydomain")
	}
	return r
}

// plain reports whether canonical has nothing to do.
func (r *rewriting) plain(a string) bool {
	at := strings.LastIndexByte(a, '@')
	if at <= 0 || at == len(a)-1 || a[0] == '"' || a[0] == '@' || a[len(a)-1] == '.' || a[at+1] == '.' {
		return false
	}
	for i := range at {
		if c := a[i]; c <= ' ' || c == '"' || c == '\\' || c == '(' || c == ')' || c == '.' && (i == 0 || a[i+1] == '.' || a[i+1] == '@') ||
			c == '<' || c == '>' || c == '@' || c == ',' || c == ':' ||
			c == ';' || c == '[' || c == ']' {
			return false
		}
	}
	for i := at + 1; i < len(a); i++ {
		if c := a[i]; c <= ' ' || c == '"' || c == '\\' || c == '(' {
			return false
		}
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
	if address = r.external(quoteLocal(unquoteLocal(address))); address == `""` {
		return ""
	}
	return address
}

// external is the form that trivial-rewrite(8) gives an address, as it is
// written.
func (r *rewriting) external(address string) string {
	if address == "" {
		return ""
	}
	return quoteLocal(internal(r.standard(scanTokens(address, 0))))
}

// standard is external for an address's tokens.
func (r *rewriting) standard(t []token) []token {
	if len(t) == 0 {
		return t
	}
	if len(t) == 1 && t[0].kind == '@' {
		return []token{{kind: quotedToken}}
	}
	if colon := indexToken(t, ':'); t[0].kind == '@' && colon >= 0 && colon != len(t)-1 {
		t = t[colon+1:]
	}
	at := token{kind: '@'}
	if lastToken(t, '@') < 0 && !nullToken(t) {
		if i := indexToken(t, '!'); r.bang && i >= 0 {
			t = slices.Concat(t[i+1:], []token{at}, t[:i])
		} else if i := lastToken(t, '%'); r.percent && i >= 0 {
			t[i] = at
		} else if r.origin != "" {
			t = append(append(t, at), scanTokens(r.origin, 0)...)
		}
	}
	if i := lastToken(t, '@'); r.domain != "" && i >= 0 && i != len(t)-1 && indexToken(t[i:], literalToken) < 0 && indexToken(t[i:], '.') < 0 {
		t = append(append(t, token{kind: '.'}), scanTokens(r.domain, 0)...)
	}
	if n := len(t); n > 1 && t[n-1].kind == '.' && t[n-2].kind != '.' && t[n-2].kind != '@' {
		t = t[:n-1]
	}
	return t
}

// nullToken reports whether an address is an empty quoted string.
func nullToken(t []token) bool { return len(t) == 1 && t[0].kind == quotedToken && t[0].text == "" }

// written is canonical for what a client wrote.
func (r *rewriting) written(address string) string {
	if address == "" || r.plain(address) {
		return address
	}
	address, _ = extract(address)
	return r.canonical(address)
}

// extract reads an address as smtpd(8) and sendmail(1) read what a client wrote:
// without a source route, with spaces and comments taken out. It reports false
// where there is more than one, or none.
func extract(written string) (address string, ok bool) {
	text := written
	if strings.HasPrefix(text, "<") != strings.HasSuffix(text, ">") && strings.HasPrefix(text, "<") {
		return text, false // no end
	}
	if i := strings.IndexByte(text, ':'); i >= 0 && text[0] == '@' {
		text = text[i+1:]
	}
	n := 0
	for _, t := range parseAddresses(text) {
		if t.kind == addressToken {
			if n == 0 {
				address = quoteLocal(internal(t.parts))
			}
			n++
		}
	}
	return address, n == 1
}

// commented reports whether an address has more around it, which
// strict_rfc821_envelopes doesn't allow.
func commented(written string) bool {
	for _, t := range parseAddresses(written) {
		if t.kind != addressToken {
			return true
		}
	}
	return false
}

// unroute strips local domains from an address while what is left of it names
// another one (user%remote@here, remote!user@here), as trivial-rewrite(8) does
// before it looks for a route. An address without a domain gets myhostname. It
// reports false where the domain that is left can't be one.
func (e *Instance) unroute(to string) (string, bool) {
	r := &e.rewriting
	if i := strings.LastIndexByte(to, '@'); i >= 0 && !r.numeric && r.plain(to) && !e.router.isLocal(fold(to[i+1:])) {
		return to, r.validDomain(to[i+1:])
	}
	t := scanTokens(quoteLocal(unquoteLocal(to)), 0)
	var saved []token
	local := false
	for range len(to) + 100 {
		if n := len(t); n > 1 && t[n-1].kind == '.' && lastToken(t, '@') >= 0 && t[n-2].kind != '.' && t[n-2].kind != '@' {
			t = t[:n-1]
		}
		if n := len(t); r.nullDomain && n > 0 && t[n-1].kind == '@' {
			t = t[:n-1]
		}
		if i := lastToken(t, '@'); i >= 0 {
			if i+1 < len(t) && !e.router.isLocal(fold(internal(t[i+1:]))) {
				break
			}
			t, saved = t[:i:i], t[i:]
		}
		if lastToken(t, '@') >= 0 || r.bang && lastToken(t, '!') >= 0 || r.percent && lastToken(t, '%') >= 0 {
			t = r.standard(t)
			continue
		}
		if r.dequoted && len(t) == 1 && t[0].kind == quotedToken {
			text := t[0].text
			i := strings.LastIndexByte(text, '@')
			if i < 0 && r.percent {
				if i = strings.LastIndexByte(text, '%'); i >= 0 {
					text = text[:i] + "@" + text[i+1:]
				}
			}
			if i >= 0 {
				text = quoteLocal(text)
			} else if r.bang {
				i = strings.LastIndexByte(text, '!')
			}
			if i >= 0 {
				t = r.standard(scanTokens(text, 0))
				continue
			}
		}
		if nullToken(t) {
			t = nil
		}
		if len(t) == 0 {
			if t = scanTokens(r.emptyAddress, 0); len(t) == 0 {
				break
			}
			continue
		}
		if saved == nil {
			t = append(append(t, token{kind: '@'}), scanTokens(r.host, 0)...)
			continue
		}
		local = true
		break
	}
	if local {
		t = append(t, saved...)
	}
	to = internal(t)
	domain := domainOf(to)
	if addr, err := netip.ParseAddr(domain); err == nil && r.numeric {
		to = strings.TrimSuffix(to, domain) + "[" + addr.String() + "]"
		domain = domainOf(to)
	}
	return quoteLocal(to), r.validDomain(domain)
}

// validDomain is valid_hostname(3) of Postfix, or an address in brackets.
func (r *rewriting) validDomain(domain string) bool {
	if strings.HasPrefix(domain, "[") {
		return validLiteral(domain)
	}
	if beyondASCII(domain) {
		if !r.utf8 {
			return false
		}
		domain = asciiHost(domain)
	}
	if len(domain) > 255 {
		return false
	}
	numeric := true
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			switch c := label[i]; {
			case c >= '0' && c <= '9':
			case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == '-':
				numeric = false
			default:
				return false
			}
		}
	}
	return !numeric
}

// validLiteral reports whether a domain is an address in brackets.
func validLiteral(domain string) bool {
	_, ok := literalAddr(domain)
	return ok
}

func literalAddr(domain string) (netip.Addr, bool) {
	inner, ok := strings.CutPrefix(domain, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if !ok || !closed {
		return netip.Addr{}, false
	}
	if len(inner) > 5 && strings.EqualFold(inner[:5], "ipv6:") {
		a, err := netip.ParseAddr(inner[5:])
		return a, err == nil && a.Is6()
	}
	a, err := netip.ParseAddr(inner)
	return a, err == nil && a.Is4()
}

// isLocal reports whether a domain, in lower case, is of mydestination, or an
// address of this server in brackets.
func (r *router) isLocal(domain string) bool {
	if strings.HasPrefix(domain, "[") {
		if a, ok := literalAddr(domain); ok && slices.Contains(r.own, a) {
			return true
		}
	}
	return r.local.Has(domain)
}

// reachable is unroute for addresses that may be empty.
func (e *Instance) reachable(address string) string {
	if address == "" {
		return ""
	}
	address, _ = e.unroute(address)
	return address
}

// routed reports whether an address has routing operators left in its local
// part, with which another host might relay (RESOLVE_FLAG_ROUTED).
func routed(to string) bool {
	to = unquoteLocal(to)
	i := strings.IndexAny(to, "@!%")
	return i >= 0 && i != strings.LastIndexByte(to, '@')
}

// wellFormed is smtpd(8)'s look at the syntax of the envelope. It reports false
// for what it refuses.
func (s *session) wellFormed() bool {
	w := s.w
	for i, what := range [2]struct{ code, name string }{{"5.1.7", "sender"}, {"5.1.3", "recipient"}} {
		address, written := w.m.From, w.written[0]
		if i == 1 {
			address, written = w.m.To, w.written[1]
		}
		if i == 0 && written == "" {
			continue
		}
		ok := w.e.rewriting.plain(written)
		if !ok {
			_, ok = extract(written)
			ok = ok && (!s.l.rules.strict || !commented(written))
		}
		if ok && address != "" {
			var to string
			to, ok = w.e.unroute(address)
			ok = ok && (w.m.SMTPUTF8 || !beyondASCII(domainOf(to)))
		}
		if !ok {
			s.code, s.text = "501", what.code+" Bad "+what.name+" address syntax"
			w.step("smtpd", "", s.l.at, written, "rejected with 501")
			return false
		}
		if !s.declared(written) {
			return false
		}
	}
	return true
}
