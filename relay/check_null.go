package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
)

// checkNullSender refuses canonical(5) tables that make a sender in scope of the
// null sender: cleanup(8) asks them for the empty address, too, which patterns and
// static: tables may match. Bounces would then go to the gateway.
func (c checker) checkNullSender() {
	scope := c.scopeTable()
	if len(scope) == 0 {
		return
	}
	index := scope.Index()
	search := postfix.Search{Delimiter: c.base.get("recipient_delimiter")}
	inScope := func(address string) bool {
		hit, ok, _ := search.Sender(index, mailaddr.Fold(c.base.Canonical(address)))
		return ok && hit.Entry.Value != "DUNNO"
	}
	ways := []struct {
		s  settings
		at func(name string) string
	}{{c.base, c.at}}
	for _, sv := range c.master.Services() {
		if sv.Command == "cleanup" && slices.ContainsFunc(sv.Options,
			func(p postfix.Param) bool { return strings.HasSuffix(p.Name, "canonical_maps") }) {
			at := place{"master.cf", sv.Line}.String()
			ways = append(ways, struct {
				s  settings
				at func(name string) string
			}{c.base.service(sv), func(string) string { return at }})
		}
	}
	for _, way := range ways {
		address := ""
		for _, l := range [][3]string{
			{"sender_canonical_maps", "sender_canonical_classes", "envelope_sender, header_sender"},
			{"canonical_maps", "canonical_classes", "envelope_sender, envelope_recipient, header_sender, header_recipient"},
		} {
			if !way.s.rewritesSender(l[1], l[2]) || way.s.get(l[0]) == "" {
				continue
			}
			specs, _ := postfix.ParseMaps(way.s.get(l[0]))
			for _, spec := range specs {
				src, ok := c.conf.Table(spec)
				switch {
				case c.tables.Vouched(spec.String()):
				case !ok:
					c.errs.Add(way.at(l[0]), ErrConflict, readable,
						"%s: %s can't be read here and may make a sender in scope of the null sender, whose mail would go to the gateway", l[0], spec)
				default:
					at, asked := way.at(l[0]), map[string]bool{}
					for !asked[address] {
						asked[address] = true
						e, ok, _ := src.Table.Lookup(address)
						if !ok || e.Value == "" {
							break
						}
						if e.Line > 0 {
							at = place{strings.TrimPrefix(src.File, "postfix/"), e.Line}.String()
						}
						if address = e.Value; inScope(address) {
							c.errs.Add(at, ErrConflict, "let the pattern want an address, as /.@example\\.com$/",
								"%s: the null sender becomes %s, who is in scope: bounces would go to the gateway", l[0], address)
							break
						}
					}
				}
			}
		}
	}
}

// rewritesSender reports whether a list of classes has the envelope sender.
func (s settings) rewritesSender(name, otherwise string) bool {
	value := otherwise
	if s.Set(name) {
		value = s.get(name)
	}
	return slices.ContainsFunc(list(value), func(w string) bool { return strings.EqualFold(w, "envelope_sender") })
}
