package relay

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
)

// DefaultOriginHeader is the name of the header by which the second pass knows
// what the gateway's listener accepted.
const DefaultOriginHeader = "X-OXMailroute-Origin"

const (
	originValue       = "gateway"
	spamFlagHeader    = "X-Spam-Flag"
	spamFlagValue     = "YES"
	defaultConfigDir  = "/etc/postfix"
	defaultSieveDir   = "/etc/dovecot/sieve/before"
	defaultTenantDir  = "/etc/dovecot/sieve/tenants"
	defaultSecondPass = "127.0.0.1:10030"
	defaultStrip      = "127.0.0.1:10031"
	defaultReEntry    = "127.0.0.1:10032"
	defaultSorting    = "127.0.0.1:10033"
	defaultGenerated  = "127.0.0.1:10034"
)

func (p Policy) secondPass() netip.AddrPort { return orAddr(p.Server.SecondPass, defaultSecondPass) }
func (p Policy) strip() netip.AddrPort      { return orAddr(p.Server.Strip, defaultStrip) }
func (p Policy) reEntry() netip.AddrPort    { return orAddr(p.Server.ReEntry, defaultReEntry) }
func (p Policy) sorting() netip.AddrPort    { return orAddr(p.Server.Sorting, defaultSorting) }
func (p Policy) generated() netip.AddrPort  { return orAddr(p.Server.Generated, defaultGenerated) }

func orAddr(a netip.AddrPort, otherwise string) netip.AddrPort {
	if a == (netip.AddrPort{}) {
		return netip.MustParseAddrPort(otherwise)
	}
	return a
}

func (p Policy) configDir() string    { return cmp.Or(p.Server.ConfigDirectory, defaultConfigDir) }
func (p Policy) sieveDir() string     { return cmp.Or(p.Sieve.Directory, defaultSieveDir) }
func (p Policy) tenantDir() string    { return cmp.Or(p.Sieve.Directory, defaultTenantDir) }
func (p Policy) originHeader() string { return cmp.Or(p.Loop.OriginHeader, DefaultOriginHeader) }
func (p Policy) sieveForm() SieveForm { return cmp.Or(p.Sieve.Form, Global) }

func (g Gateway) clientCAFile() string { return cmp.Or(g.Client.CAFile, g.SmartHost.CAFile) }

// names are the names of everything that is emitted for a gateway.
type names struct {
	owner string // of the managed blocks

	scope, transport, bypass, bypassMIME, strip, leave, certName, certs string // files
	clients, origin, spam, leaveOriginFile, pass, hosted, postscreen    string // files
	marker, fold, markers                                               string // files
	tlsPolicy, authDemand, back, others                                 string // files of the way to the smart host and back
	early, certsData, behind, ehlo                                      string // files of the gateway's listener
	mailboxes, aliases                                                  string // files, where there is no base

	sort, redirect, reEntry                                     string // files of what Sieve sends
	cleanupSieve, cleanupSort, cleanupGenerated, cleanupReEntry string // its cleanup services
	sieveHeader, sieveMilters, reEntryHeader                    string // its parameters

	smartHost, gate, direct, store, stripGate, sortGate               string // transports
	cleanupIn, cleanupStrip, cleanupOut, cleanupTrusted, cleanupShare string // cleanup services

	dataRestrictions, endOfData, earlyClass, ownData, ehloMaps                                string // parameters of the gateway's listener
	clientRestrictions, recipientRestrictions, class                                          string // parameters
	ownHeader, ownMIME, ownNested, stripHeader, inHeader, outHeader, leaveHeader, leaveOrigin string // parameters: checks

	mailName string // mail_name of the gateway's listener, by which cleanup knows its Received: line
}

// ownerPrefix begins the name that our blocks and files have.
const ownerPrefix = "oxmailroute-"

func newNames(gateway string) names {
	g := gateway
	if g == "" {
		g = "-"
	}
	return names{
		owner: ownerPrefix + g,
		scope: g + "_scope", transport: g + "_transport", bypass: g + "_bypass", bypassMIME: g + "_bypass_mime",
		strip: g + "_strip", leave: g + "_leave", certName: g + "_cert_name", certs: g + "_certs",
		clients: g + "_clients.cidr", origin: g + "_origin.cidr", spam: g + "_spam",
		mailboxes: g + "_mailboxes", aliases: g + "_aliases",
		smartHost: g, gate: g + "-gate", direct: g + "-direct", store: g + "-store", stripGate: g + "-strip",
		cleanupIn: g + "-cleanup-in", cleanupStrip: g + "-cleanup-strip", cleanupOut: g + "-cleanup-out",
		cleanupTrusted: g + "-cleanup-trusted", cleanupShare: g + "-cleanup-share",
		clientRestrictions: g + "_client_restrictions", recipientRestrictions: g + "_recipient_restrictions", class: g + "_in",
		ownHeader: g + "_own_header_checks", ownMIME: g + "_own_mime_header_checks", ownNested: g + "_own_nested_header_checks",
		stripHeader: g + "_strip_header_checks", inHeader: g + "_in_header_checks", outHeader: g + "_out_header_checks",
		leaveHeader: g + "_leave_header_checks", leaveOrigin: g + "_leave_origin_header_checks", leaveOriginFile: g + "_leave_origin",
		pass: g + "_pass.cidr", hosted: g + "_hosted.cidr", postscreen: g + "_postscreen.cidr",
		marker: g + "_marker", fold: g + "_fold", markers: g + "_markers",
		tlsPolicy: g + "_tls_policy", authDemand: g + "_auth_demand", back: g + "_return", others: g + "_others",
		early: g + "_early.cidr", certsData: g + "_certs_data", behind: g + "_behind", ehlo: g + "_ehlo.cidr",
		dataRestrictions: g + "_data_restrictions", endOfData: g + "_end_of_data_restrictions", earlyClass: g + "_early",
		ownData: g + "_own_data", ehloMaps: g + "_ehlo_keyword_address_maps",
		sort: g + "_sort", redirect: g + "_redirect", sortGate: g + "-sort",
		cleanupSieve: g + "-cleanup-sieve", cleanupSort: g + "-cleanup-sort", cleanupGenerated: g + "-cleanup-generated",
		sieveHeader: g + "_sieve_header_checks", sieveMilters: g + "_sieve_milters",
		reEntry: g + "_reentry", cleanupReEntry: g + "-cleanup-reentry", reEntryHeader: g + "_reentry_header_checks",
		mailName: strings.ToUpper(g[:1]) + g[1:] + "In",
	}
}

