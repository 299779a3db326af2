package relay

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// filterUse is a transport that mail goes to as to a content filter, and where
// that is said.
type filterUse struct{ transport, at, setting string }

var filterAction = regexp.MustCompile(`(?i)[ \t]FILTER[ \t]+([^ \t:]+):`)

// trustedFilters are the content filters of mail whose markers count: the
// gateway's, what came back from another filter or from another mail store,
// what Sieve redirects. Users' mail has none when it comes to a filter.
func (c *site) trustedFilters() []filterUse {
	var out []filterUse
	add := func(value, at, setting string) {
		transport, _, _ := strings.Cut(value, ":")
		if transport != "" && !slices.ContainsFunc(out, func(f filterUse) bool { return f.transport == transport }) {
			out = append(out, filterUse{transport, at, setting})
		}
	}
	service := func(sv postfix.Service) {
		v := c.base.service(sv).get("content_filter")
		if _, own := sv.Option("content_filter"); own {
			add(v, fmt.Sprintf("master.cf:%d", sv.Line), "content_filter")
		} else {
			add(v, c.at("content_filter"), "content_filter")
		}
	}
	for _, l := range c.policy.Listeners {
		if l.Role == RoleGateway || l.Role == RoleReEntry || l.Role == RoleReinjection {
			name, kind := l.Split()
			if sv, ok := c.master.Lookup(name, kind); ok {
				service(sv)
			}
		}
	}
	if c.policy.Topology == TopologyMailboxes {
		service(c.pickup()) // what Sieve redirects is filtered as sendmail's mail
	}
	// Tables with FILTER that anything names.
	text := string(c.stock["main.cf"]) + string(c.stock["master.cf"])
	for name, data := range c.stock {
		if name == "main.cf" || name == "master.cf" || !strings.Contains(text, "/"+name) {
			continue
		}
		for i, line := range strings.Split(string(data), "\n") {
			if m := filterAction.FindStringSubmatch(line); m != nil && !strings.HasPrefix(strings.TrimSpace(line), "#") {
				add(m[1], fmt.Sprintf("%s:%d", name, i+1), "FILTER")
			}
		}
	}
	slices.SortFunc(out, func(a, b filterUse) int { return strings.Compare(a.transport, b.transport) })
	return out
}

// checkFilters refuses content filters that hand mail back to sendmail(1):
// pickup(8) can't tell it from users' mail, which loses its markers, so that
// mail of the gateway would lose them too, and go to the gateway again. What an
// unknown program does the caller must vouch for.
func (c checker) checkFilters() {
	vouched := map[string]bool{}
	for i, name := range c.policy.Server.SMTPFilters {
		sv, ok := c.master.Lookup(name, "unix")
		if !ok || sv.Command != "pipe" {
			c.errs.Add(paths.Index("Server.SMTPFilters", i), ErrConflict, "the name of a service of master.cf that runs pipe(8)",
				"master.cf has no such service %q", name)
		}
		vouched[name] = true
	}
	for _, f := range c.trustedFilters() {
		sv, ok := c.master.Lookup(f.transport, "unix")
		if !ok || sv.Command != "pipe" {
			continue
		}
		const loses = "mail of the gateway loses its markers there, as users' does, lands in the wrong folder and goes to the gateway again"
		switch yes, known := mta.Submits(sv); {
		case yes:
			c.errs.Add(f.at, ErrConflict, "make the filter a milter (spamass-milter, rspamd), or one that takes and returns mail by SMTP (spampd, "+
				"amavis), with a listener of role \"reinjection\"",
				"%s %s (master.cf:%d) hands what it filtered back to sendmail: %s", f.setting, f.transport, sv.Line, loses)
		case !known && !vouched[f.transport]:
			c.errs.Add(f.at, ErrConflict, "if it returns mail by SMTP to a listener of role \"reinjection\", or none at all, name it in "+
				"Server.SMTPFilters; else make it a milter",
				"%s %s (master.cf:%d) runs a program that may hand what it filtered back to sendmail: %s", f.setting, f.transport, sv.Line, loses)
		}
	}
}
