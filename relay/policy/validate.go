package policy

import (
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/fault"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/condition"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
	"github.com/oxmailroute/oxmailroute/relay/internal/release"
	"github.com/oxmailroute/oxmailroute/sieve/mailfilter"
)

// Validate reports everything that is wrong with the policy itself, as
// [Errors]: each with its path, a sentinel and the fix. What contradicts an
// installation is reported by [Compile].
func (p Policy) Validate() error {
	v := &validator{}
	v.gateway("Gateway", p.Gateway, p)
	v.server("Server", p)
	v.topology(p)
	v.further(p)
	hosted := v.tenants(p)
	v.direct(p, hosted)
	v.inbound(p)
	v.firewall(p)
	v.balancer(p)
	v.listeners(p)
	v.loop(p)
	v.calendar(p.Calendar)
	v.spam(p)
	v.sieve(p)
	v.addresses(p, hosted)
	for _, e := range v.errs {
		e.Tenant = p.tenantAt(e.Path)
	}
	return v.errs.Err()
}

type validator struct{ errs Errors }

// text refuses what could end a line of the file that the value goes to.
func (v *validator) text(path, s string) bool {
	if i := strings.IndexFunc(s, unicode.IsControl); i >= 0 {
		v.errs.Add(path, ErrInvalid, "remove it", "%q has a control character at octet %d", s, i)
		return false
	}
	return true
}

// host wants a host name, not an address literal.
func (v *validator) host(path, s, fix string) {
	if s == "" {
		v.errs.Required(path, fix)
		return
	}
	if strings.Contains(s, "@") { // a login in front of it is not repeated
		v.errs.Add(path, ErrInvalid, fix, "a name has no \"@\"")
		return
	}
	if _, err := netip.ParseAddr(s); err == nil {
		v.errs.Add(path, ErrInvalid, fix, "%q is an address, not a name", s)
		return
	}
	if _, err := headers.ASCIIDomain(s); err != nil {
		v.errs.Wrap(path, err, fix)
	} else if !strings.Contains(s, ".") {
		v.errs.Add(path, ErrInvalid, fix, "%q is not fully qualified", s)
	}
}

// file wants an absolute path that every configuration language takes as it is.
func (v *validator) file(name, s, fix string) {
	switch {
	case s == "":
		v.errs.Required(name, fix)
	case !path.IsAbs(s):
		v.errs.Add(name, ErrInvalid, "give the path from /", "%q is not absolute", s)
	case !safePath.MatchString(s):
		v.errs.Add(name, ErrInvalid, "use letters, digits and /._+@-", "%q has a character that a configuration file reads differently", s)
	case path.Clean(s) != s:
		v.errs.Add(name, ErrInvalid, "write "+path.Clean(s), "%q is not in its shortest form", s)
	}
}

var (
	safePath = regexp.MustCompile(`^[A-Za-z0-9/._+@-]+$`)
	// The name goes into a regular expression over the Received: line that
	// smtpd(8) writes, where quotes and parentheses delimit it.
	commonName = regexp.MustCompile(`^[A-Za-z0-9*][A-Za-z0-9 ._*-]*$`)
)

