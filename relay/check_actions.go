package relay

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/condition"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/relay/internal/tables"
)

// checkClass is when checks of cleanup(8), or of a delivery agent, are made.
type checkClass uint8

const (
	// Beside the removal of markers, line by line.
	besideRemoval checkClass = iota
	// When all lines of the header have been seen: body_checks and
	// milter_header_checks.
	afterHeader
	// When mail with markers is handed on: lmtp_header_checks and
	// smtp_header_checks.
	atDelivery
)

// checkSetting is a setting of the installation's that names checks.
type checkSetting struct {
	name, at, value string
	class           checkClass
}

// checkSettings are all of these settings, of main.cf and of single services.
func (c *site) checkSettings() (out []checkSetting) {
	add := func(s settings, name, at string, class checkClass) {
		if v := s.get(name); v != "" {
			out = append(out, checkSetting{name, at, v, class})
		}
	}
	cleanup := []struct {
		name  string
		class checkClass
	}{
		{"header_checks", besideRemoval}, {"mime_header_checks", besideRemoval}, {"nested_header_checks", besideRemoval},
		{"body_checks", afterHeader}, {"milter_header_checks", afterHeader},
	}
	for _, l := range cleanup {
		add(c.base, l.name, c.at(l.name), l.class)
	}
	filters := c.filterTransports()
	for _, sv := range c.master.Services() {
		s, at := c.base.service(sv), place{"master.cf", sv.Line}.String()
		switch {
		case sv.Command == "cleanup":
			for _, l := range cleanup {
				if _, set := sv.Option(l.name); set || l.class == besideRemoval {
					add(s, l.name, at, l.class)
				}
			}
		case sv.Command == "lmtp":
			add(s, "lmtp_header_checks", at, atDelivery)
		case sv.Command == "smtp" && slices.Contains(filters, sv.Name):
			add(s, "smtp_header_checks", at, atDelivery)
		}
	}
	if slices.ContainsFunc(c.policy.Tenants, func(t Tenant) bool { return t.Store != "" }) {
		add(c.base, "smtp_header_checks", c.at("smtp_header_checks"), atDelivery)
	}
	return out
}

// checkActions refuses what the installation's checks would do to the guarantees:
// take messages past the removal of forged markers, make markers, remove those of
// the gateway, or send mail to the smart host without its certificate's check.
func (c checker) checkActions() {
	c.checkDropped()
	seen := map[string]bool{}
	for _, s := range c.checkSettings() {
		specs, err := postfix.ParseMaps(s.value)
		if err != nil {
			continue
		}
		for _, spec := range specs {
			key := fmt.Sprint(s.class, spec)
			if seen[key] {
				continue
			}
			seen[key] = true
			list, opaque := c.tables.Results(spec, s.at)
			for _, r := range list {
				c.checkAction(s, r)
			}
			for _, o := range opaque {
				c.opaqueChecks(s, o)
			}
		}
		if s.class != afterHeader && !seen[s.value] {
			seen[s.value] = true
			c.checkMarkers(s, specs)
		}
	}
}

const ownListener = "give the gateway a listener of its own"

// readable is the remedy for a table that can't be read.
const readable = "give its file, or vouch for it in Installation.Tables (Harmless)"

// opaqueChecks refuses checks that can't be read where a guarantee hangs on them.
func (c checker) opaqueChecks(s checkSetting, table string) {
	switch {
	case c.policy.Inbound.Shared && s.class != atDelivery:
		c.errs.Add("Inbound.Shared", ErrConflict, readable+"; or "+ownListener,
			"%s: %s can't be read here and may lead others' mail past the removal of markers", s.name, table)
	case s.class == besideRemoval:
		c.errs.Add(s.at, ErrConflict, readable,
			"%s: %s can't be read here; a PASS or a REDIRECT in it would switch the removal of forged markers off", s.name, table)
	case s.class == atDelivery:
		c.errs.Add(s.at, ErrConflict, readable, "%s: %s can't be read here; it may make markers, or remove them", s.name, table)
	}
}

