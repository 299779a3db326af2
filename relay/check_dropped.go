package relay

import (
	"strings"
)

// checkDropped refuses a message_drop_headers that takes off what the gateway's
// mail, or what Sieve redirects, is known by: the one would go back to the
// gateway, the other would lose its markers.
func (c checker) checkDropped() {
	const name = "message_drop_headers"
	judge := func(s settings, at string) {
		for _, field := range list(s.get(name)) {
			switch {
			case c.isReserved(field):
				c.errs.Add(at, ErrConflict, "take it out: markers are removed where they count for nothing, and where mail leaves",
					"%s: %s is dropped, by which the gateway's mail is known", name, field)
			case c.policy.Topology == TopologyMailboxes && strings.EqualFold(field, redirectedFrom):
				c.errs.Add(at, ErrConflict, "take it out; to hide it from others use smtp_header_checks",
					"%s: %s is dropped, by which redirected mail is known, which would lose its markers", name, field)
			}
		}
	}
	judge(c.base, c.at(name))
	for _, sv := range c.master.Services() {
		if _, set := sv.Option(name); set && sv.Command == "cleanup" {
			judge(c.base.service(sv), place{"master.cf", sv.Line}.String())
		}
	}
}