func (v *validator) server(at string, p Policy) {
	s := p.Server
	if s.Hostname != "" {
		v.host(at+".Hostname", s.Hostname, "the server's own host name")
	}
	if s.Postfix != "" { // else the installation says it
		release.Postfix.Read(&v.errs, at+".Postfix", s.Postfix)
	}
	if s.Dovecot != "" {
		release.Dovecot.Read(&v.errs, at+".Dovecot", s.Dovecot)
	}
	for _, f := range []struct{ name, value string }{
		{"ConfigDirectory", s.ConfigDirectory}, {"CertFile", s.CertFile}, {"KeyFile", s.KeyFile},
	} {
		if f.value != "" {
			v.file(at+"."+f.name, f.value, "")
		}
	}
	v.networks(at+".Networks", s.Networks, "the networks of your own servers and users, who may relay")
	ports := map[netip.AddrPort]string{}
	type own struct {
		path string
		addr netip.AddrPort
	}
	listeners := []own{{at + ".SecondPass", p.SecondPass()}, {at + ".ReEntry", p.ReEntry()}, {at + ".Strip", p.Strip()},
		{at + ".Sorting", p.Sorting()}, {at + ".Generated", p.Generated()}}
	for i := range p.Further {
		listeners = append(listeners, own{paths.Gateway(i+1) + ".SecondPass", p.View(i + 1).SecondPass()})
	}
	for _, l := range listeners {
		if l.addr.Port() == 0 || l.addr.Addr() != netip.AddrFrom4([4]byte{127, 0, 0, 1}) {
			v.errs.Add(l.path, ErrInvalid, "a port of 127.0.0.1, such as 127.0.0.1:10030", "%s is not one", l.addr)
		} else if other, dup := ports[l.addr]; dup {
			v.errs.Add(l.path, ErrDuplicate, "use another port", "%s is %s already", l.addr, other)
		}
		ports[l.addr] = l.path
	}
}

func (v *validator) topology(p Policy) {
	switch p.Topology {
	case TopologyMailboxes, TopologyStore, TopologyOutbound:
	case "":
		v.errs.Required("Topology", `"mailboxes", "store" or "outbound"`)
	default:
		v.errs.Add("Topology", ErrInvalid, `"mailboxes", "store" or "outbound"`, "%q", p.Topology)
	}
	if p.DirectVia != "" {
		v.nextHop("DirectVia", p.DirectVia, p)
	}
}

// nextHop wants host, [host], host:port or [host]:port of smtp(8).
func (v *validator) nextHop(at, s string, p Policy) {
	if strings.Contains(s, "@") { // a login in front of it is not repeated
		v.errs.Add(at, ErrInvalid, "a next hop such as [relay.example.net]:25", "a next hop has no \"@\"")
		return
	}
	hop, err := postfix.ParseNextHop("smtp:" + s)
	if err != nil || hop.Host == "" || strings.ContainsAny(s, " \t,{}$\"'") {
		v.errs.Add(at, ErrInvalid, "a next hop such as [relay.example.net]:25", "%q", s)
		return
	}
	v.text(at, s)
	if mailaddr.BeyondASCII(mailaddr.AsciiHop(s)) {
		v.errs.Add(at, ErrInvalid, "a next hop such as [relay.example.net]:25", "%q is not a host's name", hop.Host)
		return
	}
	if p.isGateway(hop.Host) {
		v.errs.Add(at, ErrConflict, "name another host", "%s is the gateway: the mail would loop", hop.Host)
	}
}

func (v *validator) inbound(p Policy) {
	v.returnFlow(p)
	if p.Topology == TopologyOutbound {
		if p.Inbound.Shared {
			v.errs.Add("Inbound.Shared", ErrConflict, "remove it", "nothing comes in from the gateway in topology \"outbound\"")
		}
		return
	}
	v.host("Inbound.Host", p.Inbound.Host, "the name entered in the gateway's assistant, such as mx-internal.example.com")
	if host, err := headers.ASCIIDomain(p.Inbound.Host); err == nil {
		for _, h := range p.Gateway.SmartHost.Hosts() {
			if smart, err := headers.ASCIIDomain(h.Host); err == nil && host == smart {
				v.errs.Add("Inbound.Host", ErrConflict, "the name of this server", "%q is the gateway itself: mail would loop", p.Inbound.Host)
			}
		}
	}
	v.stranded(p)
}

