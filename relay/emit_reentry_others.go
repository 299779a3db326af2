package relay

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// Mail of other servers comes in at the policy's listeners of RoleReEntry: what
// their Dovecot sends there (submission_host), and what their Postfix relays,
// which may have the gateway's markers and keeps them. Pigeonhole begins all that
// it sends with X-Sieve, above whatever a script says; a server that it passes
// puts its fields above that one. So mail with this field is sorted as this
// server's is (emit_reentry.go), and other mail is left alone.
//
// Mail of the gateway's that went through a Sieve before it came here has the field
// too, lower. It keeps its markers where one of them stands above the message's own
// fields; else it is taken for generated, since header checks see one line at a
// time and not what stood above it (COEXISTENCE.md).

// checkOthers refuses what can't be combined with the sorting.
func (c checker) checkOthers() {
	c.checkReach()
	filter, whose := c.sortedFilter()
	for _, i := range derived.ReEntries(c.policy) {
		l := c.policy.Listeners[i]
		name, kind := l.Split()
		sv, ok := c.master.Lookup(name, kind)
		if !ok || sv.Command != "smtpd" {
			continue // checkServices says so
		}
		s := c.base.service(sv)
		if have := s.get("content_filter"); have != filter {
			c.errs.Add(paths.Index("Listeners", i), ErrConflict,
				"give both the same with -o content_filter in master.cf, or "+l.Service+" the role \"internal\"",
				"content_filter is %q for %s and %q for %s: what Sieve sends is filtered behind the sorting, which is one for all", have, l.Service,
				filter, whose)
		}
		words := list(s.get("receive_override_options"))
		by := c.cleanedBy(sv)
		milters := ""
		if !slices.Contains(words, "no_milters") {
			milters = s.get("smtpd_milters") + s.get("smtpd_milter_maps")
		}
		c.checkSorted(by, milters, l.Service, "mail of other servers' Sieve comes in at "+l.Service)
		c.checkKept(by, l.Service, l.Service)
	}
}

// checkReach refuses a listener that believes markers and takes mail for hosted
// recipients from anybody.
func (c checker) checkReach() {
	if c.policy.Topology == TopologyOutbound {
		return // there are none, and strangers relay nothing
	}
	for i, l := range c.policy.Listeners {
		name, kind := l.Split()
		sv, ok := c.master.Lookup(name, kind)
		a, known := l.Bound()
		if l.Role != RoleReEntry && l.Role != RoleReinjection || !ok || known && a.Addr().IsLoopback() || c.refusesStrangers(c.base.service(sv)) {
			continue
		}
		c.errs.Add(paths.Index("Listeners", i), ErrConflict,
			"bind it to loopback, or give it -o smtpd_client_restrictions=permit_mynetworks,reject and, since smtpd(8) asks nothing about "+
				"the recipient \"postmaster\", -o smtpd_data_restrictions=permit_mynetworks,reject in master.cf; "+
				"or, where strangers shall send there, the role \"internal\"",
			"%s takes mail for hosted recipients, or for \"postmaster\" without a domain, from anybody who reaches it, with markers that count",
			l.Service)
	}
}

// refusesStrangers reports whether a listener takes mail from nobody but clients
// that it knows by address, certificate or login. What it asks at RCPT it doesn't
// ask about the recipient "postmaster" (smtpd(8)): that is known to DATA and later,
// or before, without smtpd_delay_reject.
func (c *site) refusesStrangers(s settings) bool {
	if nets, _ := c.conf.Networks(s.Settings); slices.ContainsFunc(nets, func(n netip.Prefix) bool { return n.Bits() == 0 }) {
		return false
	}
	refuses := func(list string) bool {
		rules, err := postfix.ParseRestrictions(s.get(list))
		if err != nil {
			return false
		}
		for _, r := range rules {
			switch name := strings.ToLower(r.Name); {
			case name == "reject" || name == "defer":
				return true
			case identities[name] || name == "check_client_access" || name == "check_ccert_access" || name == "check_sasl_access":
			case strings.HasPrefix(name, "reject_") || strings.HasPrefix(name, "defer_"):
			default:
				return false // it may permit anybody
			}
		}
		return false
	}
	if s.get("smtpd_delay_reject") == "no" && refuses(accessLists[0]) {
		return true
	}
	return slices.ContainsFunc(accessLists[:5], refuses) && slices.ContainsFunc(accessLists[5:7], refuses)
}

// checkKept judges what the installation's own checks of a listener say of the
// fields by which what Sieve sends is known: they don't see these any more. whose
// checks they are.
func (c checker) checkKept(by cleanedBy, whose, listener string) {
	if by.off {
		return
	}
	checks := c.conf.HeaderChecks(c.cleanupSettings(by.service).get("header_checks"))
	for _, f := range []headers.Field{
		{Name: []byte(xSieve), Body: []byte(" Pigeonhole Sieve 0.5.19 (4eae2f79)")},
		{Name: []byte(redirectedFrom), Body: []byte(" user@example.com")},
	} {
		for i := range checks {
			hit, ok := checks[i].Checks.Lookup(f)
			if !ok {
				continue
			}
			at := place{checks[i].File, checks[i].Above + hit.Line}.String()
			switch hit.Action.(type) {
			case postfix.Ignore, postfix.Strip, postfix.Replace:
				c.warn(at, "%s stays on mail that comes in at %s, where what Sieve sends is known by it; to hide it from others use smtp_header_checks",
					f.Name, listener)
			case postfix.Reject, postfix.Discard, postfix.Hold, postfix.Prepend, postfix.BCC:
				if key := at + " " + listener; !c.told[key] {
					c.told[key] = true
					c.errs.Add(strings.TrimPrefix(at, "postfix/"), ErrConflict,
						"give "+whose+" a cleanup service of its own with -o cleanup_service_name, whose header_checks leave "+
							xSieve+" and "+redirectedFrom+" alone",
						"the rule is about %s, by which what Sieve sends to %s is known and sorted: it would not be applied there", f.Name, listener)
				}
			default: // nothing is done, or checkActions refuses it
			}
			break
		}
	}
}
