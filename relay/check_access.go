package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/relay/internal/tables"
)

// accessLists are the parameters with restrictions of smtpd(8).
var accessLists = []string{
	"smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions", "smtpd_relay_restrictions",
	"smtpd_recipient_restrictions", "smtpd_data_restrictions", "smtpd_end_of_data_restrictions", "smtpd_etrn_restrictions",
}

// checkAccess refuses rows of access tables that send mail to the gateway past the
// check of its certificate, and on a shared listener those that FILTER or REDIRECT:
// the last FILTER counts, and the one that leads others' mail to the removal of
// markers would be lost.
func (c checker) checkAccess() {
	shared := map[string]bool{}
	if c.policy.Inbound.Shared {
		for _, l := range c.policy.Listeners {
			if l.Role == RoleGateway {
				name, kind := l.Split()
				shared[name+" "+kind] = true
			}
		}
	}
	sorted := map[string]bool{}
	for _, i := range derived.ReEntries(c.policy) {
		name, kind := c.policy.Listeners[i].Split()
		sorted[name+" "+kind] = true
	}
	seen := map[string]bool{}
	for _, sv := range c.master.Services() {
		if sv.Command != "smtpd" {
			continue
		}
		s := c.base.service(sv)
		for _, list := range accessLists {
			at := c.at(list)
			if _, set := sv.Option(list); set {
				at = place{"master.cf", sv.Line}.String()
			}
			a := accessCheck{c: c, s: s, list: list, at: at, shared: shared[sv.Name+" "+sv.Type], sorted: sorted[sv.Name+" "+sv.Type],
				seen: seen}
			a.restrictions(s.get(list), 0)
		}
	}
}

// accessCheck goes through one restriction list of a listener.
type accessCheck struct {
	c        checker
	s        settings
	list, at string
	shared   bool
	sorted   bool // what Sieve sends there is sorted
	seen     map[string]bool
}

func (a *accessCheck) restrictions(value string, depth int) {
	rules, err := postfix.ParseRestrictions(value)
	if err != nil || depth > mta.MaxClassDepth {
		return
	}
	classes := list(a.s.get("smtpd_restriction_classes"))
	for _, r := range rules {
		name := strings.ToLower(r.Name)
		what := strings.TrimSpace(r.Name + " " + r.Arg)
		switch {
		case slices.ContainsFunc(classes, func(n string) bool { return strings.EqualFold(n, r.Name) }):
			a.restrictions(a.s.get(r.Name), depth+1)
		case name == "check_policy_service":
			if a.shared && !a.c.tables.Vouched(what) {
				a.opaque(what)
			}
		case r.Arg != "" && (name == "" || strings.HasPrefix(name, "check_") && strings.HasSuffix(name, "_access")):
			a.table(r.Arg, what)
		}
	}
}

func (a *accessCheck) opaque(what string) {
	a.c.errs.Add(a.at, ErrConflict, readable+"; or "+ownListener,
		"%s: %s can't be read here; a FILTER or REDIRECT of it would lead others' mail past the removal of markers", a.list, what)
}

func (a *accessCheck) table(arg, what string) {
	specs, err := postfix.ParseMaps(arg)
	key := arg
	if a.shared {
		key += " shared"
	}
	if a.sorted {
		key += " sorted"
	}
	if err != nil || a.seen[key] {
		return
	}
	a.seen[key] = true
	for _, spec := range specs {
		results, opaque := a.c.tables.Results(spec, a.at)
		for _, r := range results {
			a.row(r)
		}
		if len(opaque) > 0 && a.shared {
			a.opaque(what)
		}
	}
}

// row judges the right-hand side of access(5).
func (a *accessCheck) row(r tables.Result) {
	verb, text := r.Text, ""
	if i := strings.IndexAny(verb, " \t"); i >= 0 {
		verb, text = verb[:i], strings.TrimLeft(verb[i:], " \t")
	}
	macro := func(text string) bool {
		return r.Pattern && strings.Contains(strings.ReplaceAll(text, "$$", ""), "$")
	}
	refuse := func(fix, format string, args ...any) {
		a.c.errs.Add(r.At, ErrConflict, fix, a.list+": "+format, args...)
	}
	upper := strings.ToUpper(verb)
	switch {
	case a.shared && macro(verb):
		refuse("write the action as text; or "+ownListener, "what is done hangs on the client's own words, by %q", r.Text)
	case a.shared && (upper == "FILTER" || upper == "REDIRECT"):
		refuse(ownListener, "%s on a shared listener would lead others' mail past the removal of markers", upper)
	case a.sorted && upper == "FILTER":
		refuse("set content_filter on the listener, or give it a table of its own",
			"FILTER is lost for what other servers' Sieve sends, which another one leads to be sorted")
	case upper == "FILTER":
		a.c.checkFilter(r.Text, macro(text), refuse)
	default:
		if _, known := postfix.ParseAccess(r.Text); !known {
			a.restrictions(r.Text, 1)
		}
	}
}