func (v *validator) listeners(p Policy) {
	seen := map[string]int{}
	gateways := map[int]bool{}
	for i, l := range p.Listeners {
		at := paths.Index("Listeners", i)
		name, kind := l.Split()
		switch {
		case l.Service == "":
			v.errs.Required(at+".Service", "the first column of master.cf")
		case !serviceName.MatchString(name) || kind != "inet" && kind != "pass":
			v.errs.Add(at+".Service", ErrInvalid, `as in master.cf, such as "smtp", "127.0.0.1:587" or "smtpd/pass"`, "%q", l.Service)
		default:
			if j, dup := seen[name+"/"+kind]; dup {
				v.errs.Add(at+".Service", ErrDuplicate, "remove one", "%s is Listeners[%d] already", l.Service, j)
			}
			seen[name+"/"+kind] = i
		}
		switch l.Role {
		case RoleGateway:
			if g, ok := p.GatewayNamed(l.Gateway); ok {
				if gateways[g] {
					v.errs.Add(at+".Role", ErrDuplicate, "one listener for the gateway", "%s has a listener already", paths.Gateway(g))
				}
				gateways[g] = true
			}
			if p.Topology == TopologyOutbound {
				v.errs.Add(at+".Role", ErrConflict, `use topology "mailboxes" or "store"`, "topology \"outbound\" receives nothing from the gateway")
			}
		case RoleSubmission, RoleInternal, RoleReEntry, RoleReinjection:
		case "":
			v.errs.Required(at+".Role", `"gateway", "submission", "internal", "reentry" or "reinjection"`)
		default:
			v.errs.Add(at+".Role", ErrInvalid, `"gateway", "submission", "internal", "reentry" or "reinjection"`, "%q", l.Role)
		}
	}
	if p.Topology != TopologyMailboxes && p.Topology != TopologyStore {
		return
	}
	for i, g := range p.Gateways() {
		switch {
		case gateways[i]:
		case i == 0:
			v.errs.Required("Listeners", "one listener with role \"gateway\"")
		default:
			v.errs.Required("Listeners", "one listener with role \"gateway\" and Gateway \""+g.Name+"\"")
		}
	}
}

var serviceName = regexp.MustCompile(`^[A-Za-z0-9.:\[\]_-]+$`)

// Split returns the service's name and type.
func (l Listener) Split() (name, kind string) {
	if name, kind, ok := strings.Cut(l.Service, "/"); ok {
		return name, kind
	}
	return l.Service, "inet"
}

func (v *validator) loop(p Policy) {
	l := p.Loop
	if l.AnyDomain && !slices.ContainsFunc(p.Gateways(), func(g Gateway) bool { return g.Markers.Domain.Prefix != "" }) {
		v.errs.Add("Loop.AnyDomain", ErrConflict, "remove it", "the gateway has no marker that is named after a domain")
	}
	if l.OriginHeader == "" {
		return
	}
	if l.NoOrigin {
		v.errs.Add("Loop.OriginHeader", ErrConflict, "remove one of the two", "NoOrigin is set")
	}
	v.condition("Loop", headers.When(headers.Exists{Name: l.OriginHeader}))
	if other := commonHeader(condition.Reserved{Prefix: l.OriginHeader, Exact: true}); other != "" {
		v.errs.Add("Loop.OriginHeader", ErrInvalid, "choose a name that nobody uses", "%s is everybody's", other)
	}
	for _, r := range p.reservedPrefixes() {
		if !strings.EqualFold(r.Prefix, l.OriginHeader) && len(l.OriginHeader) >= len(r.Prefix) &&
			strings.EqualFold(l.OriginHeader[:len(r.Prefix)], r.Prefix) {
			v.errs.Add("Loop.OriginHeader", ErrConflict, "choose another name", "the gateway may set %s too (%s)", l.OriginHeader, r.Path)
		}
	}
}

func (v *validator) calendar(c Calendar) {
	if c.Off && (c.ICS || c.RequireMethod) {
		v.errs.Add("Calendar.Off", ErrConflict, "remove the others, or Off", "ICS and RequireMethod say something, Off nothing")
	}
}

