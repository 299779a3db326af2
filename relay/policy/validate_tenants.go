package policy

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/fault"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// tenants returns the hosted domains, as A-labels, with their paths.
func (v *validator) tenants(p Policy) map[string]string {
	hosted := map[string]string{}
	names := map[string]int{}
	if len(p.Tenants) == 0 {
		v.errs.Required("Tenants", "at least one, with its domains")
	}
	for i, t := range p.Tenants {
		at := paths.Index("Tenants", i)
		if t.Name == "" {
			v.errs.Required(at+".Name", "a name for the tenant")
		} else if v.text(at+".Name", t.Name) {
			if j, dup := names[t.Name]; dup {
				v.errs.Add(at+".Name", ErrDuplicate, "choose another", "%q is Tenants[%d] already", t.Name, j)
			}
			names[t.Name] = i
		}
		if len(t.Domains) == 0 {
			v.errs.Required(at+".Domains", "the domains hosted for the tenant")
		}
		own := map[string]bool{}
		for j, d := range t.Domains {
			if ascii, ok := v.domain(paths.Index(at+".Domains", j), d, hosted, p); ok {
				own[ascii] = true
			}
		}
		v.scope(at+".Scope", t.Scope, own)
		switch {
		case p.Topology == TopologyStore && t.Store == "":
			v.errs.Required(at+".Store", "the host that has the tenant's mailboxes, such as [store.example.com]:25")
		case p.Topology == TopologyOutbound && t.Store != "":
			v.errs.Add(at+".Store", ErrConflict, "leave it out", "topology \"outbound\" has no hosted recipients")
		case t.Store != "":
			v.nextHop(at+".Store", t.Store, p)
		}
	}
	return hosted
}

func (v *validator) domain(at, d string, seen map[string]string, p Policy) (string, bool) {
	ascii, err := headers.ASCIIDomain(d)
	if err == nil && !strings.Contains(ascii, ".") {
		v.errs.Add(at, ErrInvalid, "write the whole domain", "%q has one label only", d)
		return "", false
	}
	if err != nil {
		v.errs.Add(at, ErrInvalid, "write a domain such as example.com", "%v", fault.Cause(err))
		return "", false
	}
	if other, dup := seen[ascii]; dup {
		v.errs.Add(at, ErrDuplicate, "remove one", "%s is %s already", ascii, p.named(other))
		return "", false
	}
	seen[ascii] = at
	for _, g := range p.Gateways() {
		for _, h := range g.SmartHost.Hosts() {
			if host, err := headers.ASCIIDomain(h.Host); err == nil && (host == ascii || strings.HasSuffix(host, "."+ascii)) {
				v.errs.Add(at, ErrConflict, "remove it", "%s is the gateway's own domain", ascii)
				return "", false
			}
		}
	}
	return ascii, true
}

func (v *validator) scope(at string, s Scope, own map[string]bool) {
	in := make(map[string]int, len(s.Domains)+len(s.Senders)) // what Use selects: domains, or addresses
	switch s.Use {
	case ScopeAll:
		for d := range own {
			in[d] = 0
		}
	case ScopeDomains:
		if len(s.Domains) == 0 {
			v.errs.Required(at+".Domains", `the domains in scope, or Use "none"`)
		}
	case ScopeSenders:
		if len(s.Senders) == 0 {
			v.errs.Required(at+".Senders", `the senders in scope, or Use "none"`)
		}
	case ScopeNone:
	case "":
		v.errs.Required(at+".Use", `"all", "domains", "senders" or "none"`)
	default:
		v.errs.Add(at+".Use", ErrInvalid, `"all", "domains", "senders" or "none"`, "%q", s.Use)
	}
	if s.Use != ScopeDomains && len(s.Domains) > 0 {
		v.errs.Add(at+".Domains", ErrConflict, `leave it out, or set Use to "domains"`, "Use is %q", s.Use)
	}
	if s.Use != ScopeSenders && len(s.Senders) > 0 {
		v.errs.Add(at+".Senders", ErrConflict, `leave it out, or set Use to "senders"`, "Use is %q", s.Use)
	}
	if s.Use == ScopeDomains {
		for i, d := range s.Domains {
			v.member(at+".Domains", i, d, own, in, false)
		}
	}
	if s.Use == ScopeSenders {
		for i, a := range s.Senders {
			v.member(at+".Senders", i, a, own, in, true)
		}
	}
	out := make(map[string]int, len(s.Except))
	domains := make(map[string]bool) // of the senders in scope
	if len(s.Except) > 0 {
		for a := range in {
			if _, domain := mailaddr.Split(a); domain != "" {
				domains[domain] = true
			}
		}
	}
	for i, e := range s.Except {
		v.except(at+".Except", i, e, in, domains, out)
	}
}

