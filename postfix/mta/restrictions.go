package mta

import (
	"cmp"
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
		case name == "check_sender_access" || name == "check_recipient_access":
			if specs, err := postfix.ParseMaps(p.Arg); err == nil && len(specs) == 1 {
				if src, ok := c.Table(specs[0]); ok {
					r.kind, r.table, r.file = checkSenderMap, src.Table, src.File
					if name == "check_recipient_access" {
						r.kind = checkRecipientMap
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

// access is a compiled right-hand side of access(5).
type access struct {
	postfix.AccessAction
	list restrictions
}

// access reads a right-hand side. Lists of restrictions are only understood
// where they can be compiled beforehand.
func (c *Configuration) access(s Settings, value string, at place, depth int) access {
	a, known := postfix.ParseAccess(value)
	if known {
		return access{AccessAction: a}
	}
	return access{a, c.restrictions(s, value, "access table", at, depth+1)}
}

// verdict is what a list says.
type verdict uint8

const (
	dunno verdict = iota
	permitted
	rejected
	discarded
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
}

// run judges by a list; the first opinion counts.
func (s *session) run(list restrictions) verdict {
	skip := false
	for i := range list {
		r := &list[i]
		v := s.one(r)
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
		return s.refuse(r, "554", "5.7.1 ", ": "+s.class+" rejected: Access denied", "")
	case deferAll:
		return s.refuse(r, "450", "4.7.1 ", ": "+s.class+" rejected: Try again later", "")
	case permitMynetworks:
		if inNetworks(rules.networks, w.m.Origin.Client) {
			return permitted
		}
	case permitSASL:
		if rules.sasl && w.m.Origin.Authenticated {
			return permitted
		}
	case permitAuthDestination, rejectUnauthDestination, deferUnauthDestination:
		switch class := w.destination(); {
		case class == failedClass:
			return s.refuse(r, "451", "4.3.0 ", ": Temporary lookup failure", "")
		case class != defaultClass && r.kind == permitAuthDestination:
			return permitted
		case class != defaultClass || r.kind == permitAuthDestination:
		case r.kind == rejectUnauthDestination:
			return s.refuse(r, "554", "5.7.1 ", ": Relay access denied", "")
		default:
			return s.refuse(r, "454", "4.7.1 ", ": Relay access denied", "")
		}
	case rejectUnlistedRecipient:
		return s.unlisted(r.at)
	case rejectNonFQDNRecipient:
		if _, d := splitAddress(w.written[1]); !fullyQualified(strings.TrimSuffix(d, ".")) && !strings.EqualFold(w.written[1], "postmaster") {
			return s.refuse(r, "504", "5.5.2 ", ": Recipient address rejected: need fully-qualified address", "")
		}
	case rejectNonFQDNSender:
		if _, d := splitAddress(w.written[0]); w.written[0] != "" && !fullyQualified(strings.TrimSuffix(d, ".")) {
			return s.refuse(r, "504", "5.5.2 ", ": Sender address rejected: need fully-qualified address", "")
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
		h, ok, err := w.e.router.search.Client(r.table, "", w.m.Origin.Client)
		if err != nil {
			w.downAs(err, "4.3.5 <unknown["+w.m.Origin.Client.String()+"]>: Client host rejected: Server configuration error")
		}
		if ok {
			return s.entry(r, h.Entry, h.Line, h.Key)
		}
	case checkSenderMap:
		return s.address(r, w.m.From, "Sender address")
	case checkRecipientMap:
		return s.address(r, w.m.To, "Recipient address")
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
	s.code, s.text, s.rule = code, status+"<"+cmp.Or(s.on, s.w.m.To)+">"+text, rule
	s.w.step("smtpd", rule, r.at, r.name, "rejected with "+code)
	return rejected
}

func (s *session) access(r *restriction, a access, at place, rule string) verdict {
	switch a.Kind {
	case postfix.AccessOK:
		s.w.step("smtpd", rule, at, "", "permitted")
		return permitted
	case postfix.AccessReject:
		status := "5.7.1"
		if a.Code[0] == '4' {
			status = "4.7.1"
		}
		text := a.Text
		if text == "" {
			text = "Access denied"
		}
		s.code, s.text, s.rule = a.Code, status+" <"+s.w.m.Origin.Client.String()+">: Client host rejected: "+text, rule
		s.w.step("smtpd", rule, at, "", "client rejected")
		return rejected
	case postfix.AccessFilter:
		s.filter = a.Text
		s.w.step("smtpd", rule, at, "", "filtered")
	case postfix.AccessPrepend:
		s.prepend = append(s.prepend, a.Text)
		s.w.step("smtpd", rule, at, a.Text, "header added")
	case postfix.AccessDiscard:
		s.w.step("smtpd", rule, at, "", "discarded")
		return discarded
	case postfix.AccessHold:
		s.hold = true
		s.w.step("smtpd", rule, at, "", "held until postsuper -H")
	case postfix.AccessRedirect:
		if strings.Contains(a.Text, "@") {
			s.to = a.Text
			s.w.step("smtpd", rule, at, "", "redirected to "+a.Text)
		}
	case postfix.AccessBCC:
		if strings.Contains(a.Text, "@") {
			s.copies = append(s.copies, bcc{r.file, s.w.e.canonical(a.Text), "", at})
		}
	case postfix.AccessList:
		return s.run(a.list)
	case postfix.AccessDunno:
		s.w.step("smtpd", rule, at, "", "client known")
	}
	return dunno
}

// entry obeys the row of an access table.
func (s *session) entry(r *restriction, e postfix.Entry, line int, key string) verdict {
	a, v, known := s.read(r, e, line, key)
	if !known {
		return v
	}
	return s.access(r, a, place{r.file, line}, e.Rule)
}

// read reads the row of an access table. Where it names restrictions, they are
// run and known is false.
func (s *session) read(r *restriction, e postfix.Entry, line int, key string) (a access, v verdict, known bool) {
	if a.AccessAction, known = postfix.ParseAccess(e.Value); known {
		return a, dunno, true
	}
	words := list(e.Value)
	all := make(restrictions, 0, len(words))
	for _, word := range words {
		if class, ok := s.l.rules.classes[strings.ToLower(word)]; ok {
			all = append(all, class...)
			continue
		}
		kind, ok := restrictionKinds[strings.ToLower(word)]
		if !ok {
			s.w.depends(e.Value, place{r.file, line}, key, "no opinion")
			return a, dunno, false
		}
		all = append(all, restriction{kind: kind, name: word, at: place{r.file, line}})
	}
	return a, s.run(all), false
}

// address is check_sender_access and check_recipient_access: access(5)'s search
// for e-mail addresses, where the null sender is "<>".
func (s *session) address(r *restriction, address, class string) verdict {
	e := s.w.e
	var hit postfix.Hit
	var ok bool
	var err error
	// smtpd(8) looks at the address as it would be delivered.
	if address = fold(e.reachable(address)); address == "" {
		hit.Row, ok, err = r.table.Lookup("<>")
	} else {
		search := e.access
		search.MatchParents = s.l.rules.parents
		hit, ok, err = search.Access(r.table, address)
	}
	if err != nil {
		s.w.downAs(err, "4.3.5 <"+address+">: "+class+" rejected: Server configuration error")
	}
	if !ok {
		return dunno
	}
	a, v, known := s.read(r, hit.Entry, hit.Line, hit.Key)
	if !known {
		return v
	}
	v = s.access(r, a, place{r.file, hit.Line}, hit.Entry.Rule)
	if v == rejected {
		status, text := "5.7.1 ", a.Text
		if a.Code[0] == '4' {
			status = "4.7.1 "
		}
		if text == "" {
			text = "Access denied"
		}
		s.text = status + "<" + address + ">: " + class + " rejected: " + text
	}
	return v
}

func fullyQualified(domain string) bool {
	return strings.Contains(domain, ".") && !strings.HasPrefix(domain, ".") && !strings.HasSuffix(domain, ".") ||
		strings.HasPrefix(domain, "[") && strings.HasSuffix(domain, "]")
}
