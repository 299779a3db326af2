package relay

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// What Sieve sends comes in at one listener: redirected mail, which keeps its
// markers, and mail that Sieve makes (vacation, notify, reject, reports), which
// is its user's word and keeps none. Neither envelope nor any single field tells
// them apart, since vacation's :mime writes any field and notify nearly any. The
// order does: Pigeonhole begins a redirected message with X-Sieve and
// X-Sieve-Redirected-From, before all of the message, and one that it makes with
// X-Sieve, Message-ID and Date, before all that a script says.
//
//   - The re-entry listener treats mail as pickup(8) would: aliases, the
//     installation's checks, milters. What it refuses, Dovecot keeps. What has
//     X-Sieve its cleanup(8) leads to the sorting listener, other mail goes on.
//   - The sorting listener keeps what begins as a redirect, by PASS, and what has
//     got a marker since it went through a Sieve, above all that Sieve writes. It
//     leads everything else on, as soon as a field is seen that no redirect begins
//     with.
//   - The listener of what Sieve has made removes markers.
//
// Listeners of RoleReEntry, for other servers, do the same (emit_reentry_others.go).
// What Dovecot's delivery agents send of their own accord has no X-Sieve: notices
// that a message was rejected, by Sieve or for a full mailbox. Of the message
// they have, in their own header, the sender's address and the subject, cleaned
// (str_sanitize); the rest is in their body.
const (
	redirectedFrom = "X-Sieve-Redirected-From"
	xSieve         = "X-Sieve"
)

// beforeScript are the fields of which Pigeonhole writes one before anything
// that a script says; a message that has one before X-Sieve-Redirected-From is
// no redirect.
var beforeScript = []string{"Message-ID", "Date", "From", "To", "Subject", "Auto-Submitted"}

// reEntry adds the listener for this server's Dovecot.
func (c *masterWriter) reEntry() {
	a := c.policy.ReEntry()
	c.add(a.String(), "inet", "-", "smtpd", "re-entry for Dovecot (submission_host): what Sieve sends",
		slices.Concat([]postfix.Param{opt("syslog_name", "postfix/"+c.names.smartHost+"-reentry")}, c.asSubmitted(), c.inside(a.Addr()))...)
}

// sorters adds the listeners that tell redirects from what Sieve has made.
func (c *masterWriter) sorters() {
	n := c.names
	again := []postfix.Param{
		opt("receive_override_options", "no_unknown_recipient_checks", "no_address_mappings", "no_milters"),
		opt("message_size_limit", "0"),
	}
	var filter []postfix.Param
	if v, _ := c.sortedFilter(); v != c.base.get("content_filter") {
		filter = append(filter, opt("content_filter", v))
	}
	for _, l := range []struct {
		addr                        netip.AddrPort
		log, cleanup, note, comment string
		checks                      string
	}{
		{c.policy.Sorting(), "-sort", n.cleanupSort, "what is redirected keeps its markers; the rest goes on", "", n.sort},
		{c.policy.Generated(), "-sieve", n.cleanupGenerated, "what Sieve has made: markers are removed", "", n.strip},
	} {
		o := []postfix.Param{opt("syslog_name", "postfix/"+n.smartHost+l.log), opt("cleanup_service_name", l.cleanup)}
		c.add(l.addr.String(), "inet", "-", "smtpd", l.note, slices.Concat(o, filter, again, c.inside(l.addr.Addr()))...)
		c.add(l.cleanup, "unix", "0", "cleanup", l.comment, slices.Concat([]postfix.Param{
			opt("header_checks", c.regexpMap(l.checks)), opt("mime_header_checks"), opt("nested_header_checks"), opt("body_checks"),
			opt("message_size_limit", "0"),
		}, c.wholeHeaders())...)
	}
	c.loopbackTransport(n.sortGate, "what Sieve sends, from listener to listener")
}

// wholeHeaders keeps a short header_size_limit from cutting the names that are
// looked for.
func (c *site) wholeHeaders() []postfix.Param {
	const byDefault = 102400
	if limit, err := strconv.Atoi(c.base.get("header_size_limit")); c.base.Set("header_size_limit") && err == nil && limit < byDefault {
		return []postfix.Param{opt("header_size_limit", paths.Itoa(byDefault))}
	}
	return nil
}

// sortHop leads to one of these listeners.
func (c *site) sortHop(a netip.AddrPort) postfix.Filter {
	return postfix.Filter{Transport: c.names.sortGate, NextHop: "[" + a.Addr().String() + "]:" + port(a)}
}

// sortTable tells redirected mail from what Sieve has made. PASS ends all
// checks, and a FILTER that came before it stays (header_checks(5)).
func (c *site) sortTable() postfix.CheckTable {
	on := c.sortHop(c.policy.Generated())
	t := postfix.CheckTable{{When: headers.Exists{Name: redirectedFrom}, Action: postfix.Pass{}, Rule: "Topology"}}
	for _, name := range beforeScript {
		t = append(t, postfix.CheckRule{When: headers.Exists{Name: name}, Action: on, Rule: "Topology"})
	}
	// A marker above all of these was set after Sieve was done, by a server that the
	// message passed since: what Sieve makes begins with Message-ID and Date.
	return append(t, c.reservedTable(postfix.Pass{})...)
}