// member checks a domain or sender of a scope: hosted by the tenant, and once.
func (v *validator) member(list string, i int, s string, own map[string]bool, in map[string]int, sender bool) {
	key, domain := "", ""
	var err error
	if sender {
		key, err = mailaddr.Check(s)
		_, domain = mailaddr.Split(key)
	} else {
		key, err = headers.ASCIIDomain(s)
		domain = key
	}
	if err != nil {
		v.errs.Add(paths.Index(list, i), ErrInvalid, "write a domain or an address of the tenant", "%v", fault.Cause(err))
		return
	}
	if other, dup := in[key]; dup {
		v.errs.Add(paths.Index(list, i), ErrDuplicate, "remove one", "%s is %s already", key, paths.Index(list, other))
		return
	}
	if !own[domain] {
		v.errs.Add(paths.Index(list, i), ErrConflict, "add it to the tenant's Domains, or remove it here",
			"%s is not a domain of the tenant; foreign senders are never in scope", domain)
		return
	}
	in[key] = i
}

// except checks an exception: it takes out something that is in scope, and once.
func (v *validator) except(list string, i int, s string, in map[string]int, domains map[string]bool, out map[string]int) {
	isAddress := strings.Contains(s, "@")
	var key string
	var err error
	if isAddress {
		key, err = mailaddr.Check(s)
	} else {
		key, err = headers.ASCIIDomain(s)
	}
	if err != nil {
		v.errs.Add(paths.Index(list, i), ErrInvalid, "a domain or a sender", "%v", fault.Cause(err))
		return
	}
	if other, dup := out[key]; dup {
		v.errs.Add(paths.Index(list, i), ErrDuplicate, "remove one", "%s is %s already", key, paths.Index(list, other))
		return
	}
	out[key] = i
	_, removes := in[key]
	if isAddress && !removes {
		_, domain := mailaddr.Split(key)
		_, removes = in[domain]
		if _, gone := out[domain]; gone {
			removes = false
		}
	} else if !isAddress && !removes {
		removes = domains[key]
	}
	if !removes {
		v.errs.Add(paths.Index(list, i), ErrConflict, "remove it", "%s is not in scope, so the exception takes out nothing", key)
	}
}

func (v *validator) direct(p Policy, hosted map[string]string) {
	seen := map[string]string{}
	for i, d := range p.Direct {
		at := paths.Index("Direct", i)
		ascii, err := headers.ASCIIDomain(d)
		if err != nil {
			v.errs.Add(at, ErrInvalid, "write a domain such as example.com", "%v", fault.Cause(err))
			continue
		}
		if other, dup := seen[ascii]; dup {
			v.errs.Add(at, ErrDuplicate, "remove one", "%s is %s already", ascii, other)
		}
		seen[ascii] = at
		if h, ok := hosted[ascii]; ok {
			v.errs.Add(at, ErrConflict, "remove it", "%s is hosted (%s), so no mail for it leaves", ascii, p.named(h))
		}
	}
}