func (v *validator) spam(p Policy) {
	s := p.Spam
	if p.Topology == TopologyOutbound {
		if s != (Spam{}) {
			v.errs.Add("Spam", ErrConflict, "remove it", "no mail is delivered in topology \"outbound\"")
		}
		return
	}
	hasMarker := slices.ContainsFunc(p.Gateways(), func(g Gateway) bool { return g.Markers.Spam.Predicate != nil })
	switch {
	case hasMarker && s.Folder == "" && !s.Mark:
		v.errs.Required("Spam", "a Folder for flagged mail, or Mark, or both")
	case !hasMarker && s != (Spam{}):
		v.errs.Add("Spam", ErrConflict, "set Gateway.Markers.Spam, or remove it", "the gateway has no spam marker")
	}
	if s.Folder == "" && s.Create {
		v.errs.Required("Spam.Folder", "the folder to create")
	}
	if p.Topology == TopologyStore && s.Folder != "" {
		v.errs.Add("Spam.Folder", ErrConflict, "set it in the policy of the host that has the mailboxes",
			"mailboxes are on another host in topology \"store\"")
	}
	v.text("Spam.Folder", s.Folder)
	if s.Create && p.Sieve.Form == SievePerMailbox {
		v.errs.Add("Spam.Create", headers.ErrNotExpressible, "remove it, or use the global or the tenants' form",
			"OX shows a rule with :create as broken, so a mailbox's own script can't have it")
	}
}

func (v *validator) sieve(p Policy) {
	s := p.Sieve
	switch s.Form {
	case "", SieveGlobal, SievePerTenant, SievePerMailbox:
	default:
		v.errs.Add("Sieve.Form", ErrInvalid, `"global", "tenant" or "mailbox"`, "%q", s.Form)
	}
	if _, err := mailfilter.ParseGeneration(string(s.OX)); err != nil {
		v.errs.Add("Sieve.OX", ErrInvalid, `"older" or "8", or leave it out for every one`, "%q", s.OX)
	}
	if s.Directory != "" {
		v.file("Sieve.Directory", s.Directory, "")
	}
	if s.Slot < 0 || s.Slot > 999 {
		v.errs.Add("Sieve.Slot", ErrInvalid, "1 is sieve_before, 2 is sieve_before2", "%d", s.Slot)
	}
	if s.UserEditheader && p.Loop.AnyDomain {
		v.errs.Add("Sieve.UserEditheader", headers.ErrNotExpressible, "leave editheader off for users, or Loop.AnyDomain",
			"sieve_editheader_forbid_add takes names, and AnyDomain honours names without number")
	}
}

func (v *validator) addresses(p Policy, hosted map[string]string) {
	seen := map[string]string{}
	for i, m := range p.Mailboxes {
		at := paths.Index("Mailboxes", i)
		key, err := mailaddr.Check(m)
		if err != nil {
			v.errs.Add(at, ErrInvalid, "write an address such as user@example.com", "%v", err)
			continue
		}
		v.local(at, key, hosted, seen)
	}
	for i, a := range p.Aliases {
		at := paths.Index("Aliases", i)
		key, err := mailaddr.Check(a.Address)
		if domain, ok := strings.CutPrefix(a.Address, "@"); ok {
			if key, err = headers.ASCIIDomain(domain); err == nil {
				key = "@" + key
			}
		}
		if err != nil {
			v.errs.Add(at+".Address", ErrInvalid, "write an address such as user@example.com", "%v", fault.Cause(err))
		} else {
			v.local(at+".Address", key, hosted, seen)
		}
		if len(a.Members) == 0 {
			v.errs.Required(at+".Members", "the addresses that the alias stands for")
		}
		for j, m := range a.Members {
			if _, err := mailaddr.Check(m); err != nil {
				v.errs.Add(paths.Index(at+".Members", j), ErrInvalid, "write an address such as user@example.com", "%v", err)
			}
		}
	}
}

func (v *validator) local(at, key string, hosted map[string]string, seen map[string]string) {
	if other, dup := seen[key]; dup {
		v.errs.Add(at, ErrDuplicate, "remove one", "%s is %s already", key, other)
		return
	}
	seen[key] = at
	if _, domain := mailaddr.Split(key); hosted[domain] == "" {
		v.errs.Add(at, ErrConflict, "add the domain to a tenant, or remove the address", "%s is not hosted", domain)
	}
}