// reEntryTable leads what Sieve sends to the listener that sorts it. Redirected
// mail keeps the field that it is known by, whatever the installation's own checks
// say of it.
func (c *site) reEntryTable() postfix.CheckTable {
	return postfix.CheckTable{
		{When: headers.Exists{Name: redirectedFrom}, Action: postfix.Dunno{}, Rule: "Topology"},
		{When: headers.Exists{Name: xSieve}, Action: c.sortHop(c.policy.Sorting()), Rule: "Topology"},
	}
}

// pickup is the service that takes sendmail(1)'s mail; without one, what it
// would be by main.cf.
func (c *site) pickup() postfix.Service {
	for _, sv := range c.master.Services() {
		if sv.Command == "pickup" {
			return sv
		}
	}
	return postfix.Service{}
}

// asSubmitted are the options by which the re-entry listener treats mail as
// sendmail(1)'s was treated, which pickup(8) took. Their values are written out:
// a generated reference could come back to the parameter that it is the value of
// (non_smtpd_milters = $smtpd_milters).
func (c *site) asSubmitted() []postfix.Param {
	sv := c.pickup()
	s := c.base.service(sv)
	o := []postfix.Param{opt("smtpd_milters", c.ref(c.names.sieveMilters, c.submittedMilters()))}
	if filter := s.get("content_filter"); filter != c.base.get("content_filter") {
		o = append(o, opt("content_filter", filter))
	}
	cleaned := c.cleaned(sv, RoleReEntry, nil)
	const words = "receive_override_options"
	if v := s.get(words); v != c.base.get(words) && !slices.ContainsFunc(cleaned, func(p postfix.Param) bool { return p.Name == words }) {
		o = append(o, opt(words, list(v)...))
	}
	return append(o, cleaned...)
}

// submittedMilters are the milters of sendmail(1)'s mail, which cleanup(8) asks.
func (c *site) submittedMilters() string {
	return c.cleanupSettings(c.cleanedBy(c.pickup()).service).get("non_smtpd_milters")
}

// emitSieveMilters names these milters: a value may have spaces in main.cf only.
func (c *mainWriter) emitSieveMilters() {
	if c.policy.Topology == TopologyMailboxes {
		if milters := c.submittedMilters(); milters != "" {
			c.param(c.names.sieveMilters, "the milters of what Sieve sends are those of sendmail's mail (non_smtpd_milters)", milters)
		}
	}
}

// sortedFilter is the content filter of what has been sorted, and whose it is:
// that of sendmail(1)'s mail where the mailboxes are here, else that of the
// listener for other servers.
func (c *site) sortedFilter() (value, whose string) {
	if c.policy.Topology == TopologyMailboxes {
		return c.base.service(c.pickup()).get("content_filter"), "pickup, sendmail's"
	}
	for _, i := range derived.ReEntries(c.policy) {
		name, kind := c.policy.Listeners[i].Split()
		if sv, ok := c.master.Lookup(name, kind); ok {
			return c.base.service(sv).get("content_filter"), c.policy.Listeners[i].Service
		}
	}
	return "", ""
}

// checkReEntry refuses what of the installation's would lead what Sieve has made
// past the removal of markers.
func (c checker) checkReEntry() {
	c.checkOthers()
	if c.policy.Topology != TopologyMailboxes {
		return
	}
	by := c.cleanedBy(c.pickup())
	c.checkSorted(by, c.submittedMilters(), "pickup", "mail that Sieve sends is checked as sendmail's is")
	c.checkKept(by, "pickup", c.policy.ReEntry().String())
}

// checkSorted refuses a FILTER of the installation's checks: the last one counts,
// and would lead what Sieve has made past the removal of markers. by is how the
// mail is cleaned, and milters are those of it.
func (c checker) checkSorted(by cleanedBy, milters, whose, why string) {
	s := c.cleanupSettings(by.service)
	var values []string
	if !by.off {
		values = append(values, "header_checks", "mime_header_checks", "nested_header_checks", "body_checks")
	}
	if milters != "" {
		values = append(values, "milter_header_checks")
	}
	seen := map[string]bool{}
	for _, name := range values {
		specs, err := postfix.ParseMaps(s.get(name))
		if err != nil {
			continue
		}
		for _, spec := range specs {
			if seen[spec.String()] {
				continue
			}
			seen[spec.String()] = true
			// In every form of table: of regexp_table(5), in the setting itself, behind
			// proxy:, in unionmap: and pipemap:, one answer for all.
			found, opaque := c.tables.Results(spec, c.at(name))
			for _, r := range found {
				if r.Filters() {
					c.errs.Add(r.At, ErrConflict, "give "+whose+" a cleanup service of its own with -o cleanup_service_name, whose "+name+" has no FILTER",
						"FILTER would lead what Sieve has made (vacation, notify) past the removal of markers: "+why)
				}
			}
			if name != "body_checks" && name != "milter_header_checks" {
				continue // checkActions says what can't be read
			}
			for _, o := range opaque {
				c.errs.Add(c.at(name), ErrConflict, readable+"; or give "+whose+" a cleanup service of its own with -o cleanup_service_name, without "+
					name,
					"%s: %s can't be read here; a FILTER in it would lead what Sieve has made (vacation, notify) past the removal of markers", name, o)
			}
		}
	}
}