// checkAction judges one result.
func (c checker) checkAction(s checkSetting, r tables.Result) {
	verb, text := r.Text, ""
	if i := strings.IndexAny(verb, " \t"); i >= 0 {
		verb, text = verb[:i], strings.TrimLeft(verb[i:], " \t")
	}
	macro := func(text string) bool {
		return r.Pattern && strings.Contains(strings.ReplaceAll(text, "$$", ""), "$")
	}
	refuse := func(fix, format string, args ...any) {
		c.errs.Add(r.At, ErrConflict, fix, s.name+": "+format, args...)
	}
	// has says that the text will do for the action, as far as it is known.
	has := func(sign string) bool { return r.Joined || macro(text) || strings.Contains(text, sign) }
	shared := c.policy.Inbound.Shared && s.class != atDelivery
	switch upper := strings.ToUpper(verb); {
	case macro(verb):
		refuse("write the action as text", "the message itself says what is done with it, by %q", r.Text)
	case s.class == atDelivery && upper != "PREPEND" && upper != "REPLACE": // nothing else is done there
	case upper == "PASS" && s.class == besideRemoval:
		refuse("use DUNNO, which ends the checks of this line alone",
			"PASS switches the removal of forged markers off for the rest of the message")
	case upper == "REDIRECT" && has("@") && s.class == besideRemoval:
		refuse("use BCC, HOLD, DISCARD or REJECT; or REDIRECT in a table of check_sender_access or check_recipient_access, behind which all "+
			"checks are made",
			"REDIRECT switches the removal of forged markers off for the rest of the message")
	case (upper == "FILTER" && has(":") || upper == "REDIRECT" && has("@")) && shared:
		refuse(ownListener, "%s on a shared listener would lead others' mail past the removal of markers", upper)
	case upper == "FILTER" && has(":"):
		c.checkFilter(r.Text, macro(text), refuse)
	case upper == "PREPEND" || upper == "REPLACE":
		if s.name != "body_checks" {
			c.checkAdded(upper, text, macro, refuse)
		}
	}
}

// checkFilter judges a FILTER of the installation's checks and access tables.
func (c checker) checkFilter(text string, macro bool, refuse func(fix, format string, args ...any)) {
	switch {
	case macro:
		refuse("write transport and next hop as text",
			"%q lets the message itself choose where it goes, to the gateway without a check of its certificate, too", text)
	case c.namesGateway(text):
		refuse("remove it: the sender map takes its place",
			"%q sends mail to the gateway without verifying it, the null sender's and foreign senders' too", text)
	}
}

// checkAdded judges a line that PREPEND or REPLACE makes: no check sees it any
// more.
func (c checker) checkAdded(verb, line string, macro func(string) bool, refuse func(fix, format string, args ...any)) {
	name, _, ok := strings.Cut(line, ":")
	name = strings.TrimSpace(name)
	switch {
	case macro(name):
		refuse("write the name of the header field as text",
			"%s %q lets the message itself make a field of any name, a marker too, which is not removed any more", verb, line)
	case ok && derived.Sorts(c.policy) && strings.EqualFold(name, redirectedFrom):
		refuse("take another name", "%s %q makes mail that Sieve has made (vacation, notify) look like redirected mail, which keeps its markers",
			verb, line)
	case ok && derived.Sorts(c.policy) && verb == "PREPEND" &&
		slices.ContainsFunc(beforeScript, func(n string) bool { return strings.EqualFold(n, name) }):
		refuse("take another name", "%s %q may stand before what Dovecot begins a redirected message with, which would then be taken for mail "+
			"that Sieve has made", verb, line)
	case ok && c.isReserved(name):
		refuse("take another name", "%s %q makes a marker, which only the gateway may set", verb, line)
	}
}

// isReserved reports whether only a gateway, or the generated configuration, may
// set a header field of that name.
func (c *site) isReserved(name string) bool {
	if c.origin() && strings.EqualFold(name, c.policy.OriginHeader()) {
		return true
	}
	return slices.ContainsFunc(derived.AllReserved(c.policy), func(r condition.Reserved) bool {
		return len(name) >= len(r.Prefix) && strings.EqualFold(name[:len(r.Prefix)], r.Prefix) && (!r.Exact || len(name) == len(r.Prefix))
	})
}
