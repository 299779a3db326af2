package mta

import (
	"cmp"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// restrictions is a compiled smtpd_*_restrictions list (postconf(5)).
type restrictions []restriction

type restriction struct {
	kind    restrictionKind
	name    string // as written, for traces
	file    string
	cidr    postfix.CIDRTable
	table   postfix.Map
	actions map[string]access // answers of the table that are known beforehand
	class   restrictions
	at      place
	asks    string // of which a restriction that can't be judged here asks
}

type restrictionKind uint8

const (
	unknownRestriction restrictionKind = iota
	permit
	reject
	deferAll
	permitMynetworks
	permitSASL
	permitAuthDestination
	rejectUnauthDestination
	deferUnauthDestination
	rejectUnlistedRecipient
	rejectNonFQDNRecipient
	rejectNonFQDNSender
	rejectPlaintextSession
	checkClientCIDR
	checkClientMap
	checkSenderMap
	checkRecipientMap
	checkCertificate
	checkLogin
	restrictionClass
	warnIfReject
	rejectUnlistedSender
	senderLogin
	knownSenderLogin
	authSenderLogin
	anonSenderLogin
	checkHeloMap
	permitInterfaces
	invalidHelo
	nonFQDNHelo
	deferIfPermit
	deferIfReject
)

var restrictionKinds = map[string]restrictionKind{
	"permit":                    permit,
	"reject":                    reject,
	"defer":                     deferAll,
	"permit_mynetworks":         permitMynetworks,
	"permit_sasl_authenticated": permitSASL,
	"permit_auth_destination":   permitAuthDestination,
	"reject_unauth_destination": rejectUnauthDestination,
	"defer_unauth_destination":  deferUnauthDestination,
	"reject_unlisted_recipient": rejectUnlistedRecipient,
	"check_recipient_maps":      rejectUnlistedRecipient,
	"reject_non_fqdn_recipient": rejectNonFQDNRecipient,
	"reject_non_fqdn_sender":    rejectNonFQDNSender,
	"reject_plaintext_session":  rejectPlaintextSession,
	"warn_if_reject":            warnIfReject,
	"reject_unlisted_sender":    rejectUnlistedSender,

	"permit_inet_interfaces":        permitInterfaces,
	"reject_invalid_helo_hostname":  invalidHelo,
	"reject_invalid_hostname":       invalidHelo,
	"reject_non_fqdn_helo_hostname": nonFQDNHelo,
	"reject_non_fqdn_hostname":      nonFQDNHelo,
	"defer_if_permit":               deferIfPermit,
	"defer_if_reject":               deferIfReject,

	"reject_sender_login_mismatch":                 senderLogin,
	"reject_known_sender_login_mismatch":           knownSenderLogin,
	"reject_authenticated_sender_login_mismatch":   authSenderLogin,
	"reject_unauthenticated_sender_login_mismatch": anonSenderLogin,
}

// harmless are restrictions that say nothing of mail as such, or only of the
// protocol's course, so that they need no warning.
var harmless = map[string]bool{
	"sleep": true, "reject_unauth_pipelining": true, "permit_naked_ip_address": true,
}

// MaxClassDepth is how deep smtpd_restriction_classes are followed.
const MaxClassDepth = 10

// restrictions compiles a list. What can't be judged without the network, or
// is not known, is taken to have no opinion, and Compile warns of it.
func (c *Configuration) restrictions(s Settings, value, parameter string, at place, depth int) restrictions {
	parsed, err := postfix.ParseRestrictions(value)
	if err != nil {
		c.warn(at.String(), "%s: %v; Route takes it for empty", parameter, err)
		return nil
	}
	classes := list(s.Value("smtpd_restriction_classes"))
	var out restrictions
	for _, p := range parsed {
		r := restriction{name: p.Name, at: at, kind: restrictionKinds[strings.ToLower(p.Name)]}
		switch name := strings.ToLower(p.Name); {
		case r.kind != unknownRestriction:
		case name == "check_client_access":
			c.clientAccess(&r, s, p.Arg, at, depth)
		case name == "check_sender_access" || name == "check_recipient_access" || name == "check_helo_access":
			if specs, err := postfix.ParseMaps(p.Arg); err == nil && len(specs) == 1 {
				if src, ok := c.Table(specs[0]); ok {
					r.kind, r.table, r.file = checkSenderMap, src.Table, src.File
					switch name {
					case "check_recipient_access":
						r.kind = checkRecipientMap
					case "check_helo_access":
						r.kind = checkHeloMap
					}
				}
			}
		case name == "check_sasl_access":
			if specs, err := postfix.ParseMaps(p.Arg); err == nil && len(specs) == 1 {
				if src, ok := c.Table(specs[0]); ok {
					r.kind, r.table, r.file = checkLogin, src.Table, src.File
				}
			}
		case name == "check_ccert_access":
			if specs, err := postfix.ParseMaps(p.Arg); err == nil && len(specs) == 1 {
				if src, ok := c.Table(specs[0]); ok {
					r.kind, r.table, r.file = checkCertificate, src.Table, src.File
				}
			}
		case depth < MaxClassDepth && containsFold(classes, p.Name):
			r.kind = restrictionClass
			r.class = c.restrictions(s, s.Value(p.Name), p.Name, at, depth+1)
		case harmless[name]:
		}
		if r.kind == unknownRestriction && !harmless[strings.ToLower(p.Name)] {
			r.asks = strings.TrimSpace(p.Name + " " + p.Arg)
			c.warn(at.String(), "%s: %s can't be judged here; Route takes it to have no opinion", parameter, r.asks)
		}
		out = append(out, r)
	}
	return out
}

func containsFold(l []string, s string) bool {
	for _, e := range l {
		if strings.EqualFold(e, s) {
			return true
		}
	}
	return false
}

func (c *Configuration) clientAccess(r *restriction, s Settings, arg string, at place, depth int) {
	specs, err := postfix.ParseMaps(arg)
	if err != nil || len(specs) != 1 {
		return
	}
	spec := specs[0]
	if spec.Type != "cidr" {
		if src, ok := c.Table(spec); ok {
			r.kind, r.table, r.file = checkClientMap, src.Table, src.File
			r.actions = map[string]access{}
		}
		return
	}
	file, inside := c.FileName(spec.Name)
	if !inside {
		return
	}
	table, ok := c.cidrs[file]
	if !ok {
		text, ok := c.stock(file)
		if !ok {
			return
		}
		var warnings []postfix.Warning
		table, warnings = postfix.ParseCIDR(file, text)
		c.tableWarnings(warnings)
	}
	r.kind, r.cidr, r.file, r.actions = checkClientCIDR, table, c.named(file), map[string]access{}
	for _, e := range table {
		r.actions[e.Value] = c.access(s, e.Value, at, depth)
	}
}

// verdict is what a list says.
type verdict uint8

const (
	dunno verdict = iota
	permitted
	rejected
)

// session is one recipient's way through smtpd(8).
type session struct {
	w       *Way
	l       *listener
	class   string // "Client host", "Recipient address" ..., for replies
	on      string // what a reply is about where not the recipient
	code    string
	text    string
	rule    string
	filter  string
	prepend []string
	hold    bool
	to      string // REDIRECT
	copies  []bcc
	discard bool
	// early says that the recipient isn't known yet, unsent that the sender isn't.
	early, unsent bool
	// put and lift are the first defer_if_permit and defer_if_reject.
	putOff, lift *reply
}

// reply is one that may be given later.
type reply struct{ code, text string }

// run judges by a list; the first opinion counts.
func (s *session) run(list restrictions) verdict {
	skip := false
	for i := range list {
		if s.discard { // smtpd(8) asks nothing more
			break
		}
		r := &list[i]
		lift, putOff := s.lift, s.putOff
		if skip {
			s.lift = nil
		}
		v := s.one(r)
		if skip {
			s.lift, s.putOff = lift, putOff
		}
		if skip && v == rejected {
			v, s.code, s.text = dunno, "", ""
		}
		skip = r.kind == warnIfReject
		if v != dunno {
			return v
		}
	}
	return dunno
}

func (s *session) one(r *restriction) verdict {
	w, rules := s.w, s.l.rules
	switch r.kind {
	case permit:
		return permitted
	case reject:
		return s.refuse(r, rules.codes["reject_code"], "5.7.1 ", ": "+s.class+" rejected: Access denied", "")
	case deferAll:
		return s.refuse(r, rules.codes["defer_code"], "4.3.2 ", ": "+s.class+" rejected: Try again later", "")
	case permitMynetworks:
		if rules.networks.has(w.m.Origin.Client) {
			return permitted
		}
	case permitSASL:
		if rules.sasl && w.m.Origin.Authenticated {
			return permitted
		}
	case permitAuthDestination, rejectUnauthDestination, deferUnauthDestination:
		if s.early {
			break
		}
		switch class := w.destination(); {
		case class == failedClass:
			return s.refuse(r, "451", "4.3.0 ", ": Temporary lookup failure", "")
		case class != defaultClass && r.kind == permitAuthDestination:
			return permitted
		case class != defaultClass || r.kind == permitAuthDestination:
		case r.kind == rejectUnauthDestination:
			return s.refuse(r, rules.codes["relay_domains_reject_code"], "5.7.1 ", ": Relay access denied", "")
		default:
			return s.refuse(r, less(rules.codes["relay_domains_reject_code"]), "4.7.1 ", ": Relay access denied", "")
		}
	case rejectUnlistedRecipient:
		if s.early {
			break
		}
		return s.unlisted(r.at)
	case rejectNonFQDNRecipient:
		if _, d := splitAddress(w.written[1]); !s.early && !fullyQualified(strings.TrimSuffix(d, ".")) && !strings.EqualFold(w.written[1],
			"postmaster") {
			return s.refuse(r, rules.codes["non_fqdn_reject_code"], "5.5.2 ", ": Recipient address rejected: need fully-qualified address", "")
		}
	case rejectNonFQDNSender:
		if _, d := splitAddress(w.written[0]); !s.unsent && w.written[0] != "" && !fullyQualified(strings.TrimSuffix(d, ".")) {
			return s.refuse(r, rules.codes["non_fqdn_reject_code"], "5.5.2 ", ": Sender address rejected: need fully-qualified address", "")
		}
	case rejectPlaintextSession:
		if w.m.Origin.TLS == TLSPlaintext {
			return s.refuse(r, rules.plaintextCode, "5.7.1 ", ": "+s.class+" rejected: Session encryption is required", "")
		}
	case checkClientCIDR:
		if e, ok := r.cidr.Lookup(w.m.Origin.Client); ok {
			return s.access(r, r.actions[e.Value], place{r.file, e.Line}, e.Rule)
		}
	case checkClientMap:
		search := postfix.Search{MatchParents: rules.parents}
		h, ok, err := search.Client(r.table, fold(w.m.Origin.Name), w.m.Origin.Client)
		if err != nil {
			w.downAs(err, "4.3.5 <unknown["+w.m.Origin.Client.String()+"]>: Client host rejected: Server configuration error")
		}
		if ok {
			return s.entry(r, h.Entry, h.Line, h.Key)
		}
	case checkSenderMap:
		if s.unsent {
			break
		}
		return s.address(r, w.m.From)
	case checkRecipientMap:
		if s.early || w.m.To == "" {
			break
		}
		return s.address(r, w.m.To)
	case checkHeloMap:
		if w.m.Origin.Helo == "" {
			w.depends(r.name, r.at, "", "no opinion")
			break
		}
		search := postfix.Search{MatchParents: rules.parents}
		h, ok, err := search.Domain(r.table, fold(w.m.Origin.Helo))
		if err != nil {
			w.downAs(err, "4.3.5 <"+w.m.Origin.Helo+">: Helo command rejected: Server configuration error")
		}
		if ok {
			return s.entry(r, h.Entry, h.Line, h.Key)
		}
	case invalidHelo, nonFQDNHelo:
		switch helo := w.m.Origin.Helo; {
		case helo == "":
			w.depends(r.name, r.at, "", "no opinion")
		case strings.HasPrefix(helo, "["):
			if !validLiteral(helo) {
				return s.refuse(r, rules.codes["invalid_hostname_reject_code"], "5.5.2 ", ": Helo command rejected: invalid ip address", "")
			}
		case !w.e.rewriting.validDomain(helo) && r.kind == invalidHelo:
			return s.refuse(r, rules.codes["invalid_hostname_reject_code"], "5.5.2 ", ": Helo command rejected: Invalid name", "")
		case r.kind == nonFQDNHelo && (!w.e.rewriting.validDomain(helo) || !strings.Contains(helo, ".")):
			return s.refuse(r, rules.codes["non_fqdn_reject_code"], "5.5.2 ", ": Helo command rejected: need fully-qualified hostname", "")
		}
	case permitInterfaces:
		if slices.Contains(s.l.own, w.m.Origin.Client.Unmap()) {
			return permitted
		}
		if s.l.ownOpen {
			w.depends(r.name, r.at, w.m.Origin.Client.String(), "no opinion")
		}
	case deferIfPermit:
		s.later(&s.putOff, "450", "4.7.0 <"+w.m.To+">: "+s.class+" rejected: defer_if_permit requested")
	case deferIfReject:
		s.later(&s.lift, "450", "4.7.0 <"+w.m.To+">: "+s.class+" rejected: defer_if_reject requested")
	case checkCertificate:
		if f := w.m.Origin.Certificate.Fingerprint; f != "" && w.m.Origin.TLS == TLSEncrypted {
			if row, ok := w.tookRow(r.table.Lookup(f)); ok {
				return s.entry(r, row.Entry, row.Line, f)
			}
		}
	case checkLogin:
		if rules.sasl && w.m.Origin.Authenticated {
			if w.m.Origin.Login == "" {
				w.depends(strings.TrimSpace(r.name), r.at, "", "no opinion")
				break
			}
			if row, ok := w.tookRow(r.table.Lookup(w.m.Origin.Login)); ok {
				return s.entry(r, row.Entry, row.Line, w.m.Origin.Login)
			}
		}
	case rejectUnlistedSender:
		if s.unsent {
			break
		}
		return s.unlistedSender(r.at)
	case senderLogin, knownSenderLogin, authSenderLogin, anonSenderLogin:
		return s.senderLogins(r)
	case restrictionClass:
		return s.run(r.class)
	case unknownRestriction:
		if r.asks != "" {
			w.depends(r.asks, r.at, "", "no opinion")
		}
	case warnIfReject:
	}
	return dunno
}

// refuse rejects; the trace names the list's place.
func (s *session) refuse(r *restriction, code, status, text, rule string) verdict {
	s.rule = rule
	return s.deny(r.at, r.name, code, status+"<"+cmp.Or(s.on, s.w.m.To)+">"+text)
}

func fullyQualified(domain string) bool {
	return strings.Contains(domain, ".") && !strings.HasPrefix(domain, ".") && !strings.HasSuffix(domain, ".") ||
		strings.HasPrefix(domain, "[") && strings.HasSuffix(domain, "]")
}

// guarded reports whether a list has what smtpd(8) demands of one of
// smtpd_relay_restrictions and smtpd_recipient_restrictions.
func guarded(list restrictions) bool {
	for i := range list {
		switch r := &list[i]; r.kind {
		case rejectUnauthDestination, deferUnauthDestination, reject, deferAll, deferIfPermit:
			return true
		case permit: // what is behind it doesn't work
			return false
		case restrictionClass:
			if guarded(r.class) {
				return true
			}
		}
	}
	return false
}