// forGateway are the names for a further gateway: its own for what it has for
// itself, the first one's for the rest.
func (n names) forGateway(gateway string) names {
	g := newNames(gateway)
	n.bypass, n.marker, n.fold, n.markers = g.bypass, g.marker, g.fold, g.markers
	n.certName, n.certs, n.clients, n.origin, n.spam = g.certName, g.certs, g.clients, g.origin, g.spam
	n.pass, n.hosted, n.tlsPolicy, n.authDemand, n.back, n.others = g.pass, g.hosted, g.tlsPolicy, g.authDemand, g.back, g.others
	n.smartHost, n.gate, n.cleanupIn, n.cleanupOut = g.smartHost, g.gate, g.cleanupIn, g.cleanupOut
	n.clientRestrictions, n.recipientRestrictions, n.class = g.clientRestrictions, g.recipientRestrictions, g.class
	n.inHeader, n.outHeader, n.mailName = g.inHeader, g.outHeader, g.mailName
	n.early, n.certsData, n.behind, n.ehlo = g.early, g.certsData, g.behind, g.ehlo
	n.dataRestrictions, n.endOfData, n.earlyClass, n.ownData, n.ehloMaps = g.dataRestrictions, g.endOfData, g.earlyClass, g.ownData, g.ehloMaps
	return n
}

// reserved is a header name, or the beginning of some, that only the gateway
// may use.
type reserved struct {
	prefix string
	exact  bool
	path   string
}

// reservedPrefixes are all gateways' names, without the origin header.
func (p Policy) reservedPrefixes() []reserved {
	var list []reserved
	for i, g := range p.gateways() {
		for _, r := range reservedOf(g, gatewayPath(i)) {
			if !anyCovers(list, r) {
				list = append(list, r)
			}
		}
	}
	return list
}

// reservedOf are one gateway's.
func reservedOf(g Gateway, at string) []reserved {
	m := g.Markers
	var list []reserved
	add := func(r reserved) {
		if !anyCovers(list, r) {
			list = append(list, r)
		}
	}
	for i, r := range m.Reserved {
		add(reserved{r, false, index(at+".Markers.Reserved", i)})
	}
	if m.Domain.Prefix != "" {
		add(reserved{m.Domain.Prefix, false, at + ".Markers.Domain.Prefix"})
	}
	for i, c := range m.Loop {
		for _, r := range fieldNames(c.Predicate) {
			r.path = index(at+".Markers.Loop", i)
			add(r)
		}
	}
	for _, r := range fieldNames(m.Released.Predicate) {
		r.path = at + ".Markers.Released"
		add(r)
	}
	for _, r := range fieldNames(m.Spam.Predicate) {
		r.path = at + ".Markers.Spam"
		add(r)
	}
	return list
}

// fieldNames are the header names that a predicate looks at.
func fieldNames(p headers.Predicate) []reserved {
	switch p := p.(type) {
	case headers.Exists:
		return []reserved{{prefix: p.Name, exact: true}}
	case headers.Match:
		return []reserved{{prefix: p.Name, exact: true}}
	case headers.MatchPrefix:
		return []reserved{{prefix: p.Prefix}}
	case headers.Not:
		return fieldNames(p.Predicate)
	case headers.All:
		var list []reserved
		for _, q := range p {
			list = append(list, fieldNames(q)...)
		}
		return list
	case headers.Any:
		var list []reserved
		for _, q := range p {
			list = append(list, fieldNames(q)...)
		}
		return list
	case headers.Condition:
		return fieldNames(p.Predicate)
	case headers.ContentType, nil:
		return nil
	default: // validation refuses it
		return nil
	}
}

// version reads the first two numbers of a version.
func version(s string) (major, minor int, ok bool) {
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == '.' || r == '-' || r == '+' || r == ' ' })
	if len(parts) < 2 {
		return 0, 0, false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return major, minor, err1 == nil && err2 == nil
}

func port(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }

func itoa(n int) string { return strconv.Itoa(n) }
